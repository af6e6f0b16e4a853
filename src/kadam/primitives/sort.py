"""Orders: where the elements along an axis stand when they are sorted. Values follow by `Gather`.

nan is greater than every number, as in PyTorch. Of equal elements the first in memory comes first; where PyTorch leaves
the order of equal elements open (topk), it may choose another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from kadam.dtypes import COMPLEX, int64
from kadam.errors import DTypeError, ShapeError
from kadam.ir.graph import Node
from kadam.ir.primitive import Array, Example, Primitive
from kadam.ir.types import TensorType
from kadam.shapes import without


class Order(Primitive):
    """Integer positions, through which no derivative passes."""

    differentiable: ClassVar[bool] = False

    def vjp(self, ct: Node, out: Node, *inputs: Any) -> tuple[None, ...]:
        return (None,) * len(inputs)


@dataclass(frozen=True)
class SortIndices(Order):
    """Positions along `axis` in the order that sorts x, stably. As `torch.argsort`."""

    axis: int
    descending: bool = False

    def infer(self, x: TensorType) -> TensorType:
        require_order(self, x, self.axis)
        return x.with_dtype(int64)

    def reference(self, x: Array) -> Array:
        x = comparable(x)
        if not self.descending:
            return np.argsort(x, axis=self.axis, kind="stable")
        # Sorted backwards and read backwards, equal elements keep their order.
        backwards: Array = np.argsort(np.flip(x, self.axis), axis=self.axis, kind="stable")
        return np.flip(x.shape[self.axis] - 1 - backwards, self.axis)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls(1), "f32[2,5]"),
            Example(cls(0, descending=True), "i64[6,2]"),
            Example(cls(0, descending=True), "f32[4]"),
            Example(cls(0), "bool[5]"),
        )


@dataclass(frozen=True)
class TopKIndices(Order):
    """Positions along `axis` of the k largest (or smallest) elements, best first. As `torch.topk`."""

    k: int
    axis: int
    largest: bool = True

    def infer(self, x: TensorType) -> TensorType:
        require_order(self, x, self.axis)
        if not 0 <= self.k <= x.shape[self.axis]:
            raise ShapeError(f"TopKIndices: there are no {self.k} elements along axis {self.axis} of {x}")
        return TensorType(int64, (*x.shape[: self.axis], self.k, *x.shape[self.axis + 1 :]))

    def reference(self, x: Array) -> Array:
        rows = np.moveaxis(comparable(x), self.axis, -1)
        candidates = self._candidates(rows)
        if candidates is None:
            best = SortIndices(rows.ndim - 1, self.largest).reference(rows)[..., : self.k]
        else:
            order = SortIndices(rows.ndim - 1, self.largest).reference(np.take_along_axis(rows, candidates, -1))
            best = np.take_along_axis(candidates, order, -1)
        return np.moveaxis(best, -1, self.axis)

    def _candidates(self, rows: Array) -> Array | None:
        """The ascending positions of the k best of each row, without sorting all; None if equal ones compete."""
        size = rows.shape[-1]
        if not 0 < self.k < size // 8:
            return None
        side = slice(size - self.k, None) if self.largest else slice(self.k)
        found = np.sort(np.argpartition(rows, size - self.k if self.largest else self.k - 1, axis=-1)[..., side], -1)
        values = np.take_along_axis(rows, found, -1)
        last = values.min(-1, keepdims=True) if self.largest else values.max(-1, keepdims=True)
        competing = np.count_nonzero(rows == last, -1) != np.count_nonzero(values == last, -1)
        return None if competing.any() or (last != last).any() else found

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls(2, 1), "f32[3,5]"),
            Example(cls(2, 0, largest=False), "f32[20,2]"),
            Example(cls(3, 1), "f32[2,40]"),
            Example(cls(0, 0), "f32[3]"),
        )


@dataclass(frozen=True)
class ModeIndices(Order):
    """The last position along `axis` of its most frequent value, of the smallest such value. As `torch.mode`."""

    axis: int

    def infer(self, x: TensorType) -> TensorType:
        require_order(self, x, self.axis)
        if x.shape[self.axis] == 0:
            raise ShapeError(f"ModeIndices: axis {self.axis} of {x} is empty")
        return TensorType(int64, without(x.shape, (self.axis,)))

    def reference(self, x: Array) -> Array:
        rows = np.moveaxis(comparable(x), self.axis, -1)
        found = [_last_of_mode(row) for row in rows.reshape(-1, rows.shape[-1])]
        return np.array(found, np.int64).reshape(rows.shape[:-1])

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls(1), "i64[3,6]"), Example(cls(0), "f32[4,2]"), Example(cls(0), "i64[5]"))


@dataclass(frozen=True)
class SearchSorted(Order):
    """How many elements of an ascending sequence stand before each value: the smaller, with `right` the equal too.

    One sequence for all values, or one for each row of them. As `torch.searchsorted`.
    """

    right: bool

    def infer(self, sequence: TensorType, values: TensorType) -> TensorType:
        if sequence.dtype is not values.dtype:
            raise DTypeError(
                f"SearchSorted: the sequence is {sequence}, the values are {values}. Fix: cast one of them."
            )
        if sequence.rank != 1 and (sequence.rank == 0 or sequence.shape[:-1] != values.shape[:-1]):
            raise ShapeError(f"SearchSorted: the sequences {sequence} and the values {values} differ in their rows")
        return values.with_dtype(int64)

    def reference(self, sequence: Array, values: Array) -> Array:
        sequence, values = comparable(sequence), comparable(values)
        side: Any = "right" if self.right else "left"
        if sequence.ndim == 1:
            return np.asarray(np.searchsorted(sequence, values, side))
        result = np.empty(values.shape, np.int64)
        for row in np.ndindex(*values.shape[:-1]):
            result[row] = np.searchsorted(sequence[row], values[row], side)
        return result

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls(right=False), "i64[1], i64[2,3]"),
            Example(cls(right=True), "i64[1], i64[]"),
            Example(cls(right=False), "f32[2,1], f32[2,3]"),
        )


def require_order(primitive: Primitive, x: TensorType, axis: int) -> None:
    name = type(primitive).__name__
    if x.dtype.category == COMPLEX:
        raise DTypeError(f"{name}: complex numbers have no order, and x is {x}")
    if not 0 <= axis < x.rank:
        raise ShapeError(f"{name}: {x} has no axis {axis}")


def comparable(x: Array) -> Array:
    """`x` as a type that NumPy sorts with nan last."""
    return x if x.dtype.kind in "biuf" else x.astype(np.float32)


def _last_of_mode(row: Array) -> int:
    _, places, counts = np.unique(row, return_inverse=True, return_counts=True)
    return int(np.flatnonzero(places == counts.argmax())[-1])
