"""Images of other colours. Pixels are u8 from 0 to 255 or floating point from 0 to 1, [..., 3] or [..., 1]."""

from __future__ import annotations

import numpy as np

from kadam.vision.images import Array


def _top(pixels: Array) -> float:
    return 1.0 if pixels.dtype.kind == "f" else 255.0


def grey(pixels: Array) -> Array:
    """The luminance: 0.2989 r + 0.587 g + 0.114 b, in one channel."""
    if pixels.shape[-1] == 1:
        return pixels
    luminance: Array = pixels[..., :3] @ np.array([0.2989, 0.587, 0.114])
    return luminance.astype(pixels.dtype)[..., None]


def mixed(pixels: Array, other: Array | float, share: float) -> Array:
    """share pixels + (1 - share) other, kept within the range."""
    values = share * pixels.astype(np.float32) + (1.0 - share) * np.asarray(other, np.float32)
    return values.clip(0, _top(pixels)).astype(pixels.dtype)


def brightened(pixels: Array, factor: float) -> Array:
    """Between black (0), as it is (1) and brighter."""
    return mixed(pixels, 0.0, factor)


def contrasted(pixels: Array, factor: float) -> Array:
    """Between even grey (0), as it is (1) and more contrast."""
    luminance = grey(pixels).astype(np.float32)
    return mixed(pixels, luminance.mean(axis=(-3, -2, -1), keepdims=True), factor)


def saturated(pixels: Array, factor: float) -> Array:
    """Between grey (0), as it is (1) and more colourful."""
    return pixels if pixels.shape[-1] == 1 else mixed(pixels, grey(pixels), factor)


def tinted(pixels: Array, shift: float) -> Array:
    """Hues turned by a part of the circle of colours, -0.5 to 0.5.

    Source: Smith, "Color gamut transform pairs", 1978 (HSV).
    """
    if pixels.shape[-1] == 1:
        return pixels
    colours = pixels.astype(np.float32) / _top(pixels)
    value, least = colours.max(axis=-1), colours.min(axis=-1)
    spread = value - least
    safe = np.where(spread == 0, 1, spread)
    red, green, blue = ((value - colours[..., index]) / safe for index in range(3))
    hue = np.select(
        [colours[..., 0] == value, colours[..., 1] == value], [blue - green, 2.0 + red - blue], 4.0 + green - red
    )
    hue = np.where(spread == 0, 0, hue / 6.0 + shift) % 1.0
    saturation = spread / np.where(value == 0, 1, value)
    sector = np.floor(hue * 6.0)
    rest = hue * 6.0 - sector
    low, falling, rising = (
        (value * (1 - part)).clip(0, 1) for part in (saturation, saturation * rest, saturation * (1 - rest))
    )
    sectors = [sector % 6 == index for index in range(6)]
    turned = np.stack(
        [
            np.select(sectors, [value, falling, low, low, rising, value]),
            np.select(sectors, [rising, value, value, falling, low, low]),
            np.select(sectors, [low, low, rising, value, value, falling]),
        ],
        axis=-1,
    )
    scaled = turned if pixels.dtype.kind == "f" else np.floor(turned * 255.0 + 0.999)
    return scaled.astype(pixels.dtype)
