"""Where boxes and lines stand: a layered layout, from the top down.

Boxes are ranked so that lines lead down; ranks are ordered so that few lines cross; then boxes move below the mean of
what leads to them, as far as their neighbours allow. A line that passes a rank has a place of its own in it.

Source: K. Sugiyama, S. Tagawa, M. Toda, Methods for visual understanding of hierarchical system structures, 1981.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

BETWEEN = 18.0  # between boxes of a rank
LANE = 14.0  # width of the place that a passing line takes
SWEEPS = 8
APART = 46.0  # between lines that arrive at a box
MARGINS = 40.0
STIFF = 12.0  # how strongly a chain keeps straight, beside a line that branches off
Key = TypeVar("Key", bound=Hashable)
Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """A line from a box to one further down.

    Attributes:
        start, end: the boxes.
        leaves, arrives: where at these, to the right of their middle; None: where there is room.
    """

    start: Hashable
    end: Hashable
    leaves: float = 0.0
    arrives: float | None = None


@dataclass(frozen=True)
class Layout:
    """Where everything stands.

    Attributes:
        places: of each box the left upper corner.
        routes: of each line the points at which it enters and leaves ranks, from its start to its end.
        width, height: of the whole.
    """

    places: Mapping[Hashable, Point]
    routes: Sequence[Sequence[Point]]
    width: float
    height: float


@dataclass(eq=False)
class _Spot:
    """A place in a rank: a box's, or that of a passing line."""

    width: float
    rank: int
    weight: float = 1.0
    x: float = 0.0  # of its middle
    above: list[_Link] = field(default_factory=list)
    below: list[_Link] = field(default_factory=list)


@dataclass(eq=False)
class _Link:
    """A piece of a line between neighbouring ranks; `leaves` and `arrives` as in `Line`, and whether that may move."""

    upper: _Spot
    lower: _Spot
    leaves: float
    arrives: float
    weight: float
    free: bool = False


def arrange(
    sizes: Mapping[Key, tuple[float, float]],
    lines: Sequence[Line],
    gap: float,
    first: Sequence[Key] = (),
    last: Sequence[Key] = (),
) -> Layout:
    """Lay out boxes of given width and height; every line leads from an earlier key to a later one.

    Args:
        sizes: of the boxes, in the order in which they were made.
        lines: between them.
        gap: height between ranks.
        first, last: boxes that stand in a rank of their own, above and below all others.
    """
    ranks = _ranked(list(sizes), lines, first, last)
    rows: list[list[_Spot]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    spots = {key: _Spot(width, ranks[key]) for key, (width, _) in sizes.items()}
    led_to = {line.end for line in lines}
    for key in sorted(spots, key=lambda key: key not in led_to):
        rows[spots[key].rank].append(spots[key])
    chains = [_chain(line, spots, rows) for line in lines]
    _stiffen(rows)
    _order(rows)
    _spread(rows)
    _move(rows)
    return _measured(sizes, lines, spots, chains, rows, gap)


def _ranked(keys: list[Key], lines: Sequence[Line], first: Sequence[Key], last: Sequence[Key]) -> dict[Key, int]:
    """The rank of each box: below all that lead to it; what nothing leads to stands just above what it leads to."""
    into: dict[Hashable, list[Hashable]] = {key: [] for key in keys}
    out_of: dict[Hashable, list[Hashable]] = {key: [] for key in keys}
    for line in lines:
        into[line.end].append(line.start)
        out_of[line.start].append(line.end)
    lowest = 1 if first else 0
    ranks: dict[Key, int] = {}
    for key in keys:
        above = [ranks[one] for one in into[key]]  # type: ignore[index]
        ranks[key] = 0 if key in first else max(above, default=lowest - 1) + 1
    for key in reversed(keys):
        if not into[key] and out_of[key] and key not in first:
            ranks[key] = min(ranks[one] for one in out_of[key]) - 1  # type: ignore[index]
    for key in last:
        ranks[key] = max((rank for one, rank in ranks.items() if one not in last), default=lowest - 1) + 1
    used = {rank: index for index, rank in enumerate(sorted(set(ranks.values())))}
    return {key: used[rank] for key, rank in ranks.items()}


def _chain(line: Line, spots: Mapping[Key, _Spot], rows: list[list[_Spot]]) -> list[_Spot]:
    """The spots that a line leads through, linked."""
    start, end = spots[line.start], spots[line.end]  # type: ignore[index]
    passing = [_Spot(LANE, rank, weight=4.0) for rank in range(start.rank + 1, end.rank)]
    for spot in passing:
        rows[spot.rank].append(spot)
    chain = [start, *passing, end]
    for index, (upper, lower) in enumerate(zip(chain, chain[1:], strict=False)):
        leaves = line.leaves if index == 0 else 0.0
        is_last = index == len(chain) - 2
        arrives = line.arrives or 0.0 if is_last else 0.0
        weight = 2.0 if len(chain) == 2 else 1.0
        link = _Link(upper, lower, leaves, arrives, weight, is_last and line.arrives is None)
        upper.below.append(link)
        lower.above.append(link)
    return chain


def _stiffen(rows: list[list[_Spot]]) -> None:
    """Let what follows one from the other stand one below the other."""
    for row in rows:
        for spot in row:
            if len(spot.below) == 1 and len(spot.below[0].lower.above) == 1:
                spot.below[0].weight = STIFF


def _order(rows: list[list[_Spot]]) -> None:
    """Put each rank's spots into an order with few crossings."""
    for row in rows:
        for index, spot in enumerate(row):
            spot.x = float(index)
    best = [list(row) for row in rows]
    fewest = _crossings(rows)
    for sweep in range(SWEEPS):
        if fewest == 0:
            break
        downwards = sweep % 2 == 0
        for row in rows[1:] if downwards else rows[-2::-1]:
            means = {id(spot): _mean(spot, downwards) for spot in row}
            row.sort(key=lambda spot, means=means: means[id(spot)])  # type: ignore[misc]
            for index, spot in enumerate(row):
                spot.x = float(index)
        found = _crossings(rows)
        if found < fewest:
            best, fewest = [list(row) for row in rows], found
    for row, order in zip(rows, best, strict=True):
        row[:] = order


def _spread(rows: list[list[_Spot]]) -> None:
    """Let the lines into a box arrive side by side, in the order in which they come; one from a box in the middle."""
    for above, row in zip(rows, rows[1:], strict=False):
        order = {id(spot): index for index, spot in enumerate(above)}
        for spot in row:
            free = sorted((link for link in spot.above if link.free), key=lambda link: order[id(link.upper)])
            boxes = [index for index, link in enumerate(free) if link.upper.width > LANE]
            middle = boxes[len(boxes) // 2 - (len(boxes) % 2 == 0)] if boxes else 0
            side = max(middle, len(free) - 1 - middle, 1)
            apart = min(APART, (spot.width - MARGINS) / 2 / side)
            for index, link in enumerate(free):
                link.arrives = apart * (index - middle)


def _mean(spot: _Spot, downwards: bool) -> float:
    places = [link.upper.x + link.leaves / 1e4 for link in spot.above] if downwards else None
    if places is None:
        places = [link.lower.x + link.arrives / 1e4 for link in spot.below]
    return sum(places) / len(places) if places else spot.x


def _crossings(rows: list[list[_Spot]]) -> int:
    total = 0
    for row, below in zip(rows, rows[1:], strict=False):
        order = {id(spot): index for index, spot in enumerate(below)}
        ends = [order[id(link.lower)] for spot in row for link in sorted(spot.below, key=lambda one: one.leaves)]
        total += sum(1 for index, end in enumerate(ends) for other in ends[index + 1 :] if other < end)
    return total


def _move(rows: list[list[_Spot]]) -> None:
    """Move spots towards the mean of their neighbours above and below; none overlaps, the order stays."""
    for row in rows:
        _settle(row, [0.0] * len(row), [1.0] * len(row))
    for sweep in range(3 * SWEEPS):
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            wanted, weights = [], []
            for spot in row:
                pulls = [(link.upper.x + link.leaves - link.arrives, link.weight) for link in spot.above]
                pulls += [(link.lower.x + link.arrives - link.leaves, link.weight) for link in spot.below]
                total = sum(weight for _, weight in pulls)
                wanted.append(sum(x * weight for x, weight in pulls) / total if pulls else spot.x)
                weights.append(spot.weight * max(total, 0.01))
            _settle(row, wanted, weights)


def _settle(row: list[_Spot], wanted: list[float], weights: list[float]) -> None:
    """The places nearest to the wanted ones (least squares) at which no two spots overlap: isotonic regression."""
    offsets, at = [], 0.0
    for index, spot in enumerate(row):
        if index:
            at += (row[index - 1].width + spot.width) / 2 + BETWEEN
        offsets.append(at)
    blocks: list[list[float]] = []  # mean, weight, count
    for want, weight, offset in zip(wanted, weights, offsets, strict=True):
        blocks.append([want - offset, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            mean, heavy, many = blocks.pop()
            left = blocks[-1]
            left[0] = (left[0] * left[1] + mean * heavy) / (left[1] + heavy)
            left[1], left[2] = left[1] + heavy, left[2] + many
    means = [mean for mean, _, many in blocks for _ in range(int(many))]
    for spot, mean, offset in zip(row, means, offsets, strict=True):
        spot.x = mean + offset


def _measured(
    sizes: Mapping[Key, tuple[float, float]],
    lines: Sequence[Line],
    spots: Mapping[Key, _Spot],
    chains: list[list[_Spot]],
    rows: list[list[_Spot]],
    gap: float,
) -> Layout:
    every = [spot for row in rows for spot in row]
    left = min((spot.x - spot.width / 2 for spot in every), default=0.0)
    width = max((spot.x + spot.width / 2 for spot in every), default=0.0) - left
    heights = [0.0] * len(rows)
    for key, (_, height) in sizes.items():
        heights[spots[key].rank] = max(heights[spots[key].rank], height)
    tops, y = [], 0.0
    for height in heights:
        tops.append(y)
        y += height + gap
    places: dict[Hashable, Point] = {}
    for key, (box_width, height) in sizes.items():
        spot = spots[key]
        places[key] = (spot.x - left - box_width / 2, tops[spot.rank] + (heights[spot.rank] - height) / 2)
    routes = []
    for line, chain in zip(lines, chains, strict=True):
        start, end = chain[0], chain[-1]
        arrives = next(link.arrives for link in end.above if link.upper is chain[-2])
        (_, start_y), start_height = places[line.start], sizes[line.start][1]  # type: ignore[index]
        route = [(start.x - left + line.leaves, start_y + start_height)]
        route.append((route[0][0], tops[start.rank] + heights[start.rank]))
        for spot in chain[1:-1]:
            route += [(spot.x - left, tops[spot.rank]), (spot.x - left, tops[spot.rank] + heights[spot.rank])]
        arrival = end.x - left + arrives
        route += [(arrival, tops[end.rank]), (arrival, places[line.end][1])]
        routes.append(route)
    return Layout(places, routes, width, max(y - gap, 0.0))
