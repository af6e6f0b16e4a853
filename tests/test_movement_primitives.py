"""What the examples of the registry do not show of indexing, sorting, windows and convolution."""

from __future__ import annotations

import numpy as np
import pytest

from graphs import graph_of, run
from kadam.dtypes import float64
from kadam.errors import IndexOutOfRange, InPlaceError, ShapeError
from kadam.ir.builder import emit
from kadam.ir.graph import Node
from kadam.ir.primitive import Array, View
from kadam.ir.types import TensorType
from kadam.primitives import convolve
from kadam.primitives.convolve import Convolve, ConvolveInput, ConvolveWeight
from kadam.primitives.index import Gather, Index, IndexAdd, IndexPut, Scatter, ScatterAdd
from kadam.primitives.move import Diagonal, padded
from kadam.primitives.pool import WindowArgMax, WindowPick, WindowSum, pool_padding
from kadam.primitives.sort import SortIndices, TopKIndices
from kadam.primitives.window import Windows

ROWS = np.arange(12.0).reshape(4, 3)


# Indices


@pytest.mark.parametrize("index", [4, -5])
@pytest.mark.parametrize("primitive", [Index((0,)), IndexPut((0,)), IndexAdd((0,))], ids=repr)
def test_an_index_beyond_its_axis_is_named(primitive: Index | IndexPut | IndexAdd, index: int) -> None:
    value = [] if isinstance(primitive, Index) else [np.zeros((2, 3))]
    message = rf"index {index} is out of bounds for dimension 0 with size 4 \(index element \[1\]\)"
    with pytest.raises(IndexOutOfRange, match=message):
        primitive.reference(ROWS, *value, np.array([0, index]))


def test_negative_indices_wrap_only_where_asked_for() -> None:
    np.testing.assert_array_equal(Index((1,)).reference(ROWS, np.array([-1])), ROWS[:, -1:])
    with pytest.raises(IndexOutOfRange, match="index -1 is out of bounds for dimension 1 with size 3"):
        Index((1,), wrap=False).reference(ROWS, np.array(-1))
    with pytest.raises(IndexOutOfRange, match=r"index -1 .* with size 3 \(index element \[1, 0\]\)"):
        Gather(1).reference(ROWS, np.array([[0], [-1]]))


def test_of_several_values_for_one_place_the_last_stays_and_alone_gets_the_cotangent() -> None:
    index, value = np.array([2, 0, 2, 2]), np.array([1.0, 2.0, 3.0, 4.0])
    for primitive in (Scatter(0), IndexPut((0,))):
        np.testing.assert_array_equal(primitive.reference(np.zeros(3), value, index), [2.0, 0.0, 4.0])

        def derivative(
            base: Node, value: Node, index: Node, ct: Node, primitive: Scatter | IndexPut = primitive
        ) -> list[Node]:
            from_base, from_value, _ = primitive.vjp(ct, base, base, value, index)
            assert from_base is not None
            assert from_value is not None
            return [from_base, from_value]

        graph = graph_of(derivative, "f64[3]", "f64[4]", "i64[4]", "f64[3]")
        from_base, from_value = run(graph, np.zeros(3), value, index, np.array([5.0, 6.0, 7.0]))
        np.testing.assert_array_equal(from_base, [0.0, 6.0, 0.0])
        np.testing.assert_array_equal(from_value, [0.0, 5.0, 0.0, 7.0])


def test_additions_to_one_place_are_all_made_whatever_the_layout() -> None:
    rng = np.random.default_rng(0)
    base, value, index = rng.normal(size=(5, 4, 3)), rng.normal(size=(4, 50, 3)), rng.integers(-5, 5, 50)
    expected = base.copy()
    for place, target in enumerate(index):
        expected[target] += value[:, place]
    found = IndexAdd((1,)).reference(base.transpose(1, 0, 2), value, index)
    np.testing.assert_allclose(found, expected.transpose(1, 0, 2))
    fortran = np.asfortranarray(base)
    places = rng.integers(0, 4, (5, 20, 3))
    added = ScatterAdd(1).reference(fortran, np.ones((5, 20, 3)), places)
    counts = (places[:, :, None] == np.arange(4)[:, None]).sum(1)
    np.testing.assert_allclose(added, base + counts)


# Orders


def test_nan_is_the_greatest_number() -> None:
    x = np.array([3, np.nan, 1, 3, np.nan, -np.inf, 2], np.float32)
    np.testing.assert_array_equal(SortIndices(0).reference(x), [5, 2, 6, 0, 3, 1, 4])
    np.testing.assert_array_equal(SortIndices(0, descending=True).reference(x), [1, 4, 0, 3, 6, 2, 5])


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("levels", [7, 10**6])
def test_the_best_k_are_the_first_of_all_sorted(largest: bool, levels: int) -> None:
    rng = np.random.default_rng(levels)
    x = rng.integers(0, levels, (20, 60)).astype(np.float32)
    x[rng.random(x.shape) < 0.02] = np.nan
    expected = SortIndices(1, largest).reference(x)[:, :5]
    np.testing.assert_array_equal(TopKIndices(5, 1, largest).reference(x), expected)


# Views that are written to


@pytest.mark.parametrize(
    ("view", "shape"),
    [
        (Diagonal(1, 2, 0), (3, 2, 4)),
        (Windows(1, 2, 3), (2, 9)),
        (Windows(0, 2, 1, 1), (2, 3)),
        (Windows(0, 1, 2), (5,)),
    ],
    ids=repr,
)
def test_restore_writes_what_the_view_shows_and_nothing_else(view: View, shape: tuple[int, ...]) -> None:
    base = np.random.default_rng(0).normal(size=shape)
    of_base = TensorType(float64, shape)
    part = view.infer(of_base)
    graph = graph_of(view.restore, of_base, part)
    (written,) = run(graph, base, np.full(part.shape, np.nan))
    expected = base.copy()
    shown = view.reference(expected)
    shown.setflags(write=True)
    shown[...] = np.nan
    np.testing.assert_array_equal(written, expected)


def test_overlapping_windows_cannot_be_written_to() -> None:
    with pytest.raises(InPlaceError, match="clone"):
        graph_of(Windows(0, 3, 2).restore, "f32[7]", "f32[3,3]")


def test_padding_adds_and_crops() -> None:
    graph = graph_of(lambda x: padded(x, ((1, -2), (-1, 2)), 7), "f64[4,3]")
    (found,) = run(graph, ROWS)
    expected = np.pad(ROWS[:2, 1:], ((1, 0), (0, 2)), constant_values=7)
    np.testing.assert_array_equal(found, expected)


# Pools


@pytest.mark.parametrize("seed", range(60))
def test_max_pool_agrees_with_pytorch(seed: int) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    sizes, kernel, stride, dilation = (
        tuple(map(int, rng.integers(*bounds, 2))) for bounds in ((5, 10), (1, 4), (1, 4), (1, 3))
    )
    padding, ceil_mode = tuple(int(rng.integers(0, size // 2 + 1)) for size in kernel), bool(seed % 2)
    x = rng.integers(-3, 3, (2, 2, *sizes)).astype(np.float32)
    x[rng.random(x.shape) < 0.2] = -np.inf if seed % 3 else np.nan
    values, indices = torch.nn.functional.max_pool2d(
        torch.from_numpy(x), kernel, stride, padding, dilation, ceil_mode=ceil_mode, return_indices=True
    )
    margins = pool_padding(sizes, kernel, stride, padding, dilation, ceil_mode)
    attributes = kernel, stride, margins, dilation

    def pooled(x: Node) -> tuple[Node, Node]:
        indices = emit(WindowArgMax(*attributes), x)
        return emit(WindowPick(*attributes), x, indices), indices

    graph = graph_of(pooled, f"f32[{','.join(map(str, x.shape))}]")
    ours = run(graph, x)
    np.testing.assert_array_equal(ours[0], values.numpy())
    np.testing.assert_array_equal(ours[1], indices.numpy())


def test_max_pool_of_integers() -> None:
    x = np.array([[-128, -128, 5, 5]], np.int8)
    pool = WindowArgMax((2,), (1,), ((1, 0),), (1,))
    np.testing.assert_array_equal(pool.reference(x), [[0, 0, 2, 2]])


def test_a_window_wider_than_its_axis_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(3 x 2\). Kernel size: \(2 x 3\)"):
        WindowSum((2, 3), (1, 1), ((0, 0), (0, 0))).infer(TensorType(float64, (1, 3, 2)))


# Convolutions


def convolved(p: Convolve, x: Array, w: Array) -> Array:
    """From the definition, one product at a time."""
    counts = p.infer(TensorType(float64, x.shape), TensorType(float64, w.shape)).shape[2:]
    y = np.zeros((len(x), len(w), *counts))
    own, features = w.shape[1], len(w) // p.groups
    for n, o, *place in np.ndindex(*y.shape):
        for c, *tap in np.ndindex(*w.shape[1:]):
            at = [
                i * step + t * gap - before
                for i, t, step, gap, (before, _) in zip(place, tap, p.stride, p.dilation, p.padding, strict=True)
            ]
            if all(0 <= position < size for position, size in zip(at, x.shape[2:], strict=True)):
                y[(n, o, *place)] += x[(n, o // features * own + c, *at)] * w[(o, c, *tap)]
    return y


CONVOLUTIONS = [
    (Convolve((1, 2), ((2, 1), (0, 2)), (2, 1), 2), (5, 4, 6, 7), (6, 2, 2, 3)),
    (Convolve((3,), ((-1, -2),), (1,), 1), (5, 3, 12), (2, 3, 2)),
    (Convolve((2,), ((0, 1),), (3,), 4), (5, 4, 9), (8, 1, 2)),
]


@pytest.mark.parametrize("chunk_bytes", [1, 1000, 1 << 21])
@pytest.mark.parametrize(("p", "x_shape", "w_shape"), CONVOLUTIONS, ids=repr)
def test_convolution_is_its_definition_however_the_batch_is_cut(
    p: Convolve, x_shape: tuple[int, ...], w_shape: tuple[int, ...], chunk_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convolve, "_CHUNK_BYTES", chunk_bytes)
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=x_shape), rng.normal(size=w_shape)
    y = p.reference(x, w)
    np.testing.assert_allclose(y, convolved(p, x, w), atol=1e-12)
    # One trilinear form, whichever of the three is left open.
    arguments, ct = (p.stride, p.padding, p.dilation, p.groups), rng.normal(size=y.shape)
    form = np.sum(y * ct)
    assert np.sum(x * ConvolveInput(*arguments, x_shape[2:]).reference(ct, w)) == pytest.approx(form)
    assert np.sum(w * ConvolveWeight(*arguments, w_shape[2:]).reference(x, ct)) == pytest.approx(form)


@pytest.mark.parametrize(("stride", "dilation", "output_padding"), [(2, 1, 1), (3, 2, 0), (1, 3, 2)])
def test_the_input_product_is_the_transposed_convolution(stride: int, dilation: int, output_padding: int) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    y, w = rng.normal(size=(2, 4, 5)), rng.normal(size=(4, 3, 3))
    theirs = torch.nn.functional.conv_transpose1d(
        torch.from_numpy(y), torch.from_numpy(w), None, stride, 1, output_padding, 1, dilation
    ).numpy()
    product = ConvolveInput((stride,), ((1, 1 - output_padding),), (dilation,), 1, theirs.shape[2:])
    product.infer(TensorType(float64, y.shape), TensorType(float64, w.shape))
    np.testing.assert_allclose(product.reference(y, w), theirs, atol=1e-12)


def test_channels_that_do_not_fit_are_named_as_in_pytorch() -> None:
    message = (
        r"Given groups=1, weight of size \[8, 3, 3, 3\], expected input\[4, 1, 8, 8\] to have 3 channels, but got 1"
    )
    with pytest.raises(ShapeError, match=message):
        Convolve((1, 1), ((0, 0), (0, 0)), (1, 1), 1).infer(
            TensorType(float64, (4, 1, 8, 8)), TensorType(float64, (8, 3, 3, 3))
        )
