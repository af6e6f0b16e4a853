"""Windows that slide along axes: how many there are, what each shows, and how they add up again.

Along an axis, window p shows the elements p stride + t dilation, for t = 0 ... kernel - 1, of the padded axis. Padding
is (before, after); a negative one leaves elements out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from kadam.dtypes import dtype
from kadam.errors import InPlaceError, ShapeError
from kadam.ir.builder import emit
from kadam.ir.graph import Node
from kadam.ir.lowering import Element, Emitter, Reader
from kadam.ir.place import Index as At
from kadam.ir.place import Place
from kadam.ir.primitive import Array, Example, Primitive, View
from kadam.ir.types import TensorType
from kadam.primitives.compare import Equal
from kadam.primitives.elementwise import where
from kadam.primitives.precision import at_least
from kadam.primitives.sources import full_like
from kadam.shapes import Shape

Margins = tuple[tuple[int, int], ...]


def window_counts(
    name: str, sizes: Sequence[int], kernel: Shape, stride: Shape, padding: Margins, dilation: Shape
) -> Shape:
    """How many windows fit along each of the axes.

    Raises:
        ShapeError: the tuples are not of one length, or a window is wider than its padded axis.
    """
    if not len(sizes) == len(kernel) == len(stride) == len(padding) == len(dilation):
        raise ShapeError(f"{name}: kernel, stride, padding and dilation must each have {len(sizes)} entries")
    reach = [step * (taps - 1) + 1 for taps, step in zip(kernel, dilation, strict=True)]
    inside = [size + before + after for size, (before, after) in zip(sizes, padding, strict=True)]
    if min((*kernel, *stride, *dilation), default=1) < 1 or any(map(int.__gt__, reach, inside)):
        raise ShapeError(
            f"{name}: Calculated padded input size per channel: ({_by(inside)}). Kernel size: ({_by(reach)}). "
            "Kernel size can't be greater than actual input size. Fix: a smaller kernel or fewer layers that shrink "
            "the input, padding, or larger inputs; sizes, strides and dilations are at least 1."
        )
    return tuple((size - width) // step + 1 for size, width, step in zip(inside, reach, stride, strict=True))


def _by(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))


def pad_array(x: Array, padding: Margins, value: float = 0) -> Array:
    """`x` with margins of `value` around its last axes; as it is where there is nothing to do."""
    if not any(map(any, padding)):
        return x
    lead = x.ndim - len(padding)
    inside = [size + before + after for size, (before, after) in zip(x.shape[lead:], padding, strict=True)]
    result = np.full((*x.shape[:lead], *inside), value, x.dtype)
    source, target = _overlap_regions(x.shape[lead:], padding)
    result[target] = x[source]
    return result


def unpad_array(x: Array, padding: Margins, sizes: Shape) -> Array:
    """What `pad_array` had put margins around; zero where it had left elements out."""
    if not any(map(any, padding)):
        return x
    source, target = _overlap_regions(sizes, padding)
    inside: Array = x[target]
    if all(before >= 0 and after >= 0 for before, after in padding):
        return inside
    result = np.zeros((*x.shape[: x.ndim - len(sizes)], *sizes), x.dtype)
    result[source] = inside
    return result


def _overlap_regions(sizes: Sequence[int], padding: Margins) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The part that an array and its padded form share, as a key of each."""
    pairs = list(zip(sizes, padding, strict=True))
    source = (slice(max(-before, 0), size - max(-after, 0)) for size, (before, after) in pairs)
    target = (slice(max(before, 0), size + before + min(after, 0)) for size, (before, after) in pairs)
    return (..., *source), (..., *target)


def window_view(x: Array, kernel: Shape, stride: Shape, dilation: Shape, counts: Shape) -> Array:
    """The windows over the last axes of a padded array, as a view of shape [..., *kernel, *counts]."""
    lead = x.ndim - len(kernel)
    strides = x.strides[lead:]
    within = [step * own for step, own in zip(dilation, strides, strict=True)]
    across = [step * own for step, own in zip(stride, strides, strict=True)]
    shape = (*x.shape[:lead], *kernel, *counts)
    return as_strided(x, shape, (*x.strides[:lead], *within, *across))


def add_windows(padded: Array, windows: Array, kernel: Shape, stride: Shape, dilation: Shape, counts: Shape) -> None:
    """Add windows [..., *kernel, *counts] to the elements of `padded` that they show."""
    view = window_view(padded, kernel, stride, dilation, counts)
    lead = padded.ndim - len(kernel)
    for tap in np.ndindex(*kernel):
        place = (*[slice(None)] * lead, *tap)
        view[place] += windows[place]


def guarded(
    e: Emitter, places: Sequence[Place], sizes: Sequence[int], inner: Callable[[], Element], record: dtype
) -> Element:
    """The inner element where all places lie inside the sizes, else zero."""
    if not places:
        return inner()
    return e.choose(
        e.inside(places[0], 0, sizes[0]),
        lambda: guarded(e, places[1:], sizes[1:], inner, record),
        lambda: e.constant(0, record),
    )


@dataclass(frozen=True)
class Windows(View):
    """Windows of `size` elements along `axis`, one every `step`; each is the new last axis. As `Tensor.unfold`."""

    axis: int
    size: int
    step: int
    dilation: int = 1

    def infer(self, x: TensorType) -> TensorType:
        if not 0 <= self.axis < x.rank:
            raise ShapeError(f"Windows: {x} has no axis {self.axis}")
        (found,) = window_counts(
            "Windows", x.shape[self.axis : self.axis + 1], (self.size,), (self.step,), ((0, 0),), (self.dilation,)
        )
        return x.with_shape((*x.shape[: self.axis], found, *x.shape[self.axis + 1 :], self.size))

    def reference(self, x: Array) -> Array:
        last = np.moveaxis(x, self.axis, -1)
        found = (x.shape[self.axis] - self.dilation * (self.size - 1) - 1) // self.step + 1
        view = window_view(last, (self.size,), (self.step,), (self.dilation,), (found,))
        return np.moveaxis(np.moveaxis(view, -2, -1), -2, self.axis)

    def transpose(self, length: int) -> Overlap:
        return Overlap(self.axis, self.size, self.step, length, self.dilation)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (emit(self.transpose(x.shape[self.axis]), ct),)

    def restore(self, base: Node, view: Node) -> Node:
        apart = range(self.dilation, self.dilation * self.size, self.dilation)
        if any(gap * self.step in apart for gap in range(1, view.shape[self.axis])):
            raise InPlaceError(
                "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single "
                "memory location. Please clone() the tensor before performing the operation. Fix: x = x.clone()."
            )
        back = self.transpose(base.shape[self.axis])
        unseen = emit(back, full_like(view, 1))
        return where(emit(Equal(), unseen, full_like(unseen, 0)), base, emit(back, view))

    def lower(self, e: Emitter, at: At, x: Reader) -> Element:
        *own, tap = at
        own[self.axis] = own[self.axis] * self.step + tap * self.dilation
        return x(tuple(own))

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls(1, 2, 1), "f32[2,5]"),
            Example(cls(0, 3, 2), "i64[8,2]"),
            Example(cls(0, 2, 2), "f32[5,2,1]"),
        )


@dataclass(frozen=True)
class Overlap(Primitive):
    """The sum of windows, each laid where `Windows` shows it on an axis of `length` elements: its transpose."""

    axis: int
    size: int
    step: int
    length: int
    dilation: int = 1

    def infer(self, windows: TensorType) -> TensorType:
        shape = (*windows.shape[: self.axis], self.length, *windows.shape[self.axis + 1 : -1])
        expected = Windows(self.axis, self.size, self.step, self.dilation).infer(windows.with_shape(shape))
        if windows != expected:
            raise ShapeError(f"Overlap: an axis of {self.length} elements is shown by {expected}, not by {windows}")
        return windows.with_shape(shape)

    @at_least(np.float32)
    def reference(self, windows: Array) -> Array:
        last = np.moveaxis(windows, self.axis, -1)
        result = np.zeros((*last.shape[:-2], self.length), windows.dtype)
        add_windows(result, last, (self.size,), (self.step,), (self.dilation,), last.shape[-1:])
        return np.moveaxis(result, -1, self.axis)

    def vjp(self, ct: Node, out: Node, windows: Node) -> tuple[Node]:
        return (emit(Windows(self.axis, self.size, self.step, self.dilation), ct),)

    def lower(self, e: Emitter, at: At, windows: Reader) -> Element:
        found = windows.shape[self.axis]

        def seen(over: At) -> Element:
            (tap,) = over
            start = at[self.axis] - tap * self.dilation
            own = (*at[: self.axis], start // self.step, *at[self.axis + 1 :], tap)
            return e.choose(
                e.inside(start, 0, (found - 1) * self.step + 1),
                lambda: e.choose(
                    e.aligned(start, self.step), lambda: windows(own), lambda: e.constant(0, windows.dtype)
                ),
                lambda: e.constant(0, windows.dtype),
            )

        return e.reduce("sum", [self.size], seen, windows.dtype)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls(1, 2, 1, 5), "f32[2,4,2]"),
            Example(cls(0, 3, 2, 8), "f32[3,2,3]"),
            Example(cls(0, 2, 3, 7), "i64[2,2]"),
        )
