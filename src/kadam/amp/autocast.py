"""Regions of lower precision. Kadam computes in the types that the program states."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from kadam.errors import UnsupportedError

Function = TypeVar("Function", bound=Callable[..., Any])


class autocast:  # noqa: N801  (PyTorch's name)
    """A region in which PyTorch computes some operations in lower precision; also a decorator.

    For CUDA it is switched off, with PyTorch's warning, as there is no GPU.

    Raises:
        UnsupportedError: it is enabled for the CPU.
    """

    def __init__(
        self, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if enabled and device_type == "cuda":
            warnings.warn(
                "User provided device_type of 'cuda', but CUDA is not available. Disabling", UserWarning, stacklevel=2
            )
        elif enabled:
            raise UnsupportedError(
                f"autocast({device_type!r}): Kadam does not choose precisions. Fix: enabled=False, or convert tensors "
                "and modules yourself, as by x.half()"
            )
        self.device, self.dtype = device_type, dtype

    def __enter__(self) -> autocast:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __call__(self, function: Function) -> Function:
        @wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return called  # type: ignore[return-value]


def is_autocast_available(device_type: str) -> bool:
    """No: see `autocast`."""
    return False
