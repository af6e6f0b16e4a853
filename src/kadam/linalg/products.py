"""Products and powers of matrices and vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kadam.errors import ShapeError
from kadam.linalg.checks import require_matrix
from kadam.linalg.equations import inv
from kadam.ops.combine import stack
from kadam.ops.contract import chain_matmul, matmul
from kadam.ops.creation import eye
from kadam.ops.pointwise import conj, cos, sin
from kadam.ops.promotion import meet
from kadam.ops.reduce import sum
from kadam.primitives import solve as s
from kadam.primitives.complex import MakeComplex
from kadam.recording.calls import emit
from kadam.recording.memory import covered
from kadam.recording.operation import operation
from kadam.recording.precision import listed

if TYPE_CHECKING:
    from kadam.tensor import Tensor


@operation(grad="LinalgMatrixExpBackward0")
def matrix_exp(A: Tensor) -> Tensor:
    """The exponential of square matrices. As `torch.linalg.matrix_exp`."""
    require_matrix("matrix_exp", A, square=True)
    return emit(s.MatrixExp(), A)


def matrix_power(A: Tensor, n: int) -> Tensor:
    """A times itself n times; the inverse's for negative n. As `torch.linalg.matrix_power`."""
    if len(A.shape) < 2 or A.shape[-1] != A.shape[-2]:
        require_matrix("matrix_power", A, square=True)
    if n < 0:
        return matrix_power(inv(A), -n)
    if n == 0:
        return covered(A, eye(A.shape[-1], dtype=A.dtype).expand(tuple(A.shape)))
    if n == 1:
        return A.clone()
    half = matrix_power(A, n // 2) if n > 3 else A
    return matmul(matmul(half, half), A) if n % 2 else matmul(half, half)


def multi_dot(tensors: Any) -> Tensor:
    """The product of several matrices. As `torch.linalg.multi_dot`."""
    return chain_matmul(*tensors)


def vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """Powers of the elements as columns. As `torch.linalg.vander`.

    Raises:
        ShapeError: N is not positive.
    """
    if N is not None and N < 1:
        raise ShapeError(f"N must be greater than 1, but got {N}. Fix: N=len(x).")
    column = x if len(x.shape) else x.unsqueeze(0)
    return stack([column**power for power in range(column.shape[-1] if N is None else N)], -1)


@listed("linalg_vecdot")
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The sum of products along an axis. As `torch.linalg.vecdot`."""
    return sum(conj(x) * y, dim)


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonals of matrices. As `torch.linalg.diagonal`."""
    return A.diagonal(offset, dim1, dim2)


@operation(grad="PolarBackward0")
def polar(abs: Tensor, angle: Tensor) -> Tensor:
    """The complex tensor of lengths and angles. As `torch.polar`."""
    length, turn = meet(abs, angle)
    return emit(MakeComplex(), length * cos(turn), length * sin(turn))
