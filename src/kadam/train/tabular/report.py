"""What is told of a trained table: on the terminal, and as a page."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import numpy as np

from kadam import language
from kadam.language import Speech
from kadam.lens.page import page as show
from kadam.lens.page import prose, section, table
from kadam.lens.report import sections, words_used
from kadam.train.history import History
from kadam.train.tabular.encoding import Encoder, Encoding
from kadam.train.tabular.first_steps import FirstSteps
from kadam.train.tabular.notes import told
from kadam.train.tabular.scoring import main_score
from kadam.train.tabular.target import Target

CHOICE = (
    "the classes are far from equally frequent: probabilities are told as they are, but a rare class is predicted "
    "sooner (its probability counts more, by the root of its rarity)"
)
_SHOWN_COLUMNS = 60
MOST_CLASSES = 50  # in the table of classes
CLOSE = 0.002  # scores no further apart are the same
SURE = 2.0  # standard errors, beyond which a difference is more than the luck of the test rows


def columns_text(encoder: Encoder, lang: str = "en") -> str:
    """One line per column: what it was taken for, and what is worth knowing."""
    say = Speech(lang)
    width = min(max((len(one.name) for one in encoder.encodings), default=0), 40)
    lines = [f"  {one.name[:40]:<{width}}  {_kind(one, say)}" for one in encoder.encodings[:_SHOWN_COLUMNS]]
    if len(encoder.encodings) > _SHOWN_COLUMNS:
        lines.append(f"  and {len(encoder.encodings) - _SHOWN_COLUMNS} more columns")
    return "columns:\n" + "\n".join(lines)


def _kind(one: Encoding, say: Speech) -> str:
    notes = []
    if one.kind == "category":
        notes.append(say.label("train.values", n=len(one.values)))
    if one.log:
        notes.append(say.label("train.log"))
    if one.missing:
        notes.append(say.label("train.gaps"))
    if one.notes:
        notes.append(told(one.notes, say))
    kind = say.label(f"train.kind.{one.kind.replace(' ', '_')}")
    return kind + (f" ({'; '.join(notes)})" if notes else "")


def _figure(value: float) -> str:
    """A score; AUC, say, is none where the test rows are all of one class."""
    return "-" if value != value else f"{value:.4f}" if abs(value) < 1_000 else f"{value:,.6g}"


def untested(target: Target, held: np.ndarray) -> str:
    """Which classes no test row has; empty if all are there."""
    missing = sorted(set(range(len(target.classes))) - set(target.values[held].tolist()))
    some = ", ".join(repr(target.classes[one]) for one in missing[:3]) + (" ..." if len(missing) > 3 else "")
    return f"of {some} there is one row only, to learn from: the scores say nothing of it" if missing else ""


def scores_table(facts: dict[str, Any]) -> Any:
    """The scores on the test rows, the network's beside those of the baselines."""
    from rich.table import Table

    names = list(facts["scores"]["network"])
    table = Table(title=f"on {facts['test_rows']:,} rows that were held out")
    table.add_column("")
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for who, found in facts["scores"].items():
        table.add_row(who, *[_figure(found[name]) for name in names], style="bold" if who == "network" else "")
    return table


def verdict(facts: dict[str, Any], say: Callable[..., str]) -> str:
    """One sentence: whether the network is worth more than what needs none, as far as the test rows can tell."""
    main = main_score(facts["task"], facts.get("choice"))
    found = facts["scores"]
    best = max((scores[main], who) for who, scores in found.items() if who != "network")
    gain = found["network"][main] - best[0]
    sure = max(CLOSE, SURE * facts["doubts"][best[1]])
    key = "better" if gain > sure else "worse" if gain < -sure else "same" if abs(gain) <= CLOSE else "doubtful"
    points = {"points": f"{abs(100 * gain):.1f}", "score": main.replace("_", " ")}
    told = {"same": {}, "doubtful": {**points, "doubt": f"{100 * sure:.1f}"}}.get(key, points)
    return say(f"train.{key}", other=best[1], **told)


def page(facts: dict[str, Any], encoder: Encoder, history: History, first: FirstSteps | None, lang: str) -> str:
    """The report as one page of HTML that needs nothing else."""
    say = Speech(lang)
    title = say.label("train.title", name=facts["target"])
    parts = [
        f"<header><h1>{escape(title)}</h1>{''.join(f'<p>{line}</p>' for line in _summary(facts, say))}</header>",
        section("scores", say.label("train.scores"), _scores(facts, say)),
    ]
    if facts["classes"]:
        parts.append(section("classes", say.label("train.classes"), _classes(facts, say)))
    parts.append(section("training", say.label("train.training"), f'<div class="wide">{history._repr_html_()}</div>'))
    if first is not None:
        again = say("train.once_more", n=len(first.seen.records), rows=language.count(first.rows))
        # All members compute at once, in one operation: its elements spelt out take seconds, and nobody reads them.
        parts += [f"<p>{prose(again)}</p>", *sections(first.seen, first.findings, None, say)]
    kinds = [(f"<code>{escape(one.name)}</code>", escape(_kind(one, say))) for one in encoder.encodings]
    heads = (say.label("train.column"), say.label("train.taken"))
    parts.append(section("columns", say.label("train.columns"), table("", heads, kinds, numbers=False)))
    return show(title, lang, [*parts, words_used(parts, say)])


def _summary(facts: dict[str, Any], say: Speech) -> list[str]:
    """What was learned from what, and what it is worth, as HTML."""
    counts = {name: language.count(facts[f"{name}_rows"]) for name in ("train", "test")}
    learned = say("train.learned", task=say.label(f"train.task.{facts['task']}"), **counts)
    lines = [prose(learned), f"<strong>{prose(verdict(facts, say))}</strong>"]
    lines += [prose(say("train.leak", name=name)) for name in facts.get("suspects", [])]
    return [*lines, prose(say("train.choice"))] if facts.get("choice") else lines


def _scores(facts: dict[str, Any], say: Speech) -> str:
    names = list(facts["scores"]["network"])
    rows = [(escape(who), *(_figure(found[name]) for name in names)) for who, found in facts["scores"].items()]
    return table("", [say.label("train.who"), *(name.replace("_", " ") for name in names)], rows)


def _classes(facts: dict[str, Any], say: Speech) -> str:
    found = list(zip(facts["classes"], facts["class_rows"], strict=True))[:MOST_CLASSES]
    rows = [(escape(name), language.count(count)) for name, count in found]
    return table("", (say.label("train.class"), say.label("train.rows")), rows)
