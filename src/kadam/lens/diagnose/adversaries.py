"""Two networks that should play against each other, and pull the same way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from kadam.ir.graph import Phase, Source
from kadam.ir.primitive import Array
from kadam.lens.diagnose.finding import Finding
from kadam.lens.diagnose.links import Links, ancestors
from kadam.lens.diagnose.program import Program
from kadam.lens.replay import gradients
from kadam.lens.step import ModuleCall, StepRecord

SEEN = 4  # steps of each side
LOOKED = 24  # steps of which the gradients are computed again
Ways = list[int]  # 1 where a step pulls all of a judge's answers down, -1 where it pushes all of them up, else 0


@dataclass
class Judge:
    """How a network's answers were pulled.

    Attributes:
        own: tokens of its parameters.
        real, made: by its own steps: answers to data, and to what another network made.
        fooled: by the other network's steps.
        source: the line of that network's loss; told: that of its own for what was made.
    """

    own: set[int]
    real: Ways = field(default_factory=list)
    made: Ways = field(default_factory=list)
    fooled: Ways = field(default_factory=list)
    source: Source | None = None
    told: Source | None = None


class Adversaries:
    """A generator that helps the discriminator: its steps pull the answers where the discriminator's own steps do.

    Only where the discriminator tells data from what is made, all of the ones up and all of the others down.
    """

    def __init__(self) -> None:
        self.judges: dict[int, Judge] = {}  # by the outermost module
        self.looked = 0

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None or len(links.step.optimizers) < 2 or self.looked == LOOKED:
            return
        self.looked += 1
        step = links.step
        slopes = gradients(step)
        tokens = {one.value.id: one.token for one in step.parameters}
        moved = {one.token for one in step.parameters if one.next is not None}
        calls = [call for call in step.calls if call.depth == 0 and call.outputs and _answers(call)]
        behind = {call.outputs[0].id: ancestors((call.outputs[0],)).keys() & tokens.keys() for call in calls}
        needed = [{tokens[id] for id in behind[call.outputs[0].id]} for call in calls]
        for call, used in zip(calls, needed, strict=True):
            judge = self.judges.setdefault(call.root, Judge(used))
            judge.own &= used  # what all its answers are computed with; the rest made what it was given
        for call, used in zip(calls, needed, strict=True):
            judge, slope = self.judges[call.root], slopes.get(call.outputs[0].id)
            if judge.own and slope is not None and slope.any():
                self._note(links, call, slope, judge, used - judge.own, moved)

    def _note(
        self, links: Links, call: ModuleCall, slope: Array, judge: Judge, before: set[int], moved: set[int]
    ) -> None:
        way = 1 if slope.min() >= 0 else -1 if slope.max() <= 0 else 0
        if judge.own & moved and not before & moved:
            (judge.made if before else judge.real).append(way)
            judge.told = _loss_line(links, call) if before else judge.told
        elif before & moved and not judge.own & moved:
            judge.fooled.append(way)
            judge.source = _loss_line(links, call)

    def findings(self, program: Program) -> Iterator[Finding]:
        for judge in self.judges.values():
            # The first of each may have been seen before it was known which parameters are whose.
            sides = judge.real[1:], judge.made[1:], judge.fooled[1:]
            if any(len(side) < SEEN or len(set(side)) > 1 for side in sides):
                continue
            real, made, fooled = (side[0] for side in sides)
            if made == fooled == -real and made:
                yield Finding("wrong_sign", judge.source, {"steps": len(judge.fooled)}, variant="game")
            elif made == real and made:
                yield Finding("wrong_sign", judge.told, {"steps": len(judge.made)}, variant="judge")


def _answers(call: ModuleCall) -> bool:
    """Whether a call tells something of each sample; the module of a loss does not."""
    output = call.outputs[0]
    return output.type.elements > 1 and output.phase is not Phase.LOSS


def _loss_line(links: Links, call: ModuleCall) -> Source | None:
    """Where a network's answer is judged."""
    output = call.outputs[0].id
    told = (one.source for one in links.comparisons() if output in ancestors((one.prediction,)))
    return next(told, None if links.step.loss is None else links.step.loss.source)
