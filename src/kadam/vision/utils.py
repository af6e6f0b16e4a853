"""Pictures of tensors. As `torchvision.utils`."""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from kadam.ops.require import ArgumentError
from kadam.recording.tensor import Recorded, read
from kadam.tensor import Tensor
from kadam.vision.images import Array, Image, tensor_of


def make_grid(
    tensor: Any,
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """Many images in one, f32[3, height, width].

    Args:
        tensor: f32[batch, channels, height, width], or a list of images of one size.
        nrow: how many stand in a row.
        padding: pixels between them.
        normalize: whether values are shifted to lie between 0 and 1.
        value_range: what becomes 0 and 1; the least and the largest value by default.
        scale_each: whether each image has its own least and largest value.
        pad_value: of the pixels between them.
    """
    images = np.array(np.stack([read(one) for one in tensor]) if isinstance(tensor, list | tuple) else read(tensor))
    images = images.reshape(-1, *((1,) * max(3 - images.ndim, 0)), *images.shape[-3 if images.ndim > 2 else -2 :])
    if images.shape[1] == 1:
        images = np.repeat(images, 3, axis=1)
    if normalize:
        parts = images if scale_each else [images]
        for part in parts:
            low, high = value_range or (float(part.min()), float(part.max()))
            np.clip(part, low, high, out=part)
            part -= np.asarray(low, part.dtype)
            part /= np.asarray(max(high - low, 1e-5), part.dtype)
    if len(images) == 1 and isinstance(tensor, Recorded):
        return tensor_of(images[0])
    return tensor_of(_in_rows(images, nrow, padding, pad_value))


def _in_rows(images: Array, nrow: int, padding: int, pad_value: float) -> Array:
    count, channels, height, width = images.shape
    columns = min(nrow, count)
    rows = math.ceil(count / columns)
    height, width = height + padding, width + padding
    grid = np.full((channels, height * rows + padding, width * columns + padding), pad_value, images.dtype)
    for index, image in enumerate(images):
        top, left = (index // columns) * height + padding, (index % columns) * width + padding
        grid[:, top : top + height - padding, left : left + width - padding] = image
    return grid


def save_image(tensor: Any, fp: str | Path | BinaryIO, format: str | None = None, **options: Any) -> None:
    """Write images, values from 0 to 1, to a picture file: PNG, or what Pillow knows.

    Args:
        tensor: see `make_grid`, as are the options.
        fp: a path or a file.
        format: of the file; by default as its name says.

    Raises:
        ArgumentError: Pillow is not installed and the format is not PNG.
    """
    grid = read(make_grid(tensor, **options))
    pixels = np.moveaxis((grid * 255 + 0.5).clip(0, 255), 0, -1).astype(np.uint8)
    if Image is not None:
        Image.fromarray(pixels).save(fp, format=format)
        return
    kind = format or (Path(fp).suffix[1:] if isinstance(fp, str | Path) else "png")
    if kind.lower() != "png":
        raise ArgumentError(f"save_image: without Pillow, pictures are PNG files, not {kind}. Fix: pip install pillow.")
    if isinstance(fp, str | Path):
        Path(fp).write_bytes(png(pixels))
    else:
        fp.write(png(pixels))


def png(pixels: Array) -> bytes:
    """Pixels u8[height, width, 3] as the content of a PNG file.

    Source: ISO/IEC 15948 (Portable Network Graphics).
    """
    height, width, _ = pixels.shape
    rows = b"".join(b"\x00" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    packed = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


__all__ = ["make_grid", "save_image"]
