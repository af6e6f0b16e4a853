"""The gradient of a convolution's weights with the places of a row in the lanes: for few features.

Every feature and tap has a vector of sums, over the places of a row that stand under one another; at the end of a part
of the batch its lanes are added up.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import product
from math import prod

from kadam.engines.native.address import fixed
from kadam.engines.native.convolve_axis import Geometry
from kadam.engines.native.convolve_rows import RowTiling, Run, row_runs
from kadam.engines.native.convolve_sums import WeightSums, WeightTiling, all_hold
from kadam.engines.native.integers import Integer, Integers
from kadam.engines.native.lanes import load_apart, load_cycles, multiply_add
from kadam.engines.native.scalars import Scalars
from kadam.engines.native.stage import Stage
from kadam.engines.native.target import Target
from kadam.engines.native.transpose import block_of
from kadam.engines.native.writer import Value, Variable, Writer
from kadam.shapes import contiguous_strides

MOST_TAPS = 12  # as many may be in the text

Sums = list[list[Variable]]  # for each tap of a row, for each feature


def choose_weight_rows(geometry: Geometry, itemsize: int, target: Target) -> tuple[RowTiling, WeightTiling]:
    """How rows fall into vectors, and how the sums are laid out; what that costs, as `choose_weight_tiling` counts."""
    row, lanes = geometry.row, target.vector_bytes // itemsize
    while lanes > 2 and lanes >= 2 * row.results:
        lanes //= 2
    most = min(geometry.features, most_sums(target) // (geometry.taps if is_joint(geometry) else row.taps))
    features = -(-geometry.features // -(-geometry.features // most)) if most else 0
    width = block_of(itemsize)
    while width < geometry.features:
        width *= 2
    layout = WeightTiling(width, 1, 1, 0, float("inf"))
    if not features or width * itemsize > target.vector_bytes:
        return RowTiling(lanes, 1, 1, float("inf")), layout
    tiling = RowTiling(lanes, 1, features, 0.0)
    cycles = sum((run.end - run.first) * _cycles(run, features, row.scale, lanes) for run in row_runs(row, tiling))
    blocks = -(-geometry.features // features)
    cost = blocks * geometry.channels * geometry.taps / row.taps * cycles / row.results
    return tiling, replace(layout, cycles=cost)


def most_sums(target: Target) -> int:
    """How many vectors of sums registers hold, beside what is multiplied."""
    return target.vector_registers - 6


def is_joint(geometry: Geometry) -> bool:
    """Whether the sums of all taps are taken at once, rather than those of one row of taps after the other."""
    return geometry.taps <= MOST_TAPS


def _cycles(run: Run, features: int, scale: int, lanes: int) -> float:
    """What the taps of a row cost in one vector."""
    meetings = [met for tap in run.meetings[0] for met in tap if met is not None]
    products = sum(features * (0.5 if met[1:] == (0, lanes) else 1.4) for met in meetings)
    loads = len(meetings) * load_cycles(scale, lanes)
    return max(products, features / 2 + loads, 2.5) + 1


@dataclass(frozen=True)
class Share:
    """What is summed at a time: into `sums`, of a part of the batch and a group, one channel and `many` features."""

    sums: str
    part: Integer
    group: Integer
    channel: Integer
    feature: Integer
    many: int


class RowSums:
    """Writes the kernel that sums parts of the batch."""

    def __init__(self, sums: WeightSums, tiling: RowTiling) -> None:
        self.whole, self.geometry, self.tiling = sums, sums.geometry, tiling
        self.record, self.wide = sums.record, sums.wide
        self.runs = row_runs(self.geometry.row, tiling)
        self.writer = Writer()
        self.integers, self.scalars = Integers(self.writer), Scalars(self.writer)

    def stage(self, x: Hashable, y: Hashable, name: str) -> Stage:
        """The stage that computes the sums of all parts."""
        writer, whole, geometry = self.writer, self.whole, self.geometry
        self.x, self.y, buffer = writer.buffer(x), writer.buffer(y), writer.buffer(whole.sums)
        begin, end = writer.tasks
        with writer.loop(begin, end) as task:
            part, group, panel = self.integers.split(task, whole.task_sizes)
            sums = writer.address(self.wide, buffer, whole.place(self.integers, part, group, panel))
            with writer.loop(0, geometry.channels) as channel:
                many = self.tiling.features
                whole_ones = geometry.features // many * many
                with writer.loop(0, whole_ones, many) if many < geometry.features else nullcontext(0) as first:
                    self._outer_taps(Share(sums, part, group, channel, first, many))
                if whole_ones < geometry.features:
                    rest = geometry.features - whole_ones
                    self._outer_taps(Share(sums, part, group, channel, whole_ones, rest))
        return whole.stage(writer, name)

    def _outer_taps(self, share: Share) -> None:
        """Sum for all taps of the outer axes at once if registers hold that, else for one after the other."""
        sizes = [axis.taps for axis in self.geometry.outer]
        if is_joint(self.geometry):
            self._sum(share, list(product(*map(range, sizes))))
            return
        with self.writer.loop(0, prod(sizes)) as tap:
            self._sum(share, [self.integers.split(tap, sizes)])

    def _sum(self, share: Share, taps: Sequence[tuple[Integer, ...]]) -> None:
        """Sum over the part of the batch, and store what comes out."""
        writer, integers, geometry, whole = self.writer, self.integers, self.geometry, self.whole
        lanes, row = self.tiling.lanes, geometry.row
        held: list[Sums] = []
        for _ in taps:
            held.append([[writer.variable(self.wide, lanes) for _ in range(share.many)] for _ in range(row.taps)])
        for one in (one for sums in held for line in sums for one in line):
            one.set(Value("zeroinitializer", self.wide, lanes))
        first = integers.mul(share.part, whole.samples)
        end = integers.least(integers.add(first, whole.samples), geometry.batch)
        with writer.loop(first, end) as sample, writer.loop(0, geometry.rows) as line:
            self._line(share, taps, held, sample, line)
        strides = contiguous_strides(tuple(axis.taps for axis in geometry.axes))
        for tap, sums in zip(taps, held, strict=True):
            place = integers.mul(share.channel, geometry.taps)
            for own, stride in zip(tap, strides, strict=False):
                place = integers.add(place, integers.mul(own, stride))
            place = integers.add(integers.mul(place, whole.tiling.width), share.feature)
            target = writer.address(self.wide, share.sums, place)
            for own, line_ in enumerate(sums):
                for number, one in enumerate(line_):
                    writer.store(across(writer, one.get()), target, own * whole.tiling.width + number)

    def _line(
        self, share: Share, taps: Sequence[tuple[Integer, ...]], held: Sequence[Sums], sample: Integer, line: Integer
    ) -> None:
        """Add what a row of results gives."""
        writer, integers, geometry = self.writer, self.integers, self.geometry
        plane, *strides = geometry.source_strides
        number = integers.add(integers.mul(sample, geometry.groups), share.group)
        feature = integers.add(integers.mul(number, geometry.features), share.feature)
        results = integers.add(integers.mul(feature, geometry.places), integers.mul(line, geometry.row.results))
        y = writer.address(self.record, self.y, results)
        sources = integers.mul(integers.add(integers.mul(number, geometry.channels), share.channel), plane)
        outer = integers.split(line, [axis.results for axis in geometry.outer])
        for tap, sums in zip(taps, held, strict=True):
            at, inside = sources, []
            for axis, result, own, stride in zip(geometry.outer, outer, tap, strides, strict=False):
                found, condition = axis.source(integers, result, own)
                at = integers.add(at, integers.mul(found, stride))
                inside += [] if condition is None else [condition]
            with all_hold(writer, inside):
                x = writer.address(self.record, self.x, at)
                for run in self.runs:
                    self._run(run, sums, x, y)

    def _run(self, run: Run, sums: Sums, x: str, y: str) -> None:
        """Add what vectors that look alike give."""
        writer, integers, geometry, lanes = self.writer, self.integers, self.geometry, self.tiling.lanes
        with nullcontext(run.first) if run.end == run.first + 1 else writer.loop(run.first, run.end) as vector:
            first = integers.mul(vector, lanes)
            y_here = fixed(writer, writer.address(self.record, y, first))
            x_here = fixed(writer, writer.address(self.record, x, integers.mul(first, geometry.row.scale)))
            known: dict[tuple[int, int], list[Value]] = {}
            for line, (met,) in zip(sums, run.meetings[0], strict=True):
                if met is not None:
                    source, low, high = met
                    if (low, high) not in known:
                        known[low, high] = [
                            self._load(y_here, feature * geometry.places, 1, low, high) for feature in range(len(line))
                        ]
                    found = self._load(x_here, source, geometry.row.scale, low, high)
                    for result, one in zip(known[low, high], line, strict=True):
                        one.set(multiply_add(self.scalars, found, result, one.get()))

    def _load(self, pointer: str, offset: int, apart: int, low: int, high: int) -> Value:
        found = load_apart(self.writer, self.record, self.tiling.lanes, pointer, offset, apart, low, high)
        return self.scalars.cast(found, self.wide)


def across(writer: Writer, value: Value) -> Value:
    """The sum of all lanes, in pairs."""
    while value.lanes > 1:
        half = value.lanes // 2
        low, high = writer.shuffle(value, range(half)), writer.shuffle(value, range(half, value.lanes))
        value = Scalars(writer).add(low, high)
    return writer.lane(value, 0)
