"""A step computed again, in double precision: with another weight, backward to every value, forward from one weight.

Everything follows from the primitives' facets: `reference` computes, `vjp` carries gradients back, and the vjp of the
vjp carries changes forward.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np

from kadam import autodiff
from kadam.dtypes import FLOAT, dtype, float32, float64
from kadam.errors import KadamError
from kadam.ir.builder import Builder, building
from kadam.ir.graph import Node, Phase
from kadam.ir.primitive import Array, Primitive
from kadam.ir.types import TensorType
from kadam.lens.step import BOUNDARY, Step
from kadam.primitives.sources import Input

Index = tuple[int, ...]


def widened(primitive: Primitive) -> Primitive:
    """The primitive with every floating-point type among its attributes made float64."""
    changes: dict[str, object] = {}
    for one in fields(primitive):
        value = getattr(primitive, one.name)
        if isinstance(value, dtype) and value.category == FLOAT:
            changes[one.name] = float64
        elif isinstance(value, TensorType) and value.dtype.category == FLOAT:
            changes[one.name] = value.with_dtype(float64)
    return replace(primitive, **changes) if changes else primitive


def evaluate(nodes: Iterable[Node], values: dict[int, Array]) -> dict[int, Array]:
    """Compute the values of `nodes`, in order, from those that are known, and note them in `values`."""
    with np.errstate(all="ignore"):
        for node in nodes:
            if node.id not in values:
                operands = [values[source.id] for source in node.inputs]
                values[node.id] = np.asarray(node.primitive.reference(*operands))
    return values


@dataclass(frozen=True)
class _Way:
    """How gradients are carried back from some nodes: `cts` are what stands there, `found` what arrives where."""

    cts: tuple[Node, ...]
    nodes: Sequence[Node]
    found: Mapping[int, Node]


class Replay:
    """The part of a step that leads to what its backward passes began from.

    Attributes:
        step: as it was captured.
        nodes: the step's nodes up to there, in double precision; a node's id is that of its counterpart.
        roots: ids of the nodes where backward passes began; of the loss, if there was none.
        needed: ids of the nodes that these depend on.
    """

    def __init__(self, step: Step) -> None:
        self.step = step
        self._ways: dict[tuple[tuple[int, ...], frozenset[int], frozenset[int]], _Way] = {}
        roots = step.roots or ((step.loss,) if step.loss is not None else ())
        self.roots = tuple(dict.fromkeys(node.id for node in roots))
        moved = {one.met.id for one in step.parameters}
        nodes = [
            _as_given(node) if node.phase is Phase.UPDATE or node.id in moved else node
            for node in step.graph.nodes[: max(self.roots, default=-1) + 1]
        ]
        self.needed = _ancestors(nodes, self.roots)
        self.nodes = _widened_nodes(nodes, self.needed)
        self.given = {
            node.id: _wide(step.trace.values[node.id], node)
            for node in self.nodes
            if node.id in self.needed and isinstance(node.primitive, Input)
        }

    @cached_property
    def values(self) -> dict[int, Array]:
        """The value of every node that is needed."""
        return self.run({})

    def run(self, changed: Mapping[int, Array]) -> dict[int, Array]:
        """The values if some inputs were others."""
        known = {**self.given, **{id: _wide(value, self.nodes[id]) for id, value in changed.items()}}
        return evaluate([node for node in self.nodes if node.id in self.needed], known)

    def loss(self, values: Mapping[int, Array]) -> float:
        """The sum of what the backward passes began from, each times the gradient that it was given."""
        return float(sum(float(np.sum(values[root] * self.seed(root))) for root in self.roots))

    def seed(self, root: int) -> Array:
        """The gradient that a backward pass began with: 1, if the program gave none."""
        kind = self.nodes[root]
        seed = self.step.seeds.get(root)
        return np.ones(kind.shape) if seed is None else _wide(seed, kind)

    @property
    def is_weighted(self) -> bool:
        """Whether what is differentiated is not one number of the program's, but a sum of several."""
        return len(self.roots) > 1 or any(self.nodes[root].shape or self.seed(root) != 1 for root in self.roots)

    @cached_property
    def begun(self) -> dict[int, Array]:
        """Where gradients begin: id -> gradient, of the roots, and of what the program's own derivatives gave."""
        seeds = {root: self.seed(root) for root in self.roots if root in self.active}
        for one in self.step.deliveries:
            id = one.given.id
            if id in self.active:
                seeds[id] = seeds.get(id, 0.0) + _wide(self.step.value(one.gradient), self.nodes[id])
        return seeds

    @cached_property
    def hooked(self) -> dict[int, Array]:
        """Values within the network whose gradients hooks have changed: id -> what they made of them."""
        found: dict[int, Array] = {}
        for one, change in self._changes(lambda id: id in self.active and bool(self.nodes[id].inputs)):
            found[one] = found.get(one, 0.0) + change
        return found

    def changed(self, node: Node) -> Array:
        """What hooks of a parameter's own have added to its gradient."""
        before = {one.after.id for one in self.step.hooked}
        arrived = [one.before for one in self.step.hooked if one.given is node and one.before.id not in before]
        gone = sum((_wide(self.step.value(one), self.nodes[node.id]) for one in arrived), np.zeros(node.shape))
        return sum((change for _, change in self._changes(lambda id: id == node.id)), np.zeros(node.shape)) - gone

    def _changes(self, wanted: Callable[[int], bool]) -> Iterator[tuple[int, Array]]:
        """What each hook has made of a gradient; less what it was given, if that was another hook's."""
        made: set[int] = set()
        for one in self.step.hooked:
            if wanted(one.given.id):
                kind = self.nodes[one.given.id]
                after = _wide(self.step.value(one.after), kind)
                earlier = _wide(self.step.value(one.before), kind) if one.before.id in made else 0.0
                made.add(one.after.id)
                yield one.given.id, after - earlier

    def slope(self, node: Node, at: Index, width: float = 1e-6) -> float:
        """The central difference quotient of the loss by one element of an input; nan if the loss does not read it.

        What the program computed without gradients (a target under `no_grad`, say) stays as it is.
        """
        given = self.given.get(node.id)
        if given is None:
            return math.nan
        constant = {id: value for id, value in self.values.items() if id not in self.active | self._behind}
        needed = [one for one in self.nodes if one.id in self.needed]
        width *= max(1.0, abs(float(given[at])))
        ends = []
        for sign in (1.0, -1.0):
            moved = given.copy()
            moved[at] += sign * width
            values = evaluate(needed, {**self.given, **constant, node.id: moved})
            ends.append((self.loss(values), moved[at]))
        (above, right), (below, left) = ends
        return (above - below) / float(right - left)

    @cached_property
    def _behind(self) -> set[int]:
        """What the program's own functions compute without gradients, and have a derivative of their own for."""
        waiting = [node for node in self.nodes if node.id in self.active and self.step.called.get(node.id) == BOUNDARY]
        found: set[int] = set()
        while waiting:
            for source in waiting.pop().inputs:
                if source.id not in self.active and source.id not in found:
                    found.add(source.id)
                    waiting.append(self.nodes[source.id])
        return found

    @cached_property
    def active(self) -> frozenset[int]:
        """Ids of the needed nodes through which gradients flow."""
        return frozenset(self.step.active & self.needed)

    @property
    def coarsest(self) -> dtype | None:
        """The type with the fewest digits that gradients flow through, if it has fewer than float32."""
        met = {self.step.graph.nodes[id].dtype for id in self.active}
        low = [one for one in met if one.category == FLOAT and one.itemsize < float32.itemsize]
        return min(low, key=lambda one: (one.itemsize, one.name), default=None)

    @cached_property
    def gradients(self) -> dict[int, Array]:
        """The gradient of the loss with respect to every needed node through which gradients flow."""
        found = self.pull(self.begun, self.active, self.hooked)
        for id, gradient in self.hooked.items():
            onward = self.pull({id: gradient}, self.active, self.hooked.keys() - {id})
            for one, part in onward.items():
                found[one] = found[one] + part if one in found else part
        return {**found, **self.hooked}

    def pull(
        self, seeds: Mapping[int, Array], collect: Collection[int], stops: Collection[int] = ()
    ) -> dict[int, Array]:
        """Carry gradients back from some nodes: id -> gradient, for those of `collect` that they reach."""
        key = tuple(seeds), frozenset(collect), frozenset(stops)
        if key not in self._ways:
            self._ways[key] = self._way(*key)
        way = self._ways[key]
        values = {**self.values, **{ct.id: seed for ct, seed in zip(way.cts, seeds.values(), strict=True)}}
        evaluate(way.nodes, values)
        return {id: values[node.id] for id, node in way.found.items()}

    def _way(self, starts: Collection[int], collect: Collection[int], stops: Collection[int]) -> _Way:
        builder = Builder(list(self.nodes))
        builder.tracking = False
        with building(builder):
            cts = {id: builder.emit(Input(self.nodes[id].type)) for id in starts}
            found = autodiff.backward(self.nodes, cts, self.active, collect, stops)
        wanted = _ancestors(builder.nodes, [node.id for node in found.values()])
        fresh = [node for node in builder.nodes[len(self.nodes) :] if node.id in wanted]
        return _Way(tuple(cts.values()), fresh, found)

    def push(self, start: int, change: Array, stops: Collection[int] = ()) -> dict[int, Array]:
        """Carry a change of one input forward: id -> change of each node that it reaches, to first order.

        What has reached one of `stops` goes no further.
        """
        moved = {start: change}
        for node in self.nodes[start + 1 :]:
            if node.id in self.active and node.inputs:
                parts = [
                    self.through(node, place, moved[source.id])
                    for place, source in enumerate(node.inputs)
                    if source.id in moved and source.id not in stops
                ]
                if parts:
                    moved[node.id] = sum(parts[1:], parts[0])
        return moved

    def through(self, node: Node, place: int, change: Array) -> Array:
        """How a node changes with one of its operands, to first order: the vjp's own vjp."""
        builder = Builder()
        with building(builder):
            operands = [builder.emit(Input(source.type)) for source in node.inputs]
            out = builder.emit(Input(node.type))
            ct = builder.emit(Input(node.type))
            builder.active.add(ct.id)
            back = node.primitive.vjp(ct, out, *operands)[place]
            if back is None or back.id not in builder.active:
                return np.zeros(node.shape)
            seed = builder.emit(Input(back.type))
            found = autodiff.backward(list(builder.nodes), {back.id: seed}, builder.active, {ct.id})
        if ct.id not in found:
            return np.zeros(node.shape)
        values = {one.id: self.values[source.id] for one, source in zip(operands, node.inputs, strict=True)}
        values.update({out.id: self.values[node.id], ct.id: np.zeros(node.shape), seed.id: change})
        wanted = _ancestors(builder.nodes, [found[ct.id].id])
        return evaluate([one for one in builder.nodes if one.id in wanted], values)[found[ct.id].id]


def gradients(step: Step) -> dict[int, Array]:
    """The gradient of the loss with respect to every value of the forward pass, by node id; empty without a loss."""
    try:
        return Replay(step).gradients
    except (KadamError, KeyError, ValueError):
        return {}


def _as_given(node: Node) -> Node:
    """What was made before the forward pass began, by an update say, as an input: no gradient goes through it."""
    return replace(node, primitive=Input(node.type), inputs=()) if node.inputs else node


def _widened_nodes(nodes: Sequence[Node], needed: Collection[int]) -> list[Node]:
    made: list[Node] = []
    for node in nodes:
        if node.id not in needed:
            made.append(node)
            continue
        primitive = widened(node.primitive)
        inputs = tuple(made[source.id] for source in node.inputs)
        made.append(
            replace(node, primitive=primitive, inputs=inputs, type=primitive.infer(*[one.type for one in inputs]))
        )
    return made


def _wide(value: Array, node: Node) -> Array:
    return np.array(value, node.dtype.numpy)


def _ancestors(nodes: Sequence[Node], roots: Iterable[int]) -> set[int]:
    wanted, waiting = set(), list(roots)
    while waiting:
        one = waiting.pop()
        if one not in wanted:
            wanted.add(one)
            waiting.extend(source.id for source in nodes[one].inputs)
    return wanted


__all__ = ["Index", "Replay", "evaluate", "gradients", "widened"]
