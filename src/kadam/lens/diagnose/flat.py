"""Steps on the way to the loss: rounding and signs have no slope anywhere, so nothing behind them learns."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kadam.ir.graph import Node, Source
from kadam.lens.diagnose.finding import Finding, Value
from kadam.lens.diagnose.links import Links, ancestors
from kadam.lens.diagnose.program import Program
from kadam.lens.step import StepRecord
from kadam.primitives.elementwise import Sign
from kadam.primitives.rounding import Rounding

SEEN = 3  # steps


class Flat:
    """Parameters whose every way to the loss goes through a function without a slope, and whose gradients are all 0.

    A straight-through estimator leads around the function, so that its gradients are not 0.
    """

    def __init__(self) -> None:
        self.stuck: dict[int, list[Node]] = {}
        self.moved: set[int] = set()

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None:
            return
        step = links.step
        flat = {node.id for node in links.forward if _is_flat(node) and node.id in step.active}
        ends = step.roots or ((step.loss,) if step.loss is not None else ())
        leads = ancestors(ends) if ends else {}
        for one in step.parameters:
            grad = None if one.grad is None else step.trace.values.get(one.grad.id)
            if grad is None:
                continue
            if np.any(grad):
                self.moved.add(one.token)
                continue
            found = _stopped_by(links, one.value, flat, leads, {end.id for end in ends}) if flat else None
            if found is not None:
                self.stuck.setdefault(one.token, []).append(found)

    def findings(self, program: Program) -> Iterator[Finding]:
        stuck = [token for token, nodes in self.stuck.items() if len(nodes) >= SEEN and token not in self.moved]
        if stuck:
            node = self.stuck[stuck[0]][0]
            name = program.life(stuck[0]).name
            kind = type(node.primitive).__name__.lower()
            source: Source | None = node.source
            values: dict[str, Value] = {
                "by": kind,
                "name": name,
                "parameters": len(stuck),
                "steps": len(self.stuck[stuck[0]]),
            }
            yield Finding("graph_cut", source, values, variant="flat")


def _is_flat(node: Node) -> bool:
    return isinstance(node.primitive, Rounding | Sign)


def _stopped_by(links: Links, value: Node, flat: set[int], leads: dict[int, Node], ends: set[int]) -> Node | None:
    """The first function without a slope on the ways from a value to the loss; None if one leads around them all."""
    waiting, seen, found = [value], {value.id}, None
    while waiting:
        for reader in links.readers.get(waiting.pop(0).id, ()):
            if reader.id in seen or reader.id not in leads or reader.id not in links.step.active:
                continue
            seen.add(reader.id)
            if reader.id in flat:
                found = found or reader
            elif reader.id in ends:
                return None
            else:
                waiting.append(reader)
    return found
