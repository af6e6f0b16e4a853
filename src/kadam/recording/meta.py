"""Tensors on the device `meta`: of these a type and a shape are known, and a value is never made.

A call of them runs the operation's body on symbols, as the first sight of any call does, and keeps what that says of
the results; nothing is recorded. So a network too large for memory can be laid out, counted and sent a batch through.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from kadam import dtypes
from kadam.device import DeviceError
from kadam.dtypes import dtype
from kadam.errors import DTypeError, KadamError, UnsupportedError
from kadam.ir.types import TensorType
from kadam.recording import calls
from kadam.recording.operand import admit_number
from kadam.recording.step import Recording, state
from kadam.recording.tensor import Recorded, blank, made, new_spec, set_requires_grad
from kadam.recording.trail import TrailNode

if TYPE_CHECKING:
    from kadam.recording.operation import Operation
    from kadam.tensor import Tensor

_NUMBERS = ("number", "number_optional", "mixed", "mixed_optional")


class NoDataError(KadamError, NotImplementedError):
    """A value is asked for that is nowhere."""


def no_data() -> NoDataError:
    """What a tensor on the meta device says when its value is asked for."""
    return NoDataError(
        "Cannot copy out of meta tensor; no data! Fix: make the tensor on the CPU, or give the module its parameters: "
        "model.to_empty(device='cpu'), model.load_state_dict(saved, assign=True)."
    )


def without_values(kind: TensorType, requires_grad: bool = False, cls: type[Recorded] | None = None) -> Tensor:
    """A new tensor on the meta device.

    Raises:
        DTypeError: it shall require grad and is of integers.
    """
    if requires_grad and kind.dtype.category < dtypes.FLOAT:
        raise DTypeError(
            "requires_grad=True: only Tensors of floating point and complex dtype can require gradients. Fix: "
            "dtype=torch.float32."
        )
    tensor = blank(cls or made.cls, new_spec(kind))
    tensor._meta = True
    set_requires_grad(tensor, requires_grad)
    return tensor  # type: ignore[return-value]


def of_shape(shape: Sequence[int], record: dtype, requires_grad: bool = False) -> Tensor:
    """A new tensor on the meta device, of an element type and a shape."""
    return without_values(TensorType(record, tuple(shape)), requires_grad)


def called(op: Operation, arguments: tuple[Any, ...]) -> Any:
    """What an operation returns for operands of which some are on the meta device.

    Raises:
        DeviceError: another operand has values, and more than one.
    """
    rec, outer = Recording(TrailNode(), 0), state.rec
    stand_ins = tuple([_stand_in(rec, one) for one in arguments])
    for name, role, value in zip(op.names, op.roles, arguments, strict=True):
        is_default = role == "number" and name in op.defaults and value is op.defaults[name]
        if role in _NUMBERS and value is not None and not isinstance(value, Recorded) and not is_default:
            admit_number(rec, value)
    state.rec = rec
    try:
        node = calls.extend(rec, op, (op, *_key(op, arguments)), stand_ins)
        if op.state:
            return None
        assert node.assemble is not None
        result = node.assemble(rec, node, arguments)
    finally:
        state.rec = outer
    for one in rec.created:
        assert one is not None
        one._rec, one._pos, one._base, one._chain, one._meta = None, 0, None, (), True
    return result


def _key(op: Operation, arguments: tuple[Any, ...]) -> Iterator[Any]:
    """The part of each argument in a key by which calls seen elsewhere are known."""
    for name, role, value in zip(op.names, op.roles, arguments, strict=True):
        if role == "static":
            yield calls.freeze(value)
        elif role == "fixed":
            yield value.__class__, value
        elif role == "raw":
            yield value
        elif value is None or (role == "number" and name in op.defaults and value is op.defaults[name]):
            yield None
        else:
            yield value.__class__ if role in _NUMBERS and not isinstance(value, Recorded) else 0


def _stand_in(rec: Recording, argument: Any) -> Any:
    """An operand that the recording has met, in place of a tensor."""
    if isinstance(argument, list | tuple):
        return [_stand_in(rec, one) for one in argument] if _has_tensors(argument) else argument
    if not isinstance(argument, Recorded):
        return argument
    if not argument._meta and argument._spec.shape:
        raise DeviceError(
            f"Tensor on device cpu is not on the expected device meta! It is a {argument._spec.type}. Fix: "
            "x.to('meta'), or model.to_empty(device='cpu')."
        )
    stand_in = blank(type(argument), argument._spec)
    rec.feeds.append(stand_in)
    rec.values.append(None)
    stand_in._rec, stand_in._pos = rec, -len(rec.feeds)
    return stand_in


def _has_tensors(values: Sequence[Any]) -> bool:
    return any(isinstance(one, Recorded) for one in values)


def check_target(target: Recorded, value: Any) -> bool:
    """Whether an in-place change is one of nothing: its target is on the meta device.

    Raises:
        NoDataError: its value is, and the target is not.
    """
    if not target._meta and isinstance(value, Recorded) and value._meta:
        raise no_data()
    return target._meta


def refuse_backward() -> UnsupportedError:
    """What a backward pass from the meta device says."""
    return UnsupportedError(
        "backward: from a tensor on the meta device no gradients go back; its forward pass is not recorded. Fix: "
        "compute on the CPU; a forward pass on the meta device tells shapes and types."
    )
