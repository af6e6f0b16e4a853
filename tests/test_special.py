"""The error and gamma functions, against the standard library, SciPy where it is installed, and known identities."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

import kadam
from kadam.ir.primitive import Array
from kadam.primitives import bessel, polynomial, special

EPS = np.finfo(np.float64).eps
RNG = np.random.default_rng(0)
WIDE = np.concatenate(
    [RNG.uniform(-30, 30, 400), RNG.uniform(-1, 1, 200), np.logspace(-300, 0, 60), -np.logspace(-20, 0, 20)]
)
POSITIVE = np.concatenate([RNG.uniform(0, 30, 400), np.logspace(-300, 300, 120)])


def assert_close(ours: Array, theirs: Array, ulps: float) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=ulps * EPS, atol=0)


@pytest.mark.parametrize(("ours", "exact"), [(special.erf, math.erf), (special.erfc, math.erfc)])
def test_error_function(ours: Callable[[Array], Array], exact: Callable[[float], float]) -> None:
    theirs = np.array([exact(x) for x in WIDE])
    normal = (theirs == 0) | (np.abs(theirs) > 1e-300)  # smaller numbers have fewer digits
    assert_close(ours(WIDE[normal]), theirs[normal], ulps=8)


def test_inverse_error_function_is_inverse() -> None:
    y = np.concatenate([RNG.uniform(-1, 1, 500), np.logspace(-300, -1, 60)])
    assert_close(special.erf(special.erfinv(y)), y, ulps=8)
    near_1 = 1 - np.logspace(-15, -1, 60)
    x = special.erfinv(near_1)
    conditioning = 1 + 2 * x * x  # how much a rounding of x changes erfc x, relatively
    assert np.all(np.abs(special.erfc(x) - (1 - near_1)) <= 8 * EPS * conditioning * (1 - near_1))


def test_log_gamma() -> None:
    x = np.concatenate([POSITIVE, RNG.uniform(-30, 0, 300)])
    with np.errstate(over="ignore"):
        ours = special.lgamma(x)
    np.testing.assert_allclose(ours, [math.lgamma(one) for one in x], rtol=8 * EPS, atol=32 * EPS)


def test_log_gamma_is_exact_near_its_zeros() -> None:
    z = np.array([1e-14, 1e-10, 1e-6, -1e-10])
    at_1 = (1 + z) - 1
    assert_close(special.lgamma(1 + z), -np.euler_gamma * at_1 + math.pi**2 / 12 * at_1**2, ulps=1e5)
    at_2 = (2 + z) - 2
    assert_close(special.lgamma(2 + z), (1 - np.euler_gamma) * at_2 + (math.pi**2 / 12 - 0.5) * at_2**2, ulps=1e5)


@pytest.mark.parametrize("order", range(5))
def test_polygamma_recurrence_and_reflection(order: int) -> None:
    """psi(x + 1) - psi(x) = (-1)^n n! / x^(n + 1), which pins psi down together with its limit at infinity."""
    x = np.concatenate([RNG.uniform(-20, 20, 500), RNG.uniform(0, 1, 100)])
    here, next_one = special.polygamma(order, x), special.polygamma(order, x + 1)
    step = (-1) ** order * math.factorial(order) / x ** (order + 1)
    scale = np.maximum(np.abs(here), np.abs(step)) + 1
    # x + 1 is rounded, and near a pole that counts.
    rounding = np.abs(special.polygamma(order + 1, x + 1)) * EPS * (np.abs(x) + 1)
    assert np.all(np.abs(next_one - here - step) <= 32 * EPS * scale + 2 * rounding)


def test_polygamma_at_known_points() -> None:
    assert special.polygamma(0, np.array(1.0)) == pytest.approx(-np.euler_gamma, rel=4 * EPS)
    assert special.polygamma(1, np.array(1.0)) == pytest.approx(math.pi**2 / 6, rel=4 * EPS)
    assert special.polygamma(3, np.array(0.5)) == pytest.approx(math.pi**4, rel=4 * EPS)


def test_agrees_with_scipy() -> None:
    scipy = pytest.importorskip("scipy.special")
    assert_close(special.erfinv(WIDE[np.abs(WIDE) < 1]), scipy.erfinv(WIDE[np.abs(WIDE) < 1]), ulps=16)
    for order in (1, 2, 5):
        x = RNG.uniform(0.01, 50, 300)
        assert_close(special.polygamma(order, x), scipy.polygamma(order, x), ulps=16)
    x = RNG.uniform(0.01, 50, 300)
    np.testing.assert_allclose(special.polygamma(0, x), scipy.digamma(x), rtol=16 * EPS, atol=16 * EPS)


@pytest.mark.parametrize("shape", [(), (0,), (2, 3)], ids=str)
def test_shapes(shape: tuple[int, ...]) -> None:
    x = np.full(shape, 0.25)
    functions = (special.erf, special.erfc, special.erfinv, special.lgamma, lambda x: special.polygamma(1, x))
    assert [function(x).shape for function in functions] == [shape] * 5


BESSEL = {
    "j0": "j0", "j1": "j1", "y0": "y0", "y1": "y1", "i0": "i0", "i1": "i1", "i0e": "i0e", "i1e": "i1e", "k0": "k0",
    "k1": "k1", "k0e": "k0e", "k1e": "k1e",
}  # fmt: skip


@pytest.mark.parametrize("kind", BESSEL)
def test_bessel_functions(kind: str) -> None:
    scipy = pytest.importorskip("scipy.special")
    x = np.concatenate([RNG.uniform(0, 30, 400), np.logspace(-12, 4, 60)])
    ours, theirs = bessel.Bessel(kind).reference(x), getattr(scipy, BESSEL[kind])(x)
    waves = kind[0] in "jy"  # near their zeros they have the precision of their size
    np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-13 if waves else 0)


def test_wronskians_of_bessel_functions() -> None:
    x = RNG.uniform(0.1, 60, 400)
    kinds = ("j0", "j1", "y0", "y1", "i0", "i1", "k0", "k1")
    j0, j1, y0, y1, i0, i1, k0, k1 = (bessel.Bessel(kind).reference(x) for kind in kinds)
    np.testing.assert_allclose((j1 * y0 - j0 * y1) * math.pi * x / 2, 1, rtol=1e-12)
    np.testing.assert_allclose((i0 * k1 + i1 * k0) * x, 1, rtol=1e-12)


def test_bessel_functions_at_the_ends() -> None:
    ends = np.array([0.0, -1.0, np.inf, np.nan])
    np.testing.assert_array_equal(bessel.Bessel("y0").reference(ends), [-np.inf, np.nan, 0, np.nan])
    np.testing.assert_array_equal(bessel.Bessel("k1").reference(ends), [np.inf, np.nan, 0, np.nan])
    np.testing.assert_array_equal(bessel.Bessel("j1").reference(ends[[0, 2, 3]]), [0, 0, np.nan])


def test_airy_function() -> None:
    scipy = pytest.importorskip("scipy.special")
    x = np.concatenate([RNG.uniform(-30, 20, 800), [0.0]])
    np.testing.assert_allclose(bessel.airy_ai(x), scipy.airy(x)[0], rtol=1e-10, atol=1e-11)


def test_scaled_complementary_error_function() -> None:
    x = RNG.uniform(-5, 5, 400)
    np.testing.assert_allclose(special.erfcx(x) * np.exp(-x * x), special.erfc(x), rtol=1e-13)
    large = np.array([1e4, 1e8, 1e300])
    np.testing.assert_allclose(special.erfcx(large) * large * math.sqrt(math.pi), 1, rtol=1e-8)


def test_normal_quantile_is_an_inverse() -> None:
    p = np.concatenate([RNG.uniform(0, 1, 400), np.logspace(-30, -1, 60)])
    np.testing.assert_allclose(special.erfc(-special.normal_quantile(p) / math.sqrt(2)) / 2, p, rtol=1e-10)
    np.testing.assert_array_equal(special.normal_quantile(np.array([0, 1, -1.0, 2])), [-np.inf, np.inf, np.nan, np.nan])


def test_hurwitz_zeta() -> None:
    s, one = np.array([2.0, 4.0]), np.ones(2)
    np.testing.assert_allclose(special.hurwitz_zeta(s, one), [math.pi**2 / 6, math.pi**4 / 90], rtol=1e-14)
    q = RNG.uniform(-4, 4, 100)
    both = special.hurwitz_zeta(np.full(100, 3.0), q) - special.hurwitz_zeta(np.full(100, 3.0), q + 1)
    np.testing.assert_allclose(both, q**-3.0, rtol=1e-9, atol=1e-9)
    ends = special.hurwitz_zeta(np.array([1.0, 0.5, 2.0, 2.5]), np.array([1.0, 1.0, -1.0, -1.5]))
    np.testing.assert_array_equal(ends, [np.inf, np.nan, np.inf, np.nan])


@pytest.mark.parametrize("degree", range(9))
def test_orthogonal_polynomials(degree: int) -> None:
    x, n = RNG.uniform(-1, 1, 50), np.full(50, float(degree))
    angle = np.arccos(x)
    value = {family: polynomial.Polynomial(family).reference(x, n) for family in polynomial.FAMILIES}
    np.testing.assert_allclose(value["chebyshev_t"], np.cos(degree * angle), atol=1e-12)
    np.testing.assert_allclose(value["chebyshev_u"] * np.sin(angle), np.sin((degree + 1) * angle), atol=1e-12)
    np.testing.assert_allclose(value["chebyshev_v"] * np.cos(angle / 2), np.cos((degree + 0.5) * angle), atol=1e-12)
    np.testing.assert_allclose(value["chebyshev_w"] * np.sin(angle / 2), np.sin((degree + 0.5) * angle), atol=1e-12)
    unit = np.eye(degree + 1)[degree]
    np.testing.assert_allclose(value["hermite_h"], np.polynomial.hermite.hermval(x, unit), rtol=1e-11, atol=1e-9)
    np.testing.assert_allclose(value["hermite_he"], np.polynomial.hermite_e.hermeval(x, unit), rtol=1e-11, atol=1e-9)
    np.testing.assert_allclose(value["laguerre_l"], np.polynomial.laguerre.lagval(x, unit), rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(value["legendre_p"], np.polynomial.legendre.legval(x, unit), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", ["xlogy", "xlog1py"])
def test_the_slope_of_a_logarithm_times_zero(name: str) -> None:
    torch = pytest.importorskip("torch")
    found = []
    for t in (torch, kadam):
        a = t.tensor([0.0, 1.0, 0.0, 0.0], requires_grad=True)
        getattr(t.special, name)(a, t.tensor([0.5, 0.5, -2.0, 3.0])).sum().backward()
        found.append(a.grad.numpy())
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)
