"""One peer in a process of its own: it trains one workload when it is told to, and says how long that took.

    python benchmarks/worker.py PEER WORKLOAD THREADS [START]

It reads commands and writes replies, a line of JSON each. The first line is written unasked: how long the import and
the first steps took in this fresh process. JAX's peers begin with the weights and data of the file START.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import json
import os
import random
import resource
import runpy
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

WORKLOADS = Path(__file__).parent / "workloads"
FIRST_STEPS = 5
CHECKED_STEPS = 20  # their losses are compared between the peers
WARM_STEPS = 3  # after each restart, before the clock starts
LONGEST_CHUNK = 1000  # steps between restarts: early training, before gradients fade into denormal numbers
CHUNK_S = 0.2


class Program(Protocol):
    """A training loop that can begin anew."""

    def restart(self) -> None:
        """Begin with the first weights."""

    def train(self, steps: int) -> list[float]:
        """Go on for some steps; their losses."""


class Script:
    """A workload's program as it stands in its file; it is run again to begin anew."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def restart(self) -> None:
        self.names = runpy.run_path(str(self.path), run_name="workload")

    def train(self, steps: int) -> list[float]:
        return self.names["train"](steps)

    def save_start(self, path: str) -> None:
        """Write the first weights and the data, for peers that have other random numbers."""
        import numpy as np

        self.restart()
        tensors = {**self.names["model"].state_dict(), "x": self.names["x"], "y": self.names["y"]}
        np.savez(path, **{name: tensor.numpy() for name, tensor in tensors.items()})


class CompiledScript(Script):
    """The same program with its models compiled; to begin anew, it gets its first state back, lest it compile again."""

    first: dict[str, Any] | None = None

    def restart(self) -> None:
        import torch

        if self.first is None:
            super().restart()
            self.draws = torch.get_rng_state(), random.getstate()
            self.first = {
                name: copy.deepcopy(value.state_dict())
                for name, value in self.names.items()
                if hasattr(value, "load_state_dict") and not isinstance(value, type)
            }
            for value in self.names.values():
                if isinstance(value, torch.nn.Module):
                    value.compile()
        else:
            torch.set_rng_state(self.draws[0])
            random.setstate(self.draws[1])
            for name, state in self.first.items():
                self.names[name].load_state_dict(copy.deepcopy(state))


class Fit(Script):
    """The loop given to `Trainer.fit`, over an array of many such batches. Steps that someone wants the losses of are
    taken one by one, as everywhere where Python is needed at each."""

    BATCHES = 64

    def restart(self) -> None:
        import numpy as np

        super().restart()
        self.arrays = [np.concatenate([self.names[name].numpy()] * self.BATCHES) for name in ("x", "y")]

    def train(self, steps: int) -> list[float]:
        from kadam.train import Callback, Trainer

        losses: list[float] = []

        class Losses(Callback):
            def on_step(self, trainer: Trainer, step: int, loss: float) -> None:
                losses.append(loss)

        callbacks = [Losses()] if steps <= CHECKED_STEPS else []
        model, criterion, optimizer = (self.names[name] for name in ("model", "criterion", "optimizer"))
        Trainer(model, criterion, optimizer, callbacks=callbacks).fit(
            *self.arrays,
            batch_size=len(self.names["x"]),
            shuffle=False,
            epochs=-(-steps // self.BATCHES),
            max_steps=steps,
        )
        return losses


def open_fit(workload: str, threads: int) -> Callable[[], Script]:
    open_kadam(workload, threads)
    return lambda: Fit(WORKLOADS / f"{workload}.py")


def open_kadam(workload: str, threads: int) -> Callable[[], Script]:
    from kadam import torch_imports

    torch_imports.install()
    return open_torch(workload, threads)


def open_torch(workload: str, threads: int) -> Callable[[], Script]:
    import torch

    torch.set_num_threads(threads)
    return lambda: Script(WORKLOADS / f"{workload}.py")


def open_compiled(workload: str, threads: int) -> Callable[[], Script]:
    open_torch(workload, threads)
    return lambda: CompiledScript(WORKLOADS / f"{workload}.py")


def open_jit(workload: str, threads: int) -> Callable[[], Program]:
    from jax_programs import PROGRAMS, PerCall

    return lambda: PerCall(PROGRAMS[workload], sys.argv[4])


def open_scan(workload: str, threads: int) -> Callable[[], Program]:
    from jax_programs import PROGRAMS, Scan

    return lambda: Scan(PROGRAMS[workload], sys.argv[4])


PEERS = {
    "kadam": open_kadam,
    "fit": open_fit,
    "torch": open_torch,
    "compiled": open_compiled,
    "jit": open_jit,
    "scan": open_scan,
}


class Session:
    """What a worker can be asked to do; every method is a command."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.steps = 0

    def losses(self) -> dict[str, Any]:
        """The losses of the first steps."""
        self.program.restart()
        return {"losses": self.program.train(CHECKED_STEPS)}

    def save_start(self, path: str) -> dict[str, Any]:
        """Write the first weights and the data to a file."""
        self.program.save_start(path)
        return {}

    def flops(self) -> dict[str, Any]:
        """What the contractions of a step compute, as the workload counts it."""
        return {"flops": self.program.names["flops"]()}

    def calibrate(self) -> dict[str, Any]:
        """Find how many steps are timed at a time, and let the peer get ready for them."""
        self.program.restart()
        self.program.train(WARM_STEPS)
        each_s = min(self._timed_s(WARM_STEPS) / WARM_STEPS for _ in range(3))
        self.steps = max(1, min(LONGEST_CHUNK, int(CHUNK_S / each_s)))
        self.program.train(self.steps)
        return {"steps": self.steps}

    def measure(self, budget_s: float, most_steps: int = LONGEST_CHUNK) -> dict[str, Any]:
        """Seconds a step, the mean of chunks that together take about the given time; what Kadam compiled in these."""
        chunk = min(self.steps, most_steps)
        spent_s, steps, kernels, programs = 0.0, 0, 0, 0
        while spent_s < budget_s:
            self.program.restart()
            gc.collect()
            self.program.train(WARM_STEPS)
            before = _compiled()
            spent_s += self._timed_s(chunk)
            steps += chunk
            after = _compiled()
            kernels, programs = kernels + after[0] - before[0], programs + after[1] - before[1]
        return {"step_s": spent_s / steps, "kernels": kernels, "programs": programs}

    def memory(self) -> dict[str, Any]:
        """The most memory that this process has held, in bytes."""
        with contextlib.suppress(OSError):  # ru_maxrss may be that of the process that started this one
            for line in Path("/proc/self/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return {"peak_bytes": int(line.split()[1]) * 1024}
        unit = 1 if sys.platform == "darwin" else 1024
        return {"peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}

    def _timed_s(self, steps: int) -> float:
        started = time.perf_counter()
        self.program.train(steps)
        return time.perf_counter() - started


def _compiled() -> tuple[int, int]:
    """How many kernels and programs Kadam has compiled, in a process that runs it."""
    if "kadam" not in sys.modules:
        return 0, 0
    from kadam.engines.native.stats import stats

    return stats().kernels_compiled, stats().programs


def begin(peer: str, workload: str, threads: int) -> tuple[Session, dict[str, Any]]:
    """Import the peer, build its program and train the first steps, on the clock."""
    started = time.perf_counter()
    make = PEERS[peer](workload, threads)
    imported = time.perf_counter()
    program = make()
    program.restart()
    program.train(FIRST_STEPS)
    ready = time.perf_counter()
    return Session(program), {"import_s": imported - started, "first_steps_s": ready - imported}


def main() -> None:
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a program prints is no reply
    peer, workload, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])

    def reply(answer: Callable[[], dict[str, Any]]) -> None:
        try:
            line = answer()
        except Exception as error:
            line = {"error": f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"}
        print(json.dumps(line), file=replies, flush=True)

    session: Session | None = None

    def start() -> dict[str, Any]:
        nonlocal session
        session, times = begin(peer, workload, threads)
        return times

    reply(start)
    for line in sys.stdin:
        command = json.loads(line)
        name = command.pop("do")
        reply(lambda name=name, command=command: getattr(session, name)(**command))


if __name__ == "__main__":
    main()
