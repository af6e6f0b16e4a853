"""Copies of tensors that lie in memory, and share it, as the tensors do: what `copy.deepcopy` and `pickle` make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kadam.ir.primitive import Array
from kadam.primitives.move import Detach
from kadam.recording.layout import is_contiguous
from kadam.recording.meta import without_values
from kadam.recording.storage import memory_of
from kadam.recording.tensor import Recorded, alias, from_array, read

if TYPE_CHECKING:
    from kadam.tensor import Tensor


def copied(tensor: Recorded) -> Tensor:
    """A plain tensor of the same value in memory of its own, in the same order, without history."""
    return without_values(tensor._spec.type) if tensor._meta else from_array(read(tensor).copy("K"))


def duplicate(tensor: Recorded, memo: dict[Any, Any]) -> Tensor:
    """A plain tensor with a copy of the tensor's memory, which all copies share that are made with one `memo`."""
    root = tensor.root
    if tensor._meta or root._exposed or not (root._viewed or tensor is not root):
        return copied(tensor)
    known = memo.get(("memory", id(root)))
    copy = from_array(read(root).copy("K")) if known is None else known[1]
    memo["memory", id(root)] = root, copy  # the root too, so that no other tensor gets its id
    if tensor is root and known is None:
        return copy
    return alias(copy, (Detach(), *tensor._chain))  # type: ignore[return-value]


def packed(tensor: Recorded) -> tuple[Array, tuple[Any, ...] | None]:
    """A tensor's values and None; or, where they do not lie row by row, its memory and how it sees that."""
    if (tensor._base is None and tensor._spec.order is None and not tensor._exposed) or is_contiguous(tensor):
        return np.array(read(tensor), order="C"), None
    _, line, offset, shape, strides = memory_of(tensor)
    return np.array(line), (offset, shape, strides)


def unpacked(memory: Array, seen: tuple[Any, ...] | None) -> Array:
    """What `packed` has packed."""
    if seen is None:
        return memory
    offset, shape, strides = seen
    steps = [step * memory.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(memory[offset:], shape, steps)
