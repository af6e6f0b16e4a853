"""A step's forward pass as a tree of blocks: modules, the lines between them, and what repeats."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import groupby, permutations

import numpy as np

from kadam.ir.graph import Node, Phase, Source
from kadam.lens.draw.naming import operation_name, written
from kadam.lens.step import ModuleCall, Parameter, Step
from kadam.primitives.sources import Input

LONGEST_PERIOD = 8  # blocks that repeat together
MOST_INPUTS = 4  # shown if none has a name


class Role(Enum):
    """What a block stands for."""

    INPUT = "input"
    MODULE = "module"
    LINE = "line"
    LOSS = "loss"
    REPEAT = "repeat"
    FAULT = "fault"


@dataclass(eq=False)
class Block:
    """A part of the forward pass.

    Attributes:
        role: what it stands for.
        title: its headline: a module's class, the user's words.
        note: what else there is to say in a line: a module's settings.
        path: of the module.
        nodes: all that it computes; of a repeat, of all its copies.
        children: its parts; of a repeat, those of the first copy.
        copies: of a repeat: the nodes of each copy.
        source: the program's line.
    """

    role: Role
    title: str
    nodes: tuple[Node, ...]
    note: str = ""
    path: str = ""
    children: tuple[Block, ...] = ()
    copies: tuple[tuple[Node, ...], ...] = ()
    source: Source | None = None
    parameters: tuple[Parameter, ...] = ()
    ids: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        self.ids = frozenset(node.id for node in self.nodes)

    @property
    def is_group(self) -> bool:
        return bool(self.children)

    @property
    def output(self) -> Node:
        """The value that it hands on."""
        return self.nodes[-1]

    def below(self) -> Iterable[Block]:
        """This block and all that are in it."""
        yield self
        for child in self.children:
            yield from child.below()


def forward_nodes(step: Step) -> list[Node]:
    """What the loss is computed from, in order; all of the forward pass if there is no loss, or the step failed."""
    if step.loss is None or step.fault is not None:
        needed = {node.id for node in step.graph.nodes if node.phase in (Phase.FORWARD, Phase.LOSS)}
    else:
        needed, waiting = set(), [step.loss]
        while waiting:
            node = waiting.pop()
            if node.id not in needed:
                needed.add(node.id)
                waiting.extend(node.inputs)
    fed: set[int] = set()  # what numbers alone lead to is a constant: it is prepared, not computed in the step
    owned = owners(step)
    for node in step.graph.nodes:
        given = isinstance(node.primitive, Input) and (node.rank > 0 or node.id in owned or node.id in step.names)
        if given or any(one.id in fed for one in node.inputs):
            fed.add(node.id)
    return [node for node in step.graph.nodes if node.id in needed and node.id in fed]


def owners(step: Step) -> dict[int, Parameter]:
    """Parameters and buffers by node id: those that are trained, and those that are a model's."""
    trains = any(one.next is not None for one in step.parameters)
    found = {
        one.value.id: one
        for one in step.parameters
        if not trains or one.next is not None or one.optimizer is not None or one.value.id in step.members
    }
    for node in step.graph.inputs:
        if node.id in step.members:
            found.setdefault(node.id, Parameter(step.names.get(node.id, ""), node))
    return found


def tree(step: Step, words: Callable[[str], str], apart: str = "") -> Block:
    """The forward pass as one block, whose children are the model's parts.

    Args:
        words: gives the reader's word for `input`, `label` and `gradient`.
        apart: path of a module that stands for itself, even if it repeats what is beside it.
    """
    return _Planter(step, words, apart).root()


class _Planter:
    def __init__(self, step: Step, words: Callable[[str], str], apart: str) -> None:
        self.step = step
        self.words = words
        self.apart = apart
        self.nodes = forward_nodes(step)
        self.calls: dict[str, list[ModuleCall]] = {}
        for call in step.calls:
            self.calls.setdefault(call.path, []).append(call)
        self.ends = {node.id: call for call in reversed(step.calls) for node in call.outputs}
        self.places: dict[Source | None, set[tuple[Phase, str]]] = {}
        for node in self.nodes:
            if node.inputs:
                self.places.setdefault(node.source, set()).add((node.phase, node.scope))
        self.owners = owners(step)

    def root(self) -> Block:
        computed = [node for node in self.nodes if node.inputs]
        children = [*self._inputs(), *_folded(self._level(computed, 0, ""), self.apart)]
        if self.step.fault is not None:
            children.append(self._fault())
        return Block(Role.MODULE, "", tuple(self.nodes), children=tuple(children))

    def _inputs(self) -> list[Block]:
        """The program's data: what enters and is neither a parameter nor a number."""
        found = [
            node
            for node in self.nodes
            if isinstance(node.primitive, Input) and node.id not in self.owners and node.rank > 0
        ]
        given = {node.id for call in self.step.calls if call.depth == 0 for node in call.inputs}
        labels = {one.id for node in self.nodes if node.phase is Phase.LOSS for one in node.inputs}
        kept = [node for node in found if node.id in self.step.names or node.id in given or node.id in labels]
        kept = kept or found[:MOST_INPUTS]
        others = [node for node in found if node not in kept]
        return [
            Block(
                Role.INPUT,
                self.step.names.get(node.id) or self.words("label" if node.id in labels else "input"),
                (*[other for other in others if self._is_turned(other, node)], node),
                source=node.source,
            )
            for node in kept
        ]

    def _is_turned(self, node: Node, original: Node) -> bool:
        """Whether an input is another one with its axes in another order: data are turned before the step sees them."""
        values = self.step.trace.values
        if node.id not in values or original.id not in values or sorted(node.shape) != sorted(original.shape):
            return False
        here, there = values[node.id], values[original.id]
        return any(np.array_equal(here, there.transpose(axes)) for axes in permutations(range(there.ndim)))

    def _fault(self) -> Block:
        fault = self.step.fault
        assert fault is not None
        return Block(Role.FAULT, fault.error, (), fault.told, fault.scope, source=fault.source)

    def _level(self, nodes: Sequence[Node], depth: int, path: str) -> list[Block]:
        """The blocks that consecutive nodes of one module fall into."""

        def part(node: Node) -> tuple[Phase, str | None]:
            if node.phase is not Phase.FORWARD:
                return node.phase, None
            names = node.scope.split(".") if node.scope else []
            return node.phase, names[depth] if len(names) > depth else None

        blocks: list[Block] = []
        for (phase, name), group in groupby(nodes, part):
            members = list(group)
            if phase is Phase.LOSS:
                blocks += self._losses(members)
            elif phase is not Phase.FORWARD:
                blocks.append(self._block(Role.LINE, members, self.words("gradient")))
            elif name is None:
                blocks += self._lines(members, path)
            else:
                inner = f"{path}.{name}" if path else name
                blocks += [self._module(piece, depth + 1, inner) for piece in self._pieces(members, inner)]
        return blocks

    def _pieces(self, nodes: list[Node], path: str) -> list[list[Node]]:
        """The nodes of one module, a list per call."""
        ends = sorted(max(node.id for node in call.outputs) for call in self.calls.get(path, ()) if call.outputs)
        pieces: list[list[Node]] = [[]]
        for node in nodes:
            if pieces[-1] and ends and node.id > ends[0]:
                pieces.append([])
            while ends and node.id > ends[0]:
                ends.pop(0)
            pieces[-1].append(node)
        return pieces

    def _module(self, nodes: list[Node], depth: int, path: str) -> Block:
        call = self._call(nodes, path)
        children = _folded(self._level(nodes, depth, path), self.apart)
        if len(children) == 1 and (children[0].role is Role.LINE or call is None):
            only = children[0]
            if call is None:
                return only
            children = []
        title, note = (call.kind, call.settings) if call is not None else (path.rpartition(".")[2], "")
        return self._block(
            Role.MODULE,
            nodes,
            title,
            _short(note) if not children else "",
            path,
            tuple(children),
            source=None if call is None else call.source,
        )

    def _call(self, nodes: list[Node], path: str) -> ModuleCall | None:
        calls = self.calls.get(path, ())
        ids = {node.id for node in nodes}
        return next((call for call in calls if any(one.id in ids for one in call.outputs)), calls[0] if calls else None)

    def _losses(self, nodes: list[Node]) -> list[Block]:
        blocks = []
        for _, group in groupby(nodes, lambda node: node.source):
            members = list(group)
            call = self.ends.get(members[-1].id)
            if call is None or not call.kind.endswith("Loss"):
                blocks.append(self._block(Role.LOSS, members, operation_name(self.step, members)))
            else:
                blocks.append(self._block(Role.LOSS, members, call.kind, _short(call.settings)))
        return blocks

    def _lines(self, nodes: list[Node], path: str) -> list[Block]:
        """What stands in a module's own lines, a block each."""
        groups = groupby(nodes, lambda node: node.source)
        return [self._line(list(members), source, path) for source, members in groups]

    def _line(self, nodes: list[Node], source: Source | None, path: str) -> Block:
        """A line as it is written; one that calls modules too, or that is no line of the user's, by its operations."""
        call = self.ends.get(nodes[-1].id)
        is_loss = self.step.loss is not None and any(node is self.step.loss for node in nodes)
        if not is_loss and not path and call is not None and not call.path and call.source == source:
            return self._block(Role.MODULE, nodes, call.kind, _short(call.settings), source=source)
        of_library = not is_loss and any(one.source == source for one in self.calls.get(path, ()))
        title = "" if of_library or self._is_divided(source, path) else written(source)
        role = Role.LOSS if is_loss else Role.LINE
        return self._block(role, nodes, title or operation_name(self.step, nodes), path=path)

    def _is_divided(self, source: Source | None, path: str) -> bool:
        """Whether a line of a module does more than what stands in the module itself: it calls others, say."""
        inner = f"{path}." if path else ""
        parts = self.places.get(source, set())
        return any(phase is not Phase.FORWARD or (scope != path and scope.startswith(inner)) for phase, scope in parts)

    def _block(
        self,
        role: Role,
        nodes: Sequence[Node],
        title: str,
        note: str = "",
        path: str = "",
        children: tuple[Block, ...] = (),
        source: Source | None = None,
    ) -> Block:
        used = dict.fromkeys(one.id for node in nodes for one in node.inputs if one.id in self.owners)
        parameters = tuple(self.owners[one] for one in used)
        return Block(
            role, title, tuple(nodes), note, path, children, source=source or nodes[0].source, parameters=parameters
        )


_USUAL = re.compile(
    r"\w+=(True|False)|eps=.*|momentum=.*|dilation=1|padding=0|stride=\(1, 1\)|ceil_mode=.*|approximate='none'|"
    r"start_dim=1|end_dim=-1"
)


def _short(settings: str) -> str:
    """`2 → 3` of `in_features=2, out_features=3, bias=True`: without names and what is usual."""
    kept = [part for part in re.split(r", (?![^(]*\))", settings) if part and not _USUAL.fullmatch(part)]
    kept = [re.sub(r"^(in_features|out_features|in_channels|out_channels)=", "", part) for part in kept]
    kept = [re.sub(r"^kernel_size=\((\d+), (\d+)\)$", r"\1×\2", part) for part in kept]
    if len(kept) > 1 and kept[0].isdigit() and kept[1].isdigit():
        kept[:2] = [f"{kept[0]} → {kept[1]}"]
    return ", ".join(kept)


def _signature(block: Block) -> tuple[object, ...]:
    """What two blocks have in common if one repeats the other."""
    inner: tuple[object, ...] = tuple(_signature(child) for child in block.children)
    if not inner:
        inner = tuple((type(node.primitive), node.type) for node in block.nodes)
    name = "" if block.role is Role.MODULE and block.children else block.title
    return block.role, name, len(block.copies), inner


def _folded(blocks: list[Block], apart: str) -> list[Block]:
    """Blocks with runs of the same made one; what holds the module `apart` is like no other."""
    signatures = [(object(),) if _holds(block, apart) else _signature(block) for block in blocks]
    result: list[Block] = []
    at = 0
    while at < len(blocks):
        period, times = _run(signatures, at)
        run = blocks[at : at + period * times]
        if times > 1 and (times > 2 or run[0].is_group):
            result.append(_repeat(run, period, times))
            at += period * times
        else:
            result.append(blocks[at])
            at += 1
    return result


def _holds(block: Block, path: str) -> bool:
    return bool(path) and any(one.role is not Role.LINE and one.path == path for one in block.below())


def _run(signatures: list[tuple[object, ...]], at: int) -> tuple[int, int]:
    """The period, and how often it repeats from here, by which most blocks become one."""
    best = (1, 1)
    for period in range(1, min(LONGEST_PERIOD, (len(signatures) - at) // 2) + 1):
        first, times = signatures[at : at + period], 1
        while signatures[at + period * times : at + period * (times + 1)] == first:
            times += 1
        if times > 1 and period * times > best[0] * best[1]:
            best = (period, times)
    return best


def _repeat(run: list[Block], period: int, times: int) -> Block:
    copies = [run[index * period : (index + 1) * period] for index in range(times)]
    nodes = tuple(node for block in run for node in block.nodes)
    first, last = copies[0][0], copies[-1][-1]
    children = first.children if period == 1 and first.is_group else tuple(copies[0])
    parameters = tuple({id(one): one for block in run for one in block.parameters}.values())
    title = first.title if period == 1 else " · ".join(dict.fromkeys(block.title for block in copies[0]))
    path = first.path if first.path == last.path else f"{first.path} … {last.path}" if first.path else ""
    return Block(
        Role.REPEAT,
        title,
        nodes,
        "",
        path,
        children,
        tuple(tuple(node for block in copy for node in block.nodes) for copy in copies),
        first.source,
        parameters,
    )
