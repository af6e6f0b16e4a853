"""How many threads a program may use: what the user wants, known before anything native is loaded."""

from __future__ import annotations

import os
from collections.abc import Callable


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads() -> int:
    """How many threads a program may use, its caller included.

    At first OMP_NUM_THREADS, read as PyTorch reads it (the first number of a list), else the cores of this process.
    """
    return _wish[0]


def set_threads(count: int) -> None:
    """Let programs use `count` threads from their next launch on."""
    _wish[0] = count
    for changed in _listeners:
        changed()


def when_changed(listener: Callable[[], None]) -> None:
    """Call `listener` after each `set_threads`."""
    _listeners.append(listener)


def _first_wish() -> int:
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isdigit() and int(first) > 0 else cores()


_wish = [_first_wish()]
_listeners: list[Callable[[], None]] = []
