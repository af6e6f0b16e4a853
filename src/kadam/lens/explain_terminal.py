"""An explanation as text for a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from kadam.lens.explain_parts import Block, Explanation, Formula, Line, Section, Table

_WIDTH = 100
_WIDEST = 130  # of a formula


def to_terminal(explanation: Explanation) -> str:
    """The explanation as plain text."""
    lines = [explanation.title, "=" * width(explanation.title)]
    for number, section in enumerate(explanation.sections, start=1):
        lines += ["", *_section(section, f"{number}. ")]
    return "\n".join(lines) + "\n"


def _section(section: Section, mark: str, depth: int = 0) -> Iterator[str]:
    indent = "   " * depth
    title = f"{indent}{mark}{section.title}"
    yield title
    if depth == 0:
        yield "-" * width(title)
    for block in section.blocks:
        yield from (f"{indent}   {line}".rstrip() for line in _block(block))
    for part in section.parts:
        yield ""
        yield from _section(part, "", depth + 1)


def _block(block: Block) -> Iterator[str]:
    match block:
        case Line(text):
            yield from wrapped(text.replace("`", ""))
        case Formula(text, source):
            lines = [piece for line in text.split("\n") for piece in broken(line)]
            yield f"  {lines[0]}" + (f"      ({source})" if source else "")
            yield from (f"  {line}" for line in lines[1:])
        case Table():
            yield from _table(block)


def _table(block: Table) -> Iterator[str]:
    rows = [block.head, *block.rows, *([block.total] if block.total else [])]
    widths = [max(width(row[column]) for row in rows) for column in range(len(block.head))]
    if block.caption:
        yield f"{block.caption}:"
    for number, row in enumerate(rows):
        if number == 1 or (block.total and number == len(rows) - 1):
            yield "  " + "  ".join("-" * one for one in widths)
        yield "  " + "  ".join(
            _padded(cell, one, place > 0) for place, (cell, one) in enumerate(zip(row, widths, strict=True))
        )
    if block.more:
        yield f"  … {block.more}"


def _padded(text: str, size: int, right: bool) -> str:
    room = " " * (size - width(text))
    return room + text if right else text + room


def wrapped(text: str, size: int = _WIDTH) -> Iterator[str]:
    """A text in lines."""
    line: list[str] = []
    for word in text.split():
        if line and width(" ".join([*line, word])) > size:
            yield " ".join(line)
            line = []
        line.append(word)
    if line:
        yield " ".join(line)


def broken(formula: str, size: int = _WIDEST) -> Iterator[str]:
    """A line of a formula, broken before signs where it is too long; what follows stands behind the `=`.

    Of the signs in the line's later half one that stands within the fewest brackets, the last of these.
    """
    indent = " " * (formula.find(" = ") + 3)
    while len(formula) > size:
        at = _break(formula, len(indent) + 1, size)
        if at < 0:
            break
        yield formula[:at]
        formula = indent + formula[at + 1 :]
    yield formula


def _break(formula: str, first: int, size: int) -> int:
    depth, found = 0, list[tuple[bool, int, int]]()
    for at, mark in enumerate(formula[: size - 3]):
        depth += (mark in "([") - (mark in ")]")
        if at >= first and formula[at : at + 3] in (" + ", " − "):
            found.append((at >= size // 2, -depth, at))
    return max(found, default=(False, 0, -1))[2]


def width(text: str) -> int:
    """How many columns a text takes: vowel signs and other marks take none of their own."""
    return sum(unicodedata.category(mark) not in ("Mn", "Me", "Cf") for mark in text)


__all__: Sequence[str] = ["to_terminal"]
