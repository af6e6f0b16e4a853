"""A tensor's memory as PyTorch's storages show it: one line of elements, or of bytes, that all views share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam.dtypes import dtype
from kadam.errors import DTypeError, GradientError, OperandError
from kadam.ops.shape import permute
from kadam.ops.strided import as_strided
from kadam.recording.layout import offset_of, strides_of
from kadam.recording.order import in_row
from kadam.recording.succession import succeed, take_memory
from kadam.recording.tensor import Recorded, blank, check_mode, detached, from_array, overwrite, read
from kadam.shapes import contiguous_strides

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class _Storage:
    """The memory of a tensor and of all its views."""

    def __init__(self, tensor: Recorded) -> None:
        self._root: Any = tensor.root

    @property
    def device(self) -> Any:
        """Where it is: the CPU."""
        return self._root.device

    def data_ptr(self) -> int:
        """The address of the first byte."""
        return int(read(self._root).__array_interface__["data"][0])

    def nbytes(self) -> int:
        """The size, in bytes."""
        return int(self._root._spec.type.size_bytes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Storage) and other._root is self._root

    def __hash__(self) -> int:
        return id(self._root)

    def is_shared(self) -> bool:
        """Whether other processes see it: no."""
        return False

    is_cuda = is_sparse = False


class UntypedStorage(_Storage):
    """The bytes of a tensor's memory. As `torch.UntypedStorage`."""

    def _bytes(self) -> np.ndarray[Any, Any]:
        return np.frombuffer(in_row(read(self._root), self._root._spec.order).tobytes(), np.uint8)

    size = __len__ = _Storage.nbytes

    def __getitem__(self, place: Any) -> Any:
        return self._bytes()[place].tolist()

    def __iter__(self) -> Iterator[int]:
        return iter(self.tolist())

    def tolist(self) -> list[int]:
        """The bytes as Python numbers."""
        return self._bytes().tolist()  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        lines = "\n".join(f" {one}" for one in self.tolist())
        return f"{lines}\n[torch.storage.UntypedStorage(device={self.device}) of size {self.nbytes()}]"


class TypedStorage(_Storage):
    """The elements of a tensor's memory, in the order of memory. As `torch.TypedStorage`."""

    @property
    def dtype(self) -> dtype:
        """The element type."""
        return self._root.dtype  # type: ignore[no-any-return]

    def _line(self) -> Tensor:
        order = self._root._spec.order
        seen = detached(self._root)
        return (seen if order is None else permute(seen, order)).reshape(-1)

    def size(self) -> int:
        """How many elements there are."""
        return int(self._root._spec.type.elements)

    __len__ = size

    def element_size(self) -> int:
        """The size of an element, in bytes."""
        return self.dtype.itemsize

    def untyped(self) -> UntypedStorage:
        """The same memory as bytes."""
        return UntypedStorage(self._root)

    def tolist(self) -> list[Any]:
        """The elements as Python numbers."""
        return self._line().tolist()  # type: ignore[no-any-return]

    def __getitem__(self, place: Any) -> Any:
        found = self._line()[place]
        return found.item() if isinstance(place, int) else TypedStorage(found.clone())

    def __setitem__(self, place: Any, value: Any) -> None:
        self._line()[place] = value

    def fill_(self, value: Any) -> TypedStorage:
        """Write one number everywhere."""
        self._line().fill_(value)
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def __repr__(self) -> str:
        lines = "\n".join(f" {one}" for one in self.tolist())
        return f"{lines}\n[torch.storage.TypedStorage(dtype={self.dtype}, device={self.device}) of size {self.size()}]"


def detach(input: Tensor) -> Tensor:
    """A tensor that shares this one's memory and takes part in no gradient. As `torch.detach`."""
    return detached(input)


def is_storage(obj: Any) -> bool:
    """Whether an object is a storage. As `torch.is_storage`."""
    return isinstance(obj, _Storage)


def untyped_storage(self: Tensor) -> UntypedStorage:
    """The memory that the tensor sees, as bytes. As `Tensor.untyped_storage`."""
    return UntypedStorage(self)


def storage(self: Tensor) -> TypedStorage:
    """The memory that the tensor sees, as elements. As `Tensor.storage`."""
    return TypedStorage(self)


def set_(
    self: Tensor,
    source: Any = None,
    storage_offset: int = 0,
    size: Sequence[int] | None = None,
    stride: Sequence[int] | None = None,
) -> Tensor:
    """Have the tensor see another one's memory, or a storage. As `Tensor.set_`.

    Args:
        self: the tensor.
        source: a tensor, or a storage; by default memory without elements.
        storage_offset: where in the storage the tensor begins.
        size: of its axes; by default one axis with all elements.
        stride: steps between neighbours; by default row by row.

    Raises:
        DTypeError: the memory holds elements of another type.
        OperandError: `source` is no memory.
    """
    if source is None:
        source = from_array(np.empty(0, self.dtype.numpy))
    if isinstance(source, _Storage):
        source = source._root
        size = (source.numel() - storage_offset,) if size is None else size
    if isinstance(source, Recorded) and size is not None:
        steps = contiguous_strides(size) if stride is None else stride
        source = as_strided(detached(source), size, steps, storage_offset)
    if not isinstance(source, Recorded):
        raise OperandError(f"set_(): expected a Tensor or a storage, not {type(source).__name__}. Fix: x.set_(y).")
    if source.dtype is not self.dtype:
        raise DTypeError(
            f"set_(): Could not set tensor of type {source.dtype} to a tensor of type {self.dtype}. Fix: y.to(x.dtype)."
        )
    check_mode(self)
    if self.requires_grad:
        take_memory(self, source)
    else:
        succeed(self, blank(type(self), self._spec))
        succeed(detached(source), self)
    return self


def is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Whether both see the same elements of one memory in the same way. As `Tensor.is_set_to`."""
    return (
        self.root is tensor.root
        and tuple(self.shape) == tuple(tensor.shape)
        and strides_of(self) == strides_of(tensor)
        and offset_of(self) == offset_of(tensor)
    )


def apply_(self: Tensor, callable: Callable[[Any], Any]) -> Tensor:
    """Replace each element by what a Python function makes of it. As `Tensor.apply_`: slow."""
    return _replaced("apply_", self, callable)


def map_(self: Tensor, tensor: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor:
    """Replace each element by what a Python function makes of it and the other tensor's. As `Tensor.map_`: slow."""
    return _replaced("map_", self, callable, tensor)


def map2_(self: Tensor, x: Tensor, y: Tensor, callable: Callable[[Any, Any, Any], Any]) -> Tensor:
    """`map_` with two other tensors. As `Tensor.map2_`."""
    return _replaced("map2_", self, callable, x, y)


def _replaced(name: str, target: Tensor, function: Callable[..., Any], *others: Tensor) -> Tensor:
    """Write the function's numbers into a tensor.

    Raises:
        GradientError: the tensor requires grad.
    """
    if target.requires_grad or any(one.requires_grad for one in others):
        raise GradientError(
            f"{name}: Can't call {name}() on Variable that requires grad. Use var.detach().{name}() instead. Fix: "
            f"x.detach().{name}(...)."
        )
    columns = [one.expand(*target.shape).reshape(-1).tolist() for one in (target, *others)]
    values = [function(*row) for row in zip(*columns, strict=True)]
    overwrite(target, np.asarray(values).reshape(tuple(target.shape)))
    return target


__all__ = [
    "TypedStorage", "UntypedStorage", "apply_", "detach", "is_set_to", "is_storage", "map2_", "map_", "set_",
    "storage", "untyped_storage",
]  # fmt: skip
