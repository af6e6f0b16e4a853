"""Orders by digits: elements are moved to where one digit belongs, the least significant first, and stay in order."""

from __future__ import annotations

from kadam.dtypes import int64, uint32
from kadam.engines.native.keys import greatest
from kadam.engines.native.order import Line
from kadam.engines.native.writer import Value, constant, index, suffix_of

DIGIT = 8  # bits


def by_digits(line: Line, start: Value, other: Value, begin: Value, end: Value) -> Value:
    """Put a part of a line in order, in memory. Its keys are unsigned there: their first bit is turned.

    Args:
        start, other: where there is room for it, twice.
        begin, end: the part.

    Returns:
        Which of the two it is in.
    """
    return _Digits(line, begin, end).sort(start, other)


class _Digits:
    def __init__(self, line: Line, begin: Value, end: Value) -> None:
        self.line, self.writer, self.scalars = line, line.writer, line.scalars
        self.begin, self.end = begin, end
        self.size = self.scalars.sub(end, begin)
        self.count = uint32 if line.size < 2**32 else int64
        self.counts = self.writer.scratch(self.count, 8 * line.key.itemsize // DIGIT << DIGIT)

    def sort(self, start: Value, other: Value) -> Value:
        scalars, writer = self.scalars, self.writer
        now, next_ = writer.variable(int64), writer.variable(int64)
        now.set(start)
        next_.set(other)
        differing = self._fill(start)
        self._count(start)
        with writer.loop(0, 8 * self.line.key.itemsize, DIGIT) as shift:
            differs = scalars.compare("ne", self._digit(differing, shift), index(0))
            with writer.when(differs):
                source, target = now.get(), next_.get()
                self._move(source, target, shift)
                now.set(target)
                next_.set(source)
        return now.get()

    def _fill(self, start: Value) -> Value:
        """Write the keys and their places; the bits in which keys differ."""
        line, scalars, writer, lanes = self.line, self.scalars, self.writer, self.line.lanes
        sign = constant(-greatest(line.key) - 1, line.key, lanes)
        none, all_ = constant(0, line.key, lanes), constant(-1, line.key, lanes)
        some, each = writer.variable(line.key, lanes), writer.variable(line.key, lanes)
        some.set(none)
        each.set(all_)
        to = scalars.sub(start, self.begin)

        def fill(at: Value, keys: Value) -> None:
            keys, there, mask = scalars.unlike(keys, sign), scalars.add(to, at), line.mask
            writer.store(keys, line.keys, there, mask)
            writer.store(line.ramp(at), line.places, there, mask)
            some.set(scalars.either(some.get(), keys if mask is None else scalars.select(mask, keys, none)))
            each.set(scalars.both(each.get(), keys if mask is None else scalars.select(mask, keys, all_)))

        line.each(fill, self.begin, self.end)
        suffix = suffix_of(line.key, lanes)
        in_some = writer.call(f"llvm.vector.reduce.or.{suffix}", line.key, 0, some.get())
        in_each = writer.call(f"llvm.vector.reduce.and.{suffix}", line.key, 0, each.get())
        return scalars.unlike(in_some, in_each)

    def _digit(self, key: Value, shift: Value) -> Value:
        """A digit of a key."""
        scalars = self.scalars
        moved = self.writer.let(key.dtype, 0, f"lshr {key}, {scalars.cast(shift, key.dtype).text}")
        return scalars.cast(scalars.both(moved, constant((1 << DIGIT) - 1, key.dtype)), int64)

    def _count(self, start: Value) -> None:
        """How often each digit occurs, at each of its places in the keys."""
        line, scalars, writer = self.line, self.scalars, self.writer
        bits = 8 * line.key.itemsize
        with writer.loop(0, bits // DIGIT << DIGIT, line.lanes) as at:
            writer.store(constant(0, self.count, line.lanes), self.counts, at)
        with writer.loop(0, self.size) as at:
            key = writer.load(line.key, 0, line.keys, scalars.add(start, at))
            for shift in range(0, bits, DIGIT):
                digit = scalars.add(self._digit(key, index(shift)), index(shift // DIGIT << DIGIT))
                count = writer.load(self.count, 0, self.counts, digit)
                writer.store(scalars.add(count, constant(1, self.count)), self.counts, digit)

    def _move(self, source: Value, target: Value, shift: Value) -> None:
        """Move keys and places to where their digits belong."""
        line, scalars, writer = self.line, self.scalars, self.writer
        counts = writer.address(self.count, self.counts, scalars.mul(shift, index((1 << DIGIT) // DIGIT)))
        before = writer.variable(self.count)
        before.set(constant(0, self.count))
        with writer.loop(0, 1 << DIGIT) as at:
            count = writer.load(self.count, 0, counts, at)
            writer.store(before.get(), counts, at)
            before.set(scalars.add(before.get(), count))
        with writer.loop(0, self.size) as at:
            here = scalars.add(source, at)
            key = writer.load(line.key, 0, line.keys, here)
            digit = self._digit(key, shift)
            rank = writer.load(self.count, 0, counts, digit)
            writer.store(scalars.add(rank, constant(1, self.count)), counts, digit)
            there = scalars.add(target, scalars.cast(rank, int64))
            writer.store(key, line.keys, there)
            writer.store(writer.load(line.place, 0, line.places, here), line.places, there)
