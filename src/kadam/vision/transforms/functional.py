"""What a transform does to one image, without chance. As `torchvision.transforms.functional`."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from enum import Enum
from typing import Any

import numpy as np

from kadam import dtypes
from kadam.dtypes import dtype
from kadam.errors import OperandError, UnsupportedError
from kadam.ops.require import ArgumentError
from kadam.recording.tensor import Recorded, read
from kadam.tensor import Tensor
from kadam.vision import colours, sampling
from kadam.vision.images import Image, array_of, channels_of, is_pil, on_array, size_of, tensor_of

Sizes = int | Sequence[int]


class InterpolationMode(Enum):
    """How pixels between pixels are found."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


_PIL_MODES = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5, "nearest-exact": 0}


def _mode(interpolation: Any, image: Any) -> str:
    name = interpolation.value if isinstance(interpolation, InterpolationMode) else interpolation
    if isinstance(name, int):
        name = next(mode for mode, number in _PIL_MODES.items() if number == name)
    if not is_pil(image) and name not in ("nearest", "nearest-exact", "bilinear"):
        raise UnsupportedError(f"transforms: {name} interpolation of tensors and arrays. Fix: BILINEAR, or PIL images.")
    return str(name)


def to_tensor(pic: Any) -> Tensor:
    """An image as f32[channels, height, width]; whole numbers from 0 to 255 become 0 to 1.

    Raises:
        OperandError: it is no image.
    """
    if isinstance(pic, Recorded):
        raise OperandError(f"pic should be PIL Image or ndarray. Got {type(pic)}. Fix: leave ToTensor out.")
    pixels = np.moveaxis(array_of(pic), -1, -3)
    if pixels.dtype == np.uint8:
        return tensor_of(np.divide(pixels, 255, dtype=np.float32))
    return tensor_of(pixels)


def pil_to_tensor(pic: Any) -> Tensor:
    """An image as a tensor of its own numbers, [channels, height, width]."""
    return tensor_of(np.moveaxis(array_of(pic), -1, -3))


def to_pil_image(pic: Any, mode: str | None = None) -> Any:
    """A tensor [channels, height, width] or an array as an image; floating point from 0 to 1 becomes 0 to 255."""
    pixels = array_of(pic)
    if pixels.dtype.kind == "f" and isinstance(pic, Recorded):
        pixels = (pixels * np.asarray(255, pixels.dtype)).astype(np.int64).astype(np.uint8)
    pixels = np.ascontiguousarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    return pixels if Image is None else Image.fromarray(pixels)


def convert_image_dtype(image: Tensor, dtype: dtype = dtypes.float32) -> Tensor:
    """An image of another element type, its range scaled: 0 to 255 becomes 0 to 1, and back."""
    own = image.dtype
    if own is dtype or own.is_floating_point == dtype.is_floating_point:
        return image.to(dtype)
    if dtype.is_floating_point:
        return image.to(dtype) / dtypes.iinfo(own).max
    return (image * (dtypes.iinfo(dtype).max + 1.0 - 1e-3)).to(dtype)


def normalize(tensor: Tensor, mean: Any, std: Any, inplace: bool = False) -> Tensor:
    """(x - mean) / std for each channel.

    Raises:
        OperandError: it is no tensor of floating-point numbers.
        ArgumentError: `std` is 0 somewhere, or the tensor has no channels.
    """
    if not isinstance(tensor, Recorded):
        raise OperandError(f"img should be Tensor Image. Got {type(tensor)}. Fix: put ToTensor() before Normalize().")
    if not tensor.is_floating_point():
        raise OperandError(f"Input tensor should be a float tensor. Got {tensor.dtype}. Fix: ToTensor() before it.")
    if tensor.ndim < 3:
        raise ArgumentError(
            f"Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = {tensor.size()}. Fix: "
            "unsqueeze(0) it."
        )
    kind = tensor.dtype.numpy
    centre, spread = (np.asarray(read(one) if isinstance(one, Recorded) else one, kind) for one in (mean, std))
    if (spread == 0).any():
        raise ArgumentError(f"std evaluated to zero after conversion to {tensor.dtype}. Fix: std greater than 0.")
    if tensor.requires_grad or inplace:
        by_channel = [tensor_of(one.reshape(-1, 1, 1)) for one in (centre, spread)]
        return tensor.sub_(by_channel[0]).div_(by_channel[1]) if inplace else (tensor - by_channel[0]) / by_channel[1]
    return tensor_of((read(tensor) - centre.reshape(-1, 1, 1)) / spread.reshape(-1, 1, 1))


def get_image_size(img: Any) -> list[int]:
    """Width and height."""
    return list(size_of(img)[::-1])


def get_dimensions(img: Any) -> list[int]:
    """Channels, height and width."""
    return [channels_of(img), *size_of(img)]


def get_image_num_channels(img: Any) -> int:
    """The number of channels."""
    return channels_of(img)


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    """The part of an image from (top, left) on; zeros where it reaches beyond."""
    own_height, own_width = size_of(img)
    margins = [max(-left, 0), max(-top, 0), max(left + width - own_width, 0), max(top + height - own_height, 0)]
    if any(margins):
        img, top, left = pad(img, margins), top + margins[1], left + margins[0]
    return on_array(img, lambda pixels: pixels[..., top : top + height, left : left + width, :])


def center_crop(img: Any, output_size: Sizes) -> Any:
    """The middle of an image; zeros around it where it is smaller."""
    height, width = _two(output_size)
    own_height, own_width = size_of(img)
    return crop(img, round((own_height - height) / 2.0), round((own_width - width) / 2.0), height, width)


def resized_crop(
    img: Any, top: int, left: int, height: int, width: int, size: Sizes,
    interpolation: Any = InterpolationMode.BILINEAR, antialias: bool | None = True,
) -> Any:  # fmt: skip
    """A part of an image in another size."""
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)


def resize(
    img: Any, size: Sizes, interpolation: Any = InterpolationMode.BILINEAR, max_size: int | None = None,
    antialias: bool | None = True,
) -> Any:  # fmt: skip
    """An image in another size; one number is the size of the shorter side, and the other one follows."""
    own = size_of(img)
    if isinstance(size, int) or len(size) == 1:
        short = size if isinstance(size, int) else size[0]
        height, width = (int(short * one / min(own)) if one != min(own) else short for one in own)
        if max_size is not None and max(height, width) > max_size:
            height, width = (int(max_size * one / max(height, width)) for one in (height, width))
    else:
        height, width = size
    if (height, width) == own:
        return img
    mode = _mode(interpolation, img)
    if is_pil(img):
        return img.resize((width, height), _PIL_MODES[mode])
    return on_array(img, lambda pixels: sampling.resized(pixels, height, width, mode == "bilinear"))


def pad(img: Any, padding: Sizes, fill: Any = 0, padding_mode: str = "constant") -> Any:
    """An image with margins: all alike, (left and right, top and bottom), or (left, top, right, bottom)."""
    sides = [padding] * 4 if isinstance(padding, int) else list(padding)
    left, top, right, bottom = sides if len(sides) == 4 else (sides * 4)[:4]
    modes = ("constant", "edge", "reflect", "symmetric")
    if padding_mode not in modes:
        raise ArgumentError(
            f"Padding mode should be either constant, edge, reflect or symmetric, got {padding_mode}. Fix: constant."
        )
    constant: dict[str, Any] = {}
    if padding_mode == "constant":
        constant = {"constant_values": fill if isinstance(fill, numbers.Number) else 0}

    def padded(pixels: Any) -> Any:
        margins = [(0, 0)] * (pixels.ndim - 3) + [(top, bottom), (left, right), (0, 0)]
        found = np.pad(pixels, margins, mode=padding_mode, **constant)  # type: ignore[call-overload]
        if padding_mode == "constant" and not isinstance(fill, numbers.Number):
            inside = np.pad(np.ones(pixels.shape[-3:-1], bool), margins[-3:-1])
            found = np.where(inside[..., None], found, np.asarray(fill, pixels.dtype))
        return found

    return on_array(img, padded)


def hflip(img: Any) -> Any:
    """The mirror image, left and right exchanged."""
    return on_array(img, lambda pixels: pixels[..., ::-1, :])


def vflip(img: Any) -> Any:
    """The mirror image, top and bottom exchanged."""
    return on_array(img, lambda pixels: pixels[..., ::-1, :, :])


def rotate(
    img: Any, angle: float, interpolation: Any = InterpolationMode.NEAREST, expand: bool = False,
    center: Sequence[float] | None = None, fill: Any = None,
) -> Any:  # fmt: skip
    """An image turned counter-clockwise by an angle in degrees.

    Raises:
        UnsupportedError: `expand`, of a tensor or an array.
    """
    mode = _mode(interpolation, img)
    fill = 0 if fill is None else fill
    if is_pil(img):
        colour = tuple(map(int, fill)) if isinstance(fill, Sequence) else (int(fill),) * len(img.getbands())
        chosen = colour if len(colour) > 1 else colour[0]
        return img.rotate(angle, _PIL_MODES[mode], expand, None if center is None else tuple(center), fillcolor=chosen)
    if expand:
        raise UnsupportedError("rotate: expand=True of tensors and arrays. Fix: pad the image first.")
    middle = None if center is None else (float(center[0]), float(center[1]))
    return on_array(img, lambda pixels: sampling.turned(pixels, angle, mode == "bilinear", middle, _number(fill)))


def _number(fill: Any) -> Any:
    value = fill[0] if isinstance(fill, Sequence) else fill
    return int(value) if float(value).is_integer() else value


def rgb_to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """An image without colours, in one channel or three equal ones."""
    if is_pil(img):
        plain = img.convert("L")
        return plain if num_output_channels == 1 else Image.merge("RGB", (plain, plain, plain))
    return on_array(img, lambda pixels: np.repeat(colours.grey(pixels), num_output_channels, axis=-1))


to_grayscale = rgb_to_grayscale


def adjust_brightness(img: Any, brightness_factor: float) -> Any:
    """Between black (0), as it is (1) and brighter."""
    return on_array(img, lambda pixels: colours.brightened(pixels, brightness_factor))


def adjust_contrast(img: Any, contrast_factor: float) -> Any:
    """Between even grey (0), as it is (1) and more contrast."""
    return on_array(img, lambda pixels: colours.contrasted(pixels, contrast_factor))


def adjust_saturation(img: Any, saturation_factor: float) -> Any:
    """Between grey (0), as it is (1) and more colourful."""
    return on_array(img, lambda pixels: colours.saturated(pixels, saturation_factor))


def adjust_hue(img: Any, hue_factor: float) -> Any:
    """Hues turned by a part of the circle of colours, -0.5 to 0.5."""
    return on_array(img, lambda pixels: colours.tinted(pixels, hue_factor))


def invert(img: Any) -> Any:
    """The negative of an image."""
    return on_array(img, lambda pixels: (1 if pixels.dtype.kind == "f" else 255) - pixels)


def erase(img: Tensor, i: int, j: int, h: int, w: int, v: Tensor, inplace: bool = False) -> Tensor:
    """A tensor with a rectangle of it replaced."""
    erased = img if inplace else img.clone()
    erased[..., i : i + h, j : j + w] = v
    return erased


def _two(size: Sizes) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    return (size[0], size[0]) if len(size) == 1 else (size[0], size[1])
