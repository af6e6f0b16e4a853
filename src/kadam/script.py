"""Runs a Python program, unmodified, with Kadam as its `torch`.

The program finds the world as `python program.py` would show it: its own `__main__` module, `sys.argv`, `sys.path[0]`.
It ends as it would there too: its own exit code, 1 after an uncaught error, 130 after an interruption.
"""

from __future__ import annotations

import builtins
import importlib.util
import io
import os
import runpy
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.machinery import SourceFileLoader
from types import ModuleType

from kadam import language, torch_imports, tracebacks
from kadam.recording.modes import is_grad_enabled, set_grad_enabled
from kadam.recording.place import before_telling, running

FAILED = 1
CANNOT_OPEN = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells count it


Around = Callable[[], AbstractContextManager[object]]


def run_file(path: str, arguments: Sequence[str] = (), around: Around = nullcontext) -> int:
    """Run a script and give its exit code; `-` is the script on standard input; `around` gives what it runs inside.

    Raises:
        SystemExit: the script has ended itself, by `sys.exit` for example.
    """
    try:
        source, filename = _read(path)
    except OSError as error:
        named = {"file": repr(path), "why": error.strerror, "folder": repr(os.getcwd())}
        print(language.text("script.cannot_open", language.spoken(), **named), file=sys.stderr)
        return CANNOT_OPEN
    directory = os.path.dirname(os.path.realpath(path)) if path != "-" else ""

    def program() -> None:
        main = _new_main(filename)
        if b"\0" in source:
            line = source[: source.index(b"\0")].count(b"\n") + 1
            raise SyntaxError("source code cannot contain null bytes", (filename, line, None, None))
        exec(compile(source, filename, "exec", dont_inherit=True), vars(main))

    return _run(program, [path, *arguments], directory, around)


def run_module(name: str, arguments: Sequence[str] = (), around: Around = nullcontext) -> int:
    """Run a module as a script, as `python -m` does, and give its exit code; `around` gives what it runs inside.

    Raises:
        SystemExit: the module has ended itself.
    """

    def program() -> None:
        if not _is_there(name):
            named = {"module": repr(name), "folder": repr(os.getcwd())}
            print(language.text("script.no_module", language.spoken(), **named), file=sys.stderr)
            raise SystemExit(FAILED)
        runpy.run_module(name, run_name="__main__", alter_sys=True)

    return _run(program, [name, *arguments], os.getcwd(), around)


def _is_there(name: str) -> bool:
    """Whether Python finds a module of this name; the packages that it lies in are imported."""
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            return False
        raise


@contextmanager
def as_guest() -> Iterator[None]:
    """A program that is run inside leaves the process as it has found it: its `torch`, arguments, paths and hooks."""
    argv, path, told = sys.argv[:], sys.path[:], before_telling[:]
    main, hook = sys.modules.get("__main__"), threading.excepthook
    with torch_imports.installed():
        try:
            yield
        finally:
            sys.argv[:], sys.path[:], before_telling[:], threading.excepthook = argv, path, told, hook
            if main is not None:
                sys.modules["__main__"] = main


def _read(path: str) -> tuple[bytes, str]:
    """The source of a script, and the name that tracebacks show for it."""
    if path == "-":
        return sys.stdin.buffer.read(), "<stdin>"
    with io.open_code(os.path.abspath(path)) as file:
        return file.read(), os.path.abspath(path)


def _new_main(filename: str) -> ModuleType:
    """A `__main__` module of the program's own, where pickle and dataclasses find its classes."""
    main = ModuleType("__main__")
    loader = SourceFileLoader("__main__", filename)
    vars(main).update(__builtins__=builtins, __cached__=None, __file__=filename, __loader__=loader)
    sys.modules["__main__"] = main
    return main


def _run(program: Callable[[], object], argv: list[str], directory: str, around: Around) -> int:
    torch_imports.install()
    sys.argv[:] = argv
    if not sys.flags.safe_path:
        sys.path[0] = directory
    _shorten_tracebacks_of_threads()
    before_telling[:] = [tracebacks.shorten]
    grad = is_grad_enabled()
    try:
        with around():
            program()
    except SystemExit:
        raise
    except BaseException as error:
        tracebacks.shorten(error)
        tracebacks.explain(error)
        sys.excepthook(type(error), error, error.__traceback__)
        return INTERRUPTED if isinstance(error, KeyboardInterrupt) else FAILED
    finally:
        set_grad_enabled(grad)  # a program's switch ends with it: whoever ran it may go on
    return 0


running[id(_run.__code__)] = _run.__code__


def _shorten_tracebacks_of_threads() -> None:
    show = threading.excepthook

    def show_shortened(failure: threading.ExceptHookArgs) -> None:
        if failure.exc_value is not None:
            tracebacks.shorten(failure.exc_value)
            failure = threading.ExceptHookArgs(
                (failure.exc_type, failure.exc_value, failure.exc_value.__traceback__, failure.thread)
            )
        show(failure)

    threading.excepthook = show_shortened
