"""Images read at places that a grid of coordinates points to: affine grids, and sampling."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from kadam import dtypes
from kadam.dtypes import dtype
from kadam.errors import ShapeError, UndefinedError
from kadam.ir.builder import current_builder
from kadam.nn.functional.interpolation import cubic_weight
from kadam.ops.arithmetic import abs, fmod, remainder
from kadam.ops.combine import stack
from kadam.ops.compare import where
from kadam.ops.creation import linspace
from kadam.ops.pointwise import clamp, floor, round
from kadam.ops.promotion import constant
from kadam.ops.require import ArgumentError, require_floating, require_one_type
from kadam.primitives.contract import Dot
from kadam.primitives.index import Index
from kadam.primitives.move import Permute
from kadam.primitives.sources import Iota
from kadam.recording.calls import emit, symbol
from kadam.recording.memory import covered
from kadam.recording.operation import operation
from kadam.recording.tensor import from_array, read
from kadam.shapes import count

if TYPE_CHECKING:
    from kadam.tensor import Tensor

_MODES, _PADDINGS = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")
_CUBIC = -0.75
Tap = tuple["Tensor", "Tensor | None"]  # places along an axis, and how much they weigh


def _aligned(name: str, align_corners: bool | None) -> bool:
    """Whether the corners are aligned; where it is not said, PyTorch warns and takes them not to be."""
    if align_corners is None:
        warnings.warn(
            f"Default {name} behavior has changed to align_corners=False since 1.3.0. Please specify "
            "align_corners=True if the old behavior is desired.",
            stacklevel=3,
        )
    return bool(align_corners)


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The coordinates of a regular grid, mapped by an affine map of each sample. As `torch.nn.functional.affine_grid`.

    Shapes:
        theta f32[batch, 2, 3], size [batch, channels, height, width] -> f32[batch, height, width, 2]; or
        theta f32[batch, 3, 4], size [batch, channels, depth, height, width] -> f32[batch, depth, height, width, 3]

    Args:
        theta: the maps.
        size: of the images that are to be sampled.
        align_corners: whether -1 and 1 are the centres of the corner elements, instead of their outer edges.

    Raises:
        ArgumentError, ShapeError: the maps do not fit the size.
        UndefinedError: the size is neither of images nor of volumes.
    """
    require_floating("affine_grid", theta)
    axes = len(size) - 2
    if axes not in (2, 3):
        raise UndefinedError(
            f"affine_grid only supports 4D and 5D sizes. Got size {tuple(size)}. Fix: size=(batch, channels, height, "
            "width)."
        )
    if tuple(theta.shape[1:]) != (axes, axes + 1):
        raise ArgumentError(
            f"affine_grid: Expected a batch of {axes}D affine matrices of shape Nx{axes}x{axes + 1} for size "
            f"{tuple(size)}. Got {theta.shape}. Fix: reshape theta to [{size[0]}, {axes}, {axes + 1}]."
        )
    if theta.shape[0] != size[0]:
        raise ShapeError(
            f"affine_grid: {theta.shape[0]} affine matrices for {size[0]} samples. Fix: theta.expand({size[0]}, -1, "
            "-1)."
        )
    if min(size) <= 0:
        raise ArgumentError(
            f"affine_grid: Expected non-zero, positive output size. Got {tuple(size)}. Fix: give sizes of at least 1."
        )
    is_aligned = _aligned("grid_sample and affine_grid", align_corners)
    return _affine_grid(theta, [_line(length, is_aligned, theta.dtype) for length in size[2:]])


@operation(grad="AffineGridGeneratorBackward0")
def _affine_grid(theta: Tensor, lines: Sequence[Tensor]) -> Tensor:
    sizes = tuple(line.shape[0] for line in lines)
    axes = [line.reshape(-1, *[1] * (len(sizes) - 1 - axis)).expand(sizes) for axis, line in enumerate(lines)]
    points = stack([*axes[::-1], constant(1, theta.dtype, sizes)], -1)
    moved = emit(Dot((), (), (len(sizes),), (2,)), points, theta)
    return emit(Permute((len(sizes), *range(len(sizes)), len(sizes) + 1)), moved)


@cache
def _line(size: int, align_corners: bool, record: dtype) -> Tensor:
    """Coordinates from -1 to 1 along one axis of a grid, to the last bit: whether they lie on elements shows in
    gradients."""
    ends = read(linspace(-1, 1, size, dtype=record)) if size > 1 else np.zeros(1, record.numpy)
    return from_array(ends if align_corners else (ends * (size - 1) / size).astype(record.numpy))


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """An image read at the places that a grid points to. As `torch.nn.functional.grid_sample`.

    Shapes:
        input f32[batch, channels, height, width], grid f32[batch, rows, columns, 2] -> f32[batch, channels, rows,
        columns]; or with one axis more, and 3 coordinates

    Args:
        input: the image.
        grid: coordinates (x, y) or (x, y, z), each between -1 and 1 inside the image.
        mode: "bilinear" (of volumes it is trilinear), "nearest" or, of images, "bicubic".
        padding_mode: what is outside: "zeros", the "border", or the image's "reflection".
        align_corners: whether -1 and 1 are the centres of the corner elements, instead of their outer edges.

    Raises:
        ArgumentError: another mode.
        ShapeError: the shapes do not fit.
    """
    if mode not in _MODES:
        raise ArgumentError(
            f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'. "
            "Fix: mode='bilinear'."
        )
    if padding_mode not in _PADDINGS:
        raise ArgumentError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: "
            f"'{padding_mode}'. Fix: padding_mode='zeros'."
        )
    return _sampled(input, grid, mode, padding_mode, _aligned("grid_sample and affine_grid", align_corners))


@operation
def _sampled(input: Tensor, grid: Tensor, mode: str, padding_mode: str, align_corners: bool) -> Tensor:
    axes = _check_grid(input, grid, mode)
    require_one_type("grid_sample", input, grid)
    lines = [
        _Line(input.shape[2 + axis], padding_mode, align_corners, grid.select(-1, axes - 1 - axis))
        for axis in range(axes)
    ]
    places = tuple(grid.shape[:-1])
    sample = symbol(current_builder().emit(Iota(places, 0, dtypes.int64)))
    result, *rest = [_read(input, sample, taps, lines) for taps in product(*[line.taps(mode) for line in lines])]
    for part in rest:
        result = result + part
    moved = emit(Permute((0, axes + 1, *range(1, axes + 1))), result)
    moved._tag = f"GridSampler{axes}DBackward0"
    return moved


class _Line:
    """Coordinates along one axis of the input."""

    def __init__(self, size: int, padding_mode: str, align_corners: bool, coordinate: Tensor) -> None:
        self.size, self.padding_mode, self.align_corners = size, padding_mode, align_corners
        if align_corners:
            self.place = (coordinate + 1) * ((size - 1) / 2)
        else:
            self.place = ((coordinate + 1) * size - 1) * 0.5

    def taps(self, mode: str) -> list[Tap]:
        """In a body: the elements that count at each place, and their weights."""
        if mode == "nearest":
            place = round(self.inside(self.place)).detach()
            return [(place, covered(self.place, constant(1, place.dtype, tuple(place.shape))))]
        if mode == "bilinear":
            place = self.inside(self.place)
            before = floor(place).detach()
            return [(before, 1 - (place - before)), (before + 1, place - before)]
        before = floor(self.place).detach()
        rest = self.place - before
        return [(self.inside(before + tap), cubic_weight(abs(rest - tap), _CUBIC)) for tap in (-1, 0, 1, 2)]

    def inside(self, place: Tensor) -> Tensor:
        """In a body: a place put back into the image, as the padding mode says."""
        if self.padding_mode == "reflection":
            place = self._reflected(place)
        if self.padding_mode == "zeros":
            return place
        most = self.size - 1
        return where(place <= 0, 0.0, where(place >= most, float(most), place))

    def _reflected(self, place: Tensor) -> Tensor:
        """In a body: a place mirrored at both borders as often as it takes."""
        low, span = (0.0, self.size - 1.0) if self.align_corners else (-0.5, float(self.size))
        if span == 0:
            return place * 0.0
        away = abs(place - low)
        extra = fmod(away, span)
        turned = remainder(floor(away / span).detach(), 2) == 1
        return where(turned, span - extra, extra) + low

    def within(self, place: Tensor) -> Tensor | None:
        """In a body: whether a place is in the image; None where it always is."""
        return (place >= 0) & (place <= self.size - 1) if self.padding_mode == "zeros" else None


def _read(input: Tensor, sample: Tensor, taps: Sequence[Tap], lines: Sequence[_Line]) -> Tensor:
    """In a body: the elements at places, times their weights, and zeros outside; the channels last."""
    indices, weight, within = [sample], None, None
    for (place, share), line in zip(taps, lines, strict=True):
        indices.append(clamp(place, 0, line.size - 1).to(dtypes.int64))
        seen = line.within(place)
        within = seen if within is None or seen is None else within & seen
        weight = share if weight is None or share is None else weight * share
    axes = (0, *range(2, len(indices) + 1))
    part = emit(Index(axes, False), input, *indices)
    if weight is not None:
        part = part * weight.unsqueeze(-1)
    return part if within is None else where(within.unsqueeze(-1), part, 0.0)


def _check_grid(input: Tensor, grid: Tensor, mode: str) -> int:
    """How many spatial axes there are.

    Raises:
        ShapeError: the shapes do not fit.
        UndefinedError: bicubic sampling of volumes.
    """
    axes = len(input.shape) - 2
    if axes not in (2, 3) or len(grid.shape) != len(input.shape):
        raise ShapeError(
            "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but got input with "
            f"sizes {list(input.shape)} and grid with sizes {list(grid.shape)}. Fix: input [batch, channels, height, "
            "width] with grid [batch, height, width, 2]."
        )
    if grid.shape[0] != input.shape[0] or grid.shape[-1] != axes:
        raise ShapeError(
            f"grid_sampler(): expected grid to have batch size {input.shape[0]} and {axes} coordinates in its last "
            f"dimension, but got grid with sizes {list(grid.shape)}. Fix: lay the grid out as [{input.shape[0]}, ..., "
            f"{axes}]."
        )
    if not count(input.shape[2:]):
        raise ShapeError(
            f"grid_sampler(): expected input to have non-empty spatial dimensions, got {list(input.shape)}. Fix: check "
            "the layer before it: one of its axes came out empty."
        )
    if mode == "bicubic" and axes != 2:
        raise UndefinedError("grid_sampler(): bicubic interpolation only supports 4D input. Fix: mode='bilinear'.")
    return axes


__all__ = ["affine_grid", "grid_sample"]
