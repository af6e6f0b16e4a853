"""What compiled functions read of this process: Python's own functions, the objects that a text names, and slots.

All stands in one array of pointers, which the compiled code is called with, so that the code itself can stand on the
disk: it knows places in the array, and where slots lie in objects, no addresses.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np

API = {
    # name in Python's interface -> result and parameters, as LLVM writes them
    "PyObject_GetAttr": "ptr (ptr, ptr)",
    "PyObject_SetAttr": "i32 (ptr, ptr, ptr)",
    "PyObject_Vectorcall": "ptr (ptr, ptr, i64, ptr)",
    "PyObject_VectorcallMethod": "ptr (ptr, ptr, i64, ptr)",
    "PyObject_Call": "ptr (ptr, ptr, ptr)",
    "_PyObject_GetMethod": "i32 (ptr, ptr, ptr)",
    "PyObject_IsTrue": "i32 (ptr)",
    "PyObject_IsInstance": "i32 (ptr, ptr)",
    "PyObject_RichCompare": "ptr (ptr, ptr, i32)",
    "PyObject_GetItem": "ptr (ptr, ptr)",
    "PyObject_SetItem": "i32 (ptr, ptr, ptr)",
    "PyObject_DelItem": "i32 (ptr, ptr)",
    "PyObject_Size": "i64 (ptr)",
    "PySequence_Contains": "i32 (ptr, ptr)",
    "PySequence_List": "ptr (ptr)",
    "PySequence_Tuple": "ptr (ptr)",
    "PyList_New": "ptr (i64)",
    "PyList_Append": "i32 (ptr, ptr)",
    "PyTuple_New": "ptr (i64)",
    "PyDict_New": "ptr ()",
    "PyDict_SetItem": "i32 (ptr, ptr, ptr)",
    "PyDict_GetItemWithError": "ptr (ptr, ptr)",
    "PySlice_New": "ptr (ptr, ptr, ptr)",
    "PyLong_FromSsize_t": "ptr (i64)",
    "PyNumber_Add": "ptr (ptr, ptr)",
    "PyNumber_Subtract": "ptr (ptr, ptr)",
    "PyNumber_Multiply": "ptr (ptr, ptr)",
    "PyNumber_TrueDivide": "ptr (ptr, ptr)",
    "PyNumber_FloorDivide": "ptr (ptr, ptr)",
    "PyNumber_Remainder": "ptr (ptr, ptr)",
    "PyNumber_Power": "ptr (ptr, ptr, ptr)",
    "PyNumber_And": "ptr (ptr, ptr)",
    "PyNumber_Or": "ptr (ptr, ptr)",
    "PyNumber_InPlaceAdd": "ptr (ptr, ptr)",
    "PyNumber_InPlaceSubtract": "ptr (ptr, ptr)",
    "PyNumber_InPlaceOr": "ptr (ptr, ptr)",
    "PyNumber_Invert": "ptr (ptr)",
    "PyNumber_Negative": "ptr (ptr)",
    "PyType_GenericAlloc": "ptr (ptr, i64)",
    "PyErr_Fetch": "void (ptr, ptr, ptr)",
    "PyErr_Restore": "void (ptr, ptr, ptr)",
    "PyErr_NormalizeException": "void (ptr, ptr, ptr)",
    "PyErr_GivenExceptionMatches": "i32 (ptr, ptr)",
    "PyErr_SetObject": "void (ptr, ptr)",
    "PyErr_Occurred": "ptr ()",
    "PyThread_get_thread_ident": "i64 ()",
    "_Py_Dealloc": "void (ptr)",
    "Py_IncRef": "void (ptr)",
    "Py_DecRef": "void (ptr)",
}


class Table:
    """The array of a text, and where in it things stand."""

    def __init__(self) -> None:
        self._objects: list[Any] = []  # alive as long as the table
        self._places: dict[Any, int] = {}
        self._addresses: list[int] = []

    def function(self, name: str) -> int:
        """The place of one of Python's functions."""
        key = ("function", name)
        if key not in self._places:
            self._places[key] = len(self._addresses)
            self._addresses.append(ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value or 0)
        return self._places[key]

    def object(self, value: Any) -> int:
        """The place of an object, which the table keeps alive."""
        key = ("object", id(value))
        if key not in self._places:
            self._places[key] = len(self._addresses)
            self._objects.append(value)
            self._addresses.append(id(value))
        return self._places[key]

    def number(self, name: str, value: int) -> int:
        """The place of a number."""
        self._places[name] = len(self._addresses)
        self._addresses.append(value)
        return self._places[name]

    def array(self) -> np.ndarray[Any, Any]:
        """The table as compiled code reads it."""
        return np.array(self._addresses, np.int64)


class _Member(ctypes.Structure):
    """PyMemberDef."""

    _fields_ = (("name", ctypes.c_char_p), ("type", ctypes.c_int), ("offset", ctypes.c_ssize_t))


_MEMBER_AT = 40  # of a PyMemberDescrObject


@cache
def slots(classes: tuple[type, ...]) -> dict[str, list[tuple[type, int]]]:
    """Where attributes lie that are slots: name -> classes and the offset in bytes in their instances."""
    found: dict[str, list[tuple[type, int]]] = {}
    for cls in classes:
        for name, offset in _slots_of(cls):
            found.setdefault(name, []).append((cls, offset))
    return found


def _slots_of(cls: type) -> Iterable[tuple[str, int]]:
    seen: set[str] = set()
    for base in cls.__mro__:
        for name, member in vars(base).items():
            if name not in seen and type(member).__name__ == "member_descriptor" and base is not object:
                offset = _offset(member)
                if offset is not None:
                    yield name, offset
            seen.add(name)


def _offset(member: Any) -> int | None:
    if member.__objclass__.__flags__ & (1 << 9) == 0:  # no heap type: a slot of C's own
        return None
    at = ctypes.c_void_p.from_address(id(member) + _MEMBER_AT).value
    found = _Member.from_address(at or 0)
    return found.offset if found.name == member.__name__.encode() else None
