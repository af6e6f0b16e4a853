"""Binary searches: each lane follows its own, without branches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from kadam.dtypes import int64
from kadam.engines.native.collapse import collapse
from kadam.engines.native.element import Given, Reading
from kadam.engines.native.fuse import Plan
from kadam.engines.native.keys import key
from kadam.engines.native.lines import Places, each_point, lane_among
from kadam.engines.native.loops import Emission, Store
from kadam.engines.native.nest import FLOPS, GATHERED, lanes_of
from kadam.engines.native.stage import Stage
from kadam.engines.native.writer import Value, Writer, constant, index
from kadam.ir.emitter import Relation
from kadam.ir.graph import Node
from kadam.ir.place import Datum, Place, Var, flat, place
from kadam.primitives.sort import SearchSorted


@dataclass(frozen=True, eq=False)
class Probe(Given):
    """Where each lane looks next.

    Attributes:
        at: where the lanes lie.
    """

    at: Place

    @cached_property
    def places(self) -> tuple[Place, ...]:
        return (self.at,)


def search(node: Node, plan: Plan, name: str) -> list[Stage]:
    """The stage of `SearchSorted`."""
    return [_Search(node, plan).stage(name)]


class _Search:
    """The kernel: for each value, how many elements of its sequence stand before it."""

    def __init__(self, node: Node, plan: Plan) -> None:
        assert isinstance(node.primitive, SearchSorted)
        self.node = node
        self.relation: Relation = "le" if node.primitive.right else "lt"
        sequence, values = node.inputs
        self.size = sequence.shape[-1]
        loops = tuple(map(Var, node.shape))
        here = tuple(map(place, loops))
        reading = Reading(plan.inner)
        store = Store(node, flat(here, node.shape), reading.at(values, here))
        if sequence.rank == 1:
            (loops,), (store,) = collapse([loops], [store])
        self.loops, self.value = loops, store.element
        self.store = Store(node, store.at, Given(node.dtype, node, Place()))
        self.lanes = lanes_of([self.value])
        self.lane = lane_among(loops, self.lanes)
        self.probe = Probe(int64, "probe", Place() if self.lane is None else place(self.lane))
        probed = Place(0, {Datum(self.probe, (0, max(self.size - 1, 0))): 1})
        self.element = reading.at(sequence, (*here[: sequence.rank - 1], probed))

    def stage(self, name: str) -> Stage:
        self.writer = Writer()
        emission = Emission(self.writer, [self.value], self.lane, self.lanes)
        self.scalars = emission.scalars

        def body(places: Places, mask: Value | None) -> None:
            emission.give(self.store.element, self._search(emission.value(self.value), places, mask))
            emission.store(self.store)

        tasks = each_point(emission, self.loops, body)
        steps = self.size.bit_length() * tasks
        bytes_ = sum(one.type.size_bytes for one in (self.node, *self.node.inputs))
        work = steps * GATHERED * 4 * FLOPS * self.lanes
        return Stage(name, self.writer.text(), tuple(self.writer.buffers), tasks, steps, bytes_, work)

    def _search(self, value: Value, places: Places, mask: Value | None) -> Value:
        """The places of values: between `low` and `low + left` at each step."""
        scalars, writer, lanes = self.scalars, self.writer, 0 if self.lane is None else self.lanes
        if not self.size:
            return constant(0, int64, lanes)
        wanted = writer.splat(key(scalars, value), lanes)
        low, left = writer.variable(int64, lanes), writer.variable(int64)
        low.set(constant(0, int64, lanes))
        left.set(index(self.size))
        with writer.loop(0, self.size.bit_length()):
            half = scalars.shifted(scalars.add(left.get(), index(1)), -1)
            beyond = scalars.add(low.get(), writer.splat(half, lanes))
            found = self._probed(scalars.sub(beyond, constant(1, int64, lanes)), places, mask)
            passed = scalars.compare(self.relation, writer.splat(key(scalars, found), lanes), wanted)
            low.set(scalars.select(passed, beyond, low.get()))
            left.set(scalars.sub(left.get(), half))
        return low.get()

    def _probed(self, at: Value, places: Places, mask: Value | None) -> Value:
        """The elements of the sequence at some places."""
        emission = Emission(self.writer, [self.element], self.lane, self.lanes)
        emission.enter(places, mask)
        emission.give(self.probe, at)
        emission.advance()
        return emission.value(self.element)
