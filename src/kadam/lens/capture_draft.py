"""A step in the making: what was noted of it so far, and what becomes of that."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from kadam.dtypes import FLOAT
from kadam.ir.graph import Node, Phase, Source
from kadam.ir.primitive import Array, Primitive
from kadam.ir.types import TensorType
from kadam.lens.capture_join import Joined, Kept, Ref, keep
from kadam.lens.explain_names import part_text
from kadam.lens.step import (
    Delivery,
    Event,
    Fault,
    Hooked,
    Layout,
    ModuleCall,
    OptimizerFacts,
    Parameter,
    Setting,
    Step,
    StepRecord,
)
from kadam.primitives.move import Detach, Permute, Reshape, Slice
from kadam.primitives.sources import Input
from kadam.recording.tensor import Recorded
from kadam.recording.watch import Snapshot, Tokens

if TYPE_CHECKING:
    from kadam.lens.capture_names import Names


@dataclass
class RawCall:
    """A module's forward pass as it is noted: see `ModuleCall`."""

    path: str
    kind: str
    settings: str
    training: bool
    grad: bool
    depth: int
    source: Source | None
    root: int
    made: Source | None = None
    inputs: list[Ref] = field(default_factory=list)
    outputs: list[Ref] = field(default_factory=list)


class RawOptimizer:
    """An optimizer of the program, which is not held."""

    def __init__(self, owner: weakref.ref[Any]) -> None:
        self.owner = owner
        self.steps = self.told = 0
        self.source: Source | None = None
        self.name = ""
        self.groups: tuple[Mapping[str, Setting], ...] = ()
        self.tokens: tuple[tuple[int, ...], ...] = ()

    def parameters(self) -> list[Any]:
        optimizer = self.owner()
        return [] if optimizer is None else [one for group in optimizer.param_groups for one in group["params"]]

    def describe(self, optimizer: Any, tokens: Tokens) -> None:
        """Note its settings as they are now."""
        self.name, self.told = type(optimizer).__name__, self.steps
        self.groups = tuple(
            {name: _setting(value) for name, value in group.items() if name not in ("params", "param_names")}
            for group in optimizer.param_groups
        )
        self.tokens = tuple(tuple(tokens.of(one) for one in group["params"]) for group in optimizer.param_groups)

    def facts(self, names: Mapping[int, str], stepped: bool) -> OptimizerFacts:
        """What the lens is told of it."""
        parameters = tuple(tuple(names.get(token, "") for token in group) for group in self.tokens)
        steps = self.told if stepped else self.steps  # the next step may have begun
        return OptimizerFacts(self.name, self.groups, parameters, steps, stepped, self.tokens, self.source)


def _setting(value: Any) -> Setting:
    if isinstance(value, Recorded):
        return float(value.item()) if value._spec.type.elements == 1 else str(value._spec.type)  # type: ignore[attr-defined]
    if isinstance(value, tuple | list):
        return tuple(float(_setting(one) or 0) for one in value)  # type: ignore[arg-type]
    return value if isinstance(value, bool | int | float | str | None) else str(value)


class Draft:
    """What was noted of a step so far.

    Attributes:
        capturing: whether recordings are kept whole.
        preparing: whether they are because the next step is captured, whose backward pass may go through them.
        snapshots: those recordings.
        earlier, earlier_calls: recordings and calls of the step before.
        events, calls: in order.
        roots: where backward passes began.
        seeds: place among the roots -> the gradient that the program has given to begin with.
        hooked: gradients that hooks have changed: whose, before, after.
        forgotten: how many of these a closure that began again has thrown away.
        delivered: gradients that the program's own functions gave: name of the function, of what, which.
        grads: token of a parameter -> its `.grad` after the last backward pass.
        used: token of a parameter -> the gradient that an optimizer was given.
        replaced: token of a parameter -> what its `.data` was set to, after the backward pass.
        reached: shapes of the leaves that have a gradient and wait for their update; None before it is asked.
        memory: token of a parameter -> what its optimizer remembers of it: name -> token.
        sweeps: serial of an open recording -> backward sweeps in it through earlier ones.
        leaves: parameters that were met.
        stepped: ids of the optimizers that have taken a step.
        due: whether the step is over with the next cut.
        ends: how many events and calls there were when its last update was over; None before.
        parts: summaries of its recordings.
        looks: how often the program's frames were searched for names.
        grad_places: serial of an open recording -> where a backward pass has left the gradients of its feeds.
    """

    def __init__(self, capturing: bool, preparing: bool = False) -> None:
        self.capturing, self.preparing = capturing, preparing
        self.snapshots: list[Snapshot] = []
        self.earlier: list[Snapshot] = []
        self.earlier_calls: list[RawCall] = []
        self.events: list[Event] = []
        self.calls: list[RawCall] = []
        self.roots: list[Ref] = []
        self.seeds: dict[int, Ref | Array] = {}
        self.hooked: list[tuple[Ref, Ref, Ref]] = []
        self.forgotten = 0
        self.delivered: list[tuple[str, Ref, Ref]] = []
        self.grads: dict[int, Ref] = {}
        self.used: dict[int, Ref] = {}
        self.replaced: dict[int, Ref] = {}
        self.reached: list[tuple[int, ...]] | None = None
        self.memory: dict[int, dict[str, int]] = {}
        self.sweeps: dict[int, list[tuple[int, int, int]]] = {}
        self.leaves: list[weakref.ref[Any]] = []
        self.stepped: set[int] = set()
        self.due = False
        self.ends: tuple[int, int] | None = None
        self.rates: tuple[float, ...] = ()
        self.parts: list[tuple[Layout, Array]] = []
        self.grad_places: dict[int, tuple[tuple[int, int], ...]] = {}
        self.loss: float | None = None
        self.looks = 0

    @property
    def has_gradients(self) -> bool:
        """Whether a gradient was computed."""
        return bool(self.roots) or any(one.kind == "grad" for one in self.events)

    @property
    def has_forward(self) -> bool:
        """Whether anything was fed forward."""
        return bool(self.snapshots) or any(one.kind in ("forward", "backward") for one in self.events)

    def record(self, index: int, epoch: int | None, batch: int | None) -> StepRecord:
        """What is noted of every step."""
        return StepRecord(index, epoch, batch, self.loss, self.rates, tuple(self.events), tuple(self.parts))

    def step(
        self,
        index: int,
        epoch: int | None,
        batch: int | None,
        names: Names,
        optimizers: Sequence[RawOptimizer],
        fault: Fault | None,
    ) -> Step:
        """The step, whole."""
        joined = Joined()
        joined.add_earlier(self.earlier, self.snapshots)
        for taken in self.snapshots:
            joined.add(taken)
        begun = self.forgotten if self.forgotten < len(self.roots) else 0
        places = [(at, node) for at, ref in enumerate(self.roots) if (node := joined.find(ref)) and at >= begun]
        roots = [node for _, node in places]
        kept = keep(joined, self._essential(joined, roots))
        if fault is not None and not kept.active:  # what failed may be cut off from what it was meant to lead to
            kept = keep(joined, [])
        labels = {**names.variables, **names.parameters}
        optimizers = [one for one in optimizers if one.name and one.owner() is not None]
        loss = kept.now.get(roots[-1].id) if roots else None
        seeds = ((node, self._seed(joined, kept, at)) for at, node in places)
        return Step(
            index=index,
            epoch=epoch,
            batch=batch,
            graph=kept.graph,
            trace=kept.trace,
            active=kept.active,
            parameters=tuple(self._parameters(joined, kept, labels, optimizers)),
            names=_named_inputs(joined, kept, labels),
            loss=loss if loss is not None else _last_scalar(kept.graph.nodes),
            calls=tuple(self._calls(joined, kept)),
            events=tuple(self.events),
            optimizers=tuple(one.facts(labels, id(one.owner()) in self.stepped) for one in optimizers),
            models=tuple(names.labels),
            called={kept.now[one].id: name for one, name in joined.called.items() if one in kept.now},
            fault=fault,
            frozen=tuple(self._frozen(joined, kept, names, optimizers)),
            roots=tuple(kept.now[node.id] for node in roots if node.id in kept.now),
            results=frozenset(kept.now[one].id for one in joined.results if one in kept.now),
            numbers={kept.now[one].id: name for one, name in joined.numbers.items() if one in kept.now},
            members=frozenset(
                kept.now[node.id].id
                for token, node in joined.inputs.items()
                if token in names.parameters and node.id in kept.now
            ),
            deliveries=tuple(self._delivered(joined, kept)),
            seeds={kept.now[node.id].id: seed for node, seed in seeds if seed is not None},
            hooked=tuple(self._hooked(joined, kept)),
        )

    def _seed(self, joined: Joined, kept: Kept, at: int) -> Array | None:
        seed = self.seeds.get(at)
        if not isinstance(seed, Ref):
            return seed
        node = self._found(joined, kept, seed)
        return None if node is None else kept.trace.values.get(node.id)

    def _hooked(self, joined: Joined, kept: Kept) -> Iterator[Hooked]:
        for refs in self.hooked:
            given, before, after = (self._found(joined, kept, ref) for ref in refs)
            if given is not None and before is not None and after is not None:
                yield Hooked(given, before, after)

    def _delivered(self, joined: Joined, kept: Kept) -> Iterator[Delivery]:
        for function, given, found in self.delivered:
            ends = self._found(joined, kept, given), self._found(joined, kept, found)
            if ends[0] is not None and ends[1] is not None:
                yield Delivery(function, ends[0], ends[1])

    def _essential(self, joined: Joined, roots: Sequence[Node]) -> list[Node]:
        """Where backward passes began, and what they have led to."""
        seeds = [ref for ref in self.seeds.values() if isinstance(ref, Ref)]
        changed = [ref for refs in self.hooked for ref in refs[1:]]
        met = [joined.find(ref) for refs in (self.grads, self.used, self.replaced) for ref in refs.values()]
        met += [joined.find(ref) for ref in (*seeds, *changed)]
        updated = [joined.current[token] for token in joined.inputs if token in self.used or token in self.grads]
        return [*roots, *(node for node in met if node is not None), *updated] if roots else []

    def _parameters(
        self, joined: Joined, kept: Kept, labels: Mapping[int, str], optimizers: Sequence[RawOptimizer]
    ) -> list[Parameter]:
        place = {
            token: (number, group)
            for number, one in enumerate(optimizers)
            for group, tokens in enumerate(one.tokens)
            for token in tokens
        }
        leaves = {fed.token for taken in self.snapshots for fed in taken.fed if fed.leaf}
        found: list[Parameter] = []
        for token, given in joined.inputs.items():
            value = kept.now.get(given.id)
            if value is None or token not in leaves:
                continue
            optimizer, group = place.get(token, (None, 0))
            name = labels.get(token) or f"parameter {len(found)}"
            grad, used = (self._found(joined, kept, refs.get(token)) for refs in (self.grads, self.used))
            moved = self._found(joined, kept, Ref(self.roots[-1].serial, token=token)) if self.roots else None
            after = kept.graph.updates.get(value) or self._found(joined, kept, self.replaced.get(token))
            memory = {}
            for key, one in self.memory.get(token, {}).items():
                before = joined.inputs.get(one)
                if before is not None and before.id in kept.now:
                    memory[key] = (kept.now[before.id], kept.graph.updates.get(kept.now[before.id]))
            moved = None if moved is value else moved
            found.append(Parameter(name, value, grad, used, after, optimizer, group, memory, token, moved))
        return found

    def _frozen(self, joined: Joined, kept: Kept, names: Names, optimizers: Sequence[RawOptimizer]) -> list[Parameter]:
        """The models' parameters that were met and need no gradient."""
        place = {token: number for number, one in enumerate(optimizers) for group in one.tokens for token in group}
        models = [root for known in names.roots if (root := known()) is not None]
        frozen = {names.tokens.of(one) for root in models for one in root.parameters() if not one._spec.requires_grad}
        return [
            Parameter(names.parameters.get(token, ""), kept.now[given.id], optimizer=place.get(token), token=token)
            for token, given in joined.inputs.items()
            if token in frozen and given.id in kept.now
        ]

    def _found(self, joined: Joined, kept: Kept, ref: Ref | None) -> Node | None:
        node = joined.find(ref)
        return None if node is None else kept.now.get(node.id)

    def _calls(self, joined: Joined, kept: Kept) -> list[ModuleCall]:
        found = []
        for call in (*self.earlier_calls, *self.calls):
            given, made = (
                tuple(node for ref in refs if (node := self._found(joined, kept, ref)) is not None)
                for refs in (call.inputs, call.outputs)
            )
            own = call not in self.earlier_calls
            if made or (own and not call.outputs):
                noted = {one.name: getattr(call, one.name) for one in fields(ModuleCall)}
                found.append(ModuleCall(**{**noted, "inputs": given, "outputs": made}))
        return found


def _named_inputs(joined: Joined, kept: Kept, labels: Mapping[int, str]) -> dict[int, str]:
    """Node id -> what the program calls an input of the step."""
    inputs = {
        token: kept.now[node.id].id
        for token, node in joined.inputs.items()
        if node.id in kept.now and isinstance(node.primitive, Input)
    }
    found = {id: labels[token] for token, id in inputs.items() if token in labels}
    for token, id in inputs.items():
        base, chain, whole = joined.views.get(token, (0, (), ()))
        if base in labels:
            found.setdefault(id, labels[base] + _seen_as(chain, kept.graph.nodes[id].type.with_shape(whole)))
    return found


def _seen_as(chain: Sequence[Primitive], kind: TensorType) -> str:
    """What the name of a view tells of how it sees a tensor: `[0:8]`, `.view`."""
    told = ""
    for primitive in chain:
        if isinstance(primitive, Slice):
            told += part_text(primitive, kind.shape)
        elif isinstance(primitive, Permute):
            told += "ᵀ"
        elif not isinstance(primitive, Detach) and not _only_axes_of_one(primitive, kind):
            told += ".view"
        kind = primitive.infer(kind)
    return told.replace(".view.view", ".view")


def _only_axes_of_one(primitive: Primitive, kind: TensorType) -> bool:
    """Whether a change of shape only adds or drops axes of size 1, as an index does: `images[:, 0]`."""
    before, after = kind.shape, primitive.infer(kind).shape
    return isinstance(primitive, Reshape) and [one for one in before if one > 1] == [one for one in after if one > 1]


def _last_scalar(nodes: Sequence[Node]) -> Node | None:
    """What the forward pass ended in: the last loss, or else the last single number."""
    scalars = [node for node in nodes if node.type.elements == 1 and node.dtype.category >= FLOAT and node.inputs]
    losses = [node for node in scalars if node.phase is Phase.LOSS]
    ends = losses or [node for node in scalars if node.phase is Phase.FORWARD]
    return ends[-1] if ends else None


__all__ = ["Draft", "RawCall", "RawOptimizer"]
