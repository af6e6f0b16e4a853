"""A run: the loop of one `fit`, from the first step or from where a checkpoint left it.

What makes a resumed run the same bit for bit: everything that decides the next number is in the checkpoint (weights,
moments, schedule, generators, the place in the epoch's order, how often programs have run), and it is written between
steps, once the loss has been read, so that the same programs run whether a checkpoint is written or not.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from signal import SIGTERM
from typing import TYPE_CHECKING, Any

from kadam.nn.utils.clip_grad import clip_grad_norm_, clip_grad_value_
from kadam.optim import LBFGS
from kadam.optim.lr_scheduler import ReduceLROnPlateau
from kadam.tensor import Tensor
from kadam.train import checkpoints, divergence
from kadam.train.ahead import Ahead
from kadam.train.batches import Batches, rows_in
from kadam.train.history import History, Row
from kadam.train.progress import Display
from kadam.train.signals import Wish, noted

if TYPE_CHECKING:
    from kadam.train.trainer import Trainer


@dataclass(frozen=True)
class Plan:
    """What `fit` was asked for; its docstring tells what each means."""

    epochs: int
    max_steps: int | None
    monitor: str
    patience: int | None
    min_delta: float
    until: dict[str, float]
    restore_best: bool
    folder: Path | None
    resume: bool
    save_every_s: float
    save_every_steps: int | None
    display: str
    validate_every: int


@dataclass
class Place:
    """Where a run stands, between two steps.

    Attributes:
        epoch: epochs that are done.
        batch: batches of the present epoch that are done.
        step: batches that are done in all.
        total, rows: sum of the losses of the present epoch, each times its rows; and those rows.
        best: the best value of what is monitored, and the epoch that had it.
        waited: epochs since then.
        seconds: time spent, over all processes.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    total: float = 0.0
    rows: int = 0
    best: float | None = None
    best_epoch: int | None = None
    waited: int = 0
    seconds: float = 0.0


class Run:
    """One `fit`."""

    def __init__(self, trainer: Trainer, plan: Plan, data: Batches, held_out: Batches | None) -> None:
        self.trainer = trainer
        self.plan = plan
        self.data = data
        self.place = Place()
        self.stopped = ""
        self.history = History()
        self.folder = None if plan.folder is None else checkpoints.Folder(plan.folder)
        self._held_out = held_out
        self._gathers = bool(trainer.metrics) and held_out is None
        self._own = data.generators()
        self._best: dict[str, Any] | None = None
        self._epoch_start: dict[str, Any] = {}
        self._mid_epoch: dict[str, Any] | None = None  # generators, where a checkpoint stands within an epoch
        self._metrics: list[dict[str, Any]] = []
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
            self._epoch_start = checkpoints.generator_states(self._own)
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
        for metric, gathered in zip(self.trainer.metrics, self._metrics, strict=False):
            metric.take_up(gathered)
        self._metrics = []

    def _rest(self) -> Iterator[Any]:
        """The batches of the epoch that are not done."""
        if self.folder is not None and self._mid_epoch is None:
            self._epoch_start = checkpoints.generator_states(self._own)
        batches = self.data.start(self.place.batch)
        if self._mid_epoch is not None:
            checkpoints.restore_generators(self._mid_epoch, self._own)
            self._mid_epoch = None
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
        if self._gathers or not math.isfinite(stretch.losses[-1]):
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
            if not self._gathers:
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
        if self._gathers:
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
                self._epoch_start = checkpoints.generator_states(self._own)
                self.save()

    def _judge(self, row: Row) -> None:
        """Keep the weights if the monitored value is the best so far."""
        place, plan = self.place, self.plan
        if plan.monitor not in row:
            raise KeyError(f"fit: monitor {plan.monitor!r} is no column; there are {', '.join(row)}. Fix: one of them.")
        value, sign = row[plan.monitor], 1 if self._more_is_better(plan.monitor) else -1
        if value == value and (place.best is None or sign * (value - place.best) > plan.min_delta):
            place.best, place.best_epoch, place.waited = value, place.epoch, 0
            self.history.best = len(self.history) - 1
            if self.plan.restore_best or self.folder is not None:
                self._best = deepcopy(checkpoints.weights_of(self.trainer.model))
            if self.folder is not None and not self._replaying:
                content = {"format": checkpoints.FORMAT, "model": self._best, "epoch": place.epoch + 1, "value": value}
                checkpoints.written(self.folder.best, content)
        else:
            place.waited += 1

    def _more_is_better(self, column: str) -> bool:
        name = column.removeprefix("val_")
        return any(metric.name == name and metric.more_is_better for metric in self.trainer.metrics)

    def _stopped_before(self) -> None:
        """Whether there is nothing left to do, as a finished run tells that is resumed."""
        if self.place.epoch >= self.plan.epochs:
            self.stopped = f"{self.place.epoch} epochs are done"
        elif self.history.rows and not self.place.batch:
            self._stopped_after(self.history.rows[-1])

    def _stopped_after(self, row: Row) -> None:
        plan, place = self.plan, self.place
        looked = self._held_out is None or "val_loss" in row
        missing = [name for name in plan.until if name not in row]
        if missing and looked:
            near = [name for name in row if name == f"val_{missing[0]}"] or get_close_matches(missing[0], row, 1)
            fix = f"until={{{near[0]!r}: ...}}" if near else "one of these"
            raise KeyError(
                f"fit: until names {missing[0]!r}, which is no column; there are {', '.join(row)}. Fix: {fix}."
            )
        reached = [] if missing else [
            row[name] >= bound if self._more_is_better(name) else row[name] <= bound
            for name, bound in plan.until.items()
        ]  # fmt: skip
        if reached and all(reached):
            self.stopped = "reached " + ", ".join(f"{name} {row[name]:.4g}" for name in plan.until)
        elif plan.patience is not None and place.waited >= plan.patience:
            self.stopped = f"{plan.monitor} has not become better in {place.waited} epochs"
        elif place.epoch >= plan.epochs:
            self.stopped = f"{place.epoch} epochs are done"

    def _finish(self) -> None:
        trainer, plan = self.trainer, self.plan
        if self.folder is not None:
            if not self.place.batch:
                self._epoch_start = checkpoints.generator_states(self._own)
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
        trainer, place = self.trainer, self.place
        scheduler = trainer.scheduler
        content = {
            "format": checkpoints.FORMAT,
            "model": checkpoints.weights_of(trainer.model),
            "optimizer": trainer.optimizer.state_dict(),
            "scheduler": None if scheduler is None else scheduler.state_dict(),
            "generators": checkpoints.generator_states(self._own),
            "epoch_start": self._epoch_start,
            "place": vars(place),
            "history": json.dumps(self.history.rows),
            "best_row": self.history.best,
            "counts": checkpoints.program_counts(),
            "metrics": [checkpoints.with_tensors(one.gathered()) for one in trainer.metrics] if self._gathers else [],
            "callbacks": json.dumps([one.state_dict() for one in trainer.callbacks]),
            "setup": self._setup(),
        }
        if self.folder.save(place.step, content) and self.history.rows:
            checkpoints.history_written(self.folder.path / "history.csv", self.history)

    def _setup(self) -> dict[str, Any]:
        """What must be the same for a run to go on."""
        trainer = self.trainer
        return {
            "optimizer": type(trainer.optimizer).__name__,
            **{
                f"optimizer's {name}": repr(value)
                for name, value in trainer.optimizer.defaults.items()
                if isinstance(value, int | float | str | tuple | None)
            },
            "loss": _name(trainer.loss),
            "clip_norm": trainer.clip_norm,
            "clip_value": trainer.clip_value,
            "scheduler": type(trainer.scheduler).__name__,
            "batches in an epoch": len(self.data),
            "rows in a batch": getattr(self.data, "batch_size", None),
            "accumulate": trainer.accumulate,
            "callbacks": len(trainer.callbacks),
        }

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
            self.restore(content)
            best = checkpoints.readable(folder.best) if self.place.best_epoch is not None else None
            self._best = None if best is None else best["model"]

    def restore(self, content: dict[str, Any]) -> None:
        """Stand where a checkpoint was written."""
        trainer = self.trainer
        for name, found in self._setup().items():
            if content["setup"].get(name) != found:
                raise checkpoints.ResumeError(
                    f"resume: {name} was {content['setup'].get(name)!r}, now it is {found!r}. Fix: resume with what "
                    "the run was started with, or start in another folder."
                )
        trainer.model.load_state_dict(content["model"])
        trainer.optimizer.load_state_dict(content["optimizer"])
        if trainer.scheduler is not None:
            trainer.scheduler.load_state_dict(content["scheduler"])
        for callback, saved in zip(trainer.callbacks, json.loads(content["callbacks"]), strict=True):
            callback.load_state_dict(saved)
        self.place = Place(**content["place"])
        self.history.rows[:] = json.loads(content["history"])
        self.history.best = content["best_row"]
        checkpoints.carry_counts(content["counts"])
        if self.place.batch:
            self._metrics = checkpoints.with_arrays(content["metrics"])
            self._epoch_start, self._mid_epoch = content["epoch_start"], content["generators"]
            checkpoints.restore_generators(content["epoch_start"], self._own)
        else:
            checkpoints.restore_generators(content["generators"], self._own)

    def replay(self, to_step: int) -> Any:
        """From the place of a checkpoint to just before a step; its batch, if it can be got."""
        self._replaying = True
        while True:
            for batch in self._rest():
                if self.place.step == to_step - 1:
                    return batch
                self._take_step(batch)
            self._end_epoch(time.monotonic())


def _name(one: Any) -> str:
    """Of a module or a function."""
    return str(getattr(one, "__name__", type(one).__name__))
