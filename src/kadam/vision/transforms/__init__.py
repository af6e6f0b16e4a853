"""Images made larger, turned, recoloured, made tensors: by rule or by chance. As `torchvision.transforms`.

Chance draws from PyTorch's generator, in torchvision's order.
"""

from kadam.vision.transforms import functional
from kadam.vision.transforms.colour import ColorJitter, Grayscale, RandomGrayscale
from kadam.vision.transforms.combine import Compose, Lambda, RandomApply, RandomChoice, RandomOrder
from kadam.vision.transforms.convert import ConvertImageDtype, Normalize, PILToTensor, ToPILImage, ToTensor
from kadam.vision.transforms.erasing import RandomErasing
from kadam.vision.transforms.functional import InterpolationMode
from kadam.vision.transforms.geometry import (
    CenterCrop,
    Pad,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomRotation,
    RandomVerticalFlip,
    Resize,
)

__all__ = [
    "CenterCrop", "ColorJitter", "Compose", "ConvertImageDtype", "Grayscale", "InterpolationMode", "Lambda",
    "Normalize", "PILToTensor", "Pad", "RandomApply", "RandomChoice", "RandomCrop", "RandomErasing", "RandomGrayscale",
    "RandomHorizontalFlip", "RandomOrder", "RandomResizedCrop", "RandomRotation", "RandomVerticalFlip", "Resize",
    "ToPILImage", "ToTensor", "functional",
]  # fmt: skip
