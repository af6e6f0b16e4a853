"""Stages that are like earlier ones: a network that is unrolled in time asks for the same kernel at each step."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any

from kadam.engines.native.element import (
    Apply,
    Checked,
    Choice,
    Constant,
    Element,
    Fold,
    Given,
    Load,
    Number,
    Test,
    walk,
)
from kadam.engines.native.loops import Store
from kadam.engines.native.stage import Scratch, Stage
from kadam.ir.place import Datum, Division, Place, Var

MOST = 4_096  # kernels whose stages are remembered

_known: dict[Any, tuple[list[Stage], list[Hashable]]] = {}


class Likeness:
    """What makes two kernels equal: their elements, with buffers and loop variables counted instead of named.

    Attributes:
        key: equal for equal kernels.
        buffers: in the order in which they are met.
    """

    def __init__(self, nests: Sequence[Sequence[Var]], stores: Sequence[Store], *more: Hashable) -> None:
        self._variables: dict[Var, int] = {}
        self._buffers: dict[Hashable, int] = {}
        self._elements: dict[Element, int] = {}
        loops = tuple(tuple((self._variable(one), one.size) for one in loops) for loops in nests)
        elements = []
        for element in walk([one for store in stores for one in store.wanted]):
            elements.append(self._of(element))
            self._elements[element] = len(self._elements)
        stored = [(self._buffer(one.key), self._place(one.at), self._elements[one.element], one.word) for one in stores]
        self.key = (loops, tuple(elements), tuple(stored), more)
        self.buffers = list(self._buffers)

    def _variable(self, var: Var) -> int:
        return self._variables.setdefault(var, len(self._variables))

    def _buffer(self, key: Hashable) -> int:
        return self._buffers.setdefault(key, len(self._buffers))

    def _place(self, at: Place) -> Hashable:
        return at.constant, frozenset((self._term(term), factor) for term, factor in at.terms.items())

    def _term(self, term: Var | Division | Datum) -> Hashable:
        if isinstance(term, Var):
            return self._variable(term), term.size
        if isinstance(term, Division):
            return self._place(term.place), term.divisor, term.remainder
        return "datum", self._elements[term.element], term.bounds  # type: ignore[index]

    def _of(self, element: Element) -> Hashable:
        parts = tuple(self._elements[part] for part in element.parts)
        own: Hashable = None
        match element:
            case Constant():
                own = repr(element.value)
            case Number() | Given():
                own = self._place(element.at)
            case Load():
                own = self._buffer(element.key), self._place(element.at), element.guard is None
            case Apply():
                own = repr(element.primitive)
            case Test():
                own = self._place(element.at), element.low, element.high, element.step
            case Choice():
                own = "choice"
            case Checked():
                own = element.otherwise, element.guard is None
            case Fold():
                over = tuple((self._variable(one), one.size) for one in element.over)
                own = element.word, over, self._elements[element.body]
        return type(element).__name__, element.dtype.short, parts, own


def stages(likeness: Likeness, make: Callable[[], list[Stage]]) -> list[Stage]:
    """The stages that `make` would give, from memory if it has given them for like buffers."""
    found = _known.get(likeness.key)
    if found is None:
        if len(_known) >= MOST:
            _known.clear()
        made = make()
        _known[likeness.key] = made, likeness.buffers
        return made
    made, buffers = found
    now: dict[Hashable, Hashable] = dict(zip(buffers, likeness.buffers, strict=True))
    for stage in made:
        for key in stage.buffers:
            if isinstance(key, Scratch):
                now.setdefault(key, Scratch(key.size_bytes))
    return [replace(stage, buffers=tuple(now.get(key, key) for key in stage.buffers)) for stage in made]
