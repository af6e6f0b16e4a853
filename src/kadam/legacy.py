"""Constructors of PyTorch's first years: `torch.FloatTensor(2, 3)`, `torch.LongTensor([1, 2])`."""

from __future__ import annotations

from typing import Any

from kadam.dtypes import by_name, dtype, set_default_float
from kadam.ops.convert import _TYPE_NAMES
from kadam.ops.creation import empty, tensor
from kadam.tensor import Tensor


class _LegacyType(type):
    """Tensors of the element type are its instances."""

    record: dtype

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is cls.record


def legacy(record: dtype) -> Any:
    """The legacy constructor of an element type: it takes sizes or nested data."""

    def construct(cls: type, *data: Any) -> Tensor:
        if len(data) == 1 and not isinstance(data[0], int):
            return tensor(data[0], dtype=record)
        return empty(data or (0,), dtype=record)

    name = _TYPE_NAMES[record.name]
    return _LegacyType(name, (), {"__new__": construct, "record": record, "__doc__": f"Tensors of {record.name}."})


def set_default_tensor_type(t: Any) -> None:
    """Set the type of new floating-point tensors by a legacy constructor or its name.

    Raises:
        TypeError: no such type, or none of floating-point tensors.
    """
    name = t if isinstance(t, str) else f"torch.{getattr(t, '__name__', t)}"
    record = next((record for record, told in _TYPE_NAMES.items() if name == f"torch.{told}"), None)
    if record is None:
        raise TypeError(
            f"set_default_tensor_type: there is no type {name!r} here, where tensors are on the CPU. Fix: "
            "torch.set_default_dtype(torch.float32)."
        )
    set_default_float(by_name(record))
