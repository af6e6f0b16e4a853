"""Images on the disk as tensors. As `torchvision.io`."""

from __future__ import annotations

import enum
import os

import numpy as np

from kadam.errors import UnsupportedError
from kadam.recording.tensor import from_array
from kadam.tensor import Tensor
from kadam.vision.images import Image


class ImageReadMode(enum.Enum):
    """Which channels an image is read with."""

    UNCHANGED = 0
    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGB_ALPHA = 4


_PILLOWS = {"GRAY": "L", "GRAY_ALPHA": "LA", "RGB": "RGB", "RGB_ALPHA": "RGBA"}


def read_image(path: str | os.PathLike[str], mode: ImageReadMode | str = ImageReadMode.UNCHANGED) -> Tensor:
    """An image file as u8[channels, height, width].

    Raises:
        UnsupportedError: Pillow, which reads the file, is not installed.
    """
    if Image is None:
        raise UnsupportedError("read_image: image files are read by Pillow. Fix: pip install pillow.")
    name = mode.name if isinstance(mode, ImageReadMode) else mode.upper()
    with Image.open(path) as image:
        wanted = _PILLOWS.get(name, "RGB" if image.mode == "P" else image.mode)
        pixels = np.array(image.convert(wanted))
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * 255
    return from_array(np.ascontiguousarray(np.moveaxis(pixels.reshape(*pixels.shape[:2], -1), -1, 0)))


__all__ = ["ImageReadMode", "read_image"]
