"""Elements taken from and put to places that an index tensor names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kadam import dtypes
from kadam.dtypes import BOOL, INTEGER
from kadam.errors import AxisError, DTypeError, ShapeError
from kadam.ops.compare import where
from kadam.ops.promotion import as_tensor_of, cast, constant, stretched
from kadam.primitives import index as p
from kadam.primitives.move import Insert, Reshape, Slice
from kadam.recording.calls import emit
from kadam.recording.in_place import in_place
from kadam.recording.memory import assign
from kadam.recording.operation import operation
from kadam.recording.tensor import Recorded, from_array, read
from kadam.shapes import axis_of, broadcast, count

if TYPE_CHECKING:
    from kadam.recording.tensor import Number
    from kadam.tensor import Tensor


def _places(name: str, index: Tensor) -> Tensor:
    """In a body: an index as i64.

    Raises:
        DTypeError: it holds no whole numbers.
    """
    if index.dtype.category != INTEGER:
        raise DTypeError(f"{name}(): Expected dtype int64 for index, but got {index.dtype}. Fix: index.long().")
    return cast(index, dtypes.int64)


def _within(name: str, input: Tensor, index: Tensor, axis: int) -> Tensor:
    """In a body: `input` cut down to the index's size on all other axes.

    Raises:
        ShapeError: the index has more axes, or goes beyond the input.
    """
    shape, wanted = list(input.shape), list(index.shape)
    if len(shape) != len(wanted):
        raise ShapeError(
            f"{name}(): Index tensor must have the same number of dimensions as input tensor. Fix: unsqueeze() the "
            "index to as many axes."
        )
    for other, (own, size) in enumerate(zip(shape, wanted, strict=True)):
        if other != axis and size > own:
            raise ShapeError(
                f"gather: Size does not match at dimension {other} expected index {wanted} to be no larger than self "
                f"{shape} apart from dimension {axis}. Fix: slice the index, or gather along another dim."
            )
    stops = tuple(own if other == axis else size for other, (own, size) in enumerate(zip(shape, wanted, strict=True)))
    if stops == tuple(shape):
        return input
    return emit(Slice((0,) * len(stops), stops, (1,) * len(stops)), input)


@operation
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """input[i][index[i][j]] for dim 1, and so on. As `torch.gather`.

    Raises:
        IndexOutOfRange: (when computed) an index beyond the axis.
    """
    axis = axis_of(dim, len(input.shape))
    places = _places("gather", index)
    if not input.shape:
        return stretched(input, tuple(index.shape))
    if not count(index.shape):
        line = emit(Reshape((count(input.shape),)), input)
        return emit(Reshape(tuple(index.shape)), emit(Slice((0,), (0,), (1,)), line))
    return emit(p.Gather(axis), _within("gather", input, places, axis), places)


@operation(grad="GatherBackward0")
def _take_along_dim(input: Tensor, indices: Tensor, dim: int) -> Tensor:
    axis = axis_of(dim, len(input.shape))
    shape = [max(a, b) for a, b in zip(input.shape, indices.shape, strict=True)]
    wide = stretched(input, tuple(input.shape[axis] if a == axis else s for a, s in enumerate(shape)))
    places = stretched(indices, tuple(indices.shape[axis] if a == axis else s for a, s in enumerate(shape)))
    wrapped = where(places < 0, places + input.shape[axis], places)
    return emit(p.Gather(axis), wide, _places("take_along_dim", wrapped))


def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """`gather` with the two stretched to each other; of the flattened tensors by default. As `torch.take_along_dim`."""
    if dim is None:
        return _take_along_dim(input.reshape(-1), indices.reshape(-1), 0)
    return _take_along_dim(input, indices, dim)


@operation(grad="IndexSelectBackward0")
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices of an axis that an index names. As `torch.index_select`.

    Raises:
        ShapeError: the index has several axes.
        IndexOutOfRange: (when computed) an index beyond the axis.
    """
    if len(index.shape) > 1:
        raise AxisError("index_select(): Index is supposed to be a vector. Fix: index.flatten().")
    axis = axis_of(dim, len(input.shape))
    places = _places("index_select", index)
    if not input.shape:
        return input * 1
    flat = emit(Reshape((1,)), places) if not places.shape else places
    return emit(p.Index((axis,), False), input, flat)


@operation
def take(input: Tensor, index: Tensor) -> Tensor:
    """The elements at places of the flattened tensor. As `torch.take`."""
    flat = emit(Reshape((count(input.shape),)), input)
    return emit(p.Index((0,), True), flat, _places("take", index))


def _base_part(input: Tensor, index: Tensor, src: Any, axis: int, name: str) -> tuple[Any, Tensor]:
    """In a body: the values to be put, of the index's shape and the input's type, and the index."""
    places = _places(name, index)
    if not getattr(src, "shape", ()):
        return stretched(as_tensor_of(src, input.dtype), tuple(index.shape)), places
    if src.dtype is not input.dtype:
        raise DTypeError(f"{name}(): Expected self.dtype to be equal to src.dtype. Fix: src.to(self.dtype).")
    shape = tuple(index.shape)
    if len(src.shape) != len(shape) or any(own < size for own, size in zip(src.shape, shape, strict=True)):
        raise ShapeError(
            f"{name}(): Expected index {list(shape)} to be no larger than self {list(input.shape)} apart from "
            f"dimension {axis} and to be no larger size than src {list(src.shape)}. Fix: give an index of at most "
            "their sizes."
        )
    if tuple(src.shape) != shape:
        src = emit(Slice((0,) * len(shape), shape, (1,) * len(shape)), src)
    return src, places


def _put(input: Tensor, dim: int, index: Tensor, src: Any, name: str, primitive: Any) -> Tensor:
    if not input.shape:
        lifted = emit(Reshape((1,)), input)
        lifted = _put(lifted, 0, emit(Reshape((count(index.shape),)), index), src, name, primitive)
        return emit(Reshape(()), lifted)
    axis = axis_of(dim, len(input.shape))
    value, places = _base_part(input, index, src, axis, name)
    return emit(primitive(axis), input, value, places)


_REDUCTIONS: dict[str, Any] = {
    "add": p.ScatterAdd,
    "sum": p.ScatterAdd,
    "multiply": lambda axis: p.ScatterReduce(axis, "prod"),
    "prod": lambda axis: p.ScatterReduce(axis, "prod"),
    "amax": lambda axis: p.ScatterReduce(axis, "amax"),
    "amin": lambda axis: p.ScatterReduce(axis, "amin"),
}


@operation(grad="ScatterBackward0")
def scatter(input: Tensor, dim: int, index: Tensor, src: Tensor | Number, *, reduce: str | None = None) -> Tensor:
    """`input` with src[i][j] put at [index[i][j]][j] for dim 0, and so on. As `torch.scatter`."""
    return _put(input, dim, index, src, "scatter", p.Scatter if reduce is None else _REDUCTIONS[reduce])


@operation
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """`input` with src[i][j] added at [index[i][j]][j] for dim 0, and so on. As `torch.scatter_add`."""
    return _put(input, dim, index, src, "scatter_add", p.ScatterAdd)


@operation
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """`input` combined with src at the places of an index, by sum, prod, mean, amax or amin. As `torch.scatter_reduce`.

    Raises:
        ShapeError: another reduction.
    """
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise ShapeError(
            "scatter_reduce: reduce argument must be either sum, prod, mean, amax or amin. Fix: reduce='sum'."
        )
    one = constant(1, input.dtype, tuple(index.shape))
    base = input
    if not include_self:
        neutral = {"prod": 1, "amax": float("-inf"), "amin": float("inf")}.get(reduce, 0)
        if input.dtype.category < dtypes.FLOAT and reduce in ("amax", "amin"):
            limits = dtypes.iinfo(input.dtype)
            neutral = limits.min if reduce == "amax" else limits.max
        base = _put(input, dim, index, neutral, "scatter_reduce", p.Scatter)
    if reduce != "mean":
        return _put(base, dim, index, src, "scatter_reduce", _REDUCTIONS[reduce])
    total = _put(base, dim, index, src, "scatter_reduce", p.ScatterAdd)
    count_base = constant(1 if include_self else 0, input.dtype, tuple(input.shape))
    if not include_self:
        count_base = constant(0, input.dtype, tuple(input.shape))
    times = _put(count_base, dim, index, one, "scatter_reduce", p.ScatterAdd).clamp(min=1)
    return total / times if input.dtype.category >= dtypes.FLOAT else total // times


def _rows(input: Tensor, index: Tensor, axis: int, name: str) -> Tensor:
    places = _places(name, index)
    if len(places.shape) > 1:
        raise AxisError(
            f"{name}(): Index is supposed to be a vector, but got dim: {len(places.shape)}. Fix: index.flatten()."
        )
    return emit(Reshape((1,)), places) if not places.shape else places


def _on_rows(primitive: Any, input: Tensor, value: Tensor, places: Tensor) -> Tensor:
    """In a body: slices put to the places of an axis; a number counts as a vector of one."""
    if not value.shape and input.shape:
        value = stretched(value, (1,) * len(input.shape))
    if input.shape:
        return emit(primitive, input, value, places)
    line = emit(Reshape((1,)), value) if not value.shape else value
    return emit(Reshape(()), emit(primitive, emit(Reshape((1,)), input), line, places))


@operation
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Number = 1) -> Tensor:
    """`input` with slices added at the places of an axis that an index names. As `torch.index_add`.

    Raises:
        DTypeError: the two have different types.
    """
    if source.dtype is not input.dtype:
        raise DTypeError(
            f"index_add_(): self ({input.dtype}) and source ({source.dtype}) must have the same scalar type. Fix: "
            f"source.to({input.dtype})."
        )
    axis = axis_of(dim, len(input.shape))
    value = source if not isinstance(alpha, Recorded) and alpha == 1 else (source * alpha).to(input.dtype)
    return _on_rows(p.IndexAdd((axis,), False), input, value, _rows(input, index, axis, "index_add"))


@operation
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """`input` with slices put at the places of an axis that an index names. As `torch.index_copy`."""
    axis = axis_of(dim, len(input.shape))
    return _on_rows(p.IndexPut((axis,), False), input, source, _rows(input, index, axis, "index_copy"))


@operation
def index_fill(input: Tensor, dim: int, index: Tensor, value: Tensor | Number) -> Tensor:
    """`input` with the slices of an axis that an index names set to `value`. As `torch.index_fill`."""
    axis = axis_of(dim, len(input.shape))
    places = _rows(input, index, axis, "index_fill")
    shape = (*input.shape[:axis], places.shape[0], *input.shape[axis + 1 :])
    return _on_rows(p.IndexPut((axis,)), input, stretched(as_tensor_of(value, input.dtype), shape), places)


def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """`input` with the elements of `source`, in order, where the mask is true. As `torch.masked_scatter`.

    Raises:
        ShapeError: the source has too few elements.
    """
    from kadam.ops.index_put import index_put

    if mask.dtype.category != BOOL:
        raise DTypeError(
            f"masked_scatter: masked_scatter_ only supports boolean masks, but got mask with dtype {mask.dtype}. Fix: "
            "mask.bool()."
        )
    shape = broadcast(tuple(input.shape), tuple(mask.shape))
    input, wide = input.expand(shape), mask.expand(shape)
    places = np.nonzero(read(wide))
    needed = len(places[0]) if places else int(read(wide))
    if needed > source.numel():
        raise ShapeError(
            "masked_scatter: expected self and source to have same dtypes and enough source elements. Fix: "
            "source.to(self.dtype), with at least as many elements as the mask has True."
        )
    return index_put(input, [from_array(place) for place in places], source.reshape(-1)[:needed])


def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """`input` with one element of an axis replaced by `src`. As `torch.select_scatter`."""
    result = input.clone()
    result.select(dim, index).copy_(src)
    return result


def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """`input` with the diagonal of two axes replaced by `src`. As `torch.diagonal_scatter`.

    Raises:
        ShapeError: `src` has another shape than the diagonal.
    """
    result = input.clone()
    part = result.diagonal(offset, dim1, dim2)
    if part.shape != src.shape:
        raise ShapeError(
            f"diagonal_scatter: expected src to have a size equal to the slice of self. src size = {list(src.shape)}, "
            f"slice size = {list(part.shape)}. Fix: src.reshape({list(part.shape)})."
        )
    part.copy_(src)
    return result


def index_reduce(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """`input` combined with slices at the places of an axis, by prod, mean, amax or amin. As `torch.index_reduce`.

    Raises:
        AxisError: the index has several axes.
        ShapeError: another reduction, or not one slice for each place.
    """
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise ShapeError(
            f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got {reduce}. Fix: 'prod'."
        )
    if len(index.shape) > 1:
        raise AxisError("index_reduce(): Index is supposed to be a vector. Fix: index.flatten().")
    if not input.shape:
        line = index_reduce(input.reshape(1), 0, index, source.reshape(-1), reduce, include_self=include_self)
        return line.reshape(())
    axis = axis_of(dim, len(input.shape))
    if source.shape[axis] != index.numel():
        raise ShapeError(
            f"index_reduce(): Number of indices ({index.numel()}) should be equal to source.size(dim): "
            f"({source.shape[axis]}). Fix: one index for each slice."
        )
    places = index.long().reshape([-1 if one == axis else 1 for one in range(len(input.shape))]).expand(source.shape)
    return scatter_reduce(input, axis, places, source, reduce, include_self=include_self)


def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """`input` with a slice of an axis replaced by `src`. As `torch.slice_scatter`."""
    axis = axis_of(dim, len(input.shape))
    size = input.shape[axis]
    begin, stop, _ = slice(start, end).indices(size)
    if step < 1:
        raise ShapeError(f"slice_scatter: slice step must be positive, but got {step}. Fix: step=1.")
    return _slice_scatter(input, src, axis, begin, max(begin, stop), step)


@operation(grad="SliceScatterBackward0")
def _slice_scatter(input: Tensor, src: Tensor, axis: int, start: int, stop: int, step: int) -> Tensor:
    shape = tuple(input.shape)
    expected = (*shape[:axis], len(range(start, stop, step)), *shape[axis + 1 :])
    if tuple(src.shape) != expected:
        raise ShapeError(
            f"slice_scatter: expected src to have a size equal to the slice of self. src size = {list(src.shape)}, "
            f"slice size = {list(expected)}. Fix: src.reshape({list(expected)})."
        )
    starts, stops, steps = [0] * len(shape), list(shape), [1] * len(shape)
    starts[axis], stops[axis], steps[axis] = start, stop, step
    return emit(Insert(tuple(starts), tuple(stops), tuple(steps)), input, cast(src, input.dtype))


def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """Elements put at places of the flattened tensor. As `torch.put`.

    Raises:
        DTypeError: the two have different types.
    """
    return put_(input.clone(), index, source, accumulate)


def put_(self: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """Elements put at places of the flattened tensor. As `Tensor.put_`."""
    from kadam.ops.index_put import index_put

    flat = index_put(self.reshape(-1), [index.reshape(-1)], source.reshape(-1), accumulate)
    return assign(self, flat.reshape(self.shape))


scatter_, scatter_add_, scatter_reduce_ = in_place(scatter), in_place(scatter_add), in_place(scatter_reduce)
index_add_, index_copy_, index_fill_ = in_place(index_add), in_place(index_copy), in_place(index_fill)
index_reduce_ = in_place(index_reduce)
masked_scatter_ = in_place(masked_scatter)
