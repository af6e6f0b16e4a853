"""Inner functions of PyTorch's that libraries import. As `torch._utils`."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kadam.ops.combine import cat

if TYPE_CHECKING:
    from types import ModuleType

    from kadam.dtypes import dtype
    from kadam.tensor import Tensor


def _flatten_dense_tensors(tensors: Sequence[Tensor]) -> Tensor:
    """The elements of tensors of one type, one tensor after another."""
    return cat([one.reshape(-1) for one in tensors])


def _unflatten_dense_tensors(flat: Tensor, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Parts of a tensor of the shapes of others: `_flatten_dense_tensors` undone."""
    parts = flat.split([one.numel() for one in tensors])
    return tuple(part.view(one.shape) for part, one in zip(parts, tensors, strict=True))


def _element_size(dtype: dtype) -> int:
    """How many bytes an element takes."""
    return dtype.itemsize


def _get_available_device_type() -> str | None:
    """The kind of accelerator: there is none."""
    return None


def _get_device_module(device_type: str) -> ModuleType:
    """The module of a kind of device, `torch.cpu` for `"cpu"`."""
    return importlib.import_module(f"kadam.{device_type}")
