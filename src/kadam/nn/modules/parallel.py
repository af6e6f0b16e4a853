"""Modules that PyTorch spreads over several GPUs."""

from __future__ import annotations

from typing import Any

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
