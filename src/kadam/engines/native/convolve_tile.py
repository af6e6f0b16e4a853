"""Convolution with the features in the lanes: each source number, broadcast, meets a vector of packed weights.

A tile is a few neighbouring results of a row times a few vectors of features, all in registers. Which taps of which
results meet a source is known while the kernel is written (at the ends of a row some do not): what is padding is never
multiplied, so infinite weights stay harmless there, and nothing is copied.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from math import prod

from kadam.dtypes import dtype
from kadam.engines.native.address import fixed, prefetch
from kadam.engines.native.convolve_axis import Geometry, over_taps
from kadam.engines.native.convolve_pack import Panels, widened
from kadam.engines.native.convolve_tiling import Meeting, Run, Tiling, alike, runs_of
from kadam.engines.native.integers import Integer, Integers
from kadam.engines.native.lanes import below, lanes_between, multiply_add
from kadam.engines.native.scalars import Scalars
from kadam.engines.native.stage import Finish, Scratch, Stage
from kadam.engines.native.target import Target
from kadam.engines.native.transpose import block_of, transpose
from kadam.engines.native.writer import I64, Value, Variable, Writer, index

TASK_FLOPS = 1 << 20  # about ten microseconds of a core's work

Sums = list[list[Variable]]  # for each place of a tile, for each vector of features


class Tiles:
    """Writes the kernel of a convolution with packed weights."""

    def __init__(self, geometry: Geometry, tiling: Tiling, panels: Panels, record: dtype, target: Target) -> None:
        self.geometry, self.tiling, self.panels = geometry, tiling, panels
        self.record, self.wide, self.target = record, widened(record), target
        self.writer = Writer()
        self.integers, self.scalars = Integers(self.writer), Scalars(self.writer)

    def stage(self, source: Hashable, packed: Scratch, finish: Finish, name: str) -> Stage:
        """The stage that computes all results and hands them to `finish`."""
        geometry, writer = self.geometry, self.writer
        self.source, self.packed, self.finish = writer.buffer(source), writer.buffer(packed), finish
        width = self.tiling.width
        self.sums = writer.scratch(self.wide, self._lines * width + self._turn)
        self.turned = writer.scratch(self.wide, self._lines * -(-width // self._turn) * self._turn)
        begin, end = writer.tasks
        with writer.loop(begin, end) as task:
            self._task(self._decode(task))
        size_bytes = geometry.elements * self.record.itemsize + packed.size_bytes
        tasks = prod(self._task_sizes)
        return Stage(name, writer.text(), tuple(writer.buffers), tasks, geometry.flops, size_bytes, geometry.flops)

    # Tasks: some rows of a plane, for a panel of features

    @cached_property
    def _rows_per_task(self) -> int:
        geometry = self.geometry
        flops = 2 * geometry.row.results * geometry.channels * geometry.taps * self.tiling.width
        return max(1, min(geometry.rows, TASK_FLOPS // max(flops, 1)))

    @property
    def _panels_first(self) -> bool:
        """Whether a panel of weights stays in the cache for all samples, rather than a sample for all panels."""
        packed = self.panels.panels * self.panels.elements * self.wide.itemsize
        return packed > self.target.l2_bytes // 2

    @property
    def _task_sizes(self) -> tuple[int, ...]:
        geometry = self.geometry
        blocks = -(-geometry.rows // self._rows_per_task)
        if self._panels_first:
            return geometry.groups, self.panels.panels, geometry.batch, blocks
        return geometry.batch, geometry.groups, self.panels.panels, blocks

    def _decode(self, task: Value) -> tuple[Integer, ...]:
        """Sample, group, panel and block of rows."""
        index = self.integers.split(task, self._task_sizes)
        if self._panels_first:
            group, panel, sample, block = index
            return sample, group, panel, block
        return index

    def _task(self, at: tuple[Integer, ...]) -> None:
        geometry, integers, writer = self.geometry, self.integers, self.writer
        sample, group, panel, block = at
        plane = geometry.source_strides[0]
        of_sample = integers.sum(integers.mul(sample, geometry.groups * geometry.channels * plane))
        start = integers.sum(of_sample, integers.mul(group, geometry.channels * plane))
        source = writer.address(self.record, self.source, start)
        number = integers.sum(integers.mul(group, self.panels.panels), panel)
        weights = writer.address(self.wide, self.packed, integers.mul(number, self.panels.elements))
        first = integers.mul(block, self._rows_per_task)
        end = integers.least(integers.add(first, self._rows_per_task), geometry.rows)
        if geometry.rows == self._rows_per_task:
            first, end = 0, geometry.rows
        runs = runs_of(geometry.row, self.tiling)
        with writer.loop(first, end) as row, writer.loop(0, runs[-1].end) as tile:
            outer = integers.split(row, [axis.results for axis in geometry.outer])
            for run in runs:
                with self._chosen(run, runs, tile):
                    self._run(run, source, weights, outer, tile)
            self._finish((sample, group, panel), outer, tile)

    def _chosen(self, run: Run, runs: list[Run], tile: Value) -> AbstractContextManager[None]:
        if len(runs) == 1:
            return nullcontext()
        return self.writer.when(self.integers.below(self.integers.sub(tile, run.first), run.end - run.first))

    # The sums of a tile

    def _run(self, run: Run, source: str, weights: str, outer: tuple[Integer, ...], tile: Value) -> None:
        """Sum the results of a tile, and store them place by place."""
        tiling, geometry, writer = self.tiling, self.geometry, self.writer
        row = geometry.row
        places = tiling.places if run.meetings is None else min(tiling.places, row.results - run.first * tiling.places)
        sums = [[writer.variable(self.wide, tiling.lanes) for _ in range(tiling.vectors)] for _ in range(places)]
        for one in (one for line in sums for one in line):
            one.set(Value("zeroinitializer", self.wide, tiling.lanes))
        base = self.integers.mul(tile, tiling.places * row.scale // row.ratio)

        def add(at: Integer, tap: Integer) -> None:
            here = writer.address(self.record, source, at)
            factors = writer.address(self.wide, weights, self.integers.mul(tap, self._tap_elements))
            if run.meetings is None:
                self._guarded(sums, here, factors, base, tile)
            else:
                self._row(run.meetings, sums, here, factors)

        over_taps(self.integers, geometry, outer, base, False, add)
        for place, line in enumerate(sums):
            for vector, one in enumerate(line):
                writer.store(one.get(), self.sums, place * tiling.width + vector * tiling.lanes)

    @property
    def _tap_elements(self) -> int:
        """How many packed weights a tap has in a panel."""
        return self.panels.channels * self.panels.width

    def _row(self, meetings: Sequence[Meeting], sums: Sums, source: str, weights: str) -> None:
        """Add what one row of sources gives: all taps along it, all channels."""
        writer, integers, row = self.writer, self.integers, self.geometry.row
        for first, many, meeting in alike(meetings, row.step):
            with nullcontext(0) if many == 1 else writer.loop(0, many) as tap:
                numbers = writer.address(self.record, source, integers.mul(tap, row.step))
                offset = integers.mul(integers.add(tap, first), self._tap_elements)
                self._channels(meeting, sums, numbers, writer.address(self.wide, weights, offset))

    def _guarded(self, sums: Sums, source: str, weights: str, base: Integer, tile: Value) -> None:
        """The same in a shorter text: what a tap meets is found out when it runs."""
        writer, integers, row = self.writer, self.integers, self.geometry.row
        first = integers.mul(tile, self.tiling.places)
        with writer.loop(0, row.taps) as tap:
            factors = writer.address(self.wide, weights, integers.mul(tap, self._tap_elements))
            for place, line in enumerate(sums):
                at, inside = row.source(integers, integers.add(first, place), tap)
                with nullcontext() if inside is None else writer.when(inside):
                    number = writer.address(self.record, source, integers.sub(at, base))
                    self._channels(((0, 0),), [line], number, factors)

    def _channels(self, meeting: Meeting, sums: Sums, source: str, weights: str) -> None:
        """Add what one tap gives: the sources of all channels times their weights."""
        writer, tiling, scalars = self.writer, self.tiling, self.scalars
        plane = self.geometry.source_strides[0]
        passed = writer.variable(I64)
        passed.set(index(0))
        with writer.loop(0, self.geometry.channels * plane, plane) as channel:
            number = fixed(writer, writer.address(self.record, source, channel))
            line = writer.address(self.wide, weights, passed.get())
            passed.set(index(self.integers.add(passed.get(), tiling.width)))
            vectors = [writer.load(self.wide, tiling.lanes, line, v * tiling.lanes) for v in range(tiling.vectors)]
            for ahead in self._ahead:
                prefetch(writer, writer.address(self.record, number, ahead))
            for place, offset in meeting:
                found = scalars.cast(writer.load(self.record, 0, number, offset), self.wide)
                spread = writer.splat(found, tiling.lanes)
                for vector, one in zip(vectors, sums[place], strict=True):
                    one.set(multiply_add(scalars, spread, vector, one.get()))

    @cached_property
    def _ahead(self) -> list[int]:
        """How far away the sources lie that the next row begins to use: too far for the processor to guess."""
        if not self.geometry.outer:
            return []
        axis, row = self.geometry.outer[-1], self.geometry.row
        further = max(1, axis.scale // axis.ratio) * row.sources
        return [further, further + (self.tiling.places - 1) * row.scale // row.ratio]

    # What becomes of them

    @cached_property
    def _turn(self) -> int:
        """How many features are turned at a time."""
        return block_of(self.wide.itemsize)

    @cached_property
    def _block(self) -> int:
        """How many results of a row are handed on at a time: a power of two."""
        block = self._turn
        while block < min(self.tiling.places, self.target.vector_bytes // self.wide.itemsize):
            block *= 2
        return block

    @cached_property
    def _lines(self) -> int:
        """How many results of a row there is room for."""
        return -(-self.tiling.places // self._block) * self._block

    def _finish(self, at: tuple[Integer, ...], outer: tuple[Integer, ...], tile: Value) -> None:
        """Turn the sums so that results of a row lie next to each other, and hand them to `finish`."""
        writer, tiling, integers, geometry = self.writer, self.tiling, self.integers, self.geometry
        sample, group, panel = at
        start = integers.mul(tile, tiling.places)
        first = integers.mul(panel, tiling.width)
        count = integers.least(integers.sub(geometry.features, first), tiling.width)
        with writer.loop(0, count, self._turn) as feature:
            for line in range(0, self._lines, self._block):
                self._turned(feature, line)
        with writer.loop(0, count) as feature:
            channel = integers.sum(integers.mul(group, geometry.features), first, feature)
            for line in range(0, self._lines, self._block):
                place = integers.add(integers.mul(feature, self._lines), line)
                self._hand((sample, channel, *outer), integers.add(start, line), place, line)

    def _turned(self, feature: Value, line: int) -> None:
        """Turn a block of results of some features."""
        writer, integers, width = self.writer, self.integers, self.tiling.width

        def load(row: int) -> Value:
            return writer.load(self.wide, self._turn, self.sums, integers.add(feature, (line + row) * width))

        into = integers.add(integers.mul(feature, self._lines), line)
        for number, column in enumerate(transpose(writer, self._block, self._turn, load)):
            writer.store(column, self.turned, integers.add(into, number * self._lines))

    def _hand(self, at: tuple[Integer, ...], start: Integer, place: Integer, line: int) -> None:
        """Hand a block of results of a row to `finish`."""
        writer, block = self.writer, self._block
        row, places = self.geometry.row, self.tiling.places
        where = tuple(map(index, (*at, start)))
        along = None if row.results == 1 else len(where) - 1
        mask = None
        if along and row.results % places:
            left = self.integers.least(self.integers.sub(row.results, start), places - line)
            mask = below(writer, left, block)
        elif along and line + block > places:
            mask = lanes_between(0, places - line, block)
        value = writer.load(self.wide, block if along else 0, self.turned, place)
        self.finish(writer, where, along, self.scalars.cast(value, self.record), mask)
