"""Tables that other libraries hold (pandas, polars, Arrow) as NumPy arrays, without importing those libraries."""

from __future__ import annotations

from typing import Any

import numpy as np

from kadam.errors import OperandError


def columns_of(data: Any) -> dict[str, np.ndarray] | None:
    """The columns of a table of pandas, polars or Arrow, by name; None for anything else."""
    if hasattr(data, "column_names") and hasattr(data, "column"):  # Arrow
        return {name: _arrow(data.column(name)) for name in data.column_names}
    if hasattr(data, "collect") and hasattr(data, "collect_schema"):  # what polars has put off
        data = data.collect()
    names = getattr(data, "columns", None)
    if names is None or not hasattr(data, "__getitem__"):
        return None
    for name in names if hasattr(names, "is_unique") and not names.is_unique else ():
        if list(names).count(name) > 1:
            raise OperandError(f"data: two columns of the table are named {name!r}. Fix: give each a name of its own.")
    return {str(name): _column(data[name]) for name in names}


def as_array(data: Any) -> np.ndarray | None:
    """A table (2-D), or a column of one (1-D), as an array; None for anything else."""
    if isinstance(data, np.ndarray):
        return data
    columns = columns_of(data)
    if columns is not None:
        return np.column_stack(list(columns.values())) if columns else np.empty((len(data), 0))
    if type(data).__module__.split(".")[0] in ("pandas", "polars", "pyarrow") and hasattr(data, "__len__"):
        return _column(data)
    return None


def _column(series: Any) -> np.ndarray:
    if hasattr(series, "to_numpy") and not type(series).__module__.startswith("pyarrow"):
        return np.asarray(series.to_numpy())
    return _arrow(series)


def _arrow(column: Any) -> np.ndarray:
    if hasattr(column, "to_numpy"):
        try:
            return np.asarray(column.to_numpy(zero_copy_only=False))
        except TypeError:  # a column in chunks
            return np.asarray(column.to_numpy())
    return np.asarray(column)
