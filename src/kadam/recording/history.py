"""What a backward pass needs of a recording that was cut before it came: the values that derivatives read, no more.

A forward pass whose loss is read (`loss.item()`) before `backward()` is cut there. The tensors that live on keep a
history: the path that made them and the values that their derivatives will read, so that nothing is computed twice.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from kadam import autodiff
from kadam.engines.pieces import is_free
from kadam.errors import GradientError
from kadam.hot import hot, slotted
from kadam.ir.builder import Builder, building, emit
from kadam.ir.graph import Node
from kadam.ir.primitive import Array
from kadam.primitives.sources import Full, Input
from kadam.recording.trail import Path, Program, TrailNode

if TYPE_CHECKING:
    from kadam.recording.step import Recording
    from kadam.recording.tensor import Recorded

TWICE = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already been "
    "freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify "
    "retain_graph=True if you need to backward through the graph a second time or if you need to access saved tensors "
    "after calling backward. Fix: loss.backward(retain_graph=True) the first time, or compute the loss again."
)
CHANGED = (
    "one of the variables needed for gradient computation has been modified by an inplace operation: {what}; expected "
    "its values of the forward pass instead. Fix: clone() the tensor before it is changed, or change it after "
    "backward()."
)


class Plan:
    """What a sweep through a closed path reads.

    Attributes:
        needed: ids of the nodes whose values are read, in order.
        reads: which node's derivative reads which node's value, as pairs of ids.
        reading: ids of the nodes whose derivatives read a value.
        reached: ids at which cotangents arrive.
    """

    __slots__ = ("needed", "reached", "reading", "reads")

    def __init__(self, needed: tuple[int, ...], reads: frozenset[tuple[int, int]], reached: tuple[int, ...]) -> None:
        self.needed = needed
        self.reads = reads
        self.reading = frozenset(reader for reader, _ in reads)
        self.reached = reached


def plan(
    path: Path, starts: Iterable[int], collect: Collection[int], stops: Collection[int], way: Collection[int]
) -> Plan:
    """Sweep on paper from the nodes `starts`: what would be read, by whom, and where cotangents arrive.

    Args:
        path: the sweep goes through.
        starts, collect, stops: ids of nodes: where it begins, whose cotangents are wanted, and what it does not pass.
        way: ids of those through which it goes.
    """
    nodes, scratch, read = path.builder.nodes, Builder(), dict[int, Node]()  # id of a stand-in -> what it stands for
    with adopting(scratch, _StandIns(scratch, read)), building(scratch):
        cts = {start: emit(Input(nodes[start].type)) for start in starts}
        found = autodiff.backward(nodes, cts, way, collect, stops)
        used = _ancestors(scratch.nodes, [node.id for node in found.values()])
    reads = frozenset(
        (scratch.nodes[one].origin or 0, read[source.id].id)
        for one in used
        for source in scratch.nodes[one].inputs
        if source.id in read
    )
    # a cotangent may be a value itself: the derivative of a product by a known number, say
    needed = {read[one].id for one in used if one in read}
    return Plan(tuple(sorted(needed)), reads, tuple(sorted(found)))


class Adopted:
    """The nodes of an earlier graph in one under construction: each is made once.

    Attributes:
        builder: of the latter.
        known: id in the earlier graph -> the node.
    """

    def __init__(self, builder: Builder, known: dict[int, Node] | None = None) -> None:
        self.builder = builder
        self.known: dict[int, Node] = {} if known is None else known

    def of(self, node: Node) -> Node:
        """What a node is adopted as."""
        found = self.known.get(node.id)
        if found is None:
            again = is_free(node)
            found = self.builder.emit(node.primitive, *map(self.of, node.inputs)) if again else self.stand_in(node)
            self.known[node.id] = found
        return found

    def stand_in(self, node: Node) -> Node:
        """For what is neither known nor a view: it is read by derivatives that nobody asked for: prune drops them."""
        return self.builder.emit(Full(0, node.shape, node.dtype))


class _StandIns(Adopted):
    def __init__(self, builder: Builder, read: dict[int, Node]) -> None:
        super().__init__(builder)
        self.read = read

    def stand_in(self, node: Node) -> Node:
        made = self.builder.emit(Input(node.type))
        self.read[made.id] = node
        return made


@contextmanager
def adopting(builder: Builder, adopted: Adopted) -> Iterator[None]:
    """Nodes of an earlier graph become part of the one under construction. Not any longer than that: the two would hold
    each other, and all their nodes, until the garbage collector comes."""
    builder.adopt = adopted.of
    try:
        yield
    finally:
        builder.adopt = None


def swept_of(found: Mapping[int, Node], before: int) -> Plan:
    """What a sweep has read that was made in the path's own graph.

    Args:
        found: id -> cotangent, as the sweep gave them.
        before: how many nodes there were before it.
    """
    own: set[int] = set()
    reads: set[tuple[int, int]] = set()
    needed: set[int] = set()
    waiting = list(found.values())
    for node in waiting:
        if node.id < before:
            needed.update(behind(node))
    while waiting:
        node = waiting.pop()
        if node.id < before or node.id in own:
            continue
        own.add(node.id)
        for source in node.inputs:
            if source.id >= before:
                waiting.append(source)
                continue
            for one in behind(source):
                needed.add(one)
                reads.add((node.origin or 0, one))
    return Plan(tuple(sorted(needed)), frozenset(reads), tuple(sorted(found)))


def behind(node: Node) -> Iterator[int]:
    """The ids of the values of which a node is a view; its own, if it is none."""
    if not is_free(node):
        yield node.id
    for source in node.inputs if is_free(node) else ():
        yield from behind(source)


def _ancestors(nodes: Sequence[Node], roots: Iterable[int]) -> set[int]:
    seen, waiting = set(), list(roots)
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting.extend(source.id for source in nodes[one].inputs)
    return seen


_NOTHING: Any = MappingProxyType({})
_NO_NODES: frozenset[int] = frozenset()


class Packed:
    """A saved value that the user's functions have packed."""

    def __init__(self, unpack: Callable[[], Array]) -> None:
        self.unpack = unpack


class Needs:
    """What a later backward pass will need of a recording.

    Attributes:
        saved: ids of the nodes whose values it will read, feeds aside.
        reads: indices of the feeds whose values it will read.
        reading: ids of the nodes whose derivatives read a value.
        data: indices of the feeds to which no gradient flows and whose values none but these derivatives read.
    """

    __slots__ = ("data", "reading", "reads", "saved")

    def __init__(
        self, saved: tuple[int, ...], reads: tuple[int, ...], reading: frozenset[int], data: tuple[int, ...]
    ) -> None:
        self.saved = saved
        self.reads = reads
        self.reading = reading
        self.data = data


def needs_of(path: Path, watched: Sequence[Node], stops: Sequence[Node], swept: frozenset[int]) -> Needs:
    """What a backward pass from `watched` will need.

    Args:
        path: that ends here.
        watched: what the pass may begin with.
        stops: where it halts for the user's code, which may end what is recorded: the values read above count too.
        swept: ids of the nodes that a pass which is under way has been through; it may come to them again.
    """
    if not watched:
        return Needs((), (), frozenset(), ())
    active = path.builder.active
    ends = {node.id for node in (*path.feeds, *stops) if node.id in active}
    found = plan(path, {node.id for node in watched if node.id in active}, ends, path.freed - swept, active)
    at_hand = {node.id for node in path.feeds} - path.overwritten.keys()
    saved = tuple(one for one in found.needed if one not in at_hand)
    reads = tuple(index for index, node in enumerate(path.feeds) if node.id in found.needed and node.id in at_hand)
    kept = set(found.needed).difference([one for _, one in found.reads])
    data = tuple(index for index, node in enumerate(path.feeds) if node.id not in active and node.id not in kept)
    return Needs(saved, reads, found.reading, data)


@slotted
class History:
    """A closed recording, as far as a later backward pass needs it.

    Attributes:
        end: the trail node where it was cut: its identity in the trail's keys.
        serial: the recording's number; later ones are swept first.
        feeds: the tensors that it was fed with; None for `data` that no pass will read any more: a tensor that is cut
            off may show the memory of one that has a history itself, and so on without end.
        data: see `Needs`.
        versions: index of a feed whose value a pass will read -> its version then, and its memory.
        saved: node id -> value, the tensor that owns it (if any) and its version then.
        reading: ids of all nodes whose derivatives read a value.
        freed: ids of the nodes swept without `retain_graph`.
        stops: node id -> what happens when a backward pass arrives there.
        origins: node id of a feed -> the history that made the value it had here, and the place there: the tensor
            itself may be changed in place later.
    """

    __slots__ = (
        "__weakref__", "_freed", "_swept", "data", "end", "feeds", "origins", "path", "reading", "saved", "serial",
        "stops", "versions",
    )  # fmt: skip

    @hot
    def __init__(
        self,
        end: TrailNode,
        rec: Recording,
        program: Program,
        values: Sequence[Array | None],
        wanted: Sequence[Recorded],
    ) -> None:
        self.end = end
        self.serial = rec.serial
        self.feeds: list[Any] = rec.feeds
        self.reading = program.reading
        self.data = program.data
        self.path: Path | None = None
        self.stops: dict[int, Any] = _NOTHING
        self.origins: Mapping[int, tuple[History, int]] = _NOTHING
        self.versions: Mapping[int, tuple[int, Any]] = _NOTHING
        self.saved: dict[int, tuple[Any, weakref.ref[Recorded] | None, int]] = _NOTHING
        self._freed: set[int] | None = None
        self._swept = _NO_NODES
        if rec.loose:
            self._swept = rec.swept
            self.stops = self._moved(rec)
        if end.derived or rec.displaced:
            self.origins = self._origins(rec)
        if program.reads:
            self.versions = _standings(rec.feeds, program.reads)
        if program.saved:
            self.saved = self._kept(program, values, wanted)
        elif not program.reads:
            self._forget_data()

    @hot
    def _forget_data(self) -> None:
        feeds = self.feeds
        for index in self.data:
            feeds[index] = None

    @staticmethod
    def _kept(
        program: Program, values: Sequence[Array | None], wanted: Sequence[Recorded]
    ) -> dict[int, tuple[Array, weakref.ref[Recorded] | None, int]]:
        """The values that a pass will read, with those of the tensors that own them."""
        kept: dict[int, tuple[Array, weakref.ref[Recorded] | None, int]] = {}
        for one, place in zip(program.saved, program.places, strict=True):
            array = values[place]
            if array is not None:
                owner = wanted[place] if place < len(wanted) else None
                kept[one] = (array, None, 0) if owner is None else (array, weakref.ref(owner), owner._changes)
        return kept

    def _moved(self, rec: Recording) -> dict[int, Any]:
        """The stops of a recording by node, not by position."""
        stops = dict.fromkeys(rec.stops.values())
        to = {place: self.current_path().at(place).id for stop in stops for place in stop.places_in(rec)}
        for stop in stops:
            stop.move(to, rec, self)
        return {to[place]: stop for place, stop in rec.stops.items()}

    def _origins(self, rec: Recording) -> dict[int, tuple[History, int]]:
        path = self.current_path()
        found = {
            node.id: (feed._history, feed._place)
            for node, feed in zip(path.feeds, rec.feeds, strict=True)
            if getattr(feed, "_history", None) is not None
        }
        found.update((path.at(place).id, origin) for place, origin in rec.displaced.items())
        return found

    @property
    def freed(self) -> set[int]:
        if self._freed is None:
            self._freed = set(self.current_path().freed - self._swept)
        return self._freed

    def current_path(self) -> Path:
        """The graph of the closed recording."""
        if self.path is None:
            self.path = self.end.plans.get("path")
            if self.path is None:
                self.path = self.end.plans["path"] = Path(self.end).apart()
        return self.path

    def value(self, one: int) -> Any:
        """The feed or the saved array behind node `one`.

        Raises:
            GradientError: it was changed in place since, or freed.
        """
        path = self.current_path()
        for index, node in enumerate(path.feeds if one not in self.saved else ()):
            if node.id == one:
                feed = self.feeds[index]
                version, array = _standing(feed)
                noted, memory = self.versions[index]
                if version != noted:
                    raise GradientError(CHANGED.format(what=f"an operand of type {node.type} at {node.source}"))
                return feed if array is memory else memory  # that of a tensor whose `.data` was replaced
        if one not in self.saved:
            raise GradientError(TWICE)
        array, reference, version = self.saved[one]
        if array.__class__ is Packed:
            return array.unpack()
        owner = None if reference is None else reference()
        if owner is not None and owner._changes != version:
            node = path.builder.nodes[one]
            raise GradientError(CHANGED.format(what=f"the result {node.type} of {node.source}"))
        return array

    def read_ones(self) -> list[int]:
        """The ids of the values that a pass will read and that come of tensors: those saved and those of the feeds."""
        path = self.current_path()
        read = {*self.saved, *[path.feeds[index].id for index in self.versions]}
        of_tensors = {node.id for node, feed in zip(path.feeds, self.feeds, strict=True) if hasattr(feed, "_spec")}
        for node in path.builder.nodes:
            if any(source.id in of_tensors for source in node.inputs):
                of_tensors.add(node.id)
        return sorted(read & of_tensors)

    def owner_of(self, one: int) -> Any:
        """The tensor that has a saved value, if there still is one."""
        reference = self.saved[one][1] if one in self.saved else None
        return None if reference is None else reference()

    def keep_packed(self, one: int, unpack: Callable[[], Array]) -> None:
        """Forget a value; a pass that reads it will unpack it."""
        self.saved = {**self.saved, one: (Packed(unpack), None, 0)}

    def halt(self, place: int, stop: Any) -> None:
        """Let backward passes halt at a node."""
        self.stops = {**self.stops, place: stop}

    def free(self, reading: Collection[int]) -> None:
        """A sweep without `retain_graph` has passed the nodes `reading`."""
        self.freed.update(reading)
        if self.freed.issuperset(self.reading):
            self.saved = {}
            self._forget_data()


def _standings(feeds: Sequence[Any], reads: Iterable[int]) -> dict[int, tuple[int, Any]]:
    return {index: _standing(feeds[index]) for index in reads}


def _standing(feed: Any) -> tuple[int, Any]:
    """A feed's version and memory; a number's never change."""
    root = getattr(feed, "root", None)
    return (0, None) if root is None else (root._changes, feed._array)
