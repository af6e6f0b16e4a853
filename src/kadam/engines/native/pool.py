"""Where the largest element of each window stands, for a vector of windows at a time.

The values themselves need no pass of their own: what reads them at these positions can be part of `finish`, while the
windows are still in the first-level cache.
"""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import nullcontext

from kadam import dtypes
from kadam.engines.native.convolve_axis import Geometry, forward_axes, over_taps
from kadam.engines.native.convolve_pack import widened
from kadam.engines.native.convolve_rows import Meeting, RowTiling, Run, row_runs
from kadam.engines.native.integers import Integer, Integers
from kadam.engines.native.lanes import below, load_apart, mask_of
from kadam.engines.native.scalars import Scalars
from kadam.engines.native.stage import Finish, Stage
from kadam.engines.native.target import host
from kadam.engines.native.writer import I64, Value, Writer, index
from kadam.ir.types import TensorType
from kadam.primitives.pool import WindowArgMax
from kadam.shapes import Shape, count

TASK_ELEMENTS = 16_384  # of x that a task reads at least
UNROLLED = 32  # taps that the text may have


def stages(
    primitive: WindowArgMax, inputs: tuple[TensorType, ...], keys: tuple[Hashable, ...], finish: Finish, name: str
) -> list[Stage]:
    """The stages that compute a `WindowArgMax`; arguments as those of `convolve.stages`."""
    (x,) = inputs
    result = primitive.infer(x)
    if not result.elements:
        return []
    lead = x.shape[: -len(primitive.kernel)]
    axes = forward_axes(
        x.shape[len(lead) :], result.shape[len(lead) :], primitive.kernel, primitive.stride, primitive.padding,
        primitive.dilation,
    )  # fmt: skip
    geometry = Geometry(count(lead), 1, 1, 1, axes)
    lanes = host().vector_bytes // max(x.dtype.itemsize, 4)
    while lanes > 2 and lanes >= 2 * geometry.row.results:
        lanes //= 2
    return [Largest(geometry, lead, lanes, x).stage(keys[0], finish, name)]


class Largest:
    """Writes the kernel of a `WindowArgMax`."""

    def __init__(self, geometry: Geometry, lead: Shape, lanes: int, x: TensorType) -> None:
        self.geometry, self.lead, self.lanes = geometry, lead, lanes
        self.record, self.wide = x.dtype, widened(x.dtype)
        self.place = dtypes.int32 if geometry.source_strides[0] < 2**31 else dtypes.int64
        self.writer = Writer()
        self.integers, self.scalars = Integers(self.writer), Scalars(self.writer)
        self.runs = row_runs(geometry.row, RowTiling(lanes, 1, 1, 0.0))

    def stage(self, x: Hashable, finish: Finish, name: str) -> Stage:
        """The stage that finds all positions and hands them to `finish`."""
        geometry, writer, integers = self.geometry, self.writer, self.integers
        self.x, self.finish = writer.buffer(x), finish
        plane = geometry.source_strides[0]
        lines = geometry.batch * geometry.rows
        each = max(1, min(lines, TASK_ELEMENTS * geometry.rows // max(plane, 1)))
        begin, end = writer.tasks
        with writer.loop(begin, end) as task:
            first = integers.mul(task, each)
            with writer.loop(first, integers.least(integers.add(first, each), lines)) as line:
                sample, row = integers.split(line, (geometry.batch, geometry.rows))
                source = writer.address(self.record, self.x, integers.mul(sample, plane))
                outer = integers.split(row, [axis.results for axis in geometry.outer])
                for run in self.runs:
                    self._run(run, source, (*integers.split(sample, self.lead), *outer), outer)
        elements = geometry.batch * geometry.places
        flops = float(elements * geometry.taps)
        size_bytes = geometry.batch * plane * self.record.itemsize + elements * I64.itemsize
        return Stage(name, writer.text(), tuple(writer.buffers), -(-lines // each), flops, size_bytes, flops)

    def _run(self, run: Run, source: str, at: tuple[Integer, ...], outer: tuple[Integer, ...]) -> None:
        """Find the positions of vectors of windows that look alike."""
        writer, integers, lanes, row = self.writer, self.integers, self.lanes, self.geometry.row
        with nullcontext(run.first) if run.end == run.first + 1 else writer.loop(run.first, run.end) as vector:
            first = integers.mul(vector, lanes)
            column = integers.mul(first, row.scale)
            best = writer.variable(self.wide, lanes)
            best.set(self._lowest())
            place = writer.variable(self.place, lanes)
            place.set(self._first_place(run, outer, column))

            def taps(start: Integer, _: Integer) -> None:
                for (met,) in run.meetings[0]:
                    if met is not None:
                        value, seen = self._candidate(source, start, met)
                        wins = self.scalars.compare("gt", value, best.get())
                        if value.dtype.is_floating_point:
                            wins = self.scalars.either(wins, self.scalars.compare("ne", value, value))
                        if seen is not None:
                            wins = self.scalars.both(wins, seen)
                        here = self._places(integers.add(start, met[0]))
                        best.set(self.scalars.select(wins, value, best.get()))
                        place.set(self.scalars.select(wins, here, place.get()))

            over_taps(integers, self.geometry, outer, column, self.geometry.taps <= UNROLLED, taps)
            self._hand(at, first, place.get())

    def _candidate(self, source: str, start: Integer, met: Meeting) -> tuple[Value, Value | None]:
        """What a tap shows each window, and which windows it shows something."""
        lanes, (first, low, high) = self.lanes, met
        numbers = self.writer.address(self.record, source, self.integers.add(start, first))
        value = load_apart(self.writer, self.record, lanes, numbers, 0, self.geometry.row.scale, low, high)
        return self.scalars.cast(value, self.wide), mask_of(low, high, lanes)

    def _lowest(self) -> Value:
        """What every element exceeds, or equals."""
        like = Value("", self.wide, self.lanes)
        if self.wide.is_floating_point:
            return self.scalars.constant(float("-inf"), like)
        bits = 8 * self.wide.itemsize
        return self.scalars.constant(-(1 << (bits - 1)) if self.wide.is_signed else 0, like)

    def _places(self, first: Integer) -> Value:
        """The position that a tap has in the first window, in all lanes."""
        return self.writer.splat(self.scalars.cast(index(first), self.place), self.lanes)

    def _first_place(self, run: Run, outer: tuple[Integer, ...], column: Integer) -> Value:
        """Where each window's first tap lies that is no padding: it wins if no element is above the lowest."""
        integers, row = self.integers, self.geometry.row
        start = column
        strides = self.geometry.source_strides[1:]
        for axis, result, stride in zip(self.geometry.outer, outer, strides, strict=False):
            begin = integers.add(integers.mul(result, axis.scale), axis.shift)
            if axis.shift < 0:
                outside = integers.most(integers.sub(0, begin), 0)
                skipped = integers.div(integers.add(outside, axis.step - 1), axis.step)
                begin = integers.add(begin, integers.mul(skipped, axis.step))
            start = integers.add(start, integers.mul(begin, stride))
        first = []
        for lane in range(self.lanes):
            met = (one[0] for (one,) in run.meetings[0] if one is not None and one[1] <= lane < one[2])
            first.append(next(met, row.shift))
        if len(set(first)) == 1:
            return self._places(integers.add(start, first[0]))
        kind = "i32" if self.place is dtypes.int32 else "i64"
        within = Value("<" + ", ".join(f"{kind} {one}" for one in first) + ">", self.place, self.lanes)
        return self.scalars.add(self._places(start), within)

    def _hand(self, at: tuple[Integer, ...], first: Integer, place: Value) -> None:
        """Hand the positions to `finish`; those of neighbouring windows lie a stride apart."""
        writer, lanes, row = self.writer, self.lanes, self.geometry.row
        value = self.scalars.add(self.scalars.cast(place, I64), writer.steps(0, row.scale, lanes))
        where = tuple(map(index, (*at, first)))
        if row.results == 1:
            self.finish(writer, where, None, writer.lane(value, 0), None)
            return
        mask = below(writer, self.integers.sub(row.results, first), lanes) if row.results % lanes else None
        self.finish(writer, where, len(where) - 1, value, mask)
