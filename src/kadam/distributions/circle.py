"""Angles: VonMises."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from kadam.distributions import constraints
from kadam.distributions.constraints import Constraint
from kadam.distributions.distribution import Distribution, together
from kadam.ops.compare import where
from kadam.ops.creation import zeros
from kadam.ops.random import rand
from kadam.ops.special import i0e, i1e
from kadam.recording.modes import grad_mode

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class VonMises(Distribution):
    """Angles from -pi to pi about a mean direction. As `torch.distributions.VonMises`.

    Source: Best and Fisher, "Efficient simulation of the von Mises distribution", 1979 (draws).
    """

    arg_constraints: ClassVar[dict[str, Constraint]] = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real
    _event_axes: ClassVar[dict[str, int]] = {"loc": 0, "concentration": 0}

    def __init__(self, loc: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.loc, self.concentration = together(loc, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return 1 - i1e(self.concentration) / i0e(self.concentration)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        k = self.concentration
        return k * (value - self.loc).cos() - math.log(2 * math.pi) - (i0e(k).log() + k)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with grad_mode(False):
            shape = self._extended_shape(sample_shape)
            k = self.concentration.double()
            ratio = _ratio(k)
            angle, done = zeros(shape, dtype=k.dtype), zeros(shape).bool()
            while not done.all():
                turn, first, second = rand(3, *shape, dtype=k.dtype).unbind()
                height = (math.pi * turn).cos()
                cosine = (1 + ratio * height) / (ratio + height)
                c = k * (ratio - cosine)
                accepted = ((c * (2 - c) - first) > 0) | ((c / first).log() + 1 - c >= 0)
                angle = where(accepted, (second - 0.5).sign() * cosine.acos(), angle)
                done = done | accepted
            return ((angle + math.pi + self.loc) % (2 * math.pi) - math.pi).to(self.loc.dtype)


def _ratio(k: Tensor) -> Tensor:
    """The parameter of the wrapped Cauchy distribution that draws are proposed from."""
    tau = 1 + (1 + 4 * k**2).sqrt()
    rho = (tau - (2 * tau).sqrt()) / (2 * k)
    return where(k < 1e-5, 1 / k + k, (1 + rho**2) / (2 * rho))


__all__ = ["VonMises"]
