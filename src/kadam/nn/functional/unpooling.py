"""Maxima put back where pooling found them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kadam.dtypes import int64
from kadam.errors import DTypeError, ShapeError
from kadam.nn.functional.spatial import Sizes, per_axis
from kadam.ops.promotion import constant
from kadam.ops.require import ArgumentError
from kadam.primitives.index import ScatterEqual
from kadam.primitives.move import Reshape
from kadam.recording.calls import emit
from kadam.recording.operation import operation
from kadam.shapes import Shape, count

if TYPE_CHECKING:
    from kadam.tensor import Tensor


def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """The inverse of `max_pool1d`, with zeros between the maxima. As `torch.nn.functional.max_unpool1d`."""
    return _unpool1d(input, indices, _unpooled("max_unpool1d", input, kernel_size, stride, padding, output_size))


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """The inverse of `max_pool2d`, with zeros between the maxima. As `torch.nn.functional.max_unpool2d`.

    Args:
        input: the maxima, f32[batch, channels, height, width] or without batch.
        indices: their positions, as `max_pool2d` returns them.
        kernel_size: of the pooling.
        stride: of the pooling.
        padding: of the pooling.
        output_size: of the planes, where the pooling leaves a choice.

    Raises:
        ShapeError: the shapes do not fit, or `output_size` cannot be what was pooled (ValueError).
    """
    return _unpool2d(input, indices, _unpooled("max_unpool2d", input, kernel_size, stride, padding, output_size))


def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """The inverse of `max_pool3d`, with zeros between the maxima. As `torch.nn.functional.max_unpool3d`."""
    return _unpool3d(input, indices, _unpooled("max_unpool3d", input, kernel_size, stride, padding, output_size))


@operation(grad="SqueezeBackward1")
def _unpool1d(input: Tensor, indices: Tensor, sizes: tuple[int, ...]) -> Tensor:
    return _put_back(input, indices, sizes)


@operation(grad="MaxUnpool2DBackward0")
def _unpool2d(input: Tensor, indices: Tensor, sizes: tuple[int, ...]) -> Tensor:
    return _put_back(input, indices, sizes)


@operation(grad="MaxUnpool3DBackward0")
def _unpool3d(input: Tensor, indices: Tensor, sizes: tuple[int, ...]) -> Tensor:
    return _put_back(input, indices, sizes)


def _put_back(input: Tensor, indices: Tensor, sizes: Shape) -> Tensor:
    if indices.dtype is not int64:
        raise DTypeError(
            f"max_unpool: elements in indices should be type int64 but got: {indices.dtype!r}. Fix: indices.long()."
        )
    if tuple(indices.shape) != tuple(input.shape):
        raise ShapeError(
            f"max_unpool: Expected shape of indices to be same as that of the input tensor ({list(input.shape)}) but "
            f"got indices tensor with shape: {list(indices.shape)}. Fix: give the indices that max_pool returned with "
            "return_indices=True."
        )
    lead = tuple(input.shape[: -len(sizes)])
    flat = (*lead, count(input.shape[-len(sizes) :]))
    base = constant(0, input.dtype, (*lead, count(sizes)))
    put = emit(ScatterEqual(len(lead)), base, emit(Reshape(flat), input), emit(Reshape(flat), indices))
    return emit(Reshape((*lead, *sizes)), put)


def _unpooled(
    name: str,
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    output_size: Sequence[int] | None,
) -> Shape:
    """The sizes of the planes that were pooled.

    Raises:
        ShapeError: the input has too many or too few axes.
        ValueError: `output_size` is out of reach.
    """
    axes = int(name[-2])
    if len(input.shape) not in (axes + 1, axes + 2):
        raise ShapeError(
            f"{name}: Input to {name} should be a {axes + 1}d or {axes + 2}d Tensor. Fix: unsqueeze(0) makes a batch "
            "of one."
        )
    kernel = per_axis(name, "kernel_size", kernel_size, axes)
    step = per_axis(name, "stride", kernel if stride is None else stride, axes)
    both = per_axis(name, "padding", padding, axes)
    default = tuple(
        (size - 1) * move - 2 * margin + taps
        for size, move, margin, taps in zip(input.shape[-axes:], step, both, kernel, strict=True)
    )
    if output_size is None:
        return default
    sizes = tuple(output_size)[-axes:] if len(output_size) == axes + 2 else tuple(output_size)
    if len(sizes) != axes:
        raise ArgumentError(
            f"max_unpool: output_size should be a sequence containing {axes} or {axes + 2} elements, but it has a "
            f"length of '{len(output_size)}'. Fix: output_size=x.size(), x being what was pooled."
        )
    for size, usual, move in zip(sizes, default, step, strict=True):
        if not usual - move < size < usual + move:
            raise ArgumentError(
                "max_unpool: "
                f'invalid output_size "{tuple(output_size)}" (each of {default} may differ by less than {step})'
                ". Fix: output_size=x.size(), x being what was pooled."
            )
    return sizes


__all__ = [
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
]
