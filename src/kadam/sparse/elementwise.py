"""Sparse tensors beside dense ones, element by element; and rows taken out of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kadam.errors import OperandError, ShapeError, UnsupportedError
from kadam.ops.index_put import index_put
from kadam.recording.tensor import Recorded, from_array, read
from kadam.shapes import axis_of
from kadam.sparse.tensor import SparseTensor

if TYPE_CHECKING:
    from kadam.tensor import Tensor


def dense_plus(dense: Tensor, other: SparseTensor) -> Tensor:
    """A dense tensor, to which the values of a sparse one of its shape are added.

    Raises:
        UnsupportedError: a number instead of a tensor.
        ShapeError: another shape.
    """
    if not isinstance(dense, Recorded) or not dense.shape:
        raise UnsupportedError("add: a number cannot be added to a sparse tensor. Fix: x.to_dense() + 1.")
    if tuple(dense.shape) != tuple(other.shape):
        raise ShapeError(
            f"add: a tensor of shape {list(dense.shape)} and a sparse one of {list(other.shape)}. Fix: one shape, or "
            "x.to_dense() + y."
        )
    kind: Any = (dense[:0].sum() + other.parts[:0].sum()).dtype
    return index_put(dense.to(kind), tuple(other.places), other.parts.to(kind), True)


def times(tensor: SparseTensor, factor: Any) -> SparseTensor:
    """The product with a number, or with a tensor that stretches to the shape: sparse, at the same places."""
    if isinstance(factor, SparseTensor):
        return times(tensor.coalesce(), factor.to_dense())
    if not getattr(factor, "ndim", None):
        return tensor.like(tensor.parts * factor)
    return tensor.like(tensor.parts * factor.expand(*tensor.shape)[tuple(tensor.places)])


def sparse_mask(self: Tensor, mask: SparseTensor) -> SparseTensor:
    """The elements that stand where a sparse tensor has values. As `Tensor.sparse_mask`.

    Raises:
        OperandError: the mask is not sparse.
        ShapeError: it has another shape.
    """
    if not isinstance(mask, SparseTensor):
        raise OperandError(f"sparse_mask: the mask is a {type(mask).__name__}. Fix: mask.to_sparse().")
    if tuple(mask.shape) != tuple(self.shape):
        raise ShapeError(
            f"sparse_mask: operands have incompatible sizes; self has size {list(self.shape)} but mask has size "
            f"{list(mask.shape)}. Fix: a mask of the tensor's shape."
        )
    found = mask.coalesce()
    return found.like(self[tuple(found.places)])


def index_select(tensor: SparseTensor, dim: int, index: Tensor) -> SparseTensor:
    """The slices along an axis that an index names, in its order. As `torch.index_select`."""
    axis, wanted = axis_of(dim, tensor.ndim), read(index).reshape(-1)
    shape = (*tensor.shape[:axis], len(wanted), *tensor.shape[axis + 1 :])
    if axis >= tensor.sparse_dim():
        parts = tensor.parts.index_select(axis - tensor.sparse_dim() + 1, index)
        return SparseTensor(tensor.places, parts, shape, coalesced=tensor.is_coalesced())
    places = read(tensor.places)
    new, old = np.nonzero(wanted[:, None] == places[axis])
    moved = places[:, old]
    moved[axis] = new
    return SparseTensor(from_array(moved.astype(np.int64)), tensor.parts[from_array(old.astype(np.int64))], shape)


__all__ = ["dense_plus", "index_select", "sparse_mask", "times"]
