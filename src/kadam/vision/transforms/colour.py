"""Other colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kadam.nn import Module
from kadam.ops.random import randperm
from kadam.ops.require import ArgumentError
from kadam.vision.images import channels_of
from kadam.vision.transforms import functional as F
from kadam.vision.transforms.chance import between, happens

Range = tuple[float, float]


class Grayscale(Module):
    """An image without colours, in one channel or three equal ones."""

    def __init__(self, num_output_channels: int = 1) -> None:
        super().__init__()
        self.num_output_channels = num_output_channels

    def forward(self, img: Any) -> Any:
        return F.rgb_to_grayscale(img, self.num_output_channels)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(num_output_channels={self.num_output_channels})"


class RandomGrayscale(Module):
    """An image without colours, with probability p."""

    def __init__(self, p: float = 0.1) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        return F.rgb_to_grayscale(img, channels_of(img)) if happens(self.p) else img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class ColorJitter(Module):
    """Brightness, contrast, saturation and hue changed by chance, in a random order.

    Args:
        brightness: the range of the factor, or how far it may be from 1.
        contrast: the same.
        saturation: the same.
        hue: the range of the part of the circle of colours, or how far it may be from 0, up to 0.5.
    """

    def __init__(
        self,
        brightness: float | Sequence[float] = 0,
        contrast: float | Sequence[float] = 0,
        saturation: float | Sequence[float] = 0,
        hue: float | Sequence[float] = 0,
    ) -> None:
        super().__init__()
        self.brightness = _range("brightness", brightness, 1.0, (0.0, float("inf")))
        self.contrast = _range("contrast", contrast, 1.0, (0.0, float("inf")))
        self.saturation = _range("saturation", saturation, 1.0, (0.0, float("inf")))
        self.hue = _range("hue", hue, 0.0, (-0.5, 0.5))

    @staticmethod
    def get_params(
        brightness: Range | None, contrast: Range | None, saturation: Range | None, hue: Range | None
    ) -> tuple[Any, ...]:
        """The order, and the amount of each change; None for none."""
        order = randperm(4)
        ranges = (brightness, contrast, saturation, hue)
        return (order, *(None if one is None else between(*one) for one in ranges))

    def forward(self, img: Any) -> Any:
        order, *amounts = self.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        changes = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        for index in order.tolist():
            if amounts[index] is not None:
                img = changes[index](img, amounts[index])
        return img

    def __repr__(self) -> str:
        shown = f"brightness={self.brightness}, contrast={self.contrast}, saturation={self.saturation}, hue={self.hue}"
        return f"{type(self).__name__}({shown})"


def _range(name: str, value: float | Sequence[float], centre: float, bound: Range) -> Range | None:
    if isinstance(value, Sequence):
        low, high = float(value[0]), float(value[1])
    else:
        if value < 0:
            raise ArgumentError(f"If {name} is a single number, it must be non negative. Fix: {name}=0.1.")
        low, high = centre - float(value), centre + float(value)
        low = max(low, 0.0) if centre else low
    if not bound[0] <= low <= high <= bound[1]:
        raise ArgumentError(f"{name} values should be between {bound}, but got {[low, high]}. Fix: {name}=0.1.")
    return None if low == high == centre else (low, high)
