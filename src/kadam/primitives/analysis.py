"""Powers, exponentials and logarithms, and the two activations that are words of their own."""

from __future__ import annotations

import ctypes
import functools
import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from kadam.ir.builder import emit
from kadam.ir.emitter import Scalar, Scalars
from kadam.ir.graph import Node
from kadam.ir.primitive import Array
from kadam.primitives.bits import And
from kadam.primitives.compare import Equal, GreaterEqual, LessEqual
from kadam.primitives.elementwise import ANALYTIC, NUMBERS, REAL, Elementwise, conj, where
from kadam.primitives.precision import at_least
from kadam.primitives.sources import full_like


class Analytic(Elementwise):
    """A function of one floating-point or complex number."""

    accepts: ClassVar = ANALYTIC
    cases: ClassVar = ("f32[2,3]", "f32[]", "c64[3]")


class Positive(Analytic):
    """A function whose examples are drawn above 0."""

    domain: ClassVar = (0.3, 3.0)


class Reciprocal(Positive):
    """1 / x. As `torch.reciprocal`."""

    notation: ClassVar = "1 / {0}"

    def reference(self, x: Array) -> Array:
        return np.reciprocal(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (-ct * conj(out * out),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.div(s.constant(1, x), x)


class Sqrt(Positive):
    """The square root. As `torch.sqrt`."""

    def reference(self, x: Array) -> Array:
        return np.sqrt(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (ct / conj(2 * out),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.sqrt(x)


class Rsqrt(Positive):
    """1 / sqrt x. As `torch.rsqrt`."""

    notation: ClassVar = "1 / sqrt({0})"

    @at_least(np.float32)
    def reference(self, x: Array) -> Array:
        return np.reciprocal(np.sqrt(x))

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (-0.5 * ct * conj(out * out * out),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.rsqrt(x)


class Pow(Elementwise):
    """a to the power of b; 1 where b is 0. Integers to negative powers are truncated towards 0. As `torch.pow`."""

    notation: ClassVar = "{0}^{1}"
    accepts: ClassVar = NUMBERS
    cases: ClassVar = ("f32[2,3], f32[2,3]", "i64[5], i64[5]", "c64[3], c64[3]")
    domain: ClassVar = (0.3, 2.0)

    def reference(self, a: Array, b: Array) -> Array:
        if a.dtype.kind != "i":
            return np.power(a, b)
        whole = np.power(a, np.maximum(b, 0))
        # The one integer whose reciprocal power is not a fraction is 1, up to its sign.
        inverse = np.where(np.absolute(a) == 1, np.where(b % 2 == 0, 1, a), 0).astype(a.dtype)
        return np.where(b < 0, inverse, whole)

    def vjp(self, ct: Node, out: Node, a: Node, b: Node) -> tuple[Node, Node]:
        zero = full_like(ct, 0)
        slope = ct * conj(b * emit(Pow(), a, b - 1))
        rate = ct * conj(out * emit(Log(), a))
        return where(emit(Equal(), b, zero), zero, slope), where(self._vanishes(a, b), zero, rate)

    def scalar(self, s: Scalars, a: Scalar, b: Scalar) -> Scalar:
        return s.pow(a, b)

    def _vanishes(self, a: Node, b: Node) -> Node:
        """Where 0 to the power of b stays 0 (or 1, at b = 0) when b changes, though log 0 is infinite."""
        zero = full_like(a, 0)
        at_zero = emit(Equal(), a, zero)
        return at_zero if a.dtype.is_complex else emit(And(), at_zero, emit(GreaterEqual(), b, zero))


class Exp(Analytic):
    """e to the power of x. As `torch.exp`."""

    @at_least(np.float64)
    def reference(self, x: Array) -> Array:
        return np.exp(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (ct * conj(out),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.exp(x)


class Exp2(Analytic):
    """2 to the power of x. As `torch.exp2`."""

    def reference(self, x: Array) -> Array:
        return np.exp2(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (ct * conj(out) * math.log(2),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.exp2(x)


class Expm1(Analytic):
    """exp x - 1, exact near 0. As `torch.expm1`."""

    def reference(self, x: Array) -> Array:
        return np.expm1(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (ct * (conj(out) + 1),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.expm1(x)


class Log(Positive):
    """The natural logarithm. As `torch.log`."""

    @at_least(np.float64)
    def reference(self, x: Array) -> Array:
        return np.log(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (ct / conj(x),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.log(x)


class Log1p(Positive):
    """log(1 + x), exact near 0. As `torch.log1p`."""

    @at_least(np.float64)
    def reference(self, x: Array) -> Array:
        return np.log1p(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (ct / conj(x + 1),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.log1p(x)


class LibraryLog1p(Log1p):
    """log(1 + x) as the C library has it, which PyTorch's binary cross-entropy asks number by number.

    It may be a unit in the last place away from the nearest number, and that shows where a loss is printed.
    """

    notation: ClassVar = "log1p({0})"
    few: ClassVar = 4096  # of more numbers no one prints a single one

    def reference(self, x: Array) -> Array:
        function = _of_c_library("log1pf")
        if x.dtype != np.float32 or x.size > self.few or function is None:
            return super().reference(x)
        return np.array([function(one) for one in x.flat], np.float32).reshape(x.shape)


@functools.cache
def _of_c_library(name: str) -> Callable[[float], float] | None:
    """A function of one f32 of the C library's; None where there is none."""
    try:
        function: Any = getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):
        return None
    function.restype, function.argtypes = ctypes.c_float, [ctypes.c_float]
    return function  # type: ignore[no-any-return]


class Log2(Positive):
    """The logarithm to base 2. As `torch.log2`."""

    def reference(self, x: Array) -> Array:
        return np.log2(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (ct / conj(x * math.log(2)),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.log2(x)


class Log10(Positive):
    """The logarithm to base 10. As `torch.log10`."""

    def reference(self, x: Array) -> Array:
        return np.log10(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (ct / conj(x * math.log(10)),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.log10(x)


class Sigmoid(Analytic):
    """1 / (1 + exp -x), between 0 and 1. As `torch.sigmoid`."""

    notation: ClassVar = "1 / (1 + exp(−{0}))"

    @at_least(np.float32)
    def reference(self, x: Array) -> Array:
        return np.asarray(1 / (1 + Exp().reference(-x)))  # exp overflows to inf for large -x; 1 / inf is the right 0

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (ct * conj((1 - out) * out),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.sigmoid(x)


class Relu(Elementwise):
    """max(x, 0), whose derivative at 0 is 0. As `torch.relu`."""

    notation: ClassVar = "max(0, {0})"
    accepts: ClassVar = REAL
    cases: ClassVar = ("f32[2,3]", "i64[5]")
    integers: ClassVar = (-3, 3)

    def reference(self, x: Array) -> Array:
        return np.maximum(np.zeros((), x.dtype), x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        zero = full_like(ct, 0)
        return (where(emit(LessEqual(), out, zero), zero, ct),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        zero = s.constant(0, x)
        return s.select(s.compare("gt", zero, x), zero, x)
