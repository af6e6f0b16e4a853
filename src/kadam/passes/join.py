"""Do once for all what was done piece by piece: sums of many products, and of many parts of one tensor.

A network that is unrolled in time has, for each of its weights, one gradient per step, and adds them up; and the
gradient of a sequence that was taken apart is a sum of tensors that are zero but for one step.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from kadam.ir.builder import Builder, building, emit
from kadam.ir.graph import Graph, Node
from kadam.primitives.contract import Dot
from kadam.primitives.elementwise import Add
from kadam.primitives.move import Concat, Insert, concat
from kadam.primitives.sources import Full
from kadam.shapes import count

FEWEST = 3  # products that are worth it; of parts, two are
LONGEST = 256  # products of a sum, above which a contraction is large enough by itself


def join(graph: Graph) -> Graph:
    """The graph with such sums replaced. What they were made of stays, for `prune`."""
    users = graph.users()
    kept = {node.id for node in graph.outputs}
    sums = {node.id: _addends(node, users, kept) for node in graph.nodes if _is_sum(node, users, kept)}
    wanted = {id: found for id, leaves in sums.items() if (found := _families(leaves)) is not None}
    if not wanted:
        return graph
    builder = Builder()
    now: dict[int, Node] = {}
    with building(builder):
        for node in graph.nodes:
            builder.phase, builder.scope, builder.source, builder.origin = node.phase, node.scope, node.source, None
            if node.id in wanted:
                now[node.id] = _total([[now[one.id] for one in family] for family in wanted[node.id]])
            else:
                now[node.id] = _again(builder, node, now)
    return Graph(
        tuple(builder.nodes),
        tuple(now[node.id] for node in graph.inputs),
        tuple(now[node.id] for node in graph.outputs),
        {now[state.id]: now[value.id] for state, value in graph.updates.items()},
    )


def _again(builder: Builder, node: Node, now: dict[int, Node]) -> Node:
    """The node over what stands in its inputs' places; of the same type, so that nothing need be inferred."""
    origin = None if node.origin is None else now[node.origin].id
    inputs = tuple([now[source.id] for source in node.inputs])
    number = len(builder.nodes)
    made = Node(number, node.primitive, inputs, node.type, node.phase, node.scope, node.source, origin)
    builder.nodes.append(made)
    return made


def _is_sum(node: Node, users: Sequence[Sequence[Node]], kept: set[int]) -> bool:
    """Whether a node is an addition that is no addend of another one."""
    if not isinstance(node.primitive, Add) or not node.dtype.is_floating_point:
        return False
    return node.id in kept or len(users[node.id]) != 1 or not isinstance(users[node.id][0].primitive, Add)


def _addends(node: Node, users: Sequence[Sequence[Node]], kept: set[int]) -> list[Node]:
    """What a sum adds up, through the additions that only serve it."""
    found: list[Node] = []
    waiting = list(reversed(node.inputs))
    while waiting:
        one = waiting.pop()
        if isinstance(one.primitive, Add) and len(users[one.id]) == 1 and one.id not in kept:
            waiting.extend(reversed(one.inputs))
        else:
            found.append(one)
    return found


def _families(leaves: Sequence[Node]) -> list[list[Node]] | None:
    """The addends, those together that can be made one; None if there are none such."""
    families: dict[Hashable, list[Node]] = {}
    for leaf in leaves:
        families.setdefault(_kind(leaf) or leaf.id, []).append(leaf)
    return list(families.values()) if any(map(_is_large, families.values())) else None


def _is_large(family: Sequence[Node]) -> bool:
    fewest = FEWEST if isinstance(family[0].primitive, Dot) else 2
    return len(family) >= fewest and _kind(family[0]) is not None


def _kind(node: Node) -> Hashable:
    """Equal for addends that can be made one; None for those that cannot."""
    primitive = node.primitive
    if isinstance(primitive, Dot) and primitive.a_axes:
        products = count([node.inputs[0].shape[axis] for axis in primitive.a_axes])
        return (primitive, *(source.type for source in node.inputs)) if products <= LONGEST else None
    if isinstance(primitive, Insert) and _is_zero(node.inputs[0]):
        part = _Part.of(node)
        return None if part is None else (node.type, part.axis)
    return None


def _is_zero(node: Node) -> bool:
    return isinstance(node.primitive, Full) and node.primitive.value == 0


@dataclass(frozen=True)
class _Part:
    """Where an `Insert` puts its part: start ... stop - 1 of one axis, and all of the others."""

    axis: int
    start: int
    stop: int

    @staticmethod
    def of(node: Node) -> _Part | None:
        primitive = node.primitive
        assert isinstance(primitive, Insert)
        whole = list(zip(primitive.starts, primitive.stops, strict=True))
        axes = [axis for axis, bounds in enumerate(whole) if bounds != (0, node.shape[axis])]
        if len(axes) != 1 or set(primitive.steps) != {1}:
            return None
        return _Part(axes[0], *whole[axes[0]])


def _total(families: Sequence[Sequence[Node]]) -> Node:
    """The sum of families, each made one."""
    total: Node | None = None
    for family in families:
        for one in _made_one(family):
            total = one if total is None else emit(Add(), total, one)
    assert total is not None
    return total


def _made_one(family: Sequence[Node]) -> Sequence[Node]:
    if not _is_large(family):
        return family
    if isinstance(family[0].primitive, Dot):
        return [_product(family)]
    joined = _whole(family)
    return family if joined is None else [joined]


def _product(family: Sequence[Node]) -> Node:
    """The sum of products as one product, of what stands side by side along a summed axis.

    It stands in the order of the forward pass, in which the other gradients of a sequence stand too.
    """
    dot = family[0].primitive
    assert isinstance(dot, Dot)
    family = sorted(family, key=lambda node: min(source.id for source in node.inputs))
    a = concat([node.inputs[0] for node in family], dot.a_axes[0])
    b = concat([node.inputs[1] for node in family], dot.b_axes[0])
    return emit(dot, a, b)


def _whole(family: Sequence[Node]) -> Node | None:
    """The parts side by side, with zeros where there are none; None if parts overlap."""
    placed = [(part, node) for node in family if (part := _Part.of(node)) is not None]
    placed.sort(key=lambda one: one[0].start)
    axis, shape, end = placed[0][0].axis, family[0].shape, 0
    pieces: list[Node] = []
    for part, node in placed:
        if part.start < end:
            return None
        pieces += _zeros(node, axis, part.start - end)
        pieces += _pieces(node.inputs[1], axis)
        end = part.stop
    pieces += _zeros(family[0], axis, shape[axis] - end)
    return concat(pieces, axis)


def _pieces(part: Node, axis: int) -> Sequence[Node]:
    """What a part was put together from along the axis; itself, if it was not."""
    return part.inputs if part.primitive == Concat(axis) else (part,)


def _zeros(like: Node, axis: int, size: int) -> list[Node]:
    if not size:
        return []
    return [emit(Full(0, (*like.shape[:axis], size, *like.shape[axis + 1 :]), like.dtype))]
