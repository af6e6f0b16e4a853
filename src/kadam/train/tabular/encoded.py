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

    def wide(self) -> Array:
        """f32[rows, columns]: the numbers, and for each of the most frequent values of a category whether it is it."""
        room = max(MOST_COLUMNS - self.numbers.shape[1], 0) // max(len(self.sizes), 1)
        most = min(max(room, FEWEST_VALUES), MOST_VALUES)
        parts = [self.numbers]
        for place, size in enumerate(self.sizes):
            parts.append((self.codes[:, place, None] == np.arange(min(size, most))).astype(np.float32))
        return np.concatenate(parts, 1)
