"""A program as pieces that other programs consist of too, for programs that do not come back themselves.

Where shapes or paths differ at each step, hardly any program runs often enough to be compiled. But its calls do come
back: a recurrent cell runs at each moment of each sequence, an optimizer's update follows whatever the forward pass
was. So a new program is cut into pieces, one for each call and one for what is derived from it; pieces that compute the
same are of one *kind*. Kinds that have come up often are compiled, the others are interpreted node by node.

What costs nothing to make again (views, constants) is made in each piece that reads it, so that it never stands in
memory between compiled pieces.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from kadam import passes
from kadam.dtypes import float64
from kadam.engines import native, reference
from kadam.engines.reference import REFUSALS, Run, RunError
from kadam.ir.graph import Graph, Node
from kadam.ir.primitive import View
from kadam.primitives.sources import Input

USES = 32  # occurrences of a kind after which it has cost what compiling it costs
PROGRAMS = 4  # in which it must have come up: what comes up within few programs is compiled with these
KINDS = 20_000  # that are remembered


class Kind:
    """Pieces that compute the same.

    Attributes:
        uses: how often one came up.
        programs: in how many programs.
        compiled: what computes it, once that is worth it; None until then, and for good if the engine refuses it.
    """

    __slots__ = ("compiled", "programs", "refused", "uses")

    def __init__(self) -> None:
        self.uses = self.programs = 0
        self.refused = False
        self.compiled: _Compiled | None = None


_kinds: dict[Hashable, Kind] = {}


class _Compiled:
    """A kind as compiled code, which makes its results in fresh memory: many of one kind live on at a time.

    Attributes:
        floats: indices of the inputs that are given as Python floats.
    """

    __slots__ = ("fallback", "floats", "function", "kinds")

    def __init__(self, function: Any, fallback: Run, graph: Graph) -> None:
        self.function = function
        self.fallback = fallback
        self.kinds = [(shape, kind) for shape, kind, _ in function.results.kinds]
        self.floats = tuple([at for at, one in enumerate(graph.inputs) if not one.shape and one.dtype is float64])

    def __call__(self, arrays: list[Any]) -> Sequence[Any]:
        function = self.function
        arena = function.arena
        if arena.busy:
            return self.fallback(arrays)
        feeds = arrays.copy() if self.floats else arrays
        for at in self.floats:
            feeds[at] = float(arrays[at])
        arena.busy = True
        try:
            outputs = [np.empty(shape, kind) for shape, kind in self.kinds]
            code = function.launch(feeds, outputs)
        finally:
            arena.busy = False
        if code:  # the data are refused, or do not lie row by row
            return self.fallback(arrays)
        return function.pick(outputs + feeds)  # type: ignore[no-any-return]


class _Piece:
    """Consecutive nodes of a program, with what is made again for them.

    Attributes:
        members: its nodes, in order.
        sources: ids of the values from other pieces that it reads.
        results: ids of its own that others read.
        kind: of its like.
    """

    __slots__ = ("kind", "members", "results", "sources")
    kind: Kind

    def __init__(self, results: list[Node], start: int, fed: set[int]) -> None:
        members: dict[int, Node] = {}
        sources: set[int] = set()
        waiting = list(results)
        while waiting:
            node = waiting.pop()
            id = node.id
            if id in members:
                continue
            if id not in fed and (id >= start or is_free(node)):
                members[id] = node
                waiting.extend(node.inputs)
            else:
                sources.add(id)
        self.members = [members[id] for id in sorted(members)]
        self.sources = sorted(sources)
        self.results = [node.id for node in results]

    def key(self, nodes: Sequence[Node]) -> Hashable:
        """Equal for pieces that compute the same."""
        place = {id: ~index for index, id in enumerate(self.sources)}
        parts: list[Any] = [nodes[id].type for id in self.sources]
        for index, node in enumerate(self.members):
            place[node.id] = index
            parts.append(node.primitive.text)
            parts += [place[source.id] for source in node.inputs]
        parts.append(None)
        parts += [place[id] for id in self.results]
        return tuple(parts)

    def compile(self, nodes: Sequence[Node]) -> None:
        """Let its kind be run by compiled code from now on, if the engine takes it."""
        own: dict[int, Node] = {}
        for id in self.sources:
            own[id] = Node(len(own), Input(nodes[id].type), (), nodes[id].type)
        inputs = tuple(own.values())
        for node in self.members:
            sources = tuple([own[source.id] for source in node.inputs])
            own[node.id] = Node(len(own), node.primitive, sources, node.type)
        graph = passes.improve(Graph(tuple(own.values()), inputs, tuple([own[id] for id in self.results])))
        fallback = reference.compile(graph)
        function = native.compile(graph, (None,) * len(self.results), fallback)
        if function is fallback:
            self.kind.refused = True
        else:
            self.kind.compiled = _Compiled(function, fallback, graph)


# What runs: a node, or instead of it a piece of a compiled kind; what it reads; what nobody reads after it.
_Step = tuple[Node | None, _Piece | None, Sequence[int], tuple[int, ...]]


def is_free(node: Node) -> bool:
    """Whether a value costs nothing to make again: views and constants."""
    return isinstance(node.primitive, View) or (not node.inputs and not isinstance(node.primitive, Input))


def compile(graph: Graph, starts: Sequence[int]) -> Run:
    """As `reference.compile`, but pieces of which many were seen run as compiled code.

    Args:
        graph: the program; `graph.nodes[i].id == i`.
        starts: the ids at which its pieces begin, in order.
    """
    inputs = [node.id for node in graph.inputs]
    outputs = [node.id for node in graph.outputs]
    steps: list[_Step] = []

    def run(feeds: Sequence[Any]) -> list[Any]:
        if not steps:
            steps.extend(_steps(graph, starts))
        values = dict(zip(inputs, feeds, strict=True))
        with np.errstate(all="ignore"):
            for node, piece, sources, dropped in steps:
                given = [values[source] for source in sources]
                try:
                    if node is not None:
                        values[node.id] = np.asarray(node.primitive.reference(*given))
                    else:
                        compiled = piece.kind.compiled  # type: ignore[union-attr]
                        values.update(zip(piece.results, compiled(given), strict=True))  # type: ignore[union-attr, misc]
                except RunError as failure:  # of a node that stands for all of the kind
                    raise _located(piece, values, outputs) from failure.__cause__  # type: ignore[arg-type]
                except REFUSALS as error:
                    raise RunError(node, [values.get(one) for one in outputs]) from error  # type: ignore[arg-type]
                del given
                for source in dropped:
                    del values[source]
        return [values[one] for one in outputs]

    return run


def _located(piece: _Piece, values: dict[int, Any], outputs: Sequence[int]) -> RunError:
    """The error of a piece, at the node of this program that refuses its data."""
    known = dict(values)
    for node in piece.members:
        try:
            known[node.id] = np.asarray(node.primitive.reference(*[known[source.id] for source in node.inputs]))
        except REFUSALS:
            break
    return RunError(node, [known.get(one) for one in outputs])


def _steps(graph: Graph, starts: Sequence[int]) -> list[_Step]:
    """What is run: compiled pieces, and the nodes of the others."""
    fed = {node.id for node in graph.inputs}
    have, wanted = set(fed), {node.id for node in graph.outputs}
    run: list[tuple[Node | None, _Piece | None, Sequence[int], Sequence[int]]] = []
    for piece in _pieces(graph, starts, fed):
        if piece.kind.compiled is not None:
            run.append((None, piece, piece.sources, piece.results))
            have.update(piece.results)
            continue
        for node in piece.members:
            if node.id not in have:
                have.add(node.id)
                run.append((node, None, [source.id for source in node.inputs], (node.id,)))
    steps: list[_Step] = []
    for computed, whole, sources, made in reversed(run):
        unread = [id for id in {*sources, *made} if id not in wanted]
        steps.append((computed, whole, sources, tuple(unread)))
        wanted.update(sources)
    steps.reverse()
    return steps


def _pieces(graph: Graph, starts: Sequence[int], fed: set[int]) -> list[_Piece]:
    """The pieces of a program that anything depends on, in order; kinds that have come up often are compiled."""
    nodes, end = graph.nodes, len(graph.nodes)
    read = {node.id for node in graph.outputs}
    pieces: list[_Piece] = []
    for start in reversed(starts):
        results = [nodes[id] for id in range(start, end) if id in read and id not in fed]
        end = start
        if results:
            piece = _Piece(results, start, fed)
            pieces.append(piece)
            read.update(piece.sources)
    pieces.reverse()
    met: set[Kind] = set()
    for piece in pieces:
        kind = piece.kind = _kind_of(piece.key(nodes))
        kind.uses += 1
        if kind not in met:
            met.add(kind)
            kind.programs += 1
        if kind.compiled is None and _is_due(piece, kind):
            piece.compile(nodes)
    return pieces


def _is_due(piece: _Piece, kind: Kind) -> bool:
    if kind.refused or kind.uses < USES or kind.programs < PROGRAMS:
        return False
    return not all(map(is_free, piece.members))


def _kind_of(key: Hashable) -> Kind:
    kind = _kinds.get(key)
    if kind is None:
        if len(_kinds) >= KINDS:
            _kinds.clear()
        kind = _kinds[key] = Kind()
    return kind
