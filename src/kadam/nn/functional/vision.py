"""Images rearranged: elements moved between channels and space, windows as columns and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from kadam.errors import RankError, ShapeError
from kadam.nn.functional.spatial import Sizes, in_batch, out_of_batch, per_axis
from kadam.primitives.move import Permute, Reshape, padded
from kadam.primitives.window import Overlap, Windows
from kadam.recording.calls import emit, symbol
from kadam.recording.operation import operation
from kadam.recording.order import as_input
from kadam.shapes import Shape, count

if TYPE_CHECKING:
    from kadam.tensor import Tensor


@operation(order=as_input)
def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Channels moved into space: each r x r square comes from r^2 channels. As `torch.nn.functional.pixel_shuffle`.

    Shapes:
        input f32[..., channels * r^2, height, width] -> f32[..., channels, height * r, width * r]

    Raises:
        ShapeError: the channels cannot be divided by r^2.

    Source: Shi et al., "Real-time single image and video super-resolution", 2016.
    """
    lead, channels, height, width = _image("pixel_shuffle", input)
    r = upscale_factor
    if r <= 0:
        raise ShapeError(f"pixel_shuffle expects a positive upscale_factor, but got {r}. Fix: upscale_factor=2.")
    if channels % (r * r):
        raise ShapeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, "
            f"but input.size(-3)={channels} is not divisible by {r * r}. Fix: the layer before it needs a multiple of "
            f"{r * r} channels."
        )
    split = (*lead, channels // (r * r), r, r, height, width)
    return _rearranged(input, split, (0, 3, 1, 4, 2), (*lead, channels // (r * r), height * r, width * r))


@operation
def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Space moved into channels: the inverse of `pixel_shuffle`. As `torch.nn.functional.pixel_unshuffle`.

    Shapes:
        input f32[..., channels, height * r, width * r] -> f32[..., channels * r^2, height, width]

    Raises:
        ShapeError: height or width cannot be divided by r.
    """
    lead, channels, height, width = _image("pixel_unshuffle", input)
    r = downscale_factor
    if r <= 0:
        raise ShapeError(f"pixel_unshuffle expects a positive downscale_factor, but got {r}. Fix: downscale_factor=2.")
    for what, size, axis in (("height", height, -2), ("width", width, -1)):
        if size % r:
            raise ShapeError(
                f"pixel_unshuffle expects {what} to be divisible by downscale_factor, but input.size({axis})={size} is "
                f"not divisible by {r}. Fix: pad the input to a multiple of {r}."
            )
    split = (*lead, channels, height // r, r, width // r, r)
    return _rearranged(input, split, (0, 2, 4, 1, 3), (*lead, channels * r * r, height // r, width // r))


@operation
def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Groups of channels interleaved. As `torch.nn.functional.channel_shuffle`.

    Shapes:
        input f32[batch, channels, ...] -> the same

    Raises:
        ShapeError: the channels cannot be divided into the groups.

    Source: Zhang et al., "ShuffleNet", 2017.
    """
    shape = tuple(input.shape)
    if len(shape) < 3:
        raise ShapeError(
            f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(shape)}. Fix: unsqueeze() to "
            "[batch, channels, ...]."
        )
    if groups <= 0:
        raise ShapeError(
            f"channel_shuffle: Number of groups to divide channels in must be positive. Value of groups:{groups}. Fix: "
            "give groups of at least 1."
        )
    if shape[1] % groups:
        raise ShapeError(
            f"channel_shuffle: Number of channels must be divisible by groups. Got {shape[1]} channels and {groups} "
            f"groups. Fix: give groups that divide {shape[1]}."
        )
    split = (shape[0], groups, shape[1] // groups, count(shape[2:]))
    moved = emit(Permute((0, 2, 1, 3)), emit(Reshape(split), input))
    return emit(Reshape(shape), moved)


def _image(name: str, input: Tensor) -> tuple[Shape, int, int, int]:
    """The leading sizes, the channels, the height and the width.

    Raises:
        ShapeError: there are fewer than 3 axes.
    """
    if len(input.shape) < 3:
        raise ShapeError(
            f"{name} expects input to have at least 3 dimensions, but got input with {len(input.shape)} dimension(s). "
            "Fix: unsqueeze() to [channels, height, width]."
        )
    *lead, channels, height, width = input.shape
    return tuple(lead), channels, height, width


def _rearranged(input: Tensor, split: Shape, order: Sequence[int], shape: Shape) -> Tensor:
    """In a body: axes split, the last ones put into another order, and joined."""
    lead = len(split) - len(order)
    moved = emit(Permute((*range(lead), *(lead + axis for axis in order))), emit(Reshape(split), input))
    return emit(Reshape(shape), moved)


@operation(grad="Im2ColBackward0")
def unfold(
    input: Tensor,
    kernel_size: int | tuple[int, ...],
    dilation: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] = 0,
    stride: int | tuple[int, ...] = 1,
) -> Tensor:
    """Each window of an image as a column. As `torch.nn.functional.unfold`.

    Shapes:
        input f32[batch, channels, height, width] or without batch -> f32[batch, channels * window, windows]

    Args:
        input: the image.
        kernel_size: size of a window.
        dilation: step within a window.
        padding: zeros on both sides.
        stride: step from window to window.

    Raises:
        ShapeError: the shapes or the arguments do not fit.
    """
    if len(input.shape) not in (3, 4):
        raise RankError(
            f"unfold: Expected 3D or 4D (batch mode) tensor for input, but got {list(input.shape)}. Fix: unsqueeze() "
            "to [batch, channels, height, width]."
        )
    batch = in_batch(input, 4)
    frame = _Frame.of("unfold", tuple(batch.shape[2:]), kernel_size, dilation, padding, stride)
    margins = ((0, 0), (0, 0), *((both, both) for both in frame.padding))
    image = symbol(padded(batch._node, margins))  # type: ignore[arg-type]
    for axis in (0, 1):
        image = emit(Windows(2 + axis, frame.kernel[axis], frame.stride[axis], frame.dilation[axis]), image)
    columns = emit(Permute((0, 1, 4, 5, 2, 3)), image)
    shape = (batch.shape[0], batch.shape[1] * count(frame.kernel), count(frame.counts))
    return out_of_batch(emit(Reshape(shape), columns), batch is input)


@operation(grad="Col2ImBackward0")
def fold(
    input: Tensor,
    output_size: int | tuple[int, ...],
    kernel_size: int | tuple[int, ...],
    dilation: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] = 0,
    stride: int | tuple[int, ...] = 1,
) -> Tensor:
    """The columns of `unfold` summed into an image. As `torch.nn.functional.fold`.

    Shapes:
        input f32[batch, channels * window, windows] or without batch -> f32[batch, channels, height, width]

    Args:
        input: the columns.
        output_size: size of the image.
        kernel_size: size of a window.
        dilation: step within a window.
        padding: zeros on both sides.
        stride: step from window to window.

    Raises:
        ShapeError: the shapes or the arguments do not fit.
    """
    if len(input.shape) not in (2, 3):
        raise ShapeError(
            f"fold: Expected 2D or 3D (batch mode) tensor for input, but got {list(input.shape)}. Fix: lay it out as "
            "[batch, channels * kernel, blocks]."
        )
    batch = in_batch(input, 3)
    sizes = per_axis("fold", "output_size", output_size, 2)
    frame = _Frame.of("fold", sizes, kernel_size, dilation, padding, stride)
    samples, rows, columns = batch.shape
    if rows % count(frame.kernel):
        raise ShapeError(
            "fold: Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got "
            f"input.size(1)={rows} and kernel_size={frame.kernel}. Fix: give the kernel_size that unfold had."
        )
    channels = rows // count(frame.kernel)
    if columns != count(frame.counts):
        raise ShapeError(
            f"fold: Given output_size={sizes}, kernel_size={frame.kernel}, dilation={frame.dilation}, "
            f"padding={frame.padding}, stride={frame.stride}, expected size of input's dimension 2 to match the "
            f"calculated number of sliding blocks {' * '.join(map(str, frame.counts))} = {count(frame.counts)}, but "
            f"got input.size(2)={columns}. Fix: give the sizes that unfold had."
        )
    windows = emit(Reshape((samples, channels, *frame.kernel, *frame.counts)), batch)
    image = emit(Permute((0, 1, 4, 5, 2, 3)), windows)
    for axis in (1, 0):
        length = sizes[axis] + 2 * frame.padding[axis]
        image = emit(Overlap(2 + axis, frame.kernel[axis], frame.stride[axis], length, frame.dilation[axis]), image)
    margins = ((0, 0), (0, 0), *((-both, -both) for both in frame.padding))
    return out_of_batch(symbol(padded(image._node, margins)), batch is input)  # type: ignore[arg-type]


class _Frame(NamedTuple):
    """How windows lie over an image of two axes; `counts`: how many of them along each."""

    kernel: Shape
    dilation: Shape
    padding: Shape
    stride: Shape
    counts: Shape

    @classmethod
    def of(cls, name: str, sizes: Shape, kernel: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes) -> _Frame:
        """Over an image of these sizes.

        Raises:
            ShapeError: an argument is not positive, or no window fits.
        """
        given = {"kernel_size": kernel, "dilation": dilation, "padding": padding, "stride": stride}
        found = {what: per_axis(name, what, value, 2) for what, value in given.items()}
        for what, values in found.items():
            if min(values) < (what != "padding"):
                raise ShapeError(
                    f"{name}: {what} should be greater than zero, but got {values}. Fix: give {what} of at least 1."
                )
        taps, steps, margins, moves = found.values()
        counts = tuple(
            (size + 2 * margin - step * (tap - 1) - 1) // move + 1
            for size, margin, step, tap, move in zip(sizes, margins, steps, taps, moves, strict=True)
        )
        if min(counts) < 1:
            raise ShapeError(
                f"{name}: Given input with spatial size {sizes}, kernel_size={taps}, dilation={steps}, "
                f"padding={margins}, calculated shape of the array of sliding blocks as {counts}, but its components "
                "must be at least one. Fix: pad the input, or shrink the kernel."
            )
        return cls(taps, steps, margins, moves, counts)


__all__ = ["channel_shuffle", "fold", "pixel_shuffle", "pixel_unshuffle", "unfold"]
