"""Long sums in two rounds: first of parts, then of their sums. That occupies a team of threads, and rounds less."""

from __future__ import annotations

from math import isqrt

from kadam.ir.builder import Builder, building, emit
from kadam.ir.graph import Graph, Node
from kadam.primitives.broadcast import Sum
from kadam.primitives.elementwise import Add
from kadam.primitives.move import concat, reshaped, sliced
from kadam.primitives.reduce import Max, Min
from kadam.shapes import count

LONGEST = 8_192  # elements that are summed in one round
FEWEST = 64  # elements of a part


def split(graph: Graph) -> Graph:
    """The graph with long sums and extremes taken apart. Its inputs and outputs correspond to the old ones."""
    long = {node.id for node in graph.nodes if isinstance(node.primitive, (Sum, Max, Min)) and _terms(node) > LONGEST}
    if not long:
        return graph
    builder = Builder()
    now: dict[int, Node] = {}
    with building(builder):
        for node in graph.nodes:
            builder.phase, builder.scope, builder.source = node.phase, node.scope, node.source
            inputs = [now[source.id] for source in node.inputs]
            now[node.id] = _rounds(node, inputs[0]) if node.id in long else emit(node.primitive, *inputs)
    return Graph(
        tuple(builder.nodes),
        tuple(now[node.id] for node in graph.inputs),
        tuple(now[node.id] for node in graph.outputs),
    )


def _terms(node: Node) -> int:
    return node.inputs[0].type.elements // max(node.type.elements, 1)


def _rounds(node: Node, x: Node) -> Node:
    """The same value in two rounds."""
    kind: type[Sum | Max | Min] = type(node.primitive)  # type: ignore[assignment]
    axes: tuple[int, ...] = node.primitive.axes  # type: ignore[attr-defined]
    sizes = [x.shape[axis] for axis in axes]
    if len([size for size in sizes if size > 1]) > 1 and count(sizes[1:]) >= FEWEST:
        partial = emit(kind(axes[1:]), x)
        return emit(kind((axes[0],)), partial)
    flat = x if len(axes) == 1 else _joined(x, axes)
    if flat is None:
        return emit(node.primitive, x)
    axis, length = axes[0], flat.shape[axes[0]]
    part = max(1 << (isqrt(length).bit_length() + 1), FEWEST)
    whole = length // part * part
    parts = sliced(flat, axis, 0, whole)
    parts = reshaped(parts, (*flat.shape[:axis], whole // part, part, *flat.shape[axis + 1 :]))
    total = emit(kind((axis,)), emit(kind((axis + 1,)), parts))
    if whole == length:
        return total
    rest = emit(kind((axis,)), sliced(flat, axis, whole, length))
    return emit(Add(), total, rest) if kind is Sum else emit(kind((0,)), _stacked(total, rest))


def _joined(x: Node, axes: tuple[int, ...]) -> Node | None:
    """`x` with neighbouring axes made one; None if they are no neighbours."""
    first, last = axes[0], axes[-1]
    if last - first != len(axes) - 1:
        return None
    joined = count([x.shape[axis] for axis in axes])
    return reshaped(x, (*x.shape[:first], joined, *x.shape[last + 1 :]))


def _stacked(a: Node, b: Node) -> Node:
    return concat([reshaped(one, (1, *one.shape)) for one in (a, b)], 0)
