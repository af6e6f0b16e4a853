"""Pooling over windows of such sizes that the result has given ones.

Of n windows over s elements, window i goes from floor(i s / n) to ceil((i + 1) s / n).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from kadam import dtypes
from kadam.errors import ShapeError
from kadam.ir.builder import current_builder
from kadam.nn.functional.pooling import mean_of_windows, picked_by_plane
from kadam.ops.compare import minimum, where
from kadam.ops.promotion import constant, stretched
from kadam.ops.reduce import argmax, mean
from kadam.ops.require import ArgumentError, require_floating
from kadam.ops.slicing import narrow
from kadam.primitives.index import Index
from kadam.primitives.move import Permute, Reshape
from kadam.primitives.pool import WindowArgMax, WindowSum
from kadam.primitives.sources import Iota
from kadam.recording.calls import emit, symbol
from kadam.recording.operation import operation
from kadam.recording.order import as_input
from kadam.recording.precision import listed
from kadam.shapes import Shape, count

if TYPE_CHECKING:
    from kadam.tensor import Tensor

OutputSize = int | tuple[int | None, ...] | None


@operation(grad="SqueezeBackward1", once=True)
def adaptive_avg_pool1d(input: Tensor, output_size: int | tuple[int, ...]) -> Tensor:
    """The means of `output_size` windows of the last axis. As `torch.nn.functional.adaptive_avg_pool1d`."""
    return _adaptive_avg_pool(1, input, output_size)


@operation(grad="AdaptiveAvgPool2DBackward0", once=True, order=as_input)
def _adaptive_avg_pool2d(input: Tensor, output_size: int | tuple[int | None, ...] | None) -> Tensor:
    return _adaptive_avg_pool(2, input, output_size)


@operation(grad="AdaptiveAvgPool3DBackward0", once=True)
def _adaptive_avg_pool3d(input: Tensor, output_size: int | tuple[int | None, ...] | None) -> Tensor:
    return _adaptive_avg_pool(3, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: OutputSize) -> Tensor:
    """The means of as many windows of the last two axes as are asked for. As `torch.nn.functional.adaptive_avg_pool2d`.

    Args:
        input: f32[batch, channels, height, width] or without batch.
        output_size: how many windows each axis has; None keeps an axis.

    Raises:
        ShapeError: the shape or the size do not fit.
    """
    if output_size in (1, (1, 1), [1, 1]):
        return _plane_mean("adaptive_avg_pool2d", 2, input, output_size)
    return _adaptive_avg_pool2d(input, output_size)


@listed("adaptive_avg_pool3d")
def adaptive_avg_pool3d(input: Tensor, output_size: OutputSize) -> Tensor:
    """The means of as many windows of the last three axes as are asked for. As `adaptive_avg_pool2d` of two."""
    if output_size in (1, (1, 1, 1), [1, 1, 1]):
        return _plane_mean("adaptive_avg_pool3d", 3, input, output_size)
    return _adaptive_avg_pool3d(input, output_size)


@operation(grad="SqueezeBackward1")
def adaptive_max_pool1d(input: Tensor, output_size: int | tuple[int, ...], return_indices: bool = False) -> Any:
    """The maxima of `output_size` windows of the last axis. As `torch.nn.functional.adaptive_max_pool1d`."""
    return _adaptive_max_pool(1, input, output_size, return_indices)


@operation(grad="AdaptiveMaxPool2DBackward0", order=as_input)
def adaptive_max_pool2d(
    input: Tensor, output_size: int | tuple[int | None, ...] | None, return_indices: bool = False
) -> Any:
    """The maxima of as many windows of the last two axes as are asked for.

    As `torch.nn.functional.adaptive_max_pool2d`.

    Args:
        input: f32[batch, channels, height, width] or without batch.
        output_size: how many windows each axis has; None keeps an axis.
        return_indices: whether the maxima's positions in their planes are returned too.

    Raises:
        ShapeError: the shape or the size do not fit.
    """
    return _adaptive_max_pool(2, input, output_size, return_indices)


@operation(grad="AdaptiveMaxPool3DBackward0")
def adaptive_max_pool3d(
    input: Tensor, output_size: int | tuple[int | None, ...] | None, return_indices: bool = False
) -> Any:
    """The maxima of as many windows of the last three axes as are asked for. As `adaptive_max_pool2d` of two."""
    return _adaptive_max_pool(3, input, output_size, return_indices)


def _plane_mean(name: str, axes: int, input: Tensor, output_size: OutputSize) -> Tensor:
    _check_rank(name, axes, input, output_size)
    return mean(input, tuple(range(-axes, 0)), True)


def _adaptive_avg_pool(axes: int, input: Tensor, output_size: OutputSize) -> Tensor:
    sizes, windows = _sizes(f"adaptive_avg_pool{axes}d", axes, input, output_size)
    if 0 in windows:
        return emit(Reshape((*input.shape[:-axes], *windows)), narrow(input, -1, 0, 0))
    if _equal(sizes, windows):
        kernel = tuple(size // number for size, number in zip(sizes, windows, strict=True))
        sums = emit(WindowSum(kernel, kernel, ((0, 0),) * axes), input)
        return mean_of_windows(sums, count(kernel))
    for axis, number in enumerate(windows, start=len(input.shape) - axes):
        input = _mean_along(input, axis, number)
    return input


def _mean_along(input: Tensor, axis: int, number: int) -> Tensor:
    """In a body: the means of `number` windows along one axis."""
    size = input.shape[axis]
    if number == size:
        return input
    places, inside, lengths = _places(size, number)
    parts = emit(Index((axis,), False), input, places)
    shape = (number, places.shape[1], *(1,) * (len(input.shape) - axis - 1))
    sums = where(inside.reshape(shape), parts, 0).sum(axis + 1)
    return sums / lengths.to(input.dtype).reshape(number, *shape[2:])


def _adaptive_max_pool(axes: int, input: Tensor, output_size: OutputSize, return_indices: bool) -> Any:
    sizes, windows = _sizes(f"adaptive_max_pool{axes}d", axes, input, output_size)
    if 0 in windows:
        raise ShapeError(
            f"adaptive_max_pool{axes}d: elements of output_size must be greater than 0, got {windows}. Fix: give sizes "
            "of at least 1."
        )
    if _equal(sizes, windows):
        kernel = tuple(size // number for size, number in zip(sizes, windows, strict=True))
        places = emit(WindowArgMax(kernel, kernel, ((0, 0),) * axes, (1,) * axes), input)
    else:
        places = _largest(input, sizes, windows)
    values = picked_by_plane(input, places, axes)
    return (values, places) if return_indices else values


def _largest(input: Tensor, sizes: Shape, windows: Shape) -> Tensor:
    """In a body: where the largest element of each window stands: its row-major position in its plane."""
    axes, lead = len(sizes), tuple(input.shape[: -len(sizes)])
    grids = [_places(size, number) for size, number in zip(sizes, windows, strict=True)]
    parts = input.detach()
    for axis, (places, _, _) in enumerate(grids):
        parts = emit(Index((len(lead) + 2 * axis,), False), parts, places)
    position = constant(0, dtypes.int64)
    for axis, (places, inside, _) in enumerate(grids):
        shape = (*places.shape, *(1,) * (2 * (axes - 1 - axis)))
        parts = where(inside.reshape(shape), parts, -math.inf)
        position = position * sizes[axis] + places.reshape(shape)
    candidates, position = (_by_window(one, axes) for one in (parts, position))
    winner = argmax(candidates, -1, True)
    return stretched(position, tuple(candidates.shape)).gather(-1, winner).squeeze(-1)


def _by_window(parts: Tensor, axes: int) -> Tensor:
    """In a body: [..., windows, elements, windows, elements ...] as [..., windows, windows ..., all elements]."""
    lead = len(parts.shape) - 2 * axes
    order = (*range(lead), *range(lead, len(parts.shape), 2), *range(lead + 1, len(parts.shape), 2))
    moved = emit(Permute(order), parts)
    return emit(Reshape((*moved.shape[:-axes], count(moved.shape[-axes:]))), moved)


def _places(size: int, number: int) -> tuple[Tensor, Tensor, Tensor]:
    """In a body, for each window: where its elements stand, which of them are its own, and how many these are.

    Shapes: i64[windows, longest], bool[windows, longest], i64[windows, 1]. Shorter windows end with others' elements.
    """
    bounds = [(place * size // number, -(-(place + 1) * size // number)) for place in range(number)]
    shape = (number, max(end - start for start, end in bounds))
    window, within = (symbol(current_builder().emit(Iota(shape, axis, dtypes.int64))) for axis in (0, 1))
    start = window * size // number
    length = ((window + 1) * size + (number - 1)) // number - start
    return minimum(start + within, constant(size - 1, dtypes.int64, shape)), within < length, length[:, :1]


def _sizes(name: str, axes: int, input: Tensor, output_size: OutputSize) -> tuple[Shape, Shape]:
    """The sizes of the spatial axes, and how many windows each is to have.

    Raises:
        ShapeError: the shape or the size do not fit.
        NotFloatingError: the tensor has no floating-point elements.
    """
    _check_rank(name, axes, input, output_size)
    require_floating(name, input)
    sizes = tuple(input.shape[-axes:])
    wanted = output_size if isinstance(output_size, tuple) else (output_size,) * axes
    if len(wanted) != axes:
        raise ShapeError(
            f"{name}: output_size must have {axes} entries, got {wanted}. Fix: give one int for all {axes} axes, or "
            f"{axes} of them."
        )
    windows = tuple(size if number is None else number for number, size in zip(wanted, sizes, strict=True))
    if min(windows) < 0:
        raise ShapeError(
            f"{name}: elements of output_size must be greater than or equal to 0 but received {windows}. Fix: give "
            "sizes of at least 1."
        )
    return sizes, windows


def _check_rank(name: str, axes: int, input: Tensor, output_size: OutputSize) -> None:
    shape = list(input.shape)
    if len(shape) not in (axes + 1, axes + 2):
        is_size_of_more = axes > 1 and isinstance(output_size, tuple | list) and len(shape) <= axes
        raise (ArgumentError if is_size_of_more else ShapeError)(
            f"{name}(): Expected {axes + 1}D or {axes + 2}D tensor, but got {shape}. Fix: reshape to [batch, channels, "
            f"*{axes} spatial axes]."
        )
    if 0 in shape[-axes:]:
        raise ShapeError(
            f"{name}(): Expected input to have non-zero size for non-batch dimensions, but got {shape}. Fix: check the "
            "layer before it: one of its axes came out empty."
        )


def _equal(sizes: Shape, windows: Shape) -> bool:
    """Whether all windows of an axis have one size and do not overlap."""
    return all(number and size % number == 0 for size, number in zip(sizes, windows, strict=True))


__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
]
