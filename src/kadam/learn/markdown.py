"""The Markdown of lessons: CommonMark with tables, `$$` for formulas, and a head of `key: value` lines."""

from __future__ import annotations

import re
from typing import Any

_HEAD = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_PAIR = re.compile(r"([\w-]+):[ \t]+(.*?)[ \t]*$", re.MULTILINE)
_AROUND = "$$"


def parser() -> Any:
    """The Markdown reader; HTML in it is text."""
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    reader.block.ruler.before("fence", "formula", _formula, {"alt": ["paragraph", "blockquote", "list"]})
    return reader


def without_head(text: str) -> tuple[str, str]:
    """A text without the `key: value` lines at its head (lines keep their numbers), and the title that these give."""
    head = _HEAD.match(text)
    if head is None:
        return text, ""
    values = {key.lower(): value.strip("\"'") for key, value in _PAIR.findall(head[1])}
    return "\n" * head[0].count("\n") + text[head.end() :], values.get("title", "")


def _formula(state: Any, start: int, end: int, silent: bool) -> bool:
    """Lines from `$$` to `$$`: the same as a fence of `math`."""
    if state.is_code_block(start) or not _text(state, start).startswith(_AROUND):
        return False
    lines: list[str] = []
    for line in range(start, end):
        written = _text(state, line).strip()
        lines.append(written.removeprefix(_AROUND) if line == start else written)
        if lines[-1].endswith(_AROUND):
            break
    else:
        return False  # nothing closes it: it is text
    if not silent:
        lines[-1] = lines[-1].removesuffix(_AROUND)
        state.line = line + 1
        token = state.push("fence", "code", 0)
        token.info, token.content, token.map = "math", "\n".join(lines), [start, state.line]
    return True


def _text(state: Any, line: int) -> str:
    return str(state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]])
