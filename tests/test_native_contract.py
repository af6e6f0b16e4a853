"""Contractions of the native engine: every way to cut one, against NumPy in double precision."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from kadam import dtypes
from kadam.dtypes import dtype
from kadam.engines.native.build import addresses
from kadam.engines.native.choice import Way, best, ways
from kadam.engines.native.contract import Axis, Contraction, Operand, stages, stages_of
from kadam.engines.native.form import times, total
from kadam.engines.native.scalars import Scalars
from kadam.engines.native.stage import Finish, Scratch, Stage
from kadam.engines.native.tile import LONG_FORMULA, Tiling
from kadam.engines.native.writer import Value, Writer

RESULT = "result"
# What follows on the results: so little that a tile is finished at once, or so much that it waits for the next one.
AFTER = pytest.mark.parametrize("after", [0, LONG_FORMULA])
TOLERANCE = {dtypes.float32: 2e-6, dtypes.float64: 1e-14, dtypes.float16: 1e-3, dtypes.bfloat16: 8e-3}
Array = np.ndarray


def storing(shape: Sequence[int], counting: bool = False) -> Finish:
    """Writes results to an array in C order; or adds one there, to count."""
    strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]

    def finish(
        writer: Writer, at: tuple[Value, ...], lanes_along: int | None, value: Value, mask: Value | None
    ) -> None:
        assert len(at) == len(shape)
        assert bool(value.lanes) == (lanes_along is not None)
        offset = total(writer, *(times(writer, place, stride) for place, stride in zip(at, strides, strict=True)))
        pointer = writer.buffer(RESULT)
        if lanes_along is None:
            here = writer.load(value.dtype, 0, pointer, offset)
            writer.store(_counted(writer, here) if counting else value, pointer, offset)
            return
        places = writer.steps(offset, strides[lanes_along], value.lanes)
        if counting:
            value = _counted(writer, writer.gather(value.dtype, pointer, places, mask))
        writer.scatter(value, pointer, places, mask)

    return finish


def _counted(w: Writer, value: Value) -> Value:
    scalars = Scalars(w)
    return scalars.add(value, scalars.constant(1, value))


def run(made: Sequence[Stage], buffers: dict[str, Array], chunks: Callable[[int], Sequence[tuple[int, int]]]) -> None:
    """Runs stages one after the other, each in chunks of its tasks."""
    scratches: dict[Scratch, Array] = {}
    for stage, address in zip(made, addresses([stage.text for stage in made]), strict=True):
        kernel = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(address)
        found = []
        for key in stage.buffers:
            if isinstance(key, Scratch):
                found.append(scratches.setdefault(key, np.full(key.size_bytes, 0xFF, np.uint8)))
            else:
                found.append(buffers[str(key)])
        slots = (ctypes.c_void_p * len(found))(*(memory.ctypes.data for memory in found))
        size = ctypes.sizeof(ctypes.c_void_p)
        args = (ctypes.c_void_p * len(slots))(*(ctypes.addressof(slots) + size * place for place in range(len(slots))))
        for begin, end in chunks(stage.tasks):
            kernel(ctypes.addressof(args), begin, end)


def at_once(tasks: int) -> list[tuple[int, int]]:
    return [(0, tasks)]


def one_by_one(tasks: int) -> list[tuple[int, int]]:
    """Backwards, too."""
    return [(task, task + 1) for task in reversed(range(tasks))]


def seen(contraction: Contraction, operand: str, memory: Array) -> Array:
    """An operand with the axes of the result and then those summed over."""
    axes = contraction.axes + contraction.inner
    strides = [getattr(axis, operand) * memory.itemsize for axis in axes]
    start = memory[getattr(contraction, operand).offset :]
    found: Array = np.lib.stride_tricks.as_strided(start, [axis.size for axis in axes], strides)
    return found


def expected(contraction: Contraction, a: Array, b: Array) -> Array:
    left, right = seen(contraction, "a", a).astype(np.float64), seen(contraction, "b", b).astype(np.float64)
    found: Array = np.sum(left * right, axis=tuple(range(len(contraction.axes), left.ndim)))
    return found


def memory_of(contraction: Contraction, operand: str, rng: np.random.Generator) -> Array:
    axes = contraction.axes + contraction.inner
    size = getattr(contraction, operand).offset + 1
    size += sum((axis.size - 1) * getattr(axis, operand) for axis in axes if axis.size)
    memory: Array = rng.standard_normal(size).astype(contraction.dtype.numpy)
    return memory


def shape_of(contraction: Contraction) -> tuple[int, ...]:
    return tuple(axis.size for axis in contraction.axes)


def check(contraction: Contraction, several: Sequence[Sequence[Stage]], rng: np.random.Generator) -> None:
    """Each way gives what NumPy gives."""
    a, b = memory_of(contraction, "a", rng), memory_of(contraction, "b", rng)
    shape = shape_of(contraction)
    want = expected(contraction, a, b)
    bound = TOLERANCE[contraction.dtype] * max(1.0, float(np.abs(want).max(initial=0)))
    for made in several:
        result = np.full(shape, np.nan, contraction.dtype.numpy)
        run(made, {"a": a, "b": b, RESULT: result}, at_once)
        assert np.abs(result.astype(np.float64) - want).max(initial=0) <= bound, made[-1].name


def matrices(form: str, m: int, n: int, k: int, record: dtype = dtypes.float32) -> Contraction:
    """A linear layer's forward, or its gradient to the input or to the weight; operands in C order."""
    axes, inner = {
        "forward": ((Axis(m, k, 0), Axis(n, 0, k)), Axis(k, 1, 1)),
        "input": ((Axis(m, n, 0), Axis(k, 0, 1)), Axis(n, 1, k)),
        "weight": ((Axis(n, 1, 0), Axis(k, 0, 1)), Axis(m, n, k)),
    }[form]
    return Contraction(record, axes, (inner,), Operand("a", 0), Operand("b", 0))


def anyhow(rng: np.random.Generator, record: dtype) -> Contraction:
    """Any number of axes of any kind in any order, over memory of any layout."""
    kinds = [str(kind) for kind in rng.permutation(["row", "column", *rng.choice(["batch", "row", "column"], 1)])]
    inner = int(rng.choice([0, 1, 1, 1, 2]))
    sizes = [int(size) for size in rng.choice([1, 2, 3, 7, 8, 16, 17, 33, 50], len(kinds) + inner)]
    has = {"batch": (1, 1), "row": (1, 0), "column": (0, 1), "inner": (1, 1)}
    every = [*kinds, *["inner"] * inner]
    strides = [_laid([size * has[kind][side] for size, kind in zip(sizes, every, strict=True)], rng) for side in (0, 1)]
    axes = [Axis(size, a, b) for size, a, b in zip(sizes, *strides, strict=True)]
    offsets = [int(offset) for offset in rng.integers(0, 5, 2)]
    split = len(kinds)
    return Contraction(
        record, tuple(axes[:split]), tuple(axes[split:]), Operand("a", offsets[0]), Operand("b", offsets[1])
    )


def _laid(sizes: Sequence[int], rng: np.random.Generator) -> list[int]:
    """Strides of axes in any order in memory, some with gaps; 0 for an axis of size 0."""
    strides, step = [0] * len(sizes), int(rng.choice([1, 1, 1, 2]))
    for axis in rng.permutation(len(sizes)):
        if sizes[axis]:
            strides[axis] = step
            step *= sizes[axis] + int(rng.choice([0, 0, 3]))
    return strides


def some_of(contraction: Contraction, count: int, rng: np.random.Generator) -> list[Way]:
    """Some of the ways to cut a contraction; one that copies rows first is among them if there is any."""
    every = list(ways(contraction))
    settled = [way for way in every if isinstance(way, Tiling) and way.settled][:1]
    return settled + [every[place] for place in rng.choice(len(every), min(len(every), count), replace=False)]


@AFTER
@pytest.mark.parametrize("seed", range(24))
def test_any_layout(seed: int, after: float) -> None:
    rng = np.random.default_rng(seed)
    record = [dtypes.float32, dtypes.float64, dtypes.float32, dtypes.float16, dtypes.bfloat16][seed % 5]
    contraction = replace(anyhow(rng, record), after=after)
    check(contraction, [stages(contraction, storing(shape_of(contraction)), "Dot")], rng)


@AFTER
@pytest.mark.parametrize("form", ["forward", "input", "weight"])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 3, 5), (32, 2, 64), (17, 33, 65), (65, 40, 300), (40, 1, 33)])
def test_every_way(form: str, sizes: tuple[int, int, int], after: float) -> None:
    rng = np.random.default_rng(0)
    contraction = replace(matrices(form, *sizes), after=after)
    finish = storing(shape_of(contraction))
    check(contraction, [stages_of(way, finish, str(way)) for way in some_of(contraction, 5, rng)], rng)


@AFTER
@pytest.mark.parametrize("form", ["forward", "input", "weight"])
def test_long_sums_in_blocks(form: str, after: float) -> None:
    rng = np.random.default_rng(1)
    contraction = matrices(form, 70, 1100, 90) if form == "input" else matrices(form, 70, 90, 1100)
    contraction = replace(contraction, after=after)
    check(contraction, [stages(contraction, storing(shape_of(contraction)), "Dot")], rng)


@AFTER
@pytest.mark.parametrize("form", ["forward", "input", "weight"])
@pytest.mark.parametrize("sizes", [(32, 2, 64), (33, 17, 20), (130, 100, 700)])
def test_any_chunks_give_the_same_bits(form: str, sizes: tuple[int, int, int], after: float) -> None:
    rng = np.random.default_rng(2)
    contraction = replace(matrices(form, *sizes), after=after)
    a, b = memory_of(contraction, "a", rng), memory_of(contraction, "b", rng)
    made = stages(contraction, storing(shape_of(contraction)), "Dot")
    results = [np.full(shape_of(contraction), np.nan, np.float32) for _ in range(2)]
    run(made, {"a": a, "b": b, RESULT: results[0]}, at_once)
    run(made, {"a": a, "b": b, RESULT: results[1]}, one_by_one)
    assert results[0].tobytes() == results[1].tobytes()


@AFTER
@pytest.mark.parametrize("form", ["forward", "input", "weight"])
@pytest.mark.parametrize("sizes", [(32, 2, 64), (33, 17, 20), (5, 70, 9)])
def test_every_result_is_handed_on_once(form: str, sizes: tuple[int, int, int], after: float) -> None:
    contraction = replace(matrices(form, *sizes), after=after)
    rng = np.random.default_rng(3)
    a, b = memory_of(contraction, "a", rng), memory_of(contraction, "b", rng)
    for way in some_of(contraction, 4, rng):
        counts = np.zeros(shape_of(contraction), np.float32)
        made = stages_of(way, storing(shape_of(contraction), counting=True), "Dot")
        run(made, {"a": a, "b": b, RESULT: counts}, at_once)
        assert (counts == 1).all(), way


@pytest.mark.parametrize("form", ["forward", "input", "weight"])
def test_special_values(form: str) -> None:
    rng = np.random.default_rng(4)
    contraction = matrices(form, 33, 18, 35)
    a, b = memory_of(contraction, "a", rng), memory_of(contraction, "b", rng)
    a[rng.choice(a.size, 4, replace=False)] = [np.inf, -np.inf, np.nan, 0]
    b[rng.choice(b.size, 4, replace=False)] = [np.inf, 0, 1e-42, np.nan]
    made = stages(contraction, storing(shape_of(contraction)), "Dot")
    result = np.empty(shape_of(contraction), np.float32)
    run(made, {"a": a, "b": b, RESULT: result}, at_once)
    with np.errstate(invalid="ignore"):
        want = expected(contraction, a, b)
    np.testing.assert_allclose(result, want, rtol=1e-5, atol=1e-5)


def test_a_product_keeps_the_sign_of_zero() -> None:
    contraction = Contraction(dtypes.float32, (Axis(3, 1, 0), Axis(5, 0, 1)), (), Operand("a", 0), Operand("b", 0))
    a, b = np.array([-1, 0, 2], np.float32), np.array([0, -0.0, 3, np.inf, -4], np.float32)
    made = stages(contraction, storing((3, 5)), "Dot")
    result = np.empty((3, 5), np.float32)
    run(made, {"a": a, "b": b, RESULT: result}, at_once)
    with np.errstate(invalid="ignore"):
        want = np.outer(a, b)
    np.testing.assert_array_equal(result, want)
    np.testing.assert_array_equal(np.signbit(result)[want == 0], np.signbit(want)[want == 0])


def test_empty() -> None:
    assert stages(matrices("forward", 0, 3, 4), storing((0, 3)), "Dot") == []
    made = stages(matrices("forward", 4, 20, 0), storing((4, 20)), "Dot")
    result = np.full((4, 20), np.nan, np.float32)
    run(made, {"a": np.empty(1, np.float32), "b": np.empty(1, np.float32), RESULT: result}, at_once)
    assert (result == 0).all()


@AFTER
def test_announced_results_are_the_same(after: float) -> None:
    rng = np.random.default_rng(5)
    contraction = replace(matrices("weight", 40, 800, 801), after=after)
    shape = shape_of(contraction)
    announced: list[int] = []

    def announce(w: Writer, at: tuple[Value, ...]) -> None:
        announced.append(len(at))

    made = stages(contraction, storing(shape), "Dot", announce)
    assert set(announced) <= {2}
    check(contraction, [made], rng)


def test_attention_in_the_memory_of_its_projections() -> None:
    """Scores of [batch, time, head, feature] operands, and their product with values."""
    rng = np.random.default_rng(6)
    batch, time, heads, features = 3, 20, 2, 24
    row, whole = heads * features, time * heads * features
    outer = (Axis(batch, whole, whole), Axis(heads, features, features))
    scores = Contraction(
        dtypes.float32,
        (*outer, Axis(time, row, 0), Axis(time, 0, row)),
        (Axis(features, 1, 1),),
        Operand("a", 0),
        Operand("b", 0),
    )
    check(scores, [stages(scores, storing(shape_of(scores)), "Dot")], rng)
    square = time * time
    outer = (Axis(batch, heads * square, whole), Axis(heads, square, features))
    mixed = Contraction(
        dtypes.float32,
        (*outer, Axis(time, time, 0), Axis(features, 0, 1)),
        (Axis(time, 1, row),),
        Operand("a", 0),
        Operand("b", 0),
    )
    check(mixed, [stages(mixed, storing(shape_of(mixed)), "Dot")], rng)


def test_long_work_is_cut_into_tasks() -> None:
    """Enough for two threads, whatever the shape."""
    enough: Callable[[Contraction], bool] = lambda contraction: best(contraction).tasks >= 4  # noqa: E731
    for sizes in [(256, 4096, 1024), (256, 10, 1024), (64, 128, 9216), (768, 65, 128), (4096, 16, 4096)]:
        assert all(enough(matrices(form, *sizes)) for form in ("forward", "input", "weight")), sizes
