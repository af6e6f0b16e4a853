"""Convolution with the results of a row in the lanes: for few features, where vectors of features would be empty.

Sources of a row are loaded as they lie, once for a few features; weights are read where they are. With gaps between the
sources (a transposed convolution), results that are `ratio` apart share a vector, and rows are put together in memory.
"""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

from kadam.dtypes import dtype
from kadam.engines.native.address import fixed
from kadam.engines.native.convolve_axis import Axis, Geometry, over_taps
from kadam.engines.native.convolve_pack import Weights, widened
from kadam.engines.native.convolve_tile import TASK_FLOPS
from kadam.engines.native.integers import Integer, Integers
from kadam.engines.native.lanes import below, load_apart, load_cycles, mask_of, multiply_add
from kadam.engines.native.scalars import Scalars
from kadam.engines.native.stage import Finish, Stage
from kadam.engines.native.target import Target
from kadam.engines.native.writer import Value, Variable, Writer, index

MOST_PRODUCTS = 250  # multiplications of vectors that the taps of a row may have in the text
UNROLLED = 120  # as many multiplications of vectors the text may have, to repeat the taps of all axes

# What a tap meets in a vector of results: the source of the first lane, and the lanes that meet one.
Meeting = tuple[int, int, int]


@dataclass(frozen=True)
class RowTiling:
    """How a row falls into tiles: vectors of results, for each residue of the ratio, times features."""

    lanes: int
    vectors: int
    features: int
    cycles: float


def choose_row_tiling(geometry: Geometry, itemsize: int, target: Target) -> RowTiling:
    """The tiling, and what a channel and tap of a row cost by the count of `convolve_tile.choose_tiling`."""
    row, lanes = geometry.row, target.vector_bytes // itemsize
    each = -(-row.results // row.ratio)
    while lanes > 2 and lanes >= 2 * each:
        lanes //= 2
    features = -(-geometry.features // -(-geometry.features // min(8, target.vector_registers // 4)))
    most = (target.vector_registers - 4) // (features + 1)
    vectors = max(1, min(-(-each // lanes), most, 4))
    tiling = RowTiling(lanes, vectors, features, float("inf"))
    if row.taps * features * vectors > MOST_PRODUCTS:
        return tiling
    cycles = sum((run.end - run.first) * _cycles(run, tiling, row) for run in row_runs(row, tiling))
    return replace(tiling, cycles=-(-geometry.features // features) * cycles / row.taps)


def _cycles(run: Run, tiling: RowTiling, row: Axis) -> float:
    """What the taps of a tile cost, for one channel: where not all lanes meet a source, weights are masked."""
    total = 0.0
    for meeting in (one for residue in run.meetings for one in residue if any(one)):
        lanes = [met[1:] == (0, tiling.lanes) for met in meeting if met is not None]
        products = sum(tiling.features * (0.5 if full else 1.4) for full in lanes)
        loads = len(lanes) * load_cycles(row.scale, tiling.lanes)
        total += max(products, tiling.features / 2 + loads, 2.5) + 0.5
    return total


@dataclass(frozen=True)
class Run:
    """Neighbouring tiles of a row in which the same lanes meet sources."""

    first: int
    end: int
    meetings: tuple[tuple[tuple[Meeting | None, ...], ...], ...]


class Rows:
    """Writes the kernel of a convolution with few features."""

    def __init__(self, geometry: Geometry, tiling: RowTiling, weights: Weights, record: dtype) -> None:
        self.geometry, self.tiling, self.weights = geometry, tiling, weights
        self.record, self.wide = record, widened(record)
        self.writer = Writer()
        self.integers, self.scalars = Integers(self.writer), Scalars(self.writer)

    @property
    def width(self) -> int:
        """How many results of a row a tile has."""
        return self.tiling.lanes * self.tiling.vectors * self.geometry.row.ratio

    def stage(self, source: Hashable, weights: Hashable, finish: Finish, name: str) -> Stage:
        """The stage that computes all results and hands them to `finish`."""
        geometry, writer = self.geometry, self.writer
        self.source, self.kernel, self.finish = writer.buffer(source), writer.buffer(weights), finish
        self.sums = writer.scratch(self.wide, self.tiling.features * self.width)
        begin, end = writer.tasks
        with writer.loop(begin, end) as task:
            self._task(self.integers.split(task, self._task_sizes))
        size_bytes = geometry.elements * self.record.itemsize
        work = 2 * geometry.flops
        tasks = prod(self._task_sizes)
        return Stage(name, writer.text(), tuple(writer.buffers), tasks, geometry.flops, size_bytes, work)

    @cached_property
    def _rows_per_task(self) -> int:
        geometry = self.geometry
        flops = 2 * geometry.row.results * geometry.channels * geometry.taps * self.tiling.features
        return max(1, min(geometry.rows, TASK_FLOPS // 8 // max(flops, 1)))

    @property
    def _task_sizes(self) -> tuple[int, ...]:
        geometry = self.geometry
        blocks = -(-geometry.rows // self._rows_per_task)
        return geometry.batch, geometry.groups, -(-geometry.features // self.tiling.features), blocks

    def _task(self, at: tuple[Integer, ...]) -> None:
        geometry, integers, writer = self.geometry, self.integers, self.writer
        sample, group, part, block = at
        plane = geometry.source_strides[0]
        number = integers.add(integers.mul(sample, geometry.groups), group)
        source = writer.address(self.record, self.source, integers.mul(number, geometry.channels * plane))
        # The last features may be fewer: then the tile begins earlier, and hands on only those that are new.
        first = integers.mul(part, self.tiling.features)
        begin = integers.least(first, geometry.features - self.tiling.features)
        kernel = writer.address(
            self.record, self.kernel,
            integers.add(integers.mul(group, self.weights.group), integers.mul(begin, self.weights.feature)),
        )  # fmt: skip
        known = integers.sub(first, begin)
        start = integers.mul(block, self._rows_per_task)
        end = integers.least(integers.add(start, self._rows_per_task), geometry.rows)
        runs = row_runs(geometry.row, self.tiling)
        with writer.loop(start, end) as line, writer.loop(0, runs[-1].end) as tile:
            outer = integers.split(line, [axis.results for axis in geometry.outer])
            for run in runs:
                with self._chosen(run, runs, tile):
                    for residue in range(geometry.row.ratio):
                        self._residue(run, residue, source, kernel, outer, tile)
            channel = integers.add(integers.mul(group, geometry.features), begin)
            self._hand((sample, channel), known, outer, tile)

    def _chosen(self, run: Run, runs: list[Run], tile: Value) -> AbstractContextManager[None]:
        if len(runs) == 1:
            return nullcontext()
        return self.writer.when(self.integers.below(self.integers.sub(tile, run.first), run.end - run.first))

    def _residue(
        self, run: Run, residue: int, source: str, kernel: str, outer: tuple[Integer, ...], tile: Value
    ) -> None:
        """Sum the results of a tile that have a residue, and lay them where they belong in it."""
        writer, tiling, row = self.writer, self.tiling, self.geometry.row
        sums = [
            [writer.variable(self.wide, tiling.lanes) for _ in range(tiling.vectors)] for _ in range(tiling.features)
        ]
        for held in (one for line in sums for one in line):
            held.set(Value("zeroinitializer", self.wide, tiling.lanes))
        base = self.integers.mul(tile, tiling.lanes * tiling.vectors * row.scale)
        meetings = run.meetings[residue]
        if any(any(meeting) for meeting in meetings):
            over_taps(
                self.integers, self.geometry, outer, base, self._unrolled,
                lambda at, tap: self._channels(sums, meetings, source, kernel, at, tap),
            )  # fmt: skip
        for feature, line in enumerate(sums):
            for vector, held in enumerate(line):
                place = feature * self.width + vector * tiling.lanes * row.ratio + residue
                if row.ratio == 1:
                    writer.store(held.get(), self.sums, place)
                else:
                    writer.scatter(held.get(), self.sums, writer.steps(place, row.ratio, tiling.lanes))

    @property
    def _unrolled(self) -> bool:
        """Whether the taps of the outer axes are repeated in the text, rather than looped over."""
        return self.geometry.taps * self.tiling.features * self.tiling.vectors <= UNROLLED

    def _channels(
        self, sums: list[list[Variable]], meetings: tuple[tuple[Meeting | None, ...], ...], source: str, kernel: str,
        at: Integer, tap: Integer,
    ) -> None:  # fmt: skip
        """Add what a row of sources gives, of all channels."""
        writer, integers, geometry, weights = self.writer, self.integers, self.geometry, self.weights
        one_channel = geometry.channels == 1
        with nullcontext(0) if one_channel else writer.loop(0, geometry.channels) as channel:
            place = integers.add(at, integers.mul(channel, geometry.source_strides[0]))
            numbers = fixed(writer, writer.address(self.record, source, place))
            place = integers.add(tap, integers.mul(channel, weights.channel))
            factors = fixed(writer, writer.address(self.record, kernel, place))
            for own, meeting in enumerate(meetings):
                if any(meeting):
                    spread = [self._weight(factors, own + number * weights.feature) for number in range(len(sums))]
                    for vector, met in enumerate(meeting):
                        if met is not None:
                            self._add(sums, vector, met, numbers, spread)

    def _weight(self, factors: str, offset: int) -> Value:
        found = self.writer.load(self.record, 0, factors, offset)
        return self.writer.splat(self.scalars.cast(found, self.wide), self.tiling.lanes)

    def _add(self, sums: list[list[Variable]], vector: int, met: Meeting, numbers: str, spread: list[Value]) -> None:
        """Add the products of a vector of sources with the weights of all features."""
        lanes, (first, low, high) = self.tiling.lanes, met
        mask, apart = mask_of(low, high, lanes), self.geometry.row.scale
        found = load_apart(self.writer, self.record, lanes, numbers, first, apart, low, high)
        found = self.scalars.cast(found, self.wide)
        for line, factor in zip(sums, spread, strict=True):
            if mask is not None:  # where there is no source, a weight may be infinite: 0 times 0 is added
                factor = self.scalars.select(mask, factor, Value("zeroinitializer", self.wide, lanes))
            line[vector].set(multiply_add(self.scalars, found, factor, line[vector].get()))

    def _hand(self, at: tuple[Integer, Integer], known: Integer, outer: tuple[Integer, ...], tile: Value) -> None:
        """Hand the features of a tile to `finish`, from `known` on."""
        writer, integers, row, lanes = self.writer, self.integers, self.geometry.row, self.tiling.lanes
        sample, channel = at
        start = integers.mul(tile, self.width)
        with (
            writer.loop(known, self.tiling.features) as feature,
            writer.loop(0, integers.least(self.width, integers.sub(row.results, start)), lanes) as place,
        ):
            first = integers.add(start, place)
            where = tuple(map(index, (sample, integers.add(channel, feature), *outer, first)))
            held = integers.add(integers.mul(feature, self.width), place)
            along = None if row.results == 1 else len(where) - 1
            mask = below(writer, integers.sub(row.results, first), lanes) if along and row.results % lanes else None
            value = writer.load(self.wide, lanes if along else 0, self.sums, held)
            self.finish(writer, where, along, self.scalars.cast(value, self.record), mask)


def row_runs(axis: Axis, tiling: RowTiling) -> list[Run]:
    """The tiles of a row, those together that look alike."""
    found: list[Run] = []
    width = tiling.lanes * tiling.vectors
    tiles = -(-axis.results // (width * axis.ratio))
    for tile in range(tiles):
        meetings = tuple(
            tuple(_met(axis, tiling, tile * width, residue, tap) for tap in range(axis.taps))
            for residue in range(axis.ratio)
        )
        if found and found[-1].meetings == meetings:
            found[-1] = Run(found[-1].first, tile + 1, meetings)
        else:
            found.append(Run(tile, tile + 1, meetings))
    return found


def _met(axis: Axis, tiling: RowTiling, start: int, residue: int, tap: int) -> tuple[Meeting | None, ...]:
    """What a tap meets in each vector of a tile; lane t of the row stands for result t ratio + residue."""
    source, rest = divmod(residue * axis.scale + tap * axis.step + axis.shift, axis.ratio)
    if rest:
        return (None,) * tiling.vectors
    results = -(-(axis.results - residue) // axis.ratio)

    def vector(first: int) -> Meeting | None:
        begin = source + first * axis.scale
        here = begin + start * axis.scale
        low = max(0, -(here // axis.scale))
        high = min(tiling.lanes, results - start - first, -((here - axis.sources) // axis.scale))
        return (begin, low, high) if low < high else None

    return tuple(vector(number * tiling.lanes) for number in range(tiling.vectors))
