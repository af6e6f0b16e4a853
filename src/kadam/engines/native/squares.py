"""How the matrix unit cuts matrix products, and the stage that splits the rows for it."""

from __future__ import annotations

from dataclasses import dataclass

from kadam.dtypes import float32, uint8
from kadam.engines.native.form import Form, digits, lesser, minus, times, total
from kadam.engines.native.stage import Scratch, Stage
from kadam.engines.native.target import host
from kadam.engines.native.thirds import PARTS, SIDE, STEP, TILE_BYTES, Thirds
from kadam.engines.native.writer import BOOL, I64, Value, Writer, constant, index

ABREAST = 2  # tiles below and beside each other whose sums the unit keeps at once
SQUARE = ABREAST * SIDE  # rows and columns of these
SUMS = SQUARE * SQUARE
LINE_BYTES = 64
PIECE_BYTES = ABREAST * PARTS * TILE_BYTES  # of the tiles of a square's rows, or columns, at one step


@dataclass(frozen=True)
class Squares:
    """How the matrix unit multiplies: columns in panels, whose depth is split block by block while rows are multiplied.

    Attributes:
        form: the matrix products; its columns are the operand that is split by the kernel itself.
        beside: squares of a panel.
        depth: of a block, a multiple of `STEP`.
        group: how many tiles of rows, one below the other, make a task.
    """

    form: Form
    beside: int
    depth: int
    group: int

    def __post_init__(self) -> None:
        assert self.depth % STEP == 0, self.depth

    @classmethod
    def suit(cls, form: Form) -> bool:
        """Whether the unit can multiply, and this process may use it."""
        fits = min(form.rows.size, form.columns.size) >= SQUARE and form.depth >= SIDE and not form.extra
        return fits and form.contraction.dtype is float32 and host().matrix_unit

    @property
    def lanes(self) -> int:
        return SIDE

    @property
    def width(self) -> int:
        """Columns of a panel."""
        return self.beside * SQUARE

    @property
    def panels(self) -> int:
        return -(-self.form.columns.size // self.width)

    @property
    def tiles(self) -> int:
        """Of rows, as many as a square has."""
        return -(-self.form.rows.size // SQUARE)

    @property
    def groups(self) -> int:
        return -(-self.tiles // self.group)

    @property
    def tasks(self) -> int:
        return self.form.products * self.panels * self.groups

    @property
    def blocks(self) -> int:
        """Of the depth."""
        return -(-self.form.depth // self.depth)

    @property
    def kept(self) -> int:
        """Squares whose sums wait for the next block."""
        return self.group * self.beside if self.blocks > 1 else 1

    @property
    def split_bytes(self) -> int:
        """Of two blocks of columns in thirds."""
        return 2 * self.beside * self.depth // STEP * PIECE_BYTES

    @property
    def desk_bytes(self) -> int:
        """Memory that a thread works in: columns in thirds, and sums."""
        return self.split_bytes + self.kept * SUMS * float32.itemsize

    @property
    def tile_bytes(self) -> int:
        """Of the thirds of a tile of rows."""
        return -(-self.form.depth // STEP) * PIECE_BYTES

    @property
    def bounds_at(self) -> int:
        """Where, behind the thirds of all rows, the bounds of their numbers stand: 8 bytes for each block of a tile."""
        return self.form.products * self.tiles * self.tile_bytes

    @property
    def desks_at(self) -> int:
        """Where, behind the bounds, a word for each desk stands that tells whether it is taken; then the desks."""
        return -(-(self.bounds_at + 8 * self.form.products * self.tiles * self.blocks) // LINE_BYTES) * LINE_BYTES

    @property
    def words_bytes(self) -> int:
        """Of these words, one for each core."""
        return -(-8 * host().cores // LINE_BYTES) * LINE_BYTES

    def tile_at(self, w: Writer, product: Value, tile: Value, above: Value) -> Value:
        """Where the thirds of a tile stand, from a summed index on."""
        number = total(w, times(w, product, self.tiles), tile)
        return total(w, times(w, number, self.tile_bytes), times(w, above, PIECE_BYTES // STEP))


def thirds_of_rows(t: Squares, name: str) -> tuple[Stage, Scratch]:
    """The stage that splits the rows of all tiles, and where it leaves them: a task is a block of a tile's depth.

    Behind the tiles stand the bounds of each task's numbers, then the desks, for as many threads as there are cores:
    stacks may be too small for them.
    """
    w, form = Writer(), t.form
    tasks = form.products * t.tiles * t.blocks
    copy = Scratch(t.desks_at + t.words_bytes + host().cores * t.desk_bytes)
    thirds = Thirds(w, form.rows, left=not form.turned)
    rest = form.depth % STEP
    with w.loop(*w.tasks) as task:
        product, tile, block = digits(w, task, (form.products, t.tiles, t.blocks))
        a, _ = form.corners(w, outer_of(w, form, product))
        above = times(w, block, t.depth)
        row = lesser(w, times(w, tile, SQUARE), form.rows.size - SQUARE)
        here = total(w, a, times(w, row, form.rows.stride), times(w, above, form.rows.inner))
        source = w.address(float32, w.buffer(form.contraction.a.key), here)
        target = w.address(uint8, w.buffer(copy), t.tile_at(w, product, tile, above))

        def square(step: Value, real: int, source: str = source, target: str = target) -> None:
            for beside in range(ABREAST):
                corner = total(w, times(w, step, form.rows.inner), beside * SIDE * form.rows.stride)
                into = total(w, times(w, step, PIECE_BYTES // STEP), beside * PARTS * TILE_BYTES)
                with w.loop(0, SIDE, thirds.at_once) as place:
                    thirds.split(w.address(float32, source, corner), w.address(uint8, target, into), place, real)

        thirds.begin()
        whole = minus(w, form.depth - rest, above)
        with w.loop(0, w.intrinsic("smin", whole, index(t.depth)), STEP) as step:
            square(step, STEP)
        if rest:
            with w.when(w.let(BOOL, 0, f"icmp slt {whole}, {t.depth}")):
                square(whole, rest)
        place = w.address(uint8, w.buffer(copy), total(w, times(w, task, 8), t.bounds_at))
        for offset, bound in enumerate(thirds.bounds()):
            w.store(bound, place, offset)
        with w.when(w.let(BOOL, 0, f"icmp eq {task}, 0")):
            for desk in range(host().cores):
                w.store(constant(0, I64), w.address(uint8, w.buffer(copy), t.desks_at), desk)
    size_bytes = t.bounds_at + 4.0 * form.products * form.rows.size * form.depth
    return Stage(name, w.text(), tuple(w.buffers), tasks, 0.0, size_bytes, 8.0 * size_bytes), copy


def outer_of(w: Writer, form: Form, product: Value) -> list[Value]:
    """The indices of a matrix product along the outer axes."""
    return digits(w, product, [form.contraction.axes[place].size for place in form.outer])
