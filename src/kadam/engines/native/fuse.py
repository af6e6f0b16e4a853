"""Which values of a graph get memory, and which are computed together: a graph becomes groups, each one kernel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field

from kadam.engines.native.element import Element, Load, Reading, Unreadable
from kadam.engines.native.nest import COSTS
from kadam.ir.graph import Graph, Node
from kadam.ir.lowering import NotLowered
from kadam.ir.place import Index, Place, Var, place
from kadam.ir.primitive import Primitive, View
from kadam.primitives.broadcast import Sum
from kadam.primitives.contract import Dot
from kadam.primitives.convolve import Convolution
from kadam.primitives.elementwise import Cast, Elementwise, Where
from kadam.primitives.move import Concat, Detach, Reshape
from kadam.primitives.pool import WindowArgMax, WindowPlace, WindowSpread, WindowSum
from kadam.primitives.reduce import ArgMax, ArgMin, Max, Min, Prod
from kadam.primitives.sources import Full, Input, Iota
from kadam.primitives.window import Overlap
from kadam.shapes import Shape, count

FOLDS = (Sum, Max, Min, Prod, ArgMax, ArgMin, WindowSum, WindowSpread, WindowPlace, Overlap)
CHEAP = 3  # additions that are rather done again than stored and loaded
DEEPEST = 40  # nodes that melt into one element, one below the other
WIDEST = 120  # what they may cost together
LONGEST_IN_TILE = 14  # additions of a function that is computed in a tile's registers, at most
LARGEST_GROUP = 24  # values that one kernel computes: more would be slow to compile
SMALLEST_TILE = 2_048  # multiplications below which a contraction is a plain sum of products


@dataclass(eq=False)
class Group:
    """Values that one kernel computes at the points of one shape.

    Attributes:
        roots: the values, in topological order.
        loops: a variable for each axis of more than one element.
        reading: how the kernel sees other values.
        elements: of each root at the present point.
        head: the contraction or convolution in whose registers the points begin; it is a root too.
        closed: nothing may be added: the kernel is made by an algorithm of its own.
    """

    roots: list[Node]
    shape: Shape
    reading: Reading
    loops: tuple[Var, ...]
    elements: dict[int, Element] = field(default_factory=dict)
    head: Node | None = None
    closed: bool = False
    bit: int = 0
    needs: int = 0  # bits of the groups whose values it reads
    after: int = 0  # bits of all groups that must have run before

    def here(self, shape: Shape) -> Index:
        """The present point as an index of a shape that differs by axes of one element at most."""
        loops = iter(self.loops)
        return tuple(Place() if size == 1 else place(next(loops)) for size in shape)


def squeezed(shape: Shape) -> Shape:
    """A shape without its axes of one element."""
    return tuple(size for size in shape if size != 1)


def is_lowered(node: Node) -> bool:
    """Whether a node is written in terms of elements."""
    primitive = node.primitive
    if any(one.dtype.is_complex for one in (node, *node.inputs)):
        return False
    return type(primitive).lower is not Primitive.lower


def is_tile(node: Node) -> bool:
    """Whether a node has a kernel that makes its results in registers, tile by tile."""
    if isinstance(node.primitive, WindowArgMax):
        return not node.inputs[0].dtype.is_complex
    if not node.dtype.is_floating_point:
        return False
    if isinstance(node.primitive, Dot):
        a = node.inputs[0]
        inner = count([a.shape[axis] for axis in node.primitive.a_axes])
        batch = count([a.shape[axis] for axis in node.primitive.a_batch])
        return inner >= 8 and inner * node.type.elements >= SMALLEST_TILE and node.type.elements > batch
    return isinstance(node.primitive, Convolution)


class Plan:
    """The groups of a graph.

    Attributes:
        roots: ids of the nodes that a group computes.
        inner: ids of the nodes that melt into what reads them.
        groups: in an order in which they can run.
        host: ids of the nodes that the reference computes.
        laid: id of a root that is made in its place in a concatenation's memory -> that, and the place in elements.
        strewn: the same for one whose rows stand apart there, and which only that reads, once.
        factors: id of a node whose memory is an operand of tiled products -> of how many.
    """

    def __init__(self, graph: Graph, own: Callable[[Node], bool]) -> None:
        """Args: own: whether an algorithm of the engine's own computes a node that is not lowered, or better so."""
        self.graph = graph
        self.fed = {node.id for node in graph.inputs}
        self._own = own
        self.users = graph.users()
        self.roots: set[int] = set()
        self.inner: set[int] = set()
        self.host: set[int] = set()
        self.factors: Counter[int] = Counter()
        self._choose_roots()
        self.laid: dict[int, tuple[Node, int]] = {}
        self.strewn: dict[int, tuple[Node, int]] = {}
        for node in graph.nodes:
            if node.id in self.single and isinstance(node.primitive, Concat):
                self._lay(node, node.primitive.axis)
        self.group_of: dict[int, Group] = {}
        self._groups: dict[int, Group] = {}
        self._made = 0
        self._sources: dict[int, frozenset[int]] = {}
        self._form_groups()
        self.groups = self.ordered()

    # Which values get memory

    def _choose_roots(self) -> None:
        nodes = self.graph.nodes
        costs, depths = self._chains()
        self.tiles = {node.id for node in nodes if is_tile(node)}
        self.single = {
            node.id
            for node in nodes
            if node.id not in self.fed and node.id not in self.tiles and (self._own(node) or not is_lowered(node))
        }
        self.host = {one for one in self.single if not self._own(nodes[one])}
        wanted = {node.id for node in self.graph.outputs}
        for node in nodes:
            if node.id in self.single and node.id not in self.host:
                wanted.add(node.id)
                if isinstance(node.primitive, Concat):
                    wanted.update(self._memory_of(source).id for source in node.inputs)
            elif node.id in self.tiles or node.id in self.host:
                wanted.add(node.id)
                strided = isinstance(node.primitive, Dot) and node.id in self.tiles
                find = self._seen_memory if strided else self._memory_of
                read = [find(source).id for source in node.inputs]
                wanted.update(read)
                self.factors.update(read)
        points: dict[int, int] = {}  # at how many points a melted node would be computed
        sinks: dict[int, set[int]] = {}
        for node in reversed(nodes):
            if node.id in self.fed:
                continue
            sinks[node.id], points[node.id] = self._read_by(node, sinks, points)
            again = points[node.id] > node.type.elements > 1
            melts = (
                node.id not in wanted
                and not isinstance(node.primitive, FOLDS)
                and not isinstance(node.primitive, Dot)
                and depths[node.id] < DEEPEST
                and costs[node.id] < WIDEST
                and (
                    isinstance(node.primitive, (View, Full, Iota))
                    or costs[node.id] <= CHEAP
                    or (len(sinks[node.id]) <= 1 and not again and self._at_one_place(node))
                    or node.type.elements == 1
                )
            )
            (self.inner if melts else self.roots).add(node.id)

    def _at_one_place(self, node: Node) -> bool:
        """Whether those that read a node surely read it at one place: else each might compute it anew."""
        users = self.users[node.id]
        return len(users) == 1 or all(isinstance(one.primitive, (Elementwise, Cast, Where)) for one in users)

    def _read_by(self, node: Node, sinks: dict[int, set[int]], points: dict[int, int]) -> tuple[set[int], int]:
        """The roots that read a node through melted ones, and at how many points."""
        found: set[int] = set()
        most = 0
        for user in self.users[node.id]:
            if user.id in self.roots:
                found.add(user.id)
                most = max(most, node.type.elements if isinstance(user.primitive, FOLDS) else user.type.elements)
            else:
                found |= sinks[user.id]
                most = max(most, points[user.id])
        return found, most

    def _chains(self) -> tuple[dict[int, float], dict[int, int]]:
        """What each node costs, and how deep it is, with all that would melt into it."""
        costs: dict[int, float] = {}
        depths: dict[int, int] = {}
        for node in self.graph.nodes:
            own = 0.0 if isinstance(node.primitive, (View, Full, Input)) else float(
                COSTS.get(type(node.primitive).__name__, 1)
            )  # fmt: skip
            depth = 0
            for source in dict.fromkeys(node.inputs):
                if source.id in self.fed:
                    continue
                melts = not isinstance(source.primitive, (*FOLDS, Dot, Convolution))
                if not melts or costs[source.id] >= WIDEST or depths[source.id] >= DEEPEST:
                    continue
                depth = max(depth, depths[source.id] + 1)
                if costs[source.id] <= CHEAP or len(self.users[source.id]) == 1 or isinstance(source.primitive, View):
                    own += costs[source.id]
            costs[node.id], depths[node.id] = own, depth
        return costs, depths

    def _memory_of(self, node: Node) -> Node:
        """The node in whose row-major memory the elements of a node stand in their order."""
        while isinstance(node.primitive, (Reshape, Detach)) and node.id not in self.fed:
            node = node.inputs[0]
        return node

    def _seen_memory(self, node: Node) -> Node:
        """The node in whose memory the elements of a node stand at regular distances; itself, if need be."""
        base, views = node, set()
        while isinstance(base.primitive, View) and base.id not in self.fed:
            views.add(base.id)
            base = base.inputs[0]
        return base if operand(Reading(views), node)[2] is not None else node

    def _lay(self, node: Node, axis: int) -> None:
        """Let the parts of a concatenation be made where they belong, as far as their makers can write there."""
        wanted = {one.id for one in self.graph.outputs}
        contiguous, start = count(node.shape[:axis]) == 1, 0
        for part in node.inputs:
            root = self._memory_of(part) if contiguous else part
            free = root.id in self.roots and root.id not in wanted and root.id not in self.laid and part.type.elements
            if free and contiguous:
                self.laid[root.id] = node, start
            elif free and self._is_written_by_point(root) and self._reads_alone(node, root):
                self.strewn[root.id] = node, start
            start += count(part.shape[axis:])

    def _reads_alone(self, node: Node, root: Node) -> bool:
        """Whether a node is the only one that reads a root, and does so once."""
        return len(self.users[root.id]) == 1 and node.inputs.count(root) == 1

    def _is_written_by_point(self, root: Node) -> bool:
        """Whether a root's kernel may write its elements anywhere."""
        return root.id not in self.single and not isinstance(root.primitive, (Convolution, WindowArgMax))

    def memory(self, node: Node) -> Node:
        """The root or input in whose memory an operand stands (see `_memory_of`)."""
        while node.id in self.inner:
            node = node.inputs[0]
        return node

    # Which are computed together

    def _form_groups(self) -> None:
        for node in self.graph.nodes:
            if node.id in self.fed:
                self._sources[node.id] = frozenset()
                continue
            self._sources[node.id] = frozenset().union(
                *({source.id} if source.id in self.roots else self._sources[source.id] for source in node.inputs)
            )
            if node.id in self.roots:
                self._place(node)

    def _place(self, node: Node) -> None:
        """Put a root into a group: one that it reads, if the two can be one kernel, or a new one."""
        reads = {self.group_of[one].bit: self.group_of[one] for one in self._sources[node.id]}
        if node.id in self.tiles or node.id in self.single:
            group = self._new(node)
            group.closed = node.id in self.single
            group.head = node if node.id in self.tiles else None
            if group.head is not None:
                group.elements[node.id] = group.reading.register(node, group.here(node.shape))
            self._depend(group, reads.values())
            return
        for group in sorted(reads.values(), key=lambda one: -one.bit):
            if self._join(node, group, reads.values()):
                self._absorb(group, [one for one in reads.values() if one is not group])
                return
        group = self._new(node)
        self._depend(group, reads.values())
        self._compute(node, group)

    def _new(self, node: Node) -> Group:
        shape = squeezed(node.shape)
        group = Group([node], shape, Reading(self.inner), tuple(map(Var, shape)), bit=1 << self._made)
        self._made += 1
        self._groups[group.bit] = group
        self.group_of[node.id] = group
        return group

    def _compute(self, node: Node, group: Group) -> None:
        here = group.here(node.shape)
        element = group.reading.computed(node, here)
        group.elements[node.id] = element
        group.reading.give(node, element, here)

    def _join(self, node: Node, group: Group, reads: Iterable[Group]) -> bool:
        if group.closed or group.shape != squeezed(node.shape) or len(group.roots) >= LARGEST_GROUP:
            return False
        if group.head is not None and (isinstance(node.primitive, (*FOLDS, Dot)) or self._is_long(node)):
            return False
        if any(one is not group and one.after & group.bit for one in reads):
            return False
        try:
            self._compute(node, group)
        except Unreadable:
            return False
        group.roots.append(node)
        self.group_of[node.id] = group
        self._depend(group, reads)
        return True

    def _is_long(self, node: Node) -> bool:
        """Whether what a root computes takes more registers, and more code for each of them, than a tile can spare."""
        waiting = [node]
        while waiting:
            one = waiting.pop()
            if COSTS.get(type(one.primitive).__name__, 1) > LONGEST_IN_TILE:
                return True
            waiting += [source for source in one.inputs if source.id in self.inner]
        return False

    def _depend(self, group: Group, reads: Iterable[Group]) -> None:
        before = group.after
        for one in reads:
            if one is not group:
                group.needs |= one.bit
                group.after |= one.bit | one.after
        if group.after == before or group.bit >> (self._made - 1):
            return  # nothing new for those that come after it, or the latest group, which none does yet
        for one in self._groups.values():
            if one.after & group.bit:
                one.after |= group.after

    def _absorb(self, group: Group, others: Iterable[Group]) -> None:
        """Take into a group those that it reads and that have its shape, where no third one stands between."""
        for other in others:
            if (
                other.closed
                or other.head is not None
                or group.shape != other.shape
                or len(group.roots) + len(other.roots) > LARGEST_GROUP
                or self._between(group, other)
                or (group.head is not None and not self._follows(other, group.head))
            ):
                continue
            self._merge(group, other)

    def _follows(self, group: Group, head: Node) -> bool:
        """Whether a group could be computed where a tile's results are: pointwise, and not the tile's own operand."""
        operands = self._sources[head.id]
        return not any(
            isinstance(one.primitive, (*FOLDS, Dot)) or one.id in operands or self._is_long(one) for one in group.roots
        )

    def _between(self, group: Group, other: Group) -> bool:
        """Whether a third group must run after one of two and before the other."""
        for first, second in ((group, other), (other, group)):
            needs = second.needs & ~first.bit
            if any(one.bit & needs and one.after & first.bit for one in self._groups.values()):
                return True
        return False

    def _merge(self, group: Group, other: Group) -> None:
        roots = sorted([*group.roots, *other.roots], key=lambda node: node.id)
        merged = Group(roots, group.shape, Reading(self.inner), group.loops, head=group.head, bit=group.bit)
        for node in roots:
            if node is merged.head:
                merged.elements[node.id] = merged.reading.register(node, merged.here(node.shape))
                continue
            try:
                self._compute(node, merged)
            except Unreadable:
                return
        group.roots, group.reading, group.elements = merged.roots, merged.reading, merged.elements
        group.needs = (group.needs | other.needs) & ~group.bit & ~other.bit
        group.after = (group.after | other.after) & ~group.bit & ~other.bit
        del self._groups[other.bit]
        for node in other.roots:
            self.group_of[node.id] = group
        for one in self._groups.values():
            if one.needs & other.bit:
                one.needs = one.needs & ~other.bit | group.bit
            if one.after & (other.bit | group.bit):
                one.after = (one.after & ~other.bit) | group.bit | group.after

    def order(self, before: Iterable[Group], group: Group) -> None:
        """Let a group run after others (none of which must run after it)."""
        self._depend(group, before)

    def ordered(self) -> list[Group]:
        """The groups so that each comes after those that it needs; otherwise in the graph's order."""
        ordered: list[Group] = []
        done = 0
        waiting = sorted(self._groups.values(), key=lambda one: one.roots[-1].id)
        while waiting:
            first = next(one for one in waiting if not one.needs & ~done)
            ordered.append(first)
            done |= first.bit
            waiting.remove(first)
        return ordered

    def stored(self) -> set[int]:
        """Ids of the roots that other groups read, or the caller wants."""
        found = {node.id for node in self.graph.outputs}
        for group in self.groups:
            own = {node.id for node in group.roots}
            for node in group.roots:
                found |= self._sources[node.id] - own
        return found


def operand(reading: Reading, node: Node) -> tuple[tuple[Var, ...], Hashable, Place | None]:
    """A variable for each axis of a node, and the buffer and place where its element stands for them.

    The place is None if there is no such place, or it is not a sum of the variables times constants.
    """
    loops = tuple(map(Var, node.shape))
    try:
        element = reading.at(node, tuple(map(place, loops)))
    except NotLowered:
        return loops, None, None
    if isinstance(element, Load) and element.guard is None and element.at.is_affine:
        return loops, element.key, element.at
    return loops, None, None


__all__ = ["Group", "Plan", "operand", "squeezed"]
