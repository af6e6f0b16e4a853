"""Orders along an axis: line by line, by keys and the places where they stood."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from kadam.dtypes import int64
from kadam.engines.native.collapse import collapse
from kadam.engines.native.digits import DIGIT, by_digits
from kadam.engines.native.element import Apply, Given, Load, Reading
from kadam.engines.native.fuse import Plan
from kadam.engines.native.keys import key_type
from kadam.engines.native.lines import Places, each_point, split
from kadam.engines.native.loops import Emission, Store
from kadam.engines.native.merge import block_of, levels, merge
from kadam.engines.native.nest import FLOPS, nest
from kadam.engines.native.order import Line, Memory, Ordered
from kadam.engines.native.selection import counted, selected
from kadam.engines.native.stage import Scratch, Stage
from kadam.engines.native.target import host
from kadam.engines.native.writer import Value, Writer, index
from kadam.ir.graph import Node
from kadam.ir.place import Place, Var, flat, place
from kadam.primitives.elementwise import Cast
from kadam.primitives.sort import ModeIndices, SortIndices, TopKIndices

TASKS = 8  # at most, of short lines: each has memory of its own
COUNTED = 3  # registers' bytes of elements: the longest lines that are sorted by counting
SELECTED = 256  # most elements that are selected without sorting the others


def sort(node: Node, plan: Plan, name: str) -> list[Stage]:
    """The stages that find an order, or what is read off it."""
    return _Sort(node, plan).stages(name)


class _Sort:
    """A primitive: for each line, its order and what is stored of it."""

    def __init__(self, node: Node, plan: Plan) -> None:
        source, primitive = node.inputs[0], node.primitive
        assert isinstance(primitive, (SortIndices, TopKIndices, ModeIndices))
        self.node, self.primitive, axis = node, primitive, primitive.axis
        self.size = source.shape[axis]
        self.wanted = 1 if isinstance(primitive, ModeIndices) else node.shape[axis]
        self.descending = getattr(primitive, "descending", False) or getattr(primitive, "largest", False)
        over = tuple(map(Var, source.shape))
        self.axis, self.rank = over[axis], Var(self.wanted)
        here, there = list(map(place, over)), list(map(place, over))
        there[axis : axis + 1] = [] if isinstance(primitive, ModeIndices) else [place(self.rank)]
        self.others = (*over[:axis], *over[axis + 1 :])
        reading = Reading(plan.inner)
        self.found = Given(node.dtype, node, Place())
        read = Store(node, flat(tuple(there), node.shape), reading.at(source, tuple(here)))
        (self.lines,), (moved,) = collapse([self.others], [read])
        self.element, self.at = moved.element, moved.at
        self.count = prod(one.size for one in self.lines)
        self.to = read.at  # in terms of `others`

    def stages(self, name: str) -> list[Stage]:
        few = isinstance(self.primitive, TopKIndices) and self.wanted <= min(SELECTED, self.size // 4)
        block = block_of(self.size, key_type(self.element.dtype))
        return [self._short(name)] if few or block == self.size else self._long(name, block)

    def _stage(self, name: str, writer: Writer, tasks: int, cycles: float) -> Stage:
        bytes_ = self.node.type.size_bytes + self.node.inputs[0].type.size_bytes
        work = cycles * self.count * FLOPS * host().vector_bytes / 4
        return Stage(name, writer.text(), tuple(writer.buffers), tasks, self.count * self.size, bytes_, work)

    # Lines that one task sorts

    def _short(self, name: str) -> Stage:
        writer, tasks = Writer(), min(self.count, TASKS)
        memory = Memory(self.element, 2 * tasks, self.size)
        line = Line(writer, self.element, self.axis, self.descending, memory)
        order, cycles = self._algorithm(line)
        line.reads.advance()
        scalars, sizes = line.scalars, [one.size for one in self.lines]
        begin, end = writer.tasks
        with writer.loop(begin, end) as task:
            start = scalars.mul(task, index(2 * line.room))
            first, last = (self._first(line, tasks, one) for one in (task, scalars.add(task, index(1))))
            with writer.loop(first, last) as number:
                places = split(writer, number, self.lines, sizes)
                leave = line.reads.enter(places)
                line.reads.advance(places)
                self._store(line, order(start), places)
                leave()
        return self._stage(name, writer, tasks, cycles)

    def _first(self, line: Line, tasks: int, task: Value) -> Value:
        """The first line of a task."""
        return line.writer.let(int64, 0, f"udiv {line.scalars.mul(task, index(self.count))}, {tasks}")

    def _algorithm(self, line: Line) -> tuple[Callable[[Value], Ordered], float]:
        """What puts a line in order, given where it has memory, and how many cycles that takes."""
        size = self.size
        if size <= COUNTED * host().vector_bytes:
            return lambda start: counted(line, start), 2 * size * line.room / line.lanes
        if isinstance(self.primitive, TopKIndices) and self.wanted <= min(SELECTED, size // 4):
            return lambda _: selected(line, self.wanted), size + 10 * self.wanted * (self.wanted // line.lanes + 1)

        def digits(start: Value) -> Ordered:
            other = line.scalars.add(start, index(line.room))
            return Ordered(line.keys, line.places, by_digits(line, start, other, index(0), index(size)))

        return digits, self._digit_cycles(line)

    def _digit_cycles(self, line: Line) -> float:
        return 6 * self.size * 8 * line.key.itemsize / DIGIT

    def _store(self, line: Line, order: Ordered, places: Places) -> None:
        """Write what is wanted of an ordered line to the result."""
        lane = self.rank if self.wanted > 1 else None
        writes = Emission(line.writer, [], lane, line.lanes)
        writes.enter(places)
        result = Store(self.node, self.at, self.found)
        if isinstance(self.primitive, ModeIndices):
            writes.give(self.found, _mode(line, order))
            writes.store(result)
            return

        def write(at: Value, _copy: int) -> None:
            here, lanes = line.scalars.add(order.start, at), line.lanes if lane is not None else 0
            stood = line.writer.load(line.place, lanes, order.places, here, writes.mask)
            writes.give(self.found, line.scalars.cast(stood, int64))
            writes.store(result)

        writes.along(self.rank, 0, self.wanted, self.wanted % line.lanes == 0, write)

    # Lines of many blocks

    def _long(self, name: str, block: int) -> list[Stage]:
        memory = Memory(self.element, 2 * self.count, self.size)
        told = [Scratch(24) for _ in range(levels(self.size, block))]
        merges = [merge(memory, one, self.size, f"{name} (merge)") for one in told]
        finish = self._long_mode if isinstance(self.primitive, ModeIndices) else self._long_store
        last = len(told) % 2 * self.count  # the first of the copies that are written last
        return [self._blocks(name, memory, told, block), *merges, finish(name, memory, last)]

    def _blocks(self, name: str, memory: Memory, told: list[Scratch], block: int) -> Stage:
        """Puts each block of a line in order, and tells the merging stages what they do."""
        writer = Writer()
        line = Line(writer, self.element, self.axis, self.descending, memory)
        scalars, parts = line.scalars, Var(-(-self.size // block))
        for level, one in enumerate(told):
            for at, number in enumerate((block << level, level % 2, 1 - level % 2)):
                writer.store(index(number), writer.buffer(one), at)

        def body(places: Places, _mask: object) -> None:
            begin = scalars.mul(places[parts], index(block))
            end = writer.intrinsic("smin", scalars.add(begin, index(block)), index(self.size))
            start = scalars.add(self._start(line, places, 0), begin)
            other = scalars.add(start, index(self.count * memory.room))
            found = by_digits(line, start, other, begin, end)
            with writer.when(scalars.compare("ne", found, start)), writer.loop(0, scalars.sub(end, begin)) as at:
                here, there = scalars.add(found, at), scalars.add(start, at)
                for record, buffer in ((line.key, line.keys), (line.place, line.places)):
                    writer.store(writer.load(record, 0, buffer, here), buffer, there)

        tasks = each_point(line.reads, (*self.lines, parts), body)
        return self._stage(name, writer, tasks, self._digit_cycles(line))

    def _start(self, line: Line, places: Places, first: int) -> Value:
        """Where a line begins in the memory, if the first of them is a certain copy there."""
        number = index(0)
        for var in self.lines:
            number = line.scalars.add(line.scalars.mul(number, index(var.size)), places[var])
        return line.scalars.mul(line.scalars.add(number, index(first)), index(line.room))

    def _long_store(self, name: str, memory: Memory, first: int) -> Stage:
        shape = [one.size for one in self.others]
        at = (flat(tuple(map(place, self.others)), shape) + first) * memory.room + place(self.rank)
        stood = Load(memory.place, memory.places, at, None)
        store = Store(self.node, self.to, Apply(int64, Cast(int64), (stood,)))
        return nest((*self.others, self.rank), [store], f"{name} (places)")

    def _long_mode(self, name: str, memory: Memory, first: int) -> Stage:
        writer = Writer()
        line = Line(writer, self.element, self.axis, self.descending, memory)

        def body(places: Places, _mask: object) -> None:
            self._store(line, Ordered(line.keys, line.places, self._start(line, places, first)), places)

        tasks = each_point(Emission(writer, [], None, 1), self.lines, body)
        return self._stage(f"{name} (mode)", writer, tasks, 3.0 * self.size)


def _mode(line: Line, order: Ordered) -> Value:
    """The last place of the first of the longest runs of equal keys."""
    scalars, writer = line.scalars, line.writer
    start, longest, found = (writer.variable(int64) for _ in range(3))
    for one in (start, longest, found):
        one.set(index(0))
    run = writer.variable(line.key)
    run.set(writer.load(line.key, 0, order.keys, order.start))
    with writer.loop(0, line.size) as at:
        here = scalars.add(order.start, at)
        now = writer.load(line.key, 0, order.keys, here)
        since = scalars.select(scalars.compare("eq", now, run.get()), start.get(), at)
        length = scalars.add(scalars.sub(at, since), index(1))
        longer = scalars.compare("gt", length, longest.get())
        stood = scalars.cast(writer.load(line.place, 0, order.places, here), int64)
        found.set(scalars.select(longer, stood, found.get()))
        longest.set(scalars.select(longer, length, longest.get()))
        start.set(since)
        run.set(now)
    return found.get()
