"""The encoded columns of a table: what networks and lines read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray

MOST_COLUMNS = 512  # that a line reads
FEWEST_VALUES, MOST_VALUES = 2, 52  # of each category that get one of them


@dataclass(frozen=True)
class Columns:
    """The encoded columns of a table: `numbers` f32[rows, n], `codes` i64[rows, m], `sizes` values of each code."""

    numbers: Array
    codes: Array
    sizes: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.numbers)

    def arrays(self) -> list[Array]:
        """What the network is fed with."""
        return [self.numbers, self.codes] if self.sizes else [self.numbers]

    def take(self, rows: Array | slice) -> Columns:
        """These rows only."""
        return Columns(self.numbers[rows], self.codes[rows], self.sizes)

    @property
    def width(self) -> int:
        """How many columns `wide` has."""
        return int(self.numbers.shape[1]) + sum(min(size, self._values_told()) for size in self.sizes)

    def wide(self) -> Array:
        """f32[rows, columns]: the numbers, and for each of the most frequent values of a category whether it is it."""
        most = self._values_told()
        parts = [self.numbers]
        for place, size in enumerate(self.sizes):
            parts.append((self.codes[:, place, None] == np.arange(min(size, most))).astype(np.float32))
        return np.concatenate(parts, 1)

    def _values_told(self) -> int:
        """How many values of each category get a column."""
        room = max(MOST_COLUMNS - int(self.numbers.shape[1]), 0) // max(len(self.sizes), 1)
        return min(max(room, FEWEST_VALUES), MOST_VALUES)
