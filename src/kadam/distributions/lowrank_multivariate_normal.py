"""LowRankMultivariateNormal: normal vectors that a few factors make depend on each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from kadam import linalg
from kadam.distributions import constraints
from kadam.distributions.constraints import Constraint
from kadam.distributions.covariance import distance, half_log_det
from kadam.distributions.distribution import Distribution, ParameterError
from kadam.distributions.location_scale import standard_normal
from kadam.errors import KadamError
from kadam.ops.creation import eye
from kadam.recording.spec import Size
from kadam.shapes import broadcast

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class LowRankMultivariateNormal(Distribution):
    """Normal vectors with covariance W W^T + diag(d). As in `torch.distributions`.

    What is computed of the covariance is computed of the small matrix C = I + W^T diag(d)^-1 W (Woodbury's identity).

    Shapes:
        loc f32[..., n], cov_factor (W) f32[..., n, m], cov_diag (d) f32[..., n]
    """

    arg_constraints: ClassVar[dict[str, Constraint]] = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector
    has_rsample = True
    _event_axes: ClassVar[dict[str, int]] = {"loc": 1, "cov_factor": 2, "cov_diag": 1}

    def __init__(self, loc: Tensor, cov_factor: Tensor, cov_diag: Tensor, validate_args: bool | None = None) -> None:
        size, rank = _sizes(loc, cov_factor, cov_diag)
        try:
            batch = broadcast(
                broadcast(tuple(loc.shape[:-1]), tuple(cov_factor.shape[:-2])), tuple(cov_diag.shape[:-1])
            )
        except KadamError:
            raise ParameterError(
                f"Incompatible batch shapes: loc {loc.shape}, cov_factor {cov_factor.shape}, cov_diag {cov_diag.shape}"
                ". Fix: give batch axes that broadcast."
            ) from None
        self.loc, self.cov_diag = loc.expand(*batch, size), cov_diag.expand(*batch, size)
        self.cov_factor = cov_factor.expand(*batch, size, rank)
        super().__init__(Size(batch), Size((size,)), validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return self.cov_factor.pow(2).sum(-1) + self.cov_diag

    @property
    def _weighed(self) -> Tensor:
        """W^T diag(d)^-1."""
        found: Tensor = self.cov_factor.mT / self.cov_diag.unsqueeze(-2)
        return found

    @property
    def _small(self) -> Tensor:
        """The Cholesky factor of C."""
        rank = self.cov_factor.shape[-1]
        return linalg.cholesky(self._weighed @ self.cov_factor + eye(rank, dtype=self.loc.dtype))

    @property
    def _reduced(self) -> Tensor:
        """A with A^T A = diag(d)^-1 - precision."""
        return linalg.solve_triangular(self._small, self._weighed, upper=False)

    @cached_property
    def scale_tril(self) -> Tensor:
        """The Cholesky factor of the covariance."""
        root = self.cov_diag.sqrt().unsqueeze(-1)
        part = self.cov_factor / root
        return root * linalg.cholesky(part @ part.mT + eye(part.shape[-2], dtype=part.dtype))

    @cached_property
    def covariance_matrix(self) -> Tensor:
        """The covariance."""
        found: Tensor = self.cov_factor @ self.cov_factor.mT + self.cov_diag.diag_embed()
        return found

    @cached_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        reduced = self._reduced
        found: Tensor = self.cov_diag.reciprocal().diag_embed() - reduced.mT @ reduced
        return found

    @property
    def _half_log_det(self) -> Tensor:
        return half_log_det(self._small) + 0.5 * self.cov_diag.log().sum(-1)

    def _distance(self, gap: Tensor) -> Tensor:
        """The squared Mahalanobis length of `gap`."""
        inner = (self._weighed @ gap.unsqueeze(-1)).squeeze(-1)
        return (gap.pow(2) / self.cov_diag).sum(-1) - distance(self._small, inner)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        factors = standard_normal((*shape[:-1], self.cov_factor.shape[-1]), self.loc)
        own = standard_normal(shape, self.loc)
        return self.loc + (self.cov_factor @ factors.unsqueeze(-1)).squeeze(-1) + self.cov_diag.sqrt() * own

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        size = self._event_shape[0]
        found: Tensor = -0.5 * (size * math.log(2 * math.pi) + self._distance(value - self.loc)) - self._half_log_det
        return found

    def entropy(self) -> Tensor:
        found: Tensor = 0.5 * self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + self._half_log_det
        return found


def _sizes(loc: Tensor, factor: Tensor, diagonal: Tensor) -> tuple[int, int]:
    """How many numbers a vector has, and how many factors there are.

    Raises:
        ParameterError: the parameters do not fit together.
    """
    if loc.dim() < 1:
        raise ParameterError("loc must be at least one-dimensional. Fix: loc.unsqueeze(-1).")
    size = loc.shape[-1]
    if factor.dim() < 2:
        raise ParameterError(
            "cov_factor must be at least two-dimensional, with optional leading batch dimensions. Fix: unsqueeze(-1) "
            "makes one factor of a vector."
        )
    if factor.shape[-2] != size:
        raise ParameterError(
            f"cov_factor must be a batch of matrices with shape {size} x m, not {tuple(factor.shape[-2:])}. Fix: a row "
            "for each element of loc."
        )
    if diagonal.shape[-1:] != loc.shape[-1:]:
        raise ParameterError(
            f"cov_diag must be a batch of vectors with shape {(size,)}, not {tuple(diagonal.shape[-1:])}. Fix: a "
            "number for each element of loc."
        )
    return int(size), int(factor.shape[-1])


__all__ = ["LowRankMultivariateNormal"]
