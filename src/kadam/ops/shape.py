"""The same elements seen otherwise: shapes and orders of axes. Most results share the operand's memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kadam.dtypes import ALIASES, NAMES
from kadam.errors import OperandError, ShapeError
from kadam.ir.primitive import Primitive
from kadam.layouts import channels_last, channels_last_3d, contiguous_format
from kadam.primitives import move as p
from kadam.primitives.broadcast import Broadcast
from kadam.recording.calls import emit
from kadam.recording.layout import is_channels_last, is_contiguous, viewable
from kadam.recording.operation import operation, view
from kadam.recording.order import row_major
from kadam.shapes import Shape, axis_of, count, with_inferred

if TYPE_CHECKING:
    from kadam.tensor import Tensor

Chain = Sequence[Primitive]


MOST_AXES = 64  # as many as NumPy's arrays have


def sizes_of(name: str, sizes: tuple[Any, ...]) -> Shape:
    """Sizes given one by one or as one sequence, as a shape.

    Raises:
        OperandError: none at all, or something else than whole numbers.
    """
    if len(sizes) == 1 and isinstance(sizes[0], list | tuple):
        sizes = tuple(sizes[0])
    elif not sizes:
        raise OperandError(f"{name}() missing 1 required positional arguments. Fix: {name}(2, 3), whole numbers.")
    try:
        if len(sizes) > MOST_AXES:
            raise ShapeError(
                f"{name}: only tensors with up to {MOST_AXES} dims are supported, not {len(sizes)}. Fix: join axes."
            )
        return tuple([size if type(size) is int else size.__index__() for size in sizes])
    except (AttributeError, TypeError):
        odd = next(one for one in sizes if not hasattr(one, "__index__"))
        is_type = isinstance(odd, str) and (odd in ALIASES or odd in NAMES)
        raise OperandError(
            f"{name}(): its arguments must be ints, not {type(odd).__name__} ({odd!r}). Fix: "
            f"{f'dtype=torch.{odd}' if is_type else 'give whole numbers'}."
        ) from None


def _reshape_chain(input: Tensor, shape: Shape) -> Chain:
    return () if tuple(input.shape) == shape else (p.Reshape(shape),)


@view(grad="ViewBackward0")
def _viewed(input: Tensor, shape: tuple[int, ...]) -> Chain:
    return _reshape_chain(input, with_inferred(shape, count(input.shape)))


@view(grad="UnsafeViewBackward0")
def _copied_flat(input: Tensor, shape: tuple[int, ...]) -> Chain:
    return (p.Copy(), p.Reshape(with_inferred(shape, count(input.shape))))


def view_as_shape(self: Tensor, *given: Any, size: Any = None, dtype: Any = None) -> Tensor:
    """The same memory with another shape; one size may be -1. As `Tensor.view` (a dtype reinterprets the memory).

    Raises:
        ShapeError: the shape does not fit, or the memory's order does not allow it.
    """
    from kadam.ops.convert import reinterpret

    if not given and size is None and dtype is None and self._node is None and self._spec.shape:
        raise OperandError("view() received no arguments. Fix: x.view(-1), or x.view(torch.int32).")
    if dtype is not None or (len(given) == 1 and hasattr(given[0], "itemsize")):
        return reinterpret(self, given[0] if dtype is None else dtype)
    wanted = with_inferred(sizes_of("view", given if size is None else (size,)), self.numel())
    if _may_lie_otherwise(self) and not viewable(self, wanted):
        raise ShapeError(
            "view: view size is not compatible with input tensor's size and stride (at least one dimension spans "
            "across two contiguous subspaces). Use .reshape(...) instead. Fix: x.reshape(...), or "
            "x.contiguous().view(...)."
        )
    return _viewed(self, wanted)


def reshape(input: Tensor, *given: Any, shape: Sequence[int] | None = None) -> Tensor:
    """The same elements with another shape, in the same memory where its order allows that. As `torch.reshape`.

    Raises:
        ShapeError: the shape does not fit.
    """
    wanted = sizes_of("reshape", given if shape is None else (shape,))
    if input._node is None and _may_lie_otherwise(input):
        wanted = with_inferred(wanted, input.numel())
        if not viewable(input, wanted):
            return _copied_flat(input, wanted)
    return _viewed(input, wanted)


def _may_lie_otherwise(tensor: Tensor) -> bool:
    return tensor._base is not None or tensor._exposed or tensor._spec.order is not None


def view_as(self: Tensor, other: Tensor) -> Tensor:
    """This tensor with the shape of another. As `Tensor.view_as`."""
    return view_as_shape(self, other.shape)


def reshape_as(self: Tensor, other: Tensor) -> Tensor:
    """This tensor with the shape of another. As `Tensor.reshape_as`."""
    return reshape(self, other.shape)


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The axes from `start_dim` to `end_dim` as one. As `torch.flatten`.

    Raises:
        ShapeError: `start_dim` comes after `end_dim`.
    """
    rank = len(input.shape)
    if rank == 0:
        return reshape(input, 1)
    first, last = axis_of(start_dim, rank), axis_of(end_dim, rank)
    if first > last:
        raise ShapeError(
            "flatten() has invalid args: start_dim cannot come after end_dim. Fix: exchange start_dim and end_dim."
        )
    shape = input.shape
    if first == last:
        return input
    return reshape(input, *shape[:first], count(shape[first : last + 1]), *shape[last + 1 :])


def ravel(input: Tensor) -> Tensor:
    """All elements along one axis, next to each other in memory. As `torch.ravel`."""
    return reshape(contiguous(input), -1)


def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """One axis as several. As `torch.unflatten`."""
    axis = axis_of(dim, len(input.shape))
    inner = with_inferred(tuple(sizes), input.shape[axis])
    return reshape(input, *input.shape[:axis], *inner, *input.shape[axis + 1 :])


@view(grad="PermuteBackward0")
def _permuted(input: Tensor, dims: tuple[int, ...]) -> Chain:
    rank = len(input.shape)
    if len(dims) != rank:
        raise ShapeError(
            f"permute: {len(dims)} dims for the {rank} axes of {input._spec.type}. Fix: name each axis once."
        )
    axes = tuple(axis_of(dim, rank) for dim in dims)
    if len(set(axes)) != rank:
        raise ShapeError(f"permute(): duplicate dims are not allowed: {dims}. Fix: name each axis once.")
    return (p.Permute(axes),)


def permute(input: Tensor, *given: Any, dims: Sequence[int] | None = None) -> Tensor:
    """The axes in another order. As `torch.permute`.

    Raises:
        ShapeError: `dims` is no order of the axes.
    """
    return _permuted(input, sizes_of("permute", given if dims is None else (dims,)))


@view(grad="TransposeBackward0")
def transpose(input: Tensor, dim0: int, dim1: int) -> Chain:
    """Two axes exchanged. As `torch.transpose`."""
    rank = len(input.shape)
    first, second = axis_of(dim0, rank), axis_of(dim1, rank)
    axes = list(range(rank))
    if axes:
        axes[first], axes[second] = axes[second], axes[first]
    return (p.Permute(tuple(axes)),)


@view(grad="TBackward0")
def t(input: Tensor) -> Chain:
    """A matrix transposed; a vector or a number as it is. As `torch.t`.

    Raises:
        ShapeError: more than two axes.
    """
    rank = len(input.shape)
    if rank > 2:
        raise ShapeError(f"t() expects a tensor with <= 2 dimensions, but self is {rank}D. Fix: x.transpose(-2, -1).")
    return (p.Permute((1, 0)),) if rank == 2 else (p.Reshape(tuple(input.shape)),)


@view(grad="PermuteBackward0")
def _reversed_axes(input: Tensor) -> Chain:
    return (p.Permute(tuple(reversed(range(len(input.shape))))),)


def transposed_property(self: Tensor) -> Tensor:
    """The axes in reverse order. As `Tensor.T`."""
    return _reversed_axes(self)


def matrix_transpose(self: Tensor) -> Tensor:
    """The last two axes exchanged. As `Tensor.mT`.

    Raises:
        ShapeError: fewer than two axes.
    """
    if len(self.shape) < 2:
        raise ShapeError(
            f"tensor.mT is only supported on matrices or batches of matrices. Got {len(self.shape)}-D tensor. Fix: "
            "unsqueeze() to a matrix, or .T for a vector."
        )
    return transpose(self, -2, -1)


def conjugate_transpose(self: Tensor) -> Tensor:
    """A matrix transposed, its elements conjugated. As `Tensor.H`.

    Raises:
        ShapeError: it is no matrix.
    """
    if len(self.shape) not in (0, 2):
        raise ShapeError(
            f"tensor.H is only supported on matrices (2-D tensors). Got {len(self.shape)}-D tensor. Fix: x.mH for a "
            "batch of matrices."
        )
    if not self.shape:
        return self
    turned = transpose(self, 0, 1)
    return turned.conj() if self.dtype.is_complex else turned


def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Axes moved to other places, the others in order. As `torch.movedim`.

    Raises:
        ShapeError: axes repeated, or not as many sources as destinations.
    """
    sources = (source,) if isinstance(source, int) else tuple(source)
    targets = (destination,) if isinstance(destination, int) else tuple(destination)
    rank = len(input.shape)
    if len(sources) != len(targets):
        raise ShapeError(
            f"movedim: Invalid source or destination dims: source ({list(sources)} dims) should contain the same "
            f"number of dims as destination ({list(targets)} dims). Fix: name as many targets as sources."
        )
    sources, targets = tuple(axis_of(a, rank) for a in sources), tuple(axis_of(a, rank) for a in targets)
    if len(set(sources)) != len(sources) or len(set(targets)) != len(targets):
        raise ShapeError("movedim: repeated dim in `source` or `destination`. Fix: name each axis once.")
    order = [axis for axis in range(rank) if axis not in sources]
    for target, axis in sorted(zip(targets, sources, strict=True)):
        order.insert(target, axis)
    return permute(input, order)


@view(grad="SqueezeBackward0")
def _squeezed(input: Tensor) -> Chain:
    return (p.Reshape(tuple(size for size in input.shape if size != 1)),)


@view(grad="SqueezeBackward1")
def _squeezed_at(input: Tensor, dims: tuple[int, ...]) -> Chain:
    chosen = {axis_of(dim, len(input.shape)) for dim in dims}
    return (p.Reshape(tuple(size for axis, size in enumerate(input.shape) if axis not in chosen or size != 1)),)


def squeeze(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """Without the axes of size 1: all of them, or those named. As `torch.squeeze`."""
    if dim is None:
        return _squeezed(input)
    return _squeezed_at(input, tuple(dim) if isinstance(dim, list | tuple) else (dim,))


@view
def unsqueeze(input: Tensor, dim: int) -> Chain:
    """With an axis of size 1 at `dim`. As `torch.unsqueeze`."""
    axis = axis_of(dim, len(input.shape) + 1)
    shape = tuple(input.shape)
    return (p.Reshape((*shape[:axis], 1, *shape[axis:])),)


@view(grad="ExpandBackward0")
def _expanded(input: Tensor, sizes: tuple[int, ...]) -> Chain:
    shape = tuple(input.shape)
    offset = len(sizes) - len(shape)
    if offset < 0:
        raise ShapeError(
            f"expand({list(sizes)}): the number of sizes provided ({len(sizes)}) must be greater or equal to the "
            f"number of dimensions in the tensor ({len(shape)}). Fix: give at least {len(shape)} sizes, -1 where an "
            "axis stays."
        )
    wanted = []
    for axis, size in enumerate(sizes):
        own = shape[axis - offset] if axis >= offset else None
        if size == -1:
            if own is None:
                raise ShapeError(
                    "expand: The expanded size of the tensor (-1) isn't allowed in a leading, non-existing dimension "
                    f"{axis}. Fix: give a size there; -1 is for axes that exist."
                )
            size = own
        elif own is not None and own not in (1, size):
            raise ShapeError(
                f"expand: The expanded size of the tensor ({size}) must match the existing size ({own}) at "
                f"non-singleton dimension {axis}.  Target sizes: {list(sizes)}.  Tensor sizes: {list(shape)}. Fix: "
                f"only axes of size 1 stretch: give {own} there, or repeat()."
            )
        wanted.append(size)
    return (Broadcast(tuple(wanted)),)


def expand(self: Tensor, *given: Any, size: Sequence[int] | None = None) -> Tensor:
    """Axes of size 1 repeated, and leading axes added, without a copy. As `Tensor.expand`.

    Raises:
        ShapeError: an axis of another size cannot be stretched.
    """
    return _expanded(self, sizes_of("expand", given if size is None else (size,)))


def expand_as(self: Tensor, other: Tensor) -> Tensor:
    """Stretched to the shape of another tensor. As `Tensor.expand_as`."""
    return expand(self, other.shape)


def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """Stretched to a shape. As `torch.broadcast_to`."""
    return expand(input, tuple(size))


@view(grad="CloneBackward0", order=row_major)
def _contiguous(input: Tensor) -> Chain:
    return (p.Copy(),)


def contiguous(self: Tensor, memory_format: object = None) -> Tensor:
    """This tensor if its elements lie in row-major order, else a copy in which they do. As `Tensor.contiguous`.

    Args:
        memory_format: another order, of which see `in_format`.
    """
    if memory_format in _CHANNELS_LAST:
        return in_format(self, memory_format)
    if self._node is not None or is_contiguous(self):
        return self
    return _contiguous(self)


_CHANNELS_LAST = {channels_last: 4, channels_last_3d: 5}


def in_format(self: Tensor, memory_format: object) -> Tensor:
    """This tensor if its elements lie in an order, else a copy in which they do: seen through `permute`.

    Only what is asked for lies so: what Kadam computes of it is in row-major order.

    Raises:
        ShapeError: the tensor has not as many axes as the order is for.
    """
    rank = _CHANNELS_LAST.get(memory_format)  # type: ignore[call-overload]
    if rank is None or self._node is not None:
        return contiguous(self) if memory_format == contiguous_format else self
    if len(self.shape) != rank:
        raise ShapeError(
            f"required rank {rank} tensor to use {str(memory_format).removeprefix('torch.')} format, and this one is "
            f"{self._spec.type}. Fix: leave memory_format out."
        )
    if is_channels_last(self):
        return self
    axes = list(range(rank))
    return _contiguous(permute(self, [0, *axes[2:], 1])).permute(0, rank - 1, *axes[1:-1])


@operation
def clone(input: Tensor) -> Tensor:
    """A copy, through which gradients flow. As `torch.clone`."""
    return emit(p.Copy(), input)


def clone_as(input: Tensor, *, memory_format: object = None) -> Tensor:
    """A copy, through which gradients flow. As `torch.clone`."""
    copy = clone(input)
    return copy if memory_format is None else in_format(copy, memory_format)


@view
def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Chain:
    """The diagonal of two axes, as a last axis. As `torch.diagonal`.

    Raises:
        ShapeError: the two axes are one.
    """
    rank = len(input.shape)
    first, second = axis_of(dim1, rank), axis_of(dim2, rank)
    if first == second:
        raise ShapeError(
            f"diagonal: diagonal dimensions cannot be identical {dim1}, {dim2}. Fix: name two different axes."
        )
    return (p.Diagonal(offset, first, second),)
