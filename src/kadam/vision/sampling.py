"""Images of another size or turned: what colour each new pixel has."""

from __future__ import annotations

import math

import numpy as np

from kadam.vision.images import Array


def resized(pixels: Array, height: int, width: int, smooth: bool) -> Array:
    """Pixels [..., h, w, c] on another grid; `smooth` means over triangles as wide as the coarser grid's cells."""
    if not smooth:
        rows = _nearest(pixels.shape[-3], height)
        columns = _nearest(pixels.shape[-2], width)
        return np.asarray(pixels[..., rows, :, :][..., columns, :])
    down = _weights(pixels.shape[-3], height)
    across = _weights(pixels.shape[-2], width)
    mixed = np.einsum("ih,...hwc->...iwc", down, pixels.astype(np.float64))
    mixed = np.einsum("jw,...iwc->...ijc", across, mixed)
    return as_type(mixed, pixels)


def _nearest(size: int, wanted: int) -> Array:
    return np.asarray(np.minimum(np.floor(np.arange(wanted) * (size / wanted)).astype(np.int64), size - 1))


def _weights(size: int, wanted: int) -> Array:
    """For each new place, how much each old one counts: f64[wanted, size]."""
    scale = size / wanted
    reach = max(scale, 1.0)
    centres = (np.arange(wanted)[:, None] + 0.5) * scale
    distance = np.abs(np.arange(size)[None, :] + 0.5 - centres) / reach
    weights = np.maximum(1 - distance, 0)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(weights)


def turned(pixels: Array, angle: float, smooth: bool, centre: tuple[float, float] | None, fill: float) -> Array:
    """Pixels [..., h, w, c] turned counter-clockwise by an angle in degrees; `fill` where nothing was."""
    height, width = pixels.shape[-3:-1]
    middle, level = centre or (width * 0.5, height * 0.5)
    y, x = np.mgrid[:height, :width] + 0.5
    turn = math.radians(angle)
    cosine, sine = math.cos(turn), math.sin(turn)
    from_x = cosine * (x - middle) - sine * (y - level) + middle - 0.5
    from_y = sine * (x - middle) + cosine * (y - level) + level - 0.5
    if not smooth:
        return _picked(pixels, np.floor(from_y + 0.5).astype(int), np.floor(from_x + 0.5).astype(int), fill)
    top, left = np.floor(from_y).astype(int), np.floor(from_x).astype(int)
    low, right = (from_y - top)[..., None], (from_x - left)[..., None]
    parts = [
        down * across * _picked(pixels, top + below, left + beside, fill)
        for below, down in ((0, 1 - low), (1, low))
        for beside, across in ((0, 1 - right), (1, right))
    ]
    return as_type(np.sum(parts, axis=0), pixels)


def _picked(pixels: Array, rows: Array, columns: Array, fill: float) -> Array:
    height, width = pixels.shape[-3:-1]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    found = pixels[..., rows.clip(0, height - 1), columns.clip(0, width - 1), :]
    return np.where(inside[..., None], found, np.asarray(fill, pixels.dtype))


def as_type(values: Array, pixels: Array) -> Array:
    """Computed values in the type of the pixels that they came from, rounded if those are whole numbers."""
    if pixels.dtype.kind in "ui":
        values = np.floor(values + 0.5).clip(0, np.iinfo(pixels.dtype).max)
    return values.astype(pixels.dtype)
