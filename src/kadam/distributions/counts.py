"""Yes or no, and how often: Bernoulli, Binomial, Geometric, Poisson, and the relaxed Bernoulli."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from kadam.distributions import constraints
from kadam.distributions.categorical import inside
from kadam.distributions.constraints import Constraint
from kadam.distributions.distribution import Distribution, ParameterError, one_of, tiny, together
from kadam.distributions.exp_family import ExponentialFamily
from kadam.errors import UndefinedError
from kadam.nn.functional import binary_cross_entropy_with_logits, logsigmoid
from kadam.ops.creation import arange, empty, zeros_like
from kadam.ops.pointwise import lgamma, xlogy
from kadam.ops.query import broadcast_tensors
from kadam.ops.random import bernoulli, binomial, poisson, rand
from kadam.recording.spec import Size
from kadam.recording.tensor import read

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class OfProbability(Distribution):
    """A probability, given as such or as its logit."""

    arg_constraints: ClassVar[dict[str, Constraint]] = {"probs": constraints.unit_interval, "logits": constraints.real}
    _event_axes: ClassVar[dict[str, int]] = {"probs": 0, "logits": 0}

    def _take(self, probs: Any, logits: Any) -> Tensor:
        one_of("`probs` or `logits`", probs, logits)
        name = "probs" if probs is not None else "logits"
        (given,) = together(probs if probs is not None else logits)
        self.__dict__[name] = given
        return given

    @property
    def param_shape(self) -> Size:
        """The shape of the parameter."""
        given = vars(self).get("probs")
        return self.logits.shape if given is None else given.shape

    @cached_property
    def logits(self) -> Tensor:
        """log(p / (1 - p))."""
        kept = inside(self.probs)
        return kept.log() - (-kept).log1p()

    @cached_property
    def probs(self) -> Tensor:
        """The probability."""
        return self.logits.sigmoid()


class Bernoulli(OfProbability, ExponentialFamily):
    """One with a probability, else zero. As `torch.distributions.Bernoulli`."""

    support = constraints.boolean
    has_enumerate_support = True

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        super().__init__(self._take(probs, logits).shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    @property
    def mode(self) -> Tensor:
        return (self.probs >= 0.5).to(self.probs.dtype).masked_fill(self.probs == 0.5, float("nan"))

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return bernoulli(self.probs.detach().expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_tensors(self.logits, value)
        return -binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self) -> Tensor:
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        values = arange(2, dtype=self.probs.dtype).reshape(-1, *[1] * len(self._batch_shape))
        return values.expand(-1, *self._batch_shape) if expand else values


class Geometric(OfProbability):
    """How many trials fail before the first success. As `torch.distributions.Geometric`."""

    support = constraints.nonnegative_integer

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        super().__init__(self._take(probs, logits).shape, validate_args=validate_args)
        if self._validate_args and probs is not None and not (read(self.probs) > 0).all():
            raise ParameterError(
                f"Expected parameter probs (Tensor of shape {tuple(self.probs.shape)}) of distribution {self!r} to be "
                f"positive but found invalid values:\n{self.probs}. Fix: give probabilities above 0."
            )

    @property
    def mean(self) -> Tensor:
        return 1.0 / self.probs - 1.0

    @property
    def mode(self) -> Tensor:
        return zeros_like(self.probs)

    @property
    def variance(self) -> Tensor:
        return (1.0 / self.probs - 1.0) / self.probs

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        probs = self.probs.detach()
        unit = empty(self._extended_shape(sample_shape), dtype=probs.dtype).uniform_(tiny(probs.dtype), 1)
        return (unit.log() / (-probs).log1p()).floor()

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        value, probs = broadcast_tensors(value, self.probs)
        probs = probs.masked_fill((probs == 1) & (value == 0), 0)
        return value * (-probs).log1p() + self.probs.log()

    def entropy(self) -> Tensor:
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none") / self.probs


class Binomial(OfProbability):
    """How many of `total_count` trials succeed. As `torch.distributions.Binomial`."""

    arg_constraints: ClassVar[dict[str, Constraint]] = {
        "total_count": constraints.nonnegative_integer, **OfProbability.arg_constraints,
    }  # fmt: skip
    _event_axes: ClassVar[dict[str, int]] = {"total_count": 0, **OfProbability._event_axes}
    has_enumerate_support = True

    def __init__(
        self, total_count: Any = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        given = self._take(probs, logits)
        self.total_count, given = together(total_count, given)
        super().__init__(given.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.integer_interval(0, self.total_count)

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.probs

    @property
    def mode(self) -> Tensor:
        return ((self.total_count + 1) * self.probs).floor().minimum(self.total_count)

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return binomial(self.total_count.detach().expand(shape), self.probs.detach().expand(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        ways = lgamma(self.total_count + 1) - lgamma(value + 1) - lgamma(self.total_count - value + 1)
        return ways + value * self.logits + self.total_count * logsigmoid(-self.logits)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        most = read(self.total_count)
        if most.size and (most != most.flat[0]).any():
            raise UndefinedError(
                "Binomial: Inhomogeneous total count not supported by `enumerate_support`. Fix: one total_count for "
                "all, or a distribution for each count."
            )
        values = arange(1 + int(most.flat[0]), dtype=self.probs.dtype).reshape(-1, *[1] * len(self._batch_shape))
        return values.expand(-1, *self._batch_shape) if expand else values

    def entropy(self) -> Tensor:
        logs = self.log_prob(self.enumerate_support(False))
        return -(logs.exp() * logs).sum(0)


class Poisson(ExponentialFamily):
    """How many events happen in a unit of time. As `torch.distributions.Poisson`."""

    arg_constraints: ClassVar[dict[str, Constraint]] = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer
    _event_axes: ClassVar[dict[str, int]] = {"rate": 0}

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = together(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.rate

    @property
    def mode(self) -> Tensor:
        return self.rate.floor()

    @property
    def variance(self) -> Tensor:
        return self.rate

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return poisson(self.rate.detach().expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        rate, value = broadcast_tensors(self.rate, value)
        return xlogy(value, rate) - rate - lgamma(value + 1)


class RelaxedBernoulli(OfProbability):
    """Bernoulli made smooth by a temperature. As `torch.distributions.RelaxedBernoulli`."""

    support = constraints.unit_interval
    has_rsample = True

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        self.temperature = temperature
        super().__init__(self._take(probs, logits).shape, validate_args=validate_args)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        probs = inside(self.probs)
        unit = inside(rand(self._extended_shape(sample_shape), dtype=probs.dtype))
        scores = unit.log() - (-unit).log1p() + probs.log() - (-probs).log1p()
        found: Tensor = (scores / self.temperature).sigmoid()
        return found

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        kept = inside(value)
        score = kept.log() - (-kept).log1p()
        gap = self.logits - score * self.temperature
        temperature = (
            gap.new_full((), self.temperature) if isinstance(self.temperature, float | int) else self.temperature
        )
        found: Tensor = temperature.log() + gap - 2 * gap.exp().log1p() - kept.log() - (-kept).log1p()
        return found

    def __repr__(self) -> str:
        return "RelaxedBernoulli()"
