"""Reading a lesson: a Markdown file, cut into what is text and what is a cell.

Fences that are run:

    ```python              a cell: shown with what it prints; cells of a lesson share their variables
    ```python fresh        a cell that begins anew: an experiment that stands for itself
    ```python quiet        a cell that is run but not shown
    ```python raises       a cell that shall fail: its error is part of the lesson
    ```kadam draw          the diagram of the first step of the cell before (of one that fails: of the step that fails)
    ```kadam explain WEIGHT    that step explained, from the forward pass to the update
    ```math                a formula per line; so is what stands between lines of $$

In the text, `{{ expression }}` is the value of an expression of the cells so far.
"""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from mimetypes import guess_type
from typing import Any
from urllib.parse import unquote

from kadam import language
from kadam.errors import KadamError
from kadam.language import LANGUAGES
from kadam.learn.markdown import parser, without_head


class LessonError(KadamError, ValueError):
    """A lesson that cannot be read or run."""


@dataclass(frozen=True)
class Prose:
    """Markdown between fences, as tokens of the reader; `line` is where it begins."""

    tokens: Sequence[Any]
    line: int


@dataclass(frozen=True)
class Cell:
    """Python that is run.

    Attributes:
        code: its text.
        line: of the file, where it begins.
        fresh: whether it begins without the variables of earlier cells.
        quiet: whether it is left out of what is shown.
        raises: whether it shall fail.
    """

    code: str
    line: int
    fresh: bool = False
    quiet: bool = False
    raises: bool = False


@dataclass(frozen=True)
class View:
    """What Kadam shows of the cell before: `draw` or `explain`, with its arguments."""

    kind: str
    arguments: tuple[str, ...]
    line: int


def weight_of(view: View) -> str | None:
    """The weight that an explanation follows; None: the lens chooses."""
    return view.arguments[0] if view.arguments else None


@dataclass(frozen=True)
class Maths:
    """Formulas, one a line."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Shown:
    """A fence that is shown as it is."""

    text: str


Part = Prose | Cell | View | Maths | Shown


@dataclass
class Lesson:
    """A lesson that was read.

    Attributes:
        name: the file's name without its end.
        title: what its head says, else its first headline.
        summary: the first sentence below it.
        lang: the language.
        parts: in order.
    """

    name: str
    title: str
    summary: str
    lang: str
    parts: list[Part] = field(default_factory=list)


def known() -> tuple[str, ...]:
    """The names of Kadam's own lessons, in the order in which they are taken."""
    names = {one.name.split(".")[0] for one in files("kadam.lessons").iterdir() if one.name.endswith(".md")}
    return tuple(name for _, name in sorted((int(name.split("_")[0]), name) for name in names))


def find(name: str, lang: str) -> Lesson:
    """A lesson by its name or number, or a file.

    Raises:
        LessonError: there is none.
    """
    if name.endswith(".md") or os.path.exists(name):
        try:
            with open(name, encoding="utf-8") as file:
                lesson = read(file.read(), os.path.basename(name).removesuffix(".md"), _language_of(name, lang))
            _take_in_images(lesson, os.path.dirname(name), lang)
            return lesson
        except UnicodeDecodeError as error:
            raise LessonError(language.text("lessons.no_text", lang, file=name, place=error.start)) from error
        except OSError as error:
            raise LessonError(language.text("lessons.no_file", lang, file=name, why=error.strerror)) from error
    for own in known():
        if name in (own, own.split("_")[0], own.partition("_")[2]):
            text = files("kadam.lessons").joinpath(f"{own}.{lang}.md").read_text(encoding="utf-8")
            return read(text, own, lang)
    raise LessonError(language.text("lessons.no_lesson", lang, name=name, known=", ".join(known())))


def _take_in_images(lesson: Lesson, folder: str, lang: str) -> None:
    """Put the images that a lesson names into it, so that its page needs no other file.

    Raises:
        LessonError: one of them is not there.
    """
    for part in [one for one in lesson.parts if isinstance(one, Prose)]:
        for token in part.tokens:
            for image in [one for one in token.children or () if one.type == "image"]:
                named = unquote(str(image.attrs["src"]))
                if "://" in named or named.startswith("data:"):
                    continue
                try:
                    with open(os.path.join(folder, named), "rb") as file:
                        encoded = b64encode(file.read()).decode()
                except OSError as error:
                    line = token.map[0] + 1 if token.map else part.line
                    told = language.text("lessons.no_image", lang, line=line, file=named, why=error.strerror)
                    raise LessonError(told) from error
                image.attrs["src"] = f"data:{guess_type(named)[0] or 'image/png'};base64,{encoded}"


def _language_of(path: str, lang: str) -> str:
    """A file `lesson.hi.md` is in Hindi, whatever the reader's language."""
    marked = path.removesuffix(".md").rpartition(".")[2]
    return marked if marked in LANGUAGES else lang


def read(text: str, name: str, lang: str) -> Lesson:
    """A lesson from its text.

    Raises:
        LessonError: a fence asks for what there is not.
    """
    text, titled = without_head(text)
    tokens = parser().parse(text)
    if titled and not any(token.type == "heading_open" and token.tag == "h1" for token in tokens):
        tokens = [*parser().parse(f"# {titled}"), *tokens]
    title = titled or _first(tokens, "heading_open") or name
    lesson = Lesson(name, title, _first(tokens, "paragraph_open"), lang)
    waiting: list[Any] = []
    for token in tokens:
        if token.type != "fence":
            waiting.append(token)
            continue
        if waiting:
            lesson.parts.append(Prose(waiting, _line(waiting)))
            waiting = []
        if token.markup and not _is_closed(token, text):
            raise LessonError(language.text("lessons.not_closed", lang, line=token.map[0] + 1, fence=token.markup))
        lesson.parts.append(_fence(token, lang))
    if waiting:
        lesson.parts.append(Prose(waiting, _line(waiting)))
    return lesson


def _is_closed(token: Any, text: str) -> bool:
    """Whether a fence ends by a line of its own, not with the text: what is missing there would swallow the lesson."""
    start, end = token.map
    lines = text.split("\n")
    return bool(end - start > 1) and lines[end - 1].lstrip(" >\t").startswith(str(token.markup))


def _first(tokens: Sequence[Any], kind: str) -> str:
    for token, after in zip(tokens, tokens[1:], strict=False):
        if token.type == kind:
            return re.sub(r"[`*]", "", str(after.content))
    return ""


def _line(tokens: Sequence[Any]) -> int:
    return next((token.map[0] + 1 for token in tokens if token.map), 1)


def _fence(token: Any, lang: str) -> Part:
    words = token.info.split()
    line = token.map[0] + 2
    if words[:1] == ["python"]:
        unknown = set(words[1:]) - {"fresh", "quiet", "raises"}
        if unknown:
            raise LessonError(language.text("lessons.no_such_cell", lang, line=line - 1, word=min(unknown)))
        return Cell(token.content, line, "fresh" in words, "quiet" in words, "raises" in words)
    if words[:1] == ["kadam"]:
        if len(words) < 2 or words[1] not in ("draw", "explain"):
            raise LessonError(language.text("lessons.no_such_view", lang, line=line - 1, word=" ".join(words[1:])))
        return View(words[1], tuple(words[2:]), line)
    if words[:1] == ["math"]:
        return Maths(tuple(one.strip() for one in token.content.splitlines() if one.strip()))
    return Shown(token.content)
