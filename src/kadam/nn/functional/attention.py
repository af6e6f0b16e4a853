"""Attention: means of values, weighted by how well their keys fit a query."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam import dtypes
from kadam.dtypes import BOOL, FLOAT, bool_
from kadam.errors import DTypeError, ShapeError
from kadam.ir.builder import current_builder
from kadam.ops.compare import where
from kadam.ops.promotion import cast, stretched
from kadam.ops.reduce import amax
from kadam.ops.require import ArgumentError
from kadam.ops.softmax import softmax
from kadam.primitives.contract import Dot
from kadam.primitives.sources import Iota
from kadam.recording.calls import emit, symbol
from kadam.recording.generator import default_generator
from kadam.recording.meta import of_shape
from kadam.recording.operation import operation
from kadam.recording.order import as_operands
from kadam.recording.spec import Order
from kadam.recording.tensor import from_array
from kadam.shapes import Shape, broadcast

if TYPE_CHECKING:
    from kadam.recording.tensor import Number
    from kadam.tensor import Tensor


class ProbabilityError(ArgumentError, RuntimeError):
    """No probability, for which PyTorch raises a ValueError or a RuntimeError, depending on who drops weights."""


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(query key^T scale + mask) value. As `torch.nn.functional.scaled_dot_product_attention`.

    Shapes:
        query f32[batch, heads, target, size], key f32[batch, heads, source, size],
        value f32[batch, heads, source, width] -> f32[batch, heads, target, width]; any batch axes, or none

    Args:
        query: what looks.
        key: what is looked at.
        value: what is seen there.
        attn_mask: [..., target, source]: False where not to look, or numbers that are added to the scores.
        dropout_p: the probability to drop a weight.
        is_causal: whether a target sees only the sources up to its own place.
        scale: 1 / sqrt(size) by default.
        enable_gqa: whether several heads of queries may share a head of keys and values.

    Raises:
        ShapeError: the shapes do not fit.
        ProbabilityError: `dropout_p` is no probability.
        DTypeError: the operands have different types, or the mask is neither bool nor of theirs.

    Source: Vaswani et al., "Attention is all you need", 2017.
    """
    kept = None
    if dropout_p > 0.0:
        heads = query if enable_gqa else key
        lead = broadcast(tuple(query.shape[:-2]), tuple(heads.shape[:-2]))
        kept = drawn_weights((*lead, query.shape[-2], key.shape[-2]), dropout_p, query)
    return _attention(query, key, value, attn_mask, kept, share_kept(dropout_p), is_causal, scale, enable_gqa)


def drawn_weights(shape: Shape, p: float, query: Tensor) -> Tensor:
    """Which weights of a query stay when each is dropped with probability p, drawn as PyTorch draws them.

    Raises:
        ProbabilityError: p is no probability.
    """
    if not 0.0 <= p <= 1.0:
        raise ProbabilityError(
            f"scaled_dot_product_attention: dropout probability has to be between 0 and 1, but got {p}. Fix: "
            "dropout_p=0.1."
        )
    if query._meta:
        return of_shape(shape, bool_)
    return from_array(default_generator.bernoulli(shape, 1.0 - p) if p < 1.0 else np.zeros(shape, np.bool_))


def share_kept(p: float) -> float | None:
    """By which weights that stay are divided, so that their mean stays too; None where there is nothing to divide."""
    return 1.0 - p if 0.0 < p < 1.0 else None


def _is_fused(query: Tensor, values: Tensor, attn_mask: Tensor | None, kept: Tensor | None) -> bool:
    """Whether PyTorch computes it in one kernel, whose result lies in memory as the query does."""
    plain = kept is None and (attn_mask is None or not attn_mask.requires_grad)
    return plain and len(query.shape) == 4 and query.shape[-1] == values.shape[-1]


def _as_query(arguments: Sequence[Any], shape: Shape) -> Order | None:
    """As PyTorch's kernel leaves it, where there is one: in the order of the query's axes."""
    query, _, values, attn_mask, kept, *_ = arguments
    return as_operands([query], shape) if _is_fused(query, values, attn_mask, kept) else None


@operation(once=True, order=_as_query)
def _attention(
    query: Tensor,
    keys: Tensor,
    values: Tensor,
    attn_mask: Tensor | None,
    kept: Tensor | None,
    share: Number | None,
    is_causal: bool,
    scale: Number | None,
    enable_gqa: bool,
) -> Tensor:
    _check(query, keys, values, attn_mask)
    if enable_gqa:
        keys, values = (_shared(one, query) for one in (keys, values))
    scores = _products(query * (1.0 / math.sqrt(query.shape[-1]) if scale is None else scale), keys, transpose=True)
    if is_causal:
        scores = where(lower_triangle(*scores.shape[-2:]), scores, -math.inf)
    if attn_mask is not None:
        scores = _masked(scores, attn_mask)
    weights = softmax(scores, -1) if attn_mask is None else softmax_of_some(scores)
    result = _products(dropped(weights, kept, share), values)
    fused = _is_fused(query, values, attn_mask, kept)
    result._tag = "ScaledDotProductFlashAttentionForCpuBackward0" if fused else "UnsafeViewBackward0"
    return result


def dropped(weights: Tensor, kept: Tensor | None, share: Any) -> Tensor:
    """In a body: the weights that stay, divided by their share, and zeros."""
    if kept is None:
        return weights
    noise = cast(kept, weights.dtype)
    return weights * (noise if share is None else noise / share)


def _products(a: Tensor, b: Tensor, transpose: bool = False) -> Tensor:
    """In a body: the products of the matrices in the last two axes, those of `b` transposed or not."""
    batch = broadcast(tuple(a.shape[:-2]), tuple(b.shape[:-2]))
    a, b = (stretched(one, (*batch, *one.shape[-2:])) for one in (a, b))
    axes = tuple(range(len(batch)))
    return emit(Dot(axes, axes, (len(batch) + 1,), (len(batch) + transpose,)), a, b)


def _masked(scores: Tensor, mask: Tensor) -> Tensor:
    """In a body: scores that are minus infinity where a mask is False, or with the mask's numbers added."""
    if mask.dtype.category == BOOL:
        return where(mask, scores, -math.inf)
    return scores + cast(mask, scores.dtype)


def softmax_of_some(scores: Tensor) -> Tensor:
    """In a body: softmax along the last axis; zeros where all scores are minus infinity."""
    nothing = amax(scores.detach(), -1, True) == -math.inf
    return where(nothing, 0.0, softmax(where(nothing, 0.0, scores), -1))


def lower_triangle(rows: int, columns: int) -> Tensor:
    """In a body: bool[rows, columns], True where the column is not beyond the row."""
    row, column = (symbol(current_builder().emit(Iota((rows, columns), axis, dtypes.int64))) for axis in (0, 1))
    return row >= column


def _shared(heads: Tensor, query: Tensor) -> Tensor:
    """In a body: each head of keys or values repeated for the heads of queries that share it.

    Raises:
        ShapeError: the heads of queries cannot be shared out evenly.
    """
    count, wanted = heads.shape[-3], query.shape[-3]
    if wanted % count:
        raise ShapeError(
            "scaled_dot_product_attention: Number of heads in key and value must divide the number of heads in query, "
            f"got {count} and {wanted}. Fix: give {wanted} heads, or a divisor of it, to key and value."
        )
    lead, matrix = tuple(heads.shape[:-3]), tuple(heads.shape[-2:])
    several = stretched(heads.unsqueeze(-3), (*lead, count, wanted // count, *matrix))
    return several.reshape(*lead, wanted, *matrix)


def _check(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> None:
    if not query.dtype is key.dtype is value.dtype:
        raise DTypeError(
            "scaled_dot_product_attention: Expected query, key, and value to have the same dtype, but got "
            f"query.dtype: {query.dtype!r} key.dtype: {key.dtype!r} and value.dtype: {value.dtype!r} instead. Fix: "
            "convert them to one type, for example key.to(query.dtype)."
        )
    if min(len(one.shape) for one in (query, key, value)) < 2:
        raise ShapeError(
            "scaled_dot_product_attention: Expected query, key, and value to all be at least 2 dimensional, but got "
            f"query.dim: {query.dim()} key.dim: {key.dim()} and value.dim: {value.dim()} instead. Fix: unsqueeze() to "
            "[..., length, features]."
        )
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise ShapeError(
            f"scaled_dot_product_attention: query {query._spec.type} and key {key._spec.type} must have vectors of one "
            f"size, key and value {value._spec.type} must be as many. Fix: lay them out as [..., length, features]; "
            "transpose(-2, -1) if the axes are exchanged."
        )
    if mask is not None and mask.dtype.category not in (BOOL, FLOAT):
        raise DTypeError(
            "scaled_dot_product_attention: Expected attn_mask dtype to be bool or float or to match query dtype, but "
            f"got attn_mask.dtype: {mask.dtype!r} and query.dtype: {query.dtype!r} instead. Fix: mask.bool(), or "
            "mask.to(query.dtype)."
        )


__all__ = [
    "scaled_dot_product_attention",
]
