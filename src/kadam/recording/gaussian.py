"""Normal numbers from uniform ones (Box and Muller), in float32 bit for bit as PyTorch's AVX2 kernel makes them.

Radius and angle go through the logarithm, sine and cosine of the Cephes library, whose every multiply-add is fused.
Here these are float64 multiply-adds, rounded to float32 afterwards: rounding twice could differ from rounding once, but
does so for none of the 2^24 numbers that a radius or an angle is made of (`tests/test_generator.py` tries them all).
"""

from __future__ import annotations

import math

import numpy as np

from kadam.engines import cephes
from kadam.ir.primitive import Array
from kadam.recording.rounding import c_function, fused_f32, fused_f64
from kadam.recording.words import unit_f32, unit_f64

_TWO_PI = np.float32(2 * math.pi)


def _exact(*coefficients: float) -> tuple[float, ...]:
    """float32 coefficients as Python numbers."""
    return tuple(float(np.float32(value)) for value in coefficients)


_LOG, _SIN, _COS = (_exact(*part[::-1]) for part in (cephes.LOG, cephes.SIN, cephes.COS))
_LN2_LOW, _LN2_HIGH = _exact(cephes.LN2_LOW, cephes.LN2_HIGH)
_QUARTER_PI = sum(_exact(*cephes.QUARTER_PI))
_FOUR_OVER_PI = np.float32(cephes.FOUR_OVER_PI)
_SQRT_HALF = np.float32(cephes.SQRT_HALF).view(np.int32)  # the bits of the number


def normal_rows(words: Array, mean: float, std: float) -> Array:
    """Normal numbers, from rows of 16 words: 8 radii and 8 angles become 8 cosines and 8 sines.

    Shapes:
        words u32[n] -> f32[n], n a multiple of 16
    """
    rows = unit_f32(words).reshape(-1, 16)
    radius = _radius(1 - rows[:, :8])
    sine, cosine = _sine_cosine(_TWO_PI * rows[:, 8:])
    rows[:, :8] = _place(radius * cosine, mean, std)
    rows[:, 8:] = _place(radius * sine, mean, std)
    return rows.reshape(-1)


def normal_rows_f64(words: Array, mean: float, std: float) -> Array:
    """The same in float64, u32[2 n] -> f64[n]."""
    rows = unit_f64(words).reshape(-1, 16)
    radius = np.sqrt(-2.0 * c_function("log", 1.0 - rows[:, :8]))
    angle = 2.0 * math.pi * rows[:, 8:]
    rows[:, :8] = fused_f64(radius * c_function("cos", angle), std, mean)
    rows[:, 8:] = fused_f64(radius * c_function("sin", angle), std, mean)
    return rows.reshape(-1)


def _place(normal: Array, mean: float, std: float) -> Array:
    """normal * std + mean in float32, rounded once."""
    mean, std = _exact(mean, std)
    if mean == 0:
        return normal * np.float32(std) + np.float32(0)  # -0 + 0 is 0
    return fused_f32(normal.astype(np.float64), std, mean)


def _round(x: Array) -> Array:
    """Round a float64 array to float32, in place."""
    x[...] = x.astype(np.float32)
    return x


def _polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    """By Horner's rule, each step rounded to float32."""
    first, second, *others = coefficients
    y = x * first
    y += second
    for coefficient in others:
        _round(y)
        y *= x
        y += coefficient
    return _round(y)


def _radius(u: Array) -> Array:
    """sqrt(-2 log u) of u in (0, 1]."""
    bits = u.view(np.int32) - _SQRT_HALF
    exponent = bits >> 23
    bits &= 0x7FFFFF
    bits += _SQRT_HALF
    mantissa = bits.view(np.float32)  # in [sqrt 1/2, sqrt 2)
    mantissa -= 1
    x = mantissa.astype(np.float64)
    z = _round(x * x)
    y = _round(_polynomial(_LOG, x) * x)
    y *= z
    y += _round(exponent * _LN2_LOW)
    z *= 0.5
    y = _round(_round(y) - z)
    y += x
    y = _round(y)
    y += exponent * _LN2_HIGH
    y = y.astype(np.float32)
    y *= -2
    return np.sqrt(y, out=y)


def _sine_cosine(angle: Array) -> tuple[Array, Array]:
    """Sine and cosine of angles in [0, 2 pi]: octants of a quarter turn each, then a polynomial around 0."""
    octant = (angle * _FOUR_OVER_PI).astype(np.int32)
    octant += 1
    octant &= ~1
    turns = octant.astype(np.float64)
    x = angle.astype(np.float64)
    x -= turns * _QUARTER_PI
    _round(x)
    z = _round(x * x)
    near_one = _round(_polynomial(_COS, z) * z)
    near_one *= z
    near_one -= 0.5 * z
    cosine = near_one.astype(np.float32)
    cosine += 1
    near_zero = _round(_polynomial(_SIN, z) * z)
    near_zero *= x
    near_zero += x
    sine = near_zero.astype(np.float32)
    sine_bits, cosine_bits = sine.view(np.int32), cosine.view(np.int32)
    swapped = (sine_bits ^ cosine_bits) & -(octant >> 1 & 1)  # where the angle is next to the other axis
    sine_bits ^= swapped ^ (octant & 4) << 29
    cosine_bits ^= swapped ^ (octant + 2 & 4) << 29
    return sine, cosine
