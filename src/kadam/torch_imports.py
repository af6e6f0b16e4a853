"""`import torch` is Kadam: `torch` and what lies below it become other names of Kadam's own modules."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from kadam.missing import MissingModuleError, describe_module, is_module_of_pytorch


def install() -> None:
    """From now on, `import torch` in this process gives Kadam."""
    if not any(isinstance(finder, TorchIsKadam) for finder in sys.meta_path):
        sys.meta_path.insert(0, TorchIsKadam())


class TorchIsKadam(MetaPathFinder):
    """Finds `torch.nn` to be `kadam.nn`, the very same object, and so on for every public module of PyTorch.

    Kadam's inner rooms, which PyTorch does not have, are not to be had under the name `torch`. No other finder is asked
    for what is missing: it would look below Kadam's own path and load a second copy of one of its rooms.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module of Kadam that `fullname` stands for; None where it is no part of `torch`."""
        if fullname != "torch" and not fullname.startswith("torch."):
            return None
        if not is_module_of_pytorch(fullname):
            raise _missing(fullname)
        own_name = "kadam" + fullname.removeprefix("torch")
        try:
            module = importlib.import_module(own_name)
        except ModuleNotFoundError as error:
            if error.name != own_name:
                raise
            raise _missing(fullname) from None
        return ModuleSpec(fullname, _Loaded(module), origin=module.__file__, is_package=hasattr(module, "__path__"))


class _Loaded(Loader):
    """Hands out a module that is loaded already, and leaves it as it was."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.own_spec = module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.own_spec  # the import system has just replaced it


def _missing(fullname: str) -> MissingModuleError:
    known = [path.replace("kadam", "torch", 1) for path in list(sys.modules) if path.startswith("kadam.")]
    return MissingModuleError(describe_module(fullname, filter(is_module_of_pytorch, known)), name=fullname)
