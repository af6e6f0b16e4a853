"""Where a Sobol sequence moves: direction numbers, grown from primitive polynomials and their first numbers.

`directions.npz` holds the first 1024 dimensions of the table `new-joe-kuo-6.21201`, for the licence see
`directions_license.txt`. SciPy ships the whole table; where it is installed, all 21201 dimensions are there.

Source: S. Joe and F. Y. Kuo, Constructing Sobol sequences with better two-dimensional projections, SIAM J. Sci. Comput.
30 (2008).
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kadam.errors import UnsupportedError

KNOWN = 21201
_SHIPPED = 1024

Integers = npt.NDArray[np.int64]


def direction_numbers(dimension: int, bits: int) -> Integers:
    """Of each dimension the numbers v_1, v_2, ..., in units of 2^-bits, i64[dimension, bits].

    With a primitive polynomial x^s + a_1 x^(s-1) + ... + 1 and odd m_1, ..., m_s, it is v_k = m_k 2^(bits - k), where
    m_k = 2 a_1 m_(k-1) ^ ... ^ 2^s m_(k-s) ^ m_(k-s). The first dimension has m_k = 1.

    Raises:
        UnsupportedError: so many need SciPy's table, and SciPy is not there.
    """
    polynomials, first = _table(dimension > _SHIPPED)
    degrees = np.array([int(polynomial).bit_length() - 1 for polynomial in polynomials[:dimension]])
    numbers = np.ones((dimension, bits), np.int64)
    for degree in range(1, degrees.max() + 1):
        chosen = np.flatnonzero(degrees == degree)
        given = min(degree, bits)
        found = np.zeros((len(chosen), bits), np.int64)
        found[:, :given] = first[chosen, :given]
        for k in range(degree, bits):
            grown = found[:, k - degree].copy()
            for back in range(1, degree + 1):
                coefficient = (polynomials[chosen] >> (degree - back)) & 1
                grown ^= (coefficient * found[:, k - back]) << back
            found[:, k] = grown
        numbers[chosen] = found
    return numbers << np.arange(bits - 1, -1, -1)


@cache
def _table(whole: bool) -> tuple[Integers, Integers]:
    """The polynomials as bits, and the first numbers of each dimension."""
    path = _of_scipy() if whole else Path(__file__).with_name("directions.npz")
    with np.load(path) as found:
        return found["poly"].astype(np.int64), found["vinit"].astype(np.int64)


def _of_scipy() -> Path:
    found = find_spec("scipy")
    places = found.submodule_search_locations if found else None
    for place in places or ():
        path = Path(place, "stats", "_sobol_direction_numbers.npz")
        if path.exists():
            return path
    raise UnsupportedError(
        f"SobolEngine: more than {_SHIPPED} dimensions need SciPy's table of direction numbers. Fix: pip install scipy."
    )
