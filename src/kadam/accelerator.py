"""The device that computes beside the CPU: there is none. As `torch.accelerator`."""

from __future__ import annotations

from kadam import missing


def is_available() -> bool:
    """False: Kadam computes on the CPU."""
    return False


def device_count() -> int:
    """No devices."""
    return 0


def current_accelerator(check_available: bool = False) -> None:
    """None: Kadam computes on the CPU."""


__all__ = ["current_accelerator", "device_count", "is_available"]

missing.install(__name__)
