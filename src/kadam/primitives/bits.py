"""Bit by bit: the logic of booleans, which is that of integers of one bit."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from kadam.dtypes import BOOL, INTEGER
from kadam.ir.emitter import Scalar, Scalars
from kadam.ir.graph import Node
from kadam.ir.primitive import Array
from kadam.primitives.elementwise import Elementwise


class Bitwise(Elementwise):
    """Of booleans or integers; no derivative passes."""

    accepts: ClassVar[tuple[int, ...]] = (BOOL, INTEGER)
    differentiable: ClassVar[bool] = False
    cases: ClassVar = ("bool[2,3], bool[2,3]", "i64[5], i64[5]")
    integers: ClassVar = (-8, 8)

    def vjp(self, ct: Node, out: Node, *inputs: Any) -> tuple[None, ...]:
        return (None,) * len(inputs)


class And(Bitwise):
    """Bits set in both. As `torch.bitwise_and`."""

    def reference(self, a: Array, b: Array) -> Array:
        return np.bitwise_and(a, b)

    def scalar(self, s: Scalars, a: Scalar, b: Scalar) -> Scalar:
        return s.both(a, b)


class Or(Bitwise):
    """Bits set in one or both. As `torch.bitwise_or`."""

    def reference(self, a: Array, b: Array) -> Array:
        return np.bitwise_or(a, b)

    def scalar(self, s: Scalars, a: Scalar, b: Scalar) -> Scalar:
        return s.either(a, b)


class Xor(Bitwise):
    """Bits set in just one. As `torch.bitwise_xor`."""

    def reference(self, a: Array, b: Array) -> Array:
        return np.bitwise_xor(a, b)

    def scalar(self, s: Scalars, a: Scalar, b: Scalar) -> Scalar:
        return s.unlike(a, b)


class Not(Bitwise):
    """Every bit turned over. As `torch.bitwise_not`."""

    cases: ClassVar = ("bool[2,3]", "i64[5]")

    def reference(self, x: Array) -> Array:
        return np.bitwise_not(x)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.negation(x)


class ShiftLeft(Bitwise):
    """a 2^b; 0 when b is not in [0, bits of the type). As `torch.bitwise_left_shift`."""

    accepts: ClassVar = (INTEGER,)
    cases: ClassVar = ("i64[8], i64[8]", "u8[8], u8[8]")
    integers: ClassVar = (0, 9)

    def reference(self, a: Array, b: Array) -> Array:
        return np.left_shift(a, b)

    def scalar(self, s: Scalars, a: Scalar, b: Scalar) -> Scalar:
        return s.shift_left(a, b)


class ShiftRight(Bitwise):
    """floor(a / 2^b): the sign is kept. As `torch.bitwise_right_shift`."""

    accepts: ClassVar = (INTEGER,)
    cases: ClassVar = ("i64[8], i64[8]", "u8[8], u8[8]")
    integers: ClassVar = (0, 9)

    def reference(self, a: Array, b: Array) -> Array:
        return np.right_shift(a, b)

    def scalar(self, s: Scalars, a: Scalar, b: Scalar) -> Scalar:
        return s.shift_right(a, b)
