"""One test over the registry: each primitive's examples put its facets to the test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product

import ml_dtypes
import numpy as np
import pytest

from graphs import graph_of, run
from kadam import dtypes
from kadam.autodiff import backward
from kadam.dtypes import BOOL, COMPLEX, FLOAT, dtype
from kadam.errors import DTypeError, InPlaceError
from kadam.ir.builder import Builder, building, emit
from kadam.ir.graph import Graph, Node
from kadam.ir.primitive import Array, Example, Primitive, View
from kadam.ir.types import TensorType
from kadam.primitives.elementwise import Elementwise
from kadam.primitives.rounding import Division
from kadam.primitives.sources import Input
from kadam.primitives.special import Polygamma

DOUBLE = {dtypes.float32: dtypes.float64, dtypes.complex64: dtypes.complex128}
CASES = [example for primitive in Primitive.registry().values() for example in primitive.examples()]


def name_of(case: Example) -> str:
    return f"{case.primitive!r} {case.types}"


every_example = pytest.mark.parametrize("case", CASES, ids=name_of)


def retyped(case: Example, to: dict[dtype, dtype]) -> tuple[Primitive, tuple[TensorType, ...]]:
    """The example with other element types, in its inputs and its attributes."""
    primitive = case.primitive
    changed = {
        field.name: to[value]
        for field in fields(primitive)
        if isinstance(value := getattr(primitive, field.name), dtype) and value in to
    }
    types = tuple(one.with_dtype(to.get(one.dtype, one.dtype)) for one in case.input_types())
    return (replace(primitive, **changed) if changed else primitive), types


def draw(case: Example, types: Sequence[TensorType], seed: int = 0) -> list[Array]:
    """Random inputs within the bounds of the example; they are read-only, as a reference must not write into them."""
    rng = np.random.default_rng(seed)
    arrays = []
    for one in types:
        if one.dtype.category == BOOL:
            array = rng.integers(0, 2, one.shape) > 0
        elif one.dtype.category < FLOAT:
            array = rng.integers(*case.integers, one.shape)
        elif one.dtype.category == COMPLEX:
            array = rng.uniform(case.low, case.high, one.shape) + 1j * rng.uniform(case.low, case.high, one.shape)
        else:
            array = rng.uniform(case.low, case.high, one.shape)
        array = np.asarray(array).astype(one.dtype.numpy)
        array.setflags(write=False)
        arrays.append(array)
    return arrays


def evaluate(primitive: Primitive, feeds: Sequence[Array]) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(primitive.reference(*feeds))


# The reference has the type that infer says.


@every_example
@pytest.mark.parametrize("floating", [dtypes.float32, dtypes.float64, dtypes.float16, dtypes.bfloat16])
def test_reference_has_the_inferred_type(case: Example, floating: dtype) -> None:
    primitive, types = retyped(case, {dtypes.float32: floating})
    try:
        inferred = primitive.infer(*types)
    except DTypeError:
        assert floating is not dtypes.float32, "an example must be valid"
        pytest.skip(f"not defined for {floating}")
    value = evaluate(primitive, draw(case, types))
    assert TensorType(dtypes.of_numpy(value.dtype), value.shape) == inferred


# As in PyTorch, these add to a sum in memory, one by one, and round each time; and what is next depends on the type.
ROUND_EACH_TIME = {"ScatterAdd", "IndexAdd", "NextAfter"}


@every_example
@pytest.mark.parametrize("narrow", [dtypes.float16, dtypes.bfloat16])
def test_16_bit_floats_compute_wider_and_round_once(case: Example, narrow: dtype) -> None:
    primitive, types = retyped(case, {dtypes.float32: narrow})
    _, wide_types = retyped(case, {dtypes.float32: dtypes.float64})
    if types == case.input_types() or type(primitive).__name__ in ROUND_EACH_TIME:
        pytest.skip("nothing to round once")
    try:
        primitive.infer(*types)
    except DTypeError:
        pytest.skip(f"not defined for {narrow}")
    feeds = draw(case, types)
    wide_feeds = [feed.astype(wide.dtype.numpy) for feed, wide in zip(feeds, wide_types, strict=True)]
    exact = evaluate(primitive, wide_feeds)
    exact = exact.astype(np.result_type(exact.dtype, np.float64))
    ours = evaluate(primitive, feeds).astype(exact.dtype)
    half_a_unit = 0.501 * float(ml_dtypes.finfo(narrow.numpy).eps) * np.abs(exact)
    assert np.all(np.abs(ours - exact) <= half_a_unit + 1e-5)


# The reference computes what PyTorch computes.


def counterparts() -> dict[str, Callable[..., object]]:
    """Name of a primitive -> a function of the primitive and its inputs, in PyTorch."""
    pytest.importorskip("torch")
    import primitives_torch_elementwise
    import primitives_torch_movement

    return {**primitives_torch_elementwise.TABLE, **primitives_torch_movement.TABLE}


# Primitives that PyTorch has no word for, and why.
WITHOUT_COUNTERPART = {"Input": "is fed, never computed"}


def test_every_primitive_has_a_counterpart() -> None:
    assert set(counterparts()) == set(Primitive.registry()) - set(WITHOUT_COUNTERPART)


def counterpart(primitive: Primitive) -> Callable[..., object]:
    return counterparts()[type(primitive).__name__]


# Where PyTorch itself is inexact: its trigamma and its Bessel and Airy functions, in units of the last place.
INEXACT = {"Polygamma": 1e7, "Bessel": 1e7, "AiryAi": 1e7, "DrawSlope": 2e12}  # the last: PyTorch approximates it
# Their derivatives are not those of their values: test_distributions compares draws with quantiles.
IMPLICIT = ("DrawMotion", "DrawSlope", "Underived")


def to_torch(array: Array) -> object:
    import torch

    if array.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(array.astype(np.float32)).bfloat16()
    return torch.from_numpy(array.copy())


def from_torch(tensor: object) -> Array:
    import torch

    assert isinstance(tensor, torch.Tensor)
    if tensor.dtype == torch.bfloat16:
        return from_torch(tensor.float()).astype(ml_dtypes.bfloat16)
    return np.asarray(tensor.numpy(force=True))


def assert_same(ours: Array, theirs: Array, ulps: float = 16) -> None:
    """Equal types, and values that differ by a few units in the last place."""
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    if ours.dtype.kind in "biu":
        np.testing.assert_array_equal(ours, theirs)
    else:
        eps = float(ml_dtypes.finfo(ours.dtype).eps)
        np.testing.assert_allclose(ours, theirs, rtol=ulps * eps, atol=ulps * eps)


@every_example
@pytest.mark.parametrize("to", [{}, DOUBLE], ids=["single", "double"])
def test_reference_agrees_with_pytorch(case: Example, to: dict[dtype, dtype]) -> None:
    primitive, types = retyped(case, to)
    feeds = draw(case, types)
    theirs = from_torch(counterpart(primitive)(primitive, [to_torch(feed) for feed in feeds]))
    assert_same(evaluate(primitive, feeds), theirs, ulps=INEXACT.get(type(primitive).__name__, 16))


FLOATS = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.0, 2.5, -2.5, -3.0, 7.0, 1e-30, 1e30)
INTEGERS = (-128, -7, -3, -1, 0, 1, 2, 3, 7, 100, 127)
SPECIAL = {dtypes.float32: FLOATS, dtypes.float64: FLOATS, dtypes.int8: INTEGERS, dtypes.int64: INTEGERS}
ELEMENTWISE = [
    pytest.param(primitive, record, id=f"{primitive!r} {record.short}")
    for cls in Primitive.registry().values()
    if issubclass(cls, Elementwise) and cls.cases
    for primitive in dict.fromkeys(example.primitive for example in cls.examples())
    for record in SPECIAL
    if record.category in cls.accepts
]
at_special_values = pytest.mark.parametrize(("primitive", "record"), ELEMENTWISE)


def special_values(primitive: Elementwise, record: dtype) -> list[Array]:
    """All combinations of the special values on which PyTorch's answer is a standard."""
    rows = product(SPECIAL[record], repeat=primitive.cases[0].count("["))
    columns = zip(*(row for row in rows if comparable(primitive, *row)), strict=True)
    return [np.array(column, record.numpy) for column in columns]


def comparable(primitive: Elementwise, *row: float) -> bool:
    if isinstance(primitive, Division):
        # Integers are not divided by 0; and where a quotient is huge, PyTorch's remainder is nan or not, by chance.
        return (isinstance(row[1], float) or row[1] != 0) and (row[0], row[1]) != (1e30, 1e-30)
    if isinstance(primitive, Polygamma) and primitive.order:
        return np.isfinite(row[0]) and not (row[0] < 0 and row[0] == round(row[0]))
    return True


@at_special_values
def test_special_values_agree_with_pytorch(primitive: Elementwise, record: dtype) -> None:
    feeds = special_values(primitive, record)
    theirs = from_torch(counterpart(primitive)(primitive, [to_torch(feed) for feed in feeds]))
    ours = evaluate(primitive, feeds)
    assert_same(ours, theirs, ulps=INEXACT.get(type(primitive).__name__, 16))
    if ours.dtype.kind == "f":
        np.testing.assert_array_equal(np.signbit(ours[ours == 0]), np.signbit(theirs[theirs == 0]))


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3)], ids=str)
@at_special_values
def test_empty_and_0d_tensors(primitive: Elementwise, record: dtype, shape: tuple[int, ...]) -> None:
    feeds = [np.ones(shape, record.numpy)] * primitive.cases[0].count("[")
    inferred = primitive.infer(*[TensorType(record, shape)] * len(feeds))
    value = evaluate(primitive, feeds)
    assert TensorType(dtypes.of_numpy(value.dtype), value.shape) == inferred


# The derivative agrees with finite differences, and so does the derivative's derivative.


@dataclass(frozen=True)
class Derivative:
    """A primitive's application with its vjp: inputs x and ct -> outputs out and the cotangents."""

    graph: Graph
    wrt: tuple[int, ...]  # the inputs that get a cotangent


def derivative_of(primitive: Primitive, types: Sequence[TensorType]) -> Derivative:
    found: list[int] = []

    def body(*nodes: Node) -> list[Node]:
        *inputs, ct = nodes
        out = emit(primitive, *inputs)
        cotangents = primitive.vjp(ct, out, *inputs)
        assert len(cotangents) == len(inputs)
        for position, (cotangent, x) in enumerate(zip(cotangents, inputs, strict=True)):
            if cotangent is not None and x.dtype.category >= FLOAT:
                assert cotangent.type == x.type
                found.append(position)
        return [out, *(cotangents[position] for position in found)]

    graph = graph_of(body, *types, primitive.infer(*types))
    return Derivative(graph, tuple(found))


def inner(a: Array, b: Array) -> float:
    """The real inner product: PyTorch's convention for complex cotangents."""
    return float(np.sum(np.real(np.conj(a) * b)))


def assert_slope(function: Callable[[Sequence[Array]], float], at: Sequence[Array], slope: Sequence[Array]) -> None:
    """The derivative of `function` along random directions, by central differences."""
    rng = np.random.default_rng(1)
    for _ in range(2):
        direction = [
            rng.uniform(-1, 1, x.shape) + (1j * rng.uniform(-1, 1, x.shape) if x.dtype.kind == "c" else 0) for x in at
        ]
        step = 1e-6
        up, down = ([x + sign * step * d for x, d in zip(at, direction, strict=True)] for sign in (1, -1))
        measured = (function(up) - function(down)) / (2 * step)
        claimed = sum(inner(one, d) for one, d in zip(slope, direction, strict=True))
        assert claimed == pytest.approx(measured, rel=2e-7, abs=2e-7)


SMOOTH = [
    case
    for case in CASES
    if case.primitive.differentiable
    and type(case.primitive).__name__ not in IMPLICIT
    and case.input_types()
    and case.primitive.infer(*case.input_types()).dtype.category >= FLOAT
]


def replaced(feeds: Sequence[Array], positions: Sequence[int], values: Sequence[Array]) -> list[Array]:
    result = list(feeds)
    for position, value in zip(positions, values, strict=True):
        result[position] = value
    return result


@pytest.mark.parametrize("case", SMOOTH, ids=name_of)
def test_vjp_agrees_with_central_differences(case: Example) -> None:
    primitive, types = retyped(case, DOUBLE)
    derivative = derivative_of(primitive, types)
    feeds = draw(case, types)
    ct = draw(replace(case, low=-1.0, high=1.0), [derivative.graph.inputs[-1].type], seed=2)[0]
    _, *cotangents = run(derivative.graph, *feeds, ct)

    def function(moved: Sequence[Array]) -> float:
        return inner(ct, evaluate(primitive, replaced(feeds, derivative.wrt, moved)))

    assert_slope(function, [feeds[position] for position in derivative.wrt], cotangents)


@pytest.mark.parametrize("case", SMOOTH, ids=name_of)
def test_vjp_of_vjp_agrees_with_central_differences(case: Example) -> None:
    """The cotangents are themselves functions of the inputs and of ct, made of primitives: differentiate them again."""
    primitive, types = retyped(case, DOUBLE)
    derivative = derivative_of(primitive, types)
    first = derivative.graph
    outputs = first.outputs[1:]
    with building(Builder(list(first.nodes))) as builder:
        weights = [emit(Input(node.type)) for node in outputs]
        cts: dict[int, Node] = {}
        for node, weight in zip(outputs, weights, strict=True):
            cts[node.id] = weight if node.id not in cts else cts[node.id] + weight
        wrt = [*derivative.wrt, len(types)]
        active = active_nodes(first, wrt)
        reached = backward(builder.nodes, cts, active, wrt)
    second = Graph(tuple(builder.nodes), (*first.inputs, *weights), tuple(reached.values()))

    feeds = [*draw(case, types), *draw(replace(case, low=-1.0, high=1.0), [first.inputs[-1].type], seed=2)]
    u = draw(replace(case, low=-1.0, high=1.0), [node.type for node in weights], seed=3)
    slopes = dict(zip(reached, run(second, *feeds, *u), strict=True))

    def function(moved: Sequence[Array]) -> float:
        _, *cotangents = run(first, *replaced(feeds, wrt, moved))
        return sum(inner(weight, cotangent) for weight, cotangent in zip(u, cotangents, strict=True))

    assert_slope(
        function,
        [feeds[position] for position in wrt],
        [slopes.get(position, np.zeros_like(feeds[position])) for position in wrt],
    )


def active_nodes(graph: Graph, wrt: Sequence[int]) -> set[int]:
    active = set(wrt)
    for node in graph.nodes:
        if (
            node.primitive.differentiable
            and node.dtype.category >= FLOAT
            and any(one.id in active for one in node.inputs)
        ):
            active.add(node.id)
    return active


@pytest.mark.parametrize(
    "primitive",
    [primitive for primitive, record in (one.values for one in ELEMENTWISE) if record is dtypes.float64],
    ids=repr,
)
def test_derivatives_at_special_values_agree_with_pytorch(primitive: Elementwise) -> None:
    torch = pytest.importorskip("torch")
    if not primitive.differentiable:
        pytest.skip("passes no derivative")
    feeds = special_values(primitive, dtypes.float64)
    tensors = [to_torch(feed).requires_grad_() for feed in feeds]
    out = counterpart(primitive)(primitive, tensors)
    theirs = torch.autograd.grad(out.sum(), tensors)
    derivative = derivative_of(primitive, [TensorType(dtypes.float64, feed.shape) for feed in feeds])
    value, *ours = run(derivative.graph, *feeds, np.ones(feeds[0].shape))
    defined = ~np.isnan(value) | np.any(np.isnan(feeds), axis=0)  # outside its domain a function has no derivative
    for one, other in zip(ours, theirs, strict=True):
        assert_same(one[defined], from_torch(other)[defined], ulps=INEXACT.get(type(primitive).__name__, 64))


# Views, and what cannot be constructed.


@every_example
def test_a_view_restores_what_it_shows(case: Example) -> None:
    view = case.primitive
    if not isinstance(view, View):
        pytest.skip("not a view")
    types = case.input_types()

    def body(base: Node, value: Node) -> tuple[Node, Node, Node]:
        changed = view.restore(base, value)
        return changed, emit(view, changed), view.restore(base, emit(view, base))

    try:
        graph = graph_of(body, *types, view.infer(*types))
    except InPlaceError:
        return  # several of its elements are one in memory
    base, value = draw(case, [*types, view.infer(*types)])
    changed, seen, unchanged = run(graph, base, value)
    assert changed.shape == base.shape
    np.testing.assert_array_equal(seen, value)
    np.testing.assert_array_equal(unchanged, base)


def test_an_incomplete_primitive_cannot_be_constructed() -> None:
    class WithoutDerivative(Elementwise):
        def reference(self, x: Array) -> Array:
            return x

    with pytest.raises(TypeError, match="vjp"):
        WithoutDerivative()  # type: ignore[abstract]
    assert "WithoutDerivative" not in Primitive.registry()
