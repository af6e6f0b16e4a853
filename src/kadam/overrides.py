"""Functions of libraries that let other classes answer for tensors. As `torch.overrides`.

Kadam's own functions take tensors only: they do not ask a class for `__torch_function__`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from kadam import missing
from kadam.errors import OperandError, UnsupportedError
from kadam.recording.tensor import Recorded


def is_tensor_like(inp: Any) -> bool:
    """Whether an object is a tensor, or of a class that answers for tensors."""
    return isinstance(inp, Recorded) or hasattr(type(inp), "__torch_function__")


def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """Whether an argument is of a class that answers for tensors itself."""
    return any(not isinstance(one, Recorded) and hasattr(type(one), "__torch_function__") for one in relevant_args)


def has_torch_function_unary(arg: Any) -> bool:
    """`has_torch_function` of one argument."""
    return has_torch_function((arg,))


def has_torch_function_variadic(*args: Any) -> bool:
    """`has_torch_function` of several arguments."""
    return has_torch_function(args)


def handle_torch_function(
    public_api: Callable[..., Any], relevant_args: Iterable[Any], *args: Any, **kwargs: Any
) -> Any:
    """What the first class that answers says of a call of `public_api`.

    Raises:
        OperandError: none does (TypeError).
    """
    answering = [one for one in relevant_args if has_torch_function((one,))]
    types = tuple(dict.fromkeys(type(one) for one in answering))
    for one in answering:
        result = type(one).__torch_function__(public_api, types, args, kwargs)
        if result is not NotImplemented:
            return result
    names = ", ".join(kind.__name__ for kind in types)
    raise OperandError(
        f"no implementation found for {public_api.__name__!r} on types that implement __torch_function__: [{names}]. "
        "Fix: have one of them answer."
    )


class TorchFunctionMode:
    """Refused: Kadam's calls cannot be diverted."""

    def __init__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise UnsupportedError(
            "torch.overrides.TorchFunctionMode: Kadam's calls are recorded where they are made, and cannot be diverted."
            " Fix: kadam.lens.watch shows the calls of a program."
        )


__all__ = [
    "TorchFunctionMode", "handle_torch_function", "has_torch_function", "has_torch_function_unary",
    "has_torch_function_variadic", "is_tensor_like",
]  # fmt: skip

missing.install(__name__)
