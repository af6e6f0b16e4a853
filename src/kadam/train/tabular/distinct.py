"""Distinct rows: a row that is there several times is learned as one that counts as often.

So no copy of a row is held out while another is learned from, which would make what is held out look better than it
is; and a whole number as a row's weight is the same as so many copies, whatever order the rows are in.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray

MOST_ROWS = 20_000  # with more, copies and order are left as they are: they matter little, and cost memory
_ODD = np.uint64(0x9E3779B97F4A7C15)


def distinct(table: Array, target: Array, weights: Array | None) -> tuple[Array, Array | None]:
    """The rows to learn from, and how much each counts.

    Args:
        table: f64[rows, columns].
        target: classes or values of the rows.
        weights: f64[rows], none of them negative; None: all alike.

    Returns:
        Indices of rows; and f32 weights with the mean 1, None if all are alike.
    """
    rows = np.arange(len(table)) if weights is None else np.flatnonzero(weights)
    counts = np.ones(len(rows)) if weights is None else weights[rows].astype(np.float64)
    if 0 < len(rows) <= MOST_ROWS:
        cells = np.column_stack([table[rows], target[rows].astype(np.float64)])
        marks = _marks(cells)
        order = np.argsort(marks, kind="stable")
        rows, cells, marks = rows[order], cells[order], marks[order]
        is_copy = (marks[1:] == marks[:-1]) & ((cells[1:] == cells[:-1]) | np.isnan(cells[1:])).all(1)
        first = np.flatnonzero(np.concatenate([[True], ~is_copy]))
        rows, counts = rows[first], np.add.reduceat(counts[order], first)
    alike = len(counts) == 0 or counts.min() == counts.max()
    return rows, None if alike else (counts / counts.mean()).astype(np.float32)


def _marks(cells: Array) -> Array:
    """u64[rows]: equal for equal rows, and for hardly any others.

    Source: Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4), column by column.
    """
    bits = (cells + 0.0).view(np.uint64)  # zero has one sign
    marks = np.zeros(len(cells), np.uint64)
    for column in range(bits.shape[1]):
        marks = (marks ^ bits[:, column]) * _ODD
        marks ^= marks >> np.uint64(29)
    return marks
