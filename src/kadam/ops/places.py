"""Where elements are that are not zero, or true; and those elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam.dtypes import INTEGER
from kadam.errors import ShapeError
from kadam.ops.indexing import getitem
from kadam.recording.arguments import guarded
from kadam.recording.tensor import from_array, read
from kadam.shapes import broadcast, count

if TYPE_CHECKING:
    from kadam.tensor import Tensor


def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The places of the elements that are not zero, one per row; or one tensor per axis. As `torch.nonzero`."""
    places = np.nonzero(np.atleast_1d(read(input)))
    if as_tuple:
        return tuple(from_array(np.ascontiguousarray(place)) for place in places)
    rank = len(input.shape)
    return from_array(np.stack(places[:rank], 1) if rank else np.zeros((len(places[0]), 0), np.int64))


def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor:
    """The places of the first `size` elements that are not zero; `fill_value` in the rows that are left over.

    As `torch.nonzero_static`.

    Raises:
        ShapeError: the size is negative.
    """
    if size < 0:
        raise ShapeError(f"nonzero_static: 'size' must be an non-negative integer, but got {size}. Fix: size=0.")
    places = read(nonzero(input))
    rows = np.full((size, places.shape[1]), fill_value, np.int64)
    rows[: len(places)] = places[:size]
    return from_array(rows)


def unravel_index(indices: Tensor, shape: int | Sequence[int]) -> tuple[Tensor, ...]:
    """The places in a tensor of a given shape that places in the flattened tensor stand for. As `torch.unravel_index`.

    Raises:
        ShapeError: an index is negative or beyond the shape, or they are no whole numbers.
    """
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    places = read(indices)
    if indices.dtype.category != INTEGER:
        raise ShapeError(f"unravel_index: expected 'indices' to be integer, but got {indices.dtype}. Fix: x.long().")
    if places.size and not 0 <= places.min() <= places.max() < count(sizes):
        raise ShapeError(f"unravel_index: an index is beyond the shape {list(sizes)}. Fix: indices from 0.")
    return tuple(from_array(np.asarray(axis, np.int64)) for axis in np.unravel_index(places, sizes))


def argwhere(input: Tensor) -> Tensor:
    """The places of the elements that are not zero, one per row. As `torch.argwhere`."""
    found: Tensor = nonzero(input)
    return found


@guarded
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where the mask is true, along one axis. As `torch.masked_select`."""
    shape = broadcast(tuple(input.shape), tuple(mask.shape))
    return getitem(input.expand(shape), mask.expand(shape))
