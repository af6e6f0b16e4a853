"""Whether what a model says has to do with what is asked: its answers are held against other labels too."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from kadam.ir.graph import Source
from kadam.ir.primitive import Array
from kadam.lens.diagnose.dynamics import TRAVELLED, learns, rate, updates_at
from kadam.lens.diagnose.finding import Finding, Value
from kadam.lens.diagnose.links import Comparison, Links, is_data
from kadam.lens.diagnose.losses import DISTANCES
from kadam.lens.diagnose.program import Program
from kadam.lens.step import StepRecord

LONG = 100  # steps: in fewer a healthy model may not have found anything yet
SEEN = 12  # of the later steps that were looked at
SURE = 3.0  # standard errors: an advantage of the right labels that is no chance
FALLEN = 0.8  # of its beginning: a loss below this learns, be it only what is common to all samples so far
SMALL = 0.05  # nats of advantage: who has learnt anything has far more
SAMPLES = 8  # in a batch of numbers, whose spread must be known
BINARY = ("binary_cross_entropy", "binary_cross_entropy_with_logits")
CLASSES = ("cross_entropy", "nll_loss")


class Association:
    """Predictions that fit the labels of other samples as well as their own, when the training is over.

    This is no matter of how low the loss is, which weights, noise and rare classes decide too.
    """

    def __init__(self) -> None:
        self.gains: dict[tuple[str, Source | None], list[tuple[int, float]]] = {}

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None:
            return
        for one in links.comparisons():
            gain = _gain(links, one)
            if gain is not None:
                self.gains.setdefault((one.name, one.source), []).append((record.index, gain))

    def findings(self, program: Program) -> Iterator[Finding]:
        if len(program.losses) < LONG or len(program.made) != 1:
            return  # of two networks that play against each other one may know nothing at the end
        if learns(program, FALLEN):
            return
        told: list[Finding] = []
        for (name, source), seen in self.gains.items():
            late = np.array([gain for index, gain in seen if index >= program.steps // 2])
            if len(late) < SEEN:
                return
            error = float(late.std()) / np.sqrt(len(late))
            if late.mean() >= SMALL or late.mean() >= SURE * error:
                return  # one of the tasks is learnt (another may be unlearnt on purpose)
            leap = _leap(program)
            if leap is not None and leap * program.steps < TRAVELLED:
                yield _too_low(program, leap)
                return
            values: dict[str, Value] = {"loss": name, "gain": float(late.mean()), "steps": len(late)}
            told.append(Finding("nothing_learnt", source, values, variant="numbers" if name in DISTANCES else ""))
        yield from told[:1]


def _too_low(program: Program, leap: float) -> Finding:
    """Nothing is learnt because the weights have stayed where they began."""
    losses = [loss for _, loss in program.losses]
    begin, end = losses[0], float(np.median(losses[-SEEN:]))
    values: dict[str, Value] = {"begin": begin, "end": end, "leap": leap, **rate(program)}
    return Finding("learning_rate_too_low", updates_at(program), values, variant="" if "rate" in values else "by_hand")


def _leap(program: Program) -> float | None:
    """How far a step has moved a weight, relative to its norm."""
    ways = [life.moved / life.updated for life in program.lives.values() if life.updated and len(life.shape) > 1]
    return float(np.median(ways)) if ways else None


def _gain(links: Links, one: Comparison) -> float | None:
    """By how much a prediction fits its own labels better than those of the next sample; None if that says nothing."""
    scores, labels = links.value(one.prediction), None if one.target is None else links.value(one.target)
    if scores is None or labels is None or not np.all(np.isfinite(scores)) or labels.ndim == 0:
        return None
    known: Array = scores.astype(np.float64)
    if one.name in CLASSES and labels.dtype.kind in "iu" and scores.ndim == 2 and labels.shape == scores.shape[:1]:
        if labels.min() < 0 or labels.max() >= scores.shape[1]:
            return None
        rows = np.arange(len(labels))
        return _difference(labels, lambda told: known[rows, told])
    if one.name in BINARY and labels.shape == scores.shape and labels.ndim <= 2 and np.all(np.isin(labels, (0.0, 1.0))):
        if one.name == BINARY[0]:
            known = np.log(np.clip(known, 1e-12, 1)) - np.log(np.clip(1 - known, 1e-12, 1))
        return _difference(labels.astype(np.float64), lambda told: told * known)
    if one.name in DISTANCES and _is_all(links, one) and labels.shape == scores.shape and labels.dtype.kind == "f":
        wanted = labels.astype(np.float64)
        spread = float(wanted.var(axis=0).mean())
        if spread <= 0 or len(wanted) < SAMPLES:
            return None
        return _difference(wanted, lambda told: -np.square(told - known) / spread)
    return None


def _is_all(links: Links, one: Comparison) -> bool:
    """Whether a mean of squares is the whole loss, and its targets are data: a policy's values have other work."""
    loss, target = links.step.loss, one.target
    whole = loss is not None and links.called(loss) == one.name and loss.source == one.source
    return whole and target is not None and is_data(links.maker(target))


def _difference(labels: Array, fit: Callable[[Array], Array]) -> float | None:
    """The mean advantage of the right labels over the next sample's, where the two differ."""
    other = np.roll(labels, 1, axis=0)
    apart = labels != other
    if np.count_nonzero(apart) * 4 < labels.size:
        return None  # labels that are nearly all the same tell nothing
    return float(np.mean((fit(labels) - fit(other))[apart]))
