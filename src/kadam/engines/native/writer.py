"""LLVM's language, written instruction by instruction: one kernel function over buffers.

A kernel is `void kernel(ptr args, i64 begin, i64 end)`: it works on the tasks begin ... end - 1, which do not depend on
each other. `args` points to one pointer per buffer, each to the slot that holds the buffer's address.
"""

from __future__ import annotations

import struct
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from kadam import dtypes
from kadam.dtypes import dtype
from kadam.engines.native.target import host

# How LLVM calls the element types, in registers. A bool is a byte in memory. A bfloat16 is its bits: where a processor
# does not know it, LLVM's own type calls a function that no process has.
KIND = {
    dtypes.bool_: "i1",
    dtypes.uint8: "i8", dtypes.int8: "i8", dtypes.int16: "i16", dtypes.uint16: "i16", dtypes.int32: "i32",
    dtypes.uint32: "i32", dtypes.int64: "i64", dtypes.uint64: "i64",
    dtypes.float16: "half", dtypes.bfloat16: "i16", dtypes.float32: "float", dtypes.float64: "double",
}  # fmt: skip
I64, BOOL = dtypes.int64, dtypes.bool_
CUT = ("i8", "i16", "i32")  # kinds that LLVM makes of wider ones as it stores them


class Value(NamedTuple):
    """A value in registers.

    Attributes:
        text: LLVM's name of it, or a constant.
        dtype: element type.
        lanes: how many elements; 0 for a scalar.
    """

    text: str
    dtype: dtype
    lanes: int = 0

    @property
    def type(self) -> str:
        """LLVM's type, such as `<16 x float>`."""
        return type_of(self.dtype, self.lanes)

    def __str__(self) -> str:
        return f"{self.type} {self.text}"


def type_of(record: dtype, lanes: int = 0) -> str:
    """LLVM's type of an element, or of a vector of `lanes` elements."""
    return f"<{lanes} x {KIND[record]}>" if lanes else KIND[record]


def suffix_of(record: dtype, lanes: int = 0) -> str:
    """How a type is written in the name of an intrinsic, such as `v16f32`."""
    short = {"half": "f16", "float": "f32", "double": "f64"}.get(KIND[record], KIND[record])
    return f"v{lanes}{short}" if lanes else short


def number_text(value: complex, record: dtype) -> str:
    """A number in LLVM's notation."""
    if record is BOOL:
        return "true" if value else "false"
    if not record.is_floating_point:
        return str(int(value.real))
    rounded = float(record.numpy.type(value.real))
    if record is dtypes.float16:
        return f"0xH{struct.unpack('>H', struct.pack('>e', rounded))[0]:04X}"
    if record is dtypes.bfloat16:
        return str(struct.unpack(">I", struct.pack(">f", rounded))[0] >> 16)
    return f"0x{struct.unpack('>Q', struct.pack('>d', rounded))[0]:016X}"


def constant(value: complex, record: dtype, lanes: int = 0) -> Value:
    """A number in all lanes."""
    text = number_text(value, record)
    return Value(f"splat ({KIND[record]} {text})" if lanes else text, record, lanes)


class Writer:
    """The text of one kernel.

    Attributes:
        buffers: the buffers that the kernel reads and writes, in the order of `args`; each has a key of the author's.
    """

    def __init__(self) -> None:
        self.buffers: dict[Hashable, int] = {}
        self._entry: list[str] = []
        self._first: list[str] = []
        self._first_label = "first"
        self._lines: list[str] = []
        self._declared: dict[str, None] = {}
        self._count = 0
        self._label = "start"

    def text(self) -> str:
        """The whole module; the function is `@kernel`."""
        lines = ["define void @kernel(ptr noalias %args, i64 %begin, i64 %end) nounwind {", "entry:"]
        lines += [*self._entry, "  br label %first", "first:", *self._first]
        lines += ["  br label %start", "start:", *self._lines, "  ret void", "}"]
        return "\n".join([*lines, *self._declared, ""])

    # Instructions

    def name(self) -> str:
        """A new name."""
        self._count += 1
        return f"%v{self._count}"

    def let(self, record: dtype, lanes: int, instruction: str) -> Value:
        """The value of an instruction."""
        name = self.name()
        self._lines.append(f"  {name} = {instruction}")
        return Value(name, record, lanes)

    def do(self, instruction: str) -> None:
        """An instruction without a value."""
        self._lines.append(f"  {instruction}")

    def declare(self, declaration: str) -> None:
        """A function that the kernel calls, such as `declare float @llvm.sqrt.f32(float)`."""
        self._declared[declaration] = None

    def call(self, function: str, record: dtype, lanes: int, *arguments: Value) -> Value:
        """The value of a function (its full name, such as `llvm.sqrt.v16f32`), which is declared if need be."""
        types = ", ".join(argument.type for argument in arguments)
        result = type_of(record, lanes)
        self.declare(f"declare {result} @{function}({types})")
        return self.let(record, lanes, f"call {result} @{function}({', '.join(map(str, arguments))})")

    def intrinsic(self, name: str, like: Value, *more: Value) -> Value:
        """LLVM's intrinsic on values of one type, which is the result's too: `fma`, `sqrt`, `maximum` ..."""
        suffix = suffix_of(like.dtype, like.lanes)
        return self.call(f"llvm.{name}.{suffix}", like.dtype, like.lanes, like, *more)

    # Control

    @property
    def tasks(self) -> tuple[Value, Value]:
        """The bounds of the tasks to work on."""
        return Value("%begin", I64), Value("%end", I64)

    @contextmanager
    def loop(self, begin: int | Value, end: int | Value, step: int = 1) -> Iterator[Value]:
        """What is written inside runs for begin, begin + step, ... below end; gives the counter."""
        first, last = index(begin), index(end)
        self._count += 1
        head, body, latch, out = (f"{part}{self._count}" for part in ("head", "body", "latch", "out"))
        counter = Value(f"%i{self._count}", I64)
        before = self._label
        self.do(f"br label %{head}")
        self._open(head)
        self.do(f"{counter.text} = phi i64 [ {first.text}, %{before} ], [ {counter.text}.next, %{latch} ]")
        inside = self.let(BOOL, 0, f"icmp slt {counter}, {last.text}")
        self.do(f"br {inside}, label %{body}, label %{out}")
        self._open(body)
        yield counter
        self.do(f"br label %{latch}")
        self._open(latch)
        self.do(f"{counter.text}.next = add nsw {counter}, {step}")
        self.do(f"br label %{head}")
        self._open(out)

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """What is written inside runs if the scalar condition holds."""
        self._count += 1
        inside, out = f"then{self._count}", f"done{self._count}"
        self.do(f"br {condition}, label %{inside}, label %{out}")
        self._open(inside)
        yield
        self.do(f"br label %{out}")
        self._open(out)

    def _open(self, label: str) -> None:
        self._lines.append(f"{label}:")
        self._label = label

    @contextmanager
    def at_start(self) -> Iterator[None]:
        """What is written inside runs once, when the kernel begins."""
        here, self._lines = self._lines, self._first
        label, self._label = self._label, self._first_label
        yield
        self._first_label, self._label = self._label, label
        self._lines = here

    def variable(self, record: dtype, lanes: int = 0) -> Variable:
        """A value that loops change. LLVM keeps it in a register."""
        name = self.name()
        self._entry.append(f"  {name} = alloca {type_of(record, lanes)}")
        return Variable(self, name, record, lanes)

    def scratch(self, record: dtype, elements: int) -> str:
        """Memory of the kernel's own, on the stack (which may be as small as 256 KB): its address."""
        name = self.name()
        self._entry.append(f"  {name} = alloca [{elements} x {memory_kind(record)}], align 64")
        return name

    # Memory

    def buffer(self, key: Hashable) -> str:
        """The address of a buffer of the kernel, as the name of a pointer."""
        place = self.buffers.get(key)
        if place is None:
            place = self.buffers[key] = len(self.buffers)
            self._entry.append(f"  %slot{place} = getelementptr ptr, ptr %args, i64 {place}")
            self._entry.append(f"  %from{place} = load ptr, ptr %slot{place}, !invariant.load !0")
            self._entry.append(f"  %b{place} = load ptr, ptr %from{place}, !invariant.load !0")
            self.declare("!0 = !{}")
        return f"%b{place}"

    def address(self, record: dtype, pointer: str, offset: int | Value) -> str:
        """The address `offset` elements after `pointer`; with a vector of offsets, as many addresses."""
        at = index(offset)
        name = self.name()
        self._lines.append(f"  {name} = getelementptr {memory_kind(record)}, ptr {pointer}, {at}")
        return name

    def load(
        self, record: dtype, lanes: int, pointer: str, offset: int | Value = 0, mask: Value | None = None
    ) -> Value:
        """Elements offset, offset + 1, ... after `pointer`; where the mask does not hold, 0 (memory is not read)."""
        at = self.address(record, pointer, offset)
        kind, stored = memory_kind(record), memory_type(record, lanes)
        if mask is None or not lanes:
            found = f"load {stored}, ptr {at}, align {record.itemsize}"
        else:
            name = f"llvm.masked.load.v{lanes}{_memory_suffix(record)}.p0"
            self.declare(f"declare {stored} @{name}(ptr, <{lanes} x i1>, {stored})")
            found = (
                f"call {stored} @{name}(ptr align {record.itemsize} {at}, {mask}, "
                f"{stored} splat ({kind} {_memory_zero(record)}))"
            )
        return self._from_memory(record, lanes, found)

    def gather(self, record: dtype, pointer: str, offsets: Value, mask: Value | None = None) -> Value:
        """The elements at a vector of offsets; where the mask does not hold, 0 (memory is not read)."""
        lanes = offsets.lanes
        at = self.address(record, pointer, offsets)
        kind, stored = memory_kind(record), memory_type(record, lanes)
        name = f"llvm.masked.gather.v{lanes}{_memory_suffix(record)}.v{lanes}p0"
        self.declare(f"declare {stored} @{name}(<{lanes} x ptr>, <{lanes} x i1>, {stored})")
        held = mask or constant(True, BOOL, lanes)
        found = (
            f"call {stored} @{name}(<{lanes} x ptr> align {record.itemsize} {at}, {held}, "
            f"{stored} splat ({kind} {_memory_zero(record)}))"
        )
        return self._from_memory(record, lanes, found)

    def store(self, value: Value, pointer: str, offset: int | Value = 0, mask: Value | None = None) -> None:
        """Write elements to `offset` after `pointer` and on, where the mask holds."""
        at = self.address(value.dtype, pointer, offset)
        stored = self._to_memory(value)
        if mask is None or not value.lanes:
            self.do(f"store {stored}, ptr {at}, align {value.dtype.itemsize}")
            return
        if memory_kind(value.dtype) in CUT and host().widens_lone_lanes:
            mask = self._unknown(mask)
        kind = memory_type(value.dtype, value.lanes)
        name = f"llvm.masked.store.v{value.lanes}{_memory_suffix(value.dtype)}.p0"
        self.declare(f"declare void @{name}({kind}, ptr, <{value.lanes} x i1>)")
        self.do(f"call void @{name}({stored}, ptr align {value.dtype.itemsize} {at}, {mask})")

    def _unknown(self, mask: Value) -> Value:
        """The same mask, as one that LLVM does not know: that no task has a number below 0 is not written anywhere."""
        known = "  %counted = icmp sge i64 %begin, 0"
        if known not in self._entry:
            self._entry.append(known)
        every = self.splat(Value("%counted", BOOL), mask.lanes)
        return self.let(BOOL, mask.lanes, f"and {mask}, {every.text}")

    def scatter(self, value: Value, pointer: str, offsets: Value, mask: Value | None = None) -> None:
        """Write elements to a vector of offsets, where the mask holds; of equal offsets the last lane's stays."""
        at = self.address(value.dtype, pointer, offsets)
        stored = self._to_memory(value)
        kind = memory_type(value.dtype, value.lanes)
        name = f"llvm.masked.scatter.v{value.lanes}{_memory_suffix(value.dtype)}.v{value.lanes}p0"
        self.declare(f"declare void @{name}({kind}, <{value.lanes} x ptr>, <{value.lanes} x i1>)")
        held = mask or constant(True, BOOL, value.lanes)
        self.do(f"call void @{name}({stored}, <{value.lanes} x ptr> align {value.dtype.itemsize} {at}, {held})")

    def _from_memory(self, record: dtype, lanes: int, instruction: str) -> Value:
        if record is not BOOL:
            return self.let(record, lanes, instruction)
        byte = self.let(dtypes.uint8, lanes, instruction)
        return self.let(BOOL, lanes, f"icmp ne {byte}, {constant(0, dtypes.uint8, lanes).text}")

    def _to_memory(self, value: Value) -> Value:
        if value.dtype is not BOOL:
            return value
        return self.let(dtypes.uint8, value.lanes, f"zext {value} to {type_of(dtypes.uint8, value.lanes)}")

    # Lanes

    def splat(self, value: Value, lanes: int) -> Value:
        """A scalar in all lanes."""
        if not lanes or value.lanes:
            return value
        if not value.text.startswith("%"):
            return Value(f"splat ({KIND[value.dtype]} {value.text})", value.dtype, lanes)
        kind = type_of(value.dtype, lanes)
        first = self.let(value.dtype, lanes, f"insertelement {kind} poison, {value}, i64 0")
        places = f"<{lanes} x i32> zeroinitializer"
        return self.let(value.dtype, lanes, f"shufflevector {first}, {kind} poison, {places}")

    def steps(self, start: int | Value, step: int | Value, lanes: int) -> Value:
        """Lane j holds start + j step (integers of 64 bits)."""
        ramp = Value("<" + ", ".join(f"i64 {lane}" for lane in range(lanes)) + ">", I64, lanes)
        if step != 1:
            ramp = self.let(I64, lanes, f"mul {ramp}, {self.splat(index(step), lanes).text}")
        return self.let(I64, lanes, f"add {ramp}, {self.splat(index(start), lanes).text}")

    def shuffle(self, value: Value, places: Sequence[int], other: Value | None = None) -> Value:
        """The lanes `places` of a vector, or of two in a row; place -1 may be anything."""
        second = other.text if other is not None else "poison"
        lanes = ", ".join(f"i32 {place if place >= 0 else 'poison'}" for place in places)
        return self.let(
            value.dtype, len(places), f"shufflevector {value}, {value.type} {second}, <{len(places)} x i32> <{lanes}>"
        )

    def lane(self, value: Value, place: int | Value) -> Value:
        """One lane, as a scalar."""
        return self.let(value.dtype, 0, f"extractelement {value}, {index(place)}")


class Variable:
    """A value that changes."""

    def __init__(self, writer: Writer, pointer: str, record: dtype, lanes: int) -> None:
        self.writer, self.pointer, self.dtype, self.lanes = writer, pointer, record, lanes

    def get(self) -> Value:
        return self.writer.let(self.dtype, self.lanes, f"load {type_of(self.dtype, self.lanes)}, ptr {self.pointer}")

    def set(self, value: Value) -> None:
        self.writer.do(f"store {value}, ptr {self.pointer}")


def index(value: int | Value) -> Value:
    """A Python number as an integer of 64 bits."""
    return value if isinstance(value, Value) else Value(str(value), I64)


def memory_kind(record: dtype) -> str:
    """LLVM's element type in memory."""
    return "i8" if record is BOOL else KIND[record]


def memory_type(record: dtype, lanes: int) -> str:
    """LLVM's type of some elements in memory."""
    return f"<{lanes} x {memory_kind(record)}>" if lanes else memory_kind(record)


def _memory_suffix(record: dtype) -> str:
    return memory_kind(record) if record is BOOL else suffix_of(record)


def _memory_zero(record: dtype) -> str:
    return "0" if record is BOOL else number_text(0, record)
