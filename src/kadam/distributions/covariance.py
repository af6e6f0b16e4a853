"""Covariances, given as they are, by their inverse or by their Cholesky factor; and what follows from the factor."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from kadam import linalg
from kadam.distributions.distribution import ParameterError

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class WithCovariance:
    """What a distribution knows of its covariance; the one form that was given stands in its `__dict__`."""

    @cached_property
    def scale_tril(self) -> Tensor:
        """The Cholesky factor of the covariance."""
        return self._factor

    @cached_property
    def _factor(self) -> Tensor:
        """`scale_tril`, which is named in the text only when it was given or asked for."""
        given = vars(self)
        if "scale_tril" in given:
            return given["scale_tril"]  # type: ignore[no-any-return]
        if "covariance_matrix" in given:
            return linalg.cholesky(given["covariance_matrix"])
        flipped = linalg.cholesky(given["precision_matrix"].flip((-2, -1))).flip((-2, -1)).transpose(-2, -1)
        return linalg.inv(flipped).tril()

    @cached_property
    def covariance_matrix(self) -> Tensor:
        """The covariance of the vectors."""
        found: Tensor = self._factor @ self._factor.mT
        return found


def only_matrix(
    covariance_matrix: Tensor | None,
    precision_matrix: Tensor | None,
    scale_tril: Tensor | None,
    refusal: type[Exception],
    fix: str,
) -> tuple[str, Tensor]:
    """The one matrix that was given, and its name.

    Raises:
        refusal: not exactly one was; `fix` is what to write.
        ParameterError: it is no matrix.
    """
    named = {"covariance_matrix": covariance_matrix, "precision_matrix": precision_matrix, "scale_tril": scale_tril}
    given = [(name, matrix) for name, matrix in named.items() if matrix is not None]
    if len(given) != 1:
        raise refusal(
            "Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified. Fix: " + fix + "."
        )
    name, matrix = given[0]
    if matrix.dim() < 2:
        raise ParameterError(
            f"{name} must be at least two-dimensional, with optional leading batch dimensions. Fix: torch.diag(v) "
            "makes a matrix of a vector of variances."
        )
    return name, matrix


def half_log_det(factor: Tensor) -> Tensor:
    """Half the logarithm of the determinant of a matrix with this Cholesky factor."""
    return factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def distance(factor: Tensor, gap: Tensor) -> Tensor:
    """The squared Mahalanobis length of `gap` for a covariance with this Cholesky factor."""
    return linalg.solve_triangular(factor, gap.unsqueeze(-1), upper=False).squeeze(-1).pow(2).sum(-1)


__all__ = ["WithCovariance", "distance", "half_log_det", "only_matrix"]
