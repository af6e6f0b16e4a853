"""Normalisation of each sample by its own statistics, whatever the batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kadam.dtypes import dtype
from kadam.nn import functional as F
from kadam.nn import init
from kadam.nn.modules.module import Module, settings
from kadam.nn.modules.sizes import as_sizes
from kadam.nn.parameter import Parameter
from kadam.ops.creation import empty
from kadam.ops.require import ArgumentError
from kadam.tensor import Tensor


class _Affine(Module):
    """The learned weight and bias of a normalisation, 1 and 0 at first."""

    weight: Tensor | None
    bias: Tensor | None

    def _make_parameters(self, shape: tuple[int, ...], weight: bool, bias: bool, **factory: Any) -> None:
        for name, wanted in (("weight", weight), ("bias", bias)):
            self.register_parameter(name, Parameter(empty(shape, **factory)) if wanted else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the weight to 1 and the bias to 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


class LayerNorm(_Affine):
    """(x - mean) / sqrt(var + eps) weight + bias, with the mean and (biased) variance over the last axes.

    Args:
        normalized_shape: of those axes; an int is the size of the last one.
        eps: added to the variance.
        elementwise_affine: whether weight and bias are learned.
        bias: whether, when affine, there is a bias.
        device: the CPU.
        dtype: of the parameters.

    Source: Ba, Kiros, Hinton, "Layer normalization", 2016.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: dtype | None = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = as_sizes(normalized_shape, 1)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        affine = elementwise_affine
        self._make_parameters(self.normalized_shape, affine, affine and bias, device=device, dtype=dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, {settings(self, 'eps', 'elementwise_affine')}, bias={self.bias is not None}"


class RMSNorm(Module):
    """x / sqrt(mean(x^2) + eps) weight, with the mean over the last axes.

    Args:
        normalized_shape: of those axes; an int is the size of the last one.
        eps: added to the mean square; None: the smallest step of the element type.
        elementwise_affine: whether the weight is learned.
        device: the CPU.
        dtype: of the weight.

    Source: Zhang, Sennrich, "Root mean square layer normalization", 2019.
    """

    weight: Tensor | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: dtype | None = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = as_sizes(normalized_shape, 1)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        weight = Parameter(empty(self.normalized_shape, device=device, dtype=dtype)) if elementwise_affine else None
        self.register_parameter("weight", weight)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the weight to 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, {settings(self, 'eps', 'elementwise_affine')}"


class GroupNorm(_Affine):
    """(x - mean) / sqrt(var + eps) weight + bias, with the mean and variance over each group of channels.

    Args:
        num_groups: into which the channels are divided.
        num_channels: axis 1.
        eps: added to the variance.
        affine: whether weight and bias are learned, one for each channel.
        device: the CPU.
        dtype: of the parameters.
        bias: whether, when affine, there is a bias.

    Raises:
        ValueError: the channels cannot be divided into the groups.

    Source: Wu, He, "Group normalization", 2018.
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: dtype | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups != 0:
            raise ArgumentError(
                f"GroupNorm: num_channels ({num_channels}) must be divisible by num_groups ({num_groups}). Fix: give a "
                f"num_groups that divides {num_channels}."
            )
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        self._make_parameters((num_channels,), affine, affine and bias, device=device, dtype=dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        shown = settings(self, "eps", "affine")
        return f"{self.num_groups}, {self.num_channels}, {shown}, bias={self.bias is not None}"


class LocalResponseNorm(Module):
    """x / (k + alpha mean(x^2))^beta, with the mean over neighbouring channels.

    Args:
        size: how many channels are neighbours.
        alpha: weight of their mean square.
        beta: exponent.
        k: what is added.

    Source: Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural networks", 2012.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, {settings(self, 'alpha', 'beta', 'k')}"
