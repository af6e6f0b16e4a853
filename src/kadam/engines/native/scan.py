"""Running results along an axis: carried in registers from one element to the next, with lanes across the lines."""

from __future__ import annotations

from math import prod
from typing import Any, Protocol

from kadam.dtypes import dtype, float32, float64, int64
from kadam.engines.native.collapse import collapse
from kadam.engines.native.element import Given, Reading
from kadam.engines.native.fuse import Plan
from kadam.engines.native.lines import each_point, lane_among
from kadam.engines.native.loops import Emission, Store
from kadam.engines.native.nest import FLOPS, lanes_of
from kadam.engines.native.scalars import Scalars
from kadam.engines.native.stage import Stage
from kadam.engines.native.writer import Value, Writer, constant
from kadam.ir.graph import Node
from kadam.ir.place import Place, Var, flat, place
from kadam.primitives.scan import CumArgMax, CumArgMin, CumProd, LinearScan

STEP = 4  # cycles from one element of a line to the next: an addition waits for the last one


class Carried(Protocol):
    """What goes from one element of a line to the next."""

    def start(self) -> None:
        """Write the state before the first element."""

    def step(self, at: Value, *elements: Value) -> Value:
        """Write the step over the elements at a place of the line; the result there."""


def scan(node: Node, plan: Plan, name: str) -> list[Stage]:
    """The stage of a primitive that runs along an axis."""
    primitive: Any = node.primitive
    axis: int = primitive.axis
    over = tuple(map(Var, node.shape))
    along, size = over[axis], node.shape[axis]
    here = list(map(place, over))
    if getattr(primitive, "reverse", False):
        here[axis] = size - 1 - here[axis]
    reading = Reading(plan.inner)
    at, result = flat(tuple(here), node.shape), Given(node.dtype, node, Place())
    read = [Store(node, at, reading.at(source, tuple(here))) for source in node.inputs]
    (before, after), moved = collapse([over[:axis], over[axis + 1 :]], read)
    elements = [store.element for store in moved]
    lanes = lanes_of(elements)
    lane = lane_among(after, lanes)
    writer = Writer()
    emission = Emission(writer, elements, lane, lanes)
    store = Store(node, moved[0].at, result)
    carried = _carried(emission.scalars, node, lanes if lane is not None else 0)

    def step(place_: Value, _copy: int) -> None:
        found = carried.step(place_, *map(emission.value, elements))
        emission.give(result, emission.scalars.cast(found, node.dtype))
        emission.store(store)

    def line(_places: object, _mask: object) -> None:
        carried.start()
        emission.along(along, 0, size, True, step)

    lines = (*before, *after)
    tasks = each_point(emission, lines, line)
    points = size * prod(one.size for one in lines)
    bytes_ = sum(one.type.size_bytes for one in (node, *node.inputs))
    return [
        Stage(name, writer.text(), tuple(writer.buffers), tasks, points, bytes_, STEP * size * tasks * FLOPS * lanes)
    ]


def _carried(scalars: Scalars, node: Node, lanes: int) -> Carried:
    source, primitive = node.inputs[0], node.primitive
    if isinstance(primitive, (CumArgMax, CumArgMin)):
        return Latest(scalars, source.dtype, lanes, isinstance(primitive, CumArgMax))
    widest = float32 if isinstance(primitive, LinearScan) else float64
    floating = node.dtype.is_floating_point and node.dtype.itemsize < widest.itemsize
    return Recurrence(scalars, type(primitive), widest if floating else node.dtype, lanes)


def _is_first(scalars: Scalars, at: Value) -> Value:
    """Whether a place is the first of its line: before it, nothing is carried."""
    return scalars.compare("eq", at, constant(0, int64))


class Recurrence:
    """A sum, a product, or y = a y + b.

    Args:
        record: the type that it is computed in.
    """

    def __init__(self, scalars: Scalars, kind: type, record: dtype, lanes: int) -> None:
        self.scalars, self.kind, self.record, self.lanes = scalars, kind, record, lanes
        self.total = scalars.writer.variable(record, lanes)

    def start(self) -> None:
        neutral = 1 if self.kind is CumProd else -0.0  # -0 + x is x, whatever x
        self.total.set(constant(neutral, self.record, self.lanes))

    def step(self, at: Value, *elements: Value) -> Value:
        scalars, total = self.scalars, self.total.get()
        *factors, x = [scalars.writer.splat(scalars.cast(one, self.record), self.lanes) for one in elements]
        if self.kind is CumProd:
            total = scalars.mul(total, x)
        else:
            for factor in factors:
                one = constant(1, self.record, self.lanes)
                total = scalars.mul(scalars.select(_is_first(scalars, at), one, factor), total)
            total = scalars.add(total, x)
        self.total.set(total)
        return total


class Latest:
    """The last place of the best element so far; nan beats all."""

    def __init__(self, scalars: Scalars, record: dtype, lanes: int, largest: bool) -> None:
        self.scalars, self.record, self.lanes, self.largest = scalars, record, lanes, largest
        self.best = scalars.writer.variable(record, lanes)
        self.where = scalars.writer.variable(int64, lanes)

    def start(self) -> None:
        self.best.set(constant(0, self.record, self.lanes))
        self.where.set(constant(0, int64, self.lanes))

    def step(self, at: Value, *elements: Value) -> Value:
        scalars, writer = self.scalars, self.scalars.writer
        x = writer.splat(elements[0], self.lanes)
        best, where = self.best.get(), self.where.get()
        taken = scalars.compare("ge" if self.largest else "le", x, best)
        taken = scalars.either(taken, writer.splat(_is_first(scalars, at), self.lanes))
        if self.record.is_floating_point:
            taken = scalars.either(taken, scalars.compare("ne", x, x))
        where = scalars.select(taken, writer.splat(at, self.lanes), where)
        self.best.set(scalars.select(taken, x, best))
        self.where.set(where)
        return where
