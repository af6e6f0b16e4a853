"""The facet `scalar` of elementwise primitives, compiled: against their references, and against exact mathematics."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from itertools import product

import ml_dtypes
import numpy as np
import pytest

import kadam.primitives  # noqa: F401  (fills the registry)
from kadam import dtypes
from kadam.dtypes import BOOL, FLOAT, INTEGER, dtype
from kadam.ir.emitter import Scalars as Vocabulary
from kadam.ir.primitive import Array, Primitive
from kadam.ir.types import TensorType
from kadam.primitives.analysis import Sigmoid
from kadam.primitives.compare import Extremum
from kadam.primitives.elementwise import Cast, Conj, Elementwise, Where
from kadam.primitives.rounding import Division
from kadam.primitives.special import Polygamma

pytest.importorskip("llvmlite")
from kadam.engines.native import build
from kadam.engines.native.lanes import constant_mask
from kadam.engines.native.scalars import Scalars
from kadam.engines.native.writer import I64, Value, Writer

KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
REAL_TYPES = [record for record in dtypes.ALL if not record.is_complex]
Facet = Callable[..., Value]


def apply(facet: Facet, result: dtype, lanes: int, *arrays: Array) -> Array:
    """A facet, compiled and run over flat arrays, `lanes` elements at a time."""
    writer, at_once = Writer(), max(lanes, 1)
    with writer.loop(*writer.tasks) as task:
        at = writer.let(I64, 0, f"mul {task}, {at_once}")
        records = [dtypes.of_numpy(array.dtype) for array in arrays]
        values = [writer.load(record, lanes, writer.buffer(i), at) for i, record in enumerate(records)]
        writer.store(facet(Scalars(writer), *values), writer.buffer("result"), at)
    kernel = KERNEL(build.addresses([writer.text()])[0])

    size = arrays[0].size
    tasks = -(-size // at_once)
    padded = [np.resize(array, tasks * at_once) for array in arrays]
    out = np.empty(tasks * at_once, result.numpy)
    held = {**dict(enumerate(padded)), "result": out}
    slots = [ctypes.c_void_p(held[key].ctypes.data) for key in writer.buffers]  # type: ignore[index]
    args = (ctypes.c_void_p * len(slots))(*[ctypes.addressof(slot) for slot in slots])
    kernel(args, 0, tasks)
    return out[:size]


# Every primitive against its reference, at every type that it accepts.

FLOATS = (
    np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, -1.5, 2.0, 2.5, -2.5, 3.0, -3.0, 7.0, 0.3, -0.7, 3.7,
    1e-30, 1e30, -1e-3, 1e-40, 100.0, -100.0, 1e-7, 65504.0, 0.999, -0.999, 1e300,
)  # fmt: skip
WHOLES = (-(2**63), -(2**31), -128, -127, -7, -3, -1, 0, 1, 2, 3, 7, 8, 31, 63, 64, 100, 127, 255, 2**31, 2**63 - 1)


def special_values(record: dtype) -> Array:
    if record.category == BOOL:
        return np.array([False, True])
    if record.category == INTEGER:
        limits = np.iinfo(record.numpy)
        fitting = [value for value in WHOLES if limits.min <= value <= limits.max]
        return np.array([*fitting, limits.max - 1, limits.max], record.numpy)
    with np.errstate(all="ignore"):
        return np.array(FLOATS).astype(record.numpy)


def grid(records: Sequence[dtype]) -> list[Array]:
    """All combinations of special values, one array per operand."""
    rows = list(product(*[range(special_values(record).size) for record in records]))
    return [special_values(record)[[row[i] for row in rows]] for i, record in enumerate(records)]


def operands(primitive: Elementwise) -> int:
    return len(next(iter(primitive.examples())).input_types())


ELEMENTWISE = [
    primitive
    for cls in Primitive.registry().values()
    if issubclass(cls, Elementwise)
    for primitive in dict.fromkeys(example.primitive for example in cls.examples())
    if isinstance(primitive, Elementwise)
]
CASES = [
    pytest.param(primitive, record, id=f"{primitive!r} {record.short}")
    for primitive in ELEMENTWISE
    for record in REAL_TYPES
    if record.category in primitive.accepts
    and not (isinstance(primitive, Conj) and record is dtypes.bool_)  # NumPy's conjugate of booleans is an integer
]
# Units in the last place by which a result may differ from the reference; 0 for all others.
NOT_EXACT = dict.fromkeys(
    ("Exp", "Exp2", "Expm1", "Log", "Log1p", "LibraryLog1p", "Log2", "Log10", "Sigmoid", "Tanh", "Sinh", "Cosh",
     "Asinh", "Acosh", "Atanh", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Atan2", "Hypot", "Pow", "Erf", "Erfc",
     "Erfinv", "XLogY", "XLog1pY", "Entropy", "Logit"), 4.0
) | {"Lgamma": 8.0, "Polygamma": 512.0}  # fmt: skip


def assert_close(ours: Array, theirs: Array, ulps: float, *, zeros_signed: bool = True) -> None:
    """Equal up to some units in the last place; nan, infinities and the signs of zeros are the same."""
    assert ours.dtype == theirs.dtype
    if ours.dtype.kind in "biu":
        np.testing.assert_array_equal(ours, theirs)
        return
    facts = ml_dtypes.finfo(ours.dtype)
    with np.errstate(all="ignore"):
        a, b = ours.astype(np.float64), theirs.astype(np.float64)
        limit = ulps * (float(facts.eps) * np.abs(b) + float(facts.smallest_subnormal))
        same = (a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= limit)
    assert np.all(same), (a[~same][:8], b[~same][:8])
    if zeros_signed:
        zeros = (a == 0) & (b == 0)
        np.testing.assert_array_equal(np.signbit(a[zeros]), np.signbit(b[zeros]))


@pytest.mark.parametrize("lanes", [0, 16])
@pytest.mark.parametrize(("primitive", "record"), CASES)
def test_scalar_is_what_the_reference_computes(primitive: Elementwise, record: dtype, lanes: int) -> None:
    feeds = grid([record] * operands(primitive))
    if isinstance(primitive, Division) and record.category < FLOAT:
        feeds = [feed[feeds[1] != 0] for feed in grid([record, record])]
    if isinstance(primitive, Polygamma):
        feeds = [feeds[0][~(np.abs(feeds[0].astype(float)) < 1e-35)]]  # at a pole the reference is nan or infinite
    with np.errstate(all="ignore"):
        expected = np.asarray(primitive.reference(*feeds))
    result = primitive.infer(*[TensorType(record, ())] * len(feeds)).dtype
    # Of two zeros that are equal NumPy's 16-bit maximum takes the one, that of other types the other.
    ties = isinstance(primitive, Extremum) or type(primitive).__name__ == "Relu"
    assert_close(
        apply(primitive.scalar, result, lanes, *feeds),
        expected,
        NOT_EXACT.get(type(primitive).__name__, 0.0),
        zeros_signed=not (ties and record.itemsize == 2),
    )


@pytest.mark.parametrize("lanes", [0, 16])
@pytest.mark.parametrize("record", REAL_TYPES, ids=lambda record: record.short)
def test_where_chooses(record: dtype, lanes: int) -> None:
    feeds = grid([dtypes.bool_, record, record])
    assert_close(apply(Where().scalar, record, lanes, *feeds), np.where(*feeds), 0.0)


def draws(record: dtype) -> Array:
    """Special values, values at random, and numbers near the middle between two narrower ones."""
    rng = np.random.default_rng(0)
    if record.category < FLOAT:
        bits = np.frombuffer(rng.bytes(2000 * record.itemsize), record.numpy if record.category else np.uint8)
        return np.concatenate([special_values(record), bits > 127 if record is dtypes.bool_ else bits])
    if record.itemsize == 2:
        return np.arange(2**16, dtype=np.uint16).view(record.numpy)
    scale = 2.0 ** rng.integers(-30, 20, 20000)
    middles = scale * (1 + rng.integers(0, 2**12, 20000) / 2**12) * (1 + rng.choice([0, 2.0**-50, -(2.0**-50)], 20000))
    far = np.array([3e9, -3e9, 1e20, -1e20, 2.0**63, 1.2e19, 65519, 65520, 3.39e38, 3.4e38, -1e300, 1e-320, 2.0**-25])
    with np.errstate(all="ignore"):
        return np.concatenate([special_values(record), *(one.astype(record.numpy) for one in (middles, -middles, far))])


@pytest.mark.parametrize("lanes", [0, 16])
@pytest.mark.parametrize("target", REAL_TYPES, ids=lambda record: record.short)
@pytest.mark.parametrize("source", REAL_TYPES, ids=lambda record: record.short)
def test_cast_is_what_numpy_does(source: dtype, target: dtype, lanes: int) -> None:
    x = draws(source)
    if source is dtypes.float16 and target is dtypes.uint32:
        x = x[~(np.isnan(x) | np.isinf(x))]  # NumPy makes other numbers of them than of float32's
    with np.errstate(all="ignore"):
        expected = Cast(target).reference(x)
    assert_close(apply(Cast(target).scalar, target, lanes, x), expected, 0.0)


def test_integers_are_never_trapped() -> None:
    least = np.array([-(2**31), -(2**31), 7, 0], np.int32)
    by = np.array([-1, 0, 0, 0], np.int32)
    for lanes in (0, 16):
        np.testing.assert_array_equal(
            apply(lambda s, a, b: s.div(a, b), dtypes.int32, lanes, least, by), [-(2**31), 0, 0, 0]
        )
        np.testing.assert_array_equal(apply(lambda s, a, b: s.remainder(a, b), dtypes.int32, lanes, least, by), 0)


# Mathematics: the error in units of the last place, against twice the precision.

MATHEMATICS = {
    "exp": (np.exp, 1.0, 1.0), "exp2": (np.exp2, 1.0, 1.0), "expm1": (np.expm1, 2.0, 2.0), "log": (np.log, 1.0, 1.0),
    "log1p": (np.log1p, 1.5, 1.5), "log2": (np.log2, 1.0, 1.0), "log10": (np.log10, 1.0, 1.0),
    # as PyTorch computes it: 1 / (1 + exp(-x)), whose worst error is 2.2 there too
    "sigmoid": (None, 2.5, 2.5), "tanh": (np.tanh, 1.5, 1.5), "sinh": (np.sinh, 0.51, 3.0),
    "cosh": (np.cosh, 0.51, 3.0), "asinh": (np.arcsinh, 0.51, 2.5), "acosh": (np.arccosh, 0.51, 2.5),
    "atanh": (np.arctanh, 0.51, 2.5), "sin": (np.sin, 0.51, 1.0), "cos": (np.cos, 0.51, 1.0),
    "tan": (np.tan, 0.51, 3.0),
    "asin": (np.arcsin, 0.51, 2.5), "acos": (np.arccos, 0.51, 1.5), "atan": (np.arctan, 0.51, 2.0),
}  # fmt: skip


def sample(kind: type[np.floating], size: int) -> Array:
    """Numbers of all magnitudes, more of them where functions bend, and every kind of special value."""
    rng = np.random.default_rng(1)
    bits = np.frombuffer(rng.bytes(size * np.dtype(kind).itemsize), kind)
    ranges = [rng.uniform(low, high, size) for low, high in ((-20, 20), (-1, 1), (0.5, 2), (-750, 720), (-0.01, 0.01))]
    powers = np.exp(rng.uniform(-40, 40, size)) * rng.choice([-1, 1], size)
    with np.errstate(all="ignore"):
        return np.concatenate([bits, *(one.astype(kind) for one in (*ranges, powers, np.array(FLOATS)))])


def errors_in_ulps(ours: Array, exact: Array) -> Array:
    """|ours - exact| in units of the last place of the type of `ours`; 0 where both are the same special value."""
    facts = np.finfo(ours.dtype)
    with np.errstate(all="ignore"):
        rounded = exact.astype(ours.dtype)
        exponent = np.maximum(np.frexp(np.abs(exact))[1] - 1, facts.minexp)
        errors = np.abs(ours.astype(exact.dtype) - exact) / np.ldexp(np.ones_like(exact), exponent - facts.nmant)
    special = ~np.isfinite(rounded) | ~np.isfinite(ours)
    same = (rounded == ours) | (np.isnan(rounded) & np.isnan(ours))
    return np.where(special, np.where(same, 0.0, np.inf), errors)


@pytest.mark.parametrize("single", [True, False], ids=["f32", "f64"])
@pytest.mark.parametrize("name", MATHEMATICS)
def test_mathematics_is_exact_to_a_few_ulps(name: str, single: bool) -> None:
    function, single_ulps, double_ulps = MATHEMATICS[name]
    record, wide = (dtypes.float32, np.float64) if single else (dtypes.float64, np.longdouble)
    if not single and np.finfo(np.longdouble).nmant < 63:
        pytest.skip("no wider floating-point type here")
    x = sample(record.numpy.type, 30_000)
    with np.errstate(all="ignore"):
        exact = function(x.astype(wide)) if function else 1 / (1 + np.exp(-x.astype(wide)))
        if name == "sigmoid":  # as in PyTorch it is 0 where exp -x is infinite
            exact = np.where(np.isinf(np.exp(-x)), 0, exact)
    errors = errors_in_ulps(apply(lambda s, x: getattr(s, name)(x), record, 16, x), exact)
    worst = int(np.argmax(errors))
    assert errors[worst] <= (single_ulps if single else double_ulps), x[worst]


def exactly(function: Callable[..., object], *columns: Array) -> Array:
    """A function of mpmath's, in some 80 bits."""
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workprec(200):
        found = [function(*map(mpmath.mpf, map(float, row))) for row in zip(*columns, strict=True)]
        highs = [float(one) for one in found]  # type: ignore[arg-type]
        lows = [float(one - high) for one, high in zip(found, highs, strict=True)]  # type: ignore[operator]
    return np.array(highs, np.longdouble) + np.array(lows, np.longdouble)


RARE = {
    "erf": ([(-6, 6), (-1, 1), (-1e-5, 1e-5)], 1.0, 1.0),
    "erfc": ([(-6, 26), (-1, 1), (-1e-5, 1e-5)], 0.51, 3.0),
    "erfinv": ([(-1, 1), (0.99, 1), (-1e-5, 1e-5)], 0.51, 4.0),
    "lgamma": ([(0.5, 3), (3, 200), (1e3, 1e20), (0, 1e-5), (0.9999, 1.0001), (1.9999, 2.0001)], 0.51, 3.0),
}


@pytest.mark.parametrize("single", [True, False], ids=["f32", "f64"])
@pytest.mark.parametrize("name", RARE)
def test_special_functions_are_exact_to_a_few_ulps(name: str, single: bool) -> None:
    mpmath = pytest.importorskip("mpmath")
    ranges, single_ulps, double_ulps = RARE[name]
    record = dtypes.float32 if single else dtypes.float64
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.uniform(low, high, 150) for low, high in ranges]).astype(record.numpy)
    x = x[np.abs(x) != 1]
    function = {"lgamma": mpmath.loggamma}.get(name) or getattr(mpmath, name)
    errors = errors_in_ulps(apply(lambda s, x: getattr(s, name)(x), record, 8, x), exactly(function, x))
    assert errors.max() <= (single_ulps if single else double_ulps), x[int(np.argmax(errors))]


@pytest.mark.parametrize("single", [True, False], ids=["f32", "f64"])
@pytest.mark.parametrize(("name", "ulps"), [("power", 1.1), ("atan2", 2.0), ("hypot", 2.0)])
def test_functions_of_two_numbers_are_exact_to_a_few_ulps(name: str, ulps: float, single: bool) -> None:
    mpmath = pytest.importorskip("mpmath")
    record = dtypes.float32 if single else dtypes.float64
    rng = np.random.default_rng(3)
    if name == "power":
        a, b = np.exp(rng.uniform(-5, 5, 800)), rng.uniform(-140, 140, 800)
    else:
        a, b = rng.uniform(-2, 2, (2, 800)) * 10.0 ** rng.integers(-12, 12, (2, 800))
    a, b = a.astype(record.numpy), b.astype(record.numpy)
    facet = {"power": "pow"}.get(name, name)
    errors = errors_in_ulps(
        apply(lambda s, *xs: getattr(s, facet)(*xs), record, 8, a, b), exactly(getattr(mpmath, name), a, b)
    )
    assert errors.max() <= ulps


@pytest.mark.parametrize("record", [dtypes.float32, dtypes.float64], ids=lambda record: record.short)
def test_angles_are_reduced_exactly_however_large(record: dtype) -> None:
    mpmath = pytest.importorskip("mpmath")
    rng = np.random.default_rng(4)
    top = 127 if record is dtypes.float32 else 1022
    x = (rng.uniform(1, 2, 300) * 2.0 ** rng.integers(15, top, 300) * rng.choice([-1, 1], 300)).astype(record.numpy)
    near_multiples = np.array([6381956970095103.0 * 2.0**797, 5261692873635770.0 * 2.0**499])
    if record is dtypes.float64:
        x = np.concatenate([x, near_multiples])
    with mpmath.workprec(1300):
        for name in ("sin", "cos"):
            exact = np.array([float(getattr(mpmath, name)(mpmath.mpf(float(one)))) for one in x])
            ours = apply(lambda s, x, name=name: getattr(s, name)(x), record, 8, x)
            assert_close(ours, exact.astype(record.numpy), 1.0)


# Vectors of all widths, and folds across them.


@pytest.mark.parametrize("lanes", [2, 4, 8, 16, 32])
@pytest.mark.parametrize("name", ["exp", "tanh", "log", "sin", "erf", "lgamma"])
def test_every_width_gives_the_same_bits(name: str, lanes: int) -> None:
    x = sample(np.float32, 200)
    one_by_one, together = (apply(lambda s, x: getattr(s, name)(x), dtypes.float32, width, x) for width in (0, lanes))
    np.testing.assert_array_equal(one_by_one, together)


@pytest.mark.parametrize("lanes", [2, 4, 8, 16, 32])
def test_lanes_are_folded_by_halves(lanes: int) -> None:
    rng = np.random.default_rng(5)
    x = rng.standard_normal(lanes).astype(np.float32)
    expected = x
    while expected.size > 1:
        expected = expected[: expected.size // 2] + expected[expected.size // 2 :]

    def fold(combine: str) -> Facet:
        return lambda s, x: s.writer.splat(s.across(getattr(s, combine), x), lanes)

    assert apply(fold("add"), dtypes.float32, lanes, x)[0] == expected[0]
    assert apply(fold("largest"), dtypes.float32, lanes, x)[0] == x.max()
    x[lanes // 2] = np.nan
    assert np.isnan(apply(fold("smallest"), dtypes.float32, lanes, x)[0])
    assert not apply(fold("both"), dtypes.bool_, lanes, x > -10)[0]


def test_the_vocabulary_is_there() -> None:
    missing = [name for name in vars(Vocabulary) if not name.startswith("_") and not hasattr(Scalars, name)]
    assert not missing


def test_sigmoid_is_exactly_between() -> None:
    x = np.array([-np.inf, -200.0, -88.0, 0.0, 30.0, np.inf, np.nan], np.float32)
    with np.errstate(over="ignore"):
        assert_close(apply(Sigmoid().scalar, dtypes.float32, 0, x), Sigmoid().reference(x), 1.5)


# Stores.


@pytest.mark.parametrize("lane", [0, 3])
@pytest.mark.parametrize(
    ("record", "source", "lanes"),
    [
        (dtypes.bfloat16, dtypes.float32, 16),
        (dtypes.float16, dtypes.float32, 16),
        (dtypes.int16, dtypes.int32, 16),
        (dtypes.int8, dtypes.int32, 16),
        (dtypes.uint8, dtypes.int16, 32),
        (dtypes.int32, dtypes.int64, 8),
        (dtypes.bool_, dtypes.float32, 16),
    ],
    ids=str,
)
def test_a_lone_lane_is_stored_as_wide_as_its_type(record: dtype, source: dtype, lanes: int, lane: int) -> None:
    """LLVM 22 writes over the neighbours, with AVX-512 (see `Target.widens_lone_lanes`)."""
    writer = Writer()
    mask = constant_mask([number == lane for number in range(lanes)])
    with writer.loop(*writer.tasks):
        value = writer.load(source, lanes, writer.buffer("x"))
        writer.store(Scalars(writer).cast(value, record), writer.buffer("result"), 0, mask)
    kernel = KERNEL(build.addresses([writer.text()])[0])
    x = np.arange(1, lanes + 1).astype(source.numpy)
    out = np.ones(lanes + 8, record.numpy)
    slots = [ctypes.c_void_p({"x": x, "result": out}[key].ctypes.data) for key in writer.buffers]  # type: ignore[index]
    args = (ctypes.c_void_p * len(slots))(*[ctypes.addressof(slot) for slot in slots])
    kernel(args, 0, 1)
    expected = np.ones_like(out)
    expected[lane] = x[lane]
    assert out.tobytes() == expected.tobytes()
