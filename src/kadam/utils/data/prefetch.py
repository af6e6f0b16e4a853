"""Passes over a loader's data by workers that prepare batches ahead."""

from __future__ import annotations

import multiprocessing
import os
import weakref
from collections import deque
from itertools import cycle
from typing import TYPE_CHECKING, Any

from kadam.recording.place import before_telling
from kadam.recording.step import cut, state
from kadam.utils.data.dataloader import _MultiProcessingDataLoaderIter
from kadam.utils.data.workers import Ended, Failure, Seat, Worker, dismiss, first_ready

if TYPE_CHECKING:
    from kadam.utils.data.dataloader import DataLoader


class WorkerBatches(_MultiProcessingDataLoaderIter):
    """Passes in which workers prepare batches ahead: each has `prefetch_factor` tasks at any time.

    Tasks are dealt in turn. Batches come in the order of the tasks or, if the loader is not `in_order`, as they are
    ready. The workers stop at the end of the pass, or with this object if they are persistent.
    """

    def __init__(self, loader: DataLoader[Any]) -> None:
        if not loader.prefetch_factor:
            raise AssertionError("DataLoader: workers need a prefetch_factor of at least 1. Fix: prefetch_factor=2.")
        self._sampler = loader._index_sampler
        iter(self._sampler)  # PyTorch asks once before the first pass: a sampler may draw when it is asked
        self._ahead = loader.prefetch_factor
        self._in_order = loader.in_order
        self._persistent = loader.persistent_workers
        self._timeout_s = loader.timeout
        self._turn = 0
        self._workers: list[Worker] = []
        self._stop = self._hire(loader)
        self.restart()

    def _hire(self, loader: DataLoader[Any]) -> weakref.finalize[Any, Any]:
        stop = weakref.finalize(self, dismiss, self._workers, os.getpid())
        stop.atexit = False  # at the end of the program multiprocessing ends the workers itself
        if state.rec is not None:
            cut(state.rec)  # what the dataset still has to compute is computed here, not once more in each worker
        context = loader.multiprocessing_context or multiprocessing.get_context()
        base_seed = loader._draw_base_seed()
        for number in range(loader.num_workers):
            seat = Seat(number, loader.num_workers, base_seed, loader.worker_init_fn, tuple(before_telling))
            self._workers.append(Worker(context, loader._recipe(), seat))
        return stop

    def restart(self) -> None:
        """Begin a new pass: drop what is left of the last one and deal the first tasks."""
        self._turn += 1
        self._indices = iter(self._sampler)
        self._due: deque[Worker] = deque()  # who owes an answer, in the order of the tasks
        self._active = list(self._workers)
        self._round = cycle(self._workers)
        for worker in self._workers:
            worker.load = 0
        self._deal()

    def _deal(self) -> None:
        while len(self._due) < self._ahead * len(self._active):
            try:
                index = next(self._indices)
            except StopIteration:
                return
            worker = next(one for one in self._round if self._may_take(one))
            worker.assign(self._turn, index)
            self._due.append(worker)

    def _may_take(self, worker: Worker) -> bool:
        return worker in self._active and (self._in_order or worker.load < self._ahead)

    def __next__(self) -> Any:
        while self._due:
            worker = self._next_worker()
            answer = worker.answer(self._turn, self._timeout_s)
            self._due.remove(worker)
            if isinstance(answer, Ended):
                self._retire(worker)
            self._deal()
            if isinstance(answer, Failure):
                raise answer.exception()
            if not isinstance(answer, Ended):
                return answer
        if not self._persistent:
            self._stop()
        raise StopIteration

    def _next_worker(self) -> Worker:
        return self._due[0] if self._in_order else first_ready(set(self._due), self._timeout_s)

    def _retire(self, worker: Worker) -> None:
        self._active.remove(worker)
        self._due = deque(other for other in self._due if other is not worker)

    def __len__(self) -> int:
        return len(self._sampler)
