"""How many samples fall between edges, along one axis or several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam.errors import ShapeError
from kadam.ops import results
from kadam.ops.require import require_floating
from kadam.recording.tensor import Recorded, from_array, read

if TYPE_CHECKING:
    from kadam.tensor import Tensor

Array = np.ndarray[Any, Any]


def histogram(
    input: Tensor,
    bins: int | Tensor = 100,
    *,
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> tuple[Tensor, Tensor]:
    """How many elements lie in each bin, and the bins' edges. As `torch.histogram`.

    Args:
        input: the samples.
        bins: how many of equal width, or their edges.
        range: where the first begins and the last ends; by default at the least and the largest sample.
        weight: how much each sample counts.
        density: divide by the total and by the widths, so that the integral is 1.

    Raises:
        NotFloatingError: the samples are no floating-point numbers.
        ShapeError: bins, range or weights make no sense.
    """
    samples = _samples("histogram", input).reshape(-1, 1)
    edges = _edges("histogram", samples, [bins], range)
    counted = _counted("histogram", samples, edges, weight, density)
    return results.histogram(from_array(counted), from_array(edges[0]))


def histogramdd(
    input: Tensor,
    bins: int | Sequence[int] | Sequence[Tensor],
    *,
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """How many points lie in each box, and the edges along each axis. As `torch.histogramdd`.

    Args:
        input: the points, [..., axes].
        bins: how many of equal width (along all axes, or each), or the edges along each.
        range: first and last edge along each axis, one after the other.
        weight: how much each point counts.
        density: divide by the total and by the volumes.

    Raises:
        NotFloatingError: the coordinates are no floating-point numbers.
        ShapeError: bins, range or weights make no sense.
    """
    array = _samples("histogramdd", input)
    if array.ndim < 2:
        raise ShapeError(
            f"histogramdd: input tensor should have at least 2 dimensions, but got {array.ndim}. Fix: unsqueeze(-1)."
        )
    points = array.reshape(-1, array.shape[-1])
    wanted = [bins] * points.shape[1] if isinstance(bins, int) else list(bins)
    if len(wanted) != points.shape[1]:
        raise ShapeError(
            f"histogramdd: The size of bins must be equal to the innermost dimension of the input. There are "
            f"{len(wanted)} and {points.shape[1]}. Fix: one number of bins for each axis."
        )
    edges = _edges("histogramdd", points, wanted, range)
    counted = _counted("histogramdd", points, edges, weight, density)
    return results.histogramdd(from_array(counted), tuple(map(from_array, edges)))


def _samples(name: str, input: Tensor) -> Array:
    require_floating(name, input)
    return read(input)


def _edges(name: str, points: Array, bins: Sequence[Any], range: Sequence[float] | None) -> list[Array]:
    """The edges along each axis, in the samples' element type."""
    if range is not None and len(range) != 2 * len(bins):
        raise ShapeError(f"{name}: range should have {2 * len(bins)} elements, but got {len(range)}. Fix: (low, high).")
    found = []
    for axis, one in enumerate(bins):
        if isinstance(one, Recorded):
            if len(one.shape) != 1:
                raise ShapeError(
                    f"{name}: bins tensor should have one dimension, but got {len(one.shape)}. Fix: flatten()."
                )
            found.append(np.array(read(one)))
            continue
        if one <= 0:
            raise ShapeError(f"{name}: bins must be > 0, but got {one}. Fix: bins=100.")
        low, high = _limits(name, points[:, axis], None if range is None else range[2 * axis : 2 * axis + 2])
        found.append(_line(low, high, one + 1, points.dtype))
    return found


def _line(low: float, high: float, steps: int, record: Any) -> Array:
    """Equal steps, computed from both ends as `torch.linspace` does."""
    from kadam.dtypes import of_numpy
    from kadam.ops.creation import linspace

    return np.array(read(linspace(low, high, steps, dtype=of_numpy(record))))


def _limits(name: str, line: Array, given: Sequence[float] | None) -> tuple[float, float]:
    low, high = (float(line.min()), float(line.max())) if line.size else (0.0, 1.0)
    if given is not None:
        low, high = map(float, given)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ShapeError(f"{name}: range [{low}, {high}] is not finite. Fix: range=(0.0, 1.0).")
    if low > high:
        raise ShapeError(f"{name}: min should not exceed max, but got min {low} max {high}. Fix: exchange them.")
    return (low - 0.5, high + 0.5) if low == high else (low, high)


def _counted(name: str, points: Array, edges: Sequence[Array], weight: Tensor | None, density: bool) -> Array:
    weights = None if weight is None else read(weight).reshape(-1)
    if weights is not None and weights.size != len(points):
        raise ShapeError(
            f"{name}: the input has {len(points)} samples and there are {weights.size} weights. Fix: one for each."
        )
    shape = tuple(edge.size - 1 for edge in edges)
    if 0 in shape:
        return np.zeros(shape, points.dtype)
    counts = np.zeros(shape, points.dtype)
    places = [_bin(points[:, axis], edge) for axis, edge in enumerate(edges)]
    inside = np.all([(at >= 0) & (at < size) for at, size in zip(places, shape, strict=True)], axis=0)
    added = np.ones(len(points), points.dtype) if weights is None else weights
    np.add.at(counts, tuple(at[inside] for at in places), added[inside])
    if density:
        with np.errstate(invalid="ignore"):  # of nothing: nan
            counts = counts / counts.sum()
        for axis, edge in enumerate(edges):
            counts = counts / np.diff(edge).reshape([-1 if one == axis else 1 for one in np.arange(len(edges))])
    return counts.astype(points.dtype)


def _bin(line: Array, edge: Array) -> Array:
    """The bin of each sample: each holds its lower edge, the last one its upper edge too; -1 where none does."""
    at = np.searchsorted(edge, line, side="right") - 1
    at[line == edge[-1]] = edge.size - 2
    return np.where((line >= edge[0]) & (line <= edge[-1]), at, -1)
