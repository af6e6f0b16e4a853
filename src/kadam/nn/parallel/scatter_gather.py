"""Batches divided among GPUs, of which there are none. As `torch.nn.parallel.scatter_gather`."""

from __future__ import annotations

from kadam import missing
from kadam.absent import functions

scatter, scatter_kwargs, gather = functions(
    "torch.nn.parallel.scatter_gather", "scatter scatter_kwargs gather", "there are no GPUs: leave the batch as it is."
)

__all__ = ["gather", "scatter", "scatter_kwargs"]

missing.install(__name__)
