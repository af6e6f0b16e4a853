"""Many steps in one native call, where nothing needs Python in between.

One step is recorded by Python as ever. The next ones are the same program on other rows if nothing that Python would do
could make them differ: the model and the loss are Kadam's own (`steady`), the optimizer's step is foreseeable, nobody
watches, and the step that was recorded was fed with nothing but its batch, numbers that were known ahead, which units
it leaves out (`draws`), and tensors that the step before it was fed with too. These steps then run in one call over
rows that lie in order, or are gathered at once; after it everything stands as if Python had taken them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kadam.optim.ahead import StepsAhead, foreseeable
from kadam.recording.sight import Sight
from kadam.recording.step import state
from kadam.train import draws
from kadam.train.batches import Pass
from kadam.train.steady import steady
from kadam.train.stretch import Look, Plan, Stretch, planned

if TYPE_CHECKING:
    from kadam.tensor import Tensor
    from kadam.train.trainer import Trainer

SPAN_S = 0.03  # of a call: Ctrl-C, the display and checkpoints wait no longer
SPAN_BYTES = 1 << 22  # of what is gathered or drawn for a call: it shall still stand in the cache
FEWEST = 4
TRIES = 8  # steps that are looked at in vain before nobody looks any more


class Ahead:
    """The steps of a run that follow one that Python has recorded.

    Args:
        trainer: whose steps they are.
    """

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._before: Look | None = None
        self._plan: Plan | None = None
        self._counters = draws.Counters(trainer.model)
        self._vain = 0
        self._step_s = SPAN_S

    def possible(self, batches: Any) -> bool:
        """Whether the steps of a pass are worth looking at."""
        self._counters = draws.Counters(self._trainer.model)
        return (
            self._vain < TRIES
            and isinstance(batches, Pass)
            and state.watcher is None
            and self._trainer.accumulate == 1
            and steady(self._trainer)
        )

    @contextmanager
    def looking(self, batch: Sequence[Tensor]) -> Iterator[list[Any]]:
        """Look at a step that Python takes in this block; its loss and output are put into the list."""
        results: list[Any] = []
        optimizer = self._trainer.optimizer
        steps = StepsAhead(optimizer) if foreseeable(optimizer) else None
        foreseen = None if steps is None else steps.numbers(1)
        started = time.perf_counter()
        with Sight() as seen, draws.noted() as drawn, self._counters.looking():
            yield results
        self._step_s = min(self._step_s, time.perf_counter() - started)  # native code takes no longer
        look = Look(seen, batch, drawn, self._counters)
        before, self._before, self._plan = self._before, look, None
        if seen.whole and steps is not None and foreseen is not None and before is not None:
            self._plan = planned(self._trainer, steps, foreseen, before, look, results)
        self._vain = 0 if self._plan is not None else self._vain + 1

    def take(self, batches: Pass, most: int) -> Stretch | None:
        """Take up to `most` of the next steps; None if Python is to take the next one."""
        plan = self._plan
        if plan is None:
            return None
        wanted = min(int(SPAN_S / self._step_s), batches.full_left, most)
        if batches.gathers or plan.draws:
            wanted = min(wanted, max(FEWEST, SPAN_BYTES // max(1, plan.batch_bytes)))
        if wanted < FEWEST:
            return None
        started = time.perf_counter()
        stretch = plan.run(batches, wanted)
        done = len(stretch.losses)
        if done < wanted:
            self._plan = None
        if done:
            self._step_s = (time.perf_counter() - started) / done
        return stretch
