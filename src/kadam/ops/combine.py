"""Tensors put together and parts put elsewhere: concatenation, stacking, repeating, turning, triangles."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam import dtypes
from kadam.errors import OperandError, ShapeError
from kadam.ops.fill import into
from kadam.ops.numpy_names import numpy_names
from kadam.ops.out import check_apart
from kadam.ops.promotion import cast, constant, result_type, stretched
from kadam.ops.shape import diagonal, sizes_of
from kadam.primitives.compare import LessEqual
from kadam.primitives.elementwise import Add, Where
from kadam.primitives.move import Concat, DiagonalInsert, Flip, Reshape
from kadam.primitives.sources import Iota
from kadam.recording.arguments import guarded
from kadam.recording.calls import emit, symbol
from kadam.recording.in_place import in_place
from kadam.recording.operation import operation
from kadam.recording.order import as_all, as_operands, laid
from kadam.recording.precision import listed
from kadam.recording.step import state
from kadam.recording.tensor import Recorded, from_array, is_current, read
from kadam.shapes import axis_of

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class EmptyListError(ShapeError, ValueError):
    """Nothing to put together."""


@operation(grad="CatBackward0", order=as_all)
def _cat(tensors: Sequence[Tensor], dim: int) -> Tensor:
    record = result_type(*tensors)
    shapes = [tuple(one.shape) for one in tensors]
    shape = next((one for one in shapes if one != (0,)), (0,))
    rank = len(shape)
    axis = 0 if shape == (0,) else axis_of(dim, rank)
    if rank == 0:
        raise ShapeError(
            "cat: zero-dimensional tensor (at position 0) cannot be concatenated. Fix: torch.stack, or unsqueeze(0) "
            "each."
        )
    empty = (*shape[:axis], 0, *shape[axis + 1 :])  # what an empty vector counts as, whatever the shape of the others
    parts = [cast(one, record) for one in tensors]
    parts = [emit(Reshape(empty), one) if tuple(one.shape) == (0,) and rank > 1 else one for one in parts]
    for position, part in enumerate(parts):
        if len(part.shape) != rank:
            raise ShapeError(
                f"cat: Tensors must have same number of dimensions: got {rank} and {len(part.shape)}. Fix: unsqueeze() "
                "the tensors with fewer axes."
            )
        for other in range(rank):
            if other != axis and part.shape[other] != shape[other]:
                raise ShapeError(
                    f"cat: Sizes of tensors must match except in dimension {axis}. Expected size "
                    f"{shape[other]} but got size {part.shape[other]} for tensor number {position} in the "
                    "list. Fix: give another dim, or slice or pad the other axes."
                )
    return emit(Concat(axis), *parts)


@operation(grad="StackBackward0")
def _stack(tensors: Sequence[Tensor], dim: int) -> Tensor:
    record = result_type(*tensors)
    shape = tuple(tensors[0].shape)
    axis = axis_of(dim, len(shape) + 1)
    parts = []
    for position, one in enumerate(tensors):
        if tuple(one.shape) != shape:
            raise ShapeError(
                f"stack: stack expects each tensor to be equal size, but got {list(shape)} at entry 0 and "
                f"{list(one.shape)} at entry {position}. Fix: pad or slice them to one shape, or cat along the axis "
                "that differs."
            )
        parts.append(emit(Reshape((*shape[:axis], 1, *shape[axis:])), cast(one, record)))
    return emit(Concat(axis), *parts)


def _known(tensors: Any) -> bool:
    """Whether all values are there and no gradient flows: then moving them needs no recording."""
    for one in tensors:
        if one.__class__ is list or not isinstance(one, Recorded) or one._node is not None:
            return False
        if (one._spec.requires_grad and state.grad) or not is_current(one):
            return False
    return True


def _listed(name: str, tensors: Any) -> list[Any]:
    if isinstance(tensors, Recorded) or not hasattr(tensors, "__iter__"):
        kind = "Tensor" if isinstance(tensors, Recorded) else type(tensors).__name__
        raise OperandError(
            f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not {kind}. Fix: put the tensor in a "
            f"list: torch.{name}([x])."
        )
    found = list(tensors)
    if not found:
        if name == "cat":
            raise EmptyListError("torch.cat(): expected a non-empty list of Tensors. Fix: give at least one tensor.")
        raise ShapeError(f"{name} expects a non-empty TensorList. Fix: give at least one tensor.")
    return found


@numpy_names
def cat(tensors: Any, dim: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Tensors joined along an axis. As `torch.cat`.

    Raises:
        ShapeError: they differ in another axis, or there are none.
    """
    parts = _listed("cat", tensors)
    if out is not None:
        check_apart(cat, out, parts)
    at_once = _known(parts) and _alike(parts, dim)
    joined = _joined(np.concatenate([read(one) for one in parts], dim), parts) if at_once else _cat(parts, dim)
    return joined if out is None else into(out, joined)


@numpy_names
def stack(tensors: Any, dim: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Tensors joined along a new axis. As `torch.stack`.

    Raises:
        ShapeError: their shapes differ, or there are none.
    """
    parts = _listed("stack", tensors)
    first = parts[0]
    if _known(parts) and all(one._spec.type == first._spec.type for one in parts):
        joined = _joined(np.stack([read(one) for one in parts], axis_of(dim, len(first.shape) + 1)), ())
    else:
        joined = _stack(parts, dim)
    return joined if out is None else into(out, joined)


def _joined(values: Any, parts: Sequence[Tensor]) -> Tensor:
    return from_array(laid(np.ascontiguousarray(values), as_all([parts], values.shape)))


def _alike(parts: list[Any], dim: int) -> bool:
    """Whether parts differ in nothing but the size of one axis."""
    first = parts[0]._spec
    rank = len(first.shape)
    if not rank or not -rank <= dim < rank:
        return False
    axis = dim % rank
    rest = (*first.shape[:axis], *first.shape[axis + 1 :])
    return all(
        one._spec.dtype is first.dtype
        and len(one._spec.shape) == rank
        and (*one._spec.shape[:axis], *one._spec.shape[axis + 1 :]) == rest
        for one in parts
    )


concat = concatenate = cat


def hstack(tensors: Any) -> Tensor:
    """Tensors joined along the second axis (vectors along their only one). As `torch.hstack`."""
    parts = [one.reshape(1) if not one.shape else one for one in _listed("hstack", tensors)]
    return cat(parts, 0 if len(parts[0].shape) == 1 else 1)


def vstack(tensors: Any) -> Tensor:
    """Tensors joined along the first axis (vectors as rows). As `torch.vstack`."""
    return cat([atleast_2d(one) for one in _listed("vstack", tensors)], 0)


def dstack(tensors: Any) -> Tensor:
    """Tensors joined along the third axis. As `torch.dstack`."""
    return cat([atleast_3d(one) for one in _listed("dstack", tensors)], 2)


def column_stack(tensors: Any) -> Tensor:
    """Tensors joined as columns. As `torch.column_stack`."""
    return cat([one.reshape(-1, 1) if len(one.shape) <= 1 else one for one in tensors], 1)


row_stack = vstack


def atleast_1d(*tensors: Any) -> Any:
    """Tensors with at least one axis. As `torch.atleast_1d`."""
    return _each(tensors, lambda one: one if one.shape else one.reshape(1))


def atleast_2d(*tensors: Any) -> Any:
    """Tensors with at least two axes, new ones in front. As `torch.atleast_2d`."""
    return _each(tensors, lambda one: one if len(one.shape) >= 2 else one.reshape(1, -1))


def atleast_3d(*tensors: Any) -> Any:
    """Tensors with at least three axes. As `torch.atleast_3d`."""

    def raised(one: Any) -> Any:
        if len(one.shape) >= 3:
            return one
        return one.unsqueeze(-1) if len(one.shape) == 2 else one.reshape(1, -1, 1)

    return _each(tensors, raised)


def _each(tensors: tuple[Any, ...], function: Any) -> Any:
    if len(tensors) == 1:
        return function(tensors[0]) if isinstance(tensors[0], Recorded) else tuple(map(function, tensors[0]))
    return tuple(map(function, tensors))


@operation
def _repeat(input: Tensor, sizes: tuple[int, ...]) -> Tensor:
    extra = len(sizes) - len(input.shape)
    if extra < 0:
        raise ShapeError(
            "repeat: Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor. Fix: "
            f"give one number for each axis, for example {[1] * len(input.shape)}."
        )
    shape = (*[1] * extra, *input.shape)
    column = emit(Reshape(tuple(part for size in shape for part in (1, size))), input)
    wide = stretched(column, tuple(part for times, size in zip(sizes, shape, strict=True) for part in (times, size)))
    return emit(Reshape(tuple(times * size for times, size in zip(sizes, shape, strict=True))), wide)


def repeat(self: Tensor, *given: Any, repeats: Sequence[int] | None = None) -> Tensor:
    """The tensor repeated along each axis. As `Tensor.repeat`."""
    if not given and repeats is None:
        raise OperandError('repeat() missing 1 required positional arguments: "repeats". Fix: x.repeat(2, 1).')
    return _repeat(self, sizes_of("repeat", given if repeats is None else (repeats,)))


def tile(input: Tensor, *given: Any, dims: Sequence[int] | None = None) -> Tensor:
    """The tensor repeated along each axis, missing counts being 1. As `torch.tile`."""
    sizes = sizes_of("tile", given if dims is None else (dims,))
    return _repeat(input, (*[1] * (len(input.shape) - len(sizes)), *sizes))


@guarded
def repeat_interleave(input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: Any = None) -> Tensor:
    """Each element of an axis repeated in place. As `torch.repeat_interleave`."""
    if repeats is None:
        counts = read(input)
        return from_array(np.repeat(np.arange(len(counts)), counts))
    x = input.reshape(-1) if dim is None else input
    axis = axis_of(0 if dim is None else dim, len(x.shape))
    times = read(repeats) if isinstance(repeats, Recorded) else np.asarray(repeats)
    if times.size and times.min() < 0:
        raise ShapeError(f"repeat_interleave: Repeats must be non-negative, not {times.min()}. Fix: repeats=2.")
    if times.size > 1 and times.size != x.shape[axis]:
        raise ShapeError(
            f"repeat_interleave: repeats must have the same size as input along dim, but got repeats.size(0) = "
            f"{times.size} and input.size({axis}) = {x.shape[axis]}. Fix: one count for all, or one for each element."
        )
    place = np.repeat(np.arange(x.shape[axis]), times if times.size > 1 else int(times.reshape(())))
    return x[(slice(None),) * axis + (from_array(place),)]


@operation(order=as_operands)
def _flip(input: Tensor, dims: tuple[int, ...]) -> Tensor:
    return emit(Flip(tuple(sorted(axis_of(dim, len(input.shape)) for dim in dims))), input)


def flip(input: Tensor, *given: Any, dims: Sequence[int] | None = None) -> Tensor:
    """The order along axes reversed. As `torch.flip`."""
    if not given and dims is None:
        raise OperandError('flip() missing 1 required positional arguments: "dims". Fix: x.flip(0).')
    return _flip(input, sizes_of("flip", given if dims is None else (dims,)))


def fliplr(input: Tensor) -> Tensor:
    """The order of columns reversed. As `torch.fliplr`.

    Raises:
        ShapeError: the tensor has fewer than two axes.
    """
    if len(input.shape) < 2:
        raise ShapeError("fliplr: Input must be >= 2-d. Fix: x.flip(0) for a vector.")
    return _flip(input, (1,))


def flipud(input: Tensor) -> Tensor:
    """The order of rows reversed. As `torch.flipud`."""
    return _flip(input, (0,))


@guarded
def roll(input: Tensor, shifts: int | tuple[int, ...], dims: int | tuple[int, ...] | None = None) -> Tensor:
    """The elements along axes shifted, those beyond the end put in front. As `torch.roll`."""
    if dims is None or dims == ():
        if shifts == ():
            raise ShapeError("roll: `shifts` required. Fix: roll(x, 1).")
        if not isinstance(shifts, int) and len(shifts) != 1:
            raise ShapeError("roll: shifts and dimensions must align. shifts: several, dims: 0. Fix: give dims.")
        return roll(input.reshape(-1), shifts, 0).reshape(input.shape)
    by = [shifts] if isinstance(shifts, int) else list(shifts)
    along = [dims] if isinstance(dims, int) else list(dims)
    if len(by) != len(along):
        raise ShapeError(
            f"roll: shifts and dimensions must align. shifts: {len(by)}, dims:{len(along)}. Fix: one shift for each "
            "axis."
        )
    for shift, dim in zip(by, along, strict=True):
        size = input.shape[axis_of(dim, len(input.shape))]
        cut = (-shift) % size if size else 0
        if cut:
            input = cat([input.narrow(dim, cut, size - cut), input.narrow(dim, 0, cut)], dim)
    return input.clone()


def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """The plane of two axes turned by quarter turns. As `torch.rot90`.

    Raises:
        ShapeError: not two different axes.
    """
    rank = len(input.shape)
    if len(dims) != 2 or rank < 2:
        raise ShapeError(
            f"rot90: expected total rotation dims == 2 and expected total dims >= 2, but got {len(dims)} dims and "
            f"{rank} axes. Fix: dims=(0, 1)."
        )
    first, second = dims
    if axis_of(first, rank) == axis_of(second, rank):
        raise ShapeError(f"rot90: expected rotation dims to be different, but got {first} and {second}. Fix: (0, 1).")
    turned = [
        lambda: input.clone(),
        lambda: input.transpose(first, second).flip(first),
        lambda: input.flip(first, second),
        lambda: input.flip(first).transpose(first, second),
    ]
    return turned[k % 4]()


def _triangle(input: Tensor, diagonal: int, upper: bool) -> Tensor:
    rank = len(input.shape)
    if rank < 2:
        raise ShapeError(
            f"{'triu' if upper else 'tril'}: input tensor must have at least 2 dimensions. Fix: unsqueeze(0) makes a "
            "vector a matrix of one row."
        )
    shape = tuple(input.shape)
    from kadam.ir.builder import current_builder

    rows = symbol(current_builder().emit(Iota(shape, rank - 2, dtypes.int64)))
    columns = symbol(current_builder().emit(Iota(shape, rank - 1, dtypes.int64)))
    edge = emit(Add(), rows, stretched(constant(diagonal, dtypes.int64), shape))
    inside = emit(LessEqual(), edge, columns) if upper else emit(LessEqual(), columns, edge)
    return emit(Where(), inside, input, stretched(constant(0, input.dtype), shape))


@operation
def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The lower triangle of matrices, zero above. As `torch.tril`."""
    return _triangle(input, diagonal, upper=False)


@operation
def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangle of matrices, zero below. As `torch.triu`."""
    return _triangle(input, diagonal, upper=True)


@operation
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices whose diagonals are the last axis of `input`. As `torch.diag_embed`."""
    size = input.shape[-1] + builtins_abs(offset)
    rank = len(input.shape) + 1
    first, second = axis_of(dim1, rank), axis_of(dim2, rank)
    shape = list(input.shape[:-1])
    for axis in sorted((first, second)):
        shape.insert(axis, size)
    blank = stretched(constant(0, input.dtype), tuple(shape))
    return emit(DiagonalInsert(offset, first, second), blank, input)


builtins_abs = abs


@guarded
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """The matrix of a diagonal, or the diagonal of a matrix. As `torch.diag`.

    Raises:
        ShapeError: neither a vector nor a matrix.
    """
    if len(input.shape) == 1:
        return diag_embed(input, diagonal)
    if len(input.shape) == 2:
        return _diagonal(input, diagonal).clone()
    raise ShapeError(
        f"diag(): Supports 1D or 2D tensors. Got {len(input.shape)}D. Fix: give an axis pair to torch.diagonal."
    )


_diagonal = diagonal


def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """The matrix whose diagonal holds all elements. As `torch.diagflat`."""
    return diag_embed(input.reshape(-1), offset)


@listed("trace")
def trace(input: Tensor) -> Tensor:
    """The sum of a matrix's diagonal. As `torch.trace`.

    Raises:
        ShapeError: not a matrix.
    """
    if len(input.shape) != 2:
        raise ShapeError(
            f"trace: expected a matrix, but got tensor with dim {len(input.shape)}. Fix: give a matrix; "
            "x.diagonal(dim1=-2, dim2=-1).sum(-1) takes a batch of them."
        )
    return _trace(input)


@operation(grad="TraceBackward0")
def _trace(input: Tensor) -> Tensor:
    return _diagonal(input).sum()


tril_, triu_ = in_place(tril), in_place(triu)


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All choices of `r` elements of a vector, one per row. As `torch.combinations`."""
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = np.array(list(choose(range(input.shape[0]), r)), np.int64).reshape(-1, r)
    return input[from_array(rows)]


def block_diag(*tensors: Tensor) -> Tensor:
    """Matrices along a diagonal, zeros elsewhere. As `torch.block_diag`."""
    blocks = [one.reshape(1, -1) if len(one.shape) < 2 else one for one in tensors]
    width = sum(block.shape[1] for block in blocks)
    rows, before = [], 0
    for block in blocks:
        height, own = block.shape
        left, right = block.new_zeros(height, before), block.new_zeros(height, width - before - own)
        rows.append(cat([left, block, right], 1))
        before += own
    return cat(rows, 0)
