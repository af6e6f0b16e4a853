"""What the tensors of a collective operation must have in common, and how they may be reduced."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kadam.dtypes import COMPLEX, FLOAT
from kadam.errors import DTypeError, OperandError, ShapeError
from kadam.recording.tensor import Recorded

if TYPE_CHECKING:
    from kadam.tensor import Tensor

_BITS = ("BAND", "BOR", "BXOR")
_OF_COMPLEX = ("SUM", "AVG")


def check_tensors(operation: str, **given: Any) -> None:
    """That arguments are tensors, or lists of tensors if their names say so.

    Raises:
        OperandError: one is not.
    """
    for name, value in given.items():
        listed = name.endswith("_list")
        parts = value if listed and isinstance(value, list | tuple) else [value]
        if (listed and parts is not value) or not all(isinstance(one, Recorded) for one in parts):
            raise OperandError(
                f"{operation}: Invalid function argument. Expected parameter `{name}` of type "
                f"{'List[torch.Tensor]' if listed else 'torch.Tensor'}, it is a {type(value).__name__}. Fix: give "
                f"{'a list of tensors' if listed else 'a tensor'}."
            )


def check_reduction(operation: str, op: Any, kinds: type, tensor: Tensor) -> None:
    """That numbers of a tensor's type can be reduced so.

    Raises:
        OperandError: `op` is no way to reduce, or one that needs a factor.
        ValueError: complex numbers have no order and no bits.
        DTypeError: bits of numbers that are not whole, or the mean as a whole number.
    """
    if not isinstance(op, kinds) or op.name == "PREMUL_SUM":  # type: ignore[attr-defined]
        raise OperandError(f"{operation}: {op} is no way to reduce tensors. Fix: op=ReduceOp.SUM.")
    name, dtype = op.name, tensor.dtype  # type: ignore[attr-defined]
    if dtype.category >= COMPLEX and name not in _OF_COMPLEX:
        raise ValueError(f"{operation} does not support {name} on complex tensors. Fix: op=ReduceOp.SUM.")
    if (name in _BITS and dtype.category >= FLOAT) or (name == "AVG" and dtype.category < FLOAT):
        raise DTypeError(f"{operation}: there is no {name} of {dtype}. Fix: convert the tensor, or op=ReduceOp.SUM.")


def check_alike(operation: str, one: Tensor, other: Tensor, *, elements: bool = False) -> None:
    """That a tensor can be sent as another, which is neither cast nor broadcast.

    Args:
        operation: the collective's name.
        one: what is sent.
        other: what it is written to.
        elements: only the number of elements must agree.

    Raises:
        ValueError: their types differ.
        ShapeError: their shapes do.
    """
    if one.dtype is not other.dtype:
        raise MixedTypesError(
            f"{operation}: tensors with different dtypes, {one.dtype} and {other.dtype}. Fix: make both of one type."
        )
    sent, got = tuple(one.shape), tuple(other.shape)
    if (math.prod(sent) != math.prod(got)) if elements else sent != got:
        raise ShapeError(f"{operation}: a tensor of shape {sent} is sent to one of {got}. Fix: give both one shape.")


class MixedTypesError(DTypeError, ValueError):
    """Tensors of several types where one is asked for."""


def check_splits(operation: str, tensor: Tensor, sizes: Sequence[int] | None) -> None:
    """That the parts to be sent to each of one process are the whole tensor.

    Raises:
        ShapeError: they are not.
    """
    if sizes and list(sizes) != [tensor.shape[0]]:
        raise ShapeError(
            f"{operation}: split sizes {list(sizes)} of a tensor of shape {tuple(tensor.shape)} in a world of size 1. "
            f"Fix: [{tensor.shape[0]}], or none."
        )
