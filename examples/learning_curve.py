"""Learning curves as an SVG picture: one panel per curve, over the same epochs. Its text can be selected."""

import math
from dataclasses import dataclass
from html import escape
from pathlib import Path

WIDTH, PANEL_HEIGHT, GAP = 640, 190, 44
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 64, 46
COLOURS = ("#b3400e", "#1f5fa8")
STYLE = (
    "text { font: 13px sans-serif; fill: #222 } .title { font-size: 16px; font-weight: bold } .grid { stroke: #ddd }"
)


@dataclass
class Curve:
    """What one panel shows: a value per epoch, from epoch 1 on; `label` formats the numbers on its axis."""

    name: str
    values: list[float]
    label: str


def draw(path, title, curves):
    """Write a picture of the curves, one below the other."""
    height = TOP + len(curves) * (PANEL_HEIGHT + GAP) - GAP + BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        text(LEFT, 26, title, "start", "title"),
    ]
    for number, curve in enumerate(curves):
        parts += panel(curve, TOP + number * (PANEL_HEIGHT + GAP), COLOURS[number % len(COLOURS)], number % 2 == 1)
    parts += epoch_axis(len(curves[0].values), height - BOTTOM)
    Path(path).write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")


def panel(curve, top, colour, dashed):
    """The grid, the axis and the line of one curve; a dashed line with squares is told apart without colour."""
    ticks = round_ticks(min(curve.values), max(curve.values))
    low, high = ticks[0], ticks[-1]

    def y_of(value):
        return top + PANEL_HEIGHT * (1 - (value - low) / (high - low))

    for tick in ticks:
        yield f'<line class="grid" x1="{LEFT}" y1="{y_of(tick):.1f}" x2="{WIDTH - RIGHT}" y2="{y_of(tick):.1f}"/>'
        yield text(LEFT - 8, y_of(tick) + 4, curve.label.format(tick), "end")
    yield text(LEFT, top - 8, curve.name, "start")
    points = [(x_of(epoch, len(curve.values)), y_of(value)) for epoch, value in enumerate(curve.values, start=1)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dashes = ' stroke-dasharray="7 3"' if dashed else ""
    yield f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>'
    for epoch, ((x, y), value) in enumerate(zip(points, curve.values, strict=True), start=1):
        tip = f"<title>epoch {epoch}: {curve.name} {value:.4f}</title>"
        if dashed:
            yield f'<rect x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6" fill="{colour}">{tip}</rect>'
        else:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}">{tip}</circle>'


def epoch_axis(epochs, y):
    """The epochs' numbers below all panels, at most about a dozen of them."""
    yield f'<line x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}" stroke="#222"/>'
    for epoch in range(1, epochs + 1, math.ceil(epochs / 12)):
        yield text(x_of(epoch, epochs), y + 18, epoch, "middle")
    yield text((LEFT + WIDTH - RIGHT) / 2, y + 36, "epoch", "middle")


def x_of(epoch, epochs):
    inner = WIDTH - LEFT - RIGHT - 20
    return LEFT + 10 + (inner * (epoch - 1) / (epochs - 1) if epochs > 1 else inner / 2)


def text(x, y, words, anchor, style=""):
    kind = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{escape(str(words))}</text>'


def round_ticks(low, high):
    """About five round numbers that enclose all values from `low` to `high`."""
    spread = (high - low) or abs(high) or 1.0
    unit = 10 ** math.floor(math.log10(spread / 4))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= spread / 4)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [step * number for number in range(first, max(last, first + 1) + 1)]
