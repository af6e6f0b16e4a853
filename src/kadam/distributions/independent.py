"""Independent and MixtureSameFamily: distributions made of a batch of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kadam.distributions import constraints
from kadam.distributions.categorical import Categorical
from kadam.distributions.constraints import Constraint
from kadam.distributions.distribution import Distribution, ParameterError
from kadam.recording.spec import Size

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class Independent(Distribution):
    """A batch of distributions as one over larger events. As `torch.distributions.Independent`."""

    def __init__(
        self, base_distribution: Distribution, reinterpreted_batch_ndims: int, validate_args: bool | None = None
    ) -> None:
        axes = len(base_distribution.batch_shape)
        if reinterpreted_batch_ndims > axes:
            raise ParameterError(
                "Expected reinterpreted_batch_ndims <= len(base_distribution.batch_shape), actual "
                f"{reinterpreted_batch_ndims} vs {axes}. Fix: at most {axes}, or expand() the base distribution."
            )
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, reinterpreted_batch_ndims
        shape, kept = (*base_distribution.batch_shape, *base_distribution.event_shape), axes - reinterpreted_batch_ndims
        super().__init__(shape[:kept], shape[kept:], validate_args=validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Independent:
        inner = self.base_dist.batch_shape[len(self._batch_shape) :]
        return Independent(self.base_dist.expand((*batch_shape, *inner)), self.reinterpreted_batch_ndims)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        return self.base_dist.has_rsample

    @property
    def support(self) -> Constraint:
        return constraints.independent(self.base_dist.support, self.reinterpreted_batch_ndims)

    @property
    def mean(self) -> Tensor:
        return self.base_dist.mean

    @property
    def mode(self) -> Tensor:
        return self.base_dist.mode

    @property
    def variance(self) -> Tensor:
        return self.base_dist.variance

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        return self._summed(self.base_dist.log_prob(value))

    def entropy(self) -> Tensor:
        return self._summed(self.base_dist.entropy())

    def _summed(self, values: Tensor) -> Tensor:
        axes = self.reinterpreted_batch_ndims
        return values.sum(tuple(range(-axes, 0))) if axes else values

    def __repr__(self) -> str:
        return f"Independent({self.base_dist}, {self.reinterpreted_batch_ndims})"


class MixtureSameFamily(Distribution):
    """A draw from one of several components, chosen at random. As `torch.distributions.MixtureSameFamily`."""

    def __init__(
        self,
        mixture_distribution: Categorical,
        component_distribution: Distribution,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(mixture_distribution, Categorical):
            raise ParameterError(
                " The Mixture distribution needs to be an instance of torch.distributions.Categorical. Fix: "
                "MixtureSameFamily(Categorical(weights), components)."
            )
        count = mixture_distribution.logits.shape[-1]
        if not component_distribution.batch_shape or component_distribution.batch_shape[-1] != count:
            raise ParameterError(
                f"`mixture_distribution component` ({count}) does not equal `component_distribution.batch_shape[-1]` "
                f"({component_distribution.batch_shape}). Fix: give as many mixture weights as there are components."
            )
        self.mixture_distribution, self.component_distribution = mixture_distribution, component_distribution
        batch, event = component_distribution.batch_shape[:-1], component_distribution.event_shape
        super().__init__(batch, event, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.MixtureSameFamilyConstraint(self.component_distribution.support)

    def _weighted(self, values: Tensor) -> Tensor:
        weights = self.mixture_distribution.probs
        return (weights.reshape(*weights.shape, *[1] * len(self._event_shape)) * values).sum(self._axis)

    @property
    def _axis(self) -> int:
        return -1 - len(self._event_shape)

    @property
    def mean(self) -> Tensor:
        return self._weighted(self.component_distribution.mean)

    @property
    def variance(self) -> Tensor:
        within = self._weighted(self.component_distribution.variance)
        gaps = self.component_distribution.mean - self.mean.unsqueeze(self._axis)
        return within + self._weighted(gaps.pow(2.0))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        each = self.component_distribution.log_prob(value.unsqueeze(self._axis))
        return (each + self.mixture_distribution.logits.log_softmax(-1)).logsumexp(-1)

    def cdf(self, value: Tensor) -> Tensor:
        each = self.component_distribution.cdf(value.unsqueeze(self._axis))
        return (each * self.mixture_distribution.probs).sum(-1)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        chosen = self.mixture_distribution.sample(sample_shape)
        each = self.component_distribution.sample(sample_shape)
        events = tuple(self._event_shape)
        at = chosen.reshape(*chosen.shape, *[1] * (len(events) + 1)).expand(*chosen.shape, 1, *events)
        return each.gather(self._axis, at).squeeze(self._axis).reshape(Size((*chosen.shape, *events)))

    def __repr__(self) -> str:
        return f"MixtureSameFamily(\n  {self.mixture_distribution},\n  {self.component_distribution})"
