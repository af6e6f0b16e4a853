"""The verifier names the node that breaks a rule."""

from __future__ import annotations

from dataclasses import replace

import pytest

from graphs import graph_of
from kadam.errors import VerifyError
from kadam.ir.graph import Graph, Node
from kadam.ir.types import parse_type
from kadam.ir.verify import verify


@pytest.fixture
def graph() -> Graph:
    """%0 and %1 are fed, %2 = %0 + %1, %3 = -%2; %3 is the output and updates %0."""
    made = graph_of(lambda a, b: -(a + b), "f32[2]", "f32[2]")
    return replace(made, updates={made.inputs[0]: made.outputs[0]})


def test_a_sound_graph_passes(graph: Graph) -> None:
    verify(graph)


def with_node(graph: Graph, position: int, node: Node) -> Graph:
    return replace(graph, nodes=(*graph.nodes[:position], node, *graph.nodes[position + 1 :]))


def test_wrong_type(graph: Graph) -> None:
    wrong = replace(graph.nodes[3], type=parse_type("f32[3]"))
    with pytest.raises(
        VerifyError, match=r"<%3 Neg\(\) f32\[3\]> has the type f32\[3\], but its primitive infers f32\[2\]"
    ):
        verify(replace(with_node(graph, 3, wrong), outputs=(wrong,), updates={}))


def test_inputs_that_do_not_fit(graph: Graph) -> None:
    wide = replace(
        graph.nodes[1], primitive=type(graph.nodes[1].primitive)(parse_type("f32[5]")), type=parse_type("f32[5]")
    )
    total = replace(graph.nodes[2], inputs=(graph.nodes[0], wide))
    broken = Graph((graph.nodes[0], wide, total), (graph.nodes[0], wide), (total,))
    with pytest.raises(VerifyError, match=r"<%2 Add\(\) f32\[2\]> does not fit its inputs: Add: .*the shapes differ"):
        verify(broken)


def test_wrong_number_of_inputs(graph: Graph) -> None:
    lonely = replace(graph.nodes[2], inputs=())
    with pytest.raises(VerifyError, match=r"%2 .* does not fit its inputs"):
        verify(Graph((*graph.nodes[:2], lonely), graph.inputs, (lonely,)))


def test_wrong_position(graph: Graph) -> None:
    with pytest.raises(VerifyError, match=r"%1 .* stands at position 0"):
        verify(Graph(graph.nodes[1:], graph.inputs, ()))


def test_later_or_foreign_inputs(graph: Graph) -> None:
    foreign = replace(graph.nodes[0])
    strange = replace(graph.nodes[3], inputs=(foreign,))
    with pytest.raises(VerifyError, match=r"%3 .* reads <%0 .*>, which is no node of this graph"):
        verify(Graph((*graph.nodes[:3], strange), graph.inputs, (strange,)))
    early = replace(graph.nodes[2], inputs=(graph.nodes[0], graph.nodes[3]))
    with pytest.raises(VerifyError, match=r"%2 .* reads <%3 .*>, which comes later"):
        verify(Graph((*graph.nodes[:2], early, graph.nodes[3]), graph.inputs, ()))


def test_origin(graph: Graph) -> None:
    verify(with_ends(graph, replace(graph.nodes[3], origin=2)))
    with pytest.raises(VerifyError, match=r"%3 .* names %7 as its origin"):
        verify(with_ends(graph, replace(graph.nodes[3], origin=7)))


def with_ends(graph: Graph, last: Node) -> Graph:
    return Graph((*graph.nodes[:3], last), graph.inputs, (last,))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: {"outputs": (replace(g.nodes[3]),)}, "%3 .* named as an output, but it is no node"),
        (lambda g: {"inputs": g.inputs[:1]}, "%1 .* is not named as an input"),
        (lambda g: {"inputs": (*g.inputs, g.nodes[2])}, "%2 .* is named as an input"),
        (lambda g: {"inputs": (*g.inputs, g.nodes[0])}, "named twice"),
        (lambda g: {"updates": {g.nodes[2]: g.nodes[3]}}, "%2 .* is updated, but it is no input"),
        (lambda g: {"updates": {g.nodes[0]: replace(g.nodes[3])}}, "%3 .* updates <%0 .*>, but it is no node"),
    ],
)
def test_ends(graph: Graph, change, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(VerifyError, match=message):
        verify(replace(graph, **change(graph)))


def test_an_update_keeps_the_type_of_its_state() -> None:
    made = graph_of(lambda a, b: -b, "f32[2]", "f32[3]")
    with pytest.raises(VerifyError, match="which has another type"):
        verify(replace(made, updates={made.inputs[0]: made.outputs[0]}))
