"""Plain data of Python's own that a file read with `weights_only=False` may hold: what checkpoints keep beside tensors.

Each is made of values that have been checked to be plain, so that making one calls no method of anything else.
"""

from __future__ import annotations

import argparse
import os
import pathlib
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from types import SimpleNamespace
from typing import Any

from kadam.errors import OperandError

# Types that are named as values, such as what a defaultdict makes of a missing key; never called.
KINDS: dict[str, Any] = {f"builtins.{kind.__name__}": kind for kind in (bool, int, float, str, list, tuple, dict)} | {
    "builtins.Ellipsis": Ellipsis,
    "builtins.NotImplemented": NotImplemented,
}
_MAKERS = (bool, int, float, str, list, tuple, dict, set, OrderedDict, Counter, deque, defaultdict)
_VALUES = (type(None), bool, int, float, str, bytes, date, time, timedelta, timezone)


def dictionary(items: Any = ()) -> dict[Any, Any]:
    """A dict of a dict, as an optimizer's memory is written."""
    return dict(_plain(items, tuple, list, dict))


def namespace(attributes: Any = ()) -> SimpleNamespace:
    """A SimpleNamespace, whose attributes follow."""
    return SimpleNamespace()


def with_default(make: Any = None, items: Any = ()) -> defaultdict[Any, Any]:
    """A defaultdict of a type of Python's own; another function of the file could run when a key is missing."""
    if make is not None and not any(make is known for known in _MAKERS):
        raise OperandError(
            f"defaultdict: a file's default can only be a type of Python's own, not {make!r}. Fix: save dict(d)."
        )
    return defaultdict(make, _plain(items, tuple, list, dict))


def queue(items: Any = (), most: int | None = None) -> deque[Any]:
    """A deque."""
    return deque(_plain(items, tuple, list), _plain(most, type(None), int))


def path(kind: type[pathlib.PurePath]) -> Callable[..., pathlib.PurePath]:
    """What makes paths of a class of their parts."""

    def made(*parts: str) -> pathlib.PurePath:
        return kind(*(_plain(part, str) for part in parts))

    return made


def of_values(make: Callable[..., Any]) -> Callable[..., Any]:
    """What makes a value of plain values only."""

    def made(*values: Any) -> Any:
        return make(*(_plain(value, *_VALUES) for value in values))

    return made


def frozen(items: Any = ()) -> frozenset[Any]:
    """A frozenset."""
    return frozenset(_plain(items, tuple, list, set, frozenset))


def _plain(value: Any, *kinds: type) -> Any:
    if type(value) not in kinds:
        raise OperandError(f"expected plain data, but got a {type(value).__name__}. Fix: save a state_dict.")
    return value


_HERE, _ELSEWHERE = ("Windows", "Posix") if os.name == "nt" else ("Posix", "Windows")
_PATHS: dict[str, type[pathlib.PurePath]] = {
    "Path": pathlib.Path,
    f"{_HERE}Path": pathlib.Path,
    f"{_ELSEWHERE}Path": getattr(pathlib, f"Pure{_ELSEWHERE}Path"),  # there is no other system's disk here
    **{name: getattr(pathlib, name) for name in ("PurePath", "PurePosixPath", "PureWindowsPath")},
}
PLAIN: dict[str, Any] = {
    "collections.defaultdict": with_default,
    "collections.deque": queue,
    "types.SimpleNamespace": namespace,
    "builtins.frozenset": frozen,
    "builtins.range": of_values(range),
    "builtins.slice": of_values(slice),
    **{f"datetime.{kind.__name__}": of_values(kind) for kind in (date, datetime, time, timedelta, timezone)},
    **{f"{room}.{name}": path(kind) for room in ("pathlib", "pathlib._local") for name, kind in _PATHS.items()},
}
# Classes of objects that are made empty and given their attributes.
OBJECTS: dict[str, Any] = {"argparse.Namespace": argparse.Namespace}
