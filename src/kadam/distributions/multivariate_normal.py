"""MultivariateNormal: normal vectors with a covariance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from kadam import linalg
from kadam.distributions import constraints
from kadam.distributions.constraints import Constraint
from kadam.distributions.covariance import WithCovariance, distance, half_log_det, only_matrix
from kadam.distributions.distribution import Distribution, ParameterError
from kadam.distributions.location_scale import standard_normal
from kadam.recording.spec import Size
from kadam.shapes import broadcast

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class MultivariateNormal(WithCovariance, Distribution):
    """Normal vectors, given by the covariance, its inverse or its Cholesky factor. As in `torch.distributions`.

    Shapes:
        loc f32[..., n], covariance_matrix f32[..., n, n]
    """

    arg_constraints: ClassVar[dict[str, Constraint]] = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    has_rsample = True
    _event_axes: ClassVar[dict[str, int]] = {"loc": 1, "covariance_matrix": 2, "precision_matrix": 2, "scale_tril": 2}

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        name, matrix = only_matrix(
            covariance_matrix, precision_matrix, scale_tril, ParameterError, "MultivariateNormal(loc, scale_tril=L)"
        )
        if loc.dim() < 1:
            raise ParameterError(
                "loc must be at least one-dimensional. Fix: loc.unsqueeze(-1), or Normal for single numbers."
            )
        batch, size = broadcast(tuple(matrix.shape[:-2]), tuple(loc.shape[:-1])), loc.shape[-1]
        self.__dict__[name] = matrix.expand(*batch, size, size)
        self.loc = loc.expand(*batch, size)
        super().__init__(Size(batch), Size((size,)), validate_args=validate_args)

    @cached_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        return linalg.inv(self.covariance_matrix)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return self._factor.pow(2).sum(-1)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        drawn = standard_normal(self._extended_shape(sample_shape), self.loc)
        return self.loc + (self._factor @ drawn.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        found: Tensor = -0.5 * (
            self._event_shape[0] * math.log(2 * math.pi) + distance(self._factor, value - self.loc)
        ) - (half_log_det(self._factor))
        return found

    def entropy(self) -> Tensor:
        found: Tensor = 0.5 * self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + half_log_det(self._factor)
        return found
