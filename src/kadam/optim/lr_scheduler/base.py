"""The base of the schedules: when learning rates are set, and what is remembered of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from kadam.optim.optimizer import Optimizer
from kadam.recording.refused import tell_constructor
from kadam.tensor import Tensor

Rate: TypeAlias = float | Tensor

_EPOCH_IS_DEPRECATED = (
    "scheduler.step(epoch) is deprecated: call scheduler.step() once per epoch. With an epoch, the rate is computed "
    "afresh from the initial one where the schedule has such a form."
)


class LRScheduler:
    """Sets the learning rates of an optimizer's groups, anew at each `step()`.

    A schedule defines `get_lr()`: the rates of the groups at `last_epoch`. Most compute them from the rates that
    stand in the groups, so that several schedules can act on one optimizer; a schedule that also knows its rates
    from the initial ones alone defines `_get_closed_form_lr()`, which serves `step(epoch)`.

    Args:
        optimizer: whose `param_groups` are scheduled.
        last_epoch: the index of the last epoch that is done; -1 starts afresh and notes each group's `initial_lr`.

    Raises:
        TypeError: `optimizer` is not an Optimizer.
        KeyError: resuming (`last_epoch` >= 0) with a group that has no `initial_lr`.
    """

    _get_lr_called_within_step: bool = False
    _is_initial: bool = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        tell_constructor(cls)

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = checked_optimizer(optimizer)
        for index, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", _own(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"{type(self).__name__}: param_groups[{index}] has no 'initial_lr', which resuming with "
                    f"last_epoch={last_epoch} needs. Fix: load the optimizer's state_dict first."
                )
        self.base_lrs: list[Any] = group_values(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        if not optimizer._scheduled:
            optimizer._scheduled, optimizer._opt_called = True, False  # steps count from here on
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count = 0
        with self._flag("_is_initial"):
            self.step()

    def state_dict(self) -> dict[str, Any]:
        """Everything that the schedule remembers, except its optimizer."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what `state_dict()` of such a schedule returned."""
        self.__dict__.update(state_dict)

    def get_last_lr(self) -> list[Any]:
        """The rates that the last step set, one per group."""
        return self._last_lr

    def get_lr(self) -> list[Any]:
        """The rates at `last_epoch`, one per group; meant to be called by `step()`."""
        raise NotImplementedError

    def step(self, epoch: int | None = None) -> None:
        """Move on by one epoch (or to `epoch`) and set the rates. Call it after `optimizer.step()`."""
        if self._step_count == 1:
            self._warn_of_order()
        self._step_count += 1
        if epoch is not None:
            warn_of_epoch()
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        rates = self.get_lr
        if epoch is None:
            self.last_epoch += 1
        else:
            self.last_epoch = epoch
            rates = getattr(self, "_get_closed_form_lr", rates)
        with self._flag("_get_lr_called_within_step"):
            self._set_rates(rates())

    def _set_rates(self, rates: Sequence[Any]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            set_group_value(group, "lr", rate)
        self._last_lr = group_values(self.optimizer, "lr")

    @contextmanager
    def _flag(self, name: str) -> Iterator[None]:
        setattr(self, name, True)
        try:
            yield
        finally:
            setattr(self, name, False)

    def _warn_of_order(self) -> None:
        if not getattr(self.optimizer.step, "hooked", False):
            message = (
                "optimizer.step was replaced after the scheduler was made, so it cannot be seen whether it is called "
                "before scheduler.step(), as it should be."
            )
        elif not self.optimizer._opt_called:
            message = (
                "lr_scheduler.step() was called before optimizer.step(): the first rate of the schedule is skipped. "
                "Fix: call optimizer.step() first, then scheduler.step()."
            )
        else:
            return
        warnings.warn(message, UserWarning, stacklevel=3)

    def _warn_unless_stepping(self) -> None:
        if not self._get_lr_called_within_step:
            warnings.warn("get_lr() computes the next rates; the present ones are get_last_lr().", UserWarning, 3)


class _LRScheduler(LRScheduler):
    """The name of `LRScheduler` in older programs."""


def checked_optimizer(optimizer: Any) -> Optimizer:
    """`optimizer`, if it is one.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            f"a scheduler needs an Optimizer; {type(optimizer).__name__} is not an Optimizer. Fix: give the optimizer "
            "first, as in StepLR(optimizer, step_size=10)."
        )
    return optimizer


def per_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """`value` for each group: a list as it is, a single value repeated.

    Raises:
        ValueError: the list has not one value per group.
    """
    groups = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        value = [value] * groups
    elif len(value) != groups:
        raise ValueError(
            f"{name} has {len(value)} values, but the optimizer has {groups} param_groups; give one each. Fix: give "
            f"{groups} values, or one number for all."
        )
    return [_own(each) for each in value]


def group_values(optimizer: Optimizer, key: str) -> list[Any]:
    """`group[key]` of each group; tensors as copies, for those in the groups are changed in place."""
    return [_own(group[key]) for group in optimizer.param_groups]


def set_group_value(group: dict[str, Any], key: str, value: Any) -> None:
    """Set `group[key]`, in place where it is a tensor."""
    present = group[key]
    if isinstance(present, Tensor):
        present.fill_(value.squeeze() if isinstance(value, Tensor) else value)
    else:
        group[key] = value


def warn_of_epoch() -> None:
    """Warn the caller of `step(epoch)`."""
    warnings.warn(_EPOCH_IS_DEPRECATED, UserWarning, stacklevel=3)


def _own(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value
