"""How a row of results and the features of a convolution fall into tiles of vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kadam.engines.native.convolve_axis import Axis, Geometry
from kadam.engines.native.target import Target
from kadam.engines.native.transpose import block_of

LONGEST = 1_500  # as many multiplications of vectors the text may have
OVERHEAD = 8  # of a loop over channels, in the same unit

# What a tap meets in a tile: places of the tile and the sources, counted from the tile's first.
Meeting = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Tiling:
    """How a row of results and the features fall into tiles.

    Attributes:
        lanes: of a vector of features.
        vectors: of features in a tile.
        places: results of a row in a tile.
        cycles: what a channel and tap of a row cost.
    """

    lanes: int
    vectors: int
    places: int
    cycles: float

    @property
    def width(self) -> int:
        return self.lanes * self.vectors


def choose_tiling(geometry: Geometry, itemsize: int, target: Target) -> Tiling:
    """The tiling that takes the fewest cycles: two loads at a time, and four cycles until a sum can be added to."""
    lanes = target.vector_bytes // itemsize
    while lanes > block_of(itemsize) and lanes >= 2 * geometry.features:
        lanes //= 2
    row = geometry.row

    def cycles(places: int, vectors: int) -> float:
        at_once = -(-places // row.ratio)
        return max(at_once * vectors / target.multiply_adds, (at_once + vectors) / 2, 4) + 0.5

    best, found = float("inf"), Tiling(lanes, 1, row.ratio, float("inf"))
    for vectors in range(1, 5):
        panels = -(-geometry.features // (lanes * vectors))
        for places in range(row.ratio, max(row.results, 1) + row.ratio, row.ratio):
            if vectors * (places + 1) + 2 > target.vector_registers:
                break
            whole, rest = divmod(row.results, places)
            cost = panels * (whole * cycles(places, vectors) + bool(rest) * cycles(rest, vectors))
            if cost < best:
                best, found = cost, Tiling(lanes, vectors, places, cost)
    return found


@dataclass(frozen=True)
class Run:
    """Neighbouring tiles of a row that meet the same sources, relative to each one's first.

    Attributes:
        meetings: of each tap; None where the text would be too long, and the kernel finds out.
    """

    first: int
    end: int
    meetings: tuple[Meeting, ...] | None


def alike(meetings: Sequence[Meeting], step: int) -> Iterator[tuple[int, int, Meeting]]:
    """Taps that meet the same, each `step` after the one before: the first, how many, and what that meets."""
    first, many = 0, 0
    for tap in range(len(meetings) + 1):
        moved = tuple((place, source + many * step) for place, source in meetings[first])
        if tap < len(meetings) and meetings[tap] == moved:
            many += 1
            continue
        if meetings[first]:
            yield first, many, meetings[first]
        first, many = tap, 1


def runs_of(axis: Axis, tiling: Tiling) -> list[Run]:
    """The tiles of a row."""
    places = tiling.places
    advance = places * axis.scale // axis.ratio
    found: list[Run] = []
    whole = meetings_of(axis, 0, places, everywhere=True)
    sources = [source for tap in whole for _, source in tap]
    for tile in range(-(-axis.results // places)):
        base = tile * advance
        is_whole = (tile + 1) * places <= axis.results
        if is_whole and sources and base + min(sources) >= 0 and base + max(sources) < axis.sources:
            meetings = whole
        else:
            meetings = meetings_of(axis, tile, places)
        if found and found[-1].meetings == meetings:
            found[-1] = Run(found[-1].first, tile + 1, meetings)
        else:
            found.append(Run(tile, tile + 1, meetings))
    return _shortened(found, tiling.vectors, axis.step)


def _shortened(runs: Sequence[Run], vectors: int, step: int) -> list[Run]:
    """The same, without the meetings of the runs of fewest tiles that make the text too long."""
    room, known = LONGEST, set[Run]()
    for run in sorted(runs, key=lambda run: run.first - run.end):
        parts = [len(meeting) * vectors + OVERHEAD for _, _, meeting in alike(run.meetings or (), step)]
        room -= sum(parts)
        if room >= 0:
            known.add(run)
    found: list[Run] = []
    for run in runs:
        if run in known:
            found.append(run)
        elif found and found[-1].meetings is None:
            found[-1] = Run(found[-1].first, run.end, None)
        else:
            found.append(Run(run.first, run.end, None))
    return found


def meetings_of(axis: Axis, tile: int, places: int, everywhere: bool = False) -> tuple[Meeting, ...]:
    """What the taps meet in one tile; `everywhere` as if the row had no ends."""
    base = tile * places * axis.scale // axis.ratio

    def met(tap: int) -> Iterator[tuple[int, int]]:
        for place in range(places):
            source, rest = divmod(place * axis.scale + tap * axis.step + axis.shift, axis.ratio)
            inside = tile * places + place < axis.results and 0 <= base + source < axis.sources
            if not rest and (everywhere or inside):
                yield place, source

    return tuple(tuple(met(tap)) for tap in range(axis.taps))
