"""The direction of the updates: down the slope of what is to become small."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kadam.ir.graph import Node, Source
from kadam.lens.diagnose.dynamics import updates_at
from kadam.lens.diagnose.finding import Finding, Value
from kadam.lens.diagnose.links import Comparison, Links, is_data, norm
from kadam.lens.diagnose.losses import DISTANCES
from kadam.lens.diagnose.program import Program
from kadam.lens.step import Step, StepRecord

SEEN = 4  # steps
UPHILL = 0.3  # cosine between gradient and update, from which an update goes up (plain SGD has 1 or -1, Adam less)
MOSTLY = 0.8  # part of the steps: a step that overshoots goes up in half of them
STRAIGHT = 0.99  # cosine between a prediction's gradient and its way from the target: nothing else pulls at it
GROWS = 1.2  # times its beginning: a loss that has grown so far is made larger
LOGS = ("log_softmax", "logsigmoid")


class Direction:
    """Updates that go up the gradient of a loss that is never negative, and losses that push the right answer down.

    To climb is meant where the loss is a reward; one that compares with targets, and is 0 at best, is none.
    """

    def __init__(self) -> None:
        self.up: list[float] = []
        self.looked = 0
        self.pushed: list[Source | None] = []
        self.endless: list[Source] = []  # lines of divergences from a normal distribution that are made larger
        self.by_hand: Source | None = None
        self.fled: dict[Source | None, int] = {}  # lines of distances from targets that are made larger, and how often
        self.compared: dict[Source | None, int] = {}

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None or links.step.loss is None:
            return
        cosine = _cosine(links.step)
        if cosine is None:
            return
        self.looked += 1
        for one in links.comparisons():
            way = _way(links, one)
            if way is not None:
                self.compared[one.source] = self.compared.get(one.source, 0) + 1
                self.fled[one.source] = self.fled.get(one.source, 0) + (way < -STRAIGHT)
        if cosine > UPHILL:
            self.up.append(cosine)
            changed = (event for event in record.events if event.kind == "in_place" and event.fact("leaf"))
            self.by_hand = next((event.source for event in changed), self.by_hand)
        below = _falls_without_end(links) if cosine < 0 else None
        if below is not None:
            self.endless.append(below)
        if _pushes_down(links):
            self.pushed.append(next((event.source for event in record.events if event.kind == "backward"), None))

    def findings(self, program: Program) -> Iterator[Finding]:
        losses = np.array([loss for _, loss in program.losses])
        if len(losses) < SEEN:
            return
        values: dict[str, Value] = {"begin": float(losses[0]), "end": float(losses[-1])}
        grows = not np.isfinite(losses[-1]) or losses[-1] > GROWS * losses[0]
        if len(self.up) >= SEEN and len(self.up) > MOSTLY * self.looked and np.nanmin(losses) >= 0 and grows:
            source = updates_at(program) if program.facts else self.by_hand
            values["cosine"] = float(np.median(self.up))
            yield Finding("wrong_sign", source, values)
        elif len(self.pushed) >= SEEN and 2 * len(self.pushed) > self.looked and losses[-1] < losses[0]:
            yield Finding("wrong_sign", self.pushed[0], {**values, "steps": len(self.pushed)}, variant="likelihood")
        elif len(self.endless) >= SEEN and len(self.endless) > MOSTLY * self.looked:
            yield Finding("wrong_sign", self.endless[0], {**values, "steps": len(self.endless)}, variant="divergence")
        elif len(program.made) == 1:  # a game of two makes one's error the other's gain
            for source, times in self.fled.items():
                if times >= SEEN and times == self.compared[source]:
                    yield Finding("wrong_sign", source, {**values, "steps": times}, variant="distance")


def _way(links: Links, one: Comparison) -> float | None:
    """Cosine between the gradient of a prediction and its way from a target that was given: 1 if it is drawn there."""
    value, target = links.value(one.prediction), None if one.target is None else links.value(one.target)
    slope = links.cotangent(one.prediction)
    if one.name not in DISTANCES or one.target is None or value is None or target is None or slope is None:
        return None
    if value.shape != target.shape or not is_data(links.maker(one.target)) or not np.all(np.isfinite(slope)):
        return None
    away = (value.astype(np.float64) - target).ravel()
    sizes = norm(away) * norm(slope)
    return float(away @ slope.ravel().astype(np.float64)) / sizes if sizes > 0 else None


def _cosine(step: Step) -> float | None:
    """Between the gradient of all parameters and their change."""
    product = sizes = changes = 0.0
    for one in step.parameters:
        grad, next_ = one.used or one.grad, one.next
        if grad is None or next_ is None:
            continue
        values = [step.trace.values.get(node.id) for node in (one.value, next_, grad)]
        if any(value is None for value in values):
            continue
        before, after, slope = (value.astype(np.float64) for value in values if value is not None)
        change = after - before
        product += float(np.sum(change * slope))
        sizes += float(np.sum(slope * slope))
        changes += float(np.sum(change * change))
    return product / float(np.sqrt(sizes * changes)) if sizes > 0 and changes > 0 and np.isfinite(product) else None


def _falls_without_end(links: Links) -> Source | None:
    """The line of a Kullback-Leibler divergence from a normal distribution that the loss makes larger.

    It has the squares of the means and the exponentials of the logarithms of the variances, each with the same constant
    derivative. With one below 0 the loss falls without end as they grow.
    """
    squares: list[tuple[Node, float]] = []
    powers: list[tuple[Node, float]] = []
    for node in links.forward:
        kind = type(node.primitive).__name__
        square = kind == "Square" or (kind == "Mul" and node.inputs[0] is node.inputs[1])
        if not (square or kind == "Exp") or node.id not in links.step.active or node.type.elements < 4:
            continue
        slope = links.cotangent(node)
        if slope is not None and slope.flat[0] < 0 and np.allclose(slope, slope.flat[0], rtol=1e-4, atol=0):
            (squares if square else powers).append((node, float(slope.flat[0])))
    for node, pull in powers:
        fits = (one.shape == node.shape and np.isclose(pull, other, rtol=1e-4) for one, other in squares)
        if any(fits):
            return node.source
    return None


def _pushes_down(links: Links) -> bool:
    """Whether the loss falls as the log-probabilities of the samples' one right answer fall.

    Each row of log-probabilities then has one positive derivative, the same for all, and else none. (Entropies have
    one for each answer; advantages have either sign.)
    """
    for node in links.forward:
        if links.called(node) not in LOGS or node.rank < 2 or not links.ends_call(node):
            continue
        slope = links.cotangent(node)
        if slope is None or slope.size < 4:
            continue
        rows = slope.reshape(-1, slope.shape[-1])
        picked = rows[rows != 0]
        if len(rows) > 1 and np.all(np.count_nonzero(rows, axis=1) == 1) and picked.min() > 0 and np.ptp(picked) < 1e-6:
            return True
    return False
