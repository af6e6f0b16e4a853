"""Parameters that an optimizer has and no step computes with: unused layers, and values taken out as numbers."""

from __future__ import annotations

from collections.abc import Iterator

from kadam.ir.graph import Source
from kadam.lens.diagnose.finding import Finding, Value
from kadam.lens.diagnose.links import Links
from kadam.lens.diagnose.parameters import cut_of
from kadam.lens.diagnose.program import Program
from kadam.lens.step import Event, StepRecord

SEEN = 8  # steps of its optimizer: what these did not need, the next hardly will
SHOWN = 3  # names
SHARE = 0.5  # of a model's parameters: where more is idle, another part of the program has its turn


class Idle:
    """Parameters that take no part in the loss of any step that their own optimizer takes.

    If a number that gradients flow to was taken out between the forward and the backward pass (`item`, `numpy`,
    `tensor([...])`), the way is cut there; else the layer is never called, or nothing reads what it gives. A layer that
    others were copied from (the prototype of a stack) may rest, and so may one of several that are made by one line and
    take turns (experts, of which a router never chose this one).
    """

    def __init__(self) -> None:
        self.idle: dict[int, int] = {}  # token -> steps of its optimizer
        self.turns: dict[int, int] = {}  # token -> those of these in which a gradient reached it
        self.used: set[int] = set()
        self.names: dict[int, str] = {}
        self.cuts: dict[tuple[str, Source | None], int] = {}
        self.looked = 0

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None:
            return
        step = links.step
        took = [facts for facts in step.optimizers if facts.stepped]
        if not took:
            return
        self.looked += 1
        self.used.update(one.token for one in step.frozen)
        for one in step.parameters:
            met = one.value.id in links.readers and one.token not in self.used
            if one.grad is not None or (met and cut_of(step, links, one.value) is not None):
                self.used.add(one.token)
        reached = {one.token for one in step.parameters if one.grad is not None}
        for facts in took:
            for names, tokens in zip(facts.parameters, facts.tokens, strict=True):
                for name, token in zip(names, tokens, strict=True):
                    self.idle[token] = self.idle.get(token, 0) + 1
                    self.turns[token] = self.turns.get(token, 0) + (token in reached)
                    self.names[token] = name
        cut = _taken_out(step.events)
        if cut is not None:
            self.cuts[cut] = self.cuts.get(cut, 0) + 1

    def findings(self, program: Program) -> Iterator[Finding]:
        copied = {event.fact("token") for event in program.events if event.kind == "copy"}
        spare = self.used | {token for token, life in program.lives.items() if life.loaded}
        routed = {program.life(token).made_at for token, n in self.turns.items() if 0 < n < self.idle[token]} - {None}
        resting = [
            token
            for token, n in self.idle.items()
            if n >= SEEN and token not in spare | copied and program.life(token).made_at not in routed
        ]
        if _lost_to_the_optimizer(program):
            resting = [token for token in resting if self.names[token]]  # what stood in their place is the finding
        if not resting or program.fault is not None:
            return
        cut, times = max(self.cuts.items(), key=lambda one: one[1], default=(None, 0))
        if cut is not None and times * 2 > self.looked and program.count("backward"):
            kind, source = cut
            named = next((self.names[token] for token in resting if self.names[token]), "")
            values: dict[str, Value] = {"name": named, "parameters": len(resting), "steps": times, "by": kind}
            yield Finding("graph_cut", source, values, variant="" if named else "unnamed")
        elif self.used and len(resting) < SHARE * (len(resting) + len(self.used)):
            lines = [program.life(token).made_at for token in resting]
            made = program.made[-1].source if program.made else None
            named = ", ".join([self.names[token] for token in resting if self.names[token]][:SHOWN])
            values = {"parameters": len(resting), "names": named, "steps": self.idle[resting[0]]}
            also = () if made is None or lines[0] is None else (made,)
            variant = "" if named else "unnamed"
            yield Finding("unused_parameters", lines[0] or made, values, also, variant=variant)


def _lost_to_the_optimizer(program: Program) -> bool:
    """Whether gradients reach parameters that no optimizer has: a model's layers may have been replaced."""
    return any(life.with_grad and not (life.owners or life.updated or life.frozen) for life in program.models())


def _taken_out(events: tuple[Event, ...]) -> tuple[str, Source | None] | None:
    """Where a value that gradients flow to was taken out of the graph, before the backward pass of a step.

    A single number that was computed (a loss, to be printed) may be looked at; a weight or many numbers are computed
    with. What makes numbers of it is told rather than a mere `detach`, which may hand a state on on purpose.
    """
    cut: tuple[str, Source | None] | None = None
    for event in events:
        if event.kind == "backward":
            break
        if not event.fact("requires_grad"):
            continue
        listed = event.name == "tolist" and not event.fact("single")
        if event.kind == "new" or (event.kind == "read" and (event.fact("leaf") or listed)):
            return event.name, event.source
        if cut is None and event.kind in ("detach", "data") and not event.fact("single"):
            cut = event.kind, event.source
    return cut
