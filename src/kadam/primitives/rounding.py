"""Whole numbers near a number, and division that leaves a remainder."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import numpy as np

from kadam.dtypes import FLOAT
from kadam.errors import KadamError
from kadam.ir.builder import emit
from kadam.ir.emitter import Scalar, Scalars
from kadam.ir.graph import Node
from kadam.ir.lowering import Element, Emitter, Reader
from kadam.ir.place import Index as At
from kadam.ir.primitive import Array, Example
from kadam.primitives.compare import NotEqual
from kadam.primitives.elementwise import REAL, ByReference, Elementwise
from kadam.primitives.sources import full_like


class DivisionByZeroError(KadamError, RuntimeError, ZeroDivisionError):
    """An integer divided by the integer 0."""


class Rounding(Elementwise):
    """A step function: its derivative is 0 wherever it has one."""

    accepts: ClassVar = (FLOAT,)
    cases: ClassVar = ("f32[2,3]", "f32[]")

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (full_like(x, 0),)


class Floor(Rounding):
    """The largest whole number that is not above x. As `torch.floor`."""

    def reference(self, x: Array) -> Array:
        return np.floor(x)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.floor(x)


class Ceil(Rounding):
    """The smallest whole number that is not below x. As `torch.ceil`."""

    def reference(self, x: Array) -> Array:
        return np.ceil(x)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.ceil(x)


class Round(Rounding):
    """The nearest whole number, the even one of two that are equally near. As `torch.round`."""

    def reference(self, x: Array) -> Array:
        return np.rint(x)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.round(x)


class Trunc(Rounding):
    """The whole number next to x in the direction of 0. As `torch.trunc`."""

    def reference(self, x: Array) -> Array:
        return np.trunc(x)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.trunc(x)


class Division(Elementwise):
    """Of real numbers; an integer divided by 0 raises DivisionByZeroError."""

    accepts: ClassVar = REAL
    cases: ClassVar = ("f32[2,3], f32[2,3]", "i64[5], i64[5]")
    domain: ClassVar = (0.3, 2.0)
    integers: ClassVar = (1, 9)

    def lower(self, e: Emitter, at: At, *inputs: Reader) -> Element:
        a, b = (x(at) for x in inputs)
        if inputs[1].dtype.category < FLOAT:
            b = e.require(e.apply(NotEqual(), b, e.constant(0, inputs[1].dtype)), b, 1)
        return e.apply(self, a, b)


def _divisor(b: Array) -> Array:
    if b.dtype.kind in "iu" and not b.all():
        raise DivisionByZeroError(
            "ZeroDivisionError: an integer is divided by 0. Fix: mask the zeros, or divide floats."
        )
    return b


class FloorDiv(Division):
    """floor(a / b). As `torch.floor_divide`."""

    def reference(self, a: Array, b: Array) -> Array:
        return np.floor_divide(a, _divisor(b))

    def vjp(self, ct: Node, out: Node, a: Node, b: Node) -> tuple[Node, Node]:
        return full_like(a, 0), full_like(b, 0)

    def scalar(self, s: Scalars, a: Scalar, b: Scalar) -> Scalar:
        return s.floor_div(a, b)


class Remainder(Division):
    """a - b floor(a / b): what is left has the sign of b. As `torch.remainder`."""

    def reference(self, a: Array, b: Array) -> Array:
        rest = np.fmod(a, _divisor(b))
        return np.where((rest != 0) & ((rest < 0) != (b < 0)), rest + b, rest)

    def vjp(self, ct: Node, out: Node, a: Node, b: Node) -> tuple[Node, Node]:
        return ct, -ct * emit(FloorDiv(), a, b)

    def scalar(self, s: Scalars, a: Scalar, b: Scalar) -> Scalar:
        return s.remainder(a, b)


class Fmod(Division):
    """a - b trunc(a / b): what is left has the sign of a. As `torch.fmod`."""

    def reference(self, a: Array, b: Array) -> Array:
        return np.fmod(a, _divisor(b))

    def vjp(self, ct: Node, out: Node, a: Node, b: Node) -> tuple[Node, Node]:
        return ct, -ct * emit(Trunc(), a / b)

    def scalar(self, s: Scalars, a: Scalar, b: Scalar) -> Scalar:
        return s.fmod(a, b)


class NextAfter(ByReference):
    """The number next to x, of those that its type has, on the way to y. As `torch.nextafter`, without a derivative."""

    def reference(self, x: Array, y: Array) -> Array:
        return np.asarray(np.nextafter(x, y))

    def vjp(self, ct: Node, out: Node, x: Node, y: Node) -> tuple[Node, Node]:
        return ct, full_like(ct, 0)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls(), "f32[2,3], f32[2,3]"),)
