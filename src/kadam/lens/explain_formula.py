"""Formulas of a step, from its graph: of whole tensors, and of single elements with their numbers.

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
from kadam.language import number
from kadam.lens.explain_names import Names, is_carrier, seen_part
from kadam.primitives.broadcast import Sum
from kadam.primitives.elementwise import Add, Div, Mul, Where
from kadam.primitives.move import Slice
from kadam.primitives.sources import Full, Input

MOST_TERMS = 6  # of a sum that is shown whole
LONGEST_SUM = 20_000  # terms that are looked at
LEAVES = 20_000  # elements that one formula may look at
PARTS = 300  # primitives that one formula may consist of, those within long sums aside
DEEPEST = 40  # primitives within primitives
LONGEST_TEXT = 3_000  # characters; what is longer is named, not spelled out

ADDITIVE, MULTIPLICATIVE, SIGN, POWER, ATOM = range(5)


def strength(notation: str) -> int:
    """How tightly a formula holds together."""
    depth, found = 0, ATOM
    for mark in notation:
        depth += (mark in "([{|") - (mark in ")]}")
        if depth == 0:
            found = min(
                found,
                {
                    "+": 0,
                    "−": 0,
                    "<": 0,
                    "≤": 0,
                    ">": 0,
                    "≥": 0,
                    "=": 0,
                    "≠": 0,
                    "·": 1,
                    "/": 1,
                    "@": 1,
                    "∗": 1,
                    "^": 3,
                }.get(mark, ATOM),
            )
    return SIGN if found == ADDITIVE and notation.startswith("−") and "+" not in notation else found


def composed(notation: str, operands: Sequence[tuple[str, int]]) -> tuple[str, int]:
    """A notation with its operands in their places, in parentheses where they need them."""
    own = strength(notation)
    texts = []
    for at, (text, held) in enumerate(operands):
        inside = (
            f"({{{at}}}" in notation or f", {{{at}}}" in notation or f"|{{{at}}}" in notation or notation == f"{{{at}}}"
        )
        loose = held < own or (held == own and at > 0 and own < POWER and ("−" in notation or "/" in notation))
        loose = loose or (at > 0 and (held == SIGN or (held == ADDITIVE and text.startswith("−"))))
        if text.startswith("−") and f"−{{{at}}}" in notation:
            loose, held = True, SIGN
        texts.append(f"({text})" if loose and not inside and held < ATOM else text)
    result = notation.format(*texts)
    if notation == "{0}":
        return operands[0]
    return result, own


class TooLong(Exception):  # noqa: N818  (an answer, not an error)
    """A formula that nobody would read."""


def of_tensor(
    node: Node, names: Names, values: Mapping[int, Array], stops: Collection[int], longest: int = 300
) -> tuple[str, int]:
    """The formula of a node in terms of `stops`, inputs and named values, and how tightly it holds together.

    Raises:
        TooLong: it has more than `longest` parts.
    """
    return _Writer(names, values, stops, longest).write(node)


class _Writer:
    """Writes formulas of whole tensors."""

    def __init__(self, names: Names, values: Mapping[int, Array], stops: Collection[int], left: int) -> None:
        self.names, self.values, self.stops, self.left = names, values, stops, left

    def write(self, node: Node) -> tuple[str, int]:
        self.left -= 1
        if self.left < 0:
            raise TooLong
        values = self.values
        if node.id in self.stops:
            return self.names.of(node), ATOM
        if isinstance(node.primitive, Input):
            known = node.shape or self.names.known(node) is not None
            return (self.names.of(node), ATOM) if known else _number(values[node.id])
        if isinstance(node.primitive, Full) or (_is_constant(node) and node.id in values):
            value = node.primitive.value if isinstance(node.primitive, Full) else values[node.id].reshape(-1)[0]
            return _number(value)
        if isinstance(node.primitive, Where):
            condition = values.get(node.inputs[0].id)
            if condition is not None and (condition.all() or not condition.any()):
                return self.write(node.inputs[1 if condition.all() else 2])
        kept = _kept_whole(node, values)
        if kept is not None:
            return self.write(kept)
        if isinstance(node.primitive, Div) and (mean := _averaged(node, values)) is not None:
            return f"mean({self.write(mean)[0]})", ATOM
        operands = [self.write(source) for source in node.inputs]
        if isinstance(node.primitive, Add) and ("0", ATOM) in operands:  # sum() begins with 0
            return operands[operands[0] == ("0", ATOM)]
        if isinstance(node.primitive, Slice):
            text, held = operands[0]
            part = seen_part(node, text if held == ATOM else f"({text})")
            return part, ATOM if part != text else held
        if isinstance(node.primitive, Mul) and node.inputs[0] is node.inputs[1]:
            return _squared(*operands[0]), POWER
        return composed(node.primitive.formula(len(operands)), operands)


def _is_constant(node: Node) -> bool:
    """Whether a value is one number that only shapes decide: how many elements there are, say."""
    if is_carrier(node) and node.inputs:
        return _is_constant(node.inputs[0])
    return isinstance(node.primitive, Full)


def _averaged(node: Node, values: Mapping[int, Array]) -> Node | None:
    """What a sum over everything, divided by how much there is, is the mean of."""
    total, many = node.inputs
    if not isinstance(total.primitive, Sum) or total.shape or many.id not in values or values[many.id].size != 1:
        return None
    inner = total.inputs[0]
    all_there = not _knows_data(many) or _counts_all(many, values)
    return inner if all_there and float(values[many.id].reshape(())) == prod(inner.shape) else None


def _knows_data(node: Node) -> bool:
    """Whether a value depends on tensors, not on numbers and shapes alone."""
    return bool(node.shape) if isinstance(node.primitive, Input) else any(map(_knows_data, node.inputs))


def _counts_all(node: Node, values: Mapping[int, Array]) -> bool:
    """Whether a number counts places that are all kept."""
    while is_carrier(node) and node.inputs:
        node = node.inputs[0]
    return isinstance(node.primitive, Sum) and _keeps_all(node.inputs[0], values)


def _keeps_all(node: Node, values: Mapping[int, Array]) -> bool:
    """Whether a value is a mask of 1 everywhere: of labels of which none is to be ignored, say."""
    while is_carrier(node) and node.inputs:
        node = node.inputs[0]
    known = values.get(node.id)
    return node.dtype is bool_ and bool(node.inputs) and known is not None and bool(known.all())


def _kept_whole(node: Node, values: Mapping[int, Array]) -> Node | None:
    """What is multiplied by a mask of 1 everywhere."""
    if not isinstance(node.primitive, Mul):
        return None
    for kept, mask in (node.inputs, reversed(node.inputs)):
        if kept.shape == node.shape and _keeps_all(mask, values):
            return kept
    return None


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

    def spell(self, node: Node, at: tuple[int, ...]) -> Element:
        """One element of a node, spelled out.

        Raises:
            TooLong: it is a long sum of long sums, or looks at too many elements.
        """
        return self._spelled(node, tuple(place(one) for one in at))

    def read(self, node: Node, at: Index) -> Element:
        """An operand's element: its name, or what it is made of."""
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
        shown = _shown(value)
        return Element(self.names.element(node, here) if known else shown, shown, value)

    def _spelled(self, node: Node, at: Index) -> Element:
        if self.depth >= DEEPEST:
            return self._leaf(node, at)
        self.parts -= not self.summing
        if self.parts < 0:
            raise TooLong
        kept = _kept_whole(node, self.values)
        if kept is not None:
            return self.read(kept, at)
        self.depth += 1
        try:
            element: Element = node.primitive.element(self, at, *[_Reader(self, source) for source in node.inputs])
        except NotLowered:
            return self._leaf(node, at)
        finally:
            self.depth -= 1
        return element if len(element.text) <= LONGEST_TEXT else self._leaf(node, at)

    # --- the emitter -----------------------------------------------------------------------------------------------

    def constant(self, value: complex, record: dtype) -> Element:
        shown = _shown(value)
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


def _squared(text: str, held: int) -> str:
    return f"{text}²" if held == ATOM else f"({text})²"


def _square(one: Element, value: Any) -> Element:
    held = SIGN if re.match(r"−|[\d.,]+e", one.numbers) else one.held  # (−2)², (1e−06)²
    return Element(_squared(one.text, one.held), _squared(one.numbers, held), value, POWER)


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
        f"({one.numbers})" if one.numbers.startswith("−") or one.held == ADDITIVE else one.numbers for one in shown
    ]
    if len(shown) < len(terms):
        texts.append(f"… (+{len(terms) - len(shown)})")
        numbers.append(f"… ({_shown(rest)})")
    return Element(" + ".join(texts), " + ".join(numbers), value, ADDITIVE, tuple(terms))


def _number(value: Any) -> tuple[str, int]:
    """A number of a formula, and how tightly it holds together."""
    text = _shown(value)
    return text, SIGN if text.startswith("−") else ATOM


def _shown(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "1" if value else "0"
    if isinstance(value, int | np.integer):
        return str(value)
    real = float(value.real if isinstance(value, complex | np.complexfloating) else value)
    nearly_one = 5e-9 < abs(abs(real) - 1) < 1e-3  # a decay's factor, say, which four digits would round away
    return number(real, 8 if nearly_one else 4).replace("-", "−", 1)


__all__ = ["Element", "Speller", "composed", "of_tensor", "strength"]
