"""Many elements to one: the extremes, their places, the product. (The sum stands with its transpose, Broadcast.)"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kadam.dtypes import INTEGER, bool_, int64
from kadam.errors import DTypeError, ShapeError
from kadam.ir.builder import emit
from kadam.ir.graph import Node
from kadam.ir.lowering import Element, Emitter, Reader
from kadam.ir.place import Index as At
from kadam.ir.place import merged
from kadam.ir.primitive import Array, Example, Primitive
from kadam.ir.types import TensorType
from kadam.primitives.broadcast import spread, summed
from kadam.primitives.compare import ORDERED, Equal
from kadam.primitives.elementwise import Cast, conj
from kadam.primitives.move import Permute, reshaped
from kadam.primitives.precision import at_least
from kadam.primitives.scan import CumProd, require_axis, shifted
from kadam.shapes import count, without


@dataclass(frozen=True)
class _Extreme(Primitive):
    """An extreme over `axes` (sorted, dropped from the shape); nan wins. Ties share the cotangent evenly.

    Of booleans the largest is whether any holds, the smallest whether all hold, and only these are defined for nothing.
    """

    axes: tuple[int, ...]
    word: ClassVar[str]  # what the emitter calls it

    def infer(self, x: TensorType) -> TensorType:
        name = type(self).__name__
        for axis in self.axes:
            require_axis(self, axis, x)
            if x.shape[axis] == 0 and x.dtype is not bool_:
                raise ShapeError(f"{name}: axis {axis} of {x} has no elements, so no extreme")
        if x.dtype.category not in ORDERED:
            raise DTypeError(f"{name}: {x} has no order")
        return x.with_shape(without(x.shape, self.axes))

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        extreme = emit(Cast(x.dtype), emit(Equal(), x, spread(out, self.axes, x.shape)))
        share = ct / summed(extreme, self.axes)
        return (extreme * spread(share, self.axes, x.shape),)

    def lower(self, e: Emitter, at: At, x: Reader) -> Element:
        sizes = [x.shape[axis] for axis in self.axes]
        return e.reduce(self.word, sizes, lambda over: x(merged(at, over, self.axes)), x.dtype)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls((0,)), "f32[2,3]"),
            Example(cls((0, 2)), "f32[2,3,2]"),
            Example(cls((1,)), "i64[2,3]"),
            Example(cls((0,)), "bool[2,3]"),
            Example(cls(()), "f32[]"),
        )


class Max(_Extreme):
    """The largest element. As `torch.amax`; of booleans, as `torch.any`."""

    word: ClassVar = "largest"

    def reference(self, x: Array) -> Array:
        largest = np.any if x.dtype == bool else np.max
        return np.asarray(largest(x, axis=self.axes))


class Min(_Extreme):
    """The smallest element. As `torch.amin`; of booleans, as `torch.all`."""

    word: ClassVar = "smallest"

    def reference(self, x: Array) -> Array:
        smallest = np.all if x.dtype == bool else np.min
        return np.asarray(smallest(x, axis=self.axes))


@dataclass(frozen=True)
class _Place(Primitive):
    """Where an extreme stands along `axis` (dropped from the shape): the first of equals; nan wins."""

    axis: int
    differentiable: ClassVar[bool] = False

    def infer(self, x: TensorType) -> TensorType:
        require_axis(self, self.axis, x)
        if x.dtype.category not in ORDERED:
            raise DTypeError(f"{type(self).__name__}: {x} has no order")
        if x.shape[self.axis] == 0:
            raise ShapeError(f"{type(self).__name__}: axis {self.axis} of {x} has no elements, so no extreme")
        return TensorType(int64, without(x.shape, (self.axis,)))

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[None]:
        return (None,)

    def lower(self, e: Emitter, at: At, x: Reader) -> Element:
        return e.best(x.shape[self.axis], lambda over: x(merged(at, (over,), (self.axis,))), isinstance(self, ArgMax))

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return Example(cls(1), "f32[2,5]"), Example(cls(0), "i64[5]"), Example(cls(0), "bool[2,3]")


class ArgMax(_Place):
    """Where the largest element stands. As `torch.argmax`."""

    def reference(self, x: Array) -> Array:
        return np.asarray(np.argmax(x, axis=self.axis))


class ArgMin(_Place):
    """Where the smallest element stands. As `torch.argmin`."""

    def reference(self, x: Array) -> Array:
        return np.asarray(np.argmin(x, axis=self.axis))


@dataclass(frozen=True)
class Prod(Primitive):
    """The product over `axes` (sorted, dropped from the shape). As `torch.prod`; booleans must be cast first."""

    axes: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        for axis in self.axes:
            require_axis(self, axis, x)
        if x.dtype.category < INTEGER:
            raise DTypeError(f"Prod: not defined for {x}. Fix: cast it to an integer type first.")
        return x.with_shape(without(x.shape, self.axes))

    @at_least(np.float32)
    def reference(self, x: Array) -> Array:
        return np.asarray(np.prod(x, axis=self.axes, dtype=x.dtype))

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (spread(ct, self.axes, x.shape) * conj(self._product_of_others(x)),)

    def _product_of_others(self, x: Node) -> Node:
        """For each element, what it is multiplied by: no division, so zeros are right, in every derivative."""
        kept = tuple(axis for axis in range(x.rank) if axis not in self.axes)
        order = Permute((*kept, *self.axes))
        ordered = emit(order, x)
        last = len(kept)
        rows = reshaped(ordered, (*ordered.shape[:last], count(ordered.shape[last:])))
        before = shifted(emit(CumProd(last), rows), last, False, 1)
        after = shifted(emit(CumProd(last, reverse=True), rows), last, True, 1)
        return emit(order.inverse(), reshaped(before * after, ordered.shape))

    def lower(self, e: Emitter, at: At, x: Reader) -> Element:
        sizes = [x.shape[axis] for axis in self.axes]
        return e.reduce("product", sizes, lambda over: x(merged(at, over, self.axes)), x.dtype)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls((1,)), "f32[2,3]"),
            Example(cls((0, 2)), "f32[2,3,2]"),
            Example(cls((0,)), "i64[4]"),
            Example(cls(()), "f32[2]"),
        )
