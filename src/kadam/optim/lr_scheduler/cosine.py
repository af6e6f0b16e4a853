"""Schedules along half a cosine, once or with restarts."""

from __future__ import annotations

import math
from typing import Any

from kadam.optim.lr_scheduler.base import LRScheduler, group_values
from kadam.optim.optimizer import Optimizer


class CosineAnnealingLR(LRScheduler):
    """Down from the initial rate to `eta_min` along half a cosine in `T_max` epochs, up again in the next `T_max`.

    Source: eta_min + (initial_lr - eta_min) (1 + cos(pi epoch / T_max)) / 2, from SGDR (Loshchilov and Hutter 2017),
        https://arxiv.org/abs/1608.03983. It is computed from epoch to epoch, so it follows rates that others change.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        self._warn_unless_stepping()
        rates = group_values(self.optimizer, "lr")
        epoch, low = self.last_epoch, self.eta_min
        if self._is_initial:
            return rates
        if self._step_count == 1 and epoch > 0:
            height = math.cos(epoch * math.pi / self.T_max)
            return [low + (base - low) * (1 + height) / 2 for base in self.base_lrs]
        if (epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # at the bottom a ratio of heights would divide by zero
            rise = math.cos(math.pi / self.T_max)
            return [rate + (base - low) * (1 - rise) / 2 for rate, base in zip(rates, self.base_lrs, strict=True)]
        height, height_before = (1 + math.cos(math.pi * e / self.T_max) for e in (epoch, epoch - 1))
        return [height / height_before * (rate - low) + low for rate in rates]

    def _get_closed_form_lr(self) -> list[Any]:
        height = math.cos(math.pi * self.last_epoch / self.T_max)
        return [self.eta_min + (base - self.eta_min) * (1 + height) / 2 for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Down from the initial rate to `eta_min` along half a cosine, again and again; each time `T_mult` as long.

    Args:
        optimizer: whose rates are scheduled.
        T_0: epochs of the first descent.
        T_mult: how many times longer each descent is than the one before.
        eta_min: the lowest rate.
        last_epoch: index of the last epoch done.

    Raises:
        ValueError: `T_0` is not a positive integer, `T_mult` not an integer of at least 1, `eta_min` not a number.

    Source: SGDR (Loshchilov and Hutter 2017), https://arxiv.org/abs/1608.03983.
    """

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        if not isinstance(T_0, int) or T_0 <= 0:
            raise ValueError(f"CosineAnnealingWarmRestarts: T_0 must be a positive integer, not {T_0}. Fix: T_0=10.")
        if not isinstance(T_mult, int) or T_mult < 1:
            raise ValueError(
                f"CosineAnnealingWarmRestarts: T_mult must be an integer of at least 1, not {T_mult}. Fix: T_mult=1."
            )
        if not isinstance(eta_min, (float, int)):
            raise ValueError(
                f"CosineAnnealingWarmRestarts: eta_min must be a number, not a {type(eta_min).__name__}. Fix: "
                "eta_min=0.0."
            )
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        self._warn_unless_stepping()
        height = math.cos(math.pi * self.T_cur / self.T_i)
        return [self.eta_min + (base - self.eta_min) * (1 + height) / 2 for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Move on by one epoch, or to `epoch`, which may have a fraction (steps within an epoch).

        Raises:
            ValueError: `epoch` is negative.
        """
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        else:
            self._enter(epoch)
        self.last_epoch = math.floor(epoch)
        with self._flag("_get_lr_called_within_step"):
            self._set_rates(self.get_lr())

    def _enter(self, epoch: float) -> None:
        """Find the descent that `epoch` falls into, and how far it is."""
        if epoch < 0:
            raise ValueError(
                f"CosineAnnealingWarmRestarts: epoch must not be negative, but it is {epoch}. Fix: leave epoch out."
            )
        if epoch < self.T_0:
            self.T_cur, self.T_i = epoch, self.T_0
        elif self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        else:
            restarts = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            self.T_cur = epoch - self.T_0 * (self.T_mult**restarts - 1) / (self.T_mult - 1)
            self.T_i = self.T_0 * self.T_mult**restarts
