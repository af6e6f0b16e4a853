"""Runs `kadam diagnose` over the benchmark and prints how many faults were detected, diagnosed and placed.

A fault is *detected* if there is any finding, *diagnosed* if the first one names its kind, and its *line* is right if
that is one of the lines that the manifest accepts. Twins and controls are healthy: any finding is a false alarm.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import tomllib
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def diagnosed(program: str) -> dict[str, Any]:
    """What `kadam diagnose --json` says about a program."""
    command = [sys.executable, "-m", "kadam", "diagnose", "--json", program]
    began = time.perf_counter()
    run = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    try:
        told: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        last = (run.stderr.strip().splitlines() or [""])[-1]
        told = {"findings": [{"kind": f"diagnose itself failed: {last}", "line": None, "values": {}}]}
    return {**told, "elapsed_s": time.perf_counter() - began}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("words", nargs="*", help="only programs whose names contain one of these")
    parser.add_argument("--jobs", type=int, default=2, help="programs that run at the same time")
    arguments = parser.parse_args()
    faults = tomllib.loads((HERE / "manifest.toml").read_text())["fault"]
    healthy = sorted({one["twin"] for one in faults} | {f"controls/{path.name}" for path in HERE.glob("controls/*.py")})
    programs = [one["program"] for one in faults] + healthy
    if arguments.words:
        programs = [one for one in programs if any(word in one for word in arguments.words)]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        told = dict(zip(programs, pool.map(diagnosed, programs), strict=True))
    return report([one for one in faults if one["program"] in told], [one for one in healthy if one in told], told)


def report(faults: list[dict[str, Any]], healthy: list[str], told: dict[str, dict[str, Any]]) -> int:
    """Print the table; the exit code says whether the targets are met."""
    kinds: dict[str, list[tuple[bool, bool, bool]]] = defaultdict(list)
    for fault in faults:
        findings = told[fault["program"]]["findings"]
        first = findings[0] if findings else {"kind": "nothing", "line": None}
        named = first["kind"] == fault["kind"]
        placed = named and first["line"] in fault["lines"]
        kinds[fault["kind"]].append((bool(findings), named, placed))
        if not placed:
            others = ", ".join(f"{one['kind']}:{one['line']}" for one in findings[1:])
            expected = f"{fault['kind']} at {fault['lines']}"
            print(f"  {fault['program']}: {expected}; found {first['kind']}:{first['line']}; {others}")
    alarms = 0
    for program in healthy:
        for finding in told[program]["findings"]:
            alarms += 1
            print(f"  false alarm: {program}: {finding['kind']}:{finding['line']} {finding['values']}")
    print(f"{'kind':34}{'programs':>9}{'detected':>9}{'diagnosed':>10}{'line':>6}")
    rows = {**kinds, "all": [one for row in kinds.values() for one in row]}
    for kind, row in rows.items():
        sums = [sum(column) for column in zip(*row, strict=True)] or [0, 0, 0]
        print(f"{kind:34}{len(row):9}{sums[0]:9}{sums[1]:10}{sums[2]:6}")
    total = len(faults) or 1
    detected, named, placed = (sum(one[at] for one in rows["all"]) / total for at in range(3))
    slowest = max(told, key=lambda program: told[program]["elapsed_s"])
    print(f"detected {detected:.1%}, diagnosed {named:.1%}, right line {placed:.1%}; {alarms} false alarms on "
          f"{len(healthy)} healthy programs; slowest {slowest}: {told[slowest]['elapsed_s']:.1f} s")  # fmt: skip
    met = not faults or (detected >= 0.95 and named >= 0.85 and placed >= 0.75)
    return 0 if met and not alarms else 1


if __name__ == "__main__":
    sys.exit(main())
