"""The state of a tensor: where its value stands, what memory it sees, what gradient it has."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from kadam import dtypes
from kadam.dtypes import dtype
from kadam.errors import (
    DTypeError,
    GradientError,
    InPlaceError,
    KadamError,
    RecordingError,
    ShapeError,
)
from kadam.hot import hot
from kadam.ir.graph import Node
from kadam.ir.primitive import Array, View, seen_through
from kadam.ir.types import TensorType
from kadam.primitives.move import Detach
from kadam.recording.herd import Bond, leave_herd
from kadam.recording.order import order_in
from kadam.recording.place import in_attempt
from kadam.recording.spec import Order, Size, Spec, spec_of
from kadam.recording.step import Anchor, Recording, cut, state

if TYPE_CHECKING:
    from kadam.recording.history import History
    from kadam.tensor import Tensor

Number = bool | int | float | complex
Kind = TypeVar("Kind", bound="Recorded")
Result = TypeVar("Result", bound="Recorded")


class Slots:
    """What every step asks of a tensor, in slots, where compiled code finds it."""

    __slots__ = (
        "_after_hooks", "_array", "_base", "_changes", "_grad", "_history", "_hooks", "_place", "_pos", "_rec",
        "_shared", "_spec",
    )  # fmt: skip


class Recorded(Slots):
    """A tensor, as far as recording is concerned; `kadam.Tensor` adds the surface.

    Its value stands in one of three places: in memory (`_array`), in a recording (`_rec`, `_pos`), or behind a view of
    another tensor (`_base`, `_chain`). It begins as a `blank`; class attributes are what most tensors never change.
    """

    _rec: Any  # the recording in which `_pos` is its value; the recording's anchor: see `Recording`
    _pos: int
    _spec: Spec
    _array: Array | None  # its memory; current unless a recording has a newer value for it
    _base: Recorded | None  # the tensor whose memory it sees
    _chain: tuple[Any, ...] = ()  # how it sees it: view primitives, from the base's shape to its own
    _viewed: bool = False  # whether views of it have been made
    _counted: bool = False  # of an inference tensor: whether its changes are counted, so that it may change anywhere
    _apart: str | None = None  # of a view: the mode in which it was made, if gradients were not recorded there
    _tracked: bool = True  # False for `.data`: changes through it are not seen by autograd
    _exposed: bool = False  # whether NumPy code may hold its memory
    _shared: bool  # False: it is no view, and neither viewed nor exposed
    _changes: int  # of an owner of memory: how often it was changed in place; of `.data`: how often by way of it
    _as_of: int = 0  # of a view: the version of its base for which `_spec` and `_history` hold
    _history: History | None  # how an earlier recording made it ...
    _place: int  # ... and as which node
    _grad: Recorded | None
    _hooks: dict[int, Any] | None  # of a leaf: called with its gradient
    _after_hooks: dict[int, Any] | None  # of a leaf: called after its gradient has been accumulated
    _node: Node | None = None  # its node, while an operation's body runs on symbols
    _retains: bool = False  # whether it keeps its gradient although it is no leaf
    _tag: str | None = None  # and the name of the operation that made it
    _meta: bool = False  # whether it is on the meta device: it never has a value

    @property
    def shape(self) -> Size:
        """The sizes of the axes."""
        return self._spec.shape

    @property
    def dtype(self) -> dtype:
        """The element type."""
        return self._spec.dtype

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation that requires grad made this tensor, or what it shows now."""
        base = self._base
        if base is not None and self._as_of != base._changes and base._spec.grad_name is not None:
            return not requires_grad(self)
        return self._spec.grad_name is None or not self._spec.requires_grad

    @property
    def root(self) -> Recorded:
        """The tensor that owns the memory."""
        return self if self._base is None else self._base

    __array_priority__ = 1000.0  # `array * tensor` is the tensor's business


class _Made:
    """The class of new tensors: `kadam.tensor` sets it, one floor up."""

    cls: type[Recorded] = Recorded


made = _Made()
_new = object.__new__


@hot
def blank(cls: type[Kind], spec: Spec) -> Kind:
    """A new tensor of a class, without memory."""
    tensor = _new(cls)
    tensor._spec = spec
    tensor._rec = tensor._array = tensor._base = tensor._grad = tensor._history = None
    tensor._hooks = tensor._after_hooks = None
    tensor._pos = tensor._place = tensor._changes = 0
    tensor._shared = False
    return tensor


def from_array(array: Array, requires_grad: bool = False) -> Tensor:
    """A new tensor that owns `array` (not copied).

    Raises:
        DTypeError: PyTorch has no such element type.
    """
    record = dtypes.of_numpy(array.dtype)
    if not array.dtype.isnative:
        array = array.astype(record.numpy)
    tensor = blank(made.cls, new_spec(TensorType(record, array.shape), requires_grad, order_in(array)))
    tensor._array = array
    return tensor  # type: ignore[return-value]


def new_spec(kind: TensorType, requires_grad: bool = False, order: Order | None = None) -> Spec:
    """That of a leaf in memory of its own, made now."""
    return spec_of(kind, requires_grad, order=order, inference=state.inference)


def has_memory(tensor: Recorded) -> bool:
    """Whether it has memory; asking gives it none, unlike reading."""
    try:
        return vars(Slots)["_array"].__get__(tensor) is not None
    except AttributeError:  # a step counter that nobody has looked at
        return False


@hot
def is_current(tensor: Recorded) -> bool:
    """Whether the tensor's memory holds its value: no recording has a newer one."""
    if tensor._array is None:
        return False
    root = tensor if tensor._base is None else tensor._base
    rec = state.rec
    if rec is None:
        return tensor._node is None
    return _settled(tensor, rec) and (root is tensor or _settled(root, rec))


@hot
def _settled(tensor: Recorded, rec: Recording) -> bool:
    at = tensor._rec
    if at is None or at is rec:
        return at is None or tensor._pos < 0
    if at.__class__ is Anchor or at.__class__ is Bond:
        return bool(at.rec is None)
    return tensor._pos < 0 or not at.open


@hot
def _is_lost(view: Recorded) -> bool:
    return view._rec is None and view._history is None and view._spec.grad_name is not None


@hot
def owner_of(tensor: Recorded) -> Recording | None:
    """The open recording that has the tensor's newest value, perhaps another thread's; None if memory has it."""
    for one in (tensor, tensor if tensor._base is None else tensor._base):
        at: Recording | None = one._rec.rec if isinstance(one._rec, Anchor) else one._rec if one._pos >= 0 else None
        if at is not None and at.open:
            return at
    return None


def is_outdated(tensor: Recorded) -> bool:
    """Whether a view's derivative is that of an earlier value of its base, or lost: its base has been changed by way of
    `.data`, which counts no change."""
    base = tensor._base
    return (
        base is not None
        and (tensor._as_of != base._changes or _is_lost(tensor))
        and base._spec.requires_grad
        and state.grad
        and not is_cut_off(tensor)
    )


@hot
def read(tensor: Recorded) -> Array:
    """The tensor's value now; the recording that has it is cut if need be. Not to be written into.

    Raises:
        RecordingError: the value was lost when a recording was interrupted or failed.
    """
    if tensor._node is not None:
        raise RecordingError("the body of an operation cannot read values: it runs once, on symbols")
    rec = state.rec
    if rec is None:
        raise RecordingError("a value cannot be read inside the body of an operation")
    if not is_current(tensor):
        owner = owner_of(tensor) or _cut_now(tensor) or rec
        if owner.runner:
            value = _meanwhile(owner, tensor)
            if value is not None:
                return value
        cut(owner)
    maker = tensor._rec if tensor._base is None else tensor._base._rec
    if maker.__class__ is Recording and maker.runner:
        value = _meanwhile(maker, tensor)
        if value is not None:
            return value
    if tensor._array is None and tensor._base is not None and tensor._base._array is not None:
        tensor._array = seen_through(tensor._base._array, tensor._chain)
    if tensor._array is None:
        raise _valueless(tensor)
    return tensor._array


def _valueless(tensor: Recorded) -> KadamError:
    if tensor._meta:
        from kadam.recording.meta import no_data

        return no_data()
    return RecordingError(
        "this tensor has no value: the recording that would have computed it failed or was interrupted. "
        "Fix: repeat the computation."
    )


def tried(tensor: Result) -> Result:
    """A tensor that data can make impossible to compute: within a `try` of the user's it is computed now."""
    if state.rec is not None and in_attempt():
        read(tensor)
    return tensor


def _cut_now(tensor: Recorded) -> Recording | None:
    """The recording that is being cut and has the tensor's newest value, if there is one."""
    at = tensor.root._rec
    rec = at.rec if isinstance(at, Anchor) else at
    return rec if rec is not None and rec.runner else None


def _meanwhile(rec: Recording, tensor: Recorded) -> Array | None:
    """Let another thread finish, if it is cutting a recording or adding a call to its path. If it is this one, a
    finaliser asks amid its work: the tensor's value."""
    own = threading.get_ident()
    while rec.runner not in (0, own):
        time.sleep(0.0002)
    if rec.runner != own:
        return None
    if tensor._array is not None and (rec.closed or is_current(tensor)):
        return tensor._array
    from kadam.recording.interruptions import value_beside

    return value_beside(tensor, rec)


def check_writable(tensor: Recorded, value: Any = None) -> None:
    """Raise where PyTorch forbids an in-place change.

    Args:
        tensor: is to be changed.
        value: what it becomes, if that is known.

    Raises:
        InPlaceError: a leaf that requires grad, or a view of one, in grad mode; a view that was made in another mode
            or together with others, if gradients flow; an inference tensor.
    """
    if tensor._spec.inference:
        check_mode(tensor)
    if not state.grad:
        return
    if tensor._spec.requires_grad and tensor._spec.grad_name is None:
        raise InPlaceError(
            "a leaf Variable that requires grad is being used in an in-place operation. "
            "Fix: change it under torch.no_grad()."
        )
    base = tensor._base
    if base is None or is_cut_off(tensor):
        return
    flows = requires_grad(tensor)
    if flows or (isinstance(value, Recorded) and value._spec.requires_grad):
        check_kept_whole(tensor, "is being")
    if flows and base._spec.requires_grad and base._spec.grad_name is None:
        raise InPlaceError(
            "a view of a leaf Variable that requires grad is being used in an in-place operation. "
            "Fix: change it under torch.no_grad()."
        )


_BLOCKS = {
    "no_grad": ("no_grad mode", "with grad mode enabled"),
    "inference_mode": ("inference mode", "in normal mode"),
}
_SEVERAL = {"UnbindBackward0": "Unbind", "SplitBackward0": "Split", "SplitWithSizesBackward0": "SplitWithSizes"}


def check_kept_whole(view: Recorded, change: str) -> None:
    """Raise where a view changes in place of which PyTorch would not know what its derivative is then.

    Args:
        view: to which gradients flow.
        change: how it changes: it "is being" modified, or "its base or another view of its base has been".

    Raises:
        InPlaceError: it was made in another mode, or together with others.
    """
    if view._apart is not None:
        mode, now = _BLOCKS[view._apart]
        raise InPlaceError(
            f"A view was created in {mode} and {change} modified inplace {now}. Given that this use case is ambiguous "
            "and error-prone, it is forbidden. You can clarify your code by moving both the view and the inplace "
            f"either both inside the {view._apart} block (if you don't want the inplace to be tracked) or both outside "
            "(if you want the inplace to be tracked). Fix: make the view anew where it is changed."
        )
    name = _SEVERAL.get(view._spec.grad_name or "") if view._spec.requires_grad else None
    if name is not None:
        raise InPlaceError(
            f"An output of {name} is a view and {change} modified inplace. This view is the output of a function that "
            "returns multiple views. Such functions do not allow the output views to be modified inplace. You should "
            "replace the inplace operation by an out-of-place one. Fix: x = x + y, or part = part.clone() first."
        )


def requires_grad(tensor: Recorded) -> bool:
    """Whether gradients are computed for a tensor. A view has that of its base, whatever the mode it was made in."""
    base, own = tensor._base, tensor._spec
    if own.requires_grad or base is None or not base._spec.requires_grad:
        return own.requires_grad
    return own.dtype.category >= dtypes.FLOAT and not own.inference and not is_cut_off(tensor)


def check_mode(tensor: Recorded) -> None:
    """Raise where an inference tensor is changed in place outside of inference mode.

    Raises:
        InPlaceError: it is.
    """
    if tensor._spec.inference and not state.inference and not tensor._counted:
        raise InPlaceError(
            "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone to get a "
            "normal tensor before doing inplace update.See https://github.com/pytorch/rfcs/pull/17 for more details. "
            "Fix: x = x.clone() before the change."
        )


def overwrite(tensor: Recorded, values: Any) -> None:
    """Write values (an array or a number that stretches to the tensor's shape, cast to its type) into memory at once.

    Raises:
        InPlaceError: as `check_writable`.
        ShapeError: the values do not stretch to the tensor's shape.
    """
    check_writable(tensor)
    if tensor._meta:
        return
    array = read(tensor)
    if 0 in array.strides and array.size and _repeats(array):
        raise InPlaceError(
            f"unsupported operation: more than one element of the written-to {tensor._spec.type} refers to a single "
            "memory location. Please clone() the tensor before performing the operation. Fix: x = x.clone()."
        )
    root = tensor.root
    rec = state.rec
    if rec is not None and any(feed is root or getattr(feed, "_base", None) is root for feed in rec.feeds):
        cut(rec)  # calls that were recorded before must see the old values
    if not array.flags.writeable:
        array = array.view()  # a part of what is seen stretched, in which each element stands for itself
        array.flags.writeable = True
    try:
        np.copyto(array, values, casting="unsafe")
    except ValueError:
        raise ShapeError(
            f"cannot write values of shape {list(np.shape(values))} into {tensor._spec.type}: The expanded size of the "
            "tensor must match the existing size. Fix: give values of its shape, or one number."
        ) from None
    touch(tensor)


def _repeats(array: Array) -> bool:
    return any(step == 0 and size > 1 for step, size in zip(array.strides, array.shape, strict=True))


def add_now(tensor: Recorded, number: float) -> None:
    """Add a number to a tensor's memory at once (step counters, batches seen)."""
    rec = state.rec
    if tensor._spec.inference:
        check_mode(tensor)
    if tensor._shared and rec is not None and any(getattr(one, "_base", None) is tensor for one in rec.feeds):
        cut(rec)  # it reads this memory through a view
    array = tensor._array
    if tensor._meta:
        return
    if array is None or not is_current(tensor) or tensor._rec is state.rec:
        array = read(tensor) + number
        overwrite(tensor, array)
    else:
        array[()] = array[()] + number
        touch(tensor)


def touch(tensor: Recorded) -> None:
    """Note that a tensor's memory has changed."""
    counting = tensor.root if tensor._tracked else tensor
    counting._changes += 1


def is_shared(root: Recorded, tensor: Recorded) -> bool:
    """Whether anyone but `root` and its view `tensor` may hold their memory."""
    owner = root._array
    while owner is not None and isinstance(owner.base, np.ndarray):
        owner = owner.base
    mine = sum(1 for one in (root._array, tensor._array) if one is not owner and one is not None) - (root is tensor)
    held = 3 if owner is root._array else 2  # the attribute, the variable and getrefcount's own; views hold their base
    rec = state.rec
    fed = 0 if rec is None else sum(1 for array in rec.values if array is owner)
    return owner is None or owner.base is not None or sys.getrefcount(owner) > held + fed + max(mine, 0)


def is_cut_off(tensor: Recorded) -> bool:
    return any(isinstance(primitive, Detach) for primitive in tensor._chain)


def share_memory_with(tensor: Recorded) -> Array:
    """A NumPy view of the tensor's memory; from now on others may change it, so recordings take its values at once."""
    root, rec = tensor.root, state.rec
    leave_herd(root)
    if rec is not None:
        for index, feed in enumerate(rec.feeds):
            if (feed is root or getattr(feed, "_base", None) is root) and rec.values[index] is feed._array:
                rec.values[index] = feed._array.copy()
                if feed._rec is rec:
                    feed._rec = None  # later calls see what NumPy code makes of it
    root._exposed = root._shared = True
    assert tensor._array is not None
    return tensor._array.view()


def from_shared(array: Array) -> Tensor:
    """A tensor that shares the memory of a NumPy array, as `torch.from_numpy`."""
    tensor = from_array(array.view())
    tensor._exposed = tensor._shared = True
    return tensor


def set_requires_grad(tensor: Recorded, flag: bool) -> None:
    """As `Tensor.requires_grad = flag`.

    Raises:
        GradientError: a non-leaf cannot stop requiring grad; an inference tensor cannot begin to outside of its mode.
        DTypeError: only floating-point and complex tensors can require grad.
    """
    spec = tensor._spec
    if flag and spec.inference and not state.inference:
        raise GradientError(
            "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed. Fix: "
            "x.clone().requires_grad_()."
        )
    if spec.requires_grad == flag:
        return
    leave_herd(tensor)
    if not flag and spec.grad_name is not None:
        raise GradientError(
            "requires_grad: you can only change requires_grad flags of leaf variables. If you want to use a computed "
            "variable in a subgraph that doesn't require differentiation use var_no_grad = var.detach(). Fix: x = "
            "x.detach()."
        )
    if flag and spec.dtype.category < dtypes.FLOAT:
        raise DTypeError(
            "requires_grad: only Tensors of floating point and complex dtype can require gradients. Fix: "
            "x.float().requires_grad_()."
        )
    if state.rec is not None and not tensor._meta and (tensor._rec is state.rec or not is_current(tensor)):
        cut(state.rec)  # its uses so far were recorded with the old flag; a leaf stands in memory
        read(tensor)
    tensor._spec = spec.derived(flag)
    tensor._rec = None


def detached(tensor: Recorded, tracked: bool = True) -> Tensor:
    """A tensor that sees the same memory, without gradients. As `Tensor.detach`; untracked: `Tensor.data`."""
    if tensor._node is not None:
        from kadam.recording.calls import emit

        return emit(Detach(), tensor)  # type: ignore[arg-type]
    seen = blank(made.cls, tensor._spec.derived())
    if tensor._meta:
        seen._meta = True
        return seen  # type: ignore[return-value]
    sees(seen, tensor, (Detach(),))
    if seen._spec.inference and not state.inference:
        seen._counted = True  # PyTorch gives it a counter of its own
    seen._array = tensor._array  # this very memory, also if a recording has a newer value for it
    if not tracked:
        seen._tracked = False
    return seen  # type: ignore[return-value]


def sees_now(rec: Recording, tensor: Recorded) -> bool:
    """Whether a view of the tensor can be made at once, without a recording."""
    return not (tensor._spec.requires_grad and state.grad) and is_current(tensor)


def alias(tensor: Recorded, chain: tuple[Any, ...]) -> Recorded:
    """The view of a tensor in memory that a chain of primitives shows (a copy, if one of them is no view)."""
    if not chain:
        return tensor
    array = seen_through(tensor._array, chain)  # type: ignore[arg-type]
    if not all(isinstance(primitive, View) for primitive in chain):
        return from_array(array.copy() if array.base is not None else array)
    spec = spec_of(TensorType(tensor._spec.dtype, array.shape), order=order_in(array), inference=tensor._spec.inference)
    return alias_of(tensor, chain, array, spec)


def alias_of(tensor: Recorded, chain: tuple[Any, ...], array: Array, spec: Spec) -> Tensor:
    """The view of a tensor's memory that `chain` shows, which is `array`."""
    seen = blank(made.cls, spec)
    seen._array = array
    sees(seen, tensor, chain)
    return seen  # type: ignore[return-value]


def sees(view: Recorded, seen: Recorded, chain: tuple[Any, ...]) -> None:
    """Let a new tensor be the view of `seen` that a chain of primitives shows."""
    root = seen if seen._base is None else seen._base
    leave_herd(root)
    root._viewed = root._shared = view._shared = True
    view._base = root
    view._chain = seen._chain + chain if seen._chain else chain
    view._as_of = root._changes
    if not state.grad:
        view._apart = "inference_mode" if state.inference else "no_grad"
    elif seen._apart is not None:
        view._apart = seen._apart
    if not seen._tracked:
        view._tracked = False
