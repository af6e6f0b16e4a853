"""The native engine: a whole step compiled by LLVM, run in one call.

A graph becomes groups (`fuse`), groups become kernels (`nest`, `kernels`), kernels become machine code (`build`) that
runs over one memory plan (`program`, `launch`). Nothing of LLVM is imported before the first program is compiled.
"""

from __future__ import annotations

import os
import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from kadam.engines.delivery import Over
    from kadam.engines.native.stats import Stats
    from kadam.engines.reference import Run
    from kadam.ir.graph import Graph

_told: set[str] = set()


def compile(graph: Graph, over: Over, fallback: Run) -> Run:
    """A function from the feeds to the outputs that keeps the contract of `kadam.engines.delivery`.

    Should LLVM not be there, or refuse the graph, that is `fallback` itself, and a warning says why, once. With
    KADAM_ENGINE=native the reason is raised instead.

    Args:
        fallback: computes the same. Called too if a run fails on its data: it raises the right error.
    """
    try:
        from kadam.engines.native.own import compile_callers
        from kadam.engines.native.program import NativeProgram

        function = NativeProgram(graph, over, fallback).function()
        compile_callers()  # of the operations that led here
        return function
    except Exception as reason:
        if os.environ.get("KADAM_ENGINE") == "native":
            raise
        _warn(f"{type(reason).__name__}: {reason}")
        return fallback


def compile_own() -> None:
    """Compile the functions of Kadam's own that run at every step, see `kadam.hot`; done once."""
    from kadam.engines.native import own

    own.compile_own()


def is_loaded() -> bool:
    """Whether LLVM is at hand: to compile a little more costs some milliseconds then, else a tenth of a second."""
    return "kadam.engines.native.program" in sys.modules


def draws() -> ModuleType | None:
    """`random_numbers`, which draws by compiled code; None, and a warning once, where that cannot be."""
    try:
        from kadam.engines.native import random_numbers as compiled

        compiled.prepare()
        return compiled
    except Exception as reason:
        _warn(f"{type(reason).__name__}: {reason}", "The drawing of random numbers")
        return None


def _warn(reason: str, what: str = "A step") -> None:
    if reason not in _told:
        _told.add(reason)
        warnings.warn(
            f"{what} was not compiled and runs on the slower reference engine: {reason[:500]}. The results are the "
            "same. Set KADAM_ENGINE=reference to use that engine without this warning.",
            RuntimeWarning,
            stacklevel=2,
        )


def stats() -> Stats:
    """What the engine has done so far: programs and kernels compiled, kernels found on the disk, seconds spent."""
    from kadam.engines.native.stats import stats as found

    return found()
