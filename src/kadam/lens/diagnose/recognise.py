"""Activations known by their numbers, however a program writes them: `1 / (1 + exp(-z))` is a sigmoid."""

from __future__ import annotations

import numpy as np

from kadam.ir.graph import Node
from kadam.ir.primitive import Array
from kadam.lens.diagnose.links import Links

NEAR = 8  # operations between what goes into an activation and what comes out
ENOUGH = 4096  # numbers that are compared
EXACT = 1e-5


def activation_of(links: Links, node: Node) -> tuple[str, Node] | None:
    """Which activation a value is of which value near before it; None if no known one fits all numbers."""
    made = _sample(links.value(node))
    if made is None:
        return None
    layer, seen = [node], {node.id}
    for _ in range(NEAR):
        layer = [one for source in layer for one in source.inputs if one.id not in seen]
        seen.update(one.id for one in layer)
        for one in layer:
            given = _sample(links.value(one)) if one.shape == node.shape and one.id in links.step.active else None
            name = None if given is None else _name(given, made)
            if name is not None:
                return name, one
    return None


def _sample(value: Array | None) -> Array | None:
    if value is None or value.size < 2 or value.dtype.kind != "f":
        return None
    some = value.reshape(-1)[:ENOUGH].astype(np.float64)
    return some if np.all(np.isfinite(some)) and np.ptp(some) > EXACT else None


def _name(given: Array, made: Array) -> str | None:
    """The function that makes these numbers of those."""
    size = float(np.abs(given).max())
    if given.min() < -EXACT * size and np.allclose(made, np.maximum(given, 0.0), rtol=0, atol=EXACT * size):
        return "relu"
    bounded = np.clip(given, -50.0, 50.0)
    if made.min() >= 0 and np.allclose(made, 1 / (1 + np.exp(-bounded)), rtol=0, atol=EXACT):
        return "sigmoid"
    if size > 0.1 and np.allclose(made, np.tanh(bounded), rtol=0, atol=EXACT):
        return "tanh"
    return None


__all__ = ["activation_of"]
