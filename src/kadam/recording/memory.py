"""Views of memory, and in-place changes: a tensor's memory gets a new value, and its views see through to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from kadam import dtypes
from kadam.errors import DTypeError, InPlaceError, RecordingError, ShapeError
from kadam.hot import hot
from kadam.ir.builder import current_builder
from kadam.ir.types import TensorType
from kadam.primitives.broadcast import Broadcast
from kadam.primitives.elementwise import Cast, Where
from kadam.primitives.move import Copy, Detach, Severed
from kadam.primitives.sources import Full
from kadam.recording.calls import emit, symbol
from kadam.recording.herd import Herd, leave_herd
from kadam.recording.meta import check_target
from kadam.recording.modes import grad_mode
from kadam.recording.operation import operation
from kadam.recording.order import row_major
from kadam.recording.spec import Spec
from kadam.recording.step import Recording, cut, lead, state
from kadam.recording.tensor import (
    Number,
    Recorded,
    blank,
    check_writable,
    is_cut_off,
    is_shared,
    made,
    owner_of,
    touch,
)
from kadam.recording.trail import TrailNode
from kadam.recording.view import restored, see, seen_anew

if TYPE_CHECKING:
    from kadam.tensor import Tensor


@operation(grad="CopyBackwards", order=row_major)
def fit(value: Tensor | Number, kind: TensorType) -> Tensor:
    """A value cast and stretched to a type: what an in-place change puts into memory."""
    given = value
    if value.dtype is not kind.dtype:  # type: ignore[union-attr]
        value = emit(Cast(kind.dtype), value)  # type: ignore[arg-type]
    if tuple(value.shape) != kind.shape:  # type: ignore[union-attr]
        value = emit(Broadcast(kind.shape), value)  # type: ignore[arg-type]
    return emit(Copy(), value) if value is given else value  # type: ignore[arg-type, return-value]


@operation
def covered(base: Tensor, value: Tensor) -> Tensor:
    """`value`, as what has replaced all of `base`: gradients reach `base`, and are zero."""
    nowhere = current_builder().emit(Full(False, base._spec.type.shape, dtypes.bool_))
    return emit(Where(), symbol(nowhere), base, value)


@operation
def severed(base: Tensor, value: Tensor) -> Tensor:
    """`value`, as what has come of `base` by steps without a derivative: it requires grad, and passes none on."""
    nowhere = current_builder().emit(Full(False, base._spec.type.shape, dtypes.bool_))
    return emit(Where(), symbol(nowhere), emit(Severed(), base), value)


def assign(target: Tensor, value: Any) -> Tensor:
    """Give `target`'s memory the value of a tensor or a number, of which a copy is made.

    Raises:
        InPlaceError: a leaf that requires grad, in grad mode; memory seen several times at once.
        ShapeError: the value does not stretch to the target's shape.
        DTypeError: the value's kind of number does not fit the target's type.
    """
    check_writable(target, value)
    _check_fits(target, value)
    return give(target, fit(value, target._spec.type))


def give(target: Tensor, value: Recorded, since: TrailNode | None = None) -> Tensor:
    """Let `target`'s memory have a result of its type that nobody else has: every in-place operation ends here.

    Args:
        since: where the recording stood before the operation, whose own derivative may read what it overwrites.

    Raises:
        InPlaceError: as `assign`.
    """
    check_writable(target, value)
    _put(target, value, since)
    _write_through([target])
    return target


def _write_through(targets: Sequence[Recorded]) -> None:
    """Write at once what others see: NumPy code, tensors on the same memory."""
    rec = state.rec
    for target in targets:
        root = target.root
        if root._exposed and rec is not None and id(root) in rec.written and is_shared(root, root):
            cut(rec)
            return


def assign_all(targets: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    """`assign` for many pairs. Plain targets need one move on the trail."""
    rec = state.rec
    for target in targets:
        leave_herd(target)
    if rec is None or state.grad or not all(map(_is_plain, targets, values)):
        for target, value in zip(targets, values, strict=True):
            check_writable(target)
            _put(target, value if value._spec.type == target._spec.type else fit(value, target._spec.type))
    else:
        stale = [target._pos for target in targets if target._rec is rec or target._rec is rec.anchor]
        _note_overwritten(rec, stale + _forget_views(rec, {id(target) for target in targets if target._viewed}))
        rec.loose = rec.loose or len(stale) < len(targets) or any(target._shared for target in targets)
        _move(rec, targets, [value._pos for value in values])
    _write_through(targets)


def _move(rec: Recording, targets: Sequence[Recorded], positions: Iterable[int]) -> None:
    """Let plain targets have the values at these positions: their memory is written at the cut."""
    anchor = rec.anchor
    for target, position in zip(targets, positions, strict=True):
        target._pos = position
        target._rec = rec
        if target._spec.requires_grad:
            target._rec, rec.ending = anchor, True
        target._changes += 1
    rec.writes.append(targets)


@hot
def update(rec: Recording, node: TrailNode, arguments: Sequence[Any]) -> None:
    """The end of a call that updates its operands: they take its results, for which no tensors are made."""
    anchor = rec.anchor
    position = start = len(rec.created)
    rec.created += [None] * len(node.specs)
    rec.ending = True
    for index in node.info:
        targets = arguments[index]
        first = position
        if targets.__class__ is Herd and targets.bond.open:
            targets.update(rec, first)
            position += len(targets)
            rec.writes.append(targets)
            continue
        for target in targets:
            if target._shared or target._array is None:
                rec.writes.append(targets[: position - first])
                _update_rest(rec, node.specs[position - start :], _rest(node, arguments, position - start), position)
                return
            target._pos = position
            target._rec = anchor if target._spec.requires_grad else rec
            target._changes += 1
            position += 1
        rec.writes.append(targets)


def _rest(node: TrailNode, arguments: Sequence[Any], start: int) -> list[Any]:
    """The tensors that a call updates, from one of them on."""
    return [one for each in node.info for one in arguments[each]][start:]


def _update_rest(rec: Recording, specs: Sequence[Spec], targets: Sequence[Any], start: int) -> None:
    """`update` where targets have no memory yet, others may see it, or gradients go to their old values."""
    for target in targets:
        leave_herd(target)
    roots = [one for one in targets if one._base is None]
    forgotten = _forget_views(rec, {id(one) for one in roots if one._viewed})
    if forgotten:
        _note_overwritten(rec, forgotten)
    others = []
    for position, (spec, target) in enumerate(zip(specs, targets, strict=True), start):
        rec.loose = rec.loose or target._shared
        if target._base is None and target._array is not None:
            _move(rec, (target,), (position,))
        elif target._base is None and not target._spec.requires_grad:
            target._pos = position
            target._changes += 1
        else:
            rec.loose = True
            value = blank(made.cls, spec)
            value._rec, value._pos = rec, position
            rec.created[position] = value
            others.append((target, value))
    with grad_mode(False):
        for target, value in others:
            _put(target, value)
    _write_through(targets)


def _forget_views(rec: Recording, bases: set[int]) -> list[int]:
    """Make the views of these bases (by id) look at them again; returns the positions that they had."""
    found = []
    if bases:
        for one in _met(rec):
            if getattr(one, "_rec", None) is rec and one._base is not None and id(one._base) in bases:
                found.append(one._pos)
                one._rec = None
    return found


def _met(rec: Recording) -> tuple[Any, ...]:
    """All that may have a position in a recording, views that have looked at their base again among them."""
    return (*rec.created, *rec.feeds, *rec.joined.values())


def _is_plain(target: Recorded, value: Recorded) -> bool:
    """Whether a tensor in memory of its own, which nothing else sees, gets a fresh result of its type."""
    return (
        target._base is None
        and target._array is not None
        and value._rec is state.rec
        and value._pos >= 0
        and value._spec.type == target._spec.type
    )


def _check_fits(target: Recorded, value: Any) -> None:
    kind = target._spec.type
    if isinstance(value, Recorded):
        given, shape = value._spec.dtype, tuple(value._spec.shape)
    else:
        given, shape = dtypes.of_number(value), ()
        if given.category == dtypes.FLOAT and kind.dtype.category < dtypes.FLOAT:
            given = kind.dtype  # filling an integer tensor with 2.5 truncates, as in PyTorch
    if given.category > kind.dtype.category and given.is_complex:
        raise DTypeError(
            f"result type {given} can't be cast to the desired output type {kind.dtype}. Fix: "
            "compute it out of place, x = x + y, or convert x first."
        )
    offset = len(kind.shape) - len(shape)
    if offset < 0 or any(size not in (1, kind.shape[offset + axis]) for axis, size in enumerate(shape)):
        raise ShapeError(
            f"output with shape {list(kind.shape)} doesn't match the broadcast shape "
            f"{list(shape)}: an in-place operation cannot change its target's shape. Fix: compute it out of place, x = "
            "x + y."
        )


def _put(target: Recorded, value: Any, since: TrailNode | None = None) -> None:
    rec = state.rec
    if rec is None:
        raise RecordingError("the body of an operation cannot change a tensor in place")
    if check_target(target, value):
        return
    root: Any = target.root
    leave_herd(root)
    owner = owner_of(root)
    if owner is not None and owner is not rec:
        cut(owner)  # another thread's
    tracked = state.grad and not is_cut_off(target)
    if _awaits_gradient(rec, target, tracked):
        cut(rec)
        _put(target, value)
        return
    if value._rec is not rec or value._pos < 0:
        _put(target, fit(value, target._spec.type))
        return
    whole = _whole(rec, target, value, tracked)
    if rec.closed:  # it had grown too long
        _put(target, value)
        return
    met = root._rec is rec or root._rec is rec.anchor
    _overwrite(rec, root, target, since)
    root._pos = whole._pos
    if not tracked and (root._spec.requires_grad or target._spec.requires_grad):
        root._rec, rec.ending = rec.anchor, True
    else:
        _derive(rec, root, whole)
        if whole._spec.requires_grad:
            rec.join(root)
    if root._array is not None:
        rec.writes.append((root,))
        rec.loose = rec.loose or root._shared or not met
    if target is not root:
        target._rec = None  # to be seen through its base again, whose gradient it now has
        stays = target._spec.requires_grad and (target._spec.grad_name is None or not state.grad)
        if not stays and (value._spec.requires_grad or not root._spec.requires_grad):
            target._pos = value._pos
            _derive(rec, target, value)
            rec.join(target)
    touch(target)
    if target._rec is rec:
        target._as_of = root._changes


def _awaits_gradient(rec: Recording, target: Recorded, tracked: bool) -> bool:
    """Whether gradients go to the old value, so that it must stand before the memory changes."""
    root = target.root
    if not tracked and root._spec.requires_grad and root._rec is rec and root._pos >= 0 and root._array is None:
        return True
    return not state.grad and target._spec.grad_name is not None and target._rec is rec and target._pos >= 0


def _whole(rec: Recording, target: Recorded, value: Any, tracked: bool) -> Tensor:
    """What all of the memory becomes where `target`, which shows some of it, gets a value."""
    root: Any = target.root
    if target is root:
        return _covering(root, value) if tracked else value
    anchored = root._rec is rec.anchor
    hold(rec, root)
    shown = see(value, (Detach(),)) if is_cut_off(target) and value._spec.requires_grad else value
    whole = restored(target, shown)
    if tracked:
        whole = _covering(root, whole)
    if anchored and rec.open:
        root._rec = rec.anchor
    return whole


def _covering(base: Any, value: Any) -> Tensor:
    """A value that replaces `base`: if that requires grad, it goes on doing so."""
    return covered(base, value) if base._spec.requires_grad and not value._spec.requires_grad else value


def _derive(rec: Recording, tensor: Recorded, value: Recorded) -> None:
    """Let a tensor have the derivative of a value of this recording."""
    own, made_by = tensor._spec, value._spec
    tensor._rec = rec
    tensor._spec = own.derived(made_by.requires_grad, made_by.grad_name)


def hold(rec: Recording, tensor: Recorded) -> None:
    """Let a tensor be an operand of `rec` even where `rec` has updated it: as the target of an in-place change."""
    if tensor._rec is rec:
        return
    if tensor._rec is rec.anchor:
        tensor._rec = rec
        return
    base: Any = tensor._base
    if base is not None and (base._rec is rec.anchor or (base._rec is rec and base._pos >= 0)):
        anchored = base._rec is rec.anchor
        base._rec = rec
        fresh = seen_anew(tensor)
        if fresh._rec is rec:
            tensor._rec, tensor._pos = rec, fresh._pos
            if anchored:
                base._rec = rec.anchor


def _overwrite(rec: Recording, root: Recorded, target: Recorded, since: TrailNode | None) -> None:
    """Note on the trail that the memory of `root` changes, and make its other views look again."""
    stale = [root] if root._rec is rec or root._rec is rec.anchor else []
    others: list[Any] = []
    if root._viewed:
        others = [one for one in _met(rec) if getattr(one, "_base", None) is root]
        stale += [one for one in others if one._rec is rec]
    for one in stale:
        if one._history is not None and one._pos < 0:
            rec.displaced = {**rec.displaced, one._pos: (one._history, one._place)}
            rec.loose = True
    for one in others:
        if one._rec is rec and one is not target:
            one._rec = None
    if target._tracked:
        _note_overwritten(rec, [one._pos for one in stale], since)


def _note_overwritten(rec: Recording, positions: list[int], since: TrailNode | None = None) -> None:
    """A move on the trail: the memory behind these positions changes, and derivatives may not read it any more.

    Those of the calls after `since`, which make up the in-place operation, may.
    """
    calls, call = [rec.here], rec.here
    while since is not None and call.parent is not None and call.parent is not since:
        call = call.parent
        calls.append(call)
    if since is not None and call.parent is None:
        calls = [rec.here]  # the recording was cut in between
    key = ("overwrite", len(calls), *positions)
    node = rec.here.get(key)
    if node is None:
        path = rec.current_path()
        node = TrailNode(rec.here)
        own = frozenset(one.id for call in calls for one in call.nodes)
        node.overwritten = {path.at(one).id: own for one in positions}
        path.overwritten.update(node.overwritten)
        path.end = node
        lead(rec, key, node)
    rec.here = node


def detach_in_place(tensor: Recorded) -> None:
    """Take a tensor out of the graph that made it. As `Tensor.detach_`.

    Raises:
        InPlaceError: it is a view.
    """
    if tensor._base is not None and not is_cut_off(tensor):
        raise InPlaceError("Can't detach views in-place. Use detach() instead. Fix: x = x.detach().")
    rec = state.rec
    leave_herd(tensor)
    if rec is not None and tensor._rec is rec:
        cut(rec)
    tensor._spec = tensor._spec.derived()
    tensor._history, tensor._rec = None, None
