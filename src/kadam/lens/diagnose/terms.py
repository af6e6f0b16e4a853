"""Terms of a loss that are mere numbers: they are added to it, and no gradient comes back from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from kadam.ir.graph import Node, Source
from kadam.lens.diagnose.finding import Finding, Value
from kadam.lens.diagnose.links import Links, flowing, is_data
from kadam.lens.diagnose.program import Program
from kadam.lens.diagnose.recurrence import BY_THE_PROGRAM
from kadam.lens.step import Event, StepRecord
from kadam.primitives.elementwise import Add, Cast, Div, Mul, Neg, Sub
from kadam.primitives.move import Copy, Detach, Reshape

SEEN = 3  # steps in which it must be so, with other numbers each time
SAME = 1e-5  # relative difference: a number that was read, or a fixed part of it, is the same in float32
ADDS = (Add, Sub, Neg, Cast, Copy, Reshape)

Place = tuple[str, Source | None]


@dataclass
class Pair:
    """A term that is a number, and a value of the same step that leads to no loss: their ratio, step by step."""

    ratios: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def holds(self) -> bool:
        """Whether the number is always the same part of the value, which changes."""
        if len(self.ratios) < SEEN or len(set(self.values)) < SEEN:
            return False
        return max(self.ratios) - min(self.ratios) <= SAME * abs(self.ratios[0])


class Terms:
    """A term of the loss that was computed from the parameters, and taken out of the graph before it was added.

    To add a number to a loss changes no gradient, so nobody means it; to multiply with one (a weight, an advantage, a
    term's own size) may well be meant. The value itself must lead to no loss of the step: one that does is only added
    again.
    """

    def __init__(self) -> None:
        self.pairs: dict[tuple[Place, tuple[Source | None, int]], Pair] = {}
        self.looked = 0

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None or not links.step.roots:
            return
        self.looked += 1
        flows = flowing(links, links.step.roots)
        numbers = list(_numbers(links))
        spare = [node for node in _scalars(links) if node.id not in flows] if numbers else []
        for number, reader in numbers:
            cut = number.inputs[0] if isinstance(number.primitive, Detach) else None
            counts: Counter[Source | None] = Counter()
            for value in spare:
                counts[value.source] += 1
                if cut is None or value is cut:
                    which = value.source, counts[value.source]
                    self._compare(links, number, value, _taken_at(record.events, value, reader), which)

    def _compare(
        self, links: Links, number: Node, value: Node, place: Place | None, which: tuple[Source | None, int]
    ) -> None:
        added, computed = links.value(number), links.value(value)
        if place is None or added is None or computed is None or float(computed.reshape(())) == 0:
            return
        known = self.pairs.setdefault((place, which), Pair())
        known.ratios.append(float(added.reshape(())) / float(computed.reshape(())))
        known.values.append(float(computed.reshape(())))

    def findings(self, program: Program) -> Iterator[Finding]:
        sure = [
            (place, pair)
            for (place, _), pair in self.pairs.items()
            if pair.holds() and 2 * len(pair.ratios) > self.looked and pair.ratios[0] != 0
        ]
        if sure:  # of a mean and the sum that it was made from: what was read as it is
            (by, source), pair = min(sure, key=lambda one: abs(np.log(abs(one[1].ratios[0]))))
            values: dict[str, Value] = {"by": by, "steps": len(pair.ratios), "value": pair.values[0]}
            yield Finding("graph_cut", source, values, variant="term")


def _numbers(links: Links) -> Iterator[tuple[Node, Node | None]]:
    """The terms of the losses that are numbers given from outside or behind a `detach`, and who adds them."""
    waiting: list[tuple[Node, Node | None]] = [(root, None) for root in links.step.roots if root.type.elements == 1]
    seen: set[int] = set()
    while waiting:
        node, reader = waiting.pop()
        if node.id in seen or node.type.elements != 1:
            continue
        seen.add(node.id)
        if _is_number(links, node):
            yield node, reader
        elif isinstance(node.primitive, ADDS):
            waiting += [(one, node if isinstance(node.primitive, Add | Sub) else reader) for one in node.inputs]
        elif isinstance(node.primitive, Mul | Div):
            parts = node.inputs if isinstance(node.primitive, Mul) else node.inputs[:1]
            active = [one for one in parts if one.id in links.step.active]
            terms = active or [one for one in parts if not is_data(links.maker(one))]
            if len(terms) == 1:
                waiting.append((terms[0], reader))


def _is_number(links: Links, node: Node) -> bool:
    cut = isinstance(node.primitive, Detach) and links.called(node) in BY_THE_PROGRAM
    return cut or (is_data(node) and node.id not in links.weights)


def _scalars(links: Links) -> Iterator[Node]:
    """Single numbers that were computed from parameters that learn."""
    for node in links.forward:
        if node.type.elements == 1 and node.id in links.step.active and not is_data(node):
            yield node


def _taken_at(events: tuple[Event, ...], value: Node, reader: Node | None) -> Place | None:
    """How and where a value was taken out before the backward pass: at its line, where it is added, or else last."""
    begun = next((at for at, event in enumerate(events) if event.kind == "backward"), len(events))
    taken = [
        (event.name or event.kind, event.source)
        for event in events[:begun]
        if event.kind in ("read", "detach", "data") and event.fact("requires_grad") and not event.fact("leaf")
    ]
    lines = [value.source, None if reader is None else reader.source]
    near = [place for line in lines for place in taken if line is not None and place[1] == line]
    return next(iter(near or taken[-1:]), None)


__all__ = ["Terms"]
