"""What matrices must satisfy: triangular, symmetric, positive definite, a factor of correlations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam.distributions.constraint import Constraint
from kadam.errors import ShapeError

if TYPE_CHECKING:
    from kadam.ir.primitive import Array

_TOLERANCE = 1e-6  # of symmetry
_ROUNDINGS = 10  # by which a row of length 1 may miss it, for each element


@dataclass(frozen=True, repr=False)
class LowerTriangular(Constraint):
    """Zeros above the diagonal."""

    event_dim = 2

    def holds(self, array: Array) -> Any:
        if array.ndim < 2:
            raise ShapeError(
                f"{self!r}: input tensor must have at least 2 dimensions, not {array.ndim}. Fix: give matrices."
            )
        return (np.tril(array) == array).all((-2, -1))


@dataclass(frozen=True, repr=False)
class LowerCholesky(LowerTriangular):
    """Lower triangular matrices with a positive diagonal."""

    def holds(self, array: Array) -> Any:
        return super().holds(array) & (np.diagonal(array, axis1=-2, axis2=-1) > 0).all(-1)


@dataclass(frozen=True, repr=False)
class CorrCholesky(LowerCholesky):
    """Cholesky factors of correlations: each row has length 1."""

    def holds(self, array: Array) -> Any:
        tolerance = np.finfo(array.dtype).eps * array.shape[-1] * _ROUNDINGS
        return super().holds(array) & (np.abs(np.linalg.norm(array, axis=-1) - 1) <= tolerance).all(-1)


@dataclass(frozen=True, repr=False)
class Square(Constraint):
    """As many rows as columns."""

    event_dim = 2

    def holds(self, array: Array) -> Any:
        return np.full(array.shape[:-2], array.shape[-2] == array.shape[-1])


@dataclass(frozen=True, repr=False)
class Symmetric(Square):
    """Equal to its transpose."""

    def holds(self, array: Array) -> Any:
        square = super().holds(array)
        return np.isclose(array, array.swapaxes(-2, -1), atol=_TOLERANCE).all((-2, -1)) if square.all() else square


@dataclass(frozen=True, repr=False)
class PositiveSemidefinite(Symmetric):
    """Symmetric matrices none of whose eigenvalues is negative."""

    def holds(self, array: Array) -> Any:
        symmetric = super().holds(array)
        return (np.linalg.eigvalsh(array) >= 0).all(-1) if symmetric.all() else symmetric


@dataclass(frozen=True, repr=False)
class PositiveDefinite(Symmetric):
    """Symmetric matrices all of whose eigenvalues are positive."""

    def holds(self, array: Array) -> Any:
        symmetric = super().holds(array)
        return (np.linalg.eigvalsh(array) > 0).all(-1) if symmetric.all() else symmetric


lower_triangular, lower_cholesky, corr_cholesky = LowerTriangular(), LowerCholesky(), CorrCholesky()
square, symmetric = Square(), Symmetric()
positive_semidefinite, positive_definite = PositiveSemidefinite(), PositiveDefinite()

__all__ = [
    "corr_cholesky", "lower_cholesky", "lower_triangular", "positive_definite", "positive_semidefinite", "square",
    "symmetric",
]  # fmt: skip
