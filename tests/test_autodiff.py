"""backward: the chain rule over a graph, in graph terms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from graphs import graph_of, run
from kadam.autodiff import backward
from kadam.dtypes import float64
from kadam.errors import VerifyError
from kadam.ir.builder import Builder, building, current_builder, emit
from kadam.ir.graph import Graph, Node, Phase, Source
from kadam.ir.primitive import Array
from kadam.ir.types import parse_type
from kadam.primitives.analysis import Exp, Log
from kadam.primitives.broadcast import stretch, summed
from kadam.primitives.compare import Less
from kadam.primitives.elementwise import where
from kadam.primitives.move import Detach
from kadam.primitives.sources import Full, Input, full_like
from kadam.primitives.trigonometry import Sin, Tanh


def gradients(out: Node, wrt: Sequence[Node], **options: object) -> list[Node | None]:
    """The derivative of the sum of `out` in the graph under construction."""
    builder = current_builder()
    ids = [node.id for node in wrt]
    found = backward(list(builder.nodes), {out.id: full_like(out, 1)}, builder.active, ids, **options)  # type: ignore[arg-type]
    return [found.get(one) for one in ids]


def gradient_graph(body: Callable[..., Node], *types: str) -> Graph:
    def both(*inputs: Node) -> list[Node]:
        cotangents = gradients(body(*inputs), inputs)
        return [full_like(x, 0) if ct is None else ct for x, ct in zip(inputs, cotangents, strict=True)]

    return graph_of(both, *types)


def at(graph: Graph, *values: float) -> list[float]:
    return [float(value) for value in run(graph, *(np.asarray(value) for value in values))]


def test_chain_rule() -> None:
    graph = gradient_graph(lambda x: emit(Sin(), emit(Exp(), x)), "f64[]")
    assert at(graph, 0.3) == pytest.approx([np.cos(np.exp(0.3)) * np.exp(0.3)])


def test_product_and_quotient_rules() -> None:
    graph = gradient_graph(lambda x, y: x * x * y / (x + 2.0) - 3.0 * y, "f64[]", "f64[]")
    x, y = 1.5, -0.7
    expected = [(2 * x * y * (x + 2) - x * x * y) / (x + 2) ** 2, x * x / (x + 2) - 3]
    assert at(graph, x, y) == pytest.approx(expected)


def test_paths_add_up() -> None:
    def body(x: Node) -> Node:
        y = x * x
        return y * y + y + x  # x^4 + x^2 + x

    assert at(gradient_graph(body, "f64[]"), 0.8) == pytest.approx([4 * 0.8**3 + 2 * 0.8 + 1])


def test_broadcast_sums_and_sum_broadcasts() -> None:
    def body(matrix: Node, bias: Node) -> Node:
        row = summed(matrix + stretch(bias, matrix.shape), (0,))
        return row * row

    graph = gradient_graph(body, "f64[2,3]", "f64[3]")
    matrix, bias = np.arange(6.0).reshape(2, 3), np.array([1.0, -1.0, 2.0])
    row = (matrix + bias).sum(0)
    of_matrix, of_bias = run(graph, matrix, bias)
    np.testing.assert_allclose(of_matrix, np.tile(2 * row, (2, 1)))
    np.testing.assert_allclose(of_bias, 4 * row)


def test_no_cotangent_where_none_flows() -> None:
    def body(x: Node, y: Node) -> list[Node]:
        cotangents = gradients(emit(Detach(), x) * 2.0 + where(emit(Less(), x, y), y, y), [x, y])
        assert cotangents[0] is None
        assert cotangents[1] is not None
        return []

    graph_of(body, "f64[]", "f64[]")


def test_only_active_nodes_are_swept() -> None:
    def body(x: Node, y: Node) -> list[Node]:
        current_builder().active.discard(x.id)
        product = emit(Exp(), x) * y
        count = len(current_builder().nodes)
        assert gradients(product, [x, y])[0] is None
        swept = [type(node.primitive).__name__ for node in current_builder().nodes[count:]]
        assert swept.count("Mul") == 1  # the product's term for y; nothing of exp
        return []

    graph_of(body, "f64[]", "f64[]")


def test_a_rule_that_was_asked_for_one_operand_is_another_than_that_for_both() -> None:
    def product(of_x: bool, of_y: bool) -> list[Any]:
        found: list[Any] = []

        def body(x: Node, y: Node) -> list[Node]:
            active = current_builder().active
            active -= {node.id for node, asked in ((x, of_x), (y, of_y)) if not asked}
            found[:] = gradients(x * y, [x, y])
            return [one for one in found if one is not None]

        graph = graph_of(body, "f64[]", "f64[]")
        values = iter([float(one) for one in run(graph, *map(np.array, (3.0, 5.0)))])
        return [None if one is None else next(values) for one in found]

    for _ in range(2):
        assert product(True, False) == [5.0, None]
        assert product(False, True) == [None, 3.0]
        assert product(True, True) == [5.0, 3.0]


def test_attributes_that_are_equal_but_not_the_same_have_rules_of_their_own() -> None:
    assert Full(0.0, (), float64) == Full(-0.0, (), float64)
    assert Full(0.0, (), float64).text != Full(-0.0, (), float64).text
    assert Full(1, (), float64).text != Full(True, (), float64).text


def test_tracking_off_makes_constants() -> None:
    def body(x: Node) -> list[Node]:
        current_builder().tracking = False
        squared = x * x
        current_builder().tracking = True
        return [ct for ct in gradients(squared * x, [x]) if ct is not None]

    assert at(graph_of(body, "f64[]"), 3.0) == [9.0]


def test_collects_at_intermediate_nodes() -> None:
    def body(x: Node) -> list[Node]:
        hidden = emit(Exp(), x)
        ct_hidden, ct_x = gradients(hidden * hidden, [hidden, x])
        assert ct_hidden is not None
        assert ct_x is not None
        return [ct_hidden, ct_x]

    assert at(graph_of(body, "f64[]"), 0.5) == pytest.approx([2 * np.exp(0.5), 2 * np.exp(1.0)])


def test_stops_end_the_sweep() -> None:
    def body(x: Node) -> list[Node]:
        hidden = emit(Exp(), x)
        ct_hidden, ct_x = gradients(hidden * hidden, [hidden, x], stops=[hidden.id])
        assert ct_x is None
        assert ct_hidden is not None
        return [ct_hidden]

    assert at(graph_of(body, "f64[]"), 0.5) == pytest.approx([2 * np.exp(0.5)])


def test_several_results() -> None:
    def body(x: Node) -> list[Node]:
        builder = current_builder()
        double, square = x * 2.0, x * x
        cts = {double.id: full_like(x, 10), square.id: full_like(x, 1)}
        return [backward(list(builder.nodes), cts, builder.active, [x.id])[x.id]]

    assert at(graph_of(body, "f64[]"), 3.0) == [26.0]


def test_backward_nodes_name_their_origin() -> None:
    with building(Builder()) as builder:
        x = emit(Input(parse_type("f64[]")))
        builder.active.add(x.id)
        builder.scope, builder.source = "net.act", Source("train.py", 7)
        y = emit(Tanh(), x)
        builder.scope, builder.source = "", Source("train.py", 9)
        builder.phase = Phase.LOSS
        loss = y * y
        ct = full_like(loss, 1)
        count = len(builder.nodes)
        backward(list(builder.nodes), {loss.id: ct}, builder.active, [x.id])
    found = {(node.phase, node.scope, str(node.source), node.origin) for node in builder.nodes[count:]}
    assert found == {(Phase.BACKWARD, "net.act", "train.py:7", y.id), (Phase.BACKWARD, "", "train.py:9", loss.id)}
    assert (builder.phase, builder.scope, builder.source, builder.origin) == (
        Phase.LOSS,
        "",
        Source("train.py", 9),
        None,
    )


def derivatives(function: Callable[[Node], Node], order: int, x: float) -> float:
    def body(node: Node) -> Node:
        out = function(node)
        for _ in range(order):
            (out,) = gradients(out, [node])  # type: ignore[assignment]
        return out

    return at(graph_of(body, "f64[]"), x)[0]


@pytest.mark.parametrize("order", range(1, 5))
def test_derivatives_of_any_order(order: int) -> None:
    assert derivatives(lambda x: emit(Sin(), x), order, 0.4) == pytest.approx(np.sin(0.4 + order * np.pi / 2))
    assert derivatives(lambda x: emit(Exp(), 2.0 * x), order, 0.4) == pytest.approx(2**order * np.exp(0.8))
    logs = {1: 1 / 0.4, 2: -1 / 0.4**2, 3: 2 / 0.4**3, 4: -6 / 0.4**4}
    assert derivatives(lambda x: emit(Log(), x), order, 0.4) == pytest.approx(logs[order])


def test_values_of_an_earlier_graph_are_adopted() -> None:
    """A backward pass may come after its forward pass was cut off: the new graph is fed with what it needs."""
    with building(Builder()) as earlier:
        x = emit(Input(parse_type("f64[]")))
        earlier.active.add(x.id)
        y = emit(Exp(), x)
    fed: dict[Node, Node] = {}

    def adopt(node: Node) -> Node:
        if node not in fed:
            fed[node] = emit(Input(node.type))
        return fed[node]

    with building(Builder()) as later:
        later.adopt = adopt
        ct = emit(Input(parse_type("f64[]")))
        found = backward(earlier.nodes, {y.id: ct}, earlier.active, [x.id])
    graph = Graph(tuple(later.nodes), (ct, *fed.values()), (found[x.id],))
    assert list(fed) == [y]  # exp's derivative reads its result, nothing else
    assert at(graph, 3.0, np.exp(0.5)) == pytest.approx([3 * np.exp(0.5)])


def test_needs_a_graph_under_construction() -> None:
    with pytest.raises(VerifyError, match="no graph is under construction"):
        backward([], {}, [], [])


def test_a_network_agrees_with_pytorch() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    arrays: list[Array] = [rng.normal(size=shape) for shape in ((4, 3), (3, 3), (3,))]

    def body(x: Node, w: Node, b: Node) -> list[Node]:
        from kadam.primitives.contract import matmul

        hidden = emit(Tanh(), matmul(x, w) + stretch(b, (4, 3)))
        loss = summed(hidden * hidden * hidden, (0, 1))
        (of_x,) = gradients(loss, [x])
        assert of_x is not None
        penalty = summed(of_x * of_x, (0, 1))
        return [ct for ct in gradients(loss + penalty, [w, b]) if ct is not None]

    ours = run(graph_of(body, "f64[4,3]", "f64[3,3]", "f64[3]"), *arrays)
    x, w, b = (torch.tensor(array, requires_grad=True) for array in arrays)
    loss = torch.tanh(x @ w + b).pow(3).sum()
    (of_x,) = torch.autograd.grad(loss, x, create_graph=True)
    theirs = torch.autograd.grad(loss + of_x.pow(2).sum(), (w, b))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other.numpy(), rtol=1e-10)
