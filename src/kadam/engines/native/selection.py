"""Orders of few elements: short lines by counting, the best of long ones by selection. No branch waits for data."""

from __future__ import annotations

from collections.abc import Callable

from kadam.dtypes import bool_, int64
from kadam.engines.native.keys import greatest
from kadam.engines.native.order import Line, Ordered
from kadam.engines.native.writer import Value, constant, index


def counted(line: Line, start: Value) -> Ordered:
    """The order of a line by counting what stands before each element.

    Args:
        start: of the line's memory.
    """
    scalars, writer, lanes = line.scalars, line.writer, line.lanes
    end = scalars.add(start, index(line.room))
    whole = -(-line.size // lanes) * lanes
    # What fills the last register stands behind all elements.
    rest = scalars.add(start, index(whole - lanes))
    writer.store(constant(greatest(line.key), line.key, lanes), line.keys, rest)
    line.each(lambda at, keys: writer.store(keys, line.keys, scalars.add(start, at), line.mask))
    with writer.loop(0, whole, lanes) as block:
        own = writer.load(line.key, lanes, line.keys, scalars.add(start, block))
        own_place = scalars.cast(writer.steps(block, 1, lanes), line.key)
        to = scalars.add(writer.splat(end, lanes), scalars.cast(_ranks(line, start, block, own, own_place), int64))
        writer.scatter(own, line.keys, to)
        writer.scatter(scalars.cast(own_place, line.place), line.places, to)
    return Ordered(line.keys, line.places, end)


def _ranks(line: Line, start: Value, block: Value, own: Value, own_place: Value) -> Value:
    """How many elements stand before each of a block's."""
    scalars, writer, lanes = line.scalars, line.writer, line.lanes
    ranks = writer.variable(line.key, lanes)
    ranks.set(constant(0, line.key, lanes))

    def count(begin: int | Value, end: int | Value, before: Callable[[Value, Value], Value]) -> None:
        with writer.loop(begin, end) as at:
            other = writer.splat(writer.load(line.key, 0, line.keys, scalars.add(start, at)), lanes)
            other_place = writer.splat(scalars.cast(at, line.key), lanes)
            ranks.set(scalars.add(ranks.get(), scalars.cast(before(other, other_place), line.key)))

    after = scalars.add(block, index(lanes))
    count(0, block, lambda other, _: scalars.compare("le", other, own))
    count(block, after, lambda other, place: line.before(other, place, own, own_place))
    count(after, line.size, lambda other, _: scalars.compare("lt", other, own))
    return ranks.get()


def selected(line: Line, wanted: int) -> Ordered:
    """The first elements of a line's order, without ordering the others: the best so far are kept in order."""
    scalars, writer, lanes = line.scalars, line.writer, line.lanes
    room = -(-wanted // lanes) * lanes
    best, places = writer.scratch(line.key, room + 2 * lanes), writer.scratch(line.place, room + 2 * lanes)
    row, last = writer.scratch(line.key, lanes), lanes + wanted - 1
    # A register before the first stands before everything, the empty places behind everything.
    writer.store(constant(-greatest(line.key) - 1, line.key, lanes), best, 0)
    writer.store(constant(-1, line.place, lanes), places, 0)
    with writer.loop(lanes, lanes + room, lanes) as at:
        writer.store(constant(greatest(line.key), line.key, lanes), best, at)
        writer.store(constant(greatest(line.place), line.place, lanes), places, at)

    def take(at: Value, keys: Value) -> None:
        if line.mask is not None:
            keys = scalars.select(line.mask, keys, scalars.constant(greatest(line.key), keys))
        better = scalars.compare("le", keys, writer.splat(writer.load(line.key, 0, best, last), lanes))
        with writer.when(writer.call(f"llvm.vector.reduce.or.v{lanes}i1", bool_, 0, better)):
            writer.store(keys, row)
            with writer.loop(0, lanes) as lane:
                one = writer.load(line.key, 0, row, lane)
                stood = scalars.cast(scalars.add(at, lane), line.place)
                worst = (writer.load(line.key, 0, best, last), writer.load(line.place, 0, places, last))
                with writer.when(line.before(one, stood, *worst)):
                    _insert(line, best, places, room, writer.splat(one, lanes), writer.splat(stood, lanes))

    line.each(take)
    return Ordered(best, places, index(lanes))


def _insert(line: Line, best: str, places: str, room: int, one: Value, stood: Value) -> None:
    """Put an element where it belongs; those behind it move on by one, the last one out."""
    scalars, writer, lanes = line.scalars, line.writer, line.lanes
    with writer.loop(0, room, lanes) as done:
        at = scalars.sub(index(room), done)
        previous = scalars.sub(at, index(1))
        had = writer.load(line.key, lanes, best, at), writer.load(line.place, lanes, places, at)
        moved = writer.load(line.key, lanes, best, previous), writer.load(line.place, lanes, places, previous)
        stays, comes = line.before(*had, one, stood), line.before(*moved, one, stood)
        for to, own, new, old in ((best, had[0], one, moved[0]), (places, had[1], stood, moved[1])):
            writer.store(scalars.select(stays, own, scalars.select(comes, new, old)), to, at)
