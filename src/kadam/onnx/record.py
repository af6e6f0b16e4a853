"""What a module computes of given inputs, as a graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kadam.errors import UnsupportedError
from kadam.func.tree import mapped, tensors
from kadam.ir.graph import Node
from kadam.recording.modes import no_grad
from kadam.recording.step import cut, start, state


@dataclass(frozen=True)
class Recorded:
    """A recorded call.

    Attributes:
        nodes: in topological order.
        feeds: the nodes that stand for tensors and numbers from outside, and what they are.
        inputs: the nodes that stand for the inputs.
        outputs: the nodes of the results.
    """

    nodes: tuple[Node, ...]
    feeds: dict[int, Any]
    inputs: list[Node]
    outputs: list[Node]


def recorded(function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Recorded:
    """Call a function without computing anything.

    Raises:
        UnsupportedError: it reads values, so that what it computes depends on them.
    """
    if state.rec is not None:
        cut(state.rec)
    rec = start()
    try:
        with no_grad():
            # Not the tensors themselves: views of what is known are made at once, and would not stand in the graph.
            given = mapped(_copied, (list(args), kwargs))
            rec = state.rec  # type: ignore[assignment]
            found = function(*given[0], **given[1])
            results = [_copied(one) for one in tensors(found)]
        if any(one._rec is not rec for one in results):
            raise UnsupportedError(
                "onnx.export: the model reads values (item, bool, a condition on a tensor) while it runs, so that its "
                "graph depends on them. Fix: export the part that does not, or use torch.where."
            )
        path = rec.current_path()
        feeds = {node.id: feed for node, feed in zip(path.feeds, rec.feeds, strict=False)}
        nodes = tuple(path.builder.nodes)
        return Recorded(
            nodes, feeds, [path.at(one._pos) for one in tensors(given)], [path.at(one._pos) for one in results]
        )
    finally:
        start()


def _copied(leaf: Any) -> Any:
    """A tensor as the result of a recorded call."""
    if not hasattr(leaf, "_spec"):
        return leaf
    return leaf.logical_not().logical_not() if leaf._spec.dtype.name == "bool" else leaf * 1
