"""Which worker this process is: what a dataset asks to find its share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class WorkerInfo:
    """A worker among those of its loader.

    Attributes:
        id: its number, from 0.
        num_workers: how many there are.
        seed: what its random generators started from.
        dataset: its copy of the dataset.
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any


_here: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """The worker that this process is; None in the loader's own process."""
    return _here


def enter(info: WorkerInfo) -> None:
    """Make this process a worker."""
    global _here
    _here = info
