"""Parts of images, other sizes, mirror images, turns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kadam.nn import Module
from kadam.ops.require import ArgumentError
from kadam.vision.images import channels_of, size_of
from kadam.vision.transforms import functional as F
from kadam.vision.transforms.chance import below, between, happens
from kadam.vision.transforms.functional import InterpolationMode

Sizes = int | Sequence[int]


def _pair(size: Any) -> tuple[int, int]:
    if isinstance(size, Sequence):
        return (size[0], size[0]) if len(size) == 1 else (size[0], size[1])
    return int(size), int(size)


class Resize(Module):
    """An image in another size.

    Args:
        size: (height, width), or of the shorter side.
        interpolation: how pixels between pixels are found.
        max_size: of the longer side.
        antialias: accepted: smaller images are means of the larger ones' pixels.
    """

    def __init__(
        self, size: Sizes, interpolation: Any = InterpolationMode.BILINEAR, max_size: int | None = None,
        antialias: bool | None = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.size = size
        self.interpolation = interpolation
        self.max_size = max_size
        self.antialias = antialias

    def forward(self, img: Any) -> Any:
        return F.resize(img, self.size, self.interpolation, self.max_size, self.antialias)

    def __repr__(self) -> str:
        mode = self.interpolation.value if isinstance(self.interpolation, InterpolationMode) else self.interpolation
        shown = f"size={self.size}, interpolation={mode}, max_size={self.max_size}, antialias={self.antialias}"
        return f"{type(self).__name__}({shown})"


class CenterCrop(Module):
    """The middle of an image."""

    def __init__(self, size: Sizes) -> None:
        super().__init__()
        self.size = _pair(size)

    def forward(self, img: Any) -> Any:
        return F.center_crop(img, self.size)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size})"


class Pad(Module):
    """An image with margins: see `functional.pad`."""

    def __init__(self, padding: Sizes, fill: Any = 0, padding_mode: str = "constant") -> None:
        super().__init__()
        self.padding = padding
        self.fill = fill
        self.padding_mode = padding_mode

    def forward(self, img: Any) -> Any:
        return F.pad(img, self.padding, self.fill, self.padding_mode)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(padding={self.padding}, fill={self.fill}, padding_mode={self.padding_mode})"


class RandomCrop(Module):
    """A part of an image, at a random place.

    Args:
        size: (height, width), or of both sides.
        padding: margins added first.
        pad_if_needed: whether an image that is too small gets margins.
        fill: of the margins.
        padding_mode: of the margins.

    Raises:
        ArgumentError: the image is smaller than the part.
    """

    def __init__(
        self, size: Sizes, padding: Sizes | None = None, pad_if_needed: bool = False, fill: Any = 0,
        padding_mode: str = "constant",
    ) -> None:  # fmt: skip
        super().__init__()
        self.size = _pair(size)
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode = padding_mode

    @staticmethod
    def get_params(img: Any, output_size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Where a part begins (top, left), and its size."""
        (height, width), (wanted, across) = size_of(img), output_size
        if height < wanted or width < across:
            raise ArgumentError(
                f"Required crop size {(wanted, across)} is larger than input image size {(height, width)}. Fix: "
                "pad_if_needed=True."
            )
        if (height, width) == (wanted, across):
            return 0, 0, height, width
        return below(height - wanted + 1), below(width - across + 1), wanted, across

    def forward(self, img: Any) -> Any:
        if self.padding is not None:
            img = F.pad(img, self.padding, self.fill, self.padding_mode)
        height, width = size_of(img)
        if self.pad_if_needed and width < self.size[1]:
            img = F.pad(img, [self.size[1] - width, 0], self.fill, self.padding_mode)
        if self.pad_if_needed and height < self.size[0]:
            img = F.pad(img, [0, self.size[0] - height], self.fill, self.padding_mode)
        return F.crop(img, *self.get_params(img, self.size))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size}, padding={self.padding})"


class RandomResizedCrop(Module):
    """A part of an image of random size and form, in one size.

    Args:
        size: of the result.
        scale: range of the part's share of the area.
        ratio: range of its width over its height.
        interpolation: how pixels between pixels are found.
        antialias: accepted.

    Source: Szegedy et al., "Going deeper with convolutions", 2015.
    """

    def __init__(
        self, size: Sizes, scale: Sequence[float] = (0.08, 1.0), ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: Any = InterpolationMode.BILINEAR, antialias: bool | None = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.size = _pair(size)
        self.scale = scale
        self.ratio = ratio
        self.interpolation = interpolation
        self.antialias = antialias

    @staticmethod
    def get_params(img: Any, scale: Sequence[float], ratio: Sequence[float]) -> tuple[int, int, int, int]:
        """Where a part begins (top, left), and its size."""
        height, width = size_of(img)
        for _ in range(10):
            area = height * width * between(*scale)
            form = math.exp(between(math.log(ratio[0]), math.log(ratio[1])))
            across, down = round(math.sqrt(area * form)), round(math.sqrt(area / form))
            if 0 < across <= width and 0 < down <= height:
                return below(height - down + 1), below(width - across + 1), down, across
        down, across = height, width
        if width / height < min(ratio):
            down = round(width / min(ratio))
        elif width / height > max(ratio):
            across = round(height * max(ratio))
        return (height - down) // 2, (width - across) // 2, down, across

    def forward(self, img: Any) -> Any:
        place = self.get_params(img, self.scale, self.ratio)
        return F.resized_crop(img, *place, self.size, self.interpolation, antialias=self.antialias)

    def __repr__(self) -> str:
        scale, ratio = (tuple(round(one, 4) for one in pair) for pair in (self.scale, self.ratio))
        shown = f"size={self.size}, scale={scale}, ratio={ratio}, interpolation={self.interpolation.value}"
        return f"{type(self).__name__}({shown}, antialias={self.antialias})"


class _Flip(Module):
    """The base of mirror images by chance."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class RandomHorizontalFlip(_Flip):
    """Left and right exchanged, with probability p."""

    def forward(self, img: Any) -> Any:
        return F.hflip(img) if happens(self.p) else img


class RandomVerticalFlip(_Flip):
    """Top and bottom exchanged, with probability p."""

    def forward(self, img: Any) -> Any:
        return F.vflip(img) if happens(self.p) else img


class RandomRotation(Module):
    """An image turned by a random angle.

    Args:
        degrees: the range, or its half.
        interpolation: how pixels between pixels are found.
        expand: whether the image grows so that all of it is seen.
        center: about which it turns (x, y); its middle by default.
        fill: where nothing was.
    """

    def __init__(
        self, degrees: float | Sequence[float], interpolation: Any = InterpolationMode.NEAREST, expand: bool = False,
        center: Sequence[float] | None = None, fill: Any = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        if not isinstance(degrees, Sequence) and degrees < 0:
            raise ArgumentError("If degrees is a single number, it must be positive. Fix: degrees=10, or (-10, 10).")
        both = degrees if isinstance(degrees, Sequence) else (-degrees, degrees)
        self.degrees = [float(one) for one in both]
        self.interpolation = interpolation
        self.expand = expand
        self.center = center
        self.fill = fill

    @staticmethod
    def get_params(degrees: Sequence[float]) -> float:
        """An angle."""
        return between(degrees[0], degrees[1])

    def forward(self, img: Any) -> Any:
        fill = [float(self.fill)] * channels_of(img) if isinstance(self.fill, int | float) else list(self.fill)
        return F.rotate(img, self.get_params(self.degrees), self.interpolation, self.expand, self.center, fill)

    def __repr__(self) -> str:
        shown = f"degrees={self.degrees}, interpolation={self.interpolation.value}, expand={self.expand}"
        centre = "" if self.center is None else f", center={self.center}"
        fill = "" if self.fill is None else f", fill={self.fill}"
        return f"{type(self).__name__}({shown}{centre}{fill})"
