"""What only data can violate: values that must lie within bounds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kadam.dtypes import FLOAT, of_numpy
from kadam.errors import IndexOutOfRange, RangeError
from kadam.ir.graph import Node
from kadam.ir.lowering import Element, Emitter, Reader
from kadam.ir.place import Index as At
from kadam.ir.primitive import Array, Example, Primitive
from kadam.ir.types import TensorType
from kadam.primitives.bits import And
from kadam.primitives.compare import LessEqual


@dataclass(frozen=True)
class Within(Primitive):
    """The same values, all of which must lie in [low, high]; nan does not.

    Attributes:
        low, high: the bounds.
        message: of the error; `{value}` in it stands for the first value that is outside.

    Raises at run time:
        IndexOutOfRange: whole numbers outside the bounds.
        RangeError: other numbers outside the bounds.
    """

    low: float
    high: float
    message: str
    notation: ClassVar = "{0}"

    def infer(self, x: TensorType) -> TensorType:
        return x

    def reference(self, x: Array) -> Array:
        outside = np.atleast_1d(x)[np.atleast_1d(~((x >= self.low) & (x <= self.high)))]
        if outside.size:
            kind = RangeError if of_numpy(x.dtype).category >= FLOAT else IndexOutOfRange
            raise kind(self.message.format(value=outside[0]))
        return x

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (ct,)

    def lower(self, e: Emitter, at: At, x: Reader) -> Element:
        element = x(at)
        low, high = (e.constant(bound, x.dtype) for bound in (self.low, self.high))
        held = e.apply(And(), e.apply(LessEqual(), low, element), e.apply(LessEqual(), element, high))
        return e.require(held, element, self.low)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls(-5.0, 5.0, "{value} is outside"), "f32[2,3]"),
            Example(cls(0, 2, "{value} is outside"), "i64[4]"),
        )
