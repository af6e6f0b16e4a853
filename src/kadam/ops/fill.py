"""Memory filled: with one value, with another tensor's values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kadam.errors import OperandError, ShapeError
from kadam.ops.out import into as into  # rooms look for it here
from kadam.primitives.broadcast import Broadcast
from kadam.recording.arguments import check_arguments
from kadam.recording.layout import check_overlap
from kadam.recording.memory import assign
from kadam.recording.step import state
from kadam.recording.tensor import Recorded, alias, check_writable, from_array, is_current, overwrite, read

if TYPE_CHECKING:
    from kadam.recording.tensor import Number
    from kadam.tensor import Tensor


def fill_(self: Tensor, value: Number | Tensor) -> Tensor:
    """Set every element to `value`. As `Tensor.fill_`."""
    if not isinstance(value, Recorded):
        if value.__class__ is not int and value.__class__ is not float:
            check_arguments("fill_", {"value": "Number"}, [("value", value)])
    elif value._spec.shape:
        raise ShapeError(
            f"fill_: fill_ only supports 0-dimension value tensor but got {value._spec.type}. Fix: x.copy_(value)."
        )
    if self._chain and isinstance(self._chain[-1], Broadcast) and is_current(self.root):
        fill_(alias(self.root, self._chain[:-1]), value)  # type: ignore[arg-type]
        return self
    if not isinstance(value, Recorded) and _untouched(self):
        overwrite(self, value)
        return self
    return assign(self, value)


def _untouched(tensor: Recorded) -> bool:
    """Whether memory can be written at once: no recorded call has read it."""
    root = tensor.root
    return is_current(tensor) and root._rec is not state.rec and not root._viewed


def zero_(self: Tensor) -> Tensor:
    """Set every element to zero. As `Tensor.zero_`."""
    return fill_(self, 0)


def fill_diagonal_(self: Tensor, fill_value: Number, wrap: bool = False) -> Tensor:
    """Set the diagonal to `fill_value`; `wrap`: that of a tall matrix begins anew below. As `Tensor.fill_diagonal_`.

    Raises:
        ShapeError: fewer than two axes, or more of unequal sizes.
    """
    shape = tuple(self.shape)
    if len(shape) < 2:
        raise ShapeError(
            "fill_diagonal_: dimensions must larger than 1. Fix: unsqueeze(0) makes a vector a matrix of one row."
        )
    if len(shape) > 2 and len(set(shape)) != 1:
        raise ShapeError(
            "fill_diagonal_: all dimensions of input must be of equal length. Fix: take a square part of it first."
        )
    height, width = shape[0], shape[1]
    rows = np.arange(height if len(shape) == 2 else min(shape))
    places = rows % (width + 1) if wrap else rows
    inside = places < width
    columns = from_array(places[inside])
    self[(from_array(rows[inside]), *[columns] * (len(shape) - 1))] = fill_value
    return self


def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Set the elements to those of `src`, cast and stretched. As `Tensor.copy_`.

    Raises:
        OperandError: `src` is no tensor.
    """
    if not isinstance(src, Recorded):
        raise OperandError(
            f"copy_(): argument 'other' (position 1) must be Tensor, not {type(src).__name__}. Fix: fill_(value) for a "
            "number, torch.as_tensor(src) for other data."
        )
    check_writable(self)
    check_overlap(self, src)
    gradient = state.grad and (src._spec.requires_grad or self._spec.requires_grad)
    if not gradient and _untouched(self) and is_current(src):
        overwrite(self, read(src))
        return self
    return assign(self, src)


def fill(input: Tensor, value: Number | Tensor) -> Tensor:
    """A tensor of the shape of `input` whose elements are `value`. As `torch.fill`."""
    return fill_(input.clone(), value)
