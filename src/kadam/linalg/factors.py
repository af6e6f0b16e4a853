"""Matrices as products of simpler ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kadam import dtypes
from kadam.errors import DTypeError, ShapeError, UnsupportedError
from kadam.linalg.checks import require_matrix, require_success
from kadam.ops import results
from kadam.ops.combine import tril, triu
from kadam.ops.contract import matmul
from kadam.ops.pointwise import adjoint, conj
from kadam.ops.promotion import cast, constant
from kadam.ops.require import ArgumentError
from kadam.primitives import factor as f
from kadam.primitives import lu as elimination
from kadam.primitives.ldl import Ldl
from kadam.primitives.matrix import with_diagonal
from kadam.recording.calls import emit, node_of, symbol
from kadam.recording.memory import severed
from kadam.recording.operation import operation
from kadam.recording.tensor import tried

if TYPE_CHECKING:
    from kadam.tensor import Tensor


@operation(grad="LinalgCholeskyExBackward0")
def _cholesky(A: Tensor, upper: bool) -> Tensor:
    require_matrix("cholesky", A, square=True)
    lower = emit(f.Cholesky(), adjoint(A) if upper else A)
    return adjoint(lower) if upper else lower


def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """The triangular factor of positive-definite matrices. As `torch.linalg.cholesky`.

    Raises:
        LinAlgError: (when computed, which within a `try` is at once) a matrix is not positive-definite.
    """
    return tried(_cholesky(A, upper))


@operation(grad="LinalgCholeskyExBackward0")
def _cholesky_ex(A: Tensor, upper: bool) -> tuple[Tensor, Tensor]:
    require_matrix("cholesky_ex", A, square=True)
    read = adjoint(A) if upper else A
    lower = emit(f.Cholesky(checked=False), read)
    return results.linalg_cholesky_ex(adjoint(lower) if upper else lower, emit(f.CholeskyInfo(), read))


def cholesky_ex(A: Tensor, *, upper: bool = False, check_errors: bool = False) -> tuple[Tensor, Tensor]:
    """The triangular factor, and which leading minors are not positive. As `torch.linalg.cholesky_ex`.

    Raises:
        LinAlgError: a matrix is not positive-definite (and `check_errors` is on).
    """
    found = _cholesky_ex(A, upper)
    if check_errors:
        require_success("cholesky_ex", found[1], "the input is not positive-definite")
    return found


@operation(grad="LinalgQrBackward0")
def qr(A: Tensor, mode: str = "reduced") -> tuple[Tensor, Tensor]:
    """Orthogonal and triangular factors. As `torch.linalg.qr`.

    Raises:
        ArgumentError: no such mode.
    """
    require_matrix("qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise ArgumentError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'. Fix: "
            "mode='reduced'."
        )
    complete = mode == "complete"
    q = constant(0, A.dtype, (0,)) if mode == "r" else emit(f.Qr("q", complete), A)
    return results.linalg_qr(q, emit(f.Qr("r", complete), A))


@operation(differentiable=False)
def geqrf(input: Tensor) -> tuple[Tensor, Tensor]:
    """The triangular factor over the reflections that lead to it, and their factors. As `torch.geqrf`."""
    require_matrix("geqrf", input)
    return results.geqrf(emit(f.Reflections("vectors"), input), emit(f.Reflections("factors"), input))


def _reflected(x: Tensor, vectors: Tensor, tau: Tensor, order: Any) -> Tensor:
    """In a body: x after some reflections 1 - tau v v^H in turn."""
    for place in order:
        v = vectors.narrow(-1, place, 1)
        factor = tau.narrow(-1, place, 1).unsqueeze(-1)
        x = x - matmul(factor * v, matmul(adjoint(v), x))
    return x


def _reflections(name: str, A: Tensor, tau: Tensor) -> Tensor:
    """In a body: the vectors of reflections, from below the diagonal: 0 above it, 1 on it."""
    require_matrix(name, A)
    if tau.shape[-1] > A.shape[-1]:
        raise ShapeError(
            f"linalg.{name}: input.shape[-1] must be greater than or equal to tau.shape[-1]: there are "
            f"{tau.shape[-1]} factors and {A.shape[-1]} columns. Fix: slice tau."
        )
    if tuple(tau.shape[:-1]) != tuple(A.shape[:-2]):
        raise ShapeError(
            f"linalg.{name}: Expected batch dimensions of tau to be equal to input.shape[:-2]. Fix: expand tau."
        )
    if tau.dtype is not A.dtype:
        raise DTypeError(
            f"linalg.{name}: tau dtype {tau.dtype} does not match input dtype {A.dtype}. Fix: tau.to(input.dtype)."
        )
    return _unit_lower(A)


def _unit_lower(A: Tensor) -> Tensor:
    """In a body: what stands below the diagonal, with ones on it."""
    ones = constant(1, A.dtype, (*A.shape[:-2], min(A.shape[-2:])))
    return symbol(with_diagonal(node_of(tril(A, -1)), node_of(ones)))


@operation(grad="LinalgHouseholderProductBackward0")
def householder_product(A: Tensor, tau: Tensor) -> Tensor:
    """The first columns of a product of reflections. As `torch.linalg.householder_product`."""
    vectors = _reflections("householder_product", A, tau)
    if A.shape[-2] < A.shape[-1]:
        raise ShapeError(
            "linalg.householder_product: input.shape[-2] must be greater than or equal to input.shape[-1]. Fix: a "
            "tall matrix."
        )
    start = severed(A, triu(tril(constant(1, A.dtype, tuple(A.shape)))))
    return _reflected(start, vectors, tau, reversed(range(tau.shape[-1])))


@operation(grad="OrmqrBackward0")
def ormqr(input: Tensor, tau: Tensor, other: Tensor, left: bool = True, transpose: bool = False) -> Tensor:
    """A matrix multiplied by the product of reflections. As `torch.ormqr`.

    Raises:
        ShapeError: `other` has not as many rows (or columns) as the product.
    """
    require_matrix("ormqr", input)
    require_matrix("ormqr", other)
    size = other.shape[-2 if left else -1]
    if input.shape[-2] != size:
        raise ShapeError(
            f"ormqr: other.shape[{-2 if left else -1}] must be equal to input.shape[-2]: they are {size} and "
            f"{input.shape[-2]}. Fix: transpose `other`, or left={not left}."
        )
    vectors = _reflections("ormqr", input, tau)
    if 0 in (*input.shape, *tau.shape):  # as in PyTorch, no gradient goes to reflections that are not there
        return other * 1
    places = range(tau.shape[-1])
    if left:
        factors = conj(tau) if transpose else tau
        return _reflected(other, vectors, factors, places if transpose else reversed(places))
    factors = tau if transpose else conj(tau)
    turned = _reflected(adjoint(other), vectors, factors, reversed(places) if transpose else places)
    return adjoint(turned)


@operation(grad="LinalgLuFactorExBackward0")
def _lu_factor(A: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    require_matrix("lu_factor", A)
    return results.linalg_lu_factor_ex(
        *[emit(part(), A) for part in (elimination.Lu, elimination.LuPivots, elimination.LuInfo)]
    )


def _require_pivots(pivot: bool) -> None:
    if not pivot:
        raise UnsupportedError("linalg.lu_factor: LU without pivoting is not implemented on the CPU. Fix: pivot=True.")


def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """L and U in one matrix, the row exchanges, and where U has a zero. As `torch.linalg.lu_factor_ex`.

    Raises:
        LinAlgError: U has a zero on its diagonal (and `check_errors` is on).
    """
    _require_pivots(pivot)
    found = _lu_factor(A)
    if check_errors:
        require_success("lu_factor_ex", found[2], "U has a zero on its diagonal")
    return found


def lu_factor(A: Tensor, *, pivot: bool = True) -> tuple[Tensor, Tensor]:
    """L and U in one matrix, and the row exchanges. As `torch.linalg.lu_factor`.

    Raises:
        LinAlgError: U has a zero on its diagonal.
    """
    packed, pivots, _ = lu_factor_ex(A, pivot=pivot, check_errors=True)
    return results.linalg_lu_factor(packed, pivots)


def _lower_and_upper(packed: Tensor) -> tuple[Tensor, Tensor]:
    """In a body: L and U from the matrix that holds both."""
    inner = min(packed.shape[-2:])
    return _unit_lower(packed.narrow(-1, 0, inner)), triu(packed.narrow(-2, 0, inner))


def _exchange(pivots: Tensor, rows: int, record: dtypes.dtype) -> Tensor:
    """In a body: the matrix P of row exchanges."""
    order = emit(elimination.RowOrder(rows), pivots)
    return cast(symbol(elimination.row_exchange(node_of(order))), record)


@operation(grad="LinalgLuBackward0")
def _lu(A: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    require_matrix("lu", A)
    pivots = emit(elimination.LuPivots(), A)
    return results.linalg_lu(_exchange(pivots, A.shape[-2], A.dtype), *_lower_and_upper(emit(elimination.Lu(), A)))


def lu(A: Tensor, *, pivot: bool = True) -> tuple[Tensor, Tensor, Tensor]:
    """P, L and U whose product is A. As `torch.linalg.lu`."""
    _require_pivots(pivot)
    return _lu(A)


@operation(grad="LuUnpackBackward0")
def _lu_unpack(LU_data: Tensor, LU_pivots: Tensor, data: bool, pivots: bool) -> tuple[Tensor, Tensor, Tensor]:
    if pivots and LU_pivots.dtype is not dtypes.int32:
        raise DTypeError(
            "lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype, but it holds "
            f"{LU_pivots.dtype}. Fix: LU_pivots.int()."
        )
    nothing = constant(0, LU_data.dtype, (0,))
    exchange = _exchange(LU_pivots, LU_data.shape[-2], LU_data.dtype) if pivots else nothing
    return results.lu_unpack(exchange, *(_lower_and_upper(LU_data) if data else (nothing, nothing)))


def lu_unpack(
    LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True
) -> tuple[Tensor, Tensor, Tensor]:
    """P, L and U from what `lu_factor` gives. As `torch.lu_unpack`.

    Raises:
        DTypeError: the pivots are not int32.
    """
    return _lu_unpack(LU_data, LU_pivots, unpack_data, unpack_pivots)


@operation(differentiable=False)
def _ldl_factor(A: Tensor, hermitian: bool) -> tuple[Tensor, Tensor, Tensor]:
    require_matrix("ldl_factor_ex", A, square=True)
    return results.linalg_ldl_factor_ex(*[emit(Ldl(part, hermitian), A) for part in ("ld", "pivots", "info")])


def ldl_factor_ex(A: Tensor, *, hermitian: bool = False, check_errors: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """The factors of symmetric matrices in one, the exchanges, and where D has a zero. As `torch.linalg.ldl_factor_ex`.

    Raises:
        LinAlgError: D is singular (and `check_errors` is on).
    """
    found = _ldl_factor(A, hermitian)
    if check_errors:
        require_success("ldl_factor_ex", found[2], "D is singular")
    return found


def ldl_factor(A: Tensor, *, hermitian: bool = False) -> tuple[Tensor, Tensor]:
    """The factors of symmetric matrices in one, and the exchanges. As `torch.linalg.ldl_factor`.

    Raises:
        LinAlgError: D is singular.
    """
    packed, pivots, _ = ldl_factor_ex(A, hermitian=hermitian, check_errors=True)
    return results.linalg_ldl_factor(packed, pivots)


def _by_triangle(A: Tensor, UPLO: str) -> Tensor:
    """In a body: the matrices whose lower triangle is the one that shall be read.

    Raises:
        ShapeError: no such triangle.
    """
    if UPLO.upper() not in ("L", "U"):
        raise ShapeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}. Fix: UPLO='L'.")
    return A if UPLO.upper() == "L" else adjoint(A)


@operation(grad="LinalgEighBackward0")
def eigh(A: Tensor, UPLO: str = "L") -> tuple[Tensor, Tensor]:
    """Eigenvalues (ascending) and eigenvectors of symmetric matrices. As `torch.linalg.eigh`."""
    require_matrix("eigh", A, square=True)
    x = _by_triangle(A, UPLO)
    return results.linalg_eigh(emit(f.Eigh("values"), x), emit(f.Eigh("vectors"), x))


@operation(grad="LinalgEighBackward0")
def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """Eigenvalues (ascending) of symmetric matrices. As `torch.linalg.eigvalsh`."""
    require_matrix("eigvalsh", A, square=True)
    return emit(f.Eigh("values"), _by_triangle(A, UPLO))


@operation(grad="LinalgEigBackward0")
def eig(A: Tensor) -> tuple[Tensor, Tensor]:
    """Complex eigenvalues and eigenvectors of square matrices. As `torch.linalg.eig`."""
    require_matrix("eig", A, square=True)
    return results.linalg_eig(emit(f.Eig("values"), A), emit(f.Eig("vectors"), A))


def eigvals(A: Tensor) -> Tensor:
    """Complex eigenvalues of square matrices. As `torch.linalg.eigvals`."""
    return eig(A)[0]


@operation(grad="LinalgSvdBackward0")
def _svd(A: Tensor, full_matrices: bool) -> tuple[Tensor, Tensor, Tensor]:
    require_matrix("svd", A)
    return results.linalg_svd(*[emit(f.Svd(part, full_matrices), A) for part in ("u", "s", "vh")])


def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """A = U diag(S) Vh with S descending. As `torch.linalg.svd`."""
    _require_no_driver("svd", driver)
    return _svd(A, full_matrices)


@operation(grad="LinalgSvdBackward0")
def _svdvals(A: Tensor) -> Tensor:
    require_matrix("svdvals", A)
    return emit(f.Svd("s", False), A)


def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """The singular values, descending. As `torch.linalg.svdvals`."""
    _require_no_driver("svdvals", driver)
    return _svdvals(A)


def _require_no_driver(name: str, driver: str | None) -> None:
    if driver is not None:
        raise ShapeError(
            f"linalg.{name}: keyword argument `driver=` is only supported on CUDA inputs. Fix: leave it out."
        )
