"""Dropout: elements or channels chosen at random are silenced in training."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from kadam.dtypes import FLOAT, bool_
from kadam.errors import DTypeError, ShapeError
from kadam.ops.promotion import cast, stretched
from kadam.ops.require import require_probability
from kadam.recording.arguments import check_arguments
from kadam.recording.generator import default_generator
from kadam.recording.layout import strides_of
from kadam.recording.memory import assign
from kadam.recording.meta import of_shape
from kadam.recording.operation import operation
from kadam.recording.tensor import from_array
from kadam.shapes import Shape, count

if TYPE_CHECKING:
    from kadam.recording.tensor import Number
    from kadam.tensor import Tensor

_SELU_FLOOR = -1.7580993408473766  # where selu(-inf) is: minus its scale times its alpha


@operation(grad="MulBackward0")
def _masked(input: Tensor, kept: Tensor, share: Number) -> Tensor:
    """input / share where `kept`, else 0."""
    _require_floating(input)
    noise = cast(kept, input.dtype) / share
    return input * cast(stretched(noise, tuple(input.shape)), input.dtype)


@operation(grad="AddBackward0")
def _masked_around_floor(input: Tensor, kept: Tensor, p: float) -> Tensor:
    """Dropped elements become the floor of `selu`; then all are scaled so that mean and variance stay.

    Source: Klambauer et al., "Self-normalizing neural networks", 2017.
    """
    _require_floating(input)
    scale = 1.0 / math.sqrt((_SELU_FLOOR * _SELU_FLOOR * p + 1) * (1 - p))
    noise = cast(kept, input.dtype)
    shift = (noise - 1) * (-_SELU_FLOOR * scale) + (-_SELU_FLOOR * scale * p)
    return input * stretched(noise * scale, tuple(input.shape)) + shift


@operation(grad="MulBackward0")
def _silenced(input: Tensor) -> Tensor:
    return input * 0.0


def _require_floating(input: Tensor) -> None:
    if input.dtype.category < FLOAT:
        raise DTypeError(f"dropout: result type Float can't be cast to {input._spec.type}. Fix: x.float().")


def _drawn(input: Tensor, p: float) -> Tensor:
    """Which elements stay. As PyTorch, drawn in the order in which the elements lie in memory."""
    shape = tuple(input._spec.shape)
    if input._meta:
        return of_shape(shape, bool_)
    order = _memory_order(input) if input._spec.order is not None else None
    if order is None:
        return from_array(default_generator.bernoulli(shape, 1 - p))
    laid = default_generator.bernoulli(tuple(shape[axis] for axis in order), 1 - p)
    return from_array(np.ascontiguousarray(laid.transpose(np.argsort(order))))


def _memory_order(input: Tensor) -> tuple[int, ...] | None:
    """The axes, outermost first, of a tensor that fills its memory in another order than its own; else None."""
    strides = strides_of(input)
    order = tuple(sorted(range(len(strides)), key=lambda axis: -strides[axis]))
    expected = 1
    for axis in reversed(order):
        if input.shape[axis] != 1 and strides[axis] != expected:
            return None
        expected *= input.shape[axis]
    return order


def _drawn_for_channels(input: Tensor, p: float) -> Tensor:
    """Which channels (axis 1) of which samples stay."""
    shape = tuple(input._spec.shape)
    if len(shape) < 2:
        raise ShapeError(
            "Feature dropout requires at least 2 dimensions in the input. Fix: unsqueeze(0) the input, or use dropout."
        )
    sizes: Shape = (*shape[:2], *[1] * (len(shape) - 2))
    return of_shape(sizes, bool_) if input._meta else from_array(default_generator.bernoulli(sizes, 1 - p))


def _dropped(
    input: Tensor,
    p: float,
    training: bool,
    inplace: bool,
    draw: Callable[[Tensor, float], Tensor],
    around_floor: bool = False,
) -> Tensor:
    """The input with what `draw` chooses silenced.

    Raises:
        ArgumentError: p is no probability.
    """
    try:
        require_probability(p)
        if not training or p == 0 or not count(input._spec.shape):
            return input
    except (AttributeError, TypeError):
        check_arguments("dropout", {"input": "Tensor", "p": "float"}, [("input", input), ("p", p)])
        raise
    if p == 1:
        result = _silenced(input)
    elif around_floor:
        result = _masked_around_floor(input, draw(input, p), p)
    else:
        result = _masked(input, draw(input, p), 1 - p)
    return assign(input, result) if inplace else result


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Elements silenced with probability p, the others divided by 1 - p. As `torch.nn.functional.dropout`.

    Raises:
        ArgumentError: p is no probability.

    Source: Hinton et al., "Improving neural networks by preventing co-adaptation of feature detectors", 2012.
    """
    return _dropped(input, p, training, inplace, _drawn)


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Elements set to the floor of `selu` with probability p; mean and variance stay.

    As `torch.nn.functional.alpha_dropout`.

    Raises:
        ArgumentError: p is no probability.
    """
    return _dropped(input, p, training, inplace, _drawn, around_floor=True)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Channels (axis 1) set to the floor of `selu` with probability p; mean and variance stay.

    As `torch.nn.functional.feature_alpha_dropout`.

    Raises:
        ArgumentError: p is no probability.
        ShapeError: the input has fewer than 2 axes.
    """
    return _dropped(input, p, training, inplace, _drawn_for_channels, around_floor=True)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Channels silenced with probability p, the others divided by 1 - p. As `torch.nn.functional.dropout1d`.

    Shapes:
        input f32[batch, channels, length] or f32[channels, length]

    Raises:
        ArgumentError: p is no probability.
        ShapeError: the input has another number of axes.
    """
    rank = len(input._spec.shape)
    if rank not in (2, 3):
        raise ShapeError(
            f"dropout1d: Expected 2D or 3D input, but received a {rank}D input. Fix: use dropout, which silences "
            "elements, or dropout2d for images."
        )
    return _dropped_channels(input, p, training, inplace, rank == 3)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Channels silenced with probability p, the others divided by 1 - p. As `torch.nn.functional.dropout2d`.

    Shapes:
        input f32[batch, channels, height, width]; as PyTorch, f32[batch, channels, length] with a warning

    Raises:
        ArgumentError: p is no probability.

    Source: Tompson et al., "Efficient object localization using convolutional networks", 2015.
    """
    rank = len(input._spec.shape)
    if rank != 4:
        reads = "takes as [batch, channels, length]. Fix: use dropout1d." if rank == 3 else "does not expect."
        warnings.warn(f"dropout2d: Received a {rank}-D input to dropout2d, which it {reads}", stacklevel=2)
    return _dropped_channels(input, p, training, inplace, True)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Channels silenced with probability p, the others divided by 1 - p. As `torch.nn.functional.dropout3d`.

    Shapes:
        input f32[batch, channels, depth, height, width] or f32[channels, depth, height, width]

    Raises:
        ArgumentError: p is no probability.
    """
    rank = len(input._spec.shape)
    if rank not in (4, 5):
        warnings.warn(f"dropout3d: Received a {rank}-D input to dropout3d, which it does not expect.", stacklevel=2)
    return _dropped_channels(input, p, training, inplace, rank == 5)


def _dropped_channels(input: Tensor, p: float, training: bool, inplace: bool, batched: bool) -> Tensor:
    if batched:
        return _dropped(input, p, training, inplace, _drawn_for_channels)
    return _dropped(input.unsqueeze(0), p, training, inplace, _drawn_for_channels).squeeze(0)


__all__ = [
    "alpha_dropout", "dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout",
]  # fmt: skip
