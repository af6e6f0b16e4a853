"""Intel's library of mathematics, which Kadam does not use."""

from __future__ import annotations


def is_available() -> bool:
    """False: Kadam has kernels of its own."""
    return False
