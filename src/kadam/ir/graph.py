"""What a step is: nodes in topological order, from inputs and state to outputs and updates."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from kadam.ir.types import TensorType
from kadam.shapes import Shape

if TYPE_CHECKING:
    from kadam.dtypes import dtype
    from kadam.ir.primitive import Primitive


class Phase(enum.Enum):
    """The part of a training step that a node belongs to."""

    FORWARD = "forward"
    LOSS = "loss"
    BACKWARD = "backward"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class Source:
    """The line of the user's program that recorded a node."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(slots=True, eq=False)  # nobody changes one; but frozen, each would take four times as long to make
class Node:
    """One value of a step and how it is computed. Nodes answer to arithmetic: `ct * (1 - out * out)` emits nodes.

    Attributes:
        id: position in the graph; inputs have smaller ids.
        primitive: what computes the value.
        inputs: the values that it is computed from.
        type: element type and shape of the value.
        phase: forward, loss, backward or update.
        scope: module path, such as `encoder.fc1`; empty at the top.
        source: line of the user's program; None for what no line asked for.
        origin: id of the forward node whose derivative this is; None for all others.
    """

    id: int
    primitive: Primitive
    inputs: tuple[Node, ...]
    type: TensorType
    phase: Phase = Phase.FORWARD
    scope: str = ""
    source: Source | None = None
    origin: int | None = None

    @property
    def shape(self) -> Shape:
        return self.type.shape

    @property
    def dtype(self) -> dtype:
        return self.type.dtype

    @property
    def rank(self) -> int:
        return len(self.type.shape)

    def __str__(self) -> str:
        return f"%{self.id}"

    def __repr__(self) -> str:
        return f"<%{self.id} {self.primitive!r} {self.type}>"

    def __neg__(self) -> Node:
        return _arithmetic[0].neg(self)

    def __add__(self, other: Node | float) -> Node:
        return _arithmetic[0].add(self, other)

    def __radd__(self, other: float) -> Node:
        return _arithmetic[0].add(other, self)

    def __sub__(self, other: Node | float) -> Node:
        return _arithmetic[0].sub(self, other)

    def __rsub__(self, other: float) -> Node:
        return _arithmetic[0].sub(other, self)

    def __mul__(self, other: Node | float) -> Node:
        return _arithmetic[0].mul(self, other)

    def __rmul__(self, other: float) -> Node:
        return _arithmetic[0].mul(other, self)

    def __truediv__(self, other: Node | float) -> Node:
        return _arithmetic[0].div(self, other)

    def __rtruediv__(self, other: float) -> Node:
        return _arithmetic[0].div(other, self)


class Arithmetic(Protocol):
    """The nodes' operators. Their primitives stand one floor up, which lends them by `lend_arithmetic`."""

    def neg(self, a: Node) -> Node: ...
    def add(self, a: Node | float, b: Node | float) -> Node: ...
    def sub(self, a: Node | float, b: Node | float) -> Node: ...
    def mul(self, a: Node | float, b: Node | float) -> Node: ...
    def div(self, a: Node | float, b: Node | float) -> Node: ...


_arithmetic: list[Arithmetic] = []


def lend_arithmetic(arithmetic: Arithmetic) -> None:
    """Give nodes their operators (`kadam.primitives` does so when it is imported)."""
    _arithmetic[:] = [arithmetic]


@dataclass(frozen=True, eq=False)
class Graph:
    """One step.

    Attributes:
        nodes: all nodes in topological order; `nodes[i].id == i`.
        inputs: the nodes that a run is fed with, in the order of the feeds.
        outputs: the nodes whose values a run returns, in order.
        updates: state (an input) -> the node that computes its next value.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
    updates: Mapping[Node, Node] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.nodes)

    def users(self) -> list[list[Node]]:
        """For each node id, the nodes that read it, in order."""
        users: list[list[Node]] = [[] for _ in self.nodes]
        for node in self.nodes:
            for source in dict.fromkeys(node.inputs):
                users[source.id].append(node)
        return users
