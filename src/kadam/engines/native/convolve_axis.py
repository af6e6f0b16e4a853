"""Where the windows of a convolution lie: for each result and each tap of its window, the element of the source."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from math import prod

from kadam.engines.native.integers import Integer, Integers
from kadam.engines.native.writer import Value
from kadam.primitives.window import Margins
from kadam.shapes import Shape, contiguous_strides


@dataclass(frozen=True)
class Axis:
    """One spatial axis: tap k of result q meets source (q scale + k step + shift) / ratio.

    It meets none where that does not divide, or lies outside.

    Attributes:
        results, taps, sources: how many there are.
    """

    results: int
    taps: int
    sources: int
    scale: int
    step: int
    shift: int
    ratio: int

    def met(self, result: int, tap: int) -> int | None:
        """The source that a tap of a result meets."""
        source, rest = divmod(result * self.scale + tap * self.step + self.shift, self.ratio)
        return source if not rest and 0 <= source < self.sources else None

    def span(self, tap: int) -> tuple[int, int]:
        """The results at which a tap meets a source, without gaps between them: the first, and where they end."""
        offset = tap * self.step + self.shift
        low, high = -(offset // self.scale), -((offset - self.sources) // self.scale)
        low, high = max(low, 0), min(high, self.results)
        return (low, high) if low < high else (0, 0)

    @cached_property
    def is_inside(self) -> bool:
        """Whether all taps of all results meet a source."""
        corners = [(result, tap) for result in (0, self.results - 1) for tap in (0, self.taps - 1)]
        return self.ratio == 1 and None not in [self.met(*corner) for corner in corners]

    def source(self, integers: Integers, result: Integer, tap: Integer) -> tuple[Integer, Value | None]:
        """The source that a tap of a result meets, and the condition that it does; None if it always does."""
        at = integers.sum(integers.mul(result, self.scale), integers.mul(tap, self.step), self.shift)
        if self.ratio == 1:
            return at, None if self.is_inside else integers.below(at, self.sources)
        # A negative number is a huge one here, and so is its quotient.
        quotient = integers.div(at, self.ratio)
        divides = integers.equal(integers.rem(at, self.ratio), 0)
        inside = integers.below(quotient, self.sources)
        return quotient, integers.writer.let(inside.dtype, 0, f"and {divides}, {inside.text}")


@dataclass(frozen=True)
class Geometry:
    """A convolution as this engine sees it: results [batch, groups * features, *axes] from sources of likewise shape.

    Attributes:
        features: channels of the results in a group.
        channels: channels of the sources in a group; they are summed over, as are the taps.
        axes: the spatial axes.
    """

    batch: int
    groups: int
    features: int
    channels: int
    axes: tuple[Axis, ...]

    @property
    def outer(self) -> tuple[Axis, ...]:
        """All axes but the last, along which a row lies."""
        return self.axes[:-1]

    @property
    def row(self) -> Axis:
        return self.axes[-1]

    @property
    def rows(self) -> int:
        """How many rows of results there are in a plane."""
        return prod(axis.results for axis in self.outer)

    @property
    def taps(self) -> int:
        return prod(axis.taps for axis in self.axes)

    @property
    def source_strides(self) -> tuple[int, ...]:
        """Of a source's plane, and a channel's size at the front."""
        sizes = tuple(axis.sources for axis in self.axes)
        return prod(sizes), *contiguous_strides(sizes)

    @property
    def elements(self) -> int:
        """How many numbers the sources and the results have together."""
        sources, results = self.channels * self.source_strides[0], self.features * self.places
        return self.batch * self.groups * (sources + results)

    @property
    def flops(self) -> float:
        return 2.0 * self.batch * self.groups * self.features * self.channels * self.taps * self.places

    @property
    def places(self) -> int:
        return prod(axis.results for axis in self.axes)


def forward_axes(
    sources: Shape, results: Shape, taps: Shape, stride: Shape, padding: Margins, dilation: Shape
) -> tuple[Axis, ...]:
    """The axes of a convolution whose windows lie over the sources."""
    each = zip(sources, results, taps, stride, padding, dilation, strict=True)
    return tuple(Axis(q, k, x, scale, step, -before, 1) for x, q, k, scale, (before, _), step in each)


def backward_axes(
    sources: Shape, results: Shape, taps: Shape, stride: Shape, padding: Margins, dilation: Shape
) -> tuple[Axis, ...]:
    """The axes of its transpose: the windows lie over the results."""
    each = zip(sources, results, taps, stride, padding, dilation, strict=True)
    return tuple(Axis(q, k, x, 1, -step, before, ratio) for x, q, k, ratio, (before, _), step in each)


def over_taps(
    integers: Integers, geometry: Geometry, outer: tuple[Integer, ...], source: Integer, unrolled: bool,
    inner: Callable[[Integer, Integer], None],
) -> None:  # fmt: skip
    """The taps of the outer axes that meet a source; `inner` gets the place of that row of sources, and of the taps."""
    writer = integers.writer
    counts = contiguous_strides(tuple(axis.taps for axis in geometry.axes))

    def axis_taps(depth: int, at: Integer, tap: Integer) -> None:
        if depth == len(geometry.outer):
            inner(at, tap)
            return
        axis, stride = geometry.axes[depth], geometry.source_strides[1 + depth]

        def one(own: Integer) -> None:
            found, inside = axis.source(integers, outer[depth], own)
            with nullcontext() if inside is None else writer.when(inside):
                moved = integers.add(at, integers.mul(found, stride))
                axis_taps(depth + 1, moved, integers.add(tap, integers.mul(own, counts[depth])))

        if unrolled:
            for number in range(axis.taps):
                one(number)
        else:
            with writer.loop(0, axis.taps) as own:
                one(own)

    axis_taps(0, source, 0)
