"""Windows of an image as columns, and columns summed back into an image."""

from __future__ import annotations

from kadam.nn import functional as F
from kadam.nn.modules.module import Module, settings
from kadam.tensor import Tensor

Sizes = int | tuple[int, ...]


class Unfold(Module):
    """Each window of an image as a column: f32[batch, channels, ...] -> f32[batch, channels * window, windows].

    Args:
        kernel_size: size of a window.
        dilation: step within a window.
        padding: zeros around the image.
        stride: step from window to window.
    """

    def __init__(self, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return settings(self, "kernel_size", "dilation", "padding", "stride")


class Fold(Module):
    """The columns of `Unfold` summed into an image.

    Args:
        output_size: size of the image.
        kernel_size: size of a window.
        dilation: step within a window.
        padding: zeros around the image.
        stride: step from window to window.
    """

    def __init__(
        self, output_size: Sizes, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return settings(self, "output_size", "kernel_size", "dilation", "padding", "stride")
