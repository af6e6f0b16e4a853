"""Modules without values of their own, which a state will be loaded into."""

from __future__ import annotations

from typing import Any, TypeVar

from kadam.nn.modules.module import Module

Kind = TypeVar("Kind", bound=Module)


def skip_init(module_cls: type[Kind], *args: Any, **kwargs: Any) -> Kind:
    """A module whose parameters mean nothing yet. It draws no random numbers that others would have got.

    Args:
        module_cls: its class.
        args: of its constructor, as are the named ones.
    """
    from kadam.ops.random import fork_rng

    with fork_rng():
        return module_cls(*args, **kwargs)
