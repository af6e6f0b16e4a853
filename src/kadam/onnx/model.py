"""ONNX's messages (`onnx.proto`): models, graphs, nodes, tensors.

Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kadam import dtypes
from kadam.dtypes import dtype
from kadam.errors import UnsupportedError
from kadam.ir.types import TensorType
from kadam.serialization.protobuf import message, packed

Array = np.ndarray[Any, np.dtype[Any]]

OPSET = 17
_IR_VERSION = 8
_INT, _STRING, _TENSOR, _INTS = 2, 3, 4, 7  # kinds of attributes
_ELEMENTS = {
    dtypes.float32: 1, dtypes.uint8: 2, dtypes.int8: 3, dtypes.uint16: 4, dtypes.int16: 5, dtypes.int32: 6,
    dtypes.int64: 7, dtypes.bool_: 9, dtypes.float16: 10, dtypes.float64: 11, dtypes.uint32: 12, dtypes.uint64: 13,
    dtypes.bfloat16: 16,
}  # fmt: skip
_BY_NUMPY = {record.numpy: number for record, number in _ELEMENTS.items()}


def element_type(record: dtype) -> int:
    """ONNX's number of an element type.

    Raises:
        UnsupportedError: it has none.
    """
    if record not in _ELEMENTS:
        raise UnsupportedError(f"onnx.export: {record} is no element type of ONNX's. Fix: convert the model, .float().")
    return _ELEMENTS[record]


def element_type_of(array: Array) -> int:
    """ONNX's number of the element type of an array."""
    return _BY_NUMPY[array.dtype]


def tensor(name: str, array: Array) -> bytes:
    """A constant."""
    sizes = packed(map(int, array.shape)) if array.shape else None
    return message((1, sizes), (2, _BY_NUMPY[array.dtype]), (8, name), (9, np.ascontiguousarray(array).tobytes()))


def value(name: str, type: TensorType, names: Mapping[int, str] | None = None) -> bytes:
    """An input or output, with its type and sizes, or for some axes the names of their sizes."""
    named = names or {}
    sizes = message(
        *((1, message((2, named[axis]) if axis in named else (1, size))) for axis, size in enumerate(type.shape))
    )
    shaped = message((1, element_type(type.dtype)), (2, sizes))
    return message((1, name), (2, message((1, shaped))))


def node(operator: str, inputs: Sequence[str], outputs: Sequence[str], name: str, attributes: dict[str, Any]) -> bytes:
    """The application of an operator."""
    return message(
        *((1, one) for one in inputs),
        *((2, one) for one in outputs),
        (3, name),
        (4, operator),
        *((5, _attribute(key, one)) for key, one in attributes.items()),
    )


def _attribute(name: str, given: Any) -> bytes:
    if isinstance(given, str):
        return message((1, name), (4, given), (20, _STRING))
    if isinstance(given, bytes):
        return message((1, name), (5, given), (20, _TENSOR))
    if isinstance(given, int):
        return message((1, name), (3, given), (20, _INT))
    return message((1, name), (8, packed(map(int, given))), (20, _INTS))


def model(
    name: str, nodes: Sequence[bytes], constants: Sequence[bytes], inputs: Sequence[bytes], outputs: Sequence[bytes]
) -> bytes:
    """The content of a file."""
    graph = message(
        *((1, one) for one in nodes),
        (2, name),
        *((5, one) for one in constants),
        *((11, one) for one in inputs),
        *((12, one) for one in outputs),
    )
    return message((1, _IR_VERSION), (2, "kadam"), (7, graph), (8, message((2, OPSET))))


__all__ = ["OPSET", "element_type", "element_type_of", "model", "node", "tensor", "value"]
