"""A tensor's memory as a file sees it: one line of elements, an offset, sizes and strides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kadam.ir.primitive import Array
from kadam.recording.tensor import Recorded, from_array, read, set_requires_grad
from kadam.shapes import Shape, contiguous_strides, count

if TYPE_CHECKING:
    from kadam.tensor import Tensor


def memory_of(tensor: Recorded) -> tuple[object, Array, int, Shape, tuple[int, ...]]:
    """What memory a tensor sees, and how.

    Returns:
        A key that tensors of one memory share, the memory as one line of elements, and the tensor's offset, shape and
        strides in it, all in elements.
    """
    array = read(tensor)
    root = tensor.root
    whole = root._array if root._memory is None else root._memory
    if whole is None or not whole.flags.c_contiguous or array.itemsize != whole.itemsize:
        whole = array = np.array(array, order="C")
    start = array.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    strides = tuple(step // array.itemsize for step in array.strides)
    key = (whole.__array_interface__["data"][0], whole.size, whole.dtype)
    return key, whole.reshape(-1), start // array.itemsize, tuple(array.shape), strides


def from_memory(
    flat: Array, offset: int, shape: Shape, strides: tuple[int, ...], requires_grad: bool = False
) -> Tensor:
    """A tensor that sees a part of the line `flat`; tensors made of one `flat` share its memory."""
    if strides == contiguous_strides(shape) or count(shape) == 0:
        array: Any = flat[offset : offset + count(shape)].reshape(shape)
    else:
        steps = [step * flat.itemsize for step in strides]
        array = np.lib.stride_tricks.as_strided(flat[offset:], shape, steps)
    tensor = from_array(array)
    tensor._memory, tensor._exposed = flat, True
    if requires_grad:
        set_requires_grad(tensor, True)
    return tensor
