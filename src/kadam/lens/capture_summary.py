"""Every step in a few numbers: reductions that run with the step's own program, in the same call.

Right before a recording is cut, one more call is made in it: its body adds a few reductions for each tensor of interest
to the graph, and its result is one vector. A path that is known costs one look-up, as any call.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kadam.dtypes import FLOAT, float32
from kadam.ir.builder import emit
from kadam.ir.graph import Node, Phase
from kadam.lens.step import Layout
from kadam.primitives.broadcast import summed
from kadam.primitives.compare import Equal
from kadam.primitives.contract import Dot
from kadam.primitives.convolve import Convolve
from kadam.primitives.elementwise import Abs, Add, Cast, Elementwise
from kadam.primitives.move import Detach, concat, reshaped, sliced
from kadam.primitives.reduce import Max
from kadam.primitives.sources import Full, full_like
from kadam.recording.calls import symbol
from kadam.recording.operation import Raw, operation
from kadam.recording.step import LONGEST, Recording, state
from kadam.recording.tensor import Recorded
from kadam.recording.trail import Path

if TYPE_CHECKING:
    from kadam.lens.capture_draft import Draft
    from kadam.lens.capture_names import Names
    from kadam.tensor import Tensor

NUMBERS = 4  # per tensor: sum of squares, sum, largest absolute value, how many are 0; nan where not measured
MOST = 16_384  # elements of an activation that are looked at: shares and means are known to a hundredth from so many


@operation(differentiable=False)
def summarize(plan: Raw) -> Tensor:
    """The numbers that a plan asks for, in one vector."""
    path: Path = state.inside.path
    numbers: list[Node] = []
    for entry in plan.entries:
        numbers += _numbers(entry.node(path), entry.kind)
    if plan.loss is not None:
        numbers.append(path.at(plan.loss))
    parts = [reshaped(one if one.dtype is float32 else emit(Cast(float32), one), (1,)) for one in numbers]
    return symbol(concat(parts, 0))


def _numbers(x: Node, kind: str) -> Iterator[Node]:
    """What is measured of a tensor; nan stands for what is not: each number is a pass over memory."""
    axes = tuple(range(x.rank))
    none = emit(Full(math.nan, (), float32))
    yield summed(x * x, axes)
    yield summed(x, axes) if kind in ("activation", "gradient") else none
    yield emit(Max(axes), emit(Abs(), x)) if kind in ("activation", "gradient") else none
    if kind == "activation" and not isinstance(x.primitive, Add | Dot | Convolve):  # affine: 0 only by chance
        yield summed(emit(Cast(float32), emit(Equal(), x, full_like(x, 0))), axes)
    else:
        yield none


class Entry:
    """One tensor to be summarised: the node of an activation, or the positions of a gradient, a weight, its next value.

    Attributes:
        kind: as in `Layout`.
        name: of an activation its module's path; of what belongs to a parameter the index of its feed.
    """

    __slots__ = ("kind", "name", "places", "size")

    def __init__(self, kind: str, name: Any, size: int, *places: int) -> None:
        self.kind, self.name, self.size, self.places = kind, name, size, places

    def node(self, path: Path) -> Node:
        """What is summarised."""
        if self.kind == "activation":
            return _looked_at(path.builder.nodes[self.places[0]])
        if self.kind == "update":
            return path.at(self.places[1]) - path.at(self.places[0])
        return path.at(self.places[0])


def _looked_at(node: Node) -> Node:
    """An activation; of a large one its first samples, which tell what there is to tell."""
    return sliced(node, 0, 0, _samples_of(node)) if node.shape else node


class Plan:
    """What is summarised of the recordings that end at a trail node; stands in the key of the call that does it.

    Attributes:
        entries: the tensors.
        loss: the position of the loss.
        leaf: index of the first parameter fed: its token tells which model's names are meant.
        layouts: token of that parameter -> what the numbers mean.
    """

    __slots__ = ("entries", "layouts", "leaf", "loss")

    def __init__(self, entries: Sequence[Entry], leaf: int, loss: int | None) -> None:
        self.entries = entries
        self.loss = loss
        self.leaf = leaf
        self.layouts: dict[int, Layout] = {}

    def layout(self, rec: Recording, names: Names) -> Layout:
        """What the numbers mean, for the model at hand."""
        token = names.tokens.of(rec.feeds[self.leaf])
        if token not in self.layouts:
            names.refresh()
            named = [
                entry.name if entry.kind == "activation" else _name_of(rec.feeds[entry.name], names, entry.name)
                for entry in self.entries
            ]
            rows = [
                (entry.kind, name, entry.size, at * NUMBERS)
                for at, (entry, name) in enumerate(zip(self.entries, named, strict=True))
            ]
            self.layouts[token] = Layout(tuple(rows), None if self.loss is None else len(rows) * NUMBERS)
        return self.layouts[token]


def _name_of(tensor: Recorded, names: Names, index: int) -> str:
    token = names.tokens.of(tensor)
    return names.parameters.get(token) or names.variables.get(token) or f"parameter {index}"


class Pending:
    """Summaries that are being computed."""

    __slots__ = ("layout", "result")

    def __init__(self, layout: Layout, result: Tensor) -> None:
        self.layout, self.result = layout, result

    def take(self, draft: Draft) -> None:
        """They are there."""
        numbers = self.result._array
        if numbers is not None:
            draft.parts.append((self.layout, numbers))
            if self.layout.loss is not None:
                draft.loss = float(numbers[self.layout.loss])


class Summaries:
    """Adds to each recording what summarises it."""

    def __init__(self, names: Names) -> None:
        self.names = names

    def note_gradients(self, draft: Draft) -> None:
        """A backward pass is over: note where it has left the gradients; they may be forgotten before the cut."""
        rec = state.rec
        if rec is None or not rec.open:
            return
        places = rec.here.plans.get(Entry)
        if places is None:
            places = rec.here.plans[Entry] = tuple(_gradients(rec))
        draft.grad_places[rec.serial] = places

    def add(self, rec: Recording, draft: Draft) -> Pending | None:
        """Let a recording that is about to be cut be summarised; None if there is nothing to summarise."""
        here = rec.here
        if Plan not in here.plans:
            here.plans[Plan] = _plan(rec, draft)
        plan: Plan | None = here.plans[Plan]
        if plan is None or here.depth >= LONGEST:
            return None
        layout = plan.layout(rec, self.names)
        return Pending(layout, summarize(plan))


def _size_of(node: Node) -> int:
    """How many elements of an activation are looked at."""
    return node.type.elements // max(node.shape[0], 1) * _samples_of(node) if node.shape else 1


def _samples_of(node: Node) -> int:
    samples, elements = node.shape[0], node.type.elements
    return samples if elements <= MOST else max(1, MOST * samples // elements)


def _gradients(rec: Recording) -> Iterator[tuple[int, int]]:
    """Index of a feed, position of its gradient."""
    for index, feed in enumerate(rec.feeds):
        grad = getattr(feed, "_grad", None)
        if isinstance(grad, Recorded) and grad._rec is rec and grad._pos >= 0:  # a sparse one is not summarised
            yield index, grad._pos


def _plan(rec: Recording, draft: Draft) -> Plan | None:
    """What is to be summarised of the recordings that end here; None: nothing."""
    path = Path(rec.here)
    leaves = [index for index, feed in enumerate(rec.feeds) if _is_leaf(feed)]
    if not leaves:
        return None
    entries = [Entry("activation", name, _size_of(node), node.id) for name, node in _activations(path)]
    for index, place in draft.grad_places.get(rec.serial, ()):
        entries.append(Entry("gradient", index, path.at(place).type.elements, place))
    for index in leaves:
        feed = rec.feeds[index]
        if feed._rec is rec.anchor and feed._pos >= 0:
            size = path.at(~index).type.elements
            entries += [Entry("update", index, size, ~index, feed._pos), Entry("weight", index, size, ~index)]
    entries = [entry for entry in entries if entry.size]
    loss = next((ref.position for ref in reversed(draft.roots) if ref.serial == rec.serial and not ref.token), None)
    if loss is not None and path.at(loss).type.elements != 1:
        loss = None
    return Plan(entries, leaves[0], loss) if entries else None


def _is_leaf(feed: Any) -> bool:
    return isinstance(feed, Recorded) and feed._spec.requires_grad and feed._spec.grad_name is None


def _activations(path: Path) -> Iterator[tuple[str, Node]]:
    """The last value that each module gave out, as far as gradients flow through it; of several that share it, one."""
    nodes, active = path.builder.nodes, path.builder.active
    readers: dict[int, list[Node]] = {}
    for node in nodes:
        if node.phase in (Phase.FORWARD, Phase.LOSS):
            for source in dict.fromkeys(node.inputs):
                readers.setdefault(source.id, []).append(node)
    found: dict[str, Node] = {}
    for source in nodes:
        if source.phase is not Phase.FORWARD or source.id not in active or source.dtype.category != FLOAT:
            continue
        if isinstance(source.primitive, Detach) or not source.inputs:
            continue
        for node in readers.get(source.id, ()):
            for scope in _left(source.scope, node.scope, node.phase is Phase.LOSS):
                found[scope] = _followed(source, readers)
    inner: dict[int, str] = {}
    for scope, node in found.items():
        known = inner.get(node.id)
        if known is None or node.scope == scope or (node.scope != known and len(scope) < len(known)):
            inner[node.id] = scope
    yield from ((scope, node) for scope, node in found.items() if inner[node.id] == scope)


def _followed(node: Node, readers: Mapping[int, Sequence[Node]]) -> Node:
    """What an activation function makes of a value that nothing else reads: that is what memory holds anyway."""
    following = readers.get(node.id, ())
    if len(following) == 1 and isinstance(following[0].primitive, Elementwise) and len(following[0].inputs) == 1:
        return following[0]
    return node


def _left(inner: str, outer: str, outside: bool) -> Iterator[str]:
    """The modules that a value leaves on its way from one scope to another; `outside` the model altogether."""
    while inner:
        if not outside and (outer == inner or outer.startswith(inner + ".")):
            return
        yield inner
        inner = inner.rpartition(".")[0]
    if outside:
        yield ""


__all__ = ["NUMBERS", "Summaries"]
