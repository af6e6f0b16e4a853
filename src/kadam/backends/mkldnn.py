"""Intel's library of layers, which Kadam does not use."""

from __future__ import annotations

enabled = False


def is_available() -> bool:
    """False: Kadam has kernels of its own."""
    return False
