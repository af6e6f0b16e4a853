"""Python's `multiprocessing` under PyTorch's name; tensors travel between processes by value."""

from __future__ import annotations

import multiprocessing as _python
from multiprocessing import *  # noqa: F403

from kadam import missing

_strategy = ["file_descriptor"]


def get_all_sharing_strategies() -> set[str]:
    """The names that `set_sharing_strategy` takes."""
    return {"file_descriptor", "file_system"}


def get_sharing_strategy() -> str:
    """What `set_sharing_strategy` was given."""
    return _strategy[0]


def set_sharing_strategy(new_strategy: str) -> None:
    """Accepted: Kadam's processes share no memory."""
    _strategy[0] = new_strategy


__all__ = [*_python.__all__, "get_all_sharing_strategies", "get_sharing_strategy", "set_sharing_strategy"]

missing.install(__name__)
