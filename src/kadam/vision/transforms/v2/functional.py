"""The functions behind transforms, by their later names. As `torchvision.transforms.v2.functional`."""

from __future__ import annotations

from typing import Any

from kadam.dtypes import dtype, float32
from kadam.tensor import Tensor
from kadam.vision.transforms.functional import (
    InterpolationMode,
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    center_crop,
    convert_image_dtype,
    crop,
    erase,
    get_dimensions,
    get_image_size,
    hflip,
    invert,
    normalize,
    pad,
    pil_to_tensor,
    resize,
    resized_crop,
    rgb_to_grayscale,
    rotate,
    to_pil_image,
    vflip,
)


def to_image(inpt: Any) -> Tensor:
    """An image as a tensor with its channels first, of the numbers that it has."""
    return inpt if isinstance(inpt, Tensor) else pil_to_tensor(inpt)


def to_dtype(inpt: Tensor, dtype: dtype = float32, scale: bool = False) -> Tensor:
    """A tensor of another element type; with `scale`, the range of colours becomes that of the type."""
    return convert_image_dtype(inpt, dtype) if scale else inpt.to(dtype)


horizontal_flip, vertical_flip = hflip, vflip

__all__ = [
    "InterpolationMode", "adjust_brightness", "adjust_contrast", "adjust_hue", "adjust_saturation", "center_crop",
    "convert_image_dtype", "crop", "erase", "get_dimensions", "get_image_size", "hflip", "horizontal_flip", "invert",
    "normalize", "pad", "pil_to_tensor", "resize", "resized_crop", "rgb_to_grayscale", "rotate", "to_dtype", "to_image",
    "to_pil_image", "vertical_flip", "vflip",
]  # fmt: skip
