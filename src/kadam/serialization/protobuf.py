"""Messages in Protocol Buffers' binary form, written field by field.

Source: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

Field = tuple[int, Any]
_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5


class Single(float):
    """A number that the format keeps in 32 bits; other floats take 64."""


def message(*fields: Field) -> bytes:
    """A message of numbered fields, in order; None stands for a field that is left out.

    Args:
        fields: number and value: an int or bool, a float, `Single`, text, bytes (a message, for example).
    """
    return b"".join(_field(number, value) for number, value in fields if value is not None)


def packed(values: Iterable[float | int]) -> bytes:
    """Several numbers in one field: floats in 64 bits each, ints in as many bytes as they need."""
    return b"".join(struct.pack("<d", one) if isinstance(one, float) else varint(one) for one in values)


def varint(value: int) -> bytes:
    """A whole number in groups of 7 bits, the lowest first."""
    value &= (1 << 64) - 1
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def _field(number: int, value: Any) -> bytes:
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return varint(number << 3 | _BYTES) + varint(len(value)) + value
    if isinstance(value, Single):
        return varint(number << 3 | _FLOAT) + struct.pack("<f", value)
    if isinstance(value, float):
        return varint(number << 3 | _DOUBLE) + struct.pack("<d", value)
    return varint(number << 3 | _VARINT) + varint(int(value))
