"""What is told of a trained table: on the terminal, and as a page."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from kadam.train.history import History
from kadam.train.tabular.encoding import Encoder, Encoding
from kadam.train.tabular.target import Target

CHOICE = (
    "the classes are far from equally frequent: probabilities are told as they are, but a rare class is predicted "
    "sooner (its probability counts more, by the root of its rarity)"
)
_SHOWN_COLUMNS = 60


def columns_text(encoder: Encoder) -> str:
    """One line per column: what it was taken for, and what is worth knowing."""
    width = min(max((len(one.name) for one in encoder.encodings), default=0), 40)
    lines = [f"  {one.name[:40]:<{width}}  {_kind(one)}" for one in encoder.encodings[:_SHOWN_COLUMNS]]
    if len(encoder.encodings) > _SHOWN_COLUMNS:
        lines.append(f"  and {len(encoder.encodings) - _SHOWN_COLUMNS} more columns")
    return "columns:\n" + "\n".join(lines)


def _kind(one: Encoding) -> str:
    notes = []
    if one.kind == "category":
        notes.append(f"{len(one.values)} values")
    if one.log:
        notes.append("its logarithm, for a few values are huge")
    if one.missing:
        notes.append("some cells are missing")
    if one.why:
        notes.append(one.why)
    return one.kind + (f" ({'; '.join(notes)})" if notes else "")


def _figure(value: float) -> str:
    """A score; AUC, say, is none where the test rows are all of one class."""
    return f"{value:.4f}" if value == value else "-"


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


def verdict(facts: dict[str, Any]) -> str:
    """One sentence: whether the network is worth more than what needs none."""
    rarely = "balanced_accuracy" if facts.get("choice") else "accuracy"
    main = rarely if facts["task"] == "classification" else "r2"
    found = facts["scores"]
    best = max((scores[main], who) for who, scores in found.items() if who != "network")
    own = found["network"][main]
    gain = own - best[0]
    if gain > 0.002:
        return f"The network is better than {best[1]} by {100 * gain:.1f} points of {main.replace('_', ' ')}."
    if gain > -0.002:
        return f"The network is no better than {best[1]}: a simpler model would do."
    return f"The network is worse than {best[1]} by {-100 * gain:.1f} points of {main.replace('_', ' ')}: use that one."


def page(facts: dict[str, Any], encoder: Encoder, history: History) -> str:
    """The report as one page of HTML that needs nothing else."""
    names = list(facts["scores"]["network"])
    scored = "".join(
        f"<tr><th>{escape(who)}</th>" + "".join(f"<td>{_figure(found[name])}</td>" for name in names) + "</tr>"
        for who, found in facts["scores"].items()
    )
    columns = "".join(f"<tr><th>{escape(one.name)}</th><td>{escape(_kind(one))}</td></tr>" for one in encoder.encodings)
    classes = "".join(
        f"<tr><th>{escape(name)}</th><td>{rows:,}</td></tr>"
        for name, rows in zip(facts["classes"][:50], facts["class_rows"], strict=False)
    )
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(facts["target"])}: report</title>
<style>body{{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}}
table{{border-collapse:collapse;margin:1rem 0}}
td,th{{padding:.2rem .8rem;border-bottom:1px solid #ddd;text-align:right}}
th{{text-align:left;font-weight:600}}svg{{max-width:100%}}</style>
<h1>Predicting {escape(facts["target"])}</h1>
<p>{facts["task"].capitalize()}: {escape(facts["why"])}. {facts["train_rows"]:,} rows to learn from,
{facts["test_rows"]:,} held out for the test.</p>
<p><strong>{escape(verdict(facts))}</strong></p>
<h2>Scores on the rows held out</h2>
<table><tr><th></th>{"".join(f"<th>{escape(name)}</th>" for name in names)}</tr>{scored}</table>
{"<h2>Rows of each class to learn from</h2><table>" + classes + "</table>" if classes else ""}
{f"<p>{escape(CHOICE[0].upper() + CHOICE[1:])}.</p>" if facts.get("choice") else ""}
<h2>Training</h2>{history._repr_html_()}
<h2>Columns</h2><table>{columns}</table></html>
"""
