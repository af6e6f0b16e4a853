"""NumPy's names for arguments, which PyTorch takes too: `x.sum(axis=0, keepdims=True)`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

_OURS = {"axis": "dim", "keepdims": "keepdim"}
Function = TypeVar("Function", bound=Callable[..., Any])


def numpy_names(function: Function) -> Function:
    """Let `function` be called with NumPy's names for its arguments `dim` and `keepdim`."""

    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            for name in _OURS.keys() & kwargs.keys():
                kwargs[_OURS[name]] = kwargs.pop(name)
        return function(*args, **kwargs)

    called.takes_numpy_names = True  # type: ignore[attr-defined]
    return called  # type: ignore[return-value]
