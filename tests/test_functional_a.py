"""Activations, losses, normalisations, dropout and distances against PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kadam
from against_torch import compare

rng = np.random.default_rng(3)
X = rng.normal(size=(4, 6)) * 2
Y = rng.normal(size=(4, 6))
EDGES = np.array([-30.0, -6.0, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0, 30.0])
UNIT = rng.random((4, 6)) * 0.9 + 0.05
SHARES = UNIT / UNIT.sum(1, keepdims=True)
SEQUENCES = rng.normal(size=(2, 6, 5))
IMAGES = rng.normal(size=(2, 6, 3, 4))
SIGNS = np.sign(Y)
WEIGHT = rng.normal(size=(5, 6))
BIAS = rng.normal(size=5)
CLASSES = np.array([2, 0, 5, 2])
PIXELS = rng.integers(0, 6, (2, 3, 4))
TIMES = rng.integers(0, 6, (2, 5))
CLASS_WEIGHT = rng.random(6) + 0.5
BITS = (Y > 0).astype(float)


def calls(name: str, *rest: Any, **options: Any) -> Callable[..., Any]:
    """A program that calls one function: `rest` and `options` follow the tensors."""
    return lambda m, *tensors, **more: getattr(m.nn.functional, name)(*tensors, *rest, **options, **more)


def cdist(m: Any, *arguments: Any, **options: Any) -> Any:
    """`torch.cdist`, which does not stand in `torch.nn.functional`."""
    return (kadam.nn.functional.cdist if m is kadam else m.cdist)(*arguments, **options)


ACTIVATIONS = {
    name: calls(name)
    for name in [
        "relu",
        "leaky_relu",
        "relu6",
        "hardtanh",
        "hardsigmoid",
        "hardswish",
        "hardshrink",
        "softshrink",
        "elu",
        "selu",
        "celu",
        "gelu",
        "silu",
        "mish",
        "softplus",
        "logsigmoid",
        "softsign",
        "tanhshrink",
        "tanh",
        "sigmoid",
        "rrelu",
    ]
} | {
    "leaky_relu slope": calls("leaky_relu", 0.3),
    "hardtanh bounds": calls("hardtanh", -3.0, 0.5),
    "threshold": calls("threshold", 0.5, -7.0),
    "hardshrink 3": calls("hardshrink", 3.0),
    "softshrink 1": calls("softshrink", 1.0),
    "elu alpha": calls("elu", 2.5),
    "celu alpha": calls("celu", 0.4),
    "gelu tanh": calls("gelu", approximate="tanh"),
    "softplus beta": calls("softplus", 2.0, 5.0),
    "softmax": calls("softmax", -1),
    "log_softmax": calls("log_softmax", 0),
    "softmin": calls("softmin", 0),
}
SMOOTH = ["gelu", "silu", "mish", "softplus", "logsigmoid", "tanhshrink", "softmax", "log_softmax"]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(name: str, kind: type) -> None:
    for values in (X, EDGES):
        compare(ACTIVATIONS[name], values.astype(kind))


@pytest.mark.parametrize("name", SMOOTH)
def test_second_derivative_of_activation(name: str) -> None:
    compare(ACTIVATIONS[name], np.array([-3.0, -0.5, 0.0, 0.5, 3.0]), order=2)


FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "linear": (calls("linear"), X, WEIGHT, BIAS),
    "linear no bias": (calls("linear"), X, WEIGHT),
    "linear vector": (calls("linear"), X[0], WEIGHT, BIAS),
    "linear sequences": (calls("linear"), np.ascontiguousarray(SEQUENCES.swapaxes(1, 2)), WEIGHT, BIAS),
    "linear one output": (calls("linear"), X, WEIGHT[0]),
    "bilinear": (calls("bilinear"), X, Y[:, :5], rng.normal(size=(3, 6, 5)), BIAS[:3]),
    "bilinear batches": (calls("bilinear"), IMAGES, SEQUENCES.reshape(2, 6, 1, 5) * np.ones((3, 1)), WEIGHT.reshape(-1)[:20].reshape(1, 4, 5)),
    "prelu": (calls("prelu"), X, np.array([0.3])),
    "prelu channels": (calls("prelu"), IMAGES, rng.normal(size=6)),
    "glu": (calls("glu"), X),
    "glu axis": (calls("glu", 1), SEQUENCES),
    "softmax dtype": (lambda m, x: m.nn.functional.softmax(x, 1, dtype=m.float64), X),
    "softmax axis": (calls("softmax", 1), IMAGES),
    "log_softmax axis": (calls("log_softmax", 1), IMAGES * 100),
    "batch_norm": (lambda m, x, w, b: m.nn.functional.batch_norm(x, None, None, w, b, True), X, CLASS_WEIGHT, Y[0]),
    "batch_norm images": (
        lambda m, x, w, b: m.nn.functional.batch_norm(x, None, None, w, b, True, eps=0.1), IMAGES, CLASS_WEIGHT, Y[0],
    ),
    "batch_norm evaluation": (calls("batch_norm"), IMAGES, Y[0], CLASS_WEIGHT, Y[1], Y[2]),
    "layer_norm": (calls("layer_norm", (6,)), X),
    "layer_norm affine": (lambda m, x, w, b: m.nn.functional.layer_norm(x, [3, 4], w, b), IMAGES, UNIT[:3, :4], Y[:3, :4]),
    "rms_norm": (lambda m, x, w: m.nn.functional.rms_norm(x, (6,), w, 1e-3), X, CLASS_WEIGHT),
    "rms_norm eps": (calls("rms_norm", (6,)), X),
    "group_norm": (lambda m, x, w, b: m.nn.functional.group_norm(x, 3, w, b), IMAGES, CLASS_WEIGHT, Y[0]),
    "group_norm vectors": (calls("group_norm", 2), X),
    "instance_norm": (lambda m, x, w, b: m.nn.functional.instance_norm(x, None, None, w, b), IMAGES, CLASS_WEIGHT, Y[0]),
    "instance_norm evaluation": (
        lambda m, x, a, b: m.nn.functional.instance_norm(x, a, b, use_input_stats=False), SEQUENCES, Y[0], CLASS_WEIGHT,
    ),
    "local_response_norm": (calls("local_response_norm", 3, 0.5, 0.7, 1.5), IMAGES),
    "local_response_norm even": (calls("local_response_norm", 2, 0.5), SEQUENCES),
    "normalize": (calls("normalize"), X),
    "normalize 1": (calls("normalize", 1.0, 0), X),
    "normalize 3": (calls("normalize", 3.0, dim=2), SEQUENCES),
    "cosine_similarity": (calls("cosine_similarity"), X, Y),
    "cosine_similarity row": (calls("cosine_similarity", dim=-1), X, Y[0]),
    "pairwise_distance": (calls("pairwise_distance"), X, Y),
    "pairwise_distance 1": (calls("pairwise_distance", 1.0, 0.1, True), X, Y),
    "pdist": (calls("pdist"), X),
    "pdist 3": (calls("pdist", 3.0), X),
    "pdist 1": (calls("pdist", 1.0), X),
    "cdist": (lambda m, x, y: cdist(m, x, y), X, Y[:3]),
    "cdist products": (lambda m, x, y: cdist(m, x, y, compute_mode="use_mm_for_euclid_dist"), X, Y[:3]),
    "cdist batches": (lambda m, x, y: cdist(m, x, y), SEQUENCES, Y[:, :5]),
    "cdist equal rows": (lambda m, x: cdist(m, x, m.cat([x[:2], x[1:] * 2])), X),
    **{f"cdist {p}": (lambda m, x, y, p=p: cdist(m, x, y, p), X, Y[:3]) for p in (0.5, 1.0, 3.0, float("inf"))},
}  # fmt: skip


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_function(name: str, kind: type) -> None:
    function, *arrays = FUNCTIONS[name]
    constant = (1, 2) if "evaluation" in name else ()  # running statistics
    compare(function, *[one.astype(kind) for one in arrays], constant=constant)


LOSSES: dict[str, tuple[Any, ...]] = {
    "mse_loss": (calls("mse_loss"), X, Y),
    "l1_loss": (calls("l1_loss"), X, Y),
    "smooth_l1_loss": (calls("smooth_l1_loss"), X, Y),
    "smooth_l1_loss beta": (calls("smooth_l1_loss", beta=2.5), X, Y),
    "smooth_l1_loss beta 0": (calls("smooth_l1_loss", beta=0.0), X, Y),
    "huber_loss": (calls("huber_loss", delta=1.5), X, Y),
    "mse_loss weight": (lambda m, x, y, w, **k: m.nn.functional.mse_loss(x, y, weight=w, **k), X, Y, UNIT),
    "l1_loss weight": (lambda m, x, y, w, **k: m.nn.functional.l1_loss(x, y, weight=w, **k), X, Y, UNIT),
    "huber_loss weight": (lambda m, x, y, w, **k: m.nn.functional.huber_loss(x, y, weight=w, **k), X, Y, UNIT),
    "binary_cross_entropy": (calls("binary_cross_entropy"), UNIT, UNIT[::-1]),
    "binary_cross_entropy weight": (calls("binary_cross_entropy"), UNIT, UNIT[::-1], CLASS_WEIGHT),
    "bce logits": (calls("binary_cross_entropy_with_logits"), X, UNIT),
    "bce logits weight": (calls("binary_cross_entropy_with_logits"), X, UNIT, CLASS_WEIGHT),
    "bce logits pos_weight": (
        lambda m, x, y, w, **k: m.nn.functional.binary_cross_entropy_with_logits(x, y, pos_weight=w, **k), X, UNIT,
        CLASS_WEIGHT,
    ),
    "kl_div": (calls("kl_div"), Y, SHARES),
    "kl_div log_target": (calls("kl_div", log_target=True), Y, np.log(SHARES)),
    "poisson_nll_loss": (calls("poisson_nll_loss"), Y, UNIT * 5),
    "poisson_nll_loss full": (calls("poisson_nll_loss", log_input=False, full=True), UNIT, UNIT * 5),
    "gaussian_nll_loss": (calls("gaussian_nll_loss"), X, Y, UNIT),
    "gaussian_nll_loss row": (calls("gaussian_nll_loss", full=True), X, Y, UNIT[:, 0]),
    "gaussian_nll_loss column": (calls("gaussian_nll_loss", eps=0.3), X, Y, UNIT[:, :1]),
    "gaussian_nll_loss number": (lambda m, x, y, **k: m.nn.functional.gaussian_nll_loss(x, y, 0.5, **k), X, Y),
    "nll_loss": (calls("nll_loss"), Y, CLASSES),
    "nll_loss weight": (calls("nll_loss"), Y, CLASSES, CLASS_WEIGHT),
    "nll_loss ignored": (calls("nll_loss", ignore_index=2), Y, CLASSES, CLASS_WEIGHT),
    "nll_loss pixels": (calls("nll_loss"), IMAGES, PIXELS, CLASS_WEIGHT),
    "nll_loss times": (calls("nll_loss"), SEQUENCES, TIMES),
    "nll_loss one": (calls("nll_loss"), Y[0], np.array(3)),
    "cross_entropy": (calls("cross_entropy"), X, CLASSES),
    "cross_entropy bytes": (calls("cross_entropy"), X, CLASSES.astype(np.uint8)),
    "cross_entropy weight": (calls("cross_entropy"), X, CLASSES, CLASS_WEIGHT),
    "cross_entropy ignored": (calls("cross_entropy", ignore_index=2), X, CLASSES, CLASS_WEIGHT),
    "cross_entropy smoothed": (calls("cross_entropy", label_smoothing=0.1), X, CLASSES),
    "cross_entropy all": (calls("cross_entropy", label_smoothing=0.1, ignore_index=2), X, CLASSES, CLASS_WEIGHT),
    "cross_entropy pixels": (calls("cross_entropy", label_smoothing=0.2), IMAGES, PIXELS, CLASS_WEIGHT),
    "cross_entropy times": (calls("cross_entropy"), SEQUENCES, TIMES),
    "cross_entropy one": (calls("cross_entropy"), X[0], np.array(3)),
    "cross_entropy shares": (calls("cross_entropy"), X, SHARES),
    "cross_entropy shares smoothed": (calls("cross_entropy", label_smoothing=0.1), X, SHARES, CLASS_WEIGHT),
    "cross_entropy shares pixels": (calls("cross_entropy"), IMAGES, np.abs(IMAGES)),
    "cross_entropy shares one": (calls("cross_entropy"), X[0], SHARES[0]),
    "soft_margin_loss": (calls("soft_margin_loss"), X, SIGNS),
    "hinge_embedding_loss": (calls("hinge_embedding_loss", 0.7), X, SIGNS),
    "margin_ranking_loss": (calls("margin_ranking_loss", 0.7), X, Y, SIGNS),
    "cosine_embedding_loss": (calls("cosine_embedding_loss", 0.2), X, Y, SIGNS[:, 0]),
    "cosine_embedding_loss one": (calls("cosine_embedding_loss"), X[0], Y[0], np.array(SIGNS[0, 0])),
    "triplet_margin_loss": (calls("triplet_margin_loss", 2.0), X, Y, UNIT),
    "triplet_margin_loss swap": (calls("triplet_margin_loss", 4.0, 3.0, swap=True), X, Y, UNIT),
    "triplet_margin_with_distance_loss": (calls("triplet_margin_with_distance_loss", swap=True), X, Y, UNIT),
    "triplet distance": (
        lambda m, x, y, z, **k: m.nn.functional.triplet_margin_with_distance_loss(
            x, y, z, distance_function=lambda a, b: (a - b).abs().sum(-1), margin=3.0, **k
        ), X, Y, UNIT,
    ),
    "multi_margin_loss": (calls("multi_margin_loss"), X, CLASSES),
    "multi_margin_loss 2": (calls("multi_margin_loss", 2, 0.7), X, CLASSES),
    "multi_margin_loss weight": (
        lambda m, x, y, w, **k: m.nn.functional.multi_margin_loss(x, y, weight=w, **k), X, CLASSES, CLASS_WEIGHT,
    ),
    "multi_margin_loss one": (calls("multi_margin_loss"), X[0], np.array(3)),
    "multilabel_margin_loss": (
        calls("multilabel_margin_loss"), X, np.array([[3, 0, -1, 1, 5, -1], [5, -1, 0, 0, 0, 0], [0, 1, 2, 3, 4, 5], [-1] * 6]),
    ),
    "multilabel_margin_loss one": (calls("multilabel_margin_loss"), X[0], np.array([3, 0, -1, 1, 0, 0])),
    "multilabel_soft_margin_loss": (calls("multilabel_soft_margin_loss"), X, BITS, CLASS_WEIGHT),
    "linear_cross_entropy": (calls("linear_cross_entropy"), X, WEIGHT, CLASSES % 5),
}  # fmt: skip
CONSTANT = {
    "binary_cross_entropy weight": (2,), "bce logits weight": (2,), "bce logits pos_weight": (2,),
    "nll_loss weight": (2,), "nll_loss ignored": (2,), "nll_loss pixels": (2,), "cross_entropy weight": (2,),
    "cross_entropy ignored": (2,), "cross_entropy all": (2,), "cross_entropy pixels": (2,),
    "cross_entropy shares smoothed": (2,), "soft_margin_loss": (1,), "margin_ranking_loss": (2,),
    "hinge_embedding_loss": (1,), "cosine_embedding_loss": (2,), "cosine_embedding_loss one": (2,),
    "multi_margin_loss weight": (2,), "multilabel_soft_margin_loss": (1, 2),
}  # fmt: skip


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


SECOND_FUNCTIONS = ["linear", "batch_norm images", "layer_norm affine", "group_norm", "normalize", "cosine_similarity"]


@pytest.mark.parametrize("name", SECOND_FUNCTIONS)
def test_second_derivative_of_function(name: str) -> None:
    function, *arrays = FUNCTIONS[name]
    compare(function, *arrays, order=2, tolerance=(1e-7, 1e-9))


# ---- What is drawn at random


def seeded(function: Callable[..., Any]) -> Callable[..., Any]:
    """The program, begun with one seed; what is drawn after it must agree too."""

    def program(m: Any, *tensors: Any) -> Any:
        m.manual_seed(11)
        return [function(m, *tensors), m.rand(3)]

    return program


RANDOM: dict[str, tuple[Any, ...]] = {
    "dropout": (calls("dropout", 0.3), X),
    "dropout all": (calls("dropout", 1.0), X),
    "dropout none": (calls("dropout", 0.0), X * 1),
    "dropout evaluation": (calls("dropout", 0.5, False), X),
    "dropout number": (calls("dropout"), np.array(2.0)),
    "dropout transposed": (lambda m, x: m.nn.functional.dropout(x.t(), 0.4), X),
    "dropout permuted": (lambda m, x: m.nn.functional.dropout(x.permute(1, 0, 2), 0.4), SEQUENCES),
    "dropout slice": (lambda m, x: m.nn.functional.dropout(x[:, ::2], 0.4), SEQUENCES),
    "dropout1d": (calls("dropout1d", 0.4), SEQUENCES),
    "dropout1d one": (calls("dropout1d", 0.4), X),
    "dropout2d": (calls("dropout2d", 0.4), IMAGES),
    "dropout3d": (calls("dropout3d", 0.4), IMAGES[None]),
    "dropout3d one": (calls("dropout3d", 0.4), IMAGES),
    "alpha_dropout": (calls("alpha_dropout", 0.3, True), X),
    "alpha_dropout all": (calls("alpha_dropout", 1.0, True), X),
    "feature_alpha_dropout": (calls("feature_alpha_dropout", 0.3, True), IMAGES),
    "rrelu": (calls("rrelu", 0.1, 0.6, True), X),
    "gumbel_softmax": (calls("gumbel_softmax", 0.7), X),
    "gumbel_softmax hard": (calls("gumbel_softmax", hard=True, dim=0), X),
}


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


# ---- Names, errors and warnings


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


WHOLE = rng.integers(0, 2, (4, 6))
ERRORS: dict[str, tuple[Any, ...]] = {
    "linear types": (fails("linear"), X, WEIGHT.astype(np.float32)),
    "linear whole numbers": (fails("linear"), WHOLE, WEIGHT),
    "linear sizes": (fails("linear"), X, WEIGHT[:, :4]),
    "linear bias": (fails("linear"), X, WEIGHT, BIAS[:2]),
    "linear 0-d": (fails("linear"), np.array(1.0), WEIGHT),
    "linear list": (lambda m, w: m.nn.functional.linear([1.0], w), WEIGHT),
    "bilinear sizes": (fails("bilinear"), X, Y, WEIGHT[None]),
    "relu booleans": (fails("relu"), WHOLE > 0),
    **{f"{name} whole numbers": (fails(name), WHOLE) for name in ["gelu", "elu", "silu", "mish", "leaky_relu", "softplus"]},
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
    "ctc_loss lengths": (lambda m, x, y: m.nn.functional.ctc_loss(x, y, (9, 9, 9, 9, 9, 9), (2,) * 6), SEQUENCES, TIMES),
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
    loss = kadam.nn.functional.cross_entropy(kadam.zeros(2, 6), kadam.tensor([0, 7]))
    with pytest.raises(IndexError, match=r"(?s)7 .*6.*test_functional_a.py") as raised:
        loss.item()
    assert isinstance(raised.value, kadam.errors.KadamError)


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_warns_of_a_target_that_it_stretches(name: str) -> None:
    with pytest.warns(UserWarning, match="Using a target size"):
        compare(calls(name), X, Y[:, :1])


def test_warns_of_an_axis_that_it_chooses() -> None:
    with pytest.warns(UserWarning, match="Implicit dimension choice"):
        compare(calls("softmax"), X)
    with pytest.warns(UserWarning, match="Implicit dimension choice"):
        compare(calls("log_softmax"), SEQUENCES)


def test_older_arguments_of_losses() -> None:
    with pytest.warns(UserWarning, match="reduction='sum'"):
        compare(calls("mse_loss", size_average=False), X, Y)
    with pytest.warns(UserWarning, match="reduction='none'"):
        compare(calls("l1_loss", reduce=False), X, Y)


def test_batchmean() -> None:
    compare(calls("kl_div", reduction="batchmean"), Y, SHARES)
    with pytest.warns(UserWarning, match="batchmean"):
        compare(calls("kl_div"), Y, SHARES)


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


def test_all_targets_ignored() -> None:
    compare(calls("cross_entropy"), X, np.full(4, -100))
    compare(calls("cross_entropy", reduction="sum"), X, np.full(4, -100))


def test_softmax_of_infinities() -> None:
    for values in ([-np.inf, 1.0, 2.0], [-np.inf, -np.inf]):
        compare(calls("softmax", 0), np.array(values))
        compare(calls("log_softmax", 0), np.array(values), order=0)


@pytest.mark.parametrize("p", [0.5, 1.0, 1.5, 2.0, 3.0, float("inf")])
def test_distances_of_equal_rows(p: float) -> None:
    compare(lambda m, x: cdist(m, x, x * 1, p), X)
    compare(calls("pdist", p), np.repeat(X, 2, 0))
    compare(calls("normalize", p), X * 0)


def test_distance_that_counts() -> None:
    compare(lambda m, x, y: cdist(m, x, y, 0.0), X, X[::-1] * 1, order=0)


# ---- Sequences of unknown alignment


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("zero_infinity", [False, True])
def test_ctc_loss(reduction: str, zero_infinity: bool) -> None:
    logits = rng.normal(size=(8, 3, 5))
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
        rng.normal(size=(8, 5)),
        np.array([1, 2]),
    )
    compare(
        lambda m, x, y: m.nn.functional.ctc_loss(x.log_softmax(2), y, (8, 8), (2, 0), blank=4),
        rng.normal(size=(8, 2, 5)),
        np.array([[1, 2], [0, 0]]),
    )


def test_ctc_loss_that_is_impossible() -> None:
    def program(m: Any, x: Any, y: Any) -> Any:
        return m.nn.functional.ctc_loss(x.log_softmax(2), y, (2, 2), (2, 2), reduction="none", zero_infinity=True)

    compare(program, rng.normal(size=(2, 2, 5)), np.array([[1, 1], [1, 2]]))
