"""Networks as graphs that programs rewrite: names for libraries that mark their functions. As `torch.fx`.

Kadam has graphs of its own (`kadam show`), of steps and not of modules; those of torch.fx it does not make.
"""

from __future__ import annotations

from typing import TypeVar

from kadam import missing
from kadam.absent import functions, kinds

Function = TypeVar("Function")

_INSTEAD = "call the module itself; forward hooks give what it computes inside."

Graph, GraphModule, Interpreter, Node, Proxy, Tracer, Transformer = kinds(
    "torch.fx", "Graph GraphModule Interpreter Node Proxy Tracer Transformer", _INSTEAD
)
symbolic_trace, replace_pattern = functions("torch.fx", "symbolic_trace replace_pattern", _INSTEAD)


def wrap(fn_or_name: Function) -> Function:
    """The function itself, or the name: a mark for tracers, which are not to look inside.

    Raises:
        RuntimeError: it is neither.
    """
    if not callable(fn_or_name) and not isinstance(fn_or_name, str):
        raise RuntimeError(f"torch.fx.wrap: {fn_or_name!r} is no function and no name. Fix: @torch.fx.wrap.")
    return fn_or_name


__all__ = [
    "Graph", "GraphModule", "Interpreter", "Node", "Proxy", "Tracer", "Transformer", "replace_pattern",
    "symbolic_trace", "wrap",
]  # fmt: skip

missing.install(__name__)
