"""Matrices as products of simpler ones. A node has one output: each part of a factorisation is a primitive of its own.

Signs and phases are those that LAPACK gives, as in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kadam.dtypes import COMPLEX, int32
from kadam.errors import GradientError, ShapeError
from kadam.ir.builder import emit
from kadam.ir.graph import Node
from kadam.ir.primitive import Array, Example, Primitive
from kadam.ir.types import TensorType
from kadam.primitives.complex import Imag, MakeComplex
from kadam.primitives.contract import matmul
from kadam.primitives.elementwise import PARTS, WHOLES, conj
from kadam.primitives.matrix import (
    adjoint,
    as_dtype_of,
    diagonal,
    differences,
    halved_diagonal,
    require_matrix,
    scaled_columns,
    scaled_rows,
    triangle,
    with_diagonal,
)
from kadam.primitives.move import concat, sliced
from kadam.primitives.solve import Solve, TriangularSolve, solvable
from kadam.primitives.sources import full_like

# The latest factorisation of each kind, for the nodes that read its other parts. It is found by the matrix's values,
# not by its identity: an array may be written to between two steps.
_latest: dict[object, tuple[Array, tuple[Array, ...]]] = {}


def part_of(kind: object, factorise: Callable[[Array], tuple[Array, ...]], a: Array, part: int) -> Array:
    """One part of a factorisation, which is made once for all the parts that are asked for in a row."""
    known = _latest.get(kind)
    if known is None or known[0].dtype != a.dtype or not np.array_equal(known[0], a):
        known = _latest[kind] = (a.copy(), factorise(a))
    return known[1][part].copy()


_UNSOLVED = "see whether the matrix has inf or nan"


@dataclass(frozen=True)
class Cholesky(Primitive):
    """The lower triangular l with l l^H = a, of positive definite a, of which the lower triangle is read.

    As `torch.linalg.cholesky`; with `checked` off, as `cholesky_ex`: what is not positive definite is left unfinished.

    Raises at run time:
        LinAlgError: a matrix is not positive definite (and `checked` is on).
    Source: Murray, Differentiation of the Cholesky decomposition, 2016.
    """

    checked: bool = True

    def infer(self, a: TensorType) -> TensorType:
        require_matrix(self, a)
        return a

    def reference(self, a: Array) -> Array:
        if not self.checked:
            return part_of("cholesky", _cholesky_as_far_as_it_goes, a, 0)
        verdict = "linalg.cholesky: The factorization could not be completed because the input is not positive-definite"
        with solvable(verdict):
            return np.linalg.cholesky(a)

    def vjp(self, ct: Node, out: Node, a: Node) -> tuple[Node]:
        inner = halved_diagonal(triangle(matmul(adjoint(out), ct), upper=False))
        back = TriangularSolve(upper=True, unit=False)
        outer = emit(back, adjoint(out), adjoint(emit(back, adjoint(out), inner + adjoint(inner))))
        return (outer * 0.5,)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls(), "f32[3,1,1]", low=0.5), Example(cls(checked=False), "f32[3,1,1]", low=0.5))


class CholeskyInfo(Primitive):
    """0, or the order of the first leading minor that is not positive. As `torch.linalg.cholesky_ex(a).info`."""

    differentiable: ClassVar[bool] = False

    def infer(self, a: TensorType) -> TensorType:
        require_matrix(self, a)
        return TensorType(int32, a.shape[:-2])

    def reference(self, a: Array) -> Array:
        return part_of("cholesky", _cholesky_as_far_as_it_goes, a, 1)

    def vjp(self, ct: Node, out: Node, a: Node) -> tuple[None]:
        return (None,)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls(), "f32[4,2,2]"),)


def _cholesky_as_far_as_it_goes(a: Array) -> tuple[Array, ...]:
    """Column by column; a matrix is left alone from the first pivot on that is not positive."""
    lower, info = np.tril(a), np.zeros(a.shape[:-2], np.int32)
    for column in range(a.shape[-1]):
        pivot = lower[..., column, column].real
        info[~(pivot > 0) & (info == 0)] = column + 1
        going = info == 0
        root = np.sqrt(np.where(going, pivot, 1))
        below = lower[..., column + 1 :, column] / root[..., None]
        rest = np.tril(below[..., :, None] * below[..., None, :].conj())
        lower[..., column + 1 :, column + 1 :] -= np.where(going[..., None, None], rest, 0)
        lower[..., column + 1 :, column] = np.where(going[..., None], below, lower[..., column + 1 :, column])
        lower[..., column, column] = np.where(going, root, lower[..., column, column])
    return lower, info


@dataclass(frozen=True)
class Eigh(Primitive):
    """The "values" (real, ascending) or the "vectors" of a Hermitian a, of which the lower triangle is read.

    As `torch.linalg.eigh`. The derivative of the vectors needs different values.
    """

    part: str

    def infer(self, a: TensorType) -> TensorType:
        require_matrix(self, a)
        if self.part == "vectors":
            return a
        return TensorType(PARTS.get(a.dtype, a.dtype), a.shape[:-1])

    def reference(self, a: Array) -> Array:
        with solvable("linalg.eigh: The algorithm failed to converge", _UNSOLVED):
            return part_of("eigh", np.linalg.eigh, a, ("values", "vectors").index(self.part))

    def vjp(self, ct: Node, out: Node, a: Node) -> tuple[Node]:
        if self.part == "values":
            vectors = emit(Eigh("vectors"), a)
            return (matmul(scaled_columns(vectors, ct), adjoint(vectors)),)
        turned, gaps = matmul(adjoint(out), ct), differences(emit(Eigh("values"), a), a.shape)
        inner = with_diagonal(turned / as_dtype_of(a, gaps), full_like(diagonal(turned), 0))
        return (matmul(matmul(out, (inner + adjoint(inner)) * 0.5), adjoint(out)),)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls("values"), "f32[3,1,1]"), Example(cls("vectors"), "f32[3,1,1]"))


@dataclass(frozen=True)
class Eig(Primitive):
    """The "values" or the "vectors" (of length 1) of square a, complex. As `torch.linalg.eig`."""

    part: str

    def infer(self, a: TensorType) -> TensorType:
        require_matrix(self, a)
        return TensorType(WHOLES.get(a.dtype, a.dtype), a.shape if self.part == "vectors" else a.shape[:-1])

    def reference(self, a: Array) -> Array:
        with solvable("linalg.eig: The algorithm failed to converge", _UNSOLVED):
            return part_of("eig", _complex_eig, a, ("values", "vectors").index(self.part))

    def vjp(self, ct: Node, out: Node, a: Node) -> tuple[Node]:
        if self.part == "values":
            vectors = emit(Eig("vectors"), a)
            inner = scaled_rows(adjoint(vectors), ct)
        else:
            vectors, turned = out, matmul(adjoint(out), ct)
            real = conj(diagonal(turned)) * 0.5 + diagonal(turned) * 0.5  # the length stays 1
            turned = turned - scaled_columns(matmul(adjoint(out), out), real)
            gaps = conj(differences(emit(Eig("values"), a), a.shape))
            inner = matmul(with_diagonal(turned / gaps, full_like(diagonal(turned), 0)), adjoint(out))
        return (as_dtype_of(a, emit(Solve(), adjoint(vectors), inner)),)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls("values"), "f32[3,1,1]"), Example(cls("vectors"), "f32[3,1,1]"))


def _complex_eig(a: Array) -> tuple[Array, ...]:
    return tuple(part.astype(np.result_type(a.dtype, np.complex64), copy=False) for part in np.linalg.eig(a))


@dataclass(frozen=True)
class Svd(Primitive):
    """One part of a = u diag(s) vh: "u", "s" (real, descending) or "vh". As `torch.linalg.svd`.

    With `full`, u and vh are square; the vectors beyond the rank are not determined by a, and have no derivative.

    Source: Townsend, Differentiating the singular value decomposition, 2016.
    """

    part: str
    full: bool = False

    def infer(self, a: TensorType) -> TensorType:
        require_matrix(self, a, square=False)
        rows, columns = a.shape[-2:]
        rank = min(rows, columns)
        if self.part == "s":
            return TensorType(PARTS.get(a.dtype, a.dtype), (*a.shape[:-2], rank))
        shape = (rows, rows if self.full else rank) if self.part == "u" else (columns if self.full else rank, columns)
        return a.with_shape((*a.shape[:-2], *shape))

    def reference(self, a: Array) -> Array:
        with solvable("linalg.svd: The algorithm failed to converge", _UNSOLVED):
            return part_of(("svd", self.full), self._factorise, a, ("u", "s", "vh").index(self.part))

    def _factorise(self, a: Array) -> tuple[Array, ...]:
        return tuple(np.linalg.svd(a, full_matrices=self.full))

    def vjp(self, ct: Node, out: Node, a: Node) -> tuple[Node]:
        u, s, vh = (emit(Svd(part), a) for part in ("u", "s", "vh"))
        if self.part == "u":
            ct = sliced(ct, ct.rank - 1, 0, s.shape[-1])
        elif self.part == "vh":
            ct = sliced(ct, ct.rank - 2, 0, s.shape[-1])
        if self.part == "s":
            return (matmul(scaled_columns(u, ct), vh),)
        if self.part == "u":
            return (_from_left(ct, u, s, vh),)
        return (adjoint(_from_left(adjoint(ct), adjoint(vh), s, adjoint(u), turn=False)),)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls("s"), "f32[2,3,2]"),
            Example(cls("u"), "f32[3,1]", low=0.5),
            Example(cls("vh"), "f32[2,1,3]", low=0.5),
            Example(cls("s", full=True), "f32[2,3]"),
        )


@dataclass(frozen=True)
class PseudoInverse(Primitive):
    """The pseudo-inverse of a whose singular values up to a limit count as 0. As `torch.linalg.pinv`.

    Shapes: a [*batch, m, n], limit [*batch] -> [*batch, n, m]

    With `hermitian`, a is Hermitian, and only its lower triangle is read.

    Source (derivative, where the rank stays): Golub and Pereyra, The differentiation of pseudo-inverses and nonlinear
    least squares problems whose variables separate, 1973.
    """

    hermitian: bool = False

    def infer(self, a: TensorType, limit: TensorType) -> TensorType:
        require_matrix(self, a, square=False)
        expected = TensorType(PARTS.get(a.dtype, a.dtype), a.shape[:-2])
        if limit != expected:
            raise ShapeError(f"PseudoInverse: the limits of {a} are {limit}; they must be {expected}")
        return a.with_shape((*a.shape[:-2], a.shape[-1], a.shape[-2]))

    def reference(self, a: Array, limit: Array) -> Array:
        if self.hermitian:
            s, u = (Eigh(part).reference(a) for part in ("values", "vectors"))
            vh = np.swapaxes(u.conj(), -1, -2)
        else:
            u, s, vh = (Svd(part).reference(a) for part in ("u", "s", "vh"))
        kept = np.abs(s) > limit[..., None]
        inverse = np.where(kept, 1 / np.where(kept, s, 1), 0)[..., None, :].astype(s.dtype)
        return np.asarray(np.matmul(np.swapaxes(vh.conj(), -1, -2) * inverse, np.swapaxes(u.conj(), -1, -2)))

    def vjp(self, ct: Node, out: Node, a: Node, limit: Node) -> tuple[Node, None]:
        back, turned = adjoint(out), adjoint(ct)
        from_columns, from_rows = matmul(turned, matmul(out, back)), matmul(matmul(back, out), turned)
        result = from_columns - matmul(a, matmul(out, from_columns))
        result = result + from_rows - matmul(matmul(from_rows, out), a)
        return result - matmul(back, matmul(ct, back)), None

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls(), "f32[2,3,1], f32[2]", low=0.5, high=0.9),
            Example(cls(), "f32[1,3], f32[]", low=0.4, high=0.5),
            Example(cls(hermitian=True), "f32[3,1,1], f32[3]", low=0.5, high=0.9),
        )


def _from_left(ct: Node, u: Node, s: Node, vh: Node, turn: bool = True) -> Node:
    """The cotangent of u diag(s) vh, given that of u; `turn` assigns to u the phases that u and vh share."""
    turned = matmul(adjoint(u), ct)
    gaps = differences(s * s, turned.shape)
    inner = with_diagonal((turned - adjoint(turned)) / as_dtype_of(u, gaps), full_like(diagonal(turned), 0))
    inner = scaled_columns(inner, s)
    if turn and u.dtype.category == COMPLEX:
        angle = emit(Imag(), diagonal(turned)) / s
        inner = with_diagonal(inner, emit(MakeComplex(), full_like(angle, 0), angle))
    result = matmul(u, inner)
    if u.shape[-2] > u.shape[-1]:
        result = result + scaled_columns(ct - matmul(u, turned), 1 / s)
    return matmul(result, vh)


@dataclass(frozen=True)
class Qr(Primitive):
    """One part of a = q r, q with orthonormal columns, r upper triangular. As `torch.linalg.qr`.

    With `complete`, q is square; then it has no derivative if a has more rows than columns.

    Source: Liao, Liu, Wang, Xiang, Differentiable programming tensor networks, 2019.
    """

    part: str
    complete: bool = False

    def infer(self, a: TensorType) -> TensorType:
        require_matrix(self, a, square=False)
        rows, columns = a.shape[-2:]
        inner = rows if self.complete else min(rows, columns)
        return a.with_shape((*a.shape[:-2], *((rows, inner) if self.part == "q" else (inner, columns))))

    def reference(self, a: Array) -> Array:
        return part_of(("qr", self.complete), self._factorise, a, ("q", "r").index(self.part))

    def _factorise(self, a: Array) -> tuple[Array, ...]:
        return tuple(np.linalg.qr(a, "complete" if self.complete else "reduced"))

    def vjp(self, ct: Node, out: Node, a: Node) -> tuple[Node]:
        rows, columns = a.shape[-2:]
        if self.complete and rows > columns:
            raise GradientError(
                "The QR decomposition is not differentiable when mode='complete' and nrows > ncols. "
                "Fix: mode='reduced'."
            )
        q, r = emit(Qr("q"), a), emit(Qr("r"), a)
        last, square = a.rank - 1, min(rows, columns)
        ct_q, ct_r = (ct, full_like(r, 0)) if self.part == "q" else (full_like(q, 0), ct)
        ct_left, ct_right = sliced(ct_r, last, 0, square), sliced(ct_r, last, square, columns)
        if columns > rows:
            # The columns beyond the square are q times theirs of r: they pull at q, and at themselves.
            ct_q = ct_q + matmul(sliced(a, last, square, columns), adjoint(ct_right))
        from_square = _from_qr(ct_q, ct_left, q, sliced(r, last, 0, square))
        return (concat((from_square, matmul(q, ct_right)), last) if columns > rows else from_square,)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls("q"), "f32[3,1]", low=0.5),
            Example(cls("r"), "f32[2,3,1]", low=0.5),
            Example(cls("r", complete=True), "f32[1,3]", low=0.5),
        )


@dataclass(frozen=True)
class Reflections(Primitive):
    """The "vectors" (below the diagonal; r on and above it) or the "factors" of the reflections that make up q.

    As `torch.geqrf`, without a derivative, as there.
    """

    part: str
    differentiable: ClassVar[bool] = False

    def infer(self, a: TensorType) -> TensorType:
        require_matrix(self, a, square=False)
        return a if self.part == "vectors" else a.with_shape((*a.shape[:-2], min(a.shape[-2:])))

    def reference(self, a: Array) -> Array:
        return part_of("geqrf", self._factorise, a, ("vectors", "factors").index(self.part))

    def _factorise(self, a: Array) -> tuple[Array, ...]:
        if a.size == 0:
            return a, np.zeros((*a.shape[:-2], min(a.shape[-2:])), a.dtype)
        turned, factors = np.linalg.qr(a, "raw")
        return np.swapaxes(turned, -1, -2).astype(a.dtype), factors.astype(a.dtype)

    def vjp(self, ct: Node, out: Node, a: Node) -> tuple[None]:
        return (None,)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls("vectors"), "f32[2,4,3]"), Example(cls("factors"), "f32[3,4]"))


def _from_qr(ct_q: Node, ct_r: Node, q: Node, r: Node) -> Node:
    """The cotangent of q r, r square, given those of its parts."""
    upper = triangle(matmul(ct_r, adjoint(r)) - matmul(adjoint(q), ct_q), upper=True)
    result = ct_q + matmul(q, halved_diagonal(upper + adjoint(upper)))
    return adjoint(emit(TriangularSolve(upper=True, unit=False), r, adjoint(result)))
