"""One backward pass: sweeps through the present recording and through the histories of earlier ones.

A sweep (`sweep`) halts where Python has a say: at tensors with hooks and at the results of custom functions (the
recording's `stops`). The pass then runs the user's code on the cotangent that arrived and sweeps on from what it
returned, the latest stop and the latest recording first.

A *place* is where a recording or a history knows a tensor: a position in the present recording, a node id in a history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam.errors import GradientError
from kadam.ir.types import TensorType
from kadam.recording import accumulation, step
from kadam.recording.history import TWICE, History, Plan, plan
from kadam.recording.memory import fit
from kadam.recording.modes import grad_mode
from kadam.recording.spec import spec_of
from kadam.recording.step import Recording, cut, state
from kadam.recording.sweep import Places, bounds, check_unchanged, combine, sweep_history, sweep_present
from kadam.recording.tensor import Recorded, blank, from_array, made
from kadam.recording.way import Way, locate, located

if TYPE_CHECKING:
    from kadam.tensor import Tensor


STRETCH = 16  # histories that a backward pass goes through in one recording


class Stop:
    """Where a backward pass halts for the user's code.

    Attributes:
        places: of the tensors that halt it, in order: one with hooks, or all results of a custom function.
        hooks: place -> functions of the cotangent, by number.
        keeper: place -> the tensor that keeps its gradient (`retain_grad`).
        function: takes the cotangents of all places, the pass and this stop, and delivers the cotangents of its
            inputs; None for mere hooks.
        sources: the arguments to which the function delivers.
        origins: where the values were made that these had then; None for a leaf.
        context: what the function left for its derivative, the `ctx` of a custom function.
    """

    def __init__(
        self,
        places: Sequence[int],
        function: Callable[..., None] | None = None,
        sources: Sequence[Any] = (),
        context: Any = None,
    ) -> None:
        self.places = list(places)
        self.hooks: dict[int, dict[int, Callable[[Any], Any]]] = {}
        self.keeper: dict[int, Recorded] = {}
        self.function = function
        self.sources = sources
        self.origins = [located(one) for one in sources]
        self.context = context

    def places_in(self, rec: Recording) -> list[int]:
        """The places of the recording that this stop knows."""
        return [*self.places, *[origin[1] for origin in self.origins if origin is not None and origin[0] is rec]]

    def move(self, to: Mapping[int, int], rec: Recording, history: History) -> None:
        """The recording is closed: its positions become node ids."""
        self.origins = [(history, to[one[1]]) if one is not None and one[0] is rec else one for one in self.origins]
        self.places = [to[place] for place in self.places]
        self.hooks = {to[place]: hooks for place, hooks in self.hooks.items()}
        self.keeper = {to[place]: tensor for place, tensor in self.keeper.items()}


class Region:
    """A recording that a backward pass goes through: the present one, or the history of one.

    Attributes:
        seeds: place -> cotangent from which to sweep; None stands for ones.
        arrived: place of a stop -> cotangent that waits there.
    """

    def __init__(self, owner: Recording | History) -> None:
        self.owner = owner
        self.seeds: dict[int, Recorded | None] = {}
        self.arrived: dict[int, Recorded] = {}


class BackwardPass:
    """One backward pass.

    Attributes:
        create_graph, retain: as in PyTorch.
        grads: id of a leaf or a captured tensor -> the tensor and the cotangent that has arrived.
        captures: (serial of a recording, place) -> a tensor in it whose gradient is asked for.
        way: what leads to the tensors whose gradients are asked for; None if the pass goes to every leaf.
        passed: the histories swept, and what of each may be freed when the pass is over.
        through: how many sweeps through histories there were.
        outer: the recording when the pass began, and from where a pass that runs user's code, as of a custom function,
            which began this one, will sweep on in it.
    """

    through = 0
    outer: tuple[Recording | None, tuple[int, ...]] = (None, ())

    def __init__(self, create_graph: bool, retain: bool, captures: Sequence[Recorded] | None = None) -> None:
        self.create_graph = create_graph
        self.retain = retain
        self.regions: dict[int, Region] = {}
        self.grads: dict[int, tuple[Recorded, Recorded]] = {}
        self.captures: dict[tuple[int, int], Recorded] = {}
        self.passed: list[tuple[History, frozenset[int]]] = []
        leaves: set[int] = set()
        for tensor in captures or ():
            found = locate(tensor)
            if found is None:
                leaves.add(id(tensor))
            else:
                self.captures[(found[0].serial, found[1])] = tensor
        self.way = None if captures is None else Way(self.captures, leaves)

    def deliver(
        self, tensor: Recorded, ct: Recorded | None, origin: tuple[History, int] | None = None, fresh: bool = False
    ) -> None:
        """A cotangent for `tensor`: kept for a leaf, swept on from anything else that requires grad.

        Args:
            tensor: whose value has the cotangent.
            ct: the cotangent; None stands for ones.
            origin: where that value was made, if the tensor has another value by now.
            fresh: nobody but this pass has the cotangent, so that it may become a `.grad`.
        """
        if origin is None and not tensor._spec.requires_grad:
            return
        found = origin or locate(tensor)
        if found is None:
            self.keep(tensor, ones_like(tensor) if ct is None else ct if fresh else self.copy_of(ct))
            return
        owner, place = found
        region = self._region(owner)
        if place in owner.stops:
            self._arrive(region, place, ct if ct is not None else ones_like(tensor))
        elif place in region.seeds:
            seen = region.seeds[place]
            seen = seen if seen is not None else ones_like(tensor)
            region.seeds[place] = combine(seen, ct if ct is not None else ones_like(tensor))  # type: ignore[arg-type]
        else:
            region.seeds[place] = ct

    def copy_of(self, ct: Recorded) -> Recorded:
        """A cotangent that the user's code has in its hands too, in memory of its own."""
        with grad_mode(self.create_graph):
            return fit(ct, ct._spec.type)  # type: ignore[arg-type]

    def keep(self, tensor: Recorded, ct: Recorded) -> None:
        """A cotangent has arrived at a tensor whose gradient is asked for."""
        seen = self.grads.get(id(tensor))
        self.grads[id(tensor)] = (tensor, ct if seen is None else accumulation.joined(seen[1], ct))

    def sweep_from(self, roots: Sequence[Recorded], cts: Sequence[Recorded | None]) -> None:
        """The whole pass: from roots with their cotangents, of which None stands for ones."""
        for root, ct in zip(roots, cts, strict=True):
            self.deliver(root, ct)
        self.run()

    def run(self) -> None:
        """Sweep until nothing waits.

        A pass that a custom function begins within another one leaves what that has swept, and what it waits for.
        """
        rec = state.rec
        before = (rec.swept, rec.awaited) if rec is not None else (frozenset(), ())
        self.outer = rec, before[1]
        try:
            self._run()
        finally:
            if rec is not None:
                rec.swept, rec.awaited = before
            for history, reading in self.passed:
                history.free(reading)

    def _run(self) -> None:
        while self.regions:
            serial = max(self.regions)
            region = self.regions[serial]
            if isinstance(region.owner, Recording):
                self._follow(region, region.owner)
            if region.seeds:
                if isinstance(region.owner, History):
                    self._pause()
                self._go(region)
            elif region.arrived:
                self._halt(region, max(region.arrived))
            else:
                del self.regions[serial]

    def _await(self, rec: Recording, places: Iterable[int]) -> None:
        """What a pass has yet to sweep from, in case that user's code or a pause ends the recording."""
        rec.awaited = (*places, *self.outer[1]) if rec is self.outer[0] else tuple(places)

    def _pause(self) -> None:
        """Cut the recording before every so many histories, so that a pass through any number of like ones, as through
        an episode's steps, is a few paths again and again instead of a long one for each number."""
        rec = state.rec
        stretched = self.through % STRETCH == 0 and (self.through or len(self.regions) >= STRETCH)
        if stretched and rec is not None and not self.create_graph:
            cut(rec)
        self.through += 1

    def _follow(self, region: Region, rec: Recording) -> None:
        """Go on in the history of a recording that was cut while the pass was in it."""
        if not rec.closed and rec.here.depth >= step.LONGEST:
            self._await(rec, (*region.seeds, *region.arrived))
            rec.loose = True
            cut(rec)
        history = rec.left() if rec.closed else None
        if history is not None:
            region.owner = history
            if not self.retain:
                self.passed.append((history, rec.swept))
            at = history.current_path().at
            region.seeds = {at(place).id: ct for place, ct in region.seeds.items()}
            region.arrived = {at(place).id: ct for place, ct in region.arrived.items()}
            moved = {key: tensor for key, tensor in self.captures.items() if key[0] == rec.serial}
            for serial, place in moved:
                del self.captures[(serial, place)]
            self.captures.update({(serial, at(place).id): tensor for (serial, place), tensor in moved.items()})

    def _region(self, owner: Recording | History) -> Region:
        region = self.regions.get(owner.serial)
        if region is None:
            region = self.regions[owner.serial] = Region(owner)
        elif isinstance(owner, History) and isinstance(region.owner, Recording):
            self._follow(region, region.owner)
        return region

    def _arrive(self, region: Region, place: int, ct: Recorded) -> None:
        seen = region.arrived.get(place)
        region.arrived[place] = ct if seen is None else combine(seen, ct)  # type: ignore[arg-type]

    def _go(self, region: Region) -> None:
        owner, seeds = region.owner, region.seeds
        region.seeds = {}
        stops = tuple(sorted(owner.stops))
        collect = None if self.way is None else self.way.goals(owner)
        if isinstance(owner, History):
            reached = self._through_history(owner, seeds, collect, stops)
            feeds = {node.id: feed for node, feed in zip(owner.current_path().feeds, owner.feeds, strict=True)}
            origins = owner.origins
        else:
            starts, cts = tuple(seeds), list(seeds.values())
            reached = sweep_present(cts, starts, collect, stops, self.create_graph, self.retain, owner.swept)  # type: ignore[arg-type]
            if not self.retain and state.rec is owner:
                owner.swept |= owner.here.freed
                owner.loose = True
            feeds = {~index: feed for index, feed in enumerate(owner.feeds)}
            origins = owner.displaced
        for place, ct in reached.items():
            if place in feeds:
                self.deliver(feeds[place], ct, origins.get(place), fresh=True)
            elif place in owner.stops:
                self._arrive(region, place, ct)
            else:
                self.keep(self.captures[(owner.serial, place)], ct)

    def _through_history(
        self, history: History, seeds: Mapping[int, Recorded | None], collect: Places | None, stops: Places
    ) -> dict[int, Tensor]:
        path, starts = history.current_path(), tuple(seeds)
        key = (starts, collect, stops)
        ahead: Plan | None = history.end.plans.get(key)
        if ahead is None:
            ahead = plan(path, starts, *bounds(path, starts, collect, stops))
            history.end.plans[key] = ahead
        if ahead.reading & history.freed:
            raise GradientError(TWICE)
        check_unchanged(path, ahead)
        values: list[Any] = [as_tensor(history, one) for one in ahead.needed]
        cts: list[Any] = list(seeds.values())
        reached = sweep_history(
            cts,
            values,
            ahead.needed,
            history.end,
            starts,
            collect,
            stops,
            self.create_graph,
        )
        if not self.retain:
            self.passed.append((history, ahead.reading))
        return reached

    def _halt(self, region: Region, place: int) -> None:
        """Run the user's code at a stop."""
        owner = region.owner
        stop: Stop = owner.stops[place]
        cts = {one: region.arrived.pop(one) for one in stop.places if one in region.arrived}
        leads_on = self.way is None or any(map(self.way.leads, stop.sources, stop.origins))
        passed, hooks, keeper, captures = list(cts), stop.hooks, stop.keeper, dict(self.captures)
        if isinstance(owner, Recording):
            self._await(owner, (*region.seeds, *region.arrived, *passed))
            owner.loose = True
        with grad_mode(self.create_graph):
            for one, ct in cts.items():
                for hook in list(hooks.get(one, {}).values()):
                    cts[one] = ct = accumulation.hooked(hook, ct)
                if one in keeper:
                    before = keeper[one]._grad
                    kept = self.copy_of(ct)
                    keeper[one]._grad = kept if before is None else combine(before, kept)  # type: ignore[arg-type]
                capture = captures.get((owner.serial, one))
                if capture is not None:
                    self.keep(capture, self.copy_of(ct))
            if stop.function is not None:
                if leads_on:
                    stop.function([cts.get(one) for one in stop.places], self, stop)
                return
        if isinstance(owner, Recording):
            self._await(owner, ())
            self._follow(region, owner)
        places = passed if region.owner is owner else [region.owner.current_path().at(one).id for one in passed]
        for one, ct in zip(places, cts.values(), strict=True):
            region.seeds[one] = ct


def ones_like(tensor: Recorded) -> Tensor:
    """The cotangent that a scalar root starts with."""
    return from_array(np.ones(tensor._spec.shape, tensor._spec.dtype.numpy))


def as_tensor(history: History, one: int) -> Recorded:
    """A value of an earlier recording as an operand: the feed itself, or a tensor of what was saved."""
    value = history.value(one)
    if isinstance(value, Recorded):
        return value
    path = history.current_path()
    active = one in path.builder.active
    node = path.builder.nodes[one]
    tensor = blank(made.cls, spec_of(TensorType(node.dtype, node.shape), active, "Saved" if active else None))
    tensor._array = np.asarray(value)
    tensor._history, tensor._place = history, one
    return tensor
