"""A diagnosis as text for the terminal, and as data for other programs."""

from __future__ import annotations

import json
import linecache
from typing import Any

from kadam import language
from kadam.ir.graph import Source
from kadam.lens.diagnose import Diagnosis
from kadam.lens.diagnose.finding import PARTS, Finding


def terminal_text(diagnosis: Diagnosis, lang: str) -> str:
    """All findings, each with its cause, evidence, line, fix, and what would make it a false alarm."""
    say = language.Speech(lang)
    lines = [say("diagnose.seen", n=diagnosis.steps, captured=language.count(diagnosis.captured))]
    if diagnosis.stopped:
        lines.append(say("diagnose.stopped", n=diagnosis.steps))
    if diagnosis.fault is not None:
        where = str(diagnosis.fault.source or "?")
        lines.append(say("diagnose.failed", error=diagnosis.fault.error, line=where))
        if not diagnosis.findings:
            lines.append(say.label("diagnose.error", message=diagnosis.fault.message.strip()))
        else:
            lines.append(say("diagnose.until_then"))
    elif not diagnosis.findings:
        lines.append(say("diagnose.healthy"))
    for number, finding in enumerate(diagnosis.findings, start=1):
        lines += ["", *_told(finding, number, say)]
    return "\n".join(lines)


def _told(finding: Finding, number: int, say: language.Speech) -> list[str]:
    lines = [f"{number}. {finding.title(say)}"]
    if finding.source is not None:
        lines.append(f"   {finding.source}   {_code(finding.source)}".rstrip())
    for part in PARTS:
        lines.append(f"   {say.label(f'diagnose.part.{part}')}: {finding.text(part, say)}")
    if finding.also:
        lines.append(f"   {say.label('diagnose.part.also')}:")
        lines += [f"     {line}   {_code(line)}".rstrip() for line in finding.also]
    return lines


def _code(source: Source) -> str:
    return linecache.getline(source.file, source.line).strip()


def data(diagnosis: Diagnosis, lang: str) -> str:
    """The same as one line of JSON."""
    say = language.Speech(lang)
    return json.dumps(
        {
            "steps": diagnosis.steps,
            "captured": diagnosis.captured,
            "stopped": diagnosis.stopped,
            "code": diagnosis.code,
            "error": None if diagnosis.fault is None else diagnosis.fault.error,
            "findings": [_data(finding, say) for finding in diagnosis.findings],
        },
        ensure_ascii=False,
    )


def _data(finding: Finding, say: language.Speech) -> dict[str, Any]:
    source = finding.source
    return {
        "kind": finding.kind,
        "file": None if source is None else source.file,
        "line": None if source is None else source.line,
        "also": [str(line) for line in finding.also],
        "title": finding.title(say),
        **{part: finding.text(part, say) for part in PARTS},
        "values": {name: value if isinstance(value, str) else float(value) for name, value in finding.values.items()},
    }


__all__ = ["data", "terminal_text"]
