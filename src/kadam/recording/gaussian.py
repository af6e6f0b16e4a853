"""Normal numbers from uniform ones (Box and Muller), in float32 bit for bit as PyTorch's AVX2 kernel makes them.

Radius and angle go through the logarithm, sine and cosine of the Cephes library, whose every multiply-add is fused.
Here these are float64 multiply-adds rounded to float32 at once: `tests/test_generator.py` says for which of the 2^24
uniform numbers that is the same (all of them).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kadam.ir.primitive import Array
from kadam.recording.rounding import fused_f32

_BLOCK_ROWS = 512  # rows of 16 numbers that are transformed at a time: their temporaries stay in the cache
_TWO_PI = np.float32(2 * math.pi)


def _exact(*coefficients: float) -> tuple[float, ...]:
    """float32 coefficients as Python numbers."""
    return tuple(float(np.float32(value)) for value in coefficients)


# Source of the coefficients: S. L. Moshier, Cephes Mathematical Library, logf.c and sinf.c.
_LOG = _exact(
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
)  # fmt: skip
_LN2_LOW, _LN2_HIGH = _exact(-2.12194440e-4, 0.693359375)
_SIN = _exact(-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_COS = _exact(2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
_QUARTER_PI = _exact(0.78515625, 2.4187564849853515625e-4, 3.77489497744594108e-8)  # in three parts
_FOUR_OVER_PI = np.float32(1.27323954473516)
_SQRT_HALF = np.float32(0.707106781186547524)


def fill_rows(rows: Array, mean: float, std: float) -> None:
    """Turn rows of 16 uniform float32 numbers into 16 normal ones: 8 radii and 8 angles into 8 cosines and 8 sines.

    Shapes:
        rows f32[rows, 16], changed in place
    """
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = rows[start : start + _BLOCK_ROWS]
        radius = _radius(1 - block[:, :8])
        sine, cosine = _sine_cosine(_TWO_PI * block[:, 8:])
        block[:, :8] = _place(radius * cosine, mean, std)
        block[:, 8:] = _place(radius * sine, mean, std)


def _place(normal: Array, mean: float, std: float) -> Array:
    """normal * std + mean in float32, rounded once."""
    mean, std = _exact(mean, std)
    if mean == 0:
        return normal * np.float32(std) + np.float32(0)  # -0 + 0 is 0
    return fused_f32(normal.astype(np.float64), std, mean)


def _round(x: Array) -> Array:
    """A float64 array rounded to float32."""
    return x.astype(np.float32).astype(np.float64)


def _polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    """By Horner's rule, each step rounded to float32."""
    y = coefficients[0]
    for coefficient in coefficients[1:]:
        y = _round(y * x + coefficient)
    return y  # type: ignore[return-value]


def _radius(u: Array) -> Array:
    """sqrt(-2 log u) of u in (0, 1]."""
    bits = u.view(np.int32) if u.flags.c_contiguous else np.ascontiguousarray(u).view(np.int32)
    exponent = (bits >> 23) - 126
    mantissa = (bits & 0x7FFFFF | 0x3F000000).view(np.float32)
    small = mantissa < _SQRT_HALF
    exponent = np.subtract(exponent, small, dtype=np.float64)
    x = np.where(small, mantissa + mantissa, mantissa).astype(np.float64) - 1
    z = _round(x * x)
    y = _round(_polynomial(_LOG, x) * x)
    y = _round(y * z + _round(exponent * _LN2_LOW))
    y = _round(y - 0.5 * z)
    y = _round(_round(x + y) + exponent * _LN2_HIGH)
    return np.sqrt((-2 * y).astype(np.float32))


def _sine_cosine(angle: Array) -> tuple[Array, Array]:
    """Sine and cosine of angles in [0, 2 pi]: octants of a quarter turn each, then a polynomial around 0."""
    octant = ((angle * _FOUR_OVER_PI).astype(np.int32) + 1) & ~1
    x = angle.astype(np.float64)
    for part in _QUARTER_PI:
        x = _round(x - octant * part)
    z = _round(x * x)
    near_one = _round(_round(_polynomial(_COS, z) * z) * z - 0.5 * z)
    near_one = (near_one + 1).astype(np.float32)
    near_zero = (_round(_polynomial(_SIN, z) * z) * x + x).astype(np.float32)
    along = (octant & 2) == 0  # the axis that the angle is near to
    sine = np.where(along, near_zero, near_one)
    cosine = np.where(along, near_one, near_zero)
    np.negative(sine, out=sine, where=(octant & 4) != 0)
    np.negative(cosine, out=cosine, where=((octant + 2) & 4) != 0)
    return sine, cosine
