"""How far a model's answers differ from sample to sample, beside what was asked for."""

from __future__ import annotations

import numpy as np

from kadam.lens.diagnose.links import Links

FEW = 4  # samples: fewer have no spread
LABELLED = ("cross_entropy", "nll_loss", "binary_cross_entropy_with_logits")
ON_ITS_SCALE = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "difference", "binary_cross_entropy")


def spread(links: Links) -> float | None:
    """The variance of the predictions over the samples, as a part of that of their targets.

    Only for losses whose predictions are on the scale of the targets; None if there is none in the step.
    """
    for one in links.comparisons():
        told, asked = links.value(one.prediction), None if one.target is None else links.value(one.target)
        if one.name not in ON_ITS_SCALE or told is None or asked is None or told.shape != asked.shape:
            continue
        if asked.ndim == 0 or len(asked) < FEW or asked.dtype.kind != "f":
            continue
        wanted = float(asked.astype(np.float64).var(axis=0).mean())
        given = float(told.astype(np.float64).var(axis=0).mean())
        if wanted > 0 and np.isfinite(given):
            return given / wanted
    return None


def class_spread(links: Links) -> float | None:
    """The variance of the predicted shares of the classes over the samples, as a part of that of their labels.

    Of scores, one row of classes (or one yes or no) for each sample; None if the step has no such loss.
    """
    for one in links.comparisons():
        told, asked = links.value(one.prediction), None if one.target is None else links.value(one.target)
        if one.name not in LABELLED or told is None or asked is None or told.ndim == 0 or len(told) < FEW:
            continue
        if not np.all(np.isfinite(told)):
            continue
        scores = told.astype(np.float64)
        if one.name == "binary_cross_entropy_with_logits" and told.shape == asked.shape:
            shares, wanted = 1 / (1 + np.exp(-np.clip(scores, -50, 50))), float(asked.var(axis=0).mean())
        elif told.ndim == 2 and asked.ndim == 1 and asked.dtype.kind == "i":
            raised = np.exp(scores - scores.max(axis=1, keepdims=True))
            shares = raised / raised.sum(axis=1, keepdims=True)
            parts = np.bincount(asked[asked >= 0], minlength=told.shape[1]) / len(asked)
            wanted = float(np.mean(parts * (1 - parts)))
        else:
            continue
        if wanted > 0:
            return float(shares.var(axis=0).mean()) / wanted
    return None


__all__ = ["class_spread", "spread"]
