"""What the command `learn` does."""

from __future__ import annotations

import os
import sys

from kadam import language
from kadam.language import Speech
from kadam.learn.lesson import Lesson, LessonError, find, known


def learn(name: str, html: str, experiments: str, lang: str) -> int:
    """List the lessons, or show one: in the terminal, as a page, or as programs; the exit code."""
    if not name:
        return _list(lang)
    try:
        if name == "glossary":
            return _glossary(html, lang)
        lesson = find(name, lang)
        if experiments:
            _write_programs(lesson, experiments, lang)
        if html or not experiments:
            return _take(lesson, html, lang)
    except BrokenPipeError:
        raise  # who reads has seen enough
    except (LessonError, OSError) as error:
        print(f"kadam learn: {error}", file=sys.stderr)
        return 2
    return 0


def _take(lesson: Lesson, html: str, lang: str) -> int:
    """Run a lesson and show it; what surprises is told on stderr, and makes the exit code 1."""
    from kadam.learn.running import Class

    course = Class(lesson)
    if html:
        from kadam.learn.paper import paper

        _write(html, paper(course), lang)
    else:
        from kadam.learn.terminal import show

        show(course)
    for told in course.surprises:
        print(f"kadam learn: {told}", file=sys.stderr)
    return 1 if course.surprises else 0


def _list(lang: str) -> int:
    print(language.text("lessons.list", lang))
    print()
    for name in known():
        lesson = find(name, lang)
        number, _, short = name.partition("_")
        print(f"  {number}  {short:18}  {lesson.title}")
    print(f"     {'glossary':18}  {language.text('page.glossary_intro', lang)}")
    print()
    print(language.text("lessons.list_more", lang))
    return 0


def _glossary(html: str, lang: str) -> int:
    if html:
        from kadam.lens.page import glossary_page

        _write(html, glossary_page(lang), lang)
        return 0
    say = Speech(lang)
    for term in language.terms():
        print(f"{term.name}\n    {term.meaning[say.lang]}")
    return 0


def _write_programs(lesson: Lesson, folder: str, lang: str) -> None:
    from kadam.learn.running import programs

    os.makedirs(folder, exist_ok=True)
    written = programs(lesson)
    for number, text in written.items():
        with open(os.path.join(folder, f"{number:02}.py"), "w", encoding="utf-8") as file:
            file.write(text)
    print(language.text("lessons.experiments", lang, n=len(written), folder=folder), file=sys.stderr)


def _write(path: str, text: str, lang: str) -> None:
    encoded = text.encode()
    with open(path, "wb") as file:
        file.write(encoded)
    size = language.number(len(encoded) / 1000, 3)
    print(language.text("lessons.written", lang, file=path, size=size), file=sys.stderr)
