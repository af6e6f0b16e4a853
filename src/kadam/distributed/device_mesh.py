"""Processes in rows and columns: there is one process. As `torch.distributed.device_mesh`."""

from __future__ import annotations

from kadam import missing
from kadam.absent import functions, kinds

_INSTEAD = "train in one process: there is one device, the CPU."

(DeviceMesh,) = kinds("torch.distributed.device_mesh", "DeviceMesh", _INSTEAD)
(init_device_mesh,) = functions("torch.distributed.device_mesh", "init_device_mesh", _INSTEAD)

__all__ = ["DeviceMesh", "init_device_mesh"]

missing.install(__name__)
