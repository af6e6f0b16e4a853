"""An optimizer's next steps, where all that they do beside their recorded call is to count."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TypeGuard

from kadam.optim import optimizer as base
from kadam.optim.adadelta import Adadelta
from kadam.optim.adagrad import Adagrad
from kadam.optim.adam import Adam
from kadam.optim.adamax import Adamax
from kadam.optim.adamw import AdamW
from kadam.optim.count import Clock
from kadam.optim.optimizer import Optimizer
from kadam.optim.radam import RAdam
from kadam.optim.rmsprop import RMSprop
from kadam.optim.rprop import Rprop
from kadam.optim.rule import Batch, RuleOptimizer
from kadam.optim.sgd import SGD
from kadam.recording.sight import Rehearsal
from kadam.tensor import Tensor

# Families whose numbers depend on the count of steps and the groups' options alone.
FORESEEABLE = frozenset({Adadelta, Adagrad, Adam, AdamW, Adamax, RAdam, RMSprop, Rprop, SGD})


class StepsAhead:
    """The steps that an optimizer would take next, if all its parameters take them together.

    Args:
        optimizer: for which `foreseeable` holds, between two steps.
    """

    def __init__(self, optimizer: RuleOptimizer) -> None:
        self._optimizer = optimizer
        self._clocks = _clocks(optimizer) or []
        self._rehearsal = Rehearsal()
        self._nothing = Batch([], [], [])

    @property
    def counts(self) -> bool:
        """Whether anything of a step depends on how many there were before."""
        return any(one is not None for one in self._clocks)

    def numbers(self, ahead: int) -> tuple[list[float], list[Hashable]]:
        """The floats that the step so far ahead (1: the next) is fed with, at the present rates; and all else of it."""

        def update() -> None:
            for group, clock in zip(self._optimizer.param_groups, self._clocks, strict=True):
                count = "moving" if clock is None else clock.count + ahead
                self._optimizer._update(group, count, self._nothing)

        numbers, form = self._rehearsal.of(update)
        others = [one.item() for one in numbers if not isinstance(one, float)]
        return [one for one in numbers if isinstance(one, float)], [*form, *others]

    def taken(self, steps: int) -> None:
        """Count steps that were taken."""
        for clock in self._clocks:
            if clock is not None:
                clock.count += steps


def foreseeable(optimizer: Optimizer) -> TypeGuard[RuleOptimizer]:
    """Whether what an optimizer's next steps are fed with is known now."""
    if type(optimizer) not in FORESEEABLE or "step" in vars(optimizer):
        return False
    if base._everyones_pre_hooks or base._everyones_post_hooks or any(optimizer._hooks.values()):
        return False
    if any(isinstance(value, Tensor) for group in optimizer.param_groups for value in group.values()):
        return False
    return isinstance(optimizer, RuleOptimizer) and _clocks(optimizer) is not None


def _clocks(optimizer: RuleOptimizer) -> list[Clock | None] | None:
    """The clock of each group, or None for one that counts no steps; None in all if a group has no team with one."""
    found: list[Clock | None] = []
    for group in optimizer.param_groups:
        team = optimizer._teams.get(id(group))
        if team is None:
            return None
        if type(optimizer) is SGD:
            found.append(None)
            continue
        counts = team.columns.get("step")
        clock = getattr(counts[0], "_clock_of", None) if counts else None
        if clock is None or clock.kept is not counts:
            return None
        found.append(clock)
    return found
