"""The profiler under its former name. As `torch.autograd.profiler`."""

from __future__ import annotations

from typing import Any

from kadam import profiler
from kadam.absent import kinds
from kadam.profiler import record_function
from kadam.profiler.averages import Averages

EventList = Averages
(emit_nvtx,) = kinds("torch.autograd.profiler", "emit_nvtx", "there is no GPU: torch.profiler.profile times the CPU.")


class profile(profiler.profile):  # noqa: N801  (PyTorch's name)
    """As `torch.profiler.profile`; switched off by `enabled=False`."""

    def __init__(self, enabled: bool = True, **options: Any) -> None:
        idle = profiler.schedule(wait=1, warmup=0, active=0)
        super().__init__(schedule=None if enabled else idle)


__all__ = ["EventList", "emit_nvtx", "profile", "record_function"]
