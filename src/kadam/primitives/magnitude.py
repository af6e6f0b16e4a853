"""How large numbers are, apart from their value: greatest common divisors, binary exponents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from kadam.dtypes import FLOAT, INTEGER, int32
from kadam.errors import DTypeError
from kadam.ir.graph import Node
from kadam.ir.primitive import Array, Example, Primitive
from kadam.ir.types import TensorType


@dataclass(frozen=True)
class Gcd(Primitive):
    """The greatest common divisor, never negative. As `torch.gcd`."""

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        if a != b or a.dtype.category != INTEGER:
            raise DTypeError(f"Gcd: {a} and {b} must be integers of one type and shape")
        return a

    def reference(self, a: Array, b: Array) -> Array:
        return np.gcd(a, b)

    def vjp(self, ct: Node, out: Node, a: Node, b: Node) -> tuple[None, None]:
        return None, None

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls(), "i64[2,3], i64[2,3]", integers=(-20, 20)), Example(cls(), "u8[5], u8[5]"))


@dataclass(frozen=True)
class Exponent(Primitive):
    """The integer e such that x = m 2**e with 0.5 <= |m| < 1; 0 for zero. As `torch.frexp(x).exponent`."""

    def infer(self, x: TensorType) -> TensorType:
        if x.dtype.category != FLOAT:
            raise DTypeError(f"Exponent: not defined for {x}. Fix: .float()")
        return x.with_dtype(int32)

    def reference(self, x: Array) -> Array:
        wide = x if x.dtype.itemsize >= 4 else x.astype(np.float32)
        return np.asarray(np.frexp(wide)[1], np.int32)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[None]:
        return (None,)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls(), "f32[2,3]"), Example(cls(), "f64[4]"))
