"""A program as compiled code sees it: one table, one call.

All that a call reads stands in one array: the program, its feeds, outputs, slots and launches, and each kernel's list
of slots. The function that runs the program is a builtin of Python bound to that array, so a call costs what calling
`len` costs, and the array lives as long as the function.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from kadam.engines.native import cpython, tables
from kadam.engines.native.stats import counters
from kadam.engines.native.tables import BAD_CALL, MAX_CHUNKS, Feed, Program
from kadam.engines.native.team import runtime

WORD_BYTES = 8

Kind = type[ctypes.Structure] | str  # of the parts of a table
Call = Callable[[list[Any], list[np.ndarray[Any, Any]]], int]


class Launch(NamedTuple):
    """One kernel over its tasks.

    Attributes:
        kernel: its address.
        slots: the slot of each of its buffers, in the order of its `args`.
        tasks: how many there are.
        grain: tasks that a thread takes at a time; 0 if the caller runs them all, in one go.
        checks: whether it may store a code to the error cell.
        links: kernels that run part by part instead; the tasks are the parts.
    """

    kernel: int
    slots: tuple[int, ...]
    tasks: int
    grain: int = 0
    checks: bool = False
    links: tuple[Launch, ...] = ()

    @property
    def kernels(self) -> tuple[Launch, ...]:
        """Those that really compute."""
        return self.links or (self,)


def chained(links: Sequence[Launch], parts: int) -> Launch:
    """The launch that runs kernels part by part."""
    return Launch(runtime().chain, (), parts, 1, any(one.checks for one in links), tuple(links))


class Launches:
    """A program that can be called.

    Attributes:
        call: runs it. `call(feeds, outputs)` takes two lists and returns 0; -1 - i if feed i is not a contiguous and
            aligned array (or, where a number is due, neither a float nor an array of float64): nothing ran, and the
            caller copies and calls again; or the positive code that a kernel stored to the error cell.
            Several threads may call at once; they take turns.
        address: of its table.
        feed_slots, output_slots: where the addresses of inputs and outputs go.

    Args:
        slots: how many slots there are.
        fixed: addresses of slots that never change: the arena, constants.
        feeds: the slot of each input, and whether it is a number instead of an array.
        outputs: the slot of each output.
        launches: what to run, in order.
        error: the slot of the error cell, if any kernel checks its data. The cell is this object's own.
        release: whether other Python threads may run meanwhile: worth 0.1 microseconds for all but tiny programs.
        owner: kept alive as long as the program can be called: whoever owns the memory behind `fixed`.
    """

    def __init__(
        self,
        slots: int,
        fixed: Mapping[int, int],
        feeds: Sequence[tuple[int, bool]],
        outputs: Sequence[int],
        launches: Sequence[Launch],
        *,
        error: int | None = None,
        release: bool = True,
        owner: object = None,
    ) -> None:
        self._feeds, self._outputs = tuple(feeds), tuple(outputs)
        self._owner = owner
        self._lock = threading.Lock()
        self._runtime = runtime()
        kernels = [kernel for one in launches for kernel in one.kernels]
        args = [slot for one in kernels for slot in one.slots]
        counts: dict[Kind, int] = {Program: 1, "slot": slots, "error": 1, Feed: len(feeds), "output": len(outputs)}
        links, chains = sum(len(one.links) for one in launches), sum(bool(one.links) for one in launches)
        counts |= {tables.Launch: len(launches), tables.Chain: chains, tables.Link: links, "arg": len(args)}
        places = _Places(counts)
        self._words = places.words
        self.address = places.address(Program)
        self.feed_slots = [places.address("slot", slot) for slot, _ in feeds]
        self.output_slots = [places.address("slot", slot) for slot in outputs]
        self._slots = places.numbers("slot")
        for slot, address in fixed.items():
            self._slots[slot] = address
        if error is not None:
            self._slots[error] = places.address("error")
        places.numbers("output")[:] = [places.address("slot", slot) for slot in outputs]
        places.numbers("arg")[:] = [places.address("slot", slot) for slot in args]
        for feed, (slot, is_number) in zip(places.records(Feed), feeds, strict=True):
            feed.slot, feed.number = places.address("slot", slot), is_number
        self._fill_launches(places, launches)
        self._fill_program(places, release)
        self.call: Call = self._call_builtin() if self._runtime.layout else self._call_gathered
        counters.programs += 1

    def call_timed(self, feeds: list[Any], outputs: list[np.ndarray[Any, Any]]) -> tuple[int, list[float]]:
        """Run it, and say how long each launch took, in seconds; 0 for those after one that found an error."""
        times = np.zeros(self._count + 1, np.int64)
        if self._runtime.layout:
            code = self._runtime.run(self._words.ctypes.data, id(feeds), id(outputs), times.ctypes.data)
        else:
            code = self._call_gathered(feeds, outputs, times.ctypes.data)
        return code, [max(0, one) * 1e-9 for one in np.diff(times).tolist()]

    def _fill_launches(self, places: _Places, launches: Sequence[Launch]) -> None:
        arg = link = chain = 0
        chains, links = places.records(tables.Chain), places.records(tables.Link)
        for row, one in zip(places.records(tables.Launch), launches, strict=True):
            row.kernel, row.args = one.kernel, places.address("arg", arg)
            row.tasks, row.checks = one.tasks, one.checks
            row.grain = max(one.grain, -(-one.tasks // MAX_CHUNKS))
            row.chunks = max(1, -(-one.tasks // row.grain)) if one.grain else 1
            arg += len(one.slots)
            if one.links:
                row.args = places.address(tables.Chain, chain)
                chains[chain].links, chains[chain].count = places.address(tables.Link, link), len(one.links)
                chain += 1
            for own in one.links:
                links[link].kernel, links[link].args = own.kernel, places.address("arg", arg)
                links[link].tasks = own.tasks // one.tasks
                arg, link = arg + len(own.slots), link + 1

    def _fill_program(self, places: _Places, release: bool) -> None:
        (program,) = places.records(Program)
        program.feeds, program.feed_count = places.address(Feed), len(self._feeds)
        program.outputs, program.output_count = places.address("output"), len(self._outputs)
        launches = places.records(tables.Launch)
        program.launches, program.launch_count = places.address(tables.Launch), len(launches)
        program.parallel = any(one.chunks > 1 for one in launches)
        program.error, program.release = places.address("error"), release
        program.process, program.team = self._runtime.process, self._runtime.team
        self._count = len(launches)

    def _call_builtin(self) -> Call:
        """The program as a builtin function; it keeps the table alive as its `self`, the owner as its module."""
        made: Call = cpython.builtin(_method(self._runtime.call), self._words, (self._owner,))
        return made

    def _call_gathered(self, feeds: list[Any], outputs: list[np.ndarray[Any, Any]], times: int = 0) -> int:
        """As the builtin, with addresses that Python and NumPy tell: right wherever they run."""
        if type(feeds) is not list or type(outputs) is not list:
            return BAD_CALL
        if (len(feeds), len(outputs)) != (len(self._feeds), len(self._outputs)):
            return BAD_CALL
        numbers = np.zeros(len(feeds))
        with self._lock:
            for index, (value, (slot, is_number)) in enumerate(zip(feeds, self._feeds, strict=True)):
                if is_number and type(value) is float:
                    numbers[index] = value
                    self._slots[slot] = numbers.ctypes.data + WORD_BYTES * index
                elif _is_plain(value, cpython.READABLE) and (not is_number or value.dtype == np.float64):
                    self._slots[slot] = value.ctypes.data
                else:
                    return -1 - index
            for value, slot in zip(outputs, self._outputs, strict=True):
                if not _is_plain(value, cpython.WRITEABLE):
                    return BAD_CALL
                self._slots[slot] = value.ctypes.data
            return self._runtime.run(self._words.ctypes.data, None, None, times)


class _Places:
    """Where the parts of a program's table stand in its one array: records of a kind, or words under a name."""

    def __init__(self, counts: Mapping[Kind, int]) -> None:
        self._counts = counts
        self._starts: dict[Kind, int] = {}
        size = 0
        for kind, count in counts.items():
            self._starts[kind] = size
            size += count * _size(kind)
        self.words = np.zeros(size // WORD_BYTES, np.int64)

    def address(self, kind: Kind, index: int = 0) -> int:
        return int(self.words.ctypes.data) + self._starts[kind] + index * _size(kind)

    def numbers(self, name: str) -> np.ndarray[Any, Any]:
        first = self._starts[name] // WORD_BYTES
        return self.words[first : first + self._counts[name]]

    def records(self, kind: type[ctypes.Structure]) -> list[Any]:
        return [kind.from_address(self.address(kind, index)) for index in range(self._counts[kind])]


def _size(kind: Kind) -> int:
    return WORD_BYTES if isinstance(kind, str) else ctypes.sizeof(kind)


def _is_plain(value: object, flags: int) -> bool:
    """Whether a value is an array that has NumPy's `flags`."""
    return type(value) is np.ndarray and value.flags.num & flags == flags


@cache
def _method(function: int) -> cpython.Method:
    return cpython.Method(b"call", function, cpython.METH_FASTCALL, b"Run a program: call(feeds, outputs) -> code.")
