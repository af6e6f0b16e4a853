"""A number that stands for all elements of a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam.dtypes import FLOAT
from kadam.errors import AxisError, RangeError
from kadam.recording.tensor import from_array, read
from kadam.shapes import axis_of

if TYPE_CHECKING:
    from kadam.tensor import Tensor


def hash_tensor(
    input: Tensor, dim: int | Sequence[int] | None = None, *, keepdim: bool = False, mode: int = 0
) -> Tensor:
    """The exclusive or of the elements' bits, as 64-bit floats or integers, over axes. As `torch.hash_tensor`.

    Raises:
        AxisError: nothing to combine: an axis without elements.
        RangeError: another mode than 0.
    """
    if mode != 0:
        raise RangeError(f"hash_tensor: Unknown hash_mode {mode}. Fix: mode=0, the exclusive or.")
    array = read(input)
    rank = array.ndim
    named = () if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    axes = tuple(axis_of(one, rank) for one in named) if rank and named else tuple(range(rank))
    if not array.size and any(array.shape[axis] == 0 for axis in axes):
        raise AxisError("hash_tensor: Expected reduction dim to be specified for input.numel() == 0. Fix: another dim.")
    wide = array.astype(np.float64 if input.dtype.category >= FLOAT else np.int64)
    combined: np.ndarray[Any, Any] = np.asarray(
        np.bitwise_xor.reduce(wide.view(np.uint64), axis=axes, keepdims=keepdim)  # type: ignore[call-overload]
    )
    return from_array(combined)
