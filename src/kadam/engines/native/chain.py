"""Chains: stages that follow each other part by part, not one after the other as wholes.

A batch of a network's inputs goes through layer after layer, and through most of the way back, without one example
asking for another: so a quarter of the batch can go all that way before the next quarter. What a layer leaves is then
still in the core's cache when the next one reads it, and threads meet once for the whole way. What mixes the examples,
such as the gradients of weights, runs afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kadam.engines.native.fuse import Group
from kadam.engines.native.stage import Stage, Touch

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


class Chain:
    """Stages, each part of which reads of the others' results but what the same part of these has written.

    Attributes:
        length: how many stages there are.
        work: what they cost together.

    Args:
        parts: how many there are.
        where: tells where a buffer stands.
        error: the buffer that stages write to which check their data.
        fed: inputs. No part may overwrite one while another one may still find that the data are wrong.
    """

    def __init__(self, parts: int, where: Where, error: Hashable, fed: Collection[Hashable]) -> None:
        self._parts, self._where, self._error, self._fed = parts, where, error, fed
        self._uses: dict[Hashable, set[_Use]] = {}
        self._checks = self._overwrites = False
        self.length, self.work = 0, 0.0

    def takes(self, stages: Sequence[Stage]) -> bool:
        """Add stages, unless one of them does not fit, or they have nothing to do with those before; then none."""
        added: list[tuple[Hashable, _Use]] = []
        checks, overwrites = self._checks, self._overwrites
        for stage in stages:
            if not stage.leading or stage.leading % self._parts:
                return False
            found = list(self._touched(stage))
            for home, use in found:
                before = [*self._uses.get(home, ()), *(own for key, own in added if key == home)]
                if not all(use.harmless(other) for other in before):
                    return False
            added += found
            checks |= self._error in stage.buffers
            written = [key for key, touch in zip(stage.buffers, stage.touches, strict=True) if touch.writes]
            overwrites |= any(key in self._fed for key in written)
        strange = not any(use.is_like(other) for home, use in added for other in self._uses.get(home, ()))
        if (self.length and added and strange) or (checks and overwrites):
            return False
        self._checks, self._overwrites = checks, overwrites
        for home, use in added:
            self._uses.setdefault(home, set()).add(use)
        self.length += len(stages)
        self.work += sum(stage.work for stage in stages)
        return True

    def splits(self, home: Hashable, size_bytes: int) -> bool:
        """Whether memory falls to the parts as a whole: then equal memory, later on, may take its place."""
        return all(use.size and (use.start, use.size) == (0, size_bytes) for use in self._uses.get(home, ()))

    def _touched(self, stage: Stage) -> Iterable[tuple[Hashable, _Use]]:
        for key, touch in zip(stage.buffers, stage.touches, strict=True):
            if key != self._error:
                home, offset = self._where(key)
                yield home, _use(touch, offset, stage.leading)


def _use(touch: Touch, offset: int, leading: int) -> _Use:
    if touch.stride:
        shift = offset % touch.stride
        if touch.low + shift >= 0 and touch.high + shift <= touch.stride:
            return _Use(offset - shift, touch.stride * leading, touch.writes)
    return _Use(0, 0, touch.writes)


def in_order(
    groups: Iterable[Group], made: dict[int, list[Stage] | Any], new: Callable[[], Chain]
) -> list[tuple[list[Group], Chain | None]]:
    """Groups in an order in which they can run, those that make a chain next to each other.

    Args:
        groups: in an order in which they can run.
        made: bit of a group -> its stages; or anything else, if something other than stages computes it.
        new: makes an empty chain.
    """
    waiting, done = list(groups), 0
    found: list[tuple[list[Group], Chain | None]] = []
    run: list[Group] = []
    chain = new()
    while waiting:
        place = _next(waiting, done, made, chain)
        if place is None:
            if run:
                found.append((run, chain))
                run, chain = [], new()
                continue
            place = next(at for at, one in enumerate(waiting) if not one.needs & ~done)
            found.append(([waiting[place]], None))
        else:
            run.append(waiting[place])
        done |= waiting.pop(place).bit
    return [*found, (run, chain)] if run else found


def _next(waiting: Sequence[Group], done: int, made: dict[int, list[Stage] | Any], chain: Chain) -> int | None:
    """The place of the first group that may run now and that the chain takes."""
    seen = 0
    for place, group in enumerate(waiting):
        if group.needs & ~done:
            continue
        stages = made[group.bit]
        if isinstance(stages, list) and chain.takes(stages):
            return place
        seen += 1
        if seen == LOOK_AHEAD:
            return None
    return None
