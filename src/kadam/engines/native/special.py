"""The error function with its kin; written for float64 (float32 is computed so too) but for `erf`."""

from __future__ import annotations

import math

from kadam.engines.native import polynomials as table
from kadam.engines.native.exponentials import exp, log1p
from kadam.engines.native.terms import Term, at_most, copysign, fma, polynomial, sqrt, where


def erf(x: Term) -> Term:
    size = abs(x)
    near = _erf_near(size)
    if x.single:
        far = 1 - exp(-polynomial(at_most(size, 4.0), table.ERF_TAIL_32))
    else:
        far = 1 - _erfc_far(size)
    return copysign(where(size < 1.0, near, far), x)


def erfc(x: Term) -> Term:
    size = abs(x)
    far = _erfc_far(size)
    return where(size < 0.5, 1 - _erf_near(x), where(x < 0, 2 - far, far))


def _erf_near(x: Term) -> Term:
    """erf x, |x| <= 1."""
    return fma(x, polynomial(x * x, table.ERF_32 if x.single else table.ERF_64), x)


def _erfc_far(size: Term) -> Term:
    """erfc x of float64 numbers, x >= 1/2.

    Source: M. M. Shepherd, J. G. Laframboise, Chebyshev approximation of (1 + 2x) exp(x^2) erfc x (1981).
    """
    size = at_most(size, 28.0)
    square = size * size
    lost = fma(size, size, -square)
    t = (size - 4) / (size + 4)
    return exp(-square, -lost) * (polynomial(t, table.ERFC_64) / fma(size, 2.0, 1.0))


def erfinv(y: Term) -> Term:
    """The number whose error function is y.

    Source: S. Winitzki, A handy approximation for the error function and its inverse (2008), for a first guess of
    three digits, each of whose two steps of Halley's method triples the digits.
    """
    size = abs(y)
    log = log1p(-(size * size))
    half, rest = log * 0.5 + 2 / (math.pi * 0.147), log * (-1 / 0.147)
    guess = sqrt(rest / (sqrt(half * half + rest) + half))
    writer = y.s.writer
    found = writer.variable(y.dtype, y.value.lanes)
    found.set(guess.value)
    with writer.loop(0, 2):
        x = Term(y.s, found.get())
        excess = where(size < 0.5, _erf_near(x) - size, (1 - size) - _erfc_far(x))
        step = excess * exp(x * x) * (math.sqrt(math.pi) / 2)
        found.set((x - step / fma(x, step, 1.0)).value)
    x = Term(y.s, found.get())
    return copysign(where(size.equals(1), math.inf, x), y)
