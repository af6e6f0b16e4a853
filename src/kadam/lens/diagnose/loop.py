"""The order of the loop: gradients are cleared, computed, used, once each; the rate is changed after the step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property

import numpy as np

from kadam.ir.graph import Node, Phase, Source
from kadam.ir.primitive import Array
from kadam.lens.diagnose.finding import Finding, Value
from kadam.lens.diagnose.links import Links, ancestors, flowing, is_data
from kadam.lens.diagnose.program import Program
from kadam.lens.step import Event, Parameter, Step, StepRecord
from kadam.primitives.elementwise import Add

OFTEN = 2  # once may be meant (a last step, a dry run); what happens twice is how the loop is written
FEW_BACKWARDS = 3  # backward passes without a step: fewer are a demonstration of gradients, not a training
MANY_BACKWARDS = 10  # ... where no optimizer was made at all
THROWN = 1.5  # backward passes for each step that are cleared unused: one now and then leaves out a bad batch
NEAR = 12  # nodes between a parameter's gradient and the one it was added to (sums, clipping)


class _Used:
    """Gradients that an update was made with. They are computed only if there is something to compare them with."""

    def __init__(self, step: Step, nodes: tuple[Node, ...]) -> None:
        self.step, self.nodes = step, nodes

    @cached_property
    def values(self) -> list[Array]:
        known = (self.step.trace.values.get(node.id) for node in self.nodes)
        return [value for value in known if value is not None and value.any()]


class StaleGradients:
    """Forgotten zero_grad: a step uses a gradient that the step before has used already.

    Evidence: the gradient's computation begins with the very numbers that the last update was made with. Gradients that
    are gathered over several backward passes before one step (accumulation) begin at nothing.
    """

    def __init__(self) -> None:
        self.last: dict[int, tuple[int, _Used]] = {}
        self.stale = self.looked = 0
        self.growth = 0.0
        self.backward: Source | None = None
        self.step: Source | None = None

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None:
            return
        step = links.step
        self._carry(record, step)
        updated = [one for one in step.parameters if one.next is not None and (one.used or one.grad) is not None]
        before = {one.token: self.last[one.token] for one in updated if one.token in self.last}
        pairs = [one for one in updated if one.token in before and before[one.token][0] == record.index - 1]
        if pairs:
            self.looked += 1
            if any(self._begins_with(step, one, before[one.token][1]) for one in pairs):
                self.stale += 1
                self.backward = _line(step.events, "backward") or self.backward
                self.step = _line(step.events, "optimizer_step") or self.step
        self.last = {token: known for token, known in self.last.items() if known[0] == record.index}
        for one in updated:
            nodes = tuple(node for node in (one.used, one.grad) if node is not None)
            self.last[one.token] = record.index, _Used(step, nodes)

    def _carry(self, record: StepRecord, step: Step) -> None:
        """Follow used gradients through a step of another optimizer, whose backward pass may add to them."""
        for one in step.parameters:
            index, old = self.last.get(one.token, (-1, _Used(step, ())))
            if one.next is not None or index != record.index - 1:
                continue
            if one.grad is not None and self._begins_with(step, one, old):
                self.last[one.token] = record.index, _Used(step, (one.grad,))
            elif one.grad is None or is_data(one.grad):
                self.last[one.token] = record.index, old

    def _begins_with(self, step: Step, one: Parameter, old: _Used) -> bool:
        """Whether the gradient is a sum, and one of its parts an old one."""
        for node in ancestors((one.used or one.grad,), NEAR).values():  # type: ignore[arg-type]
            if isinstance(node.primitive, Add) and any(self._is_old(step, part, one, old) for part in node.inputs):
                return True
        return False

    def _is_old(self, step: Step, part: Node, one: Parameter, old: _Used) -> bool:
        if not is_data(part) or part.type != one.value.type or part is one.value:
            return False
        value = step.trace.values.get(part.id)
        return value is not None and any(np.array_equal(value, other) for other in old.values)

    def findings(self, program: Program) -> Iterator[Finding]:
        if self.stale >= OFTEN and self.stale * 4 > self.looked:
            values: dict[str, Value] = {"stale": self.stale, "looked": self.looked}
            yield Finding("forgotten_zero_grad", self.backward or self.step, values, _known(self.step))


class LoopOrder:
    """Backward passes without steps, steps without gradients, schedules before the first step: from events."""

    def __init__(self) -> None:
        self.by_hand = False  # whether an optimizer was given gradients that no backward pass has left there
        self.reached: dict[Source, set[int]] = {}  # line of a backward pass -> tokens of the parameters it has reached

    def see(self, record: StepRecord, links: Links | None) -> None:
        """The events stand in the program; where the gradients came from stands in the graph."""
        if links is not None:
            self._note_passes(record, links)
        if links is not None and not self.by_hand:
            moved = [one for one in links.step.parameters if one.next is not None and one.grad is not None]
            given = (one.used for one in moved if one.used is not None and one.used is not one.grad)
            self.by_hand = any(one.grad.phase is not Phase.BACKWARD for one in moved) or any(map(is_data, given))  # type: ignore[union-attr]

    def _note_passes(self, record: StepRecord, links: Links) -> None:
        passes = [event.source for event in record.events if event.kind == "backward"]
        if len(passes) != len(links.step.roots):
            return
        for source, root in zip(passes, links.step.roots, strict=True):
            if source is not None and source not in self.reached:
                flows = flowing(links, (root,))
                self.reached[source] = {one.token for one in links.step.parameters if one.value.id in flows}

    def findings(self, program: Program) -> Iterator[Finding]:
        yield from _without_step(program, self.reached)
        yield from _without_gradient(program)
        yield from _rate_before_step(program)
        yield from _clips_early(program)
        yield from self._thrown_away(program)

    def _thrown_away(self, program: Program) -> Iterator[Finding]:
        """Several passes for each step, of which all but the last are cleared unused: the step stands outside the loop.

        The passes of an attack on the inputs, of another loss or of a closure have lines of their own, or follow the
        optimizer into its step; gradients that are put together by hand are no backward pass's.
        """
        lost: list[tuple[Event, Event, Event]] = []
        wasted: list[tuple[Event, Event]] = []
        computed = None
        for event in program.events:
            if event.kind == "backward":
                computed = event
            elif event.kind == "in_place" and event.fact("leaf"):
                computed = None  # weights that the program moves by itself: the gradients had their use
            elif event.kind == "read" and event.name == "bool" and not event.fact("requires_grad"):
                computed = None  # a decision after the pass (by the gradient's norm): left out on purpose
            elif event.kind == "zero_grad" and computed is not None:
                wasted.append((computed, event))
                computed = None
            elif event.kind == "optimizer_step":
                if computed is not None and not event.fact("closure"):
                    lost.extend((*one, event) for one in wasted if one[0].source == computed.source)
                wasted, computed = [], None
        steps = program.count("optimizer_step")
        lines = {step.source for *_, step in lost}
        if self.by_hand or steps < OFTEN or len(lost) < THROWN * steps or len(lines) != 1:
            return
        backward, clearing, step = lost[0]
        values: dict[str, Value] = {"lost": len(lost), "steps": steps}
        also = _known(clearing.source, backward.source)
        yield Finding("cleared_gradients", step.source, values, also, variant="unused")


def _without_step(program: Program, passes: dict[Source, set[int]]) -> Iterator[Finding]:
    """Missing step: gradients are computed again and again, for parameters that nothing ever changes."""
    backwards = [event for event in program.events if event.kind == "backward"]
    # What is made anew in every step (`w = (w - lr * g).detach()`) gets one gradient each.
    again = (life for life in program.lives.values() if life.with_grad >= FEW_BACKWARDS or program.captured == 1)
    reached = [life for life in again if life.with_grad and (life.owners or not program.made)]
    if any(event.kind == "optimizer_step" for event in program.events) or any(life.updated for life in reached):
        yield from _one_without_step(program, passes)
        return
    enough = FEW_BACKWARDS if program.made else MANY_BACKWARDS
    if len(backwards) >= enough and reached:
        source = Counter(event.source for event in backwards).most_common(1)[0][0]
        also = _known(program.made[-1].source if program.made else None)
        yield Finding("missing_step", source, {"backwards": len(backwards), "parameters": len(reached)}, also)


def _one_without_step(program: Program, passes: dict[Source, set[int]]) -> Iterator[Finding]:
    """One of several optimizers never takes a step, although its parameters get gradients.

    It is enough that some do: of gradients that are cleared unused an engine computes hardly any.
    """
    stepped = {token for facts in program.facts for group in facts.tokens for token in group}
    for event in program.made:
        owned = [program.lives[int(token)] for token in event.fact("tokens") or () if int(token) in program.lives]  # type: ignore[union-attr]
        count = max((one.with_grad for one in owned), default=0)
        if count > OFTEN and not any(one.updated or one.token in stepped for one in owned):
            source = _pass_of({one.token for one in owned}, passes) or event.source
            also = _known(event.source) if source != event.source else ()
            yield Finding("missing_step", source, {"backwards": count, "parameters": len(owned)}, also)


def _pass_of(owned: set[int], passes: dict[Source, set[int]]) -> Source | None:
    """The backward pass that parameters are there for: of those that reach them the one that reaches the fewest others.

    The loss of a generator also sends gradients into the discriminator.
    """
    own = {source: tokens for source, tokens in passes.items() if tokens & owned}
    return min(own, key=lambda source: len(own[source] - owned), default=None)


def _without_gradient(program: Program) -> Iterator[Finding]:
    """Missing backward, or gradients cleared between backward and step."""
    empty: list[Event] = []
    cleared: list[tuple[Event, Event]] = []
    computed = clearing = None
    for event in program.events:
        if event.kind in ("backward", "grad"):
            computed, clearing = event, None
        elif event.kind == "zero_grad" and computed is not None:
            clearing = event
        elif event.kind == "optimizer_step":
            if event.fact("with_grad") == 0:
                if clearing is not None and computed is not None:
                    cleared.append((clearing, event))
                elif computed is None:
                    empty.append(event)
            computed = clearing = None
    steps = program.count("optimizer_step")
    if len(cleared) >= OFTEN and len(cleared) * 2 > steps:
        clearing, step = cleared[0]
        values: dict[str, Value] = {"cleared": len(cleared), "steps": steps}
        yield Finding("cleared_gradients", clearing.source, values, _known(step.source))
    elif len(empty) >= OFTEN and len(empty) * 2 > steps and not _all_frozen(program):
        yield Finding("missing_backward", empty[0].source, {"empty": len(empty), "steps": steps})


def _all_frozen(program: Program) -> bool:
    """Whether there is nothing that a backward pass could reach."""
    met = [life for life in program.models() if life.met]
    return bool(met) and all(life.frozen and not life.with_grad for life in met)


def _rate_before_step(program: Program) -> Iterator[Finding]:
    """A schedule that moves before the optimizer's first step skips the first rate."""
    kinds = [event for event in program.events if event.kind in ("scheduler_step", "optimizer_step")]
    if kinds and kinds[0].kind == "scheduler_step" and any(event.kind == "optimizer_step" for event in kinds):
        early = next(index for index, event in enumerate(kinds) if event.kind == "optimizer_step")
        yield Finding("scheduler_before_optimizer", kinds[0].source, {"n": early})


def _clips_early(program: Program) -> Iterator[Finding]:
    """Clipping between the clearing of the gradients and the backward pass: what the optimizer gets is not clipped."""
    early: list[Event] = []
    steps = 0
    clipped = computed = None
    for event in program.events:
        if event.kind == "clip":
            if computed is not None:
                return
            clipped = event
        elif event.kind in ("backward", "grad"):
            computed = event
        elif event.kind == "optimizer_step":
            steps += 1
            if clipped is not None and computed is not None:
                early.append(clipped)
            clipped = computed = None
    if len(early) >= OFTEN and len(early) * 2 > steps:
        yield Finding("clip_before_backward", early[0].source, {"n": len(early), "steps": steps})


def _line(events: tuple[Event, ...], kind: str) -> Source | None:
    return next((event.source for event in reversed(events) if event.kind == kind), None)


def _known(*lines: Source | None) -> tuple[Source, ...]:
    return tuple(line for line in lines if line is not None)
