"""Matrices as products of simpler ones. A node has one output: each part of a factorisation is a primitive of its own.

Signs and phases are those that LAPACK gives, as in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from kadam.dtypes import COMPLEX
from kadam.errors import GradientError
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


def _part(kind: object, factorise: Callable[[Array], tuple[Array, ...]], a: Array, part: int) -> Array:
    known = _latest.get(kind)
    if known is None or known[0].dtype != a.dtype or not np.array_equal(known[0], a):
        known = _latest[kind] = (a.copy(), factorise(a))
    return known[1][part].copy()


_UNSOLVED = "see whether the matrix has inf or nan"


class Cholesky(Primitive):
    """The lower triangular l with l l^H = a, of positive definite a, of which the lower triangle is read.

    As `torch.linalg.cholesky`.

    Raises at run time:
        LinAlgError: a matrix is not positive definite.
    Source: Murray, Differentiation of the Cholesky decomposition, 2016.
    """

    def infer(self, a: TensorType) -> TensorType:
        require_matrix(self, a)
        return a

    def reference(self, a: Array) -> Array:
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
        return (Example(cls(), "f32[3,1,1]", low=0.5),)


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
            return _part("eigh", np.linalg.eigh, a, ("values", "vectors").index(self.part))

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
            return _part("eig", _complex_eig, a, ("values", "vectors").index(self.part))

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

    With `full`, u and vh are square; then they have no derivative unless a is square too.

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
            return _part(("svd", self.full), self._factorise, a, ("u", "s", "vh").index(self.part))

    def _factorise(self, a: Array) -> tuple[Array, ...]:
        return tuple(np.linalg.svd(a, full_matrices=self.full))

    def vjp(self, ct: Node, out: Node, a: Node) -> tuple[Node]:
        if self.part != "s" and self.full and a.shape[-1] != a.shape[-2]:
            raise GradientError(
                "linalg.svd: the singular vectors of full_matrices=True are not determined by the matrix and have no "
                "derivative. Fix: full_matrices=False."
            )
        u, s, vh = (emit(Svd(part), a) for part in ("u", "s", "vh"))
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
        return _part(("qr", self.complete), self._factorise, a, ("q", "r").index(self.part))

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


def _from_qr(ct_q: Node, ct_r: Node, q: Node, r: Node) -> Node:
    """The cotangent of q r, r square, given those of its parts."""
    upper = triangle(matmul(ct_r, adjoint(r)) - matmul(adjoint(q), ct_q), upper=True)
    result = ct_q + matmul(q, halved_diagonal(upper + adjoint(upper)))
    return adjoint(emit(TriangularSolve(upper=True, unit=False), r, adjoint(result)))
