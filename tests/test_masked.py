"""Reductions and normalisations under a mask, against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kadam
from against_torch import compare

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 4))
MASK = np.array([[True, False, True, True], [False, True, True, False], [True, True, True, True]])


@pytest.mark.parametrize("name", ["sum", "prod", "amax", "amin", "mean", "var", "std", "norm", "logsumexp"])
@pytest.mark.parametrize("dim", [None, 0, 1, (0, 1)])
def test_reductions(name: str, dim: Any) -> None:
    for keepdim in (True, False):
        compare(lambda m, x, k, keep=keepdim: getattr(m.masked, name)(x, dim=dim, keepdim=keep, mask=k), X, MASK)
    compare(lambda m, x: getattr(m.masked, name)(x, dim=dim), X)


@pytest.mark.parametrize(
    "name", ["softmax", "log_softmax", "softmin", "cumsum", "cumprod", "argmax", "argmin", "median"]
)
def test_along_an_axis(name: str) -> None:
    def called(m: Any, x: Any, mask: Any) -> Any:
        found = getattr(m.masked, name)(x, 1, mask=mask)
        return m.where(mask, found, 0.0) if found.shape == x.shape else found

    compare(called, X, MASK)


def test_normalize_and_logaddexp() -> None:
    compare(lambda m, x, k: m.masked.normalize(x, 2.0, 1, mask=k), X, MASK)
    compare(lambda m, x, y, k: m.masked.logaddexp(x, y, input_mask=k, other_mask=k | ~k), X, X[::-1].copy(), MASK)


def test_whole_rows_left_out() -> None:
    mask = MASK.copy()
    mask[1] = False
    compare(lambda m, x, k: (m.masked.sum(x, 1, mask=k), m.masked.mean(x, 1, mask=k)), X, mask)
    compare(lambda m, x, k: m.masked.amax(x, 1, mask=k), X, mask, order=0)


def test_a_mask_with_more_axes_is_refused() -> None:
    with pytest.raises(IndexError, match="larger than input"):
        kadam.masked.sum(kadam.ones(3), mask=kadam.ones(2, 3, dtype=kadam.bool))
