"""Places: the integers that an index consists of, as sums of loop variables times constants.

What a primitive does to an index (shift it, split it, merge it) is done on places when a kernel is written, so that
most of it costs nothing when the kernel runs: `(64 i + j) // 64` is `i` if j stays below 64.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count as _counter
from typing import Any

from kadam.shapes import contiguous_strides

_serials = _counter()


class Var:
    """A loop variable, 0 ... size - 1."""

    __slots__ = ("serial", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.serial = next(_serials)

    @property
    def bounds(self) -> tuple[int, int]:
        return 0, max(self.size - 1, 0)

    def __repr__(self) -> str:
        return f"v{self.serial}<{self.size}"


@dataclass(frozen=True)
class Division:
    """The quotient or the remainder (never negative) of a place by a positive number."""

    place: Place
    divisor: int
    remainder: bool

    @property
    def bounds(self) -> tuple[int, int]:
        low, high = self.place.bounds
        return (0, self.divisor - 1) if self.remainder else (low // self.divisor, high // self.divisor)


@dataclass(frozen=True)
class Datum:
    """An integer that is computed from data, within bounds.

    Attributes:
        element: the engine's expression.
    """

    element: Hashable
    bounds: tuple[int, int]


Term = Var | Division | Datum


class Place:
    """constant + the sum of coefficient times term."""

    __slots__ = ("_hash", "constant", "terms")

    def __init__(self, constant: int = 0, terms: Mapping[Term, int] | None = None) -> None:
        self.constant = constant
        self.terms: dict[Term, int] = {term: factor for term, factor in (terms or {}).items() if factor}
        self._hash = hash((constant, frozenset(self.terms.items())))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and self.constant == other.constant and self.terms == other.terms

    def __repr__(self) -> str:
        return " + ".join([*(f"{factor} {term}" for term, factor in self.terms.items()), str(self.constant)])

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the largest integer that it may be."""
        low = high = self.constant
        for term, factor in self.terms.items():
            ends = [factor * bound for bound in term.bounds]
            low, high = low + min(ends), high + max(ends)
        return low, high

    def __add__(self, other: Place | int) -> Place:
        if isinstance(other, int):
            return Place(self.constant + other, self.terms)
        terms = dict(self.terms)
        for term, factor in other.terms.items():
            terms[term] = terms.get(term, 0) + factor
        return Place(self.constant + other.constant, terms)._rejoined()

    def _rejoined(self) -> Place:
        """With a quotient and its remainder made one again: `(p // 8) * 8 + p % 8` is `p`."""
        for term, factor in self.terms.items():
            if isinstance(term, Division) and term.remainder:
                quotient = Division(term.place, term.divisor, False)
                if self.terms.get(quotient) == factor * term.divisor:
                    rest = {one: own for one, own in self.terms.items() if one not in (term, quotient)}
                    return Place(self.constant, rest) + term.place * factor
        return self

    def __sub__(self, other: Place | int) -> Place:
        return self + (-other if isinstance(other, int) else other * -1)

    def __mul__(self, factor: int) -> Place:
        return Place(self.constant * factor, {term: own * factor for term, own in self.terms.items()})

    def __rsub__(self, other: int) -> Place:
        return self * -1 + other

    def _split(self, divisor: int) -> tuple[Place, Place]:
        """Quotient and rest such that `self = divisor * quotient + rest`, with all that divides evenly in the first."""
        whole = {term: factor // divisor for term, factor in self.terms.items() if factor % divisor == 0}
        rest = {term: factor for term, factor in self.terms.items() if factor % divisor}
        return Place(self.constant // divisor, whole), Place(self.constant % divisor, rest)

    def __floordiv__(self, divisor: int) -> Place:
        quotient, rest = self._split(divisor)
        low, high = rest.bounds
        if low // divisor == high // divisor:
            return quotient + low // divisor
        return quotient + Place(0, {Division(rest, divisor, False): 1})

    def __mod__(self, divisor: int) -> Place:
        rest = self._split(divisor)[1]
        low, high = rest.bounds
        if low // divisor == high // divisor:
            return rest - low // divisor * divisor
        return Place(0, {Division(rest, divisor, True): 1})

    @property
    def is_affine(self) -> bool:
        """Whether it consists of loop variables alone."""
        return all(isinstance(term, Var) for term in self.terms)

    def variables(self) -> Iterable[Var]:
        """The loop variables that it depends on, not counting those of data."""
        for term in self.terms:
            if isinstance(term, Var):
                yield term
            elif isinstance(term, Division):
                yield from term.place.variables()

    def data(self) -> Iterable[Any]:
        """The engine's expressions that it depends on."""
        for term in self.terms:
            if isinstance(term, Datum):
                yield term.element
            elif isinstance(term, Division):
                yield from term.place.data()


Index = tuple[Place, ...]


def place(term: Term | int) -> Place:
    """A loop variable, or a number, as a place."""
    return Place(term) if isinstance(term, int) else Place(0, {term: 1})


def flat(index: Index, shape: Sequence[int]) -> Place:
    """The row-major position of an index."""
    total = Place()
    for at, stride in zip(index, contiguous_strides(shape), strict=True):
        total = total + at * stride
    return total


def unflat(position: Place, shape: Sequence[int]) -> Index:
    """The index of a row-major position."""
    if len(shape) == 1:
        return (position,)
    found = []
    for size, stride in zip(shape, contiguous_strides(shape), strict=True):
        quotient = position // stride if stride > 1 else position
        found.append(Place() if size == 1 else quotient)
        position = position - quotient * stride if size == 1 or stride == 1 else position % stride
    return tuple(found)


def merged(at: Sequence[Place], over: Sequence[Place], axes: Sequence[int]) -> Index:
    """The index in which the places `over` stand at `axes`, and those of `at` at the other axes, in order."""
    places, rest = dict(zip(axes, over, strict=True)), iter(at)
    return tuple(places[axis] if axis in places else next(rest) for axis in range(len(at) + len(over)))
