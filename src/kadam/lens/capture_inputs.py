"""How the numbers of a model's input are spread: what tells inputs of one scale from inputs of another."""

from __future__ import annotations

import numpy as np

from kadam.dtypes import FLOAT
from kadam.ir.primitive import Array
from kadam.recording.tensor import Recorded, is_current

SHARES = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0)  # the quantiles that are noted
ENOUGH = 4096  # numbers that are looked at
SAMPLES = 8  # fewer may be picked ones


def quantiles_at_hand(tensor: Recorded | None) -> tuple[float, ...]:
    """Quantiles of an input whose value stands in memory; empty if it does not, for nothing is computed to be seen."""
    if tensor is None or tensor._spec.dtype.category != FLOAT or not is_current(tensor):
        return ()
    return () if tensor._array is None else quantiles(tensor._array)


def quantiles(value: Array) -> tuple[float, ...]:
    """Quantiles of the numbers of a batch, of evenly picked samples; empty if they tell nothing."""
    if value.ndim < 2 or value.shape[0] < SAMPLES or not value.size:
        return ()
    width = value.size // value.shape[0]
    rows = value[:: max(value.shape[0] * width // ENOUGH, 1)] if width < ENOUGH else value[:SAMPLES]
    some = np.asarray(rows, dtype=np.float64).ravel()
    some = some[:: max(some.size // ENOUGH, 1)]
    if not np.all(np.isfinite(some)):
        return ()
    return tuple(float(one) for one in np.quantile(some, SHARES))
