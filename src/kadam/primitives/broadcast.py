"""Stretching and its transpose, summing: each is the other's derivative."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kadam.dtypes import INTEGER
from kadam.errors import DTypeError, InPlaceError, ShapeError
from kadam.ir.builder import emit
from kadam.ir.graph import Node
from kadam.ir.lowering import Element, Emitter, Reader
from kadam.ir.place import Index as At
from kadam.ir.place import merged, place
from kadam.ir.primitive import Array, Example, Primitive, View
from kadam.ir.types import TensorType
from kadam.primitives.move import reshaped
from kadam.primitives.precision import at_least
from kadam.shapes import Shape, kept, without


@dataclass(frozen=True)
class Broadcast(View):
    """The input stretched to `shape`: new leading axes, and axes of size 1 repeated. As `Tensor.expand`."""

    notation: ClassVar = "{0}"
    shape: Shape

    def infer(self, x: TensorType) -> TensorType:
        offset = len(self.shape) - x.rank
        if offset < 0 or any(size not in (1, self.shape[offset + axis]) for axis, size in enumerate(x.shape)):
            raise ShapeError(
                f"Broadcast: {x} does not stretch to {list(self.shape)}. Fix: give it that shape, or sizes of 1."
            )
        return x.with_shape(self.shape)

    def reference(self, x: Array) -> Array:
        return np.broadcast_to(x, self.shape)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        offset = len(self.shape) - x.rank
        stretched = [axis + offset for axis, size in enumerate(x.shape) if size != self.shape[axis + offset]]
        return (reshaped(summed(ct, (*range(offset), *stretched)), x.shape),)

    def restore(self, base: Node, view: Node) -> Node:
        raise InPlaceError(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory "
            "location. Please clone() the tensor before performing the operation. Fix: x = x.clone()."
        )

    def lower(self, e: Emitter, at: At, x: Reader) -> Element:
        own = at[len(at) - len(x.shape) :]
        return x(tuple(place(0) if size == 1 else one for one, size in zip(own, x.shape, strict=True)))

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls((4, 2, 3)), "f32[2,1]"), Example(cls((2,)), "f32[]"), Example(cls((2, 3)), "f32[2,3]"))


@dataclass(frozen=True)
class Sum(Primitive):
    """The sum over `axes` (sorted, dropped from the shape). As `torch.sum` with `dim`; booleans must be cast first."""

    axes: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        if x.dtype.category < INTEGER:
            raise DTypeError(f"Sum: cannot sum {x}. Fix: cast it to an integer type first.")
        return x.with_shape(without(x.shape, self.axes))

    @at_least(np.float32)
    def reference(self, x: Array) -> Array:
        return np.asarray(np.sum(x, axis=self.axes, dtype=x.dtype))

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (spread(ct, self.axes, x.shape),)

    def lower(self, e: Emitter, at: At, x: Reader) -> Element:
        sizes = [x.shape[axis] for axis in self.axes]
        return e.reduce("sum", sizes, lambda over: x(merged(at, over, self.axes)), x.dtype)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls((0,)), "f32[2,3]"), Example(cls((0, 2)), "i64[2,3,2]"), Example(cls(()), "f32[2]"))


def stretch(node: Node, shape: Shape) -> Node:
    """`node` broadcast to `shape`, aligned at the last axis; as it is if it has that shape already."""
    return node if node.shape == shape else emit(Broadcast(shape), node)


def summed(node: Node, axes: tuple[int, ...]) -> Node:
    """The sum over `axes`, which are dropped; as it is if there are none."""
    return emit(Sum(axes), node) if axes else node


def spread(node: Node, axes: tuple[int, ...], shape: Shape) -> Node:
    """A reduced `node` stretched back along the `axes` that a reduction of `shape` dropped."""
    return stretch(reshaped(node, kept(shape, axes)), shape)
