"""Matrices: what scikit-learn's users give (arrays, and frames of pandas or polars) as columns of numbers and codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kadam.errors import KadamError
from kadam.train.frames import columns_of
from kadam.train.tabular.encoded import Columns
from kadam.train.tabular.fitting import FARTHEST

Array = np.ndarray
_OF_CATEGORIES = ("category", "str", "string", "object", "bool", "boolean", "categorical", "enum")


class ColumnError(KadamError, ValueError):
    """Columns of categories were named that are not there."""


def categories_of(X: Any, asked: Sequence[Any] | str | None, width: int) -> list[int]:
    """Which columns are categories: by index, name or mask; or, of a frame, all whose type says so.

    Raises:
        ColumnError: there is no such column.
    """
    names = [str(name) for name in getattr(X, "columns", [])]
    if asked is None:
        return []
    if isinstance(asked, str):
        if asked != "from_dtype":
            raise ColumnError(f"categorical_features={asked!r} is not known. Fix: columns in a list, or 'from_dtype'.")
        return [place for place, name in enumerate(X.columns) if _says_category(X[name])] if names else []
    chosen = list(asked)
    if chosen and all(isinstance(one, bool | np.bool_) for one in chosen):
        return [int(one) for one in np.flatnonzero(chosen)]
    return [_place(one, names, width) for one in chosen]


def _says_category(column: Any) -> bool:
    return str(column.dtype).lower().startswith(_OF_CATEGORIES)


def _place(one: Any, names: list[str], width: int) -> int:
    if isinstance(one, str):
        if one in names:
            return names.index(one)
        has = f"it has {', '.join(map(repr, names))}" if names else "it has no names"
        raise ColumnError(f"categorical_features: X has no column {one!r}; {has}. Fix: one of its columns.")
    if not -width <= one < width:
        raise ColumnError(f"categorical_features: X has no column {one}, it has {width}. Fix: one of its columns.")
    return int(one) % width


class Matrix:
    """How a matrix is encoded: numbers are standardised, and where some were missing a column tells so; categories
    become codes, 0 for values that were not there.

    Args:
        X: f64[rows, columns], to learn from; NaN where a cell is missing.
        codes: which columns are categories.
        weights: f32[rows], how much rows count; None: all alike.
    """

    def __init__(self, X: Array, codes: list[int], weights: Array | None = None) -> None:
        self.codes = codes
        self.numbers = [index for index in range(X.shape[1]) if index not in codes]
        self._values = [np.unique(X[:, index]) for index in codes]
        self._mean, self._spread = np.zeros(len(self.numbers)), np.ones(len(self.numbers))
        gaps = []
        for place, index in enumerate(self.numbers):
            known = ~np.isnan(X[:, index])
            if not known.all():
                gaps.append(place)
            if known.any():
                self._note(place, X[known, index], None if weights is None else weights[known])
        self._gaps = np.array(gaps, np.int64)

    def _note(self, place: int, known: Array, weights: Array | None) -> None:
        mean = np.average(known, weights=weights)
        spread = np.sqrt(np.average(np.square(known - mean), weights=weights))
        self._mean[place] = mean
        self._spread[place] = spread if spread > 1e-12 * max(abs(mean), 1e-300) else 1.0

    @property
    def width(self) -> int:
        """How many numbers a row becomes."""
        return len(self.numbers) + len(self._gaps)

    def __call__(self, X: Array) -> Columns:
        """The encoded rows."""
        scaled = (X[:, self.numbers] - self._mean) / self._spread
        unknown = np.isnan(scaled)
        scaled[unknown] = 0.0
        numbers = np.clip(scaled, -FARTHEST, FARTHEST).astype(np.float32)
        if len(self._gaps):
            numbers = np.concatenate([numbers, unknown[:, self._gaps].astype(np.float32)], 1)
        codes = np.zeros((len(X), len(self.codes)), np.int64)
        for place, (index, values) in enumerate(zip(self.codes, self._values, strict=True)):
            found = np.searchsorted(values, X[:, index]).clip(max=len(values) - 1)
            known = (values[found] == X[:, index]) | (np.isnan(values[found]) & np.isnan(X[:, index]))
            codes[:, place] = np.where(known, found + 1, 0)
        return Columns(np.ascontiguousarray(numbers), codes, tuple(len(values) + 1 for values in self._values))


def spelled(X: Any, codes: Sequence[int], words: dict[int, dict[str, float]], learning: bool) -> Any:
    """A frame whose columns of categories hold texts as f64[rows, columns], texts as numbers; anything else as it is.

    Args:
        X: what was given.
        codes: which columns are categories.
        words: the number of each text of a column; learned if `learning`.
        learning: whether to take up the texts; those that were not there are -1.
    """
    columns = columns_of(X) if codes else None
    if columns is None:
        return X
    found = []
    for place, column in enumerate(columns.values()):
        if place not in codes or column.dtype.kind in "fiub":
            found.append(np.asarray(column, np.float64))
            continue
        texts = [None if one is None or one != one or str(one) in ("<NA>", "NaT") else str(one) for one in column]
        if learning:
            words[place] = {
                one: float(code) for code, one in enumerate(sorted({one for one in texts if one is not None}))
            }
        known = words.get(place, {})
        found.append(np.array([np.nan if one is None else known.get(one, -1.0) for one in texts]))
    return np.column_stack(found)
