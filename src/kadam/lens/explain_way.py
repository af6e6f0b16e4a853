"""What the command `explain` does."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from kadam import language
from kadam.lens.explain import UnknownWeight, explain
from kadam.lens.explain_parts import Explanation
from kadam.lens.explain_terminal import to_terminal
from kadam.lens.page import page
from kadam.lens.page_explain import explanation as on_page
from kadam.lens.step import Step, StepRecord
from kadam.lens.watch import capture


def tell(
    program: str, arguments: Sequence[str], is_module: bool, index: int, weight: str | None, html: str | None, lang: str
) -> int:
    """Run a program up to one of its steps, explain it, and give the exit code.

    The program ends after that step. For one that ends before, steps 0, 1, 2, 4, 8 ... are captured on the way.
    """

    kept: dict[int, Step] = {}

    def note(record: StepRecord, step: Step | None) -> None:
        if step is not None:
            kept.clear()  # the last one is enough
            kept[step.index] = step
        if record.index >= index:
            raise SystemExit(0)

    seen = capture(
        program,
        arguments,
        is_module=is_module,
        steps=lambda one: one == index or one & (one - 1) == 0,
        on_step=note,
        summaries=False,
        most=1,
    )
    code, step = seen.code, next(iter(kept.values()), None)
    if step is None:
        key = "explain.nothing" if seen.partial is None else "explain.failed"
        print(language.text(key, lang, program=program), file=sys.stderr)
        return code or 1
    if step.index < index:
        print(language.text("explain.shorter", lang, index=index, n=step.index), file=sys.stderr)
    try:
        told = explain(step, weight, lang)
    except UnknownWeight as error:
        print(f"kadam {error}", file=sys.stderr)
        return 2
    if html is None:
        print(to_terminal(told), end="")
    else:
        _write(told, html, lang)
    return code


def _write(told: Explanation, file: str, lang: str) -> None:
    body = [f"<h1>{told.title}</h1>", on_page(told, "step")]
    with open(file, "w", encoding="utf-8") as target:
        target.write(page(told.title, lang, body))
    print(language.text("explain.written", lang, file=file), file=sys.stderr)
