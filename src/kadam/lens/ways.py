"""What the commands `draw` and `run --report` do."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kadam import language
from kadam.lens import draw as drawing
from kadam.lens.diagnose import Doctor
from kadam.lens.explain import explain
from kadam.lens.page import drawing as figure
from kadam.lens.page import fault_told, page
from kadam.lens.report import report as report_page
from kadam.lens.watch import capture

KEPT = 16  # steps of a run that stay in memory


def draw(
    program: str, arguments: Sequence[str], is_module: bool, index: int, output: str, opened: str, lang: str
) -> int:
    """Run a program, write a drawing of one of its steps, and give the exit code."""
    seen = capture(program, arguments, is_module=is_module, steps={index}, summaries=False)
    step = seen.steps.get(index) or seen.partial
    if step is None:
        count = len(seen.records)
        key = "draw.no_step" if count else "draw.nothing"
        print(language.text(key, lang, n=count, last=count - 1, index=index), file=sys.stderr)
        return 1
    picture = drawing.picture_of(step, lang)
    try:
        picture = drawing.opened_at(picture, opened)
        if output.endswith((".html", ".htm")):
            title = drawing.title(picture)
            written = page(title, lang, [f"<h1>{title}</h1>", fault_told(step.fault), figure(picture, "flow")])
        else:
            written = drawing.figure(picture)
    except KeyError as error:
        print(f"kadam draw: {error.args[0]}", file=sys.stderr)
        return 2
    size = _write(output, written)
    blocks = len(picture.blocks) - 1
    print(language.text("draw.written", lang, file=output, blocks=blocks, size=size), file=sys.stderr)
    return seen.code


@dataclass(frozen=True)
class ReportWish:
    """What `kadam run --report` was asked for: program, its arguments, file, language."""

    program: str
    arguments: Sequence[str]
    is_module: bool
    output: str
    lang: str

    def sorted_out(self) -> ReportWish:
        """With options that stand behind the program taken as ours, unless the program has a `--report` of its own."""
        wish = self
        if not self.output and not self.is_module and "--report" not in _text_of(self.program):
            while len(wish.arguments) >= 2 and wish.arguments[-2] in ("--report", "--lang"):
                name, value = wish.arguments[-2:]
                rest = wish.arguments[:-2]
                if name == "--report":
                    wish = replace(wish, arguments=rest, output=value)
                else:
                    wish = replace(wish, arguments=rest, lang=language.choose(value))
        return wish


def _text_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def report(wish: ReportWish) -> int:
    """Run a program, write the report of its run, and give its exit code."""
    doctor, began = Doctor(), time.perf_counter()
    seen = capture(
        wish.program,
        wish.arguments,
        is_module=wish.is_module,
        steps=doctor.wants,
        keep=doctor.keep,
        on_step=doctor.look,
        most=KEPT,
    )
    elapsed_s, code = time.perf_counter() - began, seen.code
    if not seen.records and seen.partial is None:
        print(language.text("draw.nothing", wish.lang), file=sys.stderr)
        return code or 1
    doctor.fail(seen.partial)
    written = report_page(
        wish.program,
        seen,
        doctor.findings(),
        lambda step, say: explain(step, lang=wish.lang, say=say),
        wish.lang,
        elapsed_s,
    )
    size = _write(wish.output, written)
    print(language.text("report.written", wish.lang, file=wish.output, size=size), file=sys.stderr)
    return code


def _write(path: str, text: str) -> str:
    """Write a file and give its size in KB, as a reader takes it in."""
    encoded = text.encode()
    with open(path, "wb") as file:
        file.write(encoded)
    return language.number(len(encoded) / 1000, 3)
