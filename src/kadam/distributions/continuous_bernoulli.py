"""ContinuousBernoulli: numbers from 0 to 1 whose density is that of Bernoulli, normalized."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from kadam.distributions import constraints
from kadam.distributions.categorical import inside
from kadam.distributions.constraints import Constraint
from kadam.distributions.counts import OfProbability
from kadam.distributions.exp_family import ExponentialFamily
from kadam.nn.functional import binary_cross_entropy_with_logits
from kadam.ops.compare import where
from kadam.ops.creation import full_like, ones_like, zeros_like
from kadam.ops.pointwise import log, log1p
from kadam.ops.query import broadcast_tensors
from kadam.ops.random import rand

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class ContinuousBernoulli(OfProbability, ExponentialFamily):
    """Numbers from 0 to 1, with density in proportion to p^x (1 - p)^(1 - x). As in `torch.distributions`.

    Close to p = 1/2 the closed formulas cancel, so that there their Taylor series stand for them.

    Source: G. Loaiza-Ganem, J. Cunningham, "The continuous Bernoulli: fixing a pervasive error in variational
    autoencoders" (2019).
    """

    arg_constraints: ClassVar[dict[str, Constraint]] = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True

    def __init__(
        self,
        probs: Any = None,
        logits: Any = None,
        lims: tuple[float, float] = (0.499, 0.501),
        validate_args: bool | None = None,
    ) -> None:
        self._lims = lims
        given = self._take(probs, logits)
        super().__init__(given.shape, validate_args=validate_args)
        if probs is not None:
            self.__dict__["probs"] = inside(given)

    @cached_property
    def probs(self) -> Tensor:
        """p of the density; not the mean."""
        return inside(self.logits.sigmoid())

    @cached_property
    def _is_far(self) -> Tensor:
        """Where p is far enough from 1/2 for the closed formulas."""
        return (self.probs <= self._lims[0]) | (self.probs > self._lims[1])

    @cached_property
    def _far(self) -> Tensor:
        """p where it is far from 1/2, and elsewhere a number that does no harm."""
        return where(self._is_far, self.probs, full_like(self.probs, self._lims[0]))

    @cached_property
    def log_normalizer(self) -> Tensor:
        """The logarithm of what p^x (1 - p)^(1 - x) is divided by, negated."""
        p, from_half = self._far, (self.probs - 0.5).pow(2)
        closed = log((log1p(-p) - log(p)).abs()) - log((1.0 - 2.0 * p).abs())
        series = math.log(2.0) + (4.0 / 3.0 + 104.0 / 45.0 * from_half) * from_half
        return where(self._is_far, closed, series)

    @property
    def mean(self) -> Tensor:
        p, from_half = self._far, self.probs - 0.5
        closed = p / (2.0 * p - 1.0) + 1.0 / (log1p(-p) - log(p))
        series = 0.5 + (1.0 / 3.0 + 16.0 / 45.0 * from_half.pow(2)) * from_half
        return where(self._is_far, closed, series)

    @property
    def variance(self) -> Tensor:
        p, from_half = self._far, (self.probs - 0.5).pow(2)
        closed = p * (p - 1.0) / (1.0 - 2.0 * p).pow(2) + 1.0 / (log1p(-p) - log(p)).pow(2)
        series = 1.0 / 12.0 - (1.0 / 15.0 - 128.0 / 945.0 * from_half) * from_half
        return where(self._is_far, closed, series)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.icdf(rand(self._extended_shape(sample_shape), dtype=self.probs.dtype))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_tensors(self.logits, value)
        return self.log_normalizer - binary_cross_entropy_with_logits(logits, value, reduction="none")

    def cdf(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        p = self._far
        closed = (p.pow(value) * (1.0 - p).pow(1.0 - value) + p - 1.0) / (2.0 * p - 1.0)
        found = where(self._is_far, closed, value)
        return where(value <= 0.0, zeros_like(value), where(value >= 1.0, ones_like(value), found))

    def icdf(self, value: Tensor) -> Tensor:
        p = self._far
        closed = (log1p(-p + value * (2.0 * p - 1.0)) - log1p(-p)) / (log(p) - log1p(-p))
        return where(self._is_far, closed, value)

    def entropy(self) -> Tensor:
        missed, hit = log1p(-self.probs), log(self.probs)
        return self.mean * (missed - hit) - self.log_normalizer - missed


__all__ = ["ContinuousBernoulli"]
