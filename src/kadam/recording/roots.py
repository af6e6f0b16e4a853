"""The leaves behind tensors: where a backward pass from them would add gradients."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Any

from kadam.ir.graph import Node
from kadam.recording.history import History
from kadam.recording.step import Recording
from kadam.recording.tensor import Recorded
from kadam.recording.trail import Path
from kadam.recording.view import up_to_date
from kadam.recording.way import locate

Place = tuple[Recording | History, int]


def leaves_behind(tensors: Iterable[Recorded]) -> list[Recorded]:
    """The leaves that gradients of the tensors reach, each once."""
    leaves: dict[int, Recorded] = {}
    passed: set[tuple[int, int]] = set()
    waiting: list[tuple[Recorded, Place | None]] = []

    def visit(sources: Iterable[tuple[Any, Place | None]]) -> None:
        waiting.extend(
            (one, origin or locate(one)) for one, origin in sources if origin or (one is not None and _requires(one))
        )

    visit((up_to_date(tensor), None) for tensor in tensors)
    while waiting:
        tensor, place = waiting.pop()
        if place is None:
            leaves[id(tensor)] = tensor
        elif (place[0].serial, place[1]) not in passed:
            passed.add((place[0].serial, place[1]))
            visit(_sources(*place))
    return list(leaves.values())


def _requires(tensor: Any) -> bool:
    return isinstance(tensor, Recorded) and tensor._spec.requires_grad


def _sources(owner: Recording | History, place: int) -> list[tuple[Any, Place | None]]:
    """What gradients reach outside of one recording: its feeds, each with where its value then was made if its tensor
    has changed since, and the operands of custom functions."""
    stops = {at: stop for at, stop in owner.stops.items() if stop.function is not None}
    feeds, halted = _reached(owner, place, tuple(stops))
    if isinstance(owner, History):
        nodes = owner.current_path().feeds
        origins = [owner.origins.get(nodes[index].id) for index in feeds]
    else:
        origins = [owner.displaced.get(~index) for index in feeds]
    met: list[tuple[Any, Place | None]] = [(owner.feeds[index], at) for index, at in zip(feeds, origins, strict=True)]
    return met + [pair for at in halted for pair in zip(stops[at].sources, stops[at].origins, strict=True)]


def _reached(owner: Recording | History, place: int, stops: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The indices of the feeds that gradients reach from a place, and those of `stops` where they halt."""
    closed = isinstance(owner, History)
    end = owner.end if isinstance(owner, History) else owner.here
    key = ("behind", closed, place, stops)
    if key not in end.plans:
        if isinstance(owner, History):
            path = owner.current_path()
            start, halts = path.builder.nodes[place], {at: at for at in stops}
        else:
            path = Path(end)
            start, halts = path.at(place), {path.at(at).id: at for at in stops}
        seen = _active_behind(path, start, halts)
        feeds = tuple(index for index, node in enumerate(path.feeds) if node.id in seen)
        end.plans[key] = (feeds, tuple(at for one, at in halts.items() if one in seen))
    return end.plans[key]  # type: ignore[no-any-return]


def _active_behind(path: Path, start: Node, halts: Container[int]) -> set[int]:
    """The ids of the nodes through which gradients flow from `start` on, up to those where they halt."""
    seen: set[int] = set()
    waiting = [start]
    while waiting:
        node = waiting.pop()
        if node.id in path.builder.active and node.id not in seen:
            seen.add(node.id)
            waiting.extend(() if node.id in halts else node.inputs)
    return seen
