"""What PyTorch refuses, Kadam refuses; what it prints, Kadam prints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kadam
from functional_cases import (
    ACTIVATIONS,
    BIAS,
    BITS,
    CLASS_WEIGHT,
    CLASSES,
    FUNCTIONS,
    IMAGES,
    LOSSES,
    PIXELS,
    RANDOM,
    SEQUENCES,
    SHARES,
    SIGNS,
    TIMES,
    UNIT,
    WEIGHT,
    X,
    Y,
    cdist,
)

PRINTED: dict[str, tuple[Any, ...]] = {
    **{name: (function, X) for name, function in ACTIVATIONS.items()},
    **FUNCTIONS,
    **{f"random {name}": RANDOM[name] for name in ("dropout", "alpha_dropout", "rrelu", "gumbel_softmax hard")},
    **{
        f"{name}, {reduction}": (lambda m, *t, n=name, r=reduction: LOSSES[n][0](m, *t, reduction=r), *LOSSES[name][1:])
        for name in LOSSES
        for reduction in ("mean", "sum", "none")
        if not (reduction == "none" and ("margin" in name or "triplet" in name))  # those end in a clamp
    },
}


@pytest.mark.parametrize("name", PRINTED)
@pytest.mark.filterwarnings("ignore:.*reduction:UserWarning")
def test_name_of_derivative(name: str) -> None:
    torch = pytest.importorskip("torch")
    function, *arrays = PRINTED[name]
    names = []
    for m in (torch, kadam):
        tensors = [m.from_numpy(np.array(one)) for one in arrays]
        tensors[0].requires_grad_()
        names.append(function(m, *tensors).grad_fn.name())
    assert names[0] == names[1]


def fails(name: str, *rest: Any, **options: Any) -> Callable[..., Any]:
    """A program that calls one function and reads what it returns."""
    return lambda m, *tensors: getattr(m.nn.functional, name)(*tensors, *rest, **options).sum().item()


WHOLE = BITS.astype(np.int64)
ERRORS: dict[str, tuple[Any, ...]] = {
    "linear types": (fails("linear"), X, WEIGHT.astype(np.float32)),
    "linear whole numbers": (fails("linear"), WHOLE, WEIGHT),
    "linear sizes": (fails("linear"), X, WEIGHT[:, :4]),
    "linear bias": (fails("linear"), X, WEIGHT, BIAS[:2]),
    "linear 0-d": (fails("linear"), np.array(1.0), WEIGHT),
    "linear list": (lambda m, w: m.nn.functional.linear([1.0], w), WEIGHT),
    "bilinear sizes": (fails("bilinear"), X, Y, WEIGHT[None]),
    "relu booleans": (fails("relu"), WHOLE > 0),
    **{f"{name} whole numbers": (fails(name), WHOLE) for name in ("gelu", "elu", "silu", "mish", "leaky_relu")},
    "softmax whole numbers": (fails("softmax", 1), WHOLE),
    "softmax axis": (fails("softmax", 2), X),
    "gelu approximate": (fails("gelu", approximate="sine"), X),
    "glu odd": (fails("glu"), X[:, :3]),
    "prelu sizes": (fails("prelu"), X, Y[0, :3]),
    "softshrink negative": (fails("softshrink", -1.0), X),
    "hardtanh bounds": (fails("hardtanh", 2.0, 1.0), X),
    "celu 0": (fails("celu", 0.0), X),
    "rrelu bounds": (fails("rrelu", 2.0, 1.0), X),
    "batch_norm one value": (fails("batch_norm", None, None, training=True), X[:1]),
    "batch_norm statistics": (fails("batch_norm", None, None), X),
    "batch_norm sizes": (fails("batch_norm", training=True), X, Y[0, :5], Y[0, :5]),
    "batch_norm eps": (fails("batch_norm", None, None, training=True, eps=0.0), X),
    "layer_norm sizes": (fails("layer_norm", (5,)), X),
    "layer_norm weight": (lambda m, x, w: m.nn.functional.layer_norm(x, (6,), w), X, WEIGHT[0, :5]),
    "layer_norm int": (fails("layer_norm", 6), X),
    "group_norm groups": (fails("group_norm", 4), X),
    "group_norm one value": (fails("group_norm", 6), X[:1]),
    "group_norm vector": (fails("group_norm", 6), X[0]),
    "instance_norm one value": (fails("instance_norm"), SEQUENCES[:, :, :1]),
    "rms_norm sizes": (fails("rms_norm", (5,)), X),
    "local_response_norm axes": (fails("local_response_norm", 2), X),
    "dropout p": (fails("dropout", 1.5), X),
    "dropout whole numbers": (fails("dropout", 0.5), WHOLE),
    "dropout1d axes": (fails("dropout1d"), X[0]),
    "feature_alpha_dropout axes": (fails("feature_alpha_dropout", 0.5, True), X[0]),
    "mse_loss sizes": (fails("mse_loss"), X, Y[:, :2]),
    "mse_loss whole numbers": (fails("mse_loss"), WHOLE, WHOLE),
    "mse_loss reduction": (fails("mse_loss", reduction="average"), X, Y),
    "mse_loss weight": (lambda m, x, y, w: m.nn.functional.mse_loss(x, y, weight=w), X, Y, Y[0]),
    "l1_loss whole numbers": (fails("l1_loss"), WHOLE, WHOLE),
    "huber_loss delta": (fails("huber_loss", delta=0.0), X, Y),
    "smooth_l1_loss beta": (fails("smooth_l1_loss", beta=-1.0), X, Y),
    "gaussian_nll_loss negative": (fails("gaussian_nll_loss"), X, Y, -UNIT),
    "gaussian_nll_loss sizes": (fails("gaussian_nll_loss"), X, Y, UNIT[0, :3]),
    "gaussian_nll_loss reduction": (fails("gaussian_nll_loss", reduction="all"), X, Y, UNIT),
    "binary_cross_entropy type": (fails("binary_cross_entropy"), UNIT, WHOLE),
    "binary_cross_entropy sizes": (fails("binary_cross_entropy"), UNIT, UNIT[:, :1]),
    "bce logits type": (fails("binary_cross_entropy_with_logits"), X, WHOLE),
    "bce logits sizes": (fails("binary_cross_entropy_with_logits"), X, UNIT[:, :1]),
    "kl_div type": (fails("kl_div", reduction="sum"), Y, WHOLE),
    "cross_entropy floats": (fails("cross_entropy"), X, UNIT[:, 0]),
    "cross_entropy int32": (fails("cross_entropy"), X, CLASSES.astype(np.int32)),
    "cross_entropy batch": (fails("cross_entropy"), X, CLASSES[:3]),
    "cross_entropy column": (fails("cross_entropy"), X, CLASSES[:, None]),
    "cross_entropy class": (fails("cross_entropy"), X, np.array([0, 7, 1, 2])),
    "cross_entropy negative": (fails("cross_entropy"), X, np.array([0, -1, 1, 2])),
    "cross_entropy logits": (fails("cross_entropy"), WHOLE, CLASSES),
    "cross_entropy whole numbers": (fails("cross_entropy"), X, WHOLE),
    "cross_entropy weight": (fails("cross_entropy"), X, CLASSES, BIAS),
    "cross_entropy weight type": (fails("cross_entropy"), X, CLASSES, CLASS_WEIGHT.astype(np.float32)),
    "cross_entropy smoothing": (fails("cross_entropy", label_smoothing=1.5), X, CLASSES),
    "cross_entropy ignored shares": (fails("cross_entropy", ignore_index=1), X, SHARES),
    "cross_entropy times": (fails("cross_entropy"), SEQUENCES, TIMES[:, :4]),
    "cross_entropy one": (fails("cross_entropy"), X[0], CLASSES[:2]),
    "nll_loss 0-d": (fails("nll_loss"), np.array(1.0), np.array(2)),
    "nll_loss pixels": (fails("nll_loss"), IMAGES, PIXELS + 4),
    "margin_ranking_loss axes": (fails("margin_ranking_loss"), X, Y, SIGNS[0]),
    "cosine_embedding_loss target": (fails("cosine_embedding_loss"), X, Y, SIGNS[:, :1]),
    "cosine_embedding_loss axes": (fails("cosine_embedding_loss"), X[0], Y, SIGNS[:, 0]),
    "triplet_margin_loss axes": (fails("triplet_margin_loss"), X, Y, Y[0]),
    "triplet_margin_loss margin": (fails("triplet_margin_loss", margin=-1.0), X, Y, Y),
    "multi_margin_loss p": (fails("multi_margin_loss", 3), X, CLASSES),
    "multi_margin_loss batch": (fails("multi_margin_loss"), X, CLASSES[:3]),
    "multilabel_margin_loss sizes": (fails("multilabel_margin_loss"), X, WHOLE[:, :3]),
    "cosine_similarity sizes": (fails("cosine_similarity"), X, Y[:, :3]),
    "cosine_similarity whole numbers": (fails("cosine_similarity"), WHOLE, WHOLE),
    "pdist axes": (fails("pdist"), X[0]),
    "cdist sizes": (cdist, X, Y[:, :3]),
    "cdist axes": (cdist, X[0], Y),
    "cdist p": (lambda m, x: cdist(m, x, x, -1.0), X),
    "cdist mode": (lambda m, x: cdist(m, x, x, compute_mode="fast"), X),
    "ctc_loss lengths": (lambda m, x, y: m.nn.functional.ctc_loss(x, y, (9,) * 6, (2,) * 6), SEQUENCES, TIMES),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_error(name: str) -> None:
    """What PyTorch refuses, Kadam refuses with an exception that the same `except` clause catches."""
    torch = pytest.importorskip("torch")
    program, *arrays = ERRORS[name]
    with pytest.raises(Exception) as expected:
        program(torch, *[torch.from_numpy(np.array(one)) for one in arrays])
    with pytest.raises(expected.type) as raised:
        program(kadam, *[kadam.from_numpy(np.array(one)) for one in arrays])
    assert isinstance(raised.value, kadam.errors.KadamError)


def test_class_out_of_range_names_class_and_line() -> None:
    with pytest.raises(IndexError, match=r"(?s)7 .*6.*test_functional_errors.py") as raised:
        kadam.nn.functional.cross_entropy(kadam.zeros(2, 6), kadam.tensor([0, 7])).item()
    assert isinstance(raised.value, kadam.errors.KadamError)
