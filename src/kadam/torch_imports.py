"""`import torch` is Kadam: `torch` and what lies below it become other names of Kadam's own modules."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import Distribution, DistributionFinder
from os import PathLike
from pathlib import Path
from types import ModuleType

import kadam
from kadam import version
from kadam.errors import KadamError, LinAlgError, RecordingError, UnsupportedError, VerifyError
from kadam.missing import (
    MissingImportError,
    MissingModuleError,
    MissingNameError,
    describe_module,
    home_of,
    is_module_of_pytorch,
    module_shown_above,
)


def install() -> None:
    """From now on, `import torch` in this process gives Kadam."""
    if not is_installed():
        sys.meta_path.insert(0, TorchIsKadam())
        _name_errors_as_pytorch_does(KadamError)
        # Those of rooms that load later too.
        KadamError.__init_subclass__ = classmethod(_name_as_builtin)  # type: ignore[assignment, method-assign]
        _name_classes_as_pytorch_does()
        kadam.__name__ = "torch"  # libraries that patch functions of PyTorch's make sure of it
        _rename(LinAlgError, "_LinAlgError", "torch._C")
        _rename(kadam.autograd.GradcheckError, "GradcheckError", "torch.autograd.gradcheck")


def is_installed() -> bool:
    """Whether `import torch` gives Kadam."""
    return any(isinstance(finder, TorchIsKadam) for finder in sys.meta_path)


@contextmanager
def installed() -> Iterator[None]:
    """`import torch` gives Kadam inside, and what it gave before from there on."""
    if is_installed():
        yield
        return
    before = _take_away()
    install()
    try:
        yield
    finally:
        sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, TorchIsKadam)]
        del KadamError.__init_subclass__
        for kind, names in _renamed.items():
            kind.__name__, kind.__qualname__, kind.__module__ = names
        _renamed.clear()
        kadam.__name__ = "kadam"
        _take_away()
        sys.modules.update(before)


def _take_away() -> dict[str, ModuleType]:
    """Forget the modules that `torch` and what stands beside it mean now."""
    tops = {"torch", *_STAND_INS}
    return {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] in tops}


_renamed: dict[type, tuple[str, str, str]] = {}  # class -> the names that are its own


def _rename(kind: type, name: str, module: str) -> None:
    _renamed.setdefault(kind, (kind.__name__, kind.__qualname__, kind.__module__))
    kind.__module__ = module
    if name != kind.__name__:
        kind.__name__ = kind.__qualname__ = name


_AT_THE_TOP = (kadam.Generator, kadam.Size, kadam.Tensor, kadam.device, kadam.dtype)
_BELOW = ("kadam.nn.", "kadam.optim.", "kadam.utils.data.")
_LATER = ("kadam.optim.lr_scheduler", "kadam.optim.swa_utils", "kadam.utils.data")  # those of _BELOW not loaded yet


def _name_classes_as_pytorch_does() -> None:
    """What prints as `<class 'torch.Tensor'>` in PyTorch prints so here."""
    for kind in _AT_THE_TOP:
        _rename(kind, kind.__name__, "torch")
    for path in _LATER:
        importlib.import_module(path)
    for path, module in list(sys.modules.items()):
        if path.startswith(_BELOW):
            as_torch = "torch" + path.removeprefix("kadam")
            if is_module_of_pytorch(as_torch):
                sys.modules.setdefault(as_torch, module)  # where `typing.get_type_hints` looks for what is annotated
            for kind in vars(module).values():
                if isinstance(kind, type) and kind.__module__ == path:
                    home = home_of(as_torch, kind.__name__)
                    if is_module_of_pytorch(home):
                        _rename(kind, kind.__name__, home)


_KADAMS_OWN = (MissingImportError, MissingModuleError, MissingNameError, RecordingError, UnsupportedError, VerifyError)


def _name_errors_as_pytorch_does(above: type[KadamError]) -> None:
    """Where PyTorch raises a RuntimeError, `type(error).__name__` is that, unless the error is about Kadam itself."""
    for kind in above.__subclasses__():
        _name_errors_as_pytorch_does(kind)
        _name_as_builtin(kind)


def _name_as_builtin(kind: type[KadamError]) -> None:
    if not kind.__module__.startswith("kadam."):  # a class of the program's own
        return
    above = [one for one in (*kind.__bases__, *kind.__mro__) if not issubclass(one, KadamError)]
    builtin = next((one for one in above if one.__module__ == "builtins"), None)
    if builtin is not None and builtin is not Exception and kind not in _KADAMS_OWN:
        _rename(kind, builtin.__name__, "builtins")


class TorchIsKadam(MetaPathFinder):
    """Finds `torch.nn` to be `kadam.nn`, the very same object, and so on for every public module of PyTorch.

    Kadam's inner rooms, which PyTorch does not have, are not to be had under the name `torch`. No other finder is asked
    for what is missing: it would look below Kadam's own path and load a second copy of one of its rooms.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module of Kadam that `fullname` stands for; None where it is no part of `torch`."""
        top, _, rest = fullname.partition(".")
        if top in _STAND_INS:
            return _stand_in(fullname, ".".join([_STAND_INS[top], rest]) if rest else _STAND_INS[top])
        if top != "torch":
            return None
        if not is_module_of_pytorch(fullname) and not fullname.startswith(_UNLISTED):
            raise _missing(fullname)
        own_name = "kadam" + fullname.removeprefix("torch")
        try:
            module = importlib.import_module(own_name)
        except ModuleNotFoundError as error:
            if error.name != own_name:
                raise
            shown_above = module_shown_above(fullname)
            if shown_above is None:
                raise _missing(fullname) from None
            module = shown_above
        origin = getattr(module, "__file__", None)
        return ModuleSpec(fullname, _Loaded(module), origin=origin, is_package=hasattr(module, "__path__"))

    def find_distributions(self, context: DistributionFinder.Context) -> Iterable[Distribution]:
        """What `importlib.metadata` says of PyTorch, whose version libraries ask for before they import it."""
        return [_Installed()] if context.name in (None, "torch") else []


class _Installed(Distribution):
    """The package `torch`, as a list of installed packages has it."""

    def read_text(self, filename: str) -> str | None:
        """A file of its description."""
        texts = {
            "METADATA": f"Metadata-Version: 2.1\nName: torch\nVersion: {version.__version__}\n",
            "top_level.txt": "torch\n",
        }
        return texts.get(filename)

    def locate_file(self, path: str | PathLike[str]) -> Path:
        """Where a file of the package would be."""
        return Path(kadam.__file__).parent / path


# Modules that PyTorch calls its own affair, and libraries import.
_UNLISTED = (
    "torch._C", "torch.__config__", "torch._dynamo", "torch.distributed._composable",
    "torch.distributed._functional_collectives", "torch.distributed._tensor", "torch.distributed.algorithms.",
    "torch.distributed.checkpoint.", "torch.distributed.fsdp.", "torch.distributed.nn", "torch.distributed.tensor.",
    "torch.fx.experimental", "torch.fx.node", "torch.nn.common_types",
    "torch._subclasses", "torch._utils", "torch.utils._foreach_utils", "torch.utils._pytree", "torch.utils.data._utils",
)  # fmt: skip

# Packages that need PyTorch itself, and what stands in for them.
_STAND_INS = {"safetensors": "kadam.safetensors", "torchvision": "kadam.vision"}

_IN_ITS_PLACE = {
    "safetensors": "Fix: it has safe_open, and in its modules torch and numpy what writes and reads files.",
    "torchvision": "It has datasets, io, models, ops, transforms and utils. Fix: write the rest with torch.nn.",
}


def _stand_in(fullname: str, own_name: str) -> ModuleSpec:
    top = fullname.partition(".")[0]
    try:
        module = importlib.import_module(own_name)
    except ModuleNotFoundError as error:
        if error.name != own_name:
            raise
        raise MissingModuleError(
            f"Kadam's stand-in for {top} has no {fullname}. {_IN_ITS_PLACE[top]}",
            name=fullname,
        ) from None
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
    owner = fullname.rpartition(".")[0]
    known = [f"{owner}.{name}" for name in dir(importlib.import_module(owner.replace("torch", "kadam", 1)))]
    return MissingModuleError(describe_module(fullname, filter(is_module_of_pytorch, known)), name=fullname)
