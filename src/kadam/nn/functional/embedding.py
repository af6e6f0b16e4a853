"""Rows of a table that indices point at, alone or in bags; indices as one-hot vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kadam import dtypes
from kadam.errors import DTypeError, IndexOutOfRange, ShapeError
from kadam.ops.compare import where
from kadam.ops.promotion import cast, constant
from kadam.primitives.index import Index, IndexAdd, Scatter
from kadam.recording.arguments import guarded
from kadam.recording.calls import emit
from kadam.recording.modes import no_grad
from kadam.recording.operation import operation
from kadam.recording.step import state
from kadam.recording.tensor import from_array, is_current, overwrite, read

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class PaddingError(IndexOutOfRange, AssertionError, RuntimeError):
    """A padding row that a table does not have, for which PyTorch asserts or raises a RuntimeError."""


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of a table that indices point at. As `torch.nn.functional.embedding`.

    Shapes:
        input i64[...], weight f32[rows, size] -> f32[..., size]

    Args:
        input: the indices.
        weight: the table.
        padding_idx: a row that gets no gradient.
        max_norm: rows that are looked up are scaled down to this norm first, in place.
        norm_type: which norm.
        scale_grad_by_freq: whether a row's gradient is divided by how often it occurs in the input.
        sparse: whether the table's gradient is a sparse tensor, with values for these rows alone.

    Raises:
        IndexOutOfRange: an index is no row (when the values are computed).
        DTypeError: the indices are no whole numbers.
        ShapeError: the table is no matrix.
    """
    if padding_idx is not None:
        padding_idx = row_number(padding_idx, weight)
    if max_norm is not None:
        renormalise(weight, input, max_norm, norm_type)
    if sparse and asks_gradient(weight):
        return halted_rows(input, weight, padding_idx, scale_grad_by_freq, "EmbeddingBackward0")
    return _rows(input, weight, padding_idx, scale_grad_by_freq)


def asks_gradient(weight: Tensor) -> bool:
    """Whether a backward pass may come for a table's gradient."""
    return bool(weight.requires_grad and state.grad)


def halted_rows(input: Tensor, weight: Tensor, padding_idx: int | None, scaled: bool, name: str) -> Tensor:
    """The rows that indices point at; their gradient becomes the table's, which is sparse."""
    from kadam.sparse.gradient import halted

    rows = _rows(input, weight.detach(), None, False)
    return halted(rows, input, weight, padding_idx, scaled, name)


@operation(grad="EmbeddingBackward0")
def _rows(input: Tensor, weight: Tensor, padding_idx: int | None, scale_grad_by_freq: bool) -> Tensor:
    index = index_of("embedding", input)
    if len(weight.shape) != 2:
        raise ShapeError(
            f"embedding: 'weight' must be 2-D, got {list(weight.shape)}. Fix: give a matrix [rows, features]."
        )
    rows = emit(Index((0,), False), weight, index)
    if not weight.requires_grad:
        return rows
    if scale_grad_by_freq:
        rows = rows.detach() + (rows - rows.detach()) / frequency(index, weight).to(rows.dtype).unsqueeze(-1)
    if padding_idx is None:
        return rows
    return where((index == padding_idx).unsqueeze(-1), rows.detach(), rows)


def index_of(name: str, input: Tensor) -> Tensor:
    """In a body: indices as i64.

    Raises:
        DTypeError: they are no whole numbers.
    """
    if input.dtype not in (dtypes.int64, dtypes.int32):
        raise DTypeError(
            f"{name}: Expected the indices to have one of the following scalar types: Long, Int; but got "
            f"{input.dtype!r}. Fix: .long()"
        )
    return cast(input, dtypes.int64)


def frequency(index: Tensor, weight: Tensor) -> Tensor:
    """In a body: for each index, how often it occurs."""
    ones = constant(1, dtypes.int64, tuple(index.shape))
    counts = emit(IndexAdd((0,), False), constant(0, dtypes.int64, (weight.shape[0],)), ones, index)
    return emit(Index((0,), False), counts, index)


def row_number(padding_idx: int, weight: Tensor) -> int:
    """The padding row, counted from the front.

    Raises:
        PaddingError: the table has no such row.
    """
    rows = weight.shape[0]
    if not -rows <= padding_idx < rows:
        raise PaddingError(
            f"Padding_idx must be within num_embeddings: the table has {rows} rows, got {padding_idx}. Fix: give a "
            f"padding_idx from {-rows} to {rows - 1}, or None."
        )
    return int(padding_idx % rows)


def renormalise(weight: Tensor, input: Tensor, max_norm: float, norm_type: float) -> None:
    """Scale the rows that are looked up down to a norm, in place and out of autograd's sight.

    Raises:
        IndexOutOfRange: an index is no row.
    """
    used, table = np.unique(read(input)), read(weight)
    if used.size and not 0 <= used[0] <= used[-1] < len(table):
        raise IndexOutOfRange(
            f"embedding: index out of range in self: the table has {len(table)} rows. Fix: the table needs more rows "
            f"(num_embeddings), or the indices must be from 0 to {len(table) - 1}."
        )
    norms = np.linalg.norm(table[used], norm_type, axis=1)
    long = norms > max_norm
    if long.any():
        scaled = table.copy()
        scaled[used[long]] *= (max_norm / (norms[long] + 1e-7))[:, None]
        with no_grad():
            overwrite(weight, scaled)


@operation(differentiable=False)
def _one_hot(tensor: Tensor, num_classes: int) -> Tensor:
    """Of classes that are known only at the run: one that is out of range is an error then."""
    base = constant(0, dtypes.int64, (*tensor.shape, num_classes))
    one = constant(1, dtypes.int64, (*tensor.shape, 1))
    return emit(Scatter(len(tensor.shape)), base, one, tensor.unsqueeze(-1))


@guarded
def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Vectors of zeros with a one at the place of each class. As `torch.nn.functional.one_hot`.

    Shapes:
        tensor i64[...] -> i64[..., num_classes]

    Args:
        tensor: the classes.
        num_classes: how many there are; -1: one more than the largest in the tensor.

    Raises:
        ShapeError: a class is negative or too large, or the number of classes cannot be inferred (RuntimeError).
        DTypeError: the classes are not i64.
    """
    if tensor.dtype is not dtypes.int64:
        raise DTypeError("one_hot is only applicable to index tensor of type LongTensor. Fix: .long()")
    if num_classes > 0 and not is_current(tensor):
        return _one_hot(tensor, num_classes)
    classes = read(tensor)
    if not classes.size:
        if num_classes <= 0:
            raise ShapeError("one_hot: Can not infer total number of classes from empty tensor. Fix: give num_classes.")
        return from_array(np.zeros((*classes.shape, num_classes), np.int64))
    if classes.min() < 0:
        raise ShapeError(
            f"one_hot: Class values must be non-negative. The least is {classes.min()}. Fix: clamp(min=0), or shift "
            "the labels to begin at 0."
        )
    if num_classes == -1:
        num_classes = int(classes.max()) + 1
    if classes.max() >= num_classes:
        raise ShapeError(
            f"one_hot: Class values must be smaller than num_classes. The largest is {classes.max()} of {num_classes}. "
            f"Fix: num_classes={classes.max() + 1}."
        )
    return from_array((classes[..., None] == np.arange(num_classes)).astype(np.int64))


__all__ = [
    "embedding",
    "one_hot",
]
