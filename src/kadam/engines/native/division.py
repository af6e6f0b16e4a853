"""Division that leaves a remainder, and powers of integers."""

from __future__ import annotations

from kadam.engines.native.terms import Term, copysign, where


def fmod(a: Term, b: Term) -> Term:
    """a - b trunc(a / b)."""
    return Term(a.s, a.s.fmod(a.value, b.value))


def floor_div(a: Term, b: Term) -> Term:
    """floor(a / b), exact in the sense that the quotient is not rounded before."""
    if not a.is_real:
        quotient = a / b
        return quotient if not a.dtype.is_signed else where(_crosses(fmod(a, b), b), quotient - 1, quotient)
    rest = fmod(a, b)
    quotient = (a - rest) / b
    quotient = where(_crosses(rest, b), quotient - 1, quotient)
    below = quotient.floor
    near = where(quotient - below > 0.5, below + 1, below)
    whole = where(quotient.equals(0), copysign(quotient.like(0.0), a / b), near)
    return where(b.equals(0), a / b, whole)


def remainder(a: Term, b: Term) -> Term:
    """a - b floor(a / b): with the sign of b."""
    rest = fmod(a, b)
    return where(_crosses(rest, b), rest + b, rest)


def _crosses(rest: Term, b: Term) -> Term:
    """Whether a rest of truncated division has the other sign than the divisor."""
    return rest.differs(0) & ((rest < 0) ^ (b < 0))


def power_of_integers(a: Term, b: Term) -> Term:
    """a to the power of b; for b < 0 without its fraction."""
    s, lanes = a.s, a.value.lanes
    power, base = s.writer.variable(a.dtype, lanes), s.writer.variable(a.dtype, lanes)
    exponent = s.writer.variable(b.dtype, lanes)
    for variable, first in ((power, a.like(1)), (base, a), (exponent, b)):
        variable.set(first.value)
    with s.writer.loop(0, 8 * a.dtype.itemsize):
        factor, left = Term(s, base.get()), Term(s, exponent.get())
        found = Term(s, power.get())
        power.set(where((left & 1).differs(0), found * factor, found).value)
        base.set((factor * factor).value)
        exponent.set((left >> 1).value)
    found = Term(s, power.get())
    if not a.dtype.is_signed:
        return found
    # The only integers whose reciprocals are integers are 1 and -1.
    of_minus_one = where((b & 1).equals(0), a.like(1), a)
    inverse = where(a.equals(1), 1, where(a.equals(-1), of_minus_one, 0))
    return where(b < 0, inverse, found)
