"""Values and derivatives where functions are not smooth, or not finite: as PyTorch has them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kadam

torch = pytest.importorskip("torch")

inf, nan = math.inf, math.nan
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 3.0, -3.0, 6.0, 1e30, inf, -inf]
PAIRS = [(a, b) for a in SPECIAL for b in SPECIAL]
ONE: dict[str, Callable[[Any, Any], Any]] = {
    "abs": lambda m, x: x.abs(), "sqrt": lambda m, x: x.sqrt(), "entr": lambda m, x: m.special.entr(x),
    "logit": lambda m, x: m.logit(x + 0.0), "relu6": lambda m, x: m.nn.functional.relu6(x),
    "hardtanh": lambda m, x: m.nn.functional.hardtanh(x), "elu": lambda m, x: m.nn.functional.elu(x),
    "leaky_relu": lambda m, x: m.nn.functional.leaky_relu(x), "clamp": lambda m, x: x.clamp(-1, 3),
    "hardswish": lambda m, x: m.nn.functional.hardswish(x.clamp(min=-9)), "pow 0": lambda m, x: x**0,
    "smooth_l1_loss": lambda m, x: m.nn.functional.smooth_l1_loss(x, m.ones_like(x)),
    "huber_loss": lambda m, x: m.nn.functional.huber_loss(x, m.ones_like(x)),
    "where": lambda m, x: m.where(x > 0, x.sqrt(), x), "amax": lambda m, x: m.cat([x, x]).amax(),
    "norm": lambda m, x: x[:2].norm(), "prod": lambda m, x: x[:4].prod(),
    "cumprod": lambda m, x: x[[0, 2, 4, 6]].cumprod(0), "log_softmax": lambda m, x: x[[2, 4, 11]].log_softmax(0),
}  # fmt: skip
TWO: dict[str, Callable[[Any, Any, Any], Any]] = {
    "xlogy": lambda m, a, b: m.xlogy(a, b), "xlog1py": lambda m, a, b: m.special.xlog1py(a, b),
    "pow": lambda m, a, b: a**b, "atan2": lambda m, a, b: m.atan2(a, b), "hypot": lambda m, a, b: m.hypot(a, b),
    "maximum": lambda m, a, b: m.maximum(a, b),
}  # fmt: skip


def _found(m: Any, function: Callable[..., Any], *values: Any) -> list[Any]:
    operands = [m.tensor(one, requires_grad=True) for one in values]
    result = function(m, *operands)
    result.sum().backward()
    return [np.array(one.tolist()) for one in (result.detach(), *(one.grad for one in operands))]


def _agree(ours: list[Any], theirs: list[Any]) -> None:
    for found, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-7, equal_nan=True)


@pytest.mark.parametrize("name", ONE)
def test_functions_of_one_tensor(name: str) -> None:
    _agree(*(_found(m, ONE[name], SPECIAL) for m in (kadam, torch)))


@pytest.mark.parametrize("name", TWO)
def test_functions_of_two_tensors(name: str) -> None:
    values = [[pair[place] for pair in PAIRS] for place in (0, 1)]
    _agree(*(_found(m, TWO[name], *values) for m in (kadam, torch)))


def test_nan_has_the_slope_of_the_straight_side() -> None:
    for name in ("elu", "selu", "celu"):
        (slope,) = _found(kadam, lambda m, x, name=name: getattr(m.nn.functional, name)(x), [nan] * 16)[1:]
        (expected,) = _found(torch, lambda m, x, name=name: getattr(m.nn.functional, name)(x), [nan] * 16)[1:]
        np.testing.assert_allclose(slope, expected)


@pytest.mark.parametrize("matrix", [[[0.0, 0.0], [0.0, 0.0]], [[1.0, 2.0], [2.0, 4.0]], [[2.0, 1.0], [1.0, 2.0]]])
def test_a_determinant_of_zero_has_a_derivative(matrix: list[list[float]]) -> None:
    _agree(*(_found(m, lambda m, x: m.det(x), matrix) for m in (kadam, torch)))
    values = [m.logdet(m.tensor(matrix)).item() for m in (kadam, torch)]
    assert values[0] == pytest.approx(values[1])


@pytest.mark.parametrize("name", ["gammainc", "gammaincc"])
def test_the_order_of_an_incomplete_gamma_function_has_no_derivative(name: str) -> None:
    for m in (kadam, torch):
        order, bound = m.tensor([1.0, 2.0], requires_grad=True), m.tensor([0.5, 1.5], requires_grad=True)
        result = getattr(m.special, name)(order, bound).sum()
        with pytest.raises(NotImplementedError, match=r"the derivative for 'igammac?: input' is not implemented"):
            result.backward()
    order, bound = kadam.tensor([1.0]), kadam.tensor([0.5], requires_grad=True)
    getattr(kadam.special, name)(order, bound).sum().backward()
    assert abs(bound.grad.item()) == pytest.approx(math.exp(-0.5), rel=1e-5)
