"""cuDNN's switches, which scripts set for reproducible runs; Kadam's runs are reproducible anyway."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

deterministic = False
benchmark = False
enabled = False
allow_tf32 = False


def is_available() -> bool:
    """False: there is no cuDNN."""
    return False


def version() -> None:
    """None: there is no cuDNN."""


@contextmanager
def flags(
    enabled: bool = False,
    benchmark: bool = False,
    benchmark_limit: int = 10,
    deterministic: bool = False,
    allow_tf32: bool = True,
    fp32_precision: str = "none",
) -> Iterator[None]:
    """A block in which the switches stand so; they stand as before after it."""
    wanted = {"enabled": enabled, "benchmark": benchmark, "deterministic": deterministic, "allow_tf32": allow_tf32}
    before = {name: globals()[name] for name in wanted}
    globals().update(wanted)
    try:
        yield
    finally:
        globals().update(before)
