"""Reductions and scans where it matters: zeros, ties, nan, nothing to reduce, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import kadam
from graphs import graph_of, run
from kadam.autodiff import backward
from kadam.errors import DTypeError, ShapeError
from kadam.ir.builder import current_builder, emit
from kadam.ir.graph import Node
from kadam.ir.primitive import Array, Primitive
from kadam.ir.types import parse_type
from kadam.primitives.broadcast import Sum, summed
from kadam.primitives.reduce import ArgMax, ArgMin, Max, Min, Prod
from kadam.primitives.scan import CumArgMax, CumArgMin, CumProd, CumSum, LinearScan
from kadam.primitives.sources import full_like

NAN = float("nan")


def value(primitive: Primitive, *inputs: object) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(primitive.reference(*map(np.asarray, inputs)))


def gradient(out: Node, x: Node) -> Node:
    """The derivative of the sum of out squared."""
    builder = current_builder()
    return backward(list(builder.nodes), {out.id: out + out}, builder.active, [x.id])[x.id]


def first_and_second(primitive: Primitive, x: Array) -> list[Array]:
    """The derivatives of the sum of the squared result, and of the sum of that derivative squared."""

    def body(node: Node) -> list[Node]:
        first = gradient(emit(primitive, node), node)
        return [first, gradient(first, node)]

    return run(graph_of(body, parse_type(f"f64{list(x.shape)}")), x)


def theirs(function: Callable[..., object], x: Array) -> list[Array]:
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(x, requires_grad=True)
    (first,) = torch.autograd.grad(function(tensor).square().sum(), tensor, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), tensor)
    return [first.detach().numpy(), second.numpy()]


ZEROS = {
    "none": np.array([1.5, -2.0, 0.5, 3.0]),
    "one": np.array([1.5, 0.0, 0.5, 3.0]),
    "two": np.array([1.5, 0.0, 0.0, 3.0]),
    "first": np.array([0.0, 2.0, 0.5, 3.0]),
    "last": np.array([1.5, 2.0, 0.5, 0.0]),
    "all": np.zeros(4),
}


@pytest.mark.parametrize("x", ZEROS.values(), ids=ZEROS)
def test_derivatives_of_products_with_zeros(x: Array) -> None:
    products = {
        Prod((0,)): lambda t: t.prod(),
        CumProd(0): lambda t: t.cumprod(0),
        CumProd(0, reverse=True): lambda t: t.flip(0).cumprod(0).flip(0),
    }
    for primitive, function in products.items():
        for one, other in zip(first_and_second(primitive, x), theirs(function, x), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_the_derivative_of_a_product_is_the_product_of_the_others() -> None:
    x = np.array([[2.0, 0.0, 3.0], [0.0, 0.0, 5.0]])
    others = run(graph_of(lambda node: others_of(Prod((1,)), node), "f64[2,3]"), x)[0]
    np.testing.assert_array_equal(others, [[0, 6, 0], [0, 0, 0]])


def others_of(primitive: Primitive, node: Node) -> Node:
    builder = current_builder()
    out = emit(primitive, node)
    return backward(list(builder.nodes), {out.id: full_like(out, 1)}, builder.active, [node.id])[node.id]


def test_products_of_nothing_and_of_several_axes() -> None:
    assert value(Prod((0,)), np.empty((0, 2))).tolist() == [1.0, 1.0]
    for axes in ((0, 1), (0, 2), (1,), (0, 1, 2)):
        x = np.random.default_rng(0).uniform(0.5, 1.5, (2, 3, 2))
        x[0, 1, 0] = 0
        (found,) = run(graph_of(lambda node, axes=axes: others_of(Prod(axes), node), "f64[2,3,2]"), x)
        for place in np.ndindex(x.shape):
            ones = x.copy()
            ones[place] = 1
            without = np.prod(ones, axes)[tuple(i for axis, i in enumerate(place) if axis not in axes)]
            assert found[place] == pytest.approx(without)


def test_products_of_nothing_have_derivatives() -> None:
    for primitive in (Prod((0,)), CumProd(0), CumSum(0)):
        (found,) = run(
            graph_of(lambda node, primitive=primitive: others_of(primitive, node), "f64[0,2]"), np.empty((0, 2))
        )
        assert found.shape == (0, 2)


TIES = np.array([[3.0, 1.0, 3.0], [1.0, 1.0, 1.0]])


@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)], ids=str)
@pytest.mark.parametrize("name", ["amax", "amin"])
def test_ties_share_the_cotangent(name: str, axes: tuple[int, ...]) -> None:
    primitive = {"amax": Max, "amin": Min}[name](axes)
    expected = theirs(lambda t: getattr(t, name)(axes), TIES)
    for one, other in zip(first_and_second(primitive, TIES), expected, strict=True):
        np.testing.assert_allclose(one, other)


def test_extremes_of_nan_and_of_ties() -> None:
    x = [[1.0, NAN, 3.0, NAN], [2.0, 5.0, 5.0, 2.0]]
    np.testing.assert_array_equal(value(Max((1,)), x), [NAN, 5.0])
    np.testing.assert_array_equal(value(Min((1,)), x), [NAN, 2.0])
    assert value(ArgMax(1), x).tolist() == [1, 1]
    assert value(ArgMin(1), x).tolist() == [1, 0]
    assert value(CumArgMax(1), x).tolist() == [[0, 1, 1, 3], [0, 1, 2, 2]]
    assert value(CumArgMin(1), x).tolist() == [[0, 1, 1, 3], [0, 0, 0, 3]]


@pytest.mark.parametrize(("primitive", "name"), [(CumArgMax(0), "cummax"), (CumArgMin(0), "cummin")], ids=str)
def test_running_places_are_pytorchs(primitive: Primitive, name: str) -> None:
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).integers(0, 4, (30, 5)).astype(np.float32)
    x[x == 0] = NAN
    for column in (x, np.sort(x, 0), np.nan_to_num(x)):
        expected = getattr(torch.from_numpy(column), name)(0).indices.numpy()
        np.testing.assert_array_equal(value(primitive, column), expected)


def test_of_booleans_the_largest_is_any_and_the_smallest_all() -> None:
    x = np.array([[True, False], [True, True], [False, False]])
    assert value(Max((1,)), x).tolist() == [True, True, False]
    assert value(Min((1,)), x).tolist() == [False, True, False]
    assert value(Max((0,)), np.empty((0, 2), bool)).tolist() == [False, False]
    assert value(Min((0,)), np.empty((0, 2), bool)).tolist() == [True, True]
    assert str(Max((0,)).infer(parse_type("bool[0,2]"))) == "bool[2]"


@pytest.mark.parametrize(
    ("primitive", "text", "error", "message"),
    [
        (Max((0,)), "f32[0,2]", ShapeError, r"axis 0 of f32\[0,2\] has no elements"),
        (ArgMin(1), "f32[2,0]", ShapeError, r"axis 1 of f32\[2,0\] has no elements"),
        (Max((2,)), "f32[2,2]", ShapeError, r"f32\[2,2\] has no axis 2"),
        (CumSum(0), "f32[]", ShapeError, r"f32\[\] has no axis 0"),
        (Max((0,)), "c64[2]", DTypeError, "has no order"),
        (CumArgMax(0), "c64[2]", DTypeError, "has no order"),
        (Sum((0,)), "bool[2]", DTypeError, "cast it to an integer type"),
        (Prod((0,)), "bool[2]", DTypeError, "cast it to an integer type"),
        (CumSum(0), "bool[2]", DTypeError, "cast it to an integer type"),
    ],
    ids=str,
)
def test_refusals(primitive: Primitive, text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        primitive.infer(parse_type(text))


def test_integer_sums_keep_their_type() -> None:
    x = np.array([100, 100], np.int8)
    assert value(Sum((0,)), x).dtype == value(CumSum(0), x).dtype == value(Prod((0,)), x).dtype == np.int8


def test_narrow_floats_do_not_stall() -> None:
    """In 16 bits 256 + 0.1 is 256, so a sum that rounds each time stops growing."""
    for text in ("f16", "bf16"):
        x = np.full(4096, 0.1, parse_type(text + "[]").dtype.numpy)
        total = 4096 * float(x[0])
        assert float(value(Sum((0,)), x)) == pytest.approx(total, rel=0.01)
        assert float(value(CumSum(0), x)[-1]) == pytest.approx(total, rel=0.01)


def test_linear_scan_is_a_recurrence() -> None:
    a, b = [9.0, 0.5, 2.0], [1.0, 1.0, 1.0]
    assert value(LinearScan(0), a, b).tolist() == [1.0, 1.5, 4.0]
    assert value(LinearScan(0, reverse=True), a, b).tolist() == [14.5, 1.5, 1.0]
    assert summed_of(CumSum(0)) == pytest.approx(summed_of(LinearScan(0)))


def summed_of(scan: Primitive) -> float:
    """The sum of a running sum, by either word."""
    x = np.linspace(0, 1, 5)
    if isinstance(scan, CumSum):
        return float(value(scan, x).sum())
    (total,) = run(graph_of(lambda a, b: summed(emit(scan, a, b), (0,)), "f64[5]", "f64[5]"), np.ones(5), x)
    return float(total)


ENDS = {
    "std of equal numbers": (lambda m, x: x.std(), [1.0, 1.0]),
    "std_mean of equal numbers": (lambda m, x: m.std_mean(x)[0], [2.0, 2.0, 2.0]),
    "std of rows": (lambda m, x: x.reshape(2, 2).std(1).sum(), [1.0, 1.0, 1.0, 3.0]),
    "std with nan": (lambda m, x: x.std(), [1.0, NAN]),
    "median of ties": (lambda m, x: x.median(), [1.0, 3.0, 3.0, 3.0]),
    "median with nan": (lambda m, x: x.median(), [1.0, NAN, 2.0]),
    "nanmedian of ties": (lambda m, x: x.nanmedian(), [NAN, 2.0, 2.0, 5.0]),
    "median of infinities": (lambda m, x: x.median(), [float("inf")] * 3),
}


@pytest.mark.parametrize("name", ENDS)
def test_derivatives_where_numbers_are_equal_are_pytorchs(name: str) -> None:
    torch = pytest.importorskip("torch")
    reduced, numbers = ENDS[name]
    found = []
    for m in (torch, kadam):
        x = m.tensor(numbers, requires_grad=True)
        result = reduced(m, x)
        result.backward()
        found.append([result.item(), *x.grad.tolist()])
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)
