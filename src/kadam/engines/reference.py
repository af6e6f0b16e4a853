"""The reference engine: interprets a graph with NumPy. It is the meaning of a program, not its speed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kadam.errors import KadamError
from kadam.ir.graph import Graph, Node
from kadam.ir.primitive import Array
from kadam.ir.trace import Trace

# How primitives refuse their data.
REFUSALS = (KadamError, ArithmeticError, MemoryError, ValueError, IndexError)
Run = Callable[[list[Any]], Sequence[Any]]


class RunError(Exception):
    """A node failed on its data; what was computed before it is not lost.

    Attributes:
        node: the node that failed.
        outputs: the graph's outputs as far as they were computed, None for the others.
    """

    def __init__(self, node: Node, outputs: list[Array | None]) -> None:
        super().__init__(str(node))
        self.node = node
        self.outputs = outputs


def compile(graph: Graph) -> Run:
    """A function from the values of `graph.inputs` to those of `graph.outputs`.

    What no output depends on is left out; values are dropped after their last use. An output may share memory with an
    input or another output.

    Raises (when run):
        RunError: a primitive failed on its data; its cause is the primitive's own error.
    """
    inputs = [node.id for node in graph.inputs]
    outputs = [node.id for node in graph.outputs]
    fed, read = set(inputs), {*inputs, *outputs}
    nodes: list[Node] = []
    operands: list[tuple[int, ...]] = []
    last: list[tuple[int, ...]] = []  # of these, those that no later node reads
    for node in reversed(graph.nodes):
        if node.id in read and node.id not in fed:
            sources = tuple([source.id for source in node.inputs])
            nodes.append(node)
            operands.append(sources)
            last.append(tuple([one for one in set(sources) if one not in read]))
            read.update(sources)
    for steps in (nodes, operands, last):
        steps.reverse()

    def run(feeds: Sequence[Array]) -> list[Array]:
        values = dict(zip(inputs, feeds, strict=True))
        with np.errstate(all="ignore"):
            for node, sources, dropped in zip(nodes, operands, last, strict=True):
                try:
                    values[node.id] = np.asarray(node.primitive.reference(*[values[source] for source in sources]))
                except REFUSALS as error:
                    raise RunError(node, [values.get(one) for one in outputs]) from error
                for source in dropped:
                    del values[source]
        return [values[one] for one in outputs]

    return run


def trace(graph: Graph, feeds: Sequence[Array]) -> Trace:
    """Run `graph` once and keep every value and the time that each node took, in seconds."""
    result = Trace(graph, {node.id: value for node, value in zip(graph.inputs, feeds, strict=True)})
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            if node.id in result.values:
                continue
            started = time.perf_counter()
            values = [result.values[source.id] for source in node.inputs]
            result.values[node.id] = np.asarray(node.primitive.reference(*values))
            result.elapsed_s[node.id] = time.perf_counter() - started
    return result
