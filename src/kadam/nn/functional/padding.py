"""Padding: axes made longer by a constant, a mirror image, the border or the other end; or made shorter."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kadam.errors import ShapeError, UndefinedError
from kadam.ops.combine import cat
from kadam.ops.slicing import narrow
from kadam.primitives.broadcast import Broadcast
from kadam.primitives.move import Copy, Flip, padded
from kadam.recording.calls import emit, symbol
from kadam.recording.operation import Fixed, operation
from kadam.recording.order import as_input
from kadam.recording.precision import adapted

if TYPE_CHECKING:
    from kadam.tensor import Tensor


@operation(order=as_input)
def pad(input: Tensor, pad: tuple[int, ...], mode: str = "constant", value: Fixed | None = None) -> Tensor:
    """A tensor with its last axes made longer (or, by negative numbers, shorter). As `torch.nn.functional.pad`.

    Args:
        input: the tensor.
        pad: (before, after) for the last axis, then for the one before it, and so on.
        mode: "constant"; of the spatial axes "reflect", "replicate" or "circular".
        value: the constant; 0 by default.

    Raises:
        ShapeError: the numbers do not fit the shape.
        UndefinedError: the mode does not exist, or not for this rank.
    """
    if len(pad) % 2:
        raise ShapeError(
            f"pad: Padding length must be divisible by 2, got {len(pad)} numbers. Fix: two numbers, before and after, "
            "for each axis from the last one."
        )
    if len(pad) > 2 * len(input.shape):
        raise ShapeError(
            "pad: Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{len(pad)} and input of dimension {len(input.shape)}. Fix: give at most {2 * len(input.shape)} numbers."
        )
    margins = [(pad[at], pad[at + 1]) for at in range(0, len(pad), 2)]
    if mode == "constant":
        return _with_constant(input, margins, 0 if value is None else value)
    if value:
        raise ShapeError(
            f"pad: Padding mode \"{mode}\" doesn't take in value argument. Fix: leave value out, or mode='constant'."
        )
    return _with_own_elements(input, margins, mode)


def _with_constant(input: Tensor, margins: list[tuple[int, int]], value: complex) -> Tensor:
    shape = list(input.shape)
    for axis, (before, after) in zip(reversed(range(len(shape))), margins, strict=False):
        if shape[axis] + before + after < 0 or -min(before, 0) - min(after, 0) > shape[axis]:
            raise ShapeError(
                f"pad: The input size {shape[axis]}, plus negative padding {before} and {after}, resulted in a "
                f"negative output size, which is invalid. Check dimension {axis} of your input. Fix: crop less."
            )
    every = [(0, 0)] * (len(shape) - len(margins)) + margins[::-1]
    node = padded(input._node, every, value)  # type: ignore[arg-type]
    result = emit(Copy(), input) if node is input._node else symbol(node)
    result._tag = "ConstantPadNdBackward0"
    return result


def _with_own_elements(input: Tensor, margins: list[tuple[int, int]], mode: str) -> Tensor:
    if mode not in _SIDES:
        raise UndefinedError(f"Unrecognised padding mode {mode}. Fix: constant, reflect, replicate or circular.")
    rank, axes = len(input.shape), len(margins)
    if axes not in (1, 2, 3) or rank not in (axes + 1, axes + 2):
        raise UndefinedError(
            f"pad: Padding size {2 * axes} is not supported for {rank}D input tensor. Modes other than constant pad "
            "the last axis of 2D or 3D input, the last 2 of 3D or 4D input, or the last 3 of 4D or 5D input. Fix: "
            "unsqueeze(0) the input, or pad fewer axes."
        )
    (input,) = adapted(_LISTED[mode].format(axes), (input,))
    for axis, (before, after) in zip(reversed(range(rank)), margins, strict=False):
        input = _longer(input, axis, before, after, mode)
    name = {"reflect": "ReflectionPad{}DBackward0", "replicate": "ReplicationPad{}DBackward0"}
    result = input.clone()
    result._tag = name.get(mode, "torch::autograd::CopySlices").format(axes)
    return result


def _longer(input: Tensor, axis: int, before: int, after: int, mode: str) -> Tensor:
    """In a body: one axis with a piece of its own added, or cut off, on either side."""
    size = input.shape[axis]
    start, end = max(-before, 0), size - max(-after, 0)
    if start > end or (start == end and max(before, after) > 0 and mode != "replicate"):
        raise ShapeError(
            f"pad: {mode} padding {(before, after)} leaves nothing of dimension {axis} of size {size}. Fix: crop less."
        )
    if mode == "reflect" and max(before, after) >= size:
        raise ShapeError(
            "pad: Padding size should be less than the corresponding input dimension, but got: padding "
            f"{(before, after)} at dimension {axis} of input {list(input.shape)}. Fix: pad by less than {size}, or "
            "mode='replicate'."
        )
    kept = narrow(input, axis, start, end - start)
    if mode == "circular" and max(before, after) > kept.shape[axis]:
        raise ShapeError(
            f"pad: Padding value causes wrapping around more than once: {(before, after)} at dimension {axis} of size "
            f"{size}. Fix: pad by at most {size}."
        )
    source = kept if mode == "circular" else input
    left, right = _SIDES[mode]
    parts = [kept]
    if before > 0:
        parts.insert(0, left(source, axis, before))
    if after > 0:
        parts.append(right(source, axis, after))
    return cat(parts, axis) if len(parts) > 1 else kept


def _mirrored(input: Tensor, axis: int, start: int, length: int) -> Tensor:
    return emit(Flip((axis,)), narrow(input, axis, start, length))


def _repeated(input: Tensor, axis: int, place: int, length: int) -> Tensor:
    shape = list(input.shape)
    shape[axis] = length
    return emit(Broadcast(tuple(shape)), narrow(input, axis, place, 1))


_LISTED = {"reflect": "reflection_pad{}d", "replicate": "replication_pad{}d", "circular": ""}  # see `precision`
Side = Callable[["Tensor", int, int], "Tensor"]
_SIDES: dict[str, tuple[Side, Side]] = {
    "reflect": (
        lambda input, axis, length: _mirrored(input, axis, 1, length),
        lambda input, axis, length: _mirrored(input, axis, input.shape[axis] - 1 - length, length),
    ),
    "replicate": (
        lambda input, axis, length: _repeated(input, axis, 0, length),
        lambda input, axis, length: _repeated(input, axis, input.shape[axis] - 1, length),
    ),
    "circular": (
        lambda input, axis, length: narrow(input, axis, input.shape[axis] - length, length),
        lambda input, axis, length: narrow(input, axis, 0, length),
    ),
}

__all__ = ["pad"]
