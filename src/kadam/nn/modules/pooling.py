"""Pooling: each window of the spatial axes reduced to its maximum, its mean or its norm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from kadam.nn import functional as F
from kadam.nn.modules.module import Module, settings
from kadam.nn.modules.sizes import as_sizes
from kadam.tensor import Tensor

Sizes = int | tuple[int, ...]
Pool = Callable[..., Any]


class _MaxPoolNd(Module):
    """The maximum of each window. Shapes: f32[batch, channels, ...], or without batch.

    Args:
        kernel_size: size of a window.
        stride: step from window to window; the window's size by default.
        padding: minus infinity around the input.
        dilation: step within a window.
        return_indices: whether the position of each maximum is returned too, as `MaxUnpool` takes it.
        ceil_mode: whether a last window that is not full counts.
    """

    pool: ClassVar[Pool]

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Any:
        return self.pool(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            ceil_mode=self.ceil_mode,
            return_indices=self.return_indices,
        )

    def extra_repr(self) -> str:
        return settings(self, "kernel_size", "stride", "padding", "dilation", "ceil_mode")


class MaxPool1d(_MaxPoolNd):
    """The maximum of each window of the last axis."""

    pool = staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPoolNd):
    """The maximum of each window of the last 2 axes."""

    pool = staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPoolNd):
    """The maximum of each window of the last 3 axes."""

    pool = staticmethod(F.max_pool3d)


class _MaxUnpoolNd(Module):
    """Puts maxima back where `MaxPool` found them, zeros elsewhere.

    Args:
        kernel_size: size of a window.
        stride: step from window to window; the window's size by default.
        padding: that was around the input of the pooling.
    """

    axes: ClassVar[int]
    pool: ClassVar[Pool]

    def __init__(self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0) -> None:
        super().__init__()
        self.kernel_size = as_sizes(kernel_size, self.axes)
        self.stride = as_sizes(kernel_size if stride is None else stride, self.axes)
        self.padding = as_sizes(padding, self.axes)

    def forward(self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        unpooled: Tensor = self.pool(input, indices, self.kernel_size, self.stride, self.padding, output_size)
        return unpooled

    def extra_repr(self) -> str:
        return settings(self, "kernel_size", "stride", "padding")


class MaxUnpool1d(_MaxUnpoolNd):
    """Puts the maxima of `MaxPool1d` back."""

    axes, pool = 1, staticmethod(F.max_unpool1d)


class MaxUnpool2d(_MaxUnpoolNd):
    """Puts the maxima of `MaxPool2d` back."""

    axes, pool = 2, staticmethod(F.max_unpool2d)


class MaxUnpool3d(_MaxUnpoolNd):
    """Puts the maxima of `MaxPool3d` back."""

    axes, pool = 3, staticmethod(F.max_unpool3d)


class AvgPool1d(Module):
    """The mean of each window of the last axis.

    Args:
        kernel_size: size of a window.
        stride: step from window to window; the window's size by default.
        padding: zeros around the input.
        ceil_mode: whether a last window that is not full counts.
        count_include_pad: whether the zeros count in the mean.
    """

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = as_sizes(kernel_size, 1)
        self.stride = as_sizes(kernel_size if stride is None else stride, 1)
        self.padding = as_sizes(padding, 1)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)

    def extra_repr(self) -> str:
        return settings(self, "kernel_size", "stride", "padding")


class _AvgPoolNd(Module):
    """The mean of each window. Shapes: f32[batch, channels, ...], or without batch.

    Args:
        kernel_size: size of a window.
        stride: step from window to window; the window's size by default.
        padding: zeros around the input.
        ceil_mode: whether a last window that is not full counts.
        count_include_pad: whether the zeros count in the mean.
        divisor_override: by which the sum is divided instead of the window's size.
    """

    pool: ClassVar[Pool]

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        pooled: Tensor = self.pool(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )
        return pooled

    def extra_repr(self) -> str:
        return settings(self, "kernel_size", "stride", "padding")


class AvgPool2d(_AvgPoolNd):
    """The mean of each window of the last 2 axes."""

    pool = staticmethod(F.avg_pool2d)


class AvgPool3d(_AvgPoolNd):
    """The mean of each window of the last 3 axes."""

    pool = staticmethod(F.avg_pool3d)


class _LPPoolNd(Module):
    """The p-norm of each window.

    Args:
        norm_type: p.
        kernel_size: size of a window.
        stride: step from window to window; the window's size by default.
        ceil_mode: whether a last window that is not full counts.
    """

    pool: ClassVar[Pool]

    def __init__(
        self, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        pooled: Tensor = self.pool(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)
        return pooled

    def extra_repr(self) -> str:
        return settings(self, "norm_type", "kernel_size", "stride", "ceil_mode")


class LPPool1d(_LPPoolNd):
    """The p-norm of each window of the last axis."""

    pool = staticmethod(F.lp_pool1d)


class LPPool2d(_LPPoolNd):
    """The p-norm of each window of the last 2 axes."""

    pool = staticmethod(F.lp_pool2d)


class LPPool3d(_LPPoolNd):
    """The p-norm of each window of the last 3 axes."""

    pool = staticmethod(F.lp_pool3d)


class _AdaptivePoolNd(Module):
    """Pools windows of such a size that the output has a given one.

    Args:
        output_size: of the spatial axes; None keeps an axis.
    """

    pool: ClassVar[Pool]

    def __init__(self, output_size: int | tuple[int | None, ...] | None) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Any:
        return self.pool(input, self.output_size)

    def extra_repr(self) -> str:
        return settings(self, "output_size")


class AdaptiveAvgPool1d(_AdaptivePoolNd):
    """The means of as many windows of the last axis as are asked for."""

    pool = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptivePoolNd):
    """The means of as many windows of the last 2 axes as are asked for."""

    pool = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptivePoolNd):
    """The means of as many windows of the last 3 axes as are asked for."""

    pool = staticmethod(F.adaptive_avg_pool3d)


class _AdaptiveMaxPoolNd(_AdaptivePoolNd):
    """The maxima of as many windows as are asked for.

    Args:
        output_size: of the spatial axes; None keeps an axis.
        return_indices: whether the position of each maximum is returned too.
    """

    def __init__(self, output_size: int | tuple[int | None, ...] | None, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        return self.pool(input, self.output_size, self.return_indices)


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """The maxima of as many windows of the last axis as are asked for."""

    pool = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """The maxima of as many windows of the last 2 axes as are asked for."""

    pool = staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd):
    """The maxima of as many windows of the last 3 axes as are asked for."""

    pool = staticmethod(F.adaptive_max_pool3d)
