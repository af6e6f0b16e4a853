"""Stages that run part by part give what they give one after the other, in memory that parts use again."""

from __future__ import annotations

import numpy as np
import pytest

import kadam
from graphs import graph_of
from kadam import nn, passes
from kadam.engines import reference
from kadam.engines.delivery import delivered
from kadam.engines.native import program
from kadam.engines.native.chain import Chain, Links, _Use
from kadam.engines.native.memory import Span, placed
from kadam.engines.native.program import NativeProgram
from kadam.engines.native.target import host
from kadam.ir.builder import emit
from kadam.ir.graph import Node
from kadam.primitives.analysis import Exp
from kadam.primitives.broadcast import Sum
from kadam.primitives.contract import Dot
from kadam.primitives.elementwise import Add, Mul
from kadam.primitives.index import Gather
from kadam.primitives.move import concat, sliced
from kadam.primitives.trigonometry import Tanh
from random_graphs import RandomGraph
from test_native_engine import assert_close, refuse

pytestmark = pytest.mark.skipif(host().cores < 2, reason="one core has no parts")
PARTS = host().cores


@pytest.fixture(autouse=True)
def everything_is_worth_a_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "PARALLEL_WORK", 0)


def network(x: Node, w: Node, v: Node) -> Node:
    """Two layers, and a mean that mixes the examples."""
    hidden = emit(Tanh(), emit(Dot((), (), (1,), (0,)), x, w))
    return emit(Sum((0,)), emit(Exp(), emit(Dot((), (), (1,), (0,)), hidden, v)))


def test_layers_make_a_chain_and_what_mixes_examples_does_not() -> None:
    made = NativeProgram(graph_of(network, f"f32[{16 * PARTS},24]", "f32[24,32]", "f32[32,16]"), (), refuse)
    ((first, last, chain),) = made._chains
    assert chain.length == last - first + 1 >= 2
    assert not any("Sum" in stage.name for stage in made.stages[first : last + 1] if not isinstance(stage, Node))


def recurrent(steps: int, x: Node, h: Node, w: Node) -> list[Node]:
    """Steps that read each other's results, put side by side; many values of one size come and go."""
    outputs = []
    for step in range(steps):
        seen = emit(Dot((), (), (1,), (1,)), h, w)
        h = emit(Tanh(), emit(Add(), emit(Mul(), seen, seen), sliced(x, 0, step * h.shape[0], (step + 1) * h.shape[0])))
        outputs.append(h)
    return [concat(outputs, 0), h]


@pytest.mark.parametrize("steps", [1, 3, 12])
def test_a_recurrent_network_agrees_with_the_reference_again_and_again(steps: int) -> None:
    rows = 16 * PARTS
    graph = graph_of(
        lambda x, h, w: recurrent(steps, x, h, w), f"f32[{steps * rows},48]", f"f32[{rows},48]", "f32[48,48]"
    )
    run = NativeProgram(graph, (), refuse).function()
    rng = np.random.default_rng(steps)
    for _ in range(20):
        feeds = [rng.uniform(-0.3, 0.3, node.shape).astype(np.float32) for node in graph.inputs]
        for ours, theirs in zip(run(feeds), reference.compile(graph)(feeds), strict=True):
            assert_close(ours, theirs)


@pytest.mark.parametrize("seed", range(1000, 1080))
def test_random_graphs_agree_with_the_reference(seed: int) -> None:
    made = RandomGraph(seed, 1 + seed % 24)
    graph = made.graph
    for improve in passes.PASSES:
        graph = improve(graph)
    expected = delivered(reference.compile(graph), made.over)([feed.copy() for feed in made.feeds])
    found = NativeProgram(graph, made.over, refuse).function()([feed.copy() for feed in made.feeds])
    for ours, theirs in zip(found, expected, strict=True):
        assert_close(ours, theirs, ulps=2_000)


def test_nothing_is_overwritten_before_all_parts_were_checked() -> None:
    """An index that is wrong in the last part must leave the input whole, for the reference to tell of it."""
    rows = 16 * PARTS

    def body(state: Node, index: Node, table: Node) -> Node:
        return emit(Add(), state, emit(Gather(0), table, index))

    graph = graph_of(body, f"f32[{rows},8]", f"i64[{rows},8]", "f32[5,8]")
    told = []

    def fallback(feeds: list[np.ndarray]) -> list[np.ndarray]:
        told.append(feeds[0].copy())
        return [feeds[0]]

    state, index = np.ones((rows, 8), np.float32), np.zeros((rows, 8), np.int64)
    index[-1, -1] = 7
    NativeProgram(graph, (0,), fallback).function()([state, index, np.ones((5, 8), np.float32)])
    assert (told[0] == 1).all()


def test_a_chain_that_checks_overwrites_no_input() -> None:
    uses = (("x", _Use(0, 64, writes=False)),)
    checking, overwriting = Links(uses, 1, 0.0, True, False), Links(uses, 1, 0.0, False, True)
    for first, second in ((checking, overwriting), (overwriting, checking)):
        chain = Chain()
        assert chain.takes(first)
        assert chain.takes(first)
        assert not chain.takes(second)


def test_training_is_the_same_on_any_number_of_threads() -> None:
    def trained(threads: int) -> list[float]:
        kadam.set_num_threads(threads)
        kadam.manual_seed(0)
        model = nn.LSTM(8, 32, batch_first=True)
        optimizer = kadam.optim.Adam(model.parameters())
        x, losses = kadam.randn(16 * PARTS, 6, 8), []
        for _ in range(8):
            optimizer.zero_grad()
            loss = model(x)[0].pow(2).mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    before = kadam.get_num_threads()
    try:
        trained(2)  # on the reference engine first
        assert trained(1) == trained(2)
    finally:
        kadam.set_num_threads(before)


def test_an_input_that_a_chain_overwrites_is_read_whole_afterwards() -> None:
    """`state += tanh(x); x @ state`: every part of the product needs all of the new state."""
    rows = 16 * PARTS

    def body(state: Node, x: Node) -> list[Node]:
        new = emit(Add(), state, emit(Tanh(), x))
        return [new, emit(Tanh(), emit(Dot((), (), (1,), (0,)), x, new))]

    graph = graph_of(body, f"f32[{rows},{rows}]", f"f32[{rows},{rows}]")
    rng = np.random.default_rng(0)
    feeds = [rng.uniform(-0.5, 0.5, (rows, rows)).astype(np.float32) for _ in range(2)]
    expected = reference.compile(graph)([feed.copy() for feed in feeds])
    for ours, theirs in zip(NativeProgram(graph, (0, None), refuse).function()(feeds), expected, strict=True):
        assert_close(ours, theirs)


def test_shares_of_memory_that_is_used_again_are_equal() -> None:
    """Rows of 9 and of 16 numbers take equal memory, but a part's share of it begins elsewhere."""
    lives = {"a": (72, 0, 1), "b": (128, 2, 3)}
    offsets, _ = placed(lives, [Span(0, 3, frozenset("ab"))])
    assert offsets["a"] != offsets["b"]


def test_batched_products_of_any_way_make_one_stage() -> None:
    """The gradient of `bmm`, whose best way copies its rows in a stage of their own."""
    graph = graph_of(
        lambda x, y: emit(Tanh(), emit(Dot((0,), (0,), (1,), (1,)), x, y)),
        f"f32[{PARTS},64,200]",
        f"f32[{PARTS},64,256]",
    )
    rng = np.random.default_rng(0)
    feeds = [rng.standard_normal(node.shape).astype(np.float32) for node in graph.inputs]
    (ours,) = NativeProgram(graph, (), refuse).function()(feeds)
    assert_close(ours, reference.compile(graph)(feeds)[0])


def test_memory_of_one_moment_is_not_that_of_another_in_the_same_chain() -> None:
    """Inside a span, memory goes from one buffer to the next only if both fall to the parts as wholes."""
    lives = {"a": (64, 0, 1), "b": (64, 2, 3), "c": (64, 2, 4), "d": (64, 5, 6)}
    offsets, size = placed(lives)
    assert size == 128
    offsets, size = placed(lives, [Span(0, 4, frozenset("b"))])
    assert len({offsets["a"], offsets["b"], offsets["c"]}) == 3
    offsets, size = placed(lives, [Span(0, 4, frozenset("ab"))])
    assert offsets["a"] == offsets["b"] != offsets["c"]
    assert size == 128
