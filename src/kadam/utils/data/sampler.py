"""Samplers: in which order a loader asks for samples, drawn exactly as PyTorch draws it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kadam.dtypes import float64
from kadam.errors import OperandError
from kadam.ops.creation import as_tensor
from kadam.ops.random import multinomial
from kadam.recording.generator import Generator, default_generator

if TYPE_CHECKING:
    from kadam.tensor import Tensor

T_co = TypeVar("T_co", covariant=True)

# PyTorch draws indices with replacement in blocks of this size; the block decides how far a generator has moved
# when a loop is left early.
_BLOCK = 32


class Sampler(Generic[T_co]):
    """An order of samples: subclasses write `__iter__`, and `__len__` where it is known."""

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(
            f"{type(self).__name__} needs an __iter__ that gives indices. Fix: define  def __iter__(self)."
        )


def count(data_source: Sized) -> int:
    """The number of samples.

    Raises:
        OperandError: the dataset does not tell.
    """
    try:
        return len(data_source)
    except TypeError:
        kind = type(data_source).__name__
        if hasattr(data_source, "__len__"):
            raise
    raise OperandError(
        f"object of type '{kind}' has no len(), and samples are drawn by their index. Fix: define __len__(self) and "
        f"__getitem__(self, index) in {kind}, or derive it from IterableDataset."
    )


class SequentialSampler(Sampler[int]):
    """Every sample once, in order."""

    data_source: Sized

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(count(self.data_source)))

    def __len__(self) -> int:
        return count(self.data_source)


class RandomSampler(Sampler[int]):
    """Samples in random order: permutations of all, or independent draws with `replacement`.

    Without a `generator`, each pass seeds one of its own by one draw from the default generator.

    Raises:
        TypeError: `replacement` is no bool.
        ValueError: `num_samples` is no positive int.
    """

    data_source: Sized
    replacement: bool

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        if not isinstance(replacement, bool):
            raise TypeError(f"RandomSampler: replacement must be a bool, not {replacement!r}. Fix: True or False.")
        self.data_source = data_source
        self.replacement = replacement
        self.generator = generator
        self._num_samples = num_samples
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            raise ValueError(
                f"RandomSampler: num_samples must be a positive int, not {self.num_samples!r}. Fix: give a whole "
                "number of at least 1; an empty dataset cannot be shuffled."
            )

    @property
    def num_samples(self) -> int:
        """How many indices one pass gives: as asked for, or as many as the data holds now."""
        return count(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(self._blocks())

    def _blocks(self) -> Iterator[list[int]]:
        """The indices in pieces, each drawn when the one before is used up."""
        generator = self.generator
        if generator is None:
            generator = Generator()
            generator.manual_seed(default_generator.random_int64())
        total = count(self.data_source)
        size = _BLOCK if self.replacement else total
        pieces, rest = divmod(self.num_samples, size)
        # PyTorch draws the last even where nothing is left to take from it.
        for length in chain(repeat(size, pieces), (rest,)):
            if self.replacement:
                yield generator.integers(0, total, (length,)).tolist()
            else:
                yield generator.permutation(total)[:length].tolist()

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given indices in random order."""

    indices: Sequence[int]

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        generator = default_generator if self.generator is None else self.generator
        for position in generator.permutation(len(self.indices)).tolist():
            yield self.indices[position]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Indices drawn with probabilities proportional to `weights`.

    Raises:
        ValueError: `num_samples` is no positive int, `replacement` no bool, or `weights` not one-dimensional.
    """

    weights: Tensor
    num_samples: int
    replacement: bool

    def __init__(
        self,
        weights: Sequence[float] | Tensor,
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        _require_positive("WeightedRandomSampler", "num_samples", num_samples)
        _require_bool("WeightedRandomSampler", "replacement", replacement)
        self.weights = as_tensor(weights, dtype=float64)
        if len(self.weights.shape) != 1:
            raise ValueError(
                f"WeightedRandomSampler: weights must have one axis, not {tuple(self.weights.shape)}. Fix: "
                "weights.flatten()."
            )
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        drawn = multinomial(self.weights, self.num_samples, self.replacement, generator=self.generator)
        yield from drawn.tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """The indices of another sampler in lists of `batch_size`; the last may be shorter, or is dropped.

    Raises:
        ValueError: `batch_size` is no positive int, or `drop_last` no bool.
    """

    def __init__(self, sampler: Sampler[int] | Iterable[int], batch_size: int, drop_last: bool) -> None:
        _require_positive("BatchSampler", "batch_size", batch_size)
        _require_bool("BatchSampler", "drop_last", drop_last)
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        size = self.batch_size
        indices = iter(self.sampler)
        while batch := list(islice(indices, size)):
            if len(batch) < size and self.drop_last:
                return
            yield batch

    def __len__(self) -> int:
        total = len(self.sampler)  # type: ignore[arg-type]
        return total // self.batch_size if self.drop_last else -(-total // self.batch_size)


def _require_positive(owner: str, name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(
            f"{owner}: {name} must be a positive int, not {value!r}. Fix: give a whole number of at least 1."
        )


def _require_bool(owner: str, name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise ValueError(f"{owner}: {name} must be a bool, not {value!r}. Fix: True or False.")
