"""Where memory begins: what a loop updates at every step is moved, once, to where no vector of it crosses a cache line.

NumPy's large arrays begin 16 bytes after a page, so that each vector of 64 bytes takes two lines: reading it costs
twice, and writing it more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kadam.recording.step import state

if TYPE_CHECKING:
    from kadam.ir.primitive import Array
    from kadam.recording.tensor import Recorded

LINE_BYTES = 64
LEAST_BYTES = 4096  # that are worth it


def settle(tensor: Recorded) -> None:
    """Move a tensor's memory, unless someone else may see it. What was recorded before reads the old one, unchanged."""
    array = tensor._array
    if array is None or tensor._shared or not _is_astray(array):
        return
    tensor._array = moved = _settled(array)
    values = [] if state.rec is None else state.rec.values
    for index, value in enumerate(values):
        if value is array:
            values[index] = moved


def _is_astray(array: Array) -> bool:
    return bool(array.nbytes >= LEAST_BYTES and array.ctypes.data % LINE_BYTES != 0 and array.flags.c_contiguous)


def _settled(array: Array) -> Array:
    whole = np.empty(array.nbytes + LINE_BYTES, np.uint8)
    moved: Array = np.ndarray(array.shape, array.dtype, whole, -whole.ctypes.data % LINE_BYTES)
    moved[...] = array
    return moved
