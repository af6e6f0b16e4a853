"""Memory filled: with one value, with another tensor's values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kadam.errors import OperandError
from kadam.recording.memory import assign
from kadam.recording.step import state
from kadam.recording.tensor import Recorded, check_writable, is_current, overwrite, read

if TYPE_CHECKING:
    from kadam.recording.tensor import Number
    from kadam.tensor import Tensor


def fill_(self: Tensor, value: Number | Tensor) -> Tensor:
    """Set every element to `value`. As `Tensor.fill_`."""
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


def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Set the elements to those of `src`, cast and stretched. As `Tensor.copy_`.

    Raises:
        OperandError: `src` is no tensor.
    """
    if not isinstance(src, Recorded):
        raise OperandError(f"copy_(): argument 'other' (position 1) must be Tensor, not {type(src).__name__}")
    check_writable(self)
    gradient = state.grad and (src._spec.requires_grad or self._spec.requires_grad)
    if not gradient and _untouched(self) and is_current(src):
        overwrite(self, read(src))
        return self
    return assign(self, src)


def fill(input: Tensor, value: Number | Tensor) -> Tensor:
    """A tensor of the shape of `input` whose elements are `value`. As `torch.fill`."""
    return fill_(input.clone(), value)
