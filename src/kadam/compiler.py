"""What scripts say about compilation. Kadam compiles steps by itself. As `torch.compiler`."""

from __future__ import annotations

from typing import Any, TypeVar

from kadam import missing
from kadam.settings import compile

Function = TypeVar("Function")


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """The function itself; a decorator, with options or without."""
    return (lambda found: found) if fn is None else fn


def allow_in_graph(fn: Function) -> Function:
    """The function itself."""
    return fn


def is_compiling() -> bool:
    """False: code always runs in Python."""
    return False


def is_dynamo_compiling() -> bool:
    """False: code always runs in Python."""
    return False


def is_exporting() -> bool:
    """False: code always runs in Python."""
    return False


def reset() -> None:
    """Accepted, without effect."""


def cudagraph_mark_step_begin() -> None:
    """Accepted, without effect."""


def list_backends(exclude_tags: Any = ()) -> list[str]:
    """The names that `torch.compile(backend=...)` may give: Kadam's own, under PyTorch's name for the default."""
    return ["inductor"]


__all__ = [
    "allow_in_graph", "compile", "cudagraph_mark_step_begin", "disable", "is_compiling", "is_dynamo_compiling",
    "is_exporting", "list_backends", "reset",
]  # fmt: skip

missing.install(__name__)
