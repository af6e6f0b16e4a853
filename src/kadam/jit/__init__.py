"""TorchScript's entry points: Kadam records and compiles steps anyway, so that they give back what they are given.

As `torch.jit`. What would need a program that runs without Python is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NoReturn, TypeVar
from weakref import WeakSet

from kadam import missing
from kadam.errors import UnsupportedError
from kadam.nn import Module

Scripted = TypeVar("Scripted")

_scripted: WeakSet[Any] = WeakSet()  # modules that a program had scripted or traced: they are what they were


class _Scripted(type(Module)):  # type: ignore[misc]
    """Of what class scripted modules are: their own, and this one."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return super().__instancecheck__(instance) or (
            cls.__dict__.get("_is_root", False) and isinstance(instance, Module) and instance in _scripted
        )


class ScriptModule(Module, metaclass=_Scripted):
    """What modules are that were scripted or traced, and that a program derives from it."""

    _is_root = True


def _noted(obj: Scripted) -> Scripted:
    if isinstance(obj, Module):
        _scripted.add(obj)
    return obj


def script(obj: Scripted, *options: Any, **named_options: Any) -> Scripted:
    """The function, class or module itself."""
    return _noted(obj)


def trace(func: Scripted, example_inputs: Any = None, *options: Any, **named_options: Any) -> Scripted:
    """The function or module itself. It stays a Python function: no branch is fixed to the example's."""
    return _noted(func)


def trace_module(mod: Scripted, inputs: Any, *options: Any, **named_options: Any) -> Scripted:
    """The module itself."""
    return _noted(mod)


def freeze(mod: Scripted, *options: Any, **named_options: Any) -> Scripted:
    """The module itself."""
    return mod


def optimize_for_inference(mod: Scripted, *options: Any, **named_options: Any) -> Scripted:
    """The module itself."""
    return mod


def script_method(fn: Scripted) -> Scripted:
    """The method itself."""
    return fn


def export(fn: Scripted) -> Scripted:
    """The function itself."""
    return fn


def unused(fn: Scripted) -> Scripted:
    """The function itself."""
    return fn


def ignore(drop: Any = False, **options: Any) -> Any:
    """The function itself; a decorator, with options or without."""
    return drop if callable(drop) else lambda fn: fn


def annotate(the_type: Any, the_value: Scripted) -> Scripted:
    """The value itself."""
    return the_value


def isinstance(obj: Any, target_type: Any) -> bool:
    """Whether an object is of a type; of `List[int]` and the like, the container counts."""
    import builtins
    from typing import get_origin

    return builtins.isinstance(obj, get_origin(target_type) or target_type)


def is_scripting() -> bool:
    """False: code always runs in Python."""
    return False


def is_tracing() -> bool:
    """False: code always runs in Python."""
    return False


def set_fusion_strategy(strategy: Any) -> list[Any]:
    """Accepted, without effect."""
    return []


class Attribute:
    """A value beside its type, in a script's class."""

    def __new__(cls, value: Any, type: Any = None) -> Any:
        return value


def _refuse(name: str) -> Callable[..., NoReturn]:
    def refused(*args: Any, **kwargs: Any) -> NoReturn:
        raise UnsupportedError(
            f"torch.jit.{name}: Kadam has no programs that run without Python. Fix: save model.state_dict() with "
            "torch.save, and load it into a model that the program makes."
        )

    refused.__name__ = name
    refused.__doc__ = "Raise UnsupportedError: Kadam has no programs that run without Python."
    return refused


save, load = _refuse("save"), _refuse("load")

__all__ = [
    "Attribute", "Final", "ScriptModule", "annotate", "export", "freeze", "ignore", "is_scripting", "is_tracing",
    "isinstance", "load", "optimize_for_inference", "save", "script", "script_method", "set_fusion_strategy", "trace",
    "trace_module", "unused",
]  # fmt: skip

missing.install(__name__)
