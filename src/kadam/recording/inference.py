"""Inference tensors, made in `inference_mode`: they take part in no derivative, and nobody counts their changes.

That a tensor is one stands in its spec. Calls of the mode stand on a trail of their own, and specs stand in keys: so
what is forbidden is found when a call is first seen, and a call that is known costs nothing more.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kadam.errors import GradientError
from kadam.recording.history import behind, plan
from kadam.recording.step import state
from kadam.recording.tensor import Recorded, check_mode
from kadam.recording.trail import Path, TrailNode

if TYPE_CHECKING:
    from kadam.recording.operation import Operation


class _Thread(threading.local):
    transforming = False


_thread = _Thread()


@contextmanager
def transforming() -> Iterator[None]:
    """Derivatives inside are those of a transformed function: all that it meets counts as ordinary tensors."""
    before, _thread.transforming = _thread.transforming, True
    try:
        yield
    finally:
        _thread.transforming = before


def _tensors(arguments: Iterable[Any]) -> Iterator[Recorded]:
    """The operands among the arguments of a call."""
    for one in arguments:
        if isinstance(one, Recorded):
            yield one
        elif isinstance(one, list | tuple):
            yield from (part for part in one if isinstance(part, Recorded))


def takes_part(op: Operation, arguments: Sequence[Any]) -> bool:
    """Whether gradients may flow through a call: PyTorch asks its operands, and does not where all are inference
    tensors. A number in the place of a tensor is an ordinary one."""
    if _thread.transforming or any(not one._spec.inference for one in _tensors(arguments)):
        return True
    mixed = [one for role, one in zip(op.roles, arguments, strict=True) if role.startswith("mixed")]
    numbers = [one for one in mixed if one is not None and not isinstance(one, Recorded)]
    return bool(numbers) or next(_tensors(arguments), None) is None


def mark(node: TrailNode) -> None:
    """Note on the trail that what a call returns is made in inference mode, if it is on."""
    if state.inference:
        node.specs = tuple([spec.made_in(True) for spec in node.specs])
        if node.spec is not None:
            node.spec = node.specs[0]


def check(path: Path, have: int, node: TrailNode, op: Operation, arguments: Sequence[Any]) -> None:
    """Raise where a call does what only inference mode allows.

    Args:
        path: leads to the call, its own nodes included.
        have: how many nodes there were before it.
        node: the call.
        op, arguments: what is called, and with what.

    Raises:
        InPlaceError: it updates an inference tensor.
        GradientError: its derivative would read one.
    """
    operands = list(_tensors(arguments))
    if state.inference or _thread.transforming or not any(one._spec.inference for one in operands):
        return
    for one in _tensors([arguments[index] for index in op.state]):
        check_mode(one)
    active = path.builder.active
    starts = {made.id for made in node.outputs} & active
    ends = {path.at(one._pos).id for one in operands} & active
    kept = {id for one in operands if one._spec.inference for id in behind(path.at(one._pos))}
    for made in path.builder.nodes[have:]:  # what PyTorch's derivative computes again from the operands
        if any(source.id in kept for source in made.inputs):
            kept.add(made.id)
    kept.difference_update([made.id for made in node.outputs])
    if starts and not kept.isdisjoint(plan(path, starts, ends, ends, active).needed):
        refuse_saving()


def refuse_saving() -> None:
    """Say that an inference tensor cannot be read by a derivative.

    Raises:
        GradientError: always.
    """
    raise GradientError(
        "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in "
        "computation tracked by autograd. To work around this, you can make a clone to get a normal tensor and use it "
        "in autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`. Fix: x.clone()."
    )
