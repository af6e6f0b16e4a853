"""NegativeBinomial: successes before a number of failures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from kadam.distributions import constraints
from kadam.distributions.constraints import Constraint
from kadam.distributions.counts import OfProbability
from kadam.distributions.distribution import one_of, together
from kadam.distributions.gamma import Gamma
from kadam.nn.functional import logsigmoid
from kadam.ops.pointwise import lgamma
from kadam.ops.random import poisson
from kadam.recording.modes import grad_mode

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class NegativeBinomial(OfProbability):
    """How often something succeeds before it has failed `total_count` times. As in `torch.distributions`."""

    arg_constraints: ClassVar[dict[str, Constraint]] = {
        "total_count": constraints.greater_than_eq(0),
        "probs": constraints.half_open_interval(0.0, 1.0),
        "logits": constraints.real,
    }
    support = constraints.nonnegative_integer
    _event_axes: ClassVar[dict[str, int]] = {"total_count": 0, "probs": 0, "logits": 0}

    def __init__(
        self, total_count: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        one_of("`probs` or `logits`", probs, logits)
        given = logits if probs is None else probs
        self.total_count, described = together(total_count, given)
        self.total_count = self.total_count.type_as(described)
        self.__dict__["logits" if probs is None else "probs"] = described
        super().__init__(described.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.logits.exp()

    @property
    def mode(self) -> Tensor:
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0.0)

    @property
    def variance(self) -> Tensor:
        return self.mean / (-self.logits).sigmoid()

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with grad_mode(False):
            rates = Gamma(self.total_count, (-self.logits).exp(), validate_args=False)
            return poisson(rates.sample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        weighed = self.total_count * logsigmoid(-self.logits) + value * logsigmoid(self.logits)
        ways = lgamma(1.0 + value) + lgamma(self.total_count) - lgamma(self.total_count + value)
        return weighed - ways.masked_fill(self.total_count + value == 0.0, 0.0)


__all__ = ["NegativeBinomial"]
