"""How a tensor lies in memory: strides, offset, contiguity, and what it can be seen as."""

from __future__ import annotations

from typing import Any

import numpy as np

from kadam.ir.primitive import seen_through
from kadam.recording.tensor import Recorded
from kadam.shapes import contiguous_strides


def _layout(tensor: Recorded) -> Any:
    """A NumPy array laid out as the tensor: its memory if it has any, else a dummy that takes none."""
    root = tensor.root
    if root._array is not None:
        return seen_through(root._array, tensor._chain)
    kind = root._spec.type
    blank = np.empty(1, kind.dtype.numpy)
    strides = [step * kind.dtype.itemsize for step in contiguous_strides(kind.shape)]
    return seen_through(np.lib.stride_tricks.as_strided(blank, kind.shape, strides), tensor._chain)


def strides_of(tensor: Recorded) -> tuple[int, ...]:
    """Steps between neighbours along each axis, in elements."""
    if tensor._base is None and tensor._array is None:
        return contiguous_strides(tensor._spec.shape)
    layout = _layout(tensor)
    return tuple(step // layout.itemsize for step in layout.strides)


def offset_of(tensor: Recorded) -> int:
    """Where in its memory a view begins, in elements."""
    if tensor._base is None:
        return 0
    layout, whole = _layout(tensor), _layout(tensor.root)
    return int(layout.__array_interface__["data"][0] - whole.__array_interface__["data"][0]) // int(layout.itemsize)


def is_contiguous(tensor: Recorded) -> bool:
    """Whether the elements lie in row-major order without gaps."""
    if tensor._base is None and tensor._array is None:
        return True
    return bool(_layout(tensor).flags.c_contiguous)


def viewable(tensor: Recorded, shape: tuple[int, ...]) -> bool:
    """Whether the tensor's memory can be seen with another shape of as many elements."""
    layout = _layout(tensor)
    if layout.flags.c_contiguous:
        return True
    return np.may_share_memory(layout, layout.reshape(shape))
