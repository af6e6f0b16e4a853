"""The in-place forms of operations: `add_ = in_place(add)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam import dtypes
from kadam.dtypes import dtype
from kadam.errors import DTypeError, RecordingError, ShapeError
from kadam.recording.herd import leave_herd
from kadam.recording.layout import check_overlap
from kadam.recording.memory import assign, give, hold
from kadam.recording.step import state
from kadam.recording.tensor import Recorded, check_writable, is_current, overwrite, read

if TYPE_CHECKING:
    from kadam.tensor import Tensor


_AT_ONCE = {"add": np.add, "sub": np.subtract, "mul": np.multiply}


def _counts(place: Recorded, number: Any) -> bool:
    """Whether an in-place change is bookkeeping: a number at one place of memory that no recording has met.

    Each place would be a path of its own: `confusion[truth][guess] += 1`.
    """
    kind = place._spec.dtype.category
    fits = (number.__class__ is int and kind > dtypes.BOOL) or (number.__class__ is float and kind >= dtypes.FLOAT)
    return fits and not place._spec.shape and place._base is not None and is_free(place)


def is_free(tensor: Recorded, value: Any = None) -> bool:
    """Whether memory can be written at once: no gradient flows, and no recorded call has read it."""
    rec, root = state.rec, tensor.root
    if rec is None or not is_current(tensor) or tensor._spec.requires_grad or root._rec is rec:
        return False
    if isinstance(value, Recorded) and (value._spec.requires_grad or not is_current(value)):
        return False
    return not (root._viewed and any(getattr(feed, "_base", None) is root for feed in rec.feeds))


def in_place(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The in-place form of an operation: `add_ = in_place(add)`."""

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        check_writable(self)
        leave_herd(self)
        rec = state.rec
        if rec is None:
            raise RecordingError("the body of an operation cannot change a tensor in place")
        if self._base is not None or self._viewed:
            if at_once is not None and len(args) == 1 and not kwargs and _counts(self, args[0]):
                array = read(self)
                overwrite(self, at_once(array, np.asarray(args[0]).astype(array.dtype)))
                return self
            for operand in (*args, *kwargs.values()):
                if isinstance(operand, Recorded):
                    check_overlap(self, operand)
        root = self.root
        anchored, since = root._rec is rec.anchor, rec.here
        try:
            hold(rec, self)
            value = function(self, *args, **kwargs)
        finally:
            if anchored and state.rec is rec:
                root._rec = rec.anchor
        try:
            _check_result(name, self, value)
        except AttributeError:
            if value is NotImplemented:  # `x += array` is NumPy's business
                return value  # type: ignore[no-any-return]
            raise
        if value._spec.type != self._spec.type:
            return assign(self, value)
        return give(self, value, since)

    at_once = _AT_ONCE.get(function.__name__)
    name = function.__name__ + "_"
    method.__name__ = method.__qualname__ = name
    method.__code__ = method.__code__.replace(co_name=name, co_qualname=name)  # by which errors call it
    method.__doc__ = f"In-place form of `{function.__name__}`."
    return method


def _check_result(name: str, target: Recorded, value: Recorded) -> None:
    if value._spec.shape != target._spec.shape:
        raise ShapeError(
            f"{name}: output with shape {list(target._spec.shape)} doesn't match the broadcast shape "
            f"{list(value._spec.shape)}. Fix: compute it out of place, x = x + y."
        )
    if not dtypes.can_cast(value._spec.dtype, target._spec.dtype):
        raise DTypeError(
            f"{name}: result type {_kind(value._spec.dtype)} can't be cast to the desired output type "
            f"{_kind(target._spec.dtype)}. Fix: compute it out of place, x = x + y, or convert x first."
        )


def _kind(record: dtype) -> str:
    names = {"float32": "Float", "float64": "Double", "int64": "Long", "int32": "Int", "float16": "Half"}
    return names.get(record.name, record.name.capitalize())
