"""How numbers that were drawn move with the distribution they were drawn from: implicit reparametrisation.

A draw z of the distribution function F(z; a) stays at its quantile when a changes: dz/da = -(dF/da) / (dF/dz). The
density that is divided by cancels against the factor that F's series or continued fraction has in front.
Source: Figurnov, Mohamed and Mnih 2018, https://arxiv.org/abs/1805.08498.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from kadam.errors import UnsupportedError
from kadam.ir.builder import emit
from kadam.ir.graph import Node
from kadam.ir.primitive import Array, Example
from kadam.primitives.elementwise import ByReference, Mul
from kadam.primitives.incomplete_gamma import fraction, series
from kadam.primitives.precision import at_least
from kadam.primitives.special import digamma

_TERMS, _TINY = 2000, 1e-300
_STEP = 1e-3  # of the difference quotients, relative; they are of the fourth order
_NORMAL = 1e5  # draws of larger concentrations are normal, as far as one can see


@dataclass(frozen=True)
class DrawSlope(ByReference):
    """How a draw moves per unit of its concentration.

    Attributes:
        kind: "gamma": dz/da of a standard Gamma draw z. "beta": dz/da / (1 - z) of a Beta draw, for the concentrations
            a of z and b of 1 - z, which is what a Dirichlet draw needs of each of its parts.
    """

    kind: str

    @at_least(np.float64)
    def reference(self, a: Array, b: Array, z: Array) -> Array:
        flat = [one.reshape(-1) for one in (a, b, z)]
        with np.errstate(all="ignore"):
            slopes = _gamma_slope(flat[0], flat[2]) if self.kind == "gamma" else _beta_slope(*flat)
        return slopes.reshape(a.shape)

    def vjp(self, ct: Node, out: Node, *operands: Node) -> tuple[None, ...]:
        raise UnsupportedError(
            f"{self.kind}: the derivative of a draw's derivative is not there, as in PyTorch. Fix: create_graph=False."
        )

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls("gamma"), "f64[2,3], f64[2,3], f64[2,3]", low=0.3, high=4.0),
            Example(cls("beta"), "f64[2,3], f64[2,3], f64[2,3]", low=0.1, high=0.9),
        )


@dataclass(frozen=True)
class DrawMotion(ByReference):
    """Zero, with the derivative `DrawSlope` by the concentration: what is added to a draw that is a known number."""

    kind: str

    def reference(self, a: Array, b: Array, z: Array) -> Array:
        return np.zeros_like(z)

    def vjp(self, ct: Node, out: Node, a: Node, b: Node, z: Node) -> tuple[Node, None, None]:
        return emit(Mul(), ct, emit(DrawSlope(self.kind), a, b, z)), None, None

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls("gamma"), "f32[2,3], f32[2,3], f32[2,3]", low=0.3, high=4.0),)


def _gamma_slope(a: Array, z: Array) -> Array:
    below, found = z < a + 1, np.empty_like(z)
    for side, tail, sign in ((below, series, -1.0), (~below, fraction, 1.0)):
        found[side] = sign * _moved(tail, a[side], z[side])
    normal = a > _NORMAL
    found[normal] = (1 + z[normal] / a[normal]) / 2
    found[z == 0] = 0.0
    return found


def _moved(tail: Callable[[Array, Array], Array], a: Array, z: Array) -> Array:
    """Of a tail T z**a e**-z / gamma(a), its derivative by a over the density: T z (d log T + log z - digamma(a))."""
    return np.asarray(z * tail(a, z) * (_log_slope(lambda moved: tail(moved, z), a) + np.log(z) - digamma(a)))


def _beta_slope(a: Array, b: Array, z: Array) -> Array:
    below, found = z * (a + b + 2) < a + 1, np.empty_like(z)
    shared = np.log(z) + digamma(a + b) - digamma(a)
    a1, b1, z1 = a[below], b[below], z[below]
    tail = _beta_fraction(a1, b1, z1) / a1
    moves = _log_slope(lambda moved: _beta_fraction(moved, b1, z1) / moved, a1)
    found[below] = -z1 * tail * (moves + shared[below])
    a2, b2, z2 = a[~below], b[~below], z[~below]
    tail = _beta_fraction(b2, a2, 1 - z2) / b2
    moves = _log_slope(lambda moved: _beta_fraction(b2, moved, 1 - z2), a2)
    found[~below] = z2 * tail * (moves + shared[~below])
    found[z == 0] = 0.0
    return found


def _log_slope(function: Callable[[Array], Array], a: Array) -> Array:
    """d log f / da."""
    step = _STEP * a
    near = np.log(function(a + step)) - np.log(function(a - step))
    far = np.log(function(a + 2 * step)) - np.log(function(a - 2 * step))
    return np.asarray((8 * near - far) / (12 * step))


def _beta_fraction(a: Array, b: Array, x: Array) -> Array:
    """The continued fraction of the incomplete beta function, by Lentz's evaluation.

    Source: Press et al., "Numerical Recipes", section 6.4.
    """
    c, d = np.ones_like(x), 1 / _away(1 - (a + b) * x / (a + 1))
    total = d
    for m in range(1, _TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for factor in (even, odd):
            d, c = 1 / _away(1 + factor * d), _away(1 + factor / c)
            total = total * c * d
        if not np.any(np.abs(c * d - 1) > 1e-16):
            break
    return total


def _away(x: Array) -> Array:
    """Away from zero, by which is divided."""
    return np.where(np.abs(x) < _TINY, _TINY, x)
