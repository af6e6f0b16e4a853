"""Fitting: from encoded columns and a target to a network that has learned them, without any setting to choose."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kadam.nn import functional as F
from kadam.optim import AdamW
from kadam.optim.lr_scheduler import OneCycleLR
from kadam.recording import counts
from kadam.recording.generator import default_generator
from kadam.recording.modes import no_grad
from kadam.recording.tensor import from_array, read
from kadam.tensor import Tensor
from kadam.train.batches import ArrayBatches
from kadam.train.history import History
from kadam.train.tabular.network import EVERYONES, HELD_OUT, Shape, TableNet, table_loss
from kadam.train.trainer import Trainer

Array = np.ndarray

FOLDS_UP_TO = 20_000  # rows; with more, a part is held out instead
FARTHEST = 5.0  # standard deviations; numbers beyond count as that far
_PREDICT_ROWS = (64, 4096)  # sizes of batches when predicting: few shapes are compiled once


@dataclass(frozen=True)
class Settings:
    """How a network for a table is trained. `settings_for` chooses all of it."""

    members: int
    hidden: int
    layers: int
    bins: int
    dropout: float
    lr: float
    weight_decay: float
    epochs: int
    batch_size: int
    look_every: int
    seed: int = 0

    def changed(self, **given: Any) -> Settings:
        """The same with some settings given by a person; None leaves the choice."""
        return replace(self, **{name: value for name, value in given.items() if value is not None})


def settings_for(rows: int, numbers: int, codes: int = 0) -> Settings:
    """Settings by the size of the table, found on other splits, and other made tables, than `benchmarks/tables.py` has.

    Small tables get more members, one layer and more dropout; large ones two layers and fewer passes.
    """
    small = rows < 1_500
    few_columns, hardly_any = numbers <= 12, numbers + codes <= 6
    batch_size = _batch_size(rows)
    epochs = (120 + 0.3 * rows) / max(rows // batch_size, 1) if small else 1_200 / np.sqrt(rows)
    return Settings(
        members=8 if small else 4 if rows < 200_000 else 2,
        hidden=64 if hardly_any and not small else 128,
        layers=1 if small else 2,
        bins=8 if 3 < numbers <= 12 and not small else 0,
        dropout=0.3 if small else 0.0 if few_columns else 0.1,
        lr=0.01,
        weight_decay=0.3 if small or not few_columns else 0.1,
        epochs=int(np.clip(epochs, 3, 200)),
        batch_size=batch_size,
        look_every=max(1, round(epochs / 12)),
    )


def _batch_size(rows: int) -> int:
    for bound, size in ((256, 32), (1_500, 64), (3_000, 128), (50_000, 256), (300_000, 512)):
        if rows < bound:
            return min(size, max(rows, 1))
    return 1_024


@dataclass(frozen=True)
class Columns:
    """The encoded columns of a table: `numbers` f32[rows, n], `codes` i64[rows, m], `sizes` values of each code."""

    numbers: Array
    codes: Array
    sizes: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.numbers)

    def arrays(self) -> list[Array]:
        """What the network is fed with."""
        return [self.numbers, self.codes] if self.sizes else [self.numbers]


class Fitted:
    """A network that has learned a table.

    Attributes:
        net: the network.
        classes: how many classes there are; 0: it predicts a value.
        center, scale: the target's mean and spread, for values.
        settings: how it was trained.
        history: how training went.
    """

    def __init__(self, net: TableNet, classes: int, center: float, scale: float, settings: Settings) -> None:
        self.net = net
        self.classes = classes
        self.center = center
        self.scale = scale
        self.settings = settings
        self.history = History()

    def predict(self, columns: Columns) -> Array:
        """f64[rows, classes] probabilities, or f64[rows] values: the mean of what the members say."""
        rows = len(columns)
        size = _PREDICT_ROWS[0] if rows <= _PREDICT_ROWS[0] else _PREDICT_ROWS[1] if rows > 1_024 else 1_024
        self.net.eval()
        parts = []
        with no_grad(), counts.native_at_once():
            for start in range(0, rows, size):
                batch = [_padded(one[start : start + size], size) for one in columns.arrays()]
                outputs = self.net(*batch)
                mean = F.softmax(outputs, -1).mean(0) if self.classes else outputs.squeeze(-1).mean(0)
                parts.append(read(mean)[: min(size, rows - start)].astype(np.float64))
        found = np.concatenate(parts) if parts else np.zeros((0, self.classes) if self.classes else (0,))
        return found / found.sum(1, keepdims=True) if self.classes else found * self.scale + self.center


def _padded(rows: Array, size: int) -> Tensor:
    if len(rows) == size:
        return from_array(np.array(rows))
    padded = np.zeros((size, *rows.shape[1:]), rows.dtype)
    padded[: len(rows)] = rows
    return from_array(padded)


def fit(
    columns: Columns,
    target: Array,
    classes: int,
    settings: Settings,
    weights: Array | None = None,
    folder: str | os.PathLike[str] | None = None,
    resume: bool = False,
    display: str = "off",
) -> Fitted:
    """Train a network on a table.

    Args:
        columns: the encoded columns.
        target: i64[rows] classes, or values.
        classes: how many classes there are; 0 for values.
        settings: how to train.
        weights: f32[rows], how much each row counts.
        folder, resume, display: as in `Trainer.fit`.
    """
    center, scale = (0.0, 1.0) if classes else _moments(target)
    values = target.astype(np.int64) if classes else ((target - center) / scale).astype(np.float32)
    with seeded(settings.seed), counts.native_at_once():
        fold = _folds(values, classes, settings)
        net = TableNet(
            Shape(
                columns.numbers.shape[1], columns.sizes, max(classes, 1), settings.members, settings.hidden,
                settings.layers, bins=settings.bins if columns.numbers.shape[1] else 0, dropout=settings.dropout,
            ),
            _edges(columns.numbers, settings.bins),
        )  # fmt: skip
        fitted = Fitted(net, classes, center, scale, settings)
        parts = [*columns.arrays(), values, fold, *([] if weights is None else [weights.astype(np.float32)])]
        train, held_out = _divided(parts, fold, settings)
        optimizer = AdamW(net.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
        steps = max(settings.epochs * len(train), 2)
        scheduler = OneCycleLR(optimizer, settings.lr, total_steps=steps + 1, pct_start=0.1)
        trainer = Trainer(
            net,
            None,
            optimizer,
            scheduler=scheduler,
            scheduler_each="step",
            step=_Loss(bool(columns.sizes)),
            steady=True,
        )
        fitted.history = trainer.fit(
            train, epochs=settings.epochs, validation=held_out, validate_every=settings.look_every, restore_best=True,
            folder=folder, resume=resume, display=display,
        )  # fmt: skip
    net.eval()
    return fitted


@dataclass(frozen=True)
class _Loss:
    """The loss of a batch: in training over the rows that each member learns from, else over those it does not."""

    has_codes: bool

    def __call__(self, net: TableNet, batch: Sequence[Tensor]) -> Tensor:
        inputs = 2 if self.has_codes else 1
        target, fold, *weights = batch[inputs:]
        return table_loss(net(*batch[:inputs]), target, fold, net.ids, weights, net.training)


def _moments(target: Array) -> tuple[float, float]:
    center, scale = float(target.mean()), float(target.std())
    return center, scale if scale > 0 else 1.0


def _folds(target: Array, classes: int, settings: Settings) -> Array:
    """The fold of each row: evenly over the classes, so that each member has seen them all."""
    rows, members = len(target), settings.members
    draw = np.random.default_rng(settings.seed)
    if rows < 2:
        return np.full(rows, EVERYONES)
    if rows > FOLDS_UP_TO or members == 1:
        held = draw.random(rows) < min(0.1 if rows > 1_000 else 0.2, 20_000 / rows)
        return np.where(held, HELD_OUT, EVERYONES)
    fold = np.empty(rows, np.int64)
    if not classes:
        fold[draw.permutation(rows)] = np.arange(rows) % members
        return fold
    start = 0
    for one in range(classes):
        of_class = draw.permutation(np.flatnonzero(target == one))
        fold[of_class] = (np.arange(len(of_class)) + start) % members
        start += len(of_class)
    return fold


def _divided(parts: Sequence[Array], fold: Array, settings: Settings) -> tuple[ArrayBatches, ArrayBatches]:
    """Batches to learn from, and batches to look at."""
    size = settings.batch_size
    held = fold == HELD_OUT
    some = bool(held.any() and not held.all())
    kept, looked_at = (np.flatnonzero(~held), np.flatnonzero(held)) if some else (None, None)
    whole = (len(fold) if kept is None else len(kept)) >= size
    return (
        ArrayBatches(parts, size, shuffle=True, drop_last=whole, draws=True, chosen=kept),
        ArrayBatches(parts, 4_096, chosen=looked_at),
    )


def _edges(numbers: Array, bins: int) -> Tensor | None:
    """f32[columns, bins + 1]: where the pieces of each column's range begin and end: equally many rows in each."""
    if not bins or not numbers.shape[1]:
        return None
    some = numbers[:: max(1, len(numbers) // 50_000)]
    return from_array(np.ascontiguousarray(np.quantile(some, np.linspace(0, 1, bins + 1), axis=0).T.astype(np.float32)))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Kadam's random numbers from this seed; afterwards they go on where they stood."""
    before = default_generator.state_bytes()
    default_generator.manual_seed(seed)
    try:
        yield
    finally:
        default_generator.set_state_bytes(before)
