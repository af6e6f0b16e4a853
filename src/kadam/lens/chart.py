"""Charts over the steps of a run, as SVG, each with the table of its numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from kadam.language import number

WIDTH, HEIGHT = 500.0, 210.0
LEFT, RIGHT, TOP, BOTTOM = 54.0, 12.0, 12.0, 34.0
POINTS = 350  # that a line is drawn through
SMOOTH = 25  # steps above which a smoothed line is drawn too


def line_chart(
    xs: Sequence[int],
    ys: Sequence[float],
    title: str,
    x_label: str,
    marks: Sequence[int] = (),
    smooth: bool = True,
) -> str:
    """A line over the steps; logarithmic if it spans more than two powers of ten.

    Args:
        xs, ys: of each step its index and value.
        title: what the chart shows, in a sentence.
        x_label: what stands below.
        marks: steps that are marked.
        smooth: whether a line through many points is smoothed.
    """
    points = [(x, y) for x, y in zip(xs, ys, strict=True) if math.isfinite(y)]
    if not points:
        return ""
    values = [y for _, y in points]
    log = min(values) > 0 and max(values) / min(values) > 100
    scale = _Scale(points, log)
    raw = _path(_thinned(points), scale)
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" aria-label="{escape(title)}">',
        *scale.grid(),
        f'<text x="{WIDTH - RIGHT:.0f}" y="{HEIGHT - 4:.0f}" text-anchor="end">{escape(x_label)}</text>',
    ]
    if smooth and len(points) > SMOOTH:
        parts.append(f'<path class="raw" d="{raw}"/>')
        raw = _path(_thinned(_smoothed(points, log)), scale)
    parts.append(f'<path class="line" d="{raw}"/>')
    at = dict(points)
    for mark in marks:
        if mark in at:
            parts.append(
                f'<circle class="mark" cx="{scale.x(mark):.1f}" cy="{scale.y(at[mark]):.1f}" r="4">'
                f"<title>{mark}: {number(at[mark])}</title></circle>"
            )
    return "".join(parts) + "</svg>"


class _Scale:
    def __init__(self, points: Sequence[tuple[int, float]], log: bool) -> None:
        self.log = log
        xs, ys = [x for x, _ in points], [self._height(y) for _, y in points]
        self.first, self.last = min(xs), max(max(xs), min(xs) + 1)
        self.low, self.high = min(ys), max(ys)
        if not log and 0 <= self.low < 0.5 * self.high:
            self.low = 0.0
        if self.high - self.low < 1e-12 * max(1.0, abs(self.high)):
            self.low, self.high = self.low - 0.5, self.high + 0.5

    def _height(self, y: float) -> float:
        return math.log10(y) if self.log else y

    def x(self, x: float) -> float:
        return LEFT + (x - self.first) / (self.last - self.first) * (WIDTH - LEFT - RIGHT)

    def y(self, y: float) -> float:
        share = (self._height(y) - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def grid(self) -> list[str]:
        """Lines and numbers at round values."""
        parts = []
        for value in self._ticks():
            y = self.y(value)
            parts.append(
                f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
                f'<text x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{number(value, 3)}</text>'
            )
        for value in _round_values(self.first, self.last, 6):
            if value == int(value):
                parts.append(
                    f'<text x="{self.x(value):.1f}" y="{HEIGHT - 17}" text-anchor="middle">{int(value)}</text>'
                )
        return parts

    def _ticks(self) -> list[float]:
        if not self.log:
            return _round_values(self.low, self.high, 5)
        powers = range(math.floor(self.low), math.ceil(self.high) + 1)
        every = max(1, len(powers) // 6)
        steps = (1, 2, 5) if len(powers) < 4 else (1,)
        found = [step * 10.0**power for power in list(powers)[::every] for step in steps]
        return [one for one in found if self.low - 0.02 <= math.log10(one) <= self.high + 0.02]


def _round_values(low: float, high: float, about: int) -> list[float]:
    """Round values between two, about so many."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 12) for index in range(first, math.floor(high / step + 1e-9) + 1)]


def _thinned(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """At most `POINTS` points: of each stretch its lowest and its highest one."""
    if len(points) <= POINTS:
        return list(points)
    stretch = math.ceil(len(points) / (POINTS // 2))
    kept = []
    for start in range(0, len(points), stretch):
        part = points[start : start + stretch]
        kept += sorted({min(part, key=lambda one: one[1]), max(part, key=lambda one: one[1])})
    return kept


def _smoothed(points: Sequence[tuple[int, float]], log: bool) -> list[tuple[int, float]]:
    """A running mean from both sides, so that it does not lag."""
    heights = [math.log(y) if log else y for _, y in points]
    keep = 1 - 1 / max(len(points) / 40, 2.0)

    def run(values: Sequence[float]) -> list[float]:
        mean, found = 0.0, []
        for index, value in enumerate(values, start=1):
            mean = keep * mean + (1 - keep) * value
            found.append(mean / (1 - keep**index))
        return found

    both = [(a + b) / 2 for a, b in zip(run(heights), run(heights[::-1])[::-1], strict=True)]
    return [(x, math.exp(value) if log else value) for (x, _), value in zip(points, both, strict=True)]


def _path(points: Sequence[tuple[int, float]], scale: _Scale) -> str:
    return "M" + "L".join(f"{scale.x(x):.1f} {scale.y(y):.1f}" for x, y in points)
