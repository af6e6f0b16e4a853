"""Differentiation on the graph: the backward nodes are appended to the graph under construction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from kadam.ir.builder import current_builder
from kadam.ir.graph import Node, Phase


def backward(
    nodes: Sequence[Node],
    cts: Mapping[int, Node],
    active: Collection[int],
    collect: Collection[int],
    stops: Collection[int] = (),
) -> dict[int, Node]:
    """The cotangents that reach the nodes of `collect`, given those of the results.

    `nodes` may belong to the graph under construction or to an earlier one, whose values the builder then adopts.
    What is emitted is ordinary nodes, so the derivative can be differentiated again.

    Args:
        nodes: the forward nodes, `nodes[i].id == i`.
        cts: id of a result -> its cotangent, of the result's type.
        active: ids of the nodes through which gradients flow.
        collect: ids of the nodes whose cotangents are wanted.
        stops: ids of nodes that the sweep does not pass.

    Returns:
        id -> cotangent for each node of `collect` that the sweep reached.
    """
    builder = current_builder()
    noted = builder.phase, builder.scope, builder.source, builder.origin
    pending, found = dict(cts), {}
    try:
        for position in range(max(pending, default=-1), -1, -1):
            ct = pending.pop(position, None)
            if ct is None:
                continue
            node = nodes[position]
            if position in collect:
                found[position] = ct
            if position in stops or position not in active:
                continue
            builder.phase, builder.scope = Phase.BACKWARD, node.scope
            builder.source, builder.origin = node.source, node.id
            for source, term in zip(node.inputs, node.primitive.vjp(ct, node, *node.inputs), strict=True):
                if term is not None and source.id in active:
                    seen = pending.get(source.id)
                    pending[source.id] = term if seen is None else seen + term
    finally:
        builder.phase, builder.scope, builder.source, builder.origin = noted
    return found
