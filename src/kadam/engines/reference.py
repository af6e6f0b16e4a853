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

    Values are dropped after their last use. An output may share memory with an input or another output.

    Raises (when run):
        RunError: a primitive failed on its data; its cause is the primitive's own error.
    """
    fed = {node.id for node in graph.inputs}
    last_use = {source.id: node.id for node in graph.nodes for source in node.inputs}
    kept = {node.id for node in graph.outputs} | fed
    work = [
        (
            node,
            node.primitive.reference,
            tuple(source.id for source in node.inputs),
            tuple(s.id for s in dict.fromkeys(node.inputs) if last_use[s.id] == node.id and s.id not in kept),
        )
        for node in graph.nodes
        if node.id not in fed
    ]
    inputs = [node.id for node in graph.inputs]
    outputs = [node.id for node in graph.outputs]

    def run(feeds: Sequence[Array]) -> list[Array]:
        values = dict(zip(inputs, feeds, strict=True))
        with np.errstate(all="ignore"):
            for node, reference, sources, dropped in work:
                try:
                    values[node.id] = np.asarray(reference(*[values[source] for source in sources]))
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
