"""Broadcasting and axis arithmetic: by definition, and as PyTorch does it."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from agreement import verdict
from kadam import shapes
from kadam.errors import AxisError, ShapeError

SHAPES = [(), (1,), (3,), (2, 1), (2, 3), (1, 3), (4, 1, 3), (0,), (2, 0), (1, 1, 1)]


@pytest.mark.parametrize(("a", "b"), list(itertools.product(SHAPES, repeat=2)), ids=str)
def test_broadcast_agrees_with_numpy(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    try:
        expected = np.broadcast_shapes(a, b)
    except ValueError:
        with pytest.raises(ShapeError, match="must match the size of tensor b"):
            shapes.broadcast(a, b)
    else:
        assert shapes.broadcast(a, b) == expected


def test_broadcast_of_many() -> None:
    assert shapes.broadcast() == ()
    assert shapes.broadcast((2, 1, 1), (3, 1), (4,)) == (2, 3, 4)


def test_broadcast_says_which_sizes_disagree() -> None:
    with pytest.raises(
        ShapeError, match=r"tensor a \(3\) must match the size of tensor b \(4\) at non-singleton dimension 1"
    ):
        shapes.broadcast((2, 3), (2, 4))


def test_broadcast_error_is_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(RuntimeError) as theirs:
        torch.ones(2, 3) + torch.ones(5, 4)
    with pytest.raises(RuntimeError) as ours:
        shapes.broadcast((2, 3), (5, 4))
    assert type(ours.value) is ShapeError
    assert str(theirs.value).startswith("The size of tensor a (")
    assert str(ours.value).startswith("The size of tensor a (")


@pytest.mark.parametrize("rank", range(4))
def test_axis_of(rank: int) -> None:
    span = max(rank, 1)  # a 0-d tensor answers to 0 and -1
    for axis in range(-span, span):
        assert shapes.axis_of(axis, rank) == (axis if axis >= 0 else axis + span)
    for axis in (-span - 1, span):
        message = rf"expected to be in range of \[{-span}, {span - 1}\], but got {axis}"
        with pytest.raises(AxisError, match=message):
            shapes.axis_of(axis, rank)


def test_axis_error_is_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    for rank, axis in ((0, 1), (0, -2), (2, 2), (3, -4)):
        with pytest.raises(IndexError) as theirs:
            torch.ones((1,) * rank).sum(axis)
        with pytest.raises(IndexError) as ours:
            shapes.axis_of(axis, rank)
        assert verdict(ours.value) == verdict(theirs.value)


def test_axes_of() -> None:
    assert shapes.axes_of(None, 3) == (0, 1, 2)
    assert shapes.axes_of((), 3) == (0, 1, 2)
    assert shapes.axes_of(-1, 3) == (2,)
    assert shapes.axes_of((2, -3), 3) == (0, 2)
    assert shapes.axes_of(0, 0) == ()
    assert shapes.axes_of((-1,), 0) == ()
    with pytest.raises(ShapeError, match="dim 1 appears multiple times"):
        shapes.axes_of((1, -1), 2)
    with pytest.raises(AxisError):
        shapes.axes_of((0, 2), 2)


def test_count_kept_without() -> None:
    assert [shapes.count(shape) for shape in ((), (3,), (2, 3), (2, 0))] == [1, 3, 6, 0]
    assert shapes.kept((2, 3, 4), (0, 2)) == (1, 3, 1)
    assert shapes.without((2, 3, 4), (0, 2)) == (3,)
    assert shapes.kept((2, 3), ()) == shapes.without((2, 3), ()) == (2, 3)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_contiguous_strides_are_pytorchs(shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    assert shapes.contiguous_strides(shape) == torch.empty(shape).stride()


def test_contiguous_strides_address_every_element_once() -> None:
    strides = shapes.contiguous_strides((2, 3, 4))
    places = [sum(map(math.prod, zip(index, strides, strict=True))) for index in np.ndindex(2, 3, 4)]
    assert places == list(range(24))


@pytest.mark.parametrize(
    ("sizes", "elements"),
    [((2, -1), 6), ((-1,), 0), ((3, 2), 6), ((), 1), ((-1, 2, 3), 12), ((0, 2), 0), ((-1, 3), 0), ((1, -1, 1), 1)],
    ids=str,
)
def test_inferred_sizes_are_numpys(sizes: tuple[int, ...], elements: int) -> None:
    assert shapes.with_inferred(sizes, elements) == np.empty(elements).reshape(sizes).shape


@pytest.mark.parametrize(
    ("sizes", "elements"), [((-1, -1), 4), ((4, -1), 6), ((-2, 3), 6), ((2, 2), 6), ((-1, 0), 0)], ids=str
)
def test_inferred_sizes_that_do_not_fit(sizes: tuple[int, ...], elements: int) -> None:
    with pytest.raises(ShapeError) as ours:
        shapes.with_inferred(sizes, elements)
    torch = pytest.importorskip("torch")
    with pytest.raises(RuntimeError) as theirs:
        torch.empty(elements).reshape(sizes)
    assert verdict(ours.value).split("(")[0].strip() == verdict(theirs.value).split("(")[0].strip()
