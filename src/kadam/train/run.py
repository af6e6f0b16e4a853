"""A run: the loop of one `fit`, from the first step or from where a checkpoint left it.

What makes a resumed run the same bit for bit: everything that decides the next number is in the checkpoint (weights,
moments, schedule, generators, the place in the epoch's order, how often programs have run), and it is written between
steps, once the loss has been read, so that the same programs run whether a checkpoint is written or not.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from copy import deepcopy
from signal import SIGTERM
from typing import TYPE_CHECKING, Any

from kadam.nn.utils.clip_grad import clip_grad_norm_, clip_grad_value_
from kadam.optim import LBFGS
from kadam.optim.lr_scheduler import ReduceLROnPlateau
from kadam.tensor import Tensor
from kadam.train import checkpoints, divergence, enough, snapshot
from kadam.train.ahead import Ahead
from kadam.train.batches import Batches, rows_in
from kadam.train.history import History, Row
from kadam.train.plan import Place, Plan
from kadam.train.progress import Display
from kadam.train.signals import Wish, noted

if TYPE_CHECKING:
    from kadam.train.trainer import Trainer


class Run:
    """One `fit`.

    Attributes:
        trainer, plan, data: what trains, what was asked for, and the batches.
        place: where it stands.
        stopped: why it ends; empty while it goes on.
        history: a row for each epoch.
        folder: where it is saved; None: nowhere.
        own: the generators of the data.
        gathers: whether metrics are taken of what the training batches give.
        gathered: what they had taken in at a checkpoint within the epoch.
        epoch_start: where all generators stood when the epoch began.
        mid_epoch: where they stood at a checkpoint within the epoch; None otherwise.
    """

    def __init__(self, trainer: Trainer, plan: Plan, data: Batches, held_out: Batches | None) -> None:
        self.trainer = trainer
        self.plan = plan
        self.data = data
        self.place = Place()
        self.stopped = ""
        self.history = History()
        self.folder = None if plan.folder is None else checkpoints.Folder(plan.folder)
        self._held_out = held_out
        self.gathers = bool(trainer.metrics) and held_out is None
        self.own = data.generators()
        self._best: dict[str, Any] | None = None
        self.epoch_start: dict[str, Any] = {}
        self.mid_epoch: dict[str, Any] | None = None
        self.gathered: list[dict[str, Any]] = []
        self._replaying = self._looks = False
        self._ahead = Ahead(trainer)

    # ---- The loop

    def go(self) -> History:
        """Train to the end; the history."""
        with nullcontext() if self.folder is None else checkpoints.held(self.folder.path):
            return self._go()

    def _go(self) -> History:
        trainer, plan = self.trainer, self.plan
        trainer.history = self.history
        if self.folder is not None:
            self._take_up(self.folder)
        self._display = Display(plan.display, plan.epochs, len(self.data))
        self._clock_s = self._saved_s = time.monotonic()
        for callback in trainer.callbacks:
            callback.on_start(trainer)
        if self.folder is not None and not self.folder.saved():
            self.epoch_start = checkpoints.generator_states(self.own)
            self.save()  # a loss that is no number within the first seconds is traced from here
        try:
            with noted() as wish:
                self._stopped_before()
                while not self.stopped:
                    self._epoch(wish)
            self._finish()
        finally:
            checkpoints.carry_counts({})  # the next run of this process is another one
        if wish.signal is SIGTERM:
            raise SystemExit(128 + SIGTERM)
        return self.history

    def _epoch(self, wish: Wish) -> None:
        """The rest of the present epoch."""
        place, started_s = self.place, time.monotonic()
        self._begin_metrics()
        batches = self._rest()
        self._looks = not self._replaying and self._ahead.possible(batches)
        for batch in batches:
            self._take_step(batch)
            while not (self._is_due() or wish.signal is not None) and self._take_stretch(batches):
                pass
            if wish.signal is not None or self._is_due():
                self._between_steps(wish)
            if self.stopped:
                return
        if not place.batch:
            self.stopped = "there was no data"
            return
        self._end_epoch(started_s)
        if wish.signal is not None:
            self.stopped = self.stopped or f"ended by {wish.signal.name}"

    def _begin_metrics(self) -> None:
        """Metrics anew, or as a checkpoint within the epoch holds them."""
        for metric in self.trainer.metrics:
            metric.reset()
        for metric, gathered in zip(self.trainer.metrics, self.gathered, strict=False):
            metric.take_up(gathered)
        self.gathered = []

    def _rest(self) -> Iterator[Any]:
        """The batches of the epoch that are not done."""
        if self.folder is not None and self.mid_epoch is None:
            self.epoch_start = checkpoints.generator_states(self.own)
        batches = self.data.start(self.place.batch)
        if self.mid_epoch is not None:
            checkpoints.restore_generators(self.mid_epoch, self.own)
            self.mid_epoch = None
        self.trainer.model.train()
        return batches

    def _take_step(self, batch: Any) -> None:
        """One step, taken by Python."""
        if self._looks:
            with self._ahead.looking(batch) as results:
                loss, output = self._computed(batch)
                results += loss, output
                value = loss.item()
        else:
            loss, output = self._computed(batch)
            value = loss.item()
        self._note(value, output, batch, rows_in(batch))

    def _take_stretch(self, batches: Any) -> bool:
        """Steps that need no Python, if there are any; whether there were."""
        if not self._looks:
            return False
        stretch = self._ahead.take(batches, self._steps_left())
        if stretch is None:
            return False
        if not stretch.losses:
            return False
        if self.gathers or not math.isfinite(stretch.losses[-1]):
            for step, value in enumerate(stretch.losses):
                self._note(value, stretch.output(step), stretch.batch(step), stretch.size)
        else:
            self._note_losses(stretch.losses, stretch.size)
        return True

    def _steps_left(self) -> int:
        """How many steps there are to the next at which something is due."""
        plan, step = self.plan, self.place.step
        every = plan.save_every_steps if self.folder is not None else None
        bounds = [plan.max_steps, None if every is None else step - step % every + every]
        return min([one - step for one in bounds if one is not None], default=sys.maxsize)

    def _computed(self, batch: Any) -> tuple[Tensor, Any]:
        """Forward, backward and update, in the order of a loop written by hand; the loss, and the output if held."""
        trainer, place = self.trainer, self.place
        if isinstance(trainer.optimizer, LBFGS):
            loss, output = self._closure_step(batch), None
        else:
            accumulate = trainer.accumulate
            if place.batch % accumulate == 0:
                trainer.optimizer.zero_grad()
            loss, output = trainer.forward(batch)
            if not self.gathers:
                output = None  # what nobody holds is not computed
            (loss if accumulate == 1 else loss / accumulate).backward()
            if accumulate == 1 or (place.batch + 1) % accumulate == 0 or place.batch + 1 == len(self.data):
                self._update()
        return loss, output

    def _note(self, value: float, output: Any, batch: Any, rows: int) -> None:
        """A step is done: its loss, its output if that is held, and its batch where one of these asks for it."""
        trainer, place = self.trainer, self.place
        place.batch += 1
        place.step += 1
        if not math.isfinite(value):
            divergence.report(self, batch, place.step, value)
        place.total += value * rows
        place.rows += rows
        if output is not None:
            trainer.note_metrics(output, batch)
        for callback in trainer.callbacks:
            callback.on_step(trainer, place.step, value)

    def _note_losses(self, losses: Sequence[float], rows: int) -> None:
        """The same of steps of which nobody wants more: callbacks that listen to steps let none be taken ahead."""
        place = self.place
        place.batch += len(losses)
        place.step += len(losses)
        place.rows += rows * len(losses)
        for value in losses:
            place.total += value * rows

    def _update(self) -> None:
        trainer = self.trainer
        optimizer = trainer.optimizer
        if trainer.clip_norm is not None:
            clip_grad_norm_(trainer.model.parameters(), trainer.clip_norm)
        if trainer.clip_value is not None:
            clip_grad_value_(trainer.model.parameters(), trainer.clip_value)
        optimizer.step()
        if trainer.scheduler is not None and trainer.scheduler_each == "step":
            trainer.scheduler.step()

    def _closure_step(self, batch: Any) -> Tensor:
        """A step of an optimizer that computes the loss as often as it likes."""

        def closure() -> Tensor:
            self.trainer.optimizer.zero_grad()
            loss, _ = self.trainer.forward(batch)
            loss.backward()
            return loss

        first: Tensor = self.trainer.optimizer.step(closure)
        return first

    # ---- Between steps

    def _is_due(self) -> bool:
        """Whether something is to be done between this step and the next."""
        plan, step = self.plan, self.place.step
        if self.stopped or step == plan.max_steps:
            return True
        if self._replaying:
            return False
        now = time.monotonic()
        if self._display.live and now >= self._display.due_s:
            return True
        return self._saving_is_due(now)

    def _saving_is_due(self, now: float) -> bool:
        if self.folder is None:
            return False
        every = self.plan.save_every_steps
        if every is not None:
            return self.place.step % every == 0
        return now - self._saved_s >= self.plan.save_every_s

    def _between_steps(self, wish: Wish) -> None:
        place = self.place
        if self._display.live and time.monotonic() >= self._display.due_s:
            self._display.step(place.epoch, place.batch, place.total / max(place.rows, 1))
        if place.batch % self.trainer.accumulate:
            return  # half of a step's gradients are in no checkpoint
        if self._saving_is_due(time.monotonic()) and not self._replaying:
            self.save()
        if wish.signal is not None:
            self.stopped = f"ended by {wish.signal.name}"
        elif place.step == self.plan.max_steps:
            self.stopped = f"{place.step} steps are done"

    def _end_epoch(self, started_s: float) -> None:
        trainer, place, plan = self.trainer, self.place, self.plan
        row: Row = {"epoch": place.epoch + 1, "step": place.step, "loss": place.total / max(place.rows, 1)}
        if self.gathers:
            row |= {metric.name: metric.compute() for metric in trainer.metrics}
        if self._held_out is not None and (
            (place.epoch + 1) % plan.validate_every == 0 or place.epoch + 1 == plan.epochs
        ):
            row |= {f"val_{name}": value for name, value in trainer.scores(self._held_out).items()}
        row["lr"] = float(trainer.optimizer.param_groups[0]["lr"])
        row["seconds"] = round(time.monotonic() - started_s, 4)
        for callback in trainer.callbacks:
            callback.on_epoch(trainer, row)
        self.history.rows.append(row)
        if self._held_out is None or "val_loss" in row:
            self._judge(row)
        if trainer.scheduler is not None and trainer.scheduler_each == "epoch":
            plateau = isinstance(trainer.scheduler, ReduceLROnPlateau)
            if not plateau:
                trainer.scheduler.step()
            elif plan.monitor in row:  # an epoch without a look at the validation data tells it nothing
                trainer.scheduler.step(row[plan.monitor])
        place.epoch, place.batch, place.total, place.rows = place.epoch + 1, 0, 0.0, 0
        self._display.epoch(row)
        if not self._replaying:
            self._stopped_after(row)
            if self.folder is not None and self._saving_is_due(time.monotonic()):
                self.epoch_start = checkpoints.generator_states(self.own)
                self.save()

    def _judge(self, row: Row) -> None:
        """Keep the weights if the monitored value is the best so far."""
        if not enough.is_best(row, self.plan, self.place, self.trainer.metrics):
            return
        self.history.best = len(self.history) - 1
        if self.plan.restore_best or self.folder is not None:
            self._best = deepcopy(checkpoints.weights_of(self.trainer.model))
        if self.folder is not None and not self._replaying:
            checkpoints.written(self.folder.best, snapshot.of_best(self._best, self.place))

    def _stopped_before(self) -> None:
        """Whether there is nothing left to do, as a finished run tells that is resumed."""
        if self.place.epoch >= self.plan.epochs:
            self.stopped = f"{self.place.epoch} epochs are done"
        elif self.history.rows and not self.place.batch:
            self._stopped_after(self.history.rows[-1])

    def _stopped_after(self, row: Row) -> None:
        looked = self._held_out is None or "val_loss" in row
        self.stopped = enough.why(row, self.plan, self.place, self.trainer.metrics, looked) or self.stopped

    def _finish(self) -> None:
        trainer, plan = self.trainer, self.plan
        if self.folder is not None:
            if not self.place.batch:
                self.epoch_start = checkpoints.generator_states(self.own)
            self.save()
        self.history.stopped = self.stopped
        if plan.restore_best and self._best is not None:
            trainer.model.load_state_dict(self._best)
        self._display.end()
        self._display.say(f"{self.stopped[:1].upper()}{self.stopped[1:]}.")
        for callback in trainer.callbacks:
            callback.on_end(trainer)

    # ---- Checkpoints

    def save(self) -> None:
        """Write a checkpoint of the present place. A full disk is told of; the run goes on."""
        assert self.folder is not None
        now = time.monotonic()
        self.place.seconds += now - self._clock_s
        self._clock_s = self._saved_s = now
        content = snapshot.of(self)
        if self.folder.save(self.place.step, content) and self.history.rows:
            checkpoints.history_written(self.folder.path / "history.csv", self.history)

    def _take_up(self, folder: checkpoints.Folder) -> None:
        """Go on from the newest checkpoint, if asked to."""
        saved = folder.saved()
        if saved and not self.plan.resume:
            raise checkpoints.ResumeError(
                f"fit: {str(folder.path)!r} holds a run already. Fix: resume=True goes on with it; or give another "
                "folder."
            )
        folder.prepare()
        content = folder.newest() if saved else None
        if content is not None:
            snapshot.restored(self, content)
            best = checkpoints.readable(folder.best) if self.place.best_epoch is not None else None
            self._best = None if best is None else best["model"]

    def replay(self, to_step: int) -> Any:
        """From the place of a checkpoint to just before a step; its batch, if it can be got."""
        self._replaying = True
        while True:
            for batch in self._rest():
                if self.place.step == to_step - 1:
                    return batch
                self._take_step(batch)
            self._end_epoch(time.monotonic())
