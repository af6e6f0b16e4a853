"""Matrix products of float32 on the matrix unit (Intel's AMX), which multiplies tiles of bfloat16.

Both operands are split into three bfloat16 (`thirds`). Of the nine products of two such sums the unit computes the six
that matter: the other three together are less than 2^-24 of a product. It sums 32 products in registers of its own
before it adds them to the result, so that these sums are more exact than a chain of fused multiply-adds.

While the unit multiplies one square of the result, the vector registers split the columns that come next and finish
the square before. It must not rest: it falls asleep within a microsecond, and takes as long to wake up.

Numbers so large or small that the unit would lose them (it flushes denormal numbers to zero), and infinities, are
multiplied plainly, square by square.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

from kadam.dtypes import float32, uint8, uint32
from kadam.engines.native.form import Side, digits, lesser, minus, times, total
from kadam.engines.native.scalars import Scalars
from kadam.engines.native.squares import ABREAST, PIECE_BYTES, SQUARE, SUMS, Squares, outer_of
from kadam.engines.native.stage import Finish, Scratch
from kadam.engines.native.target import host
from kadam.engines.native.thirds import PARTS, SIDE, STEP, TILE_BYTES, Thirds, tame
from kadam.engines.native.tile import Announce, multiply_add
from kadam.engines.native.turn import from_on
from kadam.engines.native.writer import BOOL, I64, Value, Variable, Writer, constant, index

# Pairs of parts that are multiplied in turn, at a step; neighbours share one, which stays in its registers.
TURNS = (((0, 2), (0, 1)), ((1, 1), (1, 0)), ((0, 0), (2, 0)))
LEFT, RIGHT = 4, 6  # the first registers of both operands; sums are in those before
ANY = 1 << 40  # size of a first digit that needs no bound
PLAIN_LINES = 8  # multiplied at a time where the unit is not used
# Takes the first free one of some desks, from one on; there is one for each core, so a thread hardly ever waits.
CLAIM = """\
declare void @llvm.x86.sse2.pause()
define internal i64 @claim(ptr %taken, i64 %first, i64 %count) nounwind {
entry:
  br label %try
try:
  %desk = phi i64 [ %first, %entry ], [ %next, %busy ]
  %at = getelementptr i64, ptr %taken, i64 %desk
  %swap = cmpxchg ptr %at, i64 0, i64 1 acquire monotonic
  %mine = extractvalue { i64, i1 } %swap, 1
  br i1 %mine, label %sit, label %busy
busy:
  call void @llvm.x86.sse2.pause()
  %above = add i64 %desk, 1
  %last = icmp sge i64 %above, %count
  %next = select i1 %last, i64 0, i64 %above
  br label %try
sit:
  ret i64 %desk
}"""
# What the registers are: the layout's number, bytes of a row, rows.
CONFIGURATION = {0: 1} | dict.fromkeys(range(16, 32, 2), 4 * SIDE) | dict.fromkeys(range(48, 56), SIDE)


def matrix_unit_kernel(squares: Squares, finish: Finish, announce: Announce | None, rows: Scratch) -> Writer:
    """The kernel whose tasks are groups of tiles, one below the other; it reads the thirds of rows from `rows`."""
    author = _Pipeline(squares, finish, announce, rows)
    author.write()
    return author.w


@dataclass(frozen=True)
class _Block:
    """A block of the depth of a task's columns, while a kernel is written.

    Attributes:
        real: whether there is such a block.
        turn: which of the task's blocks it is.
        above: summed indices before it.
        length: its own.
    """

    real: Value
    task: Value
    turn: Value
    above: Value
    length: Value


@dataclass(frozen=True)
class _Square:
    """A square of the result, while a kernel is written.

    Attributes:
        outer: the indices of its matrix product.
        product, tile: which product; which tile of its rows.
        row: its first; that before `own` more rows belongs to the tile above.
        beside: which square of its task's columns it is.
        column: its first one, if columns did not end.
    """

    outer: list[Value]
    product: Value
    tile: Value
    row: Value
    own: Value
    beside: Value
    column: Value


class _Pipeline:
    """Writes the kernel: a loop over blocks, one over a block's squares, one over the steps of a square.

    Each step multiplies, splits a share of the next block's columns, and finishes a share of the square before. So
    there is a block before the first one, and one after the last.
    """

    def __init__(self, squares: Squares, finish: Finish, announce: Announce | None, rows: Scratch) -> None:
        self.w, self.t, self.form, self.finish, self.announce = Writer(), squares, squares.form, finish, announce
        w = self.w
        self.rows, self.scalars = rows, Scalars(w)
        self.steps = squares.depth // STEP  # of a whole block
        self.share = -(-SQUARE // (len(TURNS) * self.steps))  # of a square's rows, that is finished at a time
        self.thirds = Thirds(w, self.form.columns, left=self.form.turned)
        self.block_bytes = self.t.beside * self.steps * PIECE_BYTES
        self.bounds = w.variable(uint32), w.variable(uint32)  # of this block's columns
        self.done = w.variable(I64)  # of the next block's splitting
        self.waiting = w.variable(I64)  # whether a square is to be finished; and which
        self.task, self.square = w.variable(I64), w.variable(I64)

    def write(self) -> None:
        w = self.w
        self._configure()
        desk = self._sit_down()
        begin, end = (times(w, bound, self.t.blocks) for bound in w.tasks)
        for variable in (self.waiting, self.task, self.square):
            variable.set(index(0))
        for bound in self.bounds:
            bound.set(constant(0, uint32))
        with w.loop(total(w, begin, -1), total(w, end, 1)) as number:
            this = self._block(number, begin, end)
            self._run(this, number, self._block(total(w, number, 1), begin, end))
        self._do("tilerelease")
        taken = w.address(I64, self._desks(0), desk)
        w.do(f"store atomic i64 0, ptr {taken} release, align 8")

    def _desks(self, offset: int) -> str:
        return self.w.address(uint8, self.w.buffer(self.rows), self.t.desks_at + offset)

    def _sit_down(self) -> Value:
        """Takes a free desk: the first tasks' threads the first one, the last ones' the last, each time the same."""
        w, t, cores = self.w, self.t, host().cores
        w.declare(CLAIM)
        first = w.let(I64, 0, f"udiv {times(w, w.tasks[0], cores)}, {t.tasks}")
        number = w.let(I64, 0, f"call i64 @claim(ptr {self._desks(0)}, {first}, i64 {cores})")
        desk = w.address(uint8, self._desks(t.words_bytes), times(w, number, t.desk_bytes))
        self.split, self.sums_at = desk, w.address(uint8, desk, t.split_bytes)
        return number

    def _configure(self) -> None:
        shape = self.w.scratch(uint8, 64)
        for place in range(64):
            self.w.store(constant(CONFIGURATION.get(place, 0), uint8), shape, place)
        self._do("ldtilecfg", f"ptr {shape}")

    def _do(self, name: str, *arguments: str) -> None:
        """An instruction of the unit."""
        kinds = ", ".join(one.split()[0] for one in arguments)
        self.w.declare(f"declare void @llvm.x86.{name}({kinds})")
        self.w.do(f"call void @llvm.x86.{name}({', '.join(arguments)})")

    def _block(self, number: Value, begin: Value, end: Value) -> _Block:
        """What a block is; one before the first or after the last is as its neighbour, but not real."""
        w, t = self.w, self.t
        first, last = self._holds("sge", number, begin), self._holds("slt", number, end)
        within = w.intrinsic("smax", w.intrinsic("smin", number, total(w, end, -1)), begin)
        task, turn = digits(w, within, (ANY, t.blocks)) if t.blocks > 1 else (within, index(0))
        above = times(w, turn, t.depth)
        length = lesser(w, minus(w, self.form.depth, above), t.depth)
        return _Block(self._both(first, last), task, turn, above, length)

    def _task(self, task: Value) -> tuple[Value, Value, Value]:
        """The product, the group of tiles, and the panel of columns."""
        product, group, panel = digits(self.w, task, (self.form.products, self.t.groups, self.t.panels))
        return product, group, panel

    def _holds(self, relation: str, a: Value, b: Value | int) -> Value:
        return self.w.let(BOOL, 0, f"icmp {relation} {a}, {index(b).text}")

    def _both(self, a: Value, b: Value) -> Value:
        return self.w.let(BOOL, 0, f"and {a}, {b.text}")

    # A block

    def _run(self, this: _Block, number: Value, following: _Block) -> None:
        w, t = self.w, self.t
        _, group, _ = self._task(this.task)
        tiles = lesser(w, minus(w, t.tiles, times(w, group, t.group)), t.group)
        count = w.let(I64, 0, f"select {this.real}, {times(w, tiles, self.t.beside)}, i64 1")
        rows = SIDE // self.thirds.at_once
        units = times(w, self._steps_of(following), ABREAST * t.beside * rows)
        units = w.let(I64, 0, f"select {following.real}, {units}, i64 0")
        turns = times(w, count, self.steps * len(TURNS))
        share = w.let(I64, 0, f"udiv {total(w, units, turns, -1)}, {turns.text}")
        buffers = [times(w, w.let(I64, 0, f"and {total(w, number, later)}, 1"), self.block_bytes) for later in (0, 1)]
        here, there = (w.address(uint8, self.split, buffer) for buffer in buffers)
        self.thirds.begin()
        self.done.set(index(0))
        product, _, panel = self._task(following.task)
        source, panel_at = self._columns_from(product, following.above), times(w, panel, t.width)

        def split() -> None:
            begin = self.done.get()
            until = w.intrinsic("smin", total(w, begin, share), units)
            with w.loop(begin, until) as unit:
                self._split(source, there, panel_at, following, unit)
            self.done.set(until)

        with w.loop(0, count) as square:
            self._square(this, square, here, split)
        for kept, bound in zip(self.bounds, self.thirds.bounds(), strict=True):
            kept.set(bound)

    def _steps_of(self, block: _Block) -> Value:
        return self.w.let(I64, 0, f"udiv {total(self.w, block.length, STEP - 1)}, {STEP}")

    def _columns_from(self, product: Value, above: Value) -> str:
        """Where a product's columns are, from a summed index on."""
        w, form = self.w, self.form
        _, b = form.corners(w, outer_of(w, form, product))
        start = total(w, b, times(w, above, form.columns.inner))
        return w.address(float32, w.buffer(form.contraction.b.key), start)

    def _split(self, source: str, into: str, panel_at: Value, block: _Block, unit: Value) -> None:
        """Some rows of a tile of columns: tiles follow each other along the columns, then along the depth."""
        w, t, rows = self.w, self.t, SIDE // self.thirds.at_once
        step, vector, row = digits(w, unit, (ANY, ABREAST * t.beside, rows))
        square, beside = digits(w, vector, (self.t.beside, ABREAST))
        column = self._start(total(w, panel_at, times(w, vector, SIDE)))
        deep = times(w, step, STEP)
        corner = total(w, times(w, column, self.form.columns.stride), times(w, deep, self.form.columns.inner))
        place = total(w, times(w, square, self.steps), step)
        target = total(w, times(w, place, PIECE_BYTES), times(w, beside, PARTS * TILE_BYTES))
        real: int | Value = STEP if self.form.depth % STEP == 0 else minus(w, block.length, deep)
        row = times(w, row, self.thirds.at_once)
        self.thirds.split(w.address(float32, source, corner), w.address(uint8, into, target), row, real)

    # A square

    def _square(self, this: _Block, number: Value, columns: str, split: Callable[[], None]) -> None:
        """Multiplies a square of the block; splits a share of the next block's columns, and finishes another square."""
        w = self.w
        square = self._where(this.task, number)
        left = w.address(uint8, w.buffer(self.rows), self.t.tile_at(w, square.product, square.tile, this.above))
        right = w.address(uint8, columns, times(w, square.beside, self.steps * PIECE_BYTES))
        if self.form.turned:
            left, right = right, left
        fit, unfit = self._fit(this, square)
        sums = w.address(float32, self.sums_at, times(w, number, SUMS if self.t.blocks > 1 else 0))
        self._open(fit, this.turn, sums)
        steps, finish_share = self._steps_of(this), self._finishing()
        with w.loop(0, self.steps) as step, w.loop(0, len(TURNS)) as turn:
            moment = total(w, times(w, step, len(TURNS)), turn)
            with w.when(self._both(fit, self._holds("slt", step, steps))):
                self._announce_share(square, moment)
                at = times(w, step, PIECE_BYTES)
                self._multiply(w.address(uint8, left, at), w.address(uint8, right, at), turn)
            finish_share(moment)
            split()
        with w.when(fit):
            self._move("tilestored64", sums)
        with w.when(unfit):
            self._multiply_plainly(this, square, sums)
        last = self._both(this.real, self._holds("eq", this.turn, self.t.blocks - 1))
        self.waiting.set(w.let(I64, 0, f"zext {last} to i64"))
        self.task.set(this.task)
        self.square.set(number)

    def _where(self, task: Value, number: Value) -> _Square:
        """A task's square: they follow each other along the columns, then along the rows."""
        w, t, form = self.w, self.t, self.form
        product, group, panel = self._task(task)
        tile, beside = digits(w, number, (ANY, self.t.beside))
        tile = total(w, tile, times(w, group, t.group))
        nominal = times(w, tile, SQUARE)
        row = nominal if form.rows.size % SQUARE == 0 else lesser(w, nominal, form.rows.size - SQUARE)
        column = total(w, times(w, panel, t.width), times(w, beside, SQUARE))
        return _Square(outer_of(w, form, product), product, tile, row, minus(w, nominal, row), beside, column)

    def _fit(self, this: _Block, square: _Square) -> tuple[Value, Value]:
        """Whether the unit shall multiply a square; whether it is multiplied plainly."""
        w, t = self.w, self.t
        block = total(w, times(w, total(w, times(w, square.product, t.tiles), square.tile), t.blocks), this.turn)
        bounds = w.address(uint8, w.buffer(self.rows), total(w, times(w, block, 8), t.bounds_at))
        own = w.load(uint32, 0, bounds, 0), w.load(uint32, 0, bounds, 1)
        found = tame(w, own, (self.bounds[0].get(), self.bounds[1].get()))
        return self._both(this.real, found), self._both(this.real, w.let(BOOL, 0, f"xor {found}, true"))

    # On the unit

    def _open(self, fit: Value, turn: Value, sums: str) -> None:
        """The sums of earlier rounds, or zero."""
        w, first = self.w, self._holds("eq", turn, 0)
        with w.when(self._both(fit, first)):
            for register in range(ABREAST * ABREAST):
                self._do("tilezero", f"i8 {register}")
        if self.t.blocks > 1:
            with w.when(self._both(fit, w.let(BOOL, 0, f"xor {first}, true"))):
                self._move("tileloadd64", sums)

    def _move(self, name: str, sums: str) -> None:
        """The sums, from or to memory."""
        for register in range(ABREAST * ABREAST):
            row, column = divmod(register, ABREAST)
            here = self.w.address(float32, sums, row * SIDE * SQUARE + column * SIDE)
            self._do(name, f"i8 {register}", f"ptr {here}", f"i64 {4 * SQUARE}")

    def _multiply(self, left: str, right: str, turn: Value) -> None:
        """Some pairs of parts, at a step of a square."""
        held: dict[int, int] = {}
        for number, pairs in enumerate(TURNS):
            with self.w.when(self._holds("eq", turn, number)):
                for pair in pairs:
                    for register, pointer, part in ((LEFT, left, pair[0]), (RIGHT, right, pair[1])):
                        if held.get(register) != part:
                            held[register] = part
                            self._load(register, pointer, part)
                    for sums in range(ABREAST * ABREAST):
                        row, column = divmod(sums, ABREAST)
                        self._do("tdpbf16ps", f"i8 {sums}", f"i8 {LEFT + row}", f"i8 {RIGHT + column}")

    def _load(self, register: int, pointer: str, part: int) -> None:
        """A part of a square's rows or columns."""
        for beside in range(ABREAST):
            here = self.w.address(uint8, pointer, (beside * PARTS + part) * TILE_BYTES)
            self._do("tileloadd64", f"i8 {register + beside}", f"ptr {here}", f"i64 {4 * SIDE}")

    # Results

    def _announce_share(self, square: _Square, turn: Value) -> None:
        """Tells of a share of a square's rows."""
        if self.announce is None:
            return
        w = self.w
        first = times(w, turn, self.share)
        with w.loop(first, lesser(w, total(w, first, self.share), SQUARE)) as place:
            for vector in range(ABREAST):
                self.announce(w, self._results(square, place, index(vector))[0])

    def _finishing(self) -> Callable[[Value], None]:
        """What finishes a share of the rows of the square before, if it waits."""
        w, t = self.w, self.t
        waits = self._holds("ne", self.waiting.get(), 0)
        number = self.square.get()
        square = self._where(self.task.get(), number)
        sums = w.address(float32, self.sums_at, times(w, number, SUMS if t.blocks > 1 else 0))

        along = self.form.rows.axis if self.form.turned else self.form.columns.axis

        def share(moment: Value) -> None:
            first = times(w, moment, self.share)
            last = lesser(w, total(w, first, self.share), SQUARE)
            with w.when(waits), w.loop(first, last) as place, w.loop(0, ABREAST) as vector:
                where, mask, held = self._results(square, place, vector)
                value = w.load(float32, SIDE, sums, total(w, times(w, place, SQUARE), times(w, vector, SIDE)))
                with nullcontext() if held is None else w.when(held):
                    self.finish(w, where, along, value, mask)

        return share

    def _results(
        self, square: _Square, place: Value, vector: Value
    ) -> tuple[tuple[Value, ...], Value | None, Value | None]:
        """Where a vector of a line of a square is in the result, which lanes belong there, and whether any do."""
        w, form = self.w, self.form
        odd_rows, mask, held = form.rows.size % SQUARE, None, None
        beside = times(w, vector, SIDE)
        if not form.turned:
            nominal = total(w, square.column, beside)
            column = self._start(nominal)
            if not self._whole:
                mask = from_on(w, SIDE, minus(w, nominal, column))
            if odd_rows:
                held = self._holds("sge", place, square.own)
            return form.at(square.outer, total(w, square.row, place), column), mask, held
        half = times(w, w.let(I64, 0, f"udiv {place}, {SIDE}"), SIDE)
        nominal = total(w, square.column, half)
        column = total(w, self._start(nominal), minus(w, place, half))
        if not self._whole:
            held = self._holds("sge", column, nominal)
        if odd_rows:
            mask = from_on(w, SIDE, minus(w, square.own, beside))
        return form.at(square.outer, total(w, square.row, beside), column), mask, held

    # Without the unit

    def _multiply_plainly(self, this: _Block, square: _Square, sums: str) -> None:
        w, form = self.w, self.form
        a, _ = form.corners(w, square.outer)
        rows = w.address(float32, w.buffer(form.contraction.a.key), total(w, a, times(w, this.above, form.rows.inner)))
        columns = self._columns_from(square.product, this.above)
        with w.loop(0, SQUARE, SIDE) as row, w.loop(0, SQUARE, SIDE) as column:
            first = times(w, total(w, square.row, row), form.rows.stride)
            start = times(w, self._start(total(w, square.column, column)), form.columns.stride)
            lines = (w.address(float32, rows, first), form.rows, row)
            vector = (w.address(float32, columns, start), form.columns, column)
            if form.turned:
                lines, vector = vector, lines
            with w.loop(0, SIDE, PLAIN_LINES) as line:
                here = w.address(float32, lines[0], times(w, line, lines[1].stride))
                place = total(w, times(w, total(w, lines[2], line), SQUARE), vector[2])
                self._multiply_lines(this, here, lines[1], vector[0], vector[1], w.address(float32, sums, place))

    def _multiply_lines(self, this: _Block, lines: str, down: Side, vector: str, across: Side, sums: str) -> None:
        """Some lines of sums, by fused multiply-adds."""
        w = self.w
        found: list[Variable] = [w.variable(float32, SIDE) for _ in range(PLAIN_LINES)]
        for variable in found:
            variable.set(constant(0, float32, SIDE))
        if self.t.blocks > 1:
            with w.when(self._holds("ne", this.turn, 0)):
                for place, variable in enumerate(found):
                    variable.set(w.load(float32, SIDE, sums, place * SQUARE))
        with w.loop(0, this.length) as step:
            factors = self._vector(w.address(float32, vector, times(w, step, across.inner)), across)
            here = w.address(float32, lines, times(w, step, down.inner))
            for place, variable in enumerate(found):
                factor = w.splat(w.load(float32, 0, here, place * down.stride), SIDE)
                variable.set(multiply_add(self.scalars, factor, factors, variable.get()))
        for place, variable in enumerate(found):
            w.store(variable.get(), sums, place * SQUARE)

    def _vector(self, pointer: str, side: Side) -> Value:
        if side.stride == 1:
            return self.w.load(float32, SIDE, pointer)
        return self.w.gather(float32, pointer, self.w.steps(0, side.stride, SIDE))

    # Edges

    @property
    def _whole(self) -> bool:
        """Whether the columns fill the panels."""
        return self.form.columns.size % self.t.width == 0

    def _start(self, column: Value) -> Value:
        """Where a vector of columns begins that must not reach beyond the last one."""
        return column if self._whole else lesser(self.w, column, self.form.columns.size - SIDE)
