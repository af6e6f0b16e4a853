"""The user's code that Python runs amid a call of Kadam's: signal handlers wait for its end, finalisers run beside it.

To PyTorch's users an operation is one step of C code: a signal that arrives meanwhile is handled after it. Here it is
Python, between whose lines handlers run; one that reads the loss would cut a recording in the middle of a call. So
handlers are registered in a wrapper that looks where the signal has arrived, and lets it arrive again once the function
of Kadam's that it met there has returned. What the garbage collector calls (`__del__`, weakref callbacks) cannot wait:
it gets a recording of its own, and values of the interrupted one are computed beside it (`tensor.read`).
"""

from __future__ import annotations

import _thread
import functools
import gc
import os
import signal
import sys
import threading
import weakref
from collections.abc import Callable
from threading import get_ident
from types import FrameType
from typing import Any

import numpy as np

from kadam import passes
from kadam.engines import delivery, reference
from kadam.errors import RecordingError
from kadam.ir.graph import Graph
from kadam.ir.primitive import Array, seen_through
from kadam.recording.place import GENERATED, PACKAGE, passing_on
from kadam.recording.step import Recording, cut, start, state
from kadam.recording.tensor import Recorded
from kadam.recording.trail import Path

# The rooms in whose functions a recording may be in the middle of something.
_ROOMS = ("recording", "engines", "passes", "ir", "primitives", "autodiff", "optim", "hot")
_PACKAGES = os.path.dirname(os.path.dirname(np.__file__)) + os.sep
_CALLED = tuple(os.path.join(_PACKAGES, name) + os.sep for name in ("numpy", "llvmlite"))
_STDLIB = (os.path.dirname(os.__file__) + os.sep, "<frozen ")
_WAITING = "a signal waits for this function's end"  # no name of a variable


def is_amid(frame: FrameType | None) -> bool:
    """Whether what runs in a frame is part of a call of Kadam's, and not user code, which Kadam may have called."""
    while frame is not None:
        code = frame.f_code
        file = code.co_filename
        if file.startswith(GENERATED):
            return True
        if file.startswith(PACKAGE):
            room = file[len(PACKAGE) :].split(os.sep)[0].removesuffix(".py")
            if room in _ROOMS and code not in passing_on and code.co_name != "<module>":
                return True
        elif not _is_called(file, frame):
            return False
        frame = frame.f_back
    return False


def _is_called(file: str, frame: FrameType) -> bool:
    """Whether code that is not Kadam's is none of the user's either."""
    if file == "<string>":  # what Python makes of dataclasses and named tuples
        return str(frame.f_globals.get("__name__")).startswith(("kadam", "namedtuple_"))
    return file.startswith(_CALLED) or (file.startswith(_STDLIB) and "site-packages" not in file)


# --- signals ----------------------------------------------------------------------------------------------------------


@functools.cache
def _again(number: int) -> type:
    """A class whose objects let a signal arrive again when they go: when the function that holds one returns."""
    arrive = functools.partial(_thread.interrupt_main, signal.Signals(number))  # no Python, amid which it would arrive
    return type("Again", (), {"__slots__": ("__weakref__",), "__del__": staticmethod(arrive)})


class _Patient:
    """A handler that is not called amid a call of Kadam's. A second Ctrl-C does not wait: something may be stuck."""

    def __init__(self, handler: Any) -> None:
        self.handler = handler
        self.waits: Callable[[], object] = lambda: None  # for what

    def __call__(self, number: int, frame: FrameType | None) -> Any:
        if frame is not None and is_amid(frame):
            if self.waits() is None:
                frame.f_locals[_WAITING] = again = _again(number)()
                self.waits = weakref.ref(again)
                return None
            if number != signal.SIGINT:
                return None  # it will be told once, as signals are that arrive together
        return self.handler(number, frame)


def _plain(handler: Any) -> Any:
    return handler.handler if isinstance(handler, _Patient) else handler


def _wait_with_handlers() -> None:
    """Have handlers, those included that are registered already, wait for the end of Kadam's calls."""
    register, look_up = signal.signal, signal.getsignal

    @functools.wraps(register)
    def patient_signal(signalnum: Any, handler: Any) -> Any:
        return _plain(register(signalnum, _Patient(_plain(handler)) if callable(handler) else handler))

    @functools.wraps(look_up)
    def plain_getsignal(signalnum: Any) -> Any:
        return _plain(look_up(signalnum))

    signal.signal, signal.getsignal = patient_signal, plain_getsignal
    for number in signal.valid_signals():
        handler = look_up(number)
        if callable(handler):
            try:
                patient_signal(number, handler)
            except ValueError:  # only the main thread may
                return


# --- finalisers -------------------------------------------------------------------------------------------------------


class _Beside:
    """A collection, which may interrupt a call: what its finalisers do is recorded apart.

    Attributes:
        rec: the recording of the call; None amid an operation's body.
        runner: of that recording.
        inside: see `state`.
    """

    def __init__(self, rec: Recording | None, frame: FrameType | None) -> None:
        self.rec, self.inside, self.numbers = rec, state.inside, state.numbers
        self.runner = 0
        if rec is not None:
            self.runner = rec.runner
            if _is_unfinished(rec) or is_amid(frame):
                rec.runner = get_ident()
        state.lent = []
        start()

    def end(self) -> None:
        """Go on with the call: nothing has become of its operands."""
        if state.rec is not None and state.rec.created:
            cut(state.rec)
        lent, state.lent = state.lent, None
        for tensor, rec, position, array in reversed(lent or []):
            tensor._rec, tensor._pos, tensor._array = rec, position, array
        if self.rec is not None:
            self.rec.runner = self.runner
        state.rec, state.inside, state.numbers = self.rec, self.inside, self.numbers


class _Collection(threading.local):
    beside: _Beside | None = None


_under_way = _Collection()


def _around_collection(phase: str, info: dict[str, Any]) -> None:
    if phase == "start":
        if not hasattr(state, "rec"):
            return  # this thread's state is only being made
        _under_way.beside = _Beside(state.rec, sys._getframe().f_back)
    elif _under_way.beside is not None:
        beside, _under_way.beside = _under_way.beside, None
        beside.end()


def _is_unfinished(rec: Recording) -> bool:
    """Whether a recording has operands or results of a call that is not on its path yet."""
    here = rec.here
    return rec.open and (len(rec.feeds) != here.feeds or len(rec.created) != here.created)


def value_beside(tensor: Recorded, rec: Recording) -> Array:
    """The value of a tensor of a recording that this thread is amid: it is computed, and the recording goes on as if
    nobody had asked.

    Raises:
        RecordingError: the recording has just run, and is handing its values over.
    """
    holder = tensor if tensor._rec is rec or tensor._base is None else tensor._base
    here = rec.here if rec.open else rec.ended
    if here is None or holder._pos >= here.created or _is_delivering():
        raise RecordingError(
            "a finaliser has interrupted the run that computes this tensor, and asks for it before it is there. Fix: "
            "read the tensor outside of __del__ and weakref callbacks."
        )
    path = Path(here)
    graph = passes.improve(Graph(tuple(path.builder.nodes), tuple(path.feeds), (path.at(holder._pos),)))
    (value,) = reference.compile(graph)([np.asarray(one) for one in rec.values[: here.feeds]])
    value = np.array(value)  # not in memory that the run will write
    return value if holder is tensor else seen_through(value, tensor._chain)


def _is_delivering() -> bool:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code is delivery._deliver.__code__:
            return True
        frame = frame.f_back
    return False


def install() -> None:
    """From now on, have signal handlers wait and finalisers run beside."""
    _wait_with_handlers()
    gc.callbacks.append(_around_collection)
