"""How operands of several types and shapes meet: PyTorch's type promotion and broadcasting, as explicit nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kadam import dtypes
from kadam.dtypes import BOOL, COMPLEX, FLOAT, dtype
from kadam.ir.builder import current_builder
from kadam.ir.primitive import Primitive
from kadam.primitives.broadcast import Broadcast
from kadam.primitives.elementwise import Cast
from kadam.primitives.sources import Full
from kadam.recording.calls import emit, symbol
from kadam.recording.step import state
from kadam.recording.tensor import Recorded
from kadam.shapes import Shape, broadcast

if TYPE_CHECKING:
    from kadam.recording.tensor import Number
    from kadam.tensor import Tensor


def result_type(*operands: Any) -> dtype:
    """The element type in which operands (tensors, numbers) meet, as `torch.result_type`.

    Tensors with axes decide; a 0-d tensor, and after it a number, only raises the category (integer, float, complex).
    """
    ranks: list[dtype | None] = [None, None, None]  # tensors with axes, 0-d tensors, numbers
    for operand in operands:
        if isinstance(operand, Recorded):
            spec = operand._spec
            place, record = (2 if spec.weak else 0 if spec.shape else 1), spec.dtype
            if spec.weak and record.category >= FLOAT and not state.numbers:
                record = dtypes.default_complex() if record.category == COMPLEX else dtypes.default_float()
        else:
            place, record = 2, dtypes.of_number(operand)
        seen = ranks[place]
        ranks[place] = record if seen is None else dtypes.promote(seen, record)
    result = ranks[0]
    for lower in ranks[1:]:
        result = _raised(result, lower)
    if result is None:
        raise TypeError("result_type needs at least one operand. Fix: give tensors, numbers or dtypes.")
    return result


def _raised(higher: dtype | None, lower: dtype | None) -> dtype | None:
    """What `higher` becomes in the company of a type that only counts by its category."""
    if higher is None or lower is None:
        return higher or lower
    if higher.category >= FLOAT:
        if lower.category == COMPLEX and higher.category == FLOAT:
            return dtypes.complex128 if higher is dtypes.float64 else dtypes.complex64
        return higher
    if higher.category == BOOL or lower.category >= FLOAT:
        return dtypes.promote(higher, lower)
    return higher


def cast(input: Tensor, record: dtype) -> Tensor:
    """In a body: `input` as another element type; as it is if it has that type already."""
    return input if input.dtype is record else emit(Cast(record), input)


def with_number(primitive: Primitive, input: Any, other: Any, floating: bool = False) -> Tensor:
    """In a body: a product or a quotient. In 16 bits, a number (or a 0-d tensor) on the right keeps its digits."""
    a, b = meet(input, other, floating=floating)
    number = not isinstance(other, Recorded) or not other._spec.shape
    if not number or a.dtype not in (dtypes.float16, dtypes.bfloat16):
        return emit(primitive, a, b)
    factor = stretched(as_tensor_of(other, dtypes.float32), tuple(a.shape))
    return cast(emit(primitive, cast(a, dtypes.float32), factor), a.dtype)


def rounded_once(result: Callable[..., Tensor], *operands: Tensor) -> Tensor:
    """In a body: a product and its bias. In 16 bits they are summed in single precision, and then rounded."""
    record = operands[0].dtype
    if record not in (dtypes.float16, dtypes.bfloat16):
        return result(*operands)
    return cast(result(*[cast(one, dtypes.float32) for one in operands]), record)


def stretched(input: Tensor, shape: Shape) -> Tensor:
    """In a body: `input` broadcast to `shape`."""
    return input if tuple(input.shape) == tuple(shape) else emit(Broadcast(tuple(shape)), input)


def constant(value: Number, record: dtype, shape: Shape = ()) -> Tensor:
    """In a body: a tensor of equal elements, known without any run."""
    return symbol(current_builder().emit(Full(value, tuple(shape), record)))


def as_tensor_of(operand: Any, record: dtype) -> Tensor:
    """In a body: an operand (tensor or number) as a tensor of the given element type."""
    if isinstance(operand, Recorded):
        return cast(operand, record)  # type: ignore[arg-type]
    return constant(operand, record)


def meet(*operands: Any, record: dtype | None = None, floating: bool = False) -> list[Tensor]:
    """In a body: the operands as tensors of one type and one shape.

    Args:
        operands: tensors and numbers.
        record: the element type; by default the operands' `result_type`.
        floating: make integers and booleans the default float type (as `/` and `sqrt` do).

    Raises:
        ShapeError: the shapes do not broadcast.
    """
    record = record or result_type(*operands)
    if floating and record.category < FLOAT:
        record = dtypes.default_float()
    shape = broadcast(*(tuple(one._spec.shape) for one in operands if isinstance(one, Recorded)))
    return [stretched(as_tensor_of(one, record), shape) for one in operands]


def floating(input: Tensor) -> Tensor:
    """In a body: `input` as floating point: integers and booleans become the default float type."""
    return input if input.dtype.category >= FLOAT else cast(input, dtypes.default_float())


def widened(input: Tensor) -> Tensor:
    """In a body: half precision as single precision, for a computation of several steps that rounds once."""
    return cast(input, dtypes.float32) if input.dtype in (dtypes.float16, dtypes.bfloat16) else input
