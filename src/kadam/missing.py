"""Names that a module lacks: some load their room when they are first asked for, of the others an error tells.

The error says whether PyTorch has the name, and what in Kadam comes closest.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from opcode import opmap
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from kadam.errors import KadamError

_IMPORT_FROM = opmap["IMPORT_FROM"]
_ALIKE = 0.74  # of 1: names that have less in common are not worth a suggestion
_SHOWN = 8  # attributes that an object has, where none is like the one that it lacks
MODULES = "modules"  # the heading, in the list of PyTorch's names, over the paths of its modules


class MissingNameError(KadamError, AttributeError):
    """A name that a module or class of Kadam does not have."""

    explains = False


class MissingImportError(KadamError, ImportError):
    """A name that `from module import name` asks for and Kadam does not have."""

    explains = False


class MissingModuleError(KadamError, ModuleNotFoundError):
    """A module that Kadam does not have."""

    explains = False


def install(package: str, later: Mapping[str, str] | None = None) -> None:
    """Have every loaded module of `package` that PyTorch has too explain the names that it lacks.

    Args:
        package: or module; one that is loaded later installs itself.
        later: names that `package` gets when they are first asked for, by the module that has them:
            `{"kadam.serialization": "load save"}` stands for `from kadam.serialization import load, save`.
    """
    room = sys.modules[package]
    sources = {name: source for source, names in (later or {}).items() for name in names.split()}
    vars(room).update(__getattr__=_lookup(room, sources), __dir__=lambda: {*vars(room), *sources})
    for path, module in list(sys.modules.items()):
        if path.startswith(package + ".") and is_module_of_pytorch(_as_torch(path)):
            vars(module).setdefault("__getattr__", _lookup(module, {}))


def is_module_of_pytorch(path: str) -> bool:
    """Whether `path`, such as `torch.nn.functional`, is a public module of PyTorch."""
    return path in names_of_pytorch()[MODULES]


def is_name_of_pytorch(name: str) -> bool:
    """Whether any public module or class of PyTorch has a name."""
    return name in _all_names()


def home_of(path: str, name: str) -> str:
    """The module where PyTorch has a class, or `path`, if it has it there or in no module beside that one.

    Args:
        path: where Kadam has it, as PyTorch would call that: `torch.nn.modules.rnn_cell`.
        name: of the class.
    """
    listed = names_of_pytorch()
    if name in listed.get(path, ()):
        return path
    package = path.rpartition(".")[0]
    beside = (one for one in sorted(listed) if one.rpartition(".")[0] == package and name in listed[one])
    whole = package if name in listed.get(package, ()) else path  # a package here is one module there
    return next((one for one in beside if is_module_of_pytorch(one)), whole)


def describe_name(owner: str, name: str, known: Iterable[str]) -> str:
    """What to say of `name`, which `owner` does not have.

    Args:
        owner: PyTorch's name of the module or class, such as `torch.nn` or `torch.Tensor`.
        name: that was asked for.
        known: the names that the owner has.
    """
    listed = names_of_pytorch().get(owner)
    if listed is not None and is_module_of_pytorch(f"{owner}.{name}"):
        listed |= {name}
    return _describe(owner, name, listed, known)


def closest_member(owner: object, name: str) -> str:
    """What to write in place of an attribute that an object lacks, or where to set it."""
    closest = _closest(name, [one for one in dir(owner) if not one.startswith("_")])
    if closest:
        return f"write .{' or .'.join(closest)}."
    own = [one for one in getattr(owner, "__dict__", ()) if not one.startswith("_")]
    return (
        f"set self.{name} in __init__, or look at its spelling: there are {', '.join(own[:_SHOWN])}."
        if own
        else ("look at its spelling: dir() lists what there is.")
    )


def describe_module(path: str, known: Iterable[str]) -> str:
    """What to say of the module `path`, such as `torch.onnx`, which Kadam does not have.

    Args:
        path: PyTorch's name of the module.
        known: PyTorch's names of the modules that Kadam has.
    """
    owner, _, name = path.rpartition(".")
    siblings = [other.rpartition(".")[2] for other in known if other.rpartition(".")[0] == owner]
    inside = [other[len(owner) + 1 :] for other in names_of_pytorch()[MODULES] if other.startswith(owner + ".")]
    return _describe(owner, name, frozenset(inside), siblings, what="module")


def _describe(owner: str, name: str, pytorch: frozenset[str] | None, known: Iterable[str], what: str = "name") -> str:
    asked = f"{owner}.{name}"
    if pytorch is None:
        verdict = f"Kadam has no {what} {asked}."
    elif name in pytorch:
        verdict = f"PyTorch has {asked}, Kadam does not have it yet."
    else:
        verdict = f"neither PyTorch nor Kadam has a public {what} {asked}."
    likely = [one for one in known if not one.startswith("_") and one.endswith("_") <= name.endswith("_")]
    closest = _closest(name, likely)
    if closest:
        verdict = f"{verdict} What comes closest: {', '.join(f'{owner}.{one}' for one in closest)}."
    if pytorch is None or name not in pytorch or name.lower() in (one.lower() for one in closest[:1]):
        return f"{verdict} Fix: {f'write {closest[0]}' if closest else 'look at its spelling'}."
    return verdict


def _closest(name: str, known: Iterable[str]) -> list[str]:
    """The names that have most in common with one, whether or not they are written with capitals."""
    by_lower = {one.lower(): one for one in sorted(known, reverse=True)}
    return [by_lower[one] for one in get_close_matches(name.lower(), by_lower, n=3, cutoff=_ALIKE)]


def _lookup(module: ModuleType, sources: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a module: Python calls it for the names that the module lacks, or does not have yet."""
    owner = _as_torch(module.__name__)

    def __getattr__(name: str) -> Any:  # noqa: N807
        if name in sources:
            return _load(module, name, sources[name])
        if name.startswith("__"):  # Python's own questions, such as for `__path__` and `__wrapped__`
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        if (inner := module_shown_above(f"{owner}.{name}")) is not None:
            return inner
        if _is_shown_above(owner, name):
            return _load(module, name, _as_kadam(owner.rpartition(".")[0]))
        message = describe_name(owner, name, _public(module, owner))
        if _is_import(sys._getframe(1)):
            raise MissingImportError(message, name=module.__name__, path=getattr(module, "__file__", None))
        raise MissingNameError(message)

    return __getattr__


def _load(module: ModuleType, name: str, source: str) -> Any:
    """What `from source import name` gives; from now on, the module has it."""
    within = sys.modules.get(source) is module
    value = import_module(f"{source}.{name}") if within else getattr(import_module(source), name)
    setattr(module, name, value)
    return value


def module_shown_above(path: str) -> ModuleType | None:
    """A module of PyTorch whose names stand in Kadam's package above it, as `torch.distributions.normal` has `Normal`.

    Args:
        path: PyTorch's name of the module, of which Kadam has no file.
    """
    own_path = _as_kadam(path)
    if not any(_is_shown_above(path, name) for name in names_of_pytorch().get(path, ())):
        return None
    if own_path not in sys.modules:
        sys.modules[own_path] = ModuleType(own_path, f"As `{path}`: what {own_path.rpartition('.')[0]} has of it.")
        install(own_path)
    return sys.modules[own_path]


def _is_shown_above(owner: str, name: str) -> bool:
    """Whether a name that PyTorch keeps in the module `owner` stands in Kadam's package above that."""
    package = sys.modules.get(_as_kadam(owner.rpartition(".")[0]))
    if package is None or is_module_of_pytorch(f"{owner}.{name}"):
        return False
    return name in names_of_pytorch().get(owner, ()) and name in dir(package)


def _public(module: ModuleType, owner: str) -> list[str]:
    """The names of a module without Kadam's inner rooms, which PyTorch does not have."""
    return [
        name
        for name in dir(module)
        if not isinstance(vars(module).get(name), ModuleType) or is_module_of_pytorch(f"{owner}.{name}")
    ]


def _is_import(frame: FrameType) -> bool:
    """Whether `from module import name` is looking a name up: it would replace an AttributeError by its own words."""
    return frame.f_code.co_code[frame.f_lasti] == _IMPORT_FROM


def _as_torch(path: str) -> str:
    return ".".join(["torch", *path.split(".")[1:]])


def _as_kadam(path: str) -> str:
    return ".".join(["kadam", *path.split(".")[1:]])


@cache
def names_of_pytorch() -> dict[str, frozenset[str]]:
    """PyTorch's public names by module or class; under `modules`, the paths of its modules."""
    listing: dict[str, list[str]] = {}
    names: list[str] = []
    for line in Path(__file__).with_name("pytorch_names.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):
            names += line.split()
        elif not line.startswith("#"):
            names = listing.setdefault(line, [])
    return {heading: frozenset(listed) for heading, listed in listing.items()}


@cache
def _all_names() -> frozenset[str]:
    return frozenset().union(*names_of_pytorch().values())
