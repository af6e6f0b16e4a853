"""The Kullback-Leibler divergence between different families: what p's moments say of the density of q.

`E log q` needs of p only its mean, its variance, the average of log x or of log (1 - x), or its moment generating
function; `-entropy(p) - E log q` is the divergence. So one function for each q serves all p.
"""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING, Any

from kadam.distributions.continuous_bernoulli import ContinuousBernoulli
from kadam.distributions.counts import Bernoulli, Binomial, Poisson
from kadam.distributions.distribution import Distribution
from kadam.distributions.gamma import Beta, Exponential, Gamma
from kadam.distributions.kl import register_kl
from kadam.distributions.location_scale import EULER, Gumbel, Laplace, Normal
from kadam.distributions.powers import Pareto
from kadam.distributions.uniform import Uniform
from kadam.ops.creation import full_like
from kadam.ops.pointwise import digamma, erf, exp, lgamma, log, log1p, xlogy

if TYPE_CHECKING:
    from kadam.tensor import Tensor


# ---- What is known of p


def _mean_log(p: Any) -> Tensor:
    """The average of log x."""
    if isinstance(p, Beta):
        return digamma(p.concentration1) - digamma(p.concentration1 + p.concentration0)
    if isinstance(p, Exponential):
        return -EULER - log(p.rate)
    if isinstance(p, Gamma):
        return digamma(p.concentration) - log(p.rate)
    if isinstance(p, Pareto):
        return log(p.scale) + p.alpha.reciprocal()
    return _mean_log_between(p.low, p.high)


def _mean_log_between(low: Tensor, high: Tensor) -> Tensor:
    return (xlogy(high, high) - xlogy(low, low)) / (high - low) - 1


def _mean_exp(p: Any, slope: Tensor) -> Tensor:
    """The average of exp(slope x)."""
    if isinstance(p, Exponential):
        return p.rate / (p.rate - slope)
    if isinstance(p, Gamma):
        return (p.rate / (p.rate - slope)).pow(p.concentration)
    if isinstance(p, Normal):
        return exp(slope * p.loc + 0.5 * (slope * p.scale).pow(2))
    found: Tensor = (exp(slope * p.high) - exp(slope * p.low)) / (slope * (p.high - p.low))
    return found


# ---- The divergence, for each q


@register_kl(Beta, Exponential)
@register_kl(ContinuousBernoulli, Exponential)
@register_kl(Gamma, Exponential)
@register_kl(Pareto, Exponential)
@register_kl(Uniform, Exponential)
def _to_exponential(p: Any, q: Exponential) -> Tensor:
    found: Tensor = q.rate * p.mean - log(q.rate) - p.entropy()
    return _beyond_zero(p, found)


@register_kl(Beta, Gamma)
@register_kl(Exponential, Gamma)
@register_kl(Pareto, Gamma)
@register_kl(Uniform, Gamma)
def _to_gamma(p: Any, q: Gamma) -> Tensor:
    a, b = q.concentration, q.rate
    found: Tensor = lgamma(a) - a * log(b) - (a - 1) * _mean_log(p) + b * p.mean - p.entropy()
    return _beyond_zero(p, found)


def _beyond_zero(p: Any, found: Tensor) -> Tensor:
    """Infinite where p reaches below 0, or has no mean."""
    if isinstance(p, Uniform):
        return found.masked_fill(p.low < 0, math.inf)
    return found.masked_fill(p.alpha <= 1, math.inf) if isinstance(p, Pareto) else found


@register_kl(Beta, Normal)
@register_kl(ContinuousBernoulli, Normal)
@register_kl(Exponential, Normal)
@register_kl(Gamma, Normal)
@register_kl(Gumbel, Normal)
@register_kl(Laplace, Normal)
@register_kl(Pareto, Normal)
@register_kl(Uniform, Normal)
def _to_normal(p: Any, q: Normal) -> Tensor:
    squared = p.variance + (p.mean - q.loc).pow(2)
    found: Tensor = 0.5 * squared / q.scale.pow(2) + log(q.scale) + 0.5 * math.log(2 * math.pi) - p.entropy()
    return found.masked_fill(p.alpha <= 2, math.inf) if isinstance(p, Pareto) else found


@register_kl(Exponential, Gumbel)
@register_kl(Gamma, Gumbel)
@register_kl(Normal, Gumbel)
@register_kl(Uniform, Gumbel)
def _to_gumbel(p: Any, q: Gumbel) -> Tensor:
    beyond = exp(q.loc / q.scale) * _mean_exp(p, -q.scale.reciprocal())
    found: Tensor = log(q.scale) + (p.mean - q.loc) / q.scale + beyond - p.entropy()
    return found


@register_kl(Uniform, Beta)
def _uniform_to_beta(p: Uniform, q: Beta) -> Tensor:
    a, b = q.concentration1, q.concentration0
    density = (a - 1) * _mean_log(p) + (b - 1) * _mean_log_between(1 - p.high, 1 - p.low)
    found: Tensor = lgamma(a) + lgamma(b) - lgamma(a + b) - density - p.entropy()
    return found.masked_fill((p.high > 1) | (p.low < 0), math.inf)


@register_kl(Beta, ContinuousBernoulli)
def _to_continuous_bernoulli(p: Any, q: ContinuousBernoulli) -> Tensor:
    found: Tensor = -p.mean * q.logits - log1p(-q.probs) - q.log_normalizer - p.entropy()
    return found


@register_kl(Uniform, ContinuousBernoulli)
def _uniform_to_continuous_bernoulli(p: Uniform, q: ContinuousBernoulli) -> Tensor:
    return _to_continuous_bernoulli(p, q).masked_fill((p.high >= 1) | (p.low <= 0), math.inf)


@register_kl(Uniform, Pareto)
def _uniform_to_pareto(p: Uniform, q: Pareto) -> Tensor:
    found: Tensor = (q.alpha + 1) * _mean_log(p) - log(q.alpha) - q.alpha * log(q.scale) - p.entropy()
    return found.masked_fill(p.low < q.scale, math.inf)


@register_kl(Beta, Uniform)
@register_kl(ContinuousBernoulli, Uniform)
def _unit_to_uniform(p: Any, q: Uniform) -> Tensor:
    found: Tensor = log(q.high - q.low) - p.entropy()
    return found.masked_fill((q.low > 0) | (q.high < 1), math.inf)


@register_kl(Normal, Laplace)
def _normal_to_laplace(p: Normal, q: Laplace) -> Tensor:
    far = (p.loc - q.loc) / p.scale
    gap = p.scale * (math.sqrt(2 / math.pi) * exp(-0.5 * far.pow(2)) + far * erf(far / math.sqrt(2)))
    found: Tensor = log(2 * q.scale) + gap / q.scale - p.entropy()
    return found


@register_kl(Bernoulli, Poisson)
def _bernoulli_to_poisson(p: Bernoulli, q: Poisson) -> Tensor:
    return -p.entropy() - (p.probs * log(q.rate) - q.rate)


def _to_less(p: Distribution, q: Distribution) -> Tensor:
    """Infinite: p has values that q does not have."""
    return full_like(p.mean, math.inf)


_BELOW_ZERO: tuple[type[Distribution], ...] = (Gumbel, Laplace, Normal)
_UNBOUNDED: tuple[type[Distribution], ...] = (Exponential, Gamma, *_BELOW_ZERO)
_TOO_NARROW: tuple[tuple[tuple[type[Distribution], ...], tuple[type[Distribution], ...]], ...] = (
    ((*_UNBOUNDED, Pareto), (Beta, ContinuousBernoulli, Uniform)),
    ((*_UNBOUNDED, Beta, ContinuousBernoulli), (Pareto,)),
    (_BELOW_ZERO, (Exponential, Gamma)),
    ((Poisson,), (Bernoulli, Binomial)),
)
for _wide, _narrow in _TOO_NARROW:
    for _pair in product(_wide, _narrow):
        register_kl(*_pair)(_to_less)
