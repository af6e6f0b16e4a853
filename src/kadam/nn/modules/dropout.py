"""Dropout: in training, zero elements or channels at random."""

from __future__ import annotations

from kadam.nn import functional as F
from kadam.nn.modules.module import Module, settings
from kadam.ops.require import require_probability
from kadam.tensor import Tensor


class _DropoutNd(Module):
    """The base of the dropouts.

    Args:
        p: the probability to be zeroed.
        inplace: whether the input's memory takes the result.

    Raises:
        ArgumentError: `p` is no probability.

    Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014.
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        require_probability(p)
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        return settings(self, "p", "inplace")


class Dropout(_DropoutNd):
    """Zeroes each element with probability p and scales the others by 1 / (1 - p)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_DropoutNd):
    """Zeroes whole channels. Shapes: f32[batch, channels, length], or without batch."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_DropoutNd):
    """Zeroes whole channels. Shapes: f32[batch, channels, height, width]."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_DropoutNd):
    """Zeroes whole channels. Shapes: f32[batch, channels, depth, height, width], or without batch."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_DropoutNd):
    """Dropout that keeps mean 0 and variance 1 of activations of `SELU`.

    Source: Klambauer et al., "Self-normalizing neural networks", 2017.
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.alpha_dropout(input, self.p, self.training, self.inplace)


class FeatureAlphaDropout(_DropoutNd):
    """`AlphaDropout` of whole channels."""

    def forward(self, input: Tensor) -> Tensor:
        return F.feature_alpha_dropout(input, self.p, self.training, self.inplace)
