"""Operands of the matrix unit: each float32 as the exact sum of three bfloat16.

x = x0 + x1 + x2, each rounded from what the ones before it left: 8 + 8 + 8 bits, as many as x has. A tile of an
operand is 16 rows (or columns) times 32 summed indices; the unit takes these in pairs, here j and j + 16.
"""

from __future__ import annotations

from collections.abc import Sequence

from kadam.dtypes import float32, uint32
from kadam.engines.native.address import prefetch
from kadam.engines.native.form import Side, minus, times, total
from kadam.engines.native.scalars import Scalars
from kadam.engines.native.transpose import block_of, transpose
from kadam.engines.native.turn import below
from kadam.engines.native.writer import BOOL, Value, Writer, constant

SIDE = 16  # rows or columns of a tile, and pairs of summed indices
STEP = 2 * SIDE  # summed indices of a tile
PARTS = 3
TILE_BYTES = 2 * SIDE * STEP
AHEAD = 3  # tiles along the depth that memory is fetched before it is split
# Within these bounds no part or product is flushed to zero or overflows. In biased exponents: those of the largest, of
# the least but zero, and of the leasts of both operands together.
MOST, LEAST, LEAST_TOGETHER = 187, 24, 154


class Thirds:
    """Writes the code that splits an operand into tiles, and notes how large and small its numbers are.

    Args:
        side: the rows or the columns.
        left: whether they are the unit's left operand: a tile's rows are theirs then, else pairs of summed indices.

    Attributes:
        at_once: rows of a tile that are split together.
    """

    def __init__(self, w: Writer, side: Side, left: bool) -> None:
        self.w, self.left, self.inner, self.scalars = w, left, side.inner, Scalars(w)
        # Elements between neighbouring rows of a tile, and within them.
        self.down, self.across = (side.stride, side.inner) if left else (side.inner, side.stride)
        self.least, self.most = w.variable(uint32, SIDE), w.variable(uint32, SIDE)
        self.at_once = 1 if self.across == 1 or self.down != 1 else block_of(float32.itemsize)

    def begin(self) -> None:
        """Forgets all numbers."""
        self.least.set(constant(-1, uint32, SIDE))
        self.most.set(constant(0, uint32, SIDE))

    def bounds(self) -> tuple[Value, Value]:
        """The biased exponents of the least number but zero, or 255, and of the largest."""
        found = []
        for word, variable in (("umin", self.least), ("umax", self.most)):
            bits = self.w.call(f"llvm.vector.reduce.{word}.v{SIDE}i32", uint32, 0, variable.get())
            found.append(self.w.let(uint32, 0, f"lshr {bits}, 24"))
        return found[0], found[1]

    def split(self, pointer: str, into: str, row: Value, real: int | Value = STEP) -> None:
        """`at_once` rows of a tile, from `row` on, into three tiles, one per part.

        Args:
            pointer: where the tile begins in the operand.
            into: where the tiles begin.
            row: a multiple of `at_once`.
            real: how many of the tile's summed indices there are.
        """
        if self.at_once == 1:
            self._store([self._line(pointer, row, half, real) for half in (0, SIDE)], into, row)
            return
        lower, upper = (self._turned(pointer, row, half, real) for half in (0, SIDE))
        for place, pair in enumerate(zip(lower, upper, strict=True)):
            self._store(pair, into, total(self.w, row, place))

    # Half a row of a tile: its elements at the summed indices from `half` on

    def _line(self, pointer: str, row: Value, half: int, real: int | Value) -> Value:
        w = self.w
        here = w.address(float32, pointer, total(w, times(w, row, self.down), half * self.inner))
        prefetch(w, w.address(float32, here, AHEAD * STEP * self.inner))
        mask = None
        if real != STEP:
            limit = minus(w, real, half)
            mask = (
                below(w, SIDE, limit) if self.left else w.splat(w.let(BOOL, 0, f"icmp slt {row}, {limit.text}"), SIDE)
            )
        if self.across == 1:
            return w.load(float32, SIDE, here, 0, mask)
        return w.gather(float32, here, w.steps(0, self.across, SIDE), mask)

    def _turned(self, pointer: str, row: Value, half: int, real: int | Value) -> list[Value]:
        """Of some rows, whose elements lie one below the other."""
        w, block = self.w, self.at_once
        here = w.address(float32, pointer, total(w, row, half * self.inner))
        limit = minus(w, real, half)
        mask = None if real == STEP or self.left else below(w, block, minus(w, limit, row))

        def column(place: int) -> Value:
            if real == STEP or not self.left:
                return w.load(float32, block, here, place * self.across, mask)
            held = w.splat(w.let(BOOL, 0, f"icmp sgt {limit}, {place}"), block)
            return w.load(float32, block, here, place * self.across, held)

        return transpose(w, SIDE, block, column)

    # Splitting

    def _store(self, pair: Sequence[Value], into: str, row: Value) -> None:
        """The parts of two vectors, whose elements are each other's neighbours in the tiles."""
        w = self.w
        for part, (first, second) in enumerate(zip(*map(self._parts, pair), strict=True)):
            low = w.let(uint32, SIDE, f"lshr {first}, {constant(16, uint32, SIDE).text}")
            high = w.let(uint32, SIDE, f"and {second}, {constant(-65536, uint32, SIDE).text}")
            both = w.let(uint32, SIDE, f"or {low}, {high.text}")
            w.store(both, into, total(w, times(w, row, SIDE), part * TILE_BYTES // uint32.itemsize))

    def _parts(self, x: Value) -> list[Value]:
        """Three numbers whose upper 16 bits are the bfloat16."""
        w, found = self.w, []
        bits = self._bits(x)
        self._note(bits)
        for _ in range(PARTS - 1):
            raised = w.let(uint32, SIDE, f"add {bits}, {constant(1 << 15, uint32, SIDE).text}")
            found.append(w.let(uint32, SIDE, f"and {raised}, {constant(-65536, uint32, SIDE).text}"))
            x = self.scalars.sub(x, w.let(float32, SIDE, f"bitcast {found[-1]} to {x.type}"))
            bits = self._bits(x)
        return [*found, bits]

    def _bits(self, x: Value) -> Value:
        return self.w.let(uint32, SIDE, f"bitcast {x} to <{SIDE} x i32>")

    def _note(self, bits: Value) -> None:
        """Keeps the least and the most, without the sign; zero counts as the most of all for the least."""
        w = self.w
        size = w.let(uint32, SIDE, f"shl {bits}, {constant(1, uint32, SIDE).text}")
        less = w.let(uint32, SIDE, f"add {size}, {constant(-1, uint32, SIDE).text}")
        self.least.set(w.intrinsic("umin", self.least.get(), less))
        self.most.set(w.intrinsic("umax", self.most.get(), size))


def tame(w: Writer, a: tuple[Value, Value], b: tuple[Value, Value]) -> Value:
    """Whether the matrix unit multiplies numbers exactly enough, given the bounds of both operands."""
    together = w.let(uint32, 0, f"add {a[0]}, {b[0].text}")
    found = w.let(BOOL, 0, f"icmp uge {together}, {LEAST_TOGETHER}")
    for least, most in (a, b):
        for condition in (f"icmp uge {least}, {LEAST}", f"icmp ule {most}, {MOST}"):
            found = w.let(BOOL, 0, f"and {found}, {w.let(BOOL, 0, condition).text}")
    return found
