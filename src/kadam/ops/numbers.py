"""What numbers consist of: divisors that they share, mantissa and exponent, length and angle."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from kadam.dtypes import INTEGER
from kadam.errors import DTypeError
from kadam.ops import results
from kadam.ops.arithmetic import abs
from kadam.ops.compare import isnan, where
from kadam.ops.pointwise import _conj
from kadam.ops.promotion import cast, constant, floating, meet
from kadam.ops.require import require_floating
from kadam.primitives.complex import Imag, Real
from kadam.primitives.magnitude import Exponent, Gcd
from kadam.primitives.trigonometry import Atan2
from kadam.recording.calls import emit
from kadam.recording.operation import operation

if TYPE_CHECKING:
    from kadam.tensor import Tensor


def _whole(name: str, input: Tensor, other: Tensor) -> list[Tensor]:
    """In a body: two tensors of integers as one type and shape.

    Raises:
        DTypeError: they hold other numbers.
    """
    a, b = meet(input, other)
    if a.dtype.category != INTEGER:
        raise DTypeError(f'{name}: "{name}_cpu" not implemented for {a._spec.type}: it takes integers. Fix: x.long().')
    return [a, b]


@operation
def gcd(input: Tensor, other: Tensor) -> Tensor:
    """The greatest common divisor, never negative. As `torch.gcd`.

    Raises:
        DTypeError: the tensors hold no integers.
    """
    return emit(Gcd(), *_whole("gcd", input, other))


@operation
def lcm(input: Tensor, other: Tensor) -> Tensor:
    """The least common multiple, never negative. As `torch.lcm`.

    Raises:
        DTypeError: the tensors hold no integers.
    """
    a, b = _whole("lcm", input, other)
    shared = emit(Gcd(), a, b)
    return where(shared == 0, 0, abs(a // where(shared == 0, 1, shared).to(a.dtype) * b)).to(a.dtype)


@operation(grad="MulBackward0")
def ldexp(input: Tensor, other: Tensor) -> Tensor:
    """input 2**other. As `torch.ldexp`."""
    power = 2.0 ** floating(other)
    return input * power


@operation
def _frexp(input: Tensor) -> tuple[Tensor, Tensor]:
    exponent = emit(Exponent(), input)
    # By two halves: 2**-e alone may be no number of the type.
    half = exponent // 2
    scales = [2.0 ** -cast(part, input.dtype) for part in (half, exponent - half)]
    return input * scales[0] * scales[1], exponent


def frexp(input: Tensor) -> tuple[Tensor, Tensor]:
    """Mantissas m and exponents e such that x = m 2**e, with 0.5 <= |m| < 1. As `torch.frexp`.

    Raises:
        NotFloatingError: the tensor holds no floating-point numbers.
    """
    require_floating("frexp", input)
    return results.frexp(*_frexp(input))


@operation(grad="AngleBackward0")
def angle(input: Tensor) -> Tensor:
    """The angle of each number, in radians: 0 or pi where it is real. As `torch.angle`."""
    if input.dtype.is_complex:
        return emit(Atan2(), emit(Imag(), input), emit(Real(), input))
    x = floating(input)
    turned = where(x < 0, constant(math.pi, x.dtype), 0.0).to(x.dtype)
    return where(isnan(x), x, turned)


def conj_physical(input: Tensor) -> Tensor:
    """The complex conjugate, in memory of its own; a real tensor as it is. As `torch.conj_physical`."""
    return _conj(input) if input.dtype.is_complex else input


__all__ = ["angle", "conj_physical", "frexp", "gcd", "lcm", "ldexp"]
