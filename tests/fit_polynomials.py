"""Fits the polynomials of the native engine's mathematics, and prints `engines/native/polynomials.py`.

Each is the best one in the relative error of the result that it is for, found by Remez's exchange on a fine grid in
200 digits. Where all points are on one side of 0, coefficients are rounded one after the other, lowest power first, and
the rest is fitted again each time.
Needs mpmath.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import mpmath as mp

mp.mp.dps = 200
Function = Callable[[Any], Any]


class Fit(NamedTuple):
    """A function to fit.

    Attributes:
        name: of the table.
        meaning: the formula, for the comment.
        function: what the polynomial is to be.
        low, high: where.
        weight: what an error counts.
        degrees: of the polynomial in float32 (None: not needed) and in float64.
    """

    name: str
    meaning: str
    function: Function
    low: Any
    high: Any
    weight: Function
    degrees: tuple[int | None, int | None]


def remez(values: Sequence[Any], weights: Sequence[Any], grid: Sequence[Any], degree: int) -> tuple[list[Any], Any]:
    """The polynomial (lowest power first) of the least largest weighted error on the grid, and that error."""
    count = degree + 2
    chosen = [round(i * (len(grid) - 1) / (count - 1)) for i in range(count)]
    for _ in range(20):
        rows = [[grid[i] ** p for p in range(degree + 1)] + [(-1) ** k / weights[i]] for k, i in enumerate(chosen)]
        solved = list(mp.lu_solve(mp.matrix(rows), mp.matrix([values[i] for i in chosen])))
        polynomial, level = solved[:-1], abs(solved[-1])
        errors = [w * (mp.polyval(polynomial[::-1], z) - f) for z, f, w in zip(grid, values, weights, strict=True)]
        worst = max(map(abs, errors))
        if worst < level * mp.mpf("1.001"):
            break
        chosen = alternation(errors, count) or chosen
    return polynomial, worst


def alternation(errors: Sequence[Any], count: int) -> list[int] | None:
    """Where the errors are largest with changing signs."""
    peaks: list[int] = []
    for i, error in enumerate(errors):
        if peaks and (error > 0) == (errors[peaks[-1]] > 0):
            if abs(error) > abs(errors[peaks[-1]]):
                peaks[-1] = i
        else:
            peaks.append(i)
    while len(peaks) > count:
        peaks.pop(0 if abs(errors[peaks[0]]) < abs(errors[peaks[-1]]) else -1)
    return peaks if len(peaks) == count else None


def rounded(value: Any, single: bool) -> Any:
    number = float(value)
    return mp.mpf(struct.unpack("f", struct.pack("f", number))[0] if single else number)


def fit(task: Fit, degree: int, single: bool) -> tuple[list[Any], Any]:
    """Coefficients, lowest power first, rounded to a type; and the largest weighted error."""
    points = 40 * (degree + 2)
    middle, reach = (mp.mpf(task.low) + task.high) / 2, (mp.mpf(task.high) - task.low) / 2
    # No point lies on 0, where the formulas are 0 / 0.
    grid = [middle - reach * mp.cos(mp.pi * (i + mp.mpf("0.37")) / points) for i in range(points)]
    exact, weights = [task.function(z) for z in grid], [task.weight(z) for z in grid]
    coefficients = [rounded(one, single) for one in remez(exact, weights, grid, degree)[0]]
    if task.low >= 0:  # else the powers from some power on are no Chebyshev system
        values, scales = exact, weights
        for place in range(degree):
            values = [(f - coefficients[place]) / z for f, z in zip(values, grid, strict=True)]
            scales = [w * z for w, z in zip(scales, grid, strict=True)]
            coefficients[place + 1] = rounded(remez(values, scales, grid, degree - place - 1)[0][0], single)
    error = max(abs(w * (mp.polyval(coefficients[::-1], z) - f)) for z, f, w in zip(grid, exact, weights, strict=True))
    return coefficients, error


half_log2 = mp.log(2) / 2
low_log, high_log = mp.sqrt(mp.mpf(1) / 2) - 1, mp.sqrt(2) - 1
at_most_s = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2
quarter = mp.pi / 4


def of_square(function: Function) -> Function:
    """A function of x as one of z = x^2."""
    return lambda z: function(mp.sqrt(z))


def erfcx(x: Any) -> Any:
    if x < 20:
        return mp.exp(x * x) * mp.erfc(x)
    terms = [(-1) ** n * mp.fac2(2 * n - 1) / (2 * x * x) ** n for n in range(1, 12)]
    return (1 + sum(terms)) / (x * mp.sqrt(mp.pi))


def tail(t: Any) -> Any:
    x = 4 * (1 + t) / (1 - t)
    return (1 + 2 * x) * erfcx(x)


TASKS = (
    Fit("EXP", "(exp r - 1 - r) / r^2, |r| <= log(2) / 2", lambda r: (mp.exp(r) - 1 - r) / r**2,
        -half_log2, half_log2, lambda r: abs(r), (4, 10)),
    Fit("EXP2", "(2^r - 1) / r, |r| <= 1/2", lambda r: (2**r - 1) / r, -0.5, 0.5, lambda r: abs(r), (5, 11)),
    Fit("LOG", "(log(1 + f) - f + f^2 / 2) / f^3, sqrt(1/2) <= 1 + f <= sqrt 2",
        lambda f: (mp.log(1 + f) - f + f * f / 2) / f**3, low_log, high_log,
        lambda f: abs(f**3 / mp.log(1 + f)), (8, None)),
    Fit("ATANH", "(2 atanh(s) - 2 s) / s^3 of z = s^2, |s| <= (sqrt 2 - 1) / (sqrt 2 + 1)",
        of_square(lambda s: (2 * mp.atanh(s) - 2 * s) / s**3), 0, at_most_s, lambda z: z, (None, 7)),
    Fit("TANH", "(tanh x - x) / x^3 of z = x^2, |x| <= 0.625",
        of_square(lambda x: (mp.tanh(x) - x) / x**3), 0, mp.mpf("0.625") ** 2, lambda z: z, (5, 11)),
    Fit("ERF", "(erf x - x) / x of z = x^2, |x| <= 1",
        of_square(lambda x: (mp.erf(x) - x) / x), 0, 1, lambda z: mp.mpf(1), (6, 12)),
    Fit("ERF_TAIL", "-log(erfc(x)), 1 <= x <= 4 (float32)",
        lambda x: -mp.log(mp.erfc(x)), 1, 4, lambda x: mp.erfc(x) / mp.erf(x), (8, None)),
    Fit("ERFC", "(1 + 2 x) exp(x^2) erfc(x) of t = (x - 4) / (x + 4), x >= 1/2", tail, mp.mpf(-7) / 9,
        mp.mpf("0.75"), lambda t: 1 / tail(t), (None, 23)),
    Fit("SIN", "(sin r - r) / r^3 of z = r^2, |r| <= pi / 4",
        of_square(lambda r: (mp.sin(r) - r) / r**3), 0, quarter**2, lambda z: z, (3, 6)),
    Fit("COS", "(cos r - 1 + r^2 / 2) / r^4 of z = r^2, |r| <= pi / 4",
        of_square(lambda r: (mp.cos(r) - 1 + r * r / 2) / r**4), 0, quarter**2, lambda z: z * z, (2, 5)),
    Fit("ATAN", "(atan x - x) / x^3 of z = x^2, |x| <= 1",
        of_square(lambda x: (mp.atan(x) - x) / x**3), 0, 1, lambda z: z, (None, 19)),
    Fit("ASIN", "(asin x - x) / x^3 of z = x^2, |x| <= 1/2",
        of_square(lambda x: (mp.asin(x) - x) / x**3), 0, 0.25, lambda z: z, (None, 12)),
    Fit("LGAMMA", "log(gamma(2 + z)) / z, -3/4 <= z <= 1/2", lambda z: mp.loggamma(2 + z) / z, -0.75, 0.5,
        lambda z: z / mp.loggamma(2 + z), (None, 25)),
)  # fmt: skip


def main() -> None:
    print('"""Coefficients of polynomials, lowest power first. Written by tests/fit_polynomials.py."""')
    for task in TASKS:
        print(f"\n# {task.meaning}.")
        for degree, single in zip(task.degrees, (True, False), strict=True):
            if degree is None:
                continue
            coefficients, error = fit(task, degree, single)
            print(f"{task.name}: degree {degree}, error 2^{float(mp.log(error, 2)):.1f}", file=sys.stderr)
            lines = [f"    {float(one)!r}," for one in coefficients]
            print("\n".join([f"{task.name}_{'32' if single else '64'} = (", *lines, ")"]))


if __name__ == "__main__":
    main()
