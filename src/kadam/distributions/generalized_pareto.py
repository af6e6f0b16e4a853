"""GeneralizedPareto: by how much a threshold is exceeded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from kadam.distributions import constraints
from kadam.distributions.constraints import Constraint
from kadam.distributions.distribution import Distribution, together
from kadam.ops.compare import where
from kadam.ops.creation import full_like, ones_like
from kadam.ops.pointwise import exp, log, log1p
from kadam.ops.random import rand

if TYPE_CHECKING:
    from kadam.tensor import Tensor

_ZERO = 1e-8  # a concentration up to here is taken for 0: the tail is exponential


class GeneralizedPareto(Distribution):
    """Values beyond a threshold `loc`; a larger concentration, a heavier tail. As in `torch.distributions`."""

    arg_constraints: ClassVar[dict[str, Constraint]] = {
        "loc": constraints.real, "scale": constraints.positive, "concentration": constraints.real,
    }  # fmt: skip
    has_rsample = True
    _event_axes: ClassVar[dict[str, int]] = {"loc": 0, "scale": 0, "concentration": 0}

    def __init__(self, loc: Any, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale, self.concentration = together(loc, scale, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        end = self.loc - self.scale / self.concentration
        return constraints.interval(self.loc, where(self.concentration < 0, end, full_like(end, math.inf)))

    @property
    def mean(self) -> Tensor:
        return self._where(self.concentration < 1, lambda k: self.loc + self.scale / (1 - k))

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return self._where(self.concentration < 0.5, lambda k: self.scale**2 / ((1 - k) ** 2 * (1 - 2 * k)))

    def _where(self, exists: Tensor, moment: Any) -> Tensor:
        """A moment where it exists, elsewhere not a number."""
        return where(exists, moment(self.concentration.masked_fill(~exists, 0.25)), math.nan)

    @property
    def _is_exponential(self) -> Tensor:
        return self.concentration.abs() <= _ZERO

    @property
    def _power(self) -> Tensor:
        """The concentration, where it is not 0."""
        return where(self._is_exponential, ones_like(self.concentration), self.concentration)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.icdf(rand(self._extended_shape(sample_shape), dtype=self.loc.dtype))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        beyond, k = (value - self.loc) / self.scale, self._power
        order = 1 / k + ones_like(beyond)
        powered = where(order == 0, order, order * log1p(k * beyond))
        return -self.scale.log() - where(self._is_exponential, beyond, powered)

    def log_survival_function(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of more than `value`."""
        if self._validate_args:
            self._validate_sample(value)
        beyond, k = (value - self.loc) / self.scale, self._power
        return where(self._is_exponential, -beyond, -log1p(k * beyond) / k)

    def log_cdf(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of a value up to `value`."""
        return log1p(-exp(self.log_survival_function(value)))

    def cdf(self, value: Tensor) -> Tensor:
        return exp(self.log_cdf(value))

    def icdf(self, value: Tensor) -> Tensor:
        left, k = log1p(-value), self._power
        powered = self.loc + self.scale / k * (-k * left).expm1()
        return where(self._is_exponential, self.loc - self.scale * left, powered)

    def entropy(self) -> Tensor:
        return log(self.scale) + self.concentration + 1


__all__ = ["GeneralizedPareto"]
