"""How a tensor lies on several processes. As `torch.distributed.tensor.placement_types`."""

from __future__ import annotations

from kadam.distributed.tensor import Partial, Placement, Replicate, Shard


class _StridedShard(Shard):
    """A part along an axis, of which several plans take parts."""


__all__ = ["Partial", "Placement", "Replicate", "Shard", "_StridedShard"]
