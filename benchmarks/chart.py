"""How many times Kadam's step each peer's takes, as an SVG picture: a group per workload, a mark per peer.

The axis is logarithmic, 1 is Kadam's own time; right of it a peer is slower. A thin line is the spread of the rounds.
Peers differ in shape as well as in colour, and the text can be selected.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from workers import PEERS

WIDTH, LEFT, RIGHT, TOP, BOTTOM, ROW = 860, 140, 30, 92, 46, 30
COLOURS = {"fit": "#222222", "torch": "#b3400e", "compiled": "#1f5fa8", "jit": "#2c7a3f", "scan": "#6b3fa0"}
SHAPES = {
    "fit": "M-6,-1 h12 v3 h-12 z",
    "torch": "M-5,-5 h10 v10 h-10 z",
    "compiled": "M0,-6 l6,11 h-12 z",
    "jit": "M-5,0 a5,5 0 1 0 10,0 a5,5 0 1 0 -10,0 z",
    "scan": "M0,-6 l6,6 l-6,6 l-6,-6 z",
}
STYLE = (
    "text { font: 13px sans-serif; fill: #222 } .title { font-size: 16px; font-weight: bold } .grid { stroke: #ddd }"
)
TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def draw(path: Path, results: dict[str, Any]) -> None:
    """Write the picture; without ratios there is none."""
    rows = {name: found["ratios"] for name, found in results["workloads"].items() if found["ratios"]}
    if not rows:
        return
    ends = [1.0, *(one[end] for found in rows.values() for one in found.values() for end in ("low", "high"))]
    ticks = _ticks(min(ends), max(ends))
    height = TOP + ROW * len(rows) + BOTTOM
    title = f"Time of a training step, Kadam's is 1 ({results['date']}, {results['machine']['threads']} threads)"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        _text(20, 28, title, "start", "title"),
        *_legend({peer for found in rows.values() for peer in found}),
        *_axis(ticks, height - BOTTOM),
    ]
    for number, (name, found) in enumerate(rows.items()):
        y = TOP + ROW * (number + 0.5)
        parts.append(_text(LEFT - 14, y + 4, name, "end"))
        for peer, ratio in found.items():
            parts.append(_mark(peer, ratio, y, ticks, f"{name}: {PEERS[peer]} {ratio['median']:.2f}"))
    path.write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")


def _ticks(low: float, high: float) -> list[float]:
    """The round numbers that enclose all values."""
    first = max((i for i, tick in enumerate(TICKS) if tick <= low), default=0)
    last = min((i for i, tick in enumerate(TICKS) if tick >= high), default=len(TICKS) - 1)
    return list(TICKS[first : max(last, first + 1) + 1])


def _x(value: float, ticks: list[float]) -> float:
    inside = min(max(value, ticks[0]), ticks[-1])
    return LEFT + (WIDTH - LEFT - RIGHT) * math.log(inside / ticks[0]) / math.log(ticks[-1] / ticks[0])


def _axis(ticks: list[float], bottom: float) -> Iterator[str]:
    for tick in ticks:
        x = _x(tick, ticks)
        style = 'stroke="#222" stroke-width="2"' if tick == 1 else 'class="grid"'
        yield f'<line {style} x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom}"/>'
        yield _text(x, bottom + 18, f"{tick:g}", "middle")
    yield _text((LEFT + WIDTH - RIGHT) / 2, bottom + 38, "the peer's time over Kadam's", "middle")


def _legend(peers: set[str]) -> Iterator[str]:
    shown = [peer for peer in SHAPES if peer in peers]
    for number, peer in enumerate(shown):
        x = LEFT + 150 * number
        yield f'<path d="{SHAPES[peer]}" fill="{COLOURS[peer]}" transform="translate({x},58)"/>'
        yield _text(x + 14, 62, PEERS[peer], "start")


def _mark(peer: str, ratio: dict[str, float], y: float, ticks: list[float], tip: str) -> str:
    low, middle, high = (_x(ratio[key], ticks) for key in ("low", "median", "high"))
    return (
        f'<g fill="{COLOURS[peer]}" stroke="{COLOURS[peer]}"><title>{escape(tip)}</title>'
        f'<line x1="{low:.1f}" y1="{y}" x2="{high:.1f}" y2="{y}"/>'
        f'<path d="{SHAPES[peer]}" transform="translate({middle:.1f},{y})"/></g>'
    )


def _text(x: float, y: float, words: str, anchor: str, style: str = "") -> str:
    kind = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{escape(words)}</text>'
