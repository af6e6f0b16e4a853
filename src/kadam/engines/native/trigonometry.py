"""Angles and their ratios, written for float64 (float32 is computed so too)."""

from __future__ import annotations

import math
from typing import NamedTuple

from kadam.dtypes import bool_, float64
from kadam.engines.native import polynomials as table
from kadam.engines.native.far_angle import FAR_ANGLE
from kadam.engines.native.terms import Term, copysign, fma, polynomial, sqrt, where

HALF_PI, HALF_PI_LOW = 1.5707963267948966, 6.123233995736766e-17
# pi / 2 in four parts; small multiples of the first three, which have 33 bits, are exact.
HALF_PI_PARTS = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21, 8.4784276603689e-32)
FAR = 2.0**20  # here the multiples are no longer small


class Angle(NamedTuple):
    """An angle as r + low + quarter pi / 2, |r| <= pi / 4."""

    r: Term
    low: Term
    quarter: Term


def reduced(x: Term) -> Angle:
    """An angle without the multiple of pi / 2 next to it.

    Source: W. J. Cody, W. Waite, Software Manual for the Elementary Functions (1980).
    """
    moved = fma(x, 2 / math.pi, 1.5 * 2.0**52)
    near, quarter = moved - 1.5 * 2.0**52, moved.bits
    first, second, third, fourth = HALF_PI_PARTS
    exact = fma(near, -first, x)
    high = fma(near, -second, exact)
    lost = fma(near, -second, exact - high)
    step = near * -third
    r = high + step
    other = r - high
    low = (high - (r - other)) + (step - other) + lost + near * -fourth
    return _mended(x, Angle(r, low, quarter))


def _mended(x: Term, angle: Angle) -> Angle:
    """The angle, found lane by lane where x is large: that is rare."""
    w, lanes = x.s.writer, x.value.lanes
    size = abs(x)
    far = (size >= FAR) & (size < math.inf)
    some = w.call(f"llvm.vector.reduce.or.v{lanes}i1", bool_, 0, far.value) if lanes else far.value
    found = [w.variable(part.dtype, lanes) for part in angle]
    for variable, part in zip(found, angle, strict=True):
        variable.set(part.value)
    for declaration in FAR_ANGLE:
        w.declare(declaration)
    with w.when(some):
        places = [w.scratch(part.dtype, max(lanes, 1)) for part in (x, *angle)]
        for place, part in zip(places, (x, *angle), strict=True):
            w.store(part.value, place)
        with w.loop(0, max(lanes, 1)) as lane, w.when(w.lane(far.value, lane) if lanes else far.value):
            one = w.load(float64, 0, places[0], lane)
            at = ", ".join(f"ptr {w.address(float64, place, lane)}" for place in places[1:])
            w.do(f"call void @far_angle({one}, {at})")
        for variable, place, part in zip(found, places[1:], angle, strict=True):
            variable.set(w.load(part.dtype, lanes, place))
    return Angle(*[Term(x.s, variable.get()) for variable in found])


def small_sin(r: Term, low: Term | float = 0.0) -> Term:
    """sin(r + low), |r| <= pi / 4."""
    square = r * r
    return r + fma(r * square, polynomial(square, table.SIN_64), fma(square, -0.5, 1.0) * low)


def small_cos(r: Term, low: Term | float = 0.0) -> Term:
    """cos(r + low), |r| <= pi / 4."""
    square = r * r
    half = square * 0.5
    near = 1 - half
    return near + (((1 - near) - half) + fma(square * square, polynomial(square, table.COS_64), -(r * low)))


def _turned(angle: Angle, shift: int) -> Term:
    """The sine of the angle plus `shift` right angles."""
    quarter = angle.quarter + shift
    found = where((quarter & 1).differs(0), small_cos(angle.r, angle.low), small_sin(angle.r, angle.low))
    return where((quarter & 2).differs(0), -found, found)


def sin(x: Term) -> Term:
    return where(x.equals(0), x, _turned(reduced(x), 0))


def cos(x: Term) -> Term:
    return _turned(reduced(x), 1)


def tan(x: Term) -> Term:
    angle = reduced(x)
    sine, cosine = small_sin(angle.r, angle.low), small_cos(angle.r, angle.low)
    odd = (angle.quarter & 1).differs(0)
    return where(x.equals(0), x, where(odd, -cosine, sine) / where(odd, sine, cosine))


def asin(x: Term) -> Term:
    size = abs(x)
    near = size <= 0.5
    square = where(near, size * size, (1 - size) * 0.5)
    root = where(near, size, sqrt(square))
    angle = fma(root * square, polynomial(square, table.ASIN_64), root)
    return copysign(where(near, angle, HALF_PI - (angle * 2 - HALF_PI_LOW)), x)


def acos(x: Term) -> Term:
    size = abs(x)
    near = size <= 0.5
    square = where(near, size * size, (1 - size) * 0.5)
    root = where(near, x, sqrt(square))
    bend = root * square * polynomial(square, table.ASIN_64)
    middle = HALF_PI - (x - (HALF_PI_LOW - bend))
    twice = (root + bend) * 2
    return where(near, middle, where(x < 0, 2 * HALF_PI - (twice - 2 * HALF_PI_LOW), twice))


def _small_atan(x: Term) -> Term:
    """atan x, 0 <= x <= 1."""
    square = x * x
    return fma(x * square, polynomial(square, table.ATAN_64), x)


def atan(x: Term) -> Term:
    size = abs(x)
    angle = _small_atan(where(size > 1, 1 / size, size))
    return copysign(where(size > 1, HALF_PI - (angle - HALF_PI_LOW), angle), x)


def atan2(y: Term, x: Term) -> Term:
    across, along = abs(y), abs(x)
    steep = across > along
    large, small = where(steep, across, along), where(steep, along, across)
    ratio = where(large.equals(small), where(large.equals(0), large, 1.0), small / large)
    angle = _small_atan(ratio)
    angle = where(steep, HALF_PI - (angle - HALF_PI_LOW), angle)
    back = x.bits < 0
    return copysign(where(back, 2 * HALF_PI - (angle - 2 * HALF_PI_LOW), angle), y)


def hypot(a: Term, b: Term) -> Term:
    one, other = abs(a), abs(b)
    swapped = other > one
    large, small = where(swapped, other, one), where(swapped, one, other)
    ratio = small / large
    found = where(large.equals(0) & small.equals(0), 0.0, large * sqrt(fma(ratio, ratio, 1.0)))
    return where(one.equals(math.inf) | other.equals(math.inf), math.inf, found)
