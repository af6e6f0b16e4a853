"""Sequences of several lengths: padded to one length, or packed one step after another. As `torch.nn.utils.rnn`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from kadam.errors import KadamError, ShapeError
from kadam.ops.promotion import constant
from kadam.primitives.index import Index, IndexPut
from kadam.primitives.move import Reshape
from kadam.recording.calls import emit
from kadam.recording.operation import Fixed, operation
from kadam.recording.tensor import Recorded, from_array, read
from kadam.shapes import Shape

if TYPE_CHECKING:
    from kadam.ir.primitive import Array
    from kadam.tensor import Tensor


class LengthError(KadamError, ValueError):
    """A length that sequences cannot be padded to."""


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Packed):
    """Sequences without padding: all first steps, then all second steps, and so on; the longest sequence comes first.

    Made by `pack_padded_sequence` and `pack_sequence`.

    Args:
        data: the steps, f32[all steps, ...].
        batch_sizes: how many sequences have each step, i64[steps].
        sorted_indices: the order in which the sequences were put.
        unsorted_indices: the order that puts them back.
    """

    def __new__(
        cls,
        data: Tensor,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> Self:
        if batch_sizes is None:
            data, batch_sizes = data  # as in PyTorch, a pair of the two
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def _with(self, data: Tensor) -> Self:
        return self if data is self.data else type(self)(data, *self[1:])

    @property
    def is_cuda(self) -> bool:
        """False: Kadam computes on the CPU."""
        return False

    def is_pinned(self) -> bool:
        """Whether the data are in pinned memory: never."""
        return False

    def pin_memory(self) -> Self:
        """The sequences themselves: memory is not pinned."""
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """The data as another type. As `Tensor.to`."""
        return self._with(self.data.to(*args, **kwargs))

    def cpu(self, *args: Any, **kwargs: Any) -> Self:
        """On the CPU, where they are."""
        return self.to(*args, **kwargs)

    def cuda(self, *args: Any, **kwargs: Any) -> Self:
        """On a GPU; raises as PyTorch built without CUDA does."""
        return self._with(self.data.cuda(*args, **kwargs))

    def double(self) -> Self:
        """The data as float64."""
        return self._with(self.data.double())

    def float(self) -> Self:
        """The data as float32."""
        return self._with(self.data.float())

    def half(self) -> Self:
        """The data as float16."""
        return self._with(self.data.half())

    def long(self) -> Self:
        """The data as int64."""
        return self._with(self.data.long())

    def int(self) -> Self:
        """The data as int32."""
        return self._with(self.data.int())

    def short(self) -> Self:
        """The data as int16."""
        return self._with(self.data.short())

    def char(self) -> Self:
        """The data as int8."""
        return self._with(self.data.char())

    def byte(self) -> Self:
        """The data as uint8."""
        return self._with(self.data.byte())


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The order that puts things back that were put into the given order."""
    return None if permutation is None else from_array(np.argsort(read(permutation)))


@operation(grad="PackPaddedSequenceBackward0")
def _packed(input: Tensor, places: Tensor) -> Tensor:
    """The steps that stand at row-major places in the first two axes."""
    shape = tuple(input.shape)
    return emit(Index((0,), False), emit(Reshape((shape[0] * shape[1], *shape[2:])), input), places)


@operation(grad="IndexSelectBackward0")
def _padded(data: Tensor, places: Tensor, lead: tuple[int, ...], value: Fixed) -> Tensor:
    """Steps put at row-major places in the two axes `lead`, and `value` elsewhere."""
    rest = tuple(data.shape[1:])
    base = constant(value, data.dtype, (lead[0] * lead[1], *rest))
    return emit(Reshape((*lead, *rest)), emit(IndexPut((0,), False), base, data, places))


def _places(lengths: Array, order: Array, shape: Shape, batch_first: bool) -> Array:
    """Where each step of the packed sequences stands in padded ones of this shape, row-major."""
    step, rank = np.nonzero(np.arange(lengths.max())[:, None] < lengths[order])
    sample = order[rank]
    return sample * shape[1] + step if batch_first else step * shape[1] + sample


def pack_padded_sequence(
    input: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Padded sequences without their padding. As `torch.nn.utils.rnn.pack_padded_sequence`.

    Args:
        input: f32[steps, batch, ...].
        lengths: how many steps each sequence has.
        batch_first: whether the batch is the first axis.
        enforce_sorted: whether the sequences must stand from the longest to the shortest; else they are put so.

    Raises:
        ShapeError: the lengths do not fit the input, or are not sorted.
    """
    shape = tuple(input.shape)
    if len(shape) < 2 or 0 in shape:
        raise ShapeError(
            f"Cannot pack empty tensors: sequences need a step axis and a batch axis, got {list(shape)}. Fix: give "
            "[steps, batch, ...] ([batch, steps, ...] with batch_first=True)."
        )
    known = read(lengths) if isinstance(lengths, Recorded) else np.array(lengths, np.int64).reshape(-1)
    samples, steps = shape[:2] if batch_first else shape[1::-1]
    if len(known) != samples:
        raise ShapeError(
            f"pack_padded_sequence: Expected `len(lengths)` to be equal to batch_size, but got {len(known)} "
            f"(batch_size={samples}). Fix: one length per sample; batch_first=True if the batch stands first."
        )
    if known.min() <= 0 or known.max() > steps:
        raise ShapeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0. Fix: "
            "leave "
            "empty samples out."
            if known.min() <= 0
            else f"pack_padded_sequence: a length of {known.max()} is more than the {steps} steps of the input. Fix: "
            "batch_first=True if the batch stands first, or shorter lengths."
        )
    order = np.argsort(-known, kind="stable")
    if enforce_sorted and (np.diff(known) > 0).any():
        raise ShapeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. Fix: pass "
            "`enforce_sorted=False`."
        )
    data = _packed(input, from_array(_places(known, order, shape, batch_first)))
    batch_sizes = from_array((np.arange(known.max())[:, None] < known).sum(1))
    return PackedSequence(data, batch_sizes, None if enforce_sorted else from_array(order))


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """Packed sequences padded to one length, and their lengths. As `torch.nn.utils.rnn.pad_packed_sequence`.

    Args:
        sequence: the packed sequences.
        batch_first: whether the batch becomes the first axis.
        padding_value: what the padding is.
        total_length: to which they are padded; the longest one's length by default.

    Raises:
        LengthError: a sequence is longer than `total_length`.
    """
    sizes = read(sequence.batch_sizes)
    steps = len(sizes) if total_length is None else total_length
    if steps < len(sizes):
        raise LengthError(
            "pad_packed_sequence: Expected total_length to be at least the length of the longest sequence in input, "
            f"but got total_length={total_length} and max sequence length being {len(sizes)}. Fix: "
            f"total_length={len(sizes)} or more."
        )
    samples = int(sizes[0])
    order = np.arange(samples) if sequence.sorted_indices is None else read(sequence.sorted_indices)
    lengths = np.empty(samples, np.int64)
    lengths[order] = (sizes > np.arange(samples)[:, None]).sum(1)
    lead = (samples, steps) if batch_first else (steps, samples)
    places = from_array(_places(lengths, order, lead, batch_first))
    return _padded(sequence.data, places, lead, padding_value), from_array(lengths)


def pad_sequence(
    sequences: Iterable[Tensor], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Sequences padded to the length of the longest one. As `torch.nn.utils.rnn.pad_sequence`.

    Args:
        sequences: each f32[its steps, ...].
        batch_first: whether the batch becomes the first axis.
        padding_value: what the padding is.
        padding_side: "right" or "left".

    Raises:
        ShapeError: there are no sequences, they differ in other axes, or the side does not exist.
    """
    if not isinstance(sequences, Iterable):
        raise ShapeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}. Fix: give a "
            "list of tensors."
        )
    parts = list(sequences)
    if parts and not parts[0].shape:
        raise ShapeError("pad_sequence: the sequences have no axes. Fix: give a list of tensors, [x, y].")
    if not parts:
        raise ShapeError("pad_sequence: received an empty list of sequences. Fix: give at least one tensor.")
    if padding_side not in ("left", "right"):
        raise ShapeError(
            f"pad_sequence: Expected padding_side to be one of left or right, but got {padding_side}. Fix: "
            "padding_side='right'."
        )
    return _joined(parts, batch_first, padding_value, padding_side)


@operation(grad="CopySlices")
def _joined(sequences: Sequence[Tensor], batch_first: bool, padding_value: Fixed, padding_side: str) -> Tensor:
    from kadam.nn.functional import pad
    from kadam.ops.combine import stack

    first = sequences[0]
    longest = max(one.shape[0] for one in sequences)
    if any(tuple(one.shape[1:]) != tuple(first.shape[1:]) for one in sequences):
        raise ShapeError(
            f"pad_sequence: the sequences differ beyond their lengths: {[list(s.shape) for s in sequences]}. Fix: give "
            "tensors that differ in their first axis only."
        )
    none = (0, 0) * (len(first.shape) - 1)
    parts = []
    for one in sequences:
        missing = longest - one.shape[0]
        sides = (missing, 0) if padding_side == "left" else (0, missing)
        parts.append(pad(one, (*none, *sides), "constant", padding_value))
    return stack(parts, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """Padded sequences one by one, without their padding. As `torch.nn.utils.rnn.unpad_sequence`."""
    samples = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [samples[number, :length] for number, length in enumerate(read(lengths).tolist())]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Sequences packed. As `torch.nn.utils.rnn.pack_sequence`; see `pack_padded_sequence`."""
    lengths = [one.shape[0] for one in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Packed sequences one by one. As `torch.nn.utils.rnn.unpack_sequence`."""
    return unpad_sequence(*pad_packed_sequence(packed_sequences, batch_first=True), batch_first=True)


__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]
