"""Moving elements between channels and space."""

from __future__ import annotations

from kadam.nn import functional as F
from kadam.nn.modules.module import Module, settings
from kadam.tensor import Tensor


class PixelShuffle(Module):
    """f32[..., channels * r^2, height, width] -> f32[..., channels, height * r, width * r].

    Args:
        upscale_factor: r.

    Source: Shi et al., "Real-time single image and video super-resolution", 2016.
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return settings(self, "upscale_factor")


class PixelUnshuffle(Module):
    """The inverse of `PixelShuffle`.

    Args:
        downscale_factor: r.
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return settings(self, "downscale_factor")


class ChannelShuffle(Module):
    """Interleaves the groups of channels. Shapes: f32[batch, channels, ...].

    Args:
        groups: the number of groups.

    Source: Zhang et al., "ShuffleNet", 2017.
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        return settings(self, "groups")
