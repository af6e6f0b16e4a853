"""Bringing the columns of a matrix next to each other, and loads that convert."""

from __future__ import annotations

from kadam.dtypes import dtype
from kadam.engines.native.form import Form, Side, lesser, minus, times, total
from kadam.engines.native.scalars import Scalars
from kadam.engines.native.transpose import block_of, transpose
from kadam.engines.native.writer import BOOL, Value, Writer, constant, index


def load_as(
    w: Writer, record: dtype, lanes: int, stored: dtype, pointer: str, offset: int | Value, mask: Value | None = None
) -> Value:
    """Elements of one type from memory, as another type."""
    return Scalars(w).cast(w.load(stored, lanes, pointer, offset, mask), record)


def below(w: Writer, lanes: int, bound: int | Value) -> Value:
    """Which lanes have a number below a bound."""
    return w.let(BOOL, lanes, f"icmp slt {w.steps(0, 1, lanes)}, {w.splat(index(bound), lanes).text}")


def from_on(w: Writer, lanes: int, bound: Value) -> Value:
    """Which lanes have a bound's number or a higher one."""
    return w.let(BOOL, lanes, f"icmp sge {w.steps(0, 1, lanes)}, {w.splat(bound, lanes).text}")


class Gathering:
    """A block of a matrix of columns, copied so that the columns of a panel are neighbours.

    The copy has one row per summed index; vectors that would reach beyond the last column start earlier.
    """

    def __init__(self, w: Writer, form: Form, lanes: int, vectors: int) -> None:
        self.w, self.form, self.lanes, self.vectors = w, form, lanes, vectors
        self.side: Side = form.columns
        self.stored, self.record = form.contraction.dtype, form.sums

    def write(self, pointer: str, first: Value, length: Value, into: str, even: bool) -> None:
        """Copies `length` rows from `pointer` on, for the panel that begins with the column `first`.

        `even` promises that the length is a multiple of what is turned at a time.
        """
        if self.side.stride == 1 or self.side.size == 1:
            self._rows(pointer, first, length, into)
        elif self.side.inner == 1:
            self._turn(pointer, first, length, into, even)
        else:
            self._pick(pointer, first, length, into)

    def _start(self, first: Value, vector: int | Value) -> Value:
        nominal = total(self.w, first, times(self.w, vector, self.lanes))
        return lesser(self.w, nominal, max(self.side.size - self.lanes, 0))

    def _place(self, vector: int | Value, row: Value) -> Value:
        return total(self.w, times(self.w, row, self.vectors * self.lanes), times(self.w, vector, self.lanes))

    def _real(self) -> Value | None:
        """Which lanes are columns, if there are fewer columns than lanes."""
        return below(self.w, self.lanes, self.side.size) if self.side.size < self.lanes else None

    def _rows(self, pointer: str, first: Value, length: Value, into: str) -> None:
        w, real = self.w, self._real()
        starts = [self._start(first, vector) for vector in range(self.vectors)]
        with w.loop(0, length) as row:
            for vector, start in enumerate(starts):
                at = total(w, start, times(w, row, self.side.inner))
                found = load_as(w, self.record, self.lanes, self.stored, pointer, at, real)
                w.store(found, into, self._place(vector, row))

    def _turn(self, pointer: str, first: Value, length: Value, into: str, even: bool) -> None:
        """Small blocks, from vectors along the summed axis."""
        w, lanes = self.w, self.lanes
        block = block_of(self.record.itemsize)
        with w.loop(0, self.vectors) as vector:
            start = self._start(first, vector)
            corner = w.address(self.stored, pointer, times(w, start, self.side.stride))
            with w.loop(0, length, block) as row:
                mask = None if even else below(w, block, minus(w, length, row))
                here = w.address(self.stored, corner, row)

                def column(place: int, here: str = here, mask: Value | None = mask) -> Value:
                    if place >= self.side.size:
                        return constant(0, self.record, block)
                    return load_as(w, self.record, block, self.stored, here, place * self.side.stride, mask)

                for step, found in enumerate(transpose(w, lanes, block, column)):
                    w.store(found, into, self._place(vector, total(w, row, step)))

    def _pick(self, pointer: str, first: Value, length: Value, into: str) -> None:
        """Any strides, an element at a time."""
        w, real = self.w, self._real()
        with w.loop(0, self.vectors) as vector:
            start = self._start(first, vector)
            offsets = w.steps(times(w, start, self.side.stride), self.side.stride, self.lanes)
            with w.loop(0, length) as row:
                corner = w.address(self.stored, pointer, times(w, row, self.side.inner))
                found = Scalars(w).cast(w.gather(self.stored, corner, offsets, real), self.record)
                w.store(found, into, self._place(vector, row))
