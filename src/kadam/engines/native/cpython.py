"""Where CPython and NumPy keep what a program reads of its inputs and outputs.

Compiled code reads lists, floats and arrays itself, because asking Python for the address of each would cost more than
a small step does. Nothing is taken on trust: `layout` looks at real objects, and where any of them is not as
expected (another Python, a build without the global lock, a later NumPy), it says None and addresses are gathered in
Python.
"""

from __future__ import annotations

import ctypes
import struct
import sys
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np

# NumPy's flags, part of its C interface, and those that inputs and outputs must have.
IS_CONTIGUOUS, IS_ALIGNED, IS_WRITEABLE = 0x1, 0x100, 0x400
READABLE = IS_CONTIGUOUS | IS_ALIGNED
WRITEABLE = READABLE | IS_WRITEABLE


@dataclass(frozen=True)
class Layout:
    """Offsets in bytes from the start of an object."""

    type: int = 8
    list_size: int = 16
    list_items: int = 24
    list_room: int = 32
    list_bytes: int = 40
    tuple_items: int = 24
    float_value: int = 16
    float_bytes: int = 24
    array_data: int = 16
    array_dtype: int = 56
    array_flags: int = 64

    def constants(self) -> dict[str, int | str]:
        """The offsets and flags by name, for the engine's texts."""
        return asdict(self) | {"readable": READABLE, "writeable": WRITEABLE}


EXPECTED = Layout()


@cache
def layout() -> Layout | None:
    """How objects lie in this process, or None if that is not known."""
    return EXPECTED if is_true(EXPECTED) else None


def is_true(layout: Layout) -> bool:
    """Whether objects of this process lie as `layout` says."""
    if sys.implementation.name != "cpython" or struct.calcsize("P") != 8:
        return False
    if "t" in getattr(sys, "abiflags", ""):  # a build without the global lock: a list may change while it is read
        return False
    if (list.__basicsize__, float.__basicsize__) != (layout.list_bytes, layout.float_bytes):
        return False
    return (
        np.ndarray.__basicsize__ > layout.array_flags + 8
        and _is_list(layout)
        and _is_tuple(layout)
        and _is_float(layout)
        and _is_array(layout)
    )


def _word(item: Any, offset: int) -> int:
    return ctypes.c_int64.from_address(id(item) + offset).value


def _is_list(layout: Layout) -> bool:
    # All other fields are where they should be before the pointer between them is followed.
    samples: list[list[Any]] = [[object() for _ in range(count)] for count in (1, 3, 10)]
    for one in samples:
        facts = (id(list), len(one), (one.__sizeof__() - layout.list_bytes) // 8)
        if tuple(_word(one, at) for at in (layout.type, layout.list_size, layout.list_room)) != facts:
            return False
    return all(
        ctypes.c_int64.from_address(_word(one, layout.list_items) + 8 * index).value == id(item)
        for one in samples
        for index, item in enumerate(one)
    )


def _is_tuple(layout: Layout) -> bool:
    samples = [tuple(object() for _ in range(count)) for count in (1, 3, 10)]
    return all(
        _word(one, layout.list_size) == len(one) and _word(one, layout.tuple_items + 8 * index) == id(item)
        for one in samples
        for index, item in enumerate(one)
    )


def _is_float(layout: Layout) -> bool:
    samples = [float(text) for text in ("3.25", "-1e300", "0.1")]
    return all(
        _word(one, layout.type) == id(float) and ctypes.c_double.from_address(id(one) + layout.float_value).value == one
        for one in samples
    )


def _is_array(layout: Layout) -> bool:
    whole = np.arange(12.0).reshape(3, 4)
    frozen = np.zeros(3, np.float32)
    frozen.flags.writeable = False
    askew = np.zeros(33, np.uint8)[1:].view(np.float64)
    samples = (
        whole,
        whole[1:],
        whole[:, 1:],
        whole.T,
        whole[2, 3:].reshape(()),
        frozen,
        askew,
        np.zeros((0, 3), np.int32),
    )
    return all(
        _word(one, layout.type) == id(np.ndarray)
        and _word(one, layout.array_data) == one.ctypes.data
        and _word(one, layout.array_dtype) == id(one.dtype)
        and _flags(_word(one, layout.array_flags)) == (one.flags.c_contiguous, one.flags.aligned, one.flags.writeable)
        for one in samples
    )


def _flags(word: int) -> tuple[bool, bool, bool]:
    return bool(word & IS_CONTIGUOUS), bool(word & IS_ALIGNED), bool(word & IS_WRITEABLE)


class Method(ctypes.Structure):
    """PyMethodDef, of Python's stable interface. Whoever makes a builtin of it keeps it alive."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


METH_FASTCALL = 0x80


def builtin(method: Method, own: Any, module: Any) -> Any:
    """A builtin function; it keeps `own`, which its code is given as `self`, and `module` alive.

    `method` stays for ever: CPython reads it once more when the function goes, and at the end of a process nobody knows
    what goes first.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(method))
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype, new.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.py_object, ctypes.py_object)
    return new(ctypes.addressof(method), own, module)
