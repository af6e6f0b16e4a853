"""What linear algebra asks of its operands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kadam.dtypes import FLOAT, complex64, complex128, float32, float64
from kadam.errors import DTypeError, LinAlgError, ShapeError
from kadam.recording.tensor import read

if TYPE_CHECKING:
    from kadam.tensor import Tensor

_COMPUTED = (float32, float64, complex64, complex128)


def require_matrix(name: str, input: Tensor, square: bool = False) -> None:
    """Raise unless the operand is a matrix (or a batch of them) of numbers that can be factored.

    Raises:
        ShapeError: fewer than two axes, or not square where it must be.
        DTypeError: integers, or half precision.
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
    if input.dtype not in _COMPUTED:
        raise DTypeError(f"linalg.{name}: Low precision dtypes not supported. Got {input.dtype}. Fix: .float().")


def require_one_kind(name: str, a: Tensor, b: Tensor) -> None:
    """Raise unless both operands have one element type.

    Raises:
        DTypeError: they have not.
    """
    if a.dtype is not b.dtype:
        raise DTypeError(
            f"linalg.{name}: Expected A and B to have the same dtype, but found A of type {a.dtype} and B of type "
            f"{b.dtype} instead. Fix: B.to(A.dtype)."
        )


def require_success(name: str, info: Tensor, verdict: str) -> None:
    """Raise where a factorisation has failed, as `check_errors` asks.

    Raises:
        LinAlgError: an info is not 0.
    """
    failed = read(info)
    if failed.any():
        raise LinAlgError(f"linalg.{name}: {verdict} (info {int(failed[failed != 0].flat[0])}). Fix: look at A.")


def is_vector(a: Tensor, b: Tensor) -> bool:
    """Whether b, the right side of a x = b, is a vector (or a batch of them) rather than a matrix."""
    return len(b.shape) == 1 or (len(b.shape) == len(a.shape) - 1 and tuple(b.shape) == tuple(a.shape[:-1]))
