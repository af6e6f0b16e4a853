"""What is measured: the first steps, then rounds in which the peers take turns, and the same beside a busy process."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import machine
from workers import IN_JAX, Worker, WorkerError

TOLERANCE = 1e-3  # by which losses may differ, relative to the larger
MOST_BUSY_STEPS = 50  # in a chunk beside a busy process: some peers take a hundred times longer there
BUSY_ROUNDS = 3

Say = Callable[[str], None]
Found = dict[str, Any]  # of a peer


class Contest:
    """One workload and the peers that train it, each in its process."""

    def __init__(self, workload: str, threads: int, place: Path, say: Say) -> None:
        self.workload, self.threads, self.place, self.say = workload, threads, place, say
        self.workers: dict[str, Worker] = {}
        self.found: dict[str, Found] = {}

    def start(self, peer: str) -> Worker | None:
        """A worker whose caches are the peer's own; None where it fails, and why is noted."""
        self.say(f"{self.workload}: {peer} takes its first steps")
        with self.noting(peer):
            return Worker(peer, self.workload, self.threads, self.place / peer, self.place / "start.npz")
        return None

    @contextlib.contextmanager
    def noting(self, peer: str) -> Iterator[None]:
        """A peer that fails is left out from then on, with the reason."""
        try:
            yield
        except WorkerError as error:
            self.found.setdefault(peer, {})["error"] = str(error)
            if worker := self.workers.pop(peer, None):
                worker.close()

    def enter(self, peer: str) -> None:
        """Let a peer take part: the first steps with empty and with filled caches, the losses, the size of a chunk."""
        found = self.found.setdefault(peer, {})
        if (worker := self.start(peer)) is None:
            return
        self.workers[peer] = worker
        found["import_s"], found["first_steps_s"] = worker.first["import_s"], {"cold": worker.first["first_steps_s"]}
        with self.noting(peer):
            if peer not in IN_JAX and not (self.place / "start.npz").exists():
                with contextlib.suppress(WorkerError):  # programs of several models have no peer in JAX
                    worker.ask("save_start", path=str(self.place / "start.npz"))
            found.update(worker.ask("losses"))
            if again := self.start(peer):
                found["first_steps_s"]["warm"] = again.first["first_steps_s"]
                again.close()

    def flops(self) -> int | None:
        """What a step computes, as the workload counts it."""
        for peer in ("torch", "kadam"):
            if peer in self.workers:
                return self.workers[peer].ask("flops")["flops"]
        return None

    def run(self, rounds: int, budget_s: float) -> None:
        """Rounds in which every peer is timed once, each round in the other order."""
        for peer in list(self.workers):
            with self.noting(peer):
                self.found[peer].update(self.workers[peer].ask("calibrate"), rounds_s=[])
        for number in range(rounds):
            self.say(f"{self.workload}: round {number + 1} of {rounds}")
            for peer in list(self.workers)[:: 1 if number % 2 == 0 else -1]:
                with self.noting(peer):
                    round_ = self.workers[peer].ask("measure", budget_s=budget_s)
                    self.found[peer]["rounds_s"].append(round_["step_s"])
                    if peer == "kadam":
                        for what in ("kernels", "programs"):
                            counted = f"{what}_in_rounds"
                            self.found[peer][counted] = self.found[peer].get(counted, 0) + round_[what]

    def close(self) -> None:
        """Note what each peer has held in memory, and end them."""
        for peer in list(self.workers):
            with self.noting(peer):
                self.found[peer].update(self.workers[peer].ask("memory"))
        for worker in self.workers.values():
            worker.close()


def workload(name: str, peers: list[str], rounds: int, budget_s: float, threads: int, say: Say) -> dict[str, Any]:
    """Everything about one workload."""
    quiet = machine.busy_share()
    with tempfile.TemporaryDirectory() as place:
        contest = Contest(name, threads, Path(place), say)
        try:
            for peer in peers:
                contest.enter(peer)
            flops = contest.flops()
            compare_losses(contest.found)
            if rounds:
                contest.run(rounds, budget_s)
        finally:
            contest.close()
    for found in contest.found.values():
        if found.get("rounds_s"):
            found["step_s"] = statistics.median(found["rounds_s"])
    return {"flops": flops, "others_busy": quiet, "peers": contest.found, "ratios": ratios(contest.found)}


def compare_losses(found: dict[str, Found]) -> None:
    """How far the losses of each peer are from PyTorch's (without it, from the first peer's), relative to them."""
    losses = {peer: one.pop("losses") for peer, one in found.items() if "losses" in one}
    expected = losses.get("torch") or next(iter(losses.values()), [])
    for peer, values in losses.items():
        scale = max(map(abs, expected))
        apart = max(abs(a - b) for a, b in zip(values, expected, strict=True)) / scale
        found[peer]["losses_apart"] = apart
        found[peer]["losses_agree"] = apart <= TOLERANCE  # False for nan, too


def ratios(found: dict[str, Found]) -> dict[str, dict[str, float]]:
    """Each peer's time over Kadam's, round by round: the median, the lowest and the highest."""
    ours = found.get("kadam", {}).get("rounds_s") or []
    answer = {}
    for peer, one in found.items():
        each = [theirs / our for theirs, our in zip(one.get("rounds_s", ()), ours, strict=False)]
        if peer != "kadam" and each:
            answer[peer] = {"median": statistics.median(each), "low": min(each), "high": max(each)}
    return answer


def busy(name: str, peers: list[str], budget_s: float, threads: int, say: Say) -> dict[str, Found]:
    """Seconds a step on the quiet machine and while another process uses one core, in turn."""
    with tempfile.TemporaryDirectory() as place:
        contest = Contest(name, threads, Path(place), say)
        try:
            for peer in peers:
                contest.enter(peer)
            for peer in list(contest.workers):
                with contest.noting(peer):
                    contest.found[peer] = quiet_and_busy(contest.workers[peer], budget_s, threads, peer, say)
        finally:
            contest.close()
    return contest.found


def quiet_and_busy(worker: Worker, budget_s: float, threads: int, peer: str, say: Say) -> Found:
    """The medians of one peer, and how many times slower it is beside the busy process."""
    worker.ask("calibrate")
    times: dict[bool, list[float]] = {False: [], True: []}
    for number in range(2 * BUSY_ROUNDS):
        beside = number % 2 == 1
        say(f"busy machine: {peer}, round {number + 1} of {2 * BUSY_ROUNDS}")
        with busy_core(threads) if beside else contextlib.nullcontext():
            found = worker.ask("measure", budget_s=budget_s, most_steps=MOST_BUSY_STEPS)
        times[beside].append(found["step_s"])
    quiet_s, busy_s = statistics.median(times[False]), statistics.median(times[True])
    return {"quiet_s": quiet_s, "busy_s": busy_s, "times_slower": busy_s / quiet_s}


@contextlib.contextmanager
def busy_core(threads: int) -> Iterator[None]:
    """A process that never rests, on the cores of the workers."""
    loop = (
        "import os\n"
        "if hasattr(os, 'sched_setaffinity'):\n"
        f"    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:{threads}])\n"
        "while True:\n"
        "    pass\n"
    )
    process = subprocess.Popen([sys.executable, "-c", loop])
    try:
        yield
    finally:
        process.kill()
        process.wait()
