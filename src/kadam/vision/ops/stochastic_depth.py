"""Residual branches left out at random. As `torchvision.ops.stochastic_depth`."""

from __future__ import annotations

from kadam import nn
from kadam.namespace import empty
from kadam.ops.require import ArgumentError
from kadam.tensor import Tensor


def stochastic_depth(input: Tensor, p: float, mode: str, training: bool = True) -> Tensor:
    """Whole samples (`mode="row"`) or the whole batch (`"batch"`) zero with probability p, else scaled up.

    Raises:
        ValueError: `p` is no probability, or there is no such mode.

    Source: Huang et al. 2016, Deep Networks with Stochastic Depth.
    """
    if not 0.0 <= p <= 1.0:
        raise ArgumentError(f"stochastic_depth: p={p} is no probability. Fix: between 0 and 1.")
    if mode not in ("batch", "row"):
        raise ArgumentError(f"stochastic_depth: there is no mode {mode!r}. Fix: 'batch' or 'row'.")
    if not training or p == 0.0:
        return input
    kept = [input.shape[0] if mode == "row" else 1] + [1] * (input.ndim - 1)
    noise = empty(kept, dtype=input.dtype, device=input.device).bernoulli_(1.0 - p)
    return input * (noise.div_(1.0 - p) if p < 1.0 else noise)


class StochasticDepth(nn.Module):
    """`stochastic_depth` as a layer."""

    def __init__(self, p: float, mode: str) -> None:
        super().__init__()
        self.p = p
        self.mode = mode

    def forward(self, input: Tensor) -> Tensor:
        return stochastic_depth(input, self.p, self.mode, self.training)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p}, mode={self.mode})"


__all__ = ["StochasticDepth", "stochastic_depth"]
