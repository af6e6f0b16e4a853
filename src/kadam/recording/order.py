"""In which order the axes of a tensor lie in memory, and which of their operands' orders results keep.

Engines compute in row-major order. Where PyTorch keeps another order, that is noted in the result's `Spec` when the
call is first seen, and values that outlive their recording are laid so; within a step nothing is moved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam.ir.graph import Phase
from kadam.ir.primitive import Array, Primitive, View, seen_through
from kadam.primitives.broadcast import Broadcast
from kadam.primitives.elementwise import ByReference, Cast, Elementwise, Where
from kadam.primitives.move import Copy, Detach
from kadam.primitives.sources import Full, Input
from kadam.recording.spec import Order, Spec, spec_of
from kadam.shapes import Shape, contiguous_strides

if TYPE_CHECKING:
    from kadam.recording.operation import Operation
    from kadam.recording.trail import TrailNode

_POINTWISE = (Elementwise, ByReference, Cast, Where, Broadcast, Full, Copy, Detach, Input)
Rule = Callable[[Sequence[Any], Shape], Order | None]  # of a call's arguments and the shape of a result


def axes_by_stride(shape: Shape, *strides: Sequence[int]) -> list[int]:
    """The axes from the slowest to the fastest of operands that have these strides; the first that tells decides.

    It is PyTorch's order: insertion sort, in which an axis of stride 0 neither moves nor stops another.
    """
    order = list(range(len(shape)))[::-1]
    for start in range(1, len(order)):
        place = start
        for other in range(start - 1, -1, -1):
            verdict = _is_slower(shape, strides, order[other], order[place])
            if verdict is None:
                continue
            if not verdict:
                break
            order[place], order[other] = order[other], order[place]
            place = other
    return order[::-1]


def _is_slower(shape: Shape, strides: Iterable[Sequence[int]], standing: int, moving: int) -> bool | None:
    """Whether one axis lies outside another in memory; None where that cannot be said."""
    for steps in strides:
        if steps[standing] == 0 or steps[moving] == 0:
            continue
        if steps[standing] != steps[moving]:
            return steps[standing] > steps[moving]
        if shape[standing] > shape[moving]:
            return True
    return None


def order_of(shape: Shape, *strides: Sequence[int]) -> Order | None:
    """The axes from the outermost to the innermost in memory; None where that is their own order."""
    if len(shape) < 2 or 0 in shape:
        return None
    order = tuple(axes_by_stride(shape, *strides))
    return None if order == tuple(range(len(shape))) else order


def order_in(array: Array) -> Order | None:
    """`order_of` an array."""
    return None if array.flags.c_contiguous else order_of(array.shape, [abs(step) for step in array.strides])


def dense_strides(shape: Shape, order: Order | None) -> tuple[int, ...]:
    """Steps between neighbours, in elements, of a tensor without gaps whose axes lie in this order."""
    if order is None:
        return contiguous_strides(shape)
    steps = [0] * len(shape)
    for axis, step in zip(order, contiguous_strides([shape[axis] for axis in order]), strict=True):
        steps[axis] = step
    return tuple(steps)


def laid(array: Array, order: Order | None) -> Array:
    """The same values in memory in which the axes lie in this order."""
    if order is None:
        return array
    return np.ascontiguousarray(array.transpose(order)).transpose(np.argsort(order))


def in_row(array: Array, order: Order | None) -> Array:
    """An array with its axes as they lie in memory, from the outermost to the innermost."""
    return array if order is None else array.transpose(order)


def orders_of(arguments: Sequence[Any]) -> tuple[Order | None, ...]:
    """The orders in which the operands of a call lie; empty if each lies in its own."""
    orders = tuple([one.order for one in _specs_of(arguments)])
    return orders if any(orders) else ()


def note_orders(node: TrailNode, op: Operation, arguments: Sequence[Any], made: Sequence[Primitive]) -> None:
    """Note in the specs of what a call returns in which order PyTorch's results lie.

    Args:
        node: of the call.
        op, arguments: what was called.
        made: what its body has emitted.
    """
    if op.phase is Phase.BACKWARD or not made:
        return
    if not orders_of(arguments) and not all(isinstance(one, View) for one in made):
        return
    rule = op.order or _rule_of(made)
    orders = {spec.shape: rule(arguments, spec.shape) for spec in node.specs}
    if any(order is not None for order in orders.values()):
        node.specs = tuple([in_order(spec, orders[spec.shape]) for spec in node.specs])
        if node.spec is not None:
            node.spec = node.specs[0]


def _rule_of(made: Sequence[Primitive]) -> Rule:
    """The rule that follows from what an operation is made of, where its declaration names none."""
    if all(isinstance(one, _POINTWISE) for one in made):
        return as_operands
    if all(isinstance(one, View) for one in made):
        return lambda arguments, shape: _order_seen(arguments, made)
    return row_major


def _order_seen(arguments: Sequence[Any], chain: Sequence[Primitive]) -> Order | None:
    operands = _specs_of(arguments)
    return order_in(seen_through(blank_array(operands[0]), chain)) if operands else None


def row_major(arguments: Sequence[Any], shape: Shape) -> Order | None:
    """Row by row, however the operands lie."""
    return None


def as_operands(arguments: Sequence[Any], shape: Shape) -> Order | None:
    """As the operands do that are stretched to the result."""
    operands = [one for one in _specs_of(arguments) if len(one.shape) <= len(shape)]
    return order_of(shape, *[_stretched_strides(one, shape) for one in operands]) if operands else None


def as_input(arguments: Sequence[Any], shape: Shape) -> Order | None:
    """Channels last, if the first operand is."""
    return _channels_last(_specs_of(arguments)[:1], shape, any)


def as_input_or_weight(arguments: Sequence[Any], shape: Shape) -> Order | None:
    """Channels last, if one of the first two operands is."""
    return _channels_last(_specs_of(arguments)[:2], shape, any)


def as_all(arguments: Sequence[Any], shape: Shape) -> Order | None:
    """Channels last, if all operands are."""
    return _channels_last(_specs_of(arguments), shape, all)


def in_order(spec: Spec, order: Order | None) -> Spec:
    """The spec of such a tensor that lies in this order."""
    return spec_of(spec.type, spec.requires_grad, spec.grad_name, spec.weak, order, spec.inference)


def _specs_of(arguments: Iterable[Any]) -> list[Spec]:
    parts = [part for one in arguments for part in (one if isinstance(one, list | tuple) else (one,))]
    return [part._spec for part in parts if hasattr(part, "_spec")]


def _stretched_strides(spec: Spec, shape: Shape) -> tuple[int, ...]:
    """The steps of an operand along the axes of a result; 0 where it is stretched."""
    offset = len(shape) - len(spec.shape)
    steps = dense_strides(spec.shape, spec.order)
    sizes = zip(spec.shape, steps, shape[offset:], strict=True)
    return (0,) * offset + tuple([0 if size == 1 != wide else step for size, step, wide in sizes])


def _channels_last(operands: Sequence[Spec], shape: Shape, decide: Any) -> Order | None:
    rank = len(shape)
    last = (0, *range(2, rank), 1)
    verdicts = [one.order == last for one in operands if len(one.shape) == rank]
    return last if rank in (4, 5) and verdicts and decide(verdicts) and 0 not in shape else None


def blank_array(spec: Spec) -> Array:
    """An array that lies as a tensor without memory would, and takes no memory itself."""
    blank = np.empty(1, spec.dtype.numpy)
    steps = [step * spec.dtype.itemsize for step in dense_strides(spec.shape, spec.order)]
    return np.lib.stride_tricks.as_strided(blank, spec.shape, steps)
