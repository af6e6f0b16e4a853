"""Poisson numbers: how many events of a given rate happen in a unit of time."""

from __future__ import annotations

import math
from collections.abc import Callable


def poisson_count(rate: float, unit: Callable[[], float]) -> int:
    """One Poisson number, from as many uniform numbers in [0, 1) as it takes."""
    if rate == 0:
        return 0
    return _by_rejection(rate, unit) if rate >= 10 else _by_product(rate, unit)


def _by_product(rate: float, unit: Callable[[], float]) -> int:
    """Multiply uniform numbers until they fall below exp(-rate). Source: D. Knuth."""
    bound = math.exp(-rate)
    events, product = 0, unit()
    while product > bound:
        events += 1
        product *= unit()
    return events


def _by_rejection(rate: float, unit: Callable[[], float]) -> int:
    """Transform a uniform number, and reject it where the transform misses the distribution.

    Source: W. Hörmann, "The transformed rejection method for generating Poisson random variables" (1993).
    """
    b = 0.931 + 2.53 * math.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    quick = 0.9277 - 3.6224 / (b - 2)
    while True:
        u, v = unit() - 0.5, unit()
        distance = 0.5 - abs(u)
        count = math.floor((2 * a / distance + b) * u + rate + 0.43)
        if distance >= 0.07 and v <= quick:
            return count
        if count < 0 or (distance < 0.013 and v > distance):
            continue
        density = math.log(v) + math.log(inverse_alpha) - math.log(a / (distance * distance) + b)
        if density <= -rate + count * math.log(rate) - math.lgamma(count + 1):
            return count
