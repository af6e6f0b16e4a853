"""Sums of a weight's gradient: how they lie in memory, and how those of several parts of the batch become one.

The batch is summed in parts, so that they can be computed at the same time; the parts are added in a fixed order.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from math import prod

from kadam.dtypes import dtype
from kadam.engines.native.convolve_axis import Geometry
from kadam.engines.native.convolve_pack import widened
from kadam.engines.native.integers import Integer, Integers
from kadam.engines.native.lanes import below
from kadam.engines.native.scalars import Scalars
from kadam.engines.native.stage import Finish, Scratch, Stage
from kadam.engines.native.target import Target
from kadam.engines.native.transpose import block_of, transpose
from kadam.engines.native.writer import BOOL, Value, Writer, index

PARTS = 16  # tasks that the batch is split into, where groups and panels of features are fewer


@dataclass(frozen=True)
class WeightTiling:
    """What a tile of sums holds.

    Attributes:
        lanes, vectors: of features.
        channels: how many.
        axes: over how many of the last axes all taps are in the tile; with 0, one tap is.
        cycles: what a place costs, over all channels and taps.
    """

    lanes: int
    vectors: int
    channels: int
    axes: int
    cycles: float

    @property
    def width(self) -> int:
        return self.lanes * self.vectors


class WeightSums:
    """Writes the kernels of a weight's gradient."""

    def __init__(self, geometry: Geometry, tiling: WeightTiling, record: dtype, target: Target) -> None:
        self.geometry, self.tiling, self.target = geometry, tiling, target
        self.record, self.wide = record, widened(record)
        self.panels = -(-geometry.features // tiling.width)
        self.parts = max(1, min(geometry.batch, PARTS // (geometry.groups * self.panels)))
        self.lines = geometry.channels * geometry.taps
        slack = tiling.lanes * tiling.width
        sums = self.parts * geometry.groups * self.panels * self.lines * tiling.width
        self.sums = Scratch((sums + slack) * self.wide.itemsize)

    @property
    def samples(self) -> int:
        """How many samples a part has, but perhaps the last."""
        return -(-self.geometry.batch // self.parts)

    @property
    def task_sizes(self) -> tuple[int, int, int]:
        """Parts, groups, panels."""
        return self.parts, self.geometry.groups, self.panels

    def stage(self, writer: Writer, name: str) -> Stage:
        """The stage of a kernel that computes the sums of one part, group and panel per task."""
        geometry = self.geometry
        size_bytes = geometry.elements * self.record.itemsize + self.sums.size_bytes
        tasks = prod(self.task_sizes)
        return Stage(name, writer.text(), tuple(writer.buffers), tasks, geometry.flops, size_bytes, geometry.flops)

    def place(self, integers: Integers, part: Integer, group: Integer, panel: Integer) -> Integer:
        """Where the sums of a panel begin."""
        number = integers.add(integers.mul(part, self.geometry.groups), group)
        number = integers.add(integers.mul(number, self.panels), panel)
        return integers.mul(number, self.lines * self.tiling.width)


class Total:
    """Writes the kernel that adds up the parts and hands the weights to `finish`."""

    def __init__(self, sums: WeightSums) -> None:
        self.whole, self.geometry, self.tiling = sums, sums.geometry, sums.tiling
        self.writer = Writer()
        self.integers, self.scalars = Integers(self.writer), Scalars(self.writer)

    def stage(self, finish: Finish, name: str, flat: bool) -> Stage:
        whole, writer, integers, tiling = self.whole, self.writer, self.integers, self.tiling
        groups, lanes = self.geometry.groups, tiling.lanes
        self.finish, self.flat = finish, flat
        self.sums = writer.buffer(whole.sums)
        self.square = writer.scratch(whole.wide, lanes * lanes)
        self.turned = writer.scratch(whole.wide, lanes * lanes)
        blocks = -(-whole.lines // lanes)
        begin, end = writer.tasks
        with writer.loop(begin, end) as task:
            group, panel, block = integers.split(task, (groups, whole.panels, blocks))
            with writer.loop(0, tiling.width, lanes) as vector:
                self._add(group, panel, integers.mul(block, lanes), vector)
        tasks, size_bytes = groups * whole.panels * blocks, whole.sums.size_bytes
        elements = whole.sums.size_bytes / whole.wide.itemsize
        return Stage(name, writer.text(), tuple(writer.buffers), tasks, elements, size_bytes, 2 * elements)

    def _add(self, group: Integer, panel: Integer, line: Integer, vector: Value) -> None:
        """A square of weights: as many features as lines."""
        whole, writer, integers, tiling = self.whole, self.writer, self.integers, self.tiling
        lanes = tiling.lanes
        place = integers.sum(whole.place(integers, 0, group, panel), integers.mul(line, tiling.width), vector)
        apart = whole.lines * tiling.width * whole.panels * self.geometry.groups
        with writer.loop(0, lanes) as row:
            start = integers.add(place, integers.mul(row, tiling.width))
            total = writer.variable(whole.wide, lanes)
            total.set(writer.load(whole.wide, lanes, self.sums, start))
            with writer.loop(1, whole.parts) as part:
                more = writer.load(whole.wide, lanes, self.sums, integers.add(start, integers.mul(part, apart)))
                total.set(self.scalars.add(total.get(), more))
            writer.store(total.get(), self.square, integers.mul(row, lanes))
        turn = block_of(whole.wide.itemsize)
        with writer.loop(0, lanes, turn) as offset:

            def load(row: int) -> Value:
                return writer.load(whole.wide, turn, self.square, integers.add(offset, row * lanes))

            for column, turned in enumerate(transpose(writer, lanes, turn, load)):
                writer.store(turned, self.turned, integers.mul(integers.add(offset, column), lanes))
        first = integers.add(integers.mul(panel, tiling.width), vector)
        count = integers.least(integers.sub(self.geometry.features, first), lanes)
        with writer.loop(0, count) as feature:
            number = integers.sum(integers.mul(group, self.geometry.features), first, feature)
            self._hand(number, line, integers.mul(feature, lanes))

    def _hand(self, feature: Integer, line: Integer, place: Integer) -> None:
        """Hand some weights of a feature to `finish`: as if in one row, or each by itself."""
        whole, writer, integers, lanes = self.whole, self.writer, self.integers, self.tiling.lanes
        sizes = (self.geometry.channels, *(axis.taps for axis in self.geometry.axes))
        longer = [axis for axis, size in enumerate(sizes, 1) if size > 1]
        if longer and (self.flat or len(longer) == 1):
            mask = below(writer, integers.sub(whole.lines, line), lanes) if whole.lines % lanes else None
            value = writer.load(whole.wide, lanes, self.turned, place)
            here = [index(0)] * (len(sizes) + 1)
            here[0], here[longer[-1]] = index(feature), index(line)
            self.finish(writer, tuple(here), longer[-1], self.scalars.cast(value, whole.record), mask)
            return
        with writer.loop(0, integers.least(integers.sub(whole.lines, line), lanes)) as one:
            value = writer.load(whole.wide, 0, self.turned, integers.add(place, one))
            where = tuple(map(index, (feature, *integers.split(integers.add(line, one), sizes))))
            self.finish(writer, where, None, self.scalars.cast(value, whole.record), None)


def all_hold(writer: Writer, conditions: Sequence[Value]) -> AbstractContextManager[None]:
    """What is written inside runs if all conditions hold."""
    if not conditions:
        return nullcontext()
    both = conditions[0]
    for one in conditions[1:]:
        both = writer.let(BOOL, 0, f"and {both}, {one.text}")
    return writer.when(both)
