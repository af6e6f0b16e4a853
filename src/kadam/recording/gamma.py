"""Gamma numbers: sums of waiting times, for any concentration."""

from __future__ import annotations

import math
from collections.abc import Callable


def gamma_number(concentration: float, unit: Callable[[], float], normal: Callable[[], float]) -> float:
    """One gamma number of rate 1, from as many uniform numbers in [0, 1) and normal numbers as it takes.

    Source: G. Marsaglia and W. Tsang, "A simple method for generating gamma variables" (2000).
    """
    if concentration == 0:
        return 0.0
    scale = 1.0
    if concentration < 1:
        scale = (1 - unit()) ** (1 / concentration)
        concentration += 1
    d = concentration - 1 / 3
    c = 1 / math.sqrt(9 * d)
    while True:
        x = normal()
        while 1 + c * x <= 0:
            x = normal()
        v = (1 + c * x) ** 3
        u, square = 1 - unit(), x * x
        if u < 1 - 0.0331 * square * square or math.log(u) < 0.5 * square + d * (1 - v + math.log(v)):
            return scale * d * v
