"""Switches of PyTorch's compiler, which scripts set: Kadam compiles steps in its own way. As `torch._dynamo`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from kadam.compiler import disable, is_compiling, reset

config = SimpleNamespace(
    suppress_errors=False, cache_size_limit=8, recompile_limit=8, verbose=False, capture_scalar_outputs=False
)


def optimize(backend: Any = None, *options: Any, **named_options: Any) -> Any:
    """A decorator that returns the function itself."""
    return lambda function: function


def mark_dynamic(t: Any, index: Any, *options: Any, **named_options: Any) -> None:
    """Accepted: each shape is a program."""


mark_static = maybe_mark_dynamic = mark_dynamic

__all__ = [
    "config", "disable", "is_compiling", "mark_dynamic", "mark_static", "maybe_mark_dynamic", "optimize", "reset",
]  # fmt: skip
