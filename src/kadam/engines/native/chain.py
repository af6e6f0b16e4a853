"""Chains: stages that follow each other part by part, not one after the other as wholes.

A batch of a network's inputs goes through layer after layer, and through most of the way back, without one example
asking for another: so a quarter of the batch can go all that way before the next quarter. What a layer leaves is then
still in the core's cache when the next one reads it, and threads meet once for the whole way. What mixes the examples,
such as the gradients of weights, runs afterwards.

Why no part reads what another one writes: a stage's tasks fall into `leading` ranges, in their order, each of which
touches the same number of bytes further on than the one before (`Touch`). `leading` is divisible by the parts, so a
part's ranges touch its share of `leading` times those bytes, and shares of one start and size are the same for all
stages. Memory that any stage of a chain writes must be shared so by all that touch it (`_Use.harmless`); what is used
again within the chain is of exactly the same size (`memory.Span`). After a failed check the rest of the chain still
runs: what is computed from wrong indices is thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from kadam.engines.native.fuse import Group
from kadam.engines.native.stage import Stage, Touch
from kadam.ir.graph import Node

LOOK_AHEAD = 64  # groups among which the next one of a chain is looked for

Where = Callable[[Hashable], tuple[Hashable, int]]  # a buffer's memory, and the byte of it where the buffer begins


@dataclass(frozen=True)
class _Use:
    """What a stage touches of some memory: its part of the bytes from `start` on, or anything if there are none."""

    start: int
    size: int
    writes: bool

    def harmless(self, other: _Use) -> bool:
        """Whether two stages with these uses may run part by part."""
        if not (self.writes or other.writes):
            return True
        if not (self.size and other.size):
            return False
        apart = self.start + self.size <= other.start or other.start + other.size <= self.start
        return apart or self.is_like(other)

    def is_like(self, other: _Use) -> bool:
        """Whether the same memory falls to the parts in the same way."""
        return self.size > 0 and (self.start, self.size) == (other.start, other.size)


@dataclass(frozen=True)
class Links:
    """The stages of a group, as a chain sees them.

    Attributes:
        uses: what they touch, by the memory that it is in.
        count: how many there are.
        work: what they cost together.
        checks: whether they may find that the data are wrong.
        overwrites: whether they write to an input.
    """

    uses: tuple[tuple[Hashable, _Use], ...]
    count: int
    work: float
    checks: bool
    overwrites: bool


@dataclass(frozen=True)
class Surroundings:
    """What a chain must know of the program that it is in.

    Attributes:
        parts: into how many the tasks of a chain fall.
        where: tells where a buffer stands.
        error: the buffer that stages write to which check their data.
        fed: inputs.
    """

    parts: int
    where: Where
    error: Hashable
    fed: Collection[Hashable]

    def links(self, stages: Sequence[Stage]) -> Links | None:
        """Stages as links of a chain; None if their tasks do not fall evenly to the parts."""
        if any(not stage.leading or stage.leading % self.parts for stage in stages):
            return None
        uses = tuple(use for stage in stages for use in self._touched(stage))
        touched = [pair for stage in stages for pair in zip(stage.buffers, stage.touches, strict=True)]
        return Links(
            uses,
            len(stages),
            sum(stage.work for stage in stages),
            any(key == self.error for key, _ in touched),
            any(touch.writes and key in self.fed for key, touch in touched),
        )

    def _touched(self, stage: Stage) -> Iterable[tuple[Hashable, _Use]]:
        for key, touch in zip(stage.buffers, stage.touches, strict=True):
            if key != self.error:
                home, offset = self.where(key)
                yield home, _use(touch, offset, stage.leading)


class Chain:
    """Stages, each part of which reads of the others' results but what the same part of these has written.

    No part may overwrite an input while another one may still find that the data are wrong.

    Attributes:
        length: how many stages there are.
        work: what they cost together.
    """

    def __init__(self) -> None:
        self._uses: dict[Hashable, set[_Use]] = {}
        self._checks = self._overwrites = False
        self.length, self.work = 0, 0.0

    def takes(self, links: Links) -> bool:
        """Add links, unless they do not fit, or have nothing to do with those before."""
        if (self._checks or links.checks) and (self._overwrites or links.overwrites):
            return False
        strange = self.length > 0 and links.count > 0
        for number, (home, use) in enumerate(links.uses):
            for other in self._uses.get(home, ()):
                if not use.harmless(other):
                    return False
                strange = strange and not use.is_like(other)
            if any(key == home and not use.harmless(other) for key, other in links.uses[:number]):
                return False
        if strange:
            return False
        for home, use in links.uses:
            self._uses.setdefault(home, set()).add(use)
        self._checks |= links.checks
        self._overwrites |= links.overwrites
        self.length += links.count
        self.work += links.work
        return True

    def splits(self, home: Hashable, size_bytes: int) -> bool:
        """Whether memory falls to the parts as a whole: then equal memory, later on, may take its place."""
        return all(use.size and (use.start, use.size) == (0, size_bytes) for use in self._uses.get(home, ()))


def _use(touch: Touch, offset: int, leading: int) -> _Use:
    if touch.stride:
        shift = offset % touch.stride
        if touch.low + shift >= 0 and touch.high + shift <= touch.stride:
            return _Use(offset - shift, touch.stride * leading, touch.writes)
    return _Use(0, 0, touch.writes)


def together(stages: Sequence[Stage | Node]) -> Stage:
    """The stages of a chain as one, for the profile."""
    links = [stage for stage in stages if isinstance(stage, Stage)]
    return replace(
        links[0],
        name=f"{len(links)} stages, part by part",
        flops=sum(stage.flops for stage in links),
        size_bytes=sum(stage.size_bytes for stage in links),
        work=sum(stage.work for stage in links),
    )


def in_order(groups: Iterable[Group], links: Mapping[int, Links | None]) -> list[tuple[list[Group], Chain | None]]:
    """Groups in an order in which they can run, those that make a chain next to each other.

    Args:
        groups: in an order in which they can run.
        links: bit of a group -> its links; None if it fits no chain.
    """
    waiting, done = list(groups), 0
    found: list[tuple[list[Group], Chain | None]] = []
    run: list[Group] = []
    chain = Chain()
    while waiting:
        place = _next(waiting, done, links, chain)
        if place is None:
            if run:
                found.append((run, chain))
                run, chain = [], Chain()
                continue
            place = next(at for at, one in enumerate(waiting) if not one.needs & ~done)
            found.append(([waiting[place]], None))
        else:
            run.append(waiting[place])
        done |= waiting.pop(place).bit
    return [*found, (run, chain)] if run else found


def _next(waiting: Sequence[Group], done: int, links: Mapping[int, Links | None], chain: Chain) -> int | None:
    """The place of the first group that may run now and that the chain takes."""
    seen = 0
    for place, group in enumerate(waiting):
        if group.needs & ~done:
            continue
        own = links[group.bit]
        if own is not None and chain.takes(own):
            return place
        seen += 1
        if seen == LOOK_AHEAD:
            return None
    return None
