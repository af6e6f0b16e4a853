"""Names that Kadam does not have: the error says whether PyTorch has the name, and what in Kadam comes closest."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import cache
from opcode import opmap
from pathlib import Path
from types import FrameType, ModuleType
from typing import NoReturn

from kadam.errors import KadamError

_IMPORT_FROM = opmap["IMPORT_FROM"]
_MODULES = "modules"  # the heading, in the list of PyTorch's names, over the paths of its modules


class MissingNameError(KadamError, AttributeError):
    """A name that a module or class of Kadam does not have."""


class MissingImportError(KadamError, ImportError):
    """A name that `from module import name` asks for and Kadam does not have."""


class MissingModuleError(KadamError, ModuleNotFoundError):
    """A module that Kadam does not have."""


def install(package: str) -> None:
    """Have every loaded module of `package` that PyTorch has too explain the names that it lacks."""
    for path, module in list(sys.modules.items()):
        if (path == package or path.startswith(package + ".")) and is_module_of_pytorch(_as_torch(path)):
            vars(module).setdefault("__getattr__", _lookup(module))


def is_module_of_pytorch(path: str) -> bool:
    """Whether `path`, such as `torch.nn.functional`, is a public module of PyTorch."""
    return path in _names_of_pytorch()[_MODULES]


def describe_name(owner: str, name: str, known: Iterable[str]) -> str:
    """What to say of `name`, which `owner` does not have.

    Args:
        owner: PyTorch's name of the module or class, such as `torch.nn` or `torch.Tensor`.
        name: that was asked for.
        known: the names that the owner has.
    """
    return _describe(owner, name, _names_of_pytorch().get(owner), known)


def describe_module(path: str, known: Iterable[str]) -> str:
    """What to say of the module `path`, such as `torch.onnx`, which Kadam does not have.

    Args:
        path: PyTorch's name of the module.
        known: PyTorch's names of the modules that Kadam has.
    """
    owner, _, name = path.rpartition(".")
    siblings = [other.rpartition(".")[2] for other in known if other.rpartition(".")[0] == owner]
    inside = [other[len(owner) + 1 :] for other in _names_of_pytorch()[_MODULES] if other.startswith(owner + ".")]
    return _describe(owner, name, frozenset(inside), siblings, what="module")


def _describe(owner: str, name: str, pytorch: frozenset[str] | None, known: Iterable[str], what: str = "name") -> str:
    asked = f"{owner}.{name}"
    if pytorch is None:
        verdict = f"Kadam has no {what} {asked}."
    elif name in pytorch:
        verdict = f"PyTorch has {asked}, Kadam does not have it yet."
    else:
        verdict = f"neither PyTorch nor Kadam has a public {what} {asked}."
    closest = get_close_matches(name, [one for one in known if not one.startswith("_")], n=3)
    if not closest:
        return verdict
    return f"{verdict} What comes closest: {', '.join(f'{owner}.{one}' for one in closest)}."


def _lookup(module: ModuleType) -> Callable[[str], NoReturn]:
    """The `__getattr__` of a module: Python calls it for the names that the module lacks."""
    owner = _as_torch(module.__name__)

    def __getattr__(name: str) -> NoReturn:  # noqa: N807
        if name.startswith("__"):  # Python's own questions, such as for `__path__` and `__wrapped__`
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        message = describe_name(owner, name, _public(module, owner))
        if _is_import(sys._getframe(1)):
            raise MissingImportError(message, name=module.__name__, path=module.__file__)
        raise MissingNameError(message)

    return __getattr__


def _public(module: ModuleType, owner: str) -> list[str]:
    """The names of a module without Kadam's inner rooms, which PyTorch does not have."""
    return [
        name
        for name, value in vars(module).items()
        if not isinstance(value, ModuleType) or is_module_of_pytorch(f"{owner}.{name}")
    ]


def _is_import(frame: FrameType) -> bool:
    """Whether `from module import name` is looking a name up: it would replace an AttributeError by its own words."""
    return frame.f_code.co_code[frame.f_lasti] == _IMPORT_FROM


def _as_torch(path: str) -> str:
    return ".".join(["torch", *path.split(".")[1:]])


@cache
def _names_of_pytorch() -> dict[str, frozenset[str]]:
    """PyTorch's public names by module or class; under `modules`, the paths of its modules."""
    listing: dict[str, list[str]] = {}
    names: list[str] = []
    for line in Path(__file__).with_name("pytorch_names.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):
            names += line.split()
        elif not line.startswith("#"):
            names = listing.setdefault(line, [])
    return {heading: frozenset(listed) for heading, listed in listing.items()}
