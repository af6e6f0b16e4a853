"""A lesson as a page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from kadam import language
from kadam.language import Speech
from kadam.learn.lesson import Cell, Lesson, Maths, Prose, Shown, View, weight_of
from kadam.learn.markdown import parser
from kadam.learn.running import Class, Ran
from kadam.lens.draw import picture_of
from kadam.lens.explain import explain
from kadam.lens.page import drawing, folded, glossary, page, prose, section
from kadam.lens.page_explain import explanation
from kadam.lens.page_math import formulas


def paper(course: Class) -> str:
    """Run a lesson and give its page."""
    lesson = course.lesson
    say = Speech(lesson.lang)
    body = [_part(ran, lesson, say, index) for index, ran in enumerate(course.run())]
    text = "".join(body)
    words = [term.name for term in language.terms() if any(f" {form}" in text for form in term.forms)]
    body.append(section("glossary", say.label("page.glossary"), glossary(lesson.lang, words)))
    return page(lesson.title, lesson.lang, body)


def _part(ran: Ran, lesson: Lesson, say: Speech, index: int) -> str:
    part = ran.part
    if isinstance(part, Prose):
        return _prose(part.tokens, say)
    if isinstance(part, Cell):
        return _cell(ran, part, say)
    if isinstance(part, Maths):
        return formulas(part.lines)
    if isinstance(part, View):
        assert ran.step is not None
        if part.kind == "draw":
            return drawing(picture_of(ran.step, lesson.lang), f"flow{index}")
        told = explain(ran.step, weight_of(part), lang=lesson.lang, say=say)
        inner = explanation(told, f"explain{index}", 3)
        return folded(prose(told.title), inner)
    assert isinstance(part, Shown)
    return f"<pre><code>{escape(part.text, quote=False)}</code></pre>"


def _prose(tokens: Sequence[Any], say: Speech) -> str:
    """Markdown as HTML; sentences (not headlines and tables) get their glosses."""
    opened = ""
    for token in tokens:
        if token.type.endswith("_open"):
            opened = token.type
        if token.type == "inline" and opened == "paragraph_open":
            _gloss(token.children, say)
    html: str = parser().renderer.render(tokens, parser().options, {})
    return html.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")


def _gloss(children: Sequence[Any], say: Speech) -> None:
    """Put the glosses of a paragraph behind its terms, wherever emphasis and code begin and end in it."""
    written = [f"`{child.content}`" if child.type == "code_inline" else child.content for child in children]
    for child, glossed in zip(children, say.gloss("\0".join(written)).split("\0"), strict=True):
        if child.type == "text":
            child.content = glossed


def _cell(ran: Ran, cell: Cell, say: Speech) -> str:
    if cell.quiet:
        return ""
    shown = [f"<pre><code>{escape(cell.code.rstrip(), quote=False)}</code></pre>"]
    if ran.output:
        label = escape(say.label("lessons.output", n=ran.number), quote=True)
        shown.append(
            f'<pre class="output" role="region" aria-label="{label}">{escape(ran.output.rstrip(), quote=False)}</pre>'
        )
    if ran.error:
        shown.append(f'<pre class="output fault">{escape(ran.error, quote=False)}</pre>')
    return "".join(shown)
