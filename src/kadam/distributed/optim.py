"""Optimizers whose state several processes share: there is one process. As `torch.distributed.optim`."""

from __future__ import annotations

from kadam import missing
from kadam.absent import kinds

DistributedOptimizer, PostLocalSGDOptimizer, ZeroRedundancyOptimizer = kinds(
    "torch.distributed.optim",
    "DistributedOptimizer PostLocalSGDOptimizer ZeroRedundancyOptimizer",
    "train in one process, with an optimizer of torch.optim.",
)

__all__ = ["DistributedOptimizer", "PostLocalSGDOptimizer", "ZeroRedundancyOptimizer"]

missing.install(__name__)
