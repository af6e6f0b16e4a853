"""Functions of each element: powers and logarithms, angles, rounding, limits, error functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kadam import dtypes
from kadam.dtypes import BOOL, FLOAT, finfo
from kadam.errors import DTypeError, OperandError, ShapeError
from kadam.ir.primitive import Primitive
from kadam.ops.compare import isinf, isnan, where
from kadam.ops.promotion import cast, constant, floating, meet, result_type
from kadam.ops.require import require_a_tensor, require_floating
from kadam.ops.shape import matrix_transpose
from kadam.primitives import analysis, logarithmic, rounding, special, trigonometry
from kadam.primitives.elementwise import Conj, Copysign
from kadam.recording.calls import emit
from kadam.recording.in_place import in_place
from kadam.recording.operation import operation

if TYPE_CHECKING:
    from kadam.recording.tensor import Number
    from kadam.tensor import Tensor


def _function(
    name: str, primitive: Callable[[], Primitive], what: str, grad: str | None = None
) -> Callable[..., Tensor]:
    """The operation that applies one primitive to each element, as floating point."""

    def body(input: Tensor) -> Tensor:
        return emit(primitive(), floating(input))

    body.__name__ = body.__qualname__ = name
    body.__doc__ = f"{what} of each element. As `torch.{name}`."
    return operation(grad=grad)(body)


exp = _function("exp", analysis.Exp, "e to the power")
exp2 = _function("exp2", analysis.Exp2, "Two to the power")
expm1 = _function("expm1", analysis.Expm1, "e to the power, less one,")
log = _function("log", analysis.Log, "The natural logarithm")
log1p = _function("log1p", analysis.Log1p, "The natural logarithm of one plus the value", "Log1PBackward0")
log2 = _function("log2", analysis.Log2, "The logarithm to base two")
log10 = _function("log10", analysis.Log10, "The logarithm to base ten")
sqrt = _function("sqrt", analysis.Sqrt, "The square root")
rsqrt = _function("rsqrt", analysis.Rsqrt, "One over the square root")
reciprocal = _function("reciprocal", analysis.Reciprocal, "One over the value")
sigmoid = _function("sigmoid", analysis.Sigmoid, "The logistic function 1 / (1 + exp(-x))")
sin = _function("sin", trigonometry.Sin, "The sine")
cos = _function("cos", trigonometry.Cos, "The cosine")
tan = _function("tan", trigonometry.Tan, "The tangent")
asin = _function("asin", trigonometry.Asin, "The arc sine")
acos = _function("acos", trigonometry.Acos, "The arc cosine")
atan = _function("atan", trigonometry.Atan, "The arc tangent")
sinh = _function("sinh", trigonometry.Sinh, "The hyperbolic sine")
cosh = _function("cosh", trigonometry.Cosh, "The hyperbolic cosine")
tanh = _function("tanh", trigonometry.Tanh, "The hyperbolic tangent")
asinh = _function("asinh", trigonometry.Asinh, "The inverse hyperbolic sine")
acosh = _function("acosh", trigonometry.Acosh, "The inverse hyperbolic cosine")
atanh = _function("atanh", trigonometry.Atanh, "The inverse hyperbolic tangent")
erf = _function("erf", special.Erf, "The error function")
erfc = _function("erfc", special.Erfc, "One less the error function")
erfinv = _function("erfinv", special.Erfinv, "The inverse of the error function")
lgamma = _function("lgamma", special.Lgamma, "The logarithm of the gamma function")
digamma = _function("digamma", lambda: special.Polygamma(0), "The derivative of the logarithm of the gamma function")


@operation
def polygamma(n: int, input: Tensor) -> Tensor:
    """The n-th derivative of the digamma function. As `torch.polygamma`.

    Raises:
        ShapeError: `n` is negative.
    """
    if n < 0:
        raise ShapeError("polygamma(n, x) does not support negative n. Fix: give n >= 0.")
    return emit(special.Polygamma(n), floating(input))


@operation
def _conj(input: Tensor) -> Tensor:
    return emit(Conj(), input)


def conj(input: Tensor) -> Tensor:
    """The complex conjugate; a real tensor as it is. As `torch.conj`."""
    return _conj(input) if input.dtype.is_complex else input


def adjoint(input: Tensor) -> Tensor:
    """The conjugate transposes of matrices. As `torch.adjoint`."""
    return conj(matrix_transpose(input))


@operation
def relu(input: Tensor) -> Tensor:
    """max(0, x). As `torch.relu`.

    Raises:
        DTypeError: the tensor is boolean.
    """
    if input.dtype.category == BOOL:
        raise DTypeError("relu: Boolean inputs not supported for relu. Fix: x.float().")
    return emit(analysis.Relu(), input)


def _rounder(name: str, primitive: Callable[[], Primitive], what: str) -> Callable[..., Tensor]:
    def body(input: Tensor) -> Tensor:
        return emit(primitive(), input) if input.dtype.category >= FLOAT else input.clone()

    body.__name__ = body.__qualname__ = name
    body.__doc__ = f"Each element rounded {what}. As `torch.{name}`."
    return operation(body)


floor = _rounder("floor", rounding.Floor, "down")
ceil = _rounder("ceil", rounding.Ceil, "up")
trunc = _rounder("trunc", rounding.Trunc, "towards zero")
_round = _rounder("round", rounding.Round, "to the nearest whole number, halves to the even one")


@operation(grad="RoundBackward1")
def _round_decimals(input: Tensor, decimals: int) -> Tensor:
    factor = 10.0 ** builtins_abs(decimals)
    if decimals > 0:
        return _round(input * factor) / factor
    return _round(input / factor) * factor


builtins_abs = abs


def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """Each element rounded to so many decimals, halves to the even one. As `torch.round`."""
    return _round(input) if decimals == 0 else _round_decimals(input, decimals)


@operation
def frac(input: Tensor) -> Tensor:
    """What truncation takes away from each element. As `torch.frac`."""
    return input - trunc(input)


@operation(grad="ClampBackward1")
def clamp(input: Tensor, min: Tensor | Number | None = None, max: Tensor | Number | None = None) -> Tensor:
    """Each element, but at least `min` and at most `max`; gradients pass on the bounds too. As `torch.clamp`.

    Raises:
        ShapeError: neither bound is given.
    """
    if min is None and max is None:
        raise ShapeError("torch.clamp: At least one of 'min' or 'max' must not be None. Fix: x.clamp(min=0).")
    bounds = [bound for bound in (min, max) if bound is not None]
    operands = meet(input, *bounds, record=result_type(input, *bounds))
    result, rest = operands[0], operands[1:]
    if min is not None:
        low = rest.pop(0)
        result = where((result < low) | isnan(low), low, result)
    if max is not None:
        high = rest.pop(0)
        result = where((result > high) | isnan(high), high, result)
    return result


@operation(grad="ClampMinBackward0")
def clamp_min(input: Tensor, min: Tensor | Number) -> Tensor:
    """Each element, but at least `min`. As `torch.clamp_min`."""
    return clamp(input, min)


@operation(grad="ClampMaxBackward0")
def clamp_max(input: Tensor, max: Tensor | Number) -> Tensor:
    """Each element, but at most `max`. As `torch.clamp_max`."""
    return clamp(input, None, max)


@operation
def atan2(input: Tensor, other: Tensor) -> Tensor:
    """The angle of the point (other, input). As `torch.atan2`."""
    return emit(trigonometry.Atan2(), *meet(input, other, floating=True))


@operation
def hypot(input: Tensor, other: Tensor) -> Tensor:
    """The square root of the sum of squares. As `torch.hypot`."""
    return emit(trigonometry.Hypot(), *meet(input, other, floating=True))


@operation
def copysign(input: Tensor, other: Tensor | Number) -> Tensor:
    """The magnitude of `input` with the sign of `other`. As `torch.copysign`."""
    return emit(Copysign(), *meet(input, other, floating=True))


@operation(differentiable=False)
def signbit(input: Tensor) -> Tensor:
    """Whether the sign bit of each element is set (that of -0.0 is). As `torch.signbit`.

    Raises:
        DTypeError: the elements are complex.
    """
    if input.dtype.is_complex:
        raise DTypeError("signbit is not implemented for complex tensors. Fix: x.real.")
    if input.dtype.category < FLOAT:
        return input < 0
    return emit(Copysign(), constant(1, input.dtype, tuple(input.shape)), input) < 0


@operation
def nextafter(input: Tensor, other: Tensor) -> Tensor:
    """The next number on the way to `other`. As `torch.nextafter`.

    Raises:
        NotFloatingError: the elements are no floating-point numbers.
    """
    a, b = meet(input, other)
    require_floating("nextafter", a)
    return emit(rounding.NextAfter(), a, b)


@operation
def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """0 below zero, 1 above, `values` at zero. As `torch.heaviside`.

    Raises:
        DTypeError: the two have different types.
    """
    if input.dtype is not values.dtype:
        raise DTypeError(
            "heaviside is not yet implemented for tensors with different dtypes. Fix: values.to(input.dtype)."
        )
    return where(input == 0, values, cast(input > 0, input.dtype))


@operation(grad="NanToNumBackward0")
def nan_to_num(
    input: Tensor, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """Numbers in place of nan and the infinities. As `torch.nan_to_num`."""
    if input.dtype.category < FLOAT:
        return input.clone()
    limits = finfo(input.dtype)
    high = limits.max if posinf is None else posinf
    low = limits.min if neginf is None else neginf
    result = where(isnan(input), 0.0 if nan is None else nan, input)
    return where(isinf(result), where(result > 0, high, low).to(input.dtype), result)


@operation(grad="LogaddexpBackward0", once=True)
def logaddexp(input: Tensor, other: Tensor) -> Tensor:
    """log(exp(input) + exp(other)), without overflow. As `torch.logaddexp`."""
    a, b = meet(input, other, floating=True)
    high = where(a > b, a, b)
    low = where(a > b, b, a)
    even = isinf(high) & (a == b)
    return where(even, high, high + log1p(exp(where(even, 0.0, low - high).to(high.dtype))))


@operation(grad="Logaddexp2Backward0", once=True)
def logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    """log2(2**input + 2**other). As `torch.logaddexp2`."""
    return logaddexp(input * math.log(2), other * math.log(2)) / math.log(2)


@operation(once=True)
def xlogy(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """input * log(other), 0 where `input` is 0. As `torch.xlogy`."""
    require_a_tensor("xlogy", input, other)
    a, b = meet(input, other, floating=True)
    return emit(logarithmic.XLogY(), a, b)


@operation(once=True)
def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """log(x / (1 - x)), of x kept within [eps, 1 - eps]. As `torch.logit`."""
    x = floating(input)
    if eps is not None:
        x = clamp(x, eps, 1 - eps)
    return emit(logarithmic.Logit(), x) if x.dtype.category == FLOAT else log(x / (1 - x))


@operation(grad="SincBackward0", once=True)
def sinc(input: Tensor) -> Tensor:
    """sin(pi x) / (pi x), 1 at 0. As `torch.sinc`."""
    x = floating(input) * math.pi
    zero = x == 0
    safe = where(zero, 1.0, x).to(x.dtype)
    return where(zero, 1.0, sin(safe) / safe).to(x.dtype)


@operation(grad="Deg2RadBackward0")
def deg2rad(input: Tensor) -> Tensor:
    """Degrees as radians. As `torch.deg2rad`."""
    return floating(input) * (math.pi / 180)


@operation(grad="Rad2DegBackward0")
def rad2deg(input: Tensor) -> Tensor:
    """Radians as degrees. As `torch.rad2deg`."""
    return floating(input) * (180 / math.pi)


@operation
def float_power(input: Tensor | Number, exponent: Tensor | Number) -> Tensor:
    """input ** exponent in double precision. As `torch.float_power`."""
    if input._spec.weak and exponent._spec.weak:  # type: ignore[union-attr]
        raise OperandError("float_power(): one of its two arguments must be Tensor. Fix: float(base) ** exponent.")
    complex_result = result_type(input, exponent).is_complex
    record = dtypes.complex128 if complex_result else dtypes.float64
    return emit(analysis.Pow(), *meet(input, exponent, record=record))


def _in_place_all(*functions: Callable[..., Any]) -> list[Callable[..., Any]]:
    return [in_place(function) for function in functions]


(
    exp_, exp2_, expm1_, log_, log1p_, log2_, log10_, sqrt_, rsqrt_, reciprocal_, sigmoid_, sin_, cos_, tan_, asin_,
    acos_, atan_,
    sinh_, cosh_, tanh_, asinh_, acosh_, atanh_, erf_, erfc_, erfinv_, lgamma_, digamma_, relu_, floor_, ceil_,
    trunc_, round_, frac_, clamp_, clamp_min_, clamp_max_, atan2_, hypot_, copysign_, heaviside_, nan_to_num_, xlogy_,
    logit_, sinc_, deg2rad_, rad2deg_, float_power_,
) = _in_place_all(
    exp, exp2, expm1, log, log1p, log2, log10, sqrt, rsqrt, reciprocal, sigmoid, sin, cos, tan, asin, acos,
    atan, sinh, cosh, tanh, asinh, acosh, atanh, erf, erfc, erfinv, lgamma, digamma, relu, floor, ceil,
    trunc, round, frac, clamp, clamp_min, clamp_max, atan2, hypot, copysign, heaviside, nan_to_num, xlogy,
    logit, sinc, deg2rad, rad2deg, float_power,
)  # fmt: skip
clip, clip_, fix, fix_ = clamp, clamp_, trunc, trunc_
arcsin, arccos, arctan, arctan2, arcsinh, arccosh, arctanh = asin, acos, atan, atan2, asinh, acosh, atanh
nextafter_ = in_place(nextafter)
