"""Whole modules in files: what of the running program a file may name, and a module's state in PyTorch's layout.

A file names a class; its objects are made empty and given their attributes. No constructor, no `__setstate__` and no
function of the program is called to read it, and nothing is imported.

That is not all that can run. Python itself calls methods of the program's own classes on the objects of a file
(`__hash__` for a key of a dict, `__eq__`, `__del__`), and what the program does with a module, it does with the values,
functions of tensors, functions of its own and hooks that the file has given it. So a whole module is to be read from a
file that is trusted; one of tensors (`weights_only=True`) can run nothing.
"""

from __future__ import annotations

import sys
from enum import Enum
from types import FunctionType, MemberDescriptorType, ModuleType
from typing import Any

import kadam
from kadam import nn
from kadam.nn.modules import linear
from kadam.nn.modules.module import Module
from kadam.nn.modules.registration import BUFFER, MODULE, PARAMETER, members_of
from kadam.serialization.files import CheckpointError
from kadam.serialization.plain import OBJECTS
from kadam.utils.data.dataset import ConcatDataset, Subset, TensorDataset

_OWN = ("_members", "_hook_options", "_hooked")  # how Kadam keeps what PyTorch's layout says otherwise
_PLACES = {"torch.nn": nn, "torch.nn.functional": nn.functional, "torch.nn.modules.linear": linear, "torch": kadam}
# Objects of PyTorch's that are nothing but their attributes, the same ones here.
DATASETS: dict[str, type] = {
    f"torch.utils.data.dataset.{kind.__name__}": kind for kind in (TensorDataset, Subset, ConcatDataset)
}
_NAME_OF_DATASET = {kind: name for name, kind in DATASETS.items()}
_VISION = ("kadam.vision.", "torchvision.")  # the networks stand in files of the same names
_NETWORKS = ("models.", "ops.")
_PLACES_OF_LIBRARIES = ("site-packages", "dist-packages")

# Where the functions stand that a file may name: they compute with tensors, and reach no file and no setting.
_ROOMS_OF_TENSORS = ("kadam.ops.", "kadam.nn.functional.", "kadam.linalg.", "kadam.recording.memory")


class _Functions:
    """What PyTorch's own functions are looked up in, as its files call it."""


FUNCTIONS = _Functions()


def function_of(place: object, name: object) -> Any:
    """A public function of tensors, which PyTorch's files look up by `getattr`.

    Raises:
        CheckpointError: another place, or another thing in it.
    """
    known = _of_kadam(name) if place is FUNCTIONS and type(name) is str else None
    if known is None or isinstance(known, type):
        raise CheckpointError(
            f"load: the file looks up {name!r}, which is no function of tensors. Fix: save a state_dict instead."
        )
    return known


# What a file of whole modules may name beside classes and functions.
LOOKUPS: dict[str, Any] = {
    "builtins.getattr": function_of,
    "torch._C._VariableFunctionsClass": FUNCTIONS,
    "torch._C._VariableFunctions": FUNCTIONS,
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
        return _NAME_OF_DATASET.get(known)
    for place, room in _PLACES.items():
        if vars(room).get(known.__name__) is known:
            return f"{place}.{known.__name__}"
    own, theirs = _VISION
    name = f"{known.__module__}.{known.__qualname__}".removeprefix(own)
    return theirs + name if known.__module__.startswith(own) and name.startswith(_NETWORKS) else None


def found(module: str, name: str) -> Any:
    """A class or function that a file of a whole module may name; None if it may not.

    That is any class of modules, and whatever else the program itself has defined. Nothing is imported.
    """
    if module.partition(".")[0] == "torch":
        return _of_kadam(name)
    own, theirs = _VISION
    if module.startswith(theirs):
        module = own + module.removeprefix(theirs)
    place = sys.modules.get(module)
    if not isinstance(place, ModuleType):
        return None
    known: Any = place
    for part in name.split("."):  # as it stands there: what is looked up could import or compute
        known = vars(known).get(part) if isinstance(known, type | ModuleType) else None
    if getattr(known, "__module__", None) != module:  # what is only imported there, such as os.system
        return None
    if isinstance(known, type):
        return known if issubclass(known, Module) or _is_of_program(place) else None
    return known if isinstance(known, FunctionType) and _is_of_program(place) else None


def is_class(known: Any) -> bool:
    """Whether `known` is a class of which a file of a whole module may have objects."""
    if not isinstance(known, type):
        return False
    is_known = issubclass(known, Module) or any(known is one for one in (*OBJECTS.values(), *_NAME_OF_DATASET))
    return is_known or found(known.__module__, known.__qualname__) is known


def member_of(kind: Any, arguments: tuple[Any, ...]) -> Enum | None:
    """The member of an enumeration of the program's own that has this value; None for any other class."""
    if not (isinstance(kind, type) and issubclass(kind, Enum) and is_class(kind) and len(arguments) == 1):
        return None
    (value,) = arguments
    plain = type(value) in (int, str, float, bool)
    return next((one for one in kind if plain and type(one.value) is type(value) and one.value == value), None)


def give_state(target: Any, state: Any) -> None:
    """Give an empty object the attributes that a file has for it.

    Raises:
        CheckpointError: names that belong to Python or, in a module, to a method: they would change what the object
            is or does.
    """
    attributes, slots = state if type(state) is tuple and len(state) == 2 else (state, None)
    attributes, slots = (one if isinstance(one, dict) else {} if one is None else None for one in (attributes, slots))
    if attributes is None or slots is None:
        raise CheckpointError(
            f"load: the state of a {type(target).__name__} is not a dict of attributes. Fix: save a state_dict instead."
        )
    for name in (*attributes, *slots):
        if type(name) is not str or (name.startswith("__") and name.endswith("__")):
            raise _forbidden(target, name)
    if isinstance(target, Module):
        _give_members(target, attributes)
    elif attributes:
        object.__getattribute__(target, "__dict__").update(attributes)
    for name, value in slots.items():
        slot = _static(type(target), name)
        if not isinstance(slot, MemberDescriptorType):
            raise _forbidden(target, name)
        slot.__set__(target, value)


def _give_members(target: Module, attributes: dict[str, Any]) -> None:
    tables = [attributes.get(f"_{kind}s", {}) for kind in (PARAMETER, BUFFER, MODULE)]
    for name in {*attributes, *(name for table in tables for name in table)}:
        if type(name) is not str or isinstance(_static(type(target), name), FunctionType | staticmethod | classmethod):
            raise _forbidden(target, name)
    Module.__setstate__(target, {name: value for name, value in attributes.items() if name not in target._derived})


def _static(kind: type, name: str) -> Any:
    """What a class has under a name, as it stands there."""
    return next((vars(one)[name] for one in kind.__mro__ if name in vars(one)), None)


def _forbidden(target: Any, name: object) -> CheckpointError:
    return CheckpointError(
        f"load: the attribute {name!r} of a {type(target).__name__} cannot come from a file: it would change what the "
        "object is or does. Fix: save a state_dict instead."
    )


def _of_kadam(name: str) -> Any:
    """What PyTorch's files call by one of several paths: a class of modules, or a function of tensors."""
    known = vars(nn).get(name, vars(linear).get(name))
    if isinstance(known, type) and issubclass(known, Module):
        return known
    known = vars(nn.functional).get(name, vars(kadam).get(name))
    is_public = not name.startswith("_") and f"{getattr(known, '__module__', '')}.".startswith(_ROOMS_OF_TENSORS)
    return known if is_public and (hasattr(known, "operation") or isinstance(known, FunctionType)) else None


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
