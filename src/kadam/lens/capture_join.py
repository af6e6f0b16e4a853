"""The recordings of a step joined into one graph: what one made and another was fed with is one node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kadam.engines.reference import REFUSALS
from kadam.ir.graph import Graph, Node
from kadam.ir.primitive import Array, Primitive
from kadam.ir.trace import Trace
from kadam.primitives.move import Detach
from kadam.primitives.sources import Input
from kadam.recording.watch import Fed, Snapshot


@dataclass(frozen=True)
class Ref:
    """Where a watcher met a tensor.

    Attributes:
        serial: of the recording that was open then.
        position: there; without meaning if there is a token.
        token: of a tensor that stood in memory; 0 for one that the recording had.
        node: instead of a position, the node's id in that recording; -1 if it is not known.
    """

    serial: int
    position: int = 0
    token: int = 0
    node: int = -1


@dataclass
class Joined:
    """The nodes of a step's recordings, in one row.

    Attributes:
        nodes: all, in order.
        values: what is known of them without a run: inputs, and what the program computed for itself.
        active: ids of the nodes through which gradients flow.
        at: (serial, node id in that recording) -> node.
        inputs: token -> the input that stands for a tensor's first value.
        views: token of an input -> token of the tensor that it is a view of, how it sees that, and that one's shape.
        current: token -> the node of a tensor's value so far.
        lives: token -> the nodes that it has stood for, each with the serial of the recording that was cut then.
        snapshots: serial -> recording.
        before: serial -> recording of the step before, of which only a part is here.
        called: id of a node -> name of the operation that emitted it.
        numbers: id of an input -> an operation's name for it.
        results: ids of the nodes that the program's calls returned.
    """

    nodes: list[Node] = field(default_factory=list)
    values: dict[int, Array] = field(default_factory=dict)
    active: set[int] = field(default_factory=set)
    at: dict[tuple[int, int], Node] = field(default_factory=dict)
    inputs: dict[int, Node] = field(default_factory=dict)
    views: dict[int, tuple[int, tuple[Primitive, ...], tuple[int, ...]]] = field(default_factory=dict)
    current: dict[int, Node] = field(default_factory=dict)
    lives: dict[int, list[tuple[int, Node]]] = field(default_factory=dict)
    snapshots: dict[int, Snapshot] = field(default_factory=dict)
    called: dict[int, str] = field(default_factory=dict)
    numbers: dict[int, str] = field(default_factory=dict)
    results: set[int] = field(default_factory=set)
    before: dict[int, Snapshot] = field(default_factory=dict)

    def add_earlier(self, earlier: Sequence[Snapshot], own: Sequence[Snapshot]) -> None:
        """Append what backward passes of this step went through of the recordings of the step before."""
        known = {taken.serial: taken for taken in earlier}
        wanted: dict[int, set[int]] = {}
        for taken in own:
            for start, stop, serial in taken.sweeps:
                ids = {node.origin for node in taken.nodes[start:stop] if node.origin is not None}
                wanted.setdefault(serial, set()).update(ids)
            for serial, node in (fed.history for fed in taken.fed if fed.history is not None):
                wanted.setdefault(serial, set()).add(node)
        swept = {serial for taken in own for *_, serial in taken.sweeps} & known.keys()
        parts = []
        for serial in sorted(swept, reverse=True):
            taken = known[serial]
            part = _ancestors(taken.nodes, wanted.get(serial, ()))
            for fed in taken.fed:
                if fed.node in part and fed.history is not None:
                    wanted.setdefault(fed.history[0], set()).add(fed.history[1])
            parts.append((taken, part))
        for taken, part in reversed(parts):
            self._add_part(taken, part)

    def _add_part(self, taken: Snapshot, part: set[int]) -> None:
        self.before[taken.serial] = taken
        feeds = {fed.node: fed for fed in taken.fed}
        for node in taken.nodes:
            if node.id in part:
                fed = feeds.get(node.id)
                if fed is None:
                    self._append(taken, node)
                else:
                    self.at[(taken.serial, node.id)] = self._fed(node, fed)
        leaves = {fed.token for fed in taken.fed if fed.leaf}
        made = {token: one for token, one in taken.made.items() if one in part and token not in leaves}
        self._note(taken, part, made)

    def add(self, taken: Snapshot) -> None:
        """Append a recording."""
        self.snapshots[taken.serial] = taken
        for fed in taken.fed:
            self.at[(taken.serial, fed.node)] = self._fed(taken.nodes[fed.node], fed)
        for node in taken.nodes:
            if (taken.serial, node.id) not in self.at:
                self._append(taken, node)
        self._note(taken, range(len(taken.nodes)), taken.made)

    def _note(self, taken: Snapshot, part: Iterable[int], made: Mapping[int, int]) -> None:
        """Note what is known of a recording's nodes, of those in `part`."""
        now = {one: self.at[(taken.serial, one)].id for one in part}
        self.active.update(now[one] for one in taken.active if one in now)
        fed = {one.node for one in taken.fed}
        for one, name in taken.called.items():
            if one in fed and one in now:  # it has the name of the call that made it, if that is known
                self.called.setdefault(now[one], name)
            elif one in now:
                self.called[now[one]] = name
        self.numbers.update((now[one], name) for one, name in taken.numbers.items() if one in now)
        self.results.update(now[one] for one in taken.created if one in now)
        self.values.update((now[one], value) for one, value in taken.values.items() if one in now)
        for token, one in made.items():
            self.current[token] = node = self.at[(taken.serial, one)]
            self.lives.setdefault(token, []).append((taken.serial, node))

    def _append(self, taken: Snapshot, node: Node) -> None:
        serial = next((by for start, stop, by in taken.sweeps if start <= node.id < stop), taken.serial)
        origin = None if node.origin is None else self.at.get((serial, node.origin))
        inputs = tuple(self.at[(taken.serial, source.id)] for source in node.inputs)
        self._emit(
            _moved(node, len(self.nodes), inputs, origin),
            (taken.serial, node.id),
        )

    def _emit(self, node: Node, place: tuple[int, int] | None = None) -> Node:
        self.nodes.append(node)
        if place is not None:
            self.at[place] = node
        return node

    def _fed(self, node: Node, fed: Fed) -> Node:
        known = self._known(fed)
        if known is None or known.type != node.type:
            known = self._emit(Node(len(self.nodes), Input(node.type), (), node.type))
            self.values[known.id] = fed.value
            if fed.base:
                self.views[fed.token] = fed.base, fed.chain, fed.whole
            if fed.base and fed.base not in self.inputs and all(isinstance(one, Detach) for one in fed.chain):
                self.inputs[fed.base] = self.current[fed.base] = known  # the tensor itself, before it is met
                known = self._emit(Node(len(self.nodes), Detach(), (known,), node.type))
        if fed.token:
            self.inputs.setdefault(fed.token, known)
            self.current[fed.token] = known
        return known

    def _known(self, fed: Fed) -> Node | None:
        """The node that has made what a recording was fed with; None: it is an input of the step."""
        if not fed.token or (fed.leaf and fed.token not in self.inputs):
            return None
        node = self.current.get(fed.token)
        if node is not None and self._holds(node, fed.value):
            return node
        if fed.history is not None and (node := self.at.get(fed.history)) is not None:
            return node
        node = self.current.get(fed.base)
        if node is None or node.id not in self.values:
            return None
        value = self.values[node.id]
        for primitive in fed.chain:
            value = primitive.reference(value)
        if not _same(value, fed.value):
            return None
        for primitive in fed.chain:
            kind = primitive.infer(node.type)
            node = self._emit(Node(len(self.nodes), primitive, (node,), kind))
        return node

    def _holds(self, node: Node, value: Array) -> bool:
        return node.id in self.values and _same(self.values[node.id], value)

    def find(self, ref: Ref | None) -> Node | None:
        """The node of what a watcher has met; None if it is no part of the step."""
        if ref is None:
            return None
        if ref.token:
            lived = [node for serial, node in self.lives.get(ref.token, ()) if serial < ref.serial]
            return lived[-1] if lived else self.inputs.get(ref.token)
        if ref.node >= 0:
            return self.at.get((ref.serial, ref.node))
        taken = self.snapshots.get(ref.serial) or self.before.get(ref.serial)
        if taken is None or ref.position >= len(taken.created) or ~ref.position >= len(taken.fed):
            return None
        return self.at.get((ref.serial, taken.at(ref.position)))


def _same(a: Array, b: Array) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and bool(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"))


@dataclass(frozen=True)
class Kept:
    """The nodes of a step that matter, numbered anew.

    Attributes:
        trace: of the graph.
        active: ids of the nodes through which gradients flow.
        now: id before -> node.
    """

    trace: Trace
    active: frozenset[int]
    now: dict[int, Node]

    @property
    def graph(self) -> Graph:
        return self.trace.graph


def keep(joined: Joined, essential: Iterable[Node]) -> Kept:
    """The recordings that lead to what is `essential` (all of them, if nothing is), without what nobody asked for."""
    roots = {node.id for node in essential}
    lead = _ancestors(joined.nodes, roots) if roots else set(range(len(joined.nodes)))
    for serial, taken in joined.snapshots.items():
        fed = {one.node for one in taken.fed}
        own = {joined.at[(serial, node.id)].id for node in taken.nodes if node.id not in fed}
        if own & lead:
            roots |= {joined.at[(serial, one)].id for one in (*taken.created, *taken.made.values())}
    wanted = _ancestors(joined.nodes, roots)
    now: dict[int, Node] = {}
    for node in joined.nodes:
        if node.id in wanted:
            origin = now.get(node.origin) if node.origin is not None else None
            inputs = tuple(now[source.id] for source in node.inputs)
            now[node.id] = _moved(node, len(now), inputs, origin)
    updates = {
        now[given.id]: now[last.id]
        for token, given in joined.inputs.items()
        if given.id in now and isinstance(given.primitive, Input)
        and (last := joined.current[token]) is not given and last.id in now
    }  # fmt: skip
    nodes = tuple(now.values())
    inputs = tuple(node for node in nodes if isinstance(node.primitive, Input))
    ends = _ends(nodes)
    graph = Graph(nodes, inputs, tuple(node for node in nodes if node.id in ends), updates)
    known = {now[one].id: value for one, value in joined.values.items() if one in now}
    active = frozenset(now[one].id for one in joined.active if one in now)
    return Kept(Trace(graph, Values(graph, known)), active, now)


def _moved(node: Node, number: int, inputs: tuple[Node, ...], origin: Node | None) -> Node:
    """A node at another place; as `dataclasses.replace`, in a third of its time."""
    begun_at = None if origin is None else origin.id
    return Node(number, node.primitive, inputs, node.type, node.phase, node.scope, node.source, begun_at)


def _ends(nodes: Sequence[Node]) -> set[int]:
    read = {source.id for node in nodes for source in node.inputs}
    return {node.id for node in nodes} - read


def _ancestors(nodes: Sequence[Node], roots: Iterable[int]) -> set[int]:
    wanted = set(roots)
    for node in reversed(nodes):
        if node.id in wanted:
            wanted.update(source.id for source in node.inputs)
    return wanted


class Values(dict[int, Array]):
    """The values of a step by node id: what is known as it is, the rest by the reference, when it is asked for.

    Nothing stands from where the reference fails on.
    """

    def __init__(self, graph: Graph, known: Mapping[int, Array]) -> None:
        super().__init__(known)
        self._nodes = graph.nodes
        self._failed: set[int] = set()

    def __missing__(self, id: int) -> Array:
        found: Array | None = self.get(id)
        if found is None:
            raise KeyError(id)
        return found

    def __contains__(self, id: object) -> bool:
        return isinstance(id, int) and self.get(id) is not None

    def get(self, id: int, default: Any = None) -> Any:
        """The value of a node; `default` if it has none."""
        if not super().__contains__(id) and id not in self._failed and 0 <= id < len(self._nodes):
            self._compute(id)
        return super().get(id, default)

    def _compute(self, id: int) -> None:
        wanted, waiting = set(), [id]
        while waiting:
            one = waiting.pop()
            if one not in wanted and one not in self._failed and not super().__contains__(one):
                wanted.add(one)
                waiting += [source.id for source in self._nodes[one].inputs]
        with np.errstate(all="ignore"):
            for one in sorted(wanted):
                self._run(self._nodes[one])

    def _run(self, node: Node) -> None:
        operands = [super(Values, self).get(source.id) for source in node.inputs]
        if any(one is None for one in operands):
            self._failed.add(node.id)
            return
        try:
            self[node.id] = np.asarray(node.primitive.reference(*operands))
        except REFUSALS:
            self._failed.add(node.id)


__all__ = ["Joined", "Kept", "Ref", "Values", "keep"]
