"""A step as it was cut: what tells whether the next one can be the same program again, without Python.

A step that Python records twice with nothing in between but other data is the same path, the same program and the same
tensors in the same memory. What then differs from one to the next are the data and some numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from sys import getrefcount
from typing import Any

from kadam.engines.reference import Run
from kadam.recording.herd import Herd
from kadam.recording.step import _DEAD, Recording, _alive, _Asked, state
from kadam.recording.tensor import Recorded
from kadam.recording.trail import Program, TrailNode


class Sight:
    """Looks at the recordings that are cut in its `with` block.

    Attributes:
        cuts: how many there were.
        program: what ran at the last; None where more than the path decides it, or it runs for the first time.
        places: the positions of its results that lived on.
        feeds, values: what it was fed with.
        updated: the tensors that it updated in memory, each once for each update, but for those of herds.
    """

    def __init__(self) -> None:
        self.cuts = 0
        self.program: Program | None = None
        self.places: tuple[int, ...] = ()
        self.feeds: list[Any] = []
        self.values: list[Any] = []
        self.updated: list[Recorded] = []

    def __enter__(self) -> Sight:
        self._outer, state.watcher = state.watcher, self
        return self

    def __exit__(self, *error: object) -> None:
        state.watcher = self._outer

    def takes(self, rec: Recording) -> bool:
        """Asked before each cut: see `kadam.recording.watch`."""
        if rec.created:
            self.cuts += 1
            self.places, self.program = _asked(rec) if rec.here.viewing else _known(rec)
            if rec.loose:
                self.program = None
            self.feeds, self.values = rec.feeds[:], rec.values[:]
            self.updated = [one for each in rec.writes if each.__class__ is not Herd for one in each]
        return False

    @property
    def whole(self) -> bool:
        """Whether it saw one step whose path tells all: one recording, whose updates went where they belong."""
        if self.cuts != 1 or self.program is None or self.program.saved:
            return False
        return None not in self.program.over[len(self.places) :]

    def ran(self, times: int) -> None:
        """Note that the program has run as often again, outside the recordings."""
        assert self.program is not None
        self.program.count += times
        for one in self.updated:
            one._changes += times

    def run(self) -> Run:
        """The program's run function."""
        assert self.program is not None
        return self.program.run


def _known(rec: Recording) -> tuple[tuple[int, ...], Program | None]:
    """The places of the tensors that live on, and the program that these tell."""
    places = tuple([one._pos for one in rec.created if getrefcount(one) > _DEAD and one is not None])
    known = rec.here.known.get(places)
    return places, known[0] if known is not None else None


def _asked(rec: Recording) -> tuple[tuple[int, ...], Program | None]:
    """The same where some results are views; no program if one of these lives on."""
    alive = _alive(rec)
    places = tuple([one._pos for one in alive])
    if any(one._base is not None or one._array is not None for one in alive):
        return places, None
    return places, rec.here.programs.get(_Asked(rec, alive).key)


class _Anywhere(TrailNode):
    """A place where every call is known, and does nothing."""

    __slots__ = ("keys_met",)

    def __init__(self) -> None:
        super().__init__()
        self.keys_met: list[Hashable] = []
        self.assemble = lambda rec, node, arguments: None

    def get(self, key: Any, default: Any = None) -> Any:
        self.keys_met.append(key)
        return self


class Rehearsal:
    """Calls that are made to see what they would be fed with. They record nothing, and give nothing back."""

    def __init__(self) -> None:
        self._here = _Anywhere()
        self._rec = Recording(self._here, 0)

    def of(self, act: Callable[[], object]) -> tuple[list[Any], list[Hashable]]:
        """What the calls that `act` makes are fed with, and their keys."""
        rec, here, before = self._rec, self._here, state.rec
        rec.feeds, rec.values, here.keys_met = [], [], []
        state.rec = rec
        try:
            act()
        finally:
            state.rec = before
        return rec.values, here.keys_met
