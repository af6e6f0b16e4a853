"""The Kullback-Leibler divergence, by closed formulas: their register, and those of two members of one family."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kadam.distributions.categorical import Categorical, OneHotCategorical
from kadam.distributions.continuous_bernoulli import ContinuousBernoulli
from kadam.distributions.counts import Bernoulli, Binomial, Geometric, Poisson
from kadam.distributions.covariance import half_log_det
from kadam.distributions.distribution import Distribution
from kadam.distributions.exp_family import ExponentialFamily
from kadam.distributions.gamma import Beta, Dirichlet, Exponential, Gamma
from kadam.distributions.independent import Independent
from kadam.distributions.location_scale import EULER, Cauchy, Gumbel, Laplace, Normal
from kadam.distributions.powers import Pareto
from kadam.distributions.transformed import TransformedDistribution
from kadam.distributions.transforms import summed
from kadam.distributions.uniform import Uniform
from kadam.distributions.wishart import Wishart
from kadam.errors import UndefinedError
from kadam.linalg import solve_triangular
from kadam.nn.functional import softplus
from kadam.ops.pointwise import digamma, lgamma
from kadam.ops.special import mvlgamma
from kadam.recording.tensor import read

if TYPE_CHECKING:
    from kadam.tensor import Tensor

Formula = Callable[[Any, Any], "Tensor"]
_KL_REGISTRY: dict[tuple[type, type], Formula] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Formula], Formula]:
    """Declare the formula for a pair of families. As `torch.distributions.register_kl`.

    Libraries also give a class of their own that stands beside `Distribution` above their families.

    Raises:
        TypeError: one of the two is no class.
    """

    for kind in (type_p, type_q):
        if not isinstance(kind, type):
            raise TypeError(
                f"register_kl: Expected a Distribution subclass but got {kind}. Fix: give two classes, not instances."
            )

    def declare(formula: Formula) -> Formula:
        _KL_REGISTRY[(type_p, type_q)] = formula
        return formula

    return declare


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """What it costs, in nats, to take `q` for `p`. As `torch.distributions.kl_divergence`.

    Raises:
        UndefinedError: no formula is known for the pair.
    """
    for kind_p in type(p).__mro__:
        for kind_q in type(q).__mro__:
            formula = _KL_REGISTRY.get((kind_p, kind_q))
            if formula is not None:
                return formula(p, q)
    raise _unknown(p, q)


def _unknown(p: Distribution, q: Distribution) -> UndefinedError:
    return UndefinedError(
        f"No KL(p || q) is implemented for p type {type(p).__name__} and q type {type(q).__name__}. Fix: register one "
        "with @torch.distributions.register_kl, or estimate it from samples by log_prob."
    )


@register_kl(Normal, Normal)
def _normal(p: Normal, q: Normal) -> Tensor:
    ratio = (p.scale / q.scale).pow(2)
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).pow(2) - 1 - ratio.log())


@register_kl(TransformedDistribution, TransformedDistribution)
def _of_bases(p: TransformedDistribution, q: TransformedDistribution) -> Tensor:
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise UndefinedError(
            "kl_divergence of distributions passed through different functions. Fix: give both the same transforms, or "
            "estimate it from samples by log_prob."
        )
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(ExponentialFamily, ExponentialFamily)
def _exponential_family(p: ExponentialFamily, q: ExponentialFamily) -> Tensor:
    """The Bregman divergence of the log-normalizer."""
    if type(p) is not type(q):
        raise _unknown(p, q)
    given, normalizer, averages = p._expanded()
    found = q._log_normalizer(*q._natural_params) - normalizer
    for mine, theirs, average in zip(given, q._natural_params, averages, strict=True):
        found = found - summed((theirs - mine) * average, len(q.event_shape))
    return found


@register_kl(Cauchy, Cauchy)
def _cauchy(p: Cauchy, q: Cauchy) -> Tensor:
    """Source: F. Chyzak, F. Nielsen, "A closed-form formula for the Kullback-Leibler divergence between Cauchy
    distributions" (2019).
    """
    found: Tensor = ((p.scale + q.scale).pow(2) + (p.loc - q.loc).pow(2)).log() - (4 * p.scale * q.scale).log()
    return found


@register_kl(Laplace, Laplace)
def _laplace(p: Laplace, q: Laplace) -> Tensor:
    ratio, gap = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + gap / q.scale + ratio * (-gap / p.scale).exp() - 1


@register_kl(Independent, Independent)
def _independent(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise UndefinedError(
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


@register_kl(Binomial, Binomial)
def _binomial(p: Binomial, q: Binomial) -> Tensor:
    if (read(p.total_count) < read(q.total_count)).any():
        raise UndefinedError(
            "kl_divergence of Binomials where q.total_count > p.total_count is not implemented. Fix: compare Binomials "
            "of the same total_count."
        )
    each = p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p()
    return (p.total_count * each).masked_fill(p.total_count > q.total_count, math.inf)


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


@register_kl(Pareto, Pareto)
def _pareto(p: Pareto, q: Pareto) -> Tensor:
    ratio = q.alpha / p.alpha
    found: Tensor = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return found.masked_fill(p.scale < q.scale, math.inf)


@register_kl(Gumbel, Gumbel)
def _gumbel(p: Gumbel, q: Gumbel) -> Tensor:
    ratio, gap = p.scale / q.scale, (q.loc - p.loc) / q.scale
    return (gap + lgamma(1 + ratio)).exp() - ratio.log() - gap + ratio * EULER - (1 + EULER)


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _continuous_bernoulli(p: ContinuousBernoulli, q: ContinuousBernoulli) -> Tensor:
    scales = p.log_normalizer + (-p.probs).log1p() - q.log_normalizer - (-q.probs).log1p()
    return p.mean * (p.logits - q.logits) + scales


@register_kl(Wishart, Wishart)
def _wishart(p: Wishart, q: Wishart) -> Tensor:
    size = p.event_shape[-1]
    a, b = half_log_det(p._factor), half_log_det(q._factor)
    between = solve_triangular(q._factor, p._factor, upper=False).pow(2).sum((-2, -1))
    normalizers = mvlgamma(q.df / 2, size) - mvlgamma(p.df / 2, size)
    found: Tensor = q.df * (b - a) + normalizers + (p.df - q.df) / 2 * p._digamma + p.df / 2 * (between - size)
    return found


@register_kl(Beta, Beta)
def _beta(p: Beta, q: Beta) -> Tensor:
    return _dirichlet(p._dirichlet, q._dirichlet)


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Dirichlet, q: Dirichlet) -> Tensor:
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    shapes = lgamma(total) - lgamma(b.sum(-1)) - (lgamma(a) - lgamma(b)).sum(-1)
    return shapes + ((a - b) * (digamma(a) - digamma(total).unsqueeze(-1))).sum(-1)
