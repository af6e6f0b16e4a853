"""Fetching: from what a sampler gives (an index, or a list of them) to a batch, here or in a worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from kadam.tensor import Tensor
from kadam.utils.data.collate import collate_tensors, default_collate, default_collate_fn_map
from kadam.utils.data.dataset import IterableDataset, row_gatherer, samples_at


@dataclass(frozen=True)
class Recipe:
    """How batches are made: all that a worker needs to know of its loader.

    Attributes:
        dataset: where samples come from.
        collate_fn: makes a batch of a list of samples; or converts a lone sample where `batched` is False.
        batched: whether the sampler gives lists of indices.
        drop_last: whether a stream's incomplete last batch is dropped.
    """

    dataset: Any
    collate_fn: Callable[[Any], Any]
    batched: bool
    drop_last: bool

    def start(self) -> Callable[[Any], Any]:
        """A function from the sampler's items to batches; over a stream it starts a new pass.

        It raises StopIteration when a stream has ended.
        """
        if isinstance(self.dataset, IterableDataset):
            return _Stream(self).fetch
        if not self.batched:
            return lambda index: self.collate_fn(self.dataset[index])
        return self._row_batches() or self._sample_batches

    def _sample_batches(self, indices: list[Any]) -> Any:
        return self.collate_fn(samples_at(self.dataset, indices))

    def _row_batches(self) -> Callable[[Any], Any] | None:
        usual = self.collate_fn is default_collate and default_collate_fn_map.get(Tensor) is collate_tensors
        gather = row_gatherer(self.dataset) if usual else None
        if gather is None:
            return None

        def fetch(indices: list[Any]) -> Any:
            try:
                return gather(indices)
            except TypeError:  # indices that are no integers: slices, masks ...
                return self._sample_batches(indices)

        return fetch


class _Stream:
    """One pass over an iterable dataset."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._samples = iter(recipe.dataset)
        self._ended = False

    def fetch(self, wanted: Any) -> Any:
        """The next batch (`wanted` is as long as it shall be) or, unbatched, the next sample."""
        if self._ended:
            raise StopIteration
        if not self._recipe.batched:
            return self._recipe.collate_fn(next(self._samples))
        samples = list(islice(self._samples, len(wanted)))
        self._ended = len(samples) < len(wanted)
        if not samples or (self._ended and self._recipe.drop_last):
            raise StopIteration
        return self._recipe.collate_fn(samples)
