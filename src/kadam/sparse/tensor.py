"""Sparse tensors: the places of some elements and their values; all others are zero.

Values are an ordinary tensor, so whatever is computed with a sparse tensor is recorded, differentiated and run like all
else. The places are known numbers: they decide shapes.
"""

from __future__ import annotations

import operator
import re
from functools import reduce
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from kadam import dtypes
from kadam.errors import ShapeError, UnsupportedError
from kadam.layouts import sparse_coo as COO
from kadam.layouts import sparse_csr as CSR
from kadam.ops.creation import ones_like, zeros
from kadam.ops.gather import index_add
from kadam.ops.index_put import index_put
from kadam.printing import format_tensor, with_suffixes
from kadam.recording.spec import Size
from kadam.recording.tensor import from_array, read

if TYPE_CHECKING:
    from kadam.dtypes import dtype
    from kadam.tensor import Tensor


class SparseAttributeError(UnsupportedError, AttributeError):
    """What a dense tensor has and a sparse one does not have."""

    explains = False  # asking whether there is such an attribute is no mistake


class SparseArrayError(UnsupportedError, TypeError):
    """A sparse tensor where an array is wanted."""


class SparseTensor:
    """A sparse tensor in coordinates (COO), or in compressed rows (CSR). Not a subclass of `Tensor`.

    What it can: `to_dense`, `coalesce`, products with dense matrices, sums, transposition, scaling; values may require
    grad. Everything else is refused by name.

    Attributes:
        places: i64[sparse axes, count], where the values stand.
        parts: f32[count, ...], the values; the axes after the first are dense.
        shape: of the tensor.
        layout: "torch.sparse_coo" or "torch.sparse_csr".
    """

    is_cuda = is_quantized = is_meta = False
    answers_operators = True  # those of a dense tensor and this one

    def __init__(
        self, places: Tensor, parts: Tensor, shape: tuple[int, ...], layout: str = COO, coalesced: bool = False
    ) -> None:
        self.places, self.parts, self.shape, self.layout = places, parts, Size(shape), layout
        self.is_sparse = layout == COO
        self.is_sparse_csr = layout == CSR
        self._coalesced = coalesced

    def like(self, parts: Tensor) -> SparseTensor:
        """Other values at the same places."""
        return SparseTensor(self.places, parts, self.shape, self.layout, self._coalesced)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise SparseAttributeError(
            f"a sparse tensor has no {name!r}: it has to_dense, coalesce, products with dense matrices, sums, "
            "transposition and products element by element. Fix: x.to_dense()."
        )

    # --- what it is ---------------------------------------------------------------------------------------------

    @property
    def dtype(self) -> dtype:
        """The element type."""
        return self.parts.dtype

    @property
    def device(self) -> Any:
        """Where the tensor is: the CPU."""
        return self.parts.device

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def dim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def size(self, dim: int | None = None) -> Any:
        """The sizes of the axes, or of one."""
        return self.shape if dim is None else self.shape[dim]

    def numel(self) -> int:
        """The number of elements, zeros and all."""
        return reduce(operator.mul, self.shape, 1)

    def sparse_dim(self) -> int:
        """The number of axes along which elements are left out."""
        return int(self.places.shape[0])

    def dense_dim(self) -> int:
        """The number of axes of each value."""
        return self.ndim - self.sparse_dim()

    def is_coalesced(self) -> bool:
        """Whether the places are in order, none twice."""
        return self._coalesced

    def is_floating_point(self) -> bool:
        """Whether the elements are floating-point numbers."""
        return self.parts.is_floating_point()

    def is_complex(self) -> bool:
        """Whether the elements are complex numbers."""
        return self.parts.is_complex()

    def _nnz(self) -> int:
        return int(self.places.shape[1])

    def _indices(self) -> Tensor:
        return self.places

    def _values(self) -> Tensor:
        return self.parts

    def indices(self) -> Tensor:
        """The places of the values, one per column.

        Raises:
            ShapeError: some may occur twice (RuntimeError).
        """
        self._require_order("indices")
        return self.places

    def values(self) -> Tensor:
        """The values.

        Raises:
            ShapeError: some may stand at one place (RuntimeError).
        """
        self._require_order("values")
        return self.parts

    def _require_order(self, name: str) -> None:
        if not self._coalesced and self.layout == COO:
            raise ShapeError(
                f"Cannot get {name} on an uncoalesced tensor, please call .coalesce() first. Fix: "
                f"x.coalesce().{name}()."
            )

    def crow_indices(self) -> Tensor:
        """In compressed rows: where each row's values begin, and the end."""
        counts = np.bincount(read(self.places)[0], minlength=self.shape[0])
        return from_array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))

    def col_indices(self) -> Tensor:
        """In compressed rows: the column of each value."""
        return self.places[1]

    # --- gradients ----------------------------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to the values."""
        return self.parts.requires_grad

    @property
    def is_leaf(self) -> bool:
        """Whether nothing made the values, as far as gradients are concerned."""
        return self.parts.is_leaf

    @property
    def grad(self) -> SparseTensor | None:
        """The gradient of the values, at their places."""
        return None if self.parts.grad is None else self.like(self.parts.grad)

    def requires_grad_(self, requires_grad: bool = True) -> SparseTensor:
        """Have gradients flow to the values, or not."""
        self.parts.requires_grad_(requires_grad)
        return self

    def detach(self) -> SparseTensor:
        """The same numbers, without history."""
        return self.like(self.parts.detach())

    @property
    def data(self) -> SparseTensor:
        """The tensor itself; one that requires grad, without history."""
        return self.detach() if self.requires_grad else self

    def clone(self, *, memory_format: Any = None) -> SparseTensor:
        """A copy, through which gradients flow."""
        return self.like(self.parts.clone())

    def __deepcopy__(self, memo: dict[int, Any]) -> SparseTensor:
        copied = SparseTensor(
            self.places.clone(), self.parts.detach().clone(), self.shape, self.layout, self._coalesced
        ).requires_grad_(self.requires_grad)
        memo[id(self)] = copied
        return copied

    # --- other layouts and types --------------------------------------------------------------------------------

    def to_dense(self, dtype: Any = None, *, masked_grad: bool | None = None) -> Tensor:
        """As an ordinary tensor; values at one place are added."""
        parts = self.parts if dtype is None else self.parts.to(dtype)
        return index_put(zeros(*self.shape, dtype=parts.dtype), tuple(self.places), parts, True)

    def touched(self) -> Tensor:
        """Where there are values, which may be zero: a bool that stretches to the shape."""
        return self.like(ones_like(self.parts.detach())).to_dense() != 0  # type: ignore[no-any-return]

    def coalesce(self) -> SparseTensor:
        """The places in order, each once; values at one place are added."""
        if self._coalesced:
            return self
        places, outer = read(self.places), self.shape[: self.sparse_dim()]
        lines = np.ravel_multi_index(tuple(places), outer) if outer else np.zeros(places.shape[1], np.int64)
        found, order = np.unique(lines, return_inverse=True)
        sums = zeros(len(found), *self.parts.shape[1:], dtype=self.dtype)
        parts = index_add(sums, 0, from_array(order.reshape(-1).astype(np.int64)), self.parts)
        kept = np.stack(np.unravel_index(found, outer)) if outer else np.zeros((0, len(found)))
        return SparseTensor(from_array(kept.astype(np.int64)), parts, self.shape, COO, True)

    def to_sparse(self, sparse_dim: int | None = None, *, layout: str | None = None) -> SparseTensor:
        """In coordinates, or in another layout."""
        return self.to_sparse_csr() if layout == CSR else SparseTensor(self.places, self.parts, self.shape, COO, True)

    to_sparse_coo = to_sparse

    def to_sparse_csr(self, dense_dim: int | None = None) -> SparseTensor:
        """In compressed rows.

        Raises:
            UnsupportedError: the tensor is no matrix.
        """
        if self.sparse_dim() != 2 or self.dense_dim():
            raise UnsupportedError("to_sparse_csr: only matrices. Fix: x.to_dense(), or one matrix at a time.")
        ordered = self.coalesce()
        return SparseTensor(ordered.places, ordered.parts, self.shape, CSR, True)

    def to(self, *given: Any, **options: Any) -> SparseTensor:
        """The values in another element type; all devices are the CPU."""
        return self.like(self.parts.to(*given, **options))

    def float(self) -> SparseTensor:
        """As single-precision numbers."""
        return self.to(dtypes.float32)

    def double(self) -> SparseTensor:
        """As double-precision numbers."""
        return self.to(dtypes.float64)

    def cpu(self) -> SparseTensor:
        """The tensor itself: it is on the CPU."""
        return self

    # --- arithmetic ---------------------------------------------------------------------------------------------

    def t(self) -> SparseTensor:
        """The transpose of a matrix."""
        return self.transpose(0, 1)

    def transpose(self, dim0: int, dim1: int) -> SparseTensor:
        """Two sparse axes exchanged.

        Raises:
            UnsupportedError: an axis is dense, or the layout is not in coordinates.
        """
        first, second = dim0 % self.ndim, dim1 % self.ndim
        if max(first, second) >= self.sparse_dim() or self.layout != COO:
            raise UnsupportedError("transpose: only sparse axes of a tensor in coordinates. Fix: x.to_dense().")
        order = list(range(self.sparse_dim()))
        order[first], order[second] = second, first
        shape = list(self.shape)
        shape[first], shape[second] = shape[second], shape[first]
        return SparseTensor(self.places[order], self.parts, tuple(shape))

    def mm(self, mat2: Tensor) -> Tensor:
        """The product with a dense matrix."""
        from kadam.sparse.products import mm

        return mm(self, mat2)  # type: ignore[no-any-return]

    def matmul(self, other: Tensor) -> Tensor:
        """The product with a dense matrix or vector."""
        return self.mm(other.unsqueeze(-1)).squeeze(-1) if other.dim() == 1 else self.mm(other)

    mv = __matmul__ = matmul

    def __getitem__(self, index: int) -> SparseTensor:
        """A slice along the first axis; of a vector, an element."""
        if not isinstance(index, int) or self.sparse_dim() < 2:
            raise UnsupportedError("a sparse tensor is only indexed by one number. Fix: x.to_dense()[index].")
        row = self.index_select(0, from_array(np.asarray([index % self.shape[0]])))
        return SparseTensor(row.places[1:], row.parts, self.shape[1:])

    def below(self) -> SparseTensor:
        """The tensor with a first axis of size 1."""
        known = read(self.places)
        places = from_array(np.concatenate([np.zeros((1, known.shape[1]), np.int64), known]))
        return SparseTensor(places, self.parts, (1, *self.shape), COO, self._coalesced)

    def unsqueeze(self, dim: int) -> SparseTensor:
        """The tensor with an axis of size 1 more.

        Raises:
            UnsupportedError: not as the first axis.
        """
        if dim != 0:
            raise UnsupportedError("unsqueeze: a sparse tensor gets a first axis only. Fix: x.to_dense().unsqueeze(1).")
        return self.below()

    def numpy(self, **_: Any) -> NoReturn:
        """Raise: there is no array of a sparse tensor."""
        raise SparseArrayError("can't convert Sparse layout tensor to numpy. Fix: x.to_dense().numpy().")

    def __mul__(self, other: Any) -> SparseTensor:
        from kadam.sparse.elementwise import times

        return times(self, other)

    __rmul__ = mul = __mul__

    def __truediv__(self, other: Any) -> SparseTensor:
        return self.like(self.parts / _number(other))

    div = __truediv__

    def __neg__(self) -> SparseTensor:
        return self.like(-self.parts)

    neg = __neg__

    def __add__(self, other: Any) -> Any:
        if not isinstance(other, SparseTensor):
            from kadam.sparse.elementwise import dense_plus

            return dense_plus(other, self)
        if other.shape != self.shape or other.sparse_dim() != self.sparse_dim():
            raise ShapeError(
                f"add: sparse tensors of shapes {list(self.shape)} and {list(other.shape)}. Fix: one shape."
            )
        from kadam.ops.combine import cat

        both = cat([self.places, other.places], 1), cat([self.parts, other.parts])
        return SparseTensor(*both, self.shape)

    add = __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self + (-other)

    sub = __sub__

    def __rsub__(self, other: Any) -> Any:
        return (-self) + other

    # --- in place -----------------------------------------------------------------------------------------------

    def _replace(self, other: SparseTensor) -> SparseTensor:
        self.places, self.parts, self._coalesced = other.places, other.parts, other._coalesced
        return self

    def add_(self, other: Any) -> SparseTensor:
        """Add another sparse tensor."""
        return self._replace(self + other)

    def mul_(self, other: Any) -> SparseTensor:
        """Multiply by a number."""
        return self._replace(self * other)

    __iadd__, __imul__ = add_, mul_

    def div_(self, other: Any) -> SparseTensor:
        """Divide by a number."""
        return self._replace(self / other)

    __itruediv__ = div_

    def neg_(self) -> SparseTensor:
        """Turn the signs."""
        return self._replace(-self)

    def zero_(self) -> SparseTensor:
        """Leave out all values."""
        return self._replace(SparseTensor(self.places[:, :0], self.parts[:0], self.shape, self.layout))

    def detach_(self) -> SparseTensor:
        """Forget the history of the values."""
        return self._replace(self.detach())

    def index_select(self, dim: int, index: Tensor) -> SparseTensor:
        """The slices along an axis that an index names. As `torch.index_select`."""
        from kadam.sparse.elementwise import index_select

        return index_select(self, dim, index)

    def sum(self, dim: Any = None) -> Any:
        """The sum of all elements, or over axes. As `torch.sparse.sum`."""
        from kadam.sparse.products import sum

        return sum(self, dim)

    # --- printing -----------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        def block(name: str, tensor: Tensor) -> str:
            start = f"tensor({name}=tensor("
            text = format_tensor(read(tensor), tensor.dtype, prefix=start).removesuffix(")")
            return re.split(r",\s+dtype=", text)[0].removeprefix("tensor(") + ")"

        if self.layout == COO:
            parts = [block("indices", self.places), block("values", self.parts)]
        else:
            rows, columns = self.crow_indices(), self.col_indices()
            parts = [block("crow_indices", rows), block("col_indices", columns), block("values", self.parts)]
        suffixes = [f"size={tuple(self.shape)}", f"nnz={self._nnz()}"]
        if self.dtype is not dtypes.default_float():
            suffixes.append(f"dtype={self.dtype}")
        suffixes.append(f"layout={self.layout}")
        if self.requires_grad:
            made: Any = self.parts.grad_fn
            suffixes.append("requires_grad=True" if made is None else f"grad_fn=<{made.name()}>")
        return with_suffixes("tensor(" + ",\n       ".join(parts), suffixes, len("tensor("), self.is_sparse)


def _number(value: Any) -> Any:
    if isinstance(value, SparseTensor) or getattr(value, "ndim", None):
        raise UnsupportedError("div: a sparse tensor is only divided by a number. Fix: x.to_dense() / y.")
    return value
