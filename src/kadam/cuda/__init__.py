"""CUDA, which is not there: Kadam computes on the CPU. As `torch.cuda` without a GPU."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from kadam import missing
from kadam.absent import kinds
from kadam.cuda import amp as amp
from kadam.device import check

CUDAGraph, graph = kinds("torch.cuda", "CUDAGraph graph", "there is no GPU: call the function itself.")


class OutOfMemoryError(RuntimeError):
    """What PyTorch raises where a GPU's memory does not suffice. As `torch.OutOfMemoryError`."""


class AcceleratorError(RuntimeError):
    """What PyTorch raises for other faults of a GPU. As `torch.AcceleratorError`."""


def is_available() -> bool:
    """False: Kadam computes on the CPU."""
    return False


def device_count() -> int:
    """No devices."""
    return 0


_initialized = False  # some libraries read it in place of calling the function


def is_initialized() -> bool:
    """False: there is nothing to initialise."""
    return False


def manual_seed(seed: int) -> None:
    """Nothing: there is no CUDA generator. As PyTorch without CUDA."""


def manual_seed_all(seed: int) -> None:
    """Nothing: there is no CUDA generator. As PyTorch without CUDA."""


def empty_cache() -> None:
    """Nothing: there is no CUDA memory."""


def memory_allocated(device: Any = None) -> int:
    """None of it: there is no CUDA memory."""
    return 0


def max_memory_allocated(device: Any = None) -> int:
    """None of it: there is no CUDA memory."""
    return 0


def memory_reserved(device: Any = None) -> int:
    """None of it: there is no CUDA memory."""
    return 0


def max_memory_reserved(device: Any = None) -> int:
    """None of it: there is no CUDA memory."""
    return 0


def reset_peak_memory_stats(device: Any = None) -> None:
    """Nothing: there is no CUDA memory."""


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """False: there is no GPU."""
    return False


def get_rng_state_all() -> list[Any]:
    """No states: there is no CUDA generator."""
    return []


def set_rng_state_all(new_states: Any) -> None:
    """Nothing: there is no CUDA generator."""


def seed_all() -> None:
    """Nothing: there is no CUDA generator."""


def _raise_without_cuda(name: str) -> Callable[..., Any]:
    def raised(*args: Any, **kwargs: Any) -> Any:
        check("cuda")

    raised.__name__ = name
    raised.__doc__ = "Raise DeviceError, as PyTorch without CUDA."
    return raised


current_device, synchronize, get_device_name, get_device_properties = map(
    _raise_without_cuda, ("current_device", "synchronize", "get_device_name", "get_device_properties")
)
set_device, get_device_capability, mem_get_info, get_rng_state = map(
    _raise_without_cuda, ("set_device", "get_device_capability", "mem_get_info", "get_rng_state")
)
current_stream, init = map(_raise_without_cuda, ("current_stream", "init"))


class Stream:
    """Work in order on a GPU; making one raises DeviceError, as PyTorch without CUDA."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Stream:
        check("cuda")
        return super().__new__(cls)


class Event:
    """A mark in a stream; making one raises DeviceError, as PyTorch without CUDA."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Event:
        check("cuda")
        return super().__new__(cls)


class StreamContext(AbstractContextManager[None]):
    """Work inside belongs to a stream; without one, as there are none here, nothing changes."""

    def __init__(self, stream: Stream | None) -> None:
        self.stream = stream

    def __exit__(self, *error: object) -> None:
        return None


def stream(stream: Stream | None) -> StreamContext:
    """The context in which work belongs to `stream`."""
    return StreamContext(stream)


missing.install(__name__)
