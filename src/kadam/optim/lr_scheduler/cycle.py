"""Schedules that go up and down, and let the momentum go the other way."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

from kadam.optim.lr_scheduler.base import LRScheduler, checked_optimizer, per_group, set_group_value
from kadam.optim.lr_scheduler.factor import saved_callable
from kadam.optim.optimizer import Optimizer


class _MomentumCycle(LRScheduler):
    """A schedule that also sets the momentum: the `momentum` of a group, or the first of its `betas`."""

    cycle_momentum: bool
    use_beta1: bool

    def _start_momentum(self, low: list[Any], high: list[Any]) -> None:
        for group, bottom, top in zip(self.optimizer.param_groups, low, high, strict=True):
            self._set_momentum(group, top)
            group["max_momentum"] = top
            group["base_momentum"] = bottom

    def _find_momentum(self) -> None:
        defaults = self.optimizer.defaults
        if "momentum" not in defaults and "betas" not in defaults:
            raise ValueError(
                f"{type(self).__name__}: {type(self.optimizer).__name__} has neither momentum nor betas to cycle. "
                "Fix: pass cycle_momentum=False."
            )
        self.use_beta1 = "betas" in defaults

    def _set_momentum(self, group: dict[str, Any], momentum: float) -> None:
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum


class CyclicLR(_MomentumCycle):
    """Up from `base_lr` to `max_lr` and down again, evenly, cycle after cycle; meant to be stepped after each batch.

    Args:
        optimizer: whose rates are scheduled.
        base_lr, max_lr: bounds of the rate; numbers, or lists with one per group.
        step_size_up, step_size_down: steps of the rise and of the fall (as many as of the rise if None).
        mode: "triangular" keeps the height, "triangular2" halves it each cycle, "exp_range" scales it by gamma**step.
        gamma: the base of "exp_range".
        scale_fn: scales the height instead of `mode`, from the cycle or from the step, as `scale_mode` says.
        scale_mode: "cycle" or "iterations".
        cycle_momentum: also cycle the momentum, down from `max_momentum` to `base_momentum` while the rate rises.
        base_momentum, max_momentum: bounds of the momentum; numbers, or lists with one per group.
        last_epoch: index of the last step done.

    Raises:
        ValueError: `mode` is unknown, or the optimizer has no momentum to cycle.

    Source: Smith 2017, https://arxiv.org/abs/1506.01186.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: Literal["cycle", "iterations"] = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        self.optimizer = checked_optimizer(optimizer)
        base_lrs = per_group("base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, base_lrs, strict=True):
                set_group_value(group, "lr", rate)
        self.max_lrs = per_group("max_lr", optimizer, max_lr)
        rise = float(step_size_up)
        self.total_size = rise + (rise if step_size_down is None else float(step_size_down))
        self.step_ratio = rise / self.total_size
        if scale_fn is None and mode not in ("triangular", "triangular2", "exp_range"):
            raise ValueError(
                f"CyclicLR: mode {mode!r} is unknown; give triangular, triangular2, exp_range, or a scale_fn. Fix: "
                "mode='triangular'."
            )
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode
        if scale_fn is None:
            self.scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._find_momentum()
            self.base_momentums = per_group("base_momentum", optimizer, base_momentum)
            self.max_momentums = per_group("max_momentum", optimizer, max_momentum)
            if last_epoch == -1:
                self._start_momentum(self.base_momentums, self.max_momentums)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """The height of a cycle, as a part of the full one, from its number or from the step."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular":
            return 1.0
        return float(1 / (2.0 ** (x - 1)) if self.mode == "triangular2" else self.gamma**x)

    def get_lr(self) -> list[Any]:
        """The rates at `last_epoch`; sets the momentum too."""
        self._warn_unless_stepping()
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        position = 1.0 + self.last_epoch / self.total_size - cycle
        if position <= self.step_ratio:
            height = position / self.step_ratio
        else:
            height = (position - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            bounds = zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True)
            for group, low, high in bounds:
                self._set_momentum(group, high - (high - low) * height * scale)
        return [low + (high - low) * height * scale for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """What the schedule remembers; of a custom scale function the attributes of a callable object, else None."""
        state = super().state_dict()
        del state["_scale_fn_custom"]  # it stands last, as in PyTorch
        state["_scale_fn_custom"] = saved_callable(self._scale_fn_custom)
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up a saved state; the scale function stays this schedule's, with the saved attributes."""
        super().load_state_dict({key: value for key, value in state_dict.items() if key != "_scale_fn_custom"})
        saved = state_dict.get("_scale_fn_custom")
        if saved is not None and self._scale_fn_custom is not None:
            self._scale_fn_custom.__dict__.update(saved)


class OneCycleLR(_MomentumCycle):
    """Up from `max_lr / div_factor` to `max_lr`, then down to far below the start; stepped after each batch.

    Args:
        optimizer: whose rates are scheduled.
        max_lr: the highest rate; a number, or a list with one per group.
        total_steps: steps of the whole cycle; or give `epochs` and `steps_per_epoch`.
        pct_start: the part of the steps in which the rate rises.
        anneal_strategy: "cos" or "linear".
        cycle_momentum: also move the momentum, down to `base_momentum` while the rate rises, and up again.
        base_momentum, max_momentum: bounds of the momentum; numbers, or lists with one per group.
        div_factor: highest rate over first rate.
        final_div_factor: first rate over last rate.
        three_phase: fall back to the first rate as slowly as it rose, and only then to the last one.
        last_epoch: index of the last step done.

    Raises:
        ValueError: the number of steps is missing or not positive, `pct_start` is not a float in [0, 1], the strategy
            is unknown, the optimizer has no momentum to cycle, or there are more steps than were announced.

    Source: Smith and Topin 2018, https://arxiv.org/abs/1708.07120.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        self.optimizer = checked_optimizer(optimizer)
        self.total_steps = _whole_cycle(total_steps, epochs, steps_per_epoch)
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(
                f"OneCycleLR: pct_start must be a float between 0 and 1, not {pct_start!r}. Fix: pct_start=0.3."
            )
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"OneCycleLR: anneal_strategy must be 'cos' or 'linear', not {anneal_strategy!r}. Fix: "
                "anneal_strategy='cos'."
            )
        self._schedule_phases = _phases(self.total_steps, pct_start, three_phase)
        self._anneal_func_type = anneal_strategy
        peaks = per_group("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["initial_lr"] = peak / div_factor
                group["max_lr"] = peak
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._find_momentum()
            low = per_group("base_momentum", optimizer, base_momentum)
            high = per_group("max_momentum", optimizer, max_momentum)
            if last_epoch == -1:
                self._start_momentum(low, high)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The rates at `last_epoch`; sets the momentum too."""
        self._warn_unless_stepping()
        step = self.last_epoch
        if step > self.total_steps:
            raise ValueError(
                f"OneCycleLR: step {step} is beyond the {self.total_steps} steps that were announced. Fix: give "
                "total_steps as the number of scheduler.step() calls: epochs * len(loader)."
            )
        start = 0.0
        phase = self._schedule_phases[0]
        for phase in self._schedule_phases:
            if step <= phase["end_step"] or phase is self._schedule_phases[-1]:
                break
            start = phase["end_step"]
        done = (step - start) / (phase["end_step"] - start)
        anneal = _along_cosine if self._anneal_func_type == "cos" else _along_line
        rates = []
        for group in self.optimizer.param_groups:
            rates.append(anneal(group[phase["start_lr"]], group[phase["end_lr"]], done))
            if self.cycle_momentum:
                self._set_momentum(group, anneal(group[phase["start_momentum"]], group[phase["end_momentum"]], done))
        return rates


def _whole_cycle(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    if total_steps is not None:
        return _positive("total_steps", total_steps)
    if epochs is None or steps_per_epoch is None:
        raise ValueError(
            "OneCycleLR: how long is the cycle? Give total_steps, or epochs and steps_per_epoch. Fix: epochs=10, "
            "steps_per_epoch=len(loader)."
        )
    return _positive("epochs", epochs) * _positive("steps_per_epoch", steps_per_epoch)


def _positive(name: str, value: int) -> int:
    if not isinstance(value, int) or value <= 0:
        raise ValueError(
            f"OneCycleLR: {name} must be a positive integer, not {value}. Fix: {name}=len(loader) * epochs, or any "
            "whole number of at least 1."
        )
    return value


def _phases(total_steps: int, pct_start: float, three_phase: bool) -> list[dict[str, Any]]:
    """The parts of the cycle: the step at which each ends, and the group's entries that it leads from and to."""
    peak = float(pct_start * total_steps) - 1
    rise = _phase(peak, ("initial_lr", "max_lr"), ("max_momentum", "base_momentum"))
    last = total_steps - 1
    if not three_phase:
        return [rise, _phase(last, ("max_lr", "min_lr"), ("base_momentum", "max_momentum"))]
    fallen = float(2 * pct_start * total_steps) - 2
    fall = _phase(fallen, ("max_lr", "initial_lr"), ("base_momentum", "max_momentum"))
    return [rise, fall, _phase(last, ("initial_lr", "min_lr"), ("max_momentum", "max_momentum"))]


def _phase(end_step: float, rate: tuple[str, str], momentum: tuple[str, str]) -> dict[str, Any]:
    return {
        "end_step": end_step,
        "start_lr": rate[0],
        "end_lr": rate[1],
        "start_momentum": momentum[0],
        "end_momentum": momentum[1],
    }


def _along_cosine(start: Any, end: Any, done: float) -> Any:
    return end + (start - end) / 2.0 * (math.cos(math.pi * done) + 1)


def _along_line(start: Any, end: Any, done: float) -> Any:
    return (end - start) * done + start
