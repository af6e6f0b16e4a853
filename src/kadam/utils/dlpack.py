"""Memory shared with other libraries by the protocol of DLPack. As `torch.utils.dlpack`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kadam.ops import creation

if TYPE_CHECKING:
    from kadam.tensor import Tensor

_CPU = (1, 0)  # DLPack's name of the device


class _Handed:
    """A capsule as an object that NumPy takes tensors from."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **options: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return _CPU


class _Writable:
    """The memory of an array that may be written: NumPy takes that of a capsule for read-only, lacking a word on it."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self.array = array
        self.__array_interface__ = {**array.__array_interface__, "data": (array.ctypes.data, False)}


def from_dlpack(ext_tensor: Any) -> Tensor:
    """A tensor that shares the memory of another library's array, or of a capsule of `to_dlpack`."""
    if hasattr(ext_tensor, "__dlpack__"):
        return creation.from_dlpack(ext_tensor)
    return creation.from_numpy(np.asarray(_Writable(np.from_dlpack(_Handed(ext_tensor)))))


def to_dlpack(tensor: Tensor) -> Any:
    """A capsule that hands a tensor's memory to another library, once."""
    return tensor.__dlpack__()


__all__ = ["from_dlpack", "to_dlpack"]
