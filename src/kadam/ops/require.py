"""What operations ask of their operands, and the errors that say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kadam.dtypes import FLOAT
from kadam.errors import DTypeError, KadamError, OperandError
from kadam.recording.tensor import Recorded

if TYPE_CHECKING:
    from kadam.recording.tensor import Number
    from kadam.tensor import Tensor


class ArgumentError(KadamError, ValueError):
    """An argument whose value makes no sense."""


class NotFloatingError(DTypeError, NotImplementedError):
    """An operand of integers or booleans where only floating-point numbers have a meaning."""


def require_floating(name: str, *tensors: Tensor | None) -> None:
    """Raise unless all tensors hold floating-point numbers.

    Raises:
        NotFloatingError: one does not.
    """
    for one in tensors:
        if one is not None and one._spec.dtype.category < FLOAT:
            raise NotFloatingError(
                f'{name}: "{name}" not implemented for {one._spec.type}: it takes floating point. Fix: .float()'
            )


def require_one_type(name: str, input: Tensor, *others: Tensor | None) -> None:
    """Raise unless all tensors have the input's element type.

    Raises:
        DTypeError: one has not.
    """
    for one in others:
        if one is not None and one._spec.dtype is not input._spec.dtype:
            raise DTypeError(
                f"{name}: Found dtype {one.dtype} but expected {input.dtype}: {one._spec.type} beside "
                f"{input._spec.type}. Fix: convert one of them, for example with .float()."
            )


def require_probability(p: float) -> None:
    """Raise unless p lies between 0 and 1.

    Raises:
        ArgumentError: it does not.
    """
    try:
        within = 0.0 <= p <= 1.0
    except TypeError:
        raise OperandError(f"dropout probability must be a number, not {type(p).__name__}. Fix: p=0.5.") from None
    if not within:
        raise ArgumentError(f"dropout probability has to be between 0 and 1, but got {p}. Fix: p=0.5.")


def require_a_tensor(name: str, *operands: Tensor | Number) -> None:
    """In a body: raise where all operands are Python numbers, and PyTorch computes of tensors only.

    Raises:
        OperandError: there is no tensor.
    """
    if all(isinstance(one, Recorded) and one._spec.weak for one in operands):
        raise OperandError(f"{name}(): argument 'input' (position 1) must be Tensor. Fix: torch.tensor(value).")
