"""Broadcasting and axis arithmetic on plain tuples of ints."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kadam.errors import AxisError, OperandError, ShapeError

Shape = tuple[int, ...]


def axis_of(axis: int, rank: int) -> int:
    """The axis as a number in [0, rank). A 0-d tensor answers to axis 0 and -1, as in PyTorch.

    Raises:
        AxisError: the axis is outside [-rank, rank - 1].
    """
    span = max(rank, 1)
    if axis.__class__ is not int:
        axis = _whole(axis)
    if not -span <= axis < span:
        raise AxisError(
            f"Dimension out of range (expected to be in range of [{-span}, {span - 1}], but got {axis}). Fix: an axis "
            f"from {-span} to {span - 1}."
        )
    return axis % span


def _whole(axis: Any) -> int:
    if not hasattr(axis, "__index__"):
        raise OperandError(f"argument 'dim' must be int, not {type(axis).__name__} ({axis!r}). Fix: dim=0.")
    return int(axis.__index__())


def axes_of(axes: int | Sequence[int] | None, rank: int) -> tuple[int, ...]:
    """Axes, sorted, each in [0, rank); None or an empty sequence means all of them.

    Raises:
        AxisError: an axis is outside [-rank, rank - 1].
        ShapeError: an axis is named twice.
    """
    if axes is None:
        return tuple(range(rank))
    if isinstance(axes, int) or not hasattr(axes, "__len__"):
        axes = (_whole(axes),)
    if len(axes) == 0:
        return tuple(range(rank))
    found = sorted(axis_of(axis, rank) for axis in axes)
    for one, other in zip(found, found[1:], strict=False):
        if one == other:
            raise ShapeError(f"dim {one} appears multiple times in the list of dims. Fix: name each axis once.")
    return tuple(axis for axis in found if axis < rank)


def broadcast(*shapes: Shape) -> Shape:
    """The shape to which all `shapes` stretch, aligned at the last axis.

    Raises:
        ShapeError: two sizes on one axis differ and neither is 1.
    """
    rank = max((len(shape) for shape in shapes), default=0)
    result = [1] * rank
    for shape in shapes:
        offset = rank - len(shape)
        for axis, size in enumerate(shape):
            seen = result[offset + axis]
            if seen == 1:
                result[offset + axis] = size
            elif size not in (1, seen):
                raise ShapeError(
                    f"The size of tensor a ({seen}) must match the size of tensor b ({size}) "
                    f"at non-singleton dimension {offset + axis}. "
                    "Fix: give both the same size there, or one of them size 1 (unsqueeze, keepdim=True)"
                )
    return tuple(result)


def count(shape: Sequence[int]) -> int:
    """How many elements a tensor of this shape has."""
    return math.prod(shape)


def without(shape: Shape, axes: Sequence[int]) -> Shape:
    """The shape that is left when the named axes are dropped."""
    dropped = set(axes)
    return tuple(size for axis, size in enumerate(shape) if axis not in dropped)


def kept(shape: Shape, axes: Sequence[int]) -> Shape:
    """The shape with the named axes reduced to size 1."""
    reduced = set(axes)
    return tuple(1 if axis in reduced else size for axis, size in enumerate(shape))


def with_inferred(sizes: Sequence[int], elements: int) -> Shape:
    """`sizes` with its one -1 replaced so that the shape holds `elements`.

    Raises:
        ShapeError: more than one -1, a size below -1, or no size fits.
    """
    shape = tuple(int(size) for size in sizes)
    unknown = [axis for axis, size in enumerate(shape) if size == -1]
    if len(unknown) > 1:
        raise ShapeError("only one dimension can be inferred. Fix: write -1 for one axis only.")
    if any(size < -1 for size in shape):
        index = next(index for index, size in enumerate(shape) if size < -1)
        raise ShapeError(
            f"invalid shape dimension {shape[index]} at index {index} of shape {list(shape)}. Fix: give sizes "
            "of at least 0, -1 for one that is inferred."
        )
    known = math.prod(size for size in shape if size != -1)
    if not unknown:
        if known != elements:
            raise ShapeError(
                f"shape '{list(shape)}' is invalid for input of size {elements}. Fix: give sizes whose "
                f"product is {elements}."
            )
        return shape
    if known == 0:
        raise ShapeError(
            f"cannot reshape tensor of {elements} elements into shape {list(shape)} because the unspecified dimension "
            "size -1 can be any value and is ambiguous. Fix: give every size."
        )
    if elements % known:
        raise ShapeError(
            f"shape '{list(shape)}' is invalid for input of size {elements}. Fix: give sizes whose product "
            f"divides {elements}."
        )
    return tuple(elements // known if size == -1 else size for size in shape)


def contiguous_strides(shape: Sequence[int]) -> tuple[int, ...]:
    """Strides, in elements, of a row-major tensor (as `torch.Tensor.stride` of a contiguous tensor)."""
    strides = [1] * len(shape)
    for axis in range(len(shape) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * max(shape[axis + 1], 1)
    return tuple(strides)
