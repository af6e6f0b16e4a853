"""Probability distributions, as `torch.distributions`: draws, densities, entropies, divergences."""

from kadam import missing
from kadam.distributions import constraints, kl, transforms
from kadam.distributions.categorical import (
    Categorical,
    Multinomial,
    OneHotCategorical,
    OneHotCategoricalStraightThrough,
    RelaxedOneHotCategorical,
)
from kadam.distributions.counts import Bernoulli, Binomial, Geometric, Poisson, RelaxedBernoulli
from kadam.distributions.distribution import Distribution
from kadam.distributions.gamma import Beta, Chi2, Dirichlet, Exponential, Gamma
from kadam.distributions.independent import Independent, MixtureSameFamily
from kadam.distributions.kl import kl_divergence, register_kl
from kadam.distributions.location_scale import Cauchy, Gumbel, Laplace, Normal, StudentT
from kadam.distributions.multivariate_normal import MultivariateNormal
from kadam.distributions.transformed import HalfCauchy, HalfNormal, LogNormal, TransformedDistribution
from kadam.distributions.transforms import (
    AbsTransform,
    AffineTransform,
    ComposeTransform,
    ExpTransform,
    PowerTransform,
    SigmoidTransform,
    SoftplusTransform,
    TanhTransform,
    Transform,
    identity_transform,
)
from kadam.distributions.uniform import Uniform

__all__ = [
    "AbsTransform", "AffineTransform", "Bernoulli", "Beta", "Binomial", "Categorical", "Cauchy", "Chi2",
    "ComposeTransform", "Dirichlet", "Distribution", "ExpTransform", "Exponential", "Gamma", "Geometric", "Gumbel",
    "HalfCauchy", "HalfNormal", "Independent", "Laplace", "LogNormal", "MixtureSameFamily", "Multinomial",
    "MultivariateNormal", "Normal", "OneHotCategorical", "OneHotCategoricalStraightThrough", "Poisson",
    "PowerTransform", "RelaxedBernoulli", "RelaxedOneHotCategorical", "SigmoidTransform", "SoftplusTransform",
    "StudentT", "TanhTransform", "Transform", "TransformedDistribution", "Uniform", "constraints", "identity_transform",
    "kl", "kl_divergence", "register_kl", "transforms",
]  # fmt: skip

missing.install(__name__)
