"""Ways through a step's graph: who reads a value, what made it, what is compared with what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kadam.ir.graph import Node, Phase, Source
from kadam.ir.primitive import Array
from kadam.lens.step import ModuleCall, Step
from kadam.primitives.broadcast import Broadcast
from kadam.primitives.elementwise import Abs, Cast, Mul, Sub
from kadam.primitives.move import Copy, Permute, Reshape, Slice
from kadam.primitives.sources import Input

# What hands values on as they are: a prediction is still one behind these.
CARRIERS = (Reshape, Permute, Slice, Cast, Copy, Broadcast)


@dataclass(frozen=True)
class Comparison:
    """A prediction held against a target: the call of a loss, or a difference by hand.

    Attributes:
        name: of the loss; `difference` if it is made by hand.
        prediction: what gradients flow to.
        target: what it is compared with; None if both are predicted.
        source: the program's line.
    """

    name: str
    prediction: Node
    target: Node | None
    source: Source | None


class Links:
    """The forward part of a step, ready to be walked."""

    def __init__(self, step: Step) -> None:
        self.step = step
        phases = Phase.FORWARD, Phase.LOSS
        self.forward = [node for node in step.graph.nodes if node.phase in phases and not self._is_own(node)]
        self.readers: dict[int, list[Node]] = {}
        for node in self.forward:
            for source in dict.fromkeys(node.inputs):
                self.readers.setdefault(source.id, []).append(node)
        self.weights = {one.value.id for one in (*step.parameters, *step.frozen)}

    def _is_own(self, node: Node) -> bool:
        """Whether a node is no call of the program's: summaries, and sweeps through what was read before."""
        return self.step.called.get(node.id, "").startswith(("summarize", "sweep"))

    def value(self, node: Node) -> Array | None:
        """The value that a node had; None if the step failed before it."""
        return self.step.trace.values.get(node.id)

    def called(self, node: Node) -> str:
        """The operation that the program called, such as `softmax`."""
        return self.step.called.get(node.id, "").strip("_")

    def place(self, node: Node) -> Source | None:
        """The line that a reader would look at for a node; see `place_of`."""
        calls = (call for call in self.step.calls if call.path == node.scope and call.depth > 0)
        call = next(calls, None)
        return node.source if call is None or call.source != node.source else self.place_of(call)

    def place_of(self, call: ModuleCall) -> Source | None:
        """The line that calls a module, or, where the program only calls what holds it, the line that made it."""
        outer = {one.source for one in self.step.calls if one.depth == 0}
        return call.made if call.depth > 0 and call.made is not None and call.source in outer else call.source

    def call_of(self, node: Node) -> list[Node]:
        """The nodes of the call that a node is the result of."""
        mine = self.called(node), node.source, node.scope
        found, waiting = {node.id: node}, [node]
        while waiting:
            for one in waiting.pop().inputs:
                if one.id not in found and (self.called(one), one.source, one.scope) == mine:
                    found[one.id] = one
                    waiting.append(one)
        return list(found.values())

    def same_call(self, node: Node) -> Iterator[Node]:
        """What was computed by the operation that a node belongs to, where it was called."""
        mine = self.called(node), node.source, node.scope
        return (one for one in self.forward if (self.called(one), one.source, one.scope) == mine)

    def ends_call(self, node: Node) -> bool:
        """Whether a node is the result of its call: no node of the same call reads it."""
        mine = self.called(node), node.source, node.scope
        return not any((self.called(one), one.source, one.scope) == mine for one in self.readers.get(node.id, ()))

    def maker(self, node: Node) -> Node:
        """What has computed a value, behind whatever only hands it on."""
        while isinstance(node.primitive, CARRIERS) and node.inputs:
            node = node.inputs[0]
        return node

    def fed(self) -> Iterator[Node]:
        """The inputs of the step that are data: no parameters, and read by the forward pass."""
        for node in self.step.graph.inputs:
            if node.id not in self.weights and node.id in self.readers:
                yield node

    def comparisons(self) -> list[Comparison]:
        """All predictions and what they are held against."""
        return [*self._losses(), *self._differences()]

    def _losses(self) -> Iterator[Comparison]:
        for members in self._loss_calls():
            inside = {node.id for node in members}
            outside = [one for node in members for one in node.inputs if one.id not in inside]
            given = [one for one in dict.fromkeys(outside) if one.type.elements != 1 or one.rank > 0]
            predicted = [one for one in given if one.id in self.step.active]
            if not predicted:
                continue
            prediction = predicted[0]
            others = [one for one in given if one.id not in self.step.active]
            target = max(others, key=lambda one: (one.dtype.category == 1, one.type.elements), default=None)
            if len(predicted) > 1:
                target = None
            yield Comparison(self.called(members[0]), prediction, target, members[0].source)

    def _loss_calls(self) -> list[list[Node]]:
        """The nodes of each call of a loss."""
        home: dict[int, list[Node]] = {}
        calls: list[list[Node]] = []
        for node in self.forward:
            if node.phase is not Phase.LOSS:
                continue
            mine = self.called(node), node.source
            near = [home[one.id] for one in node.inputs if one.id in home]
            near = [call for call in near if (self.called(call[0]), call[0].source) == mine]
            call = near[0] if near else []
            if not near:
                calls.append(call)
            for other in near[1:]:
                if other is not call:
                    call.extend(other)
                    home.update((one.id, call) for one in other)
                    calls.remove(other)
            call.append(node)
            home[node.id] = call
        return [call for call in calls if len(call) > 1]

    def _differences(self) -> Iterator[Comparison]:
        """What is subtracted from a prediction and then squared, or taken without its sign."""
        for node in self.forward:
            if node.phase is Phase.LOSS or not isinstance(node.primitive, Sub) or node.type.elements < 2:
                continue
            active = [one for one in node.inputs if one.id in self.step.active]
            readers = self.readers.get(node.id, [])
            if len(active) != 1 or not any(self._makes_distance(reader, node) for reader in readers):
                continue
            other = node.inputs[1] if node.inputs[0] is active[0] else node.inputs[0]
            ends = [_unstretched(one) for one in (active[0], other)]
            if ends[1].id not in self.weights and ends[1].type.elements > 1:
                yield Comparison("difference", ends[0], ends[1], node.source)

    def _makes_distance(self, reader: Node, node: Node) -> bool:
        squares = isinstance(reader.primitive, Mul) and all(one is node for one in reader.inputs)
        return squares or isinstance(reader.primitive, Abs) or type(reader.primitive).__name__ in ("Pow", "Square")

    def cotangent(self, node: Node) -> Array | None:
        """The gradient of the loss with respect to a forward value, as the backward pass has computed it."""
        for one in self._derivatives.get(node.id, ()):
            for source in one.inputs:
                if source.phase is Phase.BACKWARD and source.type == node.type and source.origin != node.id:
                    return self.value(source)
        return None

    @property
    def _derivatives(self) -> dict[int, list[Node]]:
        if not hasattr(self, "_by_origin"):
            self._by_origin: dict[int, list[Node]] = {}
            for node in self.step.graph.nodes:
                if node.origin is not None:
                    self._by_origin.setdefault(node.origin, []).append(node)
        return self._by_origin

    def is_differentiated(self, node: Node) -> bool:
        """Whether a backward pass went through a node."""
        return node.id in self._derivatives


def _unstretched(node: Node) -> Node:
    while isinstance(node.primitive, Broadcast | Cast):
        node = node.inputs[0]
    return node


def norm(value: Array) -> float:
    """The root of the sum of squares."""
    return float(np.sqrt(np.sum(np.square(value.astype(np.float64)))))


def is_data(node: Node) -> bool:
    """Whether a node is an input of the step."""
    return isinstance(node.primitive, Input)


def ancestors(nodes: tuple[Node, ...], depth: int = 10_000) -> dict[int, Node]:
    """What values are computed from, themselves included."""
    found: dict[int, Node] = {}
    waiting = [(node, 0) for node in nodes]
    while waiting:
        node, at = waiting.pop()
        if node.id not in found:
            found[node.id] = node
            if at < depth:
                waiting.extend((one, at + 1) for one in node.inputs)
    return found


def flowing(links: Links, roots: tuple[Node, ...]) -> set[int]:
    """The values through which gradients of these losses flow."""
    active, found = links.step.active, set[int]()
    waiting = [root for root in roots if root.id in active]
    while waiting:
        node = waiting.pop()
        if node.id not in found:
            found.add(node.id)
            waiting.extend(one for one in node.inputs if one.id in active)
    return found
