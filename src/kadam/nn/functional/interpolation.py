"""Images made larger or smaller: each new element is a weighted mean of the old ones around its place."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kadam import dtypes
from kadam.dtypes import dtype
from kadam.errors import ShapeError, UndefinedError
from kadam.ir.builder import current_builder
from kadam.nn.functional.adaptive_pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from kadam.ops.arithmetic import abs
from kadam.ops.compare import where
from kadam.ops.pointwise import clamp, floor, sinc
from kadam.ops.require import ArgumentError, require_floating
from kadam.primitives.broadcast import Broadcast
from kadam.primitives.contract import Dot
from kadam.primitives.index import Index
from kadam.primitives.move import Permute, Reshape
from kadam.primitives.sources import Iota
from kadam.recording.calls import emit, symbol
from kadam.recording.operation import operation
from kadam.recording.order import as_input
from kadam.shapes import Shape

if TYPE_CHECKING:
    from kadam.tensor import Tensor

Factors = tuple[float | None, ...]

_AXES = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}
_NAMES = {"nearest": "Nearest", "nearest-exact": "NearestExact", "bicubic": "Bicubic"}
_MODES = "nearest | linear | bilinear | bicubic | trilinear | lanczos | area | nearest-exact"
_CUBIC, _SMOOTH_CUBIC = -0.75, -0.5  # the slope of the cubic at 1, without and with antialiasing


def interpolate(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """An image, signal or volume of another size. As `torch.nn.functional.interpolate`.

    Shapes:
        input f32[batch, channels, ...] with 1, 2 or 3 spatial axes

    Args:
        input: the image.
        size: of the result's spatial axes.
        scale_factor: by which they grow.
        mode: "nearest", "nearest-exact", "linear", "bilinear", "trilinear", "bicubic", "lanczos" or "area".
        align_corners: whether the centres of the corner elements stay in place, instead of their outer edges.
        recompute_scale_factor: whether the factor is computed again from the sizes.
        antialias: whether the mean extends over all that a new element covers, when the image becomes smaller.

    Raises:
        ValueError: neither or both of size and factor are given, or options exclude each other.
        UndefinedError: the mode does not exist for so many axes.
        ShapeError: a size is not positive.
    """
    axes = len(input.shape) - 2
    _check_options(input, mode, align_corners, antialias)
    if recompute_scale_factor and size is not None:
        raise ArgumentError(
            "interpolate: recompute_scale_factor is not meaningful with an explicit size. Fix: leave it out, or give "
            "scale_factor instead of size."
        )
    sizes, factors = _target(input, size, scale_factor)
    if recompute_scale_factor:
        factors = (None,) * axes
    if min(sizes) < 1 or min(input.shape[2:]) < 1:
        raise ShapeError(
            f"interpolate: Input and output sizes should be greater than 0, but got input {list(input.shape[2:])} "
            f"output {list(sizes)}. Fix: give a larger size or scale_factor."
        )
    if mode == "area":
        return (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)[axes - 1](input, sizes)
    if antialias:
        return smoothed(input, sizes, factors, mode, bool(align_corners))
    return _resized(input, sizes, factors, mode, bool(align_corners))


def upsample(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """`interpolate` under its old name. As `torch.nn.functional.upsample`."""
    warnings.warn("`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2)
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(
    input: Tensor, size: int | Sequence[int] | None = None, scale_factor: float | Sequence[float] | None = None
) -> Tensor:
    """`interpolate` by the nearest element. As `torch.nn.functional.upsample_nearest`."""
    return interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(
    input: Tensor, size: int | Sequence[int] | None = None, scale_factor: float | Sequence[float] | None = None
) -> Tensor:
    """`interpolate` of images, linear, with their corners in place. As `torch.nn.functional.upsample_bilinear`."""
    return interpolate(input, size, scale_factor, "bilinear", align_corners=True)


def _check_options(input: Tensor, mode: str, align_corners: bool | None, antialias: bool) -> None:
    rank = len(input.shape)
    if align_corners is not None and mode in ("nearest", "area", "nearest-exact"):
        raise ArgumentError(
            "interpolate: align_corners option can only be set with the interpolating modes: linear | bilinear | "
            "bicubic | trilinear. Fix: leave align_corners out."
        )
    if antialias and not (mode in ("bilinear", "bicubic", "lanczos") and rank == 4):
        raise ArgumentError(
            "interpolate: Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D "
            "tensor as input. Fix: antialias=False."
        )
    wanted = _AXES.get(mode)
    if wanted is not None and rank in (3, 4, 5) and rank != wanted + 2:
        raise UndefinedError(
            f"interpolate: Got {rank}D input, but {mode} mode needs {wanted + 2}D input. Fix: unsqueeze() the input to "
            "[batch, channels, ...], or choose the mode of its axes."
        )
    known = wanted is not None or mode in ("nearest", "nearest-exact", "area") or (mode == "lanczos" and antialias)
    if rank not in (3, 4, 5) or not known:
        fix = "unsqueeze() the input to [batch, channels, ...]" if known else "mode='nearest', or another of these"
        raise UndefinedError(
            f"interpolate: Input Error: Only 3D, 4D and 5D input Tensors supported (got {rank}D) for the modes: "
            f"{_MODES} (got {mode}). Fix: {fix}."
        )


def _target(
    input: Tensor, size: int | Sequence[int] | None, scale_factor: float | Sequence[float] | None
) -> tuple[Shape, Factors]:
    """The sizes of the result, and the factors where they were given.

    Raises:
        ValueError: neither or both are given, or not one for each axis.
    """
    axes = len(input.shape) - 2
    if size is not None and scale_factor is not None:
        raise ArgumentError(
            "interpolate: only one of size or scale_factor should be defined. Fix: leave one of the two out."
        )
    given = scale_factor if size is None else size
    if given is None:
        raise ArgumentError(
            "interpolate: either size or scale_factor should be defined. Fix: scale_factor=2, or size=(height, width)."
        )
    each = tuple(given) if isinstance(given, Sequence) else (given,) * axes
    if len(each) != axes:
        raise ArgumentError(
            "interpolate: Input and output must have the same number of spatial dimensions, but got input with "
            f"spatial dimensions of {list(input.shape[2:])} and {'scale_factor' if size is None else 'output size'} of "
            f"{given}. Fix: one entry for each of the axes {list(input.shape[2:])}."
        )
    if size is not None:
        return tuple(int(one) for one in each), (None,) * axes
    factors = tuple(float(one) for one in each)
    return tuple(math.floor(old * factor) for old, factor in zip(input.shape[2:], factors, strict=True)), factors


@operation(once=True, order=as_input)
def _resized(
    input: Tensor, sizes: tuple[int, ...], factors: tuple[float | None, ...], mode: str, align_corners: bool
) -> Tensor:
    if not (mode.startswith("nearest") and input.dtype is dtypes.uint8):
        require_floating("interpolate", input)
    result = input
    for axis, (size, factor) in enumerate(zip(sizes, factors, strict=True), start=2):
        along = _Axis(input.shape[axis], size, factor, align_corners, _precision(input.dtype))
        if mode == "bicubic":
            result = _cubic(result, axis, along)
        elif mode.startswith("nearest"):
            result = _nearest(result, axis, along, mode == "nearest-exact")
        else:
            result = _linear(result, axis, along)
    if result is input:
        result = input.clone()
    result._tag = f"Upsample{_NAMES.get(mode, mode.capitalize())}{len(sizes)}DBackward0"
    return result


def _precision(record: dtype) -> dtype:
    """The type in which places and weights are computed."""
    return dtypes.float64 if record is dtypes.float64 else dtypes.float32


class _Axis:
    """How the places of new elements correspond to those of old ones along one axis."""

    def __init__(self, old: int, new: int, factor: float | None, align_corners: bool, record: dtype) -> None:
        self.old, self.new, self.align_corners, self.record = old, new, align_corners, record
        kind = record.numpy.type
        if align_corners:
            step = kind(old - 1) / kind(new - 1) if new > 1 else kind(0)
        else:
            step = kind(1.0 / factor) if factor else kind(old) / kind(new)
        self.step = float(step)  # how far apart new elements are, in old ones; rounded as PyTorch does

    def new_places(self) -> Tensor:
        """In a body: 0, 1, 2 ..., one for each new element."""
        return symbol(current_builder().emit(Iota((self.new,), 0, self.record)))

    def source(self) -> Tensor:
        """In a body: where the new elements lie among the old ones."""
        places = self.new_places()
        return places * self.step if self.align_corners else (places + 0.5) * self.step - 0.5


def _taken(input: Tensor, axis: int, places: Tensor, along: _Axis) -> Tensor:
    """In a body: the old elements at (clamped) places."""
    index = clamp(places, 0, along.old - 1).to(dtypes.int64)
    return emit(Index((axis,), False), input, index)


def _weighted(parts: Tensor, axis: int, weights: Tensor) -> Tensor:
    """In a body: parts times a weight for each place of an axis."""
    return parts * weights.to(parts.dtype).reshape(-1, *(1,) * (len(parts.shape) - axis - 1))


def _nearest(input: Tensor, axis: int, along: _Axis, exact: bool) -> Tensor:
    offset = 0.5 if exact else 0.0
    if along.new % along.old == 0:
        times = along.new // along.old
        order = np.arange(along.new, dtype=along.record.numpy)
        found = np.floor((order + order.dtype.type(offset)) * order.dtype.type(along.step))
        if np.array_equal(np.minimum(found, along.old - 1), order // times):
            return _repeated(input, axis, times)
    places = along.new_places() + offset if exact else along.new_places()
    return _taken(input, axis, floor(places * along.step), along)


def _repeated(input: Tensor, axis: int, times: int) -> Tensor:
    """In a body: each element of an axis several times in a row."""
    shape = tuple(input.shape)
    if times == 1:
        return input
    apart = emit(Reshape((*shape[: axis + 1], 1, *shape[axis + 1 :])), input)
    several = emit(Broadcast((*shape[: axis + 1], times, *shape[axis + 1 :])), apart)
    return emit(Reshape((*shape[:axis], shape[axis] * times, *shape[axis + 1 :])), several)


def _linear(input: Tensor, axis: int, along: _Axis) -> Tensor:
    if along.old == along.new:
        return input
    source = clamp(along.source(), 0, along.old - 1)
    before = floor(source)
    weight = source - before
    left, right = _taken(input, axis, before, along), _taken(input, axis, before + 1, along)
    return _weighted(left, axis, 1 - weight) + _weighted(right, axis, weight)


def _cubic(input: Tensor, axis: int, along: _Axis) -> Tensor:
    source = along.source()
    before = floor(source)
    rest = source - before
    taps = [
        _weighted(_taken(input, axis, before + tap, along), axis, cubic_weight(abs(rest - tap), _CUBIC))
        for tap in (-1, 0, 1, 2)
    ]
    return taps[0] + taps[1] + taps[2] + taps[3]


def cubic_weight(distance: Tensor, a: float) -> Tensor:
    """In a body: the weight of an element at a distance below 2, by two cubics that meet smoothly at 1.

    Source: Keys, "Cubic convolution interpolation for digital image processing", 1981.
    """
    x = distance
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return where(x <= 1, near, where(x < 2, far, 0.0))


@operation(once=True)
def smoothed(
    input: Tensor, sizes: tuple[int, ...], factors: tuple[float | None, ...], mode: str, align_corners: bool
) -> Tensor:
    """Each new element as the mean over all old ones that it covers, by a product with a matrix of weights."""
    require_floating("interpolate", input)
    result = input
    for axis, (size, factor) in enumerate(zip(sizes, factors, strict=True), start=2):
        along = _Axis(input.shape[axis], size, factor, align_corners, _precision(input.dtype))
        weights = _smooth_weights(along, mode).to(input.dtype)
        product = emit(Dot((), (), (axis,), (1,)), result, weights)
        result = emit(Permute((0, 1, 3, 2) if axis == 2 else (0, 1, 2, 3)), product)
    result._tag = f"Upsample{mode.capitalize()}2DAaBackward0"
    return result


def _smooth_weights(along: _Axis, mode: str) -> Tensor:
    """In a body: f[new, old], how much each old element weighs in each new one; rows sum to 1."""
    shape = (along.new, along.old)
    new, old = (symbol(current_builder().emit(Iota(shape, axis, along.record))) for axis in (0, 1))
    distance = abs(old + 0.5 - (new + 0.5) * along.step) / max(along.step, 1.0)
    if mode == "bilinear":
        weights = clamp(1 - distance, 0)
    elif mode == "bicubic":
        weights = cubic_weight(distance, _SMOOTH_CUBIC)
    else:
        weights = where(distance < 3, sinc(distance) * sinc(distance / 3), 0.0)
    return weights / weights.sum(1, True)


__all__ = ["interpolate", "upsample", "upsample_bilinear", "upsample_nearest"]
