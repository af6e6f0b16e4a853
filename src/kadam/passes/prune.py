"""Drop what nobody needs."""

from __future__ import annotations

from kadam.ir.graph import Graph
from kadam.passes.rebuild import rebuild


def prune(graph: Graph) -> Graph:
    """The graph without the nodes that no output and no update depends on. Inputs stay: a run is fed with them.

    A node whose origin is dropped has none afterwards.
    """
    needed = needed_by(graph)
    kept = {node.id: node for node in graph.nodes if node.id in needed}
    return rebuild(graph, kept, {id: id for id in kept})


def needed_by(graph: Graph) -> set[int]:
    """The ids of the inputs, and of the nodes that an output or an update depends on."""
    needed = {node.id for node in (*graph.inputs, *graph.outputs, *graph.updates.values())}
    for node in reversed(graph.nodes):
        if node.id in needed:
            for source in node.inputs:
                needed.add(source.id)
    return needed
