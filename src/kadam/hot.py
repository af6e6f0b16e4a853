"""What runs at every step of a loop that is warm: marked here, compiled by the native engine once it is worth it.

The functions are plain Python and mean what they say. `hot` asks that they keep to the part of the language that
`kadam.engines.native.own` compiles; what they need beside it (messages, comprehensions over generators ...) stands in
functions of its own. Compiled, a function takes global names as they are at that moment.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)

functions: dict[FunctionType, None] = {}  # in the order of their declaration
classes: dict[type, None] = {}
callers: dict[FunctionType, ast.Module] = {}  # generated functions that are not compiled yet, with their syntax


def hot(function: F) -> F:
    """Mark a function to be compiled."""
    assert isinstance(function, FunctionType)
    functions[function] = None
    return function


def slotted(cls: C) -> C:
    """Mark a class whose slots compiled functions read at their place; not those of classes derived from it."""
    classes[cls] = None
    return cls
