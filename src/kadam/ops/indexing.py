"""x[...] and x[...] = v in all their forms: numbers, slices, None, ..., integer tensors, masks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam import dtypes
from kadam.dtypes import BOOL, INTEGER
from kadam.errors import AxisError, DTypeError, IndexOutOfRange, KadamError, OperandError, RangeError, ShapeError
from kadam.ir.primitive import Primitive
from kadam.ops.promotion import as_tensor_of, cast, stretched
from kadam.primitives.compare import Equal
from kadam.primitives.elementwise import Where
from kadam.primitives.index import Index, IndexAdd, IndexPut
from kadam.primitives.move import Reshape, Slice
from kadam.recording.arguments import guarded
from kadam.recording.calls import emit
from kadam.recording.layout import check_overlap
from kadam.recording.memory import Picked, assign, is_free, pick
from kadam.recording.operation import Raw, operation, view
from kadam.recording.spec import Spec
from kadam.recording.step import state
from kadam.recording.tensor import Recorded, alias_of, from_array, is_current, overwrite, read, sees_now, touch
from kadam.shapes import Shape, broadcast, count

if TYPE_CHECKING:
    from kadam.recording.tensor import Number
    from kadam.tensor import Tensor

_ARRAYS = (Recorded, np.ndarray, list, tuple, range)


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
_CHAINS = 8192  # as many ways to see a part are remembered


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


def _split(input: Tensor, index: Any) -> tuple[Tensor, list[int], list[Any]]:
    """An index as a view of `input` and index arrays (integers or masks) on axes of that view."""
    if type(index) is int or type(index) is slice:
        return _view(input, _parts(index, len(input._spec.shape))), [], []
    if isinstance(index, list) and any(isinstance(one, slice | None.__class__) or one is Ellipsis for one in index):
        index = tuple(index)
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
            array = part if isinstance(part, Recorded) else np.asarray([_item(one) for one in part])
            taken = max(_axes_taken(array), 1)
            if isinstance(array, np.ndarray) and array.size == 0 and array.dtype == np.float64:
                array = array.astype(np.int64)
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


def _at_places(input: Tensor, places: dict[int, int]) -> Tensor:
    """The view of `input` at a place along each of some axes: the places are data, such as sampled actions."""
    return pick(input, _chain_at(tuple(input._spec.shape), tuple(places.items())))


@lru_cache(_CHAINS)
def _chain_at(shape: Shape, places: tuple[tuple[int, int], ...]) -> Picked:
    parts: list[Any] = [_ALL] * len(shape)
    for axis, place in places:
        parts[axis] = place
    chain = Picked(_basic(parts, shape))  # type: ignore[arg-type]
    chain.axes = tuple(axis for axis, _ in places)
    chain.places = tuple(place % shape[axis] for axis, place in places)
    return chain


def _item(one: Any) -> Any:
    return read(one) if isinstance(one, Recorded) else one


def _plain_slice(part: slice | None) -> slice | None:
    if part is None:
        return None
    given = (part.start, part.stop, part.step)
    bounds = [b if b is None or type(b) is int or not hasattr(b, "__index__") else b.__index__() for b in given]
    return slice(*bounds)


def _integers(seen: Tensor, axes: list[int], arrays: list[Any]) -> tuple[list[int], list[Any]]:
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
            places = np.nonzero(_item(array))
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


@operation(grad="IndexBackward0")
def _indexed(input: Tensor, indices: Sequence[Tensor], axes: Raw) -> Tensor:
    return emit(Index(axes), input, *_aligned(indices))


def _aligned(indices: Sequence[Tensor]) -> list[Tensor]:
    shape = broadcast(*(tuple(index.shape) for index in indices))
    return [stretched(cast(index, dtypes.int64), shape) for index in indices]


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
        seen, _, _ = _split(self, index)
        if index.__class__ is slice and not all(one is None or one.__class__ is int for one in key[1:]):
            return seen  # a tensor as a bound: its value may change
        if len(_known_chains) >= _CHAINS:
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
    seen, axes, arrays = _split(self, index)
    if not arrays:
        return seen
    axes, arrays = _integers(seen, axes, arrays)
    if _all_known(seen, arrays):
        values = [np.asarray(_item(array)) for array in arrays]
        return from_array(np.array(_checked(read(seen), axes, values)))
    return _indexed(seen, [_tensor(array) for array in arrays], tuple(axes))


def _all_known(seen: Tensor, arrays: Sequence[Any]) -> bool:
    """Whether indexing can be done at once: all values are known, and no gradient flows."""
    if seen._node is not None or (seen._spec.requires_grad and state.grad) or not is_current(seen):
        return False
    return all(is_current(array) for array in arrays if isinstance(array, Recorded))


def _place(rank: int, axes: Sequence[int], values: Sequence[Any]) -> tuple[Any, ...]:
    place: list[Any] = [slice(None)] * rank
    for axis, value in zip(axes, values, strict=True):
        place[axis] = value
    return tuple(place)


def _checked(array: np.ndarray[Any, Any], axes: Sequence[int], values: Sequence[Any]) -> np.ndarray[Any, Any]:
    try:
        return np.asarray(array[_place(array.ndim, axes, values)])
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


def _tensor(array: Any) -> Tensor:
    return array if isinstance(array, Recorded) else from_array(np.asarray(array))  # type: ignore[return-value]


@operation(grad="IndexPutBackward0")
def _with_put(
    input: Tensor, value: Tensor | Number, indices: Sequence[Tensor], axes: Raw, accumulate: bool = False
) -> Tensor:
    aligned = _aligned(indices)
    shape = emit(Index(axes), input, *aligned).shape
    value = stretched(as_tensor_of(value, input.dtype), tuple(shape))
    return emit((IndexAdd if accumulate else IndexPut)(axes), input, value, *aligned)


@operation(grad="WhereBackward0")
def _with_masked(input: Tensor, mask: Tensor, value: Tensor | Number) -> Tensor:
    shape = tuple(input.shape)
    if mask.dtype is not dtypes.bool_:
        mask = emit(Equal(), cast(mask, dtypes.int64), stretched(as_tensor_of(1, dtypes.int64), tuple(mask.shape)))
    inner = (1,) * (len(shape) - len(mask.shape))
    spread = stretched(emit(Reshape((*mask.shape, *inner)), mask), shape)
    return emit(Where(), spread, stretched(as_tensor_of(value, input.dtype), shape), input)


def setitem(self: Tensor, index: Any, value: Any) -> None:
    """Change the part of a tensor that an index shows.

    Raises:
        InPlaceError: as all in-place changes of leaves that require grad.
        ShapeError: the value does not stretch to the part.
    """
    if isinstance(value, np.ndarray | np.generic):
        value = from_array(np.asarray(value))
    elif not isinstance(value, Recorded | int | float):
        _check_assignable(self, value)
    seen, axes, arrays = _split(self, index)
    if not arrays:
        _write(self, seen, value)
        return
    if isinstance(value, Recorded) and value._spec.dtype is not self._spec.dtype:
        _check_one_type(self, value, arrays)
    if _write_now(seen, axes, arrays, value):
        return
    elif len(arrays) == 1 and axes == [0] and _masks(arrays[0]) and _fits_beside(value, seen, arrays[0]):
        assign(seen, _with_masked(seen, _tensor(arrays[0]), value))
    else:
        axes, arrays = _integers(seen, axes, arrays)
        if arrays[0].shape[0] if arrays[0].shape else True:
            assign(seen, _with_put(seen, _unpadded(value), [_tensor(array) for array in arrays], tuple(axes)))


def _check_assignable(tensor: Tensor, value: Any) -> None:
    """Raise unless a value that is no tensor or real number is a complex number in a complex tensor."""
    kind = tensor._spec.dtype
    if not isinstance(value, complex):
        raise OperandError(
            f"indexed assignment: can't assign a {type(value).__name__} to a torch.{kind.name} tensor. Fix: assign a "
            "number or a tensor."
        )
    if kind.category < dtypes.COMPLEX:
        raise RangeError(
            f"indexed assignment: value cannot be converted to type {kind.name} without overflow: {value} is complex. "
            "Fix: assign value.real."
        )


def _check_one_type(tensor: Tensor, value: Recorded, arrays: Sequence[Any]) -> None:
    """Raise where a value must have the tensor's type: not for one number at the places of a mask or at one place."""
    one = value._spec.type.elements == 1 and (_masks(arrays[0]) or all(not np.shape(array) for array in arrays))
    if not one:
        raise DTypeError(
            "indexed assignment: Index put requires the source and destination dtypes match, got "
            f"{tensor._spec.dtype} for the destination and {value._spec.dtype} for the source. Fix: "
            f"value.to({tensor._spec.dtype})."
        )


def _masks(array: Any) -> bool:
    record = array._spec.dtype if isinstance(array, Recorded) else dtypes.of_numpy(array.dtype)
    return record.category == BOOL


def _fits_beside(value: Any, seen: Tensor, mask: Any) -> bool:
    """Whether a value is the same for all true places of a mask over the first axes."""
    if not isinstance(value, Recorded):
        return True
    return len(value._spec.shape) <= len(seen.shape) - len(mask.shape)


def _unpadded(value: Any) -> Any:
    """A value without leading axes of size 1, which an assignment may have too many of."""
    while isinstance(value, Recorded) and len(value._spec.shape) > 0 and value._spec.shape[0] == 1:
        value = value.squeeze(0)  # type: ignore[attr-defined]
    return value


def _is_filled(part: Tensor, value: Any) -> bool:
    """Whether a part of memory gets a value that is yet to be computed, with no gradient about: it is computed now.

    Loops fill memory so, part by part. Recorded to its end, such a loop would make as many versions of the memory, and
    one long path for each number of turns; cut here, each turn is the same short one.
    """
    rec, root = state.rec, part.root
    return (
        isinstance(value, Recorded)
        and rec is not None
        and value._rec is rec
        and value._pos >= 0
        and part is not root
        and is_current(root)
        and not root._spec.requires_grad
        and not any(one is not None and one._spec.requires_grad for one in rec.created)
    )


def _write(whole: Tensor, seen: Tensor, value: Any) -> None:
    if isinstance(value, Recorded):
        if _is_there(seen, value):
            return
        check_overlap(seen, value)
    value = _unpadded_to(value, len(seen.shape))
    if is_free(seen, value) or _is_filled(seen, value):
        overwrite(seen, _item(value))
    else:
        assign(seen, value)


def _is_there(seen: Tensor, value: Recorded) -> bool:
    """Whether a value is the very part of memory that it is assigned to, as in `x[i] += y`, with no gradient about."""
    base = value._base
    if base is None or base is not seen._base or base._spec.requires_grad:
        return False
    return value._spec is seen._spec and not seen._spec.requires_grad and value._chain == seen._chain


def _unpadded_to(value: Any, rank: int) -> Any:
    while isinstance(value, Recorded) and len(value._spec.shape) > rank and value._spec.shape[0] == 1:
        value = value.squeeze(0)  # type: ignore[attr-defined]
    return value


def _write_now(seen: Tensor, axes: list[int], arrays: list[Any], value: Any) -> bool:
    if not is_free(seen, value) or not all(is_current(array) for array in arrays if isinstance(array, Recorded)):
        return False
    axes, arrays = _integers(seen, axes, arrays)
    values = [np.asarray(_item(array)) for array in arrays]
    target = read(seen)
    _checked(target, axes, values)
    try:
        target[_place(target.ndim, axes, values)] = _item(value)
    except ValueError:
        given, wanted = list(np.shape(_item(value))), list(target[_place(target.ndim, axes, values)].shape)
        raise IndexOutOfRange(
            f"indexed assignment: shape mismatch: value tensor of shape {given} cannot be broadcast to indexing result "
            f"of shape {wanted}. Fix: give one value, or as many as the index selects."
        ) from None
    touch(seen)
    return True


def index_put(input: Tensor, indices: Sequence[Tensor | None], values: Tensor, accumulate: bool = False) -> Tensor:
    """`input` with the places that index arrays show replaced by (or increased by) values. As `torch.index_put`."""
    seen, axes, arrays = _split(input, tuple(slice(None) if one is None else one for one in indices))
    axes, arrays = _integers(seen, axes, arrays)
    return _with_put(input, values, [_tensor(array) for array in arrays], tuple(axes), accumulate)


def index_put_(self: Tensor, indices: Sequence[Tensor | None], values: Tensor, accumulate: bool = False) -> Tensor:
    """In-place form of `index_put`."""
    return assign(self, index_put(self, indices, values, accumulate))


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
