"""Whether a graph keeps its own rules: what every pass must leave true."""

from __future__ import annotations

from kadam.errors import VerifyError
from kadam.ir.graph import Graph, Node


def verify(graph: Graph) -> None:
    """Infer every node again, and check the order of the nodes and what the graph's ends refer to.

    Raises:
        VerifyError: a node contradicts its primitive or its position, or an end is no node of the graph.
    """
    for position, node in enumerate(graph.nodes):
        _verify_position(graph, position, node)
        _verify_type(node)
    _verify_ends(graph)
    _verify_updates(graph)


def _verify_position(graph: Graph, position: int, node: Node) -> None:
    if node.id != position:
        raise VerifyError(f"{node!r} stands at position {position}")
    for source in node.inputs:
        if not _belongs(graph, source):
            raise VerifyError(f"{node!r} reads {source!r}, which is no node of this graph")
        if source.id >= node.id:
            raise VerifyError(f"{node!r} reads {source!r}, which comes later")
    if node.origin is not None and not 0 <= node.origin < node.id:
        raise VerifyError(f"{node!r} names %{node.origin} as its origin, which is no earlier node")


def _verify_type(node: Node) -> None:
    try:
        inferred = node.primitive.infer(*(source.type for source in node.inputs))
    except Exception as error:  # a primitive that is given too few inputs may fail in any way
        raise VerifyError(f"{node!r} does not fit its inputs: {error}") from error
    if inferred != node.type:
        raise VerifyError(f"{node!r} has the type {node.type}, but its primitive infers {inferred}")


def _verify_ends(graph: Graph) -> None:
    for end, nodes in (("input", graph.inputs), ("output", graph.outputs)):
        for node in nodes:
            if not _belongs(graph, node):
                raise VerifyError(f"{node!r} is named as an {end}, but it is no node of this graph")
    fed = {node.id for node in graph.inputs}
    if len(fed) < len(graph.inputs):
        raise VerifyError(f"an input is named twice among {', '.join(map(str, graph.inputs))}")
    for node in graph.nodes:
        if _is_fed(node) != (node.id in fed):
            raise VerifyError(f"{node!r} is {'not ' if _is_fed(node) else ''}named as an input")


def _verify_updates(graph: Graph) -> None:
    for state, value in graph.updates.items():
        if not _belongs(graph, state) or not _is_fed(state):
            raise VerifyError(f"{state!r} is updated, but it is no input of this graph")
        if not _belongs(graph, value):
            raise VerifyError(f"{value!r} updates {state!r}, but it is no node of this graph")
        if value.type != state.type:
            raise VerifyError(f"{value!r} updates {state!r}, which has another type")


def _is_fed(node: Node) -> bool:
    return type(node.primitive).__name__ == "Input"  # by name: the primitives stand one floor up


def _belongs(graph: Graph, node: Node) -> bool:
    return 0 <= node.id < len(graph.nodes) and graph.nodes[node.id] is node
