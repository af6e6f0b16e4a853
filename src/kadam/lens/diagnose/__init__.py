"""Diagnosis: why a training does not learn, from the order of its events and the numbers of its steps.

Each room looks at one family of causes. A room sees the steps as they happen, keeps a few numbers of each, and says at
the end what it found; its thresholds stand at its top, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from kadam.lens.diagnose.adversaries import Adversaries
from kadam.lens.diagnose.association import Association
from kadam.lens.diagnose.axes import Axes
from kadam.lens.diagnose.channels import Channels
from kadam.lens.diagnose.copies import Copies
from kadam.lens.diagnose.data import LabelOrder, Scale, SmallBatches
from kadam.lens.diagnose.dependence import Dependence
from kadam.lens.diagnose.derivatives import Derivatives
from kadam.lens.diagnose.direction import Direction
from kadam.lens.diagnose.dynamics import Rates
from kadam.lens.diagnose.evaluation import EvaluationScale
from kadam.lens.diagnose.failures import Failures
from kadam.lens.diagnose.finding import Finding, ranked
from kadam.lens.diagnose.flat import Flat
from kadam.lens.diagnose.idle import Idle
from kadam.lens.diagnose.layers import DeadUnits, Flow, Symmetry
from kadam.lens.diagnose.links import Links
from kadam.lens.diagnose.loop import LoopOrder, StaleGradients
from kadam.lens.diagnose.losses import Losses
from kadam.lens.diagnose.memory import Damage
from kadam.lens.diagnose.modes import Modes
from kadam.lens.diagnose.noise import Dropped
from kadam.lens.diagnose.numbers import FirstNonFinite
from kadam.lens.diagnose.parameters import Cuts, Frozen, Owners
from kadam.lens.diagnose.program import Program
from kadam.lens.diagnose.recurrence import Recurrence
from kadam.lens.diagnose.schedule import Decay, Remade, Schedules
from kadam.lens.diagnose.targets import Constant, Targets, Uniform
from kadam.lens.diagnose.terms import Terms
from kadam.lens.step import Fault, Step, StepRecord
from kadam.lens.watch import Watched, capture, watch

STEPS = 1000  # after so many steps a program is stopped, unless the user says otherwise
DENSE = 16  # the first 32 steps are all looked at whole, then 16 of each doubling: 32 to 64, 64 to 128 ...
ROOMS = (
    FirstNonFinite, LoopOrder, StaleGradients, Owners, Frozen, Cuts, Flat, Terms, Derivatives, Recurrence, Idle,
    Damage, Modes, EvaluationScale, Losses, Dropped, Axes, Channels, Direction, Adversaries, Copies, Symmetry,
    DeadUnits, Flow, Scale, LabelOrder, Targets, Constant, Uniform, SmallBatches, Schedules, Remade, Decay, Rates,
    Dependence, Association, Failures,
)  # fmt: skip


class Room(Protocol):
    """One family of causes."""

    def see(self, record: StepRecord, links: Links | None) -> None: ...
    def findings(self, program: Program) -> Iterator[Finding]: ...


@dataclass
class Diagnosis:
    """What was found.

    Attributes:
        findings: the causes, the most certain first.
        steps: how many steps the program took; captured: how many of them were looked at whole.
        stopped: whether it was stopped because it had taken the steps that it was given.
        fault: where it failed by itself; None if it did not.
        code: its exit code.
    """

    findings: list[Finding] = field(default_factory=list)
    steps: int = 0
    captured: int = 0
    stopped: bool = False
    fault: Fault | None = None
    code: int = 0


class Doctor:
    """Sees steps, and says at the end what is wrong with them. `look` is an `on_step` of `kadam.lens.watch`."""

    def __init__(self) -> None:
        self.program = Program()
        self.rooms: list[Room] = [room() for room in ROOMS]
        self.sick = False

    def wants(self, index: int) -> bool:
        """Whether a step is looked at whole: two neighbours at a time, ever rarer."""
        stride = 1 << max((index // DENSE).bit_length() - 1, 0)
        return index % (2 * stride) < 2

    def keep(self, record: StepRecord) -> bool:
        """The first step with a number that is none is looked at in any case."""
        first = not record.finite and not self.sick
        self.sick = self.sick or first
        return first

    def look(self, record: StepRecord, step: Step | None) -> None:
        """See a step."""
        links = None if step is None else Links(step)
        self.program.see(record, links)
        for room in self.rooms:
            room.see(record, links)

    def fail(self, partial: Step | None) -> None:
        """See what was recorded of the step in which the program failed."""
        if partial is not None and partial.fault is not None:
            self.program.fail(partial.fault, partial)

    def findings(self) -> list[Finding]:
        """The causes found so far, the most certain first."""
        return ranked([finding for room in self.rooms for finding in room.findings(self.program)])


class _Enough(SystemExit):
    """Ends a program that has taken its steps."""


def diagnose(program: str, arguments: Sequence[str] = (), *, is_module: bool = False, steps: int = STEPS) -> Diagnosis:
    """Run a script unmodified, and say what keeps it from learning.

    Args:
        program: its path; with `is_module` a module's name.
        arguments: what it finds in `sys.argv`.
        is_module: see `program`.
        steps: after so many it is stopped.
    """
    doctor = Doctor()

    def look(record: StepRecord, step: Step | None) -> None:
        doctor.look(record, step)
        if record.index + 1 >= steps:
            raise _Enough(0)

    seen = capture(program, arguments, is_module=is_module, steps=doctor.wants, keep=doctor.keep, on_step=look)
    return _diagnosis(doctor, seen, steps)


@contextmanager
def diagnosing() -> Iterator[Diagnosis]:
    """Diagnose the training inside; what was found stands in the result when the block is over."""
    doctor, result = Doctor(), Diagnosis()
    seen = Watched()
    try:
        with watch(doctor.wants, keep=doctor.keep, on_step=doctor.look) as seen:
            yield result
    finally:
        vars(result).update(vars(_diagnosis(doctor, seen, None)))


def _diagnosis(doctor: Doctor, seen: Watched, budget: int | None) -> Diagnosis:
    doctor.fail(seen.partial)
    program = doctor.program
    program.hear(seen.after)
    program.stopped = budget is not None and program.steps >= budget
    return Diagnosis(doctor.findings(), program.steps, program.captured, program.stopped, program.fault, seen.code)


__all__ = ["Diagnosis", "Doctor", "Finding", "diagnose", "diagnosing"]
