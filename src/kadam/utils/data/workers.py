"""Workers: processes that make batches. A loader hands them indices through pipes and gets batches back.

Each worker has a pipe of its own and answers its tasks in their order, so whose answer comes next is known without
numbering. A task carries the number of its pass over the data: what belongs to an earlier pass, which was left
half-way, is recognised on both sides and dropped.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import random
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from typing import Any

import numpy as np

from kadam.errors import KadamError
from kadam.recording.generator import default_generator
from kadam.utils.data.dataset import IterableDataset
from kadam.utils.data.fetch import Recipe
from kadam.utils.data.transfer import Parcel, pack, receive, send
from kadam.utils.data.worker_info import WorkerInfo, enter

_PATIENCE_S = 5.0  # how long a dismissed worker may take to finish its batch before it is terminated


class WorkerError(KadamError, RuntimeError):
    """A worker that died or took too long."""


@dataclass(frozen=True)
class Seat:
    """A worker's place among the others, and how it prepares.

    Attributes:
        id: its number, from 0.
        num_workers: how many there are.
        base_seed: the loader's draw; worker i starts its generators from `base_seed + i`.
        init_fn: the user's function, called with the worker's number once it is seeded.
        before_telling: what the loader's process does to errors before they are told.
    """

    id: int
    num_workers: int
    base_seed: int
    init_fn: Callable[[int], Any] | None
    before_telling: tuple[Callable[[BaseException], None], ...] = ()


class Ended:
    """The answer of a worker whose stream has no more samples."""


class _Text(str):
    """A message that KeyError, which shows its argument's repr, shows as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Failure:
    """The answer of a worker whose batch raised an exception.

    Attributes:
        kind: the exception's type.
        text: where it was raised: the worker and its traceback.
    """

    kind: type[Exception]
    text: str

    @staticmethod
    def of(error: Exception, seat: Seat) -> Failure:
        """Describe an exception of a worker so that it can be sent."""
        kind = type(error)
        for prepare in seat.before_telling:
            prepare(error)
        trace = "".join(traceback.format_exception(error))
        text = f"Caught {kind.__name__} in DataLoader worker process {seat.id}.\nThere it was raised:\n{trace}"
        try:
            pickle.dumps(kind)
        except Exception:  # a class that only the worker can name
            kind = RuntimeError
        return Failure(kind, text)

    def exception(self) -> Exception:
        """The exception again, with the worker's traceback for message; RuntimeError if its type takes none."""
        try:
            return self.kind(_Text(self.text))
        except Exception:
            return RuntimeError(self.text)


class Worker:
    """The loader's side of one worker."""

    def __init__(self, context: BaseContext, recipe: Recipe, seat: Seat) -> None:
        self.load = 0  # tasks of the current pass that it has not answered
        self.connection, far_end = context.Pipe()
        self.process = context.Process(target=work, args=(far_end, recipe, seat), daemon=True)  # type: ignore[attr-defined]
        try:
            self.process.start()
        finally:
            far_end.close()

    def assign(self, turn: int, index: Any) -> None:
        """Hand it a task of pass number `turn`.

        Raises:
            WorkerError: the worker is dead.
        """
        try:
            self.connection.send((turn, index))
        except OSError as error:
            raise self._death() from error
        self.load += 1

    def answer(self, turn: int, timeout_s: float) -> Any:
        """Its answer to the next task of pass number `turn`: a batch, a Failure or Ended.

        Raises:
            WorkerError: the worker is dead, or gave no answer in `timeout_s` (0: wait for ever).
        """
        deadline = time.monotonic() + timeout_s
        while True:
            if not self._stirs(max(0.0, deadline - time.monotonic()) if timeout_s else None):
                raise _timed_out(timeout_s)
            try:
                found, answer = receive(self.connection)
            except (EOFError, OSError) as error:
                raise self._death() from error
            if found == turn:
                self.load -= 1
                return answer

    def _stirs(self, timeout_s: float | None) -> bool:
        """Whether something of it can be received in time."""
        if self.connection.poll():
            return True
        ready = wait([self.connection, self.process.sentinel], timeout_s)
        if ready and self.connection not in ready:
            raise self._death()
        return bool(ready)

    def _death(self) -> WorkerError:
        self.process.join(1.0)
        code = self.process.exitcode
        how = f"killed by {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit code {code}"
        return WorkerError(
            f"DataLoader worker (pid {self.process.pid}) exited unexpectedly: {how}.\n"
            "  Fix: see whether memory ran out; num_workers=0 shows where the dataset fails."
        )


def first_ready(workers: Iterable[Worker], timeout_s: float) -> Worker:
    """A worker that has answered a task (or died over it).

    Raises:
        WorkerError: none has within `timeout_s` (0: wait for ever).
    """
    by_signal = {waitable: worker for worker in workers for waitable in (worker.connection, worker.process.sentinel)}
    ready = wait(list(by_signal), timeout_s or None)
    if not ready:
        raise _timed_out(timeout_s)
    return by_signal[ready[0]]


def _timed_out(timeout_s: float) -> WorkerError:
    return WorkerError(
        f"DataLoader timed out after {timeout_s} seconds: no worker had the next batch ready. Fix: a longer timeout, "
        "or "
        "num_workers=0 to see what a sample costs."
    )


def dismiss(workers: list[Worker], owner: int) -> None:
    """Stop the workers, unless this process is a copy of their owner that a fork has made."""
    if os.getpid() != owner:
        return
    for worker in workers:
        with contextlib.suppress(OSError):
            worker.connection.send(None)
    deadline = time.monotonic() + _PATIENCE_S
    for worker in workers:
        process = worker.process
        for last_resort in (process.terminate, process.kill):
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                last_resort()
                deadline = time.monotonic() + 1.0
        process.join()
        worker.connection.close()
    workers.clear()


def work(connection: Connection, recipe: Recipe, seat: Seat) -> None:
    """The life of a worker process: answer tasks until told to stop or until the loader's process is gone."""
    with contextlib.suppress(KeyboardInterrupt, EOFError, OSError):  # Ctrl-C reaches the loader's process too
        _Desk(connection, recipe, seat).serve()


class _Desk:
    """Where a worker process takes tasks and leaves answers."""

    def __init__(self, connection: Connection, recipe: Recipe, seat: Seat) -> None:
        self._connection = connection
        self._recipe = recipe
        self._seat = seat
        self._tasks: deque[tuple[int, Any]] = deque()
        self._turn: int | None = None
        self._fetch: Callable[[Any], Any] | None = None
        self._outbox: queue.SimpleQueue[Parcel] = queue.SimpleQueue()

    def serve(self) -> None:
        """Answer tasks until told to stop. A thread sends the answers, so that the next batch need not wait for it."""
        threading.Thread(target=self._send_answers, daemon=True).start()
        broken = self._attempt(self._prepare)
        while (task := self._next_task()) is not None:
            turn, index = task
            answer = broken or self._attempt(self._batch, turn, index)
            parcel = self._attempt(pack, (turn, answer))
            self._outbox.put(parcel if isinstance(parcel, Parcel) else pack((turn, parcel)))

    def _prepare(self) -> None:
        seat = self._seat
        seed = seat.base_seed + seat.id
        random.seed(seed)
        default_generator.manual_seed(seed)
        words = [seat.id, seat.base_seed & 0xFFFFFFFF, seat.base_seed >> 32, 0]
        np.random.seed(np.random.SeedSequence(words).generate_state(4))
        enter(WorkerInfo(seat.id, seat.num_workers, seed, self._recipe.dataset))
        if seat.init_fn is not None:
            seat.init_fn(seat.id)

    def _batch(self, turn: int, index: Any) -> Any:
        if turn != self._turn or self._fetch is None:
            self._fetch, self._turn = self._recipe.start(), turn
        return self._fetch(index)

    def _attempt(self, act: Callable[..., Any], *args: Any) -> Any:
        try:
            return act(*args)
        except Exception as error:
            if isinstance(error, StopIteration) and isinstance(self._recipe.dataset, IterableDataset):
                return Ended()
            return Failure.of(error, self._seat)

    def _next_task(self) -> tuple[int, Any] | None:
        """The oldest task of the newest pass; None when it is time to stop."""
        tasks = self._tasks
        while not tasks or self._connection.poll():
            if not tasks and not self._something_arrives():
                return None
            task = self._connection.recv()
            if task is None:
                return None
            if tasks and tasks[0][0] != task[0]:
                tasks.clear()
            tasks.append(task)
        return tasks.popleft()

    def _something_arrives(self) -> bool:
        loader_process = parent_process()
        assert loader_process is not None
        return self._connection in wait([self._connection, loader_process.sentinel])

    def _send_answers(self) -> None:
        with contextlib.suppress(OSError):  # the loader is gone; the worker is about to notice
            while True:
                send(self._connection, self._outbox.get())
