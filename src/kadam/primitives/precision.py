"""How narrow floating-point types compute: widened, then rounded once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from kadam.ir.primitive import Array

Reference = Callable[..., Array]


def at_least(wide: type[np.floating[Any]]) -> Callable[[Reference], Reference]:
    """Let a `reference` compute floating-point inputs that are narrower than `wide` as `wide`, and round once."""
    limit = np.dtype(wide).itemsize

    def decorate(reference: Reference) -> Reference:
        @functools.wraps(reference)
        def computed(self: Any, *inputs: Any) -> Array:
            stored = inputs[0].dtype
            if stored.itemsize >= limit or stored.kind in "biuc":
                return reference(self, *inputs)
            widened = (x.astype(wide) if x.dtype == stored else x for x in inputs)
            return np.asarray(reference(self, *widened)).astype(stored)

        return computed

    return decorate
