"""Pooling: where each window's largest element stands, and what each window sums to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kadam.dtypes import BOOL, COMPLEX, int64
from kadam.errors import DTypeError, ShapeError
from kadam.ir.builder import emit
from kadam.ir.graph import Node
from kadam.ir.lowering import Element, Emitter, Reader
from kadam.ir.place import Index as At
from kadam.ir.place import flat, unflat
from kadam.ir.primitive import Array, Example, Primitive
from kadam.ir.types import TensorType
from kadam.primitives.compare import Equal
from kadam.primitives.precision import at_least
from kadam.primitives.window import Margins, add_windows, guarded, pad_array, unpad_array, window_counts, window_view
from kadam.shapes import Shape, contiguous_strides, count


@dataclass(frozen=True)
class WindowArgMax(Primitive):
    """Where the largest element of each window over the last axes stands: its row-major position in their plane.

    Of equal elements the first, of nans the last; padding never wins.
    As the indices of `torch.nn.functional.max_pool2d`.
    """

    kernel: Shape
    stride: Shape
    padding: Margins
    dilation: Shape
    differentiable: ClassVar[bool] = False

    def infer(self, x: TensorType) -> TensorType:
        if x.dtype.category in (BOOL, COMPLEX):
            raise DTypeError(f"WindowArgMax: x is {x}; it must have real numbers")
        counts = self._counts(x.shape)
        return TensorType(int64, (*x.shape[: -len(counts)], *counts))

    def _counts(self, shape: Shape) -> Shape:
        sizes = shape[-len(self.kernel) :]
        return window_counts("WindowArgMax", sizes, self.kernel, self.stride, self.padding, self.dilation)

    def reference(self, x: Array) -> Array:
        plane = x.shape[-len(self.kernel) :]
        lead, counts = x.shape[: -len(plane)], self._counts(x.shape)
        lowest = np.iinfo(x.dtype).min if x.dtype.kind in "iu" else -np.inf
        padded = pad_array(x, self.padding, lowest)
        windows = window_view(padded, self.kernel, self.stride, self.dilation, counts)
        candidates = [windows[(*[slice(None)] * len(lead), *tap)] for tap in np.ndindex(*self.kernel)]
        starts = self._starts(counts)
        winner = _first_largest(candidates, lowest, self._first_taps(starts))
        strides = contiguous_strides(plane)
        taps = [grid * step for grid, step in zip(_grid(self.kernel), self.dilation, strict=True)]
        return _inner(starts, strides) + _inner(taps, strides).reshape(-1).take(winner)

    def _starts(self, counts: Shape) -> list[Array]:
        """For each axis, where its windows begin in the unpadded plane."""
        places = zip(_grid(counts), self.stride, self.padding, strict=True)
        return [place * step - before for place, step, (before, _) in places]

    def _first_taps(self, starts: Sequence[Array]) -> Array:
        """The number of each window's first tap that is not padding."""
        taps = [-(np.minimum(start, 0) // step) for start, step in zip(starts, self.dilation, strict=True)]
        return _inner(taps, contiguous_strides(self.kernel))

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[None]:
        return (None,)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls((2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1)), "f32[2,3,4,6]"),
            Example(cls((3, 2), (1, 2), ((1, 1), (0, 1)), (1, 2)), "f32[2,5,5]"),
            Example(cls((3,), (2,), ((1, 2),), (1,)), "f32[2,6]"),
            Example(cls((2, 2, 2), (1, 2, 1), ((0, 0), (1, 1), (0, 0)), (1, 1, 1)), "f32[1,3,4,3]"),
        )


@dataclass(frozen=True)
class WindowPick(Primitive):
    """From each window of x the element at `position`, row-major in the plane of the last axes.

    The positions are those of `WindowArgMax` with the same attributes. As `torch.gather` over the flattened plane.
    """

    kernel: Shape
    stride: Shape
    padding: Margins
    dilation: Shape

    def infer(self, x: TensorType, position: TensorType) -> TensorType:
        expected = WindowArgMax(self.kernel, self.stride, self.padding, self.dilation).infer(x)
        if position != expected:
            raise ShapeError(f"WindowPick: the windows of {x} have positions {expected}, not {position}")
        return x.with_shape(position.shape)

    def reference(self, x: Array, position: Array) -> Array:
        lead = position.shape[: -len(self.kernel)]
        rows = np.take_along_axis(x.reshape(*lead, -1), position.reshape(*lead, -1), -1)
        return np.asarray(rows).reshape(position.shape)

    def vjp(self, ct: Node, out: Node, x: Node, position: Node) -> tuple[Node, None]:
        size = x.shape[-len(self.kernel) :]
        return emit(WindowPlace(self.kernel, self.stride, self.padding, self.dilation, size), ct, position), None

    def lower(self, e: Emitter, at: At, x: Reader, position: Reader) -> Element:
        lead = len(at) - len(self.kernel)
        plane = x.shape[lead:]
        return x((*at[:lead], *unflat(e.datum(position(at), count(plane), wrap=False), plane)))

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls((2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1)), "f32[2,3,4,6], i64[2,3,2,3]", integers=(0, 24)),
            Example(cls((2,), (1,), ((1, 0),), (1,)), "i32[2,4], i64[2,4]", integers=(0, 4)),
        )


@dataclass(frozen=True)
class WindowPlace(Primitive):
    """Each element added at its `position`, which lies in its window, to a plane of zeros: WindowPick's transpose.

    A position outside of the element's own window is undefined.
    """

    kernel: Shape
    stride: Shape
    padding: Margins
    dilation: Shape
    size: Shape

    def transpose(self) -> WindowPick:
        return WindowPick(self.kernel, self.stride, self.padding, self.dilation)

    def infer(self, picked: TensorType, position: TensorType) -> TensorType:
        plane = picked.with_shape((*picked.shape[: -len(self.size)], *self.size))
        self.transpose().infer(plane, position)
        if picked.shape != position.shape:
            raise ShapeError(f"WindowPlace: {picked} and its positions {position} differ in shape")
        return plane

    @at_least(np.float32)
    def reference(self, picked: Array, position: Array) -> Array:
        lead = picked.shape[: -len(self.size)]
        planes = np.zeros((count(lead), count(self.size)), picked.dtype)
        rows = np.arange(count(lead))[:, None]
        np.add.at(planes, (rows, position.reshape(count(lead), -1)), picked.reshape(count(lead), -1))
        return planes.reshape(*lead, *self.size)

    def vjp(self, ct: Node, out: Node, picked: Node, position: Node) -> tuple[Node, None]:
        return emit(self.transpose(), ct, position), None

    def lower(self, e: Emitter, at: At, picked: Reader, position: Reader) -> Element:
        lead = len(at) - len(self.kernel)
        here = e.number(flat(at[lead:], self.size), int64)
        zero = e.constant(0, picked.dtype)

        def placed(windows: At) -> Element:
            index = (*at[:lead], *windows)
            return e.choose(e.apply(Equal(), position(index), here), lambda: picked(index), lambda: zero)

        starts = [one + before for one, (before, _) in zip(at[lead:], self.padding, strict=True)]
        if self.kernel == self.stride and set(self.dilation) == {1}:  # each element lies in one window
            windows = tuple(one // step for one, step in zip(starts, self.stride, strict=True))
            return guarded(e, windows, picked.shape[lead:], lambda: placed(windows), picked.dtype)

        def seen(over: At) -> Element:
            first = [one - tap * gap for one, tap, gap in zip(starts, over, self.dilation, strict=True)]
            windows = tuple(one // step for one, step in zip(first, self.stride, strict=True))

            def aligned(axis: int) -> Element:
                if axis == len(first):
                    return guarded(e, windows, picked.shape[lead:], lambda: placed(windows), picked.dtype)
                held = e.aligned(first[axis], self.stride[axis])
                return e.choose(held, lambda: aligned(axis + 1), lambda: zero)

            return aligned(0)

        return e.reduce("sum", self.kernel, seen, picked.dtype)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(
                cls((1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), (1, 1)), "f32[2,3,1,1], i64[2,3,1,1]", integers=(0, 1)
            ),
        )


@dataclass(frozen=True)
class WindowSum(Primitive):
    """The sum of each window over the last axes; padding counts as zero. As `avg_pool2d` times the window's size."""

    kernel: Shape
    stride: Shape
    padding: Margins

    def infer(self, x: TensorType) -> TensorType:
        if x.dtype.category == BOOL:
            raise DTypeError(f"WindowSum: cannot sum {x}. Fix: cast it to an integer type first.")
        counts = self.counts(x.shape[-len(self.kernel) :])
        return x.with_shape((*x.shape[: -len(counts)], *counts))

    def counts(self, sizes: Shape) -> Shape:
        return window_counts("WindowSum", sizes, self.kernel, self.stride, self.padding, self.dilation())

    def dilation(self) -> Shape:
        return (1,) * len(self.kernel)

    @at_least(np.float32)
    def reference(self, x: Array) -> Array:
        lead, counts = x.ndim - len(self.kernel), self.counts(x.shape[-len(self.kernel) :])
        padded = pad_array(x, self.padding)
        windows = window_view(padded, self.kernel, self.stride, self.dilation(), counts)
        result = np.zeros((*x.shape[:lead], *counts), x.dtype)
        for tap in np.ndindex(*self.kernel):
            result += windows[(*[slice(None)] * lead, *tap)]
        return result

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (emit(WindowSpread(self.kernel, self.stride, self.padding, x.shape[-len(self.kernel) :]), ct),)

    def lower(self, e: Emitter, at: At, x: Reader) -> Element:
        lead = len(at) - len(self.kernel)
        sizes = x.shape[lead:]

        def seen(over: At) -> Element:
            starts = zip(at[lead:], self.stride, over, self.padding, strict=True)
            places = tuple(one * step + tap - before for one, step, tap, (before, _) in starts)
            return guarded(e, places, sizes, lambda: x((*at[:lead], *places)), x.dtype)

        return e.reduce("sum", self.kernel, seen, x.dtype)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls((2, 2), (2, 2), ((0, 0), (0, 0))), "f32[2,3,4,6]"),
            Example(cls((3, 2), (1, 2), ((1, 2), (0, 1))), "f32[2,5,5]"),
            Example(cls((3,), (2,), ((1, -1),)), "i64[2,8]"),
        )


@dataclass(frozen=True)
class WindowSpread(Primitive):
    """Each element added to all places of its window, on a plane of `size`: the transpose of `WindowSum`."""

    kernel: Shape
    stride: Shape
    padding: Margins
    size: Shape

    def transpose(self) -> WindowSum:
        return WindowSum(self.kernel, self.stride, self.padding)

    def infer(self, sums: TensorType) -> TensorType:
        plane = sums.with_shape((*sums.shape[: -len(self.size)], *self.size))
        expected = self.transpose().infer(plane)
        if sums != expected:
            raise ShapeError(f"WindowSpread: the windows of {plane} are {expected}, the input is {sums}")
        return plane

    @at_least(np.float32)
    def reference(self, sums: Array) -> Array:
        lead, counts = sums.shape[: -len(self.size)], sums.shape[-len(self.size) :]
        inside = (size + before + after for size, (before, after) in zip(self.size, self.padding, strict=True))
        padded = np.zeros((*lead, *inside), sums.dtype)
        windows = np.broadcast_to(
            sums.reshape(*lead, *self.transpose().dilation(), *counts), (*lead, *self.kernel, *counts)
        )
        add_windows(padded, windows, self.kernel, self.stride, self.transpose().dilation(), counts)
        return unpad_array(padded, self.padding, self.size)

    def vjp(self, ct: Node, out: Node, sums: Node) -> tuple[Node]:
        return (emit(self.transpose(), ct),)

    def lower(self, e: Emitter, at: At, sums: Reader) -> Element:
        lead = len(at) - len(self.kernel)
        counts = sums.shape[lead:]

        def seen(over: At) -> Element:
            places = tuple(
                one + before - tap for one, tap, (before, _) in zip(at[lead:], over, self.padding, strict=True)
            )
            windows = tuple(one // step for one, step in zip(places, self.stride, strict=True))

            def aligned(axis: int) -> Element:
                if axis == len(places):
                    return guarded(e, windows, counts, lambda: sums((*at[:lead], *windows)), sums.dtype)
                if self.stride[axis] == 1:
                    return aligned(axis + 1)
                return e.choose(
                    e.aligned(places[axis], self.stride[axis]),
                    lambda: aligned(axis + 1),
                    lambda: e.constant(0, sums.dtype),
                )

            return aligned(0)

        return e.reduce("sum", self.kernel, seen, sums.dtype)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls((2, 2), (2, 2), ((0, 0), (0, 0)), (4, 5)), "f32[2,3,2,2]"),
            Example(cls((3, 2), (1, 2), ((1, 2), (0, 1)), (5, 5)), "f32[2,6,3]"),
            Example(cls((3,), (2,), ((1, -1),), (8,)), "i64[2,3]"),
        )


def pool_padding(
    sizes: Shape, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape, ceil_mode: bool
) -> Margins:
    """(before, after) padding per axis. With `ceil_mode` a last window that overhangs counts if it starts inside."""
    if not ceil_mode:
        return tuple((margin, margin) for margin in padding)
    margins = []
    for size, taps, step, margin, gap in zip(sizes, kernel, stride, padding, dilation, strict=True):
        reach = gap * (taps - 1) + 1
        last = -(-(size + 2 * margin - reach) // step)
        if last * step >= size + margin:
            last -= 1
        margins.append((margin, last * step + reach - size - margin))
    return tuple(margins)


def _first_largest(candidates: Sequence[Array], lowest: float, default: Array) -> Array:
    """For each place the number of the first candidate that is largest there; `default` where all are the lowest."""
    best = candidates[0].copy()
    for candidate in candidates[1:]:
        np.maximum(best, candidate, out=best)
    missing = np.ones(best.shape, np.bool_)
    winner = np.zeros(best.shape, np.min_scalar_type(len(candidates)))
    for candidate in candidates:
        missing &= candidate != best
        winner += missing
    if missing.any():  # nan equals nothing, not even the nan that won
        for number, candidate in enumerate(candidates):
            winner[candidate != candidate] = number
    return np.where(best == lowest, default, winner)


def _grid(sizes: Shape) -> list[Array]:
    """For each axis its positions, shaped to broadcast over a tensor of these sizes."""
    return list(np.ogrid[tuple(map(slice, sizes))])


def _inner(parts: Sequence[Array], weights: Sequence[int]) -> Array:
    """The weighted sum of arrays that broadcast."""
    return np.asarray(sum(part * weight for part, weight in zip(parts, weights, strict=True)))
