"""Distances and similarities of pairs of vectors."""

from __future__ import annotations

from kadam.nn import functional as F
from kadam.nn.modules.module import Module
from kadam.tensor import Tensor


class PairwiseDistance(Module):
    """|x1 - x2 + eps|_p over the last axis.

    Args:
        p: the norm.
        eps: keeps the distance differentiable.
        keepdim: whether the last axis stays, with size 1.
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


class CosineSimilarity(Module):
    """x1 . x2 / (|x1| |x2|) along an axis.

    Args:
        dim: the axis.
        eps: the least norm.
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.cosine_similarity(x1, x2, self.dim, self.eps)
