"""Layers of networks for images. As `torchvision.ops.misc`."""

from __future__ import annotations

from kadam import nn
from kadam.namespace import ones, rsqrt, zeros
from kadam.tensor import Tensor


class FrozenBatchNorm2d(nn.Module):
    """Batch normalisation by statistics and an affine map that training does not change.

    Shapes:
        images f32[batch, num_features, height, width] -> the same
    """

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", ones(num_features))
        self.register_buffer("bias", zeros(num_features))
        self.register_buffer("running_mean", zeros(num_features))
        self.register_buffer("running_var", ones(num_features))

    def forward(self, x: Tensor) -> Tensor:
        scale = self.weight * rsqrt(self.running_var + self.eps)
        shift = self.bias - self.running_mean * scale
        return x * scale.reshape(1, -1, 1, 1) + shift.reshape(1, -1, 1, 1)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.weight.shape[0]}, eps={self.eps})"


__all__ = ["FrozenBatchNorm2d"]
