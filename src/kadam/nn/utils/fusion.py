"""A normalisation by running statistics, folded into the layer before it. As `torch.nn.utils.fusion`."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from kadam.nn.parameter import Parameter
from kadam.ops.creation import zeros_like
from kadam.recording.modes import no_grad

if TYPE_CHECKING:
    from kadam.tensor import Tensor


def fuse_conv_bn_eval(conv: Any, bn: Any, transpose: bool = False) -> Any:
    """A convolution that computes what a convolution and a batch normalisation compute in evaluation mode.

    Raises:
        RuntimeError: one of them trains.
    """
    fused = _copied(conv, bn)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, transpose
    )
    return fused


def fuse_conv_bn_weights(
    conv_w: Tensor, conv_b: Tensor | None, bn_rm: Tensor, bn_rv: Tensor, bn_eps: float, bn_w: Tensor | None,
    bn_b: Tensor | None, transpose: bool = False,
) -> tuple[Parameter, Parameter]:  # fmt: skip
    """The weight and the bias of such a convolution."""
    shape = [1] * conv_w.ndim
    shape[1 if transpose else 0] = -1
    return _fused(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, shape)


def fuse_linear_bn_eval(linear: Any, bn: Any) -> Any:
    """A linear layer that computes what a linear layer and a batch normalisation compute in evaluation mode.

    Raises:
        RuntimeError: one of them trains.
    """
    fused = _copied(linear, bn)
    fused.weight, fused.bias = fuse_linear_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    )
    return fused


def fuse_linear_bn_weights(
    linear_w: Tensor, linear_b: Tensor | None, bn_rm: Tensor, bn_rv: Tensor, bn_eps: float, bn_w: Tensor | None,
    bn_b: Tensor | None,
) -> tuple[Parameter, Parameter]:  # fmt: skip
    """The weight and the bias of such a linear layer."""
    return _fused(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, [-1, 1])


def _copied(layer: Any, bn: Any) -> Any:
    if layer.training or bn.training:
        raise RuntimeError("Fusion only for eval!: one of the modules trains. Fix: model.eval().")
    return deepcopy(layer)


def _fused(
    weight: Tensor, bias: Tensor | None, mean: Tensor, var: Tensor, eps: float, scale: Tensor | None,
    shift: Tensor | None, shape: list[int],
) -> tuple[Parameter, Parameter]:  # fmt: skip
    with no_grad():
        factor = (var + eps).rsqrt()
        factor = factor if scale is None else factor * scale
        start = zeros_like(mean) if bias is None else bias
        moved = (start - mean) * factor
        moved = moved if shift is None else moved + shift
        wide = (weight * factor.reshape(shape)).to(weight.dtype)
    trains = True if bias is None else bias.requires_grad
    return Parameter(wide, weight.requires_grad), Parameter(moved.to(start.dtype), trains)


__all__ = ["fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights"]
