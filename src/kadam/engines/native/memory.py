"""Where the values of a step stand: one arena, whose places are used again when their values are no longer needed."""

from __future__ import annotations

import threading
import weakref
from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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

    Attributes:
        kinds: of each result its shape, its NumPy type, and how many arrays of it are kept.
        kept_bytes: of all of them.
    """

    __slots__ = ("__weakref__", "_kept", "kept_bytes", "kinds")

    def __init__(self, types: Sequence[TensorType]) -> None:
        self.kinds = [(one.shape, one.dtype.numpy, 1 if one.size_bytes >= LARGE_BYTES else 2) for one in types]
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
        shape, kind, count = self.kinds[index]
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
        self._kept = [[] for _ in self.kinds]
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


@dataclass(frozen=True)
class Span:
    """Moments that mix, for what happens in them happens part by part.

    Attributes:
        first, last: the moments.
        splits: buffers that fall to the parts as wholes: equal memory may be used again for another one of them.
    """

    first: int
    last: int
    splits: frozenset[Any]


def placed(lives: Mapping[Any, tuple[int, int, int]], spans: Sequence[Span] = ()) -> tuple[dict[Any, int], int]:
    """An offset for each buffer, such that those that live at the same time do not overlap.

    Args:
        lives: buffer -> (its exact size in bytes, the first and the last moment when it is needed).
        spans: in order, apart from each other.

    Returns:
        The offsets, and the size of the whole in bytes.
    """
    offsets: dict[Any, int] = {}
    free, held = Free(), _Held(spans)
    used: list[tuple[int, int, int, int]] = []  # by the last moment: offset, size, and what of it splits there
    for key, (size_bytes, first, last) in sorted(lives.items(), key=lambda item: (item[1][1], -item[1][0])):
        held.give_back(first, free)
        while used and used[0][0] < first:
            ended, offset, size, split = heappop(used)
            if held.span(ended) is not None and held.span(ended) is held.span(first):
                held.keep(offset, size, split)
            else:
                free.give(offset, size)
        size = _rounded(size_bytes)
        span = held.span(first)
        again = held.take(size_bytes) if span is not None and key in span.splits else None
        offsets[key] = free.take(size) if again is None else again
        closing = held.span(last)
        split = size_bytes if closing is not None and key in closing.splits else 0
        heappush(used, (last, offsets[key], size, split))
    return offsets, free.end


class _Held:
    """Memory that a span does not need any more, but other parts of it may: it is free after the span."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = spans
        self._starts = [one.first for one in spans]
        self._present: Span | None = None
        self._whole: dict[int, list[int]] = {}  # exact size -> offsets of what falls to the parts, in equal shares
        self._rest: list[tuple[int, int]] = []

    def span(self, moment: int) -> Span | None:
        """The span in which a moment is."""
        place = bisect(self._starts, moment) - 1
        return self._spans[place] if place >= 0 and moment <= self._spans[place].last else None

    def give_back(self, moment: int, free: Free) -> None:
        """What the spans before a moment held is free."""
        if self.span(moment) is self._present:
            return
        self._present = self.span(moment)
        for size, offsets in self._whole.items():
            self._rest += [(offset, _rounded(size)) for offset in offsets]
        for offset, size in self._rest:
            free.give(offset, size)
        self._whole, self._rest = {}, []

    def keep(self, offset: int, size: int, split: int) -> None:
        """Hold memory; `split`: the bytes of it that fall to the parts, or 0."""
        if split:
            self._whole.setdefault(split, []).append(offset)
        else:
            self._rest.append((offset, size))

    def take(self, size: int) -> int | None:
        """Memory of this size that may be used again part by part."""
        offsets = self._whole.get(size)
        return offsets.pop() if offsets else None


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
