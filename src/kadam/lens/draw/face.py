"""What is written on a block, and how large that makes it."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kadam.ir.graph import Source
from kadam.ir.primitive import Array
from kadam.language import count, number, size
from kadam.lens.draw.blocks import Block, Role
from kadam.lens.draw.facts import Facts, size_of
from kadam.lens.draw.heat import Heat, fits_grid, flat, heat

MARGIN = 12.0
LINE = 17.0
WIDEST = 300.0
NARROWEST = 132.0
CELL_SIZE = (46.0, 17.0)  # of a number in a grid
PICTURE = (112.0, 56.0)  # the largest
_BARS = (6.0, 26.0)
Cells = tuple[int, int]  # rows and columns of a heat map
FINE, COARSE, IMAGE = (24, 40), (9, 16), (32, 64)
MOST_PICTURES = 2  # parameters that are shown


@dataclass(frozen=True)
class Row:
    """A line of text; its kind is one of `LETTERS`."""

    kind: str
    text: str


@dataclass(frozen=True)
class Sight:
    """A picture of an array: numbers in a grid or a heat map.

    Attributes:
        label: what it shows.
        numbers: row by row; empty for a heat map.
        heat: the heat map.
        width, height: without the label.
        span: its width with the label.
    """

    label: str
    numbers: tuple[tuple[float, ...], ...]
    heat: Heat | None
    width: float
    height: float

    @property
    def span(self) -> float:
        return max(self.width, text_width(self.label, "small"))


@dataclass(frozen=True)
class Face:
    """Everything that a box shows.

    Attributes:
        rows: of text, from above.
        sights: rows of pictures, from above.
        bars: for each copy of a repeat the norm of its output, and that of its gradient; None where there is none.
        width, height: of the box.
    """

    rows: tuple[Row, ...]
    sights: tuple[tuple[Sight, ...], ...]
    bars: tuple[tuple[float, float | None], ...]
    width: float
    height: float

    @property
    def text_height(self) -> float:
        return MARGIN + LINE * len(self.rows)


LETTERS = {"title": 8.0, "note": 6.9, "value": 7.2, "place": 7.0, "code": 7.6, "error": 8.0, "flow": 6.6, "small": 6.4}
_EVEN = ("place", "code")  # kinds of rows whose letters are all of one width


def text_width(text: str, kind: str) -> float:
    """About how wide a text is, as a row of a kind."""
    letters = 0.0
    for one in text:
        if unicodedata.category(one) not in ("Mn", "Me"):
            letters += 0.55 if one in " .,:;il|'[]()" and kind not in _EVEN else 1.0
    return letters * LETTERS[kind]


def cut_to(text: str, width: float, kind: str) -> str:
    """A text, with an ellipsis if it is wider than that."""
    if text_width(text, kind) <= width:
        return text
    while text and text_width(text + "…", kind) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def face(block: Block, facts: Facts, say: Callable[..., str], cells: Cells) -> Face:
    """The face of a block; `say(key, **values)` gives the reader's words; `cells` limits its heat maps."""
    rows = [Row("code" if block.role is Role.LINE else "title", block.title)]
    if block.role is Role.FAULT:
        rows = [Row("error", block.title), *_wrapped(block.note)]
    elif block.role is Role.REPEAT:
        rows[0] = Row("title", f"{block.title} × {len(block.copies)}")
    parameters = {one.value.id: one.value.type.elements for part in block.below() for one in part.parameters}
    total = sum(parameters.values())
    notes = [] if block.role is Role.FAULT or not block.note else [block.note]
    if parameters:
        notes.append(say("parameters", n=total, count=_amount(total)))
    if notes and text_width(" · ".join(notes), "note") > WIDEST - 2 * MARGIN:
        rows += [Row("note", note) for note in notes]
    elif notes:
        rows.append(Row("note", " · ".join(notes)))
    if block.role is Role.LOSS:
        value = facts.value(block.output)
        if value is not None and value.size == 1:
            rows.append(Row("value", say("loss", value=number(float(value.reshape(-1)[0])))))
    place = " · ".join(part for part in (block.path, _place(block.source)) if part)
    if block.source is not None and text_width(place, "place") > WIDEST - 2 * MARGIN:
        place = " · ".join(part for part in (block.path, say("line", n=block.source.line)) if part)
    if place:
        rows.append(Row("place", place))
    rows = [Row(row.kind, cut_to(row.text, WIDEST - 2 * MARGIN, row.kind)) for row in rows]
    sights = _sights(block, facts, say, cells)
    bars = _bars(block, facts)
    return Face(tuple(rows), sights, bars, *_measure(rows, sights, bars))


def _measure(
    rows: list[Row], sights: tuple[tuple[Sight, ...], ...], bars: tuple[tuple[float, float | None], ...]
) -> tuple[float, float]:
    width = max(text_width(row.text, row.kind) for row in rows) + (16 if rows[0].kind != "error" else 0)
    height = MARGIN + LINE * len(rows) + 7
    for row in sights:
        width = max(width, sum(sight.span for sight in row) + MARGIN * (len(row) - 1))
        height += max(sight.height for sight in row) + (LINE if any(one.label for one in row) else 0.0) + 4
    if bars:
        width = max(width, 2 * _BARS[0] * len(bars) + MARGIN)
        height += _BARS[1] + LINE
    return min(max(width + 2 * MARGIN, NARROWEST), WIDEST), height


def _wrapped(text: str) -> list[Row]:
    rows: list[str] = []
    for line in text.splitlines():
        for word in line.split():
            if rows and rows[-1] and text_width(f"{rows[-1]} {word}", "note") <= WIDEST - 2 * MARGIN:
                rows[-1] += f" {word}"
            else:
                rows.append(word)
        rows.append("")
    return [Row("note", row) for row in rows if row][:8]


def _amount(value: int) -> str:
    return count(value) if value < 100_000 else size(value)


def _place(source: Source | None) -> str:
    return "" if source is None else f"{os.path.basename(source.file)}:{source.line}"


def _sights(block: Block, facts: Facts, say: Callable[..., str], cells: Cells) -> tuple[tuple[Sight, ...], ...]:
    if block.role is Role.INPUT:
        value = facts.value(block.output)
        return ((sight("", value, IMAGE),),) if value is not None and value.dtype.kind == "f" and value.any() else ()
    if block.is_group or block.role is Role.FAULT:
        return ()
    rows: list[tuple[Sight, ...]] = []
    for one in sorted(block.parameters, key=lambda one: -one.value.rank)[:MOST_PICTURES]:
        value, gradient = facts.value(one.value), facts.gradient(one.value)
        name = one.name.rpartition(".")[2]
        if value is None or value.size == 0 or (value.ndim < 2 and not fits_grid(value)):
            continue
        pair = [sight(name, value, cells)]
        if gradient is not None and gradient.size:
            pair.append(sight(say("gradient_of", name=name), gradient, cells))
        if sum(one.span for one in pair) + MARGIN > WIDEST - 2 * MARGIN:
            rows += [(one,) for one in pair]
        else:
            rows.append(tuple(pair))
    return tuple(rows)


def sight(label: str, array: Array, cells: Cells) -> Sight:
    """A picture of an array: its numbers if they fit."""
    if fits_grid(array):
        table = flat(array)
        width, height = CELL_SIZE[0] * table.shape[1], CELL_SIZE[1] * table.shape[0]
        return Sight(label, tuple(tuple(map(float, row)) for row in table), None, width, height)
    picture = heat(array, *cells)
    scale = min(PICTURE[0] / picture.columns, PICTURE[1] / picture.rows, 10.0)
    return Sight(label, (), picture, picture.columns * scale, picture.rows * scale)


def _bars(block: Block, facts: Facts) -> tuple[tuple[float, float | None], ...]:
    if block.role is not Role.REPEAT:
        return ()
    found = []
    for copy in block.copies:
        value, gradient = facts.value(copy[-1]), facts.gradient(copy[-1])
        if value is None:
            return ()
        found.append((size_of(np.asarray(value)), None if gradient is None else size_of(np.asarray(gradient))))
    return tuple(found)
