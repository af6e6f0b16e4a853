"""Derivatives that are part of a loss (a gradient penalty, a differential equation), computed as mere numbers."""

from __future__ import annotations

from collections.abc import Iterator

from kadam.ir.graph import Node, Phase, Source
from kadam.lens.diagnose.finding import Finding, Value
from kadam.lens.diagnose.links import Links, ancestors
from kadam.lens.diagnose.program import Program
from kadam.lens.step import Event, StepRecord
from kadam.primitives.contract import Dot
from kadam.primitives.convolve import Convolve
from kadam.primitives.elementwise import Add, Sub

SEEN = 3  # steps
LAYERS = (Dot, Convolve)


class Derivatives:
    """What `autograd.grad` gives without `create_graph=True` is added to what the same weights have computed.

    Such a sum belongs to the loss and asks for the gradient of that gradient, which is not there. What goes through a
    layer first is an input (an adversarial example); what is multiplied with something that learns is a weight of it;
    and weights moved by their gradients are an update: all three are meant.
    """

    def __init__(self) -> None:
        self.found: list[tuple[Source | None, Source | None]] = []
        self.looked = 0

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None or not links.step.roots:
            return
        asked = _asked(record.events)
        if asked is None:
            return
        self.looked += 1
        learning = {one.value.id for one in links.step.parameters}
        for node, number, other in _added(links):
            if not _is_derivative(number) or _is_moved_weight(links, other):
                continue
            if learning & ancestors((number,)).keys() & ancestors((other,)).keys():
                self.found.append((asked, node.source))
                return

    def findings(self, program: Program) -> Iterator[Finding]:
        if len(self.found) >= SEEN and 2 * len(self.found) > self.looked:
            source, added = self.found[0]
            values: dict[str, Value] = {"steps": len(self.found)}
            also = () if added is None or added == source else (added,)
            yield Finding("graph_cut", source, values, also, variant="derivative")


def _asked(events: tuple[Event, ...]) -> Source | None:
    """The last line before the backward pass that asks for gradients as numbers."""
    source = None
    for event in events:
        if event.kind == "backward":
            break
        if event.kind == "grad" and not event.fact("create_graph"):
            source = event.source
    return source


def _added(links: Links) -> Iterator[tuple[Node, Node, Node]]:
    """The sums on the way to the loss, behind all layers, of what gradients flow through and what is a number there."""
    active, seen = links.step.active, set[int]()
    waiting = [root for root in links.step.roots if root.id in active]
    while waiting:
        node = waiting.pop()
        if node.id in seen or isinstance(node.primitive, LAYERS):
            continue
        seen.add(node.id)
        flowing = [one for one in node.inputs if one.id in active]
        numbers = [one for one in node.inputs if one.id not in active]
        if isinstance(node.primitive, Add | Sub) and flowing and numbers:
            yield node, numbers[0], flowing[0]
        waiting.extend(flowing)


def _is_derivative(number: Node) -> bool:
    """Whether a value is made of what a backward pass gave, and has gone through no layer since."""
    waiting, seen = [number], set[int]()
    while waiting:
        node = waiting.pop()
        if node.phase is Phase.BACKWARD:
            return True
        if node.id not in seen and not isinstance(node.primitive, LAYERS):
            seen.add(node.id)
            waiting.extend(node.inputs)
    return False


def _is_moved_weight(links: Links, node: Node) -> bool:
    """Whether a value is a weight, or one to which something was added (a step of an inner loop)."""
    while True:
        node = links.maker(node)
        if node.id in links.weights:
            return True
        flowing = [one for one in node.inputs if one.id in links.step.active]
        if not isinstance(node.primitive, Add | Sub) or len(flowing) != 1:
            return False
        node = flowing[0]


__all__ = ["Derivatives"]
