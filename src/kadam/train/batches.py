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
from kadam.recording.tensor import from_array, read
from kadam.tensor import Tensor
from kadam.train.frames import as_array
from kadam.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
    default_collate,
)


class Batches(ABC):
    """Data as batches, pass after pass."""

    @abstractmethod
    def start(self, skip: int = 0) -> Iterator[Any]:
        """A new pass, without its first `skip` batches; whatever is drawn for a pass is drawn all the same."""

    @abstractmethod
    def __len__(self) -> int:
        """How many batches a pass has; 0 where nobody knows."""

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
        self._stop = self.rows - self.rows % batch_size if drop_last else self.rows
        whole = not shuffle and self.rows <= batch_size
        kept = slice(None) if chosen is None else chosen
        self._whole = [from_array(np.array(one[kept])) for one in self.arrays] if whole else None

    def start(self, skip: int = 0) -> Iterator[Any]:
        order = self._order()
        if self._whole is not None:
            return iter([self._whole] if skip == 0 and self._stop else [])
        return Pass(self.arrays, order, self.batch_size, self._stop, skip)

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


def batches_of(
    data: Any,
    target: Any = None,
    *,
    batch_size: int = 32,
    shuffle: bool = False,
    drop_last: bool = False,
    draws: bool = False,
    dtype: Any = np.float32,
) -> Batches:
    """Data in any of its forms as batches.

    Args:
        data: inputs (an array, a tensor, a table of pandas, polars or Arrow; a tuple of several), or inputs and target
            in a tuple, or a Dataset, or a loader.
        target: what the outputs are compared with, if `data` is inputs.
        batch_size, shuffle, drop_last: how arrays and datasets are cut; a loader has its own ways.
        draws: whether arrays draw from the default generator, as a loader's pass does.
        dtype: the type that floats of NumPy arrays and tables get: the model's.

    Raises:
        OperandError: no data that can be read.
        ShapeError: inputs and targets of different lengths.
    """
    if isinstance(data, Batches):
        return data
    if isinstance(data, TensorDataset) and type(data) is TensorDataset and target is None:
        data = data.tensors
    if target is None and _is_plain(data):
        arrays = [_array(one, dtype) for one in data.dataset.tensors]
        in_order = isinstance(data.sampler, SequentialSampler)
        return ArrayBatches(arrays, data.batch_size, not in_order, data.drop_last, draws=True)
    if isinstance(data, Dataset) and target is None:
        ordered = not isinstance(data, IterableDataset)
        loader: Any = DataLoader(data, batch_size, shuffle=shuffle if ordered else None, drop_last=drop_last)
        return LoaderBatches(loader)
    if target is None and (isinstance(data, DataLoader) or not _is_arrays(data)):
        if isinstance(data, str | bytes) or not hasattr(data, "__iter__"):
            raise OperandError(
                f"data: a {type(data).__name__} gives no batches. Fix: give arrays (x, y), a Dataset or a DataLoader."
            )
        return LoaderBatches(data)
    parts = list(data) if isinstance(data, tuple | list) and _is_arrays(data) and not _is_flat(data) else [data]
    if target is not None:
        parts.append(target)
    return ArrayBatches([_array(one, dtype) for one in parts], batch_size, shuffle, drop_last, draws)


def _is_plain(loader: Any) -> bool:
    """Whether a loader only cuts tensors into batches, in order or shuffled: what `ArrayBatches` does faster."""
    if type(loader) is not DataLoader or type(loader.dataset) is not TensorDataset or loader.num_workers:
        return False
    batches, sampler = loader.batch_sampler, loader.sampler
    if type(batches) is not BatchSampler or batches.sampler is not sampler or loader.collate_fn is not default_collate:
        return False
    if type(sampler) is SequentialSampler:
        whole = True
    elif type(sampler) is RandomSampler:
        whole = sampler.generator is None and not sampler.replacement and sampler._num_samples is None
    else:
        return False
    return whole and sampler.data_source is loader.dataset and loader.generator is None and not loader.timeout


def _is_arrays(data: Any) -> bool:
    """Whether this is an array, a table, or a tuple of such; not a list of ready batches."""
    if isinstance(data, tuple):
        return len(data) > 0 and all(_is_arrays(one) or _is_flat(one) for one in data)
    return isinstance(data, np.ndarray | Tensor) or as_array(data) is not None


def _is_flat(data: Any) -> bool:
    """A list of numbers, or of lists of numbers."""
    while isinstance(data, list) and data:
        data = data[0]
    return isinstance(data, int | float | np.number)


def _array(data: Any, dtype: Any) -> np.ndarray:
    """The values; floats of everything but tensors in the type that the model computes with, and whole numbers (but
    for bytes) in the type of classes and indices."""
    if isinstance(data, Tensor):
        return read(data.detach())
    found = as_array(data)
    array = np.asarray(data) if found is None else found
    if array.dtype.kind not in "fiubc":
        raise OperandError(
            f"data: an array of {array.dtype} holds no numbers. Fix: encode text and categories as numbers, or let "
            "`kadam train` or KadamClassifier do it."
        )
    if array.dtype.kind == "f":
        return array.astype(dtype, copy=False)
    return array.astype(np.int64, copy=False) if array.dtype.kind in "iu" and array.dtype != np.uint8 else array


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
