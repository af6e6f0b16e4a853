"""The rows of a table that the indices of a bag point at, reduced to one: their sum, mean or maximum."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from kadam import dtypes
from kadam.errors import ShapeError, UnsupportedError
from kadam.ir.builder import current_builder
from kadam.nn.functional.embedding import (
    asks_gradient,
    frequency,
    halted_rows,
    index_of,
    renormalise,
    row_number,
)
from kadam.ops.compare import where
from kadam.ops.gather import gather
from kadam.ops.pointwise import clamp
from kadam.ops.promotion import cast, constant, stretched
from kadam.ops.reduce import argmax
from kadam.ops.require import ArgumentError, require_one_type
from kadam.primitives.index import Index, IndexAdd, ScatterReduce
from kadam.primitives.sort import SearchSorted
from kadam.primitives.sources import Iota
from kadam.recording.calls import emit, symbol
from kadam.recording.operation import operation
from kadam.recording.tensor import is_current, read

if TYPE_CHECKING:
    from kadam.tensor import Tensor


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The sum, mean or maximum of the rows of each bag. As `torch.nn.functional.embedding_bag`.

    Shapes:
        input i64[bags, size], or i64[indices] and offsets i64[bags]; weight f32[rows, width] -> f32[bags, width]

    Args:
        input: the indices.
        weight: the table.
        offsets: where each bag begins, when `input` has one axis; empty bags give zeros.
        max_norm: rows that are looked up are scaled down to this norm first, in place.
        norm_type: which norm.
        scale_grad_by_freq: whether a row's gradient is divided by how often it occurs in the input.
        mode: "sum", "mean" or "max".
        sparse: whether the table's gradient is a sparse tensor, with values for these rows alone.
        per_sample_weights: of each index, for sums.
        include_last_offset: whether the offsets end with the number of indices.
        padding_idx: a row that counts for nothing.

    Raises:
        ArgumentError: the arguments do not go together.
        ShapeError: the offsets do not fit the input.
        UnsupportedError: `per_sample_weights` in another mode than "sum" (NotImplementedError, as in PyTorch).
        IndexOutOfRange: an index is no row (when the values are computed).
    """
    _check_arguments(input, offsets, mode, sparse, scale_grad_by_freq, per_sample_weights)
    if offsets is not None:
        _check_offsets(input, offsets, include_last_offset)
    if padding_idx is not None:
        padding_idx = row_number(padding_idx, weight)
    if max_norm is not None:
        renormalise(weight, input, max_norm, norm_type)
    rows = None
    if sparse and asks_gradient(weight):
        rows = halted_rows(input, weight, padding_idx, scale_grad_by_freq, "EmbeddingBagBackward0")
    return _bags(
        input, weight, rows, offsets, per_sample_weights, mode, include_last_offset, padding_idx, scale_grad_by_freq
    )


@operation(grad="EmbeddingBagBackward0", once=True)
def _bags(
    input: Tensor,
    weight: Tensor,
    rows: Tensor | None,
    offsets: Tensor | None,
    per_sample_weights: Tensor | None,
    mode: str,
    include_last_offset: bool,
    padding_idx: int | None,
    scale_grad_by_freq: bool,
) -> Tensor:
    if len(weight.shape) != 2:
        raise ShapeError(
            f"embedding_bag: 'weight' must be 2-D, got {list(weight.shape)}. Fix: give a matrix [rows, features]."
        )
    require_one_type("embedding_bag", weight, per_sample_weights)
    index = index_of("embedding_bag", input)
    if rows is None:
        rows = emit(Index((0,), False), weight, index)
        if scale_grad_by_freq and weight.requires_grad:
            rows = rows.detach() + (rows - rows.detach()) / frequency(index, weight).to(rows.dtype).unsqueeze(-1)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.unsqueeze(-1)
    counts = None if padding_idx is None else index != padding_idx
    if offsets is None:
        return _reduced(rows, counts, mode)
    result = _reduced_by_bag(rows, counts, index_of("embedding_bag", offsets), mode)
    return result[:-1] if include_last_offset else result


def _reduced(rows: Tensor, counts: Tensor | None, mode: str) -> Tensor:
    """In a body: f32[bags, size, width] reduced along its second axis to those that count."""
    bags, size, width = rows.shape
    if not size:
        return constant(0, rows.dtype, (bags, width))
    if mode == "max":
        return _largest(rows, counts)
    total = _counted(rows, counts).sum(1)
    if mode == "sum":
        return total
    if counts is None:
        return total / size
    return total / clamp(counts.to(rows.dtype).sum(1, True), 1)


def _largest(rows: Tensor, counts: Tensor | None) -> Tensor:
    """In a body: the maximum of those that count along the second axis; 0 where there are none."""
    candidates = rows.detach() if counts is None else where(counts.unsqueeze(-1), rows.detach(), -math.inf)
    found = gather(rows, 1, argmax(candidates, 1, True)).squeeze(1)
    return found if counts is None else where(counts.any(1, True), found, 0.0)


def _counted(rows: Tensor, counts: Tensor | None) -> Tensor:
    return rows if counts is None else where(counts.unsqueeze(-1), rows, 0.0)


def _reduced_by_bag(rows: Tensor, counts: Tensor | None, starts: Tensor, mode: str) -> Tensor:
    """In a body: f32[indices, width] reduced in stretches that begin at `starts`."""
    (length, width), bags = rows.shape, starts.shape[0]
    if not bags:
        return constant(0, rows.dtype, (bags, width))
    place = symbol(current_builder().emit(Iota((length,), 0, dtypes.int64)))
    bag = emit(SearchSorted(True), starts, place) - 1
    if mode == "max" and length:
        return _largest_by_bag(rows, counts, bag, bags)
    base = constant(0, rows.dtype, (bags, width))
    total = emit(IndexAdd((0,), False), base, _counted(rows, counts), bag)
    if mode == "sum":
        return total
    one = constant(1, rows.dtype, (length,)) if counts is None else cast(counts, rows.dtype)
    number = emit(IndexAdd((0,), False), constant(0, rows.dtype, (bags,)), one, bag)
    return total / clamp(number, 1).unsqueeze(-1)


def _largest_by_bag(rows: Tensor, counts: Tensor | None, bag: Tensor, bags: int) -> Tensor:
    """In a body: the maximum of those of each bag that count, its gradient to the first of several; 0 if none."""
    length, width = shape = tuple(rows.shape)
    values = rows.detach()
    if counts is not None:
        values = where(counts.unsqueeze(-1), values, -math.inf)
    owner = stretched(bag.unsqueeze(-1), shape)
    top = emit(ScatterReduce(0, "amax"), constant(-math.inf, rows.dtype, (bags, width)), values, owner)
    wins = values == emit(Index((0,), False), top, bag)
    if counts is not None:
        wins = wins & counts.unsqueeze(-1)
    place = symbol(current_builder().emit(Iota(shape, 0, dtypes.int64)))
    none = constant(length, dtypes.int64, (bags, width))
    first = emit(ScatterReduce(0, "amin"), none, where(wins, place, length), owner)
    found = gather(rows, 0, clamp(first, 0, length - 1))
    return where(first == length, 0.0, found)


def _check_arguments(
    input: Tensor, offsets: Tensor | None, mode: str, sparse: bool, scale: bool, per_sample_weights: Tensor | None
) -> None:
    rank = len(input.shape)
    if per_sample_weights is not None and per_sample_weights.shape != input.shape:
        raise ArgumentError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, then it must have the "
            f"same shape as the input ({input.shape}). Fix: give one weight for each index."
        )
    if rank not in (1, 2):
        raise ArgumentError(
            f"embedding_bag: input has to be 1D or 2D Tensor, but got Tensor of dimension {rank}. Fix: flatten the "
            "indices and give offsets, or lay them out as [bags, length]."
        )
    if rank == 2 and offsets is not None:
        raise ArgumentError(
            "embedding_bag: if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed "
            f"length sequences. However, found offsets of type {type(offsets)}. Fix: leave offsets out, or flatten the "
            "input."
        )
    if rank == 1 and (offsets is None or len(offsets.shape) != 1):
        raise ArgumentError(
            f"embedding_bag: offsets has to be a 1D Tensor but got {offsets and list(offsets.shape)}. Fix: "
            "offsets=torch.tensor([0, ...]), where each bag begins."
        )
    if mode not in ("sum", "mean", "max"):
        raise ArgumentError("embedding_bag: mode has to be one of sum, mean or max. Fix: mode='mean'.")
    if mode == "max" and (scale or sparse):
        what = "scaling the gradient by the frequency" if scale else "sparse weights"
        raise ArgumentError(
            f"embedding_bag: max mode does not support {what}. Fix: mode='sum' or 'mean', or leave the option out."
        )
    if per_sample_weights is not None and mode != "sum":
        raise UnsupportedError(
            f"embedding_bag: per_sample_weights is only supported for mode='sum' (got mode='{mode}'). Fix: mode='sum'."
        )


def _check_offsets(input: Tensor, offsets: Tensor, include_last_offset: bool) -> None:
    """Look at the offsets' values, if they are there without a run."""
    if include_last_offset and not offsets.shape[0]:
        raise ShapeError(
            "embedding_bag: include_last_offset: number of offset should be at least 1. Fix: give at least the offset "
            "0."
        )
    if not offsets.shape[0] or not is_current(offsets):
        return
    values = read(offsets)
    if values[0] != 0:
        raise ShapeError(
            "embedding_bag: offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from "
            f"position 0. However, got {values[0]}. Fix: begin the offsets with 0."
        )
    if values[-1] > input.shape[0]:
        raise ShapeError(
            f"embedding_bag: offsets[-1] can not be greater than input's length {input.shape[0]} but got offsets[-1] "
            f"of {values[-1]}. Fix: give offsets up to {input.shape[0]}."
        )


__all__ = ["embedding_bag"]
