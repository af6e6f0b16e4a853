"""The functions of Bessel and Airy, which NumPy lacks, and which compiling engines leave to the reference.

All are computed in float64 and rounded once. Two ideas carry them all: the mean of a periodic function over equally
spaced points, and the sum of an integrand that dies off doubly exponentially, are as good as the integral; and
for large arguments the asymptotic series is exact before it diverges.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kadam.ir.builder import emit
from kadam.ir.graph import Node
from kadam.ir.primitive import Array, Example
from kadam.primitives.compare import Equal
from kadam.primitives.elementwise import ByReference, Sign, where
from kadam.primitives.precision import at_least
from kadam.primitives.sources import full_like


@dataclass(frozen=True)
class Bessel(ByReference):
    """A solution of Bessel's equation: "j0", "j1", "y0", "y1"; of the modified one, "i0", "i1", "k0", "k1".

    Those with an "e" ("i0e", "k1e") are scaled: I by exp(-|x|), K by exp(x). As `torch.special.bessel_j0`,
    `torch.special.i0e`, `torch.special.scaled_modified_bessel_k0` and so on.
    """

    kind: str

    @at_least(np.float64)
    def reference(self, x: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(_FUNCTIONS[self.kind](x))

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        """From Z_0' = -Z_1 (or + for I) and Z_1' = Z_0 (or -K_0) - Z_1 / x, and the scales' own derivatives."""
        family, order, scaled = self.kind[0], self.kind[1], self.kind.endswith("e")
        first, second = (emit(Bessel(self.kind.replace(order, other)), x) for other in "01")
        if order == "0":
            slope = second if family == "i" else -second
        elif family == "i":
            slope = first - _over(second, x)
        else:
            slope = (-first if family == "k" else first) - second / x
        if scaled:
            slope = slope + out if family == "k" else slope - out * emit(Sign(), x)
        return (ct * slope,)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return tuple(Example(cls(kind), "f32[2,3]", low=0.3, high=4.0) for kind in _FUNCTIONS)


def _over(i1: Node, x: Node) -> Node:
    """I_1 / x, which is 1/2 at 0."""
    zero = emit(Equal(), x, full_like(x, 0))
    return where(zero, full_like(x, 0.5), i1 / where(zero, full_like(x, 1), x))


class AiryAi(ByReference):
    """The solution of y'' = x y that dies off. As `torch.special.airy_ai`, without a derivative, as there."""

    differentiable: ClassVar[bool] = False

    @at_least(np.float64)
    def reference(self, x: Array) -> Array:
        with np.errstate(all="ignore"):
            return airy_ai(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[None]:
        return (None,)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls(), "f32[2,3]"), Example(cls(), "f32[8]", low=-12.0, high=8.0))


_FAR = 25.0  # from here on asymptotic series are exact: their smallest terms are exp(-2 x)
_TURN = (np.arange(32) + 0.5) * (math.pi / 64)  # a quarter of a turn, in the middles of equal steps
_SINE, _COSINE = np.sin(_TURN), np.cos(_TURN)
_ORDERS = np.arange(1, 31)[:, None]
_SIGNS = (-1.0) ** _ORDERS
# What turns the mean of cos(x sin t), or of sin(x sin t), into Neumann's series for Y_0, or Y_1.
_NEUMANN = (
    (_SIGNS * np.cos(2 * _ORDERS * _TURN) * 2 / _ORDERS).sum(0),
    (_SIGNS * np.sin((2 * _ORDERS + 1) * _TURN) * (2 * _ORDERS + 1) / (_ORDERS * (_ORDERS + 1))).sum(0),
)


def _asymptotic(order: int) -> Array:
    """The coefficients a_k of Hankel's expansions for an order of 0 or 1."""
    k = np.arange(1.0, 31.0)
    return np.concatenate(([1.0], np.cumprod((4 * order**2 - (2 * k - 1) ** 2) / (8 * k))))


def _mean(integrand: Array, weights: Array | float = 1.0) -> Array:
    return np.asarray((integrand * weights).mean(-1))


def _near_or_far(x: Array, near: Callable[[Array], Array], far: Callable[[Array], Array]) -> Array:
    return np.where(x < _FAR, near(np.minimum(x, _FAR)), far(np.maximum(x, _FAR)))


def _wave(order: int, x: Array, quarter: float) -> Array:
    """J (quarter 0) or Y (quarter 1) of large x. Source: NIST Handbook (2010), 10.17.3 and 10.17.4."""
    terms = _asymptotic(order) * (-1.0) ** (np.arange(31) // 2)
    p = np.polyval(terms[::2][::-1], x**-2.0)
    q = np.polyval(terms[1::2][::-1], x**-2.0) / x
    phase = x - (order / 2 + 0.25 + quarter / 2) * math.pi
    return np.asarray(np.where(np.isinf(x), 0.0, np.sqrt(2 / (math.pi * x)) * (np.cos(phase) * p - np.sin(phase) * q)))


def _j(order: int, x: Array) -> Array:
    """Source: NIST Handbook (2010), 10.9.1 (near)."""

    def near(x: Array) -> Array:
        angle = x[..., None] * _SINE
        return _mean(np.sin(angle), _SINE) if order else _mean(np.cos(angle))

    size = np.abs(x)
    return _near_or_far(size, near, lambda x: _wave(order, x, 0)) * (np.copysign(1.0, x) if order else 1.0)


def _y(order: int, x: Array) -> Array:
    """Source: NIST Handbook (2010), 10.8.1 and 10.23.15 (near)."""

    def near(x: Array) -> Array:
        angle = x[..., None] * _SINE
        rest = _mean(np.sin(angle) if order else np.cos(angle), _NEUMANN[order])
        log = np.log(x / 2) + np.euler_gamma - order
        pole = _j(0, x) / x if order else 0.0
        return np.asarray((2 / math.pi) * (log * _j(order, x) - rest - pole))

    found = _near_or_far(np.abs(x), near, lambda x: _wave(order, x, 1))
    return np.where(x < 0, np.nan, np.where(x == 0, -np.inf, found))


def _i_scaled(order: int, x: Array) -> Array:
    """exp(-|x|) I(x). Source: NIST Handbook (2010), 10.32.1 and 10.40.1."""

    def near(x: Array) -> Array:
        one_side = np.exp(x[..., None] * (_COSINE - 1)) / 2
        other = -2 * x[..., None] * _COSINE
        return _mean(-one_side * np.expm1(other), _COSINE) if order else _mean(one_side * (1 + np.exp(other)))

    def far(x: Array) -> Array:
        terms = _asymptotic(order) * (-1.0) ** np.arange(31)
        return np.asarray(np.polyval(terms[::-1], 1 / x) / np.sqrt(2 * math.pi * x))

    return _near_or_far(np.abs(x), near, far) * (np.copysign(1.0, x) if order else 1.0)


def _k_scaled(order: float, x: Array) -> Array:
    """exp(x) K(x), x >= 1: the integral of exp(-x (cosh t - 1)) cosh(order t).

    Source: NIST Handbook (2010), 10.32.9.
    """
    step = np.arccosh(1 + 40 / x)[..., None] / 32
    t = step * np.arange(33)
    terms = np.exp(-x[..., None] * (np.cosh(t) - 1)) * np.cosh(order * t) * step
    return np.asarray(terms.sum(-1) - terms[..., 0] / 2)


def _k_series(order: int, x: Array) -> Array:
    """K(x) for small x. Source: NIST Handbook (2010), 10.31.1 and 10.31.2."""
    square, k = x * x / 4, np.arange(20.0)
    factorial = np.cumprod(np.maximum(k, 1.0))
    harmonic = np.cumsum(np.concatenate(([0.0], 1 / k[1:])))
    if order == 0:
        rest = np.polyval((harmonic / factorial**2)[::-1], square)
        return np.asarray(rest - (np.log(x / 2) + np.euler_gamma) * _i_scaled(0, x) * np.exp(x))
    digammas = 2 * (harmonic - np.euler_gamma) + 1 / (k + 1)
    rest = np.polyval((digammas / (factorial**2 * (k + 1)))[::-1], square)
    return np.asarray(1 / x + np.log(x / 2) * _i_scaled(1, x) * np.exp(x) - x / 4 * rest)


def _k(order: int, scaled: bool, x: Array) -> Array:
    small, large = np.minimum(x, 1.0), np.maximum(x, 1.0)
    near = _k_series(order, small) * (np.exp(small) if scaled else 1.0)
    far = _k_scaled(order, large) * (1.0 if scaled else np.exp(-large))
    found = np.where(x < 1, near, np.where(np.isinf(x), 0.0, far))
    return np.where(x < 0, np.nan, np.where(x == 0, np.inf, found))


def airy_ai(x: Array) -> Array:
    """The Airy function of float64 numbers.

    Source: NIST Handbook (2010), 9.6.2 (right), 9.4.1 (middle), 9.7.9 (left).
    """
    right = np.maximum(x, 2.0)
    zeta = 2 / 3 * right**1.5
    decay = np.sqrt(right / 3) / math.pi * _k_scaled(1 / 3, zeta) * np.exp(-zeta)
    decay = np.where(np.isinf(right), 0.0, decay)
    wave, middle = _airy_left(np.maximum(-x, 7.2)), _airy_middle(np.clip(x, -7.2, 2.0))
    return np.where(x > 2, decay, np.where(x < -7.2, wave, middle))


def _airy_middle(x: Array) -> Array:
    k = np.arange(1.0, 40.0)
    first = np.concatenate(([1.0], np.cumprod(1 / ((3 * k - 1) * 3 * k))))
    second = np.concatenate(([1.0], np.cumprod(1 / (3 * k * (3 * k + 1)))))
    at_0, slope = 3 ** (-2 / 3) / math.gamma(2 / 3), 3 ** (-1 / 3) / math.gamma(1 / 3)
    return np.asarray(at_0 * np.polyval(first[::-1], x**3) - slope * x * np.polyval(second[::-1], x**3))


def _airy_left(z: Array) -> Array:
    k = np.arange(1.0, 21.0)
    terms = np.concatenate(([1.0], np.cumprod((6 * k - 5) * (6 * k - 3) * (6 * k - 1) / (216 * k * (2 * k - 1)))))
    terms = terms * (-1.0) ** (np.arange(21) // 2)
    zeta = 2 / 3 * z**1.5
    even = np.polyval(terms[::2][::-1], zeta**-2)
    odd = np.polyval(terms[1::2][::-1], zeta**-2) / zeta
    phase = zeta - math.pi / 4
    wave = (np.cos(phase) * even + np.sin(phase) * odd) / (math.sqrt(math.pi) * z**0.25)
    return np.asarray(np.where(np.isinf(z), 0.0, wave))


_FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "j0": lambda x: _j(0, x),
    "j1": lambda x: _j(1, x),
    "y0": lambda x: _y(0, x),
    "y1": lambda x: _y(1, x),
    "i0": lambda x: _i_scaled(0, x) * np.exp(np.abs(x)),
    "i1": lambda x: _i_scaled(1, x) * np.exp(np.abs(x)),
    "i0e": lambda x: _i_scaled(0, x),
    "i1e": lambda x: _i_scaled(1, x),
    "k0": lambda x: _k(0, False, x),
    "k1": lambda x: _k(1, False, x),
    "k0e": lambda x: _k(0, True, x),
    "k1e": lambda x: _k(1, True, x),
}
