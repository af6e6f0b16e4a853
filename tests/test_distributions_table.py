"""Every class of `torch.distributions`, asked everything, against PyTorch: values, draws, gradients, errors."""

from __future__ import annotations

import inspect
import itertools

import numpy as np
import pytest

import kadam

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore")

MATRIX = [[2.0, 0.5], [0.5, 1.0]]
FACTOR = [[1.0, 0.0], [0.5, 2.0]]
LOC, SCALE = [0.3, -1.2], [0.7, 2.0]

# family: (parameters as tensors, parameters as they are, a value); a second entry is other parameters, for divergences
CASES = {
    "Bernoulli": [({"probs": [0.3, 0.9]}, {}, [1.0, 0.0]), ({"logits": [0.3, -0.9]}, {}, [1.0, 0.0])],
    "Beta": [
        ({"concentration1": SCALE, "concentration0": [1.5, 3.0]}, {}, [0.5, 0.2]),
        ({"concentration1": [3.7, 1.0], "concentration0": [1.5, 0.4]}, {}, [0.5, 0.2]),
    ],
    "Binomial": [
        ({"probs": [0.3, 0.5]}, {"total_count": 4}, [2.0, 4.0]),
        ({"logits": [0.3, -0.9]}, {"total_count": 4}, [2.0, 4.0]),
    ],
    "Categorical": [
        ({"probs": [[1.0, 2.0, 3.0], [3.0, 1.0, 1.0]]}, {}, [2, 0]),
        ({"logits": [0.1, 0.7, -1.0]}, {}, [2, 0]),
    ],
    "Cauchy": [({"loc": LOC, "scale": SCALE}, {}, [0.5, -0.5]), ({"loc": SCALE, "scale": [1.7, 1.0]}, {}, [0.5, -0.5])],
    "Chi2": [({"df": [2.0, 3.0]}, {}, [0.5, 1.5])],
    "ContinuousBernoulli": [
        ({"probs": [0.3, 0.9]}, {}, [0.4, 0.1]),
        ({"logits": [0.3, -0.9]}, {}, [0.4, 0.1]),
        ({"probs": [0.5, 0.4995]}, {}, [0.4, 0.1]),
    ],
    "Dirichlet": [
        ({"concentration": [1.0, 2.0, 3.0]}, {}, [0.2, 0.3, 0.5]),
        ({"concentration": [2.0, 0.5, 3.0]}, {}, [0.2, 0.3, 0.5]),
    ],
    "Exponential": [({"rate": SCALE}, {}, [0.5, 1.5]), ({"rate": [1.7, 0.3]}, {}, [0.5, 1.5])],
    "FisherSnedecor": [({"df1": [3.0, 4.0], "df2": [5.0, 6.0]}, {}, [0.5, 1.5])],
    "Gamma": [
        ({"concentration": SCALE, "rate": [1.0, 3.0]}, {}, [0.5, 1.5]),
        ({"concentration": [1.7, 0.4], "rate": [2.0, 1.0]}, {}, [0.5, 1.5]),
    ],
    "GeneralizedPareto": [
        ({"loc": LOC, "scale": SCALE, "concentration": [0.2, 0.3]}, {}, [0.5, 0.5]),
        ({"loc": LOC, "scale": SCALE, "concentration": [-0.2, 0.0]}, {}, [0.5, 0.5]),
    ],
    "Geometric": [({"probs": [0.3, 0.9]}, {}, [2.0, 0.0]), ({"logits": [0.3, -0.9]}, {}, [2.0, 0.0])],
    "Gumbel": [({"loc": LOC, "scale": SCALE}, {}, [0.5, -0.5]), ({"loc": SCALE, "scale": [1.7, 1.0]}, {}, [0.5, -0.5])],
    "HalfCauchy": [({"scale": SCALE}, {}, [0.5, 1.5])],
    "HalfNormal": [({"scale": SCALE}, {}, [0.5, 1.5]), ({"scale": [1.7, 0.3]}, {}, [0.5, 1.5])],
    "InverseGamma": [({"concentration": [3.0, 4.0], "rate": SCALE}, {}, [0.5, 1.5])],
    "Kumaraswamy": [({"concentration1": [2.0, 3.0], "concentration0": [1.5, 4.0]}, {}, [0.5, 0.2])],
    "LKJCholesky": [
        ({"concentration": SCALE}, {"dim": 3}, [[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [0.48, 0.36, 0.8]]),
    ],
    "Laplace": [
        ({"loc": LOC, "scale": SCALE}, {}, [0.5, -0.5]),
        ({"loc": SCALE, "scale": [1.7, 1.0]}, {}, [0.5, -0.5]),
    ],
    "LogNormal": [
        ({"loc": LOC, "scale": SCALE}, {}, [0.5, 1.5]),
        ({"loc": SCALE, "scale": [1.7, 1.0]}, {}, [0.5, 1.5]),
    ],
    "LogisticNormal": [({"loc": LOC, "scale": SCALE}, {}, [0.2, 0.3, 0.5])],
    "LowRankMultivariateNormal": [
        ({"loc": LOC, "cov_factor": [[1.0], [0.5]], "cov_diag": SCALE}, {}, [0.5, -0.5]),
        ({"loc": SCALE, "cov_factor": [[1.0, 0.2], [0.5, -0.3]], "cov_diag": [1.7, 1.0]}, {}, [0.5, -0.5]),
        ({"loc": [LOC], "cov_factor": [[[1.0], [0.5]]] * 2, "cov_diag": SCALE}, {}, [[0.5, -0.5]] * 2),
    ],
    "Multinomial": [
        ({"probs": [0.2, 0.3, 0.5]}, {"total_count": 5}, [1.0, 2.0, 2.0]),
        ({"logits": [0.2, 0.3, 0.5]}, {"total_count": 5}, [1.0, 2.0, 2.0]),
    ],
    "MultivariateNormal": [
        ({"loc": LOC, "covariance_matrix": MATRIX}, {}, [0.5, -0.5]),
        ({"loc": SCALE, "scale_tril": FACTOR}, {}, [0.5, -0.5]),
        ({"loc": LOC, "precision_matrix": MATRIX}, {}, [0.5, -0.5]),
    ],
    "NegativeBinomial": [
        ({"probs": [0.3, 0.6]}, {"total_count": 3.0}, [2.0, 5.0]),
        ({"logits": [0.3, 0.6]}, {"total_count": 3.0}, [2.0, 5.0]),
    ],
    "Normal": [({"loc": LOC, "scale": SCALE}, {}, [0.5, -0.5]), ({"loc": SCALE, "scale": [1.7, 1.0]}, {}, [0.5, -0.5])],
    "OneHotCategorical": [
        ({"probs": [0.2, 0.3, 0.5]}, {}, [0.0, 1.0, 0.0]),
        ({"logits": [0.1, 0.7, 0.3]}, {}, [0.0, 1.0, 0.0]),
    ],
    "OneHotCategoricalStraightThrough": [({"probs": [0.2, 0.3, 0.5]}, {}, [0.0, 1.0, 0.0])],
    "Pareto": [
        ({"scale": SCALE, "alpha": [3.0, 4.0]}, {}, [0.9, 2.5]),
        ({"scale": [0.6, 2.5], "alpha": [1.5, 0.9]}, {}, [0.9, 2.6]),
    ],
    "Poisson": [({"rate": [0.5, 12.0]}, {}, [2.0, 10.0]), ({"rate": [1.5, 9.0]}, {}, [2.0, 10.0])],
    "RelaxedBernoulli": [
        ({"probs": [0.3, 0.9], "temperature": 0.5}, {}, [0.4, 0.7]),
        ({"logits": [0.3, 0.9], "temperature": 0.5}, {}, [0.4, 0.7]),
    ],
    "RelaxedOneHotCategorical": [
        ({"probs": [0.3, 0.7], "temperature": 0.5}, {}, [0.4, 0.6]),
        ({"logits": [0.3, 0.7], "temperature": 0.5}, {}, [0.4, 0.6]),
    ],
    "StudentT": [
        ({"df": [3.0, 5.0]}, {}, [0.5, -0.5]),
        ({"df": [3.0, 5.0], "loc": LOC, "scale": SCALE}, {}, [0.5, -0.5]),
    ],
    "Uniform": [
        ({"low": LOC, "high": [0.8, 2.0]}, {}, [0.5, -0.5]),
        ({"low": [0.1, -1.3], "high": [1.2, 2.5]}, {}, [0.5, -0.5]),
        ({"low": [0.8, 2.3], "high": [0.9, 2.5]}, {}, [0.85, 2.4]),
    ],
    "VonMises": [({"loc": LOC, "concentration": [0.5, 4.0]}, {}, [0.5, -0.5])],
    "Weibull": [({"scale": SCALE, "concentration": [1.0, 3.0]}, {}, [0.5, 1.5])],
    "Wishart": [
        ({"covariance_matrix": MATRIX}, {"df": 3.0}, [[1.5, 0.2], [0.2, 0.9]]),
        ({"scale_tril": FACTOR, "df": [3.0, 4.0]}, {}, [[1.5, 0.2], [0.2, 0.9]]),
        ({"precision_matrix": MATRIX}, {"df": 3.0}, [[1.5, 0.2], [0.2, 0.9]]),
    ],
}
ALL = [pytest.param(name, case, id=f"{name}-{at}") for name in CASES for at, case in enumerate(CASES[name])]


def made(m, name, case, grad=False):
    """A distribution of the module `m`, and its parameters."""
    given, plain, _ = case
    parameters = {key: m.tensor(value, requires_grad=grad) for key, value in given.items()}
    return getattr(m.distributions, name)(**parameters, **plain), parameters


def plain(found):
    """A result that can be compared across the two libraries."""
    if isinstance(found, kadam.Tensor | torch.Tensor):
        return np.asarray(found.detach().numpy())
    if isinstance(found, kadam.Size | torch.Size):
        return tuple(found)
    return [plain(one) for one in found] if isinstance(found, list) else found


def alike(ours, theirs, tolerance):
    if isinstance(theirs, np.ndarray):
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=2e-6)
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            alike(one, other, tolerance)
    else:
        assert ours == theirs


def agree(ask, tolerance=2e-5):
    """`ask(m)` gives the same for both modules, or raises the same; what PyTorch lacks by a flaw may be there."""
    try:
        theirs = plain(ask(torch))
    except (NotImplementedError, ValueError, TypeError) as error:
        with pytest.raises((type(error), ValueError)):
            ask(kadam)
        return
    alike(plain(ask(kadam)), theirs, tolerance)


def test_every_name_is_there():
    lacking = [name for name in torch.distributions.__all__ if not hasattr(kadam.distributions, name)]
    lacking += [
        name for name in torch.distributions.constraints.__all__ if not hasattr(kadam.distributions.constraints, name)
    ]
    lacking += [
        name for name in torch.distributions.transforms.__all__ if not hasattr(kadam.distributions.transforms, name)
    ]
    assert not lacking
    families = [one for one in vars(torch.distributions).values() if inspect.isclass(one)]
    families = {one.__name__ for one in families if issubclass(one, torch.distributions.Distribution)}
    made_of_others = {
        "Distribution", "ExponentialFamily", "Independent", "MixtureSameFamily", "TransformedDistribution",
    }  # fmt: skip
    assert families - made_of_others == set(CASES)


@pytest.mark.parametrize(("name", "case"), ALL)
def test_what_a_distribution_is(name, case):
    def described(m):
        one, _ = made(m, name, case)
        regions = [f"{key}: {region}" for key, region in one.arg_constraints.items()]
        flags = [one.has_rsample, one.has_enumerate_support, repr(one.support)]
        return [repr(one), one.batch_shape, one.event_shape, regions, flags]

    agree(described)
    for ask in ("mean", "mode", "variance", "stddev"):
        agree(lambda m, ask=ask: getattr(made(m, name, case)[0], ask))
    for ask in ("entropy", "perplexity", "enumerate_support"):
        agree(lambda m, ask=ask: getattr(made(m, name, case)[0], ask)())
    lazy = (
        "covariance_matrix",
        "precision_matrix",
        "scale_tril",
        "logits",
        "probs",
        "df",
        "temperature",
        "param_shape",
    )
    own, _ = made(torch, name, case)
    for ask in lazy:
        if ask in {**vars(type(own)), **vars(own)}:
            agree(lambda m, ask=ask: getattr(made(m, name, case)[0], ask))


@pytest.mark.parametrize(("name", "case"), ALL)
def test_densities(name, case):
    def of_value(m, ask):
        return getattr(made(m, name, case)[0], ask)(m.tensor(case[2]))

    agree(lambda m: of_value(m, "log_prob"))
    agree(lambda m: of_value(m, "cdf"))
    agree(lambda m: made(m, name, case)[0].icdf(m.tensor([0.2, 0.7])), 1e-4)


@pytest.mark.parametrize(("name", "case"), ALL)
def test_draws_are_pytorchs(name, case):
    def drawn(m, way, shape):
        m.manual_seed(5)
        found = getattr(made(m, name, case, grad=True)[0], way)(shape)
        return [found, found.requires_grad, m.rand(2)]

    for shape in ((), (3,), (2, 2)):
        agree(lambda m, shape=shape: drawn(m, "sample", shape))
        agree(lambda m, shape=shape: drawn(m, "rsample", shape))
    agree(lambda m: drawn(m, "sample_n", 4))


@pytest.mark.parametrize(("name", "case"), ALL)
def test_a_larger_batch(name, case):
    def expanded(m):
        m.manual_seed(2)
        one, _ = made(m, name, case)
        wide = one.expand((3, *one.batch_shape))
        return [
            repr(wide),
            wide.batch_shape,
            wide.event_shape,
            type(wide).__name__,
            wide.sample(),
            wide.log_prob(wide.sample()),
        ]

    agree(expanded)


@pytest.mark.parametrize(("name", "case"), ALL)
def test_gradients(name, case):
    def slopes(m, ask, through=None):
        m.manual_seed(3)
        one, parameters = made(m, name, case, grad=True)
        value = m.tensor(case[2])
        value = value.requires_grad_() if value.is_floating_point() else value
        found = getattr(one, ask)
        found = found(*([value] if through is None else through)) if callable(found) else found
        if not found.requires_grad:
            return "no gradient"
        (found * m.arange(1.0, 1.0 + found.numel()).reshape(found.shape)).sum().backward()
        return [one.grad for one in (*parameters.values(), value)]

    agree(lambda m: slopes(m, "log_prob"), 2e-4)
    for ask, through in (("mean", []), ("variance", []), ("entropy", []), ("icdf", "tensor")):
        agree(lambda m, a=ask, t=through: slopes(m, a, [m.tensor([0.2, 0.7])] if t == "tensor" else t), 2e-4)
    if name not in ("Chi2", "Gamma", "InverseGamma"):  # of the incomplete gamma function
        agree(lambda m: slopes(m, "cdf"), 2e-4)
    if name != "Wishart":  # PyTorch's fails
        agree(lambda m: slopes(m, "rsample", [(3,)]), 3e-3)


@pytest.mark.parametrize(("name", "case"), ALL)
def test_what_is_no_parameter_or_no_value_is_refused(name, case):
    for bad in (-7.3, float("nan"), 1e9):
        if (name, bad) == ("Wishart", 1e9):
            continue  # a singular matrix: whether its factor is found depends on the processor's rounding
        agree(lambda m, bad=bad: made(m, name, case)[0].log_prob(m.full(np.shape(case[2]), bad)))
    agree(lambda m: made(m, name, case)[0].log_prob(m.ones(5, 7, 9)))
    if name in ("ContinuousBernoulli", "LowRankMultivariateNormal"):  # PyTorch looks too late, or not at all
        return
    for key, bad in itertools.product(case[0], (-1.0, float("nan"), 0.0)):
        given = {**case[0], key: np.full(np.shape(case[0][key]), bad, np.float32).tolist()}
        agree(lambda m, given=given: made(m, name, (given, case[1], None))[0].batch_shape)


def divergence(m, first, second):
    (name_p, case_p), (name_q, case_q) = first, second
    p, of_p = made(m, name_p, case_p, grad=True)
    q, of_q = made(m, name_q, case_q, grad=True)
    found = m.distributions.kl_divergence(p, q)
    if not (found.requires_grad and bool(m.isfinite(found).all())):
        return [found]
    (found * m.arange(1.0, 1.0 + found.numel()).reshape(found.shape)).sum().backward()
    of = of_q if name_p == "Wishart" else {**of_p, **{"q." + key: one for key, one in of_q.items()}}
    return [found, *(m.zeros(one.shape) if one.grad is None else one.grad for one in of.values() if one.dim() < 2)]


@pytest.mark.parametrize("name", CASES)
def test_divergences_between_all_families(name):
    for other in CASES:
        for one, two in itertools.product(CASES[name], CASES[other]):
            if other == name == "Wishart" and "df" in {**one[0], **two[0]}:
                continue  # PyTorch adds up over the batch
            try:
                theirs = plain(divergence(torch, (name, one), (other, two)))
            except NotImplementedError:
                with pytest.raises(NotImplementedError, match=r"KL|kl_div"):
                    divergence(kadam, (name, one), (other, two))
                continue
            ours = plain(divergence(kadam, (name, one), (other, two)))
            assert len(ours) == len(theirs)
            for mine, expected in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(mine, expected, rtol=2e-3, atol=2e-4, err_msg=f"{name} to {other}")


def test_divergences_of_a_batch_of_wisharts_are_those_of_its_members():
    def diverged(m, p, q):
        return m.distributions.kl_divergence(
            m.distributions.Wishart(p, m.tensor(MATRIX)), m.distributions.Wishart(q, scale_tril=m.tensor(FACTOR))
        )

    batch = diverged(kadam, kadam.tensor([3.0, 4.0]), kadam.tensor([5.0, 3.0]))
    each = [diverged(torch, p, q).item() for p, q in ((3.0, 5.0), (4.0, 3.0))]
    np.testing.assert_allclose(batch.numpy(), each, rtol=1e-5)


def test_a_family_of_the_users_has_an_entropy_and_a_divergence():
    def asked(m):
        class Waiting(m.distributions.ExponentialFamily):
            _mean_carrier_measure = 0

            def __init__(self, rate):
                self.rate = rate
                super().__init__(rate.shape, validate_args=False)

            @property
            def _natural_params(self):
                return (-self.rate,)

            def _log_normalizer(self, x):
                return -m.log(-x)

        one, two = Waiting(m.tensor([0.5, 2.0])), Waiting(m.tensor([1.5, 0.3]))
        return [one.entropy(), m.distributions.kl_divergence(one, two)]

    agree(asked)
    exact = kadam.distributions.Exponential(kadam.tensor([0.5, 2.0])).entropy()
    np.testing.assert_allclose(asked(kadam)[0].detach().numpy(), exact.numpy(), rtol=1e-6)


def test_a_distribution_of_the_users_with_its_own_constraint():
    def asked(m):
        constraints = m.distributions.constraints

        class Even(constraints.Constraint):
            is_discrete = True

            def check(self, value):
                return value % 2 == 0

        class Doubled(m.distributions.Distribution):
            arg_constraints = {"probs": constraints.unit_interval}  # noqa: RUF012
            support = Even()

            def __init__(self, probs, validate_args=None):
                self.probs = probs
                super().__init__(probs.shape, validate_args=validate_args)

            @constraints.dependent_property(is_discrete=False, event_dim=0)
            def region(self):
                return constraints.interval(0.0, self.probs)

            def expand(self, batch_shape, _instance=None):
                new = self._get_checked_instance(Doubled, _instance)
                new.probs = self.probs.expand(batch_shape)
                super(Doubled, new).__init__(m.Size(batch_shape), validate_args=False)
                new._validate_args = self._validate_args
                return new

            def log_prob(self, value):
                if self._validate_args:
                    self._validate_sample(value)
                return (value / 2) * self.probs.log()

        one = Doubled(m.tensor(0.5)).expand((2,))
        with pytest.raises(ValueError, match="within the support"):
            one.log_prob(m.tensor([1.0, 2.0]))
        with pytest.raises(ValueError, match="satisfy the constraint"):
            Doubled(m.tensor(1.5))
        region = Doubled.region
        return [one.log_prob(m.tensor([2.0, 4.0])), constraints.is_dependent(region), region.event_dim, repr(one)]

    agree(asked)


def test_a_mixture_of_vectors_knows_its_support():
    def asked(m):
        d = m.distributions
        parts = d.Independent(d.Normal(m.zeros(2, 3), m.ones(2, 3)), 1)
        mixture = d.MixtureSameFamily(d.Categorical(m.ones(2)), parts)
        return [repr(mixture.support), mixture.support.event_dim, mixture.log_prob(m.ones(3))]

    agree(asked)


def test_helpers_of_writers_of_distributions():
    def asked(m):
        from importlib import import_module

        utils = import_module(f"{m.__name__}.distributions.utils")
        matrix = m.arange(9.0).reshape(3, 3)
        below = [utils.tril_matrix_to_vec(matrix, at) for at in (-2, -1, 0, 1)]
        back = [utils.vec_to_tril_matrix(one, at) for one, at in zip(below[1:3], (-1, 0), strict=True)]
        logits = [utils.probs_to_logits(m.tensor([0.0, 0.3, 1.0]), is_binary=two) for two in (True, False)]
        probs = [utils.logits_to_probs(m.tensor([0.0, 0.3, 1.0]), is_binary=two) for two in (True, False)]
        return [*below, *back, *logits, *probs, *utils.broadcast_all(1.0, m.ones(2)), utils.clamp_probs(m.ones(1))]

    agree(asked)
    for m in (kadam, torch):
        with pytest.raises(ValueError, match="must all be instances"):
            m.distributions.utils.broadcast_all("1")
        with pytest.raises(ValueError, match="lower triangular part"):
            m.distributions.utils.vec_to_tril_matrix(m.ones(5))


def test_singular_wishart_parameters_are_told():
    for m in (kadam, torch):
        with pytest.raises(ValueError, match="expected to be greater"):
            m.distributions.Wishart(1.0, m.eye(2))
        with pytest.raises(AssertionError, match="Exactly one"):
            m.distributions.Wishart(3.0)
        with pytest.warns(UserWarning, match="Low df"):
            m.distributions.Wishart(1.5, m.eye(2))
