"""DataLoader: a dataset, an order and a way to collate, iterated as batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kadam.recording.generator import Generator, default_generator
from kadam.utils.data.collate import default_collate, default_convert
from kadam.utils.data.dataset import Dataset, IterableDataset
from kadam.utils.data.fetch import Recipe
from kadam.utils.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

    from kadam.utils.data.prefetch import WorkerBatches

T_co = TypeVar("T_co", covariant=True)

# Libraries annotate what they hand on by these names of PyTorch's.
_collate_fn_t = Callable[[list[Any]], Any]
_worker_init_fn_t = Callable[[int], None]

_FIXED = frozenset({"dataset", "batch_size", "sampler", "batch_sampler", "drop_last", "persistent_workers"})


class DataLoader(Generic[T_co]):
    """Batches of a dataset, in order or shuffled, made in this process or ahead of time by worker processes.

    Args:
        dataset: samples by index (`__getitem__` and `__len__`), or an `IterableDataset`.
        batch_size: samples in a batch; None gives lone samples.
        shuffle: a new random order in each pass.
        sampler: the order of the indices, instead of `shuffle`.
        batch_sampler: gives whole lists of indices, instead of batch_size, shuffle, sampler and drop_last.
        num_workers: processes that make batches; 0: this process makes them.
        collate_fn: makes a batch of a list of samples; `default_collate` unless given.
        pin_memory: accepted; there is no device memory to copy to.
        drop_last: leave out an incomplete last batch.
        timeout: seconds to wait for a batch of a worker; 0: for ever.
        worker_init_fn: called in each worker with its number, once its generators are seeded.
        multiprocessing_context: a start method (`"fork"`, `"spawn"` ...) or a context; Python's default unless given.
        generator: draws the order and the workers' seeds, instead of the default generator.
        prefetch_factor: tasks that each worker has at any time; 2 unless given.
        persistent_workers: keep the workers between passes.
        pin_memory_device: accepted.
        in_order: whether batches keep the sampler's order; if not, they come as workers have them ready.

    Raises:
        ValueError: arguments that exclude each other, or out of range.
        TypeError: `multiprocessing_context` is neither a name nor a context.
    """

    dataset: Any
    batch_size: int | None
    sampler: Any
    batch_sampler: Any
    _complete = False

    def __init__(
        self,
        dataset: Dataset[T_co],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler[Any] | Iterable[Any] | None = None,
        batch_sampler: Sampler[list[Any]] | Iterable[list[Any]] | None = None,
        num_workers: int = 0,
        collate_fn: _collate_fn_t | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: _worker_init_fn_t | None = None,
        multiprocessing_context: str | BaseContext | None = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        if isinstance(dataset, IterableDataset):
            _check_stream(shuffle, sampler, batch_sampler)
        _check_order(batch_size, shuffle, sampler, batch_sampler, drop_last)
        self.dataset = dataset
        self.num_workers = num_workers
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.persistent_workers = persistent_workers
        self.multiprocessing_context = multiprocessing_context
        self.worker_init_fn = worker_init_fn
        self.timeout = timeout
        self.in_order = in_order
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.generator = generator
        self.drop_last = drop_last
        self.sampler = self._default_sampler(bool(shuffle)) if sampler is None else sampler
        self.batch_size = batch_size if batch_sampler is None else None
        if self.batch_size is not None:
            batch_sampler = BatchSampler(self.sampler, self.batch_size, drop_last)
        self.batch_sampler = batch_sampler
        self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)
        self._persistent: WorkerBatches | None = None
        self._complete = True

    def _default_sampler(self, shuffle: bool) -> Any:
        if isinstance(self.dataset, IterableDataset):
            return _Endless()
        return RandomSampler(self.dataset, generator=self.generator) if shuffle else SequentialSampler(self.dataset)

    def __setattr__(self, name: str, value: Any) -> None:
        if self._complete and name in _FIXED:
            raise ValueError(
                f"DataLoader: {name} is fixed once the loader is made.\n  Fix: make a new {type(self).__name__}."
            )
        super().__setattr__(name, value)

    @property
    def multiprocessing_context(self) -> BaseContext | None:
        """How workers are started; None: Python's default."""
        return self._multiprocessing_context

    @multiprocessing_context.setter
    def multiprocessing_context(self, context: str | BaseContext | None) -> None:
        self._multiprocessing_context = None if context is None else _start_context(context, self.num_workers)

    def __iter__(self) -> Iterator[Any]:
        if self.num_workers == 0:
            return _LocalBatches(self)
        from kadam.utils.data.prefetch import WorkerBatches  # multiprocessing takes a while to import

        if not self.persistent_workers:
            return WorkerBatches(self)
        if self._persistent is None:
            self._persistent = WorkerBatches(self)
        else:
            self._persistent.restart()
        return self._persistent

    def __len__(self) -> int:
        if not isinstance(self.dataset, IterableDataset):
            return len(self._index_sampler)
        samples: int = len(self.dataset)  # type: ignore[arg-type]
        if self.batch_size is None:
            return samples
        return samples // self.batch_size if self.drop_last else -(-samples // self.batch_size)

    @property
    def _index_sampler(self) -> Any:
        """What a pass iterates: lists of indices or, unbatched, indices."""
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def _recipe(self) -> Recipe:
        """How this loader's batches are made."""
        return Recipe(self.dataset, self.collate_fn, self.batch_sampler is not None, self.drop_last)

    def _draw_base_seed(self) -> int:
        """Draw what the workers' seeds are counted from."""
        return (default_generator if self.generator is None else self.generator).random_int64()


class _BaseDataLoaderIter(Iterator[Any]):
    """What a loader's iterators have in common; libraries ask for it."""


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    """An iterator whose batches other processes make."""


class _LocalBatches(_BaseDataLoaderIter):
    """One pass, each batch made when it is asked for."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        if loader.timeout:
            raise AssertionError(
                "DataLoader: timeout is for workers.\n  Fix: set num_workers > 0, or leave timeout at 0."
            )
        self._sampler = loader._index_sampler
        self._indices = iter(self._sampler)
        loader._draw_base_seed()  # nobody needs it here, but what is drawn next must be what PyTorch draws next
        self._fetch = loader._recipe().start()

    def __next__(self) -> Any:
        return self._fetch(next(self._indices))

    def __len__(self) -> int:
        return len(self._sampler)


class _Endless(Sampler[None]):
    """The sampler of a stream, which has no indices."""

    def __iter__(self) -> Iterator[None]:
        return repeat(None)


def _check_workers(num_workers: int, timeout: float, prefetch_factor: int | None, persistent_workers: bool) -> None:
    if num_workers < 0:
        raise ValueError(
            f"DataLoader: num_workers must not be negative, but is {num_workers}. Fix: num_workers=0 loads in this "
            "process."
        )
    if timeout < 0:
        raise ValueError(
            f"DataLoader: timeout must not be negative, but is {timeout}. Fix: timeout=0 waits without end."
        )
    if prefetch_factor is not None and prefetch_factor < 0:
        raise ValueError(
            f"DataLoader: prefetch_factor must not be negative, but is {prefetch_factor}. Fix: prefetch_factor=2."
        )
    if num_workers == 0 and (prefetch_factor is not None or persistent_workers):
        given = "persistent_workers" if persistent_workers else "prefetch_factor"
        raise ValueError(f"DataLoader: {given} is for workers.\n  Fix: set num_workers > 0, or leave it out.")


def _check_stream(shuffle: bool | None, sampler: object, batch_sampler: object) -> None:
    for name, value in {"shuffle": shuffle or None, "sampler": sampler, "batch_sampler": batch_sampler}.items():
        if value is not None:
            raise ValueError(
                f"DataLoader: an IterableDataset has its own order, but {name}={value!r} was given.\n"
                "  Fix: shuffle inside the dataset's __iter__."
            )


def _check_order(
    batch_size: int | None, shuffle: bool | None, sampler: object, batch_sampler: object, drop_last: bool
) -> None:
    if sampler is not None and shuffle:
        raise ValueError(
            "DataLoader: sampler and shuffle exclude each other: both say the order. Fix: leave shuffle out."
        )
    if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
        raise ValueError(
            "DataLoader: batch_sampler excludes batch_size, shuffle, sampler and drop_last. Fix: leave those out, or "
            "give batch_size without batch_sampler."
        )
    if batch_sampler is None and batch_size is None and drop_last:
        raise ValueError(
            "DataLoader: batch_size=None gives lone samples, so that drop_last has nothing to drop. Fix: leave "
            "drop_last out, or give a batch_size."
        )


def _start_context(context: str | BaseContext, num_workers: int) -> BaseContext:
    import multiprocessing
    from multiprocessing.context import BaseContext

    if num_workers == 0:
        raise ValueError(
            "DataLoader: multiprocessing_context is for workers.\n  Fix: set num_workers > 0, or leave it out."
        )
    if isinstance(context, str):
        known = multiprocessing.get_all_start_methods()
        if context not in known:
            raise ValueError(
                f"DataLoader: multiprocessing_context {context!r} is none of {known}. Fix: choose one of {known}."
            )
        return multiprocessing.get_context(context)
    if not isinstance(context, BaseContext):
        raise TypeError(
            f"DataLoader: multiprocessing_context must be a name or a context, not {context!r}. Fix: "
            "multiprocessing_context='spawn'."
        )
    return context
