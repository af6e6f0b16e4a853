"""Triangular factors by elimination with row exchanges, P L U, which NumPy has and hides."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kadam.dtypes import int32, int64
from kadam.errors import DTypeError, ShapeError
from kadam.ir.builder import emit
from kadam.ir.graph import Node
from kadam.ir.primitive import Array, Example, Primitive
from kadam.ir.types import TensorType
from kadam.primitives.broadcast import stretch
from kadam.primitives.compare import Equal
from kadam.primitives.contract import matmul
from kadam.primitives.elementwise import Cast
from kadam.primitives.factor import part_of
from kadam.primitives.matrix import adjoint, require_matrix, triangle, with_diagonal
from kadam.primitives.move import concat, reshaped, sliced
from kadam.primitives.solve import TriangularSolve
from kadam.primitives.sources import Full, Iota


class Eliminated(Primitive):
    """A part of the elimination of a with row exchanges."""

    def infer(self, a: TensorType) -> TensorType:
        require_matrix(self, a, square=False)
        return self.part(a)

    @abstractmethod
    def part(self, a: TensorType) -> TensorType:
        """The type of the part."""

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls(), "f32[2,3,3]"), Example(cls(), "f32[2,4]"), Example(cls(), "f32[4,2]"))


class Lu(Eliminated):
    """L and U in one matrix: U on and above the diagonal, L below it. As `torch.linalg.lu_factor_ex(a).LU`.

    Source (derivative): of the square part Walter and Lehmann, Algorithmic differentiation of linear algebra functions,
    2010; the rows below and the columns beyond it are linear in it.
    """

    def part(self, a: TensorType) -> TensorType:
        return a

    def reference(self, a: Array) -> Array:
        return part_of("lu", eliminated, a, 0)

    def vjp(self, ct: Node, out: Node, a: Node) -> tuple[Node]:
        rows, columns = a.shape[-2:]
        square, last = min(rows, columns), a.rank - 1
        corner, ct_corner = (_block(node, square, square) for node in (out, ct))
        upper, from_l = triangle(corner, upper=True), triangle(ct_corner, upper=False, strict=True)
        lower = with_diagonal(triangle(corner, upper=False), _ones(corner))
        inner_l, inner_u = matmul(adjoint(lower), from_l), matmul(triangle(ct_corner, upper=True), adjoint(upper))
        beside = below = None
        if columns > rows:
            ct_beside = sliced(ct, last, square, columns)
            inner_l = inner_l - matmul(ct_beside, adjoint(sliced(out, last, square, columns)))
            beside = emit(_BACK_UNIT, adjoint(lower), ct_beside)
        if rows > columns:
            ct_below, l_below = (sliced(node, last - 1, square, rows) for node in (ct, out))
            inner_u = inner_u - matmul(adjoint(l_below), ct_below)
            below = adjoint(emit(_BACK, upper, adjoint(ct_below)))
        inner = triangle(inner_l, upper=False, strict=True) + triangle(inner_u, upper=True)
        result = adjoint(emit(_BACK, upper, adjoint(emit(_BACK_UNIT, adjoint(lower), inner))))
        if beside is not None:
            result = concat((result, beside), last)
        if below is not None:
            result = concat((result, below), last - 1)
        order = emit(RowOrder(rows), emit(LuPivots(), a))
        return (matmul(emit(Cast(a.dtype), row_exchange(order)), result),)


_BACK, _BACK_UNIT = TriangularSolve(upper=True, unit=False), TriangularSolve(upper=True, unit=True)


def _block(node: Node, rows: int, columns: int) -> Node:
    return sliced(sliced(node, node.rank - 2, 0, rows), node.rank - 1, 0, columns)


def _ones(a: Node) -> Node:
    return emit(Full(1, a.shape[:-1], a.dtype))


class LuPivots(Eliminated):
    """The row, counted from 1, with which each row in turn is exchanged. As `torch.linalg.lu_factor_ex(a).pivots`."""

    differentiable: ClassVar[bool] = False

    def part(self, a: TensorType) -> TensorType:
        return TensorType(int32, (*a.shape[:-2], min(a.shape[-2:])))

    def reference(self, a: Array) -> Array:
        return part_of("lu", eliminated, a, 1)

    def vjp(self, ct: Node, out: Node, a: Node) -> tuple[None]:
        return (None,)


class LuInfo(Eliminated):
    """0, or which diagonal element of U is the first that is exactly 0. As `torch.linalg.lu_factor_ex(a).info`."""

    differentiable: ClassVar[bool] = False

    def part(self, a: TensorType) -> TensorType:
        return TensorType(int32, a.shape[:-2])

    def reference(self, a: Array) -> Array:
        return part_of("lu", eliminated, a, 2)

    def vjp(self, ct: Node, out: Node, a: Node) -> tuple[None]:
        return (None,)


@dataclass(frozen=True)
class RowOrder(Primitive):
    """Which row of a comes to stand in each row of L U, given the pivots: (P^T a)[i] = a[order[i]]."""

    rows: int
    differentiable: ClassVar[bool] = False

    def infer(self, pivots: TensorType) -> TensorType:
        if pivots.dtype is not int32:
            raise DTypeError(f"RowOrder: the pivots are {pivots}; they must be int32")
        if not pivots.rank or pivots.shape[-1] > self.rows:
            raise ShapeError(f"RowOrder: {pivots} are no pivots of {self.rows} rows")
        return TensorType(int64, (*pivots.shape[:-1], self.rows))

    def reference(self, pivots: Array) -> Array:
        order = np.broadcast_to(np.arange(self.rows), (*pivots.shape[:-1], self.rows)).copy()
        for row in range(pivots.shape[-1]):
            other = pivots[..., row, None].astype(np.int64) - 1
            moved = np.take_along_axis(order, other, -1)
            np.put_along_axis(order, other, order[..., row, None].copy(), -1)
            order[..., row] = moved[..., 0]
        return order

    def vjp(self, ct: Node, out: Node, pivots: Node) -> tuple[None]:
        return (None,)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls(4), "i32[2,3]", integers=(1, 5)), Example(cls(3), "i32[3]", integers=(1, 4)))


def row_exchange(order: Node) -> Node:
    """The matrix P of a = P L U, of truth values, for an order of rows."""
    rows = order.shape[-1]
    shape = (*order.shape, rows)
    columns = stretch(reshaped(order, (*order.shape[:-1], 1, rows)), shape)
    return emit(Equal(), emit(Iota(shape, len(shape) - 2, int64)), columns)


def eliminated(a: Array) -> tuple[Array, ...]:
    """L and U in one matrix, the pivots, and the info, column by column.

    Source: Golub and Van Loan, Matrix computations, 4th ed., algorithm 3.4.1.
    """
    *batch, rows, columns = a.shape
    steps, many = min(rows, columns), np.arange(math.prod(batch))
    work = a.reshape(len(many), rows, columns).copy()
    pivots, info = np.zeros((len(many), steps), np.int32), np.zeros(len(many), np.int32)
    for step in range(steps):
        place = step + size_of_pivot(work[:, step:, step]).argmax(1) if len(many) else many
        pivots[:, step] = place + 1
        work[many, step], work[many, place] = work[many, place], work[many, step].copy()
        pivot = work[:, step, step]
        info[(pivot == 0) & (info == 0)] = step + 1
        below = work[:, step + 1 :, step] / np.where(pivot == 0, 1, pivot)[:, None]
        work[:, step + 1 :, step] = below
        work[:, step + 1 :, step + 1 :] -= below[:, :, None] * work[:, step, None, step + 1 :]
    return work.reshape(a.shape), pivots.reshape(*batch, steps), info.reshape(tuple(batch))


def size_of_pivot(x: Array) -> Array:
    """How LAPACK weighs pivots."""
    return np.abs(x.real) + np.abs(x.imag) if x.dtype.kind == "c" else np.abs(x)
