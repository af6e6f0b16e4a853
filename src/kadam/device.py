"""Devices, as PyTorch names them. Kadam's tensors live on the CPU; other names are understood and refused at use."""

from __future__ import annotations

from typing import Any

from kadam.errors import KadamError, OperandError

_TYPES = ("cpu", "cuda", "mps", "xpu", "meta", "mkldnn", "hip", "xla", "vulkan", "ipu", "hpu", "mtia", "privateuseone")


class DeviceError(KadamError, RuntimeError):
    """A device that is not there."""


class CudaError(DeviceError, AssertionError):
    """CUDA, which Kadam does not compute on; PyTorch without it raises an AssertionError."""


class device:  # noqa: N801  (PyTorch's name)
    """A device's type and index, as `torch.device`.

    Raises:
        DeviceError: no such device type.
    """

    __slots__ = ("index", "type")
    index: int | None
    type: str

    def __init__(self, type: Any, index: int | None = None) -> None:
        if isinstance(type, device):
            type, index = type.type, type.index
        if isinstance(type, int):
            type, index = "cuda", type
        if not isinstance(type, str):
            raise OperandError(
                f"device(): argument 'type' must be str, not {type.__class__.__name__}. Fix: device('cpu')."
            )
        name, colon, number = type.partition(":")
        if name not in _TYPES:
            raise DeviceError(
                f"Expected one of {', '.join(_TYPES)} device type at start of device string: {type}. Fix: "
                "device('cpu')."
            )
        if colon:
            if index is not None or not number.isdigit():
                raise DeviceError(f"Invalid device string: '{type}'. Fix: device('cpu').")
            index = int(number)
        if index is not None and not isinstance(index, int):
            raise OperandError(
                f"device(): argument 'index' (position 2) must be int, not {index.__class__.__name__}. Fix: "
                "device('cpu')."
            )
        self.type = name
        self.index = index

    def __repr__(self) -> str:
        return (
            f"device(type='{self.type}')" if self.index is None else f"device(type='{self.type}', index={self.index})"
        )

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self) -> tuple[Any, ...]:
        return device, (self.type, self.index)

    def __enter__(self) -> device:
        if self.type != "meta":
            check(self)
        _chosen.append(self)
        return self

    def __exit__(self, *exception: object) -> None:
        _chosen.pop()


cpu, meta_device = device("cpu"), device("meta")
_chosen = [cpu]  # where new tensors are made that do not say: the default's, then those of the blocks around


def default_device() -> device:
    """Where new tensors are made that do not say."""
    return _chosen[-1]


def set_default_device(where: Any) -> None:
    """Make new tensors that do not say at a place. As `torch.set_default_device`.

    Raises:
        DeviceError: it is neither the CPU nor meta.
    """
    _chosen[0] = device("meta") if is_meta(cpu if where is None else where) else cpu


def is_meta(where: Any) -> bool:
    """Whether a new tensor shall have no values.

    Args:
        where: a device, its name, or None for the default.

    Raises:
        DeviceError: it is neither the CPU nor meta.
    """
    if where is cpu:
        return False
    if where is None:
        return _chosen[-1].type == "meta"
    if device(where).type == "meta":
        return True
    check(where)
    return False


def check(where: Any) -> None:
    """Raise unless `where` (a device, its name, None) is the CPU.

    Raises:
        DeviceError: it is another device; Kadam computes on the CPU.
    """
    if where is None or where is cpu:
        return
    found = device(where)
    if found.type == "cuda":
        raise CudaError("Torch not compiled with CUDA enabled: Kadam computes on the CPU. Fix: use device='cpu'.")
    if found.type != "cpu":
        raise DeviceError(f"Kadam computes on the CPU, not on '{found}'. Fix: use device='cpu'.")
