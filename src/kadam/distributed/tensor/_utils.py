"""Which part of a tensor a process holds. As `torch.distributed.tensor._utils`."""

from __future__ import annotations

from kadam.absent import functions

(compute_local_shape_and_global_offset,) = functions(
    "torch.distributed.tensor._utils",
    "compute_local_shape_and_global_offset",
    "train in one process, where each tensor is whole.",
)

__all__ = ["compute_local_shape_and_global_offset"]
