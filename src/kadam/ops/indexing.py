"""x[...] in all its forms: numbers, slices, None, ..., integer tensors, masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam.ir.primitive import Primitive
from kadam.ops.index_parts import MOST_CHAINS, aligned, index_tensor, shown_at, split_index, value_of, without_masks
from kadam.primitives.index import Index
from kadam.recording.calls import emit
from kadam.recording.operation import Raw, operation
from kadam.recording.spec import Spec
from kadam.recording.step import state
from kadam.recording.tensor import Recorded, alias_of, from_array, is_current, read, sees_now

if TYPE_CHECKING:
    from kadam.tensor import Tensor


@operation(grad="IndexBackward0")
def _indexed(input: Tensor, indices: Sequence[Tensor], axes: Raw) -> Tensor:
    return emit(Index(axes), input, *aligned(indices))


_ONE = frozenset({int, slice})
# How samples and batches are taken from data is known after the first epoch: (spec, index) -> chain and spec.
_known_chains: dict[Any, tuple[tuple[Primitive, ...], Spec]] = {}


def _seen_at_once(self: Tensor, index: Any) -> Tensor:
    """One number or slice of a tensor whose values are known and which needs no gradient."""
    key: Any = (self._spec, index)
    if index.__class__ is slice:
        key = (self._spec, index.start, index.stop, index.step)
    found = _known_chains.get(key)
    if found is None:
        seen, _, _ = split_index(self, index)
        if index.__class__ is slice and not all(one is None or one.__class__ is int for one in key[1:]):
            return seen  # a tensor as a bound: its value may change
        if len(_known_chains) >= MOST_CHAINS:
            _known_chains.clear()
        _known_chains[key] = seen._chain[len(self._chain) :], seen._spec
        return seen
    array: Any = self._array
    return alias_of(self, found[0], array[index, ...], found[1])


def getitem(self: Tensor, index: Any) -> Tensor:
    """The part of a tensor that an index shows: a view for numbers, slices and None, else a copy.

    Raises:
        IndexOutOfRange: an index beyond its axis (where values decide, when they are computed).
    """
    if index.__class__ in _ONE and self._array is not None and state.rec is not None and sees_now(state.rec, self):
        return _seen_at_once(self, index)
    seen, axes, arrays = split_index(self, index)
    if not arrays:
        return seen
    axes, arrays = without_masks(seen, axes, arrays)
    if _all_known(seen, arrays):
        values = [np.asarray(value_of(array)) for array in arrays]
        return from_array(np.array(shown_at(read(seen), axes, values), order="C"))
    return _indexed(seen, [index_tensor(array) for array in arrays], tuple(axes))


def _all_known(seen: Tensor, arrays: Sequence[Any]) -> bool:
    """Whether indexing can be done at once: all values are known, and no gradient flows."""
    if seen._node is not None or (seen._spec.requires_grad and state.grad) or not is_current(seen):
        return False
    return all(is_current(array) for array in arrays if isinstance(array, Recorded))
