"""Arithmetic on values in registers, one element or a vector of them alike: what every processor can do."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar, cast

from kadam.dtypes import bfloat16, bool_, dtype, float16, float32, float64, int16, int32, int64, uint16, uint32, uint64
from kadam.engines.native.target import host
from kadam.engines.native.writer import Value, Writer, constant, type_of
from kadam.ir.emitter import Relation

SIGNED = {1: int16, 2: int16, 4: int32, 8: int64}
UNSIGNED = {2: uint16, 4: uint32, 8: uint64}

P = ParamSpec("P")
Self = TypeVar("Self", bound="Arithmetic")
Method = Callable[Concatenate[Self, Value, P], Value]


def is_narrow(record: dtype) -> bool:
    """Whether a type is a float of 16 bits: those are computed as float32."""
    return record.is_floating_point and record.itemsize == 2


def wide(method: Method[Self, P]) -> Method[Self, P]:
    """Let a function compute narrow floats as float32, and round once."""

    @functools.wraps(method)
    def computed(self: Self, x: Value, *others: P.args, **options: P.kwargs) -> Value:
        if not is_narrow(x.dtype):
            return method(self, x, *others, **options)
        widened = [self.cast(one, float32) if isinstance(one, Value) else one for one in others]
        result = method(self, self.cast(x, float32), *widened, **options)  # type: ignore[arg-type]
        return self.cast(result, x.dtype) if result.dtype is float32 else result

    return cast(Method[Self, P], computed)


class Arithmetic:
    """The arithmetic of `ir.emitter.Scalars`, as LLVM's instructions."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer

    def constant(self, value: complex, like: Value) -> Value:
        return constant(value, like.dtype, like.lanes)

    @wide
    def add(self, a: Value, b: Value) -> Value:
        return self._arithmetic("fadd", "or" if a.dtype is bool_ else "add", a, b)

    @wide
    def sub(self, a: Value, b: Value) -> Value:
        return self._arithmetic("fsub", "sub", a, b)

    @wide
    def mul(self, a: Value, b: Value) -> Value:
        return self._arithmetic("fmul", "and" if a.dtype is bool_ else "mul", a, b)

    @wide
    def div(self, a: Value, b: Value) -> Value:
        if a.dtype.is_floating_point:
            return self._let(a, f"fdiv {a}, {b.text}")
        return self._divided("div", a, b)

    @wide
    def fmod(self, a: Value, b: Value) -> Value:
        if a.dtype.is_floating_point:
            return self._let(a, f"frem {a}, {b.text}")
        return self._divided("rem", a, b)

    def _divided(self, instruction: str, a: Value, b: Value) -> Value:
        """Integers; the two divisions that processors refuse, by 0 and of the least integer by -1, are not made."""
        zero, one = self.constant(0, a), self.constant(1, a)
        by_zero = self.compare("eq", b, zero)
        if not a.dtype.is_signed:
            found = self._let(a, f"u{instruction} {a}, {self.select(by_zero, one, b).text}")
            return self.select(by_zero, zero, found)
        by_minus_one = self.compare("eq", b, self.constant(-1, a))
        harmless = self.select(self.either(by_zero, by_minus_one), one, b)
        found = self._let(a, f"s{instruction} {a}, {harmless.text}")
        other = self.select(by_minus_one, self.neg(a) if instruction == "div" else zero, found)
        return self.select(by_zero, zero, other)

    @wide
    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """a b + c of floating-point numbers, rounded once."""
        return self.writer.intrinsic("fma", a, b, c)

    @wide
    def sqrt(self, x: Value) -> Value:
        return self.writer.intrinsic("sqrt", x)

    @wide
    def floor(self, x: Value) -> Value:
        return self.writer.intrinsic("floor", x)

    @wide
    def ceil(self, x: Value) -> Value:
        return self.writer.intrinsic("ceil", x)

    @wide
    def trunc(self, x: Value) -> Value:
        return self.writer.intrinsic("trunc", x)

    @wide
    def round(self, x: Value) -> Value:
        return self.writer.intrinsic("rint", x)

    # Signs

    def neg(self, x: Value) -> Value:
        if not x.dtype.is_floating_point:
            return self.sub(self.constant(0, x), x)
        whole = self.as_integer(x)
        return (
            self.bits(self.unlike(whole, self._sign_mask(whole)), x.dtype)
            if is_narrow(x.dtype)
            else self._let(x, f"fneg {x}")
        )

    def abs(self, x: Value) -> Value:
        if x.dtype.is_floating_point:
            whole = self.as_integer(x)
            return self.bits(self.both(whole, self.negation(self._sign_mask(whole))), x.dtype)
        if not x.dtype.is_signed:
            return x
        return self.select(self.compare("lt", x, self.constant(0, x)), self.neg(x), x)

    def copysign(self, a: Value, b: Value) -> Value:
        magnitude, sign = self.as_integer(self.abs(a)), self.as_integer(b)
        return self.bits(self.either(magnitude, self.both(sign, self._sign_mask(sign))), a.dtype)

    def as_integer(self, x: Value) -> Value:
        """The bits of a float, as a signed integer of its size."""
        return self.bits(x, SIGNED[x.dtype.itemsize])

    def _sign_mask(self, whole: Value) -> Value:
        return self.constant(-(1 << (8 * whole.dtype.itemsize - 1)), whole)

    # Choice

    def compare(self, relation: Relation, a: Value, b: Value) -> Value:
        if is_narrow(a.dtype):
            return self.compare(relation, self.cast(a, float32), self.cast(b, float32))
        if a.dtype.is_floating_point:
            word = "une" if relation == "ne" else f"o{relation}"
            return self.writer.let(bool_, a.lanes, f"fcmp {word} {a}, {b.text}")
        sign = "" if relation in ("eq", "ne") else "s" if a.dtype.is_signed else "u"
        return self.writer.let(bool_, a.lanes, f"icmp {sign}{relation} {a}, {b.text}")

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        if is_narrow(a.dtype):  # LLVM's own way may call functions that are not there
            wider = self.select(condition, self.cast(a, float32), self.cast(b, float32))
            return self.cast(wider, a.dtype)
        return self._let(a, f"select {condition}, {a}, {b}")

    @wide
    def largest(self, a: Value, b: Value) -> Value:
        return self._extreme("gt", a, b)

    @wide
    def smallest(self, a: Value, b: Value) -> Value:
        return self._extreme("lt", a, b)

    def _extreme(self, relation: Relation, a: Value, b: Value) -> Value:
        better = self.select(self.compare(relation, a, b), a, b)  # b if one of them is nan: one instruction on x86
        return self.select(self.compare("ne", a, a), a, better) if a.dtype.is_floating_point else better

    def across(self, combine: Callable[[Value, Value], Value], x: Value) -> Value:
        """All lanes combined, by halves: one order, whatever the processor. As `s.across(s.add, x)`."""
        while x.lanes > 1:
            half = x.lanes // 2
            low, high = (self.writer.shuffle(x, range(start, start + half)) for start in (0, half))
            x = combine(low, high)
        return self.writer.lane(x, 0) if x.lanes else x

    # Bit by bit

    def both(self, a: Value, b: Value) -> Value:
        return self._let(a, f"and {a}, {b.text}")

    def either(self, a: Value, b: Value) -> Value:
        return self._let(a, f"or {a}, {b.text}")

    def unlike(self, a: Value, b: Value) -> Value:
        return self._let(a, f"xor {a}, {b.text}")

    def negation(self, x: Value) -> Value:
        return self._let(x, f"xor {x}, {self.constant(True if x.dtype is bool_ else -1, x).text}")

    def shift_left(self, a: Value, b: Value) -> Value:
        held = self._below_width(b)
        zero = self.constant(0, a)
        return self.select(held, self._let(a, f"shl {a}, {self.select(held, b, zero).text}"), zero)

    def shift_right(self, a: Value, b: Value) -> Value:
        held = self._below_width(b)
        if a.dtype.is_signed:
            most = self.constant(8 * a.dtype.itemsize - 1, b)
            return self._let(a, f"ashr {a}, {self.select(held, b, most).text}")
        zero = self.constant(0, a)
        return self.select(held, self._let(a, f"lshr {a}, {self.select(held, b, zero).text}"), zero)

    def _below_width(self, b: Value) -> Value:
        return self.writer.let(bool_, b.lanes, f"icmp ult {b}, {self.constant(8 * b.dtype.itemsize, b).text}")

    def shifted(self, x: Value, places: int) -> Value:
        """Integers times 2^places, modulo 2^bits; to the right where `places` is below 0, and the sign is kept."""
        if places >= 0:
            return self._let(x, f"shl {x}, {self.constant(places, x).text}")
        return self._let(x, f"{'ashr' if x.dtype.is_signed else 'lshr'} {x}, {self.constant(-places, x).text}")

    # Types

    def bits(self, x: Value, record: dtype) -> Value:
        """The same bits as another type of the same width."""
        return self.writer.let(record, x.lanes, f"bitcast {x} to {type_of(record, x.lanes)}")

    def cast(self, x: Value, record: dtype) -> Value:
        source = x.dtype
        if record is source:
            return x
        if record is bool_:
            return self.compare("ne", x, self.constant(0, x))
        if is_narrow(source):
            return self.cast(self._widened(x), record)
        if is_narrow(record):
            return self._narrowed(x, record)
        if source.is_floating_point and record.is_floating_point:
            return self._recast("fpext" if record is float64 else "fptrunc", x, record)
        if source.is_floating_point:
            return self._whole(x, record)
        if record.is_floating_point:
            return self._recast("sitofp" if source.is_signed else "uitofp", x, record)
        if source is bool_ or record.itemsize > source.itemsize:
            return self._recast("sext" if source.is_signed else "zext", x, record)
        same = record.itemsize == source.itemsize
        return Value(x.text, record, x.lanes) if same else self._recast("trunc", x, record)

    def _whole(self, x: Value, record: dtype) -> Value:
        """A float without its fraction; what does not fit becomes what C's compilers make of it, as in NumPy."""
        if record.itemsize < 4:
            return self.cast(self._recast("fptosi", x, int32), record)
        signed = SIGNED[record.itemsize]
        if record is signed:
            return self._recast("fptosi", x, record)
        half = 1 << (8 * record.itemsize - 1)
        middle = self.constant(half, x)
        low = self._recast("fptosi", x, signed)
        high = self._recast("fptosi", self.sub(x, middle), signed)
        found = self.select(self.compare("ge", x, middle), self.unlike(high, self.constant(-half, high)), low)
        return self.cast(found, record)

    def _recast(self, instruction: str, x: Value, record: dtype) -> Value:
        return self.writer.let(record, x.lanes, f"{instruction} {x} to {type_of(record, x.lanes)}")

    # Floats of 16 bits: by integers where the processor has no instruction, or one that flushes denormal numbers

    def _widened(self, x: Value) -> Value:
        if x.dtype is float16 and host().fma:  # processors with fused multiply-add convert float16 too
            return self._recast("fpext", x, float32)
        high = self.shifted(self.cast(self.bits(x, uint16), uint32), 16)
        return self.bits(high, float32) if x.dtype is bfloat16 else self._widened_half(high)

    def _widened_half(self, high: Value) -> Value:
        """float32 from the bits of a float16, which are the upper ones of 32."""
        sign = self.both(high, self.constant(1 << 31, high))
        # Exponent and fraction where float32 has them; the exponent is too small by 112, also for denormal numbers.
        rest = self.shifted(self.both(high, self.constant(0x7FFF0000, high)), -3)
        found = self.mul(self.bits(rest, float32), constant(2.0**112, float32, high.lanes))
        beyond = self.compare("ge", rest, self.constant(0x0F800000, rest))
        special = self.bits(self.either(rest, self.constant(0x7F800000, rest)), float32)
        magnitude = self.bits(self.select(beyond, special, found), uint32)
        return self.bits(self.either(magnitude, sign), float32)

    def _narrowed(self, x: Value, record: dtype) -> Value:
        if x.dtype is float64:
            return self._narrowed(self._odd(x) if record is float16 else self.cast(x, float32), record)
        x = self.cast(x, float32)
        if record is float16 and host().fma:
            # Without the fence LLVM may melt this with what is before it, into a function that is not there.
            return self._recast("fptrunc", self.writer.intrinsic("arithmetic.fence", x), record)
        whole = self.bits(x, uint32)
        found = self._rounded_bfloat(x, whole) if record is bfloat16 else self._rounded_half(x, whole)
        return self.bits(self.cast(found, uint16), record)

    def _odd(self, x: Value) -> Value:
        """float32 from float64, rounded such that rounding it again rounds as if it were done at once.

        A number that does not fit goes to the one of its two neighbours that ends in a set bit.

        Source: S. Boldo, G. Melquiond, When double rounding is odd (2005).
        """
        near = self._recast("fptrunc", x, float32)
        back = self.cast(near, float64)
        whole = self.bits(near, uint32)
        one, zero = self.constant(1, whole), self.constant(0, whole)
        even = self.compare("eq", self.both(whole, one), zero)
        inexact = self.both(even, self.compare("ne", back, x))
        too_large = self.compare("gt", self.abs(back), self.abs(x))
        moved = self.select(too_large, self.sub(whole, one), self.add(whole, one))
        finite = self.compare("eq", self.sub(near, near), self.constant(0, near))
        return self.bits(self.select(self.both(inexact, finite), moved, whole), float32)

    def _rounded_bfloat(self, x: Value, whole: Value) -> Value:
        last = self.both(self.shifted(whole, -16), self.constant(1, whole))
        up = self.add(whole, self.add(last, self.constant(0x7FFF, whole)))
        quiet = self.either(whole, self.constant(0x400000, whole))
        return self.shifted(self.select(self.compare("ne", x, x), quiet, up), -16)

    def _rounded_half(self, x: Value, whole: Value) -> Value:
        size = self.abs(x)
        rest = self.bits(size, uint32)
        last = self.both(self.shifted(rest, -13), self.constant(1, rest))
        # 112 less in the exponent, and half a unit (less, if even) more: the carry may go into the exponent.
        moved = self.add(self.add(rest, last), self.constant((1 << 32) - (112 << 23) + 0xFFF, rest))
        normal = self.shifted(moved, -13)
        # Below 2^-14 the unit is 2^-24: adding 1/2 leaves its multiples in the last bits of a float32.
        tiny = self.add(size, self.constant(0.5, x))
        denormal = self.sub(self.bits(tiny, uint32), self.constant(0x3F000000, rest))
        small = self.compare("lt", size, self.constant(2.0**-14, size))
        large = self.compare("ge", size, self.constant(65520.0, size))
        found = self.select(small, denormal, self.select(large, self.constant(0x7C00, rest), normal))
        found = self.select(self.compare("ne", x, x), self.constant(0x7E00, rest), found)
        return self.either(found, self.both(self.shifted(whole, -16), self.constant(0x8000, whole)))

    def _arithmetic(self, on_floats: str, on_integers: str, a: Value, b: Value) -> Value:
        return self._let(a, f"{on_floats if a.dtype.is_floating_point else on_integers} {a}, {b.text}")

    def _let(self, like: Value, instruction: str) -> Value:
        return self.writer.let(like.dtype, like.lanes, instruction)
