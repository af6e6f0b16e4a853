"""Products summed over shared axes: matrix products in all their layouts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from kadam.dtypes import BOOL
from kadam.errors import DTypeError, ShapeError
from kadam.ir.builder import emit
from kadam.ir.graph import Node
from kadam.ir.lowering import Element, Emitter, Reader
from kadam.ir.place import Index as At
from kadam.ir.place import Place
from kadam.ir.primitive import Array, Example, Primitive
from kadam.ir.types import TensorType
from kadam.primitives.elementwise import Mul, conj
from kadam.primitives.move import permuted
from kadam.primitives.precision import at_least
from kadam.shapes import Shape, count


@dataclass(frozen=True)
class Dot(Primitive):
    """The sum over `a_axes` of `a` times `b_axes` of `b`, pair by pair, for each index of the batch axes.

    The result's axes: the batch axes, then what is left of `a`, then what is left of `b`, each in order. Half
    precision is summed in single precision. As `torch.tensordot`, with batch axes.
    """

    a_batch: tuple[int, ...]
    b_batch: tuple[int, ...]
    a_axes: tuple[int, ...]
    b_axes: tuple[int, ...]

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        if a.dtype is not b.dtype or a.dtype.category == BOOL:
            raise DTypeError(f"Dot: cannot multiply {a} by {b}: both must be of one numeric type. Fix: cast first.")
        for pairs, role in (((self.a_batch, self.b_batch), "batch"), ((self.a_axes, self.b_axes), "summed")):
            for one, other in zip(*pairs, strict=True):
                if a.shape[one] != b.shape[other]:
                    raise ShapeError(
                        f"Dot: cannot multiply {a} by {b}: {role} axis {one} of a has size {a.shape[one]}, "
                        f"axis {other} of b has size {b.shape[other]}"
                    )
        batch = tuple(a.shape[axis] for axis in self.a_batch)
        a_free, b_free = self.free(a.rank, b.rank)
        return a.with_shape((*batch, *(a.shape[axis] for axis in a_free), *(b.shape[axis] for axis in b_free)))

    def free(self, a_rank: int, b_rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The axes of each operand that are neither batch axes nor summed."""
        return _others(a_rank, self.a_batch + self.a_axes), _others(b_rank, self.b_batch + self.b_axes)

    @at_least(np.float32)
    def reference(self, a: Array, b: Array) -> Array:
        a_free, b_free = self.free(a.ndim, b.ndim)
        shape = (
            *(a.shape[axis] for axis in self.a_batch + a_free),
            *(b.shape[axis] for axis in b_free),
        )
        left = _matrices(a, self.a_batch, a_free, self.a_axes)
        right = _matrices(b, self.b_batch, self.b_axes, b_free)
        product: Array = np.matmul(left, right)
        return product.reshape(shape)

    def vjp(self, ct: Node, out: Node, a: Node, b: Node) -> tuple[Node, Node]:
        a_free, b_free = self.free(a.rank, b.rank)
        batches, a_frees = len(self.a_batch), len(a_free)
        ct_batch = tuple(range(batches))
        ct_a = tuple(range(batches, batches + a_frees))
        ct_b = tuple(range(batches + a_frees, ct.rank))
        # Each product leaves batch, free and summed axes; those of the summed stand in the other operand's order.
        for_a = emit(Dot(ct_batch, self.b_batch, ct_b, b_free), ct, conj(b))
        for_b = emit(Dot(ct_batch, self.a_batch, ct_a, a_free), ct, conj(a))
        a_summed = tuple(one for _, one in sorted(zip(self.b_axes, self.a_axes, strict=True)))
        b_summed = tuple(other for _, other in sorted(zip(self.a_axes, self.b_axes, strict=True)))
        return _placed(for_a, self.a_batch + a_free + a_summed), _placed(for_b, self.b_batch + b_free + b_summed)

    def lower(self, e: Emitter, at: At, a: Reader, b: Reader) -> Element:
        a_free, b_free = self.free(len(a.shape), len(b.shape))
        batch, rows = at[: len(self.a_batch)], at[len(self.a_batch) : len(self.a_batch) + len(a_free)]
        columns = at[len(batch) + len(rows) :]

        def product(over: At) -> Element:
            own = dict(zip(self.a_batch + a_free + self.a_axes, batch + rows + over, strict=True))
            others = dict(zip(self.b_batch + b_free + self.b_axes, batch + columns + over, strict=True))
            return e.apply(Mul(), a(_in_order(own)), b(_in_order(others)))

        return e.reduce("sum", [a.shape[axis] for axis in self.a_axes], product, a.dtype)

    def formula(self, arity: int) -> str:
        turned = len(self.b_axes) == 1 and self.b_axes[0] > len(self.b_batch)
        return "{0} @ {1}ᵀ" if turned else "{0} @ {1}"

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls((), (), (1,), (0,)), "f32[2,3], f32[3,4]"),
            Example(cls((), (), (2,), (1,)), "f32[2,2,3], f32[4,3]"),
            Example(cls((0,), (0,), (2,), (1,)), "f32[2,3,2], f32[2,2,3]"),
            Example(cls((1,), (2,), (2, 0), (0, 1)), "f32[2,3,2], f32[2,2,3,2]"),
            Example(cls((), (), (), ()), "f32[2], f32[3]"),
            Example(cls((), (), (0,), (0,)), "i64[4], i64[4]"),
            Example(cls((), (), (1,), (0,)), "f32[2,0], f32[0,3]"),
        )


def _in_order(places: dict[int, Place]) -> At:
    return tuple(places[axis] for axis in sorted(places))


def _others(rank: int, axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(axis for axis in range(rank) if axis not in axes)


def _matrices(x: Array, batch: tuple[int, ...], rows: tuple[int, ...], columns: tuple[int, ...]) -> Array:
    """`x` as matrices [*batch, rows, columns] that BLAS can read: their rows or their columns are contiguous."""
    sizes = x.shape
    x = x.transpose(batch + rows + columns)
    x = x.reshape((*(sizes[axis] for axis in batch), _size(sizes, rows), _size(sizes, columns)))
    return x if x.itemsize in x.strides[-2:] else np.ascontiguousarray(x)


def _size(sizes: Shape, axes: tuple[int, ...]) -> int:
    return count([sizes[axis] for axis in axes])


def _placed(node: Node, axes: tuple[int, ...]) -> Node:
    """`node` with its axis i moved to place `axes[i]`."""
    return permuted(node, tuple(sorted(range(len(axes)), key=axes.__getitem__)))


def matmul(a: Node, b: Node) -> Node:
    """The matrix products of `a[*batch, m, k]` and `b[*batch, k, n]`."""
    batch = tuple(range(a.rank - 2))
    return emit(Dot(batch, batch, (a.rank - 1,), (a.rank - 2,)), a, b)
