"""Linear algebra in the `torch` namespace, with signatures older than those of `torch.linalg`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kadam.errors import ShapeError
from kadam.linalg import equations, factors, products
from kadam.linalg.checks import require_matrix
from kadam.linalg.equations import both_stretched, check_sides, cholesky_inverse, cholesky_solve, det, logdet, slogdet
from kadam.linalg.equations import inv as inverse
from kadam.linalg.factors import geqrf, lu_unpack, ormqr
from kadam.linalg.factors import householder_product as orgqr
from kadam.linalg.least_squares import pca_lowrank, pinv, svd_lowrank
from kadam.linalg.products import matrix_exp, matrix_power, polar
from kadam.ops import results
from kadam.ops.pointwise import adjoint
from kadam.primitives.solve import TriangularSolve
from kadam.recording.calls import emit
from kadam.recording.operation import operation
from kadam.recording.precision import listed

if TYPE_CHECKING:
    from kadam.tensor import Tensor


def cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """The triangular factor of positive-definite matrices. As `torch.cholesky`."""
    return factors.cholesky(input, upper=upper)


def qr(input: Tensor, some: bool = True) -> tuple[Tensor, Tensor]:
    """Orthogonal and triangular factors; with `some` off, the first is square. As `torch.qr`."""
    return results.qr(*factors.qr(input, "reduced" if some else "complete"))


def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> tuple[Tensor, Tensor, Tensor]:
    """A = U diag(S) V^H, with the singular vectors in the columns of U and V. As `torch.svd`."""
    if not compute_uv:
        rows, columns = input.shape[-2:]
        batch = tuple(input.shape[:-2])
        return results.svd(
            input.new_zeros((*batch, rows, rows)), factors.svdvals(input), input.new_zeros((*batch, columns, columns))
        )
    u, sizes, vh = factors.svd(input, not some)
    return results.svd(u, sizes, adjoint(vh))


@listed("pinverse")
def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """The pseudo-inverse of matrices. As `torch.pinverse`."""
    return pinv(input, rcond)


@listed("_lu_with_info")
def lu(A: Tensor, pivot: bool = True, get_infos: bool = False) -> tuple[Tensor, ...]:
    """L and U in one matrix, the row exchanges, and on demand where U has a zero. As `torch.lu`."""
    found = factors.lu_factor_ex(A, pivot=pivot, check_errors=not get_infos)
    return tuple(found) if get_infos else (found[0], found[1])


@listed("lu_solve")
def lu_solve(b: Tensor, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
    """X of A X = b, given what `lu_factor` makes of A. As `torch.lu_solve`."""
    return equations.lu_solve(LU_data, LU_pivots, b)


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """Powers of the elements of a vector as columns, by default the highest first. As `torch.vander`.

    Raises:
        ShapeError: x is no vector.
    """
    if len(x.shape) != 1:
        raise ShapeError(f"vander: x must be a one-dimensional tensor, but it is {list(x.shape)}. Fix: x.flatten().")
    powers = products.vander(x, N=N)
    return powers if increasing else powers.flip(-1)


@operation(grad="TriangularSolveBackward0")
def _triangular_solve(b: Tensor, A: Tensor, upper: bool, transpose: bool, unitriangular: bool) -> tuple[Tensor, Tensor]:
    require_matrix("triangular_solve", A, square=True)
    check_sides("triangular_solve", A, b)
    matrix, right = both_stretched(A, b)
    if transpose:
        matrix, upper = matrix.mT, not upper
    solution = emit(TriangularSolve(upper, unitriangular), matrix, right)
    return results.triangular_solve(solution, (matrix.mT if transpose else matrix).clone())


@listed("triangular_solve")
def triangular_solve(
    b: Tensor, A: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> tuple[Tensor, Tensor]:
    """X of A X = b with a triangular A, and A. As `torch.triangular_solve`."""
    return _triangular_solve(b, A, upper, transpose, unitriangular)


__all__ = [
    "cholesky", "cholesky_inverse", "cholesky_solve", "det", "geqrf", "inverse", "logdet", "lu", "lu_solve",
    "lu_unpack", "matrix_exp", "matrix_power", "orgqr", "ormqr", "pca_lowrank", "pinverse", "polar", "qr", "slogdet",
    "svd", "svd_lowrank", "triangular_solve", "vander",
]  # fmt: skip
