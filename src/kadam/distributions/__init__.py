"""Probability distributions, as `torch.distributions`: draws, densities, entropies, divergences."""

from kadam import missing
from kadam.distributions import constraints, kl, kl_across, kl_of_vectors, transforms  # noqa: F401
from kadam.distributions.categorical import (
    Categorical,
    Multinomial,
    OneHotCategorical,
    OneHotCategoricalStraightThrough,
    RelaxedOneHotCategorical,
)
from kadam.distributions.circle import VonMises
from kadam.distributions.constraint_registry import biject_to, transform_to
from kadam.distributions.continuous_bernoulli import ContinuousBernoulli
from kadam.distributions.counts import Bernoulli, Binomial, Geometric, Poisson, RelaxedBernoulli
from kadam.distributions.distribution import Distribution
from kadam.distributions.exp_family import ExponentialFamily
from kadam.distributions.gamma import Beta, Chi2, Dirichlet, Exponential, Gamma
from kadam.distributions.generalized_pareto import GeneralizedPareto
from kadam.distributions.independent import Independent, MixtureSameFamily
from kadam.distributions.kl import kl_divergence, register_kl
from kadam.distributions.lkj_cholesky import LKJCholesky
from kadam.distributions.location_scale import Cauchy, Gumbel, Laplace, Normal, StudentT
from kadam.distributions.lowrank_multivariate_normal import LowRankMultivariateNormal
from kadam.distributions.matrix_transforms import (
    CorrCholeskyTransform,
    LowerCholeskyTransform,
    PositiveDefiniteTransform,
)
from kadam.distributions.multivariate_normal import MultivariateNormal
from kadam.distributions.negative_binomial import NegativeBinomial
from kadam.distributions.powers import FisherSnedecor, InverseGamma, Kumaraswamy, LogisticNormal, Pareto, Weibull
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
from kadam.distributions.vector_transforms import (
    CatTransform,
    CumulativeDistributionTransform,
    IndependentTransform,
    ReshapeTransform,
    SoftmaxTransform,
    StackTransform,
    StickBreakingTransform,
)
from kadam.distributions.wishart import Wishart

__all__ = [
    "AbsTransform", "AffineTransform", "Bernoulli", "Beta", "Binomial", "CatTransform", "Categorical", "Cauchy",
    "Chi2", "ComposeTransform", "ContinuousBernoulli", "CorrCholeskyTransform", "CumulativeDistributionTransform",
    "Dirichlet", "Distribution", "ExpTransform", "Exponential", "ExponentialFamily", "FisherSnedecor", "Gamma",
    "GeneralizedPareto", "Geometric", "Gumbel", "HalfCauchy", "HalfNormal", "Independent", "IndependentTransform",
    "InverseGamma", "Kumaraswamy", "LKJCholesky", "Laplace", "LogNormal", "LogisticNormal",
    "LowRankMultivariateNormal", "LowerCholeskyTransform", "MixtureSameFamily", "Multinomial", "MultivariateNormal",
    "NegativeBinomial", "Normal", "OneHotCategorical", "OneHotCategoricalStraightThrough", "Pareto", "Poisson",
    "PositiveDefiniteTransform", "PowerTransform", "RelaxedBernoulli", "RelaxedOneHotCategorical",
    "ReshapeTransform", "SigmoidTransform", "SoftmaxTransform", "SoftplusTransform", "StackTransform",
    "StickBreakingTransform", "StudentT", "TanhTransform", "Transform", "TransformedDistribution", "Uniform",
    "VonMises", "Weibull", "Wishart", "biject_to", "constraints", "identity_transform", "kl", "kl_divergence",
    "register_kl", "transform_to", "transforms",
]  # fmt: skip

missing.install(__name__)
