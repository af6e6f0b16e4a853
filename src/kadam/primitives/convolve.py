"""Convolution over any number of spatial axes: three products of a signal x, a kernel w and a result y.

All three are contractions of one trilinear form, the sum of x[n, c, p stride + t dilation] w[o, c, t] y[n, o, p] over
everything: `Convolve` leaves y open, `ConvolveInput` x and `ConvolveWeight` w. So each is differentiated by the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kadam.dtypes import BOOL
from kadam.errors import DTypeError, ShapeError
from kadam.ir.builder import emit
from kadam.ir.graph import Node
from kadam.ir.lowering import Element, Emitter, Reader
from kadam.ir.place import Index as At
from kadam.ir.primitive import Array, Example, Primitive
from kadam.ir.types import TensorType
from kadam.primitives.elementwise import Mul, conj
from kadam.primitives.precision import at_least
from kadam.primitives.window import Margins, add_windows, pad_array, unpad_array, window_counts, window_view
from kadam.shapes import Shape, count

# So many bytes of unrolled windows are multiplied at a time: they stay in a core's cache.
_CHUNK_BYTES = 1 << 21


@dataclass(frozen=True)
class Convolution(Primitive):
    """What the three share. Per spatial axis: stride, padding (before, after; may be negative), dilation.

    With `groups`, the channels of x and y fall into as many equal groups, and each of y sees only its own of x.
    Shapes: x [batch, channels, *size], w [features, channels / groups, *kernel], y [batch, features, *counts].
    """

    stride: Shape
    padding: Margins
    dilation: Shape
    groups: int

    def _result(self, x: TensorType, w: TensorType) -> TensorType:
        """The type of y.

        Raises:
            ShapeError, DTypeError: x and w do not fit.
        """
        name, rank = type(self).__name__, len(self.stride) + 2
        if x.dtype is not w.dtype or x.dtype.category == BOOL:
            raise DTypeError(f"{name}: cannot combine {x} with {w}: both must be of one numeric type. Fix: cast first.")
        if x.rank != rank or w.rank != rank:
            raise ShapeError(f"{name}: the input {x} and the weight {w} must have {rank} axes")
        if x.shape[1] != w.shape[1] * self.groups:
            raise ShapeError(
                f"{name}: Given groups={self.groups}, weight of size {list(w.shape)}, expected input{list(x.shape)} "
                f"to have {w.shape[1] * self.groups} channels, but got {x.shape[1]} channels instead"
            )
        if w.shape[0] % self.groups:
            raise ShapeError(
                f"{name}: the {w.shape[0]} features of the weight {w} do not fall into {self.groups} groups"
            )
        counts = window_counts(name, x.shape[2:], w.shape[2:], self.stride, self.padding, self.dilation)
        return x.with_shape((x.shape[0], w.shape[0], *counts))

    def _agree(self, y: TensorType, x: TensorType, w: TensorType) -> None:
        expected = self._result(x, w)
        if y != expected:
            raise ShapeError(f"{type(self).__name__}: {x} convolved with {w} gives {expected}, not {y}")

    def _arguments(self) -> tuple[Shape, Margins, Shape, int]:
        return self.stride, self.padding, self.dilation, self.groups

    def _unrolled(self, x: Array, kernel: Shape, counts: Shape) -> Iterator[tuple[slice, Array]]:
        """Some samples at a time, their windows as matrices [samples, groups, channels * taps, places]."""
        windows = window_view(pad_array(x, self.padding), kernel, self.stride, self.dilation, counts)
        rows = x.shape[1] // self.groups * count(kernel)
        for samples in _chunks(len(x), x.shape[1] * count(kernel) * count(counts) * x.itemsize):
            part = windows[samples]
            yield samples, part.reshape(len(part), self.groups, rows, count(counts))

    def _matrix(self, w: Array) -> Array:
        """w as matrices [groups, features, channels * taps]."""
        return w.reshape(self.groups, w.shape[0] // self.groups, count(w.shape[1:]))

    def _planes(self, y: Array) -> Array:
        """y as matrices [batch, groups, features, places]."""
        return y.reshape(len(y), self.groups, y.shape[1] // self.groups, count(y.shape[2:]))


class Convolve(Convolution):
    """Cross-correlation of x with w. As `torch.nn.functional.conv1d`, `conv2d`, `conv3d` without bias."""

    notation: ClassVar = "{0} ∗ {1}"

    def infer(self, x: TensorType, w: TensorType) -> TensorType:
        return self._result(x, w)

    def element(self, emitter: Emitter, at: At, *inputs: Reader) -> Element:
        x, w = inputs
        sample, feature, *places = at
        first = feature // (w.shape[0] // self.groups) * w.shape[1]
        margins = [before for before, _ in self.padding]

        def product(over: At) -> Element:
            channel, *taps = over
            rows = zip(places, self.stride, taps, self.dilation, margins, strict=True)
            spots = [one * stride + tap * dilation - before for one, stride, tap, dilation, before in rows]
            inside = [emitter.inside(one, 0, size) for one, size in zip(spots, x.shape[2:], strict=True)]

            def chosen(conditions: list[Element]) -> Element:
                if not conditions:
                    return emitter.apply(Mul(), x((sample, first + channel, *spots)), w((feature, channel, *taps)))
                outside = emitter.constant(0, x.dtype)
                return emitter.choose(conditions[0], lambda: chosen(conditions[1:]), lambda: outside)

            return chosen(inside)

        return emitter.reduce("sum", w.shape[1:], product, x.dtype)

    @at_least(np.float32)
    def reference(self, x: Array, w: Array) -> Array:
        kernel = w.shape[2:]
        counts = window_counts("Convolve", x.shape[2:], kernel, self.stride, self.padding, self.dilation)
        y = np.empty((len(x), w.shape[0], *counts), x.dtype)
        planes, matrix = self._planes(y), self._matrix(w)
        for samples, unrolled in self._unrolled(x, kernel, counts):
            np.matmul(matrix, unrolled, out=planes[samples])
        return y

    def vjp(self, ct: Node, out: Node, x: Node, w: Node) -> tuple[Node, Node]:
        from_x = emit(ConvolveInput(*self._arguments(), x.shape[2:]), ct, conj(w))
        return from_x, emit(ConvolveWeight(*self._arguments(), w.shape[2:]), conj(x), ct)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls((1, 1), ((1, 1), (1, 1)), (1, 1), 1), "f32[2,3,4,5], f32[4,3,3,3]"),
            Example(cls((2, 1), ((0, 1), (2, 0)), (1, 2), 2), "f32[2,4,6,5], f32[6,2,3,2]"),
            Example(cls((2,), ((1, -1),), (1,), 3), "f32[2,3,7], f32[3,1,2]"),
            Example(cls((1, 2, 1), ((0, 0), (1, 1), (0, 0)), (1, 1, 1), 1), "f32[1,2,3,4,3], f32[2,2,2,3,1]"),
            Example(cls((1,), ((0, 0),), (1,), 1), "i64[1,2,4], i64[2,2,2]"),
        )


@dataclass(frozen=True)
class ConvolveInput(Convolution):
    """The x that y and w call for: each y laid back, times w, over its window on axes of `size`.

    As `torch.nn.functional.conv_transpose2d` and its kind without bias (there y is called the input).
    """

    size: Shape

    def infer(self, y: TensorType, w: TensorType) -> TensorType:
        channels = w.shape[1] * self.groups if w.rank > 1 else 0
        x = y.with_shape((*y.shape[:1], channels, *self.size))
        self._agree(y, x, w)
        return x

    @at_least(np.float32)
    def reference(self, y: Array, w: Array) -> Array:
        kernel, counts, channels = w.shape[2:], y.shape[2:], w.shape[1] * self.groups
        inside = (size + before + after for size, (before, after) in zip(self.size, self.padding, strict=True))
        x = np.zeros((len(y), channels, *inside), y.dtype)
        planes, matrix = self._planes(y), np.ascontiguousarray(self._matrix(w).swapaxes(1, 2))
        for samples in _chunks(len(y), channels * count(kernel) * count(counts) * y.itemsize):
            unrolled = np.matmul(matrix, planes[samples])
            windows = unrolled.reshape(len(unrolled), channels, *kernel, *counts)
            add_windows(x[samples], windows, kernel, self.stride, self.dilation, counts)
        return unpad_array(x, self.padding, self.size)

    def vjp(self, ct: Node, out: Node, y: Node, w: Node) -> tuple[Node, Node]:
        from_w = emit(ConvolveWeight(*self._arguments(), w.shape[2:]), ct, conj(y))
        return emit(Convolve(*self._arguments()), ct, conj(w)), from_w

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls((1, 1), ((1, 1), (1, 1)), (1, 1), 1, (4, 5)), "f32[2,4,4,5], f32[4,3,3,3]"),
            Example(cls((2, 1), ((0, 1), (2, 0)), (1, 2), 2, (6, 5)), "f32[2,6,3,5], f32[6,2,3,2]"),
            Example(cls((2,), ((1, -1),), (1,), 3, (7,)), "f32[2,3,3], f32[3,1,2]"),
            Example(cls((1,), ((0, 0),), (1,), 1, (4,)), "i64[1,2,3], i64[2,2,2]"),
        )


@dataclass(frozen=True)
class ConvolveWeight(Convolution):
    """The w that x and y call for: each y times the window of x that it saw, summed over the batch and the places."""

    kernel: Shape

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        if x.rank < 2 or y.rank < 2:
            raise ShapeError(f"ConvolveWeight: {x} and {y} must have a batch axis and a channel axis")
        w = x.with_shape((y.shape[1], x.shape[1] // self.groups, *self.kernel))
        self._agree(y, x, w)
        return w

    @at_least(np.float32)
    def reference(self, x: Array, y: Array) -> Array:
        planes = self._planes(y)
        w = np.zeros((y.shape[1], x.shape[1] // self.groups, *self.kernel), x.dtype)
        matrix = self._matrix(w)
        for samples, unrolled in self._unrolled(x, self.kernel, y.shape[2:]):
            matrix += np.matmul(planes[samples], unrolled.swapaxes(2, 3)).sum(0)
        return w

    def vjp(self, ct: Node, out: Node, x: Node, y: Node) -> tuple[Node, Node]:
        from_x = emit(ConvolveInput(*self._arguments(), x.shape[2:]), conj(y), ct)
        return from_x, emit(Convolve(*self._arguments()), conj(x), ct)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls((1, 1), ((1, 1), (1, 1)), (1, 1), 1, (3, 3)), "f32[2,3,4,5], f32[2,4,4,5]"),
            Example(cls((2, 1), ((0, 1), (2, 0)), (1, 2), 2, (3, 2)), "f32[2,4,6,5], f32[2,6,3,5]"),
            Example(cls((2,), ((1, -1),), (1,), 3, (2,)), "f32[2,3,7], f32[2,3,3]"),
            Example(cls((1,), ((0, 0),), (1,), 1, (2,)), "i64[1,2,4], i64[1,2,3]"),
        )


def _chunks(samples: int, size_bytes: int) -> Iterator[slice]:
    """Ranges of samples, of this many bytes each, that fill a chunk."""
    step = max(1, _CHUNK_BYTES // max(size_bytes, 1))
    return (slice(start, start + step) for start in range(0, samples, step))
