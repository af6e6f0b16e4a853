"""The report of a run: one page with what the run was, how it went, and three of its steps explained."""

from __future__ import annotations

import linecache
import math
import os
from collections.abc import Callable, Mapping, Sequence
from html import escape

import numpy as np

from kadam import language
from kadam.language import Speech, number
from kadam.lens.chart import line_chart
from kadam.lens.diagnose.finding import PARTS, Finding
from kadam.lens.draw import picture_of
from kadam.lens.draw.heat import strip
from kadam.lens.explain_parts import Explanation
from kadam.lens.page import drawing, fault_told, folded, glossary, page, prose, section, table
from kadam.lens.page_explain import explanation
from kadam.lens.step import Step, StepRecord, Summary
from kadam.lens.watch import Watched

COLUMNS = 60  # of a strip over the steps
MOST_ROWS = 60  # parameters in a table
RATIOS = (-6.0, -1.0)  # powers of ten between which the ratio of update to weight is shaded
LONGEST_SOURCE = 20_000  # characters of the program that are shown
SHOWN_LOSSES = 12  # rows of the table beside the chart


def told_steps(steps: Mapping[int, Step]) -> list[Step]:
    """The first, a middle and the last of the captured steps."""
    known = sorted(steps)
    return [steps[index] for index in dict.fromkeys((known[0], known[len(known) // 2], known[-1]))] if known else []


def report(
    program: str,
    seen: Watched,
    findings: Sequence[Finding],
    explain: Callable[[Step, Speech], Explanation],
    lang: str,
    elapsed_s: float,
) -> str:
    """The report as a page."""
    say = Speech(lang)
    name = os.path.basename(program)
    steps = told_steps(seen.steps)
    drawn = seen.partial if seen.partial is not None and not steps else steps[0] if steps else None
    parts = [
        _header(name, seen, say, elapsed_s),
        _contents(say, bool(drawn), bool(steps)),
        *sections(seen, findings, explain, say),
        _program(program, say),
    ]
    return page(say.label("report.title", name=name), lang, [*parts, words_used(parts, say)])


def sections(
    seen: Watched, findings: Sequence[Finding], explain: Callable[[Step, Speech], Explanation] | None, say: Speech
) -> list[str]:
    """What is told of steps that were watched: findings, the course of losses, a diagram, some steps, the layers.

    Args:
        explain: what explains a step; None: none is explained.
    """
    steps = told_steps(seen.steps)
    drawn = seen.partial if seen.partial is not None and not steps else steps[0] if steps else None
    parts = [section("findings", say.label("report.findings"), _findings(findings, seen, say))]
    if seen.records:
        parts.append(section("course", say.label("report.course"), _course(seen.records, steps, say)))
    if drawn is not None:
        told = "report.diagram_intro" if drawn.fault is None else "report.diagram_fault"
        picture = drawing(picture_of(drawn, say.lang), "flow")
        intro = f"<p>{prose(say(told, n=drawn.index))}</p>"
        parts.append(section("diagram", say.label("report.diagram"), intro + fault_told(drawn.fault) + picture))
    if steps and explain is not None:
        parts.append(section("steps", say.label("report.steps"), _explained(steps, explain, say)))
    if steps:
        parts.append(section("layers", say.label("report.layers"), _layers(seen.records, say)))
    return parts


def words_used(parts: Sequence[str], say: Speech) -> str:
    """The meanings of the terms that these parts of a page use, folded."""
    body = "".join(parts)
    terms = say.told or {"loss", "gradient", "weight", "step"}
    words = [term.name for term in language.terms() if term.name in terms or f" {term.name}" in body]
    return folded(prose(say.label("page.glossary")), glossary(say.lang, words), is_long=True)


def _header(name: str, seen: Watched, say: Speech, elapsed_s: float) -> str:
    records = seen.records
    losses = [one.loss for one in records if one.loss is not None]
    ran = "report.ran" if records else "report.ran_none"
    lines = [say(ran, n=len(records), name=f"`{name}`", seconds=number(elapsed_s, 3))]
    if len(losses) > 1:
        key = "fell" if losses[-1] < losses[0] else "rose" if losses[-1] > losses[0] else "stayed"
        if not math.isfinite(losses[-1]):
            key = "lost"
        lines.append(say(f"report.{key}", first=number(losses[0]), last=number(losses[-1])))
    elif losses:
        lines.append(say("report.single", loss=number(losses[0])))
    if seen.error is not None:
        lines.append(say("report.failed", error=f"`{type(seen.error).__name__}`"))
    facts = "".join(f"<p>{prose(line)}</p>" for line in lines)
    return f"<header><h1>{escape(say.label('report.title', name=name))}</h1>{facts}{_facts(seen, say)}</header>"


def _facts(seen: Watched, say: Speech) -> str:
    step = seen.last or seen.partial
    if step is None:
        return ""
    rows = [(say.label("report.steps_taken"), language.count(len(seen.records)))]
    epochs = [one.epoch for one in seen.records if one.epoch is not None]
    if epochs:
        rows.append((say.label("report.passes"), language.count(max(epochs) + 1)))
    total = sum(one.value.type.elements for one in step.parameters)
    rows.append((say.label("report.parameters"), language.count(total)))
    for one in step.optimizers:
        settings = one.groups[0] if one.groups else {}
        told = ", ".join(
            f"{key}={number(value) if isinstance(value, float) else value}"
            for key, value in settings.items()
            if key in ("lr", "momentum", "betas")
        )
        rows.append((say.label("report.optimizer"), f"<code>{escape(f'{one.name}({told})')}</code>"))
    return table("", (say.label("report.fact"), say.label("report.value")), rows)


def _contents(say: Speech, has_diagram: bool, has_steps: bool) -> str:
    keys = ["findings", *(["course"] if has_steps else []), *(["diagram"] if has_diagram else [])]
    keys += ["steps", "layers"] if has_steps else []
    items = "".join(f'<li><a href="#{key}">{escape(say.label(f"report.{key}"))}</a></li>' for key in keys)
    return f'<nav class="contents" aria-label="{escape(say.label("page.contents"), quote=True)}"><ul>{items}</ul></nav>'


def _findings(findings: Sequence[Finding], seen: Watched, say: Speech) -> str:
    if not findings:
        key = "report.nothing_failed" if seen.error is not None else "report.nothing"
        return f'<p class="finding fine">{prose(say(key))}</p>'
    return "".join(finding(one, say) for one in findings)


def finding(one: Finding, say: Speech) -> str:
    """A finding as HTML: its title, cause, evidence, fix, and what would make it a false alarm."""
    rows = "".join(
        f"<dt>{prose(say.label(f'diagnose.part.{part}'))}</dt><dd>{prose(one.text(part, say))}</dd>" for part in PARTS
    )
    place = ""
    if one.source is not None:
        code = linecache.getline(one.source.file, one.source.line).strip()
        where = f"{escape(str(one.source))}<br><code>{escape(code)}</code>"
        place = f"<dt>{prose(say.label('report.line'))}</dt><dd>{where}</dd>"
    return f'<article class="finding"><h3>{prose(one.title(say))}</h3><dl>{place}{rows}</dl></article>'


def _course(records: Sequence[StepRecord], steps: Sequence[Step], say: Speech) -> str:
    losses = [(one.index, one.loss) for one in records if one.loss is not None]
    parts = []
    if losses:
        title = say.label("report.loss_chart", first=number(losses[0][1]), last=number(losses[-1][1]), n=len(losses))
        chart = line_chart(*_columns(losses), title, say.label("report.step_axis"), [step.index for step in steps])
        parts.append(f"<h3>{prose(say.label('report.loss'))}</h3>{chart}{_table_of(losses, say)}")
        broken = [index for index, loss in losses if not math.isfinite(loss)]
        if broken:
            parts.append(f"<p>{prose(say('report.not_finite', n=len(broken), first=broken[0]))}</p>")
    rates = [(one.index, one.rates[0]) for one in records if one.rates]
    if len({rate for _, rate in rates}) > 1:
        title = say.label("report.rate_chart", first=number(rates[0][1]), last=number(rates[-1][1]))
        chart = line_chart(*_columns(rates), title, say.label("report.step_axis"), smooth=False)
        parts.append(f"<h3>{prose(say.label('report.rate'))}</h3>{chart}")
    norms = [(one.index, _together(one.gradients)) for one in records if one.gradients]
    if len(norms) > 1:
        title = say.label("report.norm_chart", first=number(norms[0][1]), last=number(norms[-1][1]))
        chart = line_chart(*_columns(norms), title, say.label("report.step_axis"))
        parts.append(f"<h3>{prose(say.label('report.norm'))}</h3>{chart}")
    return "".join(parts)


def _columns(points: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _together(summaries: Mapping[str, Summary]) -> float:
    return math.sqrt(sum(one.norm**2 for one in summaries.values()))


def _table_of(points: Sequence[tuple[int, float]], say: Speech) -> str:
    """The numbers of a chart, for who does not see it."""
    every = max(1, math.ceil(len(points) / SHOWN_LOSSES))
    kept = points[::every] if points[-1] in points[::every] else [*points[::every], points[-1]]
    rows = [(str(index), number(value, 5)) for index, value in kept]
    inner = table("", (say.label("report.step_axis"), say.label("report.loss")), rows)
    return folded(prose(say.label("report.as_table")), inner, is_long=True)


def _explained(steps: Sequence[Step], explain: Callable[[Step, Speech], Explanation], say: Speech) -> str:
    parts = [f"<p>{prose(say('report.steps_intro', n=len(steps)))}</p>"]
    for index, step in enumerate(steps):
        told = explain(step, say)
        inner = explanation(told, f"step{step.index}", 3)
        parts.append(folded(prose(told.title), inner, is_open=index == 0, is_long=True))
    return "".join(parts)


def _layers(records: Sequence[StepRecord], say: Speech) -> str:
    gradients = _over_steps(records, lambda one: {name: each.norm for name, each in one.gradients.items()})
    ratios = _over_steps(records, _ratios)
    known = [value for series in gradients.values() for value in series if math.isfinite(value)]
    parts = [f"<p>{prose(say('report.gradients_intro'))}</p>"]
    if known:
        low, high = min(known), max(max(known), min(known) + 1)
        parts += [_scale(low, high, say), _strips(gradients, low, high, say.label("report.gradients"), say)]
    if ratios:
        parts.append(f"<p>{prose(say('report.ratios_intro'))}</p>")
        parts += [_scale(*RATIOS, say), _strips(ratios, *RATIOS, say.label("report.ratios"), say)]
    return "".join(parts)


def _ratios(record: StepRecord) -> dict[str, float]:
    weights = record.weights
    return {
        name: one.norm / weights[name].norm
        for name, one in record.updates.items()
        if name in weights and weights[name].norm > 0
    }


def _over_steps(
    records: Sequence[StepRecord], read: Callable[[StepRecord], Mapping[str, float]]
) -> dict[str, list[float]]:
    """Of each parameter the mean power of ten in each stretch of steps; nan where it has none."""
    stretch = max(1, math.ceil(len(records) / COLUMNS))
    columns = math.ceil(len(records) / stretch)
    found: dict[str, list[list[float]]] = {}
    for place, record in enumerate(records):
        for name, value in read(record).items():
            cells = found.setdefault(name, [[] for _ in range(columns)])
            if value > 0 and math.isfinite(value):
                cells[place // stretch].append(math.log10(value))
    return {name: [sum(one) / len(one) if one else math.nan for one in cells] for name, cells in found.items()}


def _scale(low: float, high: float, say: Speech) -> str:
    image = f'<img class="strip" alt="{escape(say.label("report.scale"))}" src="{strip(np.linspace(0, 1, 40))}">'
    return f'<p class="scale"><span>{number(10**low, 2)}</span>{image}<span>{number(10**high, 2)}</span></p>'


def _strips(series: Mapping[str, list[float]], low: float, high: float, caption: str, say: Speech) -> str:
    rows = []
    for name, powers in list(series.items())[:MOST_ROWS]:
        known = [one for one in powers if math.isfinite(one)]
        ends = [number(10**one, 3) for one in (known[0], known[-1])] if known else ["0", "0"]
        shades = strip((np.array(powers) - low) / (high - low))
        alt = say.label("report.strip", first=ends[0], last=ends[1])
        image = f'<img class="strip" alt="{escape(alt, quote=True)}" src="{shades}">'
        rows.append((f"<code>{escape(name)}</code>", ends[0], image, ends[1]))
    heads = ("parameter", "at_first", "over_steps", "at_last")
    more = len(series) - MOST_ROWS
    rest = f'<p class="note">{prose(say.label("page.more", n=more))}</p>' if more > 0 else ""
    return table(caption, [say.label(f"report.{head}") for head in heads], rows) + rest


def _program(program: str, say: Speech) -> str:
    try:
        with open(program, encoding="utf-8") as file:
            source = file.read()
    except OSError:
        return ""
    if len(source) > LONGEST_SOURCE:
        return ""
    lines = source.splitlines()
    width = len(str(len(lines)))
    listed = "\n".join(f"{index:>{width}}  {line}" for index, line in enumerate(lines, start=1))
    code = f"<pre><code>{escape(listed, quote=False)}</code></pre>"
    return folded(prose(say.label("report.program")), code, is_long=True)
