"""The trail: a trie of the calls that recordings have made, with everything that was worked out once.

A path from the root is a recording. A hot call is one look-up in the trail node that the last call led to; the graph,
its derivative and its compiled form hang on the nodes and are never made twice.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Iterator
from typing import Any

from kadam.engines.reference import Run
from kadam.hot import slotted
from kadam.ir.builder import Builder
from kadam.ir.graph import Graph, Node
from kadam.recording.spec import Spec


@slotted
class TrailNode(dict[Any, "TrailNode"]):
    """One recorded call after the calls above it; its items are the calls that followed, by key.

    Attributes:
        parent: the call before; None at a root.
        key: of the call, by which it stands among those that followed the call before.
        apart: whether it does not stand there: nobody but its recording knows it, for it may never come again.
        depth: how many calls lead here.
        first: the call with which its paths begin.
        feeds, created: how many feeds and results the recording has after this call.
        spec: of the result, when there is just one new tensor (`plain`).
        specs: of all new tensors.
        assemble: makes what the call returns when it is not one new tensor.
        nodes, inputs, outputs: what the call added to the graph: all nodes, those fed, those of the new tensors.
        active: ids among `nodes` through which gradients flow.
        overwritten: id of a node whose memory this call changed -> ids of the nodes that may read it all the same:
            those of the in-place operation itself.
        freed: ids of nodes that a backward pass swept without `retain_graph`.
        info: what a special call (a view, an update) keeps for itself.
        derived: whether a feed is no leaf and requires grad, so that gradients go on where it was made.
        viewing: whether one of the results so far is a view.
        plans: what backward passes through a recording that ended here read, by where they begin.
        sweeps: position of a scalar -> the call that carries its gradient to leaves, if that is all there is to do.
        visited: number of the recording that ended here last.
        programs: what ran when a recording ended here, by all that was asked for.
        known: the same by the positions of the tensors that lived on, where nothing else can differ; with index and
            node id of those among them from which a later backward pass may begin.
    """

    __slots__ = (
        "active", "apart", "assemble", "created", "depth", "derived", "feeds", "first", "freed", "info", "inputs",
        "key", "known", "nodes", "outputs", "overwritten", "parent", "plain", "plans", "programs", "spec", "specs",
        "sweeps", "viewing", "visited",
    )  # fmt: skip

    def __init__(self, parent: TrailNode | None = None) -> None:
        super().__init__()
        self.parent = parent
        self.key: Any = None
        self.apart = False
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.feeds: int = 0 if parent is None else parent.feeds
        self.created: int = 0 if parent is None else parent.created
        self.plain = False
        self.spec: Spec | None = None
        self.specs: tuple[Spec, ...] = ()
        self.assemble: Callable[..., Any] | None = None
        self.nodes: tuple[Node, ...] = ()
        self.inputs: tuple[Node, ...] = ()
        self.outputs: tuple[Node, ...] = ()
        self.active: frozenset[int] = frozenset()
        self.overwritten: dict[int, frozenset[int]] = {}
        self.freed: frozenset[int] = frozenset()
        self.info: Any = None
        self.derived: bool = parent is not None and parent.derived
        self.viewing: bool = parent is not None and parent.viewing
        self.programs: dict[Any, Program] = {}
        self.known: dict[tuple[int, ...], tuple[Program, tuple[tuple[int, int], ...]]] = {}
        self.plans: dict[Any, Any] = {}
        self.sweeps: dict[int, TrailNode] = {}
        self.visited = 0
        self.first: TrailNode = self if parent is None or parent.parent is None else parent.first

    __hash__ = object.__hash__  # type: ignore[assignment]  # a node of the trie is itself, whatever follows it

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    def line(self) -> list[TrailNode]:
        """The calls from the root to this one, in order."""
        found, node = [], self
        while node.parent is not None:
            found.append(node)
            node = node.parent
        return found[::-1]

    def mark(self) -> int:
        """Equal for paths of the same calls."""
        line = self.line()
        return hash((line[0].parent, *[one.key for one in line]))

    def join(self) -> None:
        """Let the way here be known to recordings to come."""
        own, node = [], self
        while node.apart:
            own.append(node)
            node = node.parent  # type: ignore[assignment]
        if own and own[-1].key not in node:
            for one in reversed(own):
                one.apart = False
                node[one.key] = one
                node = one

    def below(self) -> Iterator[TrailNode]:
        """This node and all that follow it."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(node.values())

    def size(self) -> tuple[int, int]:
        """How many calls there are from here on, and how many nodes in the graphs that hang on them."""
        weights = [node.weight() for node in self.below()]
        return len(weights), sum(weights)

    def weight(self) -> int:
        """How many nodes hang on this call; those of a path that a program shares count half."""
        graphs = [program.graph for program in self.programs.values() if program.graph is not None]
        path = self.plans.get("path")
        apart = 0 if path is None else len(path.builder.nodes)
        return len(self.nodes) + apart + sum([len(graph.nodes) for graph in graphs]) // 2

    def keep_latest(self, calls: int, nodes: int) -> None:
        """Drop what follows but for the paths that were walked last: as many as have no more calls and nodes than
        these, and one at least."""
        ends = [node for node in self.below() if node.visited]
        ends.sort(key=lambda end: end.visited, reverse=True)
        kept = {self}
        for end in ends:
            way: list[TrailNode] = []
            node: TrailNode | None = end
            while node is not None and node not in kept:
                way.append(node)
                node = node.parent
            calls, nodes = calls - len(way), nodes - sum([one.weight() for one in way])
            if (calls < 0 or nodes < 0) and len(kept) > 1:
                break
            kept.update(way)
        for one in kept:
            for after in (one, one.sweeps):
                for key in [key for key, child in after.items() if child not in kept]:
                    del after[key]


def starts_of(end: TrailNode) -> list[int]:
    """The ids at which the pieces of the path to `end` begin: with each call, and within a backward pass where it comes
    to the derivative of another call."""
    starts: list[int] = []
    for call in end.line():
        if call.nodes:
            starts.append(call.nodes[0].id)
        before = None
        for node in call.nodes if any(one.origin is not None for one in call.nodes[-1:]) else ():
            behind = None if node.origin is None else (bisect(starts, node.origin), node.source)
            if behind != before and before is not None:
                starts.append(node.id)
            before = behind
    return starts


class Family:
    """Programs that are made of the same primitives: of one model, as a rule, over different shapes.

    Attributes:
        name: tells it apart.
        unpaid: how many of its members were compiled and have not paid that back yet.
    """

    __slots__ = ("name", "unpaid")

    def __init__(self, name: str, unpaid: int = 0) -> None:
        self.name = name
        self.unpaid = unpaid


@slotted
class Program:
    """What runs when a recording ends at a trail node and certain values are asked for.

    Attributes:
        run: feeds -> values: the wanted ones, then the saved ones that are not among these. The contract stands in
            `kadam.engines.delivery`.
        graph: the path with what is asked for; None once a faster engine has been asked to take it.
        over: for each wanted value the index of the feed in whose memory it is made, or None: in memory of its own.
        watched: ids of the nodes that a later backward pass may begin with.
        saved: ids of the nodes whose values it will read.
        places: for each of these its index among the values.
        reads: indices of the feeds whose values it will read.
        reading: ids of the nodes whose derivatives read a value.
        data: indices of the feeds to which no gradient flows and whose values none but these derivatives read.
        count: how often it ran.
        due: the count at which `tiers.promote` is asked; -1 for never.
        family: see `kadam.recording.tiers`.
    """

    __slots__ = (
        "count", "data", "due", "family", "graph", "over", "places", "reading", "reads", "run", "saved", "watched",
    )  # fmt: skip

    def __init__(self, run: Run, graph: Graph, over: tuple[int | None, ...]) -> None:
        self.run = run
        self.graph: Graph | None = graph
        self.over = over
        self.watched: tuple[int, ...] = ()
        self.saved: tuple[int, ...] = ()
        self.places: tuple[int, ...] = ()
        self.reads: tuple[int, ...] = ()
        self.reading: frozenset[int] = frozenset()
        self.data: tuple[int, ...] = ()
        self.count = 0
        self.due = -1
        self.family = Family("")


class Path:
    """The graph that leads to a trail node, ready to be continued."""

    def __init__(self, end: TrailNode) -> None:
        self.builder = Builder()
        self.feeds: list[Node] = []
        self.created: list[Node] = []
        self.overwritten: dict[int, frozenset[int]] = {}
        self.freed: set[int] = set()
        self.end = end
        for node in end.line():
            self._take(node)

    def advance(self, end: TrailNode) -> Path:
        """The path that leads to `end`: this one continued, if `end` lies further along it."""
        ahead, node = [], end
        while node is not self.end:
            if node.parent is None:
                return Path(end)
            ahead.append(node)
            node = node.parent
        for node in reversed(ahead):
            self._take(node)
        self.end = end
        return self

    def apart(self) -> Path:
        """This path in nodes of its own: a recording that began alike shares the trail's nodes, and must not take these
        for its own."""
        own: list[Node] = []
        for node in self.builder.nodes:
            inputs = tuple(own[source.id] for source in node.inputs)
            own.append(
                Node(node.id, node.primitive, inputs, node.type, node.phase, node.scope, node.source, node.origin)
            )
        self.builder.nodes = own
        self.feeds = [own[node.id] for node in self.feeds]
        self.created = [own[node.id] for node in self.created]
        return self

    def _take(self, node: TrailNode) -> None:
        self.builder.nodes.extend(node.nodes)
        self.builder.active.update(node.active)
        self.feeds.extend(node.inputs)
        self.created.extend(node.outputs)
        self.overwritten.update(node.overwritten)
        self.freed.update(node.freed)

    def at(self, position: int) -> Node:
        """The node of a position: feeds count down from -1, created tensors up from 0."""
        return self.created[position] if position >= 0 else self.feeds[~position]
