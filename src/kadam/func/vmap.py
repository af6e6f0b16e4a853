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
from kadam.recording.modes import keeping_graphs
from kadam.recording.tensor import Recorded


class RandomnessError(KadamError, RuntimeError):
    """Random numbers in a function of examples, and nothing said of whose they are."""


class NumberError(ArgumentError, RuntimeError):
    """A function of examples gives a Python number: PyTorch refuses `item` in it, and numbers that come of nothing."""


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

    if chunk_size is not None and chunk_size <= 0:
        raise ArgumentError(f"vmap: chunk_size should be None or greater than 0, not {chunk_size}. Fix: leave it out.")

    @wraps(func)
    def batched(*args: Any, **kwargs: Any) -> Any:
        axes = prefixed(args, in_dims if isinstance(in_dims, tuple | list) else (in_dims,) * len(args))
        _check_axes(func, in_dims, args, axes)
        count = _count(args, axes)
        before = None if randomness == "different" else default_generator.state_bytes()
        results = []
        for index in range(count):
            if before is not None:
                _require_state(before, randomness)
            example = mapped(lambda leaf, axis, at=index: _example(leaf, axis, at), args, axes)
            with keeping_graphs(index < count - 1):
                results.append(func(*example, **kwargs))
            _check_result(func, results[-1])
        if randomness == "error" and before is not None:
            _require_state(before, randomness)
        places = prefixed(results[0], out_dims)
        return mapped(lambda axis, *parts: parts[0] if axis is None else stack(parts, axis), places, *results)

    batched.__code__ = batched.__code__.replace(co_name="vmap", co_qualname="vmap")  # type: ignore[attr-defined]  # by which errors call it
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


def _name_of(func: Callable[..., Any]) -> str:
    return getattr(func, "__name__", repr(func))


def _check_axes(func: Callable[..., Any], in_dims: Any, args: Any, axes: Any) -> None:
    """Raise unless each argument has the axis along which its examples stand.

    Raises:
        ArgumentError: one has not, or is no tensor at all.
    """
    call = f"vmap({_name_of(func)}, in_dims={in_dims}, ...)(<inputs>)"
    for leaf, axis in zip(leaves(args), leaves(axes), strict=True):
        if axis is None:
            continue
        if not isinstance(leaf, Recorded):
            raise ArgumentError(
                f"{call}: Got in_dim={axis} for an input but the input is of type {type(leaf)}. We cannot vmap over "
                "non-Tensor arguments, please use None as the respective in_dim. Fix: in_dims=None for it."
            )
        if not isinstance(axis, int):
            raise ArgumentError(f"{call}: Got in_dim={axis!r}, which is no number. Fix: in_dims=0.")
        rank = len(leaf._spec.shape)
        if not -rank <= axis < rank:
            raise ArgumentError(
                f"{call}: Got in_dim={axis} for some input, but that input is a Tensor of dimensionality {rank} so "
                f"expected in_dim to satisfy -{rank} <= in_dim < {rank}. Fix: name one of its axes."
            )


def _check_result(func: Callable[..., Any], result: Any) -> None:
    for one in leaves(result):
        if not isinstance(one, Recorded):
            kind, more = (NumberError, _NO_ITEM) if isinstance(one, bool | int | float) else (ArgumentError, "")
            raise kind(
                f"vmap({_name_of(func)}, ...): `{_name_of(func)}` must only return Tensors, got type {type(one)}."
                f"{more} Fix: return tensors; x.item() makes a number."
            )


_NO_ITEM = (
    " It looks like you're calling .item() on a Tensor. We don't support vmap over calling .item() on a Tensor, please "
    "try to rewrite what you're doing with other operations."
)


def _count(args: Any, axes: Any) -> int:
    sizes = [leaf.shape[axis] for leaf, axis in zip(leaves(args), leaves(axes), strict=True) if isinstance(axis, int)]
    if not sizes:
        raise ArgumentError("vmap: in_dims=None for all arguments: there is nothing to map over. Fix: in_dims=0.")
    if len(set(sizes)) != 1:
        raise ArgumentError(
            f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {sizes} for the "
            "mapped dimension. Fix: map axes of one size, or in_dims=None for an operand that all share."
        )
    return int(sizes[0])
