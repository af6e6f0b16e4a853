"""Functions applied to each element: their base, the cast and the choice, the arithmetic."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from kadam.dtypes import BOOL, COMPLEX, FLOAT, INTEGER, bool_, complex64, complex128, dtype, float32, float64, int64
from kadam.errors import DTypeError, ShapeError
from kadam.ir.builder import emit
from kadam.ir.emitter import Scalar, Scalars
from kadam.ir.graph import Node
from kadam.ir.lowering import Element, Emitter, Reader
from kadam.ir.place import Index as At
from kadam.ir.primitive import Array, Example, Primitive
from kadam.ir.types import TensorType
from kadam.primitives.sources import full_like

# What an elementwise primitive may accept, by category of element type.
ANY = (BOOL, INTEGER, FLOAT, COMPLEX)
NUMBERS = (INTEGER, FLOAT, COMPLEX)
REAL = (INTEGER, FLOAT)
ANALYTIC = (FLOAT, COMPLEX)

PARTS = {complex64: float32, complex128: float64}
WHOLES = {part: whole for whole, part in PARTS.items()}


class Elementwise(Primitive):
    """Inputs of one type; the result has that type too (explicit casts and broadcasts come before).

    Attributes:
        accepts: categories of the element types that the primitive is defined for.
        cases, domain, integers: the types and the bounds of its examples.
    """

    accepts: ClassVar[tuple[int, ...]] = ANY
    cases: ClassVar[tuple[str, ...]] = ()
    domain: ClassVar[tuple[float, float]] = (-2.0, 2.0)
    integers: ClassVar[tuple[int, int]] = (0, 3)

    def infer(self, *inputs: TensorType) -> TensorType:
        first = inputs[0]
        for other in inputs[1:]:
            _agree(self, first, other)
        if first.dtype.category not in self.accepts:
            raise DTypeError(f"{type(self).__name__}: not defined for {first}. Fix: cast it to another type first.")
        return first

    @abstractmethod
    def scalar(self, s: Scalars, *xs: Any) -> Scalar:
        """The result's element, from the inputs' elements in registers: what `reference` computes of real numbers."""

    def lower(self, e: Emitter, at: At, *inputs: Reader) -> Element:
        return e.apply(self, *[x(at) for x in inputs])

    @classmethod
    def examples(cls) -> Iterable[Example]:
        low, high = cls.domain
        return tuple(Example(cls(), case, low, high, cls.integers) for case in cls.cases)


def _agree(primitive: Primitive, a: TensorType, b: TensorType) -> None:
    name = type(primitive).__name__
    if a.shape != b.shape:
        raise ShapeError(f"{name}: cannot combine {a} with {b}: the shapes differ. Fix: broadcast one of them first.")
    if a.dtype is not b.dtype:
        raise DTypeError(f"{name}: cannot combine {a} with {b}: the types differ. Fix: cast one of them first.")


class ByReference(Primitive):
    """A function of floating-point numbers, of one type and shape, that compiling engines leave to the reference."""

    def infer(self, x: TensorType, *others: TensorType) -> TensorType:
        for other in others:
            _agree(self, x, other)
        if x.dtype.category != FLOAT:
            raise DTypeError(f"{type(self).__name__}: not defined for {x}. Fix: cast it to floating point first.")
        return x


@dataclass(frozen=True)
class Cast(Primitive):
    """The same numbers as another element type; float to integer truncates towards zero. As `Tensor.to`."""

    notation: ClassVar = "{0}"
    dtype: dtype

    def infer(self, x: TensorType) -> TensorType:
        return x.with_dtype(self.dtype)

    def reference(self, x: Array) -> Array:
        if x.dtype.kind == "c" and self.dtype.category in REAL:
            x = x.real
        return x.astype(self.dtype.numpy, copy=False)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (emit(Cast(x.dtype), ct),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.cast(x, self.dtype)

    def lower(self, e: Emitter, at: At, x: Reader) -> Element:
        return e.apply(self, x(at))

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls(int64), "f32[4]"),
            Example(cls(float32), "f64[2,3]"),
            Example(cls(bool_), "i64[3]"),
            Example(cls(complex64), "f32[3]"),
            Example(cls(float32), "c64[3]"),
        )


class Where(Primitive):
    """`a` where the condition holds, else `b`. As `torch.where`."""

    notation: ClassVar = "({1} if {0} else {2})"

    def infer(self, condition: TensorType, a: TensorType, b: TensorType) -> TensorType:
        _agree(self, a, b)
        if condition.dtype is not bool_ or condition.shape != a.shape:
            raise ShapeError(f"Where: the condition is {condition}; it must be {a.with_dtype(bool_)}")
        return a

    def reference(self, condition: Array, a: Array, b: Array) -> Array:
        return np.where(condition, a, b)

    def vjp(self, ct: Node, out: Node, condition: Node, a: Node, b: Node) -> tuple[None, Node, Node]:
        zero = full_like(ct, 0)
        return None, where(condition, ct, zero), where(condition, zero, ct)

    def scalar(self, s: Scalars, condition: Scalar, a: Scalar, b: Scalar) -> Scalar:
        return s.select(condition, a, b)

    def lower(self, e: Emitter, at: At, condition: Reader, a: Reader, b: Reader) -> Element:
        return e.apply(self, condition(at), a(at), b(at))

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls(), "bool[2,3], f32[2,3], f32[2,3]"),)


def where(condition: Node, a: Node, b: Node | float) -> Node:
    """`a` where the condition holds, else `b`; a Python number becomes a constant of the type of `a`."""
    return emit(Where(), condition, a, b if isinstance(b, Node) else full_like(a, b))


class Neg(Elementwise):
    """-x. As `torch.neg`."""

    notation: ClassVar = "−{0}"
    accepts: ClassVar = NUMBERS
    cases: ClassVar = ("f32[2,3]", "i64[3]")

    def reference(self, x: Array) -> Array:
        return np.negative(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (-ct,)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.neg(x)


class Add(Elementwise):
    """a + b. As `torch.add`."""

    notation: ClassVar = "{0} + {1}"
    cases: ClassVar = ("f32[2,3], f32[2,3]", "i64[3], i64[3]", "bool[2], bool[2]")

    def reference(self, a: Array, b: Array) -> Array:
        return np.add(a, b)

    def vjp(self, ct: Node, out: Node, a: Node, b: Node) -> tuple[Node, Node]:
        return ct, ct

    def scalar(self, s: Scalars, a: Scalar, b: Scalar) -> Scalar:
        return s.add(a, b)


class Sub(Elementwise):
    """a - b. As `torch.sub`."""

    notation: ClassVar = "{0} − {1}"
    accepts: ClassVar = NUMBERS
    cases: ClassVar = ("f32[2,3], f32[2,3]", "i64[3], i64[3]")

    def reference(self, a: Array, b: Array) -> Array:
        return np.subtract(a, b)

    def vjp(self, ct: Node, out: Node, a: Node, b: Node) -> tuple[Node, Node]:
        return ct, -ct

    def scalar(self, s: Scalars, a: Scalar, b: Scalar) -> Scalar:
        return s.sub(a, b)


class Mul(Elementwise):
    """a b. As `torch.mul`."""

    notation: ClassVar = "{0} · {1}"
    cases: ClassVar = ("f32[2,3], f32[2,3]", "i64[3], i64[3]", "f32[], f32[]", "c64[3], c64[3]")

    def reference(self, a: Array, b: Array) -> Array:
        return np.multiply(a, b)

    def vjp(self, ct: Node, out: Node, a: Node, b: Node) -> tuple[Node, Node]:
        return ct * conj(b), ct * conj(a)

    def scalar(self, s: Scalars, a: Scalar, b: Scalar) -> Scalar:
        return s.mul(a, b)


class Div(Elementwise):
    """a / b of floating-point or complex numbers. As `torch.div`."""

    notation: ClassVar = "{0} / {1}"
    accepts: ClassVar = ANALYTIC
    cases: ClassVar = ("f32[2,3], f32[2,3]", "c64[3], c64[3]")
    domain: ClassVar = (0.5, 2.0)

    def reference(self, a: Array, b: Array) -> Array:
        return np.divide(a, b)

    def vjp(self, ct: Node, out: Node, a: Node, b: Node) -> tuple[Node, Node]:
        return ct / conj(b), -ct * conj(a / b / b)

    def scalar(self, s: Scalars, a: Scalar, b: Scalar) -> Scalar:
        return s.div(a, b)


class Conj(Elementwise):
    """The complex conjugate. As `torch.conj`."""

    cases: ClassVar = ("c64[2,3]",)

    def reference(self, x: Array) -> Array:
        return np.conjugate(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (conj(ct),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return x  # a real number: compiling engines have no complex ones


def conj(x: Node) -> Node:
    """The conjugate of a complex node; a real one as it is."""
    return emit(Conj(), x) if x.dtype.is_complex else x


class Abs(Elementwise):
    """|x|; of a complex number, its distance from 0 (a real number). As `torch.abs`."""

    notation: ClassVar = "|{0}|"
    accepts: ClassVar = NUMBERS
    cases: ClassVar = ("f32[2,3]", "i64[3]", "c64[3]")
    integers: ClassVar = (-3, 3)

    def infer(self, *inputs: TensorType) -> TensorType:
        x = super().infer(*inputs)
        return x.with_dtype(PARTS.get(x.dtype, x.dtype))

    def reference(self, x: Array) -> Array:
        return np.absolute(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        whole = emit(Cast(x.dtype), ct) if x.dtype.is_complex else ct
        return (whole * emit(Sign(), x),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.abs(x)


class Sign(Elementwise):
    """-1, 0 or 1 (0 for nan); of a complex number, the one of distance 1 in its direction. As `torch.sgn`."""

    accepts: ClassVar = NUMBERS
    cases: ClassVar = ("f32[2,3]", "i64[3]", "c64[3]")
    integers: ClassVar = (-3, 3)

    def reference(self, x: Array) -> Array:
        if x.dtype.kind == "c":
            return np.sign(x)
        above, below = np.greater(x, 0), np.less(x, 0)
        return np.asarray(above.astype(x.dtype) - below.astype(x.dtype))

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        if not x.dtype.is_complex:
            return (full_like(x, 0),)
        # What turns the direction is the part of ct across it; what points along it only changes the distance.
        along = emit(Cast(x.dtype), emit(Cast(PARTS[x.dtype]), ct * conj(out)))
        distance = emit(Cast(x.dtype), emit(Abs(), x))
        return (where(emit(Cast(bool_), x), (ct - out * along) / distance, 0),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        zero, one = s.constant(0, x), s.constant(1, x)
        below = s.select(s.compare("lt", x, zero), s.neg(one), zero)
        return s.select(s.compare("gt", x, zero), one, below)


class Copysign(Elementwise):
    """The magnitude of a with the sign of b (of its sign bit, so -0.0 counts). As `torch.copysign`."""

    accepts: ClassVar = (FLOAT,)
    cases: ClassVar = ("f32[2,3], f32[2,3]",)

    def reference(self, a: Array, b: Array) -> Array:
        return np.copysign(a, b)

    def vjp(self, ct: Node, out: Node, a: Node, b: Node) -> tuple[Node, Node]:
        return ct * where(emit(Cast(bool_), a), out / a, 0), full_like(b, 0)

    def scalar(self, s: Scalars, a: Scalar, b: Scalar) -> Scalar:
        return s.copysign(a, b)
