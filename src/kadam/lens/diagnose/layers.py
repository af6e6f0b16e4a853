"""Layers that cannot learn: units that are all alike, units that are never on, gradients that die out or blow up."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kadam.ir.graph import Node, Source
from kadam.ir.primitive import Array
from kadam.lens.diagnose.dynamics import learns
from kadam.lens.diagnose.finding import Finding, Value
from kadam.lens.diagnose.links import Links, norm
from kadam.lens.diagnose.program import Program
from kadam.lens.step import Step, StepRecord
from kadam.primitives.contract import Dot
from kadam.primitives.convolve import Convolve

ROUNDING = 1e-4  # how far apart equal sums may come out, relative to the largest
UPDATES = 3  # after so many updates units that began alike have parted, if their gradients differ at all
DEAD = 0.75  # share of a layer's units that are never on: wide layers on few inputs have a third, hardly more
UNITS = 4  # fewer units say little
LOOKED = 3  # steps in which it must be so
VANISHED = 1e-4  # gradient at the first third of the layers over that at the last: healthy ones keep a hundredth
# A loss that has fallen below this part of its beginning has not lost its way. (A stack uses each weight once.)
LEARNS = {"stack": 0.5, "layers": 0.5, "moments": 0.8}
FAINT = 1e-3  # little enough in a stack whose loss or answers stay as they were, which this then explains
STAYS = 0.95
EXPLODED = 1e2  # the same the other way round ...
LARGE = 1e2  # ... and the norm of the gradient of all parameters: with scaled data it begins near 1
THROWN = 0.5  # of their norm: an update by so much makes other weights of them
EARLY = 6  # steps from which the flow is taken: as the layers were made, before a rate can have ruined them
DEEP = 3  # layers (or moments of a recurrence) between which a ratio means something


class Symmetry:
    """Weights whose rows are all equal: all units of the layer compute the same, get the same gradient, and stay equal.

    A last layer, or the second factor of a low-rank addition, may begin at zero: its rows part with the first updates.
    """

    def __init__(self) -> None:
        self.alike: dict[int, int] = {}  # token -> updates after which the rows were still alike
        self.parted: set[int] = set()
        self.readers: dict[int, Source | None] = {}

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None:
            return
        step = links.step
        moves = any(one.next is not None for one in step.parameters)
        for one in step.parameters:
            value = step.trace.values.get(one.value.id)
            read_by = links.readers.get(one.value.id)
            if value is None or value.ndim < 2 or value.size < 2 or one.token in self.parted or not read_by:
                continue
            slope = None if one.grad is None else step.trace.values.get(one.grad.id)
            idle = slope is not None and not slope.any()  # a factor of 0 gives the other factor no gradient either
            layer = any(isinstance(reader.primitive, Dot | Convolve) for reader in self._users(links, one.value))
            if not layer and not idle:
                continue
            if _alike(value, slope, 0) or (self._has_units_last(links, one.value) and _alike(value, slope, 1)):
                self.alike[one.token] = self.alike.get(one.token, 0) + moves
                self.readers.setdefault(one.token, read_by[0].source)
            else:
                self.parted.add(one.token)

    def _has_units_last(self, links: Links, node: Node) -> bool:
        """Whether the units of a weight are its columns: `x @ w`."""
        if node.rank != 2 or node.shape[1] < 2:
            return False
        readers = links.readers.get(node.id, ())
        return any(
            isinstance(one.primitive, Dot) and one.inputs[1] is node and one.primitive.b_axes == (0,) for one in readers
        )

    def _users(self, links: Links, node: Node) -> Iterator[Node]:
        for reader in links.readers.get(node.id, ()):
            yield reader
            yield from links.readers.get(reader.id, ()) if type(reader.primitive).__name__ == "Permute" else ()

    def findings(self, program: Program) -> Iterator[Finding]:
        stuck = [token for token, steps in self.alike.items() if steps > UPDATES and token not in self.parted]
        lives = [program.lives[token] for token in stuck if token in program.lives]
        lives = [life for life in lives if life.with_grad > UPDATES]
        moves = program.count("optimizer_step") or any(life.updated for life in program.lives.values())
        if lives and moves:
            life = lives[0]
            source = life.set_at or life.made_at or self.readers.get(life.token)
            reader = self.readers.get(life.token)
            values: dict[str, Value] = {
                "name": life.name,
                "units": max(life.shape[:2]),
                "steps": self.alike[life.token],
            }
            yield Finding("symmetric_initialisation", source, values, () if reader in (None, source) else (reader,))


def _alike(value: Array, slope: Array | None, axis: int) -> bool:
    """Whether all units have the same weights; or but for rounding, where their gradients are the same too."""
    if value.shape[axis] < 2:
        return False
    parts = [np.moveaxis(one, axis, 0) for one in (value, slope) if one is not None]
    if np.all(parts[0] == parts[0][:1]):
        return True
    near = [bool(np.abs(one - one[:1]).max() <= ROUNDING * np.abs(one).max()) for one in parts]
    return len(near) == 2 and all(near)


class DeadUnits:
    """ReLU units that give 0 for every sample of every batch that was looked at: no gradient passes, they stay so."""

    def __init__(self) -> None:
        self.on: dict[tuple[str, Source | None, int], list[Array]] = {}

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None:
            return
        step = links.step
        order: dict[tuple[str, Source | None], int] = {}
        for node in links.forward:
            if node.id not in step.active or not links.ends_call(node) or not self._may_be_off(links, node):
                continue
            value = links.value(node)
            if value is None or value.ndim < 2 or not np.all(np.isfinite(value)) or np.any(value < 0):
                continue
            place = node.scope, links.place(node)
            order[place] = order.get(place, 0) + 1
            axis = 1 if value.ndim == 4 else value.ndim - 1
            units = np.any(value > 0, axis=tuple(at for at in range(value.ndim) if at != axis))
            self.on.setdefault((*place, order[place]), []).append(units)

    def _may_be_off(self, links: Links, node: Node) -> bool:
        """Whether a value is a ReLU's, by name, or else something computed that goes into a layer as it is."""
        name = links.called(node)
        if name in ("relu", "relu6", "threshold"):
            return True
        if "dropout" in name or node.id in links.weights or not node.inputs:
            return False
        return any(
            isinstance(reader.primitive, Dot | Convolve)
            and any(one is not node and links.maker(one).id in links.weights for one in reader.inputs)
            for reader in links.readers.get(node.id, ())
        )

    def findings(self, program: Program) -> Iterator[Finding]:
        for (scope, source, _), seen in self.on.items():
            same = [units for units in seen if units.shape == seen[-1].shape]
            late = same[len(same) // 2 :]
            if len(late) < LOOKED or late[0].size < UNITS:
                continue
            dead = float(np.mean(~np.any(np.stack(late), axis=0)))
            if dead >= DEAD:
                values: dict[str, Value] = {
                    "share": 100 * dead,
                    "units": int(late[0].size),
                    "steps": len(late),
                    "name": scope or "relu",
                }
                yield Finding("dead_relus", source, values)
                return


class Flow:
    """How the gradient changes on its way back through the layers, and through the moments of a recurrence.

    It is measured where the signal goes: at what each layer gives, not at its weights, whose gradients also depend on
    what comes in.
    """

    def __init__(self) -> None:
        self.ratios: list[tuple[float, int, Source | None, str, int]] = []  # ... the token of the first layer's weight
        self.norms: list[float] = []
        self.thrown = False  # whether the first update has thrown weights that passed gradients well
        self.clipped = False

    def see(self, record: StepRecord, links: Links | None) -> None:
        self.clipped = self.clipped or any(event.kind == "clip" for event in record.events)
        if links is None or len(self.norms) == EARLY:
            return
        step = links.step
        grads = [step.trace.values.get(one.grad.id) for one in step.parameters if one.grad is not None]
        finite = [norm(value) for value in grads if value is not None and np.all(np.isfinite(value))]
        if not finite:
            return
        self.norms.append(float(np.linalg.norm(finite)))
        links = Links(step)
        tokens = {one.value.id: one.token for one in step.parameters}
        layers = _layers(links)
        way = "stack" if _uses_each_once(links, layers) else "layers"
        for kind, chain in ((way, layers), *(("moments", row) for row in _moments(links))):
            sizes = [(size, node) for node in chain if (size := _size(links, node))]
            if len(sizes) >= DEEP:
                # of several products side by side (queries, keys, values) the one that gets most counts
                first, last = max(sizes[: len(sizes) // 3 or 1], key=lambda one: one[0]), sizes[-1]
                token = next((tokens[one.id] for one in map(links.maker, first[1].inputs) if one.id in tokens), 0)
                self.ratios.append((first[0] / last[0], len(sizes), links.place(first[1]), kind, token))
        if len(self.norms) == 1:
            sound = self.norms[0] < LARGE or all(ratio < EXPLODED for ratio, *_ in self.ratios)
            self.thrown = sound and _leap(step) > THROWN

    def findings(self, program: Program) -> Iterator[Finding]:
        broken = any(not np.isfinite(loss) for _, loss in program.losses)
        if not self.ratios or (len(self.norms) < LOOKED and not broken):
            return
        early = sorted(self.ratios, key=lambda one: one[0])
        low, high = early[len(early) // 4], early[-1 - len(early) // 4]
        size = float(np.median(self.norms))
        if high[0] > EXPLODED and size > LARGE and not self.clipped and not self.thrown:
            life = program.lives.get(high[4])
            by_hand = life is not None and life.set_at not in (None, life.made_at)
            source = life.set_at if life is not None and by_hand else high[2]
            yield Finding("exploding_gradients", source, {"ratio": high[0], "layers": high[1], "norm": size})
            return
        stacks = [one for one in early if one[3] == "stack"]
        faint = stacks[len(stacks) // 4] if stacks else low
        if low[0] < VANISHED and (program.answers_alike() or not learns(program, LEARNS[low[3]])):
            yield Finding("vanishing_gradients", low[2], {"ratio": low[0], "layers": low[1], "norm": size})
        elif stacks and faint[0] < FAINT and (program.classes_alike() or not learns(program, STAYS)):
            yield Finding("vanishing_gradients", faint[2], {"ratio": faint[0], "layers": faint[1], "norm": size})


def _leap(step: Step) -> float:
    """How far a step moves the weights, relative to their norm."""
    moves, sizes = [], []
    for one in step.parameters:
        before = step.trace.values.get(one.value.id)
        after = None if one.next is None else step.trace.values.get(one.next.id)
        if before is not None and after is not None:
            moves.append(norm(after - before))
            sizes.append(norm(before))
    size = float(np.linalg.norm(sizes)) if sizes else 0.0
    return float(np.linalg.norm(moves)) / size if size else 0.0


def _size(links: Links, node: Node) -> float | None:
    ct = links.cotangent(node)
    if ct is None or not np.all(np.isfinite(ct)):
        return None
    return norm(ct)


def _layers(links: Links) -> list[Node]:
    """What each layer gives, in order: products with a weight that gradients go back through."""
    return [
        node
        for node in links.forward
        if isinstance(node.primitive, Dot | Convolve)
        and links.is_differentiated(node)
        and any(links.maker(one).id in links.weights for one in node.inputs)
    ]


def _uses_each_once(links: Links, layers: list[Node]) -> bool:
    """Whether no weight is used a second time, as a recurrence does."""
    used = [one.id for node in layers for one in map(links.maker, node.inputs) if one.id in links.weights]
    return len(used) == len(set(used))


def _moments(links: Links) -> Iterator[list[Node]]:
    """The same operation of the same line and module at one moment after the other."""
    rows: dict[tuple[str, Source | None, str], list[Node]] = {}
    for node in links.forward:
        if links.is_differentiated(node) and not isinstance(node.primitive, Dot | Convolve):
            rows.setdefault((node.scope, node.source, repr(node.primitive)), []).append(node)
    return (row for row in rows.values() if len(row) >= 2 * DEEP and len({node.type for node in row}) == 1)
