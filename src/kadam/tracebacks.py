"""Tracebacks that show the user's code: Kadam's own frames, and those of libraries below them, are left out.

What Python itself has refused is explained here too: in the classes it would slow every look-up of an attribute down.
"""

from __future__ import annotations

import os
import sysconfig
from types import TracebackType

from kadam.recording.place import is_ours
from kadam.recording.refused import mend, note_on_attribute, note_on_use

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
    """Note at an error of Python's own about a call, or about what an object lacks, what would be right."""
    note = None
    if isinstance(error, AttributeError):
        note = note_on_attribute(error)
    elif isinstance(error, TypeError):
        mend(error)
        note = note_on_use(error)
    if note is not None:
        error.add_note(note)


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
