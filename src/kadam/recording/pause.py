"""Pauses of Python's cyclic garbage collector while graphs are made.

A graph is thousands of small objects of which none is garbage in a cycle; looking for such, over and over, took a third
of the time that a new path takes.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """No collection within this block; a process that has switched the collector off keeps it off."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
