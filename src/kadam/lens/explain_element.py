"""Formulas of single elements, with their numbers.

An element's formula comes from the very facet that the compiling engines read, `lower`: what stands at an index of a
result, in terms of the operands' elements.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np

from kadam.dtypes import bool_, dtype
from kadam.ir.graph import Node
from kadam.ir.lowering import NotLowered
from kadam.ir.place import Index, Place, place
from kadam.ir.primitive import Array, Primitive
from kadam.lens.explain_formula import (
    ADDITIVE,
    ATOM,
    POWER,
    SIGN,
    TooLong,
    as_books_do,
    as_term,
    composed,
    kept_whole,
    spelled_number,
    squared,
)
from kadam.lens.explain_idioms import Idiom, idiom
from kadam.lens.explain_names import Names
from kadam.primitives.elementwise import Add, Div, Mul, Where
from kadam.primitives.sources import Input

MOST_TERMS = 6  # of a sum that is shown whole
LONGEST_SUM = 20_000  # terms that are looked at
LEAVES = 20_000  # elements that one formula may look at
PARTS = 300  # primitives that one formula may consist of, those within long sums aside
DEEPEST = 40  # primitives within primitives
LONGEST_TEXT = 3_000  # characters; what is longer is named, not spelled out


@dataclass(frozen=True)
class Element:
    """One number of a formula.

    Attributes:
        text: in names: `x[0,1] · w[2,1]`.
        numbers: in numbers: `2 · 0.31`.
        value: what it is.
        held: how tightly it holds together.
        terms: of a sum.
    """

    text: str
    numbers: str
    value: Any
    held: int = ATOM
    terms: tuple[Element, ...] = ()


class Speller:
    """Writes elements of a step's values as formulas in terms of named values. An `Emitter`.

    Args:
        names: of the values.
        values: node id -> value.
        stops: ids of the nodes that are named, not spelled out.
    """

    def __init__(self, names: Names, values: Mapping[int, Array], stops: Collection[int]) -> None:
        self.names, self.values, self.stops = names, values, stops
        self.left, self.depth, self.summing = LEAVES, 0, False
        self.parts = PARTS
        self.instead: Mapping[int, Node] = {}  # values that are read as others, within an idiom

    def spell(self, node: Node, at: tuple[int, ...]) -> Element:
        """One element of a node, spelled out.

        Raises:
            TooLong: it is a long sum of long sums, or looks at too many elements.
        """
        return self._spelled(node, tuple(place(one) for one in at))

    def read(self, node: Node, at: Index) -> Element:
        """An operand's element: its name, or what it is made of."""
        node = self.instead.get(node.id, node)
        if node.id in self.stops or isinstance(node.primitive, Input):
            return self._leaf(node, at)
        return self._spelled(node, at)

    def _leaf(self, node: Node, at: Index) -> Element:
        self.left -= 1
        if self.left < 0:
            raise TooLong
        here = tuple(one.constant for one in at)
        value = self.values[node.id][here]
        known = not isinstance(node.primitive, Input) or node.shape or self.names.known(node) is not None
        shown = spelled_number(value)
        return Element(self.names.element(node, here) if known else shown, shown, value)

    def _spelled(self, node: Node, at: Index) -> Element:
        if self.depth >= DEEPEST:
            return self._leaf(node, at)
        self.parts -= not self.summing
        if self.parts < 0:
            raise TooLong
        kept = kept_whole(node, self.values)
        if kept is not None:
            return self.read(kept, at)
        self.depth += 1
        try:
            found = idiom(node, self.values)
            if found is not None:
                return self._idiom(found.of_element or found, node, at)
            element: Element = node.primitive.element(self, at, *[_Reader(self, source) for source in node.inputs])
        except NotLowered:
            return self._leaf(node, at)
        finally:
            self.depth -= 1
        return element if len(element.text) <= LONGEST_TEXT else self._leaf(node, at)

    def _idiom(self, found: Idiom, node: Node, at: Index) -> Element:
        around, self.instead = self.instead, {**self.instead, **found.instead}
        try:
            operands = [self.read(one, _spread(one, at)) for one in found.operands]
        finally:
            self.instead = around
        if found.notation == "{0}":
            return operands[0]
        text, held = as_books_do(found, [(one.text, one.held) for one in operands])
        numbers, _ = as_books_do(found, [(one.numbers, _held_of(one)) for one in operands])
        return Element(text, numbers, self.values[node.id][tuple(one.constant for one in at)], held)

    # --- the emitter -----------------------------------------------------------------------------------------------

    def constant(self, value: complex, record: dtype) -> Element:
        shown = spelled_number(value)
        return Element(shown, shown, record.numpy.type(value), SIGN if shown.startswith("−") else ATOM)

    def apply(self, primitive: Primitive, *elements: Element) -> Element:
        if isinstance(primitive, Where):
            return elements[1] if elements[0].value else elements[2]
        values = [np.asarray(one.value) for one in elements]
        with np.errstate(all="ignore"):
            value = primitive.reference(*values)[()]
        if isinstance(primitive, Add) and elements[0].text == "0":
            return elements[1]
        if isinstance(primitive, Add) and elements[1].text == "0":
            return elements[0]
        if isinstance(primitive, Mul | Div) and elements[1].text == "1":
            return elements[0]
        if isinstance(primitive, Mul) and elements[0].text == "1":
            return elements[1]
        if isinstance(primitive, Mul) and elements[0] == elements[1] and elements[0].text != elements[0].numbers:
            return _square(elements[0], value)
        formula = primitive.formula(len(elements))
        text, held = composed(formula, [(one.text, one.held) for one in elements])
        numbers, _ = composed(formula, [(one.numbers, _held_of(one)) for one in elements])
        return Element(text, numbers, value, held)

    def number(self, place: Place, record: dtype) -> Element:
        return self.constant(place.constant, record)

    def datum(self, element: Element, size: int, wrap: bool) -> Place:
        found = int(element.value)
        return Place(found + size if wrap and found < 0 else found)

    def inside(self, place: Place, low: int, high: int) -> Element:
        return self.constant(low <= place.constant < high, bool_)

    def aligned(self, place: Place, step: int) -> Element:
        return self.constant(place.constant % step == 0, bool_)

    def choose(self, condition: Element, then: Callable[[], Element], other: Callable[[], Element]) -> Element:
        return then() if condition.value else other()

    def reduce(self, word: str, sizes: Sequence[int], body: Callable[[Index], Element], record: dtype) -> Element:
        if prod(sizes) > LONGEST_SUM:
            raise NotLowered(word)
        terms = self._terms(sizes, body)
        if word == "sum":
            return summed([one for one in terms if one.text != "0"] or terms[:1])
        name, folded = _FOLDS[word]
        value = folded.reduce([one.value for one in terms])
        winner = next((at for at, one in enumerate(terms) if one.value == value), 0)
        chosen = [terms[at] for at in sorted({0, 1, 2, winner}) if at < len(terms)]
        rest = ["…"] if len(terms) > len(chosen) else []
        shown, numbers = [one.text for one in chosen] + rest, [one.numbers for one in chosen] + rest
        return Element(f"{name}({', '.join(shown)})", f"{name}({', '.join(numbers)})", value)

    def _terms(self, sizes: Sequence[int], body: Callable[[Index], Element]) -> list[Element]:
        outer, is_long = self.summing, prod(sizes) > MOST_TERMS
        if outer and is_long:
            raise TooLong
        self.summing = outer or is_long
        try:
            return [body(tuple(map(place, over))) for over in product(*map(range, sizes))]
        finally:
            self.summing = outer

    def best(self, size: int, body: Callable[[Place], Element], largest: bool) -> Element:
        raise NotLowered("best")

    def require(self, condition: Element, element: Element, otherwise: complex) -> Element:
        return element


_FOLDS = {"product": ("product", np.multiply), "largest": ("max", np.maximum), "smallest": ("min", np.minimum)}


class _Reader:
    """An operand."""

    def __init__(self, speller: Speller, node: Node) -> None:
        self.speller, self.node = speller, node
        self.shape, self.dtype = node.shape, node.dtype

    def __call__(self, at: Index) -> Element:
        return self.speller.read(self.node, at)


def _square(one: Element, value: Any) -> Element:
    held = SIGN if re.match(r"−|[\d.,]+e", one.numbers) else one.held  # (−2)², (1e−06)²
    return Element(squared(one.text, one.held), squared(one.numbers, held), value, POWER)


def _spread(node: Node, at: Index) -> Index:
    """Which element of a value is met at an index of what it is spread over."""
    here = at[len(at) - node.rank :]
    return tuple(place(0) if size == 1 else one for size, one in zip(node.shape, here, strict=True))


def _held_of(one: Element) -> int:
    return SIGN if one.numbers.startswith("−") and one.held == ATOM else one.held


def summed(terms: Sequence[Element]) -> Element:
    """A sum; of a long one the largest terms, and how many more there are."""
    value = sum((one.value for one in terms[1:]), terms[0].value) if terms else 0.0
    if len(terms) == 1:
        return terms[0]
    order = sorted(range(len(terms)), key=lambda at: -abs(terms[at].value))
    chosen = sorted(order[:MOST_TERMS]) if len(terms) > MOST_TERMS else range(len(terms))
    shown = [terms[at] for at in chosen]
    rest = value - sum(one.value for one in shown)
    texts = [one.text if one.held > ADDITIVE else f"({one.text})" for one in shown]
    numbers = [
        f"({one.numbers})" if one.held == ADDITIVE
        else as_term(one.numbers) if one.numbers.startswith("−") else one.numbers
        for one in shown
    ]  # fmt: skip
    if len(shown) < len(terms):
        texts.append(f"… (+{len(terms) - len(shown)})")
        numbers.append(f"… ({spelled_number(rest)})")
    return Element(" + ".join(texts), " + ".join(numbers), value, ADDITIVE, tuple(terms))
