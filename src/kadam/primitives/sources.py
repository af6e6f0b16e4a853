"""Where values come from: what a run is fed with, and what is known without it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kadam.dtypes import dtype, float32, int64
from kadam.errors import VerifyError
from kadam.ir.builder import emit
from kadam.ir.graph import Node
from kadam.ir.lowering import Element, Emitter
from kadam.ir.place import Index as At
from kadam.ir.primitive import Array, Example, Primitive
from kadam.ir.types import TensorType
from kadam.shapes import Shape


@dataclass(frozen=True)
class Input(Primitive):
    """A value that each run is fed with: data, a parameter, a runtime scalar."""

    type: TensorType

    def infer(self) -> TensorType:
        return self.type

    def reference(self) -> Array:
        raise VerifyError("an input is fed, never computed")

    def vjp(self, ct: Node, out: Node) -> tuple[()]:
        return ()

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return ()  # nothing to compute


@dataclass(frozen=True)
class Full(Primitive):
    """A tensor whose elements all equal `value`."""

    value: bool | int | float | complex
    shape: Shape
    dtype: dtype
    differentiable: ClassVar[bool] = False

    def infer(self) -> TensorType:
        return TensorType(self.dtype, self.shape)

    def reference(self) -> Array:
        return np.full(self.shape, self.value, self.dtype.numpy)

    def vjp(self, ct: Node, out: Node) -> tuple[()]:
        return ()

    def lower(self, e: Emitter, at: At) -> Element:
        return e.constant(self.value, self.dtype)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls(1.5, (2, 3), float32), ""), Example(cls(2, (), int64), ""))


@dataclass(frozen=True)
class Iota(Primitive):
    """0, 1, 2 ... along one axis of a tensor of the given shape, constant along the others."""

    shape: Shape
    axis: int
    dtype: dtype
    differentiable: ClassVar[bool] = False

    def infer(self) -> TensorType:
        return TensorType(self.dtype, self.shape)

    def reference(self) -> Array:
        steps = np.arange(self.shape[self.axis]).astype(self.dtype.numpy)
        column = steps.reshape([-1 if axis == self.axis else 1 for axis in range(len(self.shape))])
        return np.broadcast_to(column, self.shape)

    def vjp(self, ct: Node, out: Node) -> tuple[()]:
        return ()

    def lower(self, e: Emitter, at: At) -> Element:
        return e.number(at[self.axis], self.dtype)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls((2, 3), 1, int64), ""), Example(cls((2, 3), 0, float32), ""))


def full_like(node: Node, value: complex) -> Node:
    """A constant of the node's type."""
    return emit(Full(value, node.shape, node.dtype))
