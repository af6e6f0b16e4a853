"""Collective operations that gradients flow through: among one process, each gives its own tensor.

As `torch.distributed.nn.functional`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kadam import distributed, missing
from kadam.distributed import ProcessGroup, ReduceOp

if TYPE_CHECKING:
    from kadam.tensor import Tensor


def all_reduce(tensor: Tensor, op: ReduceOp = ReduceOp.SUM, group: ProcessGroup | None = None) -> Tensor:
    """The sum of every process's tensor, on each."""
    distributed.all_reduce(tensor, op, group)
    return tensor.clone()


def reduce(tensor: Tensor, dst: int, op: ReduceOp = ReduceOp.SUM, group: ProcessGroup | None = None) -> Tensor:
    """The sum of every process's tensor, at `dst`."""
    distributed.reduce(tensor, dst, op, group)
    return tensor.clone()


def broadcast(tensor: Tensor, src: int, group: ProcessGroup | None = None) -> Tensor:
    """The tensor of `src`, on each process."""
    distributed.broadcast(tensor, src, group)
    return tensor.clone()


def all_gather(tensor: Tensor, group: ProcessGroup | None = None) -> tuple[Tensor, ...]:
    """Every process's tensor, on each."""
    distributed.all_gather([tensor.detach().clone()], tensor.detach(), group)
    return (tensor.clone(),)


def gather(tensor: Tensor, dst: int = 0, group: ProcessGroup | None = None) -> tuple[Tensor, ...]:
    """Every process's tensor, at `dst`."""
    distributed.gather(tensor.detach(), [tensor.detach().clone()], dst, group)
    return (tensor.clone(),)


def scatter(tensors: Sequence[Tensor], src: int = 0, group: ProcessGroup | None = None) -> Tensor:
    """This process's one of the tensors of `src`."""
    distributed.scatter(tensors[0].detach().clone(), [one.detach() for one in tensors], src, group)
    return tensors[0].clone()


def reduce_scatter(
    output: Tensor, input_list: Sequence[Tensor], op: ReduceOp = ReduceOp.SUM, group: ProcessGroup | None = None
) -> Tensor:
    """This process's one of the sums of the processes' lists; `output` tells its shape."""
    distributed.reduce_scatter(output.detach().clone(), [one.detach() for one in input_list], op, group)
    return input_list[0].clone()


def all_to_all(
    output_tensor_list: Sequence[Tensor], input_tensor_list: Sequence[Tensor], group: ProcessGroup | None = None
) -> tuple[Tensor, ...]:
    """A tensor from each process; `output_tensor_list` tells their shapes."""
    outputs = [one.detach().clone() for one in output_tensor_list]
    distributed.all_to_all(outputs, [one.detach() for one in input_tensor_list], group)
    return tuple(one.clone() for one in input_tensor_list)


__all__ = ["all_gather", "all_reduce", "all_to_all", "broadcast", "gather", "reduce", "reduce_scatter", "scatter"]

missing.install(__name__)
