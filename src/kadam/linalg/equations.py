"""Linear equations: solutions, inverses, determinants."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kadam import dtypes
from kadam.errors import DTypeError, ShapeError
from kadam.linalg.checks import is_vector, require_matrix, require_one_kind, require_success
from kadam.linalg.factors import lu_factor_ex
from kadam.ops import results
from kadam.ops.compare import where
from kadam.ops.contract import matmul
from kadam.ops.pointwise import adjoint
from kadam.ops.promotion import cast, stretched
from kadam.primitives import lu as elimination
from kadam.primitives import solve as s
from kadam.primitives.ldl import LdlSolve
from kadam.recording.calls import emit, node_of, symbol
from kadam.recording.operation import operation
from kadam.recording.precision import listed
from kadam.recording.tensor import tried
from kadam.shapes import broadcast

if TYPE_CHECKING:
    from kadam.tensor import Tensor


@operation(grad="LinalgInvExBackward0")
def _inverse(A: Tensor, checked: bool) -> Tensor:
    require_matrix("inv", A, square=True)
    return emit(s.Inverse(checked), A)


@listed("linalg_inv")
def inv(A: Tensor) -> Tensor:
    """The inverse of square matrices. As `torch.linalg.inv`.

    Raises:
        LinAlgError: (when computed, which within a `try` is at once) a matrix is singular.
    """
    return tried(_inverse(A, True))


@listed("linalg_inv_ex")
def inv_ex(A: Tensor, *, check_errors: bool = False) -> tuple[Tensor, Tensor]:
    """The inverse of square matrices, and which are singular. As `torch.linalg.inv_ex`.

    Raises:
        LinAlgError: a matrix is singular (and `check_errors` is on).
    """
    require_matrix("inv_ex", A, square=True)
    info = lu_factor_ex(A.detach())[2]
    if check_errors:
        require_success("inv_ex", info, "The diagonal element of U is zero, the inversion could not be completed")
    return results.linalg_inv_ex(_inverse(A, False), info)


@operation(grad="LinalgDetBackward0")
def det(A: Tensor) -> Tensor:
    """The determinants of square matrices. As `torch.linalg.det`."""
    require_matrix("det", A, square=True)
    return emit(s.Det(), A)


@operation(grad="LinalgSlogdetBackward0")
def slogdet(A: Tensor) -> tuple[Tensor, Tensor]:
    """The signs and the logarithms of the determinants of square matrices. As `torch.linalg.slogdet`."""
    require_matrix("slogdet", A, square=True)
    return results.linalg_slogdet(emit(s.SlogDet("sign"), A), emit(s.SlogDet("logabsdet"), A))


def logdet(A: Tensor) -> Tensor:
    """The logarithms of the determinants of square matrices; nan where they are negative. As `torch.logdet`."""
    sign, size = slogdet(A)
    return size + sign.log() if sign.is_complex() else where(sign < 0, math.nan, size).to(A.dtype)


def both_stretched(A: Tensor, B: Tensor) -> tuple[Tensor, Tensor]:
    """In a body: matrices and right sides with one batch."""
    batch = broadcast(tuple(A.shape[:-2]), tuple(B.shape[:-2]))
    return stretched(A, (*batch, *A.shape[-2:])), stretched(B, (*batch, *B.shape[-2:]))


def check_sides(name: str, A: Tensor, B: Tensor, left: bool = True) -> None:
    """Raise unless B has as many rows as A (or as many columns, on the other side).

    Raises:
        DTypeError, ShapeError: the two do not fit.
    """
    require_one_kind(name, A, B)
    if len(B.shape) < 2:
        raise ShapeError(
            f"linalg.{name}: B must have at least 2 dimensions, but it has {len(B.shape)}. Fix: B.unsqueeze(-1)."
        )
    size, other = A.shape[-2], B.shape[-2 if left else -1]
    if size != other:
        equation = "AX = B" if left else "XA = B"
        raise ShapeError(
            f"linalg.{name}: Incompatible shapes of A and B for the equation {equation} "
            f"({A.shape[-2]}x{A.shape[-1]} and {B.shape[-2]}x{B.shape[-1]}). Fix: transpose B, or left={not left}."
        )


@operation(grad="LinalgSolveExBackward0")
def _solve(A: Tensor, B: Tensor, left: bool, checked: bool) -> Tensor:
    require_matrix("solve", A, square=True)
    vector = is_vector(A, B)
    columns = B.unsqueeze(-1) if vector else B
    check_sides("solve", A, columns, left or vector)
    if not left:
        if vector:
            raise ShapeError(
                "linalg.solve: Vector broadcasting of the left hand side is not supported for left=False. Fix: give B "
                "as a matrix: B.unsqueeze(0)."
            )
        return adjoint(_solve(adjoint(A), adjoint(B), True, checked))
    found = emit(s.Solve(checked), *both_stretched(A, columns))
    return found.squeeze(-1) if vector else found


@listed("linalg_solve")
def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """X of A X = B (or X A = B). As `torch.linalg.solve`.

    Raises:
        LinAlgError: (when computed, which within a `try` is at once) a matrix is singular.
    """
    return tried(_solve(A, B, left, True))


def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False) -> tuple[Tensor, Tensor]:
    """X of A X = B (or X A = B), and which matrices are singular. As `torch.linalg.solve_ex`.

    Raises:
        LinAlgError: a matrix is singular (and `check_errors` is on).
    """
    found = _solve(A, B, left, False)
    info = lu_factor_ex(A.detach())[2]
    if check_errors:
        require_success("solve_ex", info, "The solver failed because the input matrix is singular")
    return results.linalg_solve_ex(found, info)


@operation(grad="LinalgSolveTriangularBackward0")
def solve_triangular(A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    """X of A X = B with a triangular A. As `torch.linalg.solve_triangular`."""
    require_matrix("solve_triangular", A, square=True)
    check_sides("solve_triangular", A, B, left)
    if not left:
        turned: Tensor = solve_triangular(A.mT, B.mT, upper=not upper, unitriangular=unitriangular).mT
        return turned
    return emit(s.TriangularSolve(upper, unitriangular), *both_stretched(A, B))


def _lower_factor(L: Tensor, upper: bool) -> Tensor:
    """In a body: the lower Cholesky factor. Gradients reach all of the matrix, as in PyTorch, not the triangle only."""
    read = L.triu() if upper else L.tril()
    factor = L + (read - L).detach()
    return adjoint(factor) if upper else factor


@operation
def cholesky_solve(B: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """X of A X = B, given the Cholesky factor of A. As `torch.cholesky_solve`."""
    require_matrix("cholesky_solve", L, square=True)
    check_sides("cholesky_solve", L, B)
    factor = _lower_factor(L, upper)
    return emit(s.Solve(checked=False), *both_stretched(matmul(factor, adjoint(factor)), B))


@operation
def cholesky_inverse(L: Tensor, upper: bool = False) -> Tensor:
    """The inverse of A, given its Cholesky factor. As `torch.cholesky_inverse`."""
    require_matrix("cholesky_inverse", L, square=True)
    factor = _lower_factor(L, upper)
    return emit(s.Inverse(checked=False), matmul(factor, adjoint(factor)))


@operation(grad="LinalgLuSolveBackward0")
def _lu_solve(LU: Tensor, pivots: Tensor, B: Tensor, left: bool, transposed: bool) -> Tensor:
    require_matrix("lu_solve", LU, square=True)
    check_sides("lu_solve", LU, B, left)
    if pivots.dtype is not dtypes.int32:
        raise DTypeError("linalg.lu_solve: pivots should be a Tensor of scalar type torch.int32. Fix: pivots.int().")
    if tuple(pivots.shape) != tuple(LU.shape[:-1]):
        raise ShapeError(
            f"linalg.lu_solve: Number of pivots per batch should be same as the dimension of the matrix: they are "
            f"{list(pivots.shape)}, the matrix {list(LU.shape)}. Fix: give both as lu_factor returned them."
        )
    if not left:
        return adjoint(_lu_solve(LU, pivots, adjoint(B), True, not transposed))
    order = emit(elimination.RowOrder(LU.shape[-1]), pivots)
    exchange = cast(symbol(elimination.row_exchange(node_of(order))), LU.dtype)
    packed, right = both_stretched(LU, B)
    back = adjoint(packed)
    if transposed:
        half = emit(s.TriangularSolve(upper=False, unit=False), back, right)
        return matmul(exchange, emit(s.TriangularSolve(upper=True, unit=True), back, half))
    half = emit(s.TriangularSolve(upper=False, unit=True), packed, matmul(exchange.mT, right))
    return emit(s.TriangularSolve(upper=True, unit=False), packed, half)


@listed("linalg_lu_solve")
def lu_solve(LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False) -> Tensor:
    """X of A X = B (or X A = B), given what `lu_factor` makes of A. As `torch.linalg.lu_solve`."""
    return _lu_solve(LU, pivots, B, left, adjoint)


@operation(differentiable=False)
def _ldl_solve(LD: Tensor, pivots: Tensor, B: Tensor, hermitian: bool) -> Tensor:
    require_matrix("ldl_solve", LD, square=True)
    check_sides("ldl_solve", LD, B)
    packed, right = both_stretched(LD, B)
    spread = stretched(pivots, tuple(packed.shape[:-1]))
    return emit(LdlSolve(hermitian), packed, spread, right)


def ldl_solve(LD: Tensor, pivots: Tensor, B: Tensor, *, hermitian: bool = False) -> Tensor:
    """X of A X = B, given what `ldl_factor` makes of A. As `torch.linalg.ldl_solve`."""
    return _ldl_solve(LD, pivots, B, hermitian)


@listed("linalg_tensorinv")
def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """The inverse of a tensor whose first `ind` axes stand for rows. As `torch.linalg.tensorinv`.

    Raises:
        ShapeError: `ind` is not positive, or there are not as many rows as columns.
    """
    if ind <= 0:
        raise ShapeError("linalg.tensorinv: Expected a strictly positive integer for 'ind'. Fix: ind=2.")
    rows, columns = tuple(A.shape[:ind]), tuple(A.shape[ind:])
    if math.prod(rows) != math.prod(columns):
        raise ShapeError(
            "linalg.tensorinv: Expected self to satisfy the requirement prod(self.shape[ind:]) == "
            f"prod(self.shape[:ind]), but got {math.prod(columns)} != {math.prod(rows)}. Fix: another ind."
        )
    return inv(A.reshape(math.prod(rows), math.prod(columns))).reshape((*columns, *rows))


@listed("linalg_tensorsolve")
def tensorsolve(A: Tensor, B: Tensor, dims: Sequence[int] | None = None) -> Tensor:
    """X of tensordot(A, X) = B. As `torch.linalg.tensorsolve`.

    Raises:
        ShapeError: A has not as many rows as columns.
    """
    if dims is not None:
        moved: Any = list(dims)
        A = A.movedim(moved, list(range(len(A.shape) - len(moved), len(A.shape))))
    columns = tuple(A.shape[len(B.shape) :])
    if math.prod(columns) != math.prod(A.shape[: len(B.shape)]):
        raise ShapeError(
            "linalg.tensorsolve: Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == "
            f"prod(self.shape[:other.ndim]), but got {math.prod(columns)} != {math.prod(A.shape[: len(B.shape)])}. "
            "Fix: other dims."
        )
    found = solve(A.reshape(-1, math.prod(columns)), B.reshape(-1))
    return found.reshape(columns)
