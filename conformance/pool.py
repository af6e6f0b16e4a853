"""Workers in processes of their own: entries one after another, with a time limit, a crash costing one entry."""

from __future__ import annotations

import json
import os
import queue
import select
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent
_ENTRIES_PER_PROCESS = 40  # a recording's trail grows with every new shape: begin anew from time to time
_START_S = 120.0
Task = tuple[str, Sequence[str]]


class _DiedError(Exception):
    pass


class _Worker:
    """A process that judges, and is replaced when it dies or takes too long."""

    def __init__(self, engine: str, limit_s: float) -> None:
        self.engine, self.limit_s = engine, limit_s
        self.process: subprocess.Popen[bytes] | None = None
        self.buffer = b""
        self.done = 0

    def judge(self, name: str, kinds: Sequence[str]) -> list[dict[str, Any]]:
        try:
            if self.process is None or self.done >= _ENTRIES_PER_PROCESS:
                self._start()
            assert self.process is not None
            assert self.process.stdin is not None
            self.process.stdin.write(json.dumps({"name": name, "kinds": list(kinds)}).encode() + b"\n")
            self.process.stdin.flush()
            self.done += 1
            return self._read(self.limit_s)  # type: ignore[no-any-return]
        except TimeoutError:
            trouble = f"took longer than {self.limit_s:.0f} s"
        except (_DiedError, BrokenPipeError) as error:
            trouble = f"the process died: {error}"
        self.stop()
        return [
            {"kind": kind, "name": name, "cases": 0, "right": 0, "missing": False, "first": trouble, "status": "fails",
             "seconds": self.limit_s}
            for kind in kinds
        ]  # fmt: skip

    def _start(self) -> None:
        self.stop()
        settings = {"KADAM_ENGINE": self.engine, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "conformance.worker"],
            cwd=_ROOT,
            env={**os.environ, **settings},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.buffer, self.done = b"", 0
        self._read(_START_S)

    def _read(self, limit_s: float) -> Any:
        assert self.process is not None
        assert self.process.stdout is not None
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([self.process.stdout], [], [], limit_s)
            if not ready:
                raise TimeoutError
            part = os.read(self.process.stdout.fileno(), 1 << 16)
            if not part:
                raise _DiedError(f"exit status {self.process.wait()}")
            self.buffer += part
        line, _, self.buffer = self.buffer.partition(b"\n")
        return json.loads(line)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def run(tasks: Sequence[Task], engine: str, workers: int, limit_s: float) -> Iterator[list[dict[str, Any]]]:
    """The verdicts on each entry, in the order in which they are done."""
    todo: queue.SimpleQueue[Task] = queue.SimpleQueue()
    for task in tasks:
        todo.put(task)
    done: queue.SimpleQueue[list[dict[str, Any]]] = queue.SimpleQueue()
    hands = [_Worker(engine, limit_s) for _ in range(min(workers, len(tasks)))]

    def work(worker: _Worker) -> None:
        while True:
            try:
                name, kinds = todo.get_nowait()
            except queue.Empty:
                return
            done.put(worker.judge(name, kinds))

    threads = [threading.Thread(target=work, args=(worker,), daemon=True) for worker in hands]
    for thread in threads:
        thread.start()
    try:
        for _ in tasks:
            yield done.get()
    finally:
        while not todo.empty():
            todo.get_nowait()
        for worker in hands:
            worker.stop()
