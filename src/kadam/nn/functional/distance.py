"""Distances and similarities of vectors: pair by pair, and of all pairs."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from kadam.errors import DTypeError, ShapeError
from kadam.ops.compare import where
from kadam.ops.pointwise import clamp_min, sqrt
from kadam.ops.promotion import meet
from kadam.ops.reduce import sum, vector_norm
from kadam.ops.require import ArgumentError, require_floating, require_one_type
from kadam.primitives.contract import Dot
from kadam.primitives.index import Index
from kadam.recording.calls import emit
from kadam.recording.operation import operation
from kadam.recording.precision import listed
from kadam.recording.tensor import from_array
from kadam.shapes import broadcast

if TYPE_CHECKING:
    from kadam.tensor import Tensor

_FEW_ROWS = 25  # up to which PyTorch takes differences, where it is not told to multiply matrices


@operation
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x1 . x2 / (max(|x1|, eps) max(|x2|, eps)) along an axis. As `torch.nn.functional.cosine_similarity`.

    Raises:
        DTypeError: the vectors are of integers.
    """
    a, b = meet(x1, x2)
    if not a.dtype.is_floating_point:
        raise DTypeError(f"expected common dtype to be floating point, yet common dtype is {a.dtype}. Fix: .float().")
    return sum(_unit(a, dim, eps) * _unit(b, dim, eps), dim)


def _unit(input: Tensor, dim: int, eps: float) -> Tensor:
    """In a body: vectors divided by their lengths, or by eps where they are shorter."""
    return input / clamp_min(vector_norm(input, 2, dim, True), eps)


@operation(grad="NormBackward1")
def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """|x1 - x2 + eps|_p over the last axis. As `torch.nn.functional.pairwise_distance`."""
    return vector_norm(x1 - x2 + eps, float(p), -1, keepdim)


def _lengths(gap: Tensor, p: float) -> Tensor:
    """In a body: the norms of differences. A count of differences (p = 0) has the derivative 0, not none."""
    length = vector_norm(gap, p, -1)
    return length if p else length + sum(gap * 0, -1)


@operation(grad="CdistBackward0")
def _differences(x1: Tensor, x2: Tensor, p: float) -> Tensor:
    return _lengths(x1.unsqueeze(-2) - x2.unsqueeze(-3), p)


@operation(grad="ViewBackward0")
def _by_products(x1: Tensor, x2: Tensor) -> Tensor:
    """|a|^2 - 2 a . b + |b|^2 is the square of the distance: less exact, but a product of matrices."""
    rank = len(x1.shape)
    batch = tuple(range(rank - 2))
    product = emit(Dot(batch, batch, (rank - 1,), (rank - 1,)), x1, x2)
    square = sum(x1 * x1, -1, True) - product * 2 + sum(x2 * x2, -1).unsqueeze(-2)
    positive = square > 0
    return where(positive, sqrt(where(positive, square, 1.0)), 0.0)


@listed("cdist")
def cdist(
    x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str | None = "use_mm_for_euclid_dist_if_necessary"
) -> Tensor:
    """The distances of all pairs of rows. As `torch.cdist`.

    Shapes:
        x1 f32[*batch, n, m], x2 f32[*batch, k, m] -> f32[*batch, n, k]

    Raises:
        ShapeError: the rows differ in length, or an operand has fewer than 2 axes; p is negative.
        ArgumentError: there is no such `compute_mode`.
    """
    modes = ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")
    if compute_mode not in (None, *modes):
        raise ArgumentError(
            f"cdist: {compute_mode} is not a valid value for compute_mode. Fix: leave compute_mode out."
        )
    a, b = tuple(x1.shape), tuple(x2.shape)
    for name, shape in (("X1", a), ("X2", b)):
        if len(shape) < 2:
            raise ShapeError(
                f"cdist only supports at least 2D tensors, {name} got: {len(shape)}D. Fix: unsqueeze(0) makes a vector "
                "a matrix of one row."
            )
    if a[-1] != b[-1]:
        raise ShapeError(
            f"cdist: X1 and X2 must have the same number of columns. X1: {a[-1]} X2: {b[-1]}. Fix: give both vectors "
            "of one size."
        )
    if p < 0:
        raise ShapeError(f"cdist only supports non-negative p values, got {p}. Fix: give p >= 0, for example 2.0.")
    require_floating("cdist", x1, x2)
    require_one_type("cdist", x1, x2)
    batch = broadcast(a[:-2], b[:-2])
    x1, x2 = _with_batch(x1, batch), _with_batch(x2, batch)
    many = a[-2] > _FEW_ROWS or b[-2] > _FEW_ROWS
    if p == 2 and (compute_mode == modes[1] or (compute_mode in (None, modes[0]) and many)):
        return _by_products(x1, x2)
    return _differences(x1, x2, float(p))


def _with_batch(input: Tensor, batch: tuple[int, ...]) -> Tensor:
    shape = (*batch, *input.shape[-2:])
    return input if tuple(input.shape) == shape else input.expand(shape)


@lru_cache(maxsize=64)
def _pairs(rows: int) -> tuple[Tensor, Tensor]:
    """The rows of each pair, in the order (0, 1), (0, 2) ... (1, 2) ..."""
    first, second = np.triu_indices(rows, 1)
    return from_array(first.astype(np.int64)), from_array(second.astype(np.int64))


@operation(grad="PdistBackward0")
def _pair_distances(input: Tensor, first: Tensor, second: Tensor, p: float) -> Tensor:
    gap = emit(Index((0,), False), input, first) - emit(Index((0,), False), input, second)
    return _lengths(gap, p)


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The distances of all pairs of different rows, each pair once. As `torch.nn.functional.pdist`.

    Shapes:
        input f32[n, m] -> f32[n (n - 1) / 2]

    Raises:
        ShapeError: the input is no matrix, or p is negative.
    """
    if len(input.shape) != 2:
        raise ShapeError(
            f"pdist only supports 2D tensors, got: {len(input.shape)}D. Fix: give a matrix, one vector in each row."
        )
    require_floating("pdist", input)
    if p < 0:
        raise ShapeError(f"pdist only supports non-negative p values, got {p}. Fix: give p >= 0, for example 2.0.")
    return _pair_distances(input, *_pairs(input.shape[0]), float(p))


__all__ = ["cdist", "cosine_similarity", "pairwise_distance", "pdist"]
