"""Functions jump into their compiled form: the function stays the object that it is, its code becomes one call."""

from __future__ import annotations

import ast
import dis
import linecache
import re
import sys
import textwrap
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from kadam import hot
from kadam.engines.native import cpython
from kadam.engines.native.build import addresses, told
from kadam.engines.native.own.statements import Body
from kadam.engines.native.own.table import API
from kadam.engines.native.own.unit import Refused, Unit
from kadam.engines.native.stats import counters

Group = Mapping[FunctionType, ast.FunctionDef]

_compiled: dict[FunctionType, Any] = {}  # function -> the builtin that does the same
_kept: list[Any] = []  # what compiled code refers to, for ever: as code in memory is
_given_up: list[str] = []
_lock = threading.Lock()


def compile_own() -> None:
    """Compile what is hot, once; where that cannot be, Python goes on as before."""
    if not _compiled:
        _install_all(_parts)


def compile_callers() -> None:
    """Compile the callers of operations that are new since, if what they call is compiled."""
    if _compiled and hot.callers:
        _install_all(dict)


def _install_all(parts: Callable[[], Mapping[str, Group]]) -> None:
    """Compile these parts and the callers there are. If another thread is at it, this one goes on in Python."""
    if _given_up or not _lock.acquire(blocking=False):
        return
    try:
        callers, hot.callers = hot.callers, {}
        install([*parts().values(), *[{caller: _only(tree)} for caller, tree in callers.items()]])
    except Exception as reason:  # whatever it is: nothing is lost but time
        _given_up.append(f"{type(reason).__name__}: {reason}")
    finally:
        _lock.release()


def functions() -> list[str]:
    """The names of Kadam's own functions that run compiled in this process."""
    return [f"{one.__module__}.{one.__qualname__}" for one in _compiled]


def _parts() -> Mapping[str, Group]:
    """What is hot, by package: parts of a size, which are compiled side by side."""
    parts: dict[str, dict[FunctionType, ast.FunctionDef]] = {}
    for function in hot.functions:
        name = "optim" if function.__module__.startswith("kadam.optim") else "recording"
        parts.setdefault(name, {})[function] = tree_of(function)
    return parts


def install(groups: Sequence[Group]) -> None:
    """Compile functions and let them jump there.

    Args:
        groups: functions that are compiled together, with their syntax.

    Raises:
        Refused: one contains what is not compiled, or Python's objects lie otherwise here.
        NativeUnavailable: LLVM does not take the text.
    """
    layout = cpython.layout()
    if layout is None or sys.version_info >= (3, 14):
        raise Refused("how Python's objects lie is not known here")
    ways = {function: _Way(function) for group in groups for function in group}
    known = _compiled | {function: way.builtin for function, way in ways.items()}
    units = [Unit(group, known, hot.classes) for group in groups]
    texts = [_text(unit, group, layout) for unit, group in zip(units, groups, strict=True)]
    counted = replace(counters)
    starts = addresses(texts)
    vars(counters).update(vars(counted))  # they count what is done for programs
    for unit, group, start in zip(units, groups, starts, strict=True):
        table = unit.table.array()
        _kept.append((unit.table, table))
        for function, address in zip(group, told(start, len(group)), strict=True):
            ways[function].open(address, table)
    for function, way in ways.items():
        _compiled[function] = way.builtin
        function.__code__ = _jump(function, way.builtin)


class _Way:
    """The builtin function that a function jumps to. It can be named before there is code behind it."""

    def __init__(self, function: FunctionType) -> None:
        self._method = cpython.Method(function.__name__.encode(), None, cpython.METH_FASTCALL, None)
        self._cell = np.zeros(1, np.int64)  # the builtin's `self`: where its table stands
        self.builtin = cpython.builtin(self._method, self._cell, None)

    def open(self, address: int, table: np.ndarray[Any, Any]) -> None:
        self._method.function = address
        self._cell[0] = table.ctypes.data
        _kept.append(self._method)


def tree_of(function: FunctionType) -> ast.FunctionDef:
    """A function's syntax.

    Raises:
        OSError: its source is not there, or another one.
    """
    code = function.__code__
    lines = linecache.getlines(code.co_filename)[code.co_firstlineno - 1 : _last_line(code)]
    try:
        module = ast.parse(textwrap.dedent("".join(lines)))
        tree = _only(module)
        (again,) = [one for one in compile(module, "", "exec").co_consts if isinstance(one, CodeType)]
    except (SyntaxError, ValueError) as error:
        raise OSError(f"no source of {function.__qualname__}") from error
    if not code.co_freevars and not _same(code, again):
        raise OSError(f"the source of {function.__qualname__} is not what was imported")
    return tree


def _same(code: CodeType, other: CodeType) -> bool:
    """Whether two pieces of code do the same, wherever they stand."""
    return list(_gist(code)) == list(_gist(other))


def _gist(code: CodeType) -> Iterator[tuple[str, Any]]:
    """What a piece of code names and does; not how it calls, which depends on what its module imports."""
    for one in dis.get_instructions(code):
        if isinstance(one.argval, CodeType):
            yield from _gist(one.argval)
        elif one.opname not in ("PUSH_NULL", "PRECALL", "EXTENDED_ARG", "CALL"):
            yield one.opname.replace("LOAD_METHOD", "LOAD_ATTR"), None if "JUMP" in one.opname else repr(one.argval)


def _only(module: ast.Module) -> ast.FunctionDef:
    (tree,) = module.body
    if not isinstance(tree, ast.FunctionDef):
        raise ValueError("this is no function")
    return tree


def _last_line(code: CodeType) -> int:
    inner = [_last_line(one) for one in code.co_consts if isinstance(one, CodeType)]
    return max([end for _, end, _, _ in code.co_positions() if end is not None] + inner, default=0)


def _text(unit: Unit, group: Group, layout: cpython.Layout) -> str:
    """The LLVM module of a group."""
    names = "".join(f"; {one.__module__}.{one.__qualname__}\n" for one in group)  # no two texts are the same
    bodies = [Body(unit, function, tree).text() for function, tree in group.items()]
    table = unit.table
    words: dict[str, int | str] = layout.constants() | {name: table.function(name) for name in API}
    words |= {name: table.object(value) for name, value in _OBJECTS.items()}
    in_main = threading.current_thread() is threading.main_thread()  # after which no other comes by its number
    words["thread"] = table.number("thread", threading.get_ident() if in_main else 0)
    counted = "counted_inline" if sys.version_info < (3, 12) else "counted_by_python"
    parts = [Path(__file__).with_name(f"{name}.ll").read_text(encoding="utf-8") for name in (counted, "own")]
    own = re.sub(r"\$(\w+)", lambda found: str(words[found[1]]), "\n".join(parts))
    entries = [_entry(number, function) for number, function in enumerate(group)]
    return "\n\n".join([names, own, unit.helpers(), *bodies, *entries, _starter(len(group))]) + "\n"


_OBJECTS = {
    "list": list, "tuple": tuple, "None": None, "True": True, "False": False,
    "unbound_kind": UnboundLocalError, "unfit_kind": ValueError, "miscalled_kind": TypeError,
    "unbound": "cannot access a local variable where it is not associated with a value",
    "unfit": "not as many values to unpack as targets",
    "miscalled": "a compiled function was called with another number of arguments",
}  # fmt: skip


def _count(function: FunctionType) -> int:
    return function.__code__.co_argcount + function.__code__.co_kwonlyargcount


def _entry(number: int, function: FunctionType) -> str:
    """The way in for Python (METH_FASTCALL); `self` is an array that holds the address of the table."""
    count = _count(function)
    loads = [
        line
        for index in range(count)
        for line in (f"  %at{index} = getelementptr ptr, ptr %arguments, i64 {index}",
                     f"  %a{index} = load ptr, ptr %at{index}")
    ]  # fmt: skip
    given = "".join(f", ptr %a{index}" for index in range(count))
    return "\n".join([
        f"define internal ptr @entry{number}(ptr %self, ptr %arguments, i64 %count) nounwind {{", "entry:",
        f"  %cell.at = getelementptr i8, ptr %self, i64 {cpython.EXPECTED.array_data}",
        "  %cell = load ptr, ptr %cell.at", "  %table = load ptr, ptr %cell",
        f"  %fits = icmp eq i64 %count, {count}", "  br i1 %fits, label %good, label %bad", "bad:",
        "  call void @miscalled(ptr %table)", "  ret ptr null", "good:", *loads,
        f"  %result = call ptr @own{number}(ptr %table{given})", "  ret ptr %result", "}",
    ])  # fmt: skip


def _starter(count: int) -> str:
    """The text is kept and loaded as a kernel is; run as one, it tells where its functions stand."""
    lines = ["define void @kernel(ptr %addresses, i64 %begin, i64 %end) nounwind {"]
    for number in range(count):
        lines.append(f"  %at{number} = getelementptr ptr, ptr %addresses, i64 {number}")
        lines.append(f"  store ptr @entry{number}, ptr %at{number}")
    return "\n".join([*lines, "  ret void", "}"])


def _jump(function: FunctionType, builtin: Any) -> CodeType:
    """Code with the function's parameters that calls the builtin with them, in order."""
    code = function.__code__
    names = code.co_varnames[: _count(function)]
    positional, named = names[: code.co_argcount], names[code.co_argcount :]
    only = code.co_posonlyargcount
    listed = [*positional[:only], *(["/"] if only else []), *positional[only:], *(["*", *named] if named else [])]
    source = f"def jump({', '.join(listed)}):\n return 'BUILTIN'({', '.join(names)})\n"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        module = compile(source, code.co_filename, "exec")
    (made,) = [one for one in module.co_consts if isinstance(one, CodeType)]
    constants = tuple(builtin if one == "BUILTIN" else one for one in made.co_consts)
    return made.replace(
        co_consts=constants, co_name=code.co_name, co_qualname=code.co_qualname, co_firstlineno=code.co_firstlineno
    )
