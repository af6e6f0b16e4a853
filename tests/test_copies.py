"""Windows of an axis, views as copies, and other shapes for the same memory, against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kadam
from against_torch import compare

X = np.random.default_rng(0).standard_normal((3, 4, 5))

COPIES: list[tuple[str, tuple[Any, ...]]] = [
    ("alias_copy", ()), ("diagonal_copy", (1, 0, 2)), ("expand_copy", ((2, 3, 4, 5),)),
    ("narrow_copy", (1, 1, 2)), ("permute_copy", ((2, 0, 1),)), ("select_copy", (1, 2)), ("squeeze_copy", (0,)),
    ("split_copy", (2, 1)), ("split_with_sizes_copy", ((1, 3), 1)), ("transpose_copy", (0, 2)), ("unbind_copy", (1,)),
    ("unfold_copy", (1, 2, 1)), ("unsqueeze_copy", (1,)), ("view_copy", ((12, 5),)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments"), COPIES)
def test_copies(name: str, arguments: tuple[Any, ...]) -> None:
    compare(lambda m, x: getattr(m, name)(x, *arguments), X)
    x = kadam.tensor(X)
    found = getattr(kadam, name)(x, *arguments)
    for one in found if isinstance(found, tuple | list) else (found,):
        one.zero_()
    np.testing.assert_array_equal(x.numpy(), X)  # a copy shares no memory


@pytest.mark.parametrize(("axis", "size", "step"), [(0, 2, 1), (1, 3, 1), (2, 2, 2), (-1, 5, 3)])
def test_unfold(axis: int, size: int, step: int) -> None:
    compare(lambda m, x: x.unfold(axis, size, step), X, order=2)
    if step >= size:
        x = kadam.tensor(X)
        x.unfold(axis, size, step).fill_(0)  # a view
        assert (x == 0).any()


def test_sum_to_size() -> None:
    compare(lambda m, x: x.sum_to_size(4, 1), X)
    with pytest.raises(RuntimeError, match="not expandable"):
        kadam.tensor(X).sum_to_size(3, 2, 5)


def test_resize() -> None:
    x = kadam.arange(6.0)
    assert x.resize_(2, 2).tolist() == [[0, 1], [2, 3]]
    assert x.resize_as_(kadam.zeros(2, 4)).shape == (2, 4)
    assert kadam.empty_strided((2, 3), (1, 2)).stride() == (1, 2)


def test_places() -> None:
    x = kadam.tensor([[0, 1], [2, 0]])
    assert kadam.nonzero_static(x, size=3).tolist() == [[0, 1], [1, 0], [-1, -1]]
    compare(lambda m, x, i, v: m.put(x, i, v), X, np.array([0, -1, 7]), np.ones(3))
    compare(lambda m, x, v: m.slice_scatter(x, v, 1, 1, None, 2), X, np.ones((3, 2, 5)))
    compare(lambda m, x, i: m.take_along_dim(x, i), X, np.array([3, 0]))


def test_the_sign_bit_and_the_next_number() -> None:
    x = np.array([-0.0, 0.0, -1.5, np.inf, np.nan], np.float32)
    np.testing.assert_array_equal(kadam.signbit(kadam.tensor(x)).numpy(), np.signbit(x))
    ones, more = np.ones(5, np.float32), np.full(5, 2.0, np.float32)
    np.testing.assert_array_equal(
        kadam.nextafter(kadam.tensor(ones), kadam.tensor(more)).numpy(), np.nextafter(ones, more)
    )


def test_windows_that_overlap_pass_on_every_gradient() -> None:
    def unpooled(m: Any, x: Any) -> Any:
        values, places = m.nn.functional.max_pool1d(x, 3, 1, return_indices=True)
        return m.nn.functional.max_unpool1d(values, places, 3, 1)

    compare(unpooled, X)


def test_older_names() -> None:
    assert kadam.range(0, 3, 0.5).tolist() == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    assert [axis.tolist() for axis in kadam.unravel_index(kadam.tensor([5, 7]), (3, 4))] == [[1, 1], [1, 3]]
    compare(lambda m, x: m.vander(x, 4), np.array([1.0, 2.0, 3.0]), order=0)
    compare(lambda m, x: m.vander(x, increasing=True), np.array([1.0, 2.0, 3.0]), order=0)
    compare(lambda m, x: m.nn.functional.max_pool1d_with_indices(x, 2), X)


def test_joined_tensors_lie_in_order_and_so_do_draws_like_them():
    torch = pytest.importorskip("torch")

    def drawn(lib):
        lib.manual_seed(3)
        rows = lib.arange(8.0).expand(3, 8)
        across = lib.randn(3, 8).t()
        joined = (lib.cat([rows, rows]), lib.stack([rows, rows], 1), lib.cat([across, across], 1))
        return [(one.stride(), one.is_contiguous(), lib.randn_like(one).tolist()) for one in joined]

    assert drawn(kadam) == drawn(torch)
