"""Where equations have no solution, or many: pseudo-inverses, ranks, least squares, approximations of low rank."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kadam import dtypes
from kadam.errors import ShapeError
from kadam.linalg.checks import is_vector, require_matrix
from kadam.linalg.factors import eigvalsh, qr, svd, svdvals
from kadam.ops import results
from kadam.ops.compare import maximum, where
from kadam.ops.contract import matmul
from kadam.ops.creation import as_tensor, zeros
from kadam.ops.pointwise import adjoint
from kadam.ops.promotion import stretched
from kadam.ops.random import randn
from kadam.ops.reduce import amax, sum
from kadam.ops.require import ArgumentError
from kadam.primitives.factor import PseudoInverse
from kadam.recording.calls import emit
from kadam.recording.operation import operation
from kadam.recording.precision import listed, lowered
from kadam.recording.tensor import Recorded, read
from kadam.shapes import broadcast

if TYPE_CHECKING:
    from kadam.tensor import Tensor


def _limits(A: Tensor, sizes: Tensor, atol: Any, rtol: Any) -> Tensor:
    """Up to what size singular values count as 0, per matrix: the larger of both tolerances.

    Args:
        sizes: the singular values, without a gradient.
        atol: absolute; 0 by default.
        rtol: relative to the largest; if neither is given, a few units in the last place.
    """
    record = sizes.dtype
    if rtol is None:
        given = atol is not None and (isinstance(atol, Recorded) or atol > 0)
        precise = max(A.shape[-2:]) * dtypes.finfo(record).eps if 0 not in A.shape[-2:] else 0.0
        if given and isinstance(atol, Recorded):
            rtol = where(atol.detach() > 0, 0.0, precise)  # type: ignore[attr-defined]
        else:
            rtol = 0.0 if given else precise
    absolute, relative = (as_tensor(one).detach().to(record) for one in (0.0 if atol is None else atol, rtol))
    largest = amax(sizes, -1) if sizes.shape[-1] else zeros(tuple(sizes.shape[:-1]), dtype=record)
    return maximum(absolute, relative * largest)


def _magnitudes(A: Tensor, hermitian: bool) -> Tensor:
    return eigvalsh(A.detach()).abs() if hermitian else svdvals(A.detach())


@operation(grad="LinalgPinvBackward0")
def _pinv(A: Tensor, limit: Tensor, hermitian: bool) -> Tensor:
    return emit(PseudoInverse(hermitian), A, stretched(limit, tuple(A.shape[:-2])))


def pinv(A: Tensor, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Tensor:
    """The pseudo-inverse of matrices. As `torch.linalg.pinv`.

    Args:
        rcond: another name of `rtol`.
    """
    require_matrix("pinv", A, square=hermitian)
    limit = _limits(A, _magnitudes(A, hermitian), atol, rtol if rcond is None else rcond)
    inverse: Tensor = lowered(_pinv(A, limit, hermitian))  # PyTorch ends in a product
    return inverse


@listed("linalg_matrix_rank")
def matrix_rank(A: Tensor, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Tensor:
    """How many singular values are not negligible. As `torch.linalg.matrix_rank`.

    Args:
        tol: an absolute limit, with no relative one.
    """
    require_matrix("matrix_rank", A, square=hermitian)
    sizes = _magnitudes(A, hermitian)
    if tol is not None:
        atol, rtol = tol, 0.0
    return sum(sizes > _limits(A, sizes, atol, rtol).unsqueeze(-1), -1)


_DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


@listed("linalg_lstsq")
def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None) -> Any:
    """X that makes |A X - B| smallest, and of these the smallest. As `torch.linalg.lstsq`.

    Raises:
        ShapeError: A and B have different numbers of rows; no such driver.
    """
    require_matrix("lstsq", A)
    vector = is_vector(A, B)
    right = B.unsqueeze(-1) if vector else B
    if A.shape[-2] != right.shape[-2]:
        raise ShapeError("linalg.lstsq: input.size(-2) should match other.size(-2). Fix: give both as many rows.")
    driver = driver or "gelsy"
    if driver not in _DRIVERS:
        raise ShapeError(f"linalg.lstsq: parameter `driver` should be one of {_DRIVERS}. Fix: leave it out.")
    sizes = svdvals(A.detach())
    limit = _limits(A, sizes, None, rcond)
    solution, residuals = _least_squares(A, right, limit)
    rank = sum(sizes > limit.unsqueeze(-1), -1)
    determined = driver == "gels" or (driver != "gelsy" and bool((read(rank) == A.shape[-1]).all()))
    nothing = residuals.reshape(-1).narrow(0, 0, 0)
    return results.linalg_lstsq(
        solution.squeeze(-1) if vector else solution,
        (residuals.squeeze(-1) if vector else residuals) if determined and A.shape[-2] > A.shape[-1] else nothing,
        zeros(0, dtype=dtypes.int64) if driver == "gels" else rank,
        sizes if driver in ("gelsd", "gelss") else sizes.new_zeros(0),
    )


@operation(grad="LinalgLstsqBackward0")
def _least_squares(A: Tensor, B: Tensor, limit: Tensor) -> tuple[Tensor, Tensor]:
    batch = broadcast(tuple(A.shape[:-2]), tuple(B.shape[:-2]))
    solution = matmul(_pinv(A, limit, False), stretched(B, (*batch, *B.shape[-2:])))
    rest = (matmul(A, solution) - B).abs()
    return solution, sum(rest * rest, -2)


def _range_of(A: Tensor, q: int, niter: int) -> Tensor:
    """A few orthonormal columns that A maps almost everything into.

    Source: Halko, Martinsson, Tropp, Finding structure with randomness, 2009, algorithm 4.4.
    """
    columns = randn(A.shape[-1], q, dtype=A.dtype)
    basis = qr(matmul(A, columns))[0]
    for _ in range(niter):
        basis = qr(matmul(adjoint(A), basis))[0]
        basis = qr(matmul(A, basis))[0]
    return basis


def svd_lowrank(A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None) -> Any:
    """The largest singular values of A - M and their vectors, by a random projection. As `torch.svd_lowrank`.

    Source: Halko, Martinsson, Tropp, Finding structure with randomness, 2009, algorithm 5.1.
    """
    matrix = A if M is None else A - M.broadcast_to(tuple(A.shape))
    rows, columns = matrix.shape[-2:]
    flat = rows < columns
    if flat:
        matrix = adjoint(matrix)
    basis = _range_of(matrix, 6 if q is None else q, 2 if niter is None else niter)
    u, sizes, vh = svd(matmul(adjoint(basis), matrix), False)
    left, right = matmul(basis, u), adjoint(vh)
    return (right, sizes, left) if flat else (left, sizes, right)


def pca_lowrank(A: Tensor, q: int | None = None, center: bool = True, niter: int = 2) -> Any:
    """The principal components of the rows of A, by a random projection. As `torch.pca_lowrank`.

    Raises:
        ArgumentError: q is not between 0 and the smaller size.
    """
    rows, columns = A.shape[-2:]
    q = min(6, rows, columns) if q is None else q
    if not 0 <= q <= min(rows, columns):
        raise ArgumentError(
            f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(rows, columns)}. Fix: less."
        )
    if niter < 0:
        raise ArgumentError(f"niter(={niter}) must be non-negative integer. Fix: niter=2.")
    return svd_lowrank(A - A.mean(-2, keepdim=True) if center else A, q, niter)
