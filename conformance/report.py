"""Results as files: a table per entry, totals, the baseline that later runs are held to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from conformance import absent

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
KINDS = ("op", "grad", "method", "inplace", "out", "error", "module", "module-error", "optim", "optim-error")
Record = dict[str, Any]
Key = tuple[str, str]


def load(engine: str) -> dict[Key, Record]:
    """The latest results of an engine, by kind and name."""
    path = RESULTS / f"{engine}.jsonl"
    if not path.exists():
        return {}
    records = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {(one["kind"], one["name"]): one for one in records}


def store(engine: str, records: dict[Key, Record]) -> None:
    """Write an engine's results, and its table for readers."""
    RESULTS.mkdir(exist_ok=True)
    ordered = [records[key] for key in sorted(records, key=lambda key: (KINDS.index(key[0]), key[1]))]
    lines = "".join(json.dumps(one) + "\n" for one in ordered)
    (RESULTS / f"{engine}.jsonl").write_text(lines, encoding="utf-8")
    (RESULTS / f"{engine}.txt").write_text(totals(ordered) + "\n" + table(ordered), encoding="utf-8")


def totals(records: Iterable[Record]) -> str:
    """A line per kind: how many entries pass, fail, are missing, have no case; how many cases are right."""
    by_kind: dict[str, Counter[str]] = {}
    for one in records:
        counts = by_kind.setdefault(one["kind"], Counter())
        counts[one["status"]] += 1
        counts["cases"] += one["cases"]
        counts["right"] += one["right"]
    head = f"{'kind':14}{'entries':>8}{'passes':>8}{'fails':>8}{'missing':>8}{'no case':>8}{'cases':>9}{'right':>9}"
    lines = [head]
    for kind in KINDS:
        if kind in by_kind:
            counts = by_kind[kind]
            states = [counts[state] for state in ("passes", "fails", "missing", "empty")]
            cells = "".join(f"{one:>8}" for one in (sum(states), *states))
            lines.append(f"{kind:14}{cells}{counts['cases']:>9}{counts['right']:>9}")
    return "\n".join(lines) + "\n"


def table(records: Iterable[Record]) -> str:
    """A line per entry."""
    return "".join(line(one) + "\n" for one in records)


def line(one: Record) -> str:
    """An entry's verdict in a line."""
    return (
        f"{one['status']:8}{one['kind']:14}{one['right']:>4}/{one['cases']:<4} {one['name']}  {one['first']}".rstrip()
    )


def baseline_path(engine: str) -> Path:
    """The file of what passed on an engine."""
    return HERE / f"baseline-{engine}.txt"


def baseline(engine: str) -> set[Key]:
    """The entries that passed when the baseline was written."""
    path = baseline_path(engine)
    if not path.exists():
        return set()
    pairs = (one.split(" ", 1) for one in path.read_text(encoding="utf-8").splitlines() if not one.startswith("#"))
    return {(kind, name) for kind, name in pairs}


def write_baseline(engine: str, records: dict[Key, Record]) -> None:
    """Note what passes now: a kind and a name per line. What PyTorch has no case of does not count."""
    passing = sorted(key for key, one in records.items() if one["status"] == "passes")
    head = f"# What agrees with PyTorch on the {engine} engine; `make conformance ARGS=--check` holds it.\n"
    baseline_path(engine).write_text(head + "".join(f"{kind} {name}\n" for kind, name in passing), encoding="utf-8")


_MEANING = {
    "op": "operators: every sample's values, shapes and types",
    "grad": "operators: the gradients of every input that requires one",
    "method": "operators as methods of a tensor",
    "inplace": "operators in place",
    "out": "operators with `out=`",
    "error": "operators: the type of the error about each wrong input",
    "module": "modules: initial state, forward, backward, state afterwards",
    "module-error": "modules: the type of the error about each wrong input",
    "optim": "optimizers: ten steps with each configuration and implementation",
    "optim-error": "optimizers: the type of the error about each wrong argument",
}


def write_coverage(engines: Iterable[str]) -> None:
    """Write what Kadam covers, and what it lacks, as a page for readers: docs/coverage.md."""
    parts = [
        "# What Kadam covers of PyTorch\n",
        "Made by `make conformance ARGS=--write-coverage` from the latest results; do not edit. PyTorch's own sample "
        "inputs (`op_db` in single precision on the CPU, `module_db`, `optim_db`) are run on PyTorch and on Kadam. An "
        "entry passes if it has cases and every one agrees within the tolerances of PyTorch's tests, number by "
        "number. A number that differs by more also counts as right where it is as near to the exact one, computed in "
        "double precision, as the tolerance, or four times what the exact number moves by when the inputs move by a "
        "unit in their last place, and twice what PyTorch's own number is then off by at most (of LBFGS: with the "
        "samples in each order). So where numbers cancel a number is judged by itself; it excuses no other, and none "
        "is excused that is off by more than a hundredth of itself or of its tensor's root mean square, or ten "
        "tolerances. Whole numbers are not moved. "
        "Where PyTorch's tests expect its own gradient to be wrong, difference quotients count as right too: the "
        "gradients of `as_strided_scatter` are these, not PyTorch's. Views of inputs must have PyTorch's strides; how "
        "often those of other results are not PyTorch's is counted below.\n",
    ]
    for engine in engines:
        records = load(engine)
        found = list(records.values())
        parts += [f"## The {engine} engine\n", _overview(found), _reservations(found), _shortcomings(found)]
    parts.append(absent.page())
    path = HERE.parent / "docs" / "coverage.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(parts), encoding="utf-8")


def _overview(records: Sequence[Record]) -> str:
    rows = ["| compared | entries | pass | fail | no case | cases | right |", "|---|---:|---:|---:|---:|---:|---:|"]
    for kind in KINDS:
        found = [one for one in records if one["kind"] == kind]
        if found:
            passing, empty = (sum(one["status"] == state for one in found) for state in ("passes", "empty"))
            cases, right = (sum(one[part] for one in found) for part in ("cases", "right"))
            counts = len(found), passing, len(found) - passing - empty, empty, cases, right
            rows.append(f"| {_MEANING[kind]} | {' | '.join(map(str, counts))} |")
    return "\n".join(rows) + "\n"


def _reservations(records: Sequence[Record]) -> str:
    """What the counts of the overview do not say."""
    errors = [one for one in records if one["kind"].endswith("error")]
    right, several = _sum(errors, "right"), _sum(errors, "several")
    operators = [one for one in records if one["kind"] == "op"]
    samples, laid = _sum(operators, "right"), _sum(operators, "laid")
    compared = [one for one in records if not one["kind"].endswith("error")]
    excused = _sum(compared, "excused")
    count = sum(one["status"] == "passes" and one.get("excused", 0) > 0 for one in compared)
    empty = [f"`{one['name']}` ({one['kind']})" for one in records if one["status"] == "empty"]
    alone = None if right is None or several is None else right - several
    sentences = [
        f"Of the {right} errors that agree, {alone} are of PyTorch's type alone; {several} are of another of "
        "Python's types, too, so that either `except` catches them."
        if alone is not None
        else "How many of the errors that agree are of PyTorch's type alone is not known.",
        f"Of the {samples} samples of operators that agree, {laid} have a result, no view of an input, that lies in "
        "memory in another order than PyTorch's (`stride()`, `is_contiguous()`)."
        if laid is not None
        else "How many results lie in memory in another order than PyTorch's is not known.",
        f"{count} entries pass only because numbers that differ by more than the tolerance are as near to the exact "
        f"ones as said above: {excused} cases."
        if excused is not None
        else "How many entries pass only because numbers beyond the tolerance are excused is not known.",
        f"PyTorch has no case of {len(empty)} entries, which do not count as passing: {', '.join(empty)}.",
    ]
    return " ".join(sentences) + "\n"


def _sum(records: Sequence[Record], part: str) -> int | None:
    """How often something was counted; None if it was not, in records of an older run."""
    return sum(one[part] for one in records) if all(part in one for one in records) else None


def _shortcomings(records: Iterable[Record]) -> str:
    rows = ["| does not pass | compared | right | the first difference |", "|---|---|---:|---|"]
    for one in sorted(records, key=lambda one: (one["name"], one["kind"])):
        if one["status"] in ("fails", "missing"):
            first = one["first"].replace("|", "\\|").replace("<", "&lt;")[:160]
            rows.append(f"| `{one['name']}` | {one['kind']} | {one['right']} of {one['cases']} | {first} |")
    return "\n".join(rows) + "\n"
