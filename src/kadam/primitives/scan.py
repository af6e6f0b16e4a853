"""Running results along one axis: sums, products, the place of the best so far, and the recurrence below them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kadam.dtypes import INTEGER, int64
from kadam.errors import DTypeError, ShapeError
from kadam.ir.builder import emit
from kadam.ir.graph import Node
from kadam.ir.primitive import Array, Example, Primitive
from kadam.ir.types import TensorType
from kadam.primitives.compare import ORDERED
from kadam.primitives.elementwise import conj
from kadam.primitives.move import Insert, Slice
from kadam.primitives.precision import at_least
from kadam.primitives.sources import full_like


def require_axis(primitive: Primitive, axis: int, x: TensorType) -> None:
    """Refuse an axis that is not in [0, rank).

    Raises:
        ShapeError: x has no such axis.
    """
    if not 0 <= axis < x.rank:
        raise ShapeError(f"{type(primitive).__name__}: {x} has no axis {axis}")


@dataclass(frozen=True)
class _Running(Primitive):
    """Element i combines elements 0 to i along `axis`; in reverse, elements i to the last."""

    axis: int
    reverse: bool = False

    def infer(self, x: TensorType) -> TensorType:
        require_axis(self, self.axis, x)
        if x.dtype.category < INTEGER:
            raise DTypeError(f"{type(self).__name__}: not defined for {x}. Fix: cast it to an integer type first.")
        return x

    def accumulated(self, ufunc: np.ufunc, x: Array) -> Array:
        order = np.flip(x, self.axis) if self.reverse else x
        result = ufunc.accumulate(order, axis=self.axis, dtype=x.dtype)
        return np.flip(result, self.axis) if self.reverse else result

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return Example(cls(1), "f32[2,4]"), Example(cls(0, reverse=True), "f32[3,2]"), Example(cls(0), "i64[4]")


class CumSum(_Running):
    """The running sum. As `torch.cumsum`."""

    @at_least(np.float64)
    def reference(self, x: Array) -> Array:
        return self.accumulated(np.add, x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (emit(CumSum(self.axis, not self.reverse), ct),)


class CumProd(_Running):
    """The running product. As `torch.cumprod`."""

    @at_least(np.float64)
    def reference(self, x: Array) -> Array:
        return self.accumulated(np.multiply, x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        # Element i is a factor of each result k >= i, beside the product before i and those between i and k:
        # sum over k of ct[k] x[i+1] ... x[k], which is a recurrence from the end. No division, so zeros are right.
        following = shifted(x, self.axis, not self.reverse, 1)
        between = emit(LinearScan(self.axis, not self.reverse), conj(following), ct)
        return (conj(shifted(out, self.axis, self.reverse, 1)) * between,)


@dataclass(frozen=True)
class LinearScan(Primitive):
    """The linear recurrence y[i] = a[i] y[i - 1] + b[i] along `axis`, y[0] = b[0]; in reverse, from the last element.

    Closed under differentiation: its derivative is the same recurrence the other way.
    """

    axis: int
    reverse: bool = False

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        require_axis(self, self.axis, b)
        if a != b:
            raise ShapeError(f"LinearScan: the factors are {a}, the terms are {b}; they must have one type")
        return b

    @at_least(np.float32)
    def reference(self, a: Array, b: Array) -> Array:
        result = b.copy()
        factors, values = np.moveaxis(a, self.axis, 0), np.moveaxis(result, self.axis, 0)
        if self.reverse:
            factors, values = factors[::-1], values[::-1]
        for i in range(1, len(values)):
            values[i] += factors[i] * values[i - 1]
        return result

    def vjp(self, ct: Node, out: Node, a: Node, b: Node) -> tuple[Node, Node]:
        following = shifted(a, self.axis, not self.reverse, 0)
        of_terms = emit(LinearScan(self.axis, not self.reverse), conj(following), ct)
        return of_terms * conj(shifted(out, self.axis, self.reverse, 0)), of_terms

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return Example(cls(1), "f32[2,4], f32[2,4]"), Example(cls(0, reverse=True), "f32[3,2], f32[3,2]")


def shifted(node: Node, axis: int, reverse: bool, fill: float) -> Node:
    """`node` moved by one along `axis`: element i is the node's i - 1 (in reverse, i + 1), the first one is `fill`."""
    size = node.shape[axis]
    if size == 0:
        return node

    def region(start: int, stop: int) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        starts, stops = [0] * node.rank, list(node.shape)
        starts[axis], stops[axis] = start, stop
        return tuple(starts), tuple(stops), (1,) * node.rank

    head, tail = region(0, size - 1), region(1, size)
    source, target = (tail, head) if reverse else (head, tail)
    return emit(Insert(*target), full_like(node, fill), emit(Slice(*source), node))


@dataclass(frozen=True)
class _RunningIndex(Primitive):
    """Where, along `axis`, the best element so far stands: the last one of equals; nan beats all."""

    axis: int
    differentiable: ClassVar[bool] = False

    def infer(self, x: TensorType) -> TensorType:
        require_axis(self, self.axis, x)
        if x.dtype.category not in ORDERED:
            raise DTypeError(f"{type(self).__name__}: {x} has no order")
        return x.with_dtype(int64)

    def latest(self, ufunc: np.ufunc, x: Array) -> Array:
        best = (x == ufunc.accumulate(x, axis=self.axis)) | np.isnan(x)
        places = np.expand_dims(np.arange(x.shape[self.axis]), tuple(range(1, x.ndim - self.axis)))
        return np.asarray(np.maximum.accumulate(np.where(best, places, 0), axis=self.axis))

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[None]:
        return (None,)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return Example(cls(1), "f32[2,5]"), Example(cls(0), "i64[5]")


class CumArgMax(_RunningIndex):
    """Where the largest element so far stands. As the indices of `torch.cummax`."""

    def reference(self, x: Array) -> Array:
        return self.latest(np.maximum, x)


class CumArgMin(_RunningIndex):
    """Where the smallest element so far stands. As the indices of `torch.cummin`."""

    def reference(self, x: Array) -> Array:
        return self.latest(np.minimum, x)
