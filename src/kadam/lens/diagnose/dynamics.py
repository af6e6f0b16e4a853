"""The learning rate: how the loss goes, and how far each step moves the weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kadam.ir.graph import Node, Source
from kadam.ir.primitive import Array
from kadam.lens.diagnose.finding import Finding, Value
from kadam.lens.diagnose.links import Links, ancestors, is_data, norm
from kadam.lens.diagnose.program import Program
from kadam.lens.step import Step, StepRecord
from kadam.primitives.broadcast import Broadcast, Sum
from kadam.primitives.compare import Minimum
from kadam.primitives.elementwise import Add, Cast, Div, Mul, Neg, Sub
from kadam.primitives.move import Concat, Copy, Reshape

LONG = 12  # losses: fewer tell no trend
GAIN = 0.1  # a loss that falls by a tenth of itself learns
WORSE = 3.0  # times its beginning: a loss that has come to this diverges ...
RUINED = 1000.0  # ... and to this, whatever the steps are
SPIKE = 5.0  # times its beginning: a loss that was there once, and stays, was thrown there
LATE = 0.9  # quantile of the last losses: where it is above the beginning, they come back there again and again
HALF = 0.5  # of its beginning: below, a loss has found its way after all
RISEN = 1.2  # times its lowest: a loss that had been lower before, for as long as it stands now
LEAPS = 8  # steps that are taken for it: later, thrown weights have grown so large that steps look small beside them
LEAP = 0.12  # a step that moves weights by this part of their norm; healthy ones by a thousandth to a hundredth
JUMP = 0.02  # ... and by this where the loss grows: it also grows where there is more to lose (values of a policy)
SHOVE, UPSET = 0.03, 1.3  # ... and by this, if a loss with given answers was thrown up at once and learns nothing after
MORE = 1.5  # times the size of the first targets
BATCH, WHOLE = 8, 1 << 62  # targets: the losses of fewer differ by chance; more than any batch has
CREEP = 1e-4  # ... and one below a ten-thousandth hardly moves them
TRAVELLED = 0.02  # the way of all steps together, relative to the norm
CLIPPED = 0.01  # part of the gradient that a clip leaves: less is no guard against outliers but a brake
STILL = 0.005  # part of itself by which a loss has moved that stands
STEADY = 0.9  # mean gradient over the size of gradients: from here on they all point the same way
TERMS = (Add, Sub, Neg, Cast, Copy, Reshape, Concat, Sum, Minimum, Broadcast)  # what adds up a loss, or picks of it
HEADROOM = 0.01  # part of the loss that a step of a hundredth of the norm takes off: below, little is left to gain


class Rates:
    """Too high: the loss grows, or stays where it was while each step throws the weights about. Too low: the loss stays
    where it was, the weights hardly move, and yet the mean gradient says that moving them would help.

    A loss that falls is never a finding, however it swings, unless it comes back above its
    beginning to the end; nor is one that stays (of a game of two networks, of a
    policy) while the steps are of a common size.
    """

    def __init__(self) -> None:
        self.leaps: list[float] = []
        self.renewed: dict[str, tuple[int, Array]] = {}  # weights that are made anew in every step, by their names
        self.sums: dict[int, Array] = {}
        self.sizes: dict[int, float] = {}
        self.sized: list[float] = []  # of the whole gradient in each step
        self.counted = 0
        self.clipped = False
        self.given = True  # whether every loss has a target that is data
        self.fixed = True  # whether every loss has a target that no network has a part in
        self.samples = WHOLE  # targets in the smallest batch
        self.asked: list[float] = []  # the size of the largest targets in each step
        self.weighed: list[float] = []  # what the terms of the loss are multiplied with in each step, all together
        self.left: list[float] = []  # what clipping left of the gradient, where both are known

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None:
            return
        step = links.step
        targets = [links.value(one.target) for one in links.comparisons() if one.target is not None]
        self.asked.append(
            max((norm(one) / one.size**0.5 for one in targets if one is not None and one.size), default=0.0)
        )
        weighed = sum(_weights_of_terms(links))
        if weighed > 0:
            self.weighed.append(weighed)
        self.fixed = self.fixed and any(one.target and _is_fixed(links, one.target) for one in links.comparisons())
        self.samples = min([self.samples, *(one.size for one in targets if one is not None)])
        self.given = self.given and any(one.target and is_data(links.maker(one.target)) for one in links.comparisons())
        self.clipped = self.clipped or any(event.kind == "clip" for event in record.events)
        self._compare_renewed(record.index, step)
        moves, sizes, slopes = [], [], []
        asked = any(event.kind == "grad" for event in record.events)  # gradients that stand in no `.grad`
        for one in step.parameters:
            if one.next is None or (one.grad is None and not asked):
                continue
            before, after = (step.trace.values.get(node.id) for node in (one.value, one.next))
            grad = None if one.grad is None else step.trace.values.get(one.grad.id)
            if before is None or after is None or (grad is None and not asked) or not np.all(np.isfinite(after)):
                continue
            moves.append(norm(after - before))
            if grad is None:
                sizes.append(norm(before))
                continue
            given = None if one.used is None else step.trace.values.get(one.used.id)
            if given is not None and (whole := norm(grad)) > 0:
                self.left.append(norm(given) / whole)
            sizes.append(norm(before))
            slopes.append(norm(grad))
            self.sums[one.token] = self.sums.get(one.token, 0.0) + grad.astype(np.float64)
            self.sizes[one.token] = sizes[-1]
        if moves and (size := float(np.linalg.norm(sizes))) > 0:
            self.leaps.append(float(np.linalg.norm(moves)) / size)
            self.sized.append(float(np.linalg.norm(slopes)))
            self.counted += 1

    def _compare_renewed(self, index: int, step: Step) -> None:
        """Weights that are new tensors in every step are compared with those of the same names before."""
        moves, sizes = [], []
        for one in step.parameters:
            value = step.trace.values.get(one.value.id)
            if one.next is not None or one.optimizer is not None or value is None or one.name.startswith("parameter "):
                continue
            at, before = self.renewed.get(one.name, (-1, value))
            if at == index - 1 and before.shape == value.shape and not np.array_equal(before, value):
                moves.append(norm(value - before))
                sizes.append(norm(before))
            self.renewed[one.name] = index, value
        if moves and np.all(np.isfinite(moves)) and (size := float(np.linalg.norm(sizes))) > 0:
            self.leaps.append(float(np.linalg.norm(moves)) / size)

    def findings(self, program: Program) -> Iterator[Finding]:
        losses = np.array([loss for _, loss in program.losses])
        if len(losses) < LONG or len(self.leaps) < LEAPS // 2:
            return
        part = max(len(losses) // 5, 3)
        begin = float(min(losses[0], np.median(losses[:3])))  # a loss may be thrown up at once
        scale = _scale(losses)
        end = float(np.median(losses[-part:]))
        leap = float(np.median(self.leaps[:LEAPS]))
        finite = losses[np.isfinite(losses)]
        values: dict[str, Value] = {"begin": float(losses[0]), "end": end, "leap": leap, **rate(program)}
        variant = "" if "rate" in values else "by_hand"
        ruined = not np.isfinite(losses[-1]) or end > RUINED * max(abs(begin), scale)
        stays = not np.isfinite(end) or end > begin - GAIN * abs(begin)
        jumps = leap > JUMP and not self._asks_for_more()
        spiked = finite.max() > SPIKE * max(abs(losses[0]), scale) and not self._asks_wildly()
        thrown = leap > LEAP or (jumps and spiked) or (leap > SHOVE and self._is_upset(program, losses))
        unsettled = self._never_settles(losses, end, spiked) or self._is_flung(program, losses, end)
        lost = leap > LEAP and np.isfinite(end) and unsettled
        if (diverges(losses) and (jumps or ruined)) or (np.isfinite(end) and stays and thrown) or lost:
            yield Finding("learning_rate_too_high", updates_at(program), values, variant=variant)
        elif stays and self._is_braked(program):
            limits = [event for event in program.events if event.kind == "clip"]
            told: dict[str, Value] = {**values, "left": 100 * float(np.median(self.left)), "n": len(limits)}
            yield Finding("clipped_away", limits[0].source, told)
        elif stays and self._creeps(program, begin, end, float(np.median(self.leaps))):
            yield Finding("learning_rate_too_low", updates_at(program), values, variant=variant)

    def _never_settles(self, losses: Array, end: float, spiked: bool) -> bool:
        """Whether a loss that was thrown up comes back there to the end, or one that had fallen rises again."""
        begin, part = abs(float(losses[0])), max(len(losses) // 5, 3)
        if spiked:
            return end > HALF * begin or float(np.quantile(losses[-part:], LATE)) > begin
        best = min(float(np.median(losses[at : at + part])) for at in range(len(losses) - part + 1))
        return end > HALF * begin and end > RISEN * best and float(np.median(self.leaps[-LEAPS:])) > JUMP

    def _is_upset(self, program: Program, losses: Array) -> bool:
        """Whether the first steps have thrown up a loss whose answers are given, in a training that is no game."""
        late = losses[2 * LEAPS :]  # of single samples losses differ as much to the end
        size = max(abs(float(losses[0])), float(np.max(late, initial=0)), _scale(losses))
        upset = float(np.max(losses[: 2 * LEAPS])) > UPSET * size
        return upset and self.given and len(program.made) == 1

    def _is_flung(self, program: Program, losses: Array, end: float) -> bool:
        """Whether the first steps throw up the loss of whole batches so far that it never comes below half of it again.

        A schedule that takes the rate down later brings it back to about where it began.
        """
        if not self.fixed or len(program.made) != 1 or self.samples < BATCH:
            return False
        begin, late = abs(float(losses[0])), float(np.max(losses[len(losses) // 2 :]))
        return float(np.max(losses[: 2 * LEAPS])) > WORSE * max(begin, late) and end > HALF * begin

    def _asks_for_more(self) -> bool:
        """Whether targets grow as the training goes on (returns of a policy that learns), and the loss with them.

        Or what its terms are multiplied with, where log-probabilities are weighted with returns.
        """
        rows = [(one[len(one) // 2 :], one[:3]) for one in (self.asked, self.weighed) if one]
        return any(float(np.median(late)) > MORE * float(np.median(first)) for late, first in rows)

    def _asks_wildly(self) -> bool:
        """Whether targets differ so much between steps (single samples, long tails) that losses do so by themselves.

        An error grows with its target, its square with the target's, a term with what it is multiplied with.
        """
        rows = [
            (one, power) for one, power in ((self.asked, 2), (self.weighed, 1)) if one and float(np.median(one)) > 0
        ]
        return any((max(one) / float(np.median(one))) ** power > SPIKE for one, power in rows)

    def _is_braked(self, program: Program) -> bool:
        """Whether a clip leaves so little of the gradient that the weights hardly move."""
        leap = float(np.median(self.leaps))
        slow = leap <= CREEP and leap * program.steps <= TRAVELLED
        return slow and self.clipped and bool(self.left) and float(np.median(self.left)) < CLIPPED

    def _creeps(self, program: Program, begin: float, end: float, leap: float) -> bool:
        rates = [max(one) for one in program.rates if one]
        if rates and rates[-1] > 1.5 * rates[0]:
            return False  # the rate is still rising
        travelled = leap * program.steps
        if leap > CREEP or travelled > TRAVELLED:
            return False
        grads = [norm(total) / self.counted for total in self.sums.values()]
        headroom = float(np.linalg.norm(grads)) * float(np.linalg.norm(list(self.sizes.values()))) / 100
        whole = float(np.linalg.norm(grads))
        stands = abs(end - begin) < STILL * abs(begin)
        if stands and self.sized and whole > STEADY * float(np.mean(self.sized)):
            headroom *= 10  # the way is straight: a tenth of the norm would be as well spent
        return headroom > HEADROOM * abs(begin) or headroom > HEADROOM


def _is_fixed(links: Links, target: Node) -> bool:
    """Whether a target is data, or was computed from data alone."""
    return links.weights.isdisjoint(ancestors((target,)))


def rate(program: Program) -> dict[str, Value]:
    """The largest learning rate; nothing where the program updates its weights by itself."""
    rates = [max(one) for one in program.rates if one]
    return {"rate": max(rates)} if rates else {}


def updates_at(program: Program) -> Source | None:
    """The line of the optimizer; without one, that of the update by hand."""
    if program.facts:
        return program.facts[-1].source
    by_hand = [event for event in program.events if event.kind == "in_place" and event.fact("leaf")]
    made_anew = [event for event in program.events if event.kind == "freeze" and event.fact("frozen") is False]
    learnt = {life.token for life in program.lives.values() if life.updated}
    changed = [event for event in by_hand if event.fact("requires_grad") or event.fact("token") in learnt] or made_anew
    return changed[-1].source if changed else None


def diverges(losses: Array) -> bool:
    """Whether a loss has grown to a multiple of its beginning, perhaps until it was no number any more."""
    finite = losses[np.isfinite(losses)]
    if len(finite) < 3:
        return False
    begin = max(float(np.abs(finite[:3]).min()), _scale(losses))
    part = max(len(finite) // 5, 1) if len(finite) == len(losses) else 1
    return float(np.median(finite[-part:])) > WORSE * begin


def _scale(losses: Array) -> float:
    """What a loss that goes below zero and above it, or begins there, is measured against: the largest of its first.

    Such a loss (of a policy, with its gains and losses) is no error, and its beginning may happen to be next to zero.
    0 for one that keeps to one side.
    """
    first = losses[:LONG][np.isfinite(losses[:LONG])]
    crosses = first.size > 0 and (float(first.min()) < 0 < float(first.max()) or not np.all(first[:3]))
    return float(np.abs(first).max()) if crosses else 0.0


def _weights_of_terms(links: Links) -> Iterator[float]:
    """The sizes of what a program multiplies terms of its losses with, and no gradient flows to (returns, advantages).

    Their sum is what the loss would be if each of these terms were 1.
    """
    active, seen = links.step.active, set[int]()
    waiting = [(root, 1.0) for root in links.step.roots]
    while waiting:
        node, scale = waiting.pop()
        if node.id in seen or node.id not in active:
            continue
        seen.add(node.id)
        others = [one for one in node.inputs if one.id not in active]
        if isinstance(node.primitive, TERMS):
            waiting.extend((one, scale) for one in node.inputs)
        elif isinstance(node.primitive, Mul | Div) and len(others) == 1:
            value = links.value(others[0])
            if value is None or not np.all(np.isfinite(value)):
                continue
            if links.called(node).endswith("mul"):
                yield scale * float(np.abs(value.astype(np.float64)).sum())
            elif value.size and np.all(value == value.flat[0]) and value.flat[0]:  # a mean, or a sum that is divided
                factor = abs(float(value.flat[0]))
                part = factor if isinstance(node.primitive, Mul) else 1 / factor
                waiting.extend((one, scale * part) for one in node.inputs)


def learns(program: Program, part: float) -> bool:
    """Whether the loss has fallen below this part of its beginning."""
    losses = np.array([loss for _, loss in program.losses])
    if len(losses) < LONG or not np.all(np.isfinite(losses)):
        return False
    return bool(np.median(losses[-max(len(losses) // 5, 3) :]) < part * np.median(losses[:3]))
