"""The reference engine: runs graphs, keeps what a trace wants, and loses nothing when a node fails."""

from __future__ import annotations

import numpy as np
import pytest

from kadam.dtypes import float32, int64
from kadam.engines import reference
from kadam.errors import IndexOutOfRange
from kadam.ir.builder import Builder, building
from kadam.ir.graph import Graph
from kadam.ir.types import TensorType
from kadam.primitives.index import Index
from kadam.primitives.sources import Input
from kadam.primitives.trigonometry import Tanh


def graph_of_tanh():
    builder = Builder()
    with building(builder):
        x = builder.emit(Input(TensorType(float32, (3,))))
        y = builder.emit(Tanh(), x)
        z = y * y
    return Graph(tuple(builder.nodes), (x,), (z, y))


def test_a_compiled_graph_gives_its_outputs_in_order():
    run = reference.compile(graph_of_tanh())
    for seed in (0, 1):
        x = np.random.default_rng(seed).standard_normal(3).astype(np.float32)
        z, y = run([x])
        np.testing.assert_allclose(y, np.tanh(x), rtol=1e-6)
        np.testing.assert_allclose(z, np.tanh(x) ** 2, rtol=1e-6)


def test_a_trace_has_every_value_and_the_time_of_what_was_computed():
    graph = graph_of_tanh()
    x = np.linspace(-1, 1, 3, dtype=np.float32)
    trace = reference.trace(graph, [x])
    assert sorted(trace.values) == [node.id for node in graph.nodes]
    np.testing.assert_allclose(trace.value(graph.outputs[0]), np.tanh(x) ** 2, rtol=1e-6)
    assert sorted(trace.elapsed_s) == [node.id for node in graph.nodes if node not in graph.inputs]
    assert all(elapsed >= 0 for elapsed in trace.elapsed_s.values())


def test_what_was_computed_before_a_failing_node_is_not_lost():
    builder = Builder()
    with building(builder):
        x = builder.emit(Input(TensorType(float32, (3,))))
        place = builder.emit(Input(TensorType(int64, (1,))))
        good = x * x
        bad = builder.emit(Index((0,)), good, place)
        after = bad * bad
    run = reference.compile(Graph(tuple(builder.nodes), (x, place), (good, after)))
    values = np.asarray([1.0, 2.0, 3.0], np.float32)
    np.testing.assert_allclose(run([values, np.asarray([2])])[1], [81.0])
    with pytest.raises(reference.RunError) as failure:
        run([values, np.asarray([7])])
    assert failure.value.node is bad
    assert isinstance(failure.value.__cause__, IndexOutOfRange)
    np.testing.assert_allclose(failure.value.outputs[0], [1.0, 4.0, 9.0])
    assert failure.value.outputs[1] is None
