"""Columns that tell the target all by themselves: often it is written into them, and they will not be known when it is
to be predicted."""

from __future__ import annotations

import numpy as np

from kadam.train.tabular.columns import Column
from kadam.train.tabular.target import Target

Array = np.ndarray

FEWEST_ROWS = 50  # with fewer, a column may tell the target by chance
ROWS_PER_VALUE = 5  # on average, where the values of a column are looked at one by one
SAME = 1e-6  # share of the target's variance that a line through a column may leave


def tells_target(column: Column, target: Target, rows: Array) -> bool:
    """Whether a column alone tells the target of these rows.

    Classes: each value of the column has rows of one class only, or each class has a range of numbers of its own.
    Values: each value of the column has one, or they lie on a line over the column's.
    """
    known = rows[~column.missing[rows]]
    if len(known) < max(FEWEST_ROWS, 0.5 * len(rows)):
        return False
    true = target.values[known]
    if len(np.unique(true)) < 2:
        return False
    if column.kind == "text":
        return _by_value(column.codes[known], true)
    cells = column.values[known].astype(np.float64)
    if cells.min() == cells.max():
        return False
    if _by_value(np.unique(cells, return_inverse=True)[1], true):
        return True
    return _by_ranges(cells, true) if target.classes else _on_a_line(cells, true)


def _by_value(codes: Array, true: Array) -> bool:
    """Whether rows with equal codes have equal targets, where there are enough of them to say so."""
    order = np.argsort(codes, kind="stable")
    codes, true = codes[order], true[order]
    again = codes[1:] == codes[:-1]
    values = len(codes) - int(again.sum())
    return values * ROWS_PER_VALUE <= len(codes) and bool((true[1:] == true[:-1])[again].all())


def _by_ranges(cells: Array, true: Array) -> bool:
    """Whether the classes lie one after the other along the column."""
    order = np.argsort(cells, kind="stable")
    cells, true = cells[order], true[order]
    turns = true[1:] != true[:-1]
    return int(turns.sum()) == len(np.unique(true)) - 1 and bool((cells[1:] > cells[:-1])[turns].all())


def _on_a_line(cells: Array, true: Array) -> bool:
    x, y = cells - cells.mean(), true - true.mean()
    return float(1.0 - np.square((x * y).sum()) / (np.square(x).sum() * np.square(y).sum())) < SAME
