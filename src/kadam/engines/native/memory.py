"""Where the values of a step stand: one arena, whose places are used again when their values are no longer needed."""

from __future__ import annotations

import threading
from bisect import bisect
from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from sys import getrefcount
from typing import Any

import numpy as np

from kadam.ir.types import TensorType

ALIGNMENT = 64
LARGE_BYTES = 1 << 16
_UNHELD = 3


class Arena:
    """Aligned memory of a fixed size."""

    def __init__(self, size_bytes: int) -> None:
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


class Results:
    """Arrays for the results of a program's runs. Large ones are used again once nobody else holds them: memory fresh
    from the system costs as much as computing what goes there.

    Args:
        types: of the results.
    """

    def __init__(self, types: Sequence[TensorType]) -> None:
        self._kinds = [(one.shape, one.dtype.numpy) for one in types]
        self._large = {index for index, one in enumerate(types) if one.size_bytes >= LARGE_BYTES}
        self._kept: list[Any] = [None for _ in self._large]

    def fresh(self) -> list[np.ndarray[Any, Any]]:
        """An array for each result, which nobody else holds."""
        if not self._large:
            return [np.empty(shape, kind) for shape, kind in self._kinds]
        kept, found = iter(self._kept), []
        for index, (shape, kind) in enumerate(self._kinds):
            if index not in self._large:
                found.append(np.empty(shape, kind))
                continue
            array = next(kept)
            # Held by the list of the kept, by `array` and by the call that counts: by nobody else.
            found.append(np.empty(shape, kind) if array is None or getrefcount(array) > _UNHELD else array)
        self._kept = [found[index] for index in sorted(self._large)]
        return found


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
