"""How a tensor lies in memory: strides, offset, contiguity, and what it can be seen as."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from kadam.errors import InPlaceError
from kadam.ir.primitive import Array, View, seen_through
from kadam.recording.order import blank_array, dense_strides
from kadam.recording.spec import Spec
from kadam.recording.tensor import Recorded


def _layout(tensor: Recorded) -> Any:
    """A NumPy array laid out as the tensor: its memory if it has any, else a dummy that takes none."""
    root = tensor.root
    if root._array is not None and (root._array.size or any(root._array.strides)):  # NumPy's empty arrays have none
        return seen_through(root._array, tensor._chain)
    return seen_through(blank_array(root._spec), tensor._chain)


def strides_of(tensor: Recorded) -> tuple[int, ...]:
    """Steps between neighbours along each axis, in elements."""
    if tensor._base is None and tensor._array is None:
        return dense_strides(tensor._spec.shape, tensor._spec.order)
    layout = _layout(tensor)
    return tuple(step // layout.itemsize for step in layout.strides)


def offset_of(tensor: Recorded) -> int:
    """Where in its memory a view begins, in elements."""
    if tensor._base is None:
        return 0
    whole = _layout(tensor.root)
    layout = seen_through(whole, tensor._chain)
    return (_address(layout) - _address(whole)) // int(layout.itemsize)


def _address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


def check_overlap(target: Recorded, source: Recorded) -> None:
    """Raise where PyTorch refuses to change memory that the operand lies in too, but not as the target does.

    As in PyTorch, only tensors without gaps are compared.

    Raises:
        InPlaceError: the target and the source share some of their memory.
    """
    if target is source or target.root is not source.root:
        return
    whole = _layout(target.root)
    written, seen = seen_through(whole, target._chain), seen_through(whole, source._chain)
    if not (_is_dense(written) and _is_dense(seen)):
        return
    start, other = _address(written), _address(seen)
    same = start == other and written.nbytes == seen.nbytes and written.strides == seen.strides
    if not same and start < other + seen.nbytes and other < start + written.nbytes:
        raise InPlaceError(
            "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single "
            f"memory location: {source._spec.type} and {target._spec.type} are views of one {target.root._spec.type}. "
            "Please clone() the tensor before performing the operation. Fix: x[1:].copy_(x[:-1].clone())."
        )


def _is_dense(array: Any) -> bool:
    """Whether an array has elements and these fill a stretch of memory, in whatever order, each once."""
    step = array.itemsize
    for stride, size in sorted((stride, size) for stride, size in zip(array.strides, array.shape, strict=True)):
        if size != 1:
            if stride != step:
                return False
            step *= size
    return bool(array.size)


def is_contiguous(tensor: Recorded) -> bool:
    """Whether the elements lie in row-major order without gaps."""
    if tensor._base is None and tensor._array is None and tensor._spec.order is None:
        return True
    root = tensor.root
    if _lies_as_noted(root):
        return _seen_in_rows(root._spec, tensor._chain)
    return bool(_layout(tensor).flags.c_contiguous)


def _lies_as_noted(root: Recorded) -> bool:
    """Whether an owner's memory lies as its spec tells, so that what follows from that can be looked up."""
    array = root._array
    return array is None or (root._spec.order is None and array.flags.c_contiguous)


@lru_cache(4096)
def _seen_in_rows(spec: Spec, chain: tuple[View, ...]) -> bool:
    return bool(seen_through(blank_array(spec), chain).flags.c_contiguous)


@lru_cache(4096)
def _seen_as(spec: Spec, chain: tuple[View, ...], shape: tuple[int, ...]) -> bool:
    return _fits(seen_through(blank_array(spec), chain), shape)


def _fits(layout: Array, shape: tuple[int, ...]) -> bool:
    return bool(layout.flags.c_contiguous) or np.may_share_memory(layout, layout.reshape(shape))


def is_channels_last(tensor: Recorded) -> bool:
    """Whether the second axis is the innermost in memory, the others around it in order, without gaps."""
    shape, strides = tensor._spec.shape, strides_of(tensor)
    step = 1
    for axis in (1, *range(len(shape) - 1, 1, -1), 0):
        if shape[axis] != 1:
            if strides[axis] != step:
                return False
            step *= shape[axis]
    return True


def viewable(tensor: Recorded, shape: tuple[int, ...]) -> bool:
    """Whether the tensor's memory can be seen with another shape of as many elements."""
    root = tensor.root
    return _seen_as(root._spec, tensor._chain, shape) if _lies_as_noted(root) else _fits(_layout(tensor), shape)
