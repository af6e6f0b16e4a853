"""A picture of a step: which blocks are open, where everything stands. Each way of opening it is a *view*."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from kadam.lens.draw.blocks import Block, Role, tree
from kadam.lens.draw.face import COARSE, FINE, Face, face, text_width
from kadam.lens.draw.facts import Facts, shape_of, shown
from kadam.lens.draw.layout import Layout, Line, Point, arrange
from kadam.lens.step import Step

GAP = 50.0  # between ranks
SIDES = 16.0  # of an open block
BOTTOM = 8.0
PORT = 26.0
MANY = 24  # blocks with parameters, above which their heat maps are coarse
UNDER_HEADER = 20.0  # how much nearer to the title the first boxes stand
FIRST_LOOK = 16  # boxes up to which blocks are opened from the beginning


Frame = tuple[float, float, float, float, float]


@dataclass(frozen=True)
class Flow:
    """What leaves a block: its shape, its value in short, its gradient in short."""

    shape: str
    value: str
    gradient: str

    @property
    def width(self) -> float:
        return max(text_width(f"{self.shape}  {self.value}", "flow"), text_width(self.gradient, "flow")) + 10


@dataclass(frozen=True)
class Edge:
    """A line of a view.

    Attributes:
        key: the same for the same line in all views.
        route: the points through which it leads.
        gradient: whether a gradient flows back along it.
        starts, ends: whether it does so at a block; else at the edge of an open one.
    """

    key: str
    route: tuple[Point, ...]
    gradient: bool
    starts: bool = True
    ends: bool = True


@dataclass
class View:
    """Where everything stands if certain blocks are open.

    Attributes:
        open: keys of the open blocks.
        boxes: of each closed block the left upper corner.
        frames: of each open one: x, y, width, height, and where lines leave, from its left.
        edges: all lines.
    """

    open: frozenset[str]
    boxes: dict[str, Point] = field(default_factory=dict)
    frames: dict[str, Frame] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0


@dataclass(frozen=True)
class _Incoming:
    """A line into an open block: what it carries."""

    key: str
    values: frozenset[int]


@dataclass
class _Level:
    """An open block, laid out: what it holds, in its own coordinates."""

    width: float
    height: float
    ports: list[float]  # where each incoming line arrives, from the left
    exit: float  # where lines leave
    view: View


class Picture:
    """A step as blocks and views.

    Attributes:
        root: all blocks.
        key_of: of each block its key, such as `b3`; its keys do not depend on views.
        faces, flows: of each block, by key.
        first: keys of the blocks that are open at first.

    Args:
        apart: path of a module that is not folded into a repeat.
    """

    def __init__(self, step: Step, say: Callable[..., str], apart: str = "") -> None:
        self.step, self.say, self.apart = step, say, apart
        self.facts = Facts(step)
        self.root = tree(step, say, apart)
        self.blocks: dict[str, Block] = {}
        self.key_of: dict[int, str] = {}
        self.parents: dict[str, str] = {}
        self._number(self.root, "")
        cells = FINE if sum(1 for block in self.blocks.values() if block.parameters) <= MANY else COARSE
        self.faces: dict[str, Face] = {
            key: face(block, self.facts, say, cells) for key, block in self.blocks.items() if block is not self.root
        }
        self.flows: dict[str, Flow] = {}
        self._links: dict[str, list[list[tuple[str, int]]]] = {}
        self.first = self._opened_first()

    def _number(self, block: Block, parent: str) -> None:
        key = f"b{len(self.blocks)}"
        self.blocks[key], self.key_of[id(block)] = block, key
        self.parents[key] = parent
        for child in block.children:
            self._number(child, key)

    def groups(self) -> list[str]:
        """Keys of the blocks that can be opened."""
        return [key for key, block in self.blocks.items() if block.is_group and block is not self.root]

    def key_at(self, path: str) -> str:
        """The key of the block of a module, by its path, or of one that can be opened, by its title; else nothing."""
        modules = [key for key, block in self.blocks.items() if block.path == path and block.role is not Role.LINE]
        titled = [key for key in self.groups() if self.blocks[key].title == path]
        return next(iter([*modules, *titled]), "")

    def _opened_first(self) -> frozenset[str]:
        opened, boxes = {"b0"}, len(self.root.children)
        waiting = list(self.root.children)
        while waiting:
            block = waiting.pop(0)
            if block.is_group and boxes - 1 + len(block.children) <= FIRST_LOOK:
                opened.add(self.key_of[id(block)])
                boxes += len(block.children) - 1
                waiting.extend(block.children)
        return frozenset(opened)

    def opening(self, key: str) -> frozenset[str]:
        """The first look, and a block opened in it with all that it is in."""
        return self.first | self.around(key)

    def around(self, key: str) -> frozenset[str]:
        """A block and all that it is in; nothing else is open."""
        found = set()
        while key:
            if self.blocks[key].is_group:
                found.add(key)
            key = self.parents[key]
        return frozenset(found)

    def everything(self) -> frozenset[str]:
        """All that can be opened."""
        return frozenset([*self.groups(), "b0"])

    def view(self, opened: frozenset[str]) -> View:
        """Lay out a view."""
        level = self._level("b0", [], opened)
        level.view.width, level.view.height = level.width, level.height
        return level.view

    def _reads(self, block: Block) -> list[int]:
        """The values that a block takes from elsewhere, in order."""
        found: dict[int, None] = {}
        for node in block.nodes:
            for one in node.inputs:
                if one.id not in block.ids:
                    found[one.id] = None
        return list(found)

    def _reading(self, key: str) -> list[list[tuple[str, int]]]:
        """For each child of a block what it reads: (key of the child that makes it, or nothing; node id)."""
        if key not in self._links:
            children = self.blocks[key].children
            maker = {one: self.key_of[id(child)] for child in children for one in child.ids}
            self._links[key] = [[(maker.get(one, ""), one) for one in self._reads(child)] for child in children]
            if children[-1].role is Role.FAULT and len(children) > 1:
                before = children[-2]
                self._links[key][-1] = [(self.key_of[id(before)], before.output.id)]
        return self._links[key]

    def flow(self, key: str) -> Flow:
        """What leaves a block."""
        if key not in self.flows:
            node = self.blocks[key].output
            value, gradient = self.facts.value(node), self.facts.gradient(node)
            self.flows[key] = Flow(
                shape_of(node),
                "" if value is None else shown(value),
                "" if gradient is None else f"∂L {shown(gradient)}",
            )
        return self.flows[key]

    def _level(self, key: str, incoming: Sequence[_Incoming], opened: frozenset[str]) -> _Level:
        block = self.blocks[key]
        carried = {value: index for index, one in enumerate(incoming) for value in one.values}
        links = self._gathered(key, carried)
        levels: dict[str, _Level] = {}
        sizes: dict[object, tuple[float, float]] = {}
        for index in range(len(incoming)):
            sizes[index] = (PORT, 0.0)
        into: dict[str, list[tuple[object, frozenset[int]]]] = {}
        for (start, end), values in links.items():
            into.setdefault(end, []).append((start, frozenset(values)))
        for child in block.children:
            own = self.key_of[id(child)]
            if own in opened:
                arriving = [
                    _Incoming(f"{self._name(start, incoming)}-{own}", values) for start, values in into.get(own, ())
                ]
                levels[own] = self._level(own, arriving, opened)
                sizes[own] = (levels[own].width, levels[own].height)
            else:
                shape = self.faces[own]
                sizes[own] = (max(shape.width, self._label_width(child)), shape.height)
        exits: list[object] = []
        if key != "b0":
            sizes["exit"] = (PORT, 0.0)
            exits = ["exit"]
            last = self._leaving(block)
            links.update({(self.key_of[id(child)], "exit"): {child.output.id} for child in last})
        lines = self._lines(links, sizes, levels, into)
        placed = arrange(sizes, lines, GAP, list(range(len(incoming))), exits)
        return self._assembled(key, incoming, levels, sizes, links, placed, opened)

    def _name(self, start: object, incoming: Sequence[_Incoming]) -> str:
        return incoming[start].key if isinstance(start, int) else str(start)

    def _label_width(self, child: Block) -> float:
        """A box is so wide that what stands beside its line does not run into its neighbour's."""
        return 2 * self.flow(self.key_of[id(child)]).width - 30 if child.nodes else 0.0

    def _gathered(self, key: str, carried: Mapping[int, int]) -> dict[tuple[object, str], set[int]]:
        """Lines inside an open block: (child or number of the incoming line, child) -> ids of the values."""
        links: dict[tuple[object, str], set[int]] = {}
        for child, reads in zip(self.blocks[key].children, self._reading(key), strict=True):
            own = self.key_of[id(child)]
            for maker, value in reads:
                start: object | None = maker or carried.get(value)
                if start is not None:
                    links.setdefault((start, own), set()).add(value)
        return links

    def _leaving(self, block: Block) -> list[Block]:
        """The parts of a block whose values are read outside of what is shown of it."""
        inside = {one for child in block.children for one in child.ids}
        read = {one.id for node in self.root.nodes if node.id not in inside for one in node.inputs}
        return [child for child in block.children if child.ids & read] or [block.children[-1]]

    def _lines(
        self,
        links: Mapping[tuple[object, str], set[int]],
        sizes: Mapping[object, tuple[float, float]],
        levels: Mapping[str, _Level],
        into: Mapping[str, list[tuple[object, frozenset[int]]]],
    ) -> list[Line]:
        lines = []
        for start, end in links:
            leaves = levels[start].exit - sizes[start][0] / 2 if isinstance(start, str) and start in levels else 0.0
            sources = [one for one, _ in into.get(end, ())]
            arrives = levels[end].ports[sources.index(start)] - sizes[end][0] / 2 if end in levels else None
            lines.append(Line(start, end, leaves, arrives))
        return lines

    def _assembled(
        self,
        key: str,
        incoming: Sequence[_Incoming],
        levels: Mapping[str, _Level],
        sizes: Mapping[object, tuple[float, float]],
        links: Mapping[tuple[object, str], set[int]],
        placed: Layout,
        opened: frozenset[str],
    ) -> _Level:
        is_root = key == "b0"
        header = 0.0 if is_root else self.faces[key].text_height + 8 - (UNDER_HEADER if incoming else 0.0)
        left, top = (0.0, 0.0) if is_root else (SIDES, header)
        title = 0.0 if is_root else max(text_width(row.text, row.kind) for row in self.faces[key].rows) + 60
        width = max(placed.width + 2 * left, title)
        left += (width - placed.width - 2 * left) / 2
        view = View(opened)
        for child, (x, y) in placed.places.items():
            if isinstance(child, str) and child in levels:
                _merge(view, levels[child].view, x + left, y + top)
                inner = levels[child]
                view.frames[child] = (x + left, y + top, inner.width, inner.height, inner.exit)
            elif isinstance(child, str) and child != "exit":
                wide = (sizes[child][0] - self.faces[child].width) / 2
                view.boxes[child] = (x + left + wide, y + top)
        for (start, end), route in zip(links, placed.routes, strict=True):
            points = [(x + left, y + top) for x, y in route]
            if isinstance(start, int):
                points[0] = (points[0][0], 0.0)
            if end == "exit":
                points[-1] = (points[-1][0], placed.height + top + BOTTOM)
            name = f"{self._name(start, incoming)}-{end if end != 'exit' else f'{key}x'}"
            back = any(value in self.facts.gradients for value in links[start, end])
            view.edges.append(Edge(name, tuple(points), back, isinstance(start, str), end != "exit"))
        ports = [placed.places[index][0] + PORT / 2 + left for index in range(len(incoming))]
        leaves = placed.places["exit"][0] + PORT / 2 + left if "exit" in placed.places else width / 2
        return _Level(width, placed.height + top + (0.0 if is_root else BOTTOM), ports, leaves, view)


def _merge(view: View, inner: View, x: float, y: float) -> None:
    """Take the parts of an inner view into a view, at a place."""
    view.boxes.update({key: (at_x + x, at_y + y) for key, (at_x, at_y) in inner.boxes.items()})
    view.frames.update({key: (a + x, b + y, *rest) for key, (a, b, *rest) in inner.frames.items()})  # type: ignore[misc]
    for edge in inner.edges:
        view.edges.append(replace(edge, route=tuple((a + x, b + y) for a, b in edge.route)))
