"""In what memory a program's results stand: the contract between a recording and its engine, for engines without one.

A program is run as `run(feeds) -> values`. The feeds are arrays in row-major order or not, and Python floats for inputs
of type f64[]. The values are those of the graph's outputs, in order. The first `len(over)` are *wanted*:

- `over[k]` is the index of a feed: the result has been written into that feed's array, which is returned.
- `over[k]` is None: the result is a row-major array that nobody else holds.

The others are *saved* for a later backward pass: they share no memory with a feed or a wanted result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kadam.engines.reference import Run, RunError
from kadam.ir.primitive import Array

Over = tuple[int | None, ...]


def delivered(run: Run, over: Over) -> Run:
    """`run`, whose results may stand in any memory, such that it keeps the contract."""

    def run_and_deliver(feeds: Sequence[Any]) -> list[Any]:
        arrays = [np.asarray(feed) for feed in feeds]
        try:
            values: list[Array | None] = list(run(arrays))
        except RunError as failure:
            _deliver(arrays, failure.outputs, over)
            raise
        _deliver(arrays, values, over)
        return values

    return run_and_deliver


def _deliver(feeds: list[Array], values: list[Array | None], over: Over) -> None:
    """Put the results where they belong; None stands for what an engine that failed has not computed."""
    taken = {id(feed) for feed in feeds}
    for index in range(len(over)):
        value = values[index]
        if value is not None and (value.base is not None or id(value) in taken or not value.flags.carray):
            values[index] = value = value.copy()  # before anything is written
        taken.add(id(value))
    foreign = {id(_owner(feed)) for feed in feeds}
    made = {id(value) for value in values[: len(over)]}
    for index in range(len(over), len(values)):
        value = values[index]
        if value is not None and ((owner := id(_owner(value))) in foreign or owner in made):
            values[index] = value.copy()
    for index, place in enumerate(over):
        value = values[index]
        if place is not None and value is not None:
            np.copyto(feeds[place], value)
            values[index] = feeds[place]


def _owner(array: Array) -> Any:
    """What owns the memory that an array sees."""
    owner: Any = array
    while isinstance(owner, np.ndarray) and owner.base is not None:
        owner = owner.base
    return owner
