"""Tracebacks that show the user's code: Kadam's own frames, and those of libraries below them, are left out.

What a tensor lacks is explained here too: in the class it would slow every look-up of an attribute down.
"""

from __future__ import annotations

import os
import sysconfig
from types import TracebackType

from kadam.missing import describe_name
from kadam.recording.place import is_ours
from kadam.tensor import Tensor

# Set to `full`, this environment variable leaves tracebacks whole.
SWITCH = "KADAM_TRACEBACK"
_LIBRARIES = (
    "<frozen ",
    *(sysconfig.get_path(kind) + os.sep for kind in ("stdlib", "platstdlib", "purelib", "platlib")),
)


def shorten(error: BaseException) -> None:
    """Take Kadam's frames out of an error's traceback, and out of those of the errors that led to it."""
    if os.environ.get(SWITCH) == "full":
        return
    pending: list[BaseException | None] = [error]
    done: set[int] = set()
    while pending:
        one = pending.pop()
        if one is None or id(one) in done:
            continue
        done.add(id(one))
        one.__traceback__ = _of_user(one.__traceback__)
        one.__context__ = _past_inner_errors(one.__context__)
        pending += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            pending += one.exceptions


def explain(error: BaseException) -> None:
    """Note at an error about an attribute that a tensor lacks whether PyTorch's has it, and what comes closest."""
    if isinstance(error, AttributeError) and isinstance(error.obj, Tensor) and error.name:
        error.add_note(describe_name("torch.Tensor", error.name, dir(error.obj)))


def _past_inner_errors(context: BaseException | None) -> BaseException | None:
    """Skip the errors that Kadam has raised and caught itself: no frame of the user's is in them."""
    while context is not None and context.__traceback__ is not None and _of_user(context.__traceback__) is None:
        context = context.__context__
    return context


def _of_user(traceback: TracebackType | None) -> TracebackType | None:
    """The frames of the user's code, and of the libraries that it calls; not of those that Kadam calls."""
    kept: list[TracebackType] = []
    in_kadam = True  # which starts the program
    while traceback is not None:
        filename = traceback.tb_frame.f_code.co_filename
        is_library = filename.startswith(_LIBRARIES)
        in_kadam = is_ours(filename) or (in_kadam and is_library)
        if not in_kadam:
            kept.append(traceback)
        traceback = traceback.tb_next
    chain: TracebackType | None = None
    for one in reversed(kept):
        chain = TracebackType(chain, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return chain
