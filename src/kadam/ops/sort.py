"""Order: sorting, the largest few, medians, places in a sorted line."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam import dtypes
from kadam.dtypes import FLOAT
from kadam.errors import ShapeError
from kadam.ops import results
from kadam.ops.fill import into
from kadam.ops.numpy_names import numpy_names
from kadam.ops.promotion import cast, constant, meet, result_type
from kadam.ops.reduce import picked
from kadam.ops.require import NotFloatingError
from kadam.primitives import sort as p
from kadam.primitives.index import Gather
from kadam.primitives.move import Reshape
from kadam.primitives.reduce import Max
from kadam.primitives.select import RankIndex
from kadam.recording.arguments import guarded
from kadam.recording.calls import emit
from kadam.recording.operation import operation
from kadam.recording.order import as_operands
from kadam.recording.tensor import from_array, read
from kadam.shapes import axis_of, count

if TYPE_CHECKING:
    from kadam.recording.tensor import Number
    from kadam.tensor import Tensor


@operation(grad="SortBackward0", order=as_operands)
def _sorted(input: Tensor, dim: int, descending: bool) -> tuple[Tensor, Tensor]:
    if not input.shape:
        return results.sort(input * 1, constant(0, dtypes.int64))
    axis = axis_of(dim, len(input.shape))
    place = emit(p.SortIndices(axis, descending), input)
    return results.sort(emit(Gather(axis), input, place), place)


@numpy_names
def sort(input: Tensor, dim: Any = -1, descending: bool = False, stable: bool = False, *, out: Any = None) -> Any:
    """The elements of an axis in order, and where they were; equal ones keep their order. As `torch.sort`."""
    result = _sorted(input, dim, descending)
    return result if out is None else results.sort(*[into(a, b) for a, b in zip(out, result, strict=True)])


@operation(differentiable=False)
def _sort_places(input: Tensor, dim: int, descending: bool) -> Tensor:
    if not input.shape:
        return constant(0, dtypes.int64)
    return emit(p.SortIndices(axis_of(dim, len(input.shape)), descending), input)


@numpy_names
def argsort(input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Tensor:
    """Where the elements of an axis are, in order. As `torch.argsort`."""
    return _sort_places(input, dim, descending)


def msort(input: Tensor) -> Tensor:
    """The elements of the first axis in order. As `torch.msort`."""
    return _sorted(input, 0, False)[0]


@operation(grad="TopkBackward0")
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> tuple[Tensor, Tensor]:
    """The k largest (smallest) elements of an axis, and where they are. As `torch.topk`.

    Raises:
        ShapeError: the axis has fewer than k.
    """
    if not input.shape:
        return results.topk(input * 1, constant(0, dtypes.int64))
    axis = axis_of(dim, len(input.shape))
    if not 0 <= k <= input.shape[axis]:
        raise ShapeError(
            f"topk: selected index k out of range: k is {k}, the axis has {input.shape[axis]} elements. Fix: "
            f"k={input.shape[axis]} at most."
        )
    place = emit(p.TopKIndices(k, axis, largest), input)
    return results.topk(emit(Gather(axis), input, place), place)


def _at(input: Tensor, axis: int, rank: int) -> Tensor:
    """In a body: where the element of a rank (from 0) in order is; the axis is dropped."""
    place = emit(p.SortIndices(axis, False), input)
    return place.select(axis, rank)


@operation(grad="KthvalueBackward0")
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """The k-th smallest element of an axis, and where it is. As `torch.kthvalue`.

    Raises:
        ShapeError: the axis has fewer than k.
    """
    axis = axis_of(dim, len(input.shape))
    if not 1 <= k <= (input.shape[axis] if input.shape else 1):
        raise ShapeError(
            f"kthvalue(): selected number k out of range for dimension {axis}. Fix: a k from 1 to the axis's size."
        )
    if not input.shape:
        return results.kthvalue(input * 1, constant(0, dtypes.int64))
    return results.kthvalue(*picked(input, emit(RankIndex(axis, k - 1), input), axis, keepdim))


def _median_place(input: Tensor, axis: int, skip_nan: bool) -> Tensor:
    """In a body: where the lower median is; nan wins unless it is skipped."""
    size = input.shape[axis]
    if input.dtype.category < FLOAT:
        return _at(input, axis, (size - 1) // 2)
    place = emit(p.SortIndices(axis, False), input)
    from kadam.ops.compare import isnan, where
    from kadam.ops.reduce import sum

    missing = sum(isnan(input), axis, True)
    valid = size - missing
    if skip_nan:
        rank = (valid - 1).clamp(min=0) // 2
    else:
        rank = where(missing > 0, size - missing, (size - 1) // 2)
    found = emit(Gather(axis), place, cast(rank, dtypes.int64))
    return emit(Reshape((*input.shape[:axis], *input.shape[axis + 1 :])), found)


@operation(grad="MedianBackward0")
def _median_all(input: Tensor, skip_nan: bool) -> Tensor:
    flat = emit(Reshape((count(input.shape),)), input)
    found = picked(flat, _median_place(flat, 0, skip_nan), 0, False)[0]
    if input.dtype.category < FLOAT:
        return found
    from kadam.ops.compare import isnan, where

    equal = where(flat == found, flat, -math.inf).to(flat.dtype)
    return where(isnan(found), found, emit(Max((0,)), equal))  # equal ones share the gradient


@operation(grad="MedianBackward1")
def _median(input: Tensor, dim: int, keepdim: bool, skip_nan: bool) -> tuple[Tensor, Tensor]:
    kind = results.nanmedian if skip_nan else results.median
    if not input.shape:
        return kind(input * 1, constant(0, dtypes.int64))
    axis = axis_of(dim, len(input.shape))
    return kind(*picked(input, _median_place(input, axis, skip_nan), axis, keepdim))


def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The lower median; along an axis with its place. As `torch.median`."""
    return _median_all(input, False) if dim is None else _median(input, dim, keepdim, False)


def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The lower median of what is not nan; along an axis with its place. As `torch.nanmedian`."""
    return _median_all(input, True) if dim is None else _median(input, dim, keepdim, True)


@operation(grad="ModeBackward0")
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """The most frequent element of an axis (the smallest of equals), and its last place. As `torch.mode`."""
    if not input.shape:
        return results.mode(input * 1, constant(0, dtypes.int64))
    axis = axis_of(dim, len(input.shape))
    return results.mode(*picked(input, emit(p.ModeIndices(axis), input), axis, keepdim))


@operation(differentiable=False)
def _searched(sorted_sequence: Tensor, input: Tensor | Number, right: bool, out_int32: bool) -> Tensor:
    record = result_type(sorted_sequence, input)
    (values,) = meet(input, record=record)
    sorted_sequence = cast(sorted_sequence, record)
    place = emit(p.SearchSorted(right), sorted_sequence, values)
    return cast(place, dtypes.int32) if out_int32 else place


@guarded
def searchsorted(
    sorted_sequence: Tensor,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """Where values belong in sorted lines. As `torch.searchsorted`."""
    line = sorted_sequence if sorter is None else sorted_sequence.gather(-1, sorter)
    return _searched(line, input, right or side == "right", out_int32)


@guarded
def bucketize(input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """Between which boundaries values lie. As `torch.bucketize`."""
    return _searched(boundaries, input, right, out_int32)


@guarded
def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The different elements in order, with where each came from and how often it stands. As `torch.unique`."""
    found, inverse, counts = np.unique(read(input), return_inverse=True, return_counts=True, axis=dim)
    shape = input.shape if dim is None else (input.shape[dim],)
    parts = [from_array(np.ascontiguousarray(found))]
    if return_inverse:
        parts.append(from_array(inverse.reshape(shape)))
    if return_counts:
        parts.append(from_array(counts))
    return parts[0] if len(parts) == 1 else tuple(parts)


@guarded
def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """Runs of equal elements as one each. As `torch.unique_consecutive`."""
    array = read(input)
    line = array.reshape(-1) if dim is None else np.moveaxis(array, dim, 0)
    flat = line.reshape(len(line), line.size // max(len(line), 1))
    first = np.ones(len(line), bool)
    first[1:] = (flat[1:] != flat[:-1]).any(1)
    found = line[first] if dim is None else np.moveaxis(line[first], 0, dim)
    parts = [from_array(np.ascontiguousarray(found))]
    if return_inverse:
        inverse = np.cumsum(first) - 1
        parts.append(from_array(inverse.reshape(array.shape) if dim is None else inverse))
    if return_counts:
        parts.append(from_array(np.diff(np.append(np.flatnonzero(first), len(line)))))
    return parts[0] if len(parts) == 1 else tuple(parts)


@guarded
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each whole number from 0 stands (or the sum of its weights). As `torch.bincount`.

    Raises:
        ShapeError: not a line of whole numbers that are not negative.
    """
    array = read(input)
    if array.ndim == 1 and input.dtype.category >= FLOAT:
        raise NotFloatingError(
            f'bincount: "bincount_cpu" not implemented for {input._spec.type}: it counts whole numbers. Fix: x.long().'
        )
    if array.ndim != 1 or (array.size and array.min() < 0):
        raise ShapeError(
            "bincount only supports 1-d non-negative integral inputs. Fix: x.flatten().long(), without negative "
            "numbers."
        )
    counted = np.bincount(array, None if weights is None else read(weights), minlength)
    if weights is not None and weights.dtype is dtypes.float32:
        counted = counted.astype(np.float32)
    return from_array(counted)


@guarded
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many elements fall into each of equal bins. As `torch.histc`."""
    if bins <= 0:
        raise ShapeError(f"histc: bins must be > 0, but got {bins}. Fix: bins=100.")
    if min > max:
        raise ShapeError(f"histc: max must be larger than min, but they are {max} and {min}. Fix: exchange them.")
    array = read(input).reshape(-1)
    if min == max:
        min, max = (float(array.min()), float(array.max())) if array.size else (0.0, 1.0)
        if min == max:
            min, max = min - 1, max + 1
    counted, _ = np.histogram(array.astype(np.float64), bins, (min, max))
    return from_array(counted.astype(array.dtype))
