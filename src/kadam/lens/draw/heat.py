"""Arrays as pictures: blue for positive, orange and hatched for negative, the stronger the larger."""

from __future__ import annotations

import base64
import struct
import zlib
from dataclasses import dataclass

import numpy as np

from kadam.ir.primitive import Array

POSITIVE, NEGATIVE = (37, 99, 201), (217, 96, 26)
LEVELS = 15  # shades of each sign
CELL = 4  # pixels
GRID = (4, 6)  # rows and columns up to which the numbers themselves are shown
_TILES = 16  # filters or images that stand side by side


@dataclass(frozen=True)
class Heat:
    """A picture of an array.

    Attributes:
        rows, columns: cells of it.
        data: a PNG, as a data address.
        largest: the absolute value that has the full colour.
    """

    rows: int
    columns: int
    data: str
    largest: float


def fits_grid(array: Array) -> bool:
    """Whether an array is so small that its numbers can be read."""
    rows, columns = flat(array).shape
    return bool(0 < rows <= GRID[0] and 0 < columns <= GRID[1])


def flat(array: Array) -> Array:
    """An array as rows and columns: images and filters side by side, what else has many axes by its last one."""
    array = np.asarray(array)
    if array.ndim <= 1:
        return array.reshape(1, -1)
    if array.ndim == 2:
        return array
    if array.ndim == 4 and min(array.shape[2:]) > 1:
        tiles = array[:_TILES, 0]
        across = int(np.ceil(np.sqrt(len(tiles))))
        padded = np.zeros((-(-len(tiles) // across) * across, tiles.shape[1] + 1, tiles.shape[2] + 1))
        padded[: len(tiles), :-1, :-1] = tiles
        rows = padded.reshape(-1, across, *padded.shape[1:]).swapaxes(1, 2)
        return rows.reshape(rows.shape[0] * rows.shape[1], -1)[:-1, :-1]
    return array.reshape(array.shape[0], -1) if array.shape[0] > 1 else flat(array[0])


def heat(array: Array, rows: int = 24, columns: int = 40) -> Heat:
    """A picture of at most so many cells; larger arrays are averaged."""
    with np.errstate(all="ignore"):
        cells = _shrunk(flat(array).astype(np.float64), rows, columns)
    known = np.where(np.isfinite(cells), cells, 0.0)
    largest = float(np.abs(known).max(initial=0.0))
    shades = np.rint(known / largest * LEVELS).astype(int) if largest > 0 else np.zeros(known.shape, int)
    pixels = np.kron(shades, np.ones((CELL, CELL), int))
    y, x = np.indices(pixels.shape)
    hatched = (pixels < 0) & ((x + y) % CELL == 0)
    pixels = np.where(hatched, pixels // 3, pixels)
    data = _png(np.where(pixels < 0, LEVELS - pixels, pixels).astype(np.uint8))
    return Heat(known.shape[0], known.shape[1], data, largest)


def _shrunk(cells: Array, rows: int, columns: int) -> Array:
    for axis, most in ((0, rows), (1, columns)):
        size = cells.shape[axis]
        if size > most:
            edges = np.linspace(0, size, most + 1).astype(int)[:-1]
            counts = np.diff([*edges, size])
            sums = np.add.reduceat(cells, edges, axis=axis)
            cells = sums / (counts[:, None] if axis == 0 else counts)
    return cells


def strip(shares: Array) -> str:
    """Shares between 0 and 1, side by side, as a row of shades; what is no number is clear."""
    known = np.where(np.isfinite(shares), np.clip(shares, 0.0, 1.0), -1.0)
    return _png(np.rint((known * 0.93 + 0.07) * LEVELS).clip(0, LEVELS).astype(np.uint8).reshape(1, -1))


def _png(pixels: Array) -> str:
    """Indexed pixels: 0 is clear, then the shades of positive, then those of negative values."""
    height, width = pixels.shape
    shades = [0, *(255 * level // LEVELS for level in range(1, LEVELS + 1))]
    opacity = bytes([*shades, *shades[1:]])
    palette = bytes([*POSITIVE] * (LEVELS + 1) + [*NEGATIVE] * LEVELS)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", palette),
        (b"tRNS", opacity),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    ]
    chunks = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in parts
    ]
    encoded = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(chunks)).decode()
    return f"data:image/png;base64,{encoded}"
