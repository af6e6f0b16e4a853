"""Writes the public names of the installed PyTorch, the data by which Kadam tells what PyTorch has and Kadam lacks.

python tests/pytorch_names.py > src/kadam/pytorch_names.txt
"""

from __future__ import annotations

import importlib
import importlib.metadata
import io
import pkgutil
import sys
import textwrap
import warnings
from contextlib import redirect_stdout
from types import ModuleType
from typing import Any

# The modules whose names are listed, one by one; of the others only that they exist.
LISTED = [
    "torch",
    "torch.nn",
    "torch.nn.functional",
    "torch.nn.init",
    "torch.nn.modules",
    "torch.nn.parameter",
    "torch.nn.utils",
    "torch.nn.utils.rnn",
    "torch.nn.utils.parametrize",
    "torch.nn.utils.parametrizations",
    "torch.nn.utils.prune",
    "torch.nn.utils.stateless",
    "torch.optim",
    "torch.optim.lr_scheduler",
    "torch.optim.swa_utils",
    "torch.utils",
    "torch.utils.data",
    "torch.utils.checkpoint",
    "torch.autograd",
    "torch.autograd.functional",
    "torch.autograd.forward_ad",
    "torch.linalg",
    "torch.fft",
    "torch.special",
    "torch.func",
    "torch.distributions",
    "torch.random",
    "torch.amp",
    "torch.backends",
    "torch.serialization",
    "torch.testing",
    "torch.cuda",
    "torch.jit",
    "torch.sparse",
    "torch.compiler",
    "torch.version",
    "torch.accelerator",
    "torch.autograd.graph",
    "torch.backends.cuda",
    "torch.cpu",
    "torch.cpu.amp",
    "torch.distributed",
    "torch.hub",
    "torch.masked",
    "torch.mps",
    "torch.nn.attention",
    "torch.nn.attention.bias",
    "torch.nn.attention.flex_attention",
    "torch.onnx",
    "torch.overrides",
    "torch.profiler",
    "torch.quasirandom",
    "torch.signal.windows",
    "torch.types",
    "torch.utils.benchmark",
    "torch.utils.flop_counter",
    "torch.utils.hooks",
    "torch.utils.model_zoo",
    "torch.xpu",
]
# Packages whose modules are listed too: scripts import names from where PyTorch happens to keep them.
LISTED_WHOLE = [
    "torch.amp",
    "torch.autograd",
    "torch.cuda",
    "torch.cuda.amp",
    "torch.distributions",
    "torch.nn.modules",
    "torch.nn.parallel",
    "torch.nn.utils",
    "torch.optim",
    "torch.utils.data",
]
# Parts of PyTorch of which the top alone is named.
CLOSED = [
    "torch.accelerator",
    "torch.ao",
    "torch.backends.xeon",
    "torch.contrib",
    "torch.cpu",
    "torch.distributed",
    "torch.export",
    "torch.fx",
    "torch.masked",
    "torch.mps",
    "torch.mtia",
    "torch.nativert",
    "torch.nn.attention",
    "torch.nn.backends",
    "torch.nn.intrinsic",
    "torch.nn.qat",
    "torch.nn.quantizable",
    "torch.nn.quantized",
    "torch.numa",
    "torch.onnx",
    "torch.package",
    "torch.quantization",
    "torch.utils.backcompat",
    "torch.utils.benchmark",
    "torch.utils.data.datapipes",
    "torch.utils.hipify",
    "torch.utils.jit",
    "torch.utils.serialization",
    "torch.utils.viz",
    "torch.xpu",
]
WIDTH = 120


def is_public(name: str) -> bool:
    return not any(part.startswith("_") for part in name.split("."))


def modules() -> list[str]:
    """The paths of PyTorch's public modules."""
    torch = importlib.import_module("torch")
    walked = pkgutil.walk_packages(torch.__path__, "torch.", onerror=lambda name: None)
    found = {"torch", *LISTED, *(module.name for module in walked if is_public(module.name))}
    return sorted(name for name in found if name in LISTED or not any(is_closed(name, parent) for parent in CLOSED))


def is_closed(name: str, parent: str) -> bool:
    """Whether a module stands below a part of which the top alone is named; of listed ones the next below is too."""
    return name.startswith(parent + ".") and not (parent in LISTED and name.rpartition(".")[0] == parent)


def names(module: Any) -> list[str]:
    """The public names that are PyTorch's own, not what a module has imported for its own use."""
    declared = getattr(module, "__all__", ())
    own = {name for name in dir(module) if is_public(name) and is_own(getattr(module, name))}
    return sorted((own | {name for name in declared if is_public(name)}) - {"torch"})


def defined(module: Any) -> list[str]:
    """The public names that a module defines itself."""
    return [name for name in names(module) if getattr(getattr(module, name), "__module__", None) == module.__name__]


def is_own(value: Any) -> bool:
    if isinstance(value, ModuleType):
        return value.__name__.startswith("torch.")
    home = getattr(value, "__module__", None) or getattr(type(value), "__module__", None) or ""
    return home.split(".")[0] in ("torch", "builtins") and not isinstance(value, str | bool | dict | list)


def listing() -> str:
    """The text of `src/kadam/pytorch_names.txt`."""
    import torch

    version = importlib.metadata.version("torch").split("+")[0]
    lines = [f"# The public names of PyTorch {version}, by module. Written by tests/pytorch_names.py, not by hand."]
    for path in LISTED:
        lines += [path, *_wrapped(names(importlib.import_module(path)))]
    for path in modules():
        if path not in LISTED and path.rpartition(".")[0] in LISTED_WHOLE:
            lines += [path, *_wrapped(defined(importlib.import_module(path)))]
    lines += ["torch.Tensor", *_wrapped([name for name in dir(torch.Tensor) if is_public(name)])]
    lines += ["modules", *_wrapped(modules())]  # last, for a walk imports modules and so adds names
    return "\n".join(lines) + "\n"


def _wrapped(words: list[str]) -> list[str]:
    indent = "  "
    return textwrap.wrap(
        " ".join(words), WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with redirect_stdout(io.StringIO()):  # some of PyTorch's modules print when they are imported
        text = listing()
    sys.stdout.write(text)
