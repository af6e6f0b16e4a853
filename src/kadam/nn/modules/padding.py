"""Padding of the spatial axes: with a constant, a mirror image, the border or the other end."""

from __future__ import annotations

from typing import ClassVar

from kadam.nn import functional as F
from kadam.nn.modules.module import Module, settings
from kadam.nn.modules.sizes import as_sizes
from kadam.ops.require import ArgumentError
from kadam.tensor import Tensor


class _Pad(Module):
    """The base of the paddings.

    Args:
        padding: on every side, or (left, right, top, bottom, ...), last axis first.
    """

    axes: ClassVar[int]
    mode: ClassVar[str]
    padding: tuple[int, ...]

    def __init__(self, padding: int | tuple[int, ...]) -> None:
        super().__init__()
        self.padding = as_sizes(padding, 2 * self.axes)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    """Pads with a constant.

    Args:
        padding: on every side, or (left, right, top, bottom, ...), last axis first.
        value: the constant.
    """

    mode = "constant"

    def __init__(self, padding: int | tuple[int, ...], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return settings(self, "padding", "value")


class ConstantPad1d(_ConstantPad):
    """Pads the last axis with a constant."""

    axes = 1


class ConstantPad2d(_ConstantPad):
    """Pads the last 2 axes with a constant."""

    axes = 2


class ConstantPad3d(_ConstantPad):
    """Pads the last 3 axes with a constant."""

    axes = 3


class _ZeroPad(_ConstantPad):
    """Pads with zeros.

    Args:
        padding: on every side, or (left, right, top, bottom, ...), last axis first.
    """

    def __init__(self, padding: int | tuple[int, ...]) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad1d(_ZeroPad, ConstantPad1d):
    """Pads the last axis with zeros."""


class ZeroPad2d(_ZeroPad, ConstantPad2d):
    """Pads the last 2 axes with zeros."""


class ZeroPad3d(_ZeroPad, ConstantPad3d):
    """Pads the last 3 axes with zeros."""


class ReflectionPad1d(_Pad):
    """Pads the last axis with its mirror image."""

    axes, mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """Pads the last 2 axes with their mirror image."""

    axes, mode = 2, "reflect"


class ReflectionPad3d(_Pad):
    """Pads the last 3 axes with their mirror image."""

    axes, mode = 3, "reflect"


class ReplicationPad1d(_Pad):
    """Pads the last axis with its border."""

    axes, mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """Pads the last 2 axes with their border."""

    axes, mode = 2, "replicate"


class ReplicationPad3d(_Pad):
    """Pads the last 3 axes with their border."""

    axes, mode = 3, "replicate"


class _CircularPad(_Pad):
    """Pads with the other end of each axis. Raises ArgumentError for an input without channels."""

    mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() not in (self.axes + 1, self.axes + 2):
            raise ArgumentError(
                f"{type(self).__name__}: expected {self.axes + 1}D or {self.axes + 2}D input (got {input.dim()}D "
                "input). Fix: reshape to [batch, channels, ...]."
            )
        return super().forward(input)


class CircularPad1d(_CircularPad):
    """Pads the last axis with its other end."""

    axes = 1


class CircularPad2d(_CircularPad):
    """Pads the last 2 axes with their other end."""

    axes = 2


class CircularPad3d(_CircularPad):
    """Pads the last 3 axes with their other end."""

    axes = 3
