"""What of a backward pass leads to the tensors whose gradients are asked for: nothing else is swept, or freed.

A *place* is where a recording or a history knows a tensor: a position in the present recording, a node id in a history.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from kadam.errors import GradientError
from kadam.recording.history import History
from kadam.recording.step import Recording, state
from kadam.recording.tensor import Recorded
from kadam.recording.trail import Path

Owner = Recording | History
Source = tuple[int, Any, tuple[Owner, int] | None]


def locate(tensor: Recorded) -> tuple[Any, int] | None:
    """Where a tensor's derivative is known: the present recording or a history, and its place; None for a leaf."""
    if tensor._spec.grad_name is None:
        return None
    if tensor._rec is state.rec and tensor._pos >= 0:
        return state.rec, tensor._pos
    if tensor._history is None:
        raise GradientError(
            "backward: this tensor's history is gone: the recording that made it failed or was interrupted. Fix: "
            "compute it again."
        )
    return tensor._history, tensor._place


def located(source: Any) -> tuple[Any, int] | None:
    """The same for what a custom function was called with: None too where no gradient goes."""
    if not isinstance(source, Recorded) or not source._spec.requires_grad:
        return None
    try:
        return locate(source)
    except GradientError:  # nothing lies behind it any more
        return None


def toward(path: Path, goals: Collection[int], beyond: Mapping[int, Collection[int]] | None = None) -> set[int]:
    """The ids of the nodes through which gradients flow to one of `goals`.

    Args:
        path: whose nodes they are.
        goals: ids of nodes.
        beyond: id of a custom function's result -> ids of the nodes to which the function delivers.
    """
    active = path.builder.active
    found = active & set(goals)
    for node in path.builder.nodes:
        if node.id in active and node.id not in found:
            delivered = beyond.get(node.id, ()) if beyond else ()
            if any(source.id in found for source in node.inputs) or not found.isdisjoint(delivered):
                found.add(node.id)
    return found


class Way:
    """What leads to some tensors.

    Attributes:
        captures: (serial of a recording, place) -> one of the tensors that is no leaf; the pass keeps it up to date.
        leaves: ids of those that are leaves.
        oldest: the serial of the first recording that can lead to one.
    """

    def __init__(self, captures: Mapping[tuple[int, int], Recorded], leaves: Collection[int]) -> None:
        self.captures = captures
        self.leaves = leaves
        self.oldest = 0 if leaves else min((serial for serial, _ in captures), default=0)
        self._goals: dict[Owner, tuple[int, ...]] = {}
        self._sources: dict[Owner, list[Source]] = {}
        self._through: dict[Owner, Collection[int]] = {}

    def goals(self, owner: Owner) -> tuple[int, ...]:
        """The places of a recording at which cotangents are to arrive: those asked for, and the feeds and results of
        custom functions that lead on."""
        if owner not in self._goals:
            found = self._ends(owner)
            functions = {place for place, stop in owner.stops.items() if stop.function is not None}
            if functions:
                found |= functions.intersection(self._places(owner))
            self._goals[owner] = tuple(sorted(found))
        return self._goals[owner]

    def leads(self, tensor: Any, origin: tuple[Owner, int] | None) -> bool:
        """Whether gradients of a tensor, whose value was made at `origin`, reach what is asked for."""
        if origin is None:
            return id(tensor) in self.leaves
        owner, place = origin
        return owner.serial >= self.oldest and place in self._places(owner)

    def _places(self, owner: Owner) -> Collection[int]:
        """The places of a recording that lead to what is asked for."""
        if owner not in self._through:
            for one in self._and_before(owner):
                self._through[one] = self._worked_out(one)
        return self._through[owner]

    def _and_before(self, owner: Owner) -> list[Owner]:
        """The recordings behind one that are not known yet, and itself, the earliest first."""
        met, waiting = {owner}, [owner]
        while waiting:
            one = waiting.pop()
            before = {found[0] for _, _, found in self._sources_of(one) if found and found[0].serial < one.serial}
            new = [one for one in before if one.serial >= self.oldest and one not in met and one not in self._through]
            met.update(new)
            waiting.extend(new)
        return sorted(met, key=lambda one: one.serial)

    def _worked_out(self, owner: Owner) -> Collection[int]:
        ends = tuple(sorted(self._ends(owner)))
        inside = tuple((place, found[1]) for place, _, found in self._sources_of(owner) if found and found[0] is owner)
        plans = (owner.end if isinstance(owner, History) else owner.here).plans
        key = (Way, isinstance(owner, History), ends, inside)
        if key not in plans:
            plans[key] = _through(owner, ends, inside)
        return plans[key]  # type: ignore[no-any-return]

    def _ends(self, owner: Owner) -> set[int]:
        """The places asked for, and those that lead on to other recordings and to leaves."""
        ends = {place for serial, place in self.captures if serial == owner.serial}
        if _is_first(owner):
            return ends.union([place for place, feed in _placed(owner) if id(feed) in self.leaves])
        for place, tensor, found in self._sources_of(owner):
            if (found is None or found[0].serial < owner.serial) and self.leads(tensor, found):
                ends.add(place)
        return ends

    def _sources_of(self, owner: Owner) -> list[Source]:
        """What is delivered where a sweep through a recording ends: its place there, the tensor that gets it, and where
        that was made."""
        if owner not in self._sources:
            self._sources[owner] = [*_feeds(owner), *_delivered(owner)]
        return self._sources[owner]


def _is_first(owner: Owner) -> bool:
    """Whether all that a recording was fed with are leaves and data."""
    if isinstance(owner, History):
        return not (owner.end.derived or owner.stops or owner.origins)
    return not (owner.here.derived or owner.stops or owner.displaced)


def _placed(owner: Owner) -> Iterator[tuple[int, Any]]:
    """The places of a recording's feeds, and these."""
    if isinstance(owner, History):
        return zip([node.id for node in owner.current_path().feeds], owner.feeds, strict=True)
    return zip(range(-1, -len(owner.feeds) - 1, -1), owner.feeds, strict=True)


def _feeds(owner: Owner) -> Iterator[Source]:
    origins = owner.origins if isinstance(owner, History) else owner.displaced
    for place, feed in _placed(owner):
        if place in origins:
            yield place, feed, origins[place]
        else:
            yield place, feed, located(feed)


def _delivered(owner: Owner) -> Iterator[Source]:
    """What custom functions deliver to."""
    for place, stop in owner.stops.items():
        for source, origin in zip(stop.sources, stop.origins, strict=True):
            yield place, source, origin


def _through(owner: Owner, ends: Collection[int], inside: Collection[tuple[int, int]]) -> frozenset[int]:
    """The places of a recording that lead to `ends`, where results of custom functions deliver to places `inside`."""
    path = owner.current_path()
    if isinstance(owner, History):
        number = {one.id: one.id for one in path.builder.nodes}
    else:
        number = {place: path.at(place).id for place in range(-len(path.feeds), len(path.created))}
    beyond: dict[int, set[int]] = {}
    for place, source in inside:
        beyond.setdefault(number[place], set()).add(number[source])
    found = toward(path, [number[place] for place in ends], beyond)
    return frozenset(place for place, one in number.items() if one in found)
