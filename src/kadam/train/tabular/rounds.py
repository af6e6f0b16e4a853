"""Rounds: several passes over a table as one, with the units that each of their steps leaves out.

All that is drawn for a round is drawn at its beginning, and comes with the batches. So nothing needs Python between its
steps, and many of them run in one native call.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from kadam.recording.generator import default_generator
from kadam.train.batches import Batches, Pass

Array = np.ndarray


class Rounds(Batches):
    """Shuffled full batches of rows, and factors for hidden units: 0 for those that are left out.

    Args:
        arrays: of which rows are taken.
        size: rows in a batch.
        passes: passes in a round; each has an order of its own, and leaves out what fills no batch.
        chosen: the rows that there are; None: all.
        units: (layers, members, units), of the network.
        dropout: share of the units that a step leaves out; with 0, there are no factors.
    """

    def __init__(
        self,
        arrays: Sequence[Array],
        size: int,
        passes: int,
        chosen: Array | None,
        units: tuple[int, int, int],
        dropout: float,
    ) -> None:
        self._arrays = arrays
        self._rows = np.arange(len(arrays[0])) if chosen is None else chosen
        self._size = max(1, min(size, len(self._rows)))
        self._passes = passes
        self._units = units
        self._dropout = dropout

    def __len__(self) -> int:
        return self._passes * (len(self._rows) // self._size)

    def start(self, skip: int = 0) -> Iterator[Any]:
        draw = np.random.default_rng(default_generator.random_int64())
        whole = len(self._rows) - len(self._rows) % self._size
        order = np.concatenate([draw.permutation(self._rows)[:whole] for _ in range(self._passes)])
        layers, members, units = self._units
        factors: list[Array] = []
        if self._dropout:
            kept, scale = np.float32(1 - self._dropout), np.float32(1 / (1 - self._dropout))
            drawn = draw.random((layers, len(self) * members, 1, units), np.float32) < kept
            factors = list(drawn * scale)
        return _Round(self._arrays, order, self._size, skip, factors, members)


class _Round(Pass):
    """One of them: `factors` f32[steps * members, 1, units] of each layer come with the rows."""

    def __init__(
        self, arrays: Sequence[Array], order: Array, size: int, done: int, factors: Sequence[Array], members: int
    ) -> None:
        super().__init__(arrays, order, size, len(order), done)
        self._factors = factors
        self._members = members

    def _rows(self, start: int, end: int, lent: bool = False) -> list[Array]:
        first, last = (one // self.size * self._members for one in (start, end))
        factors = [one[first:last] if lent else one[first:last].copy() for one in self._factors]
        return [*super()._rows(start, end, lent), *factors]
