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
from threading import get_ident
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

from kadam.engines.reference import RunError
from kadam.errors import RecordingError
from kadam.hot import hot, slotted
from kadam.ir.graph import Graph
from kadam.ir.primitive import Array, seen_through
from kadam.recording import tiers
from kadam.recording.counts import begin_count
from kadam.recording.history import History, needs_of
from kadam.recording.order import laid
from kadam.recording.pause import uncollected
from kadam.recording.trail import Path, Program, TrailNode, starts_of

if TYPE_CHECKING:
    from kadam.recording.herd import Herd
    from kadam.recording.packing import Packing
    from kadam.recording.tensor import Recorded
    from kadam.recording.watch import Watcher

LONGEST = 4_000  # calls in one recording
TRAIL_BOUND = 20_000  # calls in one thread's trail
NODES_BOUND = 500_000  # nodes of graphs in it: some 100 MB
SINGLE = 64  # programs that have run once, after which a path must come twice to be kept
MARKS = 50_000  # paths that are known to have come once
_NOTHING: Any = MappingProxyType({})
_NONE: Any = ()
_NO_NODES: frozenset[int] = frozenset()
_DEAD = 3  # references to a tensor that only its recording holds: the list, the loop's variable, getrefcount's own


class CallAgain(Exception):  # noqa: N818  (a signal, not an error)
    """An operand needed a call of its own first: the call that met it starts over."""


@slotted
class Anchor:
    """Stands in `_rec` of a tensor that requires grad and whose memory `rec` updates; `rec` is None once it has."""

    __slots__ = ("open", "rec")

    @hot
    def __init__(self, rec: Recording | None) -> None:
        self.rec = rec
        self.open = True


@slotted
class Recording:
    """The calls since the last cut.

    Attributes:
        here: the trail node of the last call.
        feeds: the tensors and numbers admitted, in order; position -1 is the first.
        values: what the run is fed with: floats and arrays (copies, of memory that NumPy code can change meanwhile).
        created: the tensors made by the calls, in order; position 0 is the first. None for what only updates memory.
        open: whether it has not been cut yet.
        anchor: stands in `_rec` of a tensor that requires grad and whose memory this recording updates: reading
            such a tensor ends the step.
        writes: lists of tensors whose memory gets a new value at the cut.
        loose: whether the path and what lives on do not tell all that a cut is asked for: views of what is written,
            hooks, a backward pass under way ...
        ending: whether it has updated a tensor that requires grad, so that the step is over when that is read.
        joined: tensors made earlier that an in-place change has made results of this recording, with a derivative.
        stops: position -> what happens when a backward pass arrives there (hooks, custom functions).
        displaced: position of a feed whose tensor has meanwhile been changed in place -> the history that made its old
            value, and the place there: gradients of that value go there.
        awaited: positions from which a backward pass will sweep on, once the user's code that it runs has returned.
        swept: ids of the nodes that this backward pass has swept; it may come to them again.
        herds: of which it updates the tensors.
        history: what a backward pass needs, once the recording is cut. Only what needs it keeps it: the tensors that
            live on, or a pass under way, for which it stands here itself; else nothing that the step was fed with could
            go before the garbage collector comes, as each feed knows its recording.
        serial: counts recordings, so that histories can be ordered.
        runner: the thread that cuts it or extends its path, while it does; else 0.
        ended: the trail node where it was cut, while its values are being computed.
    """

    __slots__ = (
        "__weakref__",
        "anchor",
        "awaited",
        "created",
        "displaced",
        "ended",
        "ending",
        "feeds",
        "herds",
        "here",
        "history",
        "joined",
        "loose",
        "open",
        "path",
        "runner",
        "serial",
        "stops",
        "swept",
        "values",
        "writes",
    )  # fmt: skip

    @hot
    def __init__(self, root: TrailNode, serial: int) -> None:
        self.here = root
        self.serial = serial
        self.open = True
        self.feeds: list[Any] = []
        self.values: list[Any] = []
        self.created: list[Recorded | None] = []
        self.writes: list[Sequence[Recorded]] = []
        self.anchor = Anchor(self)
        self.loose = self.ending = False
        self.runner = 0
        self.ended: TrailNode | None = None
        self.joined: dict[int, Recorded] = _NOTHING
        self.stops: dict[int, Any] = _NOTHING
        self.displaced: dict[int, tuple[History, int]] = _NOTHING
        self.herds: tuple[Herd, ...] = ()
        self.awaited: tuple[int, ...] = ()
        self.swept: frozenset[int] = _NO_NODES
        self.history: History | ref[History] | None = None
        self.path: Path | None = None

    def current_path(self) -> Path:
        """The graph so far."""
        self.path = Path(self.here) if self.path is None else self.path.advance(self.here)
        return self.path

    @property
    def closed(self) -> bool:
        return not self.open

    @property
    def written(self) -> dict[int, Recorded]:
        """The tensors whose memory gets a new value at the cut, by id, in order of their first change."""
        for herd in self.herds:
            herd.settle()
        return {id(one): one for tensors in self.writes for one in tensors}

    def left(self) -> History | None:
        """The history that the recording has left, as long as anything needs it."""
        return self.history() if isinstance(self.history, ref) else self.history

    def join(self, tensor: Recorded) -> None:
        """Note a tensor made earlier that an in-place change has made a result of this recording."""
        if self.joined is _NOTHING:
            self.joined = {}
        self.joined[id(tensor)] = tensor
        self.loose = True

    def halt(self, place: int, stop: Any) -> None:
        """Let backward passes halt at a position."""
        if self.stops is _NOTHING:
            self.stops = {}
        self.stops[place] = stop
        self.loose = True

    def roll_back(self) -> None:
        """Forget operands that were admitted for a call that then failed."""
        for feed in self.feeds[self.here.feeds :]:
            if getattr(feed, "_rec", None) is self:
                feed._rec = None
        self.drop_feeds(self.here.feeds)

    def drop_feeds(self, kept: int) -> None:
        """Keep the first feeds only."""
        del self.feeds[kept:], self.values[kept:]


class _State(threading.local):
    """What each thread has of its own.

    Attributes:
        rec: its recording; None while an operation's body runs on symbols.
        grad: whether gradients are recorded: PyTorch's grad mode, but False in inference mode.
        inference: whether inference mode is on.
        roots: the beginnings of its trail, by grad mode.
        lower: the type in which products are computed, see `kadam.recording.precision`; None: as the operands say.
        roots_by_region: the `roots`, by `lower`, `inference` and whether what derivatives read is packed.
        inside: the recording whose operation's body is running.
        numbers: whether all operands of an operation within that body are Python numbers.
        lent: while a finaliser runs amid a call: tensors of the call's recording that the finaliser's own has met, with
            what they were to it.
        watcher: asked before each cut: see `kadam.recording.watch`.
        packing: the user's functions that pack what derivatives read, see `kadam.recording.packing`.
        refusal: why no such functions may be given now.
        grown: by how many nodes the trail has grown since it was trimmed.
        single: how many programs of the trail have run once only.
        marks: of paths that have been seen once, and do not stand on the trail.
    """

    watcher: Watcher | None = None
    packing: Packing | None = None
    refusal: str | None = None
    lent: list[tuple[Recorded, Any, int, Array | None]] | None = None

    def __init__(self) -> None:
        self.grad = True
        self.inference = False
        self.serial = 0
        self.grown = self.single = 0
        self.marks: set[int] = set()
        self.roots = {True: TrailNode(), False: TrailNode()}
        self.lower: Any = None
        self.roots_by_region = {(self.lower, self.inference, False): self.roots}
        self.inside: Any = None
        self.numbers = False
        self.rec: Recording | None = Recording(self.roots[True], 0)


state = _State()


@hot
def start() -> Recording:
    """A fresh recording for this thread."""
    own = vars(state)  # looked up once: attributes of a `threading.local` take their time
    serial = own["serial"] = own["serial"] + 1
    root = own["roots"][own["grad"]]
    if serial % 256 == 0:
        _trim(root)
    own["rec"] = rec = Recording(root, serial)
    return rec


def enter_region(key: Any) -> None:
    """What `state` says of the region of calls has changed: those that follow stand on a trail of their own.

    Args:
        key: of the move along the trail.
    """
    region = state.lower, state.inference, state.packing is not None
    if region not in state.roots_by_region:
        state.roots_by_region[region] = {True: TrailNode(), False: TrailNode()}
    state.roots = state.roots_by_region[region]
    turn(key)


def turn(key: Any) -> None:
    """A move along the trail that is no call: from here on the same calls mean something else.

    Args:
        key: of the move; where nothing has been called yet, the recording begins at the root that fits `state` instead.
    """
    rec = state.rec
    if rec is None:
        return
    if rec.closed:  # from another thread
        start()
        return
    here = rec.here
    if here.parent is None:
        rec.here = state.roots[state.grad]
        return
    node = here.get(key)
    if node is None:
        node = TrailNode(here)
        node.info = key
        lead(rec, key, node)
    rec.here = node


def lead(rec: Recording, key: Any, node: TrailNode) -> None:
    """Go on to a call that is new to the trail.

    It stands on the trail from now on; where there are many paths that were walked but once, only after it has come
    again. What is not kept costs no memory, and the garbage collector no time.
    """
    node.key = key
    node.apart = rec.here.apart or (state.single >= SINGLE and tiers.NATIVE_AFTER != 0 and not tiers.at_once[0])
    if not node.apart:
        rec.here[key] = node
    rec.here = node


def _note_end(here: TrailNode) -> None:
    """A program has been made for a path that ends here: one that is not kept is, if it has come before."""
    if here.apart:
        mark = here.mark()
        if mark not in state.marks:
            if len(state.marks) >= MARKS:
                state.marks.clear()
            state.marks.add(mark)
            return
        here.join()
    state.single += not here.apart


def _trim(root: TrailNode) -> None:
    """Drop the paths that were not walked lately once the trail has grown too large; the latest stays."""
    calls, nodes = root.size()
    if calls > TRAIL_BOUND or nodes > NODES_BOUND:
        root.keep_latest(TRAIL_BOUND // 2, NODES_BOUND // 2)
        state.single = sum([one.count == 1 for node in root.below() for one in node.programs.values()])


@hot
def cut(rec: Recording) -> None:
    """End `rec`: compute what is asked for and what Python still holds, write the updated memory.

    Raises:
        RecordingError: the recording was interrupted inside a call.
        Any error that only data can cause (an index out of range ...), naming the line that recorded the call. What
        was recorded before the failing call is computed and written all the same.
    """
    if state.watcher is not None and state.watcher.takes(rec):
        return
    if state.rec is rec:
        start()
    rec.ended = here = rec.here
    rec.here, rec.open, rec.runner = _CLOSED, False, get_ident()
    try:
        if rec.created and here.parent is not None:
            if len(rec.feeds) > here.feeds:
                rec.drop_feeds(here.feeds)
            if len(rec.created) != here.created or len(rec.feeds) != here.feeds:
                raise RecordingError(
                    "a recording was interrupted inside a call; what it recorded is lost. Fix: begin the step again "
                    "from the forward pass."
                )
            _run(rec, here)
    finally:
        _close(rec)


_CLOSED = TrailNode()  # where closed recordings stand: no call is known there


@hot
def _close(rec: Recording) -> None:
    anchor = rec.anchor
    anchor.rec, anchor.open = None, False
    rec.runner = 0
    if rec.herds:
        for herd in rec.herds:
            herd.bond.rec = None
        rec.herds = ()
    rec.feeds, rec.values = [], []  # History has the old ones; a call that has just ended the step may append to these
    rec.created = rec.writes = _NONE
    rec.joined = rec.stops = rec.displaced = _NOTHING
    rec.path = rec.ended = None


class _Asked:
    """What a cut asks for.

    Attributes:
        alive: the created tensors that something outside the recording holds.
        wanted: the tensors whose values are returned: of these, those that are no views, then the updated state.
        derived: those from which a later backward pass may begin.
        key: the positions of the wanted; of the derived; of stops; what has been swept; whose memory is written.
    """

    __slots__ = ("alive", "derived", "key", "wanted")

    def __init__(self, rec: Recording, alive: list[Recorded]) -> None:
        written = list(rec.written.values())
        made = [one for one in alive if one._base is None and one._rec is rec and one._array is None]
        self.alive = alive
        self.wanted = made + written
        self.derived = [
            one
            for one in {id(one): one for one in (*alive, *rec.joined.values())}.values()
            if one._spec.grad_name is not None and one._spec.requires_grad and one._rec is rec
        ]
        self.key = (
            tuple([one._pos for one in self.wanted]),
            (*[one._pos for one in self.derived], *rec.awaited, *_delivered_to(rec)),
            tuple(rec.stops),
            rec.swept,
            (None,) * len(made) + _over(rec, written),
        )


def _delivered_to(rec: Recording) -> list[int]:
    """Where custom functions will deliver to values that no tensor has any more."""
    places = {place for stop in rec.stops.values() for place in stop.places_in(rec)}.difference(rec.stops)
    return sorted(place for place in places if (one := rec.created[place]) is None or one._pos != place)


def _over(rec: Recording, written: Sequence[Recorded]) -> tuple[int | None, ...]:
    """For each updated tensor the feed in whose memory the new value may be made; None where others see that memory."""
    if not written:
        return ()
    index_of = {id(array): index for index, array in enumerate(rec.values)}
    seen = {id(base) for feed in rec.feeds if (base := getattr(feed, "_base", None)) is not None}
    return tuple(
        None if one._exposed or one._base is not None or id(one) in seen else index_of.get(id(one._array))
        for one in written
    )


@hot
def _run(rec: Recording, here: TrailNode) -> None:
    """Run the program of what is asked for.

    Mostly the tensors that live on tell which it is, and the path tells the rest. Not so if views live on, or if hooks
    or in-place changes of anything but state are at play.
    """
    alive: list[Any]
    if here.viewing or rec.loose:
        alive = _alive(rec)
        general = rec.loose
        for one in alive:
            if one._base is not None or one._array is not None:
                general = True
        if general:
            _run_asked(rec, here, _Asked(rec, alive))
            return
    else:
        alive = [one for one in rec.created if getrefcount(one) > _DEAD and one is not None]
    places = tuple([one._pos for one in alive])
    known = here.known.get(places)
    if known is None:
        _run_first(rec, here, alive, places)
        return
    program, derived = known
    values = _values(rec, here, program, alive)
    for one, value in zip(alive, values):  # noqa: B905  (updated state and saved values follow)
        one._array = value
    if derived:
        owners = alive + list(rec.written.values()) if program.saved else alive
        history = History(here, rec, program, values, owners)
        rec.history = history if rec.awaited else ref(history)
        for index, place in derived:
            one = alive[index]
            one._history, one._place = history, place


def _run_first(rec: Recording, here: TrailNode, alive: list[Recorded], places: tuple[int, ...]) -> None:
    """The same, and note which program it is."""
    asked = _Asked(rec, alive)
    program = _program(here, asked.key)
    if state.packing is not None or any(one._spec.order is not None for one in asked.wanted):
        _run_asked(rec, here, asked)  # what it saves is packed, or what it returns laid otherwise: each time
        return
    index_of = {id(one): index for index, one in enumerate(alive)}
    begins = [(index_of[id(one)], place) for one, place in zip(asked.derived, program.watched, strict=True)]
    here.known[places] = program, tuple(begins)
    _run_asked(rec, here, asked)


def _run_asked(rec: Recording, here: TrailNode, asked: _Asked) -> None:
    """The same, whatever may be at play."""
    program = _program(here, asked.key)
    values = _values(rec, here, program, asked.wanted)
    _deliver(asked.wanted, program, values)
    _show(asked.alive)
    if program.watched:
        history = History(here, rec, program, values, asked.wanted)
        rec.history = history if rec.awaited else ref(history)
        if state.packing is not None:
            state.packing.pending.append(history)
        for one, place in zip(asked.derived, program.watched):  # noqa: B905  (what a backward pass awaits follows)
            one._history, one._place = history, place


@hot
def _values(rec: Recording, here: TrailNode, program: Program, wanted: Sequence[Recorded]) -> Sequence[Any]:
    """Run a program; if it fails on its data, what was computed before is delivered."""
    if program.count < tiers.SETTLED:
        _before_run(program, here)
    program.count += 1
    here.visited = rec.serial
    try:
        values = program.run(rec.values)
    except RunError as failure:
        raise _failed(rec, here, program, wanted, failure) from None
    rec.ended = None
    return values


def _before_run(program: Program, here: TrailNode) -> None:
    tiers.before_run(program)
    if program.count == 1 and not here.apart:
        state.single -= 1


def _failed(
    rec: Recording, here: TrailNode, program: Program, wanted: Sequence[Recorded], failure: RunError
) -> BaseException:
    """The error of a run; what was computed before is delivered."""
    from kadam.recording.blame import placed

    _deliver(wanted, program, failure.outputs)
    _show(_alive(rec))
    return placed(failure, here)


def _deliver(wanted: Sequence[Recorded], program: Program, values: Sequence[Array | None]) -> None:
    """Hand over the values; None stands for what was not computed."""
    for tensor, value, place in zip(wanted, values, program.over):  # noqa: B905
        if value is None or place is not None:
            continue
        if tensor._array is None:
            tensor._array = laid(value, tensor._spec.order)
        else:
            np.copyto(tensor._array, value)


def _show(alive: list[Recorded]) -> None:
    """Let views see what stands in memory now."""
    for tensor in alive:
        if tensor._base is not None and tensor._base._array is not None:
            tensor._array = seen_through(tensor._base._array, tensor._chain)


@hot
def _alive(rec: Recording) -> list[Recorded]:
    """The created tensors that something outside the recording holds, in order of position."""
    alive: list[Recorded] = []
    dead_views: dict[int, int] = {}  # id of a base -> how many dead views hold it
    created: list[Any] = rec.created
    for index in range(len(created) - 1, -1, -1):
        tensor = created[index]
        if tensor is None:
            continue
        if getrefcount(tensor) - dead_views.get(id(tensor), 0) > _DEAD:
            alive.append(tensor)
        elif tensor._base is not None:
            base = id(tensor._base)
            dead_views[base] = dead_views.get(base, 0) + 1
    alive.reverse()
    return alive


def _program(here: TrailNode, key: Any) -> Program:
    """The program that answers what is asked for, worked out once."""
    found = here.programs.get(key)
    if found is None:
        found = here.programs[key] = _made_program(here, *key)
        _note_end(here)
        if not here.apart:  # else it will not run again
            begin_count(found, here, key)
            _bound_trail(here, found)
    return found


def _bound_trail(here: TrailNode, made: Program) -> None:
    """Trim the trail where a few large programs have made it grow."""
    root = here.first.parent
    if made.graph is not None and root is not None:
        state.grown += 2 * len(made.graph.nodes)
        if state.grown > NODES_BOUND // 2:
            state.grown, here.visited = 0, state.serial
            _trim(root)


@uncollected()
def _made_program(
    here: TrailNode,
    wanted: tuple[int, ...],
    watched: tuple[int, ...],
    stops: tuple[int, ...],
    swept: frozenset[int],
    over: tuple[int | None, ...],
) -> Program:
    path = Path(here)
    needs = needs_of(path, [path.at(place) for place in watched], [path.at(place) for place in stops], swept)
    nodes = path.builder.nodes
    returned = [path.at(position).id for position in wanted]
    apart = [one for one in needs.saved if one not in returned]
    outputs = [nodes[one] for one in (*returned, *apart)]
    graph = tiers.first_graph(Graph(tuple(nodes), tuple(path.feeds), tuple(outputs)))
    program = Program(tiers.first_tier(graph, over, starts_of(here) if here.apart else ()), graph, over)
    program.watched = tuple([path.at(position).id for position in watched])
    program.saved = needs.saved
    program.places = tuple([(*returned, *apart).index(one) for one in needs.saved])
    program.reads, program.reading, program.data = needs.reads, needs.reading, needs.data
    return program


def forget_paths() -> None:
    """Begin this thread's trail anew, so that what follows is recorded with its own lines; for lessons, whose cells
    record the same calls again and again."""
    rec = state.rec
    if rec is not None and rec.here.parent is not None:
        cut(rec)
    state.roots_by_region.clear()
    state.grown = state.single = 0
    enter_region(None)
    start()
