"""Where in the user's program a call stands: its line, and the module whose forward pass it is in."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache, lru_cache
from opcode import opmap
from types import CodeType, FrameType
from typing import Any
from weakref import WeakKeyDictionary

from kadam.ir.graph import Source

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_BINARY_OP = opmap["BINARY_OP"]
_HANDLER, _WITH = opmap["PUSH_EXC_INFO"], opmap["WITH_EXCEPT_START"]
_LESSONS = os.path.join(PACKAGE, "lessons") + os.sep
GENERATED = ("<call of ", "<out= of ")  # how the names of callers' code begin
# The code of `Module.__call__`, whose frames tell the modules that are being called; by id, for code is slow to hash.
module_calls: dict[int, CodeType] = {}
# Where modules were found in others, by id; they may have moved since.
_paths: WeakKeyDictionary[Any, dict[int, str]] = WeakKeyDictionary()
# The code of functions that do nothing of their own while a function of the user's runs in them.
passing_on: set[CodeType] = set()
# The code of the function that runs a script: what it stands in is none of the script's. By id.
running: dict[int, CodeType] = {}
# What is done to an error whose traceback another process will show: `kadam run` leaves Kadam's own frames out.
before_telling: list[Callable[[BaseException], None]] = []


@cache
def is_ours(filename: str) -> bool:
    """Whether a file is part of Kadam (and not one of its lesson programs, which are user code)."""
    return (filename.startswith(PACKAGE) and not filename.startswith(_LESSONS)) or filename.startswith(GENERATED)


def where() -> tuple[str, Source | None]:
    """The module path (`encoder.fc1`) and the user's line of the call that is being recorded."""
    frame: FrameType | None = sys._getframe(1)
    source: Source | None = None
    modules: list[Any] = []
    while frame is not None:
        code = frame.f_code
        if id(code) in module_calls:
            modules.append(frame.f_locals["self"])
        elif source is None and not is_ours(code.co_filename):
            source = _source(code.co_filename, frame.f_lineno, os.getcwd())
        if id(code) in running:
            break
        frame = frame.f_back
    return _scope(modules[::-1]), source


@lru_cache(10_000)
def _source(filename: str, line: int, here: str) -> Source:
    """A line of the user's program, as messages name it in the working directory `here`."""
    return Source(shown(filename), line)


def in_operator() -> bool:
    """Whether what the user's code is calling is an operator, such as `a + b`."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and is_ours(frame.f_code.co_filename):
        frame = frame.f_back
    return frame is not None and frame.f_code.co_code[frame.f_lasti] == _BINARY_OP


def in_attempt() -> bool:
    """Whether the user's code stands in a `try`: an error must come there, not where a value is read later."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if id(code) in running:
            return False
        if not is_ours(code.co_filename) and any(start <= frame.f_lasti < end for start, end in _attempts(code)):
            return True
        frame = frame.f_back
    return False


def _attempts(code: CodeType) -> list[tuple[int, int]]:
    """The parts of a function that stand in a `try`, as ranges of its code."""
    return _handled(code) if code.co_exceptiontable else []


@cache
def _handled(code: CodeType) -> list[tuple[int, int]]:
    """The same, from the table of its handlers."""
    rest, found = iter(code.co_exceptiontable), []

    def number(first: int) -> int:
        value, byte = first & 63, first
        while byte & 64:  # six bits at a time, the highest first
            byte = next(rest)
            value = value << 6 | byte & 63
        return value

    for byte in rest:
        start, length, target, _ = (2 * number(byte if part == 0 else next(rest)) for part in range(4))
        handler = code.co_code[target : target + 3 : 2]
        if handler[0] == _HANDLER and handler[-1] != _WITH:
            found.append((start, start + length))
    return found


def parameter_name(tensor: Any) -> str | None:
    """The name of a parameter or buffer in the outermost module that is being called; None for other tensors."""
    frame: FrameType | None = sys._getframe(1)
    outermost = None
    while frame is not None:
        if id(frame.f_code) in module_calls:
            outermost = frame.f_locals["self"]
        frame = frame.f_back
    if outermost is None:
        return None
    members = [*outermost.named_parameters(), *outermost.named_buffers()]
    return next((name for name, member in members if member is tensor), None)


def shown(filename: str) -> str:
    """A file as messages name it: seen from the working directory."""
    here = os.getcwd() + os.sep
    return filename[len(here) :] if filename.startswith(here) else filename


def _scope(modules: list[Any]) -> str:
    return ".".join([_name_in(outer, called) for outer, called in zip(modules, modules[1:], strict=False)])


def _name_in(outer: Any, called: Any) -> str:
    """The path at which a module stands in another: mostly it is a child; else that of its class."""
    name = _paths.get(outer, {}).get(id(called), "")
    if _at(outer, name) is not called:
        known = _paths[outer] = {id(module): path for path, module in outer.named_children()}
        for path, module in outer.named_modules():
            known.setdefault(id(module), path)
        name = known.get(id(called), "")
    return name or type(called).__name__


def _at(outer: Any, path: str) -> Any:
    """What stands at a path; None for the path of `outer` itself."""
    found = outer if path else None
    for name in path.split(".") if path else ():
        found = getattr(found, name, None)
    return found
