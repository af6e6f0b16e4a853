"""Collective operations that libraries call by their inner names: among one process, all are done at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kadam.absent import functions

if TYPE_CHECKING:
    from kadam.tensor import Tensor

(all_to_all_single_autograd,) = functions(
    "torch.distributed._functional_collectives", "all_to_all_single_autograd", "train in one process."
)


def wait_tensor(tensor: Tensor) -> Tensor:
    """The tensor itself: nothing is under way."""
    return tensor


__all__ = ["all_to_all_single_autograd", "wait_tensor"]
