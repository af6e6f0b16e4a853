"""Classes and functions of PyTorch's that programs name, and of which Kadam makes no objects.

Libraries ask `isinstance(weight, DTensor)`, and write such classes into annotations, whether or not anybody uses them.
The answer is no; whoever makes one or calls one is told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from kadam.errors import UnsupportedError


def kinds(module: str, names: str, instead: str) -> tuple[type, ...]:
    """Classes of which nothing is an instance, and that raise UnsupportedError where they are called.

    Args:
        module: where PyTorch has them, such as `torch.distributed.tensor`.
        names: of the classes.
        instead: what to do in their place.
    """
    return tuple(_kind(module, name, instead) for name in names.split())


def _kind(module: str, name: str, instead: str) -> type:
    refuse = functions(module, name, instead)[0]

    def __new__(cls: type, *args: Any, **kwargs: Any) -> NoReturn:  # noqa: N807
        refuse()

    return type(name, (), {"__new__": __new__, "__module__": module, "__doc__": f"Kadam makes none. {instead}"})


def functions(module: str, names: str, instead: str) -> tuple[Callable[..., NoReturn], ...]:
    """Functions that raise UnsupportedError when they are called; `module`, `names` and `instead` as of `kinds`."""
    return tuple(_function(module, name, instead) for name in names.split())


def _function(module: str, name: str, instead: str) -> Callable[..., NoReturn]:
    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise UnsupportedError(f"{module}.{name}: PyTorch has it, Kadam does not. Fix: {instead}")

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__module__ = module
    refuse.__doc__ = f"Raises UnsupportedError. {instead}"
    return refuse
