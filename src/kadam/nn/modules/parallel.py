"""Modules that PyTorch spreads over several GPUs or processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kadam import distributed
from kadam.nn.modules.module import Module


class DataParallel(Module):
    """Calls a module; where there are no GPUs, as here, that is all it does.

    Args:
        module: is called.
        device_ids: GPUs.
        output_device: a GPU.
        dim: the axis along which a batch would be divided.
    """

    def __init__(self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0) -> None:
        super().__init__()
        self.module = module
        self.device_ids: list[Any] = []

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.module(*inputs, **kwargs)


class DistributedDataParallel(Module):
    """Calls a module whose gradients are averaged over all processes: over one, as here, they are as they are.

    Args:
        module: is called.
        device_ids: a GPU.
        output_device: a GPU.
        dim: the axis along which a batch would be divided.
        broadcast_buffers: whether buffers are those of process 0.
        init_sync: whether parameters start as those of process 0.
        process_group: the processes; by default all.
        options: how gradients travel.

    Raises:
        ValueError: `init_process_group` was not called, or GPUs are named.
        RuntimeError: no parameter requires a gradient.
    """

    def __init__(
        self,
        module: Module,
        device_ids: Any = None,
        output_device: Any = None,
        dim: int = 0,
        broadcast_buffers: bool | None = None,
        init_sync: bool = True,
        process_group: distributed.ProcessGroup | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        distributed.get_world_size(process_group)
        if not any(parameter.requires_grad for parameter in module.parameters()):
            raise RuntimeError(
                "DistributedDataParallel: no parameter of the module requires a gradient, so there is nothing to "
                "average. Fix: call the module itself."
            )
        if device_ids or output_device is not None:
            raise ValueError(
                f"DistributedDataParallel: device_ids {device_ids} and output_device {output_device} are GPUs, and the "
                "module's parameters are on the CPU. Fix: leave both out."
            )
        self.module = module
        self.device_ids = None
        self.output_device = None
        self.process_group = process_group or distributed.group.WORLD
        self.require_backward_grad_sync = True

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.module(*inputs, **kwargs)

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Inside, gradients are not averaged: they are summed up over several batches first."""
        before, self.require_backward_grad_sync = self.require_backward_grad_sync, False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before

    @contextmanager
    def join(self, *options: Any, **named_options: Any) -> Iterator[None]:
        """Inside, processes may have different numbers of batches: one has its own."""
        yield
