"""What the rules share: the order of the program's events, and the life of each parameter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from kadam.ir.graph import Source
from kadam.lens.diagnose.answers import class_spread, spread
from kadam.lens.diagnose.links import Links, norm
from kadam.lens.step import Event, Fault, OptimizerFacts, Parameter, Step, StepRecord

ALIKE = 0.01  # of the targets' variance: answers with less are one answer


@dataclass
class Life:
    """What happened to one parameter.

    Attributes:
        met: steps in which it was part of the forward pass; with_grad: those in which a gradient reached it.
        updated: steps that changed it; frozen: those in which it needed no gradient.
        owners: lines of the optimizers that have it.
        set_at: where its value was last set by hand or by its module; frozen_at: where it was frozen.
        made_at: where it was made, or the module that has it.
        loaded: whether values were loaded into it before it was first computed with.
        moved: how far it went, relative to its norm.
    """

    token: int
    name: str = ""
    shape: tuple[int, ...] = ()
    met: int = 0
    with_grad: int = 0
    updated: int = 0
    frozen: int = 0
    owners: set[Source | None] = field(default_factory=set)
    set_at: Source | None = None
    frozen_at: Source | None = None
    made_at: Source | None = None
    loaded: bool = False
    varied: bool = True
    moved: float = 0.0

    @property
    def fresh(self) -> bool:
        """Whether it still has its first random values, which nobody has learnt."""
        return not self.updated and not self.loaded and self.varied


class Program:
    """A program as far as it was seen.

    Attributes:
        events: all, in order.
        lives: token -> life of a parameter.
        losses: of each step that had one, with its index.
        optimizers: tokens and line of each that was made.
        spreads, class_spreads: of the captured steps' answers, see `answers`.
        stopped: whether it was stopped because it had taken the steps that it was given.
        fault, partial: where the program failed, and what was recorded of that step.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.lives: dict[int, Life] = {}
        self.losses: list[tuple[int, float]] = []
        self.made: list[Event] = []
        self.rates: list[tuple[float, ...]] = []
        self.spreads: list[float] = []
        self.class_spreads: list[float] = []
        self.facts: tuple[OptimizerFacts, ...] = ()
        self.begun = False  # whether a gradient was computed: what sets weights before makes their first values
        self.steps = 0
        self.captured = 0
        self.stopped = False
        self.fault: Fault | None = None
        self.partial: Step | None = None

    def see(self, record: StepRecord, links: Links | None) -> None:
        """Note a step."""
        self.steps = record.index + 1
        self.hear(record.events)
        loss = record.loss if record.loss is not None else _loss_of(links)
        if loss is not None:
            self.losses.append((record.index, loss))
        if record.rates:
            self.rates.append(record.rates)
        if links is not None:
            self.captured += 1
            self._follow(links)
            wide = spread(links)
            if wide is not None:
                self.spreads.append(wide)
            if (told := class_spread(links)) is not None:
                self.class_spreads.append(told)

    def fail(self, fault: Fault, partial: Step) -> None:
        """Note where the program has failed."""
        self.fault, self.partial = fault, partial
        self.hear(partial.events)
        self._follow(Links(partial))

    def hear(self, events: tuple[Event, ...]) -> None:
        """Take up what the program did."""
        self.events.extend(events)
        for event in events:
            if event.kind == "optimizer":
                self.made.append(event)
                for token in _tokens(event):
                    self.life(token).owners.add(event.source)
            elif event.kind == "load":
                for token in _tokens(event):
                    life = self.life(token)
                    life.loaded = (
                        life.loaded or not life.met
                    )  # later, what is loaded is what the program itself has made
            elif event.kind == "freeze" and event.fact("frozen"):
                self.life(int(event.fact("token") or 0)).frozen_at = event.source  # type: ignore[arg-type]
            elif event.kind == "init" and event.source is not None:
                self.life(int(event.fact("token") or 0)).set_at = event.source  # type: ignore[arg-type]
            elif event.kind == "in_place" and not self.begun and event.fact("token") in self.lives:
                self.lives[int(event.fact("token") or 0)].set_at = event.source  # type: ignore[arg-type]
            elif event.kind == "backward":
                self.begun = True
            elif event.kind == "made" and event.source is not None:
                life = self.life(int(event.fact("token") or 0))  # type: ignore[arg-type]
                life.made_at = life.made_at or event.source  # what is unfrozen later was made before

    def life(self, token: int) -> Life:
        """The life of a parameter."""
        return self.lives.setdefault(token, Life(token))

    def _follow(self, links: Links) -> None:
        step = links.step
        self.facts = step.optimizers or self.facts
        for one in step.parameters:
            life = self._known(step, one)
            life.met += one.value.id in links.readers
            life.with_grad += one.grad is not None
            if one.next is not None and not _is_set_up(step, one) and self._changed(step, one):
                life.updated += 1
                life.moved += _moved(step, one)
            if one.optimizer is not None:
                life.owners.add(step.optimizers[one.optimizer].source)
        for one in step.frozen:
            life = self._known(step, one)
            life.met += one.value.id in links.readers
            life.frozen += 1

    def _known(self, step: Step, one: Parameter) -> Life:
        life = self.life(one.token)
        if not life.shape:
            value = step.trace.values.get(one.value.id)
            life.shape = tuple(one.value.shape)
            life.varied = value is None or value.size < 2 or bool(np.ptp(value) > 0)
        if one.name:
            life.name = one.name
        return life

    def _changed(self, step: Step, one: Parameter) -> bool:
        assert one.next is not None
        before, after = (step.trace.values.get(node.id) for node in (one.value, one.next))
        return before is not None and after is not None and not np.array_equal(before, after)

    def count(self, kind: str) -> int:
        """How often something was done."""
        return sum(event.kind == kind for event in self.events)

    def last(self, kind: str) -> Event | None:
        """What was done last of a kind."""
        return next((event for event in reversed(self.events) if event.kind == kind), None)

    def tunes_inputs(self, others: list[Life]) -> bool:
        """Whether what learns is no parameter of a model, as these others are, but what it is fed with (an image)."""
        learnt = [life for life in self.lives.values() if life.updated]
        of_models = all(life.set_at for life in others)
        return bool(learnt) and of_models and not any(life.set_at or life.loaded for life in learnt)

    def answers_alike(self) -> bool:
        """Whether the model came to give every sample the same answer, although different ones are asked for."""
        late = self.spreads[len(self.spreads) // 2 :]
        return bool(late) and float(np.median(late)) < ALIKE

    def classes_alike(self) -> bool:
        """Whether the model came to give every sample the same shares of the classes, although their labels differ."""
        late = self.class_spreads[len(self.class_spreads) // 2 :]
        return bool(late) and float(np.median(late)) < ALIKE

    def models(self) -> Iterator[Life]:
        """The parameters that took part in a forward pass."""
        return (life for life in self.lives.values() if life.met or life.frozen)


def _loss_of(links: Links | None) -> float | None:
    """What was differentiated by `autograd.grad` alone: the last single number of a step that changed weights."""
    if links is None or not any(one.next is not None for one in links.step.parameters):
        return None
    if not any(map(links.is_differentiated, links.forward)):
        return None  # gradients that the program has made itself
    single = (node for node in reversed(links.forward) if node.type.elements == 1 and node.id in links.step.active)
    value = next((links.value(node) for node in single), None)
    return None if value is None else float(value.reshape(())[()])


def _tokens(event: Event) -> tuple[int, ...]:
    found = event.fact("tokens")
    return tuple(int(one) for one in found) if isinstance(found, tuple) else ()


def _is_set_up(step: Step, one: Parameter) -> bool:
    """Whether the first step has changed a parameter before any gradient reached it: that was its first value."""
    if step.index > 0 or one.next is None:
        return False
    if one.grad is None:
        return not any(event.kind == "grad" for event in step.events)
    return one.optimizer is None and one.next.id < one.grad.id


def _moved(step: Step, one: Parameter) -> float:
    before, after = step.trace.values[one.value.id], step.trace.values[one.next.id]  # type: ignore[union-attr]
    size = norm(before)
    return norm(after - before) / size if size else 1.0
