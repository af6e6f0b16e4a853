"""Where nodes come into being: a builder appends them, with their types inferred and their origin noted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kadam.errors import VerifyError
from kadam.ir.graph import Node, Phase, Source
from kadam.ir.primitive import Primitive


class Builder:
    """A graph under construction.

    Attributes:
        nodes: what has been emitted so far.
        active: ids of the nodes through which gradients flow.
        tracking: whether new nodes that depend on active ones are active too (PyTorch's grad mode).
        phase, scope, source, origin: noted on each node that is emitted.
        adopt: asked for a node of this builder when an input belongs to another (an earlier step's value).
    """

    def __init__(self, nodes: list[Node] | None = None, active: set[int] | None = None) -> None:
        self.nodes: list[Node] = [] if nodes is None else nodes
        self.active: set[int] = set() if active is None else active
        self.tracking = True
        self.phase = Phase.FORWARD
        self.scope = ""
        self.source: Source | None = None
        self.origin: int | None = None
        self.adopt: Callable[[Node], Node] | None = None

    def owns(self, node: Node) -> bool:
        return node.id < len(self.nodes) and self.nodes[node.id] is node

    def taken(self, node: Node) -> Node:
        """A node as one of this builder: itself, or what it is adopted as."""
        return node if self.owns(node) else self._adopted(node)

    def emit(self, primitive: Primitive, *inputs: Node) -> Node:
        """Append the application of `primitive` to `inputs`.

        Raises:
            ShapeError, DTypeError: the inputs do not fit the primitive.
        """
        nodes, active = self.nodes, self.active
        for node in inputs:
            if node.id >= len(nodes) or nodes[node.id] is not node:
                inputs = tuple(map(self.taken, inputs))
                break
        result = primitive.infer(*[node.type for node in inputs])
        made = Node(len(nodes), primitive, inputs, result, self.phase, self.scope, self.source, self.origin)
        nodes.append(made)
        if self.tracking and primitive.differentiable and result.dtype.category >= 2:  # floating point or complex
            for node in inputs:
                if node.id in active:
                    active.add(made.id)
                    break
        return made

    def _adopted(self, node: Node) -> Node:
        if self.adopt is None:
            raise VerifyError(f"{node!r} belongs to another graph")
        return self.adopt(node)


class _Current(threading.local):
    builder: Builder | None = None


_current = _Current()


@contextmanager
def building(builder: Builder) -> Iterator[Builder]:
    """Nodes emitted inside go to `builder`."""
    outer, _current.builder = _current.builder, builder
    try:
        yield builder
    finally:
        _current.builder = outer


def emit(primitive: Primitive, *inputs: Node) -> Node:
    """Append a node to the graph under construction in this thread."""
    builder = _current.builder
    if builder is None:
        raise VerifyError("no graph is under construction here")
    return builder.emit(primitive, *inputs)


def current_builder() -> Builder:
    """The graph under construction in this thread."""
    if _current.builder is None:
        raise VerifyError("no graph is under construction here")
    return _current.builder
