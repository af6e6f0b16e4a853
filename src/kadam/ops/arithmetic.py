"""Sums, products, quotients, powers: the arithmetic of tensors and numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kadam import dtypes
from kadam.dtypes import BOOL, COMPLEX, FLOAT, INTEGER, dtype
from kadam.errors import DTypeError
from kadam.ir.primitive import Primitive
from kadam.ops.promotion import as_tensor_of, floating, meet, result_type, rounded_once, stretched, with_number
from kadam.ops.require import require_a_tensor
from kadam.primitives.analysis import Pow, Reciprocal, Sqrt
from kadam.primitives.elementwise import Abs, Add, Div, Mul, Neg, Sign, Sub
from kadam.primitives.rounding import FloorDiv, Fmod, Remainder, Trunc
from kadam.recording.calls import emit
from kadam.recording.in_place import in_place
from kadam.recording.older_order import takes_older_order
from kadam.recording.operation import Fixed, operation
from kadam.recording.tensor import Recorded

if TYPE_CHECKING:
    from kadam.recording.tensor import Number
    from kadam.tensor import Tensor


def _refuse_odd(alpha: Any, record: dtype) -> None:
    """A factor that the operands' type cannot hold.

    Raises:
        DTypeError: a boolean one for numbers, a float for whole numbers, a complex one for real numbers.
    """
    kind = alpha._spec.dtype.category if isinstance(alpha, Recorded) else BOOL if isinstance(alpha, bool) else INTEGER
    if kind == BOOL and record.category != BOOL:
        raise DTypeError("Boolean alpha only supported for Boolean results. Fix: alpha=int(alpha).")
    if kind == FLOAT and record.category < FLOAT:
        raise DTypeError(
            "For integral input tensors, argument alpha must not be a floating point number. Fix: x.float(), or a "
            "whole alpha."
        )
    if kind == COMPLEX and record.category < COMPLEX:
        raise DTypeError(
            "For non-complex input tensors, argument alpha must not be a complex number. Fix: x.to(torch.complex64)."
        )


def _scaled(operand: Tensor, alpha: Any) -> Tensor:
    """In a body: alpha * operand; the default, 1, is structure and records no product."""
    _refuse_odd(alpha, operand.dtype)
    if not isinstance(alpha, Recorded) and alpha == 1:
        return operand
    factor = stretched(as_tensor_of(alpha, operand.dtype), tuple(operand.shape))
    return emit(Mul(), operand, factor)


def _plus(primitive: Primitive, a: Tensor, b: Tensor, alpha: Any) -> Tensor:
    """In a body: a + alpha * b, or the difference."""
    _refuse_odd(alpha, b.dtype)
    if not isinstance(alpha, Recorded) and alpha == 1:
        return emit(primitive, a, b)
    factor = stretched(as_tensor_of(alpha, b.dtype), tuple(b.shape))
    return rounded_once(lambda a, b, factor: emit(primitive, a, emit(Mul(), b, factor)), a, b, factor)


@operation
def add(input: Tensor | Number, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
    """input + alpha * other. As `torch.add`."""
    require_a_tensor("add", input, other)
    a, b = meet(input, other)
    return _plus(Add(), a, b, alpha)


@operation(grad="AddBackward0")
def radd(input: Tensor, other: Tensor | Number) -> Tensor:
    """other + input, which is computed as input + other."""
    return add(input, other)


@operation
def sub(input: Tensor | Number, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
    """input - alpha * other. As `torch.sub`.

    Raises:
        DTypeError: an operand is boolean.
    """
    if any(isinstance(one, Recorded) and one._spec.dtype.category == BOOL for one in (input, other)):
        raise DTypeError(
            "sub: Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a "
            "mask, use the `~` or `logical_not()` operator instead. Fix: a ^ b for the difference of masks, or "
            "a.int() - b.int()."
        )
    a, b = meet(input, other)
    return _plus(Sub(), a, b, alpha)


@operation(grad="RsubBackward1")
def rsub(input: Tensor, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
    """other - alpha * input. As `torch.rsub`."""
    return sub(other, input, alpha=alpha)


@operation
def mul(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """input * other. As `torch.mul`."""
    require_a_tensor("mul", input, other)
    return with_number(Mul(), input, other)


@operation(grad="MulBackward0")
def rmul(input: Tensor, other: Tensor | Number) -> Tensor:
    """other * input, which is computed as input * other."""
    return mul(input, other)


@operation(grad="DivBackward0")
def _true_div(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    require_a_tensor("div", input, other)
    return with_number(Div(), input, other, floating=True)


@operation(grad="DivBackward1")
def _rounded_div(input: Tensor | Number, other: Tensor | Number, rounding_mode: str) -> Tensor:
    a, b = meet(input, other)
    if a.dtype.category == BOOL:
        a, b = meet(input, other, record=dtypes.int64)
    if rounding_mode == "floor":
        return emit(FloorDiv(), a, b)
    if a.dtype.category >= FLOAT:
        return emit(Trunc(), emit(Div(), a, b))
    return emit(FloorDiv(), emit(Sub(), a, emit(Fmod(), a, b)), b)


def div(input: Tensor | Number, other: Tensor | Number, *, rounding_mode: str | None = None) -> Tensor:
    """input / other; with `rounding_mode` "trunc" or "floor", rounded. As `torch.div`.

    Raises:
        DTypeError: another rounding mode.
    """
    if rounding_mode is None:
        return _true_div(input, other)
    if rounding_mode not in ("trunc", "floor"):
        raise DTypeError(
            f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'. Fix: "
            "rounding_mode='floor'."
        )
    return _rounded_div(input, other, rounding_mode)


@operation(grad="MulBackward0")  # by the reciprocal
def rdiv(input: Tensor, other: Tensor | Number) -> Tensor:
    """other / input, which is computed as 1 / input * other."""
    return mul(emit(Reciprocal(), floating(input)), other)


def floor_divide(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """The quotient rounded down. As `torch.floor_divide`."""
    return _rounded_div(input, other, "floor")


def rfloor_divide(self: Tensor, other: Number) -> Tensor:
    """other // self."""
    return _rounded_div(other, self, "floor")


@operation
def remainder(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """The remainder of the division rounded down: it has the divisor's sign. As `torch.remainder`."""
    require_a_tensor("remainder", input, other)
    return emit(Remainder(), *meet(input, other))


def rremainder(self: Tensor, other: Number) -> Tensor:
    """other % self."""
    return remainder(other, self)


@operation
def fmod(input: Tensor, other: Tensor | Number) -> Tensor:
    """The remainder of the division rounded towards zero: it has the dividend's sign. As `torch.fmod`."""
    return emit(Fmod(), *meet(input, other))


@operation(grad="PowBackward0")
def _pow_fixed(input: Tensor, exponent: Fixed) -> Tensor:
    """A power whose exponent is part of the graph: squares and roots are what they are."""
    record = result_type(input, exponent)
    (x,) = meet(input, record=record)
    if exponent == 2:
        return emit(Mul(), x, x)
    if exponent == 1:
        return x * 1
    if exponent == 3:
        return emit(Mul(), emit(Mul(), x, x), x)
    if record.category >= FLOAT:
        if exponent == 0.5:
            return emit(Sqrt(), x)
        if exponent == -1:
            return emit(Reciprocal(), x)
        if exponent == -2:
            return emit(Reciprocal(), emit(Mul(), x, x))
    elif isinstance(exponent, int) and exponent < 0:
        raise DTypeError("pow: Integers to negative integer powers are not allowed. Fix: x.float() ** exponent.")
    return emit(Pow(), *meet(x, exponent, record=record))


@operation(grad="PowBackward1")
def _pow(input: Tensor | Number, exponent: Tensor | Number) -> Tensor:
    return emit(Pow(), *meet(input, exponent))


@operation(grad="PowBackward0")
def _pow_to_number(input: Tensor, exponent: Number) -> Tensor:
    return _pow(input, exponent)


_COMMON = frozenset({-2, -1, 0, 0.5, 1, 2, 3})


def pow(input: Tensor | Number, exponent: Tensor | Number) -> Tensor:
    """input ** exponent. As `torch.pow`.

    Raises:
        DTypeError: whole numbers to a negative whole power.
    """
    if exponent.__class__ in (int, float) and (exponent in _COMMON or isinstance(exponent, int)):
        return _pow_fixed(input, exponent)  # type: ignore[arg-type]
    if input.__class__ in (int, float):
        return rpow(exponent, input)  # type: ignore[arg-type]
    return _pow_to_number(input, exponent) if exponent.__class__ is float else _pow(input, exponent)  # type: ignore[arg-type]


@operation(grad="PowBackward2")
def rpow(input: Tensor, other: Number) -> Tensor:
    """other ** input."""
    return _pow(other, input)


def square(input: Tensor) -> Tensor:
    """input * input. As `torch.square`."""
    return _pow_fixed(input, 2)


@operation
def neg(input: Tensor) -> Tensor:
    """-input. As `torch.neg`.

    Raises:
        DTypeError: the tensor is boolean.
    """
    if input.dtype.category == BOOL:
        raise DTypeError(
            "neg: Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, "
            "use the `~` or `logical_not()` operator instead. Fix: ~x."
        )
    return emit(Neg(), input)


def positive(input: Tensor) -> Tensor:
    """The tensor itself. As `torch.positive`."""
    return input


@operation
def abs(input: Tensor) -> Tensor:
    """The magnitude of each element. As `torch.abs`."""
    return emit(Abs(), input) if input.dtype.category != BOOL else input.clone()


@operation
def sign(input: Tensor) -> Tensor:
    """-1, 0 or 1, as each element is. As `torch.sign`."""
    return emit(Sign(), input) if input.dtype.category != BOOL else input.clone()


sgn = sign


@operation(once=True)
def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """input + value * tensor1 * tensor2. As `torch.addcmul`."""
    base, a, b = meet(input, tensor1, tensor2)
    return emit(Add(), base, _scaled(emit(Mul(), a, b), value))


@operation(once=True)
def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """input + value * tensor1 / tensor2. As `torch.addcdiv`.

    Raises:
        DTypeError: all operands are integers.
    """
    base, a, b = meet(input, tensor1, tensor2)
    if base.dtype.category < FLOAT:
        raise DTypeError(
            "Integer division with addcdiv is no longer supported. Fix: convert an operand to float first."
        )
    return emit(Add(), base, _scaled(emit(Div(), a, b), value))


@operation(grad="LerpBackward0", once=True)
def lerp(input: Tensor, end: Tensor, weight: Tensor | Number) -> Tensor:
    """input + weight * (end - input), from the nearer end. As `torch.lerp`.

    Raises:
        DTypeError: `end` has another type.
    """
    if input.dtype is not end.dtype:
        raise DTypeError(
            f"lerp: expected dtype {input.dtype} for `end` but got dtype {end.dtype}. Fix: end.to(input.dtype)."
        )
    a, b, w = meet(input, end, weight, record=input.dtype)
    span = emit(Sub(), b, a)
    near = emit(Add(), a, emit(Mul(), w, span))
    far = emit(Sub(), b, emit(Mul(), span, 1 - w))
    from kadam.ops.compare import where

    return where(w.abs() < 0.5, near, far)


takes_older_order("input alpha other", add, sub)
takes_older_order("input value tensor1 tensor2", addcmul, addcdiv)

add_, sub_, mul_ = in_place(add), in_place(sub), in_place(mul)
div_, floor_divide_, remainder_, fmod_ = in_place(div), in_place(floor_divide), in_place(remainder), in_place(fmod)
pow_, square_, neg_, abs_, sign_ = in_place(pow), in_place(square), in_place(neg), in_place(abs), in_place(sign)
addcmul_, addcdiv_, lerp_ = in_place(addcmul), in_place(addcdiv), in_place(lerp)
true_divide, divide, subtract, multiply, negative, absolute = div, div, sub, mul, neg, abs
negative_ = neg_
