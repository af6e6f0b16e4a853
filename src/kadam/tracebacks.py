"""Tracebacks that show the user's code: Kadam's own frames, and those of libraries below them, are left out."""

from __future__ import annotations

import os
import sysconfig
from types import TracebackType

from kadam.recording.place import is_ours

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
        pending += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            pending += one.exceptions


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
