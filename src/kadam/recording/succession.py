"""One tensor in the place of another: what was known of the one is known of the other."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence

from kadam import dtypes
from kadam.errors import DTypeError
from kadam.recording.herd import leave_herd
from kadam.recording.spec import Spec, spec_of
from kadam.recording.step import Recording, cut, state
from kadam.recording.tensor import Recorded, check_mode, owner_of, read, touch

_PLACE = (
    "_apart", "_array", "_as_of", "_base", "_chain", "_changes", "_counted", "_exposed", "_history", "_place", "_pos",
    "_rec", "_shared", "_spec", "_tracked", "_viewed",
)  # fmt: skip


def succeed(old: Recorded, new: Recorded) -> None:
    """Let `new` have the memory, the views and the derivative of `old`, which is then free to become something else.

    Gradients that have arrived, and hooks, stay with the objects.
    """
    leave_herd(old)
    owner = owner_of(old)
    if owner is not None and owner is not state.rec:
        cut(owner)  # another thread's
    for name in _PLACE:
        setattr(new, name, getattr(old, name))
    if state.rec is not None:
        _register(state.rec, old, new)
    if old._viewed:
        for one in gc.get_referrers(old):
            if isinstance(one, Recorded) and one._base is old:
                one._base = new
    if old._history is not None:
        _own(old, new)


def _register(rec: Recording, old: Recorded, new: Recorded) -> None:
    """Let a recording compute, read and write `new` where it did so with `old`."""
    if rec.created and old._rec in (rec, rec.anchor) and old._pos >= 0 and rec.created[old._pos] is old:
        rec.created[old._pos] = new
    rec.feeds[:] = [new if feed is old else feed for feed in rec.feeds]
    if id(old) in rec.joined:
        del rec.joined[id(old)]
        rec.join(new)
    if id(old) in rec.written:
        rec.writes[:] = [_with(targets, old, new) for targets in rec.writes]
    rec.loose = True


def _with(targets: Sequence[Recorded], old: Recorded, new: Recorded) -> Sequence[Recorded]:
    return [new if one is old else one for one in targets] if any(one is old for one in targets) else targets


def _own(old: Recorded, new: Recorded) -> None:
    """What a backward pass will read of `old` is valid as long as `new` is not changed."""
    saved = old._history.saved if old._history is not None else {}
    for one, (array, reference, version) in saved.items():
        if reference is not None and reference() is old:
            saved[one] = (array, weakref.ref(new), version)


def take_memory(tensor: Recorded, other: Recorded) -> None:
    """Let a tensor see another one's memory from now on. As `tensor.data = other`.

    Raises:
        DTypeError: `other` is no floating-point tensor, and `tensor` requires grad.
    """
    if tensor._spec.requires_grad and other._spec.dtype.category < dtypes.FLOAT:
        raise DTypeError(
            "data: data set to a tensor that requires gradients must be floating point or complex dtype. Fix: give "
            "floating-point data, for example new.float()."
        )
    if other._meta:
        leave_herd(tensor)
        tensor._rec, tensor._array, tensor._base, tensor._chain, tensor._meta = None, None, None, (), True
        tensor._spec = _with_type_of(tensor._spec, other._spec)
        return
    array, changes = read(other), tensor.root._changes
    tensor._meta = False
    leave_herd(tensor)
    leave_herd(other.root)
    rec = owner_of(tensor) or state.rec
    if rec is not None and (tensor._rec is rec or tensor._rec is rec.anchor):
        cut(rec)
    tensor._rec, tensor._array, tensor._base, tensor._chain = None, array, None, ()
    tensor._exposed = tensor._shared = other.root._exposed = other.root._shared = (
        True  # the memory has two owners now, as if NumPy held it
    )
    tensor._changes = changes
    if other._spec.inference and not tensor._spec.inference:
        tensor._counted = True  # its counter stays
    tensor._spec = _with_type_of(tensor._spec, other._spec)


def renew_memory(tensor: Recorded, other: Recorded) -> None:
    """Let a tensor be of another shape from now on, with the memory of `other`, which nobody else has.

    Raises:
        InPlaceError: an inference tensor, outside of its mode.
    """
    check_mode(tensor)
    inference = tensor._spec.inference
    take_memory(tensor, other)
    tensor._spec = tensor._spec.made_in(inference)
    touch(tensor)


def _with_type_of(own: Spec, seen: Spec) -> Spec:
    return spec_of(seen.type, own.requires_grad, own.grad_name, order=seen.order, inference=seen.inference)
