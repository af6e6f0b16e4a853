"""Inner names of PyTorch's core that libraries import."""  # noqa: N999

from __future__ import annotations

from typing import Any

from kadam import missing
from kadam.absent import kinds
from kadam.device import device
from kadam.dtypes import dtype
from kadam.errors import LinAlgError as _LinAlgError
from kadam.ops.convert import not_asked
from kadam.tensor import Tensor

PyTorchFileReader, PyTorchFileWriter = kinds(
    "torch", "PyTorchFileReader PyTorchFileWriter", "torch.save(value, path) and torch.load(path)."
)
# Of graphs of TorchScript, which editors put into programs by themselves: some public ones import what they never use.
Block, Graph, Node, Value = kinds("torch._C", "Block Graph Node Value", "call the function itself.")
_TensorMeta = type(Tensor)
_disabled_torch_function_impl = _disabled_torch_dispatch_impl = not_asked


def _get_tracing_state() -> None:
    """None: nothing is being traced."""


def _log_api_usage_once(event: str) -> None:
    """Nothing: nobody counts what is used."""


class _nn:  # noqa: N801  (PyTorch's name)
    """Functions behind `torch.nn`."""

    @staticmethod
    def _parse_to(*args: Any, **kwargs: Any) -> tuple[device | None, dtype | None, bool, Any]:
        """What arguments of `to` say: the device, the element type, `non_blocking` and the memory format."""
        place, record = kwargs.get("device"), kwargs.get("dtype")
        for one in args:
            if isinstance(one, Tensor):
                place, record = one.device, one.dtype
            elif isinstance(one, dtype):
                record = one
            elif isinstance(one, str | int | device) and not isinstance(one, bool):
                place = one
        found = device(place) if place is not None else None
        return found, record, bool(kwargs.get("non_blocking", False)), kwargs.get("memory_format")


__all__ = [
    "Block", "Graph", "Node", "PyTorchFileReader", "PyTorchFileWriter", "_LinAlgError", "_TensorMeta",
    "_disabled_torch_dispatch_impl", "_disabled_torch_function_impl", "_get_tracing_state", "_log_api_usage_once",
    "_nn",
]  # fmt: skip

missing.install(__name__)
