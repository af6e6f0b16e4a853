"""Modules as `torch.compile` wraps them: another module around the user's own. As `torch._dynamo.eval_frame`."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

from kadam.errors import OperandError
from kadam.nn.modules.module import Module

_INSIDE = "_orig_mod"


class OptimizedModule(Module):
    """A module that calls the one it was made of, and passes on what is read and set of it.

    Kadam compiles steps by itself. The wrapper is there for what programs see of it: how it prints, and the names of
    its parameters, which begin with `_orig_mod.` in files that compiled models have written.
    """

    def __init__(self, mod: Module, dynamo_ctx: Any = None) -> None:
        super().__init__()
        vars(self).pop("training", None)  # the inner module's is shown
        super().__setattr__(_INSIDE, mod)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module inside computes."""
        return vars(self)[_INSIDE](*args, **kwargs)

    @property
    def training(self) -> bool:
        """Whether the module inside is in training mode."""
        return bool(vars(self)[_INSIDE].training)

    @training.setter
    def training(self, value: bool) -> None:
        inside = vars(self).get(_INSIDE)
        if inside is not None:
            inside.training = value

    def __len__(self) -> int:
        inside = vars(self)[_INSIDE]
        if not isinstance(inside, Sized):
            raise OperandError(f"{type(inside).__name__} does not support len(). Fix: count what it holds.")
        return len(inside)

    def __getattr__(self, name: str) -> Any:
        inside = vars(self).get(_INSIDE)
        if inside is None:  # while it is made, or read from a file
            return object.__getattribute__(self, name)  # which says that there is none
        return inside if name == _INSIDE else getattr(inside, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(type(self), name) or name == _INSIDE:
            super().__setattr__(name, value)
        else:
            setattr(vars(self)[_INSIDE], name, value)

    def __delattr__(self, name: str) -> None:
        if hasattr(type(self), name) or name == _INSIDE:
            super().__delattr__(name)
        else:
            delattr(vars(self)[_INSIDE], name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(vars(self)[_INSIDE])})

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (vars(self)[_INSIDE],)


__all__ = ["OptimizedModule"]
