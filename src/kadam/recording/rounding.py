"""Arithmetic that rounds as compiled C does, on whole arrays: fused multiply-adds, and the C library's functions.

PyTorch's random kernels contract `a * b + c` into one instruction, which rounds once, and call the C library for
logarithms and sines. NumPy rounds twice, and its vectorised functions differ from the C library's in the last bit: too
little to matter to a model, enough to make a seed print other numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kadam.ir.primitive import Array

_BELOW_F32 = 0x1FFFFFFF  # the bits of a float64 that a float32 has no room for
_TIE_F32 = 0x10000000  # ... and their pattern halfway between two float32
_SPLITTER = 134217729.0  # 2^27 + 1: halves the digits of a float64 (Veltkamp)
_SLACK = 2.0**-48  # relative; more than any vectorised function and a few roundings are off


def fused_f32(a: Array, b: Array | float, c: Array | float) -> Array:
    """a * b + c of float32 values (given as float64), rounded once.

    The product is exact in float64, so only a sum that falls on a tie of float32 could round differently from the
    exact one: there the sum is rounded to odd first.
    """
    product = a * b
    total = product + c
    tied = total.view(np.int64) & _BELOW_F32 == _TIE_F32
    if tied.any():
        total = np.where(tied, _sum_to_odd(product, c), total)
    return total.astype(np.float32)


def fused_f64(a: Array, b: float, c: float) -> Array:
    """a * b + c of float64 values, rounded once.

    Source: Boldo and Melquiond, "Emulation of a FMA and Correctly Rounded Sums" (2008).
    """
    product = a * b
    if c == 0.0 or b == 1.0:
        return product + c  # one of the two steps is exact
    error = _product_error(a, b, product)
    small, smaller = _two_sum(error, c)
    large, largest_error = _two_sum(product, small)
    fused: Array = large + _sum_to_odd(largest_error, smaller)
    return fused


def _product_error(a: Array, b: float, product: Array) -> Array:
    """What the rounding of a * b lost, exactly. Source: Dekker (1971)."""
    a_high, a_low = _split(a)
    b_high, b_low = _split(np.float64(b))
    return np.asarray(a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low))


def _split(a: Any) -> tuple[Any, Any]:
    scaled = a * _SPLITTER
    high = scaled - (scaled - a)
    return high, a - high


def _two_sum(a: Array, b: Array | float) -> tuple[Array, Array]:
    """a + b rounded, and what the rounding lost, exactly. Source: Knuth, The Art of Computer Programming 4.2.2."""
    total = a + b
    of_b = total - a
    return total, (a - (total - of_b)) + (b - of_b)


def _sum_to_odd(a: Array, b: Array | float) -> Array:
    """a + b, where inexact the neighbour with an odd last digit: rounding that again never rounds twice."""
    total, error = _two_sum(a, b)
    even = total.view(np.int64) & 1 == 0
    return np.where(even & (error != 0), np.nextafter(total, np.copysign(np.inf, error)), total)


def c_function(name: str, x: Array) -> Array:
    """The C library's function on a float64 array, value by value (its name as NumPy spells it: `log1p`, `sin` ...)."""
    y: Array = getattr(np, name)(x)
    inside = np.isfinite(y)  # elsewhere Python's functions raise
    y[inside] = np.fromiter(map(getattr(math, name), x[inside].tolist()), np.float64)
    return y


def through(name: str, x: Array, finish: Callable[[Array], Array]) -> Array:
    """`finish(function(x))` with the C library's function, where `finish` rounds to fewer digits or steps.

    There NumPy's function is right except next to the steps, and only those few values are computed again.
    """
    with np.errstate(all="ignore"):
        near = getattr(np, name)(x)
        values = finish(near * (1 - _SLACK))
        unsure = np.flatnonzero(values != finish(near * (1 + _SLACK)))
        values[unsure] = finish(c_function(name, x[unsure]))
    return values


def cast(values: Array, dtype: Any) -> Array:
    """`values.astype(dtype)` as C++ converts: half precision is reached by way of float32."""
    dtype = np.dtype(dtype)
    if dtype.itemsize == 2 and dtype.kind not in "iu":
        values = values.astype(np.float32)
    return values.astype(dtype, copy=False)
