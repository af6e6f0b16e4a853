"""Compute the same thing once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from kadam.ir.graph import Graph, Node, Phase
from kadam.passes.prune import needed_by
from kadam.passes.rebuild import rebuild

_ORDER = {phase: order for order, phase in enumerate(Phase)}


def share(graph: Graph) -> Graph:
    """The graph with equal nodes merged: those that apply one primitive to the same inputs. Inputs are all distinct.

    A merged node takes its phase, scope, source and origin from the one of the earliest phase, so that what the
    backward pass computes again is shown where the forward pass computed it.
    """
    return _merged(graph, graph.nodes)


def tidy(graph: Graph) -> Graph:
    """`prune` and then `share`, made in one go."""
    needed = needed_by(graph)
    return _merged(graph, [node for node in graph.nodes if node.id in needed])


def _merged(graph: Graph, nodes: Iterable[Node]) -> Graph:
    fed = {node.id for node in graph.inputs}
    leader: dict[int, int] = {}
    leaders: dict[Hashable, int] = {}
    noted: dict[int, Node] = {}
    for node in nodes:
        id = node.id
        key = id if id in fed else (node.primitive.text, *[leader[source.id] for source in node.inputs])
        first = leader[id] = leaders.setdefault(key, id)
        if first == id or _ORDER[node.phase] < _ORDER[noted[first].phase]:
            noted[first] = node
    return rebuild(graph, noted, leader)
