"""Pages: one file each, that needs no other; readable on a phone, by keyboard, aloud, and on paper."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from importlib.resources import files

from kadam import language
from kadam.lens import draw
from kadam.lens.draw import svg
from kadam.lens.step import Fault


def page(title: str, lang: str, body: Iterable[str]) -> str:
    """A whole page; the parts of its body are HTML."""
    style, script = (files("kadam.lens").joinpath(f"page.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    skip = escape(language.text("page.skip", lang))
    made = escape(language.text("page.made", lang))
    folded_here = f':root{{--folded:"{language.text("page.folded", lang)}"}}'
    inner = "\n".join(body)
    return (
        f'<!doctype html>\n<html lang="{lang}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{style}{folded_here}{svg.style()}</style>\n</head>\n<body>\n"
        f'<a class="skip" href="#main">{skip}</a>\n<main id="main">\n{inner}\n</main>\n'
        f"<footer>{made}</footer>\n<script>{draw.script()}{script}</script>\n</body>\n</html>\n"
    )


def prose(text: str) -> str:
    """A text of the catalogue as HTML: what stands in `backticks` is code."""
    parts = re.split(r"`([^`]*)`", text)
    return "".join(
        f"<code>{escape(part)}</code>" if index % 2 else escape(part, quote=False) for index, part in enumerate(parts)
    )


def fault_told(fault: Fault | None) -> str:
    """What a program failed with, and where."""
    if fault is None:
        return ""
    place = f"<p><code>{escape(str(fault.source))}</code></p>" if fault.source else ""
    said = escape(fault.told, quote=False).replace("\n", "<br>")
    return f'<div role="note" lang="en" class="fault">{place}<p>{escape(fault.error)}: {said}</p></div>'


def folded(title: str, inner: str, is_open: bool = False, is_long: bool = False) -> str:
    """A part that a reader opens; a long one is printed only if it stands open."""
    marks = (' class="long"' if is_long else "") + (" open" if is_open else "")
    return f"<details{marks}><summary>{title}</summary>{inner}</details>"


def section(key: str, title: str, inner: str, level: int = 2) -> str:
    """A part of a page with a headline."""
    headline = f'<h{level} id="{key}">{escape(title, quote=False)}</h{level}>'
    return f'<section aria-labelledby="{key}">{headline}\n{inner}</section>'


def table(caption: str, head: Iterable[str], rows: Iterable[Iterable[str]], numbers: bool = True) -> str:
    """A table; cells are HTML, the first one of a row is its head."""
    heads = "".join(f'<th scope="col">{prose(one)}</th>' for one in head)
    body = []
    for row in rows:
        first, *rest = row
        body.append(f'<tr><th scope="row">{first}</th>{"".join(f"<td>{one}</td>" for one in rest)}</tr>')
    kind = ' class="numbers"' if numbers else ""
    title = f"<caption>{prose(caption)}</caption>" if caption else ""
    return (
        f'<div class="wide" tabindex="0" role="group" aria-label="{escape(caption or " · ".join(head), quote=True)}">'
        f"<table{kind}>{title}<thead><tr>{heads}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def drawing(picture: draw.Picture, name: str) -> str:
    """A flow diagram with its caption."""
    hint = prose(picture.say("hint")) if picture.groups() else ""
    caption = f"<figcaption>{hint}</figcaption>" if hint else ""
    region = escape(picture.say("region"))
    figure = draw.figure_for_page(picture, name)
    return (
        f'<figure class="flow"><div class="wide" tabindex="0" role="region" aria-label="{region}">{figure}</div>'
        f"{caption}</figure>"
    )


def glossary(lang: str, names: Iterable[str] | None = None) -> str:
    """What terms mean; all of them if none are named."""
    kept = set(names) if names is not None else None
    rows = [
        f"<dt>{escape(term.name)}</dt><dd>{prose(term.meaning[lang])}</dd>"
        for term in language.terms()
        if kept is None or term.name in kept
    ]
    return f"<dl>{''.join(rows)}</dl>"


def glossary_page(lang: str) -> str:
    """The glossary as a page."""
    title = language.text("page.glossary", lang)
    intro = prose(language.text("page.glossary_intro", lang))
    return page(title, lang, [f"<header><h1>{escape(title)}</h1><p>{intro}</p></header>", glossary(lang)])
