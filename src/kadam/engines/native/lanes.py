"""Lanes of vectors: which of them count, and how they are read from memory."""

from __future__ import annotations

from collections.abc import Sequence

from kadam.dtypes import dtype
from kadam.engines.native.integers import Integer
from kadam.engines.native.scalars import Scalars
from kadam.engines.native.writer import BOOL, Value, Writer, index


def below(writer: Writer, limit: Integer, lanes: int) -> Value:
    """Which lanes have a number below the limit."""
    return writer.let(BOOL, lanes, f"icmp slt {writer.steps(0, 1, lanes)}, {writer.splat(index(limit), lanes).text}")


def lanes_between(low: int, high: int, lanes: int) -> Value:
    """The lanes from `low` to before `high`, as a mask."""
    return constant_mask([low <= lane < high for lane in range(lanes)])


def load_apart(
    writer: Writer, record: dtype, lanes: int, pointer: str, offset: int, apart: int, low: int, high: int
) -> Value:
    """Elements that lie `apart` from each other, for the lanes from `low` to before `high`; in the others 0."""
    mask = mask_of(low, high, lanes)
    if apart == 1:
        return writer.load(record, lanes, pointer, offset, mask)
    if apart == 2:
        first = writer.load(record, lanes, pointer, offset, _alternate(low, high, 0, lanes))
        second = writer.load(record, lanes, pointer, offset + lanes, _alternate(low, high, lanes, lanes))
        return writer.shuffle(first, range(0, 2 * lanes, 2), second)
    return writer.gather(record, pointer, writer.steps(offset, apart, lanes), mask)


def _alternate(low: int, high: int, start: int, lanes: int) -> Value | None:
    """Which of the elements from `start` on are to be read, for every other one from `low` to before `high`."""
    first, last = 2 * low - start, 2 * (high - 1) - start
    wanted = [first <= lane <= last for lane in range(lanes)]
    return None if all(wanted) else constant_mask(wanted)


def mask_of(low: int, high: int, lanes: int) -> Value | None:
    """`lanes_between`, or None if those are all."""
    return None if (low, high) == (0, lanes) else lanes_between(low, high, lanes)


def constant_mask(lanes: Sequence[bool]) -> Value:
    """A mask that is known."""
    return Value("<" + ", ".join("i1 true" if lane else "i1 false" for lane in lanes) + ">", BOOL, len(lanes))


def load_cycles(apart: int, lanes: int) -> float:
    """What a vector of elements costs that lie `apart`, most of them across cache lines."""
    return {1: 0.75, 2: 2}.get(apart, lanes)


def multiply_add(scalars: Scalars, a: Value, b: Value, c: Value) -> Value:
    """a b + c."""
    if a.dtype.is_floating_point:
        return scalars.fma(a, b, c)
    return scalars.add(scalars.mul(a, b), c)
