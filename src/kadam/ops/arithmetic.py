"""Sums, products, quotients, powers: the arithmetic of tensors and numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kadam.primitives import elementwise as p
from kadam.recording.calls import emit
from kadam.recording.memory import in_place
from kadam.recording.operation import operation
from kadam.recording.tensor import Recorded
from kadam.ops.promotion import as_tensor_of, cast, meet, result_type
from kadam.dtypes import BOOL
from kadam.errors import DTypeError

if TYPE_CHECKING:
    from kadam.recording.tensor import Number
    from kadam.tensor import Tensor


@operation
def add(input: Tensor | Number, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
    """input + alpha * other. As `torch.add`."""
    a, b = meet(input, other)
    if isinstance(alpha, Recorded) or alpha != 1:
        b = emit(p.Mul(), b, meet(b, as_tensor_of(alpha, b.dtype))[1])
    return emit(p.Add(), a, b)


@operation
def sub(input: Tensor | Number, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
    """input - alpha * other. As `torch.sub`.

    Raises:
        DTypeError: both are boolean.
    """
    if result_type(input, other).category == BOOL:
        raise DTypeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` "
            "operator instead."
        )
    a, b = meet(input, other)
    if isinstance(alpha, Recorded) or alpha != 1:
        b = emit(p.Mul(), b, meet(b, as_tensor_of(alpha, b.dtype))[1])
    return emit(p.Sub(), a, b)


@operation
def mul(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """input * other. As `torch.mul`."""
    a, b = meet(input, other)
    return emit(p.Mul(), a, b)


def rsub(input: Tensor, other: Tensor | Number) -> Tensor:
    """other - input. As `torch.rsub`."""
    return sub(other, input)


add_, sub_, mul_ = in_place(add), in_place(sub), in_place(mul)
