"""Tensors with a part blotted out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kadam.nn import Module
from kadam.ops.creation import empty, tensor
from kadam.tensor import Tensor
from kadam.vision.transforms import functional as F
from kadam.vision.transforms.chance import below, between, happens


class RandomErasing(Module):
    """A random rectangle of a tensor replaced, with probability p.

    Args:
        p: see above.
        scale: range of the rectangle's share of the area.
        ratio: range of its height over its width.
        value: a number, one for each channel, or "random".
        inplace: whether the tensor itself changes.

    Source: Zhong et al., "Random erasing data augmentation", 2017.
    """

    def __init__(
        self, p: float = 0.5, scale: Sequence[float] = (0.02, 0.33), ratio: Sequence[float] = (0.3, 3.3),
        value: Any = 0, inplace: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.p = p
        self.scale = scale
        self.ratio = ratio
        self.value = value
        self.inplace = inplace

    def forward(self, img: Tensor) -> Tensor:
        if not happens(self.p):
            return img
        channels, height, width = img.shape[-3:]
        for _ in range(10):
            area = height * width * between(*self.scale)
            form = math.exp(between(math.log(self.ratio[0]), math.log(self.ratio[1])))
            down, across = round(math.sqrt(area * form)), round(math.sqrt(area / form))
            if down < height and across < width:
                value = self._filling(channels, down, across)
                place = below(height - down + 1), below(width - across + 1)
                return F.erase(img, *place, down, across, value, self.inplace)
        return img

    def _filling(self, channels: int, down: int, across: int) -> Tensor:
        if isinstance(self.value, str):
            return empty(channels, down, across).normal_()
        values = self.value if isinstance(self.value, Sequence) else [self.value]
        return tensor([float(one) for one in values])[:, None, None]

    def __repr__(self) -> str:
        shown = f"p={self.p}, scale={self.scale}, ratio={self.ratio}, value={self.value}, inplace={self.inplace}"
        return f"{type(self).__name__}({shown})"
