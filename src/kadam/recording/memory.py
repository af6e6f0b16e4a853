"""Views of memory, and in-place changes: a tensor's memory gets a new value, and its views see through to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kadam import dtypes
from kadam.dtypes import dtype
from kadam.errors import DTypeError, RecordingError, ShapeError
from kadam.ir.builder import current_builder
from kadam.ir.builder import emit as emit_node
from kadam.ir.primitive import View
from kadam.ir.types import TensorType
from kadam.primitives.broadcast import Broadcast
from kadam.primitives.elementwise import Cast, Where
from kadam.primitives.move import Copy, Detach
from kadam.primitives.sources import Full
from kadam.recording.calls import emit, symbol
from kadam.recording.operation import operation
from kadam.recording.spec import spec_of
from kadam.recording.step import Recording, cut, state
from kadam.recording.tensor import Number, Recorded, check_writable, read, touch
from kadam.recording.trail import TrailNode

if TYPE_CHECKING:
    from kadam.tensor import Tensor


@operation
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
def see(input: Tensor, chain: tuple[View, ...]) -> Tensor:
    """The view of a value that a chain of primitives shows."""
    for primitive in chain:
        input = emit(primitive, input)
    return input


def assign(target: Tensor, value: Any) -> Tensor:
    """Give `target`'s memory the value of a tensor or a number: every in-place operation is this.

    Raises:
        InPlaceError: a leaf that requires grad, in grad mode; memory seen several times at once.
        ShapeError: the value does not stretch to the target's shape.
        DTypeError: the value's kind of number does not fit the target's type.
    """
    check_writable(target)
    kind = target._spec.type
    fresh = isinstance(value, Recorded) and value._rec is state.rec and value._pos >= 0
    if not fresh or value._spec.type != kind:
        _check_fits(target, value)
        value = fit(value, kind)
    _put(target, value)
    return target


def assign_all(targets: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    """`assign` for many pairs: what an optimizer's step ends with. Plain targets need one move on the trail."""
    rec = state.rec
    if rec is None or state.grad or not all(map(_is_plain, targets, values)):
        for target, value in zip(targets, values, strict=True):
            assign(target, value)
        return
    anchor, written = rec.anchor, rec.written
    stale = [target._pos for target in targets if target._rec is rec or target._rec is anchor]
    _note_overwritten(rec, stale + _forget_views(rec, {id(target) for target in targets if target._viewed}))
    for target, value in zip(targets, values, strict=True):
        target._pos = value._pos
        target._rec = anchor if target._spec.requires_grad else rec
        written[id(target)] = target
        target._version += 1


def _forget_views(rec: Recording, bases: set[int]) -> list[int]:
    """Make the views of these bases (by id) look at them again; returns the positions that they had."""
    found = []
    if bases:
        for one in (*rec.created, *rec.feeds):
            if getattr(one, "_rec", None) is rec and one._base is not None and id(one._base) in bases:
                found.append(one._pos)
                one._rec = None
    return found


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
        raise DTypeError(f"result type {given} can't be cast to the desired output type {kind.dtype}")
    offset = len(kind.shape) - len(shape)
    if offset < 0 or any(size not in (1, kind.shape[offset + axis]) for axis, size in enumerate(shape)):
        raise ShapeError(
            f"output with shape {list(kind.shape)} doesn't match the broadcast shape {list(shape)}: "
            "an in-place operation cannot change its target's shape"
        )


def _put(target: Recorded, value: Any) -> None:
    rec = state.rec
    if rec is None:
        raise RecordingError("the body of an operation cannot change a tensor in place")
    root: Any = target.root
    untracked = not state.grad or any(isinstance(primitive, Detach) for primitive in target._chain)
    if untracked and root._spec.requires_grad and root._rec is rec and root._pos >= 0 and root._array is None:
        cut(rec)  # its gradient goes to the old value: that one must stand before the memory changes
        _put(target, value)
        return
    if value._rec is not rec:
        _put(target, fit(value, target._spec.type))
        return
    if not untracked and target is root and root._spec.requires_grad and not value._spec.requires_grad:
        value = covered(target, value)
    new = value
    if target is not root:
        anchored = root._rec is rec.anchor
        hold(rec, root)
        new = restore(root, value, target._chain)
        if anchored:
            root._rec = rec.anchor
    _overwrite(rec, root, target)
    root._pos = new._pos
    if untracked and (root._spec.requires_grad or target._spec.requires_grad):
        root._rec = rec.anchor
        if target is not root:
            target._rec = None
    else:
        root._rec = rec
        root._spec = spec_of(root._spec.type, new._spec.requires_grad, new._spec.grad_name)
    if root._array is not None:
        rec.written[id(root)] = root
    if target is not root and root._rec is rec:
        target._rec, target._pos = rec, value._pos
        target._spec = spec_of(target._spec.type, value._spec.requires_grad, value._spec.grad_name)
        if root._spec.requires_grad and not value._spec.requires_grad:
            target._rec = None  # to be seen through its base again, whose gradient it now has
    touch(target)


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
        fresh = see(base, tensor._chain)
        tensor._rec, tensor._pos = rec, fresh._pos
        if anchored:
            base._rec = rec.anchor


def in_place(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The in-place form of an operation: `add_ = in_place(add)`."""

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        check_writable(self)
        rec = state.rec
        if rec is None:
            raise RecordingError("the body of an operation cannot change a tensor in place")
        root = self.root
        anchored = root._rec is rec.anchor
        try:
            hold(rec, self)
            value = function(self, *args, **kwargs)
        finally:
            if anchored and state.rec is rec:
                root._rec = rec.anchor
        _check_result(self, value)
        return assign(self, value)

    name = function.__name__ + "_"
    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"In-place form of `{function.__name__}`."
    return method


def _check_result(target: Recorded, value: Recorded) -> None:
    if value._spec.shape != target._spec.shape:
        raise ShapeError(
            f"output with shape {list(target._spec.shape)} doesn't match the broadcast shape {list(value._spec.shape)}"
        )
    if not dtypes.can_cast(value._spec.dtype, target._spec.dtype):
        raise DTypeError(
            f"result type {_kind(value._spec.dtype)} can't be cast to the desired output type "
            f"{_kind(target._spec.dtype)}"
        )


def _kind(record: dtype) -> str:
    names = {"float32": "Float", "float64": "Double", "int64": "Long", "int32": "Int", "float16": "Half"}
    return names.get(record.name, record.name.capitalize())


def _overwrite(rec: Recording, root: Recorded, target: Recorded) -> None:
    """Note on the trail that the memory of `root` changes, and make its other views look again."""
    stale = [root] if root._rec is rec or root._rec is rec.anchor else []
    others: list[Any] = []
    if root._viewed:
        others = [one for one in (*rec.created, *rec.feeds) if getattr(one, "_base", None) is root]
        stale += [one for one in others if one._rec is rec]
    for one in stale:
        if one._history is not None and one._pos < 0:
            rec.displaced[one._pos] = one._history, one._place
    for one in others:
        if one._rec is rec and one is not target:
            one._rec = None
    if target._tracked:
        _note_overwritten(rec, [one._pos for one in stale])


def _note_overwritten(rec: Recording, positions: list[int]) -> None:
    """A move on the trail: the memory behind these positions changes, and derivatives may not read it any more."""
    key = ("overwrite", *positions)
    node = rec.here.get(key)
    if node is None:
        path = rec.current_path()
        node = TrailNode(rec.here)
        own = frozenset(one.id for one in rec.here.nodes)
        node.overwritten = {path.at(one).id: own for one in positions}
        path.overwritten.update(node.overwritten)
        path.end = node
        rec.here[key] = node
    rec.here = node


def detach_in_place(tensor: Recorded) -> None:
    """Take a tensor out of the graph that made it. As `Tensor.detach_`."""
    rec = state.rec
    if rec is not None and tensor._rec is rec:
        cut(rec)
    tensor._spec = spec_of(tensor._spec.type)
    tensor._history, tensor._rec = None, None


def take_memory(tensor: Recorded, other: Recorded) -> None:
    """Let a tensor see another one's memory from now on. As `tensor.data = other`.

    Raises:
        DTypeError: `other` is no floating-point tensor, and `tensor` requires grad.
    """
    if tensor._spec.requires_grad and other._spec.dtype.category < dtypes.FLOAT:
        raise DTypeError("data set to a tensor that requires gradients must be floating point or complex dtype")
    array, rec = read(other), state.rec
    if rec is not None and tensor._rec is rec:
        cut(rec)
    tensor._rec, tensor._array, tensor._base, tensor._chain = None, array, None, ()
    tensor._exposed = other.root._exposed = True  # the memory has two owners now, as if NumPy held it
    tensor._spec = spec_of(other._spec.type, tensor._spec.requires_grad, tensor._spec.grad_name)
