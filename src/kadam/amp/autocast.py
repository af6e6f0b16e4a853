"""Regions of lower precision, as `torch.amp.autocast` on the CPU."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from kadam.device import device
from kadam.dtypes import bfloat16, dtype, float16
from kadam.ops.require import ArgumentError
from kadam.recording import precision
from kadam.recording.step import state

Function = TypeVar("Function", bound=Callable[..., Any])
_TYPES = (bfloat16, float16)


class autocast:  # noqa: N801  (PyTorch's name)
    """A region in which products (linear layers, convolutions, attention) take operands of lower precision.

    Losses and what else needs it compute in float32 all the same. Also a decorator. For CUDA it is switched off, with
    PyTorch's warning, as there is no GPU.

    Args:
        device_type: "cpu".
        dtype: bfloat16 (the default) or float16.
        enabled: False makes a region of full precision.
        cache_enabled: accepted: what is converted twice is converted once in any case.
    """

    def __init__(
        self, device_type: str, dtype: dtype | None = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        self.device = device(device_type).type
        if enabled and self.device != "cpu":
            warnings.warn(
                f"User provided device_type of '{self.device}', but {self.device.upper()} is not available. Disabling",
                UserWarning,
                stacklevel=2,
            )
            enabled = False
        self.fast_dtype = dtype or bfloat16
        if enabled and self.fast_dtype not in _TYPES:
            warnings.warn(
                "In CPU autocast, but the target dtype is not supported. Disabling autocast. Fix: torch.bfloat16.",
                UserWarning,
                stacklevel=2,
            )
            enabled = False
        self._enabled = enabled
        self._outer: list[Any] = []

    def __enter__(self) -> autocast:
        self._outer.append(state.lower)
        if self.device == "cpu":
            precision.switch(self.fast_dtype if self._enabled else None)
        return self

    def __exit__(self, *_: object) -> None:
        precision.switch(self._outer.pop())

    def __call__(self, function: Function) -> Function:
        @wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return called  # type: ignore[return-value]


def is_autocast_available(device_type: str) -> bool:
    """Whether a device has regions of lower precision: the CPU has."""
    return _checked(device_type) == "cpu"


def is_autocast_enabled(device_type: str | None = None) -> bool:
    """Whether this is such a region, of a device; by default of CUDA, which is not there."""
    return device_type is not None and _checked(device_type) == "cpu" and state.lower is not None


def is_autocast_cpu_enabled() -> bool:
    """Whether this is such a region."""
    return state.lower is not None


def get_autocast_dtype(device_type: str) -> dtype:
    """The type of products in such a region."""
    if _checked(device_type) == "cpu":
        return state.lower or bfloat16
    return float16


def get_autocast_cpu_dtype() -> dtype:
    """The type of products in such a region."""
    return get_autocast_dtype("cpu")


def _checked(device_type: Any) -> str:
    if not isinstance(device_type, str):
        raise ArgumentError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`. Fix: 'cpu'.")
    return device_type
