"""Matrices whose columns (or rows) are orthonormal, as functions of matrices that may be anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kadam.linalg import householder_product, matrix_exp, solve
from kadam.linalg.factors import geqrf
from kadam.nn.modules.module import Module
from kadam.ops.combine import cat
from kadam.ops.creation import eye, zeros_like
from kadam.ops.random import randn

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class _Orthogonal(Module):
    """An orthogonal matrix, or part of one.

    Args:
        weight: f32[..., rows, columns], the value to start from.
        orthogonal_map: "matrix_exp" or "cayley" of a skew-symmetric matrix, or "householder": of reflections.
        use_trivialization: whether the map is taken about the starting point.

    Source: Lezcano-Casado, "Trivializations for gradient-based optimization on manifolds", 2019.
    """

    base: Tensor | None

    def __init__(self, weight: Tensor, orthogonal_map: str, use_trivialization: bool) -> None:
        super().__init__()
        if weight.is_complex() and orthogonal_map == "householder":
            raise ValueError("The householder parametrization does not support complex tensors. Fix: matrix_exp.")
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        self.moved = use_trivialization
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        wide = X.shape[-2] < X.shape[-1]
        x = X.mT if wide else X
        rows, columns = x.shape[-2:]
        if self.orthogonal_map == "householder":
            below = x.tril(-1)
            lengths = 2.0 / (1.0 + (below * below).sum(-2))
            q = householder_product(below, lengths) * x.diagonal(0, -2, -1).int().unsqueeze(-2)
        else:
            q = self._rotation(x.tril(), rows, columns)[..., :columns]
        if self.moved and self.base is not None:
            q = self.base @ q
        return q.mT if wide else q

    def _rotation(self, x: Tensor, rows: int, columns: int) -> Tensor:
        if rows != columns:
            x = cat([x, x.new_zeros(*x.shape[:-2], rows, rows - columns)], -1)
        skew = x - x.mH
        if self.orthogonal_map == "matrix_exp":
            return matrix_exp(skew)
        one = eye(rows, dtype=x.dtype)
        return solve(one - 0.5 * skew, one + 0.5 * skew)

    def right_inverse(self, Q: Tensor) -> Tensor:
        """What to start from, so that the matrix is near `Q`."""
        if Q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of shape {Q.shape}. Fix: "
                "keep the shape."
            )
        wide = Q.shape[-2] < Q.shape[-1]
        q = Q.mT if wide else Q
        rows, columns = q.shape[-2:]
        if not self.moved:
            return self._reflections(q, wide)
        if rows == columns:
            q = q.clone() if _is_orthogonal(q) else _orthogonal_near(q)
        else:
            q = _orthogonal_near(cat([q, randn(*q.shape[:-2], rows, rows - columns, dtype=q.dtype)], -1))
        self.base = q
        start = zeros_like(Q)
        start.diagonal(0, -2, -1).fill_(-1.0)
        return start

    def _reflections(self, q: Tensor, wide: bool) -> Tensor:
        if self.orthogonal_map != "householder":
            raise NotImplementedError(
                "It is not possible to assign to the matrix exponential or the Cayley parametrizations when "
                "use_trivialization=False. Fix: use_trivialization=True."
            )
        below, lengths = geqrf(q)
        diagonal = below.diagonal(0, -2, -1)
        diagonal.sign_()
        diagonal[lengths == 0.0] *= -1
        return below.mT if wide else below


def _is_orthogonal(q: Tensor) -> bool:
    one = eye(q.shape[-1], dtype=q.dtype)
    tolerance = 10.0 * q.shape[-2] * 1.2e-7
    return bool(((q.mH @ q - one).abs() <= tolerance).all())


def _orthogonal_near(a: Tensor) -> Tensor:
    """The orthogonal factor of a matrix, with the signs that make the other one's diagonal positive."""
    below, lengths = geqrf(a)
    return householder_product(below, lengths) * below.diagonal(0, -2, -1).sgn().unsqueeze(-2)
