"""A picture as SVG: text that can be selected, light and dark, sign by colour and by pattern."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from html import escape
from importlib.resources import files

from kadam.language import number
from kadam.lens.draw.blocks import Block, Role
from kadam.lens.draw.face import CELL_SIZE, LINE, MARGIN, Face, Sight
from kadam.lens.draw.heat import LEVELS
from kadam.lens.draw.picture import Edge, Flow, Frame, Picture, View

PADDING = 14.0
RIGHT = 92.0  # room for what stands beside the last line
BACK = 8.0  # how far gradients flow to the left of values
LEGEND = 44.0
LEAST_WIDTH = 360.0  # so that the legend fits
LEAST_SHARE = 0.75  # of its width: narrower, a picture could not be read, and scrolls instead
STEM = 24.0  # a line first leads down, past what stands beside it
BAR = 6.0
WIDEST_NUMBER = 7  # characters of a number in a cell


def style() -> str:
    """The style sheet of diagrams."""
    return files("kadam.lens.draw").joinpath("diagram.css").read_text(encoding="utf-8")


def standing(picture: Picture, view: View, say: Callable[..., str], name: str, title: str) -> str:
    """One view as a file of its own."""
    return _svg(picture, [view], say, name, title, f"<style>{style()}</style>", alone=True)


def interactive(picture: Picture, say: Callable[..., str], name: str, title: str) -> str:
    """All views in one: blocks open at a click (`diagram.js` does it); without a script, the first look."""
    opened = {"": picture.first, **{key: picture.opening(key) for key in picture.groups()}}
    views = {key: picture.view(keys) for key, keys in opened.items()}
    plans = {key: _plan(view) for key, view in views.items()}
    data = json.dumps({"views": plans, "parents": _parents(picture)}, separators=(",", ":"))
    drawing = _svg(picture, list(views.values()), say, name, title, "", alone=False)
    return f'{drawing}<script type="application/json" id="{name}-views">{data}</script>'


def _parents(picture: Picture) -> dict[str, str]:
    """What is shown when a block is closed."""
    return {key: "" if parent in picture.first else parent for key, parent in picture.parents.items()}


def _plan(view: View) -> dict[str, object]:
    return {
        "size": [round(view.width), round(view.height)],
        "boxes": {key: [round(x, 1), round(y, 1)] for key, (x, y) in view.boxes.items()},
        "frames": {key: [round(one, 1) for one in frame] for key, frame in view.frames.items()},
        "edges": {edge.key: path(edge.route) for edge in view.edges},
    }


def _svg(
    picture: Picture,
    views: Sequence[View],
    say: Callable[..., str],
    name: str,
    title: str,
    head: str,
    alone: bool,
) -> str:
    first = views[0]
    width, height = max(first.width + 2 * PADDING + RIGHT, LEAST_WIDTH), first.height + 2 * PADDING + LEGEND + 4
    boxes = dict.fromkeys(key for view in views for key in view.boxes)
    frames = dict.fromkeys(key for view in views for key in view.frames)
    edges = {edge.key: edge for view in reversed(views) for edge in view.edges}
    least = "" if alone else f' style="min-width:{LEAST_SHARE * width:.0f}px"'
    groups = set(picture.groups())
    at_first = {edge.key for edge in first.edges}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="kadam-flow" id="{name}" role="{"img" if alone else "group"}" '
        f'viewBox="{-PADDING} {-PADDING - LEGEND} {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}"{least} '
        f'aria-labelledby="{name}-title {name}-desc">',
        f'<title id="{name}-title">{escape(title)}</title>',
        f'<desc id="{name}-desc">{escape(described(picture, say))}</desc>',
        head,
        _definitions(name),
        _legend(say, name),
        "".join(_edge(edge, name, edge.key in at_first) for edge in edges.values()),
        "".join(
            _frame(picture, key, first.frames.get(key), say, name, not alone and key not in picture.first)
            for key in frames
        ),
        "".join(_box(picture, key, first.boxes.get(key), say, name, key in groups and not alone) for key in boxes),
        "</svg>",
    ]
    return "".join(parts)


def described(picture: Picture, say: Callable[..., str]) -> str:
    """The picture in a sentence."""
    children = picture.root.children
    inputs = ", ".join(block.title for block in children if block.role is Role.INPUT)
    blocks = ", ".join(
        picture.faces[picture.key_of[id(block)]].rows[0].text for block in children if block.role is not Role.INPUT
    )
    return say("describe", inputs=inputs or say("input"), blocks=blocks)


def _definitions(name: str) -> str:
    arrows = "".join(
        f'<marker id="{name}-{kind}" class="{kind}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto-start-reverse"><path d="M0 0.5 8 4 0 7.5z"/></marker>'
        for kind in ("value", "gradient")
    )
    hatch = (
        f'<pattern id="{name}-hatch" class="hatch" width="5" height="5" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><path d="M0 0V5"/></pattern>'
    )
    return f"<defs>{arrows}{hatch}</defs>"


def _legend(say: Callable[..., str], name: str) -> str:
    y = 2 - LEGEND
    value, gradient = say("legend.value"), say("legend.gradient")
    positive, negative = say("legend.positive"), say("legend.negative")
    return (
        f'<g class="legend"><path class="value" d="M0 {y - 4}h22" marker-end="url(#{name}-value)"/>'
        f'<text x="28" y="{y}">{escape(value)}</text>'
        f'<path class="gradient" d="M22 {y + 13}h-22" marker-end="url(#{name}-gradient)"/>'
        f'<text x="28" y="{y + 17}">{escape(gradient)}</text>'
        f'<rect class="positive" x="190" y="{y - 10}" width="12" height="12"/>'
        f'<text x="207" y="{y}">{escape(positive)}</text>'
        f'<rect class="negative" x="190" y="{y + 7}" width="12" height="12"/>'
        f'<rect fill="url(#{name}-hatch)" x="190" y="{y + 7}" width="12" height="12"/>'
        f'<text x="207" y="{y + 17}">{escape(negative)}</text></g>'
    )


def path(route: Sequence[tuple[float, float]]) -> str:
    """A route as SVG: straight within ranks, bent between them."""
    (x, y), rest = route[0], list(route[1:])
    parts = [f"M{x:.0f} {y:.0f}"]
    for index, (to_x, to_y) in enumerate(rest):
        if abs(to_x - x) < 0.5 and abs(to_y - y) < 0.5:
            continue
        if abs(to_x - x) < 0.5:
            parts.append(f"V{to_y:.0f}")
        else:
            if index == 1:
                y = min(y + STEM, to_y - STEM)
                parts.append(f"V{y:.0f}")
            middle = (y + to_y) / 2
            parts.append(f"C{x:.0f} {middle:.0f} {to_x:.0f} {middle:.0f} {to_x:.0f} {to_y:.0f}")
        x, y = to_x, to_y
    return "".join(parts)


def _edge(edge: Edge, name: str, shown: bool) -> str:
    hidden = "" if shown else ' style="display:none"'
    ends = f' marker-end="url(#{name}-value)"' if edge.ends else ""
    parts = [f'<g class="edge" id="{name}-{edge.key}"{hidden}><path class="value" d="{path(edge.route)}"{ends}/>']
    if edge.gradient:
        ends = f' marker-start="url(#{name}-gradient)"' if edge.starts else ""
        parts.append(f'<path class="gradient" d="{path(edge.route)}" transform="translate({-BACK:.0f} 0)"{ends}/>')
    return "".join(parts) + "</g>"


def _flow(flow: Flow, x: float, y: float) -> str:
    """What stands beside the line that leaves a block."""
    return " ".join(
        f'<text class="{kind}" x="{x + 9:.1f}" y="{y + 15 + 14 * index:.1f}">{escape(text)}</text>'
        for index, (kind, text) in enumerate(_told(flow))
    )


def _mark(sign: str) -> str:
    """What shows that a block can be opened or closed: seen, not read out."""
    return f'<tspan aria-hidden="true"> {sign}</tspan>'


def _told(flow: Flow) -> list[tuple[str, str]]:
    lines = [("flow", f"{flow.shape}  {flow.value}".strip()), ("flow back", flow.gradient)]
    return [line for line in lines if line[1]]


def _read(face: Face, flow: Flow | None) -> str:
    """All that a block says, and what stands beside its line, for who hears it."""
    return ", ".join([*(row.text for row in face.rows), *(text for _, text in (_told(flow) if flow else ()))])


def _frame(picture: Picture, key: str, frame: Frame | None, say: Callable[..., str], name: str, closes: bool) -> str:
    block, face = picture.blocks[key], picture.faces[key]
    x, y, width, height, leaves = frame or (0.0, 0.0, 0.0, 0.0, 0.0)
    hidden = "" if frame else ' style="display:none"'
    rows = " ".join(  # what is read out of it are words, too
        f'<text class="{row.kind}" x="{MARGIN}" y="{MARGIN + 6 + LINE * index:.1f}">{escape(row.text)}</text>'
        for index, row in enumerate(face.rows)
    )
    role = f"frame {block.role.value}"
    same = block.role is not Role.REPEAT and block.children[-1].output is block.output
    leaving = None if same or _is_loss(picture, block) else picture.flow(key)
    button = ""
    if closes:
        label = escape(say("close", name=_read(face, leaving)), quote=True)
        button = f' tabindex="0" role="button" data-opens="{key}" aria-expanded="true" aria-label="{label}"'
        rows = rows.replace("</text>", f"{_mark('▾')}</text>", 1)
    flow = "" if leaving is None else _flow(leaving, 0, 0)
    return (
        f'<g class="{role}" id="{name}-f{key}" transform="translate({x:.1f} {y:.1f})"{hidden}{button}>'
        f'<rect class="edge-of" width="{width:.1f}" height="{height:.1f}" rx="9"/>{rows}'
        f'<g class="leaves" transform="translate({leaves:.1f} {height:.1f})">{flow}</g></g>'
    )


def _box(
    picture: Picture, key: str, at: tuple[float, float] | None, say: Callable[..., str], name: str, opens: bool
) -> str:
    block, face = picture.blocks[key], picture.faces[key]
    x, y = at or (0.0, 0.0)
    hidden = "" if at else ' style="display:none"'
    leaving = picture.flow(key) if block.nodes and not _is_loss(picture, block) else None
    button = ""
    if opens:
        label = escape(say("open", name=_read(face, leaving)), quote=True)
        button = f' tabindex="0" role="button" data-opens="{key}" aria-expanded="false" aria-label="{label}"'
    inner = [f'<rect class="edge-of" width="{face.width:.1f}" height="{face.height:.1f}" rx="7"/>']
    if block.role is Role.REPEAT:
        inner.insert(
            0, f'<rect class="edge-of" x="5" y="5" width="{face.width:.1f}" height="{face.height:.1f}" rx="7"/>'
        )
    for index, row in enumerate(face.rows):
        mark = _mark("▸") if opens and index == 0 else ""
        text_y = MARGIN + 6 + LINE * index
        inner.append(f'<text class="{row.kind}" x="{MARGIN}" y="{text_y:.1f}">{escape(row.text)}{mark}</text>')
    inner += _pictures(face, name)
    if leaving is not None:
        inner.append(_flow(leaving, face.width / 2, face.height))
    group = " group" if block.is_group else ""
    return (
        f'<g class="box {block.role.value}{group}" id="{name}-{key}" transform="translate({x:.1f} {y:.1f})"{hidden}'
        f"{button}>{' '.join(inner)}</g>"
    )


def _is_loss(picture: Picture, block: Block) -> bool:
    return bool(block.nodes) and picture.step.loss is not None and block.output.id == picture.step.loss.id


def _pictures(face: Face, name: str) -> Iterable[str]:
    y = face.text_height + 4
    for row in face.sights:
        x, label = MARGIN, LINE if any(one.label for one in row) else 0.0
        for one in row:
            yield sight(one, x, y + label - 4, name)
            x += one.span + MARGIN
        y += max(one.height for one in row) + label + 4
    if face.bars:
        yield from _bars(face, y)


def sight(one: Sight, x: float, y: float, name: str) -> str:
    """A picture of an array, its label above it."""
    label = f'<text class="small" x="{x:.1f}" y="{y - 4:.1f}">{escape(one.label)}</text>' if one.label else ""
    if one.heat is not None:
        return (
            f'{label}<rect class="ground" x="{x:.1f}" y="{y:.1f}" width="{one.width:.1f}" height="{one.height:.1f}"/>'
            f'<image x="{x:.1f}" y="{y:.1f}" width="{one.width:.1f}" height="{one.height:.1f}" '
            f'preserveAspectRatio="none" href="{one.heat.data}"/>'
        )
    largest = max((abs(value) for row in one.numbers for value in row), default=0.0) or 1.0
    cells = []
    for row_index, row in enumerate(one.numbers):
        for index, value in enumerate(row):
            cells.append(_cell(value, value / largest, x + index * CELL_SIZE[0], y + row_index * CELL_SIZE[1], name))
    return label + "".join(cells)


def _cell(value: float, share: float, x: float, y: float, name: str) -> str:
    width, height = CELL_SIZE
    at = f'x="{x:.1f}" y="{y:.1f}" width="{width - 1:.1f}" height="{height - 1:.1f}"'
    sign = "positive" if value > 0 else "negative" if value < 0 else "zero"
    shade = round(abs(share) * LEVELS) / LEVELS * 0.6 if share == share else 0.0
    hatch = f'<rect fill="url(#{name}-hatch)" opacity="{shade:.2f}" {at}/>' if value < 0 else ""
    return (
        f'<rect class="ground" {at}/><rect class="{sign}" fill-opacity="{shade:.2f}" {at}/>{hatch}'
        f'<text class="number" x="{x + width / 2:.1f}" y="{y + height - 5:.1f}">{_in_cell(value)}</text>'
    )


def _in_cell(value: float) -> str:
    """A number that fits its cell."""
    tries = (number(value, 3), number(value, 2), f"{value:.0e}")
    return next((text for text in tries if len(text) <= WIDEST_NUMBER), tries[-1])


def _bars(face: Face, y: float) -> Iterable[str]:
    height = 26.0
    values = [value for value, _ in face.bars]
    gradients = [gradient for _, gradient in face.bars if gradient is not None]
    step = min((face.width - 2 * MARGIN) / len(face.bars), 2 * BAR)
    for kind, series, offset in (("value", values, 0.0), ("gradient", gradients, step / 2)):
        largest = max(series, default=0.0)
        if not largest or largest != largest or len(series) < len(face.bars):
            continue
        for index, value in enumerate(series):
            tall = max(height * value / largest, 1.0)
            x = MARGIN + index * step + offset
            yield (
                f'<rect class="bar {kind}" x="{x:.1f}" y="{y + height - tall:.1f}" width="{step / 2 - 0.5:.1f}" '
                f'height="{tall:.1f}"><title>{index}: {number(value)}</title></rect>'
            )
    yield f'<text class="small" x="{MARGIN}" y="{y + height + 11:.1f}">0 … {len(face.bars) - 1}</text>'
