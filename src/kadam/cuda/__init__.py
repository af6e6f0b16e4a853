"""CUDA, which is not there: Kadam computes on the CPU. As `torch.cuda` without a GPU."""

from __future__ import annotations

from typing import Any

from kadam import missing
from kadam.cuda import amp as amp
from kadam.device import check


def is_available() -> bool:
    """False: Kadam computes on the CPU."""
    return False


def device_count() -> int:
    """No devices."""
    return 0


def is_initialized() -> bool:
    """False: there is nothing to initialise."""
    return False


def manual_seed(seed: int) -> None:
    """Nothing: there is no CUDA generator. As PyTorch without CUDA."""


def manual_seed_all(seed: int) -> None:
    """Nothing: there is no CUDA generator. As PyTorch without CUDA."""


def empty_cache() -> None:
    """Nothing: there is no CUDA memory."""


def current_device() -> int:
    """Raise, as PyTorch without CUDA.

    Raises:
        DeviceError: always.
    """
    check("cuda")
    return 0


def synchronize(device: Any = None) -> None:
    """Raise, as PyTorch without CUDA.

    Raises:
        DeviceError: always.
    """
    check("cuda")


def get_device_name(device: Any = None) -> str:
    """Raise, as PyTorch without CUDA.

    Raises:
        DeviceError: always.
    """
    check("cuda")
    return ""


missing.install(__name__)
