"""Tracebacks that show the user's code: Kadam's own frames, and those of libraries below them, are left out.

What a tensor lacks is explained here too: in the class it would slow every look-up of an attribute down.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
import sysconfig
from types import TracebackType

from kadam.missing import describe_name
from kadam.recording.arguments import shown
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
    elif type(error) is TypeError and (found := _WRONG_CALL.match(str(error))) is not None:
        signature = _signature(found[1], found[2])
        if signature is not None:
            error.add_note(f"  Fix: its parameters are {signature}")


# Python's words about arguments that are missing, too many or unknown.
_WRONG_CALL = re.compile(r"(?:(\w+)\.)?(\w+)\(\) (?:missing|takes|got an unexpected|got multiple)")


def _signature(owner: str | None, name: str) -> str | None:
    """The parameters of one of Kadam's functions, or of a class's method; None for what is not Kadam's."""
    rooms = [sys.modules.get(room) for room in _ROOMS]
    holders = [_class_named(room, owner) for room in rooms] if owner else [Tensor, *rooms]
    for holder in holders:
        function = getattr(holder, name, None)
        if callable(function) and str(getattr(function, "__module__", "")).startswith("kadam."):
            try:
                return shown(inspect.signature(function))
            except ValueError:
                return None
    return None


def _class_named(room: object, name: str) -> type | None:
    """The class of a module that has a name, or whose base, a room of Kadam's own, has it."""
    known = [one for one in vars(room).values() if isinstance(one, type)]
    heirs = [one for one in known if any(base.__name__ == name for base in one.__mro__)]
    return min(heirs, key=lambda one: len(one.__mro__), default=None)


_ROOMS = ("kadam", "kadam.nn", "kadam.nn.functional", "kadam.optim", "kadam.optim.lr_scheduler", "kadam.utils.data")


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
