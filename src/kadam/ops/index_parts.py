"""What an index says: which part of a tensor is a view, and at which places of it arrays of indices pick."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam import dtypes
from kadam.dtypes import INTEGER
from kadam.errors import AxisError, IndexOutOfRange, KadamError, OperandError
from kadam.ir.primitive import Primitive
from kadam.ops.promotion import cast, stretched
from kadam.primitives.move import Reshape, Slice
from kadam.recording.operation import view
from kadam.recording.step import state
from kadam.recording.tensor import Recorded, from_array, read
from kadam.recording.view import Picked, pick
from kadam.shapes import Shape, broadcast

if TYPE_CHECKING:
    from kadam.tensor import Tensor

_ARRAYS = (Recorded, np.ndarray, list, tuple, range)
_OF_AXES = (*_ARRAYS, slice, type(None), type(Ellipsis), str)  # what a list holds only if each entry is for an axis
_SHORT = 32  # so long PyTorch takes every list for rows


class StepError(KadamError, ValueError):
    """A slice that PyTorch does not allow."""


def _parts(index: Any, rank: int) -> list[Any]:
    """The index as one item per axis (and None for new axes), with `...` spelt out.

    Raises:
        AxisError: more items than axes, or two `...`.
    """
    items = list(index) if isinstance(index, tuple) else [index]
    taken = sum(_axes_taken(item) for item in items)
    dots = [place for place, item in enumerate(items) if item is Ellipsis]
    if taken > rank == 0:
        raise AxisError("indexing: invalid index of a 0-dim tensor. Fix: x.item() is its value.")
    if taken > rank:
        raise AxisError(
            f"indexing: too many indices for tensor of dimension {rank}. Fix: at most {rank} indices, or unsqueeze() "
            "first."
        )
    if len(dots) > 1:
        raise AxisError("indexing: an index can only have a single ellipsis ('...'). Fix: write one '...' only.")
    rest = [slice(None)] * (rank - taken)
    if dots:
        return items[: dots[0]] + rest + items[dots[0] + 1 :]
    return items + rest


def _axes_taken(item: Any) -> int:
    if item is None or item is Ellipsis or isinstance(item, bool | np.bool_):
        return 0
    if isinstance(item, Recorded) and item._spec.dtype in (dtypes.bool_, dtypes.uint8):
        return len(item._spec.shape)
    if isinstance(item, np.ndarray) and item.dtype == np.bool_:
        return item.ndim
    return 1


def _bounds_of(part: slice, size: int) -> tuple[int, int, int]:
    try:
        return part.indices(size)
    except ValueError:
        raise StepError("indexing: slice step cannot be zero. Fix: x[::2] takes every second element.") from None
    except TypeError:
        bounds = (part.start, part.stop, part.step)
        odd = next(bound for bound in bounds if bound is not None and not hasattr(bound, "__index__"))
        raise OperandError(
            "indexing: slice indices must be integers or None or have an __index__ method, not "
            f"{type(odd).__name__} ({odd!r}). Fix: int(bound)."
        ) from None


def _basic(parts: Sequence[Any], shape: Shape) -> list[Primitive]:
    """The slice and the reshape of the numbers, slices and new axes among the parts; index arrays take whole axes.

    Raises:
        IndexOutOfRange: a number is beyond its axis.
        StepError: a slice whose step is not positive.
    """
    starts: list[int] = []
    stops: list[int] = []
    steps: list[int] = []
    result: list[int] = []
    for part in parts:
        if part is None:
            result.append(1)
            continue
        axis = len(starts)
        size = shape[axis]
        if isinstance(part, slice):
            start, stop, step = _bounds_of(part, size)
            if step <= 0:
                raise StepError("indexing: step must be greater than zero. Fix: x.flip(dim) reverses an axis.")
            stop = max(start, stop)
            result.append(-(-(stop - start) // step))
        else:
            if not -size <= part < size:
                raise IndexOutOfRange(
                    f"indexing: index {part} is out of bounds for dimension {axis} with size {size}. Fix: indices go "
                    f"from {-size} to {size - 1}."
                )
            start = part + size if part < 0 else part
            stop, step = start + 1, 1
        starts.append(start)
        stops.append(stop)
        steps.append(step)
    chain: list[Primitive] = []
    if any(starts) or tuple(stops) != shape or any(step != 1 for step in steps):
        chain.append(Slice(tuple(starts), tuple(stops), tuple(steps)))
    sizes = tuple(-(-(b - a) // s) for a, b, s in zip(starts, stops, steps, strict=True))
    if sizes != tuple(result):
        chain.append(Reshape(tuple(result)))
    return chain


_ALL = slice(None)
MOST_CHAINS = 8192  # as many ways to see a part are remembered


@view(grad="SliceBackward0")
def _seen(input: Tensor, parts: tuple[Any, ...]) -> list[Primitive]:
    return _basic(parts, tuple(input.shape))


@view(grad="SelectBackward0")
def _selected(input: Tensor, parts: tuple[Any, ...]) -> list[Primitive]:
    return _basic(parts, tuple(input.shape))


@view(grad="UnsqueezeBackward0")
def _widened(input: Tensor, parts: tuple[Any, ...]) -> list[Primitive]:
    return _basic(parts, tuple(input.shape))


@view(grad="AliasBackward0")
def _whole(input: Tensor) -> list[Primitive]:
    return [Reshape(tuple(input.shape))]


def _view(input: Tensor, parts: list[Any]) -> Tensor:
    """The part of `input` that numbers, slices and None show, named by the last of them that does something."""
    last = next((part for part in reversed(parts) if part.__class__ is not slice or part != _ALL), _ALL)
    if last is None:
        return _widened(input, tuple(parts))
    if last.__class__ is int:
        return _selected(input, tuple(parts))
    found: Tensor = _seen(input, tuple(parts))
    return _whole(input) if found is input else found


def _is_number(item: Any) -> bool:
    if type(item) is int:
        return True
    if isinstance(item, bool):
        return False
    if isinstance(item, np.integer):
        return True
    return isinstance(item, Recorded) and not item._spec.shape and item._spec.dtype.category == INTEGER


def _is_lone_mask(item: Any) -> bool:
    """Whether an index is a mask without axes, which as True and False takes all of the tensor or nothing."""
    if isinstance(item, np.bool_):
        return True
    return isinstance(item, Recorded) and not item._spec.shape and item._spec.dtype is dtypes.bool_


def split_index(input: Tensor, index: Any) -> tuple[Tensor, list[int], list[Any]]:
    """An index as a view of `input` and index arrays (integers or masks) on axes of that view."""
    if type(index) is int or type(index) is slice:
        plain = _plain_slice(index) if isinstance(index, slice) else index
        return _view(input, _parts(plain, len(input._spec.shape))), [], []
    if isinstance(index, list):
        index = _as_tuple(index)
    basic: list[Any] = []
    arrays: list[Any] = []
    axes: list[int] = []
    picked: dict[int, int] = {}
    axis = 0
    for part in _parts(index, len(input._spec.shape)):
        if part is None or isinstance(part, slice):
            basic.append(_plain_slice(part))
            axis += 1
        elif _is_number(part):
            place = int(part)  # which may cut the recording
            if type(part) is int or state.rec is None:
                basic.append(place)
            else:
                picked[sum(one is not None for one in basic) + len(picked)] = place
        elif isinstance(part, bool) or _is_lone_mask(part):
            basic.append(None)
            axes.append(axis)
            arrays.append(part.reshape(1) if isinstance(part, Recorded) else np.asarray([part]))  # type: ignore[attr-defined]
            axis += 1
        elif isinstance(part, _ARRAYS):
            array = _array_of(part)
            taken = max(_axes_taken(array), 1)
            basic.extend([slice(None)] * taken)
            axes.append(axis)
            arrays.append(array)
            axis += taken
        elif isinstance(part, str):
            raise OperandError(f"indexing: invalid data type 'str': {part!r}. Fix: index with ints, slices or tensors.")
        else:
            raise AxisError(
                "indexing: only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid "
                f"indices (got {type(part).__name__}). Fix: index with ints, slices, or tensors of long or bool."
            )
    if picked:
        input = _at_places(input, picked)
        if all(part == _ALL for part in basic):
            return input, axes, arrays
    return _view(input, basic), axes, arrays


def _as_tuple(index: list[Any]) -> list[Any] | tuple[Any, ...]:
    """A list as the tuple of indices that PyTorch reads it as, unless it is one of numbers, or long."""
    if len(index) >= _SHORT or not any(isinstance(one, _OF_AXES) for one in index):
        return index
    warnings.warn(
        "indexing: a list of sequences is read as one index for each axis, x[tuple(index)]; PyTorch means to change "
        "that. Fix: x[tuple(index)], or x[torch.tensor(index)] for rows.",
        UserWarning,
        stacklevel=4,
    )
    return tuple(index)


def _array_of(part: Any) -> Any:
    """An array, or a list, as what indexes."""
    if isinstance(part, Recorded):
        return part
    array = np.asarray([value_of(one) for one in part])
    return array if array.size or array.dtype != np.float64 else array.astype(np.int64)  # an empty list picks nothing


def _at_places(input: Tensor, places: dict[int, int]) -> Tensor:
    """The view of `input` at a place along each of some axes: the places are data, such as sampled actions."""
    return pick(input, _chain_at(tuple(input._spec.shape), tuple(places.items())))


@lru_cache(MOST_CHAINS)
def _chain_at(shape: Shape, places: tuple[tuple[int, int], ...]) -> Picked:
    parts: list[Any] = [_ALL] * len(shape)
    for axis, place in places:
        parts[axis] = place
    chain = Picked(_basic(parts, shape))  # type: ignore[arg-type]
    chain.axes = tuple(axis for axis, _ in places)
    chain.places = tuple(place % shape[axis] for axis, place in places)
    return chain


def value_of(one: Any) -> Any:
    return read(one) if isinstance(one, Recorded) else one


def _plain_slice(part: slice | None) -> slice | None:
    if part is None:
        return None
    given = (part.start, part.stop, part.step)
    bounds = [b if b is None or type(b) is int or not hasattr(b, "__index__") else b.__index__() for b in given]
    return slice(*bounds)


def without_masks(seen: Tensor, axes: list[int], arrays: list[Any]) -> tuple[list[int], list[Any]]:
    """Index arrays with each mask as the integers of its true places (which reads it).

    Raises:
        IndexOutOfRange: a mask of another shape than the axes it covers, or indices that are no integers.
    """
    flat_axes: list[int] = []
    flat: list[Any] = []
    for axis, array in zip(axes, arrays, strict=True):
        record = array._spec.dtype if isinstance(array, Recorded) else dtypes.of_numpy(array.dtype)
        shape = tuple(array._spec.shape) if isinstance(array, Recorded) else array.shape
        if record in (dtypes.bool_, dtypes.uint8):
            covered = tuple(seen.shape[axis : axis + len(shape)])
            if shape != covered:
                at = next(i for i, (a, b) in enumerate(zip(shape, covered, strict=False)) if a != b)
                raise IndexOutOfRange(
                    f"indexing: The shape of the mask {list(shape)} at index {at} does not match the shape of the "
                    f"indexed tensor {list(seen.shape)} at index {axis + at}. Fix: give a mask of the tensor's own "
                    "shape, or of its first axes'."
                )
            places = np.nonzero(value_of(array))
            flat_axes.extend(range(axis, axis + len(places)))
            flat.extend(places)
        elif record.category == INTEGER:
            flat_axes.append(axis)
            flat.append(array)
        else:
            raise IndexOutOfRange(
                "indexing: tensors used as indices must be long, int, byte or bool tensors. Fix: index.long(), or a "
                "mask of bool."
            )
    return flat_axes, flat


def aligned(indices: Sequence[Tensor]) -> list[Tensor]:
    shape = broadcast(*(tuple(index.shape) for index in indices))
    return [stretched(cast(index, dtypes.int64), shape) for index in indices]


def place_of(rank: int, axes: Sequence[int], values: Sequence[Any]) -> tuple[Any, ...]:
    place: list[Any] = [slice(None)] * rank
    for axis, value in zip(axes, values, strict=True):
        place[axis] = value
    return tuple(place)


def shown_at(array: np.ndarray[Any, Any], axes: Sequence[int], values: Sequence[Any]) -> np.ndarray[Any, Any]:
    try:
        return np.asarray(array[place_of(array.ndim, axes, values)])
    except IndexError:
        raise IndexOutOfRange(_out_of_range(array.shape, axes, values)) from None


def _out_of_range(shape: Shape, axes: Sequence[int], values: Sequence[Any]) -> str:
    for axis, value in zip(axes, values, strict=True):
        beyond = value[(value >= shape[axis]) | (value < -shape[axis])]
        if beyond.size:
            size = shape[axis]
            return (
                f"indexing: index {beyond.flat[0]} is out of bounds for dimension {axis} with size {size}. Fix: "
                "indices "
                f"go from {-size} to {size - 1}."
            )
    shapes = ", ".join(str(list(np.shape(value))) for value in values)
    return (
        f"indexing: shape mismatch: indexing tensors could not be broadcast together with shapes {shapes}. Fix: give "
        "index tensors whose shapes stretch to one."
    )


def index_tensor(array: Any) -> Tensor:
    return array if isinstance(array, Recorded) else from_array(np.asarray(array))  # type: ignore[return-value]
