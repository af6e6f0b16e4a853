"""Running a lesson: its cells in order, each watched, so that its steps can be shown."""

from __future__ import annotations

import io
import linecache
import re
import traceback
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from kadam import language, torch_imports, tracebacks
from kadam.learn.lesson import Cell, Lesson, LessonError, Maths, Part, Prose, Shown, View
from kadam.lens import Step, Watched, watch
from kadam.recording.step import forget_paths

_INLINE = re.compile(r"\{\{(.+?)\}\}")


@dataclass
class Ran:
    """A part of a lesson that was run.

    Attributes:
        part: as the lesson has it.
        output: what a cell has printed.
        error: what it failed with, as a traceback shows it; lessons show failures on purpose, too.
        step: for a view: the step that it shows.
        number: of a cell, counted from 1.
        line: of the lesson, where a cell failed.
    """

    part: Part
    output: str = ""
    error: str = ""
    step: Step | None = None
    number: int = 0
    line: int = 0


def programs(lesson: Lesson) -> dict[int, str]:
    """The cells of a lesson as programs of their own: number of a cell -> the cells that it needs, and it."""
    found: dict[int, str] = {}
    needed: list[str] = []
    cells = [part for part in lesson.parts if isinstance(part, Cell)]
    for number, cell in enumerate(cells, start=1):
        needed = [cell.code.strip("\n")] if cell.fresh else [*needed, cell.code.strip("\n")]
        if number == len(cells) or cells[number].fresh:
            found[number] = "\n\n".join(needed) + "\n"
    return found


def _failed_at(error: Exception, where: str) -> int:
    """The line of a cell, counted from 1, at which it failed."""
    if isinstance(error, SyntaxError) and error.filename == where:
        return error.lineno or 1
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == where]
    return lines[-1] if lines else 1


def _new_names() -> dict[str, Any]:
    return vars(ModuleType("__main__"))


def _with_format(expression: str) -> tuple[str, str]:
    """An expression and how its value is written, as in an f-string: `loss.item():.2f`; a lambda's colon is its own."""
    try:
        compile(expression, "expression", "eval", dont_inherit=True)
    except SyntaxError:
        asked, _, spec = expression.rpartition(":")
        return (asked, spec.strip()) if asked else (expression, "")
    return expression, ""


@dataclass
class Class:
    """Where a lesson's cells run.

    Attributes:
        names: the variables so far.
        seen: the steps of the last cell.
        cells: how many cells were run.
        surprises: what the author should know of: cells that fail, or should and do not.
    """

    lesson: Lesson
    names: dict[str, Any] = field(default_factory=dict)
    seen: Watched | None = None
    cells: int = 0
    surprises: list[str] = field(default_factory=list)

    def run(self) -> Iterator[Ran]:
        """Each part, when it has been run.

        Raises:
            LessonError: a view has no step to show, or an expression of the text fails.
        """
        with torch_imports.installed():
            yield from self._run()

    def _run(self) -> Iterator[Ran]:
        self.names = _new_names()
        for part in self.lesson.parts:
            if isinstance(part, Cell):
                ran = self._cell(part)
                self._look(ran, part)
                yield ran
            elif isinstance(part, View):
                yield Ran(part, step=self._step(part))
            elif isinstance(part, Prose):
                yield Ran(Prose([self._filled(token, part.line) for token in part.tokens], part.line))
            else:
                assert isinstance(part, Maths | Shown)
                yield Ran(part)

    def _cell(self, cell: Cell) -> Ran:
        if cell.fresh:
            self.names = _new_names()
        forget_paths()
        self.cells += 1
        where = f"cell {self.cells}"
        linecache.cache[where] = (len(cell.code), None, cell.code.splitlines(keepends=True), where)
        printed, failed, line = io.StringIO(), "", 0
        try:
            with redirect_stdout(printed), watch() as seen:
                self.seen = seen
                exec(compile(cell.code, where, "exec", dont_inherit=True), self.names)
        except Exception as error:
            tracebacks.shorten(error)
            failed = "".join(traceback.format_exception_only(error)).rstrip()
            line = cell.line - 1 + _failed_at(error, where)
        return Ran(cell, printed.getvalue(), failed, number=self.cells, line=line)

    def _look(self, ran: Ran, cell: Cell) -> None:
        """Note what the author did not announce."""
        if bool(ran.error) == cell.raises:
            return
        key, line = ("lessons.raised", ran.line) if ran.error else ("lessons.not_raised", cell.line - 1)
        what = next((one.rstrip(".:") for one in ran.error.splitlines() if not one.startswith(" ")), "")
        told = language.text(key, self.lesson.lang, lesson=self.lesson.name, line=line, error=what)
        self.surprises.append(told)

    def _step(self, view: View) -> Step:
        seen = self.seen
        step = None if seen is None else seen.partial if seen.partial is not None else self._first(seen)
        if step is None:
            named = {"lesson": self.lesson.name, "line": view.line - 1, "view": view.kind}
            raise LessonError(language.text("lessons.no_step", self.lesson.lang, **named))
        return step

    def _first(self, seen: Watched) -> Step | None:
        return seen.steps[min(seen.steps)] if seen.steps else None

    def _filled(self, token: Any, line: int) -> Any:
        """A token with the values of its expressions."""
        line = token.map[0] + 1 if token.map else line
        if token.children:
            token.children = [self._filled(child, line) for child in token.children]
        if token.type in ("text", "code_inline") and "{{" in token.content:
            token.content = _INLINE.sub(lambda found: self._value(found[1].strip(), line), token.content)
        return token

    def _value(self, expression: str, line: int) -> str:
        asked, spec = _with_format(expression)
        try:
            value = eval(asked, self.names)
            if spec:
                return format(value, spec)
        except Exception as error:
            named = {"lesson": self.lesson.name, "line": line, "expression": expression, "error": error}
            raise LessonError(language.text("lessons.no_value", self.lesson.lang, **named)) from error
        return language.number(value) if isinstance(value, float) else str(value)
