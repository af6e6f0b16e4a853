"""The state of a tensor: where its value stands, what memory it sees, what gradient it has."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from kadam import dtypes
from kadam.dtypes import dtype
from kadam.errors import (
    DTypeError,
    GradientError,
    InPlaceError,
    KadamError,
    OperandError,
    RecordingError,
    ShapeError,
    UnsupportedError,
)
from kadam.hot import hot
from kadam.ir.graph import Node
from kadam.ir.primitive import Array, View, seen_through
from kadam.ir.types import TensorType
from kadam.primitives.move import Detach
from kadam.recording.herd import Bond, Herd, leave_herd
from kadam.recording.order import order_in
from kadam.recording.place import in_attempt
from kadam.recording.spec import Size, Spec, spec_of
from kadam.recording.step import Anchor, CallAgain, Recording, cut, state

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
    _tracked: bool = True  # False for `.data`: changes through it are not seen by autograd
    _exposed: bool = False  # whether NumPy code may hold its memory
    _shared: bool  # False: it is no view, and neither viewed nor exposed
    _changes: int  # of an owner of memory: how often it was changed in place
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
        """Whether no recorded operation that requires grad made this tensor."""
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
    tensor = blank(made.cls, spec_of(TensorType(record, array.shape), requires_grad, order=order_in(array)))
    tensor._array = array
    return tensor  # type: ignore[return-value]


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
def owner_of(tensor: Recorded) -> Recording | None:
    """The open recording that has the tensor's newest value, perhaps another thread's; None if memory has it."""
    for one in (tensor, tensor if tensor._base is None else tensor._base):
        at: Recording | None = one._rec.rec if isinstance(one._rec, Anchor) else one._rec if one._pos >= 0 else None
        if at is not None and at.open:
            return at
    return None


def _is_pending(base: Recorded, rec: Recording) -> bool:
    return base._rec is rec.anchor or (base._rec is rec and base._pos >= 0)


def is_outdated(tensor: Recorded) -> bool:
    """Whether a view's derivative is that of an earlier value of its base."""
    base = tensor._base
    return (
        base is not None
        and tensor._as_of != base._changes
        and base._spec.requires_grad
        and state.grad
        and not _is_cut_off(tensor)
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


def check_writable(tensor: Recorded) -> None:
    """Raise where PyTorch forbids an in-place change.

    Raises:
        InPlaceError: a leaf that requires grad, or a view of one, in grad mode.
    """
    if not state.grad:
        return
    if tensor._spec.requires_grad and tensor._spec.grad_name is None:
        raise InPlaceError(
            "a leaf Variable that requires grad is being used in an in-place operation. "
            "Fix: change it under torch.no_grad()."
        )
    base = tensor._base
    if base is not None and tensor._spec.requires_grad and base._spec.requires_grad and base._spec.grad_name is None:
        raise InPlaceError(
            "a view of a leaf Variable that requires grad is being used in an in-place operation. "
            "Fix: change it under torch.no_grad()."
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
    if tensor._tracked:
        tensor.root._changes += 1


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
        if base._rec is rec.anchor or (tensor._spec.requires_grad and _is_cut_off(tensor)):
            return _end(rec)  # what it sees must be written first, as its derivative is not its base's
        rec.roll_back()
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


def _is_cut_off(tensor: Recorded) -> bool:
    return any(isinstance(primitive, Detach) for primitive in tensor._chain)


def up_to_date(tensor: Recorded) -> Recorded:
    """A tensor; a view has the derivative of its base's present value."""
    if is_outdated(tensor):
        look_again(tensor)
    return tensor


def look_again(tensor: Any) -> None:
    """Let a view stand for the part that it shows of its base's present value, with that value's derivative."""
    from kadam.recording.memory import seen_anew

    fresh: Any = seen_anew(tensor)
    tensor._rec, tensor._pos, tensor._spec, tensor._as_of = fresh._rec, fresh._pos, fresh._spec, tensor._base._changes
    fresh._rec.join(tensor)


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


def set_requires_grad(tensor: Recorded, flag: bool) -> None:
    """As `Tensor.requires_grad = flag`.

    Raises:
        GradientError: a non-leaf cannot stop requiring grad.
        DTypeError: only floating-point and complex tensors can require grad.
    """
    spec = tensor._spec
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
    tensor._spec = spec_of(spec.type, flag, order=spec.order)
    tensor._rec = None


def detached(tensor: Recorded, tracked: bool = True) -> Tensor:
    """A tensor that sees the same memory, without gradients. As `Tensor.detach`; untracked: `Tensor.data`."""
    if tensor._node is not None:
        from kadam.recording.calls import emit

        return emit(Detach(), tensor)  # type: ignore[arg-type]
    alias = blank(made.cls, spec_of(tensor._spec.type, order=tensor._spec.order))
    if tensor._meta:
        alias._meta = True
        return alias  # type: ignore[return-value]
    root = tensor.root
    leave_herd(root)
    root._viewed = root._shared = alias._shared = True
    alias._base, alias._chain = root, (*tensor._chain, Detach())
    if not tracked:
        alias._tracked = False
    alias._array = tensor._array  # this very memory, also if a recording has a newer value for it
    return alias  # type: ignore[return-value]


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
    return alias_of(tensor, chain, array, spec_of(TensorType(tensor._spec.dtype, array.shape), order=order_in(array)))


def alias_of(tensor: Recorded, chain: tuple[Any, ...], array: Array, spec: Spec) -> Tensor:
    """The view of a tensor's memory that `chain` shows, which is `array`."""
    seen = blank(made.cls, spec)
    root = tensor if tensor._base is None else tensor._base
    leave_herd(root)
    root._viewed = root._shared = seen._shared = True
    seen._base, seen._chain, seen._array = root, tensor._chain + chain if tensor._chain else chain, array
    seen._as_of = root._changes
    if not tensor._tracked:
        seen._tracked = False
    return seen  # type: ignore[return-value]
