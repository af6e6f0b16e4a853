"""What one run of a graph measured, per node."""

from __future__ import annotations

from dataclasses import dataclass, field

from kadam.ir.graph import Graph, Node
from kadam.ir.primitive import Array


@dataclass
class Trace:
    """Values and times of one run, by node id; views join it with the graph.

    Attributes:
        graph: what ran.
        values: node id -> value, for the nodes that were kept.
        elapsed_s: node id -> time spent, in seconds.
    """

    graph: Graph
    values: dict[int, Array] = field(default_factory=dict)
    elapsed_s: dict[int, float] = field(default_factory=dict)

    def value(self, node: Node) -> Array:
        """The value that `node` had in this run."""
        return self.values[node.id]
