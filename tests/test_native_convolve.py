"""Convolutions, their gradients and pooling in the native engine, against sums over the taps in double precision."""

from __future__ import annotations

import ctypes
import itertools
import random
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from kadam.dtypes import by_short
from kadam.engines.native import convolve, pool
from kadam.engines.native.build import addresses
from kadam.engines.native.convolve_axis import Axis, backward_axes
from kadam.engines.native.convolve_tiling import Tiling, runs_of
from kadam.engines.native.integers import Integers
from kadam.engines.native.scalars import Scalars
from kadam.engines.native.stage import Finish, Scratch, Stage
from kadam.engines.native.writer import Value, Writer, index
from kadam.errors import ShapeError
from kadam.ir.types import TensorType, parse_type
from kadam.primitives.convolve import Convolution, Convolve, ConvolveInput, ConvolveWeight
from kadam.primitives.pool import WindowArgMax
from kadam.shapes import contiguous_strides

Array = np.ndarray
KINDS = ("forward", "input", "weight")
TOLERANCE = {"f64": 1e-12, "f32": 1e-5, "f16": 2e-3}


def storing(shape: Sequence[int], counting: bool = False) -> Finish:
    """Writes results to an array in C order; or adds one to what is there, to count."""
    strides = contiguous_strides(tuple(shape))

    def finish(
        writer: Writer, at: tuple[Value, ...], lanes_along: int | None, value: Value, mask: Value | None
    ) -> None:
        assert len(at) == len(shape)
        assert bool(value.lanes) == (lanes_along is not None)
        integers, scalars = Integers(writer), Scalars(writer)
        offset = integers.sum(*(integers.mul(place, step) for place, step in zip(at, strides, strict=True)))
        result, lanes = writer.buffer("result"), value.lanes
        if lanes:
            places = writer.steps(offset, strides[lanes_along or 0], lanes)
            if counting:
                value = scalars.add(writer.gather(value.dtype, result, places, mask), scalars.constant(1, value))
            writer.scatter(value, result, places, mask)
            return
        if counting:
            value = scalars.add(writer.load(value.dtype, 0, result, offset), scalars.constant(1, value))
        writer.store(value, result, index(offset))

    return finish


def run(stages: Sequence[Stage], arrays: dict[str, Array], one_by_one: bool = False) -> None:
    """Runs stages; or their tasks one by one, the last first."""
    memory: dict[object, Array] = dict(arrays)
    for stage, address in zip(stages, addresses([stage.text for stage in stages]), strict=True):
        for key in stage.buffers:
            if isinstance(key, Scratch) and key not in memory:
                memory[key] = np.full(key.size_bytes, 0xFF, np.uint8)
        kernel = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(address)
        slots = (ctypes.c_void_p * len(stage.buffers))(*(memory[key].ctypes.data for key in stage.buffers))
        size = ctypes.sizeof(ctypes.c_void_p)
        args = (ctypes.c_void_p * len(slots))(*(ctypes.addressof(slots) + size * place for place in range(len(slots))))
        ranges = [(task, task + 1) for task in reversed(range(stage.tasks))] if one_by_one else [(0, stage.tasks)]
        for begin, end in ranges:
            kernel(ctypes.addressof(args), begin, end)


def type_of(array: Array) -> TensorType:
    short = {"f": "f", "i": "i"}[array.dtype.kind] + str(8 * array.dtype.itemsize)
    return TensorType(by_short(short), array.shape)


def natively(primitive: Convolution | WindowArgMax, *inputs: Array, flat: bool = False) -> Array:
    """The result, which is the same whole and task by task, with each element handed on once."""
    types = tuple(map(type_of, inputs))
    shape, record = primitive.infer(*types).shape, primitive.infer(*types).dtype  # type: ignore[arg-type]
    keys = tuple(f"input {number}" for number in range(len(inputs)))

    def stages(counting: bool) -> list[Stage]:
        if isinstance(primitive, WindowArgMax):
            return pool.stages(primitive, types, keys, storing(shape, counting), "pool")
        return convolve.stages(primitive, types, keys, storing(shape, counting), "convolve", flat)

    arrays = dict(zip(keys, map(np.ascontiguousarray, inputs), strict=True))
    whole, parts, times = (np.zeros(shape, record.numpy) for _ in range(3))
    run(stages(False), arrays | {"result": whole})
    run(stages(False), arrays | {"result": parts}, one_by_one=True)
    assert whole.tobytes() == parts.tobytes()
    run(stages(True), arrays | {"result": times})
    assert (times == 1).all()
    return whole


# What is expected: the sum over the taps, each over the places where it meets the source


def taps_of(primitive: Convolution, x: Sequence[int], w: Sequence[int], y: Sequence[int]) -> Iterator[tuple]:
    """For each tap, the slices of x and of y that meet."""
    for tap in itertools.product(*map(range, w)):
        sources, results = [], []
        for own, size, many, stride, (before, _), gap in zip(
            tap, x, y, primitive.stride, primitive.padding, primitive.dilation, strict=True
        ):
            met = [place for place in range(many) if 0 <= place * stride + own * gap - before < size]
            first, last = (met[0], met[-1]) if met else (0, -1)
            start = first * stride + own * gap - before if met else 0
            results.append(slice(first, last + 1))
            sources.append(slice(start, start + (last - first) * stride + 1 if met else 0, stride))
        yield tap, tuple(sources), tuple(results)


def expected(primitive: Convolution, x: Array | tuple, w: Array | tuple, y: Array | tuple) -> Array:
    """The one of x, w and y that is only a shape."""
    shapes = [one if isinstance(one, tuple) else one.shape for one in (x, w, y)]
    x, w, y = (np.zeros(one) if isinstance(one, tuple) else one.astype(np.float64) for one in (x, w, y))
    groups = primitive.groups
    xs = x.reshape(len(x), groups, shapes[1][1], *shapes[0][2:])
    ws = w.reshape(groups, shapes[1][0] // groups, *shapes[1][1:])
    ys = y.reshape(len(y), groups, shapes[1][0] // groups, *shapes[2][2:])
    letters = "pqr"[: len(primitive.stride)]
    with np.errstate(invalid="ignore", over="ignore"):
        for tap, sources, results in taps_of(primitive, shapes[0][2:], shapes[1][2:], shapes[2][2:]):
            at, to, own = (..., *sources), (..., *results), (..., *tap)
            if isinstance(primitive, ConvolveInput):
                xs[at] += np.einsum(f"ngo{letters},goc->ngc{letters}", ys[to], ws[own])
            elif isinstance(primitive, ConvolveWeight):
                ws[own] += np.einsum(f"ngc{letters},ngo{letters}->goc", xs[at], ys[to])
            else:
                ys[to] += np.einsum(f"ngc{letters},goc->ngo{letters}", xs[at], ws[own])
    return {ConvolveInput: x, ConvolveWeight: w}.get(type(primitive), y)  # type: ignore[return-value]


def compare(convolution: Convolve, kind: str, x: Array, w: Array, y: Array, flat: bool = False) -> None:
    """Checks a convolution, or one of its gradients."""
    arguments = (convolution.stride, convolution.padding, convolution.dilation, convolution.groups)
    if kind == "forward":
        found, wanted = natively(convolution, x, w), expected(convolution, x, w, y.shape)
    elif kind == "input":
        from_y = ConvolveInput(*arguments, x.shape[2:])
        found, wanted = natively(from_y, y, w), expected(from_y, x.shape, w, y)
    else:
        from_both = ConvolveWeight(*arguments, w.shape[2:])
        found, wanted = natively(from_both, x, y, flat=flat), expected(from_both, x, w.shape, y)
    if x.dtype.kind == "i":
        np.testing.assert_array_equal(found, wanted)
        return
    scale = max(1.0, np.abs(wanted[np.isfinite(wanted)]).max(initial=0))
    tolerance = TOLERANCE[type_of(x).dtype.short] * scale
    np.testing.assert_allclose(found.astype(np.float64), wanted, rtol=0, atol=tolerance)


def tensors(convolution: Convolve, x: Sequence[int], w: Sequence[int], short: str, seed: int = 0) -> list[Array]:
    """Random x, w and y."""
    rng, record = np.random.default_rng(seed), by_short(short)
    y = convolution.infer(TensorType(record, tuple(x)), TensorType(record, tuple(w))).shape
    if record.is_floating_point:
        return [rng.standard_normal(shape).astype(record.numpy) for shape in (x, w, y)]
    return [rng.integers(-9, 9, shape).astype(record.numpy) for shape in (x, w, y)]


def drawn(seed: int) -> tuple[Convolve, tuple[int, ...], tuple[int, ...]]:
    """A random convolution and the shapes of x and w."""
    draw = random.Random(seed)
    while True:
        axes, groups = draw.choice([1, 2, 2, 2, 3]), draw.choice([1, 1, 1, 2, 3])
        channels, features = draw.choice([1, 2, 3, 5, 17]), draw.choice([1, 2, 6, 16, 20, 40])
        each = range(axes)
        convolution = Convolve(
            tuple(draw.choice([1, 1, 1, 2, 3]) for _ in each),
            tuple((draw.choice([0, 0, 1, 2, -1]), draw.choice([0, 0, 1, 3, -1])) for _ in each),
            tuple(draw.choice([1, 1, 1, 2, 3]) for _ in each),
            groups,
        )
        x = (draw.choice([0, 1, 2, 3]), channels * groups, *(draw.randint(1, {1: 60, 2: 24, 3: 8}[axes]) for _ in each))
        w = (features * groups, channels, *(draw.choice([1, 1, 2, 3, 3, 5]) for _ in each))
        try:
            convolution.infer(TensorType(by_short("f32"), x), TensorType(by_short("f32"), w))
        except ShapeError:
            continue
        return convolution, x, w


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("short", ["f32", "f64", "f16", "i64"])
def test_random_convolutions(short: str, kind: str) -> None:
    for seed in range({"f32": 16, "f64": 12}.get(short, 4)):
        convolution, x, w = drawn(seed + 100 * len(short) + KINDS.index(kind))
        compare(convolution, kind, *tensors(convolution, x, w, short, seed))


LAYERS = {
    "3x3": ((2, 32, 12, 26), (64, 32, 3, 3), 1, 0, 1),
    "padded": ((2, 16, 16, 32), (16, 16, 3, 3), 1, 1, 1),
    "stride 2": ((2, 16, 16, 32), (32, 16, 3, 3), 2, 1, 1),
    "1x1": ((2, 64, 8, 8), (64, 64, 1, 1), 1, 0, 1),
    "first": ((4, 1, 28, 28), (6, 1, 5, 5), 1, 2, 1),
    "depthwise": ((2, 32, 16, 16), (32, 1, 3, 3), 1, 1, 32),
    "patches": ((2, 3, 32, 32), (48, 3, 8, 8), 8, 0, 1),
    "one row": ((4, 16, 128), (32, 16, 5), 1, 2, 1),
    "volume": ((2, 8, 6, 6, 6), (16, 8, 3, 3, 3), 1, 1, 1),
    "long kernel": ((2, 3, 100), (5, 3, 151), 1, 75, 1),
    "long rows": ((1, 2, 3000), (4, 2, 9), 3, 4, 1),
}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("kind", KINDS)
def test_layers_agree_with_torch(kind: str, layer: str) -> None:
    torch = pytest.importorskip("torch")
    x_shape, w_shape, stride, padding, groups = LAYERS[layer]
    axes = len(x_shape) - 2
    margins = ((padding, padding),) * axes
    convolution = Convolve((stride,) * axes, margins, (1,) * axes, groups)
    x, w, y = tensors(convolution, x_shape, w_shape, "f32")
    arguments = ([stride] * axes, [padding] * axes, [1] * axes, False, [0] * axes, groups)
    as_torch = [torch.from_numpy(one.astype(np.float64)) for one in (x, w, y)]
    if kind == "forward":
        found = natively(convolution, x, w)
        wanted = torch.ops.aten.convolution(as_torch[0], as_torch[1], None, *arguments)
    else:
        parts = (convolution.stride, margins, convolution.dilation, groups)
        if kind == "input":
            found = natively(ConvolveInput(*parts, x.shape[2:]), y, w)
        else:
            found = natively(ConvolveWeight(*parts, w.shape[2:]), x, y, flat=True)
        mask = [kind == "input", kind == "weight", False]
        gradients = torch.ops.aten.convolution_backward(as_torch[2], as_torch[0], as_torch[1], None, *arguments, mask)
        wanted = gradients[KINDS.index(kind) - 1]
    np.testing.assert_allclose(found, wanted.numpy(), rtol=0, atol=3e-6 * float(wanted.abs().max()))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("features", [1, 3, 20])
def test_padding_is_not_multiplied(features: int, kind: str) -> None:
    """Infinities and nans reach exactly the results whose windows show them."""
    convolution = Convolve((1, 2), ((1, 2), (2, 1)), (1, 1), 1)
    x, w, y = tensors(convolution, (2, 3, 6, 21), (features, 3, 3, 3), "f32")
    rng = np.random.default_rng(1)
    for one in (x, w, y):
        places = rng.integers(0, one.size, 1 + one.size // 40)
        one.reshape(-1)[places] = rng.choice(np.array([np.inf, -np.inf, np.nan], one.dtype), places.size)
    compare(convolution, kind, x, w, y)


def test_weights_of_a_long_kernel_may_be_infinite_at_the_margin() -> None:
    convolution = Convolve((1,), ((300, 300),), (1,), 1)
    x, w, y = tensors(convolution, (1, 2, 40), (3, 2, 601), "f64")
    w[:, :, 0] = np.inf
    compare(convolution, "forward", x, w, y)


def test_sums_of_many_products_stay_exact() -> None:
    """A gradient sums over a whole batch: block by block, so that single precision suffices."""
    convolution = Convolve((1, 1), ((0, 0), (0, 0)), (1, 1), 1)
    x, w, y = tensors(convolution, (32, 2, 26, 26), (16, 2, 3, 3), "f32")
    found = natively(ConvolveWeight((1, 1), ((0, 0), (0, 0)), (1, 1), 1, (3, 3)), np.abs(x), np.abs(y))
    wanted = expected(ConvolveWeight((1, 1), ((0, 0), (0, 0)), (1, 1), 1, (3, 3)), np.abs(x), w.shape, np.abs(y))
    np.testing.assert_allclose(found, wanted, rtol=3e-6)


def test_results_without_elements_need_no_stage() -> None:
    convolution = Convolve((1,), ((0, 0),), (1,), 1)
    types = parse_type("f32[0,2,5]"), parse_type("f32[3,2,2]")
    assert convolve.stages(convolution, types, ("x", "w"), storing((0, 3, 4)), "empty") == []


def test_weights_that_nothing_asks_for_are_zero() -> None:
    weights = ConvolveWeight((1,), ((0, 0),), (1,), 1, (2,))
    assert not natively(weights, np.zeros((0, 2, 5), "f"), np.zeros((0, 3, 4), "f")).any()


def test_the_text_of_a_long_kernel_stays_short() -> None:
    axis = Axis(results=1000, taps=1001, sources=1000, scale=1, step=1, shift=-500, ratio=1)
    assert any(run.meetings is None for run in runs_of(axis, Tiling(16, 1, 26, 0.0)))
    convolution = Convolve((1,), ((500, 500),), (1,), 1)
    types = parse_type("f32[2,4,1000]"), parse_type("f32[8,4,1001]")
    stages = convolve.stages(convolution, types, ("x", "w"), storing((2, 8, 1000)), "long")
    assert max(stage.text.count("\n") for stage in stages) < 12_000


def test_axes_of_a_transposed_convolution() -> None:
    (axis,) = backward_axes((4,), (9,), (3,), (2,), ((1, 1),), (1,))
    wanted = np.zeros((9, 3, 4))
    for source, tap in np.ndindex(4, 3):
        result = source * 2 + tap - 1
        if 0 <= result < 9:
            wanted[result, tap, source] = 1
    found = np.zeros_like(wanted)
    for result, tap in np.ndindex(9, 3):
        source = axis.met(result, tap)
        if source is not None:
            found[result, tap, source] = 1
    np.testing.assert_array_equal(found, wanted)


# Pooling


def pooled(seed: int) -> tuple[WindowArgMax, tuple[int, ...]]:
    """A random pooling, in whose windows there is an element, and the shape of its input."""
    draw = random.Random(seed)
    while True:
        axes = draw.choice([1, 2, 2, 3])
        kernel = tuple(draw.choice([1, 2, 2, 3, 4]) for _ in range(axes))
        padding = tuple((draw.randint(0, size // 2), draw.randint(0, size // 2)) for size in kernel)
        dilation = tuple(1 if any(margin) else draw.choice([1, 2]) for margin in padding)
        stride = tuple(draw.choice([1, 2, 2, 3]) for _ in range(axes))
        x = (draw.choice([1, 2, 3]), *(draw.randint(1, {1: 60, 2: 40, 3: 9}[axes]) for _ in range(axes)))
        primitive = WindowArgMax(kernel, stride, padding, dilation)
        try:
            primitive.infer(TensorType(by_short("f32"), x))
        except ShapeError:
            continue
        return primitive, x


@pytest.mark.parametrize("short", ["f32", "f64", "f16", "i64", "i32", "i8"])
def test_random_pooling(short: str) -> None:
    for seed in range(8):
        primitive, shape = pooled(seed + 31 * len(short))
        rng = np.random.default_rng(seed)
        x = rng.integers(-3, 4, shape).astype(by_short(short).numpy)
        if x.dtype.kind == "f" and seed % 2:
            for share, special in ((0.2, np.nan), (0.4, -np.inf), (0.1, np.inf)):
                x[rng.random(shape) < share] = special
        np.testing.assert_array_equal(natively(primitive, x), primitive.reference(x))


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (3, 1, 1), (5, 3, 2)])
def test_pooling_agrees_with_torch(kernel: int, stride: int, padding: int) -> None:
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).standard_normal((2, 3, 24, 37)).astype("f")
    primitive = WindowArgMax((kernel,) * 2, (stride,) * 2, ((padding, padding),) * 2, (1, 1))
    _, wanted = torch.nn.functional.max_pool2d(torch.from_numpy(x), kernel, stride, padding, return_indices=True)
    np.testing.assert_array_equal(natively(primitive, x), wanted.numpy())
