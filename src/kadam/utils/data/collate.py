"""Collation: many samples become one batch, with the structure of a sample and tensors for leaves."""

from __future__ import annotations

import copy
from array import array
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from kadam.errors import MissingKeyError
from kadam.ops.combine import stack
from kadam.ops.creation import as_tensor, tensor
from kadam.recording.tensor import from_array, read
from kadam.tensor import Tensor

CollateMap = dict[type | tuple[type, ...], Callable[..., Any]]

_NO_NUMBERS = "SUO"  # NumPy's kinds of bytes, strings and objects


def default_collate(batch: Sequence[Any]) -> Any:
    """Samples to a batch: tensors, arrays and numbers are stacked along a new first axis, structures are kept.

    Floats become f64 and ints i64; strings stay a list; mappings, named tuples and sequences are collated entry by
    entry (a tuple gives a list).

    Raises:
        TypeError: a sample holds something that has no place in a tensor.
        RuntimeError: samples of unequal length or shape.
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)


def collate(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Any:
    """Samples to a batch, with a function for each type of leaf: `fn(leaves, collate_fn_map=...)`."""
    first = batch[0]
    merge_leaves = _leaf_function(first, collate_fn_map or {})
    if merge_leaves is not None:
        return merge_leaves(batch, collate_fn_map=collate_fn_map)

    def merge(column: Sequence[Any]) -> Any:
        return collate(column, collate_fn_map=collate_fn_map)

    if isinstance(first, Mapping):
        return _like_mapping(first, {key: merge(_entries(batch, key)) for key in first})
    if isinstance(first, Sequence):
        return _like_sequence(first, [merge(column) for column in _columns(batch)])
    raise _no_tensor(type(first))


def default_convert(data: Any) -> Any:
    """One sample with its NumPy leaves turned into tensors (sharing memory) and everything else as it is."""
    if isinstance(data, np.ndarray | np.generic):
        return data if data.dtype.kind in _NO_NUMBERS else as_tensor(data)
    if isinstance(data, Mapping):
        return _like_mapping(data, {key: default_convert(data[key]) for key in data})
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return _like_sequence(data, [default_convert(entry) for entry in data])
    return data


def _leaf_function(leaf: Any, functions: CollateMap) -> Callable[..., Any] | None:
    exact = functions.get(type(leaf))
    if exact is not None:
        return exact
    return next((function for kind, function in functions.items() if isinstance(leaf, kind)), None)


def _entries(batch: Sequence[Mapping[Any, Any]], key: Any) -> list[Any]:
    for index, sample in enumerate(batch):
        if key not in sample:
            raise MissingKeyError(
                f"default_collate: sample 0 of the batch has the key {key!r}, sample {index} has not: it has "
                f"{', '.join(map(repr, sample))}. Fix: give all samples the same keys, or pass a collate_fn."
            )
    return [sample[key] for sample in batch]


def _columns(batch: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    lengths = {len(sample) for sample in batch}
    if len(lengths) > 1:
        raise RuntimeError(
            f"default_collate: samples of one batch have different lengths: {sorted(lengths)}. Fix: pad them to one "
            "length, or pass a collate_fn."
        )
    return list(zip(*batch, strict=True))


def _like_mapping(model: Mapping[Any, Any], entries: dict[Any, Any]) -> Any:
    try:
        if isinstance(model, MutableMapping):
            twin = copy.copy(model)  # keeps what else the mapping's type carries
            twin.update(entries)
            return twin
        return type(model)(entries)  # type: ignore[call-arg]
    except TypeError:
        return entries


def _like_sequence(model: Sequence[Any], entries: list[Any]) -> Any:
    if isinstance(model, tuple):
        return type(model)(*entries) if hasattr(model, "_fields") else entries
    try:
        if isinstance(model, MutableSequence):
            twin = copy.copy(model)
            for position, entry in enumerate(entries):
                twin[position] = entry
            return twin
        return type(model)(entries)  # type: ignore[call-arg]
    except TypeError:
        return entries


def _no_tensor(found: object) -> TypeError:
    return TypeError(
        f"default_collate: {found} has no place in a batch.\n"
        "  Fix: let samples hold tensors, numpy arrays, numbers, strings, dicts or lists, or pass a collate_fn."
    )


def collate_tensors(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Tensor:
    """Tensors stacked along a new first axis."""
    return from_array(np.array([read(one) for one in batch])) if _alike(batch) else stack(batch)


def _alike(batch: Sequence[Any]) -> bool:
    """Whether these are tensors of one shape and type that carry no gradient."""
    try:
        specs = [one._spec for one in batch]
    except AttributeError:
        return False
    return specs.count(specs[0]) == len(specs) and not specs[0].requires_grad


def _collate_arrays(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Any:
    first = batch[0]
    if first.dtype.kind in _NO_NUMBERS:
        raise _no_tensor(first.dtype)
    if all(type(one) is np.ndarray and one.shape == first.shape and one.dtype is first.dtype for one in batch):
        return from_array(np.array(batch))
    return collate([as_tensor(one) for one in batch], collate_fn_map=collate_fn_map)


def _collate_numpy_numbers(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Tensor:
    return from_array(np.array(batch)) if _of_one_type(batch) else as_tensor(batch)


def _collate_floats(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Tensor:
    return from_array(np.array(array("d", batch)))


def _collate_integers(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Tensor:
    if _of_one_type(batch):
        return from_array(np.array(batch, np.bool_ if type(batch[0]) is bool else np.int64))
    return tensor(batch)


def _of_one_type(batch: Sequence[Any]) -> bool:
    return len(set(map(type, batch))) == 1


def _collate_text(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Sequence[Any]:
    return batch


default_collate_fn_map: CollateMap = {
    Tensor: collate_tensors,
    np.ndarray: _collate_arrays,
    (np.bool_, np.number, np.object_): _collate_numpy_numbers,
    float: _collate_floats,
    int: _collate_integers,
    str: _collate_text,
    bytes: _collate_text,
}
