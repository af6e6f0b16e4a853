"""x[...] = v in all its forms, and `index_put`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam import dtypes
from kadam.dtypes import BOOL
from kadam.errors import DTypeError, OperandError, RangeError, ShapeError
from kadam.ops.index_parts import aligned, index_tensor, place_of, shown_at, split_index, value_of, without_masks
from kadam.ops.promotion import as_tensor_of, cast, stretched
from kadam.primitives.compare import Equal
from kadam.primitives.elementwise import Where
from kadam.primitives.index import Index, IndexAdd, IndexPut
from kadam.primitives.move import Reshape
from kadam.recording.calls import emit
from kadam.recording.in_place import is_free
from kadam.recording.layout import check_overlap
from kadam.recording.memory import assign
from kadam.recording.operation import Raw, operation
from kadam.recording.step import state
from kadam.recording.tensor import Recorded, check_mode, from_array, is_current, overwrite, read, touch

if TYPE_CHECKING:
    from kadam.recording.tensor import Number
    from kadam.tensor import Tensor


@operation(grad="IndexPutBackward0")
def _with_put(
    input: Tensor, value: Tensor | Number, indices: Sequence[Tensor], axes: Raw, accumulate: bool = False
) -> Tensor:
    places = aligned(indices)
    shape = emit(Index(axes), input, *places).shape
    value = stretched(as_tensor_of(value, input.dtype), tuple(shape))
    return emit((IndexAdd if accumulate else IndexPut)(axes), input, value, *places)


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
    seen, axes, arrays = split_index(self, index)
    if not arrays:
        _write(self, seen, value)
        return
    if isinstance(value, Recorded) and value._spec.dtype is not self._spec.dtype:
        _check_one_type(self, value, arrays)
    if _write_now(seen, axes, arrays, value):
        return
    if len(arrays) == 1 and axes == [0] and _masks(arrays[0]) and _fits_beside(value, seen, arrays[0]):
        assign(seen, _with_masked(seen, index_tensor(arrays[0]), value))
    else:
        axes, arrays = without_masks(seen, axes, arrays)
        if arrays[0].shape[0] if arrays[0].shape else True:
            assign(seen, _with_put(seen, _unpadded(value), [index_tensor(array) for array in arrays], tuple(axes)))
        else:
            _check_fits(seen, axes, arrays, value)


def _check_fits(seen: Tensor, axes: list[int], arrays: list[Any], value: Any) -> None:
    """Raise unless a value stretches to a part without elements."""
    values = [np.asarray(value_of(array)) for array in arrays]
    wanted = np.empty(tuple(seen.shape), np.bool_)[place_of(len(seen.shape), axes, values)].shape
    given = tuple(value.shape) if isinstance(value, Recorded) else ()
    try:
        fits = np.broadcast_shapes(given, wanted) == wanted
    except ValueError:
        fits = False
    if not fits:
        raise _misfit(given, wanted)


def _misfit(given: Sequence[int], wanted: Sequence[int]) -> ShapeError:
    return ShapeError(
        f"indexed assignment: shape mismatch: value tensor of shape {list(given)} cannot be broadcast to indexing "
        f"result of shape {list(wanted)}. Fix: give one value, or as many as the index selects."
    )


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


def _unpadded(value: Any, rank: int = 0) -> Any:
    """A value without leading axes of size 1, of which an assignment may have too many; `rank` axes stay."""
    while isinstance(value, Recorded) and len(value._spec.shape) > rank and value._spec.shape[0] == 1:
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
            check_mode(seen)
            touch(seen)  # PyTorch copies it onto itself
            return
        if value._spec.shape == seen._spec.shape:
            check_overlap(seen, value)
    value = _unpadded(value, len(seen.shape))
    if is_free(seen, value) or _is_filled(seen, value):
        overwrite(seen, value_of(value))
    else:
        assign(seen, value)


def _is_there(seen: Tensor, value: Recorded) -> bool:
    """Whether a value is the very part of memory that it is assigned to, as in `x[i] += y`, with no gradient about."""
    base = value._base
    if base is None or base is not seen._base or base._spec.requires_grad:
        return False
    return value._spec is seen._spec and not seen._spec.requires_grad and value._chain == seen._chain


def _write_now(seen: Tensor, axes: list[int], arrays: list[Any], value: Any) -> bool:
    if not is_free(seen, value) or not all(is_current(array) for array in arrays if isinstance(array, Recorded)):
        return False
    check_mode(seen)
    axes, arrays = without_masks(seen, axes, arrays)
    values = [np.asarray(value_of(array)) for array in arrays]
    target = read(seen)
    shown_at(target, axes, values)
    try:
        target[place_of(target.ndim, axes, values)] = value_of(value)
    except ValueError:
        wanted = target[place_of(target.ndim, axes, values)].shape
        raise _misfit(np.shape(value_of(value)), wanted) from None
    touch(seen)
    return True


def index_put(input: Tensor, indices: Sequence[Tensor | None], values: Tensor, accumulate: bool = False) -> Tensor:
    """`input` with the places that index arrays show replaced by (or increased by) values. As `torch.index_put`."""
    seen, axes, arrays = split_index(input, tuple(slice(None) if one is None else one for one in indices))
    axes, arrays = without_masks(seen, axes, arrays)
    return _with_put(input, values, [index_tensor(array) for array in arrays], tuple(axes), accumulate)


def index_put_(self: Tensor, indices: Sequence[Tensor | None], values: Tensor, accumulate: bool = False) -> Tensor:
    """In-place form of `index_put`."""
    return assign(self, index_put(self, indices, values, accumulate))
