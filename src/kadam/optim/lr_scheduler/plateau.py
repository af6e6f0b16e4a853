"""The schedule that waits until a measure stops improving."""

from __future__ import annotations

import math
from typing import Any, Literal, SupportsFloat

from kadam.optim.lr_scheduler.base import LRScheduler, checked_optimizer, group_values, set_group_value, warn_of_epoch
from kadam.optim.optimizer import Optimizer


class ReduceLROnPlateau(LRScheduler):
    """The rate times `factor` once a measure has not improved for more than `patience` epochs.

    Args:
        optimizer: whose rates are scheduled.
        mode: "min" if a lower measure is better, "max" if a higher one is.
        factor: of the reduction, below 1.
        patience: epochs without improvement that are tolerated.
        threshold: what counts as an improvement: relative to the best measure ("rel") or as it is ("abs").
        threshold_mode: "rel" or "abs".
        cooldown: epochs after a reduction during which bad ones are not counted.
        min_lr: the lowest rate; a number, or a list with one per group.
        eps: smaller changes of the rate are left out.

    Raises:
        ValueError: `factor` is not below 1, a mode is unknown, or `min_lr` has not one value per group.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: Literal["min", "max"] = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: Literal["rel", "abs"] = "rel",
        cooldown: int = 0,
        min_lr: list[float] | float = 0,
        eps: float = 1e-8,
    ) -> None:
        if factor >= 1.0:
            raise ValueError(f"ReduceLROnPlateau: factor must be below 1, not {factor}. Fix: factor=0.1.")
        self.factor = factor
        self.optimizer = checked_optimizer(optimizer)
        groups = len(optimizer.param_groups)
        self.default_min_lr: float | None
        if isinstance(min_lr, (list, tuple)):
            if len(min_lr) != groups:
                raise ValueError(
                    f"ReduceLROnPlateau: {len(min_lr)} min_lr for {groups} param_groups; give one each. Fix: one "
                    f"number for all, or a list of {groups}."
                )
            self.default_min_lr, self.min_lrs = None, list(min_lr)
        else:
            self.default_min_lr, self.min_lrs = min_lr, [min_lr] * groups
        self.patience = patience
        self.cooldown = cooldown
        self.eps = eps
        self.last_epoch = 0
        self._last_lr = group_values(optimizer, "lr")
        self._choose_measure(mode, threshold, threshold_mode)
        self._reset()

    def _choose_measure(self, mode: Any, threshold: float, threshold_mode: Any) -> None:
        if mode not in ("min", "max"):
            raise ValueError(
                f"ReduceLROnPlateau: mode {mode!r} is unknown; it is 'min' or 'max'. Fix: mode='min' for a loss, 'max' "
                "for an accuracy."
            )
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(
                f"ReduceLROnPlateau: threshold_mode {threshold_mode!r} is unknown; it is 'rel' or 'abs'. Fix: "
                "threshold_mode='rel'."
            )
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self.mode = mode
        self.threshold = threshold
        self.threshold_mode = threshold_mode

    def _reset(self) -> None:
        """Forget the best measure and the counts of epochs."""
        self.best = self.mode_worse
        self.cooldown_counter = 0
        self.num_bad_epochs = 0

    def step(self, metrics: SupportsFloat, epoch: int | None = None) -> None:  # type: ignore[override]
        """Note the measure of this epoch, and reduce the rates if it is time."""
        measure = float(metrics)
        if epoch is not None:
            warn_of_epoch()
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._is_better(measure, self.best):
            self.best = measure
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = group_values(self.optimizer, "lr")

    def _reduce(self) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            if self.default_min_lr is None:
                raise RuntimeError(
                    f"ReduceLROnPlateau: the optimizer has {len(groups)} param_groups now, but there are "
                    f"{len(self.min_lrs)} min_lrs. Fix: extend scheduler.min_lrs when a group is added."
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, lowest in zip(groups, self.min_lrs, strict=True):
            rate = float(group["lr"])
            reduced = max(rate * self.factor, lowest)
            if rate - reduced > self.eps:
                set_group_value(group, "lr", reduced)

    @property
    def in_cooldown(self) -> bool:
        return self.cooldown_counter > 0

    def _is_better(self, measure: float, best: float) -> bool:
        if self.mode == "min":
            return measure < (best * (1.0 - self.threshold) if self.threshold_mode == "rel" else best - self.threshold)
        return measure > (best * (self.threshold + 1.0) if self.threshold_mode == "rel" else best + self.threshold)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up a saved state."""
        super().load_state_dict(state_dict)
        self._choose_measure(self.mode, self.threshold, self.threshold_mode)
