"""Convolutions: kernels that slide over one, two or three spatial axes, and their transposes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kadam.errors import DTypeError, ShapeError
from kadam.nn.functional.spatial import Sizes, along_channels, by, in_batch, out_of_batch, per_axis
from kadam.ops.promotion import rounded_once
from kadam.primitives.convolve import Convolve, ConvolveInput
from kadam.primitives.elementwise import Add
from kadam.primitives.window import Margins
from kadam.recording.calls import emit
from kadam.recording.operation import operation
from kadam.recording.order import as_input_or_weight
from kadam.shapes import Shape

if TYPE_CHECKING:
    from kadam.ir.primitive import Primitive
    from kadam.tensor import Tensor


@operation
def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] | str = 0,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
) -> Tensor:
    """A convolution along the last axis. As `torch.nn.functional.conv1d`; see `conv2d`."""
    return _conv("conv1d", input, weight, bias, stride, padding, dilation, groups)


@operation(order=as_input_or_weight)
def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] | str = 0,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
) -> Tensor:
    """A convolution (the kernel is not flipped) over the last two axes. As `torch.nn.functional.conv2d`.

    Shapes:
        input f32[batch, channels, height, width] or without batch, weight f32[features, channels / groups, kh, kw],
        bias f32[features] -> f32[batch, features, ...]

    Args:
        input: the signal.
        weight: the kernels.
        bias: added to each feature.
        stride: step from window to window.
        padding: zeros on both sides, or "valid" (none) or "same" (so that the sizes stay).
        dilation: step within a window.
        groups: of channels that are convolved on their own.

    Raises:
        ShapeError: the shapes do not fit each other or the arguments.
        DTypeError: the operands have different types.
    """
    return _conv("conv2d", input, weight, bias, stride, padding, dilation, groups)


@operation(order=as_input_or_weight)
def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] | str = 0,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
) -> Tensor:
    """A convolution over the last three axes. As `torch.nn.functional.conv3d`; see `conv2d`."""
    return _conv("conv3d", input, weight, bias, stride, padding, dilation, groups)


@operation
def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] = 0,
    output_padding: int | tuple[int, ...] = 0,
    groups: int = 1,
    dilation: int | tuple[int, ...] = 1,
) -> Tensor:
    """A transposed convolution along the last axis. As `torch.nn.functional.conv_transpose1d`; see the 2-D one."""
    return _conv_transpose("conv_transpose1d", input, weight, bias, stride, padding, output_padding, groups, dilation)


@operation(order=as_input_or_weight)
def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] = 0,
    output_padding: int | tuple[int, ...] = 0,
    groups: int = 1,
    dilation: int | tuple[int, ...] = 1,
) -> Tensor:
    """The transpose of `conv2d`: spreads each element over its window. As `torch.nn.functional.conv_transpose2d`.

    Shapes:
        input f32[batch, channels, height, width] or without batch, weight f32[channels, features / groups, kh, kw],
        bias f32[features] -> f32[batch, features, ...]

    Args:
        input: the signal.
        weight: the kernels.
        bias: added to each feature.
        stride: step between the windows of neighbours.
        padding: how much is cut off on both sides.
        output_padding: how much longer the result is on its far side.
        groups: of channels that are convolved on their own.
        dilation: step within a window.

    Raises:
        ShapeError: the shapes do not fit each other or the arguments.
        DTypeError: the operands have different types.
    """
    return _conv_transpose("conv_transpose2d", input, weight, bias, stride, padding, output_padding, groups, dilation)


@operation(order=as_input_or_weight)
def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] = 0,
    output_padding: int | tuple[int, ...] = 0,
    groups: int = 1,
    dilation: int | tuple[int, ...] = 1,
) -> Tensor:
    """A transposed convolution over the last three axes. As `torch.nn.functional.conv_transpose3d`; see the 2-D one."""
    return _conv_transpose("conv_transpose3d", input, weight, bias, stride, padding, output_padding, groups, dilation)


@operation(grad="ConvolutionBackward0")
def convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: tuple[int, ...],
    padding: tuple[tuple[int, int], ...],
    dilation: tuple[int, ...],
    groups: int,
) -> Tensor:
    """A convolution of a batch, with (before, after) padding per axis."""
    return _with_bias(Convolve(stride, padding, dilation, groups), input, weight, bias)


@operation(grad="ConvolutionBackward0")
def transposed_convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: tuple[int, ...],
    padding: tuple[tuple[int, int], ...],
    dilation: tuple[int, ...],
    groups: int,
    size: tuple[int, ...],
) -> Tensor:
    """A transposed convolution of a batch, to axes of `size`."""
    return _with_bias(ConvolveInput(stride, padding, dilation, groups, size), input, weight, bias)


def _with_bias(primitive: Primitive, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    def summed(input: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        result = emit(primitive, input, weight)
        return emit(Add(), result, along_channels(bias, result.shape))

    return emit(primitive, input, weight) if bias is None else rounded_once(summed, input, weight, bias)


def _conv(
    name: str,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sizes,
    padding: Sizes | str,
    dilation: Sizes,
    groups: int,
) -> Tensor:
    axes = int(name[-2])
    _check_operands(name, axes, input, weight, bias)
    stride, dilation = _positive(name, axes, stride=stride, dilation=dilation)
    kernel = tuple(weight.shape[2:])
    margins = _margins(name, padding, kernel, stride, dilation)
    batch = in_batch(input, axes + 2)
    _check_channels(batch, weight, bias, groups)
    inside = [size + before + after for size, (before, after) in zip(batch.shape[2:], margins, strict=True)]
    reach = [step * (taps - 1) + 1 for taps, step in zip(kernel, dilation, strict=True)]
    if any(width > size for width, size in zip(reach, inside, strict=True)):
        raise ShapeError(
            f"Calculated padded input size per channel: ({by(inside)}). Kernel size: ({by(reach)}). Kernel size can't "
            "be greater than actual input size. Fix: pad the input, shrink the kernel, or remove a pooling layer "
            "before it."
        )
    return out_of_batch(convolution(batch, weight, bias, stride, margins, dilation, groups), batch is input)


def _conv_transpose(
    name: str,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sizes,
    padding: Sizes,
    output_padding: Sizes,
    groups: int,
    dilation: Sizes,
) -> Tensor:
    axes = int(name[-2])
    _check_operands(name, axes, input, weight, bias)
    stride, dilation = _positive(name, axes, stride=stride, dilation=dilation)
    cut = per_axis(name, "padding", padding, axes)
    longer = per_axis(name, "output_padding", output_padding, axes)
    _check_transposed(name, input, weight, bias, groups)
    if any(extra < 0 or extra >= max(*pair) for extra, *pair in zip(longer, stride, dilation, strict=True)):
        raise ShapeError(
            f"output padding must be smaller than either stride or dilation, but got output_padding {longer}, stride "
            f"{stride}, dilation {dilation}. Fix: give an output_padding below the stride."
        )
    batch = in_batch(input, axes + 2)
    reach = [step * (taps - 1) + 1 for taps, step in zip(weight.shape[2:], dilation, strict=True)]
    size = tuple(
        (count - 1) * step + width - 2 * both + extra
        for count, step, width, both, extra in zip(batch.shape[2:], stride, reach, cut, longer, strict=True)
    )
    if min(size) < 1:
        raise ShapeError(
            f"Given input size per channel: ({by(batch.shape[2:])}). Calculated output size per channel: ({by(size)}). "
            "Output size is too small. Fix: give a larger input, or less padding."
        )
    margins = tuple((both, both - extra) for both, extra in zip(cut, longer, strict=True))
    result = transposed_convolution(batch, weight, bias, stride, margins, dilation, groups, size)
    return out_of_batch(result, batch is input)


def _check_operands(name: str, axes: int, input: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    if len(input.shape) not in (axes + 1, axes + 2):
        raise ShapeError(
            f"Expected {axes + 1}D (unbatched) or {axes + 2}D (batched) input to {name}, but got input of size: "
            f"{list(input.shape)}. Fix: reshape to [batch, channels, ...] with {axes} axes after the channels; "
            "unsqueeze(1) adds a channel."
        )
    if len(weight.shape) != axes + 2:
        raise ShapeError(
            f"{name}: the weight must have {axes + 2} axes, got a weight of size {list(weight.shape)}. Fix: reshape it "
            f"to [out_channels, in_channels / groups, ...] with {axes} axes at the end."
        )
    for what, operand in (("weight", weight), ("bias", bias)):
        if operand is not None and operand.dtype is not input.dtype:
            raise DTypeError(
                f"{name}: Input type ({input.dtype!r}) and {what} type ({operand.dtype!r}) should be the same. "
                "Fix: convert one of them, for example with .float()."
            )


def _positive(name: str, axes: int, **arguments: Sizes) -> list[Shape]:
    """The arguments per axis.

    Raises:
        ShapeError: one is not positive.
    """
    found = [per_axis(name, argument, value, axes) for argument, value in arguments.items()]
    for argument, values in zip(arguments, found, strict=True):
        if min(values) < 1:
            raise ShapeError(
                f"{name}: non-positive {argument} is not supported, got {values}. Fix: give {argument} of at least 1."
            )
    return found


def _margins(name: str, padding: Sizes | str, kernel: Shape, stride: Shape, dilation: Shape) -> Margins:
    """(before, after) padding per axis."""
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise ShapeError(f"Invalid padding string: '{padding}'. Fix: use 'same' or 'valid'.")
        if padding == "valid":
            return ((0, 0),) * len(kernel)
        if any(step != 1 for step in stride):
            raise ShapeError(
                "padding='same' is not supported for strided convolutions. Fix: give the padding as a number, for "
                "example kernel_size // 2."
            )
        totals = [step * (taps - 1) for taps, step in zip(kernel, dilation, strict=True)]
        return tuple((total // 2, total - total // 2) for total in totals)
    both = per_axis(name, "padding", padding, len(kernel))
    if min(both) < 0:
        raise ShapeError(
            f"{name}: negative padding is not supported, got {both}. Fix: crop the input by slicing it instead."
        )
    return tuple((margin, margin) for margin in both)


def _check_channels(input: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> None:
    sizes, given = list(weight.shape), list(input.shape)
    if groups < 1:
        raise ShapeError("non-positive groups is not supported. Fix: groups=1.")
    if sizes[0] < 1:
        raise ShapeError(
            f"Given groups={groups}, expected weight to be at least 1 at dimension 0, but got weight of size {sizes} "
            "instead. Fix: a layer needs out_channels of at least 1."
        )
    if sizes[0] % groups:
        raise ShapeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, but got weight of "
            f"size {sizes} instead. Fix: give groups that divide the {sizes[0]} output channels."
        )
    if given[1] != sizes[1] * groups:
        raise ShapeError(
            f"Given groups={groups}, weight of size {sizes}, expected input{given} to have {sizes[1] * groups} "
            f"channels, but got {given[1]} channels instead. Fix: the layer needs in_channels={given[1]}, or permute "
            "the input to [batch, channels, ...]."
        )
    _check_bias(sizes, bias, sizes[0], "")


def _check_transposed(name: str, input: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> None:
    sizes, given = list(weight.shape), list(input.shape)
    if groups < 1:
        raise ShapeError("non-positive groups is not supported. Fix: groups=1.")
    channels = given[-len(sizes) + 1]
    if channels != sizes[0] or channels % groups:
        raise ShapeError(
            f"{name}: Given transposed=1, weight of size {sizes}, expected input{given} to have {sizes[0]} channels in "
            f"{groups} equal groups, but got {channels} channels instead. Fix: the layer needs in_channels={channels}."
        )
    _check_bias(sizes, bias, sizes[1] * groups, "transposed=1, ")


def _check_bias(sizes: Sequence[int], bias: Tensor | None, features: int, how: str) -> None:
    if bias is not None and tuple(bias.shape) != (features,):
        raise ShapeError(
            f"Given {how}weight of size {list(sizes)}, expected bias to be 1-dimensional with {features} elements, but "
            f"got bias of size {list(bias.shape)} instead. Fix: give a bias of shape [{features}], or None."
        )


__all__ = [
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
]
