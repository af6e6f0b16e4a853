"""Distributions: densities, moments, draws and divergences as PyTorch's; parameters checked."""

from __future__ import annotations

import math

import numpy as np
import pytest

import kadam
from kadam import distributions
from kadam.primitives.draws import DrawSlope

LOCS, SCALES = [0.3, -1.2], [0.7, 2.0]
MANY = [5.0, 9.0]
MATRIX = [[2.0, 0.5], [0.5, 1.0]]

# name: (a distribution of the module `m`, values at which to compare)
FAMILIES = {
    "Normal": (lambda m: m.distributions.Normal(m.tensor(LOCS), m.tensor(SCALES)), [0.5, -0.5]),
    "Laplace": (lambda m: m.distributions.Laplace(m.tensor(LOCS), m.tensor(SCALES)), [0.5, -0.5]),
    "Cauchy": (lambda m: m.distributions.Cauchy(m.tensor(LOCS), m.tensor(SCALES)), [0.5, -0.5]),
    "Gumbel": (lambda m: m.distributions.Gumbel(m.tensor(LOCS), m.tensor(SCALES)), [0.5, -0.5]),
    "StudentT": (lambda m: m.distributions.StudentT(m.tensor([3.0, 5.0])), [0.5, -0.5]),
    "LogNormal": (lambda m: m.distributions.LogNormal(m.tensor(LOCS), m.tensor(SCALES)), [0.5, 1.5]),
    "HalfNormal": (lambda m: m.distributions.HalfNormal(m.tensor(SCALES)), [0.5, 1.5]),
    "HalfCauchy": (lambda m: m.distributions.HalfCauchy(m.tensor(SCALES)), [0.5, 1.5]),
    "Uniform": (lambda m: m.distributions.Uniform(m.tensor(LOCS), m.tensor([1.0, 2.0])), [0.5, -0.5]),
    "Exponential": (lambda m: m.distributions.Exponential(m.tensor(SCALES)), [0.5, 1.5]),
    "Gamma": (lambda m: m.distributions.Gamma(m.tensor(SCALES), m.tensor([1.0, 3.0])), [0.5, 1.5]),
    "Chi2": (lambda m: m.distributions.Chi2(m.tensor([2.0, 3.0])), [0.5, 1.5]),
    "Beta": (lambda m: m.distributions.Beta(m.tensor(SCALES), m.tensor([1.0, 3.0])), [0.5, 0.2]),
    "Dirichlet": (lambda m: m.distributions.Dirichlet(m.tensor([1.0, 2.0, 3.0])), [0.2, 0.3, 0.5]),
    "Bernoulli": (lambda m: m.distributions.Bernoulli(m.tensor([0.3, 0.9])), [1.0, 0.0]),
    "Bernoulli by logits": (lambda m: m.distributions.Bernoulli(logits=m.tensor([0.3, -0.9])), [1.0, 0.0]),
    "Geometric": (lambda m: m.distributions.Geometric(m.tensor([0.3, 0.9])), [2.0, 0.0]),
    "Binomial": (lambda m: m.distributions.Binomial(4, m.tensor([0.3, 0.9])), [2.0, 4.0]),
    "Poisson": (lambda m: m.distributions.Poisson(m.tensor([0.5, 12.0])), [2.0, 10.0]),
    "Categorical": (lambda m: m.distributions.Categorical(m.tensor([[1.0, 2.0, 3.0], [3.0, 1.0, 1.0]])), [2, 0]),
    "OneHotCategorical": (lambda m: m.distributions.OneHotCategorical(logits=m.tensor([0.1, 0.7])), [0.0, 1.0]),
    "Multinomial": (lambda m: m.distributions.Multinomial(5, m.tensor([0.2, 0.3, 0.5])), [1.0, 2.0, 2.0]),
    "RelaxedBernoulli": (lambda m: m.distributions.RelaxedBernoulli(m.tensor(0.5), m.tensor([0.3, 0.9])), [0.4, 0.7]),
    "RelaxedOneHotCategorical": (
        lambda m: m.distributions.RelaxedOneHotCategorical(m.tensor(0.5), m.tensor([0.3, 0.7])),
        [0.4, 0.6],
    ),
    "MultivariateNormal": (lambda m: m.distributions.MultivariateNormal(m.tensor(LOCS), m.tensor(MATRIX)), [0.5, -0.5]),
    "MultivariateNormal by precision": (
        lambda m: m.distributions.MultivariateNormal(m.tensor(LOCS), precision_matrix=m.tensor(MATRIX)),
        [0.5, -0.5],
    ),
    "Independent": (
        lambda m: m.distributions.Independent(m.distributions.Normal(m.tensor(LOCS), m.tensor(SCALES)), 1),
        [0.5, -0.5],
    ),
    "MixtureSameFamily": (
        lambda m: m.distributions.MixtureSameFamily(
            m.distributions.Categorical(m.tensor([0.4, 0.6])), m.distributions.Normal(m.tensor(LOCS), m.tensor(SCALES))
        ),
        [0.5, -0.5],
    ),
    "Weibull": (lambda m: m.distributions.Weibull(m.tensor(SCALES), m.tensor([1.0, 3.0])), [0.5, 1.5]),
    "Pareto": (lambda m: m.distributions.Pareto(m.tensor(SCALES), m.tensor([3.0, 4.0])), [0.9, 2.5]),
    "InverseGamma": (lambda m: m.distributions.InverseGamma(m.tensor([3.0, 4.0]), m.tensor(SCALES)), [0.5, 1.5]),
    "Kumaraswamy": (lambda m: m.distributions.Kumaraswamy(m.tensor([2.0, 3.0]), m.tensor([1.5, 4.0])), [0.5, 0.2]),
    "FisherSnedecor": (
        lambda m: m.distributions.FisherSnedecor(m.tensor([3.0, 4.0]), m.tensor([5.0, 6.0])),
        [0.5, 1.5],
    ),
    "NegativeBinomial": (lambda m: m.distributions.NegativeBinomial(3.0, m.tensor([0.3, 0.6])), [2.0, 5.0]),
    "VonMises": (lambda m: m.distributions.VonMises(m.tensor(LOCS), m.tensor([0.5, 4.0])), [0.5, -0.5]),
    "LogisticNormal": (lambda m: m.distributions.LogisticNormal(m.tensor(LOCS), m.tensor(SCALES)), [0.2, 0.3, 0.5]),
    "StickBreaking": (
        lambda m: m.distributions.TransformedDistribution(
            m.distributions.Normal(m.zeros(2), 1.0), m.distributions.transforms.StickBreakingTransform()
        ),
        [0.2, 0.3, 0.5],
    ),
    "TransformedDistribution": (
        lambda m: m.distributions.TransformedDistribution(
            m.distributions.Normal(m.tensor(LOCS), m.tensor(SCALES)),
            [m.distributions.AffineTransform(1.0, 2.0), m.distributions.SigmoidTransform()],
        ),
        [0.5, 0.2],
    ),
}
NO_DRAWS = ("Binomial",)


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def same(ours, theirs):
    assert tuple(ours.shape) == tuple(theirs.shape)
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", FAMILIES)
def test_densities_and_moments(torch, name):
    make, values = FAMILIES[name]
    ours, theirs = make(kadam), make(torch)
    assert repr(ours) == repr(theirs)
    assert (tuple(ours.batch_shape), tuple(ours.event_shape)) == (tuple(theirs.batch_shape), tuple(theirs.event_shape))
    same(ours.log_prob(kadam.tensor(values)), theirs.log_prob(torch.tensor(values)))
    for ask in ("mean", "variance", "stddev"):
        compared(ours, theirs, ask, lambda one: one)
    compared(ours, theirs, "entropy", lambda method: method())


def compared(ours, theirs, ask, use):
    try:
        expected = use(getattr(theirs, ask))
    except NotImplementedError:
        return
    same(use(getattr(ours, ask)), expected)


@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in NO_DRAWS])
def test_draws(torch, name):
    make, _ = FAMILIES[name]
    kadam.manual_seed(5), torch.manual_seed(5)
    ours, theirs = make(kadam), make(torch)
    for shape in ((), (3,), (2, 2)):
        same(ours.sample(shape), theirs.sample(shape))


def test_gradients_flow_through_draws_and_divergences(torch):
    found = []
    for m in (kadam, torch):
        m.manual_seed(1)
        loc, scale = m.tensor(LOCS, requires_grad=True), m.tensor(SCALES, requires_grad=True)
        posterior = m.distributions.Normal(loc, scale)
        prior = m.distributions.Normal(m.zeros(2), m.ones(2))
        loss = m.distributions.kl_divergence(posterior, prior).sum() + (posterior.rsample((4,)) ** 2).sum()
        loss.backward()
        found.append((loss, loc.grad, scale.grad))
    for ours, theirs in zip(*found, strict=True):
        same(ours, theirs)


PAIRS = [
    "Normal", "Laplace", "LogNormal", "HalfNormal", "Exponential", "Gamma", "Beta", "Dirichlet", "Bernoulli",
    "Geometric", "Poisson", "Categorical", "OneHotCategorical", "MultivariateNormal", "Independent",
]  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_a_distribution_diverges_from_itself_by_nothing(name):
    one = FAMILIES[name][0](kadam)
    np.testing.assert_allclose(distributions.kl_divergence(one, one).numpy(), 0, atol=1e-6)


def test_divergences(torch):
    def pairs(m):
        d = m.distributions
        yield d.Uniform(0.0, 1.0), d.Uniform(-1.0, 3.0)
        yield d.Bernoulli(m.tensor([0.3])), d.Bernoulli(m.tensor([0.6]))
        yield d.Gamma(m.tensor(2.0), m.tensor(1.0)), d.Gamma(m.tensor(3.0), m.tensor(0.5))
        yield d.Dirichlet(m.tensor([1.0, 2.0])), d.Dirichlet(m.tensor([3.0, 0.5]))
        yield d.Laplace(m.tensor(0.0), m.tensor(1.0)), d.Laplace(m.tensor(1.0), m.tensor(3.0))
        covariance = m.tensor(MATRIX)
        yield d.MultivariateNormal(m.zeros(2), covariance), d.MultivariateNormal(m.ones(2), scale_tril=m.eye(2))

    for ours, theirs in zip(pairs(kadam), pairs(torch), strict=True):
        same(distributions.kl_divergence(*ours), torch.distributions.kl_divergence(*theirs))


def test_what_is_no_distribution_is_refused():
    with pytest.raises(ValueError, match="Expected parameter scale"):
        distributions.Normal(0.0, -1.0)
    with pytest.raises(ValueError, match="Either `probs` or `logits`"):
        distributions.Categorical()
    with pytest.raises(ValueError, match="within the support"):
        distributions.Uniform(0.0, 1.0).log_prob(kadam.tensor(2.0))
    with pytest.raises(NotImplementedError, match="No KL"):
        distributions.kl_divergence(distributions.Normal(0.0, 1.0), distributions.Bernoulli(0.5))
    assert distributions.Uniform(0.0, 1.0, validate_args=False).log_prob(kadam.tensor(2.0)).item() == -math.inf


def test_a_larger_batch():
    wide = distributions.Categorical(kadam.tensor([0.2, 0.8])).expand((3,))
    assert wide.sample((2,)).shape == (2, 3)
    np.testing.assert_allclose(wide.log_prob(kadam.tensor([0, 1, 1])).numpy(), np.log([0.2, 0.8, 0.8]), rtol=1e-6)


TRANSFORMS = {
    "StickBreaking": lambda t, d: t.StickBreakingTransform(),
    "Softmax": lambda t, d: t.SoftmaxTransform(),
    "Independent": lambda t, d: t.IndependentTransform(t.ExpTransform(), 1),
    "Reshape": lambda t, d: t.ReshapeTransform((3,), (3, 1)),
    "Cat": lambda t, d: t.CatTransform([t.ExpTransform(), t.TanhTransform()], dim=1, lengths=[1, 2]),
    "Stack": lambda t, d: t.StackTransform([t.ExpTransform(), t.TanhTransform()], dim=0),
    "CumulativeDistribution": lambda t, d: t.CumulativeDistributionTransform(d.Normal(0.0, 1.0)),
    "Compose": lambda t, d: t.ComposeTransform([t.AffineTransform(1.0, 2.0), t.StickBreakingTransform()]),
    "to an interval": lambda t, d: d.biject_to(d.constraints.interval(-1.0, 2.0)),
    "to the positive": lambda t, d: d.transform_to(d.constraints.positive),
    "to the simplex": lambda t, d: d.transform_to(d.constraints.simplex),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_their_inverses_and_how_they_stretch(torch, name):
    values = np.array([[0.3, -0.4, 0.8], [-1.2, 0.1, 0.5]], np.float32)
    found = []
    for m in (kadam, torch):
        transform = TRANSFORMS[name](m.distributions.transforms, m.distributions)
        x = m.from_numpy(values)
        y = transform(x)
        parts = [y, transform.inv(y)]
        if name not in ("Softmax", "to the simplex"):
            parts.append(transform.log_abs_det_jacobian(x, y))
        found.append(parts)
    for ours, theirs in zip(*found, strict=True):
        same(ours, theirs)


def test_a_transform_of_the_users_and_a_cached_inverse():
    class Cube(distributions.Transform):
        def _call(self, x):
            return x**3

        def _inverse(self, y):
            return y.sign() * y.abs() ** (1 / 3)

    assert Cube()(kadam.tensor(2.0)).item() == 8.0
    squash = distributions.TanhTransform(cache_size=1)
    far = kadam.tensor([20.0])
    assert squash.inv(squash(far)) is far  # atanh(1) would be infinite


@pytest.mark.parametrize(("a", "z"), [(5.0, 2.0), (0.1, 0.01), (50.0, 60.0), (1000.0, 1010.0), (1.0, 3.0)])
def test_a_gamma_draw_moves_along_its_quantile(a, z):
    special = pytest.importorskip("scipy.special")
    step, quantile = 1e-5 * a, special.gammainc(a, z)
    measured = (special.gammaincinv(a + step, quantile) - special.gammaincinv(a - step, quantile)) / (2 * step)
    found = DrawSlope("gamma").reference(*(np.array([one]) for one in (a, a, z)))
    np.testing.assert_allclose(found, [measured], rtol=1e-6)


@pytest.mark.parametrize(("a", "b", "z"), [(5.0, 2.0, 0.7), (0.1, 0.2, 0.4), (1000.0, 3.0, 0.999), (40.0, 60.0, 0.5)])
def test_a_beta_draw_moves_along_its_quantile(a, b, z):
    special = pytest.importorskip("scipy.special")
    step, quantile = 1e-5 * a, special.betainc(a, b, z)
    measured = (special.betaincinv(a + step, b, quantile) - special.betaincinv(a - step, b, quantile)) / (2 * step)
    found = DrawSlope("beta").reference(*(np.array([one]) for one in (a, b, z)))
    np.testing.assert_allclose(found, [measured / (1 - z)], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("Gamma", ([0.5, 3.0], [1.0, 2.0])),
        ("Beta", ([0.5, 3.0], [1.0, 2.0])),
        ("Dirichlet", ([0.5, 3.0, 2.0],)),
        ("Chi2", ([3.0, 4.0],)),
        ("StudentT", ([3.0, 4.0],)),
        ("InverseGamma", ([3.0, 4.0], [1.0, 2.0])),
    ],
)
def test_gradients_through_draws_are_pytorchs(name, parameters):
    torch = pytest.importorskip("torch")

    def gradients(m):
        m.manual_seed(0)
        given = [m.tensor(one, requires_grad=True) for one in parameters]
        drawn = getattr(m.distributions, name)(*given).rsample((3,))
        (drawn * m.arange(float(drawn.numel())).reshape(drawn.shape)).sum().backward()
        return [drawn.detach().numpy(), *(one.grad.numpy() for one in given)]

    for ours, theirs in zip(gradients(kadam), gradients(torch), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-3)  # PyTorch's derivative is an approximation


def test_second_derivatives_of_draws_are_refused():
    a = kadam.tensor([2.0], requires_grad=True)
    (first,) = kadam.autograd.grad(distributions.Gamma(a, 1.0).rsample().sum(), a, create_graph=True)
    with pytest.raises(NotImplementedError, match="derivative"):
        kadam.autograd.grad(first.sum(), a)


def test_binomial_numbers_are_pytorchs(torch):
    counts = [5.0, 5.0, 20.0, 200.0, 200.0, 1000.0, 0.0, 7.0, 7.0, 60.0] * 20
    chances = [0.4, 0.9, 0.1, 0.3, 0.8, 0.02, 0.5, 0.0, 1.0, 0.5] * 20
    for kind in ("float32", "float64"):
        drawn = []
        for m in (kadam, torch):
            m.manual_seed(3)
            count, chance = (m.tensor(one, dtype=getattr(m, kind)) for one in (counts, chances))
            drawn.append(
                [m.binomial(count, chance).tolist(), m.distributions.Binomial(4, chance).sample((2,)).tolist()]
            )
            drawn[-1].append(m.rand(2).tolist())
        assert drawn[0] == drawn[1]
    for m in (kadam, torch):
        with pytest.raises(RuntimeError, match="expected"):
            m.binomial(m.ones(1), m.ones(1).double())


def test_a_normal_vector_names_what_it_was_given(torch):
    for name in ("covariance_matrix", "precision_matrix", "scale_tril"):
        ours, theirs = (m.distributions.MultivariateNormal(m.zeros(2), **{name: m.eye(2)}) for m in (kadam, torch))
        for one in (ours, theirs):
            one.log_prob(one.sample())
        assert repr(ours) == repr(theirs)
