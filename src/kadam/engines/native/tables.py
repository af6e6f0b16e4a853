"""The tables that Python fills and compiled code reads; and the engine's own compiled code, which reads them.

Each table is one ctypes structure. LLVM's text takes its layout from here (`$Program` is the type, `$Program.launches`
the index of a field), so it is written down once.
"""

from __future__ import annotations

import ctypes
import re
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

POINTER, WORD = ctypes.c_void_p, ctypes.c_int64
MAX_HELPERS = 255
MAX_CHUNKS = 2**16 - 1
HAS_THREADS = sys.platform != "win32"  # POSIX threads
BAD_CALL = -(2**63)  # what a program returns when its lists are not lists, or not of the right length


class Launch(ctypes.Structure):
    """One kernel over its tasks: in one go by the caller if `chunks` is 1, else in chunks of `grain` by the team."""

    _fields_ = (
        ("kernel", POINTER),
        ("args", POINTER),
        ("tasks", WORD),
        ("grain", WORD),
        ("chunks", WORD),
        ("checks", WORD),  # whether it may store to the error cell
    )


class Link(ctypes.Structure):
    """A kernel of a chain."""

    _fields_ = (("kernel", POINTER), ("args", POINTER), ("tasks", WORD))  # tasks of a part


class Chain(ctypes.Structure):
    """What a launch of a chain gets as its `args`: kernels that run part by part."""

    _fields_ = (("links", POINTER), ("count", WORD))


class Feed(ctypes.Structure):
    """An input of a program: where its address goes, and what the Python object must be."""

    _fields_ = (("slot", POINTER), ("number", WORD))


class Program(ctypes.Structure):
    """What one call runs."""

    _fields_ = (
        ("busy", WORD),  # 0, or the epoch of the process in which a thread runs it
        ("feeds", POINTER),
        ("feed_count", WORD),
        ("outputs", POINTER),  # addresses of slots
        ("output_count", WORD),
        ("launches", POINTER),
        ("launch_count", WORD),
        ("error", POINTER),  # the cell that kernels store what is wrong with the data to
        ("parallel", WORD),  # whether any launch is the team's
        ("release", WORD),  # whether other Python threads may run meanwhile
        ("process", POINTER),
        ("team", POINTER),
    )


class Moving(ctypes.Structure):
    """A slot whose address moves on from run to run."""

    _fields_ = (("slot", POINTER), ("next", POINTER), ("stride", WORD))


class Repeat(ctypes.Structure):
    """Many runs of a program."""

    _fields_ = (
        ("program", POINTER),
        ("movings", POINTER),
        ("moving_count", WORD),
        ("runs", WORD),
        ("watched", POINTER),  # the slot of a value after which no run follows if it is nan or infinite
        ("watched_bytes", WORD),  # its size; 0: nobody asks
        ("done", WORD),  # how many runs there were
    )


class Process(ctypes.Structure):
    """What compiled code must know of this process: read, not compiled in, so that the code can stand on the disk."""

    _fields_ = (
        ("epoch", WORD),  # 1, and one more in each fork
        ("save_thread", POINTER),
        ("restore_thread", POINTER),
        ("to_int", POINTER),
        ("list_type", POINTER),
        ("float_type", POINTER),
        ("array_type", POINTER),
        ("float64", POINTER),
    )


class Team(ctypes.Structure):
    """The threads that share a program's launches. Fields that different threads write stand 128 bytes apart."""

    _fields_ = (
        ("lock", WORD),  # held for a launch, or while helpers start and stop
        ("wanted", WORD),  # how many helpers there should be
        ("running", WORD),  # how many there are
        ("spin_ns", WORD),  # how long a helper without work stays awake
        ("rest_ns", WORD),  # until when launches run alone, on the clock of `now`
        ("gap1", WORD * 11),
        ("state", WORD),  # the job's number << 32 | the first << 16 | the end of the chunks nobody has claimed
        ("gap2", WORD * 15),
        ("done", WORD),  # chunks that are finished
        ("gap3", WORD * 15),
        ("kernel", POINTER),
        ("args", POINTER),
        ("tasks", WORD),
        ("grain", WORD),
        ("gap4", WORD * 12),
        ("parked", WORD),  # helpers that sleep
        ("alarm", WORD),  # rises when sleeping helpers shall look for work
        ("stop", WORD),
        ("mutex", WORD * 16),  # pthread_mutex_t and pthread_cond_t, with room for any system's
        ("condition", WORD * 16),
        ("threads", WORD * MAX_HELPERS),
    )


TABLES: Sequence[type[ctypes.Structure]] = (Launch, Link, Chain, Feed, Program, Moving, Repeat, Process, Team)


def text(names: Sequence[str], constants: dict[str, int | str]) -> str:
    """The engine's own LLVM modules `names`, joined, with the layouts of tables and `constants` filled in."""
    words: dict[str, str] = {name: str(value) for name, value in (constants | _SYSTEM).items()}
    types = []
    for table in TABLES:
        words[table.__name__] = f"%{table.__name__}"
        types.append(f"%{table.__name__} = type {{ {', '.join(_type(field[1]) for field in table._fields_)} }}")
        words |= {f"{table.__name__}.{field[0]}": f"i32 {index}" for index, field in enumerate(table._fields_)}
    body = "\n".join(Path(__file__).with_name(f"{name}.ll").read_text(encoding="utf-8") for name in names)
    return "\n".join(types) + "\n\n" + re.sub(r"\$([A-Za-z_0-9.]*\w)", lambda found: words[found[1]], body)


def _type(field: type) -> str:
    if field is POINTER:
        return "ptr"
    return "i64" if field is WORD else f"[{ctypes.sizeof(field) // 8} x i64]"


_SYSTEM: dict[str, int | str] = {
    "bad_call": BAD_CALL,
    "clock": getattr(time, "CLOCK_MONOTONIC", 1),
    "set_mask": int(getattr(signal, "SIG_SETMASK", 2)),
}
