"""The gradient of a convolution's weights: for every tap, features times channels, summed over samples and places.

The features lie in the lanes. A block of places of y is transposed into the first-level cache, where it meets every tap
of every channel: each number of x is broadcast and multiplied by vectors of y. Parts of the batch are summed apart, so
that they can be computed at the same time, and added up in a fixed order by a second stage.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from math import prod

from kadam.engines.native.convolve_axis import Geometry
from kadam.engines.native.convolve_sums import WeightSums, WeightTiling
from kadam.engines.native.convolve_weight_tile import Span, Tile, segments
from kadam.engines.native.integers import Integer, Integers
from kadam.engines.native.lanes import below
from kadam.engines.native.scalars import Scalars
from kadam.engines.native.stage import Stage
from kadam.engines.native.target import Target
from kadam.engines.native.transpose import block_of, transpose
from kadam.engines.native.writer import Value, Writer

MOST_PRODUCTS = 100  # of a channel and a vector of features that the text may have
BLOCK_BYTES = 16 << 10  # of transposed y: it shares the first-level cache with x and the sums


def choose_weight_tiling(geometry: Geometry, itemsize: int, target: Target) -> WeightTiling:
    """The tiling that takes the fewest cycles, by the count of `convolve_tile.choose_tiling`."""
    lanes = target.vector_bytes // itemsize
    while lanes > block_of(itemsize) and lanes >= 2 * geometry.features:
        lanes //= 2
    found = WeightTiling(lanes, 1, 1, 0, float("inf"))
    for axes in _joint_axes(geometry):
        taps = prod(axis.taps for axis in geometry.axes[len(geometry.axes) - axes :])
        for vectors in range(1, 4):
            panels = -(-geometry.features // (lanes * vectors))
            for channels in range(1, geometry.channels + 1):
                broadcasts = taps * channels
                if vectors * (broadcasts + 1) + 2 > target.vector_registers:
                    break
                whole, rest = divmod(geometry.channels, channels)
                cycles = whole * _cycles(broadcasts, vectors) + bool(rest) * _cycles(taps * rest, vectors)
                cost = panels * cycles * geometry.taps / taps
                if cost < found.cycles:
                    found = WeightTiling(lanes, vectors, channels, axes, cost)
    return found


def _joint_axes(geometry: Geometry) -> Iterator[int]:
    """Over how many of the last axes a tile may hold all taps: beside the row's, those where all meet a source."""
    yield 0
    for axes in range(1, len(geometry.axes) + 1):
        first = geometry.axes[-axes]
        if axes > 1 and not first.is_inside:
            return
        if len(list(segments(geometry.row))) * prod(axis.taps for axis in geometry.axes[-axes:]) > MOST_PRODUCTS:
            return
        yield axes


def _cycles(broadcasts: int, vectors: int) -> float:
    return max(broadcasts * vectors / 2, (broadcasts + vectors) / 2, 4) + 1


@dataclass(frozen=True)
class Block:
    """Places of y that are transposed at a time.

    Attributes:
        samples, rows, places: how many at most; more than one sample with all rows, more than one row with all places.
    """

    samples: int
    rows: int
    places: int


class Partial:
    """Writes the kernel that sums parts of the batch."""

    def __init__(self, sums: WeightSums) -> None:
        self.whole, self.geometry, self.tiling = sums, sums.geometry, sums.tiling
        self.record, self.wide = sums.record, sums.wide
        self.writer = Writer()
        self.integers, self.scalars = Integers(self.writer), Scalars(self.writer)

    @cached_property
    def block(self) -> Block:
        geometry = self.geometry
        room = max(1, BLOCK_BYTES // (self.tiling.width * self.wide.itemsize))
        places = min(room, geometry.row.results)
        rows = max(1, min(room // places, geometry.rows)) if places == geometry.row.results else 1
        samples = max(1, min(room // (places * rows), self.whole.samples)) if rows == geometry.rows else 1
        return Block(samples, rows, places)

    def stage(self, x: Hashable, y: Hashable, name: str) -> Stage:
        writer, tiling, whole, block = self.writer, self.tiling, self.whole, self.block
        self.x, self.y, self.sums = writer.buffer(x), writer.buffer(y), writer.buffer(whole.sums)
        self.turned = writer.scratch(
            self.wide, (block.samples * block.rows * block.places + tiling.lanes) * tiling.width
        )
        begin, end = writer.tasks
        with writer.loop(begin, end) as task:
            self._task(*self.integers.split(task, whole.task_sizes))
        return whole.stage(writer, name)

    def _task(self, part: Integer, group: Integer, panel: Integer) -> None:
        writer, integers, geometry, tiling, block = self.writer, self.integers, self.geometry, self.tiling, self.block
        sums = writer.address(self.wide, self.sums, self.whole.place(integers, part, group, panel))
        zero = Value("zeroinitializer", self.wide, tiling.lanes)
        with writer.loop(0, self.whole.lines * tiling.width, tiling.lanes) as at:
            writer.store(zero, sums, at)
        first = integers.mul(part, self.whole.samples)
        end = integers.least(integers.add(first, self.whole.samples), geometry.batch)
        row = geometry.row
        with (
            writer.loop(first, end, block.samples) as sample,
            writer.loop(0, geometry.rows, block.rows) as line,
            writer.loop(0, row.results, block.places) as place,
        ):
            samples = integers.least(integers.sub(end, sample), block.samples) if block.samples > 1 else 1
            lines: Integer = block.rows
            if geometry.rows % block.rows:
                lines = integers.least(integers.sub(geometry.rows, line), block.rows)
            until: Integer = integers.add(place, block.places)
            if row.results % block.places:
                until = integers.least(until, row.results)
            span = Span(sample, samples, line, lines, place, until)
            self._turn(group, panel, span)
            self._sum(group, sums, span)

    # y, transposed: [samples, rows, places, features]

    def _turn(self, group: Integer, panel: Integer, span: Span) -> None:
        writer, integers, geometry, tiling, block = self.writer, self.integers, self.geometry, self.tiling, self.block
        many = integers.sub(span.until, span.place)
        if block.rows > 1:
            many = integers.mul(span.lines, geometry.row.results)
        start = integers.add(integers.mul(span.line, geometry.row.results), span.place)
        with writer.loop(0, span.samples) as sample, writer.loop(0, tiling.width, tiling.lanes) as vector:
            number = integers.add(integers.mul(integers.add(span.sample, sample), geometry.groups), group)
            channel = integers.mul(number, geometry.features)
            features = [integers.sum(integers.mul(panel, tiling.width), vector, lane) for lane in range(tiling.lanes)]
            if geometry.features % tiling.width:  # those beyond the last are never looked at
                features = [integers.least(feature, geometry.features - 1) for feature in features]
            numbers = [integers.mul(integers.add(channel, feature), geometry.places) for feature in features]
            starts = [writer.address(self.record, self.y, integers.add(one, start)) for one in numbers]
            into = integers.add(integers.mul(sample, block.rows * block.places * tiling.width), vector)
            self._turn_places(starts, into, many)

    def _turn_places(self, starts: Sequence[str], into: Integer, many: Integer) -> None:
        """Transpose places of y, one feature per lane, that begin at these addresses."""
        writer, integers, tiling = self.writer, self.integers, self.tiling
        turn = block_of(self.wide.itemsize)
        with writer.loop(0, many, turn) as place:
            mask = below(writer, integers.sub(many, place), turn) if self._is_ragged(turn) else None

            def load(row: int) -> Value:
                return self.scalars.cast(writer.load(self.record, turn, starts[row], place, mask), self.wide)

            line = integers.add(into, integers.mul(place, tiling.width))
            for column, turned in enumerate(transpose(writer, tiling.lanes, turn, load)):
                writer.store(turned, self.turned, integers.add(line, column * tiling.width))

    def _is_ragged(self, turn: int) -> bool:
        """Whether places that are turned together may lie beyond the end of a plane."""
        row, block = self.geometry.row, self.block
        if block.rows == 1:
            return bool(row.results % turn or block.places % turn)
        return bool(block.rows * row.results % turn or self.geometry.places % turn)

    # Sums

    def _sum(self, group: Integer, sums: str, span: Span) -> None:
        """Add what a block of y gives to all sums."""
        writer, geometry, many = self.writer, self.geometry, self.tiling.channels
        with writer.loop(0, geometry.channels // many * many, many) as channel:
            self._channels(group, sums, span, channel, many)
        rest = geometry.channels % many
        if rest:
            self._channels(group, sums, span, geometry.channels - rest, rest)

    def _channels(self, group: Integer, sums: str, span: Span, channel: Integer, many: int) -> None:
        """The same for some channels: all taps of the last axes at once, one tap of the others after the other."""
        sizes = [axis.taps for axis in self.geometry.axes[: len(self.geometry.axes) - self.tiling.axes]]
        with nullcontext(0) if prod(sizes) == 1 else self.writer.loop(0, prod(sizes)) as tap:
            taps = self.integers.split(tap, sizes)
            Tile(self, span, group, channel, many, taps).write(sums)
