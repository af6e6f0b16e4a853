"""The kinds of images: PIL's where Pillow is installed, NumPy arrays [height, width, channels], tensors [..., c, h, w].

Whatever moves pixels works on arrays [..., height, width, channels]; `on_array` converts there and back.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from kadam.errors import OperandError
from kadam.recording.tensor import Recorded, from_array, read
from kadam.tensor import Tensor

Array = np.ndarray[Any, np.dtype[Any]]

Image: Any = None  # Pillow's module, if it is installed
if find_spec("PIL") is not None:
    Image = import_module("PIL.Image")


def is_pil(image: Any) -> bool:
    """Whether an image is one of Pillow's."""
    return Image is not None and isinstance(image, Image.Image)


def is_image(image: Any) -> bool:
    """Whether it is any kind of image."""
    return is_pil(image) or isinstance(image, np.ndarray | Recorded)


def from_pixels(pixels: Array) -> Any:
    """Pixels u8[height, width] or u8[height, width, channels] as the image that a dataset gives."""
    return pixels if Image is None else Image.fromarray(pixels)


def array_of(image: Any) -> Array:
    """An image as an array [..., height, width, channels].

    Raises:
        OperandError: it is no image.
    """
    if isinstance(image, Recorded):
        return np.moveaxis(read(image), -3, -1) if len(image._spec.shape) > 2 else read(image)[..., None]
    if is_pil(image):
        image = np.asarray(image)
    if not isinstance(image, np.ndarray):
        raise OperandError(f"img should be PIL Image, ndarray or Tensor. Got {type(image)}. Fix: an image.")
    return image if image.ndim > 2 else image[..., None]


def on_array(image: Any, function: Callable[[Array], Array]) -> Any:
    """The image of the same kind that `function` makes of its array."""
    changed = function(array_of(image))
    if isinstance(image, Recorded):
        flat = len(image._spec.shape) == 2
        return tensor_of(changed[..., 0] if flat else np.moveaxis(changed, -1, -3))
    if changed.shape[-1] == 1 and (is_pil(image) or image.ndim == 2):
        changed = changed[..., 0]
    changed = np.ascontiguousarray(changed)
    return Image.fromarray(changed) if is_pil(image) else changed


def tensor_of(array: Array) -> Tensor:
    """An array as a tensor with memory of its own."""
    return from_array(np.array(array, order="C"))


def size_of(image: Any) -> tuple[int, int]:
    """Height and width."""
    height, width = array_of(image).shape[-3:-1] if not is_pil(image) else image.size[::-1]
    return int(height), int(width)


def channels_of(image: Any) -> int:
    """The number of channels."""
    return int(array_of(image).shape[-1]) if not is_pil(image) else len(image.getbands())
