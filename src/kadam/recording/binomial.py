"""Binomial numbers: how many of a number of trials succeed."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

# log(k!) less Stirling's approximation of it, for small k.
_TAILS = (
    0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509, 0.0166446911898211,
    0.0138761288230707, 0.0118967099458917, 0.0104112652619720, 0.00925546218271273, 0.00833056343336287,
)  # fmt: skip


def binomial_count(trials: np.floating, probability: np.floating, unit: Callable[[], float]) -> float:
    """One binomial number, from as many uniform numbers in [0, 1) as it takes.

    Args:
        trials: f32[] or f64[].
        probability: of the same type.
        unit: draws a uniform number.
    """
    if trials <= 0 or probability <= 0:
        return 0.0
    if probability >= 1:
        return float(trials)
    if probability > 0.5:
        return float(trials) - _rarer_half(trials, type(probability)(1.0 - float(probability)), unit)
    return _rarer_half(trials, probability, unit)


def _rarer_half(trials: np.floating, probability: np.floating, unit: Callable[[], float]) -> float:
    if trials * probability >= 10:
        return _by_rejection(float(trials), float(probability), unit)
    return _by_waiting(float(trials), float(np.log1p(-probability)), unit)


def _by_waiting(trials: float, log_missed: float, unit: Callable[[], float]) -> float:
    """Count the geometric waiting times that fit into the trials."""
    successes, used = 0.0, 0.0
    while True:
        drawn = unit()
        used += math.ceil(math.log(drawn) / log_missed) if drawn else math.inf
        if used > trials:
            return successes
        successes += 1


def _by_rejection(trials: float, probability: float, unit: Callable[[], float]) -> float:
    """Transform a uniform number, and reject it where the transform misses the distribution.

    Source: W. Hörmann, "The generation of binomial random variates" (1993), algorithm BTRS.
    """
    deviation = math.sqrt(trials * probability * (1 - probability))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * probability
    centre = trials * probability + 0.5
    quick = 0.92 - 4.2 / b
    odds = probability / (1 - probability)
    alpha = (2.83 + 5.1 / b) * deviation
    mode = math.floor((trials + 1) * probability)
    while True:
        u, v = unit() - 0.5, unit()
        distance = 0.5 - abs(u)
        if not distance:
            continue
        count = math.floor((2 * a / distance + b) * u + centre)
        if count < 0 or count > trials:
            continue
        if distance >= 0.07 and v <= quick:
            return count
        bound = (
            (mode + 0.5) * math.log((mode + 1) / (odds * (trials - mode + 1)))
            + (trials + 1) * math.log((trials - mode + 1) / (trials - count + 1))
            + (count + 0.5) * math.log(odds * (trials - count + 1) / (count + 1))
            + _tail(mode) + _tail(trials - mode) - _tail(count) - _tail(trials - count)
        )  # fmt: skip
        if v == 0 or math.log(v * alpha / (a / (distance * distance) + b)) <= bound:
            return count


def _tail(k: float) -> float:
    if k <= 9:
        return _TAILS[int(k)]
    square = (k + 1) ** 2
    return (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / (k + 1)
