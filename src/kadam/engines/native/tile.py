"""Matrix products by register tiles: some rows times some vectors of columns, summed in registers along the depth.

What becomes of the results may be a long formula, such as an optimizer's update, with divisions and square roots that
keep a slow part of the processor busy. Then a tile is finished line by line while the next one is multiplied, so that
both go on at once, each with what the other leaves free.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
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
SHORT = 64  # products in a sum; with more of them a short text matters more than a loop around the results
LONG_FORMULA = 8  # vector instructions for a vector of results, from which on it pays to multiply meanwhile
Line = Callable[[Value], None]  # finishes a line of a tile
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
    def lines(self) -> int:
        """What a tile is finished by: rows, or vectors of them; columns, if rows are the last axis of the result."""
        return self.result_vectors if self.form.turned or self.by_vectors else self.rows

    @property
    def result_vectors(self) -> int:
        """How many vectors a tile's results are finished in: along the rows, if these are the last axis."""
        return self.width if self.form.turned else self.rows * self.vectors

    @property
    def by_vectors(self) -> bool:
        """Whether the vectors of a row are finished one by one."""
        return self.overlapped or self.form.steps > SHORT

    @property
    def overlapped(self) -> bool:
        """Whether a tile is finished vector by vector while the next one, if deep enough, is multiplied."""
        return self.copies == 1 and self.depth >= self.result_vectors and self.form.contraction.after >= LONG_FORMULA

    @property
    def uneven(self) -> bool:
        """Whether the last of a task's tiles begins earlier, lest it reach beyond the task's rows."""
        return bool((self.share or self.form.rows.size) % self.rows)

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
    author.write()
    return author.w


@dataclass(frozen=True)
class _Spot:
    """Where a tile stands in the result, while a kernel is written.

    Attributes:
        outer: the indices of its matrix product.
        row: its first one; `repeated` rows from there on are the tile's above.
        column: its first one. Vectors that would reach beyond the last column begin earlier, see `_start`.
        results: where its sums are left.
    """

    outer: list[Value]
    row: Value
    repeated: Value
    column: Value
    results: str


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
            self.even = tiling.form.depth % tiling.depth == tiling.depth % self.block == 0
        if self.form.turned:
            self.across = self.w.scratch(self.record, tiling.width * tiling.lanes)
        if tiling.overlapped:  # whether a tile waits to be finished; its task, and which of the task's tiles it is
            self.waits, self.of_task, self.which = (self.w.variable(I64) for _ in range(3))

    def write(self) -> None:
        """A loop over tasks; while nothing is multiplied in one more, its last tile is finished."""
        w = self.w
        begin, end = w.tasks
        if not self.t.overlapped:
            with w.loop(begin, end) as task:
                self._task(task, None)
            return
        for variable in (self.waits, self.of_task, self.which):
            variable.set(index(0))
        with w.loop(begin, total(w, end, 1)) as number:
            real = w.let(BOOL, 0, f"icmp slt {number}, {end.text}")
            self._task(w.intrinsic("smin", number, total(w, end, -1)), real)

    def _task(self, task: Value, real: Value | None) -> None:
        w, t, form = self.w, self.t, self.form

        def if_real(number: Value, otherwise: int) -> Value:
            return number if real is None else w.let(I64, 0, f"select {real}, {number}, {index(otherwise)}")

        product, group, panel = self._parts_of(task)
        a, b = form.corners(w, self._outer(product))
        column, first = times(w, panel, t.width), times(w, group, t.group)
        tiles = index(t.group) if t.share else lesser(w, minus(w, t.tiles, first), t.group)
        with w.loop(0, if_real(index(self.rounds), 1)) as counter:
            turn = counter if self.rounds > 1 else index(0)
            *extra, block = digits(w, turn, t.rounds)
            above = times(w, block, t.depth)
            length = lesser(w, minus(w, form.depth, above), t.depth) if form.depth != t.depth else index(t.depth)
            length = if_real(length, 0)
            axes = list(zip(extra, form.extra, strict=True))
            b_here = total(w, b, times(w, above, form.columns.inner), *(times(w, i, axis.b) for i, axis in axes))
            if self.rows is None:
                a_here = total(w, a, times(w, above, form.rows.inner), *(times(w, i, axis.a) for i, axis in axes))
                left = w.address(self.stored, w.buffer(form.contraction.a.key), a_here)
            else:
                above_here = total(w, times(w, product, t.tiles), first)
                a_here = total(w, times(w, above_here, t.tile_elements), times(w, above, t.rows))
                left = w.address(self.record, w.buffer(self.rows), a_here)
            right = w.address(self.stored, w.buffer(form.contraction.b.key), b_here)
            if t.gathered:
                Gathering(w, form, t.lanes, t.vectors).write(right, column, length, self.gathered, self.even)
            with w.loop(0, if_real(tiles, 1)) as tile:
                self._tile(task, tile, turn, left, right, length)

    # Where things are

    def _parts_of(self, task: Value) -> list[Value]:
        """Which matrix product, which of its groups of tiles, which panel of columns."""
        return digits(self.w, task, (self.form.products, self.t.groups, self.t.panels))

    def _outer(self, product: Value) -> list[Value]:
        return digits(self.w, product, [self.form.contraction.axes[place].size for place in self.form.outer])

    def _spot(self, task: Value, tile: Value) -> _Spot:
        """Where one of a task's tiles is. It must not reach beyond its task's rows."""
        w, t, size = self.w, self.t, self.form.rows.size
        product, group, panel = self._parts_of(task)
        first = times(w, group, t.share or t.group * t.rows)
        nominal = row = total(w, first, times(w, tile, t.rows))
        if t.uneven:
            end = total(w, first, t.share) if t.share else index(size)
            row = w.intrinsic("smin", nominal, minus(w, end, t.rows))
        kept = times(w, tile, t.rows * t.width if self.rounds > 1 else 0)
        results = w.address(self.record, self.results, kept)
        return _Spot(self._outer(product), row, minus(w, nominal, row), times(w, panel, t.width), results)

    # One tile

    def _tile(self, task: Value, tile: Value, turn: Value, left: str, right: str, length: Value) -> None:
        w, t = self.w, self.t
        spot = self._spot(task, tile)
        sums = self._sums()
        here = times(w, spot.row, self.form.rows.stride) if self.rows is None else times(w, tile, t.tile_elements)
        left, columns = w.address(self.left[0], left, here), self._columns(right, spot.column)
        last = w.let(BOOL, 0, f"icmp eq {turn}, {self.rounds - 1}") if self.rounds > 1 else None
        if t.overlapped:
            self._multiply(sums, spot, left, columns, length, self._finish_another())
            self._leave(sums, spot.results, turn)
            self.waits.set(index(1) if last is None else w.let(I64, 0, f"zext {last} to i64"))
            self.of_task.set(task)
            self.which.set(tile)
            return
        self._multiply(sums, spot, left, columns, length, None)
        self._leave(sums, spot.results, turn)
        with nullcontext() if last is None else w.when(last):
            if self.form.turned:
                self._turn_over(spot.results)
            repeated = times(w, spot.repeated, t.vectors if t.by_vectors else 1)
            with w.loop(0 if self.form.turned else repeated, t.lines) as line:
                self._finish_line(spot, line)

    def _finish_another(self) -> Line:
        """What finishes a line of the tile before, if that waits."""
        w = self.w
        waits = w.let(BOOL, 0, f"icmp ne {self.waits.get()}, 0")
        spot = self._spot(self.of_task.get(), self.which.get())
        if self.form.turned:
            with w.when(waits):
                self._turn_over(spot.results)

        def finish(line: Value) -> None:
            begun = waits
            if not self.form.turned and self.t.uneven:
                row, _ = self._row_of(line)
                own = w.let(BOOL, 0, f"icmp sge {row}, {spot.repeated.text}")
                begun = w.let(BOOL, 0, f"and {waits}, {own.text}")
            with w.when(begun):
                self._finish_line(spot, line)

        return finish

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
        self,
        copies: list[Sums],
        spot: _Spot,
        left: str,
        columns: list[tuple[str, int]],
        length: Value,
        meanwhile: Line | None,
    ) -> None:
        """Along the depth, `copies` steps at a time, then the rest."""
        w, t = self.w, self.t
        done = index(0)
        if t.copies > 1:
            done = times(w, w.let(I64, 0, f"udiv {length}, {t.copies}"), t.copies)
            with w.loop(0, done, t.copies) as step:
                for later, sums in enumerate(copies):
                    self._step(sums, left, columns, total(w, step, later))
        if self.announce is None and meanwhile is None:
            with w.loop(done, length) as step:
                self._step(copies[0], left, columns, step)
            return
        # Results are announced, and others finished, line by line, so that the sum itself does not wait for them.
        share = w.let(I64, 0, f"udiv {minus(w, length, done)}, {t.lines}")
        with w.loop(0, t.lines) as line:
            if meanwhile is not None:
                meanwhile(line)
            if self.announce is not None:
                self._announce_line(spot, line)
            begin = total(w, done, w.let(I64, 0, f"mul {line}, {share.text}"))
            with w.loop(begin, total(w, begin, share)) as step:
                self._step(copies[0], left, columns, step)
        with w.loop(total(w, done, times(w, share, t.lines)), length) as step:
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

    def _columns(self, right: str, column: Value) -> list[tuple[str, int]]:
        """Where the vectors of columns begin: a pointer, and elements after it."""
        w, t = self.w, self.t
        if t.gathered:
            return [(self.gathered, vector * t.lanes) for vector in range(t.vectors)]
        if self._whole:
            pointer = w.address(self.stored, right, column)
            return [(pointer, vector * t.lanes) for vector in range(t.vectors)]
        return [(w.address(self.stored, right, self._start(column, vector)), 0) for vector in range(t.vectors)]

    # The results of one tile. A vector's lanes before its nominal start are another's.

    def _row_of(self, line: Value) -> tuple[Value, Sequence[int | Value]]:
        """Which row a line is in, and which vectors of it are the line."""
        if not self.t.by_vectors:
            return line, range(self.t.vectors)
        row, vector = digits(self.w, line, (self.t.rows, self.t.vectors))
        return row, (vector,)

    def _column_of(self, spot: _Spot, line: Value) -> tuple[Value, Value, Value]:
        """A line's column; its place among the lanes of a vector of columns, and the first of these that is its own."""
        vector, place = digits(self.w, line, (self.t.vectors, self.t.lanes))
        start = self._start(spot.column, vector)
        return total(self.w, start, place), place, minus(self.w, self._nominal(spot.column, vector), start)

    def _finish_line(self, spot: _Spot, line: Value) -> None:
        w, t = self.w, self.t
        if self.form.turned:
            column, place, own = self._column_of(spot, line)
            value = w.load(self.record, t.lanes, self.across, times(w, line, t.lanes))
            where = self.form.at(spot.outer, spot.row, column)
            with self._owned(place, own):
                self.finish(w, where, self.form.rows.axis, self.scalars.cast(value, self.stored), self._real(spot))
            return
        row, vectors = self._row_of(line)
        single = self.form.columns.axis is None
        for vector in vectors:
            at = total(w, times(w, row, t.width), times(w, vector, t.lanes))
            value = self.scalars.cast(w.load(self.record, 0 if single else t.lanes, spot.results, at), self.stored)
            where = self.form.at(spot.outer, total(w, spot.row, row), self._start(spot.column, vector))
            mask = None if single else self._mask(spot.column, vector)
            self.finish(w, where, self.form.columns.axis, value, mask)

    def _announce_line(self, spot: _Spot, line: Value) -> None:
        assert self.announce is not None
        if self.form.turned:
            column, _, _ = self._column_of(spot, line)
            self.announce(self.w, self.form.at(spot.outer, spot.row, column))
            return
        row, vectors = self._row_of(line)
        for vector in vectors:
            where = self.form.at(spot.outer, total(self.w, spot.row, row), self._start(spot.column, vector))
            self.announce(self.w, where)

    def _turn_over(self, results: str) -> None:
        """Brings the elements of each column next to each other."""
        w, t = self.w, self.t
        with w.loop(0, t.vectors) as vector, w.loop(0, t.lanes, self.block) as part:
            column = total(w, times(w, vector, t.lanes), part)
            here = w.address(self.record, results, column)

            def piece(place: int) -> Value:
                if place >= t.rows:
                    return constant(0, self.record, self.block)
                return w.load(self.record, self.block, here, place * t.width)

            for lane, found in enumerate(transpose(w, t.lanes, self.block, piece)):
                w.store(found, self.across, times(w, total(w, column, lane), t.lanes))

    # Edges

    @property
    def _whole(self) -> bool:
        """Whether the columns fill the panels."""
        return self.form.columns.size % self.t.width == 0

    def _nominal(self, column: Value, vector: int | Value) -> Value:
        return total(self.w, column, times(self.w, vector, self.t.lanes))

    def _start(self, column: Value, vector: int | Value) -> Value:
        """The first column of a vector; it is earlier than the nominal one where the vector would reach too far."""
        nominal = self._nominal(column, vector)
        return nominal if self._whole else lesser(self.w, nominal, max(self.form.columns.size - self.t.lanes, 0))

    def _mask(self, column: Value, vector: int | Value) -> Value | None:
        """Which lanes of a vector of a row are its own."""
        w, t, size = self.w, self.t, self.form.columns.size
        if self._whole:
            return None
        if size < t.lanes:
            return below(w, t.lanes, size)
        return from_on(w, t.lanes, minus(w, self._nominal(column, vector), self._start(column, vector)))

    def _real(self, spot: _Spot) -> Value | None:
        """Which lanes of a vector along the rows are the tile's own."""
        w, t = self.w, self.t
        if t.rows == t.lanes and not t.uneven:
            return None
        return self.scalars.both(from_on(w, t.lanes, spot.repeated), below(w, t.lanes, t.rows))

    @contextmanager
    def _owned(self, place: Value, own: Value) -> Iterator[None]:
        """What is written inside runs for those columns of a vector that are its own: from `own` on, and real ones."""
        w, size = self.w, self.form.columns.size
        conditions = [] if self._whole else [w.let(BOOL, 0, f"icmp sge {place}, {own.text}")]
        if size < self.t.lanes:
            conditions.append(w.let(BOOL, 0, f"icmp slt {place}, {size}"))
        with ExitStack() as inside:
            for condition in conditions:
                inside.enter_context(w.when(condition))
            yield


def multiply_add(scalars: Scalars, a: Value, b: Value, c: Value) -> Value:
    """a b + c, rounded once where the processor can."""
    return scalars.fma(a, b, c) if host().fma else scalars.add(scalars.mul(a, b), c)
