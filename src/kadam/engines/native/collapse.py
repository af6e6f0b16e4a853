"""Fewer, longer loops: neighbouring loop variables become one where memory allows, those of one value disappear."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from kadam.engines.native.element import Element, Fold, walk
from kadam.engines.native.loops import Store
from kadam.ir.place import Datum, Division, Place, Term, Var

Loops = tuple[Var, ...]


def collapse(nests: Sequence[Loops], stores: Sequence[Store]) -> tuple[list[Loops], list[Store]]:
    """The same loops, with as few variables as the places in the elements allow.

    Args:
        nests: loop variables, outermost first; only those of one nest become one.
        stores: what is computed at each point.
    """
    elements = list(walk([one for store in stores for one in store.wanted]))
    places = [at for one in elements for at in one.places] + [store.at for store in stores]
    nested = [inner for at in places for inner in (at, *_inside(at))]
    folds = {one.over for one in elements if isinstance(one, Fold)}
    becomes: dict[Var, Place] = {}
    for loops in (*nests, *folds):
        _merge(loops, nested, becomes)
    if not becomes:
        return list(nests), list(stores)
    moved = Moved(becomes)
    return [moved.loops(loops) for loops in nests], [
        replace(store, at=moved.place(store.at), element=moved.element(store.element)) for store in stores
    ]


def _inside(at: Place) -> Iterator[Place]:
    for term in at.terms:
        if isinstance(term, Division):
            yield term.place
            yield from _inside(term.place)


def _merge(loops: Loops, places: Iterable[Place], becomes: dict[Var, Place]) -> None:
    """Note what the variables of one nest become."""
    for one in loops:
        if one.size == 1:
            becomes[one] = Place()
    left = [one for one in loops if one.size != 1]
    factors = [at.terms for at in places]
    group = left[-1:]
    for outer in [*reversed(left[:-1]), None]:
        first = group[-1] if group else None
        if outer is not None and first is not None and all(
            terms.get(outer, 0) == terms.get(first, 0) * first.size for terms in factors
        ):  # fmt: skip
            group.append(outer)
            continue
        if len(group) > 1:
            _fuse(group, becomes)
        group = [outer] if outer is not None else []


def _fuse(group: Sequence[Var], becomes: dict[Var, Place]) -> None:
    """One variable for a group of them, innermost first: the innermost's factor is its own everywhere."""
    size = 1
    for one in group:
        size *= one.size
    becomes[group[0]] = Place(0, {Var(size): 1})
    for one in group[1:]:
        becomes[one] = Place()


class Moved:
    """Elements with their loop variables replaced.

    Args:
        becomes: variable -> a variable or zero.
    """

    def __init__(self, becomes: dict[Var, Place]) -> None:
        self._becomes = becomes
        self._places: dict[Place, Place] = {}
        self._elements: dict[Element, Element] = {}

    def loops(self, loops: Loops) -> Loops:
        """The variables that are left of some."""
        left: list[Var] = []
        for one in loops:
            left.extend(self._becomes[one].variables() if one in self._becomes else (one,))
        return tuple(left)

    def place(self, at: Place) -> Place:
        found = self._places.get(at)
        if found is None:
            found = Place(at.constant)
            for term, factor in at.terms.items():
                found = found + self._term(term) * factor
            self._places[at] = found
        return found

    def _term(self, term: Term) -> Place:
        if isinstance(term, Var):
            return self._becomes.get(term) or Place(0, {term: 1})
        if isinstance(term, Division):
            return Place(0, {Division(self.place(term.place), term.divisor, term.remainder): 1})
        assert isinstance(term.element, Element)
        return Place(0, {Datum(self.element(term.element), term.bounds): 1})

    def element(self, element: Element) -> Element:
        for one in walk([element]):
            if one not in self._elements:
                moved = one.moved(self.place, self._elements.__getitem__)
                if isinstance(moved, Fold):
                    moved = replace(moved, over=self.loops(moved.over))
                self._elements[one] = moved
        return self._elements[element]
