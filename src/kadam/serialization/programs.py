"""Whole modules in files: what of the running program a file may name, and a module's state in PyTorch's layout.

A file names a class; its objects are made empty and given their attributes. Neither constructor nor any function is
called, so that such a file runs as little as one of plain tensors.
"""

from __future__ import annotations

import sys
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

import kadam
from kadam import nn
from kadam.nn.modules import linear
from kadam.nn.modules.module import Module
from kadam.nn.modules.registration import BUFFER, MODULE, PARAMETER, members_of

_OWN = ("_members", "_hook_options", "_hooked")  # how Kadam keeps what PyTorch's layout says otherwise
_PLACES = {"torch.nn": nn, "torch.nn.functional": nn.functional, "torch.nn.modules.linear": linear, "torch": kadam}
_PLACES_OF_LIBRARIES = ("site-packages", "dist-packages")

# What NumPy's arrays and numbers are pickled with; made from plain values, they run nothing.
NUMPY: dict[str, Any] = {
    "numpy.ndarray": np.ndarray,
    "numpy.dtype": np.dtype,
    **{
        f"numpy.{core}.multiarray.{name}": getattr(np._core.multiarray, name)  # type: ignore[attr-defined]
        for core in ("core", "_core")
        for name in ("_reconstruct", "scalar")
    },
    **{f"numpy.dtypes.{name}": kind for name, kind in vars(np.dtypes).items() if name.endswith("DType")},
}


def state_of(module: Module) -> dict[str, Any]:
    """The attributes of a module as PyTorch lays them out: members by their kind."""
    attributes = vars(module)
    members = {f"_{kind}s": dict(members_of(attributes, kind)) for kind in (PARAMETER, BUFFER, MODULE)}
    rest = {name: value for name, value in attributes.items() if name not in attributes["_members"]}
    if not attributes["_hook_options"]:
        rest = {name: value for name, value in rest.items() if name not in _OWN}
    rest.pop("_members", None)
    return {**rest, **members, **{name: getattr(module, name) for name in module._derived}}


def public_name(known: type | FunctionType) -> str | None:
    """Where PyTorch has a class of modules or a function of Kadam's; None for all others."""
    if known.__module__.partition(".")[0] not in ("kadam", "torch"):
        return None
    if isinstance(known, type) and not issubclass(known, Module):
        return None
    for place, room in _PLACES.items():
        if vars(room).get(known.__name__) is known:
            return f"{place}.{known.__name__}"
    return None


def found(module: str, name: str) -> Any:
    """A class or function that a file of a whole module may name; None if it may not.

    That is any class of modules, and whatever else the program itself has defined. Nothing is imported.
    """
    if module.partition(".")[0] == "torch":
        return _of_kadam(name)
    place = sys.modules.get(module)
    if place is None:
        return None
    known: Any = place
    for part in name.split("."):
        known = getattr(known, part, None)
    if getattr(known, "__module__", None) != module:  # what is only imported there, such as os.system
        return None
    if isinstance(known, type):
        return known if issubclass(known, Module) or _is_of_program(place) else None
    return known if isinstance(known, FunctionType) and _is_of_program(place) else None


def is_class(known: Any) -> bool:
    """Whether `known` is a class of which a file of a whole module may have objects."""
    return isinstance(known, type) and (
        issubclass(known, Module) or found(known.__module__, known.__qualname__) is known
    )


def give_state(target: Any, state: Any) -> None:
    """Give an empty object the attributes that a file has for it."""
    if isinstance(target, Module):
        Module.__setstate__(target, {name: value for name, value in state.items() if name not in target._derived})
        return
    attributes, slots = state if isinstance(state, tuple) else (state, None)
    vars(target).update(attributes or {})
    for name, value in (slots or {}).items():
        object.__setattr__(target, name, value)


def _of_kadam(name: str) -> Any:
    """What PyTorch's files call by one of several paths: a class of modules, or a function of tensors."""
    known = vars(nn).get(name, vars(linear).get(name))
    if isinstance(known, type) and issubclass(known, Module):
        return known
    known = vars(nn.functional).get(name, vars(kadam).get(name))
    return known if hasattr(known, "operation") or isinstance(known, FunctionType) else None


def _is_of_program(module: ModuleType) -> bool:
    if module.__name__ == "__main__":
        return True
    top = module.__name__.partition(".")[0]
    path = getattr(module, "__file__", None)
    return (
        path is not None
        and top not in sys.stdlib_module_names
        and top not in ("kadam", "torch", "torchvision", "safetensors")
        and not any(place in path for place in _PLACES_OF_LIBRARIES)
    )
