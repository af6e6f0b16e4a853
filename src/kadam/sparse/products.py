"""What sparse matrices are for: products with dense ones, by as many multiplications as there are values; and sums."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kadam.errors import OperandError, ShapeError, UnsupportedError
from kadam.layouts import sparse_csr as CSR
from kadam.ops.creation import full, zeros
from kadam.ops.gather import index_add, index_reduce
from kadam.ops.require import ArgumentError
from kadam.sparse.creation import to_sparse
from kadam.sparse.tensor import SparseTensor

if TYPE_CHECKING:
    from kadam.tensor import Tensor


def _require_matrix(name: str, matrix: Any) -> SparseTensor:
    if not isinstance(matrix, SparseTensor):
        raise OperandError(f"sparse.{name}: expected a sparse matrix, not {type(matrix).__name__}. Fix: x.to_sparse().")
    if matrix.sparse_dim() != 2 or matrix.dense_dim():
        raise ShapeError(f"sparse.{name}: expected a sparse matrix, but the shape is {list(matrix.shape)}. Fix: x[0].")
    return matrix


def mm(mat1: SparseTensor, mat2: Tensor | SparseTensor, reduce: str | None = None) -> Any:
    """The product of a sparse matrix and a dense one. As `torch.sparse.mm`.

    Shapes:
        mat1 sparse f32[n, m], mat2 f32[m, k] -> f32[n, k]

    Args:
        mat1: the sparse matrix.
        mat2: the dense matrix; a product of two sparse ones is computed densely, and sparse again.
        reduce: what is made of a row's products: "sum", "mean", "amax" or "amin".

    Raises:
        ShapeError: mat1 has not as many columns as mat2 has rows.
        ValueError: another reduction.
    """
    left = _require_matrix("mm", mat1)
    if isinstance(mat2, SparseTensor):
        return to_sparse(mm(left, mat2.to_dense(), reduce))
    if mat2.dim() != 2 or left.shape[1] != mat2.shape[0]:
        raise ShapeError(
            f"sparse.mm: mat1 and mat2 shapes cannot be multiplied ({list(left.shape)} and {list(mat2.shape)}). Fix: a "
            f"matrix of {left.shape[1]} rows."
        )
    rows, columns = left.places[0], left.places[1]
    products = left.parts.unsqueeze(1) * mat2[columns]
    start = zeros(left.shape[0], mat2.shape[1], dtype=products.dtype)
    if reduce is None or reduce == "sum":
        return index_add(start, 0, rows, products)
    if reduce not in ("mean", "amax", "amin"):
        raise ArgumentError(f"sparse.mm: reduce={reduce!r} is none of sum, mean, amax, amin. Fix: reduce='sum'.")
    return index_reduce(start, 0, rows, products, reduce, include_self=False)


def addmm(mat: Tensor, mat1: SparseTensor, mat2: Tensor, *, beta: float = 1.0, alpha: float = 1.0) -> Tensor:
    """beta mat + alpha mat1 mat2, with a sparse mat1. As `torch.sparse.addmm`."""
    return mat * beta + mm(mat1, mat2) * alpha  # type: ignore[no-any-return]


def sampled_addmm(
    input: SparseTensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1.0, alpha: float = 1.0
) -> SparseTensor:
    """beta input + alpha (mat1 mat2), where `input` has values. As `torch.sparse.sampled_addmm`.

    Shapes:
        input sparse f32[n, m], mat1 f32[n, k], mat2 f32[k, m] -> sparse f32[n, m]

    Raises:
        UnsupportedError: `input` is not in compressed rows.
        ShapeError: the shapes do not fit.
    """
    pattern = _require_matrix("sampled_addmm", input)
    if pattern.layout != CSR:
        raise UnsupportedError("sparse.sampled_addmm: expected compressed rows. Fix: input.to_sparse_csr().")
    if mat1.shape[1] != mat2.shape[0] or tuple(pattern.shape) != (mat1.shape[0], mat2.shape[1]):
        raise ShapeError(
            f"sparse.sampled_addmm: mat1 {list(mat1.shape)} and mat2 {list(mat2.shape)} cannot be multiplied to the "
            f"shape {list(pattern.shape)}. Fix: [n, k] and [k, m] for an input of [n, m]."
        )
    rows, columns = pattern.places[0], pattern.places[1]
    products = (mat1[rows] * mat2.t()[columns]).sum(-1)
    return pattern.like(pattern.parts * beta + products * alpha)


def sum(input: SparseTensor, dim: Any = None, dtype: Any = None) -> Any:
    """The sum of all values, or over axes; what is left of the sparse axes stays sparse. As `torch.sparse.sum`."""
    wanted = input if dtype is None else input.to(dtype)
    if dim is None:
        return wanted.parts.sum()
    axes = {one % input.ndim for one in ((dim,) if isinstance(dim, int) else dim)}
    sparse = input.sparse_dim()
    inner = tuple(axis - sparse + 1 for axis in sorted(axes) if axis >= sparse)
    parts = wanted.parts.sum(inner) if inner else wanted.parts
    kept = [axis for axis in range(sparse) if axis not in axes]
    if not kept:
        return parts.sum(0)
    shape = tuple(size for axis, size in enumerate(input.shape) if axis not in axes)
    return SparseTensor(wanted.places[kept], parts, shape).coalesce()


def softmax(input: SparseTensor, dim: int, *, dtype: Any = None) -> SparseTensor:
    """The softmax over the values along an axis; what is left out counts as minus infinity. As `torch.sparse.softmax`.

    Raises:
        UnsupportedError: `input` is no matrix.
    """
    ordered = _require_matrix("softmax", input if dtype is None else input.to(dtype)).coalesce()
    line = ordered.places[1 - dim % 2]  # the values of one line are normalised together
    count = ordered.shape[1 - dim % 2]
    lowest = full((count,), -float("inf"), dtype=ordered.dtype)
    top = index_reduce(lowest, 0, line, ordered.parts.detach(), "amax")
    powers = (ordered.parts - top[line]).exp()
    return ordered.like(powers / index_add(zeros(count, dtype=ordered.dtype), 0, line, powers)[line])


__all__ = ["addmm", "mm", "sampled_addmm", "softmax", "sum"]
