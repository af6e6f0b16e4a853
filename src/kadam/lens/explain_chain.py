"""The chain rule for one weight, with this step's numbers.

*Stations* are the values that the program's own calls returned on the way from the weight to the loss. Between two
stations a factor is one number: how much an element of the later one changes with an element of the earlier one. The
gradient is the sum, over all paths from the weight to the loss, of the products of the factors on each path.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kadam.ir.graph import Node
from kadam.ir.primitive import Array
from kadam.lens.explain_names import is_carrier, seen_through
from kadam.lens.replay import Index, Replay
from kadam.lens.step import Parameter

SMALL = 4_000  # elements of all stations together, up to which every path is followed
EXPANSIONS = 400  # elements from which paths are followed on, at most


@dataclass(frozen=True)
class Factor:
    """How much one element changes with another.

    Attributes:
        of, of_at: the later value, and which of its elements; no value stands for what the backward passes follow, if
            that is no single number of the program's, or if the program gave the factor itself.
        by, by_at: the earlier one.
        value: the factor.
    """

    of: Node | None
    of_at: Index
    by: Node
    by_at: Index
    value: float


@dataclass(frozen=True)
class Route:
    """One path from the loss down to the weight; its product is its share of the gradient."""

    factors: tuple[Factor, ...]

    @property
    def product(self) -> float:
        total = 1.0
        for factor in self.factors:
            total *= factor.value
        return total


@dataclass(frozen=True)
class Share:
    """What goes through one element of the values that the weight acts on directly.

    Attributes:
        node, at: the element.
        upstream: how much the loss changes with it.
        local: how much it changes with the weight.
    """

    node: Node
    at: Index
    upstream: float
    local: float

    @property
    def product(self) -> float:
        return self.upstream * self.local


@dataclass(frozen=True)
class Level:
    """A station that everything goes through.

    Attributes:
        node: it.
        norm: of the loss's gradient there.
        total: the sum over its elements of that gradient times their change with the weight: the weight's gradient.
    """

    node: Node
    norm: float
    total: float


Start = tuple[int, Index, tuple[Factor, ...]]  # an element, and the factors from the loss down to it


def _weight_of(ahead: tuple[float, Start]) -> float:
    return -abs(ahead[0])


class Chain:
    """The chain rule for one element of a parameter.

    Args:
        replay: of the step.
        parameter, at: the weight.
        inner: ids of values within calls that are stations, too.
        hidden: ids of results that are none.
    """

    def __init__(
        self,
        replay: Replay,
        parameter: Parameter,
        at: Index,
        inner: Collection[int] = (),
        hidden: frozenset[int] = frozenset(),
    ) -> None:
        self.replay, self.parameter, self.at, self.inner, self.hidden = replay, parameter, at, inner, hidden
        self.weight = parameter.met.id
        one = np.zeros(parameter.value.shape)
        one[at] = 1.0
        self.moved = replay.push(self.weight, one)
        self.first = replay.push(self.weight, one, self.stations)

    @cached_property
    def stations(self) -> frozenset[int]:
        """Ids of the stations."""
        replay = self.replay
        reached = replay.active & self._below()
        instead = seen_through(replay.step)
        results = {id for id in reached & replay.step.results if id in instead or not is_carrier(replay.nodes[id])}
        shown = {instead.get(id, id) for id in results}
        shown = {id for id in shown - self.hidden if not self._shows_inner(replay.nodes[id])} | set(self.inner)
        shown |= set(replay.roots) | replay.hooked.keys()
        return frozenset(shown & reached - {self.weight})

    def _shows_inner(self, node: Node) -> bool:
        """Whether a value is only another view of a station within a call."""
        while is_carrier(node) and node.inputs:
            node = node.inputs[0]
            if node.id in self.inner:
                return True
        return False

    def _below(self) -> set[int]:
        """What depends on the weight."""
        found = {self.weight}
        for node in self.replay.nodes[self.weight + 1 :]:
            if any(source.id in found for source in node.inputs):
                found.add(node.id)
        return found

    @cached_property
    def total(self) -> float:
        """The gradient, in double precision."""
        gradient = self.replay.gradients.get(self.weight)
        return 0.0 if gradient is None else float(gradient[self.at])

    def shares(self) -> list[Share]:
        """What goes through each element that the weight acts on directly, the largest first."""
        found = []
        for id in sorted(self.stations & self.first.keys()):
            upstream = self.replay.gradients.get(id)
            if upstream is None:
                continue
            products = upstream * self.first[id]
            for at in np.argwhere(products):
                here = tuple(map(int, at))
                found.append(Share(self.replay.nodes[id], here, float(upstream[here]), float(self.first[id][here])))
        return sorted(found, key=lambda share: -abs(share.product))

    def levels(self) -> Iterator[Level]:
        """The stations that everything goes through, from the weight on."""
        for id in sorted(self.stations):
            upstream = self.replay.gradients.get(id)
            if upstream is None or id not in self.moved:
                continue
            total = float(np.sum(upstream * self.moved[id]))
            if abs(total - self.total) <= 1e-7 * max(abs(self.total), 1e-12):
                yield Level(self.replay.nodes[id], float(np.linalg.norm(upstream)), total)

    @property
    def is_small(self) -> bool:
        """Whether all paths are followed."""
        return sum(self.replay.nodes[id].type.elements for id in self.stations) <= SMALL

    def routes(self, most: int) -> tuple[list[Route], int | None]:
        """The paths with the largest shares, and how many paths there are; None if nobody has counted them.

        In small networks every path is followed. In large ones, and where there are too many paths, from the elements
        with the largest shares right before the loss, always to where most of the rest is: an element's change with
        the weight times the product of the factors so far is the sum over all paths that go on from there.
        """
        starts, complete = list(self._starts()), False
        if self.is_small:
            found, complete = self._all_routes(starts)
        if not complete:
            first = sorted((ahead for start in starts for ahead in self._ahead(start)), key=_weight_of)[:most]
            found = [route for one in first if (route := self._descent(one[1])) is not None]
        found.sort(key=lambda route: -abs(route.product))
        return found[:most], len(found) if complete else None

    def _starts(self) -> Iterator[Start]:
        """Where paths begin: at the loss; at all that the program itself gave a gradient to."""
        replay = self.replay
        for id, gradient in {**replay.begun, **replay.hooked}.items():
            if id in self.moved and id != self.weight:
                for at in np.ndindex(replay.nodes[id].shape):
                    given = float(gradient[at])
                    alone = given == 1 and not replay.is_weighted and id in replay.roots
                    yield id, at, () if alone else (Factor(None, (), replay.nodes[id], at, given),)

    def _all_routes(self, starts: list[Start]) -> tuple[list[Route], bool]:
        waiting, found, left = list(starts), [], EXPANSIONS
        while waiting and left:
            start = waiting.pop()
            if start[0] == self.weight:
                found.append(Route(start[2]))
            else:
                left -= 1
                waiting += [ahead[1] for ahead in self._ahead(start)]
        found += [Route(factors) for id, _, factors in waiting if id == self.weight]
        return found, all(id == self.weight for id, *_ in waiting)

    def _descent(self, start: Start) -> Route | None:
        while start[0] != self.weight:
            ahead = sorted(self._ahead(start), key=_weight_of)
            if not ahead:
                return None
            start = ahead[0][1]
        return Route(start[2])

    def _ahead(self, start: Start) -> list[tuple[float, Start]]:
        """Where the paths go on from an element, with the sum of their shares."""
        id, at, factors = start
        so_far = Route(factors).product
        found = []
        for factor in self._factors(id, at):
            change = float(self.moved[factor.by.id][factor.by_at])
            found.append((so_far * factor.value * change, (factor.by.id, factor.by_at, (*factors, factor))))
        return found

    def _factors(self, id: int, at: Index) -> Iterator[Factor]:
        """The factors from an element down to those of the stations before it, or to the weight."""
        seed = np.zeros(self.replay.nodes[id].shape)
        seed[at] = 1.0
        ends = (self.stations | {self.weight}) - {id}
        reached = self.replay.pull({id: seed}, ends, ends)
        for earlier, change in sorted(reached.items()):
            if earlier not in self.moved or earlier in self.replay.hooked:  # from there on other paths lead
                continue
            for element in self._elements(earlier, change):
                yield Factor(self.replay.nodes[id], at, self.replay.nodes[earlier], element, float(change[element]))

    def _elements(self, id: int, change: Array) -> Iterator[Index]:
        if id == self.weight:
            if change[self.at]:
                yield self.at
            return
        for element in np.argwhere(change * self.moved[id]):
            yield tuple(map(int, element))
