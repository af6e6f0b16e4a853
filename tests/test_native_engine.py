"""The native engine against the reference: each primitive, random graphs, results in the memory of inputs, bad data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from graphs import graph_of
from kadam import dtypes, passes
from kadam.engines import reference
from kadam.engines.delivery import delivered
from kadam.engines.native.program import NativeProgram
from kadam.engines.native.stage import Stage
from kadam.errors import DTypeError, IndexOutOfRange
from kadam.ir.builder import emit
from kadam.ir.graph import Graph, Node
from kadam.ir.primitive import Array, Example
from kadam.primitives.analysis import Exp, Relu, Sqrt
from kadam.primitives.broadcast import Broadcast, Sum
from kadam.primitives.contract import Dot
from kadam.primitives.elementwise import Abs, Add, Mul, Neg
from kadam.primitives.index import Index
from kadam.primitives.move import Flip, concat
from kadam.primitives.reduce import Max
from kadam.primitives.scan import CumSum
from kadam.primitives.solve import Inverse
from kadam.primitives.special import Erfinv
from kadam.primitives.trigonometry import Tanh
from random_graphs import RandomGraph
from test_every_primitive import DOUBLE, draw, every_example, retyped

pytest.importorskip("llvmlite")


def refuse(feeds: Sequence[Array]) -> Sequence[Array]:
    raise AssertionError("the program fell back to the reference")


def native(graph: Graph, feeds: Sequence[Array], over: tuple[int | None, ...] = ()) -> Sequence[Array]:
    """The outputs by the native engine; it may not fall back."""
    return NativeProgram(graph, over, refuse).function()(list(feeds))


def assert_close(ours: Array, theirs: Array, ulps: float = 64) -> None:
    """Equal up to some rounding errors, relative to the largest element."""
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    if ours.dtype.kind not in "fcV" or not theirs.size:
        np.testing.assert_array_equal(ours, theirs)
        return
    exact = np.finfo(ours.dtype).eps if ours.dtype.kind in "fc" else 2**-7
    wide = np.complex128 if ours.dtype.kind == "c" else np.float64
    largest = np.max(np.abs(theirs.astype(wide)), where=np.isfinite(theirs.astype(wide)), initial=1)
    np.testing.assert_allclose(
        ours.astype(wide), theirs.astype(wide), rtol=float(ulps * exact), atol=float(ulps * exact * largest)
    )


@every_example
@pytest.mark.parametrize("to", [{}, DOUBLE], ids=["single", "double"])
def test_every_primitive_agrees_with_the_reference(case: Example, to: dict[dtypes.dtype, dtypes.dtype]) -> None:
    primitive, types = retyped(case, to)
    graph = graph_of(lambda *nodes: emit(primitive, *nodes), *types)
    feeds = draw(case, types)
    with np.errstate(all="ignore"):
        expected = np.asarray(primitive.reference(*feeds))
    assert_close(native(graph, feeds)[0], expected)


@every_example
@pytest.mark.parametrize("narrow", [dtypes.float16, dtypes.bfloat16])
def test_16_bit_floats_agree_with_the_reference(case: Example, narrow: dtypes.dtype) -> None:
    primitive, types = retyped(case, {dtypes.float32: narrow})
    if narrow not in [one.dtype for one in types]:
        pytest.skip("no floats here")
    try:
        graph = graph_of(lambda *nodes: emit(primitive, *nodes), *types)
    except DTypeError as refusal:
        pytest.skip(f"refused: {refusal}")
    feeds = draw(case, types)
    with np.errstate(all="ignore"):
        expected = np.asarray(primitive.reference(*feeds))
    assert_close(native(graph, feeds)[0], expected, ulps=2)


@pytest.mark.parametrize("seed", range(150))
def test_random_graphs_agree_with_the_reference(seed: int) -> None:
    made = RandomGraph(seed, 1 + seed % 20)
    graph = made.graph
    for improve in passes.PASSES:
        graph = improve(graph)
    expected = delivered(reference.compile(graph), made.over)([feed.copy() for feed in made.feeds])
    feeds = [feed.copy() for feed in made.feeds]
    found = native(graph, feeds, made.over)
    for ours, theirs, place in zip(found, expected, made.over, strict=True):
        assert_close(ours, theirs, ulps=2_000)
        assert place is None or ours is feeds[place]


def stages(graph: Graph, over: tuple[int | None, ...] = ()) -> list[str]:
    return [stage.name for stage in NativeProgram(graph, over, refuse).stages if not isinstance(stage, Node)]


def test_what_follows_a_contraction_is_done_in_its_registers() -> None:
    def layer(x: Node, w: Node, b: Node) -> Node:
        return emit(Add(), emit(Dot((), (), (1,), (1,)), x, w), emit(Broadcast((64, 32)), b))

    graph = graph_of(layer, "f32[64,48]", "f32[32,48]", "f32[32]")
    assert stages(graph) == ["Dot+Add"]


def test_a_row_statistic_and_what_reads_it_are_one_kernel() -> None:
    def body(x: Node) -> Node:
        total = emit(Sum((1,)), x)
        return emit(Mul(), total, total)

    assert stages(graph_of(body, "f32[32,100]")) == ["Sum+Mul"]


def test_an_update_is_written_in_place_once_nobody_reads_the_old_value() -> None:
    def body(p: Node, g: Node) -> tuple[Node, Node]:
        return emit(Add(), p, g), emit(Sum((0,)), p)

    graph = graph_of(body, "f32[1000]", "f32[1000]")
    p, g = np.ones(1000, np.float32), np.full(1000, 2, np.float32)
    program = NativeProgram(graph, (0,), refuse)
    updated, before = program.function()([p, g])
    assert updated is p
    assert not program.copies
    np.testing.assert_array_equal(p, 3)
    assert before == 1000


def test_an_update_that_moves_elements_does_not_read_its_own_results() -> None:
    graph = graph_of(lambda p: emit(Add(), emit(Flip((0,)), p), p), "f32[100]")
    p = np.arange(100, dtype=np.float32)
    (updated,) = native(graph, [p], (0,))
    assert updated is p
    np.testing.assert_array_equal(p, 99)


def test_inputs_in_any_memory() -> None:
    graph = graph_of(lambda x, y: emit(Add(), x, y), "f32[3,4]", "f32[3,4]")
    x = np.arange(24, dtype=np.float32).reshape(4, 6)[:, ::2].T
    y = np.asfortranarray(np.ones((3, 4), np.float32))
    np.testing.assert_array_equal(native(graph, [x, y])[0], x + 1)


def test_numbers_are_inputs() -> None:
    graph = graph_of(lambda x, s: emit(Mul(), x, emit(Broadcast((3,)), s)), "f64[3]", "f64[]")
    x = np.arange(3.0)
    for number in (2.5, np.array(2.5), np.float64(2.5)):
        np.testing.assert_array_equal(native(graph, [x, number])[0], [0, 2.5, 5])


def test_an_index_out_of_range_is_the_references_error_and_nothing_is_written() -> None:
    def body(p: Node, table: Node, places: Node) -> tuple[Node, Node]:
        return emit(Add(), p, p), emit(Index((0,)), table, places)

    graph = graph_of(body, "f32[4]", "f32[5,3]", "i64[2]")
    p = np.ones(4, np.float32)
    run = NativeProgram(graph, (0,), delivered(reference.compile(graph), (0,))).function()
    with pytest.raises(reference.RunError) as failure:
        run([p, np.ones((5, 3), np.float32), np.array([1, 5])])
    assert isinstance(failure.value.__cause__, IndexOutOfRange)


def test_what_has_no_kernel_runs_between_native_calls() -> None:
    def body(x: Node) -> Node:
        return emit(Add(), emit(Inverse(), emit(Mul(), x, x)), x)

    graph = graph_of(body, "f64[3,3]")
    x = np.eye(3) * 2 + 0.5
    np.testing.assert_allclose(native(graph, [x])[0], np.linalg.inv(x * x) + x, rtol=1e-12)


def test_two_runs_are_equal_bit_for_bit() -> None:
    def body(x: Node, w: Node) -> Node:
        return emit(CumSum(0), emit(Sum((1,)), emit(Dot((), (), (1,), (0,)), x, w)))

    graph = graph_of(body, "f32[300,200]", "f32[200,100]")
    rng = np.random.default_rng(0)
    feeds = [rng.normal(size=(300, 200)).astype(np.float32), rng.normal(size=(200, 100)).astype(np.float32)]
    run = NativeProgram(graph, (), refuse).function()
    first = np.array(run(feeds)[0])
    for _ in range(20):
        np.testing.assert_array_equal(run(feeds)[0], first)


SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-42, -1e-42, 3e38, 1e-38]


@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
@pytest.mark.parametrize("kind", [Sum, Max])
def test_special_values_in_folds(kind: type[Sum | Max], axes: tuple[int, ...]) -> None:
    x = np.array([np.roll(SPECIAL, shift) for shift in range(37)], np.float32)[:, :9]
    graph = graph_of(lambda node: emit(kind(axes), node), f"f32[{x.shape[0]},{x.shape[1]}]")
    with np.errstate(all="ignore"):
        expected = kind(axes).reference(x)
    np.testing.assert_array_equal(native(graph, [x])[0], expected)


@pytest.mark.parametrize("shape", ["0", "0,3", "3,0", "1", "1,1,1", "70000,1", "1,70001"])
def test_empty_tiny_and_long_axes(shape: str) -> None:
    sizes = tuple(map(int, shape.split(",")))
    x = np.random.default_rng(1).normal(size=sizes).astype(np.float32)

    def body(node: Node) -> tuple[Node, Node]:
        return emit(Add(), node, node), emit(Sum(tuple(range(len(sizes)))), node)

    double, total = native(graph_of(body, f"f32[{shape}]"), [x])
    np.testing.assert_array_equal(double, x + x)
    np.testing.assert_allclose(total, x.astype(np.float64).sum(), rtol=1e-4, atol=1e-2)


def test_an_input_that_is_an_output_is_copied() -> None:
    graph = graph_of(lambda x: x, "f32[3]")
    graph = replace(graph, outputs=(*graph.outputs, *graph.outputs))
    x = np.arange(3, dtype=np.float32)
    first, second = native(graph, [x])
    assert not np.shares_memory(first, x)
    assert not np.shares_memory(first, second)
    np.testing.assert_array_equal(second, x)


def test_results_that_somebody_holds_are_never_used_again() -> None:
    graph = graph_of(lambda x: emit(Add(), x, x), "f32[40000]")
    run = NativeProgram(graph, (), refuse).function()
    first = run([np.full(40_000, 1, np.float32)])[0]
    view = run([np.full(40_000, 2, np.float32)])[0][10:20]
    for value in range(3, 8):
        run([np.full(40_000, value, np.float32)])
    np.testing.assert_array_equal(first, 2)
    np.testing.assert_array_equal(view, 4)


def test_what_the_reference_refuses_between_native_calls_is_a_run_error_and_nothing_is_written() -> None:
    def body(p: Node, x: Node) -> tuple[Node, Node]:
        return emit(Add(), p, p), emit(Inverse(), emit(Mul(), x, x))

    graph = graph_of(body, "f64[4]", "f64[2,2]")
    seen = []

    def fallback(feeds: Sequence[Array]) -> Sequence[Array]:
        seen.append(feeds[0].copy())
        return delivered(reference.compile(graph), (0,))(list(feeds))

    run = NativeProgram(graph, (0,), fallback).function()
    with pytest.raises(reference.RunError):
        run([np.ones(4), np.zeros((2, 2))])
    np.testing.assert_array_equal(seen, [np.ones(4)])


# Parts side by side


def side_by_side(axis: int, a: Node, b: Node) -> Sequence[Node]:
    """Concatenations of what is made by elements, by products, by concatenations, and of parts that others need."""
    tanh, product, exp = emit(Tanh(), a), emit(Mul(), a, b), emit(Exp(), b)
    twice = concat([tanh, tanh, product], axis)
    around = emit(Sqrt(), emit(Exp(), a))
    apart = concat([around, product, b, around], axis)
    several = concat([tanh, product, exp, emit(Sqrt(), exp)], axis)
    nested = concat([several, emit(Neg(), several), product, emit(Abs(), b)], axis)
    dot = emit(Dot((), (), (1,), (0,)), a, b)
    beside = concat([emit(Relu(), dot), emit(Neg(), dot), emit(Exp(), emit(Neg(), dot))], axis)
    return [twice, apart, nested, beside, emit(Sum((0, 1)), several), exp]


@pytest.mark.parametrize("axis", [0, 1])
def test_parts_are_made_where_they_belong(axis: int) -> None:
    graph = graph_of(partial(side_by_side, axis), "f32[24,24]", "f32[24,24]")
    rng = np.random.default_rng(axis)
    feeds = [rng.standard_normal((24, 24)).astype(np.float32) for _ in range(2)]
    for ours, theirs in zip(native(graph, feeds), reference.compile(graph)(feeds), strict=True):
        assert_close(ours, theirs)


@pytest.mark.parametrize("axis", [0, 1])
def test_parts_that_nothing_else_reads_are_not_copied(axis: int) -> None:
    def body(a: Node, b: Node) -> Node:
        inner = concat([emit(Tanh(), a), emit(Exp(), b), emit(Tanh(), emit(Exp(), b))], axis)
        return emit(Exp(), concat([inner, emit(Neg(), emit(Tanh(), inner)), emit(Exp(), emit(Sqrt(), inner))], 0))

    program = NativeProgram(graph_of(body, "f32[8,8]", "f32[8,8]"), (), refuse)
    assert not [stage for stage in program.stages if isinstance(stage, Stage) and stage.name.startswith("Concat")]


def test_functions_that_loop_may_stand_at_a_kernels_start() -> None:
    """What is the same for all results of a tile is computed once, before them: here by a formula with a loop in it."""

    def body(x: Node, w: Node, s: Node) -> Node:
        return emit(Mul(), emit(Dot((), (), (1,), (0,)), x, w), emit(Broadcast((40, 56)), emit(Erfinv(), s)))

    graph = graph_of(body, "f32[40, 48]", "f32[48, 56]", "f32[]")
    rng = np.random.default_rng(11)
    feeds = [
        rng.standard_normal((40, 48), np.float32),
        rng.standard_normal((48, 56), np.float32),
        np.float32(0.3) * np.ones((), np.float32),
    ]
    for ours, theirs in zip(native(graph, feeds), reference.compile(graph)(feeds), strict=True):
        assert_close(ours, theirs)
