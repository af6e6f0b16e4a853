"""The symmetric factors P L D L^H P^T of matrices that need not be definite, which NumPy lacks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kadam.dtypes import int32
from kadam.errors import DTypeError
from kadam.ir.graph import Node
from kadam.ir.primitive import Array, Example, Primitive
from kadam.ir.types import TensorType
from kadam.primitives.factor import part_of
from kadam.primitives.lu import size_of_pivot
from kadam.primitives.matrix import require_equations, require_matrix


@dataclass(frozen=True)
class Ldl(Primitive):
    """The "ld" or the "pivots" (or the "info") of a symmetric, or Hermitian, a = P L D L^T P^T, by its lower triangle.

    As `torch.linalg.ldl_factor_ex`, which has no derivative either.

    Source: Bunch and Kaufman, Some stable methods for calculating inertia and solving symmetric linear systems, 1977;
    the packing is that of LAPACK's sytrf.
    """

    part: str
    hermitian: bool = False
    differentiable: ClassVar[bool] = False

    def infer(self, a: TensorType) -> TensorType:
        require_matrix(self, a)
        if self.part == "ld":
            return a
        return TensorType(int32, a.shape[:-1] if self.part == "pivots" else a.shape[:-2])

    def reference(self, a: Array) -> Array:
        return part_of(("ldl", self.hermitian), self._factorise, a, ("ld", "pivots", "info").index(self.part))

    def _factorise(self, a: Array) -> tuple[Array, ...]:
        ld, pivots = np.tril(a), np.zeros(a.shape[:-1], np.int32)
        info = np.zeros(a.shape[:-2], np.int32)
        for place in np.ndindex(*a.shape[:-2]):
            info[place] = _symmetric_elimination(ld[place], pivots[place], self.hermitian and a.dtype.kind == "c")
        return ld, pivots, info

    def vjp(self, ct: Node, out: Node, a: Node) -> tuple[None]:
        return (None,)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return tuple(Example(cls(part), "f32[2,4,4]") for part in ("ld", "pivots", "info"))


_GROWTH = (1 + math.sqrt(17)) / 8  # the bound that keeps both kinds of steps equally stable


def _symmetric_elimination(a: Array, pivots: Array, hermitian: bool) -> int:
    """Factorise one matrix in its lower triangle; returns the info."""
    info, step, size = 0, 0, len(a)
    while step < size:
        width, other = _pivot_block(a, step)
        if width == 0:
            info, width, pivots[step] = info or step + 1, 1, step + 1
        else:
            front = step + width - 1
            _exchange(a, front, other, step, hermitian)
            pivots[step : step + width] = other + 1 if width == 1 else -(other + 1)
            _eliminate(a, step, width, hermitian)
        step += width
    return info


def _pivot_block(a: Array, step: int) -> tuple[int, int]:
    """How wide the next pivot is (0: the column is zero), and which row takes part in it."""
    own, below = float(size_of_pivot(a[step, step])), size_of_pivot(a[step + 1 :, step])
    row = step + 1 + int(below.argmax()) if len(below) else step
    largest = float(below.max(initial=0.0))
    if max(own, largest) == 0:
        return 0, step
    if own >= _GROWTH * largest:
        return 1, step
    across = float(size_of_pivot(np.concatenate((a[row, step:row], a[row + 1 :, row]))).max())
    if own >= _GROWTH * largest * (largest / across):
        return 1, step
    if float(size_of_pivot(a[row, row])) >= _GROWTH * across:
        return 1, row
    return 2, row


def _exchange(a: Array, front: int, other: int, step: int, hermitian: bool) -> None:
    """Exchange two rows and columns of a symmetric matrix in its lower triangle, from column `step` on."""
    if front == other:
        return
    low, high = front, other
    between = slice(low + 1, high)
    a[[low, high], step:low] = a[[high, low], step:low]
    a[high + 1 :, [low, high]] = a[high + 1 :, [high, low]]
    column, row = a[between, low].copy(), a[high, between].copy()
    a[between, low], a[high, between] = (row.conj(), column.conj()) if hermitian else (row, column)
    if hermitian:
        a[high, low] = a[high, low].conj()
    a[low, low], a[high, high] = a[high, high], a[low, low]


def _eliminate(a: Array, step: int, width: int, hermitian: bool) -> None:
    """Subtract what a pivot block explains of the rest, and leave the factors in its columns."""
    end = step + width
    block = a[step:end, step:end].copy()
    if hermitian:
        np.fill_diagonal(block, block.diagonal().real)
        np.fill_diagonal(a[step:end, step:end], block.diagonal())
    if width == 2:
        block[0, 1] = block[1, 0].conj() if hermitian else block[1, 0]
    columns = a[end:, step:end].copy()
    factors = np.linalg.solve(block.T, columns.T).T
    explained = factors @ (columns.conj() if hermitian else columns).T
    rest = a[end:, end:]
    rest -= np.tril(explained)
    a[end:, step:end] = factors


@dataclass(frozen=True)
class LdlSolve(Primitive):
    """The matrices x for which a x = b, given the "ld" and the "pivots" of a. As `torch.linalg.ldl_solve`."""

    hermitian: bool = False
    differentiable: ClassVar[bool] = False

    def infer(self, ld: TensorType, pivots: TensorType, b: TensorType) -> TensorType:
        require_equations(self, ld, b)
        if pivots != TensorType(int32, ld.shape[:-1]):
            raise DTypeError(f"LdlSolve: {pivots} are no pivots of {ld}")
        return b

    def reference(self, ld: Array, pivots: Array, b: Array) -> Array:
        x = b.copy()
        with np.errstate(all="ignore"):
            for place in np.ndindex(*ld.shape[:-2]):
                _substitute(ld[place], pivots[place], x[place], self.hermitian and ld.dtype.kind == "c")
        return x

    def vjp(self, ct: Node, out: Node, ld: Node, pivots: Node, b: Node) -> tuple[None, None, None]:
        return None, None, None

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls(), "f32[2,3,3], i32[2,3], f32[2,3,2]", low=0.5, integers=(3, 4)),)


def _blocks(pivots: Array) -> Iterator[tuple[int, int, int]]:
    """Where each pivot block begins, where it ends, and the row that its last row was exchanged with."""
    step = 0
    while step < len(pivots):
        end = step + (1 if pivots[step] > 0 else 2)
        yield step, end, abs(int(pivots[step])) - 1
        step = end


def _substitute(ld: Array, pivots: Array, x: Array, hermitian: bool) -> None:
    """Turn the right sides of one matrix into the solutions."""
    for step, end, other in _blocks(pivots):
        x[[end - 1, other]] = x[[other, end - 1]]
        x[end:] -= ld[end:, step:end] @ x[step:end]
        block = np.tril(ld[step:end, step:end])
        block = block + (np.tril(block, -1).conj() if hermitian else np.tril(block, -1)).T
        x[step:end] = x[step:end] / block if end == step + 1 else np.linalg.solve(block, x[step:end])
    for step, end, other in reversed([*_blocks(pivots)]):
        factors = ld[end:, step:end]
        x[step:end] -= (factors.conj() if hermitian else factors).T @ x[end:]
        x[[end - 1, other]] = x[[other, end - 1]]
