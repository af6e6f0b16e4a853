"""Values within a call that make its formula readable: mean and variance of a normalisation, a softmax's largest score.

And what formulas alone do not say: which element won a window, and which were dropped.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from kadam.dtypes import BOOL
from kadam.ir.graph import Node, Phase
from kadam.ir.primitive import Array
from kadam.lens.explain_idioms import softmax_of
from kadam.lens.explain_names import Names, is_carrier
from kadam.lens.replay import Index
from kadam.lens.step import Step
from kadam.primitives.analysis import Rsqrt, Sqrt
from kadam.primitives.broadcast import Broadcast, Sum
from kadam.primitives.elementwise import Add, Div, Mul, Sub
from kadam.primitives.move import Detach
from kadam.primitives.pool import WindowPick
from kadam.primitives.reduce import Max
from kadam.primitives.sources import Input

DROPOUT = "_masked"  # the operation that dropout is
COSINE = "_cosine_embedding_loss"


def details(step: Step, nodes: Sequence[Node], values: Mapping[int, Array], names: Names) -> dict[int, list[Node]]:
    """Find these values and give them names: result -> what its formula is told with, in order."""
    results = sorted(step.results)
    found: dict[int, list[Node]] = {}
    for node, name in _inner(step, nodes, values):
        place = bisect_left(results, node.id)
        if node.id in step.results or names.known(node) is not None or place == len(results):
            continue
        owner = nodes[results[place]] if results[place] < len(nodes) else None
        if owner is not None:
            prefix = names.known(owner) if node.phase is Phase.FORWARD else None
            names.given[node.id] = f"{prefix}.{name}" if prefix else name
            found.setdefault(owner.id, []).append(node)
    names.given.update((mask.id, "kept") for mask in map(mask_of(step), nodes) if mask is not None)
    return found


def mask_of(step: Step) -> Callable[[Node], Node | None]:
    """Of a dropout's result the input that says which elements are kept."""

    def found(node: Node) -> Node | None:
        if step.called.get(node.id) != DROPOUT or not isinstance(node.primitive, Mul):
            return None
        masks = [_bare(one) for part in node.inputs for one in (part, *_bare(part).inputs)]
        return next((one for one in masks if isinstance(one.primitive, Input) and one.dtype.category == BOOL), None)

    return found


def _inner(step: Step, nodes: Sequence[Node], values: Mapping[int, Array]) -> Iterator[tuple[Node, str]]:
    told = {found.below.id for node in nodes if (found := softmax_of(node, values)) is not None}
    readers: defaultdict[int, list[Node]] = defaultdict(list)
    for node in nodes:
        for source in node.inputs:
            readers[source.id].append(node)
    for node in nodes:
        if isinstance(node.primitive, Rsqrt):
            yield from _moments(node)
        elif isinstance(node.primitive, Detach) and node.phase is Phase.LOSS and _is_largest(node):
            if not all(one.id in told for one in _beyond_carriers(node, readers)):
                yield node, "m"
        elif isinstance(node.primitive, Div) and step.called.get(node.id) == COSINE and _is_product_of_sizes(node):
            yield node, "cos"


def _beyond_carriers(node: Node, readers: Mapping[int, Sequence[Node]]) -> Iterator[Node]:
    """Who reads a value, or another view of it."""
    for one in readers[node.id]:
        if is_carrier(one) or isinstance(one.primitive, Broadcast):
            yield from _beyond_carriers(one, readers)
        else:
            yield one


def _moments(node: Node) -> Iterator[tuple[Node, str]]:
    """Of 1 / sqrt(variance + eps) the mean and the variance."""
    total = node.inputs[0]
    variance = total.inputs[0] if isinstance(total.primitive, Add) else total
    squares = _averaged(variance)
    if squares is None or not isinstance(squares.primitive, Mul) or squares.inputs[0] is not squares.inputs[1]:
        return
    distance = squares.inputs[0]
    if isinstance(distance.primitive, Sub):
        mean = _bare(distance.inputs[1])
        if isinstance(mean.primitive, Div):
            yield mean, "mean"
            yield variance, "var"


def _averaged(node: Node) -> Node | None:
    """Of a sum that is divided by how many there are, what is summed up."""
    if not isinstance(node.primitive, Div):
        return None
    total = _bare(node.inputs[0])
    return total.inputs[0] if isinstance(total.primitive, Sum) else None


def _is_product_of_sizes(node: Node) -> bool:
    """Whether a quotient is one of a product of vectors and the root of the product of their squares."""
    return isinstance(_bare(node.inputs[1]).primitive, Sqrt) and isinstance(_bare(node.inputs[0]).primitive, Sum)


def _is_largest(node: Node) -> bool:
    return isinstance(_bare(node).primitive, Max)


def _bare(node: Node) -> Node:
    while is_carrier(node) and node.inputs:
        node = node.inputs[0]
    return node


def window(node: Node, at: Index) -> list[Index]:
    """The elements of which an element of max pooling is the largest."""
    assert isinstance(node.primitive, WindowPick)
    best = node.primitive
    plane = node.inputs[0].shape[-len(best.kernel) :]
    lead, begin = at[: -len(plane)], at[-len(plane) :]
    found = []
    for tap in np.ndindex(*best.kernel):
        here = tuple(
            place * step - before + one * wide
            for place, step, (before, _), one, wide in zip(
                begin, best.stride, best.padding, tap, best.dilation, strict=True
            )
        )
        if all(0 <= one < size for one, size in zip(here, plane, strict=True)):
            found.append((*lead, *here))
    return found
