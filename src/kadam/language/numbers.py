"""Numbers as a reader takes them in, in digits 0-9 in every language."""

from __future__ import annotations

import math


def number(value: float, digits: int = 4) -> str:
    """A number with so many significant digits: `0.0123`, `-2.5`, `1.5e-07`, `12,300`, `nan`."""
    value = float(value)
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")
    magnitude = math.floor(math.log10(abs(rounded)))
    if magnitude < -4 or magnitude >= 7:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{_without_zeros(mantissa)}e{int(exponent):+03d}"
    return _without_zeros(f"{rounded:,.{max(digits - 1 - magnitude, 0)}f}")


def count(value: int) -> str:
    """A count: `12,345`."""
    return f"{value:,}"


def size(value: int) -> str:
    """A large count in short: `1.2 M`, `45 k`, `960`."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 10 * unit or (value >= unit and unit > 1e3):
            return f"{number(value / unit, 2 if value < 100 * unit else 3)} {name}"
    return count(value)


def percent(share: float) -> str:
    """A share of one: `12 %`, `0.4 %`."""
    return f"{number(100 * share, 2 if abs(share) < 1 else 3)} %"


def _without_zeros(shown: str) -> str:
    return shown.rstrip("0").rstrip(".") if "." in shown else shown
