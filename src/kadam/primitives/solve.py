"""Linear equations: solutions, inverses, determinants, and the matrix exponential."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import numpy as np

from kadam.dtypes import COMPLEX, bool_
from kadam.errors import LinAlgError
from kadam.ir.builder import emit
from kadam.ir.graph import Node
from kadam.ir.primitive import Array, Example, Primitive
from kadam.ir.types import TensorType
from kadam.primitives.broadcast import stretch
from kadam.primitives.contract import matmul
from kadam.primitives.elementwise import PARTS, Cast, conj, where
from kadam.primitives.matrix import adjoint, as_dtype_of, require_equations, require_matrix, triangle
from kadam.primitives.move import concat, reshaped, sliced
from kadam.primitives.sources import full_like


@contextmanager
def solvable(
    verdict: str, fix: str = "add a small multiple of the identity, A + 1e-6 * torch.eye(n)"
) -> Iterator[None]:
    """Raise LinAlgError with this verdict where LAPACK finds none."""
    try:
        yield
    except np.linalg.LinAlgError as error:
        raise LinAlgError(f"{verdict} ({error}). Fix: {fix}.") from None


def _one_by_one(function: Callable[..., Array], *stacks: Array) -> Array:
    """A function of stacks of matrices, with nan for those of which it has no result."""
    try:
        return np.asarray(function(*stacks))
    except np.linalg.LinAlgError:
        result = np.full(stacks[-1].shape, np.nan, stacks[-1].dtype)
        for place in np.ndindex(*stacks[0].shape[:-2]):
            with suppress(np.linalg.LinAlgError):
                result[place] = function(*[stack[place] for stack in stacks])
        return result


@dataclass(frozen=True)
class Inverse(Primitive):
    """The inverse of square matrices. As `torch.linalg.inv`; with `checked` off, nan of singular ones.

    Raises at run time:
        LinAlgError: a matrix is singular (and `checked` is on).
    """

    checked: bool = True

    def infer(self, a: TensorType) -> TensorType:
        require_matrix(self, a)
        return a

    def reference(self, a: Array) -> Array:
        if not self.checked:
            return _one_by_one(np.linalg.inv, a)
        with solvable("linalg.inv: the inversion could not be completed because the input matrix is singular"):
            return np.linalg.inv(a)

    def vjp(self, ct: Node, out: Node, a: Node) -> tuple[Node]:
        back = adjoint(out)
        return (-matmul(back, matmul(ct, back)),)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls(), "f32[3,1,1]", low=0.5), Example(cls(checked=False), "f32[3,1,1]", low=0.5))


@dataclass(frozen=True)
class Solve(Primitive):
    """The matrices x for which a x = b. As `torch.linalg.solve` with matrices b; with `checked` off, nan of singular a.

    Shapes: a [*batch, n, n], b [*batch, n, k] -> [*batch, n, k]

    Raises at run time:
        LinAlgError: a matrix is singular (and `checked` is on).
    """

    checked: bool = True

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        require_equations(self, a, b)
        return b

    def reference(self, a: Array, b: Array) -> Array:
        if not self.checked:
            return _one_by_one(np.linalg.solve, a, b)
        with solvable("linalg.solve: The solver failed because the input matrix is singular"):
            return np.linalg.solve(a, b)

    def vjp(self, ct: Node, out: Node, a: Node, b: Node) -> tuple[Node, Node]:
        from_b = emit(self, adjoint(a), ct)
        return -matmul(from_b, adjoint(out)), from_b

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls(), "f32[3,1,1], f32[3,1,2]", low=0.5),
            Example(cls(checked=False), "f32[3,1,1], f32[3,1,2]", low=0.5),
        )


@dataclass(frozen=True)
class TriangularSolve(Primitive):
    """The matrices x for which a x = b, where a is one triangle of the input; with `unit` its diagonal is all ones.

    As `torch.linalg.solve_triangular`; a zero on the diagonal gives inf and nan.
    """

    upper: bool
    unit: bool

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        require_equations(self, a, b)
        return b

    def reference(self, a: Array, b: Array) -> Array:
        """Row after row by substitution."""
        x = b.copy()
        rows = range(a.shape[-1])
        for row in reversed(rows) if self.upper else rows:
            known = slice(row + 1, None) if self.upper else slice(row)
            x[..., row : row + 1, :] -= np.matmul(a[..., row : row + 1, known], x[..., known, :])
            if not self.unit:
                with np.errstate(divide="ignore", invalid="ignore"):
                    x[..., row, :] /= a[..., row, row, None]
        return x

    def vjp(self, ct: Node, out: Node, a: Node, b: Node) -> tuple[Node, Node]:
        from_b = emit(TriangularSolve(not self.upper, self.unit), adjoint(a), ct)
        return triangle(-matmul(from_b, adjoint(out)), self.upper, strict=self.unit), from_b

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls(upper=False, unit=False), "f32[3,3], f32[3,2]", low=0.5),
            Example(cls(upper=True, unit=False), "f32[2,3,3], f32[2,3,1]", low=0.5),
            Example(cls(upper=True, unit=True), "f32[3,3], f32[3,2]"),
        )


class Det(Primitive):
    """The determinant of square matrices. As `torch.linalg.det`; its derivative where it is 0 is 0."""

    def infer(self, a: TensorType) -> TensorType:
        require_matrix(self, a)
        return a.with_shape(a.shape[:-2])

    def reference(self, a: Array) -> Array:
        return np.asarray(np.linalg.det(a))

    def vjp(self, ct: Node, out: Node, a: Node) -> tuple[Node]:
        regular = _over_matrices(emit(Cast(bool_), out), a)
        slope = _over_matrices(ct * conj(out), a) * adjoint(emit(Inverse(checked=False), a))
        return (where(regular, slope, 0),)  # PyTorch's derivative too is 0 where the determinant is

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls(), "f32[3,1,1]", low=0.5),)


@dataclass(frozen=True)
class SlogDet(Primitive):
    """One part of the determinant: its "sign" (of a complex one the direction) or its "logabsdet".

    As `torch.linalg.slogdet`.
    """

    part: str

    def infer(self, a: TensorType) -> TensorType:
        require_matrix(self, a)
        of_part = a.dtype if self.part == "sign" else PARTS.get(a.dtype, a.dtype)
        return TensorType(of_part, a.shape[:-2])

    def reference(self, a: Array) -> Array:
        sign, logabsdet = np.linalg.slogdet(a)
        return np.asarray(sign if self.part == "sign" else logabsdet)

    def vjp(self, ct: Node, out: Node, a: Node) -> tuple[Node | None]:
        if self.part == "sign":
            if a.dtype.category < COMPLEX:
                return (None,)
            turned = conj(ct) * out
            ct = (conj(turned) - turned) * 0.5  # i times how fast the angle that `ct` asks for grows
        return (_over_matrices(as_dtype_of(a, ct), a) * adjoint(emit(Inverse(checked=False), a)),)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls("logabsdet"), "f32[3,1,1]", low=0.5), Example(cls("sign"), "f32[2,3,3]"))


class MatrixExp(Primitive):
    """The exponential series of square matrices. As `torch.linalg.matrix_exp`.

    Source: Higham, The scaling and squaring method for the matrix exponential revisited, 2005 (degree 13); for the
    derivative: Mathias, A chain rule for matrix functions and applications, 1996.
    """

    def infer(self, a: TensorType) -> TensorType:
        require_matrix(self, a)
        return a

    def reference(self, a: Array) -> Array:
        if a.size == 0:
            return a.copy()
        norm = float(np.abs(a).sum(-2).max())
        squarings = max(0, int(np.ceil(np.log2(norm / 5.37)))) if 0 < norm < np.inf else 0
        result = _pade13(a.astype(np.result_type(a.dtype, np.float64)) / 2**squarings)
        for _ in range(squarings):
            result = result @ result
        return result.astype(a.dtype)

    def vjp(self, ct: Node, out: Node, a: Node) -> tuple[Node]:
        """The exponential of [[a^H, ct], [0, a^H]] holds the derivative in its upper right corner."""
        back, size, last = adjoint(a), a.shape[-1], a.rank - 1
        upper, lower = concat((back, ct), last), concat((full_like(ct, 0), back), last)
        both = emit(self, concat((upper, lower), last - 1))
        return (sliced(sliced(both, last - 1, 0, size), last, size, 2 * size),)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls(), "f32[3,3]"), Example(cls(), "f32[2,2,2]", low=2.0, high=4.0))


def _pade13(a: Array) -> Array:
    """The quotient of two polynomials that agrees with the exponential to the 26th power of `a`."""
    weights = [1.0]
    for power in range(13):
        weights.append(weights[-1] * (13 - power) / ((26 - power) * (power + 1)))
    powers, square = [np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape)], a @ a
    for _ in range(6):
        powers.append(powers[-1] @ square)
    even = sum((weight * power for weight, power in zip(weights[::2], powers, strict=True)), np.zeros_like(a))
    odd = a @ sum((weight * power for weight, power in zip(weights[1::2], powers, strict=True)), np.zeros_like(a))
    return np.linalg.solve(even - odd, even + odd)


def _over_matrices(numbers: Node, a: Node) -> Node:
    """One number per matrix, stretched over the matrix."""
    return stretch(reshaped(numbers, (*numbers.shape, 1, 1)), a.shape)
