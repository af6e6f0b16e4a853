"""The safetensors format: a header in JSON that names types, shapes and places, then the numbers.

Source: https://huggingface.co/docs/safetensors.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from kadam import dtypes
from kadam.dtypes import dtype
from kadam.errors import KadamError

Array = np.ndarray[Any, np.dtype[Any]]

_NAMES: dict[str, dtype] = {
    "F64": dtypes.float64, "F32": dtypes.float32, "F16": dtypes.float16, "BF16": dtypes.bfloat16,
    "C64": dtypes.complex64,
    "I64": dtypes.int64, "I32": dtypes.int32, "I16": dtypes.int16, "I8": dtypes.int8, "BOOL": dtypes.bool_,
    "U64": dtypes.uint64, "U32": dtypes.uint32, "U16": dtypes.uint16, "U8": dtypes.uint8,
}  # fmt: skip
_BY_TYPE = {record.numpy: name for name, record in _NAMES.items()}
_LENGTH = struct.Struct("<Q")
_LONGEST_HEADER = 100_000_000  # bytes; as the package's own


class SafetensorError(KadamError):
    """A file that is no safetensors file, or lacks a name."""


def written(arrays: Mapping[str, Array], metadata: Mapping[str, str] | None = None) -> bytes:
    """The content of a file with these arrays.

    Raises:
        SafetensorError: an element type has no name in the format.
    """
    header: dict[str, Any] = {}
    if metadata is not None:
        header["__metadata__"] = dict(metadata)
    parts, end = [], 0
    for name in sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name)):  # so that all are aligned
        array = arrays[name]
        if array.dtype not in _BY_TYPE:
            raise SafetensorError(
                f"safetensors has no type for {array.dtype} ({name!r}). Fix: convert it, as by .float()."
            )
        start, end = end, end + array.nbytes
        header[name] = {"dtype": _BY_TYPE[array.dtype], "shape": list(array.shape), "data_offsets": [start, end]}
        parts.append(np.ascontiguousarray(array).tobytes())
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([_LENGTH.pack(len(text)), text, *parts])


class Content:
    """What a file holds, read as far as it is asked for.

    Args:
        data: the content of the file.

    Attributes:
        metadata: texts that the writer gave, by name.

    Raises:
        SafetensorError: it is no such content.
    """

    def __init__(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        if len(view) < _LENGTH.size:
            raise SafetensorError("Error while deserializing header: header too small. Fix: look at the file.")
        (length,) = _LENGTH.unpack(view[: _LENGTH.size])
        if length > min(_LONGEST_HEADER, len(view) - _LENGTH.size):
            raise SafetensorError("Error while deserializing header: invalid header length. Fix: look at the file.")
        try:
            header = json.loads(bytes(view[_LENGTH.size : _LENGTH.size + length]))
        except ValueError as error:
            raise SafetensorError(f"Error while deserializing header: {error}. Fix: look at the file.") from None
        self.metadata: dict[str, str] | None = header.pop("__metadata__", None)
        self._entries: dict[str, Any] = header
        self._numbers = view[_LENGTH.size + length :]

    def names(self) -> list[str]:
        """The names of the tensors, in alphabetic order."""
        return sorted(self._entries)

    def array(self, name: str) -> Array:
        """A tensor's values, in memory of their own.

        Raises:
            SafetensorError: the file has no such name, or its entry makes no sense.
        """
        if name not in self._entries:
            raise SafetensorError(f"File does not contain tensor {name}. Fix: one of {', '.join(self.names()[:5])} ...")
        entry = self._entries[name]
        record = _NAMES.get(entry["dtype"])
        start, end = entry["data_offsets"]
        shape = tuple(int(size) for size in entry["shape"])
        size = int(np.prod(shape, dtype=np.int64)) * (record.itemsize if record else 0)
        if record is None or not 0 <= start <= end <= len(self._numbers) or end - start != size:
            raise SafetensorError(
                f"Error while deserializing {name!r}: {entry} does not fit the file. Fix: save it again."
            )
        return np.frombuffer(self._numbers[start:end], record.numpy).reshape(shape).copy()
