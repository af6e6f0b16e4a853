"""Convolutions and their transposes, along one, two or three axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from kadam.dtypes import dtype
from kadam.nn import functional as F
from kadam.nn.modules.linear import draw_by_fan_in
from kadam.nn.modules.module import Module, listed, settings
from kadam.nn.modules.sizes import as_sizes
from kadam.nn.parameter import Parameter
from kadam.ops.creation import empty
from kadam.ops.require import ArgumentError
from kadam.tensor import Tensor

Sizes = int | tuple[int, ...]
_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What convolutions and their transposes have in common: the parameters and their picture."""

    axes: ClassVar[int]
    transposed: ClassVar[bool]
    convolve: ClassVar[Callable[..., Any]]
    in_channels: int
    out_channels: int
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: str | tuple[int, ...]
    dilation: tuple[int, ...]
    output_padding: tuple[int, ...]
    groups: int
    padding_mode: str
    weight: Tensor
    bias: Tensor | None

    def _set_up(
        self,
        channels: tuple[int, int],
        kernel_size: Sizes,
        stride: Sizes,
        padding: Sizes | str,
        dilation: Sizes,
        output_padding: Sizes,
        groups: int,
        bias: bool,
        padding_mode: str,
        **factory: Any,
    ) -> None:
        self.in_channels, self.out_channels = channels
        self.kernel_size = as_sizes(kernel_size, self.axes)
        self.stride = as_sizes(stride, self.axes)
        self.padding = padding if isinstance(padding, str) else as_sizes(padding, self.axes)
        self.dilation = as_sizes(dilation, self.axes)
        self.output_padding = as_sizes(output_padding, self.axes)
        self.groups = groups
        self.padding_mode = padding_mode
        self._check()
        self._make_parameters(bias, **factory)
        self.reset_parameters()

    def _check(self) -> None:
        if self.groups <= 0:
            raise ArgumentError(f"{type(self).__name__}: groups must be a positive integer. Fix: groups=1.")
        if self.in_channels % self.groups != 0:
            raise ArgumentError(
                f"{type(self).__name__}: in_channels must be divisible by groups. Fix: give groups that divide "
                f"{self.in_channels}."
            )
        if self.out_channels % self.groups != 0:
            raise ArgumentError(
                f"{type(self).__name__}: out_channels must be divisible by groups. Fix: give groups that divide "
                f"{self.out_channels}."
            )
        if isinstance(self.padding, str):
            if self.padding not in ("same", "valid"):
                raise ArgumentError(
                    f"{type(self).__name__}: Invalid padding string '{self.padding}', should be one of {{'same', "
                    "'valid'}. Fix: padding='same' or 'valid', or a number."
                )
            if self.padding == "same" and any(step != 1 for step in self.stride):
                raise ArgumentError(
                    f"{type(self).__name__}: padding='same' is not supported for strided convolutions. Fix: give the "
                    "padding as a number, for example kernel_size // 2."
                )
        if self.padding_mode not in _PADDING_MODES:
            raise ArgumentError(
                f"{type(self).__name__}: padding_mode must be one of {set(_PADDING_MODES)}, but got "
                f"padding_mode='{self.padding_mode}'. Fix: padding_mode='zeros'."
            )

    def _weight_shape(self) -> tuple[int, ...]:
        first, second = (
            (self.in_channels, self.out_channels) if self.transposed else (self.out_channels, self.in_channels)
        )
        return first, second // self.groups, *self.kernel_size

    def _make_parameters(self, bias: bool, **factory: Any) -> None:
        self.weight = Parameter(empty(self._weight_shape(), **factory))
        self.register_parameter("bias", Parameter(empty(self.out_channels, **factory)) if bias else None)

    def reset_parameters(self) -> None:
        """Draw the parameters anew, from ±1/sqrt(fan_in)."""
        draw_by_fan_in(self.weight, self.bias)

    def extra_repr(self) -> str:
        once, none = (1,) * self.axes, (0,) * self.axes
        return listed(
            f"{self.in_channels}, {self.out_channels}, {settings(self, 'kernel_size', 'stride')}",
            self.padding != none and f"padding={self.padding}",
            self.dilation != once and settings(self, "dilation"),
            self.output_padding != none and settings(self, "output_padding"),
            self.groups != 1 and settings(self, "groups"),
            self.bias is None and "bias=False",
            self.padding_mode != "zeros" and f"padding_mode={self.padding_mode}",
        )


class _Conv(_ConvNd):
    """A convolution (the kernel is not flipped).

    Shapes: input f32[batch, in_channels, ...], or without batch; weight f32[out_channels, in_channels / groups, ...].

    Args:
        in_channels: of the input.
        out_channels: of the output.
        kernel_size: size of the kernel.
        stride: step of the kernel.
        padding: zeros on both sides, or `valid` (none) or `same` (so that the size stays).
        dilation: step within the kernel.
        groups: of channels that are convolved on their own.
        bias: whether a number is added to every output channel.
        padding_mode: `zeros`, `reflect`, `replicate` or `circular`.
        device: the CPU.
        dtype: of the parameters.

    Raises:
        ValueError: the channels cannot be divided into the groups, or a mode of padding does not exist or fit.
    """

    transposed = False

    def __init__(
        self,
        in_channels: int,
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
        super().__init__()
        self._set_up(
            (in_channels, out_channels),
            kernel_size,
            stride,
            padding,
            dilation,
            0,
            groups,
            bias,
            padding_mode,
            device=device,
            dtype=dtype,
        )

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight, self.bias)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The convolution by other weights: what classes derived from this one call."""
        padding = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._sides(), self.padding_mode)
            padding = (0,) * self.axes
        convolved: Tensor = self.convolve(input, weight, bias, self.stride, padding, self.dilation, self.groups)
        return convolved

    def _sides(self) -> tuple[int, ...]:
        """How much to pad on each side, last axis first, as `F.pad` takes it."""
        sides: list[int] = []
        for axis in reversed(range(self.axes)):
            if isinstance(self.padding, str):
                total = self.dilation[axis] * (self.kernel_size[axis] - 1) if self.padding == "same" else 0
                sides += [total // 2, total - total // 2]
            else:
                sides += [self.padding[axis]] * 2
        return tuple(sides)


class Conv1d(_Conv):
    """A convolution along the last axis."""

    axes, convolve = 1, staticmethod(F.conv1d)


class Conv2d(_Conv):
    """A convolution along the last 2 axes."""

    axes, convolve = 2, staticmethod(F.conv2d)


class Conv3d(_Conv):
    """A convolution along the last 3 axes."""

    axes, convolve = 3, staticmethod(F.conv3d)


class _ConvTransposeNd(_ConvNd):
    """The transpose (the derivative by the input) of a convolution, which spreads each element over a window.

    Shapes: input f32[batch, in_channels, ...], or without batch; weight f32[in_channels, out_channels / groups, ...].

    Args:
        in_channels: of the input.
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

    Raises:
        ValueError: the channels cannot be divided into the groups, or `padding_mode` is not `zeros`.
    """

    transposed = True

    def __init__(
        self,
        in_channels: int,
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
        super().__init__()
        if padding_mode != "zeros":
            raise ArgumentError(
                f'Only "zeros" padding mode is supported for {type(self).__name__}. Fix: leave padding_mode out.'
            )
        self._set_up(
            (in_channels, out_channels),
            kernel_size,
            stride,
            padding,
            dilation,
            output_padding,
            groups,
            bias,
            padding_mode,
            device=device,
            dtype=dtype,
        )

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """The transpose of the convolution.

        Args:
            input: f32[batch, in_channels, ...].
            output_size: of the spatial axes, where the stride leaves a choice.

        Raises:
            ValueError: `output_size` cannot be reached.
        """
        extra = self.output_padding if output_size is None else self._output_padding(input, output_size)
        convolved: Tensor = self.convolve(
            input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation
        )
        return convolved

    def _output_padding(self, input: Tensor, output_size: Sequence[int]) -> tuple[int, ...]:
        wanted = output_size
        if len(wanted) in (self.axes + 1, self.axes + 2) and len(wanted) == input.dim():
            wanted = wanted[-self.axes :]
        if len(wanted) != self.axes:
            raise ArgumentError(
                f"ConvTranspose{self.axes}D: for {input.dim()}D input, output_size must have {self.axes} or "
                f"{input.dim()} elements (got {len(output_size)}). Fix: give {self.axes} sizes."
            )
        padding = as_sizes(self.padding, self.axes)  # type: ignore[arg-type]  # transposes take no padding by name
        least = [
            (size - 1) * step - 2 * cut + spread * (kernel - 1) + 1
            for size, step, cut, spread, kernel in zip(
                input.shape[-self.axes :], self.stride, padding, self.dilation, self.kernel_size, strict=True
            )
        ]
        most = [size + step - 1 for size, step in zip(least, self.stride, strict=True)]
        if not all(low <= size <= high for low, size, high in zip(least, wanted, most, strict=True)):
            raise ArgumentError(
                f"{type(self).__name__}: requested an output size of {wanted}, but valid sizes range from {least} to "
                f"{most} (for an input of {input.size()[2:]}). Fix: give a size in that range, or another stride."
            )
        return tuple(size - low for size, low in zip(wanted, least, strict=True))


class ConvTranspose1d(_ConvTransposeNd):
    """The transpose of a convolution along the last axis."""

    axes, convolve = 1, staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_ConvTransposeNd):
    """The transpose of a convolution along the last 2 axes."""

    axes, convolve = 2, staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_ConvTransposeNd):
    """The transpose of a convolution along the last 3 axes."""

    axes, convolve = 3, staticmethod(F.conv_transpose3d)
