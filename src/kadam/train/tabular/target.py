"""The target: classification or regression, by what the column holds; and how rows are held out for the test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kadam.train.tabular.columns import HUGE, Column
from kadam.train.tabular.reading import TableError

MOST_CLASSES = 20  # different whole numbers up to which a target of numbers is a target of classes
FEWEST_ROWS = 10
TEST_SHARE = 0.2


@dataclass
class Target:
    """What is to be predicted.

    Attributes:
        name: of the column.
        classes: the names of the classes; empty for values.
        values: i64[rows] classes, or f64[rows] values.
        why: why it is taken for classes or for values.
    """

    name: str
    classes: list[str]
    values: np.ndarray
    why: str

    @property
    def task(self) -> str:
        return "classification" if self.classes else "regression"


def target_of(column: Column, task: str | None = None) -> tuple[Target, np.ndarray]:
    """The target, and the rows that have one.

    Raises:
        TableError: nothing can be learned from it; the message names row and column.
    """
    name = column.name
    if column.note is not None:
        raise TableError(f"column {name!r}: {column.note}: these are no classes. Fix: another --target.")
    rows = np.flatnonzero(~column.missing)
    if len(rows) < FEWEST_ROWS:
        known = "1 row has" if len(rows) == 1 else f"{len(rows)} rows have"
        raise TableError(f"column {name!r}: only {known} a value, at least {FEWEST_ROWS} are needed. Fix: more rows.")
    if column.kind in ("date", "time"):
        held = "dates" if column.kind == "date" else "times of day"
        raise TableError(f"column {name!r} holds {held}, which cannot be predicted. Fix: another --target.")
    if column.kind == "number":
        values = column.values[rows].astype(np.float64)
        distinct = np.unique(values)
        whole = bool((distinct == np.round(distinct)).all())
        few = whole and len(distinct) <= min(MOST_CLASSES, max(2, len(values) // 5))
        if task != "classification" and (task == "regression" or not few):
            return _values(column, values, rows, task, len(distinct))
        why = f"{len(distinct)} different whole numbers" if task is None else "as asked for"
        found = [f"{one:.12g}" for one in distinct]
        return _classes(name, found, np.searchsorted(distinct, values), rows, why)
    if task == "regression":
        row = int(rows[0])
        raise TableError(
            f"row {row + 1}, column {name!r}: {column.words[column.codes[row]]!r} is no number. Fix: leave --task out, "
            "or give another --target."
        )
    kept, codes = np.unique(column.codes[rows], return_inverse=True)
    if len(kept) > max(MOST_CLASSES, len(rows) // 4):
        row = int(rows[0])
        raise TableError(
            f"column {name!r}: {len(kept)} different texts in {len(rows)} rows (row {row + 1}: "
            f"{column.words[column.codes[row]]!r}): too many to be classes. Fix: another --target."
        )
    names = [column.words[one] for one in kept]
    order = np.argsort(names)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return _classes(name, [names[one] for one in order], place[codes], rows, f"{len(names)} different texts")


def _values(
    column: Column, values: np.ndarray, rows: np.ndarray, task: str | None, distinct: int
) -> tuple[Target, np.ndarray]:
    if column.odd is not None:
        raise TableError(
            f"row {column.odd[1]}, column {column.name!r}: {column.odd[2]!r} is no number. Fix: mend the cell, or "
            "empty it to leave the row out."
        )
    if distinct < 2:
        raise TableError(f"column {column.name!r} is always {values[0]:g}: there is nothing to predict. Fix: another.")
    if (far := np.abs(values) > HUGE).any():
        row = int(far.argmax())
        raise TableError(
            f"row {rows[row] + 1}, column {column.name!r}: {values[row]:g} is too large to reckon with. Fix: mend the "
            "cell, or give the column in larger units."
        )
    why = f"{distinct:,} different numbers" if task is None else "as asked for"
    return Target(column.name, [], values, why), rows


def _classes(name: str, names: list[str], values: np.ndarray, rows: np.ndarray, why: str) -> tuple[Target, np.ndarray]:
    if len(names) < 2:
        raise TableError(f"column {name!r} is always {names[0]!r}: there is nothing to predict. Fix: another --target.")
    return Target(name, names, values.astype(np.int64), why), rows


def split(target: Target, seed: int, share: float = TEST_SHARE) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from and rows for the test; each class in both as often as in all, where it has two rows."""
    draw = np.random.default_rng(seed)
    rows = len(target.values)
    is_test = np.zeros(rows, bool)
    groups = [np.flatnonzero(target.values == one) for one in range(len(target.classes))] or [np.arange(rows)]
    for group in groups:
        if len(group) > 1:
            count = min(max(1, round(share * len(group))), len(group) - 1)
            is_test[draw.permutation(group)[:count]] = True
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


def class_weights(target: Target, rows: np.ndarray) -> np.ndarray | None:
    """f32[classes]: by how much a rare class's probability counts more where one class is to be chosen, if some are
    much rarer than others; None if not."""
    if not target.classes:
        return None
    counts = np.maximum(np.bincount(target.values[rows], minlength=len(target.classes)), 1).astype(np.float64)
    if counts.max() < 8 * counts.min():
        return None
    weights = np.sqrt(counts.mean() / counts)
    return np.asarray(weights / (weights * counts).sum() * counts.sum(), np.float32)
