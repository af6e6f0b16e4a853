"""Lines that are put in order: their elements as keys, and memory for keys and the places where they stood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kadam.dtypes import int32, int64
from kadam.engines.native.element import Element
from kadam.engines.native.keys import key, key_type
from kadam.engines.native.loops import Emission
from kadam.engines.native.stage import Scratch
from kadam.engines.native.target import host
from kadam.engines.native.writer import Value, Writer
from kadam.ir.place import Var


@dataclass(frozen=True)
class Ordered:
    """Keys in order, in memory, and the places where they stood.

    Attributes:
        keys, places: addresses.
        start: where the line begins there, in elements.
    """

    keys: str
    places: str
    start: Value


class Memory:
    """Room for two copies of some lines, in order or not yet.

    Attributes:
        copies: how many there are: twice as many as lines.
        room: of one, in elements: a line, and the registers' rest.
    """

    def __init__(self, element: Element, copies: int, size: int) -> None:
        self.key = key_type(element.dtype)
        self.place = int32 if size < 2**30 else int64
        lanes = host().vector_bytes // self.key.itemsize
        self.copies, self.room = copies, (size // lanes + 1) * lanes
        self.keys = Scratch(copies * self.room * self.key.itemsize)
        self.places = Scratch(copies * self.room * self.place.itemsize)


class Line:
    """A line, inside a kernel.

    Args:
        element: of it, at `axis`.
        descending: whether the order is turned round.
    """

    def __init__(self, writer: Writer, element: Element, axis: Var, descending: bool, memory: Memory) -> None:
        self.writer, self.element, self.axis, self.descending, self.memory = writer, element, axis, descending, memory
        self.key, self.place, self.room = memory.key, memory.place, memory.room
        self.size = axis.size
        self.lanes = host().vector_bytes // self.key.itemsize
        self.reads = Emission(writer, [element], axis, self.lanes)
        self.scalars = self.reads.scalars

    @property
    def keys(self) -> str:
        """The address of the memory for keys."""
        return self.writer.buffer(self.memory.keys)

    @property
    def places(self) -> str:
        """The address of the memory for places."""
        return self.writer.buffer(self.memory.places)

    @property
    def mask(self) -> Value | None:
        """Which lanes are real."""
        return self.reads.mask

    def each(
        self, body: Callable[[Value, Value], None], begin: int | Value = 0, end: int | Value | None = None
    ) -> None:
        """Run a body on the keys from `begin` to `end`, a register of them at once; it is given where they begin."""

        def read(at: Value, _copy: int) -> None:
            x = self.writer.splat(self.reads.value(self.element), self.lanes)
            body(at, key(self.scalars, x, self.descending))

        full = end is None and self.size % self.lanes == 0
        self.reads.along(self.axis, begin, self.size if end is None else end, full, read)

    def ramp(self, at: Value) -> Value:
        """The places of neighbouring elements."""
        return self.scalars.cast(self.writer.steps(at, 1, self.lanes), self.place)

    def before(self, a: Value, a_place: Value, b: Value, b_place: Value) -> Value:
        """Whether an element stands before another: those of equal keys in the order of their places."""
        earlier = self.scalars.both(self.scalars.compare("eq", a, b), self.scalars.compare("lt", a_place, b_place))
        return self.scalars.either(self.scalars.compare("lt", a, b), earlier)
