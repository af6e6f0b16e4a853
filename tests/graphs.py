"""Small graphs for tests: built from a function of nodes, evaluated node by node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

import kadam.primitives  # noqa: F401  (lends the nodes their operators)
from kadam.ir.builder import Builder, building, emit
from kadam.ir.graph import Graph, Node
from kadam.ir.primitive import Array
from kadam.ir.types import TensorType, parse_type
from kadam.primitives.sources import Input


def graph_of(body: Callable[..., Node | Sequence[Node]], *types: TensorType | str) -> Graph:
    """The graph of `body`, called with one input node for each type."""
    with building(Builder()) as builder:
        found = [parse_type(one) if isinstance(one, str) else one for one in types]
        inputs = tuple(emit(Input(one)) for one in found)
        builder.active.update(node.id for node in inputs if node.dtype.category >= 2)
        outputs = body(*inputs)
    outputs = (outputs,) if isinstance(outputs, Node) else tuple(outputs)
    return Graph(tuple(builder.nodes), inputs, outputs)


def values_of(graph: Graph, feeds: Sequence[Array]) -> Mapping[Node, Array]:
    """The value of every node."""
    values = dict(zip(graph.inputs, feeds, strict=True))
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            if node not in values:
                values[node] = np.asarray(node.primitive.reference(*[values[source] for source in node.inputs]))
    return values


def run(graph: Graph, *feeds: Array) -> list[Array]:
    """The values of the outputs."""
    values = values_of(graph, feeds)
    return [values[node] for node in graph.outputs]
