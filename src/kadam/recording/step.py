"""A recording: the calls since the last cut. Read this file first.

A tensor operation does not compute. It is *called*, and the call is recorded:

1. Each operand has a position in the recording. A tensor that the recording meets for the first time is *admitted*:
   it becomes a feed (positions -1, -2, ...). Results are positions 0, 1, ...  A Python number is a feed too.
2. The key (operation, static attributes, positions) is looked up in the trail node that the last call led to. If it
   is there, the call is done: a tensor with the next position, its spec known, nothing computed.
3. If not, the operation's body runs once on symbols (`calls.first_sight`), emits its nodes into the path's graph, and
   a trail node is added.
4. A *cut* ends the recording: a value is read, a parameter that the recording has updated is read again (the step
   is over), or the recording grew too long. What Python still holds is computed, by a program that hangs on the trail.

In-place changes never enter the graph: a tensor's memory gets a new value, which is written into it at the cut.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from sys import getrefcount
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam import passes
from kadam.engines import reference
from kadam.errors import RecordingError
from kadam.ir.graph import Graph, Node
from kadam.ir.primitive import Array, seen_through
from kadam.recording.history import History, needs_of
from kadam.recording.trail import Path, Program, TrailNode

if TYPE_CHECKING:
    from kadam.recording.tensor import Recorded

LONGEST = 4_000  # calls in one recording
TRAIL_BOUND = 20_000  # calls in one thread's trail
_DEAD = 3  # references to a tensor that only its recording holds: the list, the loop's variable, getrefcount's own


class StepEnds(Exception):  # noqa: N818  (a signal, not an error)
    """An operand is state that the recording has updated: the recording must be cut before the call."""


class CallAgain(Exception):  # noqa: N818  (a signal, not an error)
    """An operand needed a call of its own first: the call that met it starts over."""


class _Closed(TrailNode):
    """Where a recording that was cut from another thread stands: any call starts afresh."""

    def get(self, key: Any, default: Any = None) -> Any:
        raise StepEnds


class Anchor:
    """Stands in `_rec` of a tensor that requires grad and whose memory `rec` updates; `rec` is None once it has."""

    __slots__ = ("rec",)

    def __init__(self, rec: Recording) -> None:
        self.rec: Recording | None = rec


class Recording:
    """The calls since the last cut.

    Attributes:
        here: the trail node of the last call.
        feeds: the tensors and numbers admitted, in order; position -1 is the first.
        created: the tensors made by the calls, in order; position 0 is the first.
        anchor: stands in `_rec` of a tensor that requires grad and whose memory this recording updates: reading
            such a tensor ends the step.
        written: tensors whose memory gets a new value at the cut.
        joined: tensors made earlier that an in-place change has made results of this recording, with a derivative.
        frozen: index of a feed -> its values at admission, for memory that NumPy code can change meanwhile.
        stops: position -> what happens when a backward pass arrives there (hooks, custom functions).
        displaced: position of a feed whose tensor has meanwhile been changed in place -> the history that made its old
            value, and the place there: gradients of that value go there.
        awaited: positions from which a backward pass will sweep on, once the user's code that it runs has returned.
        swept: ids of the nodes that this backward pass has swept; it may come to them again.
        history: what a backward pass needs, once the recording is cut.
        serial: counts recordings, so that histories can be ordered.
    """

    __slots__ = (
        "anchor", "awaited", "created", "displaced", "feeds", "frozen", "here", "history", "joined", "path", "serial",
        "stops", "swept", "written",
    )  # fmt: skip

    def __init__(self, root: TrailNode, serial: int) -> None:
        self.here = root
        self.feeds: list[Any] = []
        self.created: list[Recorded] = []
        self.anchor = Anchor(self)
        self.written: dict[int, Recorded] = {}
        self.joined: dict[int, Recorded] = {}
        self.frozen: dict[int, Array] = {}
        self.stops: dict[int, Any] = {}
        self.displaced: dict[int, tuple[History, int]] = {}
        self.awaited: tuple[int, ...] = ()
        self.swept: frozenset[int] = frozenset()
        self.history: History | None = None
        self.serial = serial
        self.path: Path | None = None

    def current_path(self) -> Path:
        """The graph so far."""
        self.path = Path(self.here) if self.path is None else self.path.advance(self.here)
        return self.path

    @property
    def closed(self) -> bool:
        return isinstance(self.here, _Closed)

    def roll_back(self) -> None:
        """Forget operands that were admitted for a call that then failed."""
        for feed in self.feeds[self.here.feeds :]:
            if getattr(feed, "_rec", None) is self:
                feed._rec = None
        self.drop_feeds(self.here.feeds)

    def drop_feeds(self, kept: int) -> None:
        """Keep the first feeds only."""
        del self.feeds[kept:]
        self.frozen = {index: array for index, array in self.frozen.items() if index < kept}


class _State(threading.local):
    """What each thread has of its own.

    Attributes:
        rec: its recording; None while an operation's body runs on symbols.
        grad: PyTorch's grad mode.
        roots: the beginnings of its trail, by grad mode.
        inside: the recording whose operation's body is running.
    """

    def __init__(self) -> None:
        self.grad = True
        self.serial = 0
        self.roots = {True: TrailNode(), False: TrailNode()}
        self.inside: Any = None
        self.rec: Recording | None = Recording(self.roots[True], 0)


state = _State()


def start() -> Recording:
    """A fresh recording for this thread."""
    state.serial += 1
    root = state.roots[state.grad]
    if state.serial % 256 == 0:
        _trim(root)
    state.rec = rec = Recording(root, state.serial)
    return rec


def _trim(root: TrailNode) -> None:
    """Drop the paths that were not walked lately once the trail has grown too large."""
    sizes = {key: sum(1 for _ in child.below()) for key, child in root.items()}
    total = sum(sizes.values())
    for key in sorted(root, key=lambda key: root[key].visited):
        if total <= TRAIL_BOUND:
            return
        total -= sizes[key]
        del root[key]


def cut(rec: Recording) -> None:
    """End `rec`: compute what is asked for and what Python still holds, write the updated memory.

    Raises:
        RecordingError: the recording was interrupted inside a call.
        Any error that only data can cause (an index out of range ...), naming the line that recorded the call. What
        was recorded before the failing call is computed and written all the same.
    """
    if state.rec is rec:
        start()
    here = rec.here
    rec.here = _CLOSED
    if here.parent is None or not rec.created:
        return _close(rec)
    try:
        if len(rec.created) != here.created or len(rec.feeds) < here.feeds:
            raise RecordingError("a recording was interrupted inside a call; what it recorded is lost. Run it again.")
        rec.drop_feeds(here.feeds)
        _run(rec, here)
    finally:
        _close(rec)


_CLOSED = _Closed()


def _close(rec: Recording) -> None:
    rec.anchor.rec = None
    rec.feeds, rec.created, rec.written, rec.joined, rec.frozen = [], [], {}, {}, {}
    rec.stops, rec.displaced, rec.path = {}, {}, None


def _alive(rec: Recording) -> list[Recorded]:
    """The created tensors that something outside the recording holds, in order of position."""
    alive: list[Recorded] = []
    dead_views: dict[int, int] = {}  # id of a base -> how many dead views hold it
    created = rec.created
    for index in range(len(created) - 1, -1, -1):
        tensor = created[index]
        if getrefcount(tensor) - dead_views.get(id(tensor), 0) > _DEAD:
            alive.append(tensor)
        elif tensor._base is not None:
            base = id(tensor._base)
            dead_views[base] = dead_views.get(base, 0) + 1
    alive.reverse()
    return alive


def _run(rec: Recording, here: TrailNode) -> None:
    alive = _alive(rec)
    wanted = [tensor for tensor in alive if tensor._base is None and tensor._rec is rec and tensor._array is None]
    wanted += rec.written.values()
    positions = tuple([tensor._pos for tensor in wanted])
    derived = [
        one
        for one in {id(one): one for one in (*alive, *rec.joined.values())}.values()
        if one._spec.grad_name is not None and one._spec.requires_grad and one._rec is rec
    ]
    watched = (*[tensor._pos for tensor in derived], *rec.awaited)
    stops = tuple(rec.stops)
    key = (positions, watched, stops, rec.swept)
    program = here.programs.get(key)
    if program is None:
        program = here.programs[key] = _program(here, *key)
    program.count += 1
    here.first.visited = rec.serial
    try:
        values: Sequence[Array | None] = program.run(_fed(rec))
    except reference.RunError as failure:
        _deliver(rec, alive, wanted, program, failure.outputs)
        raise _placed(failure) from failure.__cause__
    saved = _kept(rec, program, values)
    _deliver(rec, alive, wanted, program, values)
    if watched:
        rec.history = history = History(here, rec, program, saved, wanted)
        path = history.current_path()
        for tensor in derived:
            tensor._history, tensor._place = history, path.at(tensor._pos).id


def _kept(rec: Recording, program: Program, values: Sequence[Array | None]) -> Sequence[Array | None]:
    """The saved values; copies of those that stand in memory of a tensor whose very value they are not."""
    saved = values[len(program.wanted) :]
    if not saved:
        return saved
    arrays = [array for feed in rec.feeds if (array := getattr(feed, "_array", None)) is not None]
    results = values[: len(program.wanted)]
    fed = {id(_owner(array)) for array in arrays}
    made = {id(_owner(array)) for array in results if array is not None}
    own = {one: id(array) for one, array in zip(program.nodes, results, strict=True)}
    kept = []
    for one, array in zip(program.saved, saved, strict=True):
        if array is not None and ((owner := id(_owner(array))) in fed or (owner in made and own.get(one) != id(array))):
            array = array.copy()
        kept.append(array)
    return kept


def _owner(array: Any) -> Any:
    """What owns the memory that an array sees."""
    while isinstance(array, np.ndarray) and array.base is not None:
        array = array.base
    return array


def _fed(rec: Recording) -> list[Array]:
    arrays = [np.asarray(feed) if (array := getattr(feed, "_array", None)) is None else array for feed in rec.feeds]
    for index, array in rec.frozen.items():
        arrays[index] = array
    return arrays


def _program(
    here: TrailNode, wanted: tuple[int, ...], watched: tuple[int, ...], stops: tuple[int, ...], swept: frozenset[int]
) -> Program:
    path = Path(here)
    saved, reading = needs_of(path, [path.at(place) for place in watched], [path.at(place) for place in stops], swept)
    nodes = path.builder.nodes
    outputs = [path.at(position) for position in wanted] + [nodes[one] for one in saved]
    graph = Graph(tuple(nodes), tuple(path.feeds), tuple(outputs))
    for improve in passes.PASSES:
        graph = improve(graph)
    nodes_wanted = tuple(path.at(position).id for position in wanted)
    return Program(reference.compile(graph), wanted, nodes_wanted, saved, reading)


def _deliver(
    rec: Recording,
    alive: list[Recorded],
    wanted: Sequence[Recorded],
    program: Program,
    values: Sequence[Array | None],
) -> None:
    """Give the values to the tensors that wait for them; memory that exists is written, not replaced."""
    taken = {id(feed._array) for feed in rec.feeds if hasattr(feed, "_array")}
    own: list[Array | None] = []
    for value in values[: len(program.wanted)]:
        if value is not None and (value.base is not None or id(value) in taken or not value.flags.carray):
            value = value.copy()  # row-major memory of its own, which nobody else has and nothing below changes
        taken.add(id(value))
        own.append(value)
    for tensor, value in zip(wanted, own, strict=True):
        if value is None:
            continue
        if tensor._array is None:
            tensor._array = value
        else:
            np.copyto(tensor._array, value)
    for tensor in rec.written.values():
        tensor._rec = None
    for tensor in alive:
        if tensor._base is not None and tensor._base._array is not None:
            tensor._array = seen_through(tensor._base._array, tensor._chain)


def _placed(failure: reference.RunError) -> BaseException:
    """The primitive's own error, with the line and the module that recorded the call."""
    node: Node = failure.node
    cause = failure.__cause__
    if cause is None:
        return failure
    place = f"\n  recorded at {node.source or 'an unknown line'}" + (f" in {node.scope}" if node.scope else "")
    cause.args = (f"{cause.args[0] if cause.args else ''}{place}", *cause.args[1:])
    return cause
