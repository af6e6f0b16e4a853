"""A function of one example as a function of batches: it is called for each example, and the results are stacked."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from kadam.errors import KadamError
from kadam.func.tree import leaves, mapped, prefixed
from kadam.ir.primitive import Array
from kadam.ops.combine import stack
from kadam.ops.require import ArgumentError
from kadam.recording.generator import default_generator
from kadam.recording.tensor import Recorded


class RandomnessError(KadamError, RuntimeError):
    """Random numbers in a function of examples, and nothing said of whose they are."""


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """`func`, applied to each example of a batch. As `torch.vmap`, where `func` is called just once.

    Args:
        func: takes nests of tensors and returns one.
        in_dims: along which axis the examples of each argument stand; None for what all share.
        out_dims: along which axis to stack the results.
        randomness: "different": each example draws its own numbers; "same": all draw the same; "error": none draws any.
        chunk_size: accepted: examples are computed one by one.

    Raises:
        ValueError: another `randomness`.
        RandomnessError: numbers are drawn, and `randomness` does not say which (RuntimeError).
    """
    if randomness not in ("error", "different", "same"):
        raise ArgumentError(
            f"vmap: Only allowed values for randomness are 'error', 'different', or 'same', not {randomness!r}. Fix: "
            "randomness='different'."
        )

    @wraps(func)
    def batched(*args: Any, **kwargs: Any) -> Any:
        axes = prefixed(args, in_dims if isinstance(in_dims, tuple | list) else (in_dims,) * len(args))
        count = _count(args, axes)
        before = None if randomness == "different" else default_generator.state_bytes()
        results = []
        for index in range(count):
            if before is not None:
                _require_state(before, randomness)
            results.append(func(*mapped(lambda leaf, axis, at=index: _example(leaf, axis, at), args, axes), **kwargs))
        if randomness == "error" and before is not None:
            _require_state(before, randomness)
        places = prefixed(results[0], out_dims)
        return mapped(lambda axis, *parts: stack(parts, axis), places, *results)

    return batched


def _require_state(state: Array, randomness: str) -> None:
    """Have the next example draw what the first one did, or find that it drew nothing."""
    if randomness == "same":
        default_generator.set_state_bytes(state)
    elif not np.array_equal(state, default_generator.state_bytes()):
        raise RandomnessError(
            "vmap: called random operation while in randomness error mode. Please either use the 'same' or 'different' "
            "randomness flags on vmap or perform the randomness operation out of vmap. Fix: randomness='different'."
        )


def _example(leaf: Any, axis: int | None, index: int) -> Any:
    return leaf if axis is None or not isinstance(leaf, Recorded) else leaf.select(axis, index)  # type: ignore[attr-defined]


def _count(args: Any, axes: Any) -> int:
    sizes = {
        leaf.shape[axis]
        for leaf, axis in zip(leaves(args), leaves(axes), strict=True)
        if axis is not None and isinstance(leaf, Recorded)
    }
    if len(sizes) != 1:
        raise ValueError(
            f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {sorted(sizes)}. "
            "Fix: map axes of one size, or in_dims=None for an operand that all share."
        )
    size: int = sizes.pop()
    return size
