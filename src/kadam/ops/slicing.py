"""Parts of a tensor along an axis: slices, windows, selections, splits. Most share the operand's memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kadam.dtypes import INTEGER
from kadam.errors import AxisError, OperandError, ShapeError
from kadam.ops.shape import Chain, sizes_of
from kadam.primitives import move as p
from kadam.primitives.window import Windows
from kadam.recording.calls import freeze
from kadam.recording.operation import view
from kadam.recording.tensor import Recorded
from kadam.shapes import Shape, axis_of

if TYPE_CHECKING:
    from kadam.tensor import Tensor


@view(grad="SliceBackward0")
def slice_axis(input: Tensor, dim: int, start: int, stop: int, step: int = 1) -> Chain:
    """Elements start, start + step ... before stop along one axis; bounds as Python's slices."""
    rank = len(input.shape)
    axis = axis_of(dim, rank)
    start, stop, _ = slice(start, stop).indices(input.shape[axis])
    return (sliced(tuple(input.shape), axis, start, max(start, stop), step),)


def sliced(shape: Shape, axis: int, start: int, stop: int, step: int = 1) -> p.Slice:
    """The slice of one axis, the others whole."""
    starts, stops, steps = [0] * len(shape), list(shape), [1] * len(shape)
    starts[axis], stops[axis], steps[axis] = start, stop, step
    return p.Slice(tuple(starts), tuple(stops), tuple(steps))


def narrow(input: Tensor, dim: int, start: int | Tensor, length: int) -> Tensor:
    """`length` elements of one axis from `start`. As `torch.narrow`.

    Raises:
        ShapeError: they go beyond the axis, or `start` is a tensor of several elements or of no whole number.
    """
    if isinstance(start, Recorded):
        if start._spec.shape or start._spec.dtype.category != INTEGER:
            raise ShapeError(f"narrow: start must be an 0-dim integral Tensor, not {start._spec.type}. Fix: an int.")
        start = int(start)
    return _narrow(input, dim, start, length)


@view(grad="SliceBackward0")
def _narrow(input: Tensor, dim: int, start: int, length: int) -> Chain:
    if not input.shape:
        raise ShapeError("narrow() cannot be applied to a 0-dim tensor. Fix: x.unsqueeze(0).")
    axis = axis_of(dim, len(input.shape))
    size = input.shape[axis]
    if not -size <= start <= size:
        raise AxisError(
            f"narrow: start out of range (expected to be in range of [{-size}, {size}], but got {start}). Fix: a start "
            f"from {-size} to {size}."
        )
    begin = start + size if start < 0 else start
    if length < 0 or begin + length > size:
        raise ShapeError(
            f"narrow: start ({start}) + length ({length}) exceeds dimension size ({size}). Fix: length={size - start} "
            "at most."
        )
    return (sliced(tuple(input.shape), axis, begin, begin + length),)


@view(grad="UnfoldBackward0")
def unfold(input: Tensor, dimension: int, size: int, step: int) -> Chain:
    """Windows of `size` elements of one axis, one every `step`, each as the new last axis. As `Tensor.unfold`.

    Raises:
        ShapeError: the windows are longer than the axis, or the step is not positive.
    """
    axis = axis_of(dimension, len(input.shape))
    length = input.shape[axis] if input.shape else 1
    if size < 0 or size > length:
        raise ShapeError(
            f"unfold: maximum size for tensor at dimension {axis} is {length} but size is {size}. Fix: smaller windows."
        )
    if step <= 0:
        raise ShapeError(f"unfold: step is {step} but must be > 0. Fix: step=1.")
    if not input.shape:
        return (p.Reshape((size,)),) if size else (p.Reshape((1,)), sliced((1,), 0, 0, 0))
    return (Windows(axis, size, step),)


@view
def select(input: Tensor, dim: int, index: int) -> Chain:
    """One element of an axis, which is dropped. As `torch.select`.

    Raises:
        AxisError: the index is beyond the axis, or the tensor has no axes.
    """
    shape = tuple(input.shape)
    if not shape:
        raise AxisError("select() cannot be applied to a 0-dim tensor. Fix: x.item() is its value.")
    axis = axis_of(dim, len(shape))
    size = shape[axis]
    if not -size <= index < size:
        raise AxisError(
            f"select(): index {index} out of range for tensor of size {list(shape)} at dimension {axis}. Fix: indices "
            f"go from {-size} to {size - 1}."
        )
    at = index % size
    return (sliced(shape, axis, at, at + 1), p.Reshape((*shape[:axis], *shape[axis + 1 :])))


# An element and a part as `select` and `slice_axis` see them: derivatives are known by the name of what was called.
@view(grad="UnbindBackward0")
def _unbind(input: Tensor, axis: int, index: int) -> Chain:
    shape = tuple(input.shape)
    return (sliced(shape, axis, index, index + 1), p.Reshape((*shape[:axis], *shape[axis + 1 :])))


@view(grad="SplitBackward0")
def _split(input: Tensor, axis: int, start: int, stop: int) -> Chain:
    return (sliced(tuple(input.shape), axis, start, stop),)


@view(grad="SplitWithSizesBackward0")
def _split_with_sizes(input: Tensor, axis: int, start: int, stop: int) -> Chain:
    return (sliced(tuple(input.shape), axis, start, stop),)


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The elements of one axis, each without it. As `torch.unbind`."""
    axis = axis_of(dim, len(input.shape))
    return tuple(_unbind(input, axis, index) for index in range(input.shape[axis]))


def split_of(self: Tensor, split_size: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """`split` as a method, whose argument has another name in PyTorch. As `Tensor.split`."""
    return split(self, split_size, dim)


split_of.__name__ = "split"


def split(tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Parts of one axis, of the given size (the last may be smaller) or sizes. As `torch.split`.

    Raises:
        ShapeError: the sizes do not add up to the axis.
    """
    axis = axis_of(dim, len(tensor.shape))
    size = tensor.shape[axis]
    if isinstance(split_size_or_sections, Recorded) and split_size_or_sections._spec.type.elements == 1:
        split_size_or_sections = freeze(split_size_or_sections)
    if isinstance(split_size_or_sections, int):
        part = split_size_or_sections
        if part < 0 or (part == 0 and size != 0):
            raise ShapeError(
                f"split expects split_size be non-negative, but got split_size={part}. Fix: give a size of at least 1."
            )
        bounds = [(at, min(at + part, size)) for at in range(0, max(size, 1), max(part, 1))]
        taken = _split
    else:
        sections = list(sizes_of("split", (split_size_or_sections,)))
        if sum(sections) != size or any(section < 0 for section in sections):
            raise ShapeError(
                f"split_with_sizes expects split_sizes to sum exactly to {size} (input tensor's size at dimension "
                f"{axis}), but got split_sizes={sections}. Fix: give sizes that sum to {size}."
            )
        ends = [sum(sections[: index + 1]) for index in range(len(sections))]
        bounds = [(end - section, end) for end, section in zip(ends, sections, strict=True)]
        taken = _split_with_sizes
    return tuple(taken(tensor, axis, start, stop) for start, stop in bounds)


def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Parts of one axis of the given sizes. As `torch.split_with_sizes`."""
    return split(input, list(split_sizes), dim)


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """One axis in (at most) so many parts of equal size, the last perhaps smaller. As `torch.chunk`.

    Raises:
        ShapeError: `chunks` is not positive.
    """
    chunks = freeze(chunks)
    if not isinstance(chunks, int):
        raise OperandError(f"chunk(): argument 'chunks' must be int, not {type(chunks).__name__}. Fix: chunks=2.")
    if chunks <= 0:
        raise ShapeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}. Fix: chunks=2.")
    size = input.shape[axis_of(dim, len(input.shape))]
    return split(input, max(-(-size // chunks), 1), dim) if size else (input,) * chunks


def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """One axis cut at the given places, or in so many parts as equal as can be. As `torch.tensor_split`."""
    axis = axis_of(dim, len(input.shape))
    size = input.shape[axis]
    if isinstance(indices_or_sections, Recorded):
        indices_or_sections = indices_or_sections.tolist()  # type: ignore[attr-defined]
    if isinstance(indices_or_sections, int):
        parts = indices_or_sections
        if parts <= 0:
            raise ShapeError(
                f"tensor_split: number of sections must be larger than 0, got {parts}. Fix: give at least 1."
            )
        each, more = divmod(size, parts)
        ends = [(index + 1) * each + min(index + 1, more) for index in range(parts)]
        return tuple(slice_axis(input, axis, s, e) for s, e in zip([0, *ends], ends, strict=False))
    cuts = [0, *indices_or_sections, size]
    return tuple(slice_axis(input, axis, s, max(s, e)) for s, e in zip(cuts, cuts[1:], strict=False))


def _require_rank(name: str, input: Tensor, rank: int) -> None:
    if len(input.shape) < rank:
        raise ShapeError(
            f"torch.{name} requires a tensor with at least {rank} dimension, but got a tensor with {len(input.shape)} "
            "dimensions! Fix: torch.split(x, size, dim)."
        )


def hsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Parts side by side. As `torch.hsplit`.

    Raises:
        ShapeError: the tensor has no axes.
    """
    _require_rank("hsplit", input, 1)
    return tensor_split(input, indices_or_sections, 0 if len(input.shape) == 1 else 1)


def vsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Parts on top of each other. As `torch.vsplit`.

    Raises:
        ShapeError: the tensor has fewer than two axes.
    """
    _require_rank("vsplit", input, 2)
    return tensor_split(input, indices_or_sections, 0)


def dsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Parts behind each other, along the third axis. As `torch.dsplit`.

    Raises:
        ShapeError: the tensor has fewer than three axes.
    """
    _require_rank("dsplit", input, 3)
    return tensor_split(input, indices_or_sections, 2)
