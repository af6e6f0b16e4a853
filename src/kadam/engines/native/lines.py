"""Loops over the lines of a tensor along one axis: the lines do not depend on each other, what stands in one does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from kadam.engines.native.collapse import Loops
from kadam.engines.native.integers import Integers
from kadam.engines.native.loops import Emission
from kadam.engines.native.writer import Value, Writer, index
from kadam.ir.place import Var

Places = dict[Var, Value]


def lane_among(loops: Loops, lanes: int) -> Var | None:
    """The innermost of some loops, if lanes along it are worth it."""
    return loops[-1] if loops and loops[-1].size >= max(lanes // 4, 2) else None


def each_point(emission: Emission, loops: Loops, body: Callable[[Places, Value | None], None]) -> int:
    """Run a body at all points of some loops, the lanes' by as many at once. Each is a task.

    Args:
        loops: outermost first; the lanes' may be one of them.
        body: is given the loops' places, and which lanes are real; None if all are.

    Returns:
        How many tasks there are.
    """
    writer, lane, lanes = emission.writer, emission.lane, emission.lanes
    sizes = [one.size if one is not lane else -(-one.size // lanes) for one in loops]
    emission.advance()
    begin, end = writer.tasks
    with writer.loop(begin, end) as task:
        places = split(writer, task, loops, sizes)
        mask = None
        if lane is not None and lane in loops:
            places[lane] = emission.scalars.mul(places[lane], index(lanes))
            if lane.size % lanes:
                size = writer.splat(index(lane.size), lanes)
                mask = emission.scalars.compare("lt", writer.steps(places[lane], 1, lanes), size)
        leave = emission.enter(places, mask)
        emission.advance(places)
        body(places, mask)
        leave()
    return prod(sizes)


def split(writer: Writer, number: Value, loops: Loops, sizes: Sequence[int]) -> dict[Var, Value]:
    """The places of some loops of these sizes that a number stands for."""
    return {one: index(at) for one, at in zip(loops, Integers(writer).split(number, sizes), strict=True)}
