"""An explanation as a part of a page."""

from __future__ import annotations

import os
from html import escape

from kadam.lens.explain_parts import Block, Explanation, Formula, Line, Section, Table
from kadam.lens.page import folded, prose, table


def explanation(explained: Explanation, name: str, level: int = 2) -> str:
    """The sections of an explanation; parts of sections are folded.

    Args:
        name: what its anchors begin with, its own on the page.
        level: of its headlines.
    """
    return "".join(_section(one, f"{name}-{one.key}", level, index) for index, one in enumerate(explained.sections))


def _section(part: Section, name: str, level: int, index: int) -> str:
    inner = "".join(map(_block, part.blocks))
    for number, one in enumerate(part.parts):
        inside = "".join(map(_block, one.blocks)) + "".join(
            _section(deeper, f"{name}-{number}-{deeper.key}", level + 2, place)
            for place, deeper in enumerate(one.parts)
        )
        inner += folded(prose(one.title), inside, is_long=part.key == "forward")
    key = escape(f"{name}-{index}", quote=True)
    return f'<section><h{level} id="{key}">{prose(part.title)}</h{level}>{inner}</section>'


def _block(block: Block) -> str:
    if isinstance(block, Line):
        return f'<p class="note">{prose(block.text)}</p>' if block.aside else f"<p>{prose(block.text)}</p>"
    if isinstance(block, Formula):
        lines = [escape(line.strip(), quote=False) for line in block.text.splitlines()]
        place = os.path.basename(block.source)
        lines[-1] += f' <span class="source">{escape(place)}</span>' if place else ""
        return f'<p class="formula">{"".join(f"""<span class="line">{line}</span> """ for line in lines)}</p>'
    return _table(block)


def _table(block: Table) -> str:
    rows = [*block.rows, *([block.total] if block.total else [])]
    more = f'<p class="note">{prose(block.more)}</p>' if block.more else ""
    return table(block.caption, block.head, [[prose(cell) for cell in row] for row in rows]) + more
