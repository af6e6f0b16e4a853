"""The CPU as a device. As `torch.cpu`."""

from __future__ import annotations

from typing import Any

from kadam import missing


def is_available() -> bool:
    """True: it is what Kadam computes on."""
    return True


def device_count() -> int:
    """One."""
    return 1


def current_device() -> str:
    """The CPU."""
    return "cpu"


def synchronize(device: Any = None) -> None:
    """Accepted: reading a value waits for it in any case."""


__all__ = ["current_device", "device_count", "is_available", "synchronize"]

missing.install(__name__)
