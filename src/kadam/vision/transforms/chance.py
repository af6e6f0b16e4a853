"""Draws of the transforms, from PyTorch's default generator."""

from __future__ import annotations

from kadam.ops.creation import empty
from kadam.ops.random import rand, randint


def happens(probability: float) -> bool:
    """Whether an event of this probability happens."""
    return bool(rand(1).item() < probability)


def between(low: float, high: float) -> float:
    """A number, all of a range equally likely."""
    return float(empty(1).uniform_(float(low), float(high)).item())


def below(bound: int) -> int:
    """A whole number from 0 on, below the bound."""
    return int(randint(0, bound, (1,)).item())
