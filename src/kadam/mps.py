"""GPUs of another kind, which are not there. As `torch.mps` without one."""

from __future__ import annotations

from kadam import missing


def is_available() -> bool:
    """False: Kadam computes on the CPU."""
    return False


def device_count() -> int:
    """No devices."""
    return 0


def manual_seed(seed: int) -> None:
    """Nothing: there is no such generator."""


def empty_cache() -> None:
    """Nothing: there is no such memory."""


__all__ = ["device_count", "empty_cache", "is_available", "manual_seed"]

missing.install(__name__)
