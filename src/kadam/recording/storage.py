"""A tensor's memory as a file sees it: one line of elements, an offset, sizes and strides."""

from __future__ import annotations

import numpy as np

from kadam.ir.primitive import Array
from kadam.recording.order import in_row
from kadam.recording.tensor import Recorded, read
from kadam.shapes import Shape


def memory_of(tensor: Recorded) -> tuple[object, Array, int, Shape, tuple[int, ...]]:
    """What memory a tensor sees, and how.

    Returns:
        A key that tensors of one memory share, the memory as one line of elements, and the tensor's offset, shape and
        strides in it, all in elements.
    """
    array = read(tensor)
    whole = tensor.root._array
    if whole is not None:
        whole = in_row(whole, tensor.root._spec.order)
    if whole is None or not whole.flags.c_contiguous or array.itemsize != whole.itemsize:
        whole = array = np.array(array, order="C")
    start = array.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    strides = tuple(step // array.itemsize for step in array.strides)
    key = (whole.__array_interface__["data"][0], whole.size, whole.dtype)
    return key, whole.reshape(-1), start // array.itemsize, tuple(array.shape), strides
