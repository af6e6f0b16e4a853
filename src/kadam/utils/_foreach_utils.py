"""Which tensors of several lists belong together: what writers of optimizers use. As `torch.utils._foreach_utils`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kadam.device import device
    from kadam.dtypes import dtype
    from kadam.tensor import Tensor

Lists = list[list["Tensor | None"]]


def _group_tensors_by_device_and_dtype(
    tensorlistlist: Sequence[Sequence[Tensor | None]], with_indices: bool = False
) -> dict[tuple[device, dtype], tuple[Lists, list[int]]]:
    """The lists for each device and element type of the first list's tensors.

    Args:
        tensorlistlist: lists of one length, whose tensors at the same place belong together.
        with_indices: also give the places, which are an empty list otherwise.
    """
    groups: dict[tuple[device, dtype], tuple[Lists, list[int]]] = {}
    for place, tensors in enumerate(zip(*tensorlistlist, strict=True)):
        first = tensors[0]
        if first is None:
            raise RuntimeError("_group_tensors_by_device_and_dtype: the first list has a None. Fix: leave its row out.")
        lists, places = groups.setdefault((first.device, first.dtype), ([[] for _ in tensors], []))
        for one, tensor in zip(lists, tensors, strict=True):
            one.append(tensor)
        if with_indices:
            places.append(place)
    return groups


def _get_foreach_kernels_supported_devices() -> list[str]:
    """Devices where PyTorch updates many tensors at once."""
    return ["cuda", "xpu", "mtia"]


def _get_fused_kernels_supported_devices() -> list[str]:
    """Devices that have kernels for a whole update."""
    return ["mps", "cuda", "xpu", "hpu", "cpu", "mtia"]


def _device_has_foreach_support(device: device) -> bool:
    """Whether `torch._foreach_` functions are worth their while on a device: on `cpu` they are what a loop is."""
    return device.type in (*_get_foreach_kernels_supported_devices(), "cpu")


def _has_foreach_support(tensors: Sequence[Tensor], device: device) -> bool:
    """Whether `torch._foreach_` functions take these tensors."""
    return _device_has_foreach_support(device) and all(hasattr(one, "_spec") for one in tensors)
