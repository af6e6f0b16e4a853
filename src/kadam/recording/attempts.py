"""Indices within a `try`: one that is out of range is an error there, as in PyTorch, not where a value is read later.

A call whose data may be refused is looked at where the user's code stands in a `try`. Its indices mostly stand in
memory, so that they can be tried on memory without content; if they are refused, or are not known yet, the call is
computed. A call that has gone well so often that it is part of a loop is not looked at any more: from then on the error
comes with the value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kadam import passes
from kadam.engines import reference
from kadam.ir.graph import Graph, Node
from kadam.ir.primitive import Array
from kadam.primitives.check import Within
from kadam.primitives.index import Reading, Writing
from kadam.primitives.sources import Input
from kadam.recording.place import in_attempt
from kadam.recording.step import Recording
from kadam.recording.tensor import Recorded, read
from kadam.recording.tiers import SETTLED
from kadam.recording.trail import TrailNode

_FEW = 60  # nodes that indices are made by


def watch(node: TrailNode) -> None:
    """Look at the visits of a call, if data can make it impossible."""
    refusing = [one for one in node.nodes if isinstance(one.primitive, Reading | Writing | Within)]
    if refusing and node.assemble is not None and node.outputs:
        node.assemble = _Watch(node, refusing)
        node.plain = False


class _Watch:
    """Makes what a call returns, and looks at its indices.

    Attributes:
        plain, assemble: of the trail node, once it is not watched any more.
        left: for how many visits it is.
        refusing: its nodes that may refuse their data.
        indices: what tells the indices of these from the feeds; None if too much would have to be computed.
    """

    def __init__(self, node: TrailNode, refusing: list[Node]) -> None:
        self.plain, self.assemble = node.plain, node.assemble
        self.left = SETTLED
        self.refusing = refusing
        self.indices: Callable[[list[Any]], Any] | None = None
        self.made = False

    def __call__(self, rec: Recording, node: TrailNode, arguments: tuple[Any, ...]) -> Any:
        assert self.assemble is not None
        result = self.assemble(rec, node, arguments)
        self.left -= 1
        if self.left <= 0:
            node.plain, node.assemble = self.plain, self.assemble
        if in_attempt() and not self._fits(rec):
            for one in result if isinstance(result, list | tuple) else (result,):
                if isinstance(one, Recorded):
                    read(one)
        return result

    def _fits(self, rec: Recording) -> bool:
        if not self.made:
            self.made, self.indices = True, self._indices(rec)
        if self.indices is None:
            return False
        try:
            found = iter(self.indices([np.asarray(value) for value in rec.values]))
            for node in self.refusing:
                _try(node, [next(found) for _ in _indices_of(node)])
        except (reference.RunError, *reference.REFUSALS):
            return False
        return True

    def _indices(self, rec: Recording) -> Callable[[list[Any]], Any] | None:
        path = rec.current_path()
        wanted = [index for node in self.refusing for index in _indices_of(node)]
        graph = passes.tidy(Graph(tuple(path.builder.nodes), tuple(path.feeds), tuple(wanted)))
        made = [node for node in graph.nodes if not isinstance(node.primitive, Input)]
        return reference.compile(graph) if len(made) <= _FEW else None


def _indices_of(node: Node) -> tuple[Node, ...]:
    """The inputs that a node may refuse."""
    if isinstance(node.primitive, Within):
        return node.inputs
    return node.inputs[2:] if isinstance(node.primitive, Writing) else node.inputs[1:]


def _try(node: Node, indices: list[Array]) -> None:
    primitive = node.primitive
    if isinstance(primitive, Within):
        primitive.reference(*indices)
        return
    reading = primitive.reading() if isinstance(primitive, Writing) else primitive
    source = node.inputs[0]
    reading.reference(np.broadcast_to(np.zeros((), source.dtype.numpy), source.shape), *indices)
