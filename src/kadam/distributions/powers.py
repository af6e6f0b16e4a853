"""Powers, ratios and squashed values of other draws: Pareto, Weibull, InverseGamma, Kumaraswamy and others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from kadam.distributions import constraints
from kadam.distributions.constraints import Constraint
from kadam.distributions.distribution import Distribution, tiny, together
from kadam.distributions.gamma import Exponential, Gamma
from kadam.distributions.location_scale import Normal
from kadam.distributions.transformed import TransformedDistribution
from kadam.distributions.transforms import AffineTransform, ExpTransform, PowerTransform
from kadam.distributions.uniform import Uniform
from kadam.distributions.vector_transforms import StickBreakingTransform
from kadam.ops.compare import where
from kadam.ops.creation import full_like, ones_like
from kadam.ops.pointwise import digamma, exp, lgamma, log, log1p

if TYPE_CHECKING:
    from kadam.tensor import Tensor

_EULER = 0.57721566490153286060  # the Euler-Mascheroni constant


class _Passed(TransformedDistribution):
    """The base of families that are transformed draws of two parameters' own."""

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        parameters = {name: getattr(self, name).expand(tuple(batch_shape)) for name in self.arg_constraints}
        return type(self)(**parameters, validate_args=False)


class Weibull(_Passed):
    """Times to failure. As `torch.distributions.Weibull`."""

    arg_constraints: ClassVar[dict[str, Constraint]] = {
        "scale": constraints.positive,
        "concentration": constraints.positive,
    }
    support = constraints.positive

    def __init__(self, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.scale, self.concentration = together(scale, concentration)
        base = Exponential(ones_like(self.scale), validate_args=validate_args)
        transforms = [PowerTransform(self.concentration.reciprocal()), AffineTransform(0, self.scale)]
        super().__init__(base, transforms, validate_args=validate_args)

    def _moment(self, order: int) -> Tensor:
        return exp(lgamma(1 + order * self.concentration.reciprocal()))

    @property
    def mean(self) -> Tensor:
        return self.scale * self._moment(1)

    @property
    def mode(self) -> Tensor:
        k = self.concentration
        return self.scale * ((k - 1) / k) ** k.reciprocal()

    @property
    def variance(self) -> Tensor:
        return self.scale.pow(2) * (self._moment(2) - self._moment(1).pow(2))

    def entropy(self) -> Tensor:
        inverse = self.concentration.reciprocal()
        return _EULER * (1 - inverse) + log(self.scale * inverse) + 1


class Pareto(_Passed):
    """Numbers above a bound, the larger the rarer. As `torch.distributions.Pareto`."""

    arg_constraints: ClassVar[dict[str, Constraint]] = {"alpha": constraints.positive, "scale": constraints.positive}

    def __init__(self, scale: Any, alpha: Any, validate_args: bool | None = None) -> None:
        self.scale, self.alpha = together(scale, alpha)
        base = Exponential(self.alpha, validate_args=validate_args)
        super().__init__(base, [ExpTransform(), AffineTransform(0, self.scale)], validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.greater_than_eq(self.scale)

    @property
    def mean(self) -> Tensor:
        a = self.alpha.clamp(min=1)
        return a * self.scale / (a - 1)

    @property
    def mode(self) -> Tensor:
        return self.scale

    @property
    def variance(self) -> Tensor:
        a = self.alpha.clamp(min=2)
        return self.scale.pow(2) * a / ((a - 1).pow(2) * (a - 2))

    def entropy(self) -> Tensor:
        return (self.scale / self.alpha).log() + (1 + self.alpha.reciprocal())


class InverseGamma(_Passed):
    """Reciprocals of gamma draws. As `torch.distributions.InverseGamma`; draws have no derivative."""

    arg_constraints: ClassVar[dict[str, Constraint]] = {
        "concentration": constraints.positive,
        "rate": constraints.positive,
    }
    support = constraints.positive

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        base = Gamma(concentration, rate, validate_args=validate_args)
        super().__init__(base, PowerTransform(-base.rate.new_ones(())), validate_args=validate_args)

    @property
    def concentration(self) -> Tensor:
        """The shape parameter."""
        found: Tensor = self.base_dist.concentration  # type: ignore[attr-defined]
        return found

    @property
    def rate(self) -> Tensor:
        """The scale parameter."""
        found: Tensor = self.base_dist.rate  # type: ignore[attr-defined]
        return found

    @property
    def mean(self) -> Tensor:
        found = self.rate / (self.concentration - 1)
        return where(self.concentration > 1, found, full_like(found, math.inf))

    @property
    def mode(self) -> Tensor:
        return self.rate / (self.concentration + 1)

    @property
    def variance(self) -> Tensor:
        a = self.concentration
        found = self.rate.square() / ((a - 1).square() * (a - 2))
        return where(a > 2, found, full_like(found, math.inf))

    def entropy(self) -> Tensor:
        a = self.concentration
        return a + self.rate.log() + lgamma(a) - (1 + a) * digamma(a)


class Kumaraswamy(_Passed):
    """Numbers from 0 to 1, much as Beta's. As `torch.distributions.Kumaraswamy`."""

    arg_constraints: ClassVar[dict[str, Constraint]] = {
        "concentration1": constraints.positive,
        "concentration0": constraints.positive,
    }
    support = constraints.unit_interval

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None) -> None:
        self.concentration1, self.concentration0 = together(concentration1, concentration0)
        base = Uniform(full_like(self.concentration0, 0), full_like(self.concentration0, 1), validate_args=False)
        transforms = [
            PowerTransform(self.concentration0.reciprocal()),
            AffineTransform(1.0, -1.0),
            PowerTransform(self.concentration1.reciprocal()),
        ]
        super().__init__(base, transforms, validate_args=validate_args)

    def _moment(self, order: int) -> Tensor:
        a, b = 1 + order / self.concentration1, self.concentration0
        return b * exp(lgamma(a) + lgamma(b) - lgamma(a + b))

    @property
    def mean(self) -> Tensor:
        return self._moment(1)

    @property
    def mode(self) -> Tensor:
        a, b = self.concentration1, self.concentration0
        found = exp(a.reciprocal() * (log1p(-b) - log1p(-a * b)))
        return found.masked_fill((a < 1) | (b < 1), math.nan)

    @property
    def variance(self) -> Tensor:
        return self._moment(2) - self.mean.pow(2)

    def entropy(self) -> Tensor:
        a, b = self.concentration1, self.concentration0
        rest = (1 - a.reciprocal()) * (digamma(b + 1) + _EULER)
        return (1 - b.reciprocal()) + rest - log(a) - log(b)


class LogisticNormal(TransformedDistribution):
    """Probabilities made of normal vectors, by breaking a stick. As `torch.distributions.LogisticNormal`."""

    arg_constraints: ClassVar[dict[str, Constraint]] = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.simplex

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        base = Normal(loc, scale, validate_args=validate_args)
        base = base if base.batch_shape else base.expand([1])
        super().__init__(base, StickBreakingTransform(), validate_args=validate_args)

    @property
    def loc(self) -> Tensor:
        """The mean of the vectors."""
        found: Tensor = self.base_dist.base_dist.loc  # type: ignore[attr-defined]
        return found

    @property
    def scale(self) -> Tensor:
        """The standard deviation of the vectors."""
        found: Tensor = self.base_dist.base_dist.scale  # type: ignore[attr-defined]
        return found


class FisherSnedecor(Distribution):
    """Ratios of two chi-squared numbers. As `torch.distributions.FisherSnedecor`; draws have no derivative."""

    arg_constraints: ClassVar[dict[str, Constraint]] = {"df1": constraints.positive, "df2": constraints.positive}
    support = constraints.positive
    has_rsample = True
    _event_axes: ClassVar[dict[str, int]] = {"df1": 0, "df2": 0}

    def __init__(self, df1: Any, df2: Any, validate_args: bool | None = None) -> None:
        self.df1, self.df2 = together(df1, df2)
        super().__init__(self.df1.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return where(self.df2 > 2, self.df2 / (self.df2 - 2), math.nan)

    @property
    def mode(self) -> Tensor:
        found = (self.df1 - 2) / self.df1 * self.df2 / (self.df2 + 2)
        return where(self.df1 > 2, found, math.nan)

    @property
    def variance(self) -> Tensor:
        n, m = self.df1, self.df2
        found = 2 * m.pow(2) * (n + m - 2) / (n * (m - 2).pow(2) * (m - 4))
        return where(m > 4, found, math.nan)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        least = tiny(self.df1.dtype)
        above, below = (Gamma(0.5 * df, df).rsample(sample_shape) for df in (self.df1, self.df2))
        return (above / below.clamp(min=least)).clamp(min=least)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        half1, half2, ratio = self.df1 * 0.5, self.df2 * 0.5, self.df1 / self.df2
        scale = lgamma(half1 + half2) - lgamma(half1) - lgamma(half2)
        return scale + half1 * ratio.log() + (half1 - 1) * log(value) - (half1 + half2) * log1p(ratio * value)


__all__ = ["FisherSnedecor", "InverseGamma", "Kumaraswamy", "LogisticNormal", "Pareto", "Weibull"]
