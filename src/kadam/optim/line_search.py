"""The search along a line for a step that satisfies the strong Wolfe conditions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kadam.tensor import Tensor

_DECREASE = 1e-4  # the least part of the promised decrease of the loss
_CURVATURE = 0.9  # the largest part of the first slope that may be left
_NARROWEST = 1e-9  # an interval in which no parameter changes more than this is not divided


@dataclass(frozen=True)
class Point:
    """A point of the line: how far along it is, the loss there, the gradient, and the slope of the loss."""

    t: Any
    loss: float
    grad: Tensor
    slope: Any


def strong_wolfe(
    evaluate: Callable[[Any], Point], start: Point, first: Any, reach: Any, rounds: int
) -> tuple[Point, int]:
    """A point where the loss has fallen enough and the slope is flat enough; the best one found if there is none.

    Args:
        evaluate: the point at a distance t.
        start: the point at t = 0.
        first: the distance to try first.
        reach: the largest change of a parameter per unit of t.
        rounds: how many more points may be tried after the first.

    Returns:
        The point, and how many were evaluated.

    Source: Nocedal and Wright, "Numerical Optimization", algorithms 3.5 and 3.6, with cubic interpolation.
    """
    search = _Search(evaluate, start, reach, rounds)
    with np.errstate(all="ignore"):
        point = search.widen(first)
    return point, search.evaluations


class _Search:
    def __init__(self, evaluate: Callable[[Any], Point], start: Point, reach: Any, rounds: int) -> None:
        self.evaluate = evaluate
        self.start = start
        self.reach = reach
        self.rounds = rounds
        self.evaluations = 0

    def widen(self, first: Any) -> Point:
        """Go on until a point will do, or an interval is found that holds one."""
        previous, point = self.start, self.at(first)
        for tried in range(self.rounds):
            if self.too_high(point) or (tried > 1 and point.loss >= previous.loss):
                return self.narrow(previous, point, self.rounds - tried)
            if self.flat(point):
                return point
            if point.slope >= 0:
                return self.narrow(previous, point, self.rounds - tried)
            bounds = point.t + 0.01 * (point.t - previous.t), point.t * 10
            previous, point = point, self.at(_cubic_minimum(previous, point, *bounds))
        return self.start if self.start.loss <= point.loss else point

    def narrow(self, a: Point, b: Point, rounds: int) -> Point:
        """Divide an interval that holds such a point; its better end stands at `low`."""
        ends = [a, b]
        low = _better(ends)
        stuck = False
        for _ in range(rounds):
            left, right = sorted((ends[0].t, ends[1].t))
            if (right - left) * self.reach < _NARROWEST:
                break
            t, stuck = _inside(_cubic_minimum(ends[0], ends[1], left, right), left, right, stuck)
            point = self.at(t)
            if self.too_high(point) or point.loss >= ends[low].loss:
                ends[1 - low] = point
                low = _better(ends)
                continue
            if self.flat(point):
                return point
            if point.slope * (ends[1 - low].t - ends[low].t) >= 0:
                ends[1 - low] = ends[low]
            ends[low] = point
        return ends[low]

    def at(self, t: Any) -> Point:
        self.evaluations += 1
        return self.evaluate(t)

    def too_high(self, point: Point) -> bool:
        return bool(point.loss > self.start.loss + _DECREASE * point.t * self.start.slope)

    def flat(self, point: Point) -> bool:
        return bool(abs(point.slope) <= -_CURVATURE * self.start.slope)


def _better(ends: list[Point]) -> int:
    return 0 if ends[0].loss <= ends[1].loss else 1


def _inside(t: Any, left: Any, right: Any, stuck: bool) -> tuple[Any, bool]:
    """`t`, but a tenth away from an end if it is close to one again; and whether it is close for the first time."""
    margin = 0.1 * (right - left)
    if not min(right - t, t - left) < margin:
        return t, False
    if not stuck and left < t < right:
        return t, True
    return (right - margin if abs(t - right) < abs(t - left) else left + margin), False


def _cubic_minimum(a: Point, b: Point, low: Any, high: Any) -> Any:
    """The minimum of the cubic with these values and slopes, within bounds; their middle if it has none."""
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1**2 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2.0
    d2 = np.sqrt(square)
    if a.t <= b.t:
        best = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
    else:
        best = a.t - (a.t - b.t) * ((a.slope + d2 - d1) / (a.slope - b.slope + 2 * d2))
    return min(max(best, low), high)
