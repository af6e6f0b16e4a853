"""How far a model's answers differ from sample to sample, beside what was asked for."""

from __future__ import annotations

import numpy as np

from kadam.lens.diagnose.links import Links

FEW = 4  # samples: fewer have no spread
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


__all__ = ["spread"]
