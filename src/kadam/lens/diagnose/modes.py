"""Training mode and evaluation mode: dropout and batch normalisation work differently in each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from kadam.ir.graph import Source
from kadam.lens.diagnose.finding import Finding, Value
from kadam.lens.diagnose.links import Links, ancestors
from kadam.lens.diagnose.program import Program
from kadam.lens.step import Event, ModuleCall, Step, StepRecord

OFTEN = 2  # steps trained in evaluation mode: one may be a look at the gradient of a finished model
DRAWS = 3  # passes of one input through a model in training mode: the spread of its answers is wanted (MC dropout)
_EFFECT = re.compile(r"(Dropout|BatchNorm)")
_RECURRENT = re.compile(r"(LSTM|GRU|RNN)$")


class Modes:
    """The mode of the models that have dropout or batch normalisation, in training and in evaluation."""

    def __init__(self) -> None:
        self.moded: dict[int, set[str]] = {}  # outermost module -> classes in it that depend on the mode
        self.training: set[tuple[Source | None, bool]] = set()  # line and grad mode of passes that led to a loss
        self.wrong: list[tuple[Source | None, str]] = []
        self.right: set[int] = set()

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None:
            return
        step = links.step
        for call in step.calls:
            if _depends_on_mode(call):
                self.moded.setdefault(call.root, set()).add(call.kind)
        learning = {one.value.id for one in step.parameters if one.next is not None and one.grad is not None}
        for call in step.calls:
            if call.depth == 0 and call.outputs:
                self.training.add((call.source, call.grad))
                if learning and call.grad and call.root in self.moded:
                    self._training(step, call)

    def _training(self, step: Step, call: ModuleCall) -> None:
        """A forward pass of a training step, with its mode."""
        if call.training:
            self.right.add(call.root)
            return
        prefix = step.models[call.root] if call.root < len(step.models) else ""
        inner = [one for one in step.calls if one.root == call.root and _depends_on_mode(one)]
        learning = {one.value.id for one in step.parameters if one.next is not None}
        learns = bool(learning & ancestors(call.outputs).keys())  # a teacher of the model that learns rests in its mode
        if inner and learns and all(not one.training for one in inner):
            self.wrong.append((call.source, prefix))

    def findings(self, program: Program) -> Iterator[Finding]:
        yield from self._trained_in_evaluation(program)
        yield from _never_off(program)
        yield from self._evaluated_in_training(program)

    def _trained_in_evaluation(self, program: Program) -> Iterator[Finding]:
        if len(self.wrong) < OFTEN:
            return
        kinds = sorted(set().union(*self.moded.values()))
        if _only_norms(kinds) and (program.count("load") or (self.right and _has_new_optimizer(program))):
            return  # fine-tuning that keeps the statistics of the training before
        source = Counter(line for line, _ in self.wrong).most_common(1)[0][0]
        switch = program.last("eval")
        also = (switch.source,) if switch is not None and switch.source is not None else ()
        values: dict[str, Value] = {"steps": len(self.wrong), "modules": ", ".join(kinds)}
        yield Finding("training_in_evaluation_mode", source, values, also)

    def _evaluated_in_training(self, program: Program) -> Iterator[Finding]:
        looked = [event for event in _evaluations(program.events, self.training) if event.fact("root") in self.moded]
        games = {event.source for event in program.events if event.kind == "optimizer_step"}
        if len(games) > 1:  # a generator shows samples in the mode that it is trained in
            looked = [event for event in looked if not _only_norms(self.moded[int(event.fact("root") or 0)])]  # type: ignore[arg-type]
        if not looked:
            return
        kinds = sorted(set().union(*(self.moded[int(event.fact("root") or 0)] for event in looked)))  # type: ignore[arg-type]
        values: dict[str, Value] = {"passes": len(looked), "modules": ", ".join(kinds)}
        yield Finding("evaluation_in_training_mode", looked[0].source, values)


def _only_norms(kinds: Iterable[str]) -> bool:
    return all("BatchNorm" in kind for kind in kinds)


def _never_off(program: Program) -> Iterator[Finding]:
    """Dropout as a function that is not told the mode: it stays on while its module is in evaluation mode."""
    calls = [event for event in program.events if event.kind == "dropout" and not event.fact("told")]
    wrong = [event for event in calls if not event.fact("training")]
    if wrong and len(wrong) < len(calls) and _ignores_mode(program.events, wrong[0].source):
        values: dict[str, Value] = {"modules": f"F.{wrong[0].name}", "passes": len(wrong)}
        yield Finding("evaluation_in_training_mode", wrong[0].source, values, variant="function")


def _ignores_mode(events: list[Event], line: Source | None) -> bool:
    """Whether dropout at a line is on in both modes, and off in none."""
    told = {(event.fact("on"), event.fact("training")) for event in events
            if event.kind == "dropout" and event.source == line}  # fmt: skip
    return told == {(True, True), (True, False)}


def _depends_on_mode(call: ModuleCall) -> bool:
    if _RECURRENT.match(call.kind) and re.search(r"\bdropout=0?\.[0-9]*[1-9]", call.settings):
        return True
    if not _EFFECT.search(call.kind) or "track_running_stats=False" in call.settings:
        return False
    return not re.search(r"\bp=0(\.0+)?(,|$)", call.settings)


def _has_new_optimizer(program: Program) -> bool:
    """Whether an optimizer was made after others had taken steps."""
    kinds = [event.kind for event in program.events if event.kind in ("optimizer", "optimizer_step")]
    return "optimizer" in kinds[kinds.index("optimizer_step") :] if "optimizer_step" in kinds else False


def _evaluations(events: list[Event], training: set[tuple[Source | None, bool]]) -> Iterator[Event]:
    """Forward passes in training mode, after the first update, whose results are read and lead to no gradient.

    Passes that repeat an input want the spread of the answers; those whose results nobody reads renew statistics.
    Where a line trains too (a function for both), only what comes next tells: no backward pass before the next epoch.
    """
    updated = False
    waiting: list[Event] = []  # of lines that never train, not read yet
    pending: list[tuple[Event, bool]] = []  # of lines that do, and whether the result was read
    for event in events:
        if event.kind == "forward" and updated and event.fact("training"):
            if event.fact("grad") and (event.source, True) in training:
                pending.append((event, False))
            elif (event.source, event.fact("grad")) not in training:
                waiting.append(event)
        elif event.kind in ("backward", "grad"):
            pending, waiting = [], [one for one in waiting if not one.fact("grad")]
        elif event.kind == "optimizer_step":
            updated, pending = True, []
        elif event.kind == "read":
            pending = [(one, True) for one, _ in pending]
            yield from _not_repeated(waiting)
            waiting = []
        elif event.kind in ("loader", "train", "eval"):
            yield from _not_repeated([one for one, read in pending if read])
            pending = []
    yield from _not_repeated([one for one, read in pending if read])


def _not_repeated(passes: list[Event]) -> list[Event]:
    repeats = Counter((one.source, one.fact("input"), one.fact("root")) for one in passes)
    return passes if passes and max(repeats.values()) < DRAWS else []
