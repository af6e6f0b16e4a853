"""Derivatives and integrals of sampled functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kadam.dtypes import FLOAT, default_float
from kadam.errors import ShapeError
from kadam.ops.combine import cat
from kadam.ops.reduce import cumsum
from kadam.ops.statistics import diff
from kadam.recording.tensor import Recorded
from kadam.shapes import axis_of

if TYPE_CHECKING:
    from kadam.recording.tensor import Number
    from kadam.tensor import Tensor

Spacing = Any  # a number, a tensor of coordinates, or several of them


def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Number = 1, dim: int = -1) -> Tensor:
    """The integrals by the trapezoid rule up to each sample along an axis. As `torch.cumulative_trapezoid`."""
    axis = axis_of(dim, len(y.shape))
    size = y.shape[axis]
    middle = (y.narrow(axis, 1, size - 1) + y.narrow(axis, 0, size - 1)) / 2.0
    if x is None:
        return cumsum(middle * dx, axis)
    step = diff(x, dim=dim if len(x.shape) > 1 else -1)
    if len(x.shape) == 1 and len(y.shape) > 1:
        step = _along(step, axis, len(y.shape))
    return cumsum(middle * step, axis)


def _along(line: Tensor, axis: int, rank: int) -> Tensor:
    """A vector, laid along one of so many axes."""
    return line.reshape([-1 if one == axis else 1 for one in range(rank)])


def gradient(
    input: Tensor, *, spacing: Spacing = None, dim: int | Sequence[int] | None = None, edge_order: int = 1
) -> tuple[Tensor, ...]:
    """The derivatives of a sampled function along axes, by central differences. As `torch.gradient`.

    Args:
        input: the samples.
        spacing: the distance of neighbours: one for all axes, or one for each; or a tensor of coordinates for each.
        dim: the axes; by default all.
        edge_order: of the one-sided differences at both ends, 1 or 2.

    Raises:
        ShapeError: `spacing`, `dim` and `edge_order` do not fit together, or an axis has too few samples.
    """
    if edge_order not in (1, 2):
        raise ShapeError("torch.gradient only supports edge_order=1 and edge_order=2. Fix: edge_order=1.")
    rank = len(input.shape)
    axes = _axes(dim, rank)
    steps = _spacings(spacing, axes, dim)
    for axis, step in zip(axes, steps, strict=True):
        size = input.shape[axis]
        if size <= edge_order:
            raise ShapeError(
                f"torch.gradient expected each dimension size to be at least edge_order+1: axis {axis} has size "
                f"{size}. Fix: more samples, or leave the axis out of dim."
            )
        if isinstance(step, Recorded):
            _check_coordinates(step, axis, size)
    x = input if input.dtype.category >= FLOAT else input.to(default_float())
    return tuple(_derivative(x, axis, step, edge_order) for axis, step in zip(axes, steps, strict=True))


def _check_coordinates(line: Recorded, axis: int, size: int) -> None:
    if len(line.shape) != 1:
        raise ShapeError(
            f"torch.gradient expected each element of spacing to have one dimension, but got an element with "
            f"{len(line.shape)} dimensions. Fix: a vector of coordinates for each axis."
        )
    if line.shape[0] != size:
        raise ShapeError(
            f"torch.gradient: axis {axis} has {size} samples and {line.shape[0]} coordinates. Fix: one coordinate for "
            "each sample."
        )


def _axes(dim: int | Sequence[int] | None, rank: int) -> list[int]:
    if dim is None:
        return list(range(rank))
    axes = [axis_of(one, rank) for one in ((dim,) if isinstance(dim, int) else dim)]
    if len(set(axes)) != len(axes):
        raise ShapeError(
            f"torch.gradient: dim {axes[0]} appears multiple times in the list of dims. Fix: name it once."
        )
    return axes


def _spacings(spacing: Spacing, axes: list[int], dim: Any) -> list[Any]:
    """For each axis the distance of neighbours, or their coordinates.

    Raises:
        ShapeError: not one for each.
    """
    if spacing is None:
        return [1.0] * len(axes)
    if not isinstance(spacing, (list, tuple)):
        if isinstance(spacing, Recorded) and spacing.shape:
            raise ShapeError(
                "torch.gradient expected spacing to be unspecified, a scalar or a list, but got one tensor. Fix: "
                "spacing=(coordinates,)."
            )
        return [spacing] * len(axes)
    if len(spacing) != len(axes):
        raise ShapeError(
            f"torch.gradient expected spacing to be unspecified, a scalar or a list of length equal to "
            f"'dim'; there are {len(axes)} axes and {len(spacing)} spacings. Fix: one for each axis."
        )
    return list(spacing)


def _derivative(x: Tensor, axis: int, step: Any, edge_order: int) -> Tensor:
    rank, size = len(x.shape), x.shape[axis]
    if isinstance(step, Recorded):
        distance: Any = diff(step)  # type: ignore[arg-type]
        before, after = distance.narrow(0, 0, size - 2), distance.narrow(0, 1, size - 2)
        before, after = _along(before, axis, rank), _along(after, axis, rank)
        first, second = distance[0], distance[1] if size > 2 else None
        last, previous = distance[-1], distance[-2] if size > 2 else None
    else:
        before = after = first = second = last = previous = step
    low, middle, high = (x.narrow(axis, start, size - 2) for start in (0, 1, 2))
    if isinstance(step, Recorded):
        inner = (
            -low * (after / (before * (before + after)))
            + middle * ((after - before) / (before * after))
            + high * (before / (after * (before + after)))
        )
    else:
        inner = (high - low) / (2 * step)
    ends = [x.narrow(axis, place, 1) for place in (0, 1, size - 1, size - 2)]
    if edge_order == 1:
        begin, end = (ends[1] - ends[0]) / first, (ends[2] - ends[3]) / last
    else:
        begin = _second_order(ends[0], ends[1], x.narrow(axis, 2, 1), first, second)
        end = -_second_order(ends[2], ends[3], x.narrow(axis, size - 3, 1), last, previous)
    return cat([begin, inner, end], axis)


def _second_order(edge: Tensor, next: Tensor, after: Tensor, first: Any, second: Any) -> Tensor:
    """The one-sided difference over three samples at distances `first` and `second`."""
    total = first + second
    result: Tensor = edge * (-(2 * first + second) / (first * total)) + next * (total / (first * second))
    return result - after * (first / (second * total))  # type: ignore[no-any-return]
