"""Where a pass gets its batches: from arrays in memory, without a loader's cost, or from any loader.

Arrays are shuffled exactly as `DataLoader(TensorDataset(...), shuffle=True)` shuffles them, from the same draws, so
that training on either gives the same numbers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from kadam.errors import OperandError, ShapeError
from kadam.recording.generator import Generator, default_generator
from kadam.recording.tensor import from_array
from kadam.tensor import Tensor

LOOKED_AT = 1_024  # rows in a batch where nothing is learned


class Batches(ABC):
    """Data as batches, pass after pass."""

    @abstractmethod
    def start(self, skip: int = 0) -> Iterator[Any]:
        """A new pass, without its first `skip` batches; whatever is drawn for a pass is drawn all the same."""

    @abstractmethod
    def __len__(self) -> int:
        """How many batches a pass has; 0 where nobody knows."""

    def parted(self, share: float) -> tuple[Batches, Batches]:
        """Batches of the first rows, and of the last ones, a share of all: only rows that lie in memory can be."""
        raise OperandError(
            "fit: a share of the rows for validation needs arrays. Fix: validation=(x_val, y_val), or another loader."
        )

    def generators(self) -> list[Generator]:
        """Generators of its own that decide the order; the default generator is no one's own."""
        return []


class ArrayBatches(Batches):
    """Rows of arrays that lie in memory (or in a mapped file).

    Args:
        arrays: inputs, then the target; as long as each other.
        batch_size: rows in a batch; the last may be shorter, or is dropped.
        shuffle: a new order in each pass, the one that a DataLoader would draw.
        drop_last: leave out an incomplete last batch.
        draws: whether a pass draws from the default generator as a DataLoader's pass does.
        chosen: the rows that there are, if not all; saves copying them.
    """

    def __init__(
        self,
        arrays: Sequence[np.ndarray],
        batch_size: int,
        shuffle: bool = False,
        drop_last: bool = False,
        draws: bool = False,
        chosen: np.ndarray | None = None,
    ) -> None:
        if not isinstance(batch_size, int) or batch_size <= 0:
            raise ValueError(f"batch_size must be a positive int, not {batch_size!r}. Fix: batch_size=32.")
        lengths = {len(one) for one in arrays}
        if len(lengths) != 1:
            raise ShapeError(
                f"data: arrays of one pass must have as many rows as each other, but have "
                f"{[len(one) for one in arrays]}. Fix: give one target for each row of the inputs."
            )
        self.arrays = tuple(arrays)
        self.rows = lengths.pop() if chosen is None else len(chosen)
        self._chosen = chosen
        self.batch_size = batch_size
        self._shuffle = shuffle
        self._draws = draws
        self._drop_last = drop_last
        self._stop = self.rows - self.rows % batch_size if drop_last else self.rows
        whole = not shuffle and self.rows <= batch_size
        kept = slice(None) if chosen is None else chosen
        self._whole = [from_array(np.array(one[kept])) for one in self.arrays] if whole else None

    def start(self, skip: int = 0) -> Iterator[Any]:
        order = self._order()
        if self._whole is not None:
            return iter([self._whole] if skip == 0 and self._stop else [])
        return Pass(self.arrays, order, self.batch_size, self._stop, skip)

    def parted(self, share: float) -> tuple[ArrayBatches, ArrayBatches]:
        cut = self.rows - max(1, round(self.rows * share))
        kept, held = [one[:cut] for one in self.arrays], [one[cut:] for one in self.arrays]
        return (
            ArrayBatches(kept, self.batch_size, self._shuffle, self._drop_last, self._draws),
            ArrayBatches(held, max(self.batch_size, LOOKED_AT)),
        )

    def _order(self) -> np.ndarray | None:
        if self._draws or self._shuffle:
            default_generator.random_int64()  # the seed of workers, which a loader draws whether it has any or not
        if not self._shuffle:
            return self._chosen
        order = Generator().manual_seed(default_generator.random_int64()).permutation(self.rows)
        return order if self._chosen is None else self._chosen[order]

    def __len__(self) -> int:
        return -(-self._stop // self.batch_size)


class Pass(Iterator[Any]):
    """One pass over arrays, which can also be asked for many batches at once.

    Args:
        arrays: of which rows are taken.
        order: of the rows; None as they are.
        size: rows in a batch.
        stop: how many rows are taken in all.
        done: batches that are left out at the beginning.
    """

    def __init__(self, arrays: Sequence[np.ndarray], order: np.ndarray | None, size: int, stop: int, done: int) -> None:
        self._arrays = arrays
        self._order = order
        self.size = size
        self._stop = stop
        self._next = done * size
        self._gathered: list[np.ndarray] = []

    @property
    def gathers(self) -> bool:
        """Whether rows are copied to be fed many batches at once; if not, they are read where they lie."""
        return self._order is not None

    def __next__(self) -> Any:
        start, end = self._next, min(self._next + self.size, self._stop)
        if start >= end:
            raise StopIteration
        self._next = end
        return [from_array(one) for one in self._rows(start, end)]

    @property
    def full_left(self) -> int:
        """How many full batches there still are."""
        return max(0, self._stop - self._next) // self.size

    def ahead(self, batches: int) -> list[np.ndarray]:
        """The rows of the next full batches, of each array, to be read before more are asked for; they are not done."""
        return self._rows(self._next, self._next + batches * self.size, lent=True)

    def skip(self, batches: int) -> None:
        """Full batches are done."""
        self._next += batches * self.size

    def _rows(self, start: int, end: int, lent: bool = False) -> list[np.ndarray]:
        """Some rows; if they are `lent`, their memory is the data's own, or serves again for the next ones."""
        if self._order is None:
            views = [one[start:end] for one in self._arrays]
            return [np.require(one, requirements=["C", "A"]) if lent else one.copy() for one in views]
        rows = self._order[start:end]
        if not lent:
            return [one.take(rows, 0) for one in self._arrays]
        if not self._gathered or len(rows) > len(self._gathered[0]):
            self._gathered = [np.empty((len(rows), *one.shape[1:]), one.dtype) for one in self._arrays]
        places = [one[: len(rows)] for one in self._gathered]
        for one, place in zip(self._arrays, places, strict=True):
            one.take(rows, 0, out=place, mode="clip")  # no row is beyond the array; other modes gather twice
        return places


class LoaderBatches(Batches):
    """Batches that something else makes: a DataLoader, or whatever can be iterated anew for each pass."""

    def __init__(self, loader: Iterable[Any]) -> None:
        if isinstance(loader, Iterator):
            raise OperandError(
                f"data: a {type(loader).__name__} can be read only once, but each epoch reads the data anew. "
                "Fix: give a list, a DataLoader, or an object with __iter__."
            )
        self._loader = loader

    def start(self, skip: int = 0) -> Iterator[Any]:
        batches = iter(self._loader)
        for _ in islice(batches, skip):
            pass
        return batches

    def __len__(self) -> int:
        try:
            return len(self._loader)  # type: ignore[arg-type]
        except TypeError:
            return 0

    def generators(self) -> list[Generator]:
        found = {}
        for owner in (self._loader, getattr(self._loader, "sampler", None)):
            generator = getattr(owner, "generator", None)
            if isinstance(generator, Generator):
                found[id(generator)] = generator
        return list(found.values())


def rows_in(batch: Any) -> int:
    """How many rows a batch has: the length of the first tensor in it."""
    while True:
        if isinstance(batch, Tensor):
            return batch.shape[0] if batch.ndim else 1
        if isinstance(batch, dict):
            batch = next(iter(batch.values()), None)
        elif isinstance(batch, list | tuple) and batch:
            batch = batch[0]
        else:
            return 1
