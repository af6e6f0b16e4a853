"""The native engine's running results and orders along an axis, against the primitives' references, bit by bit."""

from __future__ import annotations

import random
import warnings
from collections.abc import Sequence

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from graphs import graph_of
from kadam import dtypes
from kadam.dtypes import dtype
from kadam.engines import native, reference
from kadam.engines.native import merge, sort
from kadam.engines.native.element import Load
from kadam.engines.native.kernels import is_own
from kadam.engines.native.order import Memory
from kadam.ir.builder import emit
from kadam.ir.graph import Graph, Node
from kadam.ir.place import Place
from kadam.ir.primitive import Array, Primitive
from kadam.ir.types import TensorType
from kadam.primitives.elementwise import Mul
from kadam.primitives.index import Gather
from kadam.primitives.move import Permute
from kadam.primitives.scan import CumArgMax, CumArgMin, CumProd, CumSum, LinearScan
from kadam.primitives.sort import ModeIndices, SearchSorted, SortIndices, TopKIndices

FLOATS = (dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64)
INTEGERS = (
    dtypes.uint8, dtypes.int8, dtypes.int16, dtypes.uint16, dtypes.int32, dtypes.uint32, dtypes.int64, dtypes.uint64,
)  # fmt: skip
REAL = (dtypes.bool_, *INTEGERS, *FLOATS)
SIZES = (1, 2, 3, 15, 16, 33, 64, 129, 192, 193, 300)  # of the axis: around registers' widths and algorithms' limits

every_type = pytest.mark.parametrize("record", REAL, ids=lambda one: one.name)


def draw(rng: np.random.Generator, record: dtype, shape: Sequence[int], few: bool) -> Array:
    """Random values; `few` different ones: many ties, and among floats both zeros, infinities and nans."""
    if record is dtypes.bool_:
        return rng.integers(0, 2, shape) > 0
    if not record.is_floating_point:
        limits = np.iinfo(record.numpy)
        low, high = (3 * min(record.is_signed, 1) * -1, 4) if few else (limits.min, limits.max)
        return rng.integers(low, high, shape, dtype=record.numpy, endpoint=True)
    values = rng.normal(size=shape)
    if few:
        special = np.array([np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 2.0, 3.0])
        values = special[rng.integers(0, len(special), shape)]
    return values.astype(record.numpy)


def natively(graph: Graph, *feeds: Array) -> Array:
    """The only output, by the native engine alone."""

    def refused(_feeds: list[Array]) -> list[Array]:
        raise AssertionError("the native engine gave up")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (found,) = native.compile(graph, [None], refused)(list(feeds))
    return found


def graph_for(primitive: Primitive, record: dtype, *feeds: Array) -> Graph:
    return graph_of(lambda *inputs: emit(primitive, *inputs), *[TensorType(record, one.shape) for one in feeds])


def check(primitive: Primitive, record: dtype, *feeds: Array) -> None:
    graph = graph_for(primitive, record, *feeds)
    assert is_own(graph.outputs[0])
    with np.errstate(all="ignore"):
        expected = np.asarray(primitive.reference(*feeds))
    same(natively(graph, *feeds), expected, f"{primitive} of {record.name} {[one.shape for one in feeds]}")


def same(found: Array, expected: Array, case: str = "") -> None:
    """Equal, with the signs of zeros; any nan is like another."""
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape), case
    if found.dtype.kind not in "biu":
        found, expected = found.astype(np.float64), expected.astype(np.float64)
        real = expected == expected
        np.testing.assert_array_equal(np.signbit(found[real]), np.signbit(expected[real]), case)
    np.testing.assert_array_equal(found, expected, case)


def some_shape(rng: random.Random) -> tuple[tuple[int, ...], int]:
    """A shape with one longer axis, and that axis; now and then another."""
    shape = [rng.choice((1, 2, 3, 5, 17)) for _ in range(rng.randint(1, 3))]
    axis = rng.randrange(len(shape))
    shape[axis] = rng.choice(SIZES)
    return tuple(shape), axis if rng.random() < 0.8 else rng.randrange(len(shape))


@every_type
@pytest.mark.parametrize("few", [True, False], ids=["ties", "spread"])
def test_running_results(record: dtype, few: bool) -> None:
    rng, numbers = random.Random(1), np.random.default_rng(1)
    for _ in range(3):
        shape, axis = some_shape(rng)
        x, reverse = draw(numbers, record, shape, few), rng.random() < 0.5
        if record is not dtypes.bool_:
            check(CumSum(axis, reverse), record, x)
            check(CumProd(axis, reverse), record, x)
        check(LinearScan(axis, reverse), record, draw(numbers, record, shape, few), x)
        check(CumArgMax(axis), record, x)
        check(CumArgMin(axis), record, x)


@every_type
@pytest.mark.parametrize("few", [True, False], ids=["ties", "spread"])
def test_orders(record: dtype, few: bool) -> None:
    rng, numbers = random.Random(2), np.random.default_rng(2)
    for _ in range(3):
        shape, axis = some_shape(rng)
        x, size = draw(numbers, record, shape, few), shape[axis]
        check(SortIndices(axis, descending=rng.random() < 0.5), record, x)
        check(TopKIndices(rng.randint(0, size), axis, largest=rng.random() < 0.5), record, x)
        check(TopKIndices(min(rng.randint(1, 20), size), axis, largest=rng.random() < 0.5), record, x)
        check(ModeIndices(axis), record, x)


@every_type
@pytest.mark.parametrize("right", [True, False])
def test_search(record: dtype, right: bool) -> None:
    rng, numbers = random.Random(3), np.random.default_rng(3)
    for few in (True, False):
        shape, _ = some_shape(rng)
        size = rng.choice((0, 1, 2, 3, 10, 100, 1000))
        for rows in ((), shape[:-1]):
            sequence = draw(numbers, record, (*rows, size), few)
            order = SortIndices(len(rows)).reference(sequence)
            check(
                SearchSorted(right), record, np.take_along_axis(sequence, order, -1), draw(numbers, record, shape, few)
            )


@pytest.mark.parametrize(
    "record", [dtypes.float32, dtypes.float64, dtypes.int64, dtypes.uint8], ids=lambda one: one.name
)
def test_blocks_of_long_lines_are_merged(record: dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "PART", 32)
    monkeypatch.setattr(sort, "block_of", lambda size, _key: 96 if size > 96 else size)
    numbers = np.random.default_rng(4)
    for shape, axis in (((97,), 0), ((1000,), 0), ((2, 3, 200), 2), ((3, 768, 2), 1)):
        for few in (True, False):
            x = draw(numbers, record, shape, few)
            check(SortIndices(axis, few), record, x)
            check(TopKIndices(shape[axis] // 2, axis, few), record, x)
            check(ModeIndices(axis), record, x)


@pytest.mark.parametrize("few", [True, False], ids=["ties", "spread"])
def test_long_line(few: bool) -> None:
    x = draw(np.random.default_rng(5), dtypes.float32, (300_001,), few)
    check(SortIndices(0), dtypes.float32, x)


@pytest.mark.parametrize("values", [np.full(1000, np.nan), np.arange(1000.0), np.arange(1000.0)[::-1], np.zeros(1000)])
def test_the_best_of_lines_in_any_order(values: Array) -> None:
    x = values.astype(np.float32)
    for k in (1, 17, 200):
        check(TopKIndices(k, 0), dtypes.float32, x)
        check(TopKIndices(k, 0, largest=False), dtypes.float32, x)


def test_nothing_is_ordered() -> None:
    empty = np.zeros((0, 3), np.float32)
    for axis in (0, 1):
        for primitive in (CumSum(axis), CumArgMax(axis), SortIndices(axis), TopKIndices(0, axis)):
            check(primitive, dtypes.float32, empty)
    check(TopKIndices(0, 0), dtypes.float32, np.ones((4, 2), np.float32))
    check(SearchSorted(False), dtypes.float32, np.zeros(3, np.float32), empty)


def test_block_lengths() -> None:
    for size in (1, 1000, 10**5, 10**6, 12_345_678):
        for key in (dtypes.int32, dtypes.int64):
            block = merge.block_of(size, key)
            assert block == size or block % merge.PART == 0
            assert block << merge.levels(size, block) >= size


def test_what_is_ordered_and_what_reads_the_order_are_compiled_with_it() -> None:
    def body(x: Node, y: Node, edges: Node) -> list[Node]:
        product = emit(Mul(), emit(Permute((1, 0)), x), y)  # no memory of its own, and not in its order
        order = emit(SortIndices(1, descending=True), product)
        ordered = emit(Gather(1), product, order)
        below = emit(SearchSorted(True), emit(Gather(0), edges, emit(SortIndices(0), edges)), product)
        scan = emit(LinearScan(0, True), emit(Mul(), product, product), ordered)
        return [ordered, emit(CumSum(1), product), emit(Mul(), below, order), scan, emit(TopKIndices(3, 0), product)]

    types = "f32[40,21]", "f32[21,40]", "f32[13]"
    graph = graph_of(body, *types)
    numbers = np.random.default_rng(6)
    feeds = [numbers.normal(size=shape).astype(np.float32) for shape in ((40, 21), (21, 40), (13,))]
    expected = reference.compile(graph)(list(feeds))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = native.compile(graph, [None] * 5, lambda _: pytest.fail("the native engine gave up"))(list(feeds))
    for one, other in zip(found, expected, strict=True):
        same(np.asarray(one), np.asarray(other))


def test_complex_numbers_are_left_to_the_reference() -> None:
    x = (np.arange(6) + 1j * np.arange(6)[::-1]).astype(np.complex64)
    graph = graph_for(CumProd(0), dtypes.complex64, x)
    assert not is_own(graph.outputs[0])
    np.testing.assert_array_equal(natively(graph, x), CumProd(0).reference(x))


def test_memory_ends_behind_the_last_element() -> None:
    """Merging looks at one element behind a line."""
    graph = graph_of(lambda x: x, "f32[64]")
    element = Load(dtypes.float32, graph.inputs[0], Place(), None)
    assert Memory(element, 2, 64).room > 64
