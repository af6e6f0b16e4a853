"""A graph made again from a choice of its nodes: what the passes end with."""

from __future__ import annotations

from collections.abc import Mapping

from kadam.ir.graph import Graph, Node


def rebuild(graph: Graph, kept: Mapping[int, Node], stand_in: Mapping[int, int]) -> Graph:
    """The graph that consists of the nodes `kept`, numbered densely.

    Args:
        graph: the graph before.
        kept: id of a node that stays, in ascending order -> the node whose phase, scope, source and origin it takes.
        stand_in: id of any node that is read or named -> id of the kept node in its place.
    """
    made: dict[int, Node] = {}

    def now(node: Node) -> Node:
        return made[stand_in[node.id]]

    for id, noted in kept.items():
        node = graph.nodes[id]
        origin = None if noted.origin is None else made.get(stand_in.get(noted.origin, -1))
        made[id] = Node(
            len(made),
            node.primitive,
            tuple([made[stand_in[source.id]] for source in node.inputs]),
            node.type,
            noted.phase,
            noted.scope,
            noted.source,
            None if origin is None else origin.id,
        )
    return Graph(
        tuple(made.values()),
        tuple(map(now, graph.inputs)),
        tuple(map(now, graph.outputs)),
        {now(state): now(value) for state, value in graph.updates.items()},
    )
