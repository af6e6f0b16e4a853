"""What the tests of `torch.nn.functional` call, and with what: programs of `m` (torch or kadam) and tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import kadam

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


FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "linear": (calls("linear"), X, WEIGHT, BIAS),
    "linear no bias": (calls("linear"), X, WEIGHT),
    "linear vector": (calls("linear"), X[0], WEIGHT, BIAS),
    "linear sequences": (calls("linear"), np.ascontiguousarray(SEQUENCES.swapaxes(1, 2)), WEIGHT, BIAS),
    "linear one output": (calls("linear"), X, WEIGHT[0]),
    "bilinear": (calls("bilinear"), X, Y[:, :5], rng.normal(size=(3, 6, 5)), BIAS[:3]),
    "bilinear batches": (
        calls("bilinear"), IMAGES, SEQUENCES.reshape(2, 6, 1, 5) * np.ones((3, 1)), rng.normal(size=(1, 4, 5)),
    ),
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
    "layer_norm affine": (
        lambda m, x, w, b: m.nn.functional.layer_norm(x, [3, 4], w, b), IMAGES, UNIT[:3, :4], Y[:3, :4],
    ),
    "rms_norm": (lambda m, x, w: m.nn.functional.rms_norm(x, (6,), w, 1e-3), X, CLASS_WEIGHT),
    "rms_norm eps": (calls("rms_norm", (6,)), X),
    "group_norm": (lambda m, x, w, b: m.nn.functional.group_norm(x, 3, w, b), IMAGES, CLASS_WEIGHT, Y[0]),
    "group_norm vectors": (calls("group_norm", 2), X),
    "instance_norm": (
        lambda m, x, w, b: m.nn.functional.instance_norm(x, None, None, w, b), IMAGES, CLASS_WEIGHT, Y[0],
    ),
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
    **{f"cdist {p}": (lambda m, x, y, p=p: cdist(m, x, y, p), X, Y[:3]) for p in (0.0, 0.5, 1.0, 3.0, float("inf"))},
}  # fmt: skip


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
        calls("multilabel_margin_loss"), X,
        np.array([[3, 0, -1, 1, 5, -1], [5, -1, 0, 0, 0, 0], [0, 1, 2, 3, 4, 5], [-1] * 6]),
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


# ---- What is drawn at random
