"""Long lines: ordered blocks become pairs of them become lines. Tasks are parts of what is written, all of one size."""

from __future__ import annotations

from kadam.dtypes import dtype, int64
from kadam.engines.native.arithmetic import UNSIGNED
from kadam.engines.native.nest import FLOPS
from kadam.engines.native.order import Memory
from kadam.engines.native.scalars import Scalars
from kadam.engines.native.stage import Scratch, Stage
from kadam.engines.native.target import host
from kadam.engines.native.writer import Value, Writer, index

PART = 16_384  # elements that a task writes; blocks are a multiple
STEP = 8  # cycles that one takes


def block_of(size: int, key: dtype) -> int:
    """The length of the blocks of a line: such that two copies of one, and of its places, stay in the second cache."""
    blocks = 1
    while size > blocks * (host().l2_bytes // (2 * key.itemsize + 8)):
        blocks *= 2
    return size if blocks == 1 else -(-size // (blocks * PART)) * PART


def levels(size: int, block: int) -> int:
    """How often blocks are merged until there is one."""
    return (-(-size // block) - 1).bit_length()


def merge(memory: Memory, told: Scratch, size: int, name: str) -> Stage:
    """The stage that merges the pairs of ordered runs of each line.

    Args:
        memory: holds the lines; keys are unsigned.
        told: three integers: the length of the runs, and which copies of the lines are read and written.
        size: of a line.
    """
    writer = Writer()
    parts = -(-size // PART)
    tasks = memory.copies // 2 * parts
    begin, end = writer.tasks
    merger = _Merger(writer, memory, told, size)
    with writer.loop(begin, end) as task:
        merger.part(writer.let(int64, 0, f"udiv {task}, {parts}"), writer.let(int64, 0, f"urem {task}, {parts}"))
    points = memory.copies // 2 * size
    bytes_ = 2 * points * (memory.key.itemsize + memory.place.itemsize)
    work = STEP * points * FLOPS * host().vector_bytes / 4
    return Stage(name, writer.text(), tuple(writer.buffers), tasks, points, bytes_, work)


class _Merger:
    def __init__(self, writer: Writer, memory: Memory, told: Scratch, size: int) -> None:
        self.writer, self.scalars, self.memory, self.size = writer, Scalars(writer), memory, size
        self.key, self.place = UNSIGNED[memory.key.itemsize], memory.place
        self.keys, self.places, self.told = map(writer.buffer, (memory.keys, memory.places, told))

    def part(self, line: Value, part: Value) -> None:
        """Write one part of a line."""
        scalars, writer = self.scalars, self.writer
        run, source, target = (writer.load(int64, 0, self.told, at) for at in range(3))
        lines = index(self.memory.copies // 2)
        room, size = index(self.memory.room), index(self.size)
        source = scalars.mul(scalars.add(scalars.mul(source, lines), line), room)
        target = scalars.mul(scalars.add(scalars.mul(target, lines), line), room)
        first = scalars.mul(part, index(PART))
        last = self._least(scalars.add(first, index(PART)), size)
        pair = scalars.sub(first, self.writer.let(int64, 0, f"urem {first}, {scalars.add(run, run).text}"))
        middle = self._least(scalars.add(pair, run), size)
        stop = self._least(scalars.add(middle, run), size)
        # Of both runs: where they begin, and where they end.
        a, a_end, b, b_end = (scalars.add(source, one) for one in (pair, middle, middle, stop))
        done = scalars.sub(first, pair)
        of_a = self._share(a, scalars.sub(a_end, a), b, scalars.sub(b_end, b), done)
        a, b = scalars.add(a, of_a), scalars.add(b, scalars.sub(done, of_a))
        self._merge((a, a_end), (b, b_end), scalars.add(target, first), scalars.sub(last, first))

    def _share(self, a: Value, a_size: Value, b: Value, b_size: Value, done: Value) -> Value:
        """How many of the first `done` elements are of the first run."""
        scalars, writer = self.scalars, self.writer
        low, high = writer.variable(int64), writer.variable(int64)
        low.set(writer.intrinsic("smax", index(0), scalars.sub(done, b_size)))
        high.set(self._least(done, a_size))
        with writer.loop(0, self.size.bit_length()):
            least, most = low.get(), high.get()
            with writer.when(scalars.compare("lt", least, most)):
                middle = scalars.shifted(scalars.add(least, most), -1)
                rival = scalars.sub(scalars.sub(done, middle), index(1))
                more = scalars.compare("le", self._key(scalars.add(a, middle)), self._key(scalars.add(b, rival)))
                low.set(scalars.select(more, scalars.add(middle, index(1)), least))
                high.set(scalars.select(more, most, middle))
        return low.get()

    def _merge(self, a: tuple[Value, Value], b: tuple[Value, Value], to: Value, count: Value) -> None:
        scalars, writer = self.scalars, self.writer
        at_a, at_b = writer.variable(int64), writer.variable(int64)
        at_a.set(a[0])
        at_b.set(b[0])
        with writer.loop(0, count) as done:
            here, there = at_a.get(), at_b.get()
            one, two = self._key(here), self._key(there)
            fits = scalars.both(scalars.compare("lt", here, a[1]), scalars.compare("le", one, two))
            first = scalars.either(fits, scalars.compare("ge", there, b[1]))
            taken = scalars.cast(first, int64)
            position = scalars.add(to, done)
            writer.store(scalars.select(first, one, two), self.keys, position)
            stood = writer.load(self.place, 0, self.places, scalars.select(first, here, there))
            writer.store(stood, self.places, position)
            at_a.set(scalars.add(here, taken))
            at_b.set(scalars.add(there, scalars.sub(index(1), taken)))

    def _key(self, at: Value) -> Value:
        return self.writer.load(self.key, 0, self.keys, at)

    def _least(self, a: Value, b: Value) -> Value:
        return self.writer.intrinsic("smin", a, b)
