"""Exponentials and logarithms, and what is made of them.

Each is a reduction to a short interval, a polynomial there (see `polynomials`) and a reconstruction, without branches.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from kadam.dtypes import dtype, float32, float64
from kadam.engines.native import polynomials as table
from kadam.engines.native.terms import Term, at_least, at_most, copysign, fma, polynomial, sqrt, where


class Pair(NamedTuple):
    """A number as the sum of two, the second far smaller."""

    high: float
    low: float

    def split(self, bits: int) -> Pair:
        """The same number, the first part with so many bits behind the point: small multiples of it are exact."""
        high = math.floor(math.ldexp(self.high, bits)) / 2.0**bits
        return Pair(high, (self.high - high) + self.low)

    def single(self) -> Pair:
        """The same number, in two of float32."""
        high = float(float32.numpy.type(self.high))
        return Pair(high, (self.high - high) + self.low)


LOG_2 = Pair(0.6931471805599453, 2.3190468138462996e-17)
LOG2_E = Pair(1.4426950408889634, 2.0355273740931033e-17)
LOG10_E = Pair(0.4342944819032518, 1.098319650216765e-17)
LOG10_2 = Pair(0.3010299956639812, -2.8037281277851704e-18)


@dataclass(frozen=True)
class Format:
    """How a floating-point type is laid out, and where its exponentials end.

    Attributes:
        fraction: bits of the fraction.
        bias: of the exponent.
        overflow, underflow: exp of what is further away is infinite, or 0.
        last_finite: the largest number whose exp is finite.
        log_2, log10_2: of 2, split such that a multiple of the first part by an exponent is exact.
        root_half: the bits of sqrt(1/2).
    """

    fraction: int
    bias: int
    overflow: float
    underflow: float
    last_finite: float
    log_2: Pair
    log10_2: Pair
    root_half: int

    @property
    def to_whole(self) -> float:
        """Added to a number, and taken away again, it leaves the nearest whole number."""
        return 1.5 * 2.0**self.fraction

    @property
    def least_normal(self) -> float:
        return 2.0 ** (1 - self.bias)

    @property
    def up(self) -> int:
        """A power of 2 that makes denormal numbers normal."""
        return self.fraction + 2


SINGLE = Format(23, 127, 89.0, -104.0, 88.72283172607422, LOG_2.split(15), LOG10_2.split(15), 0x3F3504F3)
DOUBLE = Format(52, 1023, 710.0, -746.0, 709.782712893384, LOG_2.split(41), LOG10_2.split(41), 0x3FE6A09E667F3BCD)


def format_of(record: dtype) -> Format:
    return SINGLE if record is float32 else DOUBLE


# Powers of two


def whole_near(x: Term, scale: float = 1.0) -> tuple[Term, Term]:
    """The whole number next to `scale` x (which must be small): as a float, and as an integer."""
    magic = format_of(x.dtype).to_whole
    moved = fma(x, scale, magic)
    return moved - magic, moved.bits - x.like(magic).bits


def power_of_two(exponent: Term, form: Format) -> Term:
    """2^exponent, which must be a normal number."""
    return ((exponent + form.bias) << form.fraction).bits


def scaled(x: Term, exponent: Term) -> Term:
    """x 2^exponent, rounded once. The exponent may be twice as large as that of a normal number."""
    form = format_of(x.dtype)
    half = exponent >> 1
    return x * power_of_two(half, form) * power_of_two(exponent - half, form)


class Parts(NamedTuple):
    """A positive number as (1 + rest) 2^exponent, sqrt(1/2) <= 1 + rest < sqrt 2.

    The exponent is there as a float and as an integer.
    """

    rest: Term
    exponent: Term
    whole: Term


def parts_of(x: Term) -> Parts:
    """A positive number, taken apart."""
    form = format_of(x.dtype)
    denormal = x < form.least_normal
    bits = where(denormal, x * 2.0**form.up, x).bits
    whole = (bits - form.root_half) >> form.fraction
    rest = (bits - (whole << form.fraction)).bits - 1
    return Parts(rest, whole.cast(x.dtype) - where(denormal, x.like(form.up), 0.0), whole)


# Exponentials


class Reduced(NamedTuple):
    """A number as r + low + k log 2, where |r| <= log(2) / 2 and `low` is what the rounding of r loses."""

    r: Term
    low: Term
    whole: Term


def reduced(x: Term) -> Reduced:
    """A number without the multiple of log 2 next to it."""
    log_2 = format_of(x.dtype).log_2
    near, whole = whole_near(x, LOG2_E.high)
    exact = fma(near, -log_2.high, x)
    r = fma(near, -log_2.low, exact)
    return Reduced(r, fma(near, -log_2.low, exact - r), whole)


def bounded(x: Term) -> Term:
    """x where exp x is neither 0 nor infinite; further away, a number whose exponential is."""
    form = format_of(x.dtype)
    return at_least(at_most(x, form.overflow), form.underflow)


def small_expm1(r: Term, low: Term) -> Term:
    """exp(r + low) - 1 - r, |r| <= log(2) / 2."""
    return fma(r * r, polynomial(r, table.EXP_32 if r.single else table.EXP_64), low)


def exp(x: Term, more: Term | None = None) -> Term:
    """exp(x + more), |more| far smaller than |x|.

    What is 0 is not computed: a processor takes a hundred cycles for a result that is too small for its type, and in a
    masked softmax half of the arguments are -inf.
    """
    gone = x < format_of(x.dtype).underflow
    total, rest, whole = _exp_parts(where(gone, 0.0, x), more)
    return where(gone, 0.0, scaled(total + rest, whole))


def _exp_parts(x: Term, more: Term | None = None) -> tuple[Term, Term, Term]:
    """exp(x + more) as the sum of two, times 2 to the power of an integer."""
    r, low, whole = reduced(bounded(x))
    if more is not None:
        r, low = two_sum(r, low + more)
    rest = small_expm1(r, low)
    total, lost = two_sum(r.like(1.0), r)
    return total, rest + lost, whole


def exp2(x: Term) -> Term:
    form = format_of(x.dtype)
    lowest = float(-form.bias - form.fraction - 2)
    x = at_least(at_most(x, form.bias + 2.0), lowest)
    near, whole = whole_near(x)
    r = x - near
    return scaled(fma(r, polynomial(r, table.EXP2_32 if x.single else table.EXP2_64), 1.0), whole)


def expm1(x: Term) -> Term:
    form = format_of(x.dtype)
    r, low, whole = reduced(at_least(at_most(x, form.overflow), -0.75 * form.fraction - 2))
    # 2^k (exp(r) - 1) + 2^k - 1; half of each where 2^k would overflow.
    high = whole > form.bias
    power = power_of_two(where(high, whole - 1, whole), form)
    sum_ = fma(small_expm1(r, low) + r, power, power - where(high, x.like(0.5), 1.0))
    return copysign(where(high, sum_ * 2, sum_), x)


def sigmoid(x: Term) -> Term:
    return 1 / (exp(-x) + 1)  # as PyTorch computes it, so that results are rounded alike: 0 where exp -x is infinite


def tanh(x: Term) -> Term:
    size = abs(x)
    square = x * x
    near = fma(size * square, polynomial(square, table.TANH_32 if x.single else table.TANH_64), size)
    far = 1 - 2 / (exp(size * 2) + 1)
    return copysign(where(size < 0.625, near, far), x)


def sinh(x: Term) -> Term:
    size = abs(x)
    grown = expm1(size)
    near = (grown + grown / (grown + 1)) * 0.5
    half = exp(size * 0.5)
    return copysign(where(size < 20.0, near, half * 0.5 * half), x)


def cosh(x: Term) -> Term:
    size = abs(x)
    grown = exp(size)
    half = exp(size * 0.5)
    return where(size < 20.0, grown * 0.5 + 0.5 / grown, half * 0.5 * half)


# Logarithms


def log_tail(f: Term) -> Term:
    """log(1 + f) - f, sqrt(1/2) <= 1 + f <= sqrt 2."""
    if f.single:
        return f * f * fma(f, polynomial(f, table.LOG_32), -0.5)
    half_square = f * f * 0.5
    s = f / (f + 2)
    square = s * s
    return s * fma(square, polynomial(square, table.ATANH_64), half_square) - half_square


def log_of_parts(f: Term, exponent: Term) -> Term:
    """log(1 + f) + exponent log 2."""
    log_2 = format_of(f.dtype).log_2
    return fma(exponent, log_2.high, f + fma(exponent, log_2.low, log_tail(f)))


def where_defined(result: Term, x: Term) -> Term:
    """A logarithm of x, with what it is of 0, of negative numbers, of infinity and of nan."""
    finite = where(x.equals(0), -math.inf, where(x < math.inf, result, x))
    return where(x < 0, math.nan, finite)


def log(x: Term) -> Term:
    rest, exponent, _ = parts_of(x)
    return where_defined(log_of_parts(rest, exponent), x)


def log1p(x: Term) -> Term:
    form = format_of(x.dtype)
    beyond = x + 1
    rest, exponent, whole = parts_of(beyond)
    power = power_of_two(-whole, form)
    exact = where(x < 2.0**form.fraction, fma(x, power, power - 1), rest)
    return copysign(where_defined(log_of_parts(exact, exponent), beyond), x)


def log2(x: Term) -> Term:
    return _log_to_base(x, LOG2_E, Pair(1.0, 0.0))


def log10(x: Term) -> Term:
    return _log_to_base(x, LOG10_E, format_of(x.dtype).log10_2)


def _log_to_base(x: Term, factor: Pair, of_two: Pair) -> Term:
    """`factor` log x, where `of_two` is that logarithm of 2."""
    if x.single:
        factor = factor.single()
    f, exponent, _ = parts_of(x)
    tail = log_tail(f)
    log, low = two_sum(f, tail)
    product = log * factor.high
    low = fma(log, factor.high, -product) + fma(log, factor.low, low * factor.high)
    total, lost = two_sum(exponent * of_two.high, product)
    return where_defined(total + (lost + fma(exponent, of_two.low, low)), x)


def two_sum(a: Term, b: Term) -> tuple[Term, Term]:
    """a + b, and what its rounding loses; |a| >= |b| or a = 0."""
    total = a + b
    return total, (a - total) + b


def asinh(x: Term) -> Term:
    size = abs(x)
    square = size * size
    near = log1p(size + square / (sqrt(square + 1) + 1))
    return copysign(where(size < 2.0**28, near, log(size) + LOG_2.high), x)


def acosh(x: Term) -> Term:
    above = x - 1
    near = log1p(above + sqrt(above * 2 + above * above))
    return where(x < 1, math.nan, where(x < 2.0**28, near, log(x) + LOG_2.high))


def atanh(x: Term) -> Term:
    size = abs(x)
    return copysign(log1p(size * 2 / (1 - size)) * 0.5, x)


# Powers


def pow(a: Term, b: Term) -> Term:
    magnitude = abs(a)
    if a.single:
        found = exp(log(magnitude.cast(float64)) * b.cast(float64)).cast(float32)
    else:
        found = _double_power(magnitude, b)
    whole = b.trunc.equals(b)
    odd = whole & (b * 0.5).trunc.differs(b * 0.5)
    found = where(magnitude.equals(1) & ~b.is_nan, 1.0, found)
    found = where(odd, copysign(found, a), found)
    undefined = (a < 0) & (a > -math.inf) & ~whole
    return where(b.equals(0) | a.equals(1), 1.0, where(undefined, math.nan, found))


def _double_power(a: Term, b: Term) -> Term:
    """a^b for a >= 0, but for 1 to an infinite power, of float64: by a logarithm of some 65 bits."""
    high, low = _double_log(a)
    high = where_defined(high, a)
    product = b * high
    lost = fma(b, high, -product) + b * low
    return exp(product, where(abs(product) < 1000.0, lost, 0.0))


def _double_log(x: Term) -> tuple[Term, Term]:
    """log x as the sum of two: as `log_tail`, with the leading terms in double precision twice over."""
    f, exponent, _ = parts_of(x)
    below, below_low = two_sum(f.like(2.0), f)
    s = f / below
    s_low = (fma(-s, below, f) - s * below_low) / below
    square = s * s
    square_low = fma(s, s, -square) + 2 * s * s_low
    cube = square * s
    cube_low = fma(square, s, -cube) + fma(square, s_low, square_low * s)
    first, *others = table.ATANH_64
    third = cube * first
    third_low = fma(cube, first, -third) + cube_low * first
    fifth = cube * square * polynomial(square, others)
    log_2 = DOUBLE.log_2
    total, lost = two_sum(exponent * log_2.high, s * 2)
    total, more = two_sum(total, third)
    low = (lost + more) + (2 * s_low + fifth + third_low + exponent * log_2.low)
    return two_sum(total, low)
