"""The same transforms by the names of the second version, of single images. As `torchvision.transforms.v2`."""

from __future__ import annotations

from typing import Any

from kadam.dtypes import dtype
from kadam.nn import Module
from kadam.tensor import Tensor
from kadam.vision.transforms import (
    CenterCrop,
    ColorJitter,
    Compose,
    ConvertImageDtype,
    Grayscale,
    InterpolationMode,
    Lambda,
    Normalize,
    Pad,
    PILToTensor,
    RandomApply,
    RandomChoice,
    RandomCrop,
    RandomErasing,
    RandomGrayscale,
    RandomHorizontalFlip,
    RandomOrder,
    RandomResizedCrop,
    RandomRotation,
    RandomVerticalFlip,
    Resize,
    ToPILImage,
    ToTensor,
)
from kadam.vision.transforms.v2 import functional


class ToImage(Module):
    """Images as tensors with their channels first, of the numbers that they have."""

    def forward(self, inpt: Any) -> Tensor:
        return functional.to_image(inpt)


class ToDtype(Module):
    """Tensors of another element type; with `scale`, the range of colours becomes that of the type."""

    def __init__(self, dtype: dtype, scale: bool = False) -> None:
        super().__init__()
        self.dtype = dtype
        self.scale = scale

    def forward(self, inpt: Tensor) -> Tensor:
        return functional.to_dtype(inpt, self.dtype, self.scale)


__all__ = [
    "CenterCrop", "ColorJitter", "Compose", "ConvertImageDtype", "Grayscale", "InterpolationMode", "Lambda",
    "Normalize", "PILToTensor", "Pad", "RandomApply", "RandomChoice", "RandomCrop", "RandomErasing", "RandomGrayscale",
    "RandomHorizontalFlip", "RandomOrder", "RandomResizedCrop", "RandomRotation", "RandomVerticalFlip", "Resize",
    "ToDtype", "ToImage", "ToPILImage", "ToTensor", "functional",
]  # fmt: skip
