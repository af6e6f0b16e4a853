"""Norms of matrices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from kadam.dtypes import dtype
from kadam.errors import ShapeError
from kadam.linalg.checks import require_matrix
from kadam.linalg.equations import inv_ex
from kadam.linalg.factors import svdvals
from kadam.ops.compare import where
from kadam.ops.reduce import amax, amin, sum, vector_norm
from kadam.recording.operation import Fixed, operation
from kadam.recording.precision import listed
from kadam.shapes import axis_of

if TYPE_CHECKING:
    from kadam.tensor import Tensor


@operation
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
        if isinstance(ord, str) and ord not in ("fro", "nuc"):
            raise ShapeError(f"linalg.norm: Order {ord} not supported. Fix: ord is 'fro', 'nuc', or a number.")
        return matrix_norm(A, ord, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    return vector_norm(A, 2 if ord is None else ord, dim, keepdim, dtype)


@listed("linalg_cond")
def cond(A: Tensor, p: Any = None) -> Tensor:
    """How much a matrix may enlarge relative errors. As `torch.linalg.cond`."""
    if p is None or p in (2, -2):
        sizes = svdvals(A)
        largest, smallest = amax(sizes, -1), amin(sizes, -1)
        return smallest / largest if p == -2 else largest / smallest
    require_matrix("cond", A, square=True)
    inverse, info = inv_ex(A)
    found = matrix_norm(A, p) * matrix_norm(inverse, p)
    return where(info > 0, math.inf, found).to(found.dtype)
