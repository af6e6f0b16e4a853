"""What an optimizer remembers of its parameters: dicts, as in PyTorch, that note when anything in them is replaced.

So long as nothing was, an optimizer need not look into them again: see `rule.Team`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar
from weakref import WeakValueDictionary


class Changes:
    """Counts the replacements, in all dicts.

    Attributes:
        sparse: the parameters that ever had a sparse gradient, by id: these are never taken as they were.
    """

    count = 0
    sparse: ClassVar[WeakValueDictionary[int, Any]] = WeakValueDictionary()


def note_sparse(param: Any) -> None:
    """Have optimizers look at the gradients of a parameter from now on: it has a sparse one."""
    if Changes.sparse.get(id(param)) is not param:
        Changes.sparse[id(param)] = param
        Changes.count += 1


def had_sparse(params: Iterable[Any]) -> bool:
    """Whether a parameter ever had a sparse gradient."""
    return bool(Changes.sparse) and any(Changes.sparse.get(id(param)) is param for param in params)


def _noting(name: str) -> Callable[..., Any]:
    """A dict's method that replaces something, and notes it."""
    method = getattr(dict, name)

    def change(self: dict[Any, Any], *args: Any, **kwargs: Any) -> Any:
        Changes.count += 1
        return method(self, *args, **kwargs)

    change.__name__, change.__doc__ = name, method.__doc__
    return change


_CHANGING = ("__setitem__", "__delitem__", "__ior__", "clear", "pop", "popitem", "setdefault", "update")
_noted = {name: _noting(name) for name in _CHANGING}


class Remembered(dict[str, Any]):
    """What is remembered of one parameter, by name. A plain dict to whoever copies or saves it."""

    locals().update(_noted)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


class Memory(defaultdict[Any, Any]):
    """What is remembered of each parameter."""

    locals().update(_noted)

    def __init__(self) -> None:
        super().__init__(Remembered)

    def __repr__(self) -> str:
        return repr(defaultdict(dict, self))

    def __reduce__(self) -> tuple[Any, ...]:
        return defaultdict, (dict, dict(self))


def remembering(state: Mapping[Any, Any]) -> Memory:
    """What was remembered, by parameter, as a `Memory`."""
    memory = Memory()
    for key, value in state.items():
        memory[key] = Remembered(value) if type(value) is dict else value
    return memory
