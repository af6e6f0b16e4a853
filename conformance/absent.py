"""What of PyTorch is not there: whole modules, names in the modules that are, and kinds of tensors."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, TypeVar, get_origin

import kadam
from kadam import missing

own: Any = kadam
# What is no name of its own: each is tried, and listed if it is refused as something that Kadam does not have.
_TRIED: dict[str, Callable[[], Any]] = {
    "tensors without memory (device `meta`)": lambda: own.empty(2, device="meta"),
    "quantised tensors": lambda: own.quantize_per_tensor(own.ones(2), 0.1, 0, own.qint8),
    "nested tensors": lambda: own.nested.nested_tensor([own.ones(2), own.ones(3)]),
    "`complex32`": lambda: own.ones(2).to(own.complex32),
    "`float8_e4m3fn`": lambda: own.ones(2).to(own.float8_e4m3fn),
    "axes with names": lambda: own.ones(2, 3).refine_names("rows", "columns"),
    "sparse tensors in blocks": lambda: own.ones(4, 4).to_sparse_bsr((2, 2)),
    "operators of one's own (`torch.library`)": lambda: own.library.custom_op,
    "traced programs (`torch.fx`)": lambda: own.fx.symbolic_trace(own.nn.Linear(2, 2)),
    "exported programs (`torch.export`)": lambda: own.export.export(own.nn.Linear(2, 2), (own.ones(1, 2),)),
    "tensors as `torch.compile` sees them (`__torch_dispatch__`)": lambda: own.Tensor.__torch_dispatch__,
}
_REFUSED = (AttributeError, ImportError, NotImplementedError)


def modules() -> list[str]:
    """PyTorch's public modules that Kadam lacks; of those inside each other the outermost."""
    lacking = {path for path in missing.names_of_pytorch()[missing.MODULES] if room(path) is None}
    return sorted(path for path in lacking if path.rpartition(".")[0] not in lacking)


def names() -> dict[str, tuple[int, list[str]]]:
    """By module or class: how many public names PyTorch has, and those of them that Kadam lacks."""
    found = {}
    for path, listed in missing.names_of_pytorch().items():
        owner = None if path == missing.MODULES else room(path)
        public = [] if owner is None else sorted(name for name in listed if is_for_use(path, name))
        lacking = [name for name in public if not _has(owner, name)]
        if lacking:
            found[path] = len(public), lacking
    return found


def is_for_use(path: str, name: str) -> bool:
    """Whether a name of PyTorch's module or class is for programs, and not there because the module itself needs it.

    What a module declares (`__all__`) is; where none is declared, what it defines, its parts, and what is written in
    C++ and has no module of its own. Variables and forms of types never are.
    """
    theirs = _room_of_pytorch(path)
    if theirs is None or isinstance(theirs, type):
        return True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _is_defined(path, name, theirs, getattr(theirs, name, None))


def _is_defined(path: str, name: str, theirs: Any, value: Any) -> bool:
    if isinstance(value, TypeVar) or get_origin(value) is not None:
        return False
    declared = getattr(theirs, "__all__", None)
    if declared is not None:
        return name in declared or missing.is_module_of_pytorch(f"{path}.{name}")
    home = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None) or ""
    return home.startswith((path, "torch._C"))


def _room_of_pytorch(path: str) -> Any:
    owner, _, name = path.rpartition(".")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if missing.is_module_of_pytorch(path):
            return importlib.import_module(path)
        return getattr(importlib.import_module(owner), name, None)


def kinds() -> list[str]:
    """Kinds of tensors and uses of them that Kadam refuses."""
    return [words for words, attempt in _TRIED.items() if _is_refused(attempt)]


def room(path: str) -> Any:
    """Kadam's module or class in the place of one of PyTorch's; None if there is none."""
    owner, _, name = path.rpartition(".")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if path != "torch" and not missing.is_module_of_pytorch(path):
            return getattr(room(owner), name, None)
        try:
            return importlib.import_module("kadam" + path.removeprefix("torch"))
        except ImportError:
            return missing.module_shown_above(path)


def _has(owner: Any, name: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return not _is_refused(lambda: getattr(owner, name))


def _is_refused(attempt: Callable[[], Any]) -> bool:
    try:
        attempt()
    except _REFUSED:
        return True
    return False


def page() -> str:
    """All of it, for readers."""
    count = len(missing.names_of_pytorch()[missing.MODULES])
    lacking = modules()
    rows = ["| in | of PyTorch's names | missing | which |", "|---|---:|---:|---|"]
    for path, (listed, absent) in sorted(names().items()):
        rows.append(f"| `{path}` | {listed} | {len(absent)} | {_listed(absent)} |")
    return "\n".join(
        [
            "## What is not there",
            "",
            f"Asked of Kadam, one by one. Kinds of tensors and uses of them: {'; '.join(kinds())}.",
            "",
            f"Whole modules, {len(lacking)} of {count} (those inside them not counted): {_listed(lacking)}.",
            "",
            *rows,
            "",
        ]
    )


def _listed(found: Iterable[str]) -> str:
    return ", ".join(f"`{one}`" for one in found)
