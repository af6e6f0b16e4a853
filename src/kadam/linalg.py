"""Linear algebra. As `torch.linalg`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam import dtypes
from kadam.dtypes import FLOAT, dtype
from kadam.errors import DTypeError, LinAlgError, ShapeError
from kadam.ops import results
from kadam.ops.contract import chain_matmul, cross, matmul
from kadam.ops.pointwise import conj
from kadam.ops.promotion import meet, stretched
from kadam.ops.reduce import amax, amin, sum, vector_norm
from kadam.primitives import factor as f
from kadam.primitives import solve as s
from kadam.primitives.complex import MakeComplex
from kadam.recording.calls import emit
from kadam.recording.operation import Fixed, operation
from kadam.recording.tensor import from_array, read
from kadam.shapes import axis_of, broadcast

if TYPE_CHECKING:
    from kadam.tensor import Tensor


def _matrix(name: str, input: Tensor, square: bool = False) -> None:
    """Raise unless the operand is a matrix (or a batch of them) of numbers that can be factored.

    Raises:
        ShapeError: fewer than two axes, or not square where it must be.
        DTypeError: integers.
    """
    if len(input.shape) < 2:
        raise ShapeError(
            f"linalg.{name}: The input tensor A must have at least 2 dimensions. Fix: unsqueeze() the input to [..., "
            "rows, columns]."
        )
    if square and input.shape[-1] != input.shape[-2]:
        raise ShapeError(
            f"linalg.{name}: A must be batches of square matrices, but they are {input.shape[-2]} by {input.shape[-1]} "
            "matrices. Fix: slice or pad it to as many rows as columns, or use torch.linalg.pinv or lstsq."
        )
    if input.dtype.category < FLOAT:
        raise DTypeError(
            f"linalg.{name}: Expected a floating point or complex tensor as input. Got {input.dtype}. Fix: .float()."
        )


@operation(grad="LinalgInvExBackward0")
def inv(A: Tensor) -> Tensor:
    """The inverse of square matrices. As `torch.linalg.inv`.

    Raises:
        LinAlgError: (when computed) a matrix is singular.
    """
    _matrix("inv", A, square=True)
    return emit(s.Inverse(), A)


@operation(grad="LinalgDetBackward0")
def det(A: Tensor) -> Tensor:
    """The determinants of square matrices. As `torch.linalg.det`."""
    _matrix("det", A, square=True)
    return emit(s.Det(), A)


@operation(grad="LinalgSlogdetBackward0")
def slogdet(A: Tensor) -> tuple[Tensor, Tensor]:
    """The signs and the logarithms of the determinants of square matrices. As `torch.linalg.slogdet`."""
    _matrix("slogdet", A, square=True)
    return results.linalg_slogdet(emit(s.SlogDet("sign"), A), emit(s.SlogDet("logabsdet"), A))


def logdet(A: Tensor) -> Tensor:
    """The logarithms of the determinants of square matrices; nan where they are negative. As `torch.logdet`."""
    sign, size = slogdet(A)
    return size + sign.log() * 0 if not sign.is_complex() else size + sign.log()


@operation(grad="LinalgSolveExBackward0")
def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """X of A X = B (or X A = B). As `torch.linalg.solve`.

    Raises:
        LinAlgError: (when computed) a matrix is singular.
    """
    _matrix("solve", A, square=True)
    if not left:
        turned: Tensor = solve(A.mT, B.mT).mT
        return turned
    vector = len(B.shape) == 1 or (len(B.shape) == len(A.shape) - 1 and tuple(B.shape) == tuple(A.shape[:-1]))
    columns = B.unsqueeze(-1) if vector else B
    batch = broadcast(tuple(A.shape[:-2]), tuple(columns.shape[:-2]))
    a = stretched(A, (*batch, *A.shape[-2:]))
    found = emit(s.Solve(), a, stretched(columns, (*batch, *columns.shape[-2:])))
    return found.squeeze(-1) if vector else found


@operation(grad="LinalgSolveTriangularBackward0")
def solve_triangular(A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    """X of A X = B with a triangular A. As `torch.linalg.solve_triangular`."""
    if not left:
        turned: Tensor = solve_triangular(A.mT, B.mT, upper=not upper, unitriangular=unitriangular).mT
        return turned
    batch = broadcast(tuple(A.shape[:-2]), tuple(B.shape[:-2]))
    a, b = stretched(A, (*batch, *A.shape[-2:])), stretched(B, (*batch, *B.shape[-2:]))
    return emit(s.TriangularSolve(upper, unitriangular), a, b)


@operation(grad="LinalgCholeskyExBackward0")
def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """The triangular factor of positive-definite matrices. As `torch.linalg.cholesky`.

    Raises:
        LinAlgError: (when computed) a matrix is not positive-definite.
    """
    _matrix("cholesky", A, square=True)
    lower = emit(f.Cholesky(), A.mT if upper else A)
    return lower.mT if upper else lower


def cholesky_solve(B: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """X of A X = B, given the Cholesky factor of A. As `torch.cholesky_solve`."""
    if upper:
        half = solve_triangular(L.mT, B, upper=False)
        return solve_triangular(L, half, upper=True)
    half = solve_triangular(L, B, upper=False)
    return solve_triangular(L.mT, half, upper=True)


def cholesky_inverse(L: Tensor, upper: bool = False) -> Tensor:
    """The inverse of A, given its Cholesky factor. As `torch.cholesky_inverse`."""
    whole = L.mT @ L if upper else L @ L.mT
    return inv(whole)


@operation(grad="LinalgQrBackward0")
def qr(A: Tensor, mode: str = "reduced") -> tuple[Tensor, Tensor]:
    """Orthogonal and triangular factors. As `torch.linalg.qr`."""
    _matrix("qr", A)
    complete = mode == "complete"
    return results.linalg_qr(emit(f.Qr("q", complete), A), emit(f.Qr("r", complete), A))


@operation(grad="LinalgEighBackward0")
def eigh(A: Tensor, UPLO: str = "L") -> tuple[Tensor, Tensor]:
    """Eigenvalues (ascending) and eigenvectors of symmetric matrices. As `torch.linalg.eigh`."""
    _matrix("eigh", A, square=True)
    x = A if UPLO.upper() == "L" else A.mT
    return results.linalg_eigh(emit(f.Eigh("values"), x), emit(f.Eigh("vectors"), x))


@operation(grad="LinalgEighBackward0")
def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """Eigenvalues (ascending) of symmetric matrices. As `torch.linalg.eigvalsh`."""
    _matrix("eigvalsh", A, square=True)
    return emit(f.Eigh("values"), A if UPLO.upper() == "L" else A.mT)


@operation(grad="LinalgEigBackward0")
def eig(A: Tensor) -> tuple[Tensor, Tensor]:
    """Complex eigenvalues and eigenvectors of square matrices. As `torch.linalg.eig`."""
    _matrix("eig", A, square=True)
    return results.linalg_eig(emit(f.Eig("values"), A), emit(f.Eig("vectors"), A))


def eigvals(A: Tensor) -> Tensor:
    """Complex eigenvalues of square matrices. As `torch.linalg.eigvals`."""
    return eig(A)[0]


@operation(grad="LinalgSvdBackward0")
def svd(A: Tensor, full_matrices: bool = True) -> tuple[Tensor, Tensor, Tensor]:
    """A = U diag(S) Vh with S descending. As `torch.linalg.svd`."""
    _matrix("svd", A)
    return results.linalg_svd(*[emit(f.Svd(part, full_matrices), A) for part in ("u", "s", "vh")])


def svd_by_columns(input: Tensor, some: bool = True, compute_uv: bool = True) -> tuple[Tensor, Tensor, Tensor]:
    """A = U diag(S) V^T, with the singular vectors in the columns of U and V. As `torch.svd`."""
    if not compute_uv:
        rows, columns = input.shape[-2:]
        batch = tuple(input.shape[:-2])
        return results.svd(
            input.new_zeros((*batch, rows, rows)), svdvals(input), input.new_zeros((*batch, columns, columns))
        )
    u, sizes, vh = svd(input, not some)
    return results.svd(u, sizes, conj(vh.mT) if input.dtype.is_complex else vh.mT)


@operation(grad="LinalgSvdBackward0")
def svdvals(A: Tensor) -> Tensor:
    """The singular values, descending. As `torch.linalg.svdvals`."""
    _matrix("svdvals", A)
    return emit(f.Svd("s", False), A)


@operation(grad="LinalgPinvBackward0")
def _pinv(A: Tensor, rcond: float | None) -> Tensor:
    u, sizes, vh = svd(A, False)
    limit = (rcond if rcond is not None else max(A.shape[-2:]) * dtypes.finfo(A.dtype).eps) * amax(sizes, -1, True)
    from kadam.ops.compare import where

    kept = sizes > limit
    inverse = where(kept, 1 / where(kept, sizes, 1.0), 0.0).to(sizes.dtype)
    return matmul(vh.mT * inverse.unsqueeze(-2), u.mT)


def pinv(A: Tensor, *, atol: Any = None, rtol: Any = None, rcond: Any = None, hermitian: bool = False) -> Tensor:
    """The pseudo-inverse of matrices. As `torch.linalg.pinv`."""
    share = rtol if rtol is not None else rcond
    return _pinv(A, None if share is None else float(share))


@operation(grad="LinalgMatrixExpBackward0")
def matrix_exp(A: Tensor) -> Tensor:
    """The exponential of square matrices. As `torch.linalg.matrix_exp`."""
    _matrix("matrix_exp", A, square=True)
    return emit(s.MatrixExp(), A)


def matrix_power(A: Tensor, n: int) -> Tensor:
    """A times itself n times; the inverse's for negative n. As `torch.linalg.matrix_power`."""
    _matrix("matrix_power", A, square=True)
    if n < 0:
        return matrix_power(inv(A), -n)
    if n == 0:
        return from_array(np.broadcast_to(np.eye(A.shape[-1], dtype=A.dtype.numpy), A.shape).copy())
    half = matrix_power(A, n // 2) if n > 1 else None
    if half is None:
        return A.clone()
    return matmul(matmul(half, half), A) if n % 2 else matmul(half, half)


def matrix_rank(A: Tensor, *, atol: Any = None, rtol: Any = None, tol: Any = None, hermitian: bool = False) -> Tensor:
    """How many singular values are not negligible. As `torch.linalg.matrix_rank`."""
    sizes = svdvals(A)
    share = (
        max(A.shape[-2:]) * dtypes.finfo(A.dtype).eps
        if rtol is None and atol is None and tol is None
        else (rtol or 0.0)
    )
    limit = amax(sizes, -1, True) * share
    floor = atol if atol is not None else tol
    return sum(sizes > (limit if floor is None else limit.clamp(min=floor)), -1)


def lstsq(A: Tensor, B: Tensor, rcond: Any = None, *, driver: str | None = None) -> Any:
    """X that makes |A X - B| smallest. As `torch.linalg.lstsq`.

    Raises:
        ShapeError: A and B have different numbers of rows.
    """
    _matrix("lstsq", A)
    if A.shape[-2] != B.shape[-2]:
        raise ShapeError("linalg.lstsq: input.size(-2) should match other.size(-2). Fix: give both as many rows.")
    if A.shape[-2] >= A.shape[-1]:
        q, r = qr(A)
        solution = solve_triangular(r, matmul(q.mT, B), upper=True)
    else:
        solution = matmul(pinv(A), B)
    rank = matrix_rank(A)
    tall = A.shape[-2] > A.shape[-1] and bool((read(rank) == A.shape[-1]).all())
    residuals = sum((matmul(A, solution) - B) ** 2, -2) if tall else A.new_zeros(0)
    return results.linalg_lstsq(
        solution, residuals, rank, svdvals(A) if driver in ("gelsd", "gelss") else A.new_zeros(0)
    )


def multi_dot(tensors: Any) -> Tensor:
    """The product of several matrices. As `torch.linalg.multi_dot`."""
    return chain_matmul(*tensors)


@operation(grad="LinalgMatrixNormBackward0")
def _matrix_norm(A: Tensor, ord: Fixed | str, dim: tuple[int, int], keepdim: bool) -> Tensor:
    rank = len(A.shape)
    rows, columns = (axis_of(axis, rank) for axis in dim)
    if ord == "fro":
        return vector_norm(A, 2, (rows, columns), keepdim)
    if ord in (1, -1, math.inf, -math.inf):
        inner, outer = (rows, columns) if abs(ord) == 1 else (columns, rows)
        total = sum(A.abs(), inner, True)
        found = (amax if ord > 0 else amin)(total, outer, True)  # type: ignore[operator]
        return found if keepdim else found.squeeze(dim)
    sizes = svdvals(A.movedim((rows, columns), (-2, -1)))
    if ord == "nuc":
        found = sum(sizes, -1)
    elif ord in (2, -2):
        found = (amax if ord == 2 else amin)(sizes, -1)
    else:
        raise ShapeError(
            f"linalg.matrix_norm: Order {ord} not supported. Fix: ord is 'fro', 'nuc', inf, -inf, 1, -1, 2 or -2."
        )
    for axis in sorted((rows, columns)) if keepdim else ():
        found = found.unsqueeze(axis)
    return found


def matrix_norm(
    A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: dtype | None = None
) -> Tensor:
    """A norm of matrices. As `torch.linalg.matrix_norm`.

    Raises:
        ShapeError: no such norm.
    """
    return _matrix_norm(A if dtype is None else A.to(dtype), ord, tuple(dim), keepdim)


def norm(A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: dtype | None = None) -> Tensor:
    """A norm of vectors or matrices. As `torch.linalg.norm`."""
    if (
        isinstance(ord, str)
        or (ord is not None and dim is None and len(A.shape) == 2)
        or (ord is not None and isinstance(dim, list | tuple) and len(dim) == 2)
    ):
        return matrix_norm(A, ord, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    return vector_norm(A, 2 if ord is None else ord, dim, keepdim, dtype)


def cond(A: Tensor, p: Any = None) -> Tensor:
    """How much a matrix may enlarge relative errors. As `torch.linalg.cond`."""
    if p is None or p in (2, -2):
        sizes = svdvals(A)
        largest, smallest = amax(sizes, -1), amin(sizes, -1)
        return smallest / largest if p == -2 else largest / smallest
    return matrix_norm(A, p) * matrix_norm(inv(A), p)


def vander(x: Tensor, N: int | None = None) -> Tensor:
    """Powers of the elements as columns. As `torch.linalg.vander`."""
    from kadam.ops.combine import stack

    return stack([x**power for power in range(x.shape[-1] if N is None else N)], -1)


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The sum of products along an axis. As `torch.linalg.vecdot`."""
    return sum((conj(x)) * y, dim)


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonals of matrices. As `torch.linalg.diagonal`."""
    return A.diagonal(offset, dim1, dim2)


@operation(grad="PolarBackward0")
def polar(abs: Tensor, angle: Tensor) -> Tensor:
    """The complex tensor of lengths and angles. As `torch.polar`."""
    from kadam.ops.pointwise import cos, sin

    length, turn = meet(abs, angle)
    return emit(MakeComplex(), length * cos(turn), length * sin(turn))


__all__ = [
    "LinAlgError", "cholesky", "cond", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh", "inv", "lstsq",
    "matmul", "matrix_exp", "matrix_norm", "matrix_power", "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet",
    "solve", "solve_triangular", "svd", "svdvals", "vander", "vecdot", "vector_norm",
]  # fmt: skip
