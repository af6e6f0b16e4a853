"""Trainer: a model, a loss and an optimizer, and everything around them that a training program repeats."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from kadam.errors import OperandError
from kadam.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits
from kadam.nn.modules import BCELoss, BCEWithLogitsLoss, Module
from kadam.nn.modules.shown import as_html
from kadam.optim import AdamW, Optimizer
from kadam.optim.lr_scheduler import ReduceLROnPlateau
from kadam.recording.modes import no_grad
from kadam.recording.tensor import from_array, read
from kadam.tensor import Tensor
from kadam.train.batches import LOOKED_AT, ArrayBatches, Batches, rows_in
from kadam.train.callbacks import Callback
from kadam.train.given import batches_of
from kadam.train.history import History
from kadam.train.metrics import Metric, OfClasses, metrics_of
from kadam.train.nested import NestedBatches
from kadam.train.plan import Plan
from kadam.train.run import Run
from kadam.utils.data import DataLoader

MOST_CLASSES = 100  # with more, whole numbers are no classes, or some are in few rows
Step: TypeAlias = Callable[[Any, Any], Any]


class Judged(NamedTuple):
    """What a model gives, and what metrics compare it with."""

    output: Any
    target: Any


class Trainer:
    """Trains a model: `fit`, `evaluate`, `predict`. With the same seed, the numbers of the loop written by hand.

    A batch is `(input, ..., target)`: the loss is `loss(model(input, ...), target)`. Where that does not fit, `step`
    says how a batch becomes a loss.

    Args:
        model: what is trained.
        loss: `loss(output, target)` -> a scalar: a module of `kadam.nn` or a function.
        optimizer: of the model's parameters; or a class or function that makes one of them. AdamW unless given.
        scheduler: sets the learning rates; or a function that makes it from the optimizer.
        scheduler_each: "epoch" or "step": when the scheduler moves on.
        metrics: names (`accuracy`, `f1`, `auc`, `mae`, `r2` ...), metrics, or functions of all outputs and targets.
            They are taken on validation data or, without any, on what the training batches gave.
        clip_norm: bound on the norm of all gradients together.
        clip_value: bound on each entry of the gradients.
        accumulate: batches whose gradients are averaged into one step of the optimizer.
        step: `step(model, batch)` -> the loss; or the loss and the output; or the loss, the output and the target (if
            that is not the last entry of a batch), instead of `loss`.
        callbacks: what else happens between steps and epochs.
        steady: a promise: the Python code of the model, and of the loss or the step, does the same at every step (it
            counts nothing, prints nothing, looks at no values). Many steps then run in one native call, as they do
            without it for models of Kadam's own modules.

    Raises:
        OperandError: there is neither a loss nor a step.
    """

    def __init__(
        self,
        model: Module,
        loss: Callable[[Any, Any], Tensor] | None = None,
        optimizer: Optimizer | Callable[[Any], Optimizer] = AdamW,
        *,
        scheduler: Any = None,
        scheduler_each: str = "epoch",
        metrics: Iterable[str | Metric | Callable[[Any, Any], Any]] = (),
        clip_norm: float | None = None,
        clip_value: float | None = None,
        accumulate: int = 1,
        step: Step | None = None,
        callbacks: Sequence[Callback] = (),
        steady: bool = False,
    ) -> None:
        if (loss is None) == (step is None):
            raise OperandError(
                "Trainer: give either loss(output, target) or step(model, batch). Fix: Trainer(model, "
                "nn.CrossEntropyLoss())."
            )
        _check_callable("loss", loss, "nn.CrossEntropyLoss()")
        _check_callable("optimizer", optimizer, "kadam.optim.Adam")
        if scheduler_each not in ("epoch", "step"):
            raise ValueError(f"Trainer: scheduler_each must be 'epoch' or 'step', not {scheduler_each!r}.")
        _check_counts("Trainer", 1, accumulate=accumulate)
        for strange in (one for one in callbacks if not isinstance(one, Callback)):
            raise TypeError(
                f"Trainer: a {type(strange).__name__} is no callback. Fix: derive from kadam.train.Callback and "
                "override on_step or on_epoch."
            )
        self.model = model
        self.loss = loss
        self.optimizer = optimizer if isinstance(optimizer, Optimizer) else optimizer(model.parameters())
        self.scheduler = scheduler(self.optimizer) if _makes_scheduler(scheduler) else scheduler
        self.scheduler_each = scheduler_each
        self.metrics = metrics_of(metrics)
        for metric in (one for one in self.metrics if isinstance(one, OfClasses)):
            of_probabilities = isinstance(loss, BCELoss) or loss is binary_cross_entropy
            metric.between = 0.5 if of_probabilities else metric.between
            of_logits = isinstance(loss, BCEWithLogitsLoss) or loss is binary_cross_entropy_with_logits
            metric.apart = of_probabilities or of_logits or metric.apart
        self.clip_norm = clip_norm
        self.clip_value = clip_value
        self.accumulate = accumulate
        if isinstance(self.scheduler, ReduceLROnPlateau) and scheduler_each == "step":
            raise ValueError(
                "Trainer: ReduceLROnPlateau looks at what an epoch has come to. Fix: scheduler_each='epoch'."
            )
        self.callbacks = list(callbacks)
        self.steady = steady
        self.history = History()
        self._step = step
        self._run: Run | None = None

    def fit(
        self,
        data: Any,
        target: Any = None,
        *,
        epochs: int = 10,
        max_steps: int | None = None,
        batch_size: int = 32,
        shuffle: bool = True,
        drop_last: bool = False,
        validation: Any = None,
        validate_every: int = 1,
        monitor: str | None = None,
        patience: int | None = None,
        min_delta: float = 0.0,
        until: Mapping[str, float] | None = None,
        restore_best: bool | None = None,
        folder: str | os.PathLike[str] | None = None,
        resume: bool = False,
        save_every_s: float = 30.0,
        save_every_steps: int | None = None,
        display: str = "auto",
    ) -> History:
        """Train for some epochs, or until something says that it is enough.

        Arrays are shuffled as a DataLoader would, from the same draws. Ctrl-C ends the run after the present step; with
        a folder, it is saved and can be resumed.

        Args:
            data: inputs, `(inputs, ..., target)`, a Dataset or a DataLoader; arrays, tensors or tables. Inputs in a
                dict reach the model as a dict, those in a tuple one by one.
            target: the targets, if `data` is inputs.
            epochs: passes over the data.
            max_steps: end after as many batches, even within an epoch.
            batch_size, shuffle, drop_last: how arrays and datasets are cut into batches.
            validation: data of the same forms, looked at after each epoch; or a share of the rows (0 < share < 1),
                taken from the end of arrays.
            validate_every: epochs from one look at the validation data to the next; the last epoch has one too.
            monitor: the column of the history that decides what is best: `val_loss` or, without validation, `loss`.
            patience: end when the monitored value has not become better in so many epochs.
            min_delta: by how much it must become better to count.
            until: end as soon as all these columns are as good: `{"val_accuracy": 0.97}`.
            restore_best: give the model its best weights at the end; if None, do so when there is `patience`.
            folder: where checkpoints (the newest two and the best) and `history.csv` are written.
            resume: go on from the newest sound checkpoint of the folder, if it has one.
            save_every_s: seconds between checkpoints.
            save_every_steps: steps between checkpoints, instead.
            display: "auto" (live on a terminal, else silent), "live", "plain" or "off".

        Raises:
            NonFiniteLoss: the loss became nan or infinite; the folder keeps the last good checkpoint.
            ResumeError: the folder holds a run already, or one of another kind.
        """
        _check_counts("fit", 0, epochs=epochs)
        _check_counts("fit", 1, validate_every=validate_every)
        for name, count in {"max_steps": max_steps, "patience": patience, "save_every_steps": save_every_steps}.items():
            if count is not None:
                _check_counts("fit", 1, **{name: count})
        if until is not None and not isinstance(until, Mapping):
            raise TypeError(f"fit: until is a {type(until).__name__}. Fix: until={{'val_accuracy': {until}}}.")
        train, held_out = self._divided(data, target, validation, batch_size, shuffle, drop_last)
        monitor = monitor or ("loss" if held_out is None else "val_loss")
        plan = Plan(
            epochs, max_steps, monitor, patience, min_delta, dict(until or {}),
            patience is not None if restore_best is None else restore_best,
            None if folder is None else Path(folder), resume, save_every_s, save_every_steps, display, validate_every,
        )  # fmt: skip
        self._run = Run(self, plan, train, held_out)
        try:
            return self._run.go()
        finally:
            self._run = None

    @property
    def steps_as_declared(self) -> bool:
        """Whether a step's loss is `loss(model(input, ...), target)`, and nothing in this class was replaced."""
        own = type(self).forward is Trainer.forward and type(self).note_metrics is Trainer.note_metrics
        return self._step is None and own and "forward" not in vars(self)

    def stop(self, why: str) -> None:
        """End the run that is under way after the present step; for callbacks."""
        if self._run is not None:
            self._run.stopped = self._run.stopped or why

    def evaluate(self, data: Any, target: Any = None, *, batch_size: int = LOOKED_AT) -> dict[str, float]:
        """The loss and the metrics on data, the model in evaluation mode."""
        return self.scores(self._batches(data, target, batch_size=batch_size))

    def scores(self, batches: Batches) -> dict[str, float]:
        """The same of batches."""
        for metric in self.metrics:
            metric.reset()
        was_training = self.model.training
        self.model.eval()
        total, rows = 0.0, 0
        try:
            with no_grad():
                for batch in batches.start():
                    loss, output = self.forward(batch)
                    count = rows_in(batch)
                    total, rows = total + loss.item() * count, rows + count
                    self.note_metrics(output, batch)
        finally:
            self.model.train(was_training)
        found = {"loss": total / rows if rows else float("nan")}
        return found | {metric.name: metric.compute() for metric in self.metrics}

    def predict(self, inputs: Any, *, batch_size: int = LOOKED_AT) -> Tensor:
        """The model's outputs, in evaluation mode, as one tensor.

        Of a loader whose batches have several entries, the last is the target and is left out.
        """
        batches = self._batches(inputs, batch_size=batch_size)
        all_inputs = isinstance(batches, ArrayBatches | NestedBatches) and not isinstance(inputs, DataLoader)
        was_training = self.model.training
        self.model.eval()
        outputs = []
        try:
            with no_grad():
                for batch in batches.start():
                    parts = list(batch) if isinstance(batch, list | tuple) else [batch]
                    outputs.append(read(self.model(*(parts if all_inputs or len(parts) == 1 else parts[:-1]))))
        finally:
            self.model.train(was_training)
        if not outputs:
            raise OperandError("predict: there are no rows. Fix: give at least one.")
        return from_array(np.concatenate(outputs))

    def forward(self, batch: Any) -> tuple[Tensor, Any]:
        """The loss of a batch, and the output that metrics look at."""
        if self._step is not None:
            loss, *rest = found if isinstance(found := self._step(self.model, batch), tuple) else (found,)
            if self.metrics and not rest:
                raise OperandError(
                    "Trainer: metrics look at what the model gives, but step returns the loss alone. Fix: return loss, "
                    "output."
                )
            return loss, Judged(*rest) if len(rest) == 2 else rest[0] if rest else None
        assert self.loss is not None
        if not isinstance(batch, list | tuple) or len(batch) < 2:
            found = "has one entry only" if isinstance(batch, list | tuple) else f"is a {type(batch).__name__}"
            raise OperandError(
                f"Trainer: a batch must be (input, ..., target), but {found}. Fix: fit(inputs, target), or a dataset "
                "that gives pairs; or tell by step=fn(model, batch) what a batch's loss is."
            )
        *inputs, target = batch
        output = self.model(*inputs)
        return self.loss(output, target), output

    def note_metrics(self, output: Any, batch: Any) -> None:
        """Let the metrics take in a batch."""
        if self.metrics and not isinstance(output, Judged) and not isinstance(batch, list | tuple):
            raise OperandError(
                f"Trainer: metrics take the last entry of a batch for the target, but a batch is a "
                f"{type(batch).__name__}. Fix: let step return (loss, output, target)."
            )
        judged = output if isinstance(output, Judged) else Judged(output, batch[-1]) if self.metrics else None
        if judged is not None and isinstance(judged.output, Tensor):
            found, target = read(judged.output.detach()), np.asarray(read(judged.target.detach()))
            for metric in self.metrics:
                metric.update(found, target)

    def _repr_html_(self) -> str:
        return as_html(self.model) + (self.history._repr_html_() if self.history.rows else "")

    def _divided(
        self, data: Any, target: Any, validation: Any, batch_size: int, shuffle: bool, drop_last: bool
    ) -> tuple[Batches, Batches | None]:
        """Training and validation batches."""
        train = self._batches(data, target, batch_size, shuffle, drop_last, draws=True)
        if validation is None:
            return train, None
        if not isinstance(validation, float | int):
            return train, self._batches(validation, batch_size=max(batch_size, LOOKED_AT))
        if not 0 < validation < 1:
            raise OperandError(
                f"fit: validation={validation}: a share of the rows is a number between 0 and 1. Fix: validation=0.2."
            )
        kept, held = train.parted(validation)
        if strange := _unlearned(kept, held):
            warnings.warn(
                f"fit: validation={validation} takes the last rows, and these alone have {strange}. Fix: shuffle "
                "the rows first, or give validation=(x_val, y_val).",
                stacklevel=3,
            )
        return kept, held

    def _batches(
        self,
        data: Any,
        target: Any = None,
        batch_size: int = 32,
        shuffle: bool = False,
        drop_last: bool = False,
        draws: bool = False,
    ) -> Batches:
        floats = (one.dtype for one in self.model.parameters() if one.is_floating_point())
        dtype = next(floats, None)
        return batches_of(
            data, target, batch_size=batch_size, shuffle=shuffle, drop_last=drop_last, draws=draws,
            dtype=np.float32 if dtype is None else dtype.numpy,
        )  # fmt: skip


def _unlearned(kept: Batches, held: Batches) -> str:
    """Classes that only held-out rows have, as where rows are sorted by class; empty if there are none."""
    if not isinstance(kept, ArrayBatches) or not isinstance(held, ArrayBatches):
        return ""
    learned, looked_at = kept.arrays[-1], held.arrays[-1]
    if len(kept.arrays) < 2 or learned.dtype.kind != "i" or learned.ndim != 1:
        return ""
    strange = np.setdiff1d(looked_at, learned)
    return f"class {strange[0]}" if 0 < len(strange) <= MOST_CLASSES else ""


def _check_callable(name: str, given: Any, example: str) -> None:
    if not (callable(given) or given is None or isinstance(given, Optimizer)):
        raise TypeError(f"Trainer: {name}={given!r} cannot be called. Fix: {name}={example}.")


def _check_counts(who: str, least: int, **counts: Any) -> None:
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < least:
            raise ValueError(
                f"{who}: {name} must be an int from {least} on, not {count!r}. Fix: {name}={max(least, 1)}."
            )


def _makes_scheduler(scheduler: Any) -> bool:
    return (callable(scheduler) and not hasattr(scheduler, "step")) or isinstance(scheduler, type)
