"""Watching: what a recording was, for whoever asks when it is cut.

A thread's watcher is `None` as long as nobody watches, and a cut asks just that. Tensors are known to a watcher by
*tokens*, numbers that no two tensors share: it must hold no tensor, for what nobody holds is not computed.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from kadam.ir.graph import Node
from kadam.ir.primitive import Array, Primitive
from kadam.recording.operation import Operation
from kadam.recording.step import Recording, state
from kadam.recording.tensor import Recorded
from kadam.recording.trail import Path

Place = tuple[int, int]  # serial of a recording, position in it


class Watcher(Protocol):
    """What stands in a thread's `state.watcher`."""

    def takes(self, rec: Recording) -> bool:
        """Asked before a recording is cut; True: it has been cut meanwhile."""
        ...


class Tokens:
    """Numbers for tensors; a tensor that is gone leaves its number to nobody."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Recorded], int]] = {}
        self._next = 0

    def of(self, tensor: Recorded) -> int:
        """The tensor's number."""
        known = self._known.get(id(tensor))
        if known is not None and known[0]() is tensor:
            return known[1]
        self._next += 1
        self._known[id(tensor)] = (weakref.ref(tensor), self._next)
        return self._next


@dataclass(frozen=True)
class Fed:
    """What a recording was fed with at one place.

    Attributes:
        node: id of the input.
        value: a copy.
        token: of the tensor; 0 for a number.
        base, chain, whole: of a view: the token of the tensor whose memory it sees, how it sees it, and its shape.
        leaf: whether it is a tensor that gradients end at: a parameter.
        history: of a value that was saved for a backward pass: serial of the recording that made it, node id there.
    """

    node: int
    value: Array
    token: int = 0
    base: int = 0
    chain: tuple[Primitive, ...] = ()
    whole: tuple[int, ...] = ()
    leaf: bool = False
    history: tuple[int, int] | None = None


@dataclass
class Snapshot:
    """A recording as it was when it was cut.

    Attributes:
        serial: its number.
        nodes: its graph.
        fed: its inputs, in order.
        created: id of the node of each result.
        active: ids of the nodes through which gradients flow.
        made: token -> node id, for the results that live on and for updated tensors.
        values: node id -> what the program's own run has computed.
        sweeps: of each part of a backward pass that went through an earlier recording: the ids of the nodes that it
            emitted (from, up to), whose origins are nodes of that recording, and its serial.
        failure: what the run raised.
        called: id of a node -> name of the operation that was called and emitted it.
        numbers: id of an input that is a number -> the operation's name for it, such as `lr`.
    """

    serial: int
    nodes: tuple[Node, ...]
    fed: tuple[Fed, ...]
    created: tuple[int, ...]
    active: frozenset[int]
    made: dict[int, int] = field(default_factory=dict)
    values: dict[int, Array] = field(default_factory=dict)
    sweeps: tuple[tuple[int, int, int], ...] = ()
    failure: BaseException | None = None
    called: dict[int, str] = field(default_factory=dict)
    numbers: dict[int, str] = field(default_factory=dict)

    def at(self, position: int) -> int:
        """The node id of a position."""
        return self.created[position] if position >= 0 else self.fed[~position].node


def snapshot(rec: Recording, tokens: Tokens) -> Snapshot:
    """A recording that is about to be cut."""
    plan = rec.here.plans.get(_Plan)
    if plan is None:
        plan = rec.here.plans[_Plan] = _plan(rec)
    fed = tuple([_fed(node, feed, value, tokens) for node, feed, value in zip(plan.feeds, rec.feeds, rec.values)])  # noqa: B905
    return Snapshot(rec.serial, plan.nodes, fed, plan.created, plan.active, called=plan.called, numbers=plan.numbers)


@dataclass(frozen=True)
class _Plan:
    """What all recordings that end at one node of the trail have in common."""

    nodes: tuple[Node, ...]
    feeds: tuple[Node, ...]
    created: tuple[int, ...]
    active: frozenset[int]
    called: dict[int, str]
    numbers: dict[int, str]


def _plan(rec: Recording) -> _Plan:
    path = Path(rec.here)
    created = tuple([node.id for node in path.created])
    return _Plan(tuple(path.builder.nodes), tuple(path.feeds), created, frozenset(path.builder.active), *_named(rec))


def _named(rec: Recording) -> tuple[dict[int, str], dict[int, str]]:
    """The operation that emitted each node, as the user calls it; the operations' names of the numbers fed."""
    called: dict[int, str] = {}
    numbers: dict[int, str] = {}
    for node in rec.here.line():
        assert node.parent is not None
        key = node.key
        if not (isinstance(key, tuple) and isinstance(key[0], Operation)):
            continue
        called.update((one.id, key[0].name) for one in node.nodes)
        named = [name for name, part in zip(key[0].names, key[1:], strict=False) if part in _KINDS]
        fed = [
            one
            for feed, one in zip(rec.feeds[node.parent.feeds :], node.inputs, strict=False)
            if not isinstance(feed, Recorded)
        ]
        if len(named) == len(fed):
            numbers.update((one.id, name) for one, name in zip(fed, named, strict=True))
    return called, numbers


_KINDS = (float, int, bool, complex)  # what stands in a key for a number that may change


def _fed(node: Node, feed: Any, value: Any, tokens: Tokens) -> Fed:
    copy = np.array(value)
    if not isinstance(feed, Recorded):
        return Fed(node.id, copy)
    base, history = feed._base, None
    if feed._history is not None:
        history = (feed._history.serial, feed._place)
    return Fed(
        node.id,
        copy,
        tokens.of(feed),
        0 if base is None else tokens.of(base),
        feed._chain,
        () if base is None else base._spec.shape,
        feed._spec.requires_grad and feed._spec.grad_name is None,
        history,
    )


def survivors(rec: Recording, taken: Snapshot) -> list[tuple[weakref.ref[Recorded], int]]:
    """What a run may leave behind: results and updated tensors with their nodes, held by nobody here."""
    made = {id(one): one for one in (*rec.created, *rec.written.values()) if one is not None and one._pos >= 0}
    # What was updated stands elsewhere now than where it was created.
    return [(weakref.ref(one), taken.created[one._pos]) for one in made.values()]


def deliver(taken: Snapshot, waiting: list[tuple[weakref.ref[Recorded], int]], tokens: Tokens) -> None:
    """Note in a snapshot what its run has computed for the program."""
    for reference, node in waiting:
        tensor = reference()
        if tensor is not None and tensor._array is not None:
            taken.made[tokens.of(tensor)] = node
            taken.values[node] = np.array(tensor._array)


def place_of(tensor: Recorded) -> Place | None:
    """Where the present recording has a tensor; None if it does not."""
    rec = state.rec
    if rec is None or not rec.open:
        return None
    if tensor._rec is rec or tensor._rec is rec.anchor:
        return rec.serial, tensor._pos
    return None


def present() -> Recording | None:
    """This thread's recording, if it has any calls."""
    rec = state.rec
    return rec if rec is not None and rec.open and rec.here.parent is not None else None
