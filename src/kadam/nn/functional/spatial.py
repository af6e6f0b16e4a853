"""What functions over spatial axes have in common: [batch, channels, *sizes], or [channels, *sizes] without a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kadam.errors import ShapeError
from kadam.primitives.broadcast import Broadcast
from kadam.primitives.move import Reshape
from kadam.recording.calls import emit
from kadam.shapes import Shape

if TYPE_CHECKING:
    from kadam.tensor import Tensor

Sizes = int | tuple[int, ...]


def per_axis(name: str, argument: str, value: int | Sequence[int], axes: int) -> Shape:
    """An argument as one number per axis: given once for all of them, or one for each.

    Raises:
        ShapeError: another number of entries.
    """
    if isinstance(value, int):
        return (value,) * axes
    if len(value) == 1:
        return (value[0],) * axes
    if len(value) != axes:
        raise ShapeError(
            f"{name}: {argument} must be one int or a tuple of {axes}, one for each axis, got {value}. Fix: give one "
            f"int for all {axes} axes."
        )
    return tuple(value)


def in_batch(input: Tensor, rank: int) -> Tensor:
    """In a body: `input` with a batch axis of size 1 in front, unless it has `rank` axes already."""
    return input if len(input.shape) == rank else input.unsqueeze(0)


def out_of_batch(result: Tensor, batched: bool) -> Tensor:
    """In a body: `result`, without its batch axis unless the operand had one."""
    if batched:
        return result
    sample = result.squeeze(0)
    sample._tag = "SqueezeBackward1"
    return sample


def along_channels(vector: Tensor, shape: Sequence[int]) -> Tensor:
    """In a body: one number per channel, stretched over a tensor [batch, channels, *sizes]."""
    column = emit(Reshape((shape[1], *(1,) * (len(shape) - 2))), vector)
    return emit(Broadcast(tuple(shape)), column)


def by(sizes: Sequence[int]) -> str:
    """Sizes as `3 x 4`."""
    return " x ".join(map(str, sizes))
