"""The command: `python -m conformance`, or `make conformance ARGS="--only linalg.qr --engine native --kind op"`."""

from __future__ import annotations

import argparse
import fnmatch
import sys
from collections.abc import Sequence

from conformance import pool, report
from conformance.worker import OWN_KINDS

_NOTED_EVERY = 50  # verdicts: what a run has found so far survives it
_GROUPS = (("op", "grad", "method", "inplace", "out", "error"), ("module", "module-error"), ("optim", "optim-error"))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="entries, also patterns such as 'fft.*'")
    parser.add_argument("--kind", nargs="+", default=list(report.KINDS), choices=report.KINDS, help="of comparison")
    parser.add_argument("--engine", nargs="+", default=["reference"], choices=["reference", "native"])
    parser.add_argument("--failing", action="store_true", help="only what did not pass in the latest results")
    parser.add_argument("-j", type=int, default=2, metavar="N", help="processes at a time")
    parser.add_argument("--limit", type=float, default=300.0, metavar="SECONDS", help="for an entry")
    parser.add_argument("--all", action="store_true", help="print what passes too")
    parser.add_argument("--check", action="store_true", help="fail if an entry of the baseline does not pass")
    parser.add_argument("--write-baseline", action="store_true", help="note what passes in the latest results")
    parser.add_argument("--write-coverage", action="store_true", help="write docs/coverage.md from the latest results")
    return parser.parse_args()


def tasks(only: Sequence[str], kinds: Sequence[str]) -> list[pool.Task]:
    """The entries that patterns name, each with its kinds of comparison."""
    from conformance import modules, operators, optimizers

    rooms = {"modules": modules, "optimizers": optimizers, "operators": operators}
    found: list[pool.Task] = []
    for group in _GROUPS:
        by_name: dict[str, list[str]] = {}
        for kind in (one for one in group if one in kinds):
            for name in rooms[OWN_KINDS.get(kind, "operators")].names(kind):
                if not only or any(fnmatch.fnmatchcase(name, pattern) for pattern in only):
                    by_name.setdefault(name, []).append(kind)
        found += by_name.items()
    return found


def _run(engine: str, asked: argparse.Namespace) -> bool:
    """Compare on one engine; whether the baseline holds."""
    latest = report.load(engine)
    todo = tasks(asked.only, asked.kind)
    if asked.failing:
        todo = [
            (name, rest)
            for name, kinds in todo
            if (
                rest := [
                    kind for kind in kinds if latest.get((kind, name), {}).get("status") not in ("passes", "empty")
                ]
            )
        ]
    print(f"== {engine}: {len(todo)} entries", flush=True)
    now: dict[report.Key, report.Record] = {}
    try:
        for verdicts in pool.run(todo, engine, asked.j, asked.limit):
            for one in verdicts:
                now[one["kind"], one["name"]] = one
                if asked.all or one["status"] not in ("passes", "empty"):
                    print(report.line(one), flush=True)
            if len(now) % _NOTED_EVERY < len(verdicts):
                report.store(engine, {**report.load(engine), **now})
    except KeyboardInterrupt:
        print("== interrupted; what is done is kept")
    merged = {**report.load(engine), **now}
    report.store(engine, merged)
    print(f"\n{report.totals(now.values())}", flush=True)
    return not asked.check or _holds(engine, now)


def _holds(engine: str, now: dict[report.Key, report.Record]) -> bool:
    held = report.baseline(engine)
    fallen = [one for key, one in now.items() if key in held and one["status"] != "passes"]
    for one in fallen:
        print(f"FELL BEHIND THE BASELINE  {report.line(one)}")
    return not fallen


def main() -> None:
    """Run the comparisons that the command line asks for, or write down what the latest ones found."""
    asked = _arguments()
    if asked.write_baseline or asked.write_coverage:
        for engine in asked.engine if asked.write_baseline else ():
            report.write_baseline(engine, report.load(engine))
        if asked.write_coverage:
            report.write_coverage(("reference", "native"))
        return
    held = [_run(engine, asked) for engine in asked.engine]
    sys.exit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
