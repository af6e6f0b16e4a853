"""Callbacks: what a program wants to do between the steps of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kadam.train.history import Row
    from kadam.train.trainer import Trainer


class Callback:
    """Called by a run; override what is needed. `trainer.stop("why")` ends the run after the present step."""

    def on_start(self, trainer: Trainer) -> None:
        """Before the first step, or where a run goes on."""

    def on_step(self, trainer: Trainer, step: int, loss: float) -> None:
        """After each step."""

    def on_epoch(self, trainer: Trainer, row: Row) -> None:
        """After each epoch; what is put into `row` stands in the history."""

    def on_end(self, trainer: Trainer) -> None:
        """After the last step, however the run ended, but for an error."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of it: numbers, strings, lists and dicts."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""
