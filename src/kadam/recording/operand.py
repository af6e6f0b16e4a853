"""How a tensor or a number becomes an operand of a recording: it is *admitted*, and stands in the call's key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from kadam.errors import OperandError, UnsupportedError
from kadam.hot import hot
from kadam.recording.herd import Bond, Herd, leave_herd
from kadam.recording.step import CallAgain, Recording, cut, state
from kadam.recording.tensor import Number, Recorded, is_current, is_cut_off, is_outdated, is_shared, read


def _is_pending(base: Recorded, rec: Recording) -> bool:
    return base._rec is rec.anchor or (base._rec is rec and base._pos >= 0)


@hot
def admit(rec: Recording, tensor: Any) -> Any:
    """Make a tensor that `rec` has not met an operand of it: its part of the key.

    If it is state that the recording has updated, or cannot be read without a cut, the step is over: `rec` is cut, and
    the call that met it starts over in the next recording.

    Raises:
        CallAgain: it is a view of such state, and is now the result of a call of its own.
        OperandError: it is not a tensor.
    """
    at = tensor._rec
    if at is rec:
        return tensor._pos
    if not rec.open:
        return None
    array, base = tensor._array, tensor._base
    if at is rec.anchor:
        return _end(rec)
    if (
        array is None
        or (at is not None and at.open)
        or (tensor._shared and (base is None or not _is_still(base, tensor)))
    ):
        if at.__class__ is Bond:
            leave_herd(tensor)
            return admit(rec, tensor)
        del array  # nobody but the tensor holds it while it is asked who does
        _check_admissible(rec, tensor)
        if not rec.open:
            return None
        taken = tensor.root._exposed and is_shared(tensor.root, tensor)
        # NumPy code may change shared memory before the recording runs: its values are taken now
        array = tensor._array.copy() if taken else tensor._array
    rec.feeds.append(tensor)
    rec.values.append(array)
    tensor._rec = rec
    tensor._pos = -len(rec.feeds)
    return tensor._spec


@hot
def admit_all(rec: Recording, tensors: Iterable[Any]) -> tuple[Any, ...]:
    """`admit` for several tensors, those included that the recording has met."""
    if tensors.__class__ is Herd and rec.open and tensors.bond.rec is None and tensors.together:
        return tensors.admit(rec)
    feeds, values = rec.feeds, rec.values
    key: list[Any] = []
    for tensor in tensors:
        at = tensor._rec
        if at is rec:
            key.append(tensor._pos)
        elif tensor._shared or (at is not None and at.open) or tensor._array is None or not rec.open:
            key.append(admit(rec, tensor))
        else:
            feeds.append(tensor)
            values.append(tensor._array)
            tensor._rec = rec
            tensor._pos = -len(feeds)
            key.append(tensor._spec)
    return tuple(key)


def _is_still(base: Recorded, view: Recorded) -> bool:
    """Whether a view's memory is as it was when the view was made, and nobody outside can change it."""
    return view._as_of == base._changes and not base._exposed and (base._rec is None or not base._rec.open)


class OnMetaError(UnsupportedError):
    """A call has an operand that has no value."""


def _end(rec: Recording) -> None:
    rec.roll_back()
    cut(rec)


def _check_admissible(rec: Recording, tensor: Any) -> None:
    """Whatever there is to do before a tensor becomes a feed; `rec` is cut if it cannot become one."""
    if not isinstance(tensor, Recorded):
        raise OperandError(f"expected a Tensor, not {type(tensor).__name__}. Fix: torch.tensor(value).")
    if tensor._meta:
        raise OnMetaError("only calls of operations can have an operand on the meta device. Fix: make it on the CPU.")
    if state.lent is not None:
        value = read(tensor)
        state.lent.append((tensor, tensor._rec, tensor._pos, tensor._array))
        tensor._array = value
    base = tensor._base
    if base is not None and (_is_pending(base, rec) or is_outdated(tensor)):
        if base._rec is rec.anchor or (tensor._spec.requires_grad and is_cut_off(tensor)):
            return _end(rec)  # what it sees must be written first, as its derivative is not its base's
        rec.roll_back()
        from kadam.recording.view import look_again

        look_again(tensor)
        raise CallAgain
    if tensor._array is None or not is_current(tensor):
        read(tensor)
        if not rec.open:
            return None  # reading it has cut this recording
    root = tensor if base is None else base
    if root._exposed and any(np.may_share_memory(tensor._array, one._array) for one in rec.written.values()):
        return _end(rec)  # another owner of this memory has been changed
    if base is None and not root._exposed and not root._viewed:
        tensor._shared = False  # what saw its memory is gone
    return None


@hot
def admit_number(rec: Recording, value: Any) -> Any:
    """Make a Python number an input of this run: only its kind enters the key.

    Raises:
        OperandError: it is no number.
    """
    kind = value.__class__
    if kind is float:
        rec.feeds.append(value)
        rec.values.append(value)
        return kind
    if kind is not int and kind is not bool and kind is not complex:
        if isinstance(value, Recorded):
            return value._pos if value._rec is rec else admit(rec, value)
        value, kind = as_number(value)
    rec.feeds.append(value)
    rec.values.append(value if kind is float else np.asarray(value))
    return kind


def as_number(value: Any) -> tuple[Number, type]:
    """A NumPy or other number as Python's own, and its kind.

    Raises:
        OperandError: it is no number.
    """
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        value = value.item()
    for kind in (bool, int, float, complex):
        if isinstance(value, kind):
            return kind(value), kind  # type: ignore[arg-type]
    raise OperandError(f"expected a Tensor or a number, not {type(value).__name__}. Fix: torch.tensor(value).")
