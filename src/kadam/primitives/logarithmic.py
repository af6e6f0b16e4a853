"""Products with logarithms that have a value, or a derivative, where their factors have none."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kadam.dtypes import FLOAT
from kadam.ir.builder import emit
from kadam.ir.emitter import Scalar, Scalars
from kadam.ir.graph import Node
from kadam.ir.primitive import Array
from kadam.primitives.analysis import Log, Log1p
from kadam.primitives.bits import And, Or
from kadam.primitives.compare import Equal, Less, LessEqual
from kadam.primitives.elementwise import Elementwise, where
from kadam.primitives.precision import at_least
from kadam.primitives.sources import full_like


class XLogY(Elementwise):
    """a log b, 0 where a is 0 and b is a number. As `torch.xlogy`."""

    notation: ClassVar = "{0} · log({1})"
    accepts: ClassVar = (FLOAT,)
    cases: ClassVar = ("f32[2,3], f32[2,3]",)
    domain: ClassVar = (0.3, 3.0)

    @at_least(np.float32)
    def reference(self, a: Array, b: Array) -> Array:
        return np.asarray(np.where((a == 0) & ~np.isnan(b), np.zeros((), a.dtype), a * Log().reference(b)))

    def vjp(self, ct: Node, out: Node, a: Node, b: Node) -> tuple[Node, Node]:
        nothing = emit(And(), emit(Equal(), a, full_like(a, 0)), emit(LessEqual(), b, full_like(b, 0)))
        return ct * where(nothing, full_like(b, 0), emit(Log(), b)), ct * a / b

    def scalar(self, s: Scalars, a: Scalar, b: Scalar) -> Scalar:
        return _zero_first(s, a, b, s.log(b))


class XLog1pY(Elementwise):
    """a log(1 + b), 0 where a is 0 and b is a number. As `torch.special.xlog1py`."""

    notation: ClassVar = "{0} · log(1 + {1})"
    accepts: ClassVar = (FLOAT,)
    cases: ClassVar = ("f32[2,3], f32[2,3]",)
    domain: ClassVar = (0.3, 3.0)

    @at_least(np.float32)
    def reference(self, a: Array, b: Array) -> Array:
        return np.asarray(np.where((a == 0) & ~np.isnan(b), np.zeros((), a.dtype), a * Log1p().reference(b)))

    def vjp(self, ct: Node, out: Node, a: Node, b: Node) -> tuple[Node, Node]:
        nothing = emit(And(), emit(Equal(), a, full_like(a, 0)), emit(LessEqual(), b, full_like(b, -1)))
        return ct * where(nothing, full_like(b, 0), emit(Log1p(), b)), ct * a / (b + 1)

    def scalar(self, s: Scalars, a: Scalar, b: Scalar) -> Scalar:
        return _zero_first(s, a, b, s.log1p(b))


def _zero_first(s: Scalars, a: Scalar, b: Scalar, logarithm: Scalar) -> Scalar:
    zero = s.constant(0, a)
    nothing = s.both(s.compare("eq", a, zero), s.compare("eq", b, b))
    return s.select(nothing, zero, s.mul(a, logarithm))


class Entropy(Elementwise):
    """-x log x; 0 at 0, -inf below. As `torch.special.entr`."""

    notation: ClassVar = "−{0} · log({0})"
    accepts: ClassVar = (FLOAT,)
    cases: ClassVar = ("f32[2,3]",)
    domain: ClassVar = (0.3, 3.0)

    @at_least(np.float32)
    def reference(self, x: Array) -> Array:
        outside = np.where(x == 0, np.zeros((), x.dtype), np.full((), -np.inf, x.dtype))
        return np.asarray(np.where((x > 0) | np.isnan(x), -x * Log().reference(x), outside))

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (ct * -(emit(Log(), x) + 1),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        zero = s.constant(0, x)
        outside = s.select(s.compare("eq", x, zero), zero, s.constant(-np.inf, x))
        return s.select(s.compare("le", x, zero), outside, s.mul(s.neg(x), s.log(x)))


class Logit(Elementwise):
    """log(x / (1 - x)), of x between 0 and 1. As `torch.logit`."""

    notation: ClassVar = "log({0} / (1 − {0}))"
    accepts: ClassVar = (FLOAT,)
    cases: ClassVar = ("f32[2,3]",)
    domain: ClassVar = (0.2, 0.8)

    @at_least(np.float32)
    def reference(self, x: Array) -> Array:
        return Log().reference(np.asarray(x / (1 - x)))

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        outside = emit(Or(), emit(Less(), x, full_like(x, 0)), emit(Less(), full_like(x, 1), x))
        return (where(outside, full_like(x, np.nan), ct / (x * (1 - x))),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.log(s.div(x, s.sub(s.constant(1, x), x)))
