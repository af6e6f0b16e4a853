"""What a run was asked for, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Plan:
    """What `fit` was asked for; its docstring tells what each means."""

    epochs: int
    max_steps: int | None
    monitor: str
    patience: int | None
    min_delta: float
    until: dict[str, float]
    restore_best: bool
    folder: Path | None
    resume: bool
    save_every_s: float
    save_every_steps: int | None
    display: str
    validate_every: int


@dataclass
class Place:
    """Where a run stands, between two steps.

    Attributes:
        epoch: epochs that are done.
        batch: batches of the present epoch that are done.
        step: batches that are done in all.
        total, rows: sum of the losses of the present epoch, each times its rows; and those rows.
        best: the best value of what is monitored, and the epoch that had it.
        waited: epochs since then.
        seconds: time spent, over all processes.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    total: float = 0.0
    rows: int = 0
    best: float | None = None
    best_epoch: int | None = None
    waited: int = 0
    seconds: float = 0.0
