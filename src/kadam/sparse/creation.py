"""Sparse tensors made: of places and values, and of the elements of a dense tensor that are not zero."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam import dtypes
from kadam.dtypes import dtype
from kadam.errors import IndexOutOfRange, ShapeError, UnsupportedError
from kadam.layouts import sparse_csr as CSR
from kadam.ops.creation import as_tensor
from kadam.recording.tensor import from_array, read
from kadam.sparse.tensor import SparseTensor

if TYPE_CHECKING:
    from kadam.tensor import Tensor


def sparse_coo_tensor(
    indices: Any,
    values: Any = None,
    size: Sequence[int] | None = None,
    *,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
    is_coalesced: bool | None = None,
    pin_memory: bool = False,
) -> SparseTensor:
    """A sparse tensor in coordinates. As `torch.sparse_coo_tensor`.

    Shapes:
        indices i64[sparse axes, count], values f32[count, ...]

    Args:
        indices: where the values stand; a place may occur several times, its values are then added. Without values,
            the size of a tensor that has none.
        values: of the elements that are not zero.
        size: of all axes; by default as small as the indices allow.
        dtype: of the values.
        requires_grad: whether gradients flow to the values.
        is_coalesced: that the places are in order, each once.

    Raises:
        ShapeError: not as many places as values.
        IndexOutOfRange: a place lies outside.
    """
    if values is None:
        size = tuple(indices)
        indices, values = np.zeros((len(size), 0), np.int64), np.zeros(0, (dtype or dtypes.default_float()).numpy)
    places, parts = as_tensor(indices).to(dtypes.int64), as_tensor(values, dtype=dtype)
    if places.dim() == 1:
        places = places.unsqueeze(0)
    if places.dim() != 2 or not parts.dim() or places.shape[1] != parts.shape[0]:
        raise ShapeError(
            f"sparse_coo_tensor: indices {list(places.shape)} and values {list(parts.shape)}: number of dimensions of "
            "indices must be 2, and there must be one column for each value. Fix: indices of [axes, count]."
        )
    known = read(places)
    largest = tuple(int(row.max()) + 1 if row.size else 0 for row in known)
    shape = (*largest, *parts.shape[1:]) if size is None else tuple(size)
    sparse = len(known)
    if len(shape) != sparse + parts.dim() - 1 or tuple(shape[sparse:]) != tuple(parts.shape[1:]):
        raise ShapeError(
            f"sparse_coo_tensor: size {list(shape)} has not {sparse} sparse axes and then {list(parts.shape[1:])}. "
            "Fix: leave size out."
        )
    if known.size and (known.min() < 0 or any(a > b for a, b in zip(largest, shape, strict=False))):
        raise IndexOutOfRange(
            f"sparse_coo_tensor: found indices up to {[one - 1 for one in largest]}, outside of size {list(shape)}. "
            "Fix: a larger size."
        )
    made = SparseTensor(places, parts, shape, coalesced=bool(is_coalesced))
    return made.requires_grad_() if requires_grad else made


def sparse_csr_tensor(
    crow_indices: Any,
    col_indices: Any,
    values: Any,
    size: Sequence[int] | None = None,
    *,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
    pin_memory: bool = False,
) -> SparseTensor:
    """A matrix in compressed rows. As `torch.sparse_csr_tensor`.

    Args:
        crow_indices: where each row's values begin, and the end.
        col_indices: the column of each value.
        values: of the elements that are not zero.
        size: rows and columns; by default as few as the indices allow.

    Raises:
        ShapeError: not as many columns as values.
        UnsupportedError: a batch of matrices.
    """
    bounds, columns = read(as_tensor(crow_indices)), read(as_tensor(col_indices))
    parts = as_tensor(values, dtype=dtype)
    if bounds.ndim != 1 or parts.dim() != 1:
        raise UnsupportedError("sparse_csr_tensor: only one matrix of numbers. Fix: a list of matrices.")
    if bounds[-1] != len(columns) or len(columns) != parts.shape[0]:
        raise ShapeError(
            f"sparse_csr_tensor: {len(columns)} columns, {parts.shape[0]} values, and rows that end at {bounds[-1]}. "
            "Fix: one column for each value, and their count as the last of crow_indices."
        )
    rows = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    shape = (len(bounds) - 1, int(columns.max()) + 1 if columns.size else 0) if size is None else tuple(size)
    made = SparseTensor(from_array(np.stack([rows, columns]).astype(np.int64)), parts, shape, CSR, True)
    return made.requires_grad_() if requires_grad else made


def spdiags(diagonals: Tensor, offsets: Tensor, shape: Sequence[int], layout: str | None = None) -> SparseTensor:
    """A matrix that has the rows of `diagonals` as its diagonals. As `torch.sparse.spdiags`.

    Args:
        diagonals: f32[count, length]; of a diagonal above the main one the first values lie outside.
        offsets: how far each diagonal lies above the main one.
        shape: rows and columns.
        layout: of the result; in coordinates by default.

    Raises:
        ShapeError: not one offset for each diagonal.
    """
    lines = diagonals if diagonals.dim() == 2 else diagonals.unsqueeze(0)
    above = read(offsets).reshape(-1, 1)
    if len(above) != lines.shape[0]:
        raise ShapeError(
            f"spdiags: number of diagonals ({lines.shape[0]}) does not match the number of offsets ({len(above)}). "
            "Fix: an offset for each row of diagonals."
        )
    columns = np.broadcast_to(np.arange(lines.shape[1]), tuple(lines.shape))
    rows = columns - above
    inside = (rows >= 0) & (rows < shape[0]) & (columns < shape[1])
    places = from_array(np.stack([rows[inside], columns[inside]]).astype(np.int64))
    found = SparseTensor(places, lines[from_array(inside)], tuple(shape))
    return found.to_sparse_csr() if layout == CSR else found


def to_sparse(self: Tensor, sparse_dim: int | None = None, *, layout: str | None = None) -> SparseTensor:
    """The elements that are not zero, and their places. As `Tensor.to_sparse`.

    Args:
        self: a dense tensor.
        sparse_dim: how many axes, from the first, are sparse; by default all.
        layout: `torch.sparse_csr` for compressed rows.

    Raises:
        ShapeError: the tensor has fewer axes.
    """
    axes = self.dim() if sparse_dim is None else sparse_dim
    if not 0 <= axes <= self.dim() or (self.dim() and not axes):
        raise ShapeError(f"to_sparse: sparse_dim={sparse_dim} of a tensor of {self.dim()} axes. Fix: leave it out.")
    filled = read(self.detach()) != 0
    for _ in range(self.dim() - axes):
        filled = filled.any(-1)
    places = from_array(np.stack(np.nonzero(filled)).astype(np.int64) if axes else np.zeros((0, 1), np.int64))
    parts = self[tuple(places)] if axes else self.reshape(1)
    found = SparseTensor(places, parts, tuple(self.shape), coalesced=True)
    return found.to_sparse_csr() if layout == CSR else found


def to_sparse_csr(self: Tensor, dense_dim: int | None = None) -> SparseTensor:
    """A matrix in compressed rows. As `Tensor.to_sparse_csr`."""
    return to_sparse(self, layout=CSR)
