"""Draws among categories: Categorical, OneHotCategorical, Multinomial, and their relaxation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from kadam import dtypes
from kadam.distributions import constraints
from kadam.distributions.constraints import Constraint
from kadam.distributions.distribution import Distribution, ParameterError, eps, one_of, together
from kadam.ops.creation import arange, eye, full, zeros, zeros_like
from kadam.ops.pointwise import lgamma
from kadam.ops.query import broadcast_tensors
from kadam.ops.random import multinomial, rand
from kadam.recording.spec import Size

if TYPE_CHECKING:
    from kadam.tensor import Tensor


def inside(probs: Tensor) -> Tensor:
    """Probabilities, kept off 0 and 1 so that their logarithms are finite."""
    margin = eps(probs.dtype)
    return probs.clamp(min=margin, max=1 - margin)


class OverCategories(Distribution):
    """Probabilities of categories along the last axis, given as such or as logarithms up to a constant."""

    arg_constraints: ClassVar[dict[str, Constraint]] = {"probs": constraints.simplex, "logits": constraints.real_vector}
    _event_axes: ClassVar[dict[str, int]] = {"probs": 1, "logits": 1}

    def _take(self, probs: Tensor | None, logits: Tensor | None) -> Tensor:
        one_of("`probs` or `logits`", probs, logits)
        given = probs if probs is not None else logits
        assert given is not None
        if not given.dim():
            name = "probs" if probs is not None else "logits"
            raise ParameterError(
                f"Categorical: `{name}` parameter must be at least one-dimensional. Fix: give a vector of at least one "
                "weight for each distribution."
            )
        if probs is not None:
            self.__dict__["probs"] = probs / probs.sum(-1, keepdim=True)
        elif logits is not None:
            self.__dict__["logits"] = logits - logits.logsumexp(-1, keepdim=True)
        return given

    @cached_property
    def logits(self) -> Tensor:
        """The logarithms of the probabilities."""
        return inside(self.probs).log()

    @cached_property
    def probs(self) -> Tensor:
        """The probabilities."""
        return self.logits.softmax(-1)

    @property
    def param_shape(self) -> Size:
        """The shape of the parameter."""
        return (self.__dict__.get("probs") if "probs" in self.__dict__ else self.logits).shape  # type: ignore[union-attr]

    @property
    def _categories(self) -> int:
        return int(self.param_shape[-1])

    def _positions(self, sample_shape: Sequence[int]) -> Tensor:
        """Categories, drawn by their probabilities."""
        rows = self.probs.detach().reshape(-1, self._categories)
        drawn = multinomial(rows, math.prod(sample_shape), True).T
        found: Tensor = drawn.reshape((*sample_shape, *self.param_shape[:-1]))
        return found

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def _entropy(self) -> Tensor:
        logits = self.logits.clamp(min=float(dtypes.finfo(self.logits.dtype).min))
        return -(logits * self.probs).sum(-1)


class Categorical(OverCategories):
    """One of several categories, by number. As `torch.distributions.Categorical`."""

    has_enumerate_support = True
    __repr__ = Distribution.__repr__

    def __init__(
        self, probs: Tensor | None = None, logits: Tensor | None = None, validate_args: bool | None = None
    ) -> None:
        given = self._take(probs, logits)
        super().__init__(given.shape[:-1], validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.integer_interval(0, self._categories - 1)

    @property
    def mean(self) -> Tensor:
        return full(tuple(self._batch_shape), math.nan, dtype=self.probs.dtype)

    @property
    def variance(self) -> Tensor:
        return self.mean

    @property
    def mode(self) -> Tensor:
        return self.probs.argmax(-1)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self._positions(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        at, logits = broadcast_tensors(value.long().unsqueeze(-1), self.logits)
        return logits.gather(-1, at[..., :1]).squeeze(-1)

    def entropy(self) -> Tensor:
        return self._entropy()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        values = arange(self._categories).reshape(-1, *[1] * len(self._batch_shape))
        return values.expand(-1, *self._batch_shape) if expand else values


class OneHotCategorical(OverCategories):
    """One of several categories, as a one among zeros. As `torch.distributions.OneHotCategorical`."""

    support = constraints.one_hot
    has_enumerate_support = True

    def __init__(
        self, probs: Tensor | None = None, logits: Tensor | None = None, validate_args: bool | None = None
    ) -> None:
        given = self._take(probs, logits)
        super().__init__(given.shape[:-1], given.shape[-1:], validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        at = self.probs.argmax(-1, keepdim=True)
        return zeros_like(self.probs).scatter(-1, at, 1.0)

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        at = self._positions(sample_shape).unsqueeze(-1)
        return zeros(*at.shape[:-1], self._categories, dtype=self.probs.dtype).scatter(-1, at, 1.0)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        at, logits = broadcast_tensors(value.argmax(-1, keepdim=True), self.logits)
        return logits.gather(-1, at[..., :1]).squeeze(-1)

    def entropy(self) -> Tensor:
        return self._entropy()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        n = self._categories
        values = eye(n, dtype=self.probs.dtype).reshape(n, *[1] * len(self._batch_shape), n)
        return values.expand(n, *self._batch_shape, n) if expand else values


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """OneHotCategorical whose draws pass gradients to the probabilities unchanged."""

    has_rsample = True

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.sample(sample_shape) + (self.probs - self.probs.detach())


class Multinomial(OverCategories):
    """How often each category comes up in `total_count` draws. As `torch.distributions.Multinomial`."""

    def __init__(
        self,
        total_count: int = 1,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self.total_count = total_count
        given = self._take(probs, logits)
        super().__init__(given.shape[:-1], given.shape[-1:], validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.multinomial(self.total_count)

    @property
    def mean(self) -> Tensor:
        return self.probs * self.total_count

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        drawn = self._positions((self.total_count, *sample_shape)).movedim(0, -1)
        counts = zeros(*drawn.shape[:-1], self._categories, dtype=self.probs.dtype)
        return counts.scatter_add(-1, drawn, counts.new_ones(tuple(drawn.shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        value, logits = broadcast_tensors(value, self.logits)
        logits = logits.masked_fill((value == 0) & (logits == -math.inf), 0)
        return lgamma(value.sum(-1) + 1) - lgamma(value + 1).sum(-1) + (logits * value).sum(-1)

    def entropy(self) -> Tensor:
        from kadam.distributions.counts import Binomial

        count = float(self.total_count)
        each = Binomial(self.total_count, self.probs, validate_args=False)
        often = each.enumerate_support(False)[1:]
        ways = (each.log_prob(often).exp() * lgamma(often + 1)).sum((0, -1))
        return count * self._entropy() - math.lgamma(count + 1) + ways


class RelaxedOneHotCategorical(OverCategories):
    """OneHotCategorical made smooth by a temperature. As `torch.distributions.RelaxedOneHotCategorical`.

    Source: E. Jang et al., "Categorical Reparameterization with Gumbel-Softmax"; C. Maddison et al., "The Concrete
    Distribution" (both 2017).
    """

    support = constraints.simplex
    has_rsample = True

    def __init__(
        self,
        temperature: Any,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self.temperature = temperature
        given = self._take(probs, logits)
        super().__init__(given.shape[:-1], given.shape[-1:], validate_args=validate_args)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        unit = inside(rand(self._extended_shape(sample_shape), dtype=self.logits.dtype))
        scores = (self.logits - (-unit.log()).log()) / self.temperature
        found: Tensor = (scores - scores.logsumexp(-1, keepdim=True)).exp()
        return found

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        count, logs = self._categories, value.log()
        logits, logs = broadcast_tensors(self.logits, logs)
        (temperature,) = together(self.temperature)
        whole = math.lgamma(count) + (count - 1) * temperature.log()
        score = logits - logs * self.temperature
        score = (score - score.logsumexp(-1, keepdim=True)).sum(-1)
        found: Tensor = score + whole - logs.sum(-1)
        return found
