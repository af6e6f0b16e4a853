"""A copy of the network that learns, made to compute its targets, which never follows it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kadam.ir.graph import Node, Source
from kadam.ir.primitive import Array
from kadam.lens.diagnose.finding import Finding, Value
from kadam.lens.diagnose.links import Comparison, Links, ancestors
from kadam.lens.diagnose.losses import DISTANCES
from kadam.lens.diagnose.program import Program
from kadam.lens.step import Parameter, StepRecord
from kadam.primitives.elementwise import Add

LONG = 100  # steps: in fewer a copy may not have had its turn


class Copies:
    """Targets of the kind `reward + gamma * copy(next state)`, whose copy still is the untrained network at the end.

    Evidence: its weights were the first weights of the network that learns, and have not changed since, while those
    have. A teacher had other weights, or trained ones; a copy that follows, even once, is none of these.
    """

    def __init__(self) -> None:
        self.first: dict[int, Array] = {}  # token of a copied weight -> its value
        self.learning: set[int] = set()
        self.begun = self.follows = False
        self.source: Source | None = None

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None or self.follows:
            return
        known = (*links.step.parameters, *links.step.frozen)
        self.follows = any(one.token in self.first and one.next is not None for one in known)
        for one in links.comparisons():
            rests = _copies(links, one)
            if not rests:
                continue
            if not self.begun:
                self._begin(links, one, rests)
            for weight in rests:
                value = links.value(weight.value)
                first = self.first.get(weight.token)
                self.follows = self.follows or first is None or value is None or not np.array_equal(value, first)
            return

    def _begin(self, links: Links, one: Comparison, rests: list[Parameter]) -> None:
        """Find each copied weight's like among those that learn."""
        self.begun = True
        before = ancestors((one.prediction,))
        learning = [weight for weight in links.step.parameters if weight.next is not None and weight.value.id in before]
        for weight in rests:
            value = links.value(weight.value)
            like = [other for other in learning if _same(value, links.value(other.value))]
            if like and value is not None:
                self.first[weight.token] = value.copy()
                self.learning.add(like[0].token)
        self.source = _called_at(links, rests)

    def findings(self, program: Program) -> Iterator[Finding]:
        if self.follows or not self.first or program.steps < LONG or program.stopped:
            return
        lives = [program.life(token) for token in self.learning]
        if all(life.updated and not life.loaded for life in lives):
            values: dict[str, Value] = {"parameters": len(self.first), "steps": program.steps}
            yield Finding("copy_never_follows", self.source, values)


def _copies(links: Links, one: Comparison) -> list[Parameter]:
    """The weights without updates behind a target to whose values something was added; none if they are not so."""
    if one.name not in DISTANCES or one.target is None:
        return []
    made = links.maker(one.target)
    if not isinstance(made.primitive, Add):
        return []
    parts = [_resting(links, part) for part in made.inputs]
    return [weight for part in parts for weight in part] if sum(map(bool, parts)) == 1 else []


def _resting(links: Links, node: Node) -> list[Parameter]:
    """The weights behind a value, if this step changes none of them."""
    before = ancestors((node,))
    weights = [one for one in (*links.step.parameters, *links.step.frozen) if one.value.id in before]
    return weights if all(one.next is None for one in weights) else []


def _same(value: Array | None, other: Array | None) -> bool:
    return value is not None and other is not None and value.size > 1 and np.array_equal(value, other)


def _called_at(links: Links, weights: list[Parameter]) -> Source | None:
    """The line that calls the module that has these weights."""
    ids = {one.value.id for one in weights}
    calls = (call for call in links.step.calls if call.depth == 0 and ids & ancestors(call.outputs).keys())
    readers = (reader.source for id in ids for reader in links.readers.get(id, ()))
    return next((call.source for call in calls), next(readers, None))


__all__ = ["Copies"]
