"""The Kullback-Leibler divergence, by closed formulas for pairs of families."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kadam.distributions.categorical import Categorical, OneHotCategorical
from kadam.distributions.counts import Bernoulli, Geometric, Poisson
from kadam.distributions.distribution import Distribution
from kadam.distributions.gamma import Beta, Dirichlet, Exponential, Gamma
from kadam.distributions.independent import Independent
from kadam.distributions.location_scale import Laplace, Normal
from kadam.distributions.multivariate_normal import MultivariateNormal, distance, half_log_det
from kadam.distributions.transformed import HalfNormal, LogNormal
from kadam.distributions.uniform import Uniform
from kadam.errors import UnsupportedError
from kadam.linalg import solve_triangular
from kadam.nn.functional import softplus
from kadam.ops.pointwise import digamma, lgamma

if TYPE_CHECKING:
    from kadam.tensor import Tensor

Formula = Callable[[Any, Any], "Tensor"]
_FORMULAS: dict[tuple[type, type], Formula] = {}


def register_kl(type_p: type[Distribution], type_q: type[Distribution]) -> Callable[[Formula], Formula]:
    """Declare the formula for a pair of families. As `torch.distributions.register_kl`."""

    def declare(formula: Formula) -> Formula:
        _FORMULAS[(type_p, type_q)] = formula
        return formula

    return declare


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """What it costs, in nats, to take `q` for `p`. As `torch.distributions.kl_divergence`.

    Raises:
        UnsupportedError: no formula is known for the pair.
    """
    for kind_p in type(p).__mro__:
        for kind_q in type(q).__mro__:
            formula = _FORMULAS.get((kind_p, kind_q))
            if formula is not None:
                return formula(p, q)
    raise UnsupportedError(
        f"No KL(p || q) is implemented for p type {type(p).__name__} and q type {type(q).__name__}. Fix: register one "
        "with @torch.distributions.register_kl, or estimate it from samples by log_prob."
    )


@register_kl(Normal, Normal)
def _normal(p: Normal, q: Normal) -> Tensor:
    ratio = (p.scale / q.scale).pow(2)
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).pow(2) - 1 - ratio.log())


@register_kl(LogNormal, LogNormal)
@register_kl(HalfNormal, HalfNormal)
def _of_bases(p: LogNormal, q: LogNormal) -> Tensor:
    return _normal(p.base_dist, q.base_dist)


@register_kl(Laplace, Laplace)
def _laplace(p: Laplace, q: Laplace) -> Tensor:
    ratio, gap = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + gap / q.scale + ratio * (-gap / p.scale).exp() - 1


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate_normal(p: MultivariateNormal, q: MultivariateNormal) -> Tensor:
    between = solve_triangular(q._factor, p._factor, upper=False).pow(2).sum((-2, -1))
    spread = half_log_det(q._factor) - half_log_det(p._factor)
    found: Tensor = spread + 0.5 * (between + distance(q._factor, q.loc - p.loc) - p.event_shape[0])
    return found


@register_kl(Independent, Independent)
def _independent(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise UnsupportedError(
            "kl_divergence of Independents over different numbers of axes. Fix: give both the same "
            "reinterpreted_batch_ndims."
        )
    return p._summed(kl_divergence(p.base_dist, q.base_dist))


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Bernoulli, q: Bernoulli) -> Tensor:
    yes = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    no = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    found = yes.masked_fill(p.probs == 0, 0.0) + no.masked_fill(p.probs == 1, 0.0)
    return found.masked_fill(((q.probs == 0) & (p.probs > 0)) | ((q.probs == 1) & (p.probs < 1)), math.inf)


@register_kl(OneHotCategorical, OneHotCategorical)
@register_kl(Categorical, Categorical)
def _categorical(p: Categorical, q: Categorical) -> Tensor:
    terms = p.probs * (p.logits - q.logits)
    return terms.masked_fill(q.probs == 0, math.inf).masked_fill(p.probs == 0, 0.0).sum(-1)


@register_kl(Geometric, Geometric)
def _geometric(p: Geometric, q: Geometric) -> Tensor:
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(Poisson, Poisson)
def _poisson(p: Poisson, q: Poisson) -> Tensor:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Uniform, Uniform)
def _uniform(p: Uniform, q: Uniform) -> Tensor:
    found = ((q.high - q.low) / (p.high - p.low)).log()
    return found.masked_fill((q.low > p.low) | (q.high < p.high), math.inf)


@register_kl(Exponential, Exponential)
def _exponential(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return ratio - ratio.log() - 1


@register_kl(Gamma, Gamma)
def _gamma(p: Gamma, q: Gamma) -> Tensor:
    a, b = p.concentration, q.concentration
    rates = b * (p.rate / q.rate).log() + a * (q.rate / p.rate - 1)
    return rates + lgamma(b) - lgamma(a) + (a - b) * digamma(a)


@register_kl(Beta, Beta)
def _beta(p: Beta, q: Beta) -> Tensor:
    return _dirichlet(p._dirichlet, q._dirichlet)


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Dirichlet, q: Dirichlet) -> Tensor:
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    shapes = lgamma(total) - lgamma(b.sum(-1)) - (lgamma(a) - lgamma(b)).sum(-1)
    return shapes + ((a - b) * (digamma(a) - digamma(total).unsqueeze(-1))).sum(-1)
