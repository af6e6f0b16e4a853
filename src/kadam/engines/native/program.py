"""A graph as one native program: groups become stages, stages become launches over one memory plan."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

import numpy as np

from kadam.engines.delivery import Over
from kadam.engines.native import again
from kadam.engines.native.again import Likeness
from kadam.engines.native.build import addresses
from kadam.engines.native.chain import Chain, Surroundings, in_order, together
from kadam.engines.native.element import Checked, Load, walk
from kadam.engines.native.fuse import Group, Plan, squeezed
from kadam.engines.native.kernels import KERNELS, is_own, tile
from kadam.engines.native.launch import Call, Launch, Launches, chained
from kadam.engines.native.loops import ERROR, Store
from kadam.engines.native.memory import Results, Span, arena, placed
from kadam.engines.native.nest import nest
from kadam.engines.native.parts import parts
from kadam.engines.native.profile import profile
from kadam.engines.native.split import split
from kadam.engines.native.stage import Piece, Stage
from kadam.engines.native.target import host
from kadam.engines.reference import REFUSALS, Run
from kadam.hot import hot, slotted
from kadam.ir.graph import Graph, Node
from kadam.ir.place import Var, flat, place
from kadam.ir.primitive import Array
from kadam.primitives.elementwise import PARTS
from kadam.primitives.move import Concat, Copy

PARALLEL_WORK = 2_000_000  # operations below which a stage is not worth calling the team for: some 15 microseconds
CHAIN_FACTOR = 4  # short chains cost more by what cores fetch from each other than they save
CHUNK_WORK = 800_000  # operations of a chunk, at least
REFUSED = 1  # what a run gives back if the reference, or a kernel, refuses the data
TINY_WORK = 1_000_000  # operations of a whole program for which other Python threads need not be let in


class NativeProgram:
    """A compiled graph.

    Attributes:
        graph: what it computes, with a copy for each output that shares memory otherwise.
        over: for each output the index of the input in whose memory it is made, or None: see `kadam.engines.delivery`.
        plan: the groups.
        stages: what runs, in order; a node in the place of a stage is computed by the reference engine.
        places: for each output its index among the arrays made for outputs, or, after these, the feeds.
        whole: all of it, if it is one native call.
        results: arrays for the outputs that are not made in a feed's memory.
        arena: the memory in which it runs.
        copies: outputs that had to be made elsewhere, and the input into whose memory each is copied at the end.
    """

    def __init__(self, graph: Graph, over: Over, fallback: Run) -> None:
        self.graph = graph = _with_copies(split(graph))
        self.over = (*over, *(None for _ in range(len(graph.outputs) - len(over))))
        self.fallback = fallback
        self.plan = Plan(graph, is_own)
        self._feed_of = {node.id: index for index, node in enumerate(graph.inputs)}
        self._target: dict[int, Hashable] = {}  # root -> where it is written, if not in a buffer of its own
        self._choose_targets()
        self.stages: list[Stage | Node] = []
        self._moments: dict[Hashable, list[int]] = {}
        self._within: dict[Hashable, tuple[Hashable, int]] = {}
        self._sizes: dict[Hashable, int] = {}
        self._kept = self.plan.stored()
        self._chains: list[tuple[int, int, Chain]] = []  # first and last stage
        self._add_all()
        self._finish()

    # Outputs written into the memory of inputs

    def _choose_targets(self) -> None:
        """Let outputs be written into inputs' memory at once where nothing else reads this later."""
        self.copies: list[tuple[Node, int]] = []
        groups = self.plan.groups
        if all(index is None for index in self.over):
            return
        readers: dict[Hashable, list[Group]] = {}
        checking: list[Group] = []
        for group in groups:
            for key in self._read(group):
                readers.setdefault(key, []).append(group)
            if group.roots[0].id in self.plan.host or any(isinstance(one, Checked) for one in _all(group)):
                checking.append(group)
        for node, index in zip(self.graph.outputs, self.over, strict=True):
            if index is None:
                continue
            fed = self.graph.inputs[index]
            group = self.plan.group_of[node.id]
            before = [one for one in readers.get(fed, ()) if one is not group] + checking
            early = all(one is not group and not one.after & group.bit for one in before)
            if early and not group.closed and self._only_here(group, fed):
                self._target[node.id] = fed
                self.plan.order(before, group)
            else:
                self.copies.append((node, index))
        self.plan.groups = self.plan.ordered()

    def _read(self, group: Group) -> set[Hashable]:
        """The nodes whose memory a group reads."""
        found: set[Hashable] = {one.key for one in _all(group) if isinstance(one, Load)}
        for node in group.roots:
            if node is group.head or group.closed:
                for source in node.inputs:
                    found |= {source, *self._under(source)}
        return found

    def _under(self, node: Node) -> set[Node]:
        """The roots and inputs whose memory stands behind a melted node."""
        if node.id not in self.plan.inner:
            return {node}
        return set().union(*map(self._under, node.inputs)) if node.inputs else set()

    def _only_here(self, group: Group, fed: Node) -> bool:
        """Whether a group reads an input only at the point at which it writes."""
        if group.head is not None and fed in set().union(*map(self._under, group.head.inputs)):
            return False
        here = flat(group.here(fed.shape), fed.shape) if squeezed(fed.shape) == group.shape else None
        return all(one.at == here for one in _all(group) if isinstance(one, Load) and one.key is fed)

    # Stages

    def _add_all(self) -> None:
        """Make the stages, and put those next to each other that can run part by part."""
        apart = parts() > 1 and not profile.active  # which tells kernel by kernel
        made = {group.bit: self._made(group, apart) for group in self.plan.groups}
        runs: list[tuple[list[Group], Chain | None]] = [(self.plan.groups, None)]
        if apart:
            around = Surroundings(parts(), self._stands, ERROR, frozenset(self.graph.inputs))
            links = {bit: None if isinstance(one, Node) else around.links(one) for bit, one in made.items()}
            runs = in_order(self.plan.groups, links)
        for groups, chain in runs:
            first = len(self.stages)
            pays = chain is not None and chain.length > 1 and chain.work >= CHAIN_FACTOR * PARALLEL_WORK
            for group in groups:
                unlinked = apart and not pays and group.head is not None
                self._add(self._made(group, apart=False) if unlinked else made[group.bit])
            if chain is not None and pays:
                self._chains.append((first, len(self.stages) - 1, chain))

    def _made(self, group: Group, apart: bool) -> list[Stage] | Node:
        """A group's stages; its node, if the reference computes it."""
        first = group.roots[0]
        if first.id in self.plan.host:
            return first
        return self._stages(group, apart) if any(node.type.elements for node in group.roots) else []

    def _add(self, made: list[Stage] | Node) -> None:
        if isinstance(made, Node):
            self._note(made, [*map(self.plan.memory, made.inputs)])
            self.stages.append(made)
            return
        for stage in made:
            self._note(None, stage.buffers)
            self.stages.append(stage)

    def _stages(self, group: Group, apart: bool) -> list[Stage]:
        stores = [
            self._store(node, group) for node in group.roots if node.id in self._kept and node.id in group.elements
        ]
        name = "+".join(type(node.primitive).__name__ for node in group.roots)
        if group.closed:
            (node,) = group.roots
            return KERNELS[type(node.primitive)](node, self.plan, name)
        if group.head is not None:
            return tile(group, stores, self.plan, name, apart)
        return again.stages(Likeness([group.loops], stores, name), lambda: [nest(group.loops, stores, name)])

    def _store(self, node: Node, group: Group) -> Store:
        """Where a root's elements go: its own memory, an input's, or its place among others'."""
        here, element = group.here(node.shape), group.elements[node.id]
        if node.id in self.plan.strewn:
            whole, offset = self.plan.strewn[node.id]
            return Store(Piece(whole, offset), flat(here, whole.shape), element)
        return Store(self._target.get(node.id, node), flat(here, node.shape), element)

    def _note(self, made: Node | None, buffers: Sequence[Hashable]) -> None:
        """These buffers are in use at this moment."""
        moment = len(self.stages)
        for key in (*buffers, *([made] if made is not None else ())):
            if key == ERROR or (isinstance(key, Node) and (key.id in self._feed_of or key.id in self._target)):
                continue
            home, offset_bytes = self._home(key)
            if home is not key:
                self._within[key] = home, offset_bytes
            self._sizes[home] = home.type.size_bytes if isinstance(home, Node) else home.size_bytes
            self._moments.setdefault(home, [moment, moment])[1] = moment

    def _home(self, key: Hashable) -> tuple[Any, int]:
        """The buffer in which another one stands, and where, in bytes; itself, if it stands alone."""
        offset = 0
        if isinstance(key, Piece):
            offset, key = key.offset, key.node
        while isinstance(key, Node) and key.id in self.plan.laid:
            key, further = self.plan.laid[key.id]
            offset += further
        return key, offset * key.dtype.itemsize if isinstance(key, Node) else 0

    def _stands(self, key: Hashable) -> tuple[Hashable, int]:
        """The memory in which a buffer stands, an input's too, and where in it, in bytes."""
        return self._home(self._target.get(key.id, key) if isinstance(key, Node) else key)

    def _finish(self) -> None:
        outputs: dict[Node, int] = {}
        for index, node in enumerate(self.graph.outputs):
            if node.id not in self._target and self.over[index] is None:
                outputs[node] = index
        for node, index in self.copies:
            self._copy_over(node, index)
        inner = {
            key: (self._sizes[key], first, last) for key, (first, last) in self._moments.items() if key not in outputs
        }
        spans = [
            Span(first, last, frozenset(key for key in inner if chain.splits(key, self._sizes[key])))
            for first, last, chain in self._chains
        ]
        offsets, size = placed(inner, spans)
        self.arena = arena(size)
        within = {key: offsets[home] + offset_bytes for key, (home, offset_bytes) in self._within.items()}
        self._offsets = offsets | within
        self._slots: dict[Hashable, int] = {}
        for key in (*self.graph.inputs, *outputs, *self._offsets, ERROR):
            self._slots[key] = len(self._slots)
        for node in self.graph.outputs:
            if node.id in self._target:
                self._slots[node] = self._slots[self._target[node.id]]
        self._slot_count = len(self._offsets) + len(outputs) + len(self.graph.inputs) + 1
        self._outputs = outputs
        self._parts = self._programs()
        made = {node: index for index, node in enumerate(outputs)}
        self.places = [
            made[node] if over is None else len(made) + over
            for node, over in zip(self.graph.outputs, self.over, strict=True)
        ]
        first = self._parts[0]
        self.whole = first if len(self._parts) == 1 and isinstance(first, Launches) else None
        self.results = Results([node.type for node in outputs])

    def _copy_over(self, node: Node, index: int) -> None:
        """At the end, an output goes into its input's memory."""
        fed = self.graph.inputs[index]
        record = PARTS.get(node.dtype, node.dtype)  # a complex number is two real ones
        loop = Var(node.type.size_bytes // record.itemsize)
        store = Store(fed, place(loop), Load(record, node, place(loop), None))
        stage = nest((loop,), [store], "Copy")
        self._note(None, stage.buffers)
        self.stages.append(stage)

    def _programs(self) -> list[Launches | Node]:
        """The stages between nodes that the reference computes, each run of them one native call."""
        runs: list[Launches | Node] = []
        for native, run in groupby(self._launched(), lambda one: isinstance(one, Launch)):
            launched = list(run)
            runs += [self._launches(launched)] if native else launched  # type: ignore[arg-type]
        return runs or [self._launches([])]

    def _launched(self) -> Iterator[Launch | Node]:
        """What runs, in order; a chain is one launch."""
        found = iter(addresses([stage.text for stage in self.stages if isinstance(stage, Stage)]))
        ends = {first: last for first, last, _ in self._chains}
        links: list[Launch] = []
        end = -1  # of the latest chain
        self._shown: list[Stage | Node] = []  # what the profile tells of each
        for number, stage in enumerate(self.stages):
            if isinstance(stage, Node):
                self._shown.append(stage)
                yield stage
                continue
            slots = tuple(self._slots[key] for key in stage.buffers)
            launch = Launch(next(found), slots, stage.tasks, _grain(stage), ERROR in stage.buffers)
            end = ends.get(number, end)
            if number > end:
                self._shown.append(stage)
                yield launch
                continue
            links.append(launch)
            if number == end:
                self._shown.append(together(self.stages[number + 1 - len(links) : number + 1]))
                yield chained(links, parts())
                links = []

    def _launches(self, launches: list[Launch]) -> Launches:
        fixed = {self._slots[key]: self.arena.address + offset for key, offset in self._offsets.items()}
        feeds = [(self._slots[node], _is_number(node)) for node in self.graph.inputs]
        outputs = [self._slots[key] for key in self._outputs]
        work = sum(stage.work for stage in self.stages if isinstance(stage, Stage))
        return Launches(
            self._slot_count, fixed, feeds, outputs, launches,
            error=self._slots[ERROR], release=work > TINY_WORK, owner=self.arena,
        )  # fmt: skip

    # Running

    def function(self) -> Run:
        """The program as engines are called: feeds -> outputs."""
        run = self.whole.call if self.whole is not None and not profile.active else self._run_parts
        return Function(self, run, self._pick())

    def _pick(self) -> Callable[[list[Any]], Sequence[Any]]:
        """Finds the results, in order, among the arrays that were made and the feeds."""
        places = self.places
        if places == list(range(len(self._outputs))):
            return lambda values: values[: len(places)]
        return itemgetter(*places) if len(places) > 1 else lambda values: (values[places[0]],)

    def call_again(self, call: Run, feeds: list[Any], code: int) -> Sequence[Any]:
        """What a run that compiled code has refused comes to: the error of the data, or a feed made plain first."""
        index = -1 - code
        if index not in range(len(feeds)) or index in self.over:
            return self.fallback(feeds)
        plain = np.array(feeds[index], self.graph.inputs[index].dtype.numpy, order="C", copy=True)
        return call([*feeds[:index], plain, *feeds[index + 1 :]])

    def _run_parts(self, feeds: list[Any], outputs: list[Array]) -> int:
        """Native calls and what the reference computes between them."""
        places = dict(zip(self._outputs, outputs, strict=True))
        stages = iter(self._shown)
        for part in self._parts:
            if isinstance(part, Launches):
                code = part.call(feeds, outputs) if not profile.active else self._profiled(part, stages, feeds, outputs)
                if code:
                    return code
                continue
            next(stages)
            inputs = [self._array(source, feeds, places) for source in part.inputs]
            try:
                with np.errstate(all="ignore"):
                    self._array(part, feeds, places)[...] = part.primitive.reference(*inputs)
            except REFUSALS:
                return REFUSED
        profile.runs += 1
        return 0

    def _profiled(self, part: Launches, stages: Iterator[Stage | Node], feeds: list[Any], outputs: list[Array]) -> int:
        code, times_s = part.call_timed(feeds, outputs)
        if code:
            return code  # the run is done again
        profile.add([stage for stage in islice(stages, len(times_s)) if isinstance(stage, Stage)], times_s)
        return code

    def _array(self, node: Node, feeds: list[Any], places: dict[Node, Array]) -> Array:
        """The value of a node that has memory, as an array."""
        base = self.plan.memory(node)
        if base.id in self._feed_of:
            return np.asarray(feeds[self._feed_of[base.id]]).reshape(node.shape)
        if base in places:
            return places[base].reshape(node.shape)
        return self.arena.array(self._offsets[base], node.shape, node.dtype.numpy)


@slotted
class Function:
    """A program to be called.

    Attributes:
        program: what it runs.
        launch: runs it: lists of feeds and outputs -> a code, see `Launches`.
        results: arrays for its outputs.
        arena: the memory in which it runs, one program at a time.
        pick: finds the results among outputs and feeds.
        again: what a run comes to that compiled code has refused.
    """

    __slots__ = ("again", "arena", "launch", "pick", "program", "results")

    def __init__(self, program: NativeProgram, launch: Call, pick: Callable[..., Any]) -> None:
        self.program = program
        self.launch = launch
        self.pick = pick
        self.results = program.results
        self.arena = program.arena
        self.again = program.call_again

    @hot
    def __call__(self, feeds: list[Any]) -> Sequence[Any]:
        arena = self.arena
        if arena.busy:
            return self.program.fallback(feeds)  # another program is at work in the same memory
        arena.busy = True
        try:
            outputs = self.results.fresh()
            code = self.launch(feeds, outputs)
        finally:
            arena.busy = False
        if code:
            outputs.clear()  # nobody holds these arrays while it runs again
            return self.again(self, feeds, code)
        return self.pick(outputs + feeds)  # type: ignore[no-any-return]


def _all(group: Group) -> list[Any]:
    return list(walk(list(group.elements.values())))


def _is_number(node: Node) -> bool:
    return node.type.elements == 1 and not node.shape and node.dtype.name == "float64"


def _grain(stage: Stage) -> int:
    if stage.work < PARALLEL_WORK or stage.tasks < 2:
        return 0
    chunks = min(max(int(stage.work / CHUNK_WORK), 2), stage.tasks)
    cores = host().cores
    # Evenly to the cores: of chunks large enough, those with which the core that has most has least.
    grains = [-(-stage.tasks // count) for count in (*range(chunks, max(chunks - 16, 1), -1), min(cores, chunks))]
    best: int = min(grains, key=lambda grain: -(-stage.tasks // (grain * cores)) * grain)
    return best


def _with_copies(graph: Graph) -> Graph:
    """The graph with a copy for each output that cannot be made in memory of its own: an input, another output ..."""
    fed, seen = {node.id for node in graph.inputs}, set()
    nodes, outputs = list(graph.nodes), []
    for node in graph.outputs:
        # What is laid side by side has memory that its parts know before a run.
        if node.id in fed or node.id in seen or (isinstance(node.primitive, Concat) and is_own(node)):
            node = Node(len(nodes), Copy(), (node,), node.type, node.phase, node.scope, node.source)
            nodes.append(node)
        seen.add(node.id)
        outputs.append(node)
    return replace(graph, nodes=tuple(nodes), outputs=tuple(outputs))
