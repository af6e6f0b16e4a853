"""Parts of an axis that data or counts mark off: each reduced to one element, or laid beside the parts of others."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kadam.errors import ShapeError
from kadam.ops.combine import cat, stack
from kadam.ops.creation import full
from kadam.ops.reduce import amax, amin, mean, prod, sum
from kadam.recording.precision import listed
from kadam.recording.tensor import read
from kadam.shapes import axis_of, count

if TYPE_CHECKING:
    from kadam.recording.tensor import Number
    from kadam.tensor import Tensor

_REDUCTIONS: dict[str, Any] = {"sum": sum, "mean": mean, "max": amax, "min": amin, "prod": prod}
_OF_NOTHING = {"sum": 0.0, "mean": float("nan"), "max": float("-inf"), "min": float("inf"), "prod": 1.0}


@listed("_segment_reduce")
def segment_reduce(
    data: Tensor,
    reduce: str,
    *,
    lengths: Tensor | None = None,
    indices: Tensor | None = None,
    offsets: Tensor | None = None,
    axis: int = 0,
    unsafe: bool = False,
    initial: Number | None = None,
) -> Tensor:
    """One value for each segment of an axis: sum, mean, max, min or prod. As `torch.segment_reduce`.

    Args:
        data: the elements.
        reduce: how those of a segment become one.
        lengths: of the segments, [..., segments], with the leading axes of the data.
        indices: not supported, as in PyTorch.
        offsets: where the segments begin, and where the last ends, in place of their lengths.
        axis: that consists of segments.
        unsafe: do not check that the lengths add up.
        initial: what each reduction starts from.

    Raises:
        ShapeError: neither lengths nor offsets, or lengths that do not add up to the axis.
    """
    if reduce not in _REDUCTIONS:
        raise ShapeError(
            f"segment_reduce: unsupported reduction given! {reduce}. Fix: one of {', '.join(_REDUCTIONS)}."
        )
    bounds = offsets if lengths is None else lengths
    if bounds is None:
        raise ShapeError(
            "segment_reduce: either lengths or offsets must be defined. Fix: lengths=torch.tensor([2, 3])."
        )
    at = axis_of(axis, len(data.shape))
    if at != len(bounds.shape) - 1:
        raise ShapeError(
            f"segment_reduce: axis {at} must be the last axis of lengths, which has {len(bounds.shape)}. Fix: give "
            "lengths the leading axes of the data."
        )
    lead = tuple(bounds.shape[:-1])
    rows = read(bounds).reshape(-1, bounds.shape[-1]).tolist()
    flat = data.reshape(count(lead), *data.shape[at:]) if lead else data.unsqueeze(0)
    lines = []
    for place, row in enumerate(rows):
        ends = row if lengths is None else [0, *itertools.accumulate(row)]
        if not unsafe and (ends[-1] != data.shape[at] or ends != sorted(ends)):
            raise ShapeError(
                f"segment_reduce: Expected all rows of lengths along axis to sum to data.size(lengths.dim()-1), "
                f"{data.shape[at]}, but they end at {ends[-1]}. Fix: lengths that cover the axis."
            )
        segments = itertools.pairwise(ends)
        lines.append(stack([_reduced(flat[place], reduce, low, high, initial) for low, high in segments]))
    result = stack(lines)
    return result.reshape(*lead, *result.shape[1:])


def _reduced(data: Tensor, reduce: str, low: int, high: int, initial: Number | None) -> Tensor:
    """One segment of the first axis, as one element of it."""
    part = data.narrow(0, low, high - low)
    if high == low:
        start = _OF_NOTHING[reduce] if initial is None else initial
        return full(part.shape[1:], start, dtype=data.dtype) + sum(part, 0)
    if initial is None:
        return _REDUCTIONS[reduce](part, 0)  # type: ignore[no-any-return]
    start_row = full((1, *part.shape[1:]), initial, dtype=data.dtype)
    if reduce == "mean":
        return sum(cat([start_row, part]), 0) / (high - low)
    return _REDUCTIONS[reduce](cat([start_row, part]), 0)  # type: ignore[no-any-return]


def chunk_cat(tensors: Sequence[Tensor], dim: int, num_chunks: int) -> Tensor:
    """Each tensor in chunks of one axis (padded with zeros), the chunks of all beside each other. As `_chunk_cat`.

    Raises:
        ShapeError: no tensors, or sizes before the axis that differ.
    """
    if num_chunks < 1:
        raise ShapeError(f"_chunk_cat: num_chunks must be at least 1, got {num_chunks}. Fix: num_chunks=2.")
    if not tensors:
        raise ShapeError("_chunk_cat expects a non-empty input tensor list. Fix: give tensors.")
    ranks = {len(one.shape) for one in tensors}
    if len(ranks) > 1 and dim < 0:
        raise ShapeError("_chunk_cat expects non-negative dim when input tensors have different ndims. Fix: dim=0.")
    if dim >= min(ranks):
        raise ShapeError(f"_chunk_cat expects dim < ndim for all input tensors: {dim} >= {min(ranks)}. Fix: dim=0.")
    axis = axis_of(dim, min(ranks))
    lead = tuple(tensors[0].shape[:axis])
    for one in tensors:
        if not one.numel():
            raise ShapeError("_chunk_cat expects non-empty tensors. Fix: leave the empty ones out.")
        if one.dtype is not tensors[0].dtype:
            raise ShapeError("_chunk_cat expects all input tensors with the same dtype. Fix: convert them.")
        if tuple(one.shape[:axis]) != lead:
            raise ShapeError(
                f"_chunk_cat expects same sizes of 0,...,dim-1 dimensions: {list(one.shape[:axis])} and {list(lead)}. "
                "Fix: another dim."
            )
    return cat([_chunked(one, axis, num_chunks, lead) for one in tensors], axis + 1)


def _chunked(tensor: Tensor, axis: int, chunks: int, lead: tuple[int, ...]) -> Tensor:
    from kadam.nn.functional.padding import pad

    missing = -tensor.shape[axis] % chunks
    margins = [0] * (2 * (len(tensor.shape) - axis - 1)) + [0, missing]
    whole = pad(tensor, tuple(margins)) if missing else tensor
    return whole.reshape(*lead, chunks, -1)
