"""Memory read by strides: any offset, any steps, places that repeat."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np

from kadam.dtypes import int64
from kadam.errors import InPlaceError, ShapeError
from kadam.ir.builder import emit
from kadam.ir.graph import Node
from kadam.ir.lowering import Element, Emitter, Reader
from kadam.ir.place import Index as At
from kadam.ir.place import place, unflat
from kadam.ir.primitive import Array, Example, View
from kadam.ir.types import TensorType
from kadam.primitives.elementwise import Add, Mul
from kadam.primitives.index import IndexAdd, IndexPut
from kadam.primitives.move import reshaped
from kadam.primitives.sources import Full, Iota, full_like
from kadam.shapes import Shape, count


@dataclass(frozen=True)
class AsStrided(View):
    """y[i, j] = x[offset + i * strides[0] + j * strides[1]], x being in row-major order. As `torch.as_strided`."""

    shape: Shape
    strides: tuple[int, ...]
    offset: int

    def infer(self, x: TensorType) -> TensorType:
        self.require(x.elements, x.dtype.itemsize)
        return x.with_shape(self.shape)

    def require(self, elements: int, itemsize: int) -> None:
        """Raise unless memory of so many elements has all these places.

        Raises:
            ShapeError: it has not.
        """
        if self.needed() > elements:
            raise ShapeError(
                f"AsStrided: setStorage: sizes {list(self.shape)}, strides {list(self.strides)}, storage offset "
                f"{self.offset}, and itemsize {itemsize} requiring a storage size of {self.needed() * itemsize} are "
                f"out of bounds for storage of size {elements * itemsize}. Fix: stay within the {elements} elements."
            )

    def needed(self) -> int:
        """How many elements the memory must have."""
        if not count(self.shape):
            return 0
        return 1 + self.offset + sum((size - 1) * step for size, step in zip(self.shape, self.strides, strict=True))

    def reference(self, x: Array) -> Array:
        line = x.reshape(-1)
        steps = [step * line.itemsize for step in self.strides]
        if not count(self.shape):
            return line[:0].reshape(self.shape)
        return np.lib.stride_tricks.as_strided(line[self.offset :], self.shape, steps)

    def places(self) -> Node:
        """Where in the memory each element stands, along one axis."""
        first = emit(Full(self.offset, self.shape, int64))
        return reshaped(reduce(lambda a, b: emit(Add(), a, b), self._along(), first), (count(self.shape),))

    def _along(self) -> Iterable[Node]:
        for axis, step in enumerate(self.strides):
            yield emit(Mul(), emit(Iota(self.shape, axis, int64)), emit(Full(step, self.shape, int64)))

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        line = reshaped(full_like(x, 0), (count(x.shape),))
        added = emit(IndexAdd((0,), False), line, reshaped(ct, (count(self.shape),)), self.places())
        return (reshaped(added, x.shape),)

    def restore(self, base: Node, view: Node) -> Node:
        places = self.reference(np.arange(count(base.shape)))
        if np.unique(places).size < places.size:
            raise InPlaceError(
                "unsupported operation: more than one element of the written-to tensor refers to a single memory "
                "location. Please clone() the tensor before performing the operation. Fix: x = x.clone()."
            )
        line = reshaped(base, (count(base.shape),))
        put = emit(IndexPut((0,), False), line, reshaped(view, (count(self.shape),)), self.places())
        return reshaped(put, base.shape)

    def lower(self, e: Emitter, at: At, x: Reader) -> Element:
        total = place(self.offset)
        for one, step in zip(at, self.strides, strict=True):
            total = total + one * step
        return x(unflat(total, x.shape))

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls((2, 3), (1, 2), 1), "f32[2,4]"),
            Example(cls((3, 2), (1, 1), 0), "f32[5]"),
            Example(cls((), (), 2), "f32[3]"),
            Example(cls((2, 2), (0, 1), 0), "f32[2]"),
        )
