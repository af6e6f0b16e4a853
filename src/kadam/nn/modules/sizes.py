"""Sizes that are given once for all axes or one for each."""

from __future__ import annotations

from collections.abc import Iterable


def as_sizes(value: int | Iterable[int], count: int) -> tuple[int, ...]:
    """One size for each of `count` axes."""
    return tuple(value) if isinstance(value, Iterable) else (value,) * count
