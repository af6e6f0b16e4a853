"""Schedules made of schedules: one after the other, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from kadam.optim.lr_scheduler.base import LRScheduler, checked_optimizer, group_values, set_group_value
from kadam.optim.lr_scheduler.plateau import ReduceLROnPlateau
from kadam.optim.optimizer import Optimizer


class _Composition(LRScheduler):
    """Several schedules of one optimizer, saved and loaded together."""

    _schedulers: Sequence[LRScheduler]

    def _check_parts(self, optimizer: Optimizer | None, schedulers: Sequence[Any]) -> Optimizer:
        name = type(self).__name__
        if len(schedulers) < 1:
            raise ValueError(
                f"{name}: there is no scheduler to combine; give at least one. Fix: {name}([StepLR(optimizer, 10)])."
            )
        shared: Any = optimizer or schedulers[0].optimizer
        for index, part in enumerate(schedulers):
            if not hasattr(part, "optimizer"):
                raise TypeError(
                    f"{name}: schedulers[{index}], a {type(part).__name__}, has no `optimizer`. Fix: give lr_scheduler "
                    "objects."
                )
            if isinstance(part, ReduceLROnPlateau):
                raise ValueError(
                    f"{name}: schedulers[{index}] is a ReduceLROnPlateau, whose step() needs a measure. Fix: step it "
                    "by itself: scheduler.step(loss)."
                )
            if part.optimizer != shared:
                raise ValueError(
                    f"{name}: schedulers[{index}], a {type(part).__name__}, belongs to another optimizer than the "
                    f"{type(shared).__name__}; all must share one. Fix: make all of them with one optimizer."
                )
        return checked_optimizer(shared)

    def state_dict(self) -> dict[str, Any]:
        """What the composition and each of its schedules remember."""
        state = super().state_dict()
        del state["_schedulers"]  # it stands last, as in PyTorch
        state["_schedulers"] = [part.state_dict() for part in self._schedulers]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up a saved state, in the schedules too."""
        self.__dict__.update({key: value for key, value in state_dict.items() if key != "_schedulers"})
        for part, saved in zip(self._schedulers, state_dict["_schedulers"], strict=False):
            part.load_state_dict(saved)


class SequentialLR(_Composition):
    """One schedule after the other: the next one starts, from its epoch 0, at each of the `milestones`.

    Args:
        optimizer: of all the schedules.
        schedulers: in order.
        milestones: the epochs at which the second, third ... schedule starts.
        last_epoch: index of the last epoch done.

    Raises:
        ValueError: no schedule, one of another optimizer, or not one milestone fewer than schedules.
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: list[LRScheduler], milestones: list[int], last_epoch: int = -1
    ) -> None:
        self._check_parts(optimizer, schedulers)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                f"SequentialLR: {len(schedulers)} schedulers need one milestone fewer, not {len(milestones)}. Fix: "
                f"milestones are the epochs at which the next scheduler begins: give {len(schedulers) - 1}."
            )
        self._schedulers = schedulers
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        self.optimizer = optimizer
        # Each schedule has made its first step when it was built; undo them, and make the one that counts.
        for group in optimizer.param_groups:
            set_group_value(group, "lr", group["initial_lr"])
        self.recursive_undo()
        first = self._schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def recursive_undo(self, sched: Any = None) -> None:
        """Set the epoch of each schedule back by one, of those inside compositions too."""
        schedule = self if sched is None else sched
        if hasattr(schedule, "_schedulers"):
            for part in schedule._schedulers:
                self.recursive_undo(part)
        elif hasattr(schedule, "last_epoch"):
            schedule.last_epoch -= 1

    def step(self) -> None:  # type: ignore[override]
        """Move on by one epoch, with the schedule whose turn it is."""
        self.last_epoch += 1
        index = bisect_right(self._milestones, self.last_epoch)
        part = self._schedulers[index]
        if index > 0 and self._milestones[index - 1] == self.last_epoch:
            part._update_lr(0)
        else:
            part.step()
        self._last_lr = part.get_last_lr()


class ChainedScheduler(_Composition):
    """All the schedules at each step, one acting on the rates that the one before has set.

    Raises:
        ValueError: no schedule, or one of another optimizer.
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        self.optimizer = self._check_parts(optimizer, schedulers)
        self._schedulers = schedulers
        self._last_lr = group_values(self.optimizer, "lr")

    def step(self) -> None:  # type: ignore[override]
        """Step every schedule."""
        for part in self._schedulers:
            part.step()
        self._last_lr = group_values(self.optimizer, "lr")
