"""The first steps of a table's training, taken once more under the lens: what the report shows and diagnoses.

The training itself is not watched: it takes many steps in one native call, which nobody could look into.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam.lens.diagnose import Doctor
from kadam.lens.watch import watch
from kadam.train.tabular import fitting

if TYPE_CHECKING:
    from kadam.lens.diagnose import Finding
    from kadam.lens.watch import Watched
    from kadam.train.tabular.encoded import Columns
    from kadam.train.tabular.fitting import Settings

STEPS = 24
NAME, LINE = "kadam train", "network.learn(table)"  # the program that the lens tells of, and its only line
KEPT = 1  # steps that are held whole: the one that is drawn
LARGEST = 500_000  # numbers that enter a step


@dataclass
class FirstSteps:
    """Steps that were watched.

    Attributes:
        seen: their records, and some of them whole.
        findings: what the lens found in them.
        rows: how many rows they learned from.
    """

    seen: Watched
    findings: list[Finding]
    rows: int


def first_steps(columns: Columns, target: np.ndarray, classes: int, settings: Settings) -> FirstSteps:
    """Train the same network in the same way on some rows, for a few steps."""
    with ThreadPoolExecutor(1) as apart:  # with recordings of its own, whose lines are those that lead there
        return apart.submit(_watched, columns, target, classes, settings).result()


def _watched(columns: Columns, target: np.ndarray, classes: int, settings: Settings) -> FirstSteps:
    size = max(1, min(settings.batch_size, LARGEST // columns.width))
    draw = np.random.default_rng(settings.seed)
    rows = np.sort(draw.permutation(len(columns))[: STEPS * size])
    epochs = max(1, STEPS // ceil(len(rows) / size))
    changed = settings.changed(epochs=epochs, batch_size=size, look_every=1)
    doctor = Doctor()
    with watch(doctor.wants, keep=doctor.keep, on_step=doctor.look, most=KEPT) as seen:
        _from_a_line(lambda: fitting.fit(columns.take(rows), target[rows], classes, changed))
    doctor.fail(seen.partial)
    return FirstSteps(seen, doctor.findings(), len(rows))


def _from_a_line(act: Callable[[], Any]) -> None:
    """Do it from a line that is no part of Kadam: what the lens sees is told by the program's lines that lead there."""
    linecache.cache[NAME] = (len(LINE), None, [LINE], NAME)
    exec(compile("learn()", NAME, "exec"), {"learn": act})
