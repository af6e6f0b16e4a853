"""Max pooling over windows of one size whose places are drawn, so that the result may have any size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kadam import dtypes
from kadam.errors import DTypeError, ShapeError
from kadam.ir.builder import current_builder
from kadam.nn.functional.pooling import picked_by_plane
from kadam.nn.functional.spatial import Sizes, per_axis
from kadam.ops.compare import where
from kadam.ops.gather import gather
from kadam.ops.promotion import constant, stretched
from kadam.ops.random import rand
from kadam.ops.reduce import argmax
from kadam.ops.require import ArgumentError, require_floating
from kadam.primitives.sources import Iota
from kadam.recording.calls import symbol
from kadam.recording.operation import operation
from kadam.recording.precision import listed
from kadam.shapes import Shape, count

if TYPE_CHECKING:
    from kadam.tensor import Tensor


@listed("fractional_max_pool2d")
def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """The maxima of windows at random places of the last two axes. As `torch.nn.functional.fractional_max_pool2d`.

    Args:
        input: f32[batch, channels, height, width] or without batch.
        kernel_size: size of a window.
        output_size: how many windows each axis has.
        output_ratio: how many windows each axis has for each of its elements, less than 1; where no size is given.
        return_indices: whether the maxima's positions in their planes are returned too.
        _random_samples: f32[batch, channels, 2], between 0 and 1, that decide on the places; drawn by default.

    Raises:
        ArgumentError: neither size nor ratio is given.
        ShapeError: the shapes do not fit.

    Source: Graham, "Fractional max-pooling", 2014.
    """
    return _pooled(2, input, kernel_size, output_size, output_ratio, return_indices, _random_samples)


@listed("fractional_max_pool3d")
def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """The maxima of windows at random places of the last three axes; see `fractional_max_pool2d`."""
    return _pooled(3, input, kernel_size, output_size, output_ratio, return_indices, _random_samples)


def _pooled(
    axes: int,
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None,
    output_ratio: float | Sequence[float] | None,
    return_indices: bool,
    samples: Tensor | None,
) -> Any:
    name = f"fractional_max_pool{axes}d"
    if output_size is None and output_ratio is None:
        raise ArgumentError(
            f"{name} requires specifying either an output_size or an output_ratio. Fix: give exactly one of the two, "
            "for example output_ratio=0.5."
        )
    require_floating(name, input)
    if len(input.shape) not in (axes + 1, axes + 2) or 0 in input.shape[-axes - 1 :]:
        raise ShapeError(
            f"{name}: Expected {axes + 1}D or {axes + 2}D tensor, but got: {list(input.shape)}. Fix: reshape to "
            f"[batch, channels, *{axes} spatial axes]."
        )
    sizes = tuple(input.shape[-axes:])
    if output_size is not None:
        windows = per_axis(name, "output_size", output_size, axes)
    else:
        ratios = tuple(output_ratio) if isinstance(output_ratio, Sequence) else (output_ratio,) * axes
        windows = tuple(int(size * ratio) for size, ratio in zip(sizes, ratios, strict=True))
    kernel = per_axis(name, "kernel_size", kernel_size, axes)
    for size, taps, number in zip(sizes, kernel, windows, strict=True):
        if number < 1 or taps < 1 or number + taps - 1 > size:
            raise ShapeError(
                f"{name}: {number} windows of {taps} elements do not fit an axis of {size}. Fix: shrink the kernel or "
                "the output size."
            )
    if samples is None:
        batch = input.shape[0] if len(input.shape) == axes + 2 else 1
        samples = rand(batch, input.shape[-axes - 1], axes, dtype=input.dtype)
    elif samples.dtype is not input.dtype:
        raise DTypeError(
            f"{name}: Expect _random_samples to have the same dtype as input: {samples.dtype} and {input.dtype}. Fix: "
            "leave _random_samples out."
        )
    call = _fractional_max_pool2d if axes == 2 else _fractional_max_pool3d
    return call(input, samples, kernel, windows, return_indices)


@operation(grad="FractionalMaxPool2DBackward0")
def _fractional_max_pool2d(
    input: Tensor, samples: Tensor, kernel: tuple[int, ...], windows: tuple[int, ...], return_indices: bool
) -> Any:
    return _pooled_at(input, [samples[..., 1], samples[..., 0]], kernel, windows, return_indices)


@operation(grad="FractionalMaxPool3DBackward0")
def _fractional_max_pool3d(
    input: Tensor, samples: Tensor, kernel: tuple[int, ...], windows: tuple[int, ...], return_indices: bool
) -> Any:
    return _pooled_at(input, [samples[..., axis] for axis in range(3)], kernel, windows, return_indices)


def _pooled_at(input: Tensor, samples: list[Tensor], kernel: Shape, windows: Shape, return_indices: bool) -> Any:
    """In a body: the maxima, and where they stand in their planes; one sample per axis, [batch, channels]."""
    axes = len(kernel)
    lead, sizes = tuple(input.shape[:-axes]), tuple(input.shape[-axes:])
    shape = (*lead, *windows, *kernel)
    position = constant(0, dtypes.int64)
    for axis, (size, taps, number) in enumerate(zip(sizes, kernel, windows, strict=True)):
        sample = samples[axis] if len(lead) == 2 else samples[axis][0]  # without a batch, the first one's
        start = _starts(sample, size, taps, number)
        start = start.reshape(*lead, *(number if one == axis else 1 for one in range(2 * axes)))
        within = symbol(current_builder().emit(Iota(shape, len(lead) + axes + axis, dtypes.int64)))
        position = position * size + start + within
    places = position.reshape(*lead, *windows, count(kernel))
    flat = input.detach().reshape(*lead, count(sizes))
    candidates = gather(flat, -1, places.reshape(*lead, count(windows) * count(kernel))).reshape(places.shape)
    winner = gather(places, -1, argmax(candidates, -1, True)).squeeze(-1)
    values = picked_by_plane(input, winner, axes)
    return (values, winner) if return_indices else values


def _starts(sample: Tensor, size: int, taps: int, number: int) -> Tensor:
    """In a body: where the windows of one axis begin, i64[..., number]: drawn steps, and the last one at the end."""
    place = symbol(current_builder().emit(Iota((number,), 0, sample.dtype)))
    if number == 1:
        return stretched(constant(size - taps, dtypes.int64), (*sample.shape, 1))
    step = constant((size - taps) / (number - 1), sample.dtype)
    shift = sample.unsqueeze(-1)
    drawn = ((place + shift) * step).to(dtypes.int64) - (shift * step).to(dtypes.int64)
    return where(place == number - 1, size - taps, drawn)


__all__ = ["fractional_max_pool2d", "fractional_max_pool3d"]
