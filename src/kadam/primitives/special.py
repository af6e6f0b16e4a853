"""The error function and the gamma function, with their kin: NumPy has neither.

All are computed in float64 and rounded once, so a float32 result is right to the last bit almost everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kadam.dtypes import FLOAT
from kadam.ir.builder import emit
from kadam.ir.emitter import Scalar, Scalars
from kadam.ir.graph import Node
from kadam.ir.primitive import Array, Example
from kadam.primitives.analysis import Exp
from kadam.primitives.elementwise import ByReference, Elementwise
from kadam.primitives.precision import at_least


class Special(Elementwise):
    """A function of one floating-point number."""

    accepts: ClassVar = (FLOAT,)
    cases: ClassVar = ("f32[2,3]", "f32[]")


class Erf(Special):
    """The error function, 2 / sqrt pi times the integral of exp(-t^2) from 0 to x. As `torch.erf`."""

    @at_least(np.float64)
    def reference(self, x: Array) -> Array:
        return erf(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (ct * (2 / math.sqrt(math.pi)) * emit(Exp(), -(x * x)),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.erf(x)


class Erfc(Special):
    """1 - erf x, exact where erf x is close to 1. As `torch.erfc`."""

    @at_least(np.float64)
    def reference(self, x: Array) -> Array:
        return erfc(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (ct * (-2 / math.sqrt(math.pi)) * emit(Exp(), -(x * x)),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.erfc(x)


class Erfinv(Special):
    """The number whose error function is x. As `torch.erfinv`."""

    domain: ClassVar = (-0.9, 0.9)

    @at_least(np.float64)
    def reference(self, x: Array) -> Array:
        return erfinv(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        inverse = emit(Erfinv(), x)  # not `out`: PyTorch reads the input, so `out` may be changed in place
        return (ct * (math.sqrt(math.pi) / 2) * emit(Exp(), inverse * inverse),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.erfinv(x)


class Lgamma(Special):
    """log |gamma(x)|. As `torch.lgamma`."""

    domain: ClassVar = (0.3, 4.0)

    @at_least(np.float64)
    def reference(self, x: Array) -> Array:
        return lgamma(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (ct * emit(Polygamma(0), x),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.lgamma(x)


@dataclass(frozen=True)
class Polygamma(Special):
    """The derivative of log gamma(x) of order `order` + 1; order 0 is digamma. As `torch.polygamma`."""

    order: int

    @at_least(np.float64)
    def reference(self, x: Array) -> Array:
        return polygamma(self.order, x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (ct * emit(Polygamma(self.order + 1), x),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.polygamma(self.order, x)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return tuple(Example(cls(order), "f32[2,3]", 0.3, 4.0) for order in range(3))


class Erfcx(ByReference):
    """exp(x^2) erfc(x), which neither overflows nor vanishes for large x. As `torch.special.erfcx`."""

    @at_least(np.float64)
    def reference(self, x: Array) -> Array:
        return erfcx(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (ct * (2 * x * out - 2 / math.sqrt(math.pi)),)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls(), "f32[2,3]"), Example(cls(), "f32[4]", low=3.0, high=40.0))


class NormalQuantile(ByReference):
    """The number that a standard normal variable is below with probability p. As `torch.special.ndtri`."""

    @at_least(np.float64)
    def reference(self, p: Array) -> Array:
        return normal_quantile(p)

    def vjp(self, ct: Node, out: Node, p: Node) -> tuple[Node]:
        return (ct * math.sqrt(2 * math.pi) * emit(Exp(), out * out * 0.5),)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls(), "f32[2,3]", low=0.05, high=0.95),)


class Zeta(ByReference):
    """The Hurwitz zeta function of s and q. As `torch.special.zeta`; it has no derivative by s, as there."""

    @at_least(np.float64)
    def reference(self, s: Array, q: Array) -> Array:
        return hurwitz_zeta(s, q)

    def vjp(self, ct: Node, out: Node, s: Node, q: Node) -> tuple[None, Node]:
        return None, ct * -s * emit(Zeta(), s + 1, q)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls(), "f32[2,3], f32[2,3]", low=1.5, high=4.0),)


# Coefficients, highest power first, of W. J. Cody's rational approximations.
_ERF_SMALL = (
    (1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2, 3.77485237685302021e2,
     3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3),
)  # fmt: skip
_ERFC_MIDDLE = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1,
     2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
     1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
     3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3),
)  # fmt: skip
_ERFC_LARGE = (
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
     1.60837851487422766e-2, 6.58749161529837803e-4),
    (1.0, 2.56852019228982242e0, 1.87295284992346725e0, 5.27905102951428412e-1, 6.05183413124413191e-2,
     2.33520497626869185e-3),
)  # fmt: skip
_SMALL, _LARGE, _BEYOND = 0.46875, 4.0, 30.0  # where the approximations meet; erfc is 0 beyond the last
# Those of M. J. Wichura's, of the normal distribution's quantiles: around the middle, farther out, in the tails.
_QUANTILE_MIDDLE = (
    (2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
     1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0),
    (5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
     5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0),
)  # fmt: skip
_QUANTILE_OUTER = (
    (7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
     3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0),
    (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
     6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0),
)  # fmt: skip
_QUANTILE_FAR = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
     2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0, 6.65790464350110377720e0),
    (2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
     1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0),
)  # fmt: skip


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: Array) -> Array:
    above, below = coefficients
    result = _polynomial(above, x)
    result /= _polynomial(below, x)
    return result


def _polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    """By Horner's rule, in one array: on large ones, memory takes more time than arithmetic."""
    result = np.full_like(x, coefficients[0])
    for one in coefficients[1:]:
        result *= x
        result += one
    return result


def _by_range(x: Array, bounds: tuple[float, ...], functions: Sequence[Callable[[Array], Array]]) -> Array:
    """Function i where x is below bound i, for the lowest such i; the last function above all bounds and for nan."""
    part = np.searchsorted(bounds, x, side="right")
    return np.piecewise(x, [part == i for i in range(len(bounds))], [*functions])


def erf(x: Array) -> Array:
    """The error function of float64 numbers.

    Source: W. J. Cody, Rational Chebyshev approximations for the error function, Math. Comp. 23 (1969).
    """
    return _by_range(x, (-_SMALL, _SMALL), (lambda x: _erfc_tail(x) - 1, _erf_small, lambda x: 1 - _erfc_tail(x)))


def erfc(x: Array) -> Array:
    """1 - erf x of float64 numbers, to full relative precision. Source: as `erf`."""
    return _by_range(x, (-_SMALL, _SMALL), (lambda x: 2 - _erfc_tail(x), lambda x: 1 - _erf_small(x), _erfc_tail))


def _erf_small(x: Array) -> Array:
    return x * _ratio(_ERF_SMALL, x * x)


def erfcx(x: Array) -> Array:
    """exp(x^2) erfc(x) of float64 numbers. Source: as `erf`."""
    with np.errstate(over="ignore"):
        small, left = (lambda x: np.exp(x * x) * (1 - _erf_small(x))), (lambda x: 2 * np.exp(x * x) - _erfcx_tail(-x))
        return _by_range(x, (-_SMALL, _SMALL), (left, small, _erfcx_tail))


def _erfcx_tail(x: Array) -> Array:
    return _by_range(x, (_LARGE,), (_erfc_middle, _erfc_large))


def _erfc_tail(x: Array) -> Array:
    """erfc |x| for |x| above the small bound."""
    distance = np.minimum(np.abs(x), _BEYOND)
    scaled = _erfcx_tail(distance)
    # exp(-x^2) in two factors: the first exponent is exact, the second small.
    rounded = np.trunc(distance * 16) / 16
    scaled *= np.exp(-rounded * rounded) * np.exp(-(distance - rounded) * (distance + rounded))
    return scaled


def _erfc_middle(distance: Array) -> Array:
    return _ratio(_ERFC_MIDDLE, distance)


def _erfc_large(distance: Array) -> Array:
    inverse_square = 1 / (distance * distance)
    return (1 / math.sqrt(math.pi) - inverse_square * _ratio(_ERFC_LARGE, inverse_square)) / distance


def erfinv(y: Array) -> Array:
    """The inverse of the error function of float64 numbers. Source: as `_where_erf_is`."""
    size = np.abs(y)
    return np.copysign(_where_erf_is(size, 1 - size), y)


def _where_erf_is(size: Array, rest: Array) -> Array:
    """The x >= 0 with erf x = size and erfc x = rest, whichever of the two is exact.

    Source: M. J. Wichura, Algorithm AS 241: the percentage points of the normal distribution, Applied Statistics 37
    (1988), whose p is rest / 2 and whose quantile is sqrt(2) x.
    """
    near = np.asarray(size <= 0.85)
    found = np.empty(near.shape)
    half, root = size[near] / 2, np.sqrt(-np.log(rest[~near] / 2))
    found[near] = half * _ratio(_QUANTILE_MIDDLE, 0.180625 - half * half)
    found[~near] = _by_range(root, (5.0,), (_quantile_outer, _quantile_far))
    return np.where(rest == 0, np.inf, found * math.sqrt(0.5))


def _quantile_outer(root: Array) -> Array:
    return _ratio(_QUANTILE_OUTER, root - 1.6)


def _quantile_far(root: Array) -> Array:
    return _ratio(_QUANTILE_FAR, root - 5)


def normal_quantile(p: Array) -> Array:
    """The inverse of the standard normal distribution function, of float64 numbers. Source: as `_where_erf_is`."""
    tail = 2 * np.minimum(p, 1 - p)
    size = np.abs(2 * p - 1)
    with np.errstate(all="ignore"):
        found = _where_erf_is(size, tail)
    return np.where((p >= 0) & (p <= 1), math.sqrt(2) * np.copysign(found, p - 0.5), np.nan)


def _zeta(s: Array | float, q: Array | float) -> Array:
    """The Hurwitz zeta function, the sum of (q + k)^-s over k = 0, 1, 2 ..., for s > 1 and q >= 1/2.

    Source: the Euler-Maclaurin summation formula, as in F. Johansson, Rigorous high-precision computation of the
    Hurwitz zeta function and its derivatives, Numerical Algorithms 69 (2015).
    """
    direct = 12
    total = sum(((q + k) ** -s for k in range(1, direct)), start=q**-s)
    a = q + direct
    total = total + a ** (1 - s) / (s - 1) + a**-s / 2
    factor = s * a ** (-s - 1)
    for j, bernoulli in enumerate(_BERNOULLI, start=1):
        total = total + bernoulli / math.factorial(2 * j) * factor
        factor = factor * (s + 2 * j - 1) * (s + 2 * j) / (a * a)
    return np.asarray(total)


# B_2, B_4 ...: the numbers of Bernoulli.
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)


def hurwitz_zeta(s: Array, q: Array) -> Array:
    """The sum of (q + k)^-s over k = 0, 1, 2 ... of float64 numbers: inf at poles, nan where it has no meaning."""
    with np.errstate(all="ignore"):
        whole = q == np.floor(q)
        direct, a = np.zeros_like(s * q), np.broadcast_to(q, np.shape(s * q))
        while np.any(low := (a < 0.5) & ~whole & np.isfinite(a)):
            direct, a = np.where(low, direct + np.power(a, -s), direct), np.where(low, a + 1, a)
        found = direct + _zeta(s, np.maximum(a, 0.5))
        found = np.where(q <= 0, np.where(whole, np.inf, np.where(s == np.floor(s), found, np.nan)), found)
        return np.where(s == 1, np.inf, np.where(s < 1, np.nan, found))


# log gamma(2 + z) as a polynomial of z, highest power first.
_POWERS = np.arange(29.0, 1.0, -1.0)
_LGAMMA_AT_2 = np.concatenate(((-1) ** _POWERS * _zeta(_POWERS, 2.0) / _POWERS, [1 - np.euler_gamma, 0.0]))
_STIRLING = 8.5


def lgamma(x: Array) -> Array:
    """log |gamma(x)| of float64 numbers.

    Source: F. W. J. Olver et al., NIST Handbook of Mathematical Functions (2010), 5.5.3 (reflection), 5.7.3 (series at
    1 and 2), 5.5.1 (recurrence) and 5.11.1 (Stirling's series).
    """
    pieces = (_lgamma_reflected, lambda x: _series(x - 1) - np.log(x), _lgamma_middle, _lgamma_stirling)
    return np.where(np.isinf(x), np.inf, _by_range(x, (0.5, 1.5, _STIRLING), pieces))


def _series(z: Array) -> Array:
    return np.asarray(np.polyval(_LGAMMA_AT_2, z))


def _lgamma_reflected(x: Array) -> Array:
    return math.log(math.pi) - np.log(np.abs(np.sin(np.pi * (x - np.rint(x))))) - lgamma(1 - x)


def _lgamma_middle(x: Array) -> Array:
    product = np.ones_like(x)
    for _ in range(math.ceil(_STIRLING - 2.5)):
        high = x > 2.5
        x = np.where(high, x - 1, x)
        product = np.where(high, product * x, product)
    return _series(x - 2) + np.log(product)


def _lgamma_stirling(x: Array) -> Array:
    square = 1 / (x * x)
    terms = [bernoulli / (2 * j * (2 * j - 1)) for j, bernoulli in enumerate(_BERNOULLI, start=1)]
    correction = np.polyval(terms[::-1], square) / x
    return np.asarray((x - 0.5) * (np.log(x) - 1) + (math.log(2 * math.pi) - 1) / 2 + correction)


def polygamma(order: int, x: Array) -> Array:
    """The derivative of log gamma(x) of order `order` + 1, of float64 numbers.

    Source: NIST Handbook of Mathematical Functions (2010), 5.15.1 and 5.15.6; 25.11 for the zeta function.
    """
    right = digamma if order == 0 else lambda x: (-1) ** (order + 1) * math.factorial(order) * _zeta(order + 1.0, x)

    def reflected(x: Array) -> Array:
        # The derivatives of cot(pi x) are polynomials in c = cot(pi x), as d c / dx = -pi (1 + c^2).
        powers = np.array([1.0, 0.0])
        for _ in range(order):
            powers = np.polymul(np.polyder(powers), [-math.pi, 0.0, -math.pi])
        offset = x - np.rint(x)
        value = (-1) ** order * right(1 - x) - math.pi * np.polyval(powers, 1 / np.tan(np.pi * offset))
        pole = (-1) ** (order + 1) * np.inf if order else np.where(x == 0, np.copysign(np.inf, -x), np.nan)
        return np.where(offset == 0, pole, value)

    return _by_range(x, (0.5,), (reflected, right))


def digamma(x: Array) -> Array:
    shift = np.zeros_like(x)
    for _ in range(10):
        low = x < 10
        shift = np.where(low, shift + 1 / x, shift)
        x = np.where(low, x + 1, x)
    square = 1 / (x * x)
    terms = [bernoulli / (2 * j) for j, bernoulli in enumerate(_BERNOULLI, start=1)]
    return np.log(x) - 0.5 / x - square * np.polyval(terms[::-1], square) - shift
