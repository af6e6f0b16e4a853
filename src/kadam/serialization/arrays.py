"""NumPy's arrays, numbers and types from a file, made of what has been checked here.

NumPy believes what a pickle tells it: a type with fields beyond its size reads memory that is not its own, and a type
of objects takes bytes of the file for their addresses. So only types of plain elements are made, by name, and only
arrays and numbers whose bytes are exactly as many as their type and shape need.
"""

from __future__ import annotations

import math
import re
import sys
from typing import Any, NoReturn

import numpy as np

from kadam.serialization.files import CheckpointError

Array = np.ndarray[Any, np.dtype[Any]]

_PLAIN = re.compile(r"[<>=|]?(?:b1|[iu][1248]|f[248]|c(?:8|16)|[SU]\d{0,9}|[Mm]8)")
_UNITS = frozenset((b"Y", b"M", b"W", b"D", b"h", b"m", b"s", b"ms", b"us", b"ns", b"ps", b"fs", b"as", b"generic"))
_MOST_AXES = 64  # that NumPy knows
_multiarray = np._core.multiarray  # type: ignore[attr-defined]


class _Marker:
    """What stands for `numpy.ndarray` while a file is read: named by files, of no use beyond that."""


ARRAY = _Marker()


def plain_type(code: object, align: object = False, copy: object = True) -> np.dtype[Any]:
    """A type of plain elements, by its code such as `f8`; an object of its own, whose byte order a file may set."""
    if type(code) is not str or not _PLAIN.fullmatch(code):
        _refuse(f"has the type {code!r}")
    return np.dtype(code, False, True)


def empty_array(kind: object, shape: object, code: object) -> Array:
    """The array that `fill` will give its elements."""
    if kind is not ARRAY:
        _refuse(f"is of the class {kind!r}")
    return np.empty((0,), np.int8)


def number(record: object, content: object = b"") -> Any:
    """One number of NumPy's, of its bytes."""
    if not isinstance(record, np.dtype) or type(content) is not bytes:
        _refuse(f"has the type {record!r}")
    _check_plain(record)
    if not record.itemsize:
        return record.type()  # an empty text
    return _multiarray.scalar(record, _sound(record, content, record.itemsize))


def fill(array: Array, state: object) -> None:
    """Give an array from `empty_array` its shape, type and elements.

    Raises:
        CheckpointError: it has them already, or they do not fit each other.
    """
    if type(array) is not np.ndarray or array.shape != (0,) or array.dtype != np.int8:
        _refuse("is filled twice")
    match state:
        case (int(), tuple(shape), np.dtype() as record, bool(is_fortran), bytes(content)):
            _check_plain(record)
            if not record.itemsize or len(shape) > _MOST_AXES or not all(type(size) is int for size in shape):
                _refuse(f"has the shape {shape}")
            if min(shape, default=0) < 0 or math.prod(size or 1 for size in shape) * record.itemsize >= 1 << 63:
                _refuse(f"has the shape {shape}")
            sound = _sound(record, content, math.prod(shape) * record.itemsize)
            _multiarray.ndarray.__setstate__(array, (1, shape, record, is_fortran, sound))
        case _:
            _refuse("is not made of plain bytes")


def set_order(record: np.dtype[Any], state: object) -> None:
    """Give a type from `plain_type` its byte order, and times their unit: all that a file may say of it.

    Raises:
        CheckpointError: the file says more.
    """
    _check_plain(record)
    is_text, is_time = record.kind in "SU", record.kind in "Mm"
    size = (record.itemsize, record.alignment) if is_text else (-1, -1)
    match state:
        case (3, "<" | ">" | "|" as order, None, None, None, int(items), int(alignment), 0 | 8) if not is_time:
            details: tuple[Any, ...] = (*size, record.flags if is_text else 0)
        case (4, "<" | ">" | "|" as order, None, None, None, int(items), int(alignment), 0, (notes, unit)) if not notes:
            details = (*size, 0, ({}, _unit(record, unit)))
        case _:
            _refuse(f"has a type of the state {state!r}")
    # One of NumPy's own types is the same object in every array of the program.
    if (items, alignment) != size or record is np.dtype(record.str):
        _refuse(f"has a type of the state {state!r}")
    record.__setstate__((3 + is_time, order, None, None, None, *details))  # type: ignore[attr-defined]


def _unit(record: np.dtype[Any], unit: object) -> tuple[bytes, int, int, int]:
    match unit:
        case (bytes(name), int(count), 1, 1) if record.kind in "Mm" and name in _UNITS and 0 < count < 1 << 31:
            return name, count, 1, 1
    return _refuse(f"counts time in {unit!r}")


def _check_plain(record: np.dtype[Any]) -> None:
    """Refuse a type that was not made here: with fields, objects or parts of any kind."""
    if record.kind not in "biufcSUMm" or record.hasobject or record.names or record.subdtype:
        _refuse(f"has the type {record!r}")


def _sound(record: np.dtype[Any], content: bytes, size: int) -> bytes:
    """The bytes, if they are as many as they must be; truth values as NumPy believes all of them to be, 0 or 1."""
    if len(content) != size:
        _refuse(f"holds {len(content)} bytes where {size} are needed")
    if record.kind == "U" and size:
        letters = np.frombuffer(content, np.dtype(np.uint32).newbyteorder(record.byteorder))
        if letters.max() > sys.maxunicode:
            _refuse("has letters that are none")
    return (np.frombuffer(content, np.uint8) != 0).tobytes() if record.kind == "b" else content


def _refuse(what: str) -> NoReturn:
    raise CheckpointError(
        f"load: an array of NumPy's in the file {what}; only plain arrays of numbers, truth values, text and times are "
        "read. Fix: save the arrays as tensors, torch.from_numpy(array)."
    )


# What NumPy's arrays and numbers are pickled with, by the names that files have for them.
NUMPY: dict[str, Any] = {
    "numpy.ndarray": ARRAY,
    "numpy.dtype": plain_type,
    **{f"numpy.{core}.multiarray._reconstruct": empty_array for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray.scalar": number for core in ("core", "_core")},
}
_OWN_FOR = {
    id(np.ndarray): ARRAY,
    id(np.dtype): plain_type,
    id(_multiarray._reconstruct): empty_array,
    id(_multiarray.scalar): number,
}


def checked(known: Any) -> Any:
    """What stands for something that the user has allowed: for NumPy's own makers, the ones here."""
    return _OWN_FOR.get(id(known), known)
