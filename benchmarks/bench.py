"""Trains the same unmodified programs on Kadam and on its peers, in turn, and reports times and ratios.

    make bench                                   everything (about half an hour)
    make bench ARGS=--quick                      the main workloads, Kadam and PyTorch, few rounds
    make bench ARGS="cnn gpt --peers kadam,torch,jit --rounds 20"

`benchmarks/README.md` tells how to read what it prints.
"""

from __future__ import annotations

import argparse
import ast
import datetime
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import machine
import measure
import report
from workers import HERE, IN_JAX, PEERS, PEERS_PYTHON, environment, missing

MAIN = ["lesson", "sigmoid", "mlp_small", "mlp_digits", "mlp_wide", "cnn", "gpt"]
WORKLOADS = MAIN + sorted({path.stem for path in (HERE / "workloads").glob("*.py")} - set(MAIN))
TITLES = {name: ast.get_docstring(ast.parse((HERE / f"workloads/{name}.py").read_text())) for name in WORKLOADS}
WITHOUT_JAX = set(WORKLOADS) - {*MAIN, "lstm", "resnet"}  # jax_programs.py has the others
WITHOUT_FIT = set(WORKLOADS) - {"lesson", "sigmoid", "mlp_small", "mlp_digits", "mlp_wide"}  # a loss of model(x) and y
IMPORTS = 5
BUSY_WORKLOAD = "mlp_small"


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"some of: {', '.join(WORKLOADS)}")
    parser.add_argument("--peers", default=",".join(PEERS), help=f"some of: {', '.join(PEERS)}")
    parser.add_argument("--rounds", type=int, default=10, help="0: losses and first steps only")
    parser.add_argument("--seconds", type=float, default=0.3, help="how long a peer is timed in a round")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="main workloads, Kadam and PyTorch, 3 rounds")
    parser.add_argument("--without-busy", action="store_true", help="leave out the busy machine")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "latest", help="path of .json and .svg")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.workloads, chosen.rounds, chosen.peers = chosen.workloads or MAIN, 3, "kadam,torch"
    chosen.workloads, chosen.peers = chosen.workloads or WORKLOADS, chosen.peers.split(",")
    for name, known in [*((w, WORKLOADS) for w in chosen.workloads), *((p, PEERS) for p in chosen.peers)]:
        if name not in known:
            parser.error(f"no {name!r} here, there are: {', '.join(known)}")
    chosen.peers = [peer for peer in PEERS if peer in chosen.peers]
    return chosen


def say(words: str) -> None:
    """Tell on the terminal what goes on, on one line."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{words}", end="", file=sys.stderr, flush=True)


def ask_machine(python: str | Path, *arguments: str) -> dict[str, Any]:
    """What `machine.py` finds in a process of its own."""
    command = [str(python), str(HERE / "machine.py"), *arguments]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def imports(peers: list[str], threads: int) -> dict[str, float]:
    """The median time of an import in a fresh process, in seconds, the peers in turn."""
    times: dict[str, list[float]] = {peer: [] for peer in peers}
    with tempfile.TemporaryDirectory() as place:
        for number in range(IMPORTS):
            for peer in peers:
                say(f"import of {peer}, {number + 1} of {IMPORTS}")
                module = {"torch": "torch", "kadam": "kadam"}.get(peer, "jax.numpy")
                line = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
                python = PEERS_PYTHON if peer in IN_JAX else sys.executable
                done = subprocess.run(
                    [python, "-c", line],
                    check=True, capture_output=True, text=True, env=environment(threads, Path(place)),
                )  # fmt: skip
                times[peer].append(float(done.stdout))
    return {peer: statistics.median(found) for peer, found in times.items()}


def main() -> int:
    chosen = options()
    absent = {peer: why for peer in chosen.peers if (why := missing(peer))}
    peers = [peer for peer in chosen.peers if peer not in absent]
    results: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        "machine": machine.facts() | {"threads": chosen.threads},
        "absent": absent,
        "rounds": chosen.rounds,
    }
    packages = {"kadam": sys.executable, "torch": sys.executable, "jit": PEERS_PYTHON}
    present = [peer for peer in peers if peer in packages]
    say("the machine's limits")
    results["limits"] = ask_machine(sys.executable, "limits", str(chosen.threads))
    results["packages"] = {p: ask_machine(packages[p], "size", "jax" if p in IN_JAX else p) for p in present}
    for peer, seconds in imports(present, chosen.threads).items():
        results["packages"][peer]["import_s"] = seconds

    results["workloads"] = {}
    for name in chosen.workloads:
        able = [peer for peer in peers if not (peer in IN_JAX and name in WITHOUT_JAX)]
        able = [peer for peer in able if not (peer == "fit" and name in WITHOUT_FIT)]
        found = measure.workload(name, able, chosen.rounds, chosen.seconds, chosen.threads, say)
        results["workloads"][name] = {"title": TITLES[name], **found}
        say("")
        report.print_workload(name, results)
    if chosen.rounds and not chosen.without_busy:
        able = [peer for peer in peers if peer not in ("compiled", "fit")]
        results["busy"] = {
            "title": TITLES[BUSY_WORKLOAD],
            "peers": measure.busy(BUSY_WORKLOAD, able, chosen.seconds, chosen.threads, say),
        }
    say("")
    report.print_summary(results)
    report.write(results, chosen.out)
    return report.verdict(results)


if __name__ == "__main__":
    sys.exit(main())
