"""The team of threads and the engine's own compiled code (*.ll), as this process has them."""

from __future__ import annotations

import atexit
import ctypes
import os
import threading
from collections.abc import Callable

import numpy as np

from kadam.engines.native import cpython
from kadam.engines.native.build import addresses, told
from kadam.engines.native.tables import HAS_THREADS, MAX_HELPERS, Process, Team, text
from kadam.engines.native.target import host
from kadam.engines.native.threads import threads, when_changed

SPIN_NS = 200_000  # a helper stays awake that long, so that the next step finds it so: waking it costs 20 us
PATIENCE_NS = 50_000  # a wait for a helper that is longer than this, and than two of its chunks, is a stall ...
REST_FACTOR = 16  # ... after which the team rests for so many times as long

PAUSE_X86 = {"pause": "@llvm.x86.sse2.pause()", "pause.declared": "@llvm.x86.sse2.pause()"}
PAUSE_ARM = {"pause": "@llvm.aarch64.hint(i32 1)", "pause.declared": "@llvm.aarch64.hint(i32)"}
PAUSES = {"x86_64": PAUSE_X86, "amd64": PAUSE_X86, "aarch64": PAUSE_ARM, "arm64": PAUSE_ARM}

_RUN = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
_REPEAT = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)
_TABLE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_RESUME = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)


class Runtime:
    """The engine's own compiled code, and the tables that every program shares.

    Attributes:
        layout: how Python's objects lie; None where that is not known, and addresses are gathered in Python.
        call: address of the builtin function that runs a program.
        run: runs a program: its table, two lists (or none, if its slots are filled), and where times go.
        repeat: runs a program many times: see `kadam.engines.native.repeat`.
        chain: address of the kernel that runs other kernels part by part.
        process: address of what compiled code knows of this process.
        team: address of the threads' table.
    """

    def __init__(self, layout: cpython.Layout | None) -> None:
        self.layout = layout
        (start,) = addresses([_own_text(layout or cpython.EXPECTED)])
        self.call, run, make, stop, resume, repeat, self.chain = told(start, 7)
        self.run: Callable[..., int] = _RUN(run)
        self.repeat: Callable[[int], int] = _REPEAT(repeat)
        self._make, self._stop, self._resume = _TABLE(make), _TABLE(stop), _RESUME(resume)
        self._process = _process()
        self.process = ctypes.addressof(self._process)
        self._memory = ctypes.create_string_buffer(ctypes.sizeof(Team) + 128)
        self.team = ctypes.addressof(self._memory) + -ctypes.addressof(self._memory) % 128
        self.restart()

    def stop(self) -> None:
        """End the helpers; none start before `resume`. Programs that run go on alone."""
        self._stop(self.team)

    def resume(self) -> None:
        """Let the next launch start the helpers that the user wants."""
        self._resume(self.team, min(threads() - 1, MAX_HELPERS) if HAS_THREADS else 0)

    def end(self) -> None:
        """End the helpers; programs run alone from now on."""
        self._stop(self.team)
        self._resume(self.team, 0)

    def restart(self) -> None:
        """Begin with no helpers. In a forked process its threads, and what they held, were left behind."""
        self._process.epoch += 1
        self._make(self.team)
        Team.from_address(self.team).spin_ns = SPIN_NS
        self.resume()


def runtime() -> Runtime:
    """The engine's own compiled code, loaded when it is first asked for.

    Raises:
        NativeUnavailable: it cannot be compiled or loaded here.
    """
    if not _loaded:
        with _lock:
            if not _loaded:
                _loaded.append(Runtime(cpython.layout()))
    return _loaded[0]


_loaded: list[Runtime] = []
_lock = threading.RLock()  # held while helpers are started over, and through a fork


def _own_text(layout: cpython.Layout) -> str:
    constants = layout.constants() | PAUSES[host().triple.split("-")[0]]
    constants |= {"team_bytes": ctypes.sizeof(Team), "patience_ns": PATIENCE_NS, "rest_factor": REST_FACTOR}
    return text(["team" if HAS_THREADS else "solo", "interpreter", "chain", "repeat"], constants)


def _process() -> Process:
    table = Process()
    if hasattr(ctypes, "pythonapi"):
        api = ctypes.pythonapi
        table.save_thread = ctypes.cast(api.PyEval_SaveThread, ctypes.c_void_p)
        table.restore_thread = ctypes.cast(api.PyEval_RestoreThread, ctypes.c_void_p)
        table.to_int = ctypes.cast(api.PyLong_FromLongLong, ctypes.c_void_p)
    table.list_type, table.float_type = id(list), id(float)
    table.array_type, table.float64 = id(np.ndarray), id(np.dtype(np.float64))
    return table


def _resize() -> None:
    with _lock:
        for one in _loaded:
            one.stop()
            one.resume()


def _before_fork() -> None:
    _lock.acquire()
    for one in _loaded:
        one.stop()


def _after_in_parent() -> None:
    for one in _loaded:
        one.resume()
    _lock.release()


def _after_in_child() -> None:
    for one in _loaded:
        one.restart()
    _lock.release()


def _at_exit() -> None:
    for one in _loaded:
        one.end()


when_changed(_resize)
atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
