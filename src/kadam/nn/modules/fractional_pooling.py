"""Max pooling over windows whose places are drawn at every call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from kadam.nn import functional as F
from kadam.nn.modules.module import Module
from kadam.nn.modules.sizes import as_sizes
from kadam.ops.require import ArgumentError
from kadam.tensor import Tensor

Ratio = float | tuple[float, ...]


class _FractionalMaxPoolNd(Module):
    """The maxima of windows at random places. Shapes: f32[batch, channels, ...], or without batch.

    Args:
        kernel_size: size of a window.
        output_size: how many windows each axis has.
        output_ratio: how many windows each axis has for each of its elements, between 0 and 1.
        return_indices: whether the position of each maximum is returned too.
        _random_samples: f32[batch, channels, axes] that decide on the places; drawn by default.

    Raises:
        ArgumentError: not exactly one of size and ratio is given, or a ratio is not between 0 and 1.

    Source: Graham, "Fractional max-pooling", 2014.
    """

    axes: ClassVar[int]
    pool: ClassVar[Callable[..., Any]]

    def __init__(
        self,
        kernel_size: int | tuple[int, ...],
        output_size: int | tuple[int, ...] | None = None,
        output_ratio: Ratio | None = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        if (output_size is None) == (output_ratio is None):
            found = "neither" if output_size is None else "both"
            raise ArgumentError(
                f"{type(self).__name__} takes an output_size or an output_ratio, got {found}. Fix: output_ratio=0.5."
            )
        self.kernel_size = as_sizes(kernel_size, self.axes)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else as_sizes(output_size, self.axes)
        self.output_ratio = None if output_ratio is None else self._ratios(output_ratio)

    def _ratios(self, ratio: Ratio) -> tuple[float, ...]:
        ratios = tuple(ratio) if isinstance(ratio, Iterable) else (ratio,) * self.axes
        if not all(0 < one < 1 for one in ratios):
            raise ArgumentError(
                f"{type(self).__name__}: output_ratio must be between 0 and 1 (got {ratio}). Fix: output_ratio=0.5."
            )
        return ratios

    def forward(self, input: Tensor) -> Any:
        return self.pool(
            input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices, self._random_samples
        )


class FractionalMaxPool2d(_FractionalMaxPoolNd):
    """The maximum of each of the windows at random places of the last 2 axes."""

    axes, pool = 2, staticmethod(F.fractional_max_pool2d)


class FractionalMaxPool3d(_FractionalMaxPoolNd):
    """The maximum of each of the windows at random places of the last 3 axes."""

    axes, pool = 3, staticmethod(F.fractional_max_pool3d)
