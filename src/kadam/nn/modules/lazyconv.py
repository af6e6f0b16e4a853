"""Convolutions that take the number of input channels from their first input."""

from __future__ import annotations

from typing import Any

from kadam.dtypes import dtype
from kadam.nn.modules.conv import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    Sizes,
    _ConvNd,
)
from kadam.nn.modules.lazy import LazyModuleMixin
from kadam.nn.parameter import UninitializedParameter
from kadam.tensor import Tensor


class _LazyConvolution(LazyModuleMixin, _ConvNd):
    """The part that the lazy convolutions and their transposes have in common."""

    def _make_parameters(self, bias: bool, **factory: Any) -> None:
        self.weight = UninitializedParameter(**factory)
        self.register_parameter("bias", UninitializedParameter(**factory) if bias else None)

    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.in_channels != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        """Take the number of channels from the first input, and draw the parameters."""
        lazy = self.has_uninitialized_params()
        if input.dim() not in (self.axes + 1, self.axes + 2):
            raise RuntimeError(
                f"Expected {self.axes + 1}D (unbatched) or {self.axes + 2}D (batched) input to {type(self).__name__}, "
                f"but got input of size: {input.shape}. Fix: reshape to [batch, channels, ...] with {self.axes} axes "
                "after the channels."
            )
        self.in_channels = input.shape[-self.axes - 1]
        self._check()
        if isinstance(self.weight, UninitializedParameter):
            self.weight.materialize(self._weight_shape())
        if isinstance(self.bias, UninitializedParameter):
            self.bias.materialize((self.out_channels,))
        if lazy:
            self.reset_parameters()


class _LazyConv(_LazyConvolution):
    """A convolution without `in_channels`, which are those of the first input.

    Args:
        out_channels: of the output.
        kernel_size: size of the kernel.
        stride: step of the kernel.
        padding: zeros on both sides, or `valid` or `same`.
        dilation: step within the kernel.
        groups: of channels that are convolved on their own.
        bias: whether a number is added to every output channel.
        padding_mode: `zeros`, `reflect`, `replicate` or `circular`.
        device: the CPU.
        dtype: of the parameters.
    """

    def __init__(
        self,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: str | Sizes = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: dtype | None = None,
    ) -> None:
        super().__init__(
            0, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype
        )


class LazyConv1d(_LazyConv, Conv1d):
    """A `Conv1d` that takes the number of input channels from its first input."""

    cls_to_become = Conv1d


class LazyConv2d(_LazyConv, Conv2d):
    """A `Conv2d` that takes the number of input channels from its first input."""

    cls_to_become = Conv2d


class LazyConv3d(_LazyConv, Conv3d):
    """A `Conv3d` that takes the number of input channels from its first input."""

    cls_to_become = Conv3d


class _LazyConvTranspose(_LazyConvolution):
    """The transpose of a convolution without `in_channels`, which are those of the first input.

    Args:
        out_channels: of the output.
        kernel_size: size of the kernel.
        stride: step between the windows of two elements.
        padding: how much is cut off on both sides.
        output_padding: how much the output is longer on one side.
        groups: of channels that are convolved on their own.
        bias: whether a number is added to every output channel.
        dilation: step within the kernel.
        padding_mode: only `zeros`.
        device: the CPU.
        dtype: of the parameters.
    """

    def __init__(
        self,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Sizes = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: dtype | None = None,
    ) -> None:
        super().__init__(
            0,
            out_channels,
            kernel_size,
            stride,
            padding,
            output_padding,
            groups,
            bias,
            dilation,
            padding_mode,
            device,
            dtype,
        )


class LazyConvTranspose1d(_LazyConvTranspose, ConvTranspose1d):
    """A `ConvTranspose1d` that takes the number of input channels from its first input."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTranspose, ConvTranspose2d):
    """A `ConvTranspose2d` that takes the number of input channels from its first input."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvTranspose, ConvTranspose3d):
    """A `ConvTranspose3d` that takes the number of input channels from its first input."""

    cls_to_become = ConvTranspose3d
