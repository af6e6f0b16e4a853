"""A tile of sums of a weight's gradient: a few channels and taps times vectors of features, in registers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product
from typing import TYPE_CHECKING

from kadam.engines.native.address import fixed
from kadam.engines.native.convolve_axis import Axis
from kadam.engines.native.convolve_sums import all_hold
from kadam.engines.native.integers import Integer
from kadam.engines.native.lanes import multiply_add
from kadam.engines.native.writer import Value, Variable
from kadam.shapes import contiguous_strides

if TYPE_CHECKING:
    from kadam.engines.native.convolve_weight import Partial

# For a channel and its taps of the last axes, the vectors of their sums.
Held = dict[tuple[int, tuple[int, ...]], list[Variable]]


@dataclass(frozen=True)
class Span:
    """The block at hand: its first sample, row and place, how many samples and rows, and where its places end."""

    sample: Integer
    samples: Integer
    line: Integer
    lines: Integer
    place: Integer
    until: Integer


class Tile:
    """Writes the sums over a block for some channels and taps."""

    def __init__(
        self, partial: Partial, span: Span, group: Integer, channel: Integer, many: int, taps: tuple[Integer, ...]
    ) -> None:
        self.partial, self.span, self.group, self.channel, self.many, self.taps = (
            partial, span, group, channel, many, taps
        )  # fmt: skip
        self.writer, self.integers, self.scalars = partial.writer, partial.integers, partial.scalars
        self.geometry, self.tiling = partial.geometry, partial.tiling

    def write(self, sums: str) -> None:
        writer, integers, geometry, tiling, wide = (
            self.writer, self.integers, self.geometry, self.tiling, self.partial.wide
        )  # fmt: skip
        strides = contiguous_strides(tuple(axis.taps for axis in geometry.axes))
        start = integers.mul(self.channel, geometry.taps)
        for tap, stride in zip(self.taps, strides, strict=False):
            start = integers.add(start, integers.mul(tap, stride))
        here = writer.address(wide, sums, integers.mul(start, tiling.width))
        held: Held = {}
        places = {}
        joint = [range(axis.taps) for axis in geometry.axes[len(self.taps) :]]
        for channel in range(self.many):
            for taps in product(*joint):
                inner = sum(tap * stride for tap, stride in zip(taps, strides[len(self.taps) :], strict=True))
                place = (channel * geometry.taps + inner) * tiling.width
                places[channel, taps] = place
                held[channel, taps] = [writer.variable(wide, tiling.lanes) for _ in range(tiling.vectors)]
                for one in held[channel, taps]:
                    one.set(Value("zeroinitializer", wide, tiling.lanes))
        self._lines(held)
        for key, place in places.items():
            for number, one in enumerate(held[key]):
                before = writer.load(wide, tiling.lanes, here, place + number * tiling.lanes)
                writer.store(self.scalars.add(before, one.get()), here, place + number * tiling.lanes)

    def _lines(self, held: Held) -> None:
        """Loops over the samples and rows of the block."""
        writer, integers, geometry, tiling, block = (
            self.writer, self.integers, self.geometry, self.tiling, self.partial.block
        )  # fmt: skip
        plane, *strides = geometry.source_strides
        channels = geometry.groups * geometry.channels
        with writer.loop(0, self.span.samples) as sample, writer.loop(0, self.span.lines) as line:
            number = integers.mul(integers.add(self.span.sample, sample), channels)
            number = integers.sum(number, integers.mul(self.group, geometry.channels), self.channel)
            source = integers.mul(number, plane)
            outer = integers.split(integers.add(self.span.line, line), [axis.results for axis in geometry.outer])
            inside: list[Value] = []
            rest = (0 for _ in geometry.outer[len(self.taps) :])
            for axis, result, tap, stride in zip(geometry.outer, outer, (*self.taps, *rest), strides, strict=False):
                at, condition = axis.source(integers, result, tap)
                source = integers.add(source, integers.mul(at, stride))
                inside += [condition] if condition is not None else []
            place = integers.add(integers.mul(sample, block.rows), line)
            turned = integers.mul(place, block.places * tiling.width)
            with all_hold(writer, inside):
                self._places(held, source, turned)

    def _places(self, held: Held, source: Integer, turned: Integer) -> None:
        """Loops over the places of a row where the same taps meet sources."""
        row, span, integers = self.geometry.row, self.span, self.integers
        if not self.tiling.axes:
            low, high = self._met_by(row, self.taps[-1])
            moved = integers.add(source, integers.mul(self.taps[-1], row.step))
            self._run(held, moved, turned, integers.most(low, span.place), integers.least(high, span.until))
            return
        for low, high, taps in segments(row):
            some = {key: sums for key, sums in held.items() if key[1][-1] in taps}
            self._run(some, source, turned, integers.most(low, span.place), integers.least(high, span.until))

    def _met_by(self, row: Axis, tap: Integer) -> tuple[Integer, Integer]:
        """The places of a row at which a tap meets a source: from the first to before the second."""
        if row.is_inside:
            return 0, row.results
        integers = self.integers
        offset = integers.add(integers.mul(tap, row.step), row.shift)
        # Ceilings of -offset / scale and (sources - offset) / scale, of numbers moved to be positive.
        moved = row.scale * (row.taps * row.step + abs(row.shift) + row.sources)
        low = integers.div(integers.sub(moved + row.scale - 1, offset), row.scale)
        high = integers.div(integers.sub(moved + row.scale - 1 + row.sources, offset), row.scale)
        least, most = integers.sub(low, moved // row.scale), integers.sub(high, moved // row.scale)
        return integers.most(least, 0), integers.least(most, row.results)

    def _run(
        self, held: Held, source: Integer, turned: Integer,
        low: Integer, high: Integer,
    ) -> None:  # fmt: skip
        writer, integers, geometry, tiling = self.writer, self.integers, self.geometry, self.tiling
        row, record, wide = geometry.row, self.partial.record, self.partial.wide
        plane, *strides = geometry.source_strides
        inner = strides[len(self.taps) :]
        numbers = writer.address(record, self.partial.x, integers.add(source, row.shift))
        lines = writer.address(
            wide, self.partial.turned, integers.sub(turned, integers.mul(self.span.place, tiling.width))
        )
        with writer.loop(low, high) as place:
            number = fixed(writer, writer.address(record, numbers, integers.mul(place, row.scale)))
            line = writer.address(wide, lines, integers.mul(place, tiling.width))
            vectors = [writer.load(wide, tiling.lanes, line, v * tiling.lanes) for v in range(tiling.vectors)]
            for (channel, taps), sums in held.items():
                axes = geometry.axes[len(self.taps) :]
                moves = zip(taps, axes, inner, strict=True)
                offset = channel * plane + sum(tap * axis.step * stride for tap, axis, stride in moves)
                found = self.scalars.cast(writer.load(record, 0, number, offset), wide)
                spread = writer.splat(found, tiling.lanes)
                for vector, one in zip(vectors, sums, strict=True):
                    one.set(multiply_add(self.scalars, spread, vector, one.get()))


def segments(row: Axis) -> Iterator[tuple[int, int, frozenset[int]]]:
    """Neighbouring places of a row at which the same taps meet sources."""
    spans = [row.span(tap) for tap in range(row.taps)]
    ends = sorted({0, row.results, *(end for span in spans for end in span)})
    for low, high in pairwise(ends):
        met = frozenset(tap for tap, (first, end) in enumerate(spans) if first <= low and high <= end)
        if met:
            yield low, high, met
