"""Differentiation on the graph: the backward nodes are appended to the graph under construction.

What a primitive's `vjp` emits depends on types alone. So it is asked once for each kind of node, and what it emitted
is emitted again for the others.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import NamedTuple

from kadam.dtypes import FLOAT
from kadam.ir.builder import Builder, building, current_builder
from kadam.ir.graph import Node, Phase
from kadam.ir.primitive import Primitive
from kadam.ir.types import TensorType
from kadam.primitives.sources import Input

MOST = 10_000  # rules that are remembered

Place = int  # in a rule: from 0 its own nodes; -1 the cotangent, -2 the result, -3 ... the operands


class Made(NamedTuple):
    """A node of a rule; `flows`: whether gradients flow through it if they flow through an input."""

    primitive: Primitive
    inputs: tuple[Place, ...]
    type: TensorType
    flows: bool


class Rule(NamedTuple):
    """What gives the cotangents of a node's operands, those that are asked for."""

    made: tuple[Made, ...]
    terms: tuple[Place | None, ...]


_rules: dict[Hashable, Rule] = {}


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
            rule = _rule(node, ct, tuple([source.id in active for source in node.inputs]))
            for source, term in zip(node.inputs, _emitted(rule, builder, (ct, node, *node.inputs)), strict=True):
                if term is not None:
                    seen = pending.get(source.id)
                    pending[source.id] = term if seen is None else seen + term
    finally:
        builder.phase, builder.scope, builder.source, builder.origin = noted
    return found


def _rule(node: Node, ct: Node, asked: tuple[bool, ...]) -> Rule:
    types = [source.type for source in node.inputs]
    kind = (node.primitive.text, ct.type, node.type, *types, asked)
    rule = _rules.get(kind)
    if rule is None:
        if len(_rules) >= MOST:
            _rules.clear()
        rule = _rules[kind] = _derived(node.primitive, (ct.type, node.type, *types), asked)
    return rule


def _derived(primitive: Primitive, types: Sequence[TensorType], asked: Sequence[bool]) -> Rule:
    """The rule of a primitive: its `vjp`, put to stand-ins for cotangent, result and operands."""
    builder = Builder([Node(at, Input(type), (), type) for at, type in enumerate(types)])
    given = len(types)
    with building(builder):
        terms = primitive.vjp(*builder.nodes)
    wanted = [term if one else None for term, one in zip(terms, asked, strict=True)]
    read = {term.id for term in wanted if term is not None}
    for node in reversed(builder.nodes[given:]):
        if node.id in read:
            read.update([source.id for source in node.inputs])
    place = {at: ~at for at in range(given)}
    made: list[Made] = []
    for node in builder.nodes[given:]:
        if node.id in read:
            place[node.id] = len(made)
            flows = node.primitive.differentiable and node.type.dtype.category >= FLOAT
            made.append(Made(node.primitive, tuple([place[one.id] for one in node.inputs]), node.type, flows))
    return Rule(tuple(made), tuple([None if term is None else place[term.id] for term in wanted]))


def _emitted(rule: Rule, builder: Builder, given: Sequence[Node]) -> list[Node | None]:
    """The terms of a rule for a node; `given`: its cotangent, itself, its operands."""
    nodes, active, tracking = builder.nodes, builder.active, builder.tracking
    phase, scope, source, origin = builder.phase, builder.scope, builder.source, builder.origin
    own: list[Node] = []
    for primitive, places, type, flows in rule.made:
        inputs = tuple([own[at] if at >= 0 else builder.taken(given[~at]) for at in places])
        node = Node(len(nodes), primitive, inputs, type, phase, scope, source, origin)
        nodes.append(node)
        own.append(node)
        if tracking and flows:
            for one in inputs:
                if one.id in active:
                    active.add(node.id)
                    break
    return [None if at is None else own[at] if at >= 0 else given[~at] for at in rule.terms]
