"""OpenMP, which Kadam does not use."""

from __future__ import annotations


def is_available() -> bool:
    """False: Kadam has threads of its own."""
    return False
