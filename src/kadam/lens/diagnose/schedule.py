"""Optimizers and schedules over the whole run: rates that die early, memory that is thrown away, decay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from kadam.ir.graph import Source
from kadam.lens.diagnose.dynamics import learns
from kadam.lens.diagnose.finding import Finding, Value
from kadam.lens.diagnose.links import Links, norm
from kadam.lens.diagnose.program import Program
from kadam.lens.step import OptimizerFacts, Setting, StepRecord

LONG = 12  # steps: fewer are no schedule
DEAD = 1e-3  # of the largest rate: below, nothing is learnt any more
ALIVE = 0.5  # part of the steps for which a schedule should keep its rate above that
ANEW = 4  # optimizers for the same parameters, made at one line
STRONG = 0.02  # weight decay: usual ones are 0.0001 to 0.01
SHRUNK = 0.3  # of its first norm: weights that have come to this were decayed, not trained
LITTLE = 0.05  # of the rate that the optimizer was made with: a warm-up that has come no further
USELESS = 0.95  # of its first loss: a loss above has hardly fallen
LEARNT = 0.7  # of its first loss: a loss that has fallen below has learnt in spite of it


class Schedules:
    """A learning rate that its schedule takes to nothing while most of the training is still to come."""

    def see(self, record: StepRecord, links: Links | None) -> None:
        """Events and rates stand in the program."""

    def findings(self, program: Program) -> Iterator[Finding]:
        moves = [event for event in program.events if event.kind == "scheduler_step"]
        rates = np.array([max(one) for one in program.rates if one])
        if len(rates) < LONG or not moves or rates.max() <= 0:
            return
        top = int(rates.argmax())
        low = rates[top:] < DEAD * rates[top]
        alive = int(low.argmax()) + top if low.any() else len(rates)
        if np.all(low[alive - top :]) and alive < ALIVE * len(rates):
            source = Counter(event.source for event in moves).most_common(1)[0][0]
            values: dict[str, Value] = {
                "alive": alive, "steps": len(rates), "moves": len(moves),
                "begin": float(rates[top]), "end": float(rates[-1])}  # fmt: skip
            yield Finding("schedule_too_fast", source, values)
            return
        wanted = max((rate for facts in program.facts for rate in map(_made_with, facts.groups)), default=0.0)
        rising = bool(np.all(np.diff(rates) >= 0)) and rates[-1] > rates[0]
        if rising and rates[-1] < LITTLE * wanted and not learns(program, USELESS):
            source = Counter(event.source for event in moves).most_common(1)[0][0]
            values = {"rate": float(rates[-1]), "wanted": wanted, "steps": len(rates)}
            yield Finding("learning_rate_too_low", source, values, variant="warm_up")


def _made_with(group: Mapping[str, Setting]) -> float:
    """The learning rate that a schedule began from."""
    value = group.get("initial_lr")
    return float(value) if isinstance(value, int | float) else 0.0


class Remade:
    """An optimizer with a memory that is made again and again for the same parameters: each time it begins anew."""

    def see(self, record: StepRecord, links: Links | None) -> None:
        """Events stand in the program."""

    def findings(self, program: Program) -> Iterator[Finding]:
        makes: dict[tuple[Source | None, Setting], int] = {}
        loaded: set[float] = set()  # since the optimizer before: it begins with other weights, and anew on purpose
        for event in program.events:
            tokens = event.fact("tokens")
            if not isinstance(tokens, tuple):
                continue
            if event.kind == "load":
                loaded.update(tokens)
            elif event.kind == "optimizer":
                if not loaded.intersection(tokens):
                    makes[(event.source, tokens)] = makes.get((event.source, tokens), 0) + 1
                loaded.difference_update(tokens)
        steps = program.count("optimizer_step")
        for (source, _), times in makes.items():
            if times >= ANEW and steps > 1 and any(_remembers(facts) for facts in program.facts):
                yield Finding("optimizer_remade", source, {"times": times, "steps": steps})
                return


def _remembers(facts: OptimizerFacts) -> bool:
    """Whether an optimizer computes its steps from earlier ones too."""
    return facts.name not in ("SGD", "LBFGS") or any(group.get("momentum") for group in facts.groups)


class Decay:
    """Weight decay that takes the weights to nothing faster than the loss can build them up."""

    def __init__(self) -> None:
        self.sizes: dict[int, list[float]] = {}

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None:
            return
        for one in links.step.parameters:
            value = links.value(one.value)
            if one.next is not None and value is not None and value.ndim > 1:
                self.sizes.setdefault(one.token, []).append(norm(value))

    def findings(self, program: Program) -> Iterator[Finding]:
        strong = [(_decay(group), facts.source) for facts in program.facts for group in facts.groups]
        decay, source = max(strong, key=lambda one: one[0], default=(0.0, None))
        if decay < STRONG or len(program.losses) < LONG or learns(program, LEARNT):
            return
        begun = float(np.linalg.norm([sizes[0] for sizes in self.sizes.values()]))
        ended = float(np.linalg.norm([sizes[-1] for sizes in self.sizes.values()]))
        if ended < SHRUNK * begun:
            yield Finding("weight_decay_too_high", source, {"decay": decay, "begin": begun, "end": ended})


def _decay(group: Mapping[str, Setting]) -> float:
    value = group.get("weight_decay")
    return float(value) if isinstance(value, int | float) else 0.0
