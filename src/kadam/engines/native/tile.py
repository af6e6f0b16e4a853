"""Matrix products by register tiles: some rows times some vectors of columns, summed in registers along the depth."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from kadam.engines.native.form import Form, digits, lesser, minus, times, total
from kadam.engines.native.scalars import Scalars
from kadam.engines.native.stage import Finish, Scratch
from kadam.engines.native.target import host
from kadam.engines.native.transpose import block_of, transpose
from kadam.engines.native.turn import Gathering, below, from_on, load_as
from kadam.engines.native.writer import BOOL, I64, Value, Variable, Writer, constant, index

# Called for the first element of some neighbouring results before they are computed: it may prefetch what the hook
# that finishes them will read and write.
Announce = Callable[[Writer, tuple[Value, ...]], None]
SHORT = 64  # products in a sum, from which on a short text matters more than a loop around the results
Sums = list[list[Variable]]  # row by row, the vectors of a tile


@dataclass(frozen=True)
class Tiling:
    """How matrix products are cut.

    Attributes:
        form: what they are.
        lanes: elements in a vector.
        rows: of a tile.
        vectors: of columns, of a tile.
        copies: sets of sums, which take turns along the depth: so that few sums do not wait for each other.
        gathered: whether a block of columns is first copied together.
        settled: whether all rows are first copied, tile by tile, in the order in which they are read.
        depth: of a block.
        group: how many tiles, one below the other, make a task.
        share: rows of a task, if that is not simply those of its tiles: then its last tile begins earlier.
    """

    form: Form
    lanes: int
    rows: int
    vectors: int
    copies: int
    gathered: bool
    settled: bool
    depth: int
    group: int
    share: int = 0

    @property
    def width(self) -> int:
        """Columns of a tile."""
        return self.lanes * self.vectors

    @property
    def panels(self) -> int:
        """Tiles beside each other."""
        return -(-self.form.columns.size // self.width)

    @property
    def tiles(self) -> int:
        """Tiles below each other."""
        return -(-self.form.rows.size // self.rows)

    @property
    def groups(self) -> int:
        return self.form.rows.size // self.share if self.share else -(-self.tiles // self.group)

    @property
    def tasks(self) -> int:
        return self.form.products * self.panels * self.groups

    @property
    def tile_elements(self) -> int:
        """Of the settled rows of a tile."""
        return self.rows * self.form.depth

    @property
    def rounds(self) -> tuple[int, ...]:
        """What a task goes through one after the other: the extra summed axes, then the blocks of the depth."""
        blocks = -(-self.form.depth // self.depth) if self.depth else 1
        return (*(axis.size for axis in self.form.extra), blocks)


def tile_kernel(
    tiling: Tiling, finish: Finish, announce: Announce | None = None, rows: Scratch | None = None
) -> Writer:
    """The kernel whose tasks are groups of tiles, one below the other; it reads settled rows from `rows`."""
    author = _Tiles(tiling, finish, announce, rows)
    with author.w.loop(*author.w.tasks) as task:
        author.task(task)
    return author.w


class _Tiles:
    """Writes the kernel."""

    def __init__(self, tiling: Tiling, finish: Finish, announce: Announce | None, rows: Scratch | None) -> None:
        self.w, self.t, self.form, self.finish, self.announce = Writer(), tiling, tiling.form, finish, announce
        self.scalars, self.rows = Scalars(self.w), rows
        self.stored, self.record = self.form.contraction.dtype, self.form.sums
        # What the rows are read as, from element to element of a row, and along the depth.
        side = self.form.rows
        self.left = (self.stored, side.stride, side.inner) if rows is None else (self.record, 1, tiling.rows)
        self.rounds = math.prod(tiling.rounds)
        kept = tiling.group if self.rounds > 1 else 1
        self.results = self.w.scratch(self.record, kept * tiling.rows * tiling.width)
        self.block = block_of(self.record.itemsize)
        if tiling.gathered:
            self.gathered = self.w.scratch(self.record, -(-tiling.depth // self.block) * self.block * tiling.width)
        if self.form.turned:
            self.across = self.w.scratch(self.record, tiling.lanes * tiling.lanes)

    def task(self, task: Value) -> None:
        w, t, form = self.w, self.t, self.form
        sizes = [form.contraction.axes[place].size for place in form.outer]
        product, group, panel = digits(w, task, (form.products, t.groups, t.panels))
        self.outer = digits(w, product, sizes)
        a, b = form.corners(w, self.outer)
        self.first_column = times(w, panel, t.width)
        self.first_row, self.end_row = index(0), index(form.rows.size)
        first, last = index(0), index(t.group)
        if t.share:
            self.first_row = times(w, group, t.share)
            self.end_row = total(w, self.first_row, t.share)
        elif t.groups > 1:
            first = times(w, group, t.group)
            last = lesser(w, total(w, first, t.group), t.tiles)
        with w.loop(0, self.rounds) as counter:
            turn = counter if self.rounds > 1 else index(0)
            *extra, block = digits(w, turn, t.rounds)
            above = times(w, block, t.depth)
            length = lesser(w, minus(w, form.depth, above), t.depth) if form.depth != t.depth else index(t.depth)
            axes = list(zip(extra, form.extra, strict=True))
            b_here = total(w, b, times(w, above, form.columns.inner), *(times(w, i, axis.b) for i, axis in axes))
            if self.rows is None:
                a_here = total(w, a, times(w, above, form.rows.inner), *(times(w, i, axis.a) for i, axis in axes))
                left = w.address(self.stored, w.buffer(form.contraction.a.key), a_here)
            else:
                a_here = total(w, times(w, product, t.tiles * t.tile_elements), times(w, above, t.rows))
                left = w.address(self.record, w.buffer(self.rows), a_here)
            right = w.address(self.stored, w.buffer(form.contraction.b.key), b_here)
            if t.gathered:
                Gathering(w, form, t.lanes, t.vectors).write(right, self.first_column, length, self.gathered)
            with w.loop(first, last) as tile:
                self._tile(tile, minus(w, tile, first), turn, left, right, length)

    # One tile

    def _tile(self, tile: Value, kept: Value, turn: Value, left: str, right: str, length: Value) -> None:
        w, t, side = self.w, self.t, self.form.rows
        nominal = total(w, self.first_row, times(w, tile, t.rows))
        row = nominal if (t.share or side.size) % t.rows == 0 else self._earlier(nominal)
        results = self.results
        if self.rounds > 1:
            results = w.address(self.record, results, times(w, kept, t.rows * t.width))
        sums = self._sums()
        here = times(w, row, side.stride) if self.rows is None else times(w, tile, t.tile_elements)
        self._multiply(sums, row, w.address(self.left[0], left, here), self._columns(right), length)
        self._leave(sums, results, turn)
        hand_on = self._hand_on_turned if self.form.turned else self._hand_on
        if self.rounds == 1:
            hand_on(results, row, minus(w, nominal, row))
            return
        with w.when(w.let(BOOL, 0, f"icmp eq {turn}, {self.rounds - 1}")):
            hand_on(results, row, minus(w, nominal, row))

    def _earlier(self, nominal: Value) -> Value:
        """Where a tile begins that must not reach beyond its task's rows."""
        return self.w.intrinsic("smin", nominal, minus(self.w, self.end_row, self.t.rows))

    def _sums(self) -> list[Sums]:
        """Where a tile is summed, from zero."""
        w, t = self.w, self.t
        copies = [
            [[w.variable(self.record, t.lanes) for _ in range(t.vectors)] for _ in range(t.rows)]
            for _ in range(t.copies)
        ]
        # A product alone keeps its sign if it is zero.
        zero = constant(0.0 if self.form.contraction.inner else -0.0, self.record, t.lanes)
        for variable in (variable for sums in copies for row in sums for variable in row):
            variable.set(zero)
        return copies

    def _leave(self, copies: list[Sums], results: str, turn: Value) -> None:
        """Adds the copies, and what earlier rounds left in memory, and leaves the results there.

        Each round is summed on its own: a long sum of rounded sums is more exact than one long sum.
        """
        w, t = self.w, self.t
        sums = copies[0]
        places = [(row, vector) for row in range(t.rows) for vector in range(t.vectors)]
        for other in copies[1:]:
            for row, vector in places:
                sums[row][vector].set(self.scalars.add(sums[row][vector].get(), other[row][vector].get()))
        if self.rounds > 1:
            with w.when(w.let(BOOL, 0, f"icmp ne {turn}, 0")):
                for row, vector in places:
                    earlier = w.load(self.record, t.lanes, results, row * t.width + vector * t.lanes)
                    sums[row][vector].set(self.scalars.add(earlier, sums[row][vector].get()))
        for row, vector in places:
            w.store(sums[row][vector].get(), results, row * t.width + vector * t.lanes)

    def _multiply(
        self, copies: list[Sums], row: Value, left: str, columns: list[tuple[str, int]], length: Value
    ) -> None:
        """Along the depth, `copies` steps at a time, then the rest."""
        w, t = self.w, self.t
        done = index(0)
        if t.copies > 1:
            done = times(w, w.let(I64, 0, f"udiv {length}, {t.copies}"), t.copies)
            with w.loop(0, done, t.copies) as step:
                for later, sums in enumerate(copies):
                    self._step(sums, left, columns, total(w, step, later))
        if self.announce is None or self.form.turned:
            with w.loop(done, length) as step:
                self._step(copies[0], left, columns, step)
            return
        # Results are announced row by row, so that the loads of the sum itself do not wait for them.
        share = total(w, w.let(I64, 0, f"udiv {minus(w, length, done)}, {t.rows}"), 1)
        with w.loop(0, t.rows) as place:
            for vector in range(t.vectors):
                self.announce(w, self.form.at(self.outer, total(w, row, place), self._start(vector)))
            begin = total(w, done, w.let(I64, 0, f"mul {place}, {share.text}"))
            with w.loop(begin, w.intrinsic("smin", total(w, begin, share), length)) as step:
                self._step(copies[0], left, columns, step)

    def _step(self, sums: Sums, left: str, columns: list[tuple[str, int]], step: Value) -> None:
        """One summed index: an element of each row times the vectors of columns."""
        w, t, form = self.w, self.t, self.form
        apart, stored = (t.width, self.record) if t.gathered else (form.columns.inner, self.stored)
        real = below(w, t.lanes, form.columns.size) if form.columns.size < t.lanes and not t.gathered else None
        vectors = []
        for pointer, offset in columns:
            here = w.address(stored, pointer, times(w, step, apart))
            vectors.append(load_as(w, self.record, t.lanes, stored, here, offset, real))
        read_as, beside, along = self.left
        here = w.address(read_as, left, times(w, step, along))
        for place, row in enumerate(sums):
            factor = w.splat(load_as(w, self.record, 0, read_as, here, place * beside), t.lanes)
            for variable, vector in zip(row, vectors, strict=True):
                variable.set(multiply_add(self.scalars, factor, vector, variable.get()))

    def _columns(self, right: str) -> list[tuple[str, int]]:
        """Where the vectors of columns begin: a pointer, and elements after it."""
        w, t = self.w, self.t
        if t.gathered:
            return [(self.gathered, vector * t.lanes) for vector in range(t.vectors)]
        if self._whole:
            pointer = w.address(self.stored, right, self.first_column)
            return [(pointer, vector * t.lanes) for vector in range(t.vectors)]
        return [(w.address(self.stored, right, self._start(vector)), 0) for vector in range(t.vectors)]

    # The results of one tile. Its first `repeated` rows, and a vector's lanes before its nominal start, are another's.

    def _hand_on(self, results: str, row: Value, repeated: Value) -> None:
        w, t = self.w, self.t

        def vector_of(place: Value, vector: int | Value) -> None:
            at = total(w, times(w, place, t.width), times(w, vector, t.lanes))
            single = self.form.columns.axis is None
            value = self.scalars.cast(w.load(self.record, 0 if single else t.lanes, results, at), self.stored)
            where = self.form.at(self.outer, total(w, row, place), self._start(vector))
            self.finish(w, where, self.form.columns.axis, value, None if single else self._mask(vector))

        with w.loop(repeated, t.rows) as place:
            if self.form.steps < SHORT:
                for vector in range(t.vectors):
                    vector_of(place, vector)
            else:
                with w.loop(0, t.vectors) as each:
                    vector_of(place, each)

    def _hand_on_turned(self, results: str, row: Value, repeated: Value) -> None:
        """As vectors along the rows."""
        w, t = self.w, self.t
        mask = None
        if t.rows < t.lanes or (t.share or self.form.rows.size) % t.rows:
            mask = self.scalars.both(from_on(w, t.lanes, repeated), below(w, t.lanes, t.rows))
        with w.loop(0, t.vectors) as vector:
            with w.loop(0, t.lanes, self.block) as part:
                here = w.address(self.record, results, total(w, times(w, vector, t.lanes), part))

                def piece(place: int, here: str = here) -> Value:
                    if place >= t.rows:
                        return constant(0, self.record, self.block)
                    return w.load(self.record, self.block, here, place * t.width)

                for lane, column in enumerate(transpose(w, t.lanes, self.block, piece)):
                    w.store(column, self.across, times(w, total(w, part, lane), t.lanes))
            start = self._start(vector)
            own = minus(w, self._nominal(vector), start)
            with w.loop(own, min(t.lanes, self.form.columns.size)) as place:
                value = w.load(self.record, t.lanes, self.across, times(w, place, t.lanes))
                where = self.form.at(self.outer, row, total(w, start, place))
                self.finish(w, where, self.form.rows.axis, self.scalars.cast(value, self.stored), mask)

    # Edges

    @property
    def _whole(self) -> bool:
        """Whether the columns fill the panels."""
        return self.form.columns.size % self.t.width == 0

    def _nominal(self, vector: int | Value) -> Value:
        return total(self.w, self.first_column, times(self.w, vector, self.t.lanes))

    def _start(self, vector: int | Value) -> Value:
        """The first column of a vector; it is earlier than the nominal one where the vector would reach too far."""
        nominal = self._nominal(vector)
        return nominal if self._whole else lesser(self.w, nominal, max(self.form.columns.size - self.t.lanes, 0))

    def _mask(self, vector: int | Value) -> Value | None:
        w, t, size = self.w, self.t, self.form.columns.size
        if self._whole:
            return None
        if size < t.lanes:
            return below(w, t.lanes, size)
        return from_on(w, t.lanes, minus(w, self._nominal(vector), self._start(vector)))


def multiply_add(scalars: Scalars, a: Value, b: Value, c: Value) -> Value:
    """a b + c, rounded once where the processor can."""
    return scalars.fma(a, b, c) if host().fma else scalars.add(scalars.mul(a, b), c)
