"""Elements held against each other, logic on what comes of it, and choice by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from kadam import dtypes
from kadam.dtypes import BOOL, FLOAT, of_number
from kadam.errors import DTypeError, OperandError, RangeError, ShapeError
from kadam.ir.primitive import Primitive
from kadam.ops.draws import ElementTypeError
from kadam.ops.places import nonzero
from kadam.ops.promotion import as_tensor_of, cast, meet, result_type, stretched
from kadam.primitives import bits
from kadam.primitives import compare as p
from kadam.primitives.elementwise import Abs, Where
from kadam.recording.calls import emit
from kadam.recording.in_place import in_place
from kadam.recording.operation import operation
from kadam.recording.order import row_major
from kadam.recording.tensor import Recorded, from_array, read
from kadam.shapes import broadcast

if TYPE_CHECKING:
    from kadam.recording.tensor import Number
    from kadam.tensor import Tensor


class InvertError(DTypeError, TypeError):
    """An element type that has no complement."""


def _comparison(name: str, primitive: Callable[[], Primitive], sign: str) -> Callable[..., Tensor]:
    def body(input: Tensor, other: Tensor | Number) -> Tensor:
        return emit(primitive(), *meet(input, other))

    body.__name__ = body.__qualname__ = name
    body.__doc__ = f"input {sign} other, element by element. As `torch.{name}`."
    return operation(body)


lt = _comparison("lt", p.Less, "<")
le = _comparison("le", p.LessEqual, "<=")
gt = _comparison("gt", p.Greater, ">")
ge = _comparison("ge", p.GreaterEqual, ">=")
eq = _comparison("eq", p.Equal, "==")
ne = _comparison("ne", p.NotEqual, "!=")
less, less_equal, greater, greater_equal, not_equal = lt, le, gt, ge, ne


def equal_operator(self: Tensor, other: Any) -> Any:
    """self == other; False where `other` is neither a tensor nor a number, as Python has it."""
    if isinstance(other, np.ndarray) and other.dtype.kind in "biufc":
        return eq(self, from_array(other.copy()))
    return eq(self, other) if isinstance(other, Recorded | int | float | complex | np.generic) else NotImplemented


def unequal_operator(self: Tensor, other: Any) -> Any:
    """self != other; True where `other` is neither a tensor nor a number, as Python has it."""
    return ne(self, other) if isinstance(other, Recorded | int | float | complex | np.generic) else NotImplemented


@operation
def maximum(input: Tensor, other: Tensor) -> Tensor:
    """The larger of each pair; nan wins. As `torch.maximum`."""
    return emit(p.Maximum(), *meet(input, other))


@operation
def minimum(input: Tensor, other: Tensor) -> Tensor:
    """The smaller of each pair; nan wins. As `torch.minimum`."""
    return emit(p.Minimum(), *meet(input, other))


@operation
def fmax(input: Tensor, other: Tensor) -> Tensor:
    """The larger of each pair; numbers win over nan. As `torch.fmax`."""
    a, b = meet(input, other)
    return where((a >= b) | isnan(b), a, b)


@operation
def fmin(input: Tensor, other: Tensor) -> Tensor:
    """The smaller of each pair; numbers win over nan. As `torch.fmin`."""
    a, b = meet(input, other)
    return where((a <= b) | isnan(b), a, b)


@operation
def isnan(input: Tensor) -> Tensor:
    """Whether each element is nan. As `torch.isnan`."""
    if input.dtype.category < FLOAT:
        return emit(p.NotEqual(), input, input)
    return emit(p.IsNan(), input)


@operation
def isinf(input: Tensor) -> Tensor:
    """Whether each element is an infinity. As `torch.isinf`."""
    if input.dtype.category < FLOAT:
        return emit(p.NotEqual(), input, input)
    return eq(emit(Abs(), input), float("inf"))


@operation
def isfinite(input: Tensor) -> Tensor:
    """Whether each element is neither nan nor an infinity. As `torch.isfinite`."""
    if input.dtype.category < FLOAT:
        return emit(p.Equal(), input, input)
    return lt(emit(Abs(), input), float("inf"))


@operation
def isposinf(input: Tensor) -> Tensor:
    """Whether each element is inf. As `torch.isposinf`."""
    return eq(input, float("inf"))


@operation
def isneginf(input: Tensor) -> Tensor:
    """Whether each element is -inf. As `torch.isneginf`."""
    return eq(input, float("-inf"))


@operation
def isclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """|input - other| <= atol + rtol |other|, element by element. As `torch.isclose`.

    Raises:
        DTypeError: the two have different types.
    """
    for bound, given in (("rtol", rtol), ("atol", atol)):
        if given < 0:
            raise RangeError(
                f"isclose: {bound} must be greater than or equal to zero, but got {given}. Fix: {bound}=0."
            )
    if input.dtype is not other.dtype:
        raise DTypeError(
            f"isclose: {input.dtype} did not match {other.dtype}. Fix: convert one of them, for example "
            "other.to(input.dtype)."
        )
    close = eq(input, other)
    if equal_nan and input.dtype.category >= FLOAT:
        close = close | (isnan(input) & isnan(other))
    gap = (input - other).abs() if input.dtype.category > BOOL else ne(input, other)
    return close | (isfinite(gap) & le(gap, atol + (other * rtol).abs()))


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether all elements are close. As `torch.allclose`."""
    return bool(read(isclose(input, other, rtol, atol, equal_nan)).all())


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have one shape and equal elements. As `torch.equal`.

    Raises:
        OperandError: one is no tensor.
    """
    if not isinstance(other, Recorded):
        raise OperandError(
            f"equal(): argument 'other' (position 2) must be Tensor, not {type(other).__name__}. Fix: "
            "torch.tensor(other), or (x == other).all()."
        )
    return input.shape == other.shape and bool((read(input) == read(other)).all())


def _logical(name: str, primitive: Callable[[], Primitive], what: str) -> Callable[..., Tensor]:
    def body(input: Tensor, other: Tensor) -> Tensor:
        a, b = _truth(input), _truth(other)
        shape = broadcast(tuple(a.shape), tuple(b.shape))
        return emit(primitive(), stretched(a, shape), stretched(b, shape))

    body.__name__ = body.__qualname__ = name
    body.__doc__ = f"Whether {what}, element by element. As `torch.{name}`."
    return operation(body)


def _truth(input: Tensor) -> Tensor:
    """In a body: whether each element is not zero."""
    return input if input.dtype.category == BOOL else ne(input, 0)


logical_and = _logical("logical_and", bits.And, "both are not zero")
logical_or = _logical("logical_or", bits.Or, "one is not zero")
logical_xor = _logical("logical_xor", bits.Xor, "just one is not zero")


@operation
def logical_not(input: Tensor) -> Tensor:
    """Whether each element is zero. As `torch.logical_not`."""
    return emit(bits.Not(), _truth(input))


def _bitwise(name: str, primitive: Callable[[], Primitive], what: str) -> Callable[..., Tensor]:
    def body(input: Tensor | Number, other: Tensor | Number) -> Tensor:
        if input._spec.weak and other._spec.weak:  # type: ignore[union-attr]
            raise OperandError(f"{name}(): argument 'input' (position 1) must be Tensor, not a number. Fix: a & b.")
        a, b = meet(input, other)
        if a.dtype.category >= FLOAT:
            raise ElementTypeError(
                f"\"{name}_cpu\" not implemented for '{a.dtype}': it takes integers and booleans"
                ". Fix: a.long(), or logical_and, logical_or, logical_xor."
            )
        return emit(primitive(), a, b)

    body.__name__ = body.__qualname__ = name
    body.__doc__ = f"{what} of integers or booleans. As `torch.{name}`."
    return operation(body)


def _reflected(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The method that Python calls where the left operand is a number."""

    def body(input: Tensor, other: Tensor | Number) -> Tensor:
        return function(input, other)

    body.__name__ = body.__qualname__ = function.__name__.replace("_", "_r")
    body.__doc__ = f"As `{function.__name__}`, with the operands exchanged."
    return operation(body)


bitwise_and = _bitwise("bitwise_and", bits.And, "Bitwise and")
bitwise_or = _bitwise("bitwise_or", bits.Or, "Bitwise or")
bitwise_xor = _bitwise("bitwise_xor", bits.Xor, "Bitwise exclusive or")
bitwise_rand, bitwise_ror, bitwise_rxor = _reflected(bitwise_and), _reflected(bitwise_or), _reflected(bitwise_xor)
bitwise_left_shift = _bitwise("bitwise_left_shift", bits.ShiftLeft, "Left shift")
bitwise_right_shift = _bitwise("bitwise_right_shift", bits.ShiftRight, "Right shift")


@operation
def bitwise_not(input: Tensor) -> Tensor:
    """The complement of integers or booleans. As `torch.bitwise_not`.

    Raises:
        DTypeError: floating-point elements.
    """
    if input.dtype.category >= FLOAT:
        raise InvertError(
            "bitwise_not: ~ (operator.invert) is only implemented on integer and Boolean-type tensors. Fix: x.bool() "
            "or x.long()."
        )
    return emit(bits.Not(), input)


@operation(grad="WhereBackward0")
def _chosen(condition: Tensor, input: Tensor | Number, other: Tensor | Number) -> Tensor:
    record = result_type(input, other)
    mask = cast(condition, dtypes.bool_)
    shapes = [tuple(one.shape) for one in (condition, input, other) if isinstance(one, Recorded)]
    shape = broadcast(*shapes)
    a, b = (stretched(as_tensor_of(one, record), shape) for one in (input, other))
    return emit(Where(), stretched(mask, shape), a, b)


@overload
def where(condition: Tensor) -> tuple[Tensor, ...]: ...
@overload
def where(condition: Tensor, input: Tensor | Number, other: Tensor | Number) -> Tensor: ...
def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """`input` where the condition holds, else `other`; alone, the places where it holds. As `torch.where`.

    Raises:
        DTypeError: the condition is not boolean.
    """
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    if isinstance(condition, Recorded) and condition._spec.dtype not in (dtypes.bool_, dtypes.uint8):
        raise DTypeError(
            f"where: where expected condition to be a boolean tensor, but got a tensor with dtype {condition.dtype}. "
            "Fix: condition.bool()."
        )
    return _chosen(condition, input, other)


def where_method(self: Tensor, condition: Tensor, other: Tensor | Number) -> Tensor:
    """This tensor where the condition holds, else `other`. As `Tensor.where`."""
    return where(condition, self, other)


@operation(order=row_major)
def masked_fill(input: Tensor, mask: Tensor, value: Tensor | Number) -> Tensor:
    """`value` where the mask is true, else `input`. As `torch.masked_fill`.

    Raises:
        DTypeError: the mask is not boolean.
    """
    if mask.dtype.category != BOOL:
        raise DTypeError(
            f"masked_fill: masked_fill_ only supports boolean masks, but got mask with dtype {mask.dtype}. Fix: "
            "mask.bool()."
        )
    if isinstance(value, Recorded) and value.shape:
        raise ShapeError(
            "masked_fill: masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{len(value.shape)} dimension(s). Fix: torch.where(mask, value, x)."
        )
    kind = value.dtype if isinstance(value, Recorded) else of_number(value)
    if kind.is_complex and not input.dtype.is_complex:
        raise DTypeError(
            f"masked_fill: value cannot be converted to type {input.dtype} without overflow: it is complex. Fix: "
            "value.real."
        )
    shape = broadcast(tuple(input.shape), tuple(mask.shape))
    filled = stretched(as_tensor_of(value, input.dtype), shape)
    return emit(Where(), stretched(mask, shape), filled, stretched(input, shape))


def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Whether each element is among `test_elements`. As `torch.isin`."""
    values = [read(one) if isinstance(one, Recorded) else np.asarray(one) for one in (elements, test_elements)]
    return from_array(np.asarray(np.isin(values[0], values[1], invert=invert)))


lt_, le_, gt_, ge_, eq_, ne_ = in_place(lt), in_place(le), in_place(gt), in_place(ge), in_place(eq), in_place(ne)
logical_and_, logical_or_, logical_xor_ = in_place(logical_and), in_place(logical_or), in_place(logical_xor)
logical_not_, bitwise_not_ = in_place(logical_not), in_place(bitwise_not)
bitwise_and_, bitwise_or_, bitwise_xor_ = in_place(bitwise_and), in_place(bitwise_or), in_place(bitwise_xor)
bitwise_left_shift_, bitwise_right_shift_ = in_place(bitwise_left_shift), in_place(bitwise_right_shift)
masked_fill_ = in_place(masked_fill)
