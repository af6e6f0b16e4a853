"""The gradient of a table of which rows are looked up: it has values for these rows alone."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam.autograd.function import boundary
from kadam.errors import UnsupportedError
from kadam.layouts import sparse_coo as COO
from kadam.ops.combine import cat
from kadam.ops.compare import where
from kadam.ops.creation import ones_like, zeros
from kadam.ops.gather import index_add
from kadam.optim.remembered import note_sparse
from kadam.recording.backward_pass import BackwardPass, Stop
from kadam.recording.spec import Size
from kadam.recording.step import state
from kadam.recording.sweep import owned
from kadam.recording.tensor import from_array, read
from kadam.sparse.tensor import SparseTensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kadam.tensor import Tensor


class Lookup:
    """What one look-up adds to a table's gradient.

    Attributes:
        index: i64[count], the rows.
        rows: f32[count, size], what is added to them.
        padding: the row that gets nothing.
    """

    def __init__(self, index: Tensor, rows: Tensor, padding: int | None) -> None:
        self.index, self.rows, self.padding = index, rows, padding

    def counted(self, rows: Tensor) -> Tensor:
        """Rows, zeros in place of the padding's."""
        return rows if self.padding is None else where((self.index == self.padding).unsqueeze(-1), 0.0, rows)

    def kept(self) -> np.ndarray[Any, Any]:
        """The places in `index` of the rows that get something."""
        index = read(self.index)
        return np.arange(len(index)) if self.padding is None else np.flatnonzero(index != self.padding)


class TableGradient(SparseTensor):
    """The sum of what look-ups add to a table's gradient.

    Which rows there are decides the shape of the values. Optimizers need neither; so places and values are put in
    PyTorch's order only when they are looked at, and a training step is the same path whatever the indices.
    """

    def __init__(self, lookups: Sequence[Lookup], table: Tensor) -> None:
        self.lookups = list(lookups)
        self.shape, self.layout = Size(table.shape), COO
        self.is_sparse, self.is_sparse_csr, self._coalesced = True, False, False
        self._dtype = table.dtype

    def __getattr__(self, name: str) -> Any:
        if name in ("places", "parts"):
            self._settle()
            return self.__dict__[name]
        return super().__getattr__(name)

    def _settle(self) -> None:
        """Places and values as PyTorch has them: in the order of the look-ups, sums merged."""
        self.places, self.parts = from_array(np.zeros((1, 0), np.int64)), zeros(0, *self.shape[1:], dtype=self.dtype)
        for position, lookup in enumerate(self.lookups):
            kept = lookup.kept()
            rows = lookup.rows if len(kept) == len(lookup.rows) else lookup.rows[from_array(kept)]
            index = read(lookup.index)[kept]
            if position:
                index, rows = self._merged(index, rows)
            self.places, self.parts = from_array(index[None].astype(np.int64)), rows

    def _merged(self, index: np.ndarray[Any, Any], rows: Tensor) -> tuple[np.ndarray[Any, Any], Tensor]:
        order, first, second = merge(read(self.places)[0].tolist(), index.tolist())
        sums = zeros(len(order), *self.shape[1:], dtype=self.dtype)
        places = from_array(np.array([*first, *second], np.int64))
        return np.array(order, np.int64), index_add(sums, 0, places, cat([self.parts, rows]))

    @property
    def dtype(self) -> Any:
        """The element type."""
        return self._dtype

    @property
    def device(self) -> Any:
        """Where the tensor is: the CPU."""
        return self.lookups[0].rows.device if self.lookups else super().device

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to the values."""
        return any(lookup.rows.requires_grad for lookup in self.lookups)

    def sparse_dim(self) -> int:
        """The number of axes along which elements are left out: that of the rows."""
        return 1

    def to_dense(self, dtype: Any = None, *, masked_grad: bool | None = None) -> Tensor:
        """As an ordinary tensor; values at one place are added."""
        dense = zeros(*self.shape, dtype=self.dtype)
        for lookup in self.lookups:
            dense = index_add(dense, 0, lookup.index, lookup.counted(lookup.rows))
        return dense if dtype is None else dense.to(dtype)

    def touched(self) -> Tensor:
        """Where there is a value, bool[rows, 1]: it may be zero."""
        marks = zeros(self.shape[0], 1, dtype=self.dtype)
        for lookup in self.lookups:
            ones = ones_like(lookup.rows.detach()[:, :1])
            marks = index_add(marks, 0, lookup.index, lookup.counted(ones))
        return marks != 0  # type: ignore[no-any-return]

    def add_(self, other: Any) -> SparseTensor:
        """Add another sparse tensor in place."""
        if not isinstance(other, TableGradient):
            return super().add_(other)
        self.lookups += other.lookups
        self._forget()
        return self

    def __add__(self, other: Any) -> Any:
        if isinstance(other, TableGradient) and other.shape == self.shape:
            return copy(self).add_(other)
        return super().__add__(other)

    add = __radd__ = __add__

    def __copy__(self) -> TableGradient:
        alike = object.__new__(TableGradient)
        alike.__dict__.update(self.__dict__, lookups=[*self.lookups])
        return alike

    def _replace(self, other: SparseTensor) -> SparseTensor:
        self.lookups = [Lookup(other.places[0], other.parts, None)]
        return super()._replace(other)

    def zero_(self) -> SparseTensor:
        """Leave out all values."""
        self.lookups = []
        self._forget()
        return self

    def _forget(self) -> None:
        self.__dict__.pop("places", None)
        self.__dict__.pop("parts", None)


def merge(first: list[int], second: list[int]) -> tuple[list[int], list[int], list[int]]:
    """Two lists of rows merged the way PyTorch adds sparse tensors: as if both were in order.

    Returns:
        The rows, and where those of the first and of the second list stand among them.
    """
    merged: list[int] = []
    places: tuple[list[int], list[int]] = ([], [])
    a = b = 0
    while a < len(first) or b < len(second):
        takes_first = b == len(second) or (a < len(first) and first[a] <= second[b])
        takes_second = a == len(first) or (b < len(second) and second[b] <= first[a])
        row = first[a] if takes_first else second[b]
        if takes_first:
            places[0].append(len(merged))
            a += 1
        if takes_second:
            places[1].append(len(merged))
            b += 1
        merged.append(row)
    return merged, *places


def halted(rows: Tensor, index: Tensor, table: Tensor, padding: int | None, scaled: bool, name: str) -> Tensor:
    """Rows of a table, at which backward passes turn to a sparse gradient.

    Args:
        rows: f32[..., size], what `index` points at, without gradient.
        index: i64[...].
        table: whose rows they are.
        padding: the row that gets no gradient.
        scaled: whether gradients were to be divided by how often a row occurs.
        name: of the operation, as PyTorch names its derivative.
    """
    result: Any = boundary(rows, name)
    places = owned(index.detach().reshape(-1).long())

    def function(cts: Sequence[Any], work: BackwardPass, stop: Stop) -> None:
        if scaled:
            raise UnsupportedError(
                "embedding_backward: scale_grad_by_freq not supported with sparse gradients. Fix: sparse=False."
            )
        ct = cts[0].reshape(-1, table.shape[1])
        gradient = TableGradient([Lookup(places, ct if work.create_graph else owned(ct), padding)], table)
        if stop.origins[0] is None:
            note_sparse(table)
            work.keep(table, gradient)  # type: ignore[arg-type]
        else:
            work.deliver(table, gradient.to_dense(), stop.origins[0])

    assert state.rec is not None
    state.rec.halt(result._pos, Stop([result._pos], function, (table,)))
    return result  # type: ignore[no-any-return]


__all__ = ["Lookup", "TableGradient", "halted", "merge"]
