"""The source of all randomness: the words of a Mersenne twister, from NumPy, or compiled once many have been drawn."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from kadam.engines import native
from kadam.ir.primitive import Array
from kadam.recording import gaussian, tiers
from kadam.recording import words as words_of_numpy

MANY = 1 << 19  # words that NumPy takes 1.5 ms for, and 10 ms if they become normal numbers: what compiling pays at
FEW = 1 << 14  # the same where LLVM is at hand
A_DRAW = 1 << 12  # words that NumPy could make normal numbers of while it begins to
_drawn = [0]  # by all generators of this process


class Twister:
    """A Mersenne twister, whose state is 624 words of 32 bits."""

    def __init__(self) -> None:
        self._source = np.random.MT19937()

    def seed(self, seed: int) -> None:
        """Start the sequence of a seed of 32 bits."""
        np.random.RandomState(self._source).seed(seed)

    @property
    def state(self) -> tuple[Array, int]:
        """The words u32[624], and how many of them are used up."""
        state: Any = self._source.state["state"]
        return state["key"], state["pos"]

    @state.setter
    def state(self, state: tuple[Array, int]) -> None:
        key, position = state
        self._source.state = {"bit_generator": "MT19937", "state": {"key": key, "pos": position}}

    def words(self, count: int) -> Array:
        """The next words, as u32[count]."""
        _drawn[0] += count + A_DRAW
        compiled = _compiled()
        if compiled is not None:
            with self._source.lock:  # NumPy may be at work in another thread
                drawn: Array = compiled.words(self._source.ctypes.state_address, count)
            return drawn
        return self._source.random_raw(count).astype(np.uint32)


def normal_rows(words: Array, mean: float, std: float, double: bool) -> Array:
    """Normal numbers, f32[n] from u32[n] or f64[n] from u32[2 n]; n is a multiple of 16."""
    made_by = _compiled() or gaussian
    rows: Array = (made_by.normal_rows_f64 if double else made_by.normal_rows)(words, mean, std)
    return rows


def shuffled(words: Array) -> Array:
    """0 ... n-1 in random order, i64[n] from u32[n - 1]."""
    order: Array = (_compiled() or words_of_numpy).shuffled(words)
    return order


def _compiled() -> ModuleType | None:
    enough = _drawn[0] > (FEW if native.is_loaded() else MANY)
    return _native_draws() if enough and tiers.NATIVE_AFTER >= 0 else None


@cache
def _native_draws() -> ModuleType | None:
    return native.draws()
