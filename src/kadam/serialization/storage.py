"""A storage of a checkpoint: one line of bytes, and the tensors that see them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from kadam import dtypes
from kadam.primitives.move import Detach, Reshape
from kadam.recording.meta import of_shape
from kadam.recording.tensor import alias, from_array, read
from kadam.serialization.layout import views_to
from kadam.shapes import Shape, contiguous_strides, count
from kadam.tensor import Tensor

Array = np.ndarray[Any, np.dtype[Any]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True)
class StorageType:
    """A class of storages as files name it, and the type of their elements."""

    name: str
    dtype: dtypes.dtype


UNTYPED = StorageType("storage.UntypedStorage", dtypes.uint8)
STORAGE_TYPES = {
    dtypes.by_name(name): StorageType(f"{storage}Storage", dtypes.by_name(name))
    for name, storage in {
        "float64": "Double", "float32": "Float", "float16": "Half", "bfloat16": "BFloat16", "int64": "Long",
        "int32": "Int", "int16": "Short", "int8": "Char", "uint8": "Byte", "bool": "Bool",
        "complex64": "ComplexFloat", "complex128": "ComplexDouble",
    }.items()
}  # fmt: skip


def type_for(dtype: dtypes.dtype) -> StorageType:
    """The class for elements of this type. PyTorch's newest types have none of their own and are stored as bytes."""
    return STORAGE_TYPES.get(dtype, UNTYPED)


@dataclass(eq=False)
class Storage:
    """The memory of one or more tensors, as a checkpoint holds it.

    Attributes:
        type: the class that the checkpoint names for it.
        key: names its record.
        content: its bytes.
        is_foreign_order: whether each element's bytes stand in the order that this machine does not use.
        has_values: False: its tensors shall be on the meta device.
    """

    type: StorageType
    key: str
    content: Bytes
    is_foreign_order: bool = False
    has_values: bool = True
    _owners: dict[dtypes.dtype, Tensor] = field(default_factory=dict, repr=False)

    @property
    def count(self) -> int:
        """How many elements of its own type it holds."""
        return self.content.size // self.type.dtype.itemsize

    def tensor(self, dtype: dtypes.dtype, offset: int, shape: Shape, strides: tuple[int, ...]) -> Tensor:
        """A tensor that sees these elements; all tensors of one storage and type share its memory.

        Only one whose elements overlap or interlace (a view of sliding windows) gets memory of its own.
        """
        if not self.has_values:
            return of_shape(shape, dtype)
        if 0 in shape:
            return from_array(np.empty(shape, dtype.numpy))
        length = self.content.size // dtype.itemsize
        is_whole = (offset, count(shape), strides) == (0, length, contiguous_strides(shape))
        if dtype not in self._owners:
            owner = self._owners[dtype] = from_array(self._elements(dtype).reshape(shape if is_whole else -1))
            if is_whole:
                return owner
        owner = self._owners[dtype]
        if is_whole:
            return alias(owner, (Detach(), Reshape(shape)))  # type: ignore[return-value]
        views = views_to(length, offset, shape, strides)
        if views is None:
            steps = [step * dtype.itemsize for step in strides]
            return from_array(as_strided(read(owner).reshape(-1)[offset:], shape, steps).copy())
        return alias(owner, (Detach(), Reshape((length,)), *views))  # type: ignore[return-value]

    def _elements(self, dtype: dtypes.dtype) -> Array:
        """The bytes as elements, in memory that no tensor has yet."""
        content = self.content.copy() if self._owners else self.content
        if dtype is dtypes.bool_ and content.size and content.max() > 1:  # NumPy believes that there are only 0 and 1
            content = (content != 0).view(np.uint8)
        elements = content.view(dtype.numpy)
        return elements.byteswap() if self.is_foreign_order else elements

    def cpu(self) -> Storage:
        """The storage itself, for a `map_location` that moves it to the CPU."""
        return self
