"""Datasets: where samples come from, by index or as a stream, and how datasets combine and divide."""

from __future__ import annotations

import itertools
import math
import warnings
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from kadam.errors import NotATensorError
from kadam.recording.generator import Generator, default_generator
from kadam.recording.tensor import Recorded, from_array, read

if TYPE_CHECKING:
    from kadam.tensor import Tensor

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """Samples found by index: subclasses write `__getitem__`, and `__len__` for the samplers that need it.

    A subclass may also write `__getitems__(indices)`, which gives a list of samples at once.
    """

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError(
            f"{type(self).__name__} needs a __getitem__(index) that gives one sample. Fix: define  def "
            "__getitem__(self, index)."
        )

    def __add__(self, other: Dataset[Any]) -> ConcatDataset[Any]:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co], Iterable[T_co]):
    """Samples that come as a stream: subclasses write `__iter__`.

    Each worker of a loader iterates its own copy; `get_worker_info` tells it which share is its own.
    """

    def __add__(self, other: Dataset[Any]) -> ChainDataset:  # type: ignore[override]
        return ChainDataset([self, other])


class TensorDataset(Dataset["tuple[Tensor, ...]"]):
    """Tensors side by side: sample i is the tuple of their i-th entries along the first axis.

    Raises:
        AssertionError: the tensors disagree in their first axis.
    """

    tensors: tuple[Tensor, ...]

    def __init__(self, *tensors: Tensor) -> None:
        for tensor in tensors:
            if not isinstance(tensor, Recorded):
                raise NotATensorError(
                    f"TensorDataset: expected Tensors, but got {type(tensor).__name__}. Fix: torch.tensor(data)."
                )
        lengths = [tensor.shape[0] for tensor in tensors]
        if len(set(lengths)) > 1:
            raise AssertionError(
                f"TensorDataset: the tensors hold different numbers of samples: {lengths}.\n"
                "  Fix: pass tensors whose first axes are equally long."
            )
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])


class StackDataset(Dataset[Any]):
    """Datasets side by side: sample i holds the i-th sample of each, in a tuple or, for keywords, a dict.

    Raises:
        ValueError: no dataset, both positional and keyword ones, or unequal lengths.
    """

    datasets: tuple[Any, ...] | dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if bool(args) == bool(kwargs):
            found = "both kinds" if args else "none"
            raise ValueError(
                f"StackDataset takes datasets either by position or by keyword; it was given {found}. Fix: give all of "
                "them by position, or all by keyword."
            )
        self.datasets = args or kwargs
        lengths = [len(dataset) for dataset in self._columns()]
        if len(set(lengths)) > 1:
            raise ValueError(
                f"StackDataset: the datasets hold different numbers of samples: {lengths}. Fix: take a Subset of the "
                "longer ones."
            )
        self._length = lengths[0]

    def _columns(self) -> Iterable[Any]:
        return self.datasets.values() if isinstance(self.datasets, dict) else self.datasets

    def _sample(self, parts: Iterable[Any]) -> Any:
        return dict(zip(self.datasets, parts, strict=True)) if isinstance(self.datasets, dict) else tuple(parts)

    def __getitem__(self, index: Any) -> Any:
        return self._sample(dataset[index] for dataset in self._columns())

    def __getitems__(self, indices: list[Any]) -> list[Any]:
        columns = [samples_at(dataset, indices) for dataset in self._columns()]
        for column in columns:
            if len(column) != len(indices):
                raise ValueError(
                    f"StackDataset: __getitems__ of a dataset gave {len(column)} samples for {len(indices)} indices. "
                    "Fix: return one sample for each index."
                )
        return [self._sample(parts) for parts in zip(*columns, strict=True)]

    def __len__(self) -> int:
        return self._length


class ConcatDataset(Dataset[T_co]):
    """Datasets one after the other.

    Raises:
        AssertionError: no dataset, or a stream among them (`ChainDataset` joins streams).
    """

    datasets: list[Dataset[T_co]]
    cumulative_sizes: list[int]

    @staticmethod
    def cumsum(sequence: Iterable[Any]) -> list[int]:
        """The running totals of the lengths."""
        return list(itertools.accumulate(len(part) for part in sequence))

    def __init__(self, datasets: Iterable[Dataset[Any]]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("ConcatDataset needs at least one dataset. Fix: ConcatDataset([dataset]).")
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise AssertionError(
                "ConcatDataset: an IterableDataset has no indices.\n  Fix: join streams by ChainDataset."
            )
        self.cumulative_sizes = self.cumsum(self.datasets)

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: Any) -> T_co:
        if index < 0:
            if -index > len(self):
                raise ValueError(
                    f"ConcatDataset: index {index} is before the first of {len(self)} samples. Fix: an index from "
                    f"{-len(self)} to {len(self) - 1}."
                )
            index += len(self)
        part = bisect_right(self.cumulative_sizes, index)
        start = self.cumulative_sizes[part - 1] if part else 0
        return self.datasets[part][index - start]


class ChainDataset(IterableDataset[Any]):
    """Streams one after the other.

    Raises:
        AssertionError: when a dataset that is no stream comes up.
    """

    def __init__(self, datasets: Iterable[Dataset[Any]]) -> None:
        self.datasets = datasets

    def _streams(self) -> Iterator[IterableDataset[Any]]:
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise AssertionError(
                    f"ChainDataset joins IterableDatasets; {type(dataset).__name__} is none. Fix: join datasets with "
                    "an index by ConcatDataset."
                )
            yield dataset

    def __iter__(self) -> Iterator[Any]:
        for stream in self._streams():
            yield from stream

    def __len__(self) -> int:
        return sum(map(len, self._streams()))  # type: ignore[arg-type]


class Subset(Dataset[T_co]):
    """The samples of a dataset at chosen indices.

    Raises:
        NotImplementedError: a subclass overrides `__getitem__` alone, which loaders would not call.
    """

    dataset: Dataset[T_co]
    indices: Sequence[int]

    def __init__(self, dataset: Dataset[T_co], indices: Sequence[int]) -> None:
        kind = type(self)
        if kind.__getitem__ is not Subset.__getitem__ and kind.__getitems__ is Subset.__getitems__:
            raise NotImplementedError(
                f"{kind.__name__} overrides __getitem__ of Subset but not __getitems__, by which loaders fetch.\n"
                "  Fix: add  def __getitems__(self, indices): return [self[i] for i in indices]"
            )
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: Any) -> T_co:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices: list[Any]) -> list[T_co]:
        return list(samples_at(self.dataset, [self.indices[i] for i in indices]))

    def __len__(self) -> int:
        return len(self.indices)


def random_split(
    dataset: Dataset[T], lengths: Sequence[int | float], generator: Generator | None = None
) -> list[Subset[T]]:
    """Divide a dataset at random into subsets of the given lengths, or of fractions that sum to 1.

    What rounding the fractions down leaves over goes to the first subsets, one sample each.

    Raises:
        ValueError: a fraction outside [0, 1], or lengths that do not sum to the dataset's.
    """
    total = len(dataset)  # type: ignore[arg-type]
    sizes = list(lengths)
    if math.isclose(sum(sizes), 1) and sum(sizes) <= 1:
        sizes = _apportion(total, sizes)
    if sum(sizes) != total:
        raise ValueError(
            f"random_split: the lengths {list(lengths)} sum to {sum(sizes)}, but the dataset has {total} samples. Fix: "
            "give "
            f"lengths whose sum is {total}, or fractions whose sum is 1."
        )
    order = (default_generator if generator is None else generator).permutation(total).tolist()
    ends = itertools.accumulate(sizes)
    return [Subset(dataset, order[end - size : end]) for end, size in zip(ends, sizes, strict=True)]


def _apportion(total: int, fractions: Sequence[float]) -> list[int | float]:
    for position, fraction in enumerate(fractions):
        if not 0 <= fraction <= 1:
            raise ValueError(
                f"random_split: fraction {fraction} at position {position} is not between 0 and 1. Fix: give fractions "
                "from 0 to 1, for example [0.8, 0.2]."
            )
    sizes: list[int | float] = [math.floor(total * fraction) for fraction in fractions]
    for spare in range(total - int(sum(sizes))):
        sizes[spare % len(sizes)] += 1
    for position, size in enumerate(sizes):
        if size == 0:
            warnings.warn(f"random_split: the subset at position {position} is empty", stacklevel=3)
    return sizes


def samples_at(dataset: Any, indices: Sequence[Any]) -> Any:
    """The samples at these indices, in one call where the dataset offers `__getitems__`."""
    fetch = getattr(dataset, "__getitems__", None)
    return fetch(indices) if callable(fetch) else [dataset[index] for index in indices]


def row_gatherer(dataset: Any) -> Callable[[Sequence[Any]], list[Tensor]] | None:
    """For plain tensors: a function from indices to what collating those samples gives, at one copy a tensor.

    None where only fetching the samples one by one means the same: other datasets, subclasses that may change what
    a sample is, and tensors whose batches must stay differentiable.
    """
    if type(dataset) is Subset:
        gather = row_gatherer(dataset.dataset)
        chosen = dataset.indices
        return gather and (lambda indices: gather([chosen[index] for index in indices]))
    if type(dataset) is not TensorDataset or any(tensor.requires_grad for tensor in dataset.tensors):
        return None
    tensors = dataset.tensors

    def gather_rows(indices: Sequence[Any]) -> list[Tensor]:
        rows = np.frombuffer(array("q", indices), np.int64)
        return [from_array(_rows_of(read(tensor), rows)) for tensor in tensors]

    return gather_rows


def _rows_of(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    if values.flags.c_contiguous:
        return values.take(rows, 0)
    return np.ascontiguousarray(values[rows])  # `take` would first copy all of the values
