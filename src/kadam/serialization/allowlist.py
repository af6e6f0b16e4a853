"""The classes and functions of the user's own that a checkpoint may name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kadam.errors import OperandError

# A global as the user gives it: the object, or the object with the full name that files have for it.
SafeGlobal = Any | tuple[Any, str]

_allowed: dict[str, Any] = {}


def add_safe_globals(safe_globals: Sequence[SafeGlobal]) -> None:
    """Let checkpoints name these classes and functions, from now on, as `torch.serialization.add_safe_globals`.

    What is allowed is called with whatever arguments a file gives, so allow only what is harmless with all of them.

    Args:
        safe_globals: classes or functions; `(class, "old.module.Name")` where files know it by another name.
    """
    _allowed.update(_named(one) for one in safe_globals)


def get_safe_globals() -> list[SafeGlobal]:
    """The classes and functions that are allowed now, beyond those that need no permission."""
    return [known if _own_name(known) == name else (known, name) for name, known in _allowed.items()]


def clear_safe_globals() -> None:
    """Allow nothing any more beyond what needs no permission."""
    _allowed.clear()


@contextmanager
def safe_globals(safe_globals: Sequence[SafeGlobal]) -> Iterator[None]:
    """Let checkpoints name these classes and functions inside the `with` block only."""
    before = dict(_allowed)
    add_safe_globals(safe_globals)
    try:
        yield
    finally:
        _allowed.clear()
        _allowed.update(before)


def allowed_by_user() -> dict[str, Any]:
    """What the user has allowed, by the full name that files have for it."""
    return dict(_allowed)


def _named(one: SafeGlobal) -> tuple[str, Any]:
    if not isinstance(one, tuple):
        return _own_name(one), one
    if len(one) != 2 or not isinstance(one[1], str):
        raise OperandError(
            f"add_safe_globals: expected (object, 'full.name'), but got {one!r}. Fix: give the class or function "
            "itself."
        )
    return one[1], one[0]


def _own_name(known: Any) -> str:
    name = getattr(known, "__qualname__", None)
    if name is None:
        raise OperandError(f"add_safe_globals: {known!r} is neither a class nor a function. Fix: give its class.")
    return f"{known.__module__}.{name}"
