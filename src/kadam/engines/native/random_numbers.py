"""Random numbers, compiled: the words of the Mersenne twister, and normal numbers made of them.

They are bit for bit those of `kadam.recording.generator`, which makes them with NumPy as long as they are few.

Source: M. Matsumoto, T. Nishimura, Mersenne Twister (1998); S. L. Moshier, Cephes Mathematical Library, logf.c and
sinf.c.
"""

from __future__ import annotations

import ctypes
import math
from array import array
from collections.abc import Callable
from functools import cache

import numpy as np

from kadam.dtypes import float32, float64, int32, int64, uint32
from kadam.engines import cephes
from kadam.engines.native.build import addresses
from kadam.engines.native.integers import Integers
from kadam.engines.native.lanes import below
from kadam.engines.native.scalars import Scalars
from kadam.engines.native.terms import Term, fma, polynomial, sqrt, where
from kadam.engines.native.writer import I64, Value, Writer, constant
from kadam.ir.primitive import Array

WORDS, SHIFTED = 624, 397  # the twister's state, and how far apart the words are that a new one is made of
LANES = 16
ROW = 16  # normal numbers are made in rows: 8 of each kind

_KERNEL = ctypes.PYFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)  # a draw is not interrupted

_SQRT_HALF = int(np.float32(cephes.SQRT_HALF).view(np.int32))  # the bits of the number


@cache
def prepare() -> tuple[Callable[..., None], ...]:
    """The kernels: words, normal numbers in float32 and in float64, shuffles.

    Raises:
        NativeUnavailable: there is no LLVM.
    """
    writers = _twister(), _normal_f32(), _normal_f64(), _shuffle()
    return tuple(map(_KERNEL, addresses([writer.text() for writer in writers])))


def words(state: int, count: int) -> Array:
    """The next words of a twister whose state lies at an address, as NumPy keeps it; it is moved on."""
    drawn = np.empty(count, np.uint32)
    _run(prepare()[0], count, state, _address(drawn))
    return drawn


def normal_rows(drawn: Array, mean: float, std: float) -> Array:
    """Normal numbers f32[16 n] from as many words: each row of 16 has 8 radii, then 8 angles."""
    numbers = np.empty(len(drawn), np.float32)
    _give(prepare()[1], drawn, numbers, np.array([mean, std], np.float32))
    return numbers


def normal_rows_f64(drawn: Array, mean: float, std: float) -> Array:
    """Normal numbers f64[16 n] from u32[32 n], two words each."""
    numbers = np.empty(len(drawn) // 2, np.float64)
    _give(prepare()[2], drawn, numbers, np.array([mean, std], np.float64))
    return numbers


def shuffled(drawn: Array) -> Array:
    """0 ... n-1 in random order, i64[n], from u32[n - 1]."""
    order = np.arange(len(drawn) + 1)
    _run(prepare()[3], len(drawn), _address(drawn), _address(order))
    return order


def _give(kernel: Callable[..., None], drawn: Array, numbers: Array, place: Array) -> None:
    _run(kernel, len(numbers) // ROW, _address(drawn), _address(numbers), _address(place))


def _run(kernel: Callable[..., None], tasks: int, *buffers: int) -> None:
    """Call a kernel: its arguments point to the slots that hold the buffers' addresses."""
    slots = array("q", buffers)
    first, count = slots.buffer_info()
    table = array("q", range(first, first + 8 * count, 8))
    kernel(table.buffer_info()[0], 0, tasks)


def _address(memory: Array) -> int:
    """Where an array begins; asking `ctypes` takes as long as drawing a hundred numbers."""
    address: int = memory.__array_interface__["data"][0]
    return address


# ---- The twister


def _twister() -> Writer:
    """Kernel (state, words): the state is made anew, 624 words at a time, whenever it is used up."""
    writer = Writer()
    state, out = writer.buffer("state"), writer.buffer("words")
    whole, (_, end) = Integers(writer), writer.tasks
    done = writer.variable(I64)
    done.set(constant(0, I64))
    with writer.loop(0, whole.add(whole.div(end, WORDS), 2)):
        left = whole.sub(end, done.get())
        used_up = whole.equal(_position(writer, state), WORDS)
        with writer.when(Scalars(writer).both(used_up, whole.below(0, left))):
            _twist(writer, state)
            writer.store(constant(0, int32), state, WORDS)
        position = _position(writer, state)
        count = whole.least(whole.sub(WORDS, position), left)
        _temper(writer, state, position, out, done.get(), count)
        done.set(_value(whole.add(done.get(), count)))
        writer.store(Scalars(writer).cast(_value(whole.add(position, count)), int32), state, WORDS)
    return writer


def _value(number: int | Value) -> Value:
    assert isinstance(number, Value)
    return number


def _position(writer: Writer, state: str) -> Value:
    """How many words of the state are used: it stands behind them."""
    return Scalars(writer).cast(writer.load(int32, 0, state, WORDS), int64)


def _twist(writer: Writer, state: str) -> None:
    """Make all words of the state anew, in their order: each of itself, the next one and one that is 397 further."""
    last = WORDS - 1
    for begin, end, other in ((0, WORDS - SHIFTED, SHIFTED), (WORDS - SHIFTED, last, SHIFTED - WORDS)):
        with writer.loop(begin, begin + (end - begin) // LANES * LANES, LANES) as at:
            _renew(writer, state, at, 1, other, LANES)
        with writer.loop(begin + (end - begin) // LANES * LANES, end) as at:
            _renew(writer, state, at, 1, other, 0)
    _renew(writer, state, constant(last, I64), -last, SHIFTED - WORDS, 0)


def _renew(writer: Writer, state: str, at: Value, following: int, other: int, lanes: int) -> None:
    s, whole = Scalars(writer), Integers(writer)

    def word(places: int) -> Term:
        return Term(s, writer.load(uint32, lanes, state, whole.add(at, places)))

    mixed = word(0) & 0x80000000 | word(following) & 0x7FFFFFFF
    made = word(other) ^ mixed >> 1 ^ where((mixed & 1).differs(0), mixed.like(0x9908B0DF), 0)
    writer.store(made.value, state, at)


def _temper(writer: Writer, state: str, first: Value, out: str, done: Value, count: int | Value) -> None:
    """Write `count` words of the state from `first` on, each mixed bit by bit."""
    s, whole = Scalars(writer), Integers(writer)
    with writer.loop(0, _value(count), LANES) as at:
        held = below(writer, whole.sub(count, at), LANES)
        y = Term(s, writer.load(uint32, LANES, state, whole.add(first, at), held))
        y = y ^ y >> 11
        y = y ^ y << 7 & 0x9D2C5680
        y = y ^ y << 15 & 0xEFC60000
        writer.store((y ^ y >> 18).value, out, whole.add(done, at), held)


# ---- Normal numbers (Box and Muller)


def _normal_f32() -> Writer:
    """Kernel (words, numbers, mean and standard deviation), tasks are rows. As `kadam.recording.gaussian`."""
    writer = Writer()
    s, half = Scalars(writer), ROW // 2
    drawn, numbers, place = (writer.buffer(name) for name in ("words", "numbers", "place"))
    mean, std = (Term(s, writer.splat(writer.load(float32, 0, place, which), half)) for which in (0, 1))

    def unit(at: Value) -> Term:
        return (Term(s, writer.load(int32, half, drawn, at)) & (1 << 24) - 1).cast(float32) * 2.0**-24

    with writer.loop(*writer.tasks) as row:
        first = _value(Integers(writer).mul(row, ROW))
        second = _value(Integers(writer).add(first, half))
        radius = _radius(1 - unit(first))
        sine, cosine = _sine_cosine(unit(second) * 2 * np.float32(math.pi).item())
        writer.store(fma(radius * cosine, std, mean).value, numbers, first)
        writer.store(fma(radius * sine, std, mean).value, numbers, second)
    return writer


def _radius(u: Term) -> Term:
    """sqrt(-2 log u) of u in (0, 1]."""
    moved = u.bits - _SQRT_HALF
    exponent = (moved >> 23).cast(float32)
    x = ((moved & 0x7FFFFF) + _SQRT_HALF).bits - 1  # in [sqrt 1/2 - 1, sqrt 2 - 1)
    square = x * x
    y = fma(polynomial(x, cephes.LOG) * x, square, exponent * cephes.LN2_LOW)
    log = fma(exponent, cephes.LN2_HIGH, x + fma(square, -0.5, y))
    return sqrt(log * -2)


def _sine_cosine(angle: Term) -> tuple[Term, Term]:
    """Sine and cosine of angles in [0, 2 pi]: octants of a quarter turn each, then a polynomial around 0."""
    octant = (angle * cephes.FOUR_OVER_PI).cast(int32) + 1 & ~1
    turns, x = octant.cast(float32), angle
    for part in cephes.QUARTER_PI:
        x = fma(turns, -part, x)
    square = x * x
    cosine = fma(polynomial(square, cephes.COS) * square, square, square * -0.5) + 1
    sine = fma(polynomial(square, cephes.SIN) * square, x, x)
    other = (octant & 2).differs(0)  # where the angle is next to the other axis
    signed_sine = where(other, cosine, sine).bits ^ (octant & 4) << 29
    signed_cosine = where(other, sine, cosine).bits ^ (octant + 2 & 4) << 29
    return signed_sine.bits, signed_cosine.bits


def _normal_f64() -> Writer:
    """The same with the C library's functions, in float64."""
    writer = Writer()
    s, half = Scalars(writer), ROW // 2
    drawn, numbers, place = (writer.buffer(name) for name in ("words", "numbers", "place"))
    mean, std = (Term(s, writer.load(float64, 0, place, which)) for which in (0, 1))

    def unit(at: Value) -> Term:
        upper, lower = (Term(s, writer.load(uint32, 0, drawn, number)).cast(int64) for number in (at, _after(at, 1)))
        return ((upper << 32 | lower) & (1 << 53) - 1).cast(float64) * 2.0**-53

    def _after(at: Value, places: int) -> Value:
        return _value(Integers(writer).add(at, places))

    def called(name: str, x: Term) -> Term:
        return Term(s, writer.call(name, float64, 0, x.value))

    with writer.loop(*writer.tasks) as row, writer.loop(0, half) as column:
        first = _value(Integers(writer).add(_value(Integers(writer).mul(row, ROW)), column))
        pair = _value(Integers(writer).mul(first, 2))
        radius = sqrt(called("log", 1 - unit(pair)) * -2)
        angle = unit(_after(pair, ROW)) * (2 * math.pi)
        writer.store(fma(radius * called("cos", angle), std, mean).value, numbers, first)
        writer.store(fma(radius * called("sin", angle), std, mean).value, numbers, _after(first, half))
    return writer


# ---- Order


def _shuffle() -> Writer:
    """Kernel (words, order): element i changes places with one of those from itself on, for i = 0, 1, ... in turn."""
    writer = Writer()
    s, (_, last) = Scalars(writer), writer.tasks
    drawn, order = writer.buffer("words"), writer.buffer("order")
    with writer.loop(*writer.tasks) as at:
        left = Term(s, last) - Term(s, at) + 1
        word = Term(s, writer.load(uint32, 0, drawn, at))
        step = writer.let(uint32, 0, f"urem {word.value}, {left.cast(uint32).value.text}")
        target = (Term(s, at) + Term(s, step).cast(int64)).value
        here, there = (writer.load(int64, 0, order, place) for place in (at, target))
        writer.store(there, order, at)
        writer.store(here, order, target)
    return writer
