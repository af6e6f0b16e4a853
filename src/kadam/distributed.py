"""Training in several processes, which is not there: what scripts ask before they use it. As `torch.distributed`."""

from __future__ import annotations

from kadam import missing


def is_available() -> bool:
    """False: Kadam trains in one process."""
    return False


def is_initialized() -> bool:
    """False: Kadam trains in one process."""
    return False


def is_torchelastic_launched() -> bool:
    """False: Kadam trains in one process."""
    return False


__all__ = ["is_available", "is_initialized", "is_torchelastic_launched"]

missing.install(__name__)
