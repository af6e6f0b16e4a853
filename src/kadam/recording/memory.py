"""Views of memory, and in-place changes: a tensor's memory gets a new value, and its views see through to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam import dtypes
from kadam.dtypes import dtype
from kadam.errors import DTypeError, RecordingError, ShapeError
from kadam.hot import hot
from kadam.ir.builder import current_builder
from kadam.ir.builder import emit as emit_node
from kadam.ir.primitive import View
from kadam.ir.types import TensorType
from kadam.primitives.broadcast import Broadcast
from kadam.primitives.elementwise import Cast, Where
from kadam.primitives.index import Index, IndexPut
from kadam.primitives.move import Copy, Detach, Severed
from kadam.primitives.sources import Full
from kadam.recording.calls import emit, sees, symbol
from kadam.recording.herd import Herd, leave_herd
from kadam.recording.layout import check_overlap
from kadam.recording.meta import check_target
from kadam.recording.modes import grad_mode
from kadam.recording.operation import operation
from kadam.recording.spec import Spec, spec_of
from kadam.recording.step import Recording, cut, state
from kadam.recording.tensor import (
    Number,
    Recorded,
    alias,
    blank,
    check_writable,
    from_array,
    is_current,
    is_shared,
    made,
    overwrite,
    owner_of,
    read,
    sees_now,
    touch,
)
from kadam.recording.trail import TrailNode

if TYPE_CHECKING:
    from kadam.tensor import Tensor


@operation(grad="CopyBackwards")
def fit(value: Tensor | Number, kind: TensorType) -> Tensor:
    """A value cast and stretched to a type: what an in-place change puts into memory."""
    given = value
    if value.dtype is not kind.dtype:  # type: ignore[union-attr]
        value = emit(Cast(kind.dtype), value)  # type: ignore[arg-type]
    if tuple(value.shape) != kind.shape:  # type: ignore[union-attr]
        value = emit(Broadcast(kind.shape), value)  # type: ignore[arg-type]
    return emit(Copy(), value) if value is given else value  # type: ignore[arg-type, return-value]


@operation(grad="CopySlices")
def restore(base: Tensor, value: Tensor, chain: tuple[View, ...]) -> Tensor:
    """`base` with the part that `chain` shows replaced by `value`."""
    nodes = [base._node]
    for primitive in chain[:-1]:
        nodes.append(emit_node(primitive, nodes[-1]))  # type: ignore[arg-type]
    new = value._node
    for primitive, node in zip(reversed(chain), reversed(nodes), strict=True):
        new = primitive.restore(node, new)  # type: ignore[arg-type]
    return symbol(new)  # type: ignore[arg-type]


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


@operation(grad="AsStridedBackward0")
def see(input: Tensor, chain: tuple[View, ...]) -> Tensor:
    """The view of a value that a chain of primitives shows."""
    for primitive in chain:
        input = emit(primitive, input)
    return input


class Picked(tuple[View, ...]):
    """A chain that shows one place along each of some axes, which programs take as data: no path depends on it.

    So `log_probs[action]` is the same call for every action. Longer chains made from it are structure, as others are.
    """

    axes: tuple[int, ...]
    places: tuple[int, ...]

    def operands(self) -> list[Tensor]:
        """The places as tensors that nobody else has: what becomes of the index later makes no difference."""
        return [from_array(np.asarray(place, np.int64)) for place in self.places]


@operation(grad="SelectBackward0")
def _picked(base: Tensor, places: Sequence[Tensor], axes: tuple[int, ...]) -> Tensor:
    return emit(Index(axes, wrap=False), base, *places)


@operation(grad="CopySlices")
def _put_back(base: Tensor, value: Tensor, places: Sequence[Tensor], axes: tuple[int, ...]) -> Tensor:
    return emit(IndexPut(axes, wrap=False), base, value, *places)


def pick(seen: Tensor, chain: Picked) -> Tensor:
    """The view of a tensor that such a chain shows."""
    if state.rec is not None and sees_now(state.rec, seen):
        return alias(seen, chain)  # type: ignore[return-value]
    tensor = _picked(seen, chain.operands(), chain.axes)
    rec: Any = tensor._rec
    rec.here.viewing = True
    sees(tensor, seen, chain)
    return tensor


def seen_anew(view: Recorded) -> Tensor:
    """What a view shows of its base's present value."""
    base: Any = view._base
    chain: Any = view._chain
    return _picked(base, chain.operands(), chain.axes) if chain.__class__ is Picked else see(base, chain)


def _restored(view: Recorded, value: Any) -> Tensor:
    """The base of a view with the part that it shows replaced by a value."""
    base: Any = view._base
    chain: Any = view._chain
    if chain.__class__ is Picked:
        return _put_back(base, value, chain.operands(), chain.axes)
    return restore(base, value, chain)


def assign(target: Tensor, value: Any) -> Tensor:
    """Give `target`'s memory the value of a tensor or a number, of which a copy is made.

    Raises:
        InPlaceError: a leaf that requires grad, in grad mode; memory seen several times at once.
        ShapeError: the value does not stretch to the target's shape.
        DTypeError: the value's kind of number does not fit the target's type.
    """
    check_writable(target)
    _check_fits(target, value)
    return give(target, fit(value, target._spec.type))


def give(target: Tensor, value: Recorded, since: TrailNode | None = None) -> Tensor:
    """Let `target`'s memory have a result of its type that nobody else has: every in-place operation ends here.

    Args:
        since: where the recording stood before the operation, whose own derivative may read what it overwrites.

    Raises:
        InPlaceError: as `assign`.
    """
    check_writable(target)
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
    anchor = rec.anchor
    cut_off = any(isinstance(primitive, Detach) for primitive in target._chain)
    untracked = not state.grad or cut_off
    if untracked and root._spec.requires_grad and root._rec is rec and root._pos >= 0 and root._array is None:
        cut(rec)  # its gradient goes to the old value: that one must stand before the memory changes
        _put(target, value)
        return
    if not state.grad and target._spec.grad_name is not None and target._rec is rec and target._pos >= 0:
        cut(rec)  # the same
        _put(target, value)
        return
    if value._rec is not rec or value._pos < 0:
        _put(target, fit(value, target._spec.type))
        return
    if not untracked and target is root and root._spec.requires_grad and not value._spec.requires_grad:
        value = covered(target, value)
    new = value
    if target is not root:
        anchored = root._rec is anchor
        hold(rec, root)
        shown = see(value, (Detach(),)) if cut_off and value._spec.requires_grad else value
        new = _restored(target, shown)
        if not untracked and root._spec.requires_grad and not new._spec.requires_grad:
            new = covered(root, new)
        if rec.closed:  # it had grown too long
            _put(target, value)
            return
        if anchored:
            root._rec = anchor
    met = root._rec is rec or root._rec is anchor
    _overwrite(rec, root, target, since)
    root._pos = new._pos
    if untracked and (root._spec.requires_grad or target._spec.requires_grad):
        root._rec, rec.ending = anchor, True
        if target is not root:
            target._rec = None
    else:
        root._rec = rec
        root._spec = spec_of(root._spec.type, new._spec.requires_grad, new._spec.grad_name, order=root._spec.order)
        if new._spec.requires_grad:
            rec.join(root)
    if root._array is not None:
        rec.writes.append((root,))
        rec.loose = rec.loose or root._shared or not met
    if target is not root:
        target._rec = None  # to be seen through its base again, whose gradient it now has
        stays = target._spec.requires_grad and (target._spec.grad_name is None or not state.grad)
        if not stays and (value._spec.requires_grad or not root._spec.requires_grad):
            target._rec, target._pos = rec, value._pos
            made_by = value._spec
            target._spec = spec_of(
                target._spec.type, made_by.requires_grad, made_by.grad_name, order=target._spec.order
            )
            rec.join(target)
    touch(target)
    if target._rec is rec:
        target._as_of = root._changes


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
        rec.here[key] = node
    rec.here = node


def detach_in_place(tensor: Recorded) -> None:
    """Take a tensor out of the graph that made it. As `Tensor.detach_`."""
    rec = state.rec
    leave_herd(tensor)
    if rec is not None and tensor._rec is rec:
        cut(rec)
    tensor._spec = spec_of(tensor._spec.type, order=tensor._spec.order)
    tensor._history, tensor._rec = None, None


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
    array = read(other)
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
    tensor._spec = _with_type_of(tensor._spec, other._spec)


def _with_type_of(own: Spec, seen: Spec) -> Spec:
    return spec_of(seen.type, own.requires_grad, own.grad_name, order=seen.order)
