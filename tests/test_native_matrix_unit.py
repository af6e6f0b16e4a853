"""Matrix products on the processor's matrix unit: every cut, layout, edge and extreme value, against float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from test_native_contract import (
    RESULT,
    Array,
    at_once,
    check,
    expected,
    matrices,
    memory_of,
    one_by_one,
    run,
    shape_of,
    storing,
)

pytest.importorskip("llvmlite")

from kadam import dtypes
from kadam.engines.native.choice import best, ways
from kadam.engines.native.contract import Axis, Contraction, Operand, stages_of
from kadam.engines.native.form import Form
from kadam.engines.native.squares import Squares
from kadam.engines.native.target import host

pytestmark = pytest.mark.skipif(not host().matrix_unit, reason="this processor has no matrix unit, or Linux keeps it")
FORMS = ["forward", "input", "weight"]


def cuts(contraction: Contraction) -> list[Squares]:
    return [way for way in ways(contraction) if isinstance(way, Squares)]


def cut(contraction: Contraction, swapped: bool, beside: int, depth: int, group: int) -> Squares:
    """A way that nobody would choose, to have many squares, blocks and tasks in little work."""
    return Squares(Form.of(contraction.swapped() if swapped else contraction), beside, depth, group)


def result_of(way: Squares, a: Array, b: Array, chunks: Callable[[int], Sequence[tuple[int, int]]] = at_once) -> Array:
    shape = shape_of(way.form.contraction)
    result = np.full(shape, np.nan, np.float32)
    made = stages_of(way, storing(shape), "Dot")
    run(made, {"a": a, "b": b, RESULT: result}, chunks)
    return result


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(
    ("sizes", "beside", "depth", "group"),
    [
        ((64, 64, 64), 1, 64, 2),
        ((96, 128, 160), 2, 64, 3),
        ((96, 128, 160), 2, 64, 1),
        ((33, 47, 50), 1, 32, 2),
        ((70, 100, 97), 2, 32, 2),
        ((32, 32, 16), 1, 32, 1),
        ((100, 65, 130), 1, 160, 4),
    ],
)
def test_every_edge(form: str, swapped: bool, sizes: tuple[int, int, int], beside: int, depth: int, group: int) -> None:
    """Rows, columns and depths that fill their squares, tasks and blocks, and some that don't; in any chunks."""
    rng = np.random.default_rng(sum(sizes))
    contraction = matrices(form, *sizes)
    if min(contraction.axes[0].size, contraction.axes[1].size) < 32:
        pytest.skip("smaller than a square")
    way = cut(contraction, swapped, beside, depth, group)
    a, b = memory_of(contraction, "a", rng), memory_of(contraction, "b", rng)
    result = result_of(way, a, b)
    want, size = expected(contraction, a, b), expected(contraction, np.abs(a), np.abs(b))
    assert (np.abs(result - want) <= 2.0**-21 * size).all()
    assert result_of(way, a, b, one_by_one).tobytes() == result.tobytes()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("sizes", [(64, 64, 64), (40, 100, 70)])
def test_every_result_is_handed_on_once(form: str, sizes: tuple[int, int, int]) -> None:
    contraction = matrices(form, *sizes)
    rng = np.random.default_rng(3)
    a, b = memory_of(contraction, "a", rng), memory_of(contraction, "b", rng)
    for swapped in (False, True):
        counts = np.zeros(shape_of(contraction), np.float32)
        made = stages_of(cut(contraction, swapped, 1, 32, 2), storing(shape_of(contraction), counting=True), "Dot")
        run(made, {"a": a, "b": b, RESULT: counts}, at_once)
        assert (counts == 1).all()


def test_batches_of_products() -> None:
    """Such as attention's, with the heads inside the rows of a projection."""
    rng = np.random.default_rng(6)
    batch, heads, tokens, wide = 2, 3, 48, 32
    axes = (
        Axis(batch, tokens * heads * wide, tokens * heads * wide),
        Axis(heads, wide, wide),
        Axis(tokens, heads * wide, 0),
        Axis(tokens, 0, heads * wide),
    )
    contraction = Contraction(dtypes.float32, axes, (Axis(wide, 1, 1),), Operand("a", 0), Operand("b", 0))
    ways_ = [cut(contraction, swapped, 1, 32, group) for swapped in (False, True) for group in (1, 2)]
    check(contraction, [stages_of(way, storing(shape_of(contraction)), str(way)) for way in ways_], rng)


def test_any_strides() -> None:
    """Operands whose neighbours lie next to each other along no axis."""
    rng = np.random.default_rng(7)
    contraction = Contraction(
        dtypes.float32, (Axis(40, 3, 0), Axis(35, 0, 2)), (Axis(50, 130, 77),), Operand("a", 4), Operand("b", 1)
    )
    check(
        contraction,
        [stages_of(cut(contraction, swapped, 1, 32, 2), storing((40, 35)), "Dot") for swapped in (0, 1)],
        rng,
    )


def test_as_exact_as_float32_allows() -> None:
    """Sums on the unit err less than a chain of fused multiply-adds would: by their mean square, and at worst."""
    rng = np.random.default_rng(8)
    contraction = matrices("input", 64, 1024, 64)
    a, b = memory_of(contraction, "a", rng), memory_of(contraction, "b", rng)
    want = expected(contraction, a, b)
    errors = result_of(cut(contraction, False, 1, 256, 2), a, b) - want
    rounded = np.zeros((64, 64), np.float32)
    rows, columns = a.reshape(64, 1024).astype(np.float64), b.reshape(1024, 64).astype(np.float64)
    for k in range(1024):
        rounded = (rounded + rows[:, k, None] * columns[None, k]).astype(np.float32)
    plain = rounded - want
    assert np.square(errors).mean() < np.square(plain).mean()
    assert np.abs(errors).max() < np.abs(plain).max()


def special(kind: str, rng: np.random.Generator, memory: Array) -> None:
    """Puts extreme values among others."""
    places = rng.choice(memory.size, 3, replace=False)
    match kind:
        case "infinite":
            memory[places[:2]] = np.inf, -np.inf
        case "nan":
            memory[places[:2]] = np.nan, np.frombuffer(b"\xff\xff\xff\x7f", np.float32)[0]
        case "denormal":
            memory *= np.float32(1e-40)
        case "tiny":
            memory *= np.float32(1e-25)
        case "huge":
            memory *= np.float32(1e30)
        case "largest":
            memory[places[:1]] = np.finfo(np.float32).max
        case "zeros":
            memory[::2] = 0


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(
    "kinds",
    [
        ("infinite", ""), ("", "infinite"), ("nan", ""), ("", "nan"), ("infinite", "zeros"), ("denormal", ""),
        ("tiny", "tiny"), ("denormal", "huge"), ("huge", "tiny"), ("", "huge"), ("largest", ""), ("zeros", "tiny"),
    ],
)  # fmt: skip
def test_special_values(form: str, swapped: bool, kinds: Sequence[str]) -> None:
    """As fused multiply-adds give them: nothing is flushed to zero, no infinity becomes nan."""
    rng = np.random.default_rng(9)
    contraction = matrices(form, 64, 70, 66)
    a, b = memory_of(contraction, "a", rng), memory_of(contraction, "b", rng)
    special(kinds[0], rng, a)
    special(kinds[1], rng, b)
    result = result_of(cut(contraction, swapped, 1, 32, 2), a, b)
    with np.errstate(all="ignore"):
        want, size = expected(contraction, a, b), expected(contraction, np.abs(a), np.abs(b))
        overflows = np.abs(want) > float(np.finfo(np.float32).max)
        want = np.where(overflows, np.sign(want) * np.inf, want)
    np.testing.assert_array_equal(np.isnan(result), np.isnan(want))
    np.testing.assert_array_equal(result[np.isinf(want)], want[np.isinf(want)])
    finite = np.isfinite(want)
    least = float(np.finfo(np.float32).smallest_subnormal)
    assert (np.abs(result[finite] - want[finite]) <= 2.0**-20 * size[finite] + 70 * least).all()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("depth", [16, 17, 31, 33, 63, 100, 129, 250, 300])
def test_every_way_that_may_be_chosen(form: str, depth: int) -> None:
    """Whatever the depth is a multiple of."""
    rng = np.random.default_rng(depth)
    sizes = {"forward": (130, 140, depth), "input": (130, depth, 140), "weight": (depth, 130, 140)}[form]
    contraction = matrices(form, *sizes)
    assert cuts(contraction)
    check(contraction, [stages_of(way, storing(shape_of(contraction)), str(way)) for way in cuts(contraction)], rng)


def test_near_the_least_numbers() -> None:
    """Where the last of the three parts would be denormal, and be flushed."""
    rng = np.random.default_rng(10)
    contraction = matrices("forward", 40, 40, 64)
    way = cut(contraction, False, 1, 64, 2)
    for exponent in range(-112, -98):
        a = np.ldexp(rng.uniform(1, 2, 40 * 64), exponent).astype(np.float32)
        b = np.ldexp(rng.uniform(1, 2, 40 * 64), 9).astype(np.float32)
        want = expected(contraction, a, b)
        assert (np.abs(result_of(way, a, b) - want) <= 2.0**-21 * want).all(), exponent


def test_it_is_chosen_where_it_pays() -> None:
    large, small = matrices("forward", 768, 512, 512), matrices("forward", 32, 64, 20)
    assert isinstance(best(large), Squares)
    assert not isinstance(best(small), Squares)
    assert not cuts(replace(large, dtype=dtypes.float64))
