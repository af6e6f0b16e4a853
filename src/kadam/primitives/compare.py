"""Elements held against each other: the comparisons, and the larger and the smaller of two."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from kadam.dtypes import BOOL, FLOAT, INTEGER, bool_
from kadam.ir.builder import emit
from kadam.ir.emitter import Scalar, Scalars
from kadam.ir.graph import Node
from kadam.ir.primitive import Array
from kadam.ir.types import TensorType
from kadam.primitives.elementwise import Elementwise, where
from kadam.primitives.sources import full_like

ORDERED = (BOOL, INTEGER, FLOAT)


class Comparison(Elementwise):
    """Inputs of one type; the result is boolean and passes no derivative. Whatever is compared with nan is unequal."""

    accepts: ClassVar[tuple[int, ...]] = ORDERED
    differentiable: ClassVar[bool] = False
    cases: ClassVar[tuple[str, ...]] = ("f32[2,3], f32[2,3]", "i64[5], i64[5]", "bool[4], bool[4]")

    def infer(self, *inputs: TensorType) -> TensorType:
        return super().infer(*inputs).with_dtype(bool_)

    def vjp(self, ct: Node, out: Node, *inputs: Any) -> tuple[None, ...]:
        return (None,) * len(inputs)


class Less(Comparison):
    """a < b. As `torch.lt`."""

    notation: ClassVar = "{0} < {1}"

    def reference(self, a: Array, b: Array) -> Array:
        return np.less(a, b)

    def scalar(self, s: Scalars, a: Scalar, b: Scalar) -> Scalar:
        return s.compare("lt", a, b)


class LessEqual(Comparison):
    """a <= b. As `torch.le`."""

    notation: ClassVar = "{0} ≤ {1}"

    def reference(self, a: Array, b: Array) -> Array:
        return np.less_equal(a, b)

    def scalar(self, s: Scalars, a: Scalar, b: Scalar) -> Scalar:
        return s.compare("le", a, b)


class Greater(Comparison):
    """a > b. As `torch.gt`."""

    notation: ClassVar = "{0} > {1}"

    def reference(self, a: Array, b: Array) -> Array:
        return np.greater(a, b)

    def scalar(self, s: Scalars, a: Scalar, b: Scalar) -> Scalar:
        return s.compare("gt", a, b)


class GreaterEqual(Comparison):
    """a >= b. As `torch.ge`."""

    notation: ClassVar = "{0} ≥ {1}"

    def reference(self, a: Array, b: Array) -> Array:
        return np.greater_equal(a, b)

    def scalar(self, s: Scalars, a: Scalar, b: Scalar) -> Scalar:
        return s.compare("ge", a, b)


class Equal(Comparison):
    """a = b. As `torch.eq`."""

    notation: ClassVar = "{0} = {1}"
    accepts: ClassVar = Elementwise.accepts

    def reference(self, a: Array, b: Array) -> Array:
        return np.equal(a, b)

    def scalar(self, s: Scalars, a: Scalar, b: Scalar) -> Scalar:
        return s.compare("eq", a, b)


class NotEqual(Comparison):
    """a != b. As `torch.ne`."""

    notation: ClassVar = "{0} ≠ {1}"
    accepts: ClassVar = Elementwise.accepts

    def reference(self, a: Array, b: Array) -> Array:
        return np.not_equal(a, b)

    def scalar(self, s: Scalars, a: Scalar, b: Scalar) -> Scalar:
        return s.compare("ne", a, b)


class IsNan(Comparison):
    """Whether x is not a number. As `torch.isnan`."""

    accepts: ClassVar = Elementwise.accepts
    cases: ClassVar = ("f32[2,3]", "i64[3]")

    def reference(self, x: Array) -> Array:
        return np.isnan(x)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.compare("ne", x, x)


class Extremum(Elementwise):
    """One of two elements; nan wins. The other one gets no cotangent, and of a tie each gets half."""

    accepts: ClassVar = ORDERED
    cases: ClassVar = ("f32[2,3], f32[2,3]", "i64[5], i64[5]", "bool[4], bool[4]")
    loses: ClassVar[Comparison]  # where this holds of a and b, the result is b

    def vjp(self, ct: Node, out: Node, a: Node, b: Node) -> tuple[Node, Node]:
        zero, share = full_like(ct, 0), where(emit(Equal(), a, b), ct / 2, ct)
        return where(emit(self.loses, a, b), zero, share), where(emit(self.loses, b, a), zero, share)


class Maximum(Extremum):
    """The larger of a and b. As `torch.maximum`."""

    notation: ClassVar = "max({0}, {1})"
    loses: ClassVar = Less()

    def reference(self, a: Array, b: Array) -> Array:
        return np.maximum(a, b)

    def scalar(self, s: Scalars, a: Scalar, b: Scalar) -> Scalar:
        return s.largest(a, b)


class Minimum(Extremum):
    """The smaller of a and b. As `torch.minimum`."""

    notation: ClassVar = "min({0}, {1})"
    loses: ClassVar = Greater()

    def reference(self, a: Array, b: Array) -> Array:
        return np.minimum(a, b)

    def scalar(self, s: Scalars, a: Scalar, b: Scalar) -> Scalar:
        return s.smallest(a, b)
