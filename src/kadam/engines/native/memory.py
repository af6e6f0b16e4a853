"""Where the values of a step stand: one arena, whose places are used again when their values are no longer needed."""

from __future__ import annotations

import threading
import weakref
from bisect import bisect
from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from sys import getrefcount
from typing import Any

import numpy as np

from kadam.hot import hot, slotted
from kadam.ir.types import TensorType

ALIGNMENT = 64
LARGE_BYTES = 1 << 16
KEPT_BYTES = 1 << 28  # of large results that all programs keep together, beside those of the latest one
_UNHELD = 3  # references to an array that only its list of the kept holds: this, the loop's variable, getrefcount's own


@slotted
class Arena:
    """Aligned memory of a fixed size.

    Attributes:
        busy: whether a program runs in it. Another one may come meanwhile: from another thread, or out of a signal
            handler or a finaliser.
    """

    __slots__ = ("address", "busy", "memory", "size_bytes")

    def __init__(self, size_bytes: int) -> None:
        self.busy = False
        whole = np.empty(size_bytes + ALIGNMENT, np.uint8)
        start = -whole.ctypes.data % ALIGNMENT
        self.memory = whole[start : start + size_bytes]
        self.address: int = self.memory.ctypes.data
        self.size_bytes = size_bytes

    def array(self, offset: int, shape: tuple[int, ...], kind: np.dtype[Any]) -> np.ndarray[Any, Any]:
        """A part of it as an array."""
        return np.ndarray(shape, kind, self.memory.data, offset)


class _OfThread(threading.local):
    arena = Arena(0)


_of_thread = _OfThread()


def arena(size_bytes: int) -> Arena:
    """The arena of this thread: its programs run one after another, so one is enough for all of them."""
    if _of_thread.arena.size_bytes < size_bytes:
        _of_thread.arena = Arena(max(size_bytes, min(2 * _of_thread.arena.size_bytes, size_bytes + (1 << 24))))
    return _of_thread.arena


@slotted
class Results:
    """Arrays for the results of a program's runs, used again once nobody else holds them: memory fresh from the system
    costs as much as computing what goes there, and making an array as much as a small step's computing.

    Small ones are kept twice, for a loop mostly holds those of the step before while it runs the next.

    Args:
        types: of the results.
    """

    __slots__ = ("__weakref__", "_kept", "_kinds", "kept_bytes")

    def __init__(self, types: Sequence[TensorType]) -> None:
        self._kinds = [(one.shape, one.dtype.numpy, 1 if one.size_bytes >= LARGE_BYTES else 2) for one in types]
        self._kept: list[list[Any]] = [[] for _ in types]
        self.kept_bytes = 0

    @hot
    def fresh(self) -> list[np.ndarray[Any, Any]]:
        """An array for each result, which nobody else holds."""
        found = []
        for index, kept in enumerate(self._kept):
            free = None
            for array in kept:
                if getrefcount(array) <= _UNHELD:
                    free = array
                    break
            array = None
            found.append(self._another(index) if free is None else free)
        return found

    def _another(self, index: int) -> np.ndarray[Any, Any]:
        shape, kind, count = self._kinds[index]
        array = np.empty(shape, kind)
        kept = self._kept[index]
        kept.append(array)
        if len(kept) > count:
            del kept[0]
        _keepers[id(self)] = weakref.ref(self)
        self.kept_bytes = sum(one.nbytes for each in self._kept for one in each)
        _forget_others(self)
        return array

    def forget(self) -> None:
        """Keep nothing; the next run makes its arrays anew."""
        self._kept = [[] for _ in self._kinds]
        self.kept_bytes = 0


_keepers: dict[int, weakref.ref[Results]] = {}  # those that have made arrays, the latest last


def _forget_others(latest: Results) -> None:
    """Let the programs that were the first to make arrays keep none, should all of them keep too much."""
    _keepers[id(latest)] = _keepers.pop(id(latest))
    others = [(key, one) for key, reference in list(_keepers.items()) if (one := reference()) is not latest]
    total = sum(one.kept_bytes for _, one in others if one is not None)
    for key, one in others:
        if total <= KEPT_BYTES and one is not None:
            return
        total -= 0 if one is None else one.kept_bytes
        if one is not None:
            one.forget()
        _keepers.pop(key, None)


def placed(lives: Mapping[Any, tuple[int, int, int]]) -> tuple[dict[Any, int], int]:
    """An offset for each buffer, such that those that live at the same time do not overlap.

    Args:
        lives: buffer -> (size in bytes, the first and the last moment when it is needed).

    Returns:
        The offsets, and the size of the whole in bytes.
    """
    offsets: dict[Any, int] = {}
    free = Free()
    used: list[tuple[int, int, int]] = []  # by the last moment: offset and size
    for key, (size_bytes, first, last) in sorted(lives.items(), key=lambda item: (item[1][1], -item[1][0])):
        while used and used[0][0] < first:
            _, offset, size = heappop(used)
            free.give(offset, size)
        size = _rounded(size_bytes)
        offsets[key] = free.take(size)
        heappush(used, (last, offsets[key], size))
    return offsets, free.end


class Free:
    """The parts of a growing memory that are not in use.

    Attributes:
        end: how large the memory has become.
    """

    def __init__(self) -> None:
        self.end = 0
        self._parts: list[tuple[int, int]] = []  # offset and size, in order, no two adjacent

    def take(self, size: int) -> int:
        """The offset of a part of this size: out of the smallest that is large enough, or at the end."""
        fitting = [(length, place) for place, (_, length) in enumerate(self._parts) if length >= size]
        if not fitting:
            return self._grow(size)
        length, place = min(fitting)
        offset = self._parts[place][0]
        if length == size:
            del self._parts[place]
        else:
            self._parts[place] = offset + size, length - size
        return offset

    def _grow(self, size: int) -> int:
        offset = self.end
        if self._parts and sum(self._parts[-1]) == self.end:
            offset = self._parts.pop()[0]
        self.end = offset + size
        return offset

    def give(self, offset: int, size: int) -> None:
        """A part is not in use any more."""
        place = bisect(self._parts, (offset, size))
        if place < len(self._parts) and self._parts[place][0] == offset + size:
            size += self._parts.pop(place)[1]
        if place and sum(self._parts[place - 1]) == offset:
            offset, before = self._parts[place - 1]
            self._parts[place - 1] = offset, before + size
            return
        self._parts.insert(place, (offset, size))


def _rounded(size_bytes: int) -> int:
    return max(-(-size_bytes // ALIGNMENT), 1) * ALIGNMENT
