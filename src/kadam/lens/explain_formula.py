"""Formulas of a step, from its graph: how they are written, and those of whole tensors."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from kadam.dtypes import bool_
from kadam.ir.graph import Node
from kadam.ir.primitive import Array
from kadam.language import number
from kadam.lens.explain_idioms import Idiom, bounded, idiom
from kadam.lens.explain_names import LONGEST, Names, is_carrier, part_text, seen_part
from kadam.primitives.broadcast import Broadcast, Sum
from kadam.primitives.check import Within
from kadam.primitives.elementwise import Add, Cast, Div, Elementwise, Mul, Where
from kadam.primitives.index import Gather
from kadam.primitives.move import Copy, Detach, Insert, Reshape, Slice
from kadam.primitives.sources import Full, Input, Iota

SHORT = 12  # primitives of a formula that is a name
POINTWISE = (Elementwise, Where, Cast, Copy, Detach, Reshape, Broadcast, Within)  # each element stands at its place
FOLDED = "…"
COUNTED = "j"  # the number of a column, where a formula asks for it

CHOICE, ADDITIVE, MULTIPLICATIVE, SIGN, POWER, ATOM = range(-1, 5)


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
    own, asks = strength(notation), any(mark in notation for mark in "<≤>≥=≠")
    texts = []
    for at, (text, held) in enumerate(operands):
        inside = (
            f"({{{at}}}" in notation or f", {{{at}}}" in notation or f"|{{{at}}}" in notation or notation == f"{{{at}}}"
        )
        loose = held < own or (held == own and at > 0 and own < POWER and ("−" in notation or "/" in notation))
        loose = loose or (at > 0 and not asks and (held == SIGN or text.startswith("−")))
        if text.startswith("−") and f"−{{{at}}}" in notation:
            loose, held = True, SIGN
        if not loose or inside or held >= ATOM:
            texts.append(text)
        else:
            texts.append(as_term(text) if own == ADDITIVE and held == MULTIPLICATIVE else f"({text})")
    result = notation.format(*texts)
    if notation == "{0}":
        return operands[0]
    return result, own


def as_term(text: str) -> str:
    """A term that begins with a minus, within a sum: `(−2) · x`; in parentheses if no number holds the minus."""
    first = re.match(r"−[\d.,]+(e−?\d+)?(?= [·/] )", text)
    return f"({first[0]}){text[first.end() :]}" if first else f"({text})"


def as_books_do(found: Idiom, operands: Sequence[tuple[str, int]]) -> tuple[str, int]:
    """An idiom with its operands in their places."""
    if found.notation == "{0}":
        return operands[0]
    texts = [text for text, _ in operands]
    held = [f"({text})" if how < ATOM else text for text, how in operands]
    return found.notation.format(*texts, **dict(zip("abc", held, strict=False))), strength(found.notation)


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


def as_name(node: Node, names: Names, values: Mapping[int, Array], stops: Collection[int]) -> str:
    """A value's formula as its name, `(pred − y)`; nothing if it is long, or no more than another value's name.

    Of what is long those operands are left out that are formulas in turn, or else all but the latest:
    `(… + block.mlp)`.
    """
    folded: set[int] = set()
    for _ in range(3):
        writer = _Writer(names, values, stops, SHORT, folded)
        try:
            text, held = writer.write(node)
        except TooLong:
            return ""
        if held == ATOM:
            return ""
        if len(text) + 2 <= LONGEST:
            return f"({text})"
        formulas = {id for id, name in writer.met.items() if name.startswith("(")}
        folded = formulas if formulas - folded else writer.met.keys() - {max(writer.met, default=-1)}
    return ""


class _Writer:
    """Writes formulas of whole tensors."""

    def __init__(
        self, names: Names, values: Mapping[int, Array], stops: Collection[int], left: int, folded: Collection[int] = ()
    ) -> None:
        self.names, self.values, self.stops, self.left = names, values, stops, left
        self.folded = folded  # ids of named values that are left out
        self.met: dict[int, str] = {}  # the named values of the formula
        self.known: dict[str, bool] = {}  # conditions of the branches around what is written

    def write(self, node: Node) -> tuple[str, int]:
        self.left -= 1
        if self.left < 0:
            raise TooLong
        values = self.values
        if node.id in self.stops:
            name = self.names.of(node)
            self.met[node.id] = name
            if node.id in self.folded:
                return FOLDED, ATOM
            return (name[1:-1], strength(name[1:-1])) if node.id in self.names.formulas else (name, ATOM)
        if isinstance(node.primitive, Input):
            known = node.shape or self.names.known(node) is not None
            return (self.names.of(node), ATOM) if known else _number(values[node.id])
        if isinstance(node.primitive, Full) or (_is_constant(node) and node.id in values):
            value = node.primitive.value if isinstance(node.primitive, Full) else values[node.id].reshape(-1)[0]
            return _number(value)
        if isinstance(node.primitive, Where) and bounded(node) is None:
            condition = values.get(node.inputs[0].id)
            if condition is not None and (condition.all() or not condition.any()):
                return self.write(node.inputs[1 if condition.all() else 2])
        kept = kept_whole(node, values)
        if kept is not None:
            return self.write(kept)
        around = self.known
        self.known = around if isinstance(node.primitive, POINTWISE) else {}
        try:
            return self._made(node, around)
        finally:
            self.known = around

    def _made(self, node: Node, around: dict[str, bool]) -> tuple[str, int]:
        """A value by what makes it."""
        found = idiom(node, self.values)
        if found is not None:
            return as_books_do(found, [self.write(one) for one in found.operands])
        if isinstance(node.primitive, Where):
            return self._chosen(*node.inputs)
        if isinstance(node.primitive, Div) and (mean := _averaged(node, self.values)) is not None:
            return f"mean({self.write(mean)[0]})", ATOM
        if isinstance(node.primitive, Iota):
            return COUNTED, ATOM
        operands = []
        for source in node.inputs:
            operands.append(self.write(source))
            self.known = around if isinstance(node.primitive, Gather) else self.known  # the indices stand at its places
        if isinstance(node.primitive, Add) and ("0", ATOM) in operands:  # sum() begins with 0
            return operands[operands[0] == ("0", ATOM)]
        if isinstance(node.primitive, Slice):
            text, held = operands[0]
            part = seen_part(node, text if held == ATOM else f"({text})")
            return part, ATOM if part != text else held
        if isinstance(node.primitive, Insert):
            place, (base, held) = part_text(node.primitive, node.shape), operands[0]
            base = base if held == ATOM else f"({base})"
            return (f"{base} with {place} = {operands[1][0]}", CHOICE) if place else operands[1]
        if isinstance(node.primitive, Mul) and node.inputs[0] is node.inputs[1]:
            return squared(*operands[0]), POWER
        if isinstance(node.primitive, Mul) and ("1", ATOM) in operands:
            return operands[operands[0] == ("1", ATOM)]
        if isinstance(node.primitive, Div) and operands[1] == ("1", ATOM):
            return operands[0]
        return composed(node.primitive.formula(len(operands)), operands)

    def _chosen(self, condition: Node, then: Node, other: Node) -> tuple[str, int]:
        """Where a condition decides. Within its branches it is known, so that it is not asked again."""
        around, asked = self.known, self.write(condition)[0]
        if asked in around:
            return self.write(then if around[asked] else other)
        branches = []
        for branch, holds in ((then, True), (other, False)):
            self.known = {**around, asked: holds}
            text, held = self.write(branch)
            branches.append(f"({text})" if held == CHOICE else text)
        self.known = around
        return f"{branches[0]} if {asked} else {branches[1]}", CHOICE


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


def kept_whole(node: Node, values: Mapping[int, Array]) -> Node | None:
    """What is multiplied by a mask of 1 everywhere."""
    if not isinstance(node.primitive, Mul):
        return None
    for kept, mask in (node.inputs, reversed(node.inputs)):
        if kept.shape == node.shape and _keeps_all(mask, values):
            return kept
    return None


def squared(text: str, held: int) -> str:
    return f"{text}²" if held == ATOM else f"({text})²"


def _number(value: Any) -> tuple[str, int]:
    """A number of a formula, and how tightly it holds together."""
    text = spelled_number(value)
    return text, SIGN if text.startswith("−") else ATOM


def spelled_number(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "1" if value else "0"
    if isinstance(value, int | np.integer):
        return str(value).replace("-", "−")
    real = float(value.real if isinstance(value, complex | np.complexfloating) else value)
    nearly_one = 5e-9 < abs(abs(real) - 1) < 1e-3  # a decay's factor, say, which four digits would round away
    return number(real, 8 if nearly_one else 4).replace("-", "−", 1)
