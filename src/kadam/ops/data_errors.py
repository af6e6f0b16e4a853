"""What is wrong with data that cannot become a tensor."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from kadam import dtypes
from kadam.dtypes import dtype
from kadam.errors import DTypeError, KadamError, OperandError, RangeError
from kadam.ops.require import ArgumentError


class ValueShapeError(KadamError, ValueError):
    """Nested data whose parts have different lengths."""


def check_holds(record: dtype, array: np.ndarray[Any, Any]) -> None:
    """Raise where numbers lie outside an integer type; -1, -2, ... down to the width of an unsigned one wrap around."""
    limits = np.iinfo(record.numpy)
    low = -limits.max if limits.min == 0 else limits.min
    outside = array[(array < low) | (array > limits.max)] if array.dtype.kind in "iuf" else array[:0]
    if outside.size:
        raise RangeError(
            f"value cannot be converted to type {record.name} without overflow: {outside.flat[0]} is outside "
            f"{limits.min} to {limits.max}. Fix: dtype=torch.int64."
        )


def ragged(data: Any) -> KadamError:
    """The error about sequences of different lengths, or beside numbers."""
    first: Any = data[0] if isinstance(data, list | tuple) and len(data) else None
    for place, one in enumerate(data if first is not None else ()):
        if hasattr(first, "__len__") and not hasattr(one, "__len__"):
            return OperandError(
                f"tensor: not a sequence: element {place} is {one!r}, element 0 has {len(first)} elements. Fix: give "
                "nested lists of one depth."
            )
        if hasattr(first, "__len__") and len(one) != len(first):
            return ValueShapeError(
                f"tensor: expected sequence of length {len(first)} at dim 1 (got {len(one)}, at element {place}). Fix: "
                "pad the sequences to one length, for example with nn.utils.rnn.pad_sequence."
            )
        if not hasattr(first, "__len__") and hasattr(one, "__len__"):
            return OperandError(
                f"tensor: must be real number, not {type(one).__name__}: element {place} is {one!r}, element 0 is "
                f"{first!r}. Fix: give nested lists of one depth."
            )
    return ValueShapeError(
        "tensor: expected sequences of equal length at each level. Fix: pad the sequences to one length, for example "
        "with nn.utils.rnn.pad_sequence."
    )


def no_numbers(data: Any) -> KadamError:
    """The error about data that holds something else than numbers."""
    if isinstance(data, np.ndarray):
        try:
            dtypes.of_numpy(data.dtype)
        except DTypeError as error:
            return error
    odd = _odd_one(data)
    if isinstance(odd, int):
        return ArgumentError(
            f"tensor: Overflow when unpacking long long: {odd} has more than 64 bits. Fix: float({odd})."
        )
    if not isinstance(odd, str | bytes):
        return DTypeError(
            f"tensor: Could not infer dtype of {type(odd).__name__}: tensors hold numbers. Fix: convert it to numbers "
            "first."
        )
    first = data
    while isinstance(first, list | tuple) and first:
        first = first[0]
    words = f"tensors hold numbers, not text ({odd!r}). Fix: turn words into numbers first, for example by a dictionary"
    if data is not first and first is odd and isinstance(odd, str):
        return ArgumentError(f"tensor: too many dimensions 'str': {words} of their indices.")
    return OperandError(f"tensor: new(): invalid data type '{type(odd).__name__}': {words} of their indices.")


def _odd_one(data: Any) -> Any:
    """The first element of nested sequences that is no number, or too large for one; or the data itself."""
    for one in data if isinstance(data, list | tuple) else ():
        if isinstance(one, list | tuple):
            found = _odd_one(one)
            if found is not one:
                return found
        elif not isinstance(one, numbers.Number | np.generic) or (isinstance(one, int) and not -(2**63) <= one < 2**64):
            return one
    return data
