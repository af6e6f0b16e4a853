"""What watching every step costs: `lens.watch` with summaries against the same training unwatched, in turn.

python benchmarks/watching.py [cnn gpt ...] [--rounds 9] [--steps 10]
"""

from __future__ import annotations

import argparse
import os
import runpy
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kadam import lens, torch_imports

WORKLOADS = Path(__file__).resolve().parent / "workloads"


def measured(train: Callable[[int], Any], steps: int) -> tuple[float, float]:
    """Elapsed and processor time of a step, in seconds."""
    elapsed, busy = time.perf_counter(), time.process_time()
    train(steps)
    return (time.perf_counter() - elapsed) / steps, (time.process_time() - busy) / steps


def compare(name: str, rounds: int, steps: int) -> str:
    """A line of the table: the step unwatched and watched, and the ratios of the two."""
    train: Callable[[int], Any] = runpy.run_path(str(WORKLOADS / f"{name}.py"))["train"]
    for _ in range(2):  # both ways are compiled before anything is measured
        train(6)
        with lens.watch(steps=()):
            train(6)
    plain, watched = [], []
    for _ in range(rounds):
        plain.append(measured(train, steps))
        with lens.watch(steps=()):
            watched.append(measured(train, steps))
    elapsed, busy = (
        statistics.median(b[place] / a[place] for a, b in zip(plain, watched, strict=True)) for place in range(2)
    )
    fastest = min(a for a, _ in plain), min(b for b, _ in watched)
    return f"{name:12} {1e3 * fastest[0]:9.3f} {1e3 * fastest[1]:9.3f} {elapsed - 1:9.1%} {busy - 1:9.1%}"


def main() -> None:
    """Print the table, and how busy the machine was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=["cnn", "gpt"])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=10)
    given = parser.parse_args()
    torch_imports.install()
    print(f"{'':12} {'plain ms':>9} {'seen ms':>9} {'elapsed':>9} {'processor':>9}   load {os.getloadavg()}")
    for name in given.names:
        print(compare(name, given.rounds, given.steps), flush=True)


if __name__ == "__main__":
    main()
