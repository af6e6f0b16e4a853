"""NumPy's names for arguments, which PyTorch takes too: `x.sum(axis=0, keepdims=True)`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from kadam.errors import KadamError
from kadam.recording.arguments import wrong_call
from kadam.recording.refused import mend

_OURS = {"axis": "dim", "keepdims": "keepdim"}
Function = TypeVar("Function", bound=Callable[..., Any])


def numpy_names(function: Function) -> Function:
    """Let `function` be called with NumPy's names for its arguments `dim` and `keepdim`."""

    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            for name in _OURS.keys() & kwargs.keys():
                kwargs[_OURS[name]] = kwargs.pop(name)
        try:
            return function(*args, **kwargs)
        except KadamError:
            raise
        except TypeError as error:
            mend(error)
            wrong = wrong_call(function, args, kwargs) if "Fix:" not in str(error) else None
            if wrong is None:
                raise
        raise wrong

    called.takes_numpy_names = True  # type: ignore[attr-defined]
    return called  # type: ignore[return-value]
