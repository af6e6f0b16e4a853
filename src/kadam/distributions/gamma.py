"""Positive numbers and what is made of them: Exponential, Gamma, Chi2, Beta, Dirichlet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kadam.distributions import constraints
from kadam.distributions.constraints import Constraint
from kadam.distributions.distribution import tiny, together
from kadam.distributions.exp_family import ExponentialFamily
from kadam.ops.combine import stack
from kadam.ops.compare import where
from kadam.ops.creation import empty, zeros_like
from kadam.ops.incomplete_gamma import igamma as gammainc
from kadam.ops.pointwise import digamma, exp, lgamma, log, xlogy
from kadam.primitives.draws import DrawMotion
from kadam.recording.calls import emit
from kadam.recording.generator import default_generator
from kadam.recording.modes import is_grad_enabled
from kadam.recording.operation import operation
from kadam.recording.spec import Size
from kadam.recording.tensor import from_array, read

if TYPE_CHECKING:
    from kadam.tensor import Tensor


def _standard_gamma(concentration: Tensor, shape: Sequence[int]) -> Tensor:
    """Draws that move with the concentration."""
    drawn = from_array(default_generator.gamma(np.broadcast_to(read(concentration), tuple(shape))))
    if not (concentration.requires_grad and is_grad_enabled()):
        return drawn
    each = concentration.expand(drawn.shape)
    return drawn + _motion(each, each.detach(), drawn, "gamma")


@operation
def _motion(concentration: Tensor, other: Tensor, drawn: Tensor, kind: str) -> Tensor:
    return emit(DrawMotion(kind), concentration, other, drawn)


class Exponential(ExponentialFamily):
    """Waiting times. As `torch.distributions.Exponential`."""

    arg_constraints: ClassVar[dict[str, Constraint]] = {"rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    _event_axes: ClassVar[dict[str, int]] = {"rate": 0}

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = together(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.rate.reciprocal()

    @property
    def mode(self) -> Tensor:
        return self.rate * 0

    @property
    def stddev(self) -> Tensor:
        return self.rate.reciprocal()

    @property
    def variance(self) -> Tensor:
        return self.rate.pow(-2)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        drawn = empty(self._extended_shape(sample_shape), dtype=self.rate.dtype).exponential_()
        return drawn / self.rate

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return self.rate.log() - self.rate * value

    def cdf(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return 1 - exp(-self.rate * value)

    def icdf(self, value: Tensor) -> Tensor:
        return -(-value).log1p() / self.rate

    def entropy(self) -> Tensor:
        return 1.0 - log(self.rate)


class Gamma(ExponentialFamily):
    """Sums of waiting times. As `torch.distributions.Gamma`."""

    arg_constraints: ClassVar[dict[str, Constraint]] = {
        "concentration": constraints.positive,
        "rate": constraints.positive,
    }
    support = constraints.nonnegative
    has_rsample = True
    _event_axes: ClassVar[dict[str, int]] = {"concentration": 0, "rate": 0}

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self.concentration, self.rate = together(concentration, rate)
        super().__init__(self.concentration.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.rate

    @property
    def mode(self) -> Tensor:
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self) -> Tensor:
        return self.concentration / self.rate.pow(2)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        drawn = _standard_gamma(self.concentration, self._extended_shape(sample_shape))
        return (drawn / self.rate).clamp(min=tiny(drawn.dtype))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        a, rate = self.concentration, self.rate
        return xlogy(a, rate) + xlogy(a - 1, value) - rate * value - lgamma(a)

    def cdf(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return gammainc(self.concentration, self.rate * value)

    def entropy(self) -> Tensor:
        a = self.concentration
        return a - log(self.rate) + lgamma(a) + (1.0 - a) * digamma(a)


class Chi2(Gamma):
    """Sums of squared normal numbers. As `torch.distributions.Chi2`."""

    arg_constraints: ClassVar[dict[str, Constraint]] = {"df": constraints.positive}

    def __init__(self, df: Any, validate_args: bool | None = None) -> None:
        super().__init__(0.5 * df, 0.5, validate_args=validate_args)

    @property
    def df(self) -> Tensor:
        """The degrees of freedom."""
        return self.concentration * 2


class Dirichlet(ExponentialFamily):
    """Probabilities. As `torch.distributions.Dirichlet`."""

    arg_constraints: ClassVar[dict[str, Constraint]] = {
        "concentration": constraints.independent(constraints.positive, 1)
    }
    support = constraints.simplex
    has_rsample = True
    _event_axes: ClassVar[dict[str, int]] = {"concentration": 1}

    def __init__(self, concentration: Tensor, validate_args: bool | None = None) -> None:
        self.concentration = concentration
        super().__init__(concentration.shape[:-1], concentration.shape[-1:], validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.concentration.sum(-1, True)

    @property
    def mode(self) -> Tensor:
        a = self.concentration
        pulled = (a - 1).clamp(min=0.0)
        corner = zeros_like(a).scatter(-1, a.argmax(-1, keepdim=True), 1.0)
        return where((a < 1).all(-1, keepdim=True), corner, pulled / pulled.sum(-1, True))

    @property
    def variance(self) -> Tensor:
        total = self.concentration.sum(-1, True)
        return self.concentration * (total - self.concentration) / (total.pow(2) * (total + 1))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        kind = self.concentration.dtype
        drawn = _standard_gamma(self.concentration.detach().double(), self._extended_shape(sample_shape))
        found = (drawn / drawn.sum(-1, keepdim=True)).to(kind).clamp(min=tiny(kind))
        if not (self.concentration.requires_grad and is_grad_enabled()):
            return found
        each = self.concentration.expand(found.shape)
        rest = each.detach().sum(-1, keepdim=True) - each.detach()
        moved = _motion(each, rest, found, "beta")  # each as a Beta draw; what it gains the others lose in proportion
        return found + moved - found * moved.sum(-1, keepdim=True)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        a = self.concentration
        return xlogy(a - 1.0, value).sum(-1) + lgamma(a.sum(-1)) - lgamma(a).sum(-1)

    def entropy(self) -> Tensor:
        a = self.concentration
        total, count = a.sum(-1), a.shape[-1]
        found: Tensor = (
            lgamma(a).sum(-1) - lgamma(total) - (count - total) * digamma(total) - ((a - 1.0) * digamma(a)).sum(-1)
        )
        return found


class Beta(ExponentialFamily):
    """A probability. As `torch.distributions.Beta`."""

    arg_constraints: ClassVar[dict[str, Constraint]] = {
        "concentration1": constraints.positive,
        "concentration0": constraints.positive,
    }
    support = constraints.unit_interval
    has_rsample = True

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None) -> None:
        self._dirichlet = Dirichlet(stack(together(concentration1, concentration0), -1), validate_args=False)
        super().__init__(self._dirichlet.batch_shape, validate_args=validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Beta:
        new: Beta = object.__new__(type(self)) if _instance is None else _instance
        new._dirichlet, new._validate_args = self._dirichlet.expand(batch_shape), self._validate_args
        new._batch_shape, new._event_shape = Size(batch_shape), Size(())
        return new

    @property
    def concentration1(self) -> Tensor:
        """How strongly draws are pulled to 1."""
        return self._dirichlet.concentration[..., 0]

    @property
    def concentration0(self) -> Tensor:
        """How strongly draws are pulled to 0."""
        return self._dirichlet.concentration[..., 1]

    @property
    def mean(self) -> Tensor:
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def mode(self) -> Tensor:
        return self._dirichlet.mode[..., 0]

    @property
    def variance(self) -> Tensor:
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total.pow(2) * (total + 1))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self._dirichlet.rsample(sample_shape)[..., 0]

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return self._dirichlet.log_prob(stack([value, 1.0 - value], -1))

    def entropy(self) -> Tensor:
        return self._dirichlet.entropy()
