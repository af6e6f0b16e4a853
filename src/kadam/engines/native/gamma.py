"""The logarithm of the gamma function and its derivatives, written for float64 (float32 is computed so too).

Source of all formulas: F. W. J. Olver et al., NIST Handbook of Mathematical Functions (2010), 5.5, 5.7, 5.11, 5.15
and 25.11.
"""

from __future__ import annotations

import math

from kadam.engines.native import polynomials as table
from kadam.engines.native.exponentials import log
from kadam.engines.native.terms import Term, fma, polynomial, where
from kadam.engines.native.trigonometry import small_cos, small_sin
from kadam.engines.native.writer import Variable

# B_2, B_4 ...: the numbers of Bernoulli.
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)
STIRLING = 8.5  # from here on Stirling's series is exact enough


def lgamma(x: Term) -> Term:
    """log |gamma(x)|: by a polynomial at 2 in [1/2, 5/2], by Stirling's above 8.5, and recurrence in between."""
    reflected = x < 0.5
    y = where(reflected, 1 - x, x)
    product, shifted = y.like(1.0), y
    for _ in range(math.ceil(STIRLING - 2.5)):
        high = shifted > 2.5
        shifted = where(high, shifted - 1, shifted)
        product = where(high, product * shifted, product)
    low, far = y < 1.25, y >= STIRLING
    rest = where(low, y - 1, shifted - 2)
    series = rest * polynomial(rest, table.LGAMMA_64)
    logarithm = log(where(low | far, y, product))
    near = series + where(low, -logarithm, logarithm)
    found = where(far, _stirling(y, logarithm), near)
    mirrored = math.log(math.pi) - log(abs(_sin_pi(x))) - found
    return where(abs(x).equals(math.inf), math.inf, where(reflected, mirrored, found))


def _stirling(x: Term, logarithm: Term) -> Term:
    terms = [bernoulli / (2 * j * (2 * j - 1)) for j, bernoulli in enumerate(BERNOULLI, start=1)]
    correction = polynomial(1 / (x * x), terms) / x
    return fma(x - 0.5, logarithm - 1, (math.log(2 * math.pi) - 1) / 2 + correction)


def _offset(x: Term) -> Term:
    """x less the whole number next to it."""
    return x - x.round


def _sin_pi(x: Term) -> Term:
    """sin(pi x), up to its sign."""
    size = abs(_offset(x))
    return where(size > 0.25, small_cos((0.5 - size) * math.pi), small_sin(size * math.pi))


def _cot_pi(x: Term) -> Term:
    """cos(pi x) / sin(pi x)."""
    offset = _offset(x)
    size = abs(offset)
    steep = size > 0.25
    angle = where(steep, 0.5 - size, size) * math.pi
    sine, cosine = small_sin(angle), small_cos(angle)
    quotient = where(steep, sine, cosine) / where(steep, cosine, sine)
    return where(offset < 0, -quotient, quotient)


def polygamma(order: int, x: Term) -> Term:
    """The derivative of log gamma(x) of order `order` + 1."""
    reflected = x < 0.5
    y = where(reflected, 1 - x, x)
    factor = (-1.0) ** (order + 1) * math.factorial(order)
    right = _digamma(y) if order == 0 else zeta(order + 1, y) * factor
    # The derivatives of cot(pi x) are polynomials of c = cot(pi x), as d c / dx = -pi (1 + c^2).
    powers = [0.0, 1.0]
    for _ in range(order):
        slope = [power * coefficient for power, coefficient in enumerate(powers)][1:]
        powers = [-math.pi * (one + two) for one, two in zip([*slope, 0.0, 0.0], [0.0, 0.0, *slope], strict=True)]
    mirrored = right * (-1.0) ** order - polynomial(_cot_pi(x), powers) * math.pi
    pole = x.like((-1.0) ** (order + 1) * math.inf)
    if order == 0:
        pole = where(x.equals(0), where(x.bits < 0, math.inf, x.like(-math.inf)), math.nan)
    return where(reflected, where(_offset(x).equals(0), pole, mirrored), right)


def _digamma(x: Term) -> Term:
    """The derivative of log gamma(x), x >= 1/2: by recurrence up to 10, then by its asymptotic series."""
    at, total = _variable(x), _variable(x.like(0.0))
    with x.s.writer.loop(0, 10):
        x, shift = _now(x, at), _now(x, total)
        low = x < 10
        total.set(where(low, shift + 1 / x, shift).value)
        at.set(where(low, x + 1, x).value)
    x, shift = _now(x, at), _now(x, total)
    square = 1 / (x * x)
    terms = [bernoulli / (2 * j) for j, bernoulli in enumerate(BERNOULLI, start=1)]
    return log(x) - 0.5 / x - square * polynomial(square, terms) - shift


def zeta(s: int, q: Term) -> Term:
    """The Hurwitz zeta function, the sum of (q + k)^-s over k = 0, 1, 2 ..., q >= 1/2.

    The first terms directly, the others by the summation formula of Euler and Maclaurin.
    """
    direct = 12
    at, total = _variable(q), _variable(q.like(0.0))
    with q.s.writer.loop(0, direct):
        base = _now(q, at)
        total.set((_now(q, total) + 1 / _power(base, s)).value)
        at.set((base + 1).value)
    a, head = _now(q, at), _now(q, total)
    terms, rising = [], float(s)
    for j, bernoulli in enumerate(BERNOULLI, start=1):
        terms.append(bernoulli / math.factorial(2 * j) * rising)
        rising *= (s + 2 * j - 1) * (s + 2 * j)
    inverse = 1 / a
    rest = 1 / (s - 1) + inverse * (0.5 + inverse * polynomial(inverse * inverse, terms))
    return head + rest * _power(inverse, s - 1)


def _power(x: Term, exponent: int) -> Term:
    """x to the power of a Python integer, 1 or more."""
    if exponent == 1:
        return x
    half = _power(x, exponent // 2)
    return half * half * x if exponent % 2 else half * half


def _variable(x: Term) -> Variable:
    """A variable of the loops below, with its first value."""
    variable = x.s.writer.variable(x.dtype, x.value.lanes)
    variable.set(x.value)
    return variable


def _now(like: Term, variable: Variable) -> Term:
    return Term(like.s, variable.get())
