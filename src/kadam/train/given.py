"""Data in any of the forms in which it may be given to a Trainer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kadam.errors import OperandError
from kadam.recording.tensor import read
from kadam.tensor import Tensor
from kadam.train.batches import ArrayBatches, Batches, LoaderBatches
from kadam.train.frames import as_array
from kadam.train.nested import NestedBatches, flattened
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
        data: inputs (an array, a tensor, a table of pandas, polars or Arrow; a tuple or a dict of several), or inputs
            and target in a tuple, or a Dataset, or a loader.
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
    if target is None and _is_several(data):
        data, target = data
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
    forms, parts = flattened(parts)
    flat = ArrayBatches([_array(one, dtype) for one in parts], batch_size, shuffle, drop_last, draws)
    return flat if all(isinstance(one, int) for one in forms) else NestedBatches(forms, flat)


def _is_several(data: Any) -> bool:
    """Whether this is `((inputs, ...), target)`, as Keras has it."""
    if not (isinstance(data, tuple) and len(data) == 2 and isinstance(data[0], tuple) and data[0]):
        return False
    return all(isinstance(one, np.ndarray | Tensor) or as_array(one) is not None for one in data[0])


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
    """Whether this is an array, a table, or a tuple or a dict of such; not a list of ready batches."""
    if isinstance(data, Mapping):
        return len(data) > 0 and all(_is_arrays(one) or _is_flat(one) for one in data.values())
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
