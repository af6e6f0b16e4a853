"""A lesson in the terminal: text in lines that fit, cells with what they print."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from kadam.language import Speech
from kadam.learn.lesson import Cell, Maths, Prose, View, weight_of
from kadam.learn.running import Class, Ran
from kadam.lens.explain import explain
from kadam.lens.explain_terminal import to_terminal

WIDEST = 96  # columns


def show(course: Class) -> None:
    """Run a lesson and print it, part by part."""
    say = Speech(course.lesson.lang)
    bold = sys.stdout.isatty()
    for ran in course.run():
        for line in _lines(ran, say, bold):
            print(line)
        sys.stdout.flush()


def _lines(ran: Ran, say: Speech, bold: bool) -> Iterator[str]:
    part = ran.part
    if isinstance(part, Prose):
        yield from _prose(part.tokens, say, bold)
    elif isinstance(part, Cell):
        if not part.quiet:
            yield from _framed(part.code.rstrip(), "    ")
            yield from _framed("\n".join(filter(None, (ran.output.rstrip(), ran.error))), "  │ ")
    elif isinstance(part, Maths):
        yield from _framed("\n".join(part.lines), "      ")
    elif isinstance(part, View):
        assert ran.step is not None
        if part.kind == "explain":
            yield to_terminal(explain(ran.step, weight_of(part), lang=say.lang, say=say))
        else:
            yield from _wrapped(say.label("lessons.picture"), "  ▸ ", "    ")
        yield ""
    else:
        yield from _framed(part.text.rstrip(), "    ")


def _framed(text: str, margin: str) -> Iterator[str]:
    if text:
        yield from ((margin + line).rstrip() for line in text.splitlines())
        yield ""


def _prose(tokens: Sequence[Any], say: Speech, bold: bool) -> Iterator[str]:
    opened, row, bullets = "", list[str](), list[int | None]()
    for token in tokens:
        if token.type.endswith("_open"):
            opened = token.type
        if token.type in ("bullet_list_open", "ordered_list_open"):
            bullets.append(None if token.type.startswith("bullet") else int(token.attrGet("start") or 1))
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            bullets.pop()
            yield ""
        elif token.type == "inline":
            text = _plain(token)
            if opened in ("th_open", "td_open"):
                row.append(text)
            elif opened == "heading_open":
                yield from _headline(text, bold)
            elif bullets:
                yield from _wrapped(say.gloss(text), *_mark(bullets))
            else:
                yield from _wrapped(say.gloss(text), "", "")
                yield ""
        elif token.type == "tr_close":
            yield "  " + "   |   ".join(row)
            row = []
        elif token.type == "table_close":
            yield ""


def _mark(bullets: list[int | None]) -> tuple[str, str]:
    margin = "  " * len(bullets)
    number = bullets[-1]
    if number is None:
        return f"{margin}• ", f"{margin}  "
    bullets[-1] = number + 1
    return f"{margin}{number}. ", f"{margin}   "


def _headline(text: str, bold: bool) -> Iterator[str]:
    yield f"\x1b[1m{text}\x1b[0m" if bold else text
    yield "=" * columns(text)
    yield ""


def _plain(token: Any) -> str:
    parts = [
        f"`{child.content}`" if child.type == "code_inline" else child.content or " " * (child.type == "softbreak")
        for child in token.children
    ]
    return re.sub(r"\s+", " ", "".join(parts))


def _wrapped(text: str, first: str, others: str) -> Iterator[str]:
    width = min(shutil.get_terminal_size((WIDEST, 24)).columns, WIDEST)
    yield from textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )


def columns(text: str) -> int:
    """How many columns a text takes: marks above and below letters take none."""
    return sum(unicodedata.category(one) not in ("Mn", "Me", "Cf") for one in text)
