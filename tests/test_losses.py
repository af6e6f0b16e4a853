"""Losses against PyTorch: values, gradients, extremes, warnings."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kadam
from against_torch import compare
from functional_cases import CLASSES, CONSTANT, LOSSES, SEQUENCES, SHARES, X, Y, calls


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.filterwarnings("ignore:.*reduction:UserWarning")
def test_loss(name: str, reduction: str) -> None:
    function, *arrays = LOSSES[name]
    for kind in (np.float32, np.float64):
        given = [np.asarray(one, kind if one.dtype.kind == "f" else one.dtype) for one in arrays]
        compare(lambda m, *t: function(m, *t, reduction=reduction), *given, constant=CONSTANT.get(name, ()))


SECOND = ["mse_loss", "bce logits", "binary_cross_entropy", "cross_entropy", "cross_entropy all", "kl_div"]


@pytest.mark.parametrize("name", SECOND)
@pytest.mark.filterwarnings("ignore:.*reduction:UserWarning")
def test_second_derivative_of_loss(name: str) -> None:
    function, *arrays = LOSSES[name]
    compare(function, *arrays, constant=(1, *CONSTANT.get(name, ())), order=2)


# ---- Warnings


def warned(match: str, function: Callable[..., Any], *arrays: Any) -> None:
    """Kadam warns, and otherwise does as PyTorch."""
    with pytest.warns(UserWarning, match=match):
        function(kadam, *[kadam.from_numpy(one.copy()) for one in arrays])
    with warnings.catch_warnings(action="ignore"):
        compare(function, *arrays)


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_warns_of_a_target_that_it_stretches(name: str) -> None:
    warned("Using a target size", calls(name), X, Y[:, :1])


def test_warns_of_an_axis_that_it_chooses() -> None:
    warned("Implicit dimension choice for softmax", calls("softmax"), X)
    warned("Implicit dimension choice for log_softmax", calls("log_softmax"), SEQUENCES)


def test_older_arguments_of_losses() -> None:
    warned("reduction='sum'", calls("mse_loss", size_average=False), X, Y)
    warned("reduction='none'", calls("l1_loss", reduce=False), X, Y)


def test_batchmean() -> None:
    compare(calls("kl_div", reduction="batchmean"), Y, SHARES)
    warned("batchmean", calls("kl_div"), Y, SHARES)


# ---- Extremes


LOGITS = np.array([-1000.0, -100.0, -20.0, -1.0, 0.0, 1.0, 20.0, 100.0, 1000.0])


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("target", [0.0, 0.3, 1.0])
def test_logistic_loss_of_extreme_logits(target: float, kind: type) -> None:
    given = LOGITS.astype(kind), np.full(9, target, kind)
    compare(calls("binary_cross_entropy_with_logits", reduction="none"), *given)


@pytest.mark.parametrize("name", ["softplus", "logsigmoid", "mish", "silu", "gelu", "elu", "selu", "celu"])
def test_activation_of_extremes(name: str) -> None:
    compare(calls(name), LOGITS)
    compare(calls(name), LOGITS.astype(np.float32))


def test_probabilities_at_the_ends() -> None:
    """Logarithms stop at -100, slopes at 1e12."""
    given = np.array([0.0, 1.0, 1e-14, 1 - 1e-14]), np.array([1.0, 0.0, 1.0, 0.0])
    compare(calls("binary_cross_entropy", reduction="none"), *given, constant=(1,))


def test_multi_margin_loss_of_a_negative_weight() -> None:
    weight = np.array([1.0, -2.0, 0.5, 0.0, 3.0, -1.0])
    compare(lambda m, x, y, w: m.nn.functional.multi_margin_loss(x, y, weight=w), X, CLASSES, weight, constant=(2,))


def test_all_targets_ignored() -> None:
    compare(calls("cross_entropy"), X, np.full(4, -100))
    compare(calls("cross_entropy", reduction="sum"), X, np.full(4, -100))


def test_softmax_of_infinities() -> None:
    for values in ([-np.inf, 1.0, 2.0], [-np.inf, -np.inf]):
        compare(calls("softmax", 0), np.array(values))
        compare(calls("log_softmax", 0), np.array(values), order=0)


# ---- Sequences of unknown alignment


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("zero_infinity", [False, True])
def test_ctc_loss(reduction: str, zero_infinity: bool) -> None:
    logits = np.random.default_rng(5).normal(size=(8, 3, 5))
    padded = np.array([[1, 1, 2], [3, 4, 0], [2, 0, 0]])
    lengths = np.array([3, 2, 1])

    def program(m: Any, x: Any, labels: Any, inputs: Any, targets: Any) -> Any:
        logs = m.nn.functional.log_softmax(x, 2)
        return m.nn.functional.ctc_loss(logs, labels, inputs, targets, reduction=reduction, zero_infinity=zero_infinity)

    for steps in ([8, 6, 7], [8, 2, 1]):
        compare(program, logits, padded, np.array(steps), lengths)
        compare(program, logits, np.array([1, 1, 2, 3, 4, 2]), np.array(steps), lengths)
        compare(lambda m, x, labels, s=tuple(steps): program(m, x, labels, s, (3, 2, 1)), logits, padded)


def test_ctc_loss_of_one_sample_and_of_no_label() -> None:
    compare(
        lambda m, x, y: m.nn.functional.ctc_loss(x.log_softmax(1), y, m.tensor(8), m.tensor(2), reduction="none"),
        np.random.default_rng(5).normal(size=(8, 5)),
        np.array([1, 2]),
    )
    compare(
        lambda m, x, y: m.nn.functional.ctc_loss(x.log_softmax(2), y, (8, 8), (2, 0), blank=4),
        np.random.default_rng(5).normal(size=(8, 2, 5)),
        np.array([[1, 2], [0, 0]]),
    )


def test_ctc_loss_of_log_probabilities_that_are_leaves() -> None:
    """Their gradient is PyTorch's, which is already that of the logits."""
    chances = np.random.default_rng(5).dirichlet(np.ones(5), (8, 2))
    compare(lambda m, x, y: m.nn.functional.ctc_loss(x, y, (8, 5), (2, 1)), np.log(chances), np.array([[1, 2], [3, 0]]))


def test_ctc_loss_that_is_impossible() -> None:
    def program(m: Any, x: Any, y: Any) -> Any:
        return m.nn.functional.ctc_loss(x.log_softmax(2), y, (2, 2), (2, 2), reduction="none", zero_infinity=True)

    compare(program, np.random.default_rng(5).normal(size=(2, 2, 5)), np.array([[1, 1], [1, 2]]))
