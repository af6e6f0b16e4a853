"""Passes keep what a graph computes and its rules, and leave out what they are there to leave out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs import graph_of, run
from kadam.dtypes import float32, float64
from kadam.ir.builder import Builder, building, emit
from kadam.ir.graph import Graph, Node, Phase, Source
from kadam.ir.types import parse_type
from kadam.ir.verify import verify
from kadam.passes import PASSES, join, prune, share
from kadam.primitives.analysis import Exp
from kadam.primitives.contract import Dot
from kadam.primitives.elementwise import Add, Mul, Neg, Sub
from kadam.primitives.move import Insert
from kadam.primitives.sources import Full, Input
from kadam.primitives.trigonometry import Tanh


def names(graph: Graph) -> list[str]:
    return [type(node.primitive).__name__ for node in graph.nodes]


# prune


def test_prune_drops_what_no_end_needs() -> None:
    def body(a: Node, b: Node) -> Node:
        emit(Exp(), a)
        emit(Tanh(), emit(Exp(), b))
        return a * a

    pruned = prune(graph_of(body, "f32[2]", "f32[2]"))
    verify(pruned)
    assert names(pruned) == ["Input", "Input", "Mul"]  # b stays: a run is fed with it
    assert [node.id for node in pruned.nodes] == [0, 1, 2]


def test_prune_keeps_what_an_update_needs() -> None:
    made = graph_of(lambda a, b: [a, emit(Exp(), b), emit(Neg(), a)], "f32[2]", "f32[2]")
    graph = Graph(made.nodes, made.inputs, made.outputs[:1], {made.inputs[1]: made.outputs[1]})
    pruned = prune(graph)
    verify(pruned)
    assert names(pruned) == ["Input", "Input", "Exp"]
    ((state, value),) = pruned.updates.items()
    assert (state.id, value.id) == (1, 2)


def test_prune_renumbers_origins() -> None:
    with building(Builder()) as builder:
        x = emit(Input(parse_type("f32[2]")))
        emit(Exp(), x)
        kept = emit(Tanh(), x)
        dropped = emit(Neg(), x)
        builder.phase, builder.origin = Phase.BACKWARD, kept.id
        of_kept = kept * x
        builder.origin = dropped.id
        of_dropped = of_kept * x
    pruned = prune(Graph(tuple(builder.nodes), (x,), (of_dropped,)))
    verify(pruned)
    assert names(pruned) == ["Input", "Tanh", "Mul", "Mul"]
    assert [node.origin for node in pruned.nodes] == [None, None, 1, None]


# share


def test_share_merges_equal_nodes() -> None:
    def body(a: Node) -> Node:
        return emit(Exp(), a) * emit(Exp(), a) + emit(Tanh(), emit(Exp(), a))

    shared = share(graph_of(body, "f32[2]"))
    verify(shared)
    assert names(shared) == ["Input", "Exp", "Mul", "Tanh", "Add"]


def test_share_never_merges_inputs() -> None:
    shared = share(graph_of(lambda a, b: [emit(Exp(), a), emit(Exp(), b)], "f32[2]", "f32[2]"))
    assert names(shared) == ["Input", "Input", "Exp", "Exp"]


def test_share_tells_attributes_and_order_apart() -> None:
    def body(a: Node, b: Node) -> list[Node]:
        return [a - b, b - a, emit(Full(1.0, (2,), float32)), emit(Full(2.0, (2,), float32)), a - b]

    shared = share(graph_of(body, "f32[2]", "f32[2]"))
    assert names(shared) == ["Input", "Input", "Sub", "Sub", "Full", "Full"]
    assert [node.id for node in shared.outputs] == [2, 3, 4, 5, 2]


def test_share_tells_zeros_of_different_sign_apart() -> None:
    shared = share(graph_of(lambda: [1 / emit(Full(zero, (), float32)) for zero in (0.0, -0.0)]))
    assert [float(value) for value in run(shared)] == [np.inf, -np.inf]


def test_share_merges_nan_constants() -> None:
    shared = share(graph_of(lambda: [emit(Full(float("nan"), (), float32)) for _ in range(2)]))
    assert names(shared) == ["Full"]


def test_the_earliest_phase_wins() -> None:
    with building(Builder()) as builder:
        x = emit(Input(parse_type("f32[2]")))
        builder.phase, builder.origin = Phase.BACKWARD, x.id
        in_backward = emit(Exp(), x)
        builder.phase, builder.scope, builder.source, builder.origin = Phase.LOSS, "loss", Source("a.py", 1), None
        in_loss = emit(Exp(), x)
    shared = share(Graph(tuple(builder.nodes), (x,), (in_backward, in_loss)))
    verify(shared)
    merged = shared.nodes[1]
    assert (merged.phase, merged.scope, merged.source, merged.origin) == (Phase.LOSS, "loss", Source("a.py", 1), None)
    assert shared.outputs == (merged, merged)


def test_share_renumbers_origins() -> None:
    with building(Builder()) as builder:
        x = emit(Input(parse_type("f32[2]")))
        first, second = emit(Exp(), x), emit(Exp(), x)
        builder.origin = second.id
        back = first * second
    shared = share(Graph(tuple(builder.nodes), (x,), (back,)))
    verify(shared)
    assert shared.nodes[2].origin == 1


# both


@st.composite
def programs(draw: st.DrawFn) -> Graph:
    """A random graph over few primitives, so that equal and unneeded nodes are common."""
    with building(Builder()) as builder:
        inputs = tuple(emit(Input(parse_type("f32[3]"))) for _ in range(draw(st.integers(1, 3))))
        phases = draw(st.lists(st.sampled_from(Phase), min_size=0, max_size=12))
        for phase in phases:
            builder.phase = phase
            builder.origin = draw(st.none() | st.integers(0, len(builder.nodes) - 1))
            primitive = draw(st.sampled_from([Add(), Sub(), Mul(), Neg(), Tanh(), Full(0.5, (3,), float32)]))
            arity = {Full: 0, Neg: 1, Tanh: 1}.get(type(primitive), 2)
            emit(primitive, *(draw(st.sampled_from(builder.nodes)) for _ in range(arity)))
    outputs = draw(st.lists(st.sampled_from(builder.nodes), max_size=3))
    updates = draw(st.dictionaries(st.sampled_from(inputs), st.sampled_from(builder.nodes), max_size=2))
    return Graph(tuple(builder.nodes), inputs, tuple(outputs), updates)


def results(graph: Graph) -> list[list[float]]:
    rng = np.random.default_rng(0)
    feeds = [rng.uniform(-1, 1, node.shape).astype(np.float32) for node in graph.inputs]
    states = [state.id for state in graph.updates]
    everything = replace(graph, outputs=(*graph.outputs, *graph.updates.values()), updates={})
    return [states, *(value.tolist() for value in run(everything, *feeds))]


@pytest.mark.parametrize("improve", PASSES, ids=lambda improve: improve.__name__)
@given(graph=programs())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_passes_keep_values_and_rules(improve: Callable[[Graph], Graph], graph: Graph) -> None:
    verify(graph)
    improved = improve(graph)
    verify(improved)
    assert results(improved) == results(graph)
    assert len(improved) <= len(graph)
    assert len(improve(improved)) == len(improved)  # a second time finds nothing
    assert [node.type for node in improved.inputs] == [node.type for node in graph.inputs]


def test_join_adds_up_products_and_parts_at_once() -> None:
    def body(x: Node, *parts: Node) -> tuple[Node, Node, Node]:
        zero = emit(Full(0.0, (9, 2), float64))
        products, whole = [], []
        for index, part in enumerate(parts):
            products.append(emit(Dot((), (), (0,), (0,)), part, part))
            start = 2 * index + 1
            whole.append(emit(Insert((start, 0), (start + 2, 2), (1, 1)), zero, part))
        total = products[0] + products[1] + (products[2] + products[3])
        return total, whole[0] + x + whole[1] + whole[2], parts[0] + parts[0] + parts[0] + parts[0]

    graph = graph_of(body, "f64[9,2]", *["f64[2,2]"] * 4)
    rng = np.random.default_rng(0)
    feeds = [rng.normal(size=node.shape) for node in graph.inputs]
    joined = prune(join(graph))
    verify(joined)
    for ours, theirs in zip(run(joined, *feeds), run(graph, *feeds), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13)
    assert names(joined).count("Dot") == 1
    assert "Insert" not in names(joined)


def test_a_sequence_s_gradients_stand_in_one_order() -> None:
    """What a weight's products are made of, and the gradient of the sequence, are put side by side once for both."""

    def inserted(part: Node, at: int, length: int) -> Node:
        zero = emit(Full(0.0, (length, 2), float64))
        return emit(Insert((at, 0), (at + part.shape[0], 2), (1, 1)), zero, part)

    def body(*given: Node) -> tuple[Node, Node]:
        steps, gradients = given[:4], given[4:]
        last, *earlier = [emit(Dot((), (), (0,), (0,)), gradients[at], steps[at]) for at in (3, 2, 1, 0)]
        halves = [inserted(gradients[at], 0, 2) + inserted(gradients[at + 1], 1, 2) for at in (0, 2)]
        return last + earlier[0] + earlier[1] + earlier[2], inserted(halves[1], 2, 4) + inserted(halves[0], 0, 4)

    graph = graph_of(body, *["f64[1,2]"] * 8)
    rng = np.random.default_rng(0)
    feeds = [rng.normal(size=node.shape) for node in graph.inputs]
    joined = share(prune(join(graph)))
    for ours, theirs in zip(run(joined, *feeds), run(graph, *feeds), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13)
    assert names(joined).count("Concat") == 2  # the steps, and the gradients
    assert "Insert" not in names(joined)


def test_parts_that_overlap_are_not_joined() -> None:
    def body(*parts: Node) -> Node:
        zero = emit(Full(0.0, (4,), float64))
        first, second, third = (
            emit(Insert((start,), (start + 2,), (1,)), zero, part) for start, part in enumerate(parts)
        )
        return first + second + third

    graph = graph_of(body, *["f64[2]"] * 3)
    feeds = [np.arange(1.0, 3.0)] * 3
    np.testing.assert_array_equal(run(join(graph), *feeds)[0], run(graph, *feeds)[0])
