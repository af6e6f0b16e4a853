"""Functions whose values are matrices: Cholesky factors, positive definite matrices, factors of correlations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kadam.distributions import constraints
from kadam.distributions.distribution import eps
from kadam.distributions.transforms import Transform
from kadam.distributions.utils import tril_matrix_to_vec, vec_to_tril_matrix
from kadam.linalg import cholesky
from kadam.nn.functional import pad, softplus
from kadam.ops.creation import eye

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class LowerCholeskyTransform(Transform):
    """A matrix as a lower triangular one with a positive diagonal."""

    domain, codomain = constraints.independent(constraints.real, 2), constraints.lower_cholesky
    bijective = False

    def _call(self, x: Tensor) -> Tensor:
        return x.tril(-1) + x.diagonal(dim1=-2, dim2=-1).exp().diag_embed()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.tril(-1) + y.diagonal(dim1=-2, dim2=-1).log().diag_embed()


class PositiveDefiniteTransform(Transform):
    """A matrix as a positive definite one: L L^T of its `LowerCholeskyTransform` L."""

    domain, codomain = constraints.independent(constraints.real, 2), constraints.positive_definite
    bijective = False

    def _call(self, x: Tensor) -> Tensor:
        lower = LowerCholeskyTransform()(x)
        product: Tensor = lower @ lower.mT
        return product

    def _inverse(self, y: Tensor) -> Tensor:
        return LowerCholeskyTransform().inv(cholesky(y))


class CorrCholeskyTransform(Transform):
    """n (n - 1) / 2 numbers as the Cholesky factor of an n x n matrix of correlations.

    Each row is a stick of length 1: tanh of each number says which part of the rest of it, squared, is broken off, and
    with which sign. The density is that of the elements below the diagonal.

    Source: Stan Reference Manual, "Cholesky factors of correlation matrices".
    """

    domain, codomain = constraints.real_vector, constraints.corr_cholesky

    def _call(self, x: Tensor) -> Tensor:
        margin = eps(x.dtype)
        part = vec_to_tril_matrix(x.tanh().clamp(min=-1 + margin, max=1 - margin), diag=-1)
        rest = (1 - part**2).sqrt().cumprod(-1)
        whole = part + eye(part.shape[-1], dtype=part.dtype)
        found: Tensor = whole * pad(rest[..., :-1], (1, 0), value=1)
        return found

    def _inverse(self, y: Tensor) -> Tensor:
        rest = pad((1 - (y * y).cumsum(-1))[..., :-1], (1, 0), value=1)
        part = tril_matrix_to_vec(y, diag=-1) / tril_matrix_to_vec(rest, diag=-1).sqrt()
        found: Tensor = (part.log1p() - part.neg().log1p()) / 2
        return found

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        rest = tril_matrix_to_vec(1 - (y * y).cumsum(-1), diag=-2)
        squeezed = 2 * (x + softplus(-2 * x) - math.log(2.0))
        found: Tensor = 0.5 * rest.log().sum(-1) - squeezed.sum(-1)
        return found

    def forward_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        if not shape:
            raise ValueError("CorrCholeskyTransform: Too few dimensions on input. Fix: give at least a vector.")
        count = shape[-1]
        n = round((0.25 + 2 * count) ** 0.5 + 0.5)
        if n * (n - 1) // 2 != count:
            raise ValueError(
                f"CorrCholeskyTransform: Input is not a flattened lower-diagonal number: {count}. Fix: give "
                f"n (n - 1) / 2 numbers, for example {n * (n - 1) // 2} for n = {n}."
            )
        return (*shape[:-1], n, n)

    def inverse_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        if len(shape) < 2 or shape[-2] != shape[-1]:
            raise ValueError(f"CorrCholeskyTransform: Input is not square: {tuple(shape)}. Fix: give n x n matrices.")
        return (*shape[:-2], shape[-1] * (shape[-1] - 1) // 2)


__all__ = ["CorrCholeskyTransform", "LowerCholeskyTransform", "PositiveDefiniteTransform"]
