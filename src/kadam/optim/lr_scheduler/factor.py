"""Schedules that multiply the learning rate: by a function of the epoch, at chosen epochs, or towards a bound."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from types import FunctionType
from typing import Any, TypeAlias

from kadam.errors import OperandError
from kadam.optim.lr_scheduler.base import LRScheduler, group_values
from kadam.optim.optimizer import Optimizer

Factor: TypeAlias = Callable[[Any], float]


class _LambdaSchedule(LRScheduler):
    """One function of the epoch per group. The state of callable objects is saved; that of functions is not."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Factor | Sequence[Factor], last_epoch: int = -1) -> None:
        groups = len(optimizer.param_groups)
        lambdas: list[Any] = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * groups
        if len(lambdas) != groups:
            raise ValueError(
                f"{type(self).__name__}: {len(lambdas)} lr_lambdas for {groups} param_groups; give as many. Fix: one "
                f"function for all, or a list of {groups}."
            )
        for function in lambdas:
            if not callable(function):
                raise TypeError(
                    f"{type(self).__name__}: lr_lambda must be a function, not a {type(function).__name__}. Fix: "
                    "lr_lambda=lambda epoch: 0.95 ** epoch."
                )
        self.lr_lambdas: list[Factor] = lambdas
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """What the schedule remembers; for each lambda the attributes of a callable object, None for a function."""
        state = super().state_dict()
        del state["lr_lambdas"]  # it stands last, as in PyTorch
        state["lr_lambdas"] = [saved_callable(function) for function in self.lr_lambdas]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up a saved state; the lambdas stay those of this schedule, with the saved attributes."""
        self.__dict__.update({key: value for key, value in state_dict.items() if key != "lr_lambdas"})
        for function, saved in zip(self.lr_lambdas, state_dict["lr_lambdas"], strict=False):
            if saved is not None:
                function.__dict__.update(saved)


def saved_callable(function: Factor | None) -> dict[str, Any] | None:
    """The attributes of a callable object; None for a plain function, which has nothing to save."""
    return None if function is None or isinstance(function, FunctionType) else function.__dict__.copy()


class LambdaLR(_LambdaSchedule):
    """lr = initial_lr * lr_lambda(epoch).

    Args:
        optimizer: whose rates are scheduled.
        lr_lambda: from the epoch to a factor; or a list, one per group.
        last_epoch: index of the last epoch done.
    """

    def get_lr(self) -> list[Any]:
        self._warn_unless_stepping()
        return [rate * function(self.last_epoch) for function, rate in zip(self.lr_lambdas, self.base_lrs, strict=True)]


class MultiplicativeLR(_LambdaSchedule):
    """lr = previous lr * lr_lambda(epoch).

    Args:
        optimizer: whose rates are scheduled.
        lr_lambda: from the epoch to a factor; or a list, one per group.
        last_epoch: index of the last epoch done.
    """

    def get_lr(self) -> list[Any]:
        self._warn_unless_stepping()
        rates = group_values(self.optimizer, "lr")
        if self._is_initial:
            return rates
        return [rate * function(self.last_epoch) for function, rate in zip(self.lr_lambdas, rates, strict=True)]


class StepLR(LRScheduler):
    """The rate times `gamma` at every `step_size`-th epoch."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        if isinstance(step_size, str) or not hasattr(step_size, "__rmod__"):
            raise OperandError(
                f"StepLR: step_size must be a number, not {type(step_size).__name__}. Fix: step_size=30, a number of "
                "epochs."
            )
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        self._warn_unless_stepping()
        rates = group_values(self.optimizer, "lr")
        if self.last_epoch == 0 or self.last_epoch % self.step_size != 0:
            return rates
        return [rate * self.gamma for rate in rates]

    def _get_closed_form_lr(self) -> list[Any]:
        return [rate * self.gamma ** (self.last_epoch // self.step_size) for rate in self.base_lrs]


class MultiStepLR(LRScheduler):
    """The rate times `gamma` at each of the epochs in `milestones` (twice where one is listed twice)."""

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        if not isinstance(milestones, Iterable):
            raise OperandError(
                f"MultiStepLR: milestones must be a list of epochs, not {milestones!r}. Fix: milestones=[30, 80]."
            )
        self.milestones: Counter[float] = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        self._warn_unless_stepping()
        rates = group_values(self.optimizer, "lr")
        if self.last_epoch not in self.milestones:
            return rates
        return [rate * self.gamma ** self.milestones[self.last_epoch] for rate in rates]

    def _get_closed_form_lr(self) -> list[Any]:
        passed = bisect_right(sorted(self.milestones.elements()), self.last_epoch)
        return [rate * self.gamma**passed for rate in self.base_lrs]


class ConstantLR(LRScheduler):
    """The initial rate times `factor`, and at epoch `total_iters` the initial rate again.

    Raises:
        ValueError: `factor` is not in [0, 1].
    """

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        if not 0 <= factor <= 1.0:
            raise ValueError(f"ConstantLR: factor must be between 0 and 1, not {factor}. Fix: factor=0.5.")
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        self._warn_unless_stepping()
        rates = group_values(self.optimizer, "lr")
        if self.last_epoch == 0:
            return [rate * self.factor for rate in rates]
        if self.last_epoch != self.total_iters:
            return rates
        return [rate * (1.0 / self.factor) for rate in rates]

    def _get_closed_form_lr(self) -> list[Any]:
        over = self.last_epoch >= self.total_iters
        return [rate * (self.factor + over * (1 - self.factor)) for rate in self.base_lrs]


class LinearLR(LRScheduler):
    """The initial rate times a factor that goes evenly from `start_factor` to `end_factor` in `total_iters` epochs.

    Raises:
        ValueError: `start_factor` is not in (0, 1] or `end_factor` is not in [0, 1].
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1.0:
            raise ValueError(
                f"LinearLR: start_factor must be greater than 0 and at most 1, not {start_factor}. Fix: "
                "start_factor=0.1."
            )
        if not 0 <= end_factor <= 1.0:
            raise ValueError(f"LinearLR: end_factor must be between 0 and 1, not {end_factor}. Fix: end_factor=1.0.")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        self._warn_unless_stepping()
        rates = group_values(self.optimizer, "lr")
        if self.last_epoch == 0:
            return [rate * self.start_factor for rate in rates]
        if self._is_initial or self.last_epoch > self.total_iters:
            return rates
        span = self.end_factor - self.start_factor
        growth = 1.0 + span / (self.total_iters * self.start_factor + (self.last_epoch - 1) * span)
        return [rate * growth for rate in rates]

    def _get_closed_form_lr(self) -> list[Any]:
        span = self.end_factor - self.start_factor
        factor = self.start_factor + span * min(self.total_iters, self.last_epoch) / self.total_iters
        return [rate * factor for rate in self.base_lrs]


class ExponentialLR(LRScheduler):
    """The rate times `gamma` at every epoch."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        self._warn_unless_stepping()
        rates = group_values(self.optimizer, "lr")
        return rates if self._is_initial else [rate * self.gamma for rate in rates]

    def _get_closed_form_lr(self) -> list[Any]:
        return [rate * self.gamma**self.last_epoch for rate in self.base_lrs]


class PolynomialLR(LRScheduler):
    """initial_lr * (1 - epoch / total_iters) ** power, and 0 from epoch `total_iters` on."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        self._warn_unless_stepping()
        rates = group_values(self.optimizer, "lr")
        if self._is_initial or self.last_epoch > self.total_iters:
            return rates
        left, left_before = (1.0 - epoch / self.total_iters for epoch in (self.last_epoch, self.last_epoch - 1))
        return [rate * (left / left_before) ** self.power for rate in rates]

    def _get_closed_form_lr(self) -> list[Any]:
        done = min(self.total_iters, self.last_epoch) / self.total_iters
        return [rate * (1.0 - done) ** self.power for rate in self.base_lrs]
