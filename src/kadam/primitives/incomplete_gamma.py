"""The regularised incomplete gamma functions, by a series or a continued fraction in double precision."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kadam.dtypes import FLOAT
from kadam.errors import DTypeError, UnsupportedError
from kadam.ir.builder import emit
from kadam.ir.graph import Node
from kadam.ir.primitive import Array, Example, Primitive
from kadam.ir.types import TensorType
from kadam.primitives.analysis import Exp, Log
from kadam.primitives.elementwise import Mul, Sub
from kadam.primitives.move import Detach
from kadam.primitives.sources import full_like
from kadam.primitives.special import Lgamma, lgamma

_TERMS = 2000
_TINY = 1e-300


@dataclass(frozen=True)
class Underived(Detach):
    """The same values, whose derivative is refused when it is asked for: it has no formula.

    Attributes:
        name: of the operand, as PyTorch's message names it.
    """

    name: str = "igamma: input"
    differentiable: ClassVar[bool] = True

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[None]:
        raise UnsupportedError(
            f"the derivative for '{self.name}' is not implemented. Fix: derive by the other operand only, and detach() "
            "this one."
        )


@dataclass(frozen=True)
class IncompleteGamma(Primitive):
    """P(a, x), the lower one; Q(a, x) = 1 - P(a, x) if `upper`. As `torch.special.gammainc` and `gammaincc`."""

    upper: bool

    def infer(self, a: TensorType, x: TensorType) -> TensorType:
        if a != x or a.dtype.category != FLOAT:
            raise DTypeError(f"IncompleteGamma: {a} and {x} must be floating point of one type and shape")
        return a

    def reference(self, a: Array, x: Array) -> Array:
        shape, first, second = a.shape, a.astype(np.float64).reshape(-1), x.astype(np.float64).reshape(-1)
        with np.errstate(all="ignore"):
            found = _upper(first, second) if self.upper else _lower(first, second)
        return found.reshape(shape).astype(a.dtype)

    def vjp(self, ct: Node, out: Node, a: Node, x: Node) -> tuple[None, Node]:
        power = emit(Sub(), emit(Mul(), emit(Sub(), a, full_like(a, 1)), emit(Log(), x)), x)
        slope = emit(Exp(), emit(Sub(), power, emit(Lgamma(), a)))
        return None, emit(Mul(), ct, emit(Mul(), slope, full_like(slope, -1)) if self.upper else slope)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return tuple(Example(cls(upper), "f32[2,3], f32[2,3]", 0.5, 4.0) for upper in (False, True))


def _lower(a: Array, x: Array) -> Array:
    small = x < a + 1
    found = np.zeros_like(x)
    found[small] = series(a[small], x[small]) * _scale(a[small], x[small])
    found[~small] = 1 - fraction(a[~small], x[~small]) * _scale(a[~small], x[~small])
    found[x == 0] = 0.0
    found[(a == 0) & (x > 0)] = 1.0
    return _outside(found, a, x, far=1.0)


def _upper(a: Array, x: Array) -> Array:
    small = x < a + 1
    found = np.zeros_like(x)
    found[small] = 1 - series(a[small], x[small]) * _scale(a[small], x[small])
    found[~small] = fraction(a[~small], x[~small]) * _scale(a[~small], x[~small])
    found[x == 0] = 1.0
    found[(a == 0) & (x > 0)] = 0.0
    return _outside(found, a, x, far=0.0)


def _outside(found: Array, a: Array, x: Array, far: float) -> Array:
    """With the values at the ends of the domain, and nan beyond it."""
    found[np.isinf(x) & (a >= 0)] = far
    found[np.isinf(a) & np.isfinite(x) & (a > 0)] = 1 - far
    found[(a < 0) | (x < 0) | np.isnan(a) | np.isnan(x) | ((a == 0) & (x == 0)) | (np.isinf(a) & np.isinf(x))] = np.nan
    return found


def _scale(a: Array, x: Array) -> Array:
    scale: Array = np.exp(a * np.log(x) - x - lgamma(a))
    return scale


def series(a: Array, x: Array) -> Array:
    """P(a, x) gamma(a) / (x**a e**-x) = 1 / a * (1 + x / (a + 1) + x**2 / ((a + 1)(a + 2)) + ...)."""
    term = total = 1 / a
    for step in range(1, _TERMS):
        term = term * x / (a + step)
        total = total + term
        if not np.any(np.abs(term) > np.abs(total) * 1e-17):
            break
    return total


def fraction(a: Array, x: Array) -> Array:
    """Q(a, x) gamma(a) / (x**a e**-x), by Lentz's evaluation of its continued fraction."""
    b = x + 1 - a
    c, d = np.full_like(x, 1 / _TINY), 1 / np.where(b == 0, _TINY, b)
    total = d
    for step in range(1, _TERMS):
        factor = -step * (step - a)
        b = b + 2
        d = 1 / np.where(np.abs(fallen := factor * d + b) < _TINY, _TINY, fallen)
        c = np.where(np.abs(risen := b + factor / c) < _TINY, _TINY, risen)
        total = total * c * d
        if not np.any(np.abs(c * d - 1) > 1e-16):
            break
    return total
