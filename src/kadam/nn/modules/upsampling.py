"""Images made larger or smaller by interpolation."""

from __future__ import annotations

from kadam.nn import functional as F
from kadam.nn.modules.module import Module, settings
from kadam.tensor import Tensor


class Upsample(Module):
    """Interpolates to a size or by a factor. Shapes: f32[batch, channels, ...].

    Args:
        size: of the output.
        scale_factor: by which the input grows.
        mode: `nearest`, `linear`, `bilinear`, `bicubic` or `trilinear`.
        align_corners: whether the corner elements keep their values.
        recompute_scale_factor: whether the factor is computed again from the sizes.
    """

    def __init__(
        self,
        size: int | tuple[int, ...] | None = None,
        scale_factor: float | tuple[float, ...] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.name = type(self).__name__
        self.size = size
        self.scale_factor: float | tuple[float, ...] | None
        if isinstance(scale_factor, tuple):
            self.scale_factor = tuple(float(factor) for factor in scale_factor)
        else:
            self.scale_factor = float(scale_factor) if scale_factor else None
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.interpolate(
            input,
            self.size,
            self.scale_factor,
            self.mode,
            self.align_corners,
            recompute_scale_factor=self.recompute_scale_factor,
        )

    def extra_repr(self) -> str:
        return settings(self, "scale_factor" if self.scale_factor is not None else "size", "mode")


class UpsamplingNearest2d(Upsample):
    """`Upsample` of images by the nearest element."""

    def __init__(
        self,
        size: int | tuple[int, int] | None = None,
        scale_factor: float | tuple[float, float] | None = None,
    ) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """`Upsample` of images by bilinear interpolation that keeps the corners."""

    def __init__(
        self,
        size: int | tuple[int, int] | None = None,
        scale_factor: float | tuple[float, float] | None = None,
    ) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)
