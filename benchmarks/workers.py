"""Starts workers and talks with them. Only one works at a time; the others wait for their next line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PEERS_PYTHON = HERE / ".peers" / "bin" / "python"
PEERS = {
    "kadam": "Kadam",
    "fit": "Kadam fit",
    "torch": "PyTorch",
    "compiled": "torch.compile",
    "jit": "JAX jit",
    "scan": "JAX scan",
}
IN_JAX = ("jit", "scan")


class WorkerError(Exception):
    """A worker could not do what it was asked to."""


class Worker:
    """A process in which one peer trains one workload; its first steps are done when it is here.

    Attributes:
        first: how long the import and the first steps took, in seconds.
    """

    def __init__(self, peer: str, workload: str, threads: int, cache: Path, start: Path) -> None:
        python = PEERS_PYTHON if peer in IN_JAX else Path(sys.executable)
        self.process = subprocess.Popen(
            [str(python), str(HERE / "worker.py"), peer, workload, str(threads), str(start)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(threads, cache),
        )
        try:
            self.first = self._reply()
        except WorkerError:
            self.close()
            raise

    def ask(self, do: str, **command: Any) -> dict[str, Any]:
        """What the worker replies to a command (see `worker.Session`)."""
        try:
            self.process.stdin.write(json.dumps({"do": do, **command}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise WorkerError(f"its process has ended with exit code {self.process.wait()}") from None
        return self._reply()

    def close(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def _reply(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            raise WorkerError(f"its process has ended with exit code {self.process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer


def environment(threads: int, cache: Path) -> dict[str, str]:
    """What a worker finds: so many threads, and caches of compiled code that are its own."""
    count = str(threads)
    return os.environ | {
        "OMP_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "KADAM_CACHE_DIR": str(cache / "kadam"),
        "TORCHINDUCTOR_CACHE_DIR": str(cache / "inductor"),
        "TRITON_CACHE_DIR": str(cache / "triton"),
    }


def missing(peer: str) -> str | None:
    """Why a peer cannot run here at all, or None."""
    if peer in IN_JAX and not PEERS_PYTHON.exists():
        return "not installed: make bench-peers"
    return None
