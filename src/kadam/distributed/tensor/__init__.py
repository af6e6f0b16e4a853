"""Tensors of which each process holds a part: there is one process. As `torch.distributed.tensor`."""

from __future__ import annotations

from dataclasses import dataclass

from kadam import missing
from kadam.absent import functions, kinds
from kadam.distributed.device_mesh import DeviceMesh, init_device_mesh

_MODULE = "torch.distributed.tensor"
_INSTEAD = "train in one process, where each tensor is whole."

(DTensor,) = kinds(_MODULE, "DTensor", _INSTEAD)
distribute_tensor, distribute_module = functions(_MODULE, "distribute_tensor distribute_module", _INSTEAD)


class Placement:
    """What each process would hold of a tensor; libraries write plans of such."""

    def is_shard(self, dim: int | None = None) -> bool:
        """Whether it is a part along an axis: along `dim`, if that is given."""
        return isinstance(self, Shard) and dim in (None, self.dim)

    def is_replicate(self) -> bool:
        """Whether it is the whole tensor."""
        return isinstance(self, Replicate)

    def is_partial(self, reduce_op: str | None = None) -> bool:
        """Whether it is one operand of a reduction: of `reduce_op`, if that is given."""
        return isinstance(self, Partial) and reduce_op in (None, self.reduce_op)


@dataclass(frozen=True)
class Shard(Placement):
    """A part along the axis `dim`."""

    dim: int


@dataclass(frozen=True)
class Replicate(Placement):
    """The whole tensor."""


@dataclass(frozen=True)
class Partial(Placement):
    """One operand of a reduction over all processes."""

    reduce_op: str = "sum"


__all__ = [
    "DTensor", "DeviceMesh", "Partial", "Placement", "Replicate", "Shard", "distribute_module", "distribute_tensor",
    "init_device_mesh",
]  # fmt: skip

missing.install(__name__)
