"""Activations, normalisations, dropout and distances against PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kadam
from against_torch import compare
from functional_cases import ACTIVATIONS, CLASS_WEIGHT, EDGES, FUNCTIONS, IMAGES, RANDOM, SMOOTH, X, Y, calls, cdist


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(name: str, kind: type) -> None:
    for values in (X, EDGES):
        compare(ACTIVATIONS[name], values.astype(kind))


@pytest.mark.parametrize("name", SMOOTH)
def test_second_derivative_of_activation(name: str) -> None:
    compare(ACTIVATIONS[name], np.array([-3.0, -0.5, 0.0, 0.5, 3.0]), order=2)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_function(name: str, kind: type) -> None:
    function, *arrays = FUNCTIONS[name]
    constant = (1, 2) if "evaluation" in name else ()  # running statistics
    compare(function, *[one.astype(kind) for one in arrays], constant=constant)


SECOND_FUNCTIONS = ["linear", "batch_norm images", "layer_norm affine", "group_norm", "normalize", "cosine_similarity"]


@pytest.mark.parametrize("name", SECOND_FUNCTIONS)
def test_second_derivative_of_function(name: str) -> None:
    function, *arrays = FUNCTIONS[name]
    compare(function, *arrays, order=2, tolerance=(1e-7, 1e-9))


@pytest.mark.parametrize("p", [0.5, 1.0, 1.5, 2.0, 3.0, float("inf")])
def test_distances_of_equal_rows(p: float) -> None:
    compare(lambda m, x: cdist(m, x, x * 1, p), X)
    compare(calls("pdist", p), np.repeat(X, 2, 0))
    compare(calls("normalize", p), X * 0)


def seeded(function: Callable[..., Any]) -> Callable[..., Any]:
    """The program, begun with one seed; what is drawn after it must agree too."""

    def program(m: Any, *tensors: Any) -> Any:
        m.manual_seed(11)
        return [function(m, *tensors), m.rand(3)]

    return program


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("name", RANDOM)
def test_random_function_draws_as_pytorch(name: str, kind: type) -> None:
    function, array = RANDOM[name]
    compare(seeded(function), array.astype(kind))


def test_dropout_of_later_steps_draws_anew() -> None:
    kadam.manual_seed(0)
    ones = kadam.ones(1000)
    first, second = (kadam.nn.functional.dropout(ones, p) for p in (0.25, 0.75))
    assert abs(float(first.mean()) - 1) < 0.1
    assert set(second.unique().tolist()) == {0.0, 4.0}
    assert not kadam.equal(first != 0, second != 0)


# ---- Edges


HALF = ["softmax", "log_softmax", "gelu", "silu", "softplus", "elu"]


@pytest.mark.parametrize("name", HALF)
def test_activation_of_half_precision(name: str) -> None:
    compare(ACTIVATIONS[name], X.astype(np.float16), tolerance=(4e-3, 2e-3))


@pytest.mark.parametrize("name", ["layer_norm", "group_norm", "batch_norm images", "rms_norm"])
def test_normalisation_of_half_precision(name: str) -> None:
    function, *arrays = FUNCTIONS[name]
    compare(function, *[one.astype(np.float16) for one in arrays], tolerance=(1e-2, 1e-2))


def test_nothing_and_one_number() -> None:
    compare(calls("softmax", -1), np.zeros((5, 0, 0)))
    compare(calls("log_softmax", 0), np.array(2.0))
    compare(calls("layer_norm", (6,)), np.zeros((0, 6)))
    compare(calls("dropout"), np.zeros((0, 6)))
    compare(seeded(calls("rrelu", 0.1, 0.6, True)), np.array(-2.0))


# ---- Memory


@pytest.mark.parametrize(
    "name",
    [
        "relu",
        "leaky_relu",
        "rrelu",
        "hardtanh",
        "relu6",
        "hardsigmoid",
        "hardswish",
        "elu",
        "selu",
        "celu",
        "silu",
        "mish",
        "dropout",
    ],
)
def test_in_place(name: str) -> None:
    def program(m: Any, x: Any) -> Any:
        m.manual_seed(2)
        inner = x * 1
        result = getattr(m.nn.functional, name)(inner, inplace=True)
        assert result is inner
        return inner

    compare(program, X)


@pytest.mark.parametrize("name", ["relu_", "leaky_relu_", "hardtanh_", "elu_", "selu_", "celu_", "rrelu_"])
def test_in_place_by_name(name: str) -> None:
    compare(lambda m, x: getattr(m.nn.functional, name)(x * 1), X)


def test_in_place_threshold() -> None:
    compare(lambda m, x: m.nn.functional.threshold_(x * 1, 0.1, 2.0), X)


@pytest.mark.parametrize("name", ["batch_norm", "instance_norm"])
def test_running_statistics(name: str) -> None:
    def program(m: Any, x: Any, mean: Any, var: Any) -> Any:
        function = getattr(m.nn.functional, name)
        first = function(x, mean, var, momentum=0.3, **({"training": True} if name == "batch_norm" else {}))
        before = mean.clone()
        second = function(x * 2, mean, var, None, None, True, 0.2)
        assert not mean.requires_grad
        assert (first.grad_fn is None) == (second.grad_fn is None)
        return first, second, before, mean, var

    compare(program, IMAGES, Y[0], CLASS_WEIGHT, constant=(1, 2), tolerance=(1e-6, 1e-9))


def test_running_statistics_over_steps() -> None:
    """The momentum is no structure: it may change from step to step without a new recording."""
    torch = pytest.importorskip("torch")
    found = []
    for m in (torch, kadam):
        mean, var = m.zeros(6, dtype=m.float64), m.ones(6, dtype=m.float64)
        for step in range(1, 5):
            x = m.from_numpy(X * step)
            m.nn.functional.batch_norm(x, mean, var, training=True, momentum=1 / step)
        found.append((mean.tolist(), var.tolist()))
    np.testing.assert_allclose(*found, rtol=1e-6)


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
def test_in_16_bits_a_bias_is_added_before_the_rounding(kind: str) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(5)
    rows, weight, bias = (rng.standard_normal(shape).astype(np.float32) for shape in ((16, 12), (8, 12), (8,)))
    planes, filters = (rng.standard_normal(shape).astype(np.float32) for shape in ((2, 3, 6, 6), (8, 3, 3, 3)))
    found = []
    for lib in (kadam, torch):
        half = getattr(lib, kind)
        x, w, b, p, f = (lib.from_numpy(one).to(half) for one in (rows, weight, bias, planes, filters))
        affine = lib.nn.functional.linear(x, w.requires_grad_(), b.requires_grad_())
        affine.sum().backward()
        across = lib.nn.functional.conv2d(p, f, b)
        found.append([one.float().tolist() for one in (affine, w.grad, b.grad, across)])
    assert found[0] == found[1]
