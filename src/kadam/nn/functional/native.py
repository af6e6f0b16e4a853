"""Normalisations that return the statistics beside the result, as PyTorch's `native_` functions do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kadam.nn.functional.normalization import batch_norm, group_norm, layer_norm
from kadam.ops.reduce import var_mean

if TYPE_CHECKING:
    from kadam.tensor import Tensor


def native_layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """`layer_norm`, with the means and the inverse standard deviations. As `torch.native_layer_norm`."""
    result = layer_norm(input, tuple(normalized_shape), weight, bias, eps)
    axes = tuple(range(len(input.shape) - len(normalized_shape), len(input.shape)))
    spread, middle = var_mean(input.detach(), axes, correction=0, keepdim=True)
    return result, middle, (spread + eps).rsqrt()


def native_group_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, N: int, C: int, HxW: int, group: int, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """`group_norm`, with the means and the inverse standard deviations. As `torch.native_group_norm`."""
    result = group_norm(input, group, weight, bias, eps)
    spread, middle = var_mean(input.reshape(N, group, C // group * HxW), -1, correction=0)
    return result, middle, (spread + eps).rsqrt()


def native_batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """`batch_norm`, in training with the means and the inverse standard deviations. As `torch.native_batch_norm`."""
    result = batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    if not training:
        return result, input.new_empty(0), input.new_empty(0)
    axes = tuple(axis for axis in range(len(input.shape)) if axis != 1)
    spread, middle = var_mean(input.detach() if input.numel() else input, axes, correction=0)
    return result, middle, (spread + eps).rsqrt()


def native_dropout_backward(grad_output: Tensor, mask: Tensor, scale: float) -> Tensor:
    """The gradient of a dropout, given the mask of what it kept. As `torch.native_dropout_backward`."""
    return grad_output * mask * scale
