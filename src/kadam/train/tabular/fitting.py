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
from kadam.train.tabular.encoded import Columns
from kadam.train.tabular.linear import GROUPS, MOST_CELLS, MOST_LOGITS, Line, lines
from kadam.train.tabular.network import EVERYONES, HELD_OUT, Shape, TableNet, table_loss
from kadam.train.tabular.rounds import Rounds
from kadam.train.trainer import Trainer

Array = np.ndarray

FOLDS_UP_TO = 20_000  # rows; with more, a part is held out instead
ROWS_ENOUGH = 20_000  # to learn from as few passes with many columns as with few
FARTHEST = 5.0  # standard deviations; numbers beyond count as that far
MOST_WEIGHTS = 6_000_000  # of the members' first layers, as long as there are a few members and units
NEARLY = 1.0  # standard errors, by which a smaller share of the line may be worse
PIECE_ROWS = 16_384  # that are predicted before the next are looked at
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

    def sized_as(self, other: Settings) -> Settings:
        """The same, with the other's network, and its seed: whoever left out a row then leaves it out again."""
        kept = {name: getattr(other, name) for name in ("members", "hidden", "layers", "bins", "seed")}
        return replace(self, **kept)


def settings_for(rows: int, numbers: int, codes: int = 0) -> Settings:
    """Settings by the size of the table, found on other splits, and other made tables, than `benchmarks/tables.py` has.

    Small tables get more members, one layer, more dropout and weights that decay faster the fewer the rows are; large
    ones two layers and fewer passes. Many columns ask for more passes, and dropout, until there are rows enough. Looks
    at what is held out cost a small table as much as its steps, so there are fewer of them. Thousands of columns get
    fewer members: each step reads and writes all weights, and their number is that of the columns times the units.
    """
    small = rows < 1_500
    few_columns, hardly_any = numbers <= 12, numbers + codes <= 6
    wide = not few_columns and rows < ROWS_ENOUGH
    batch_size = _batch_size(rows)
    steps = (0.75 if few_columns else 1.0) * (120 + 0.3 * rows)  # of a small table
    wanted = steps / max(rows // batch_size, 1) if small else 1_200 / np.sqrt(rows)
    if wide and not small:
        wanted = max(wanted, min(180_000 / rows, 80))
    epochs = int(np.clip(wanted, 3, 200))
    look_every = max(1, round(epochs / (6 if small else 12)))
    hidden = 64 if hardly_any and not small else 128
    bins = 8 if 3 < numbers <= 12 and not small else 0
    members, hidden = _affordable(_members(rows, hardly_any), hidden, numbers * (1 + bins) + codes * Shape.embedding)
    return Settings(
        members=members,
        hidden=hidden,
        layers=1 if small else 2,
        bins=bins,
        dropout=_dropout(small, few_columns, wide),
        lr=0.01,
        weight_decay=float(np.clip(100 / rows, 0.2, 1.0)) if small else 0.1 if few_columns else 0.3,
        epochs=max(1, round(epochs / look_every)) * look_every,
        batch_size=batch_size,
        look_every=look_every,
    )


def _dropout(small: bool, few_columns: bool, wide: bool) -> float:
    """The more, the more columns there are for each row: chance finds its patterns among many."""
    if small:
        return 0.2 if few_columns else 0.4
    return 0.0 if few_columns else 0.3 if wide else 0.1


def _members(rows: int, hardly_any: bool) -> int:
    """As many networks as a small table takes no time for; they cost what they compute where the table is large."""
    if rows < 700:
        return 16
    if rows < 1_500 or (rows <= 3_000 and hardly_any):
        return 8
    return 4 if rows < 200_000 else 2


def _affordable(members: int, hidden: int, inputs: int) -> tuple[int, int]:
    """Members and units whose first layers have no more than MOST_WEIGHTS: members are given up first, as a member of
    few units learns less than fewer members do; but 4 members (or as few as there are) and 16 units stay."""
    units = MOST_WEIGHTS // max(inputs, 1)
    members = min(members, max(4, units // hidden))
    return members, min(hidden, max(16, units // members))


def _batch_size(rows: int) -> int:
    for bound, size in ((256, 32), (1_500, 64), (3_000, 128), (50_000, 256), (300_000, 512)):
        if rows < bound:
            return min(size, max(rows, 1))
    return 1_024


class Fitted:
    """A network that has learned a table.

    Attributes:
        net: the network.
        classes: how many classes there are; 0: it predicts a value.
        center, scale: the target's mean and spread, for values; of several, of each.
        settings: how it was trained.
        history: how training went.
        line, share: a linear model, and how much of the answer is its.
    """

    def __init__(
        self, net: TableNet, classes: int, center: float | Array, scale: float | Array, settings: Settings
    ) -> None:
        self.net = net
        self.classes = classes
        self.center = center
        self.scale = scale
        self.settings = settings
        self.history = History()
        self.line: Line | None = None
        self.share = 0.0

    def predict(self, columns: Columns) -> Array:
        """f64[rows, classes] probabilities, or f64[rows] values (f64[rows, outputs], if it learned several): the mean
        of what the members say, and of the line."""
        starts = range(0, max(len(columns), 1), PIECE_ROWS)
        found = np.concatenate([self._said(columns.take(slice(start, start + PIECE_ROWS))) for start in starts])
        return np.asarray(found / found.sum(1, keepdims=True) if self.classes else found * self.scale + self.center)

    def _said(self, columns: Columns) -> Array:
        found = self.members(columns).mean(0, dtype=np.float64)
        if self.line is None or not self.share:
            return np.asarray(found)
        return np.asarray((1 - self.share) * found + self.share * self.line(columns))

    def members(self, columns: Columns) -> Array:
        """f32[members, rows, classes] probabilities, or f32[members, rows] values in units of the target's spread
        (f32[members, rows, outputs], if it learned several)."""
        rows = len(columns)
        size = _PREDICT_ROWS[0] if rows <= _PREDICT_ROWS[0] else _PREDICT_ROWS[1] if rows > 1_024 else 1_024
        self.net.eval()
        parts = []
        with no_grad(), counts.native_at_once():
            for start in range(0, rows, size):
                batch = [_padded(one[start : start + size], size) for one in columns.arrays()]
                outputs = self.net(*batch)
                said = F.softmax(outputs, -1) if self.classes else outputs.squeeze(-1)
                parts.append(read(said)[:, : min(size, rows - start)])
        return np.concatenate(parts, 1) if parts else np.zeros((1, 0, self.classes) if self.classes else (1, 0))


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
    start: Fitted | None = None,
) -> Fitted:
    """Train a network on a table.

    Args:
        columns: the encoded columns.
        target: i64[rows] classes, f64[rows] values, or f64[rows, outputs] of them.
        classes: how many classes there are; 0 for values.
        settings: how to train.
        weights: f32[rows], how much each row counts.
        folder, resume, display: as in `Trainer.fit`.
        start: begin with what this one has learned, of columns encoded alike, and with its network's size.
    """
    if start is not None:
        settings = settings.sized_as(start.settings)
        center, scale = start.center, start.scale
    else:
        center, scale = (0.0, 1.0) if classes else moments(target, weights)
    values = target.astype(np.int64) if classes else ((target - center) / scale).astype(np.float32)
    with seeded(settings.seed), counts.native_at_once():
        fold = _folds(values, classes, settings)
        net = network(columns, outputs_of(values, classes), settings)
        if start is not None:
            net.load_state_dict(start.net.state_dict())
        fitted = Fitted(net, classes, center, scale, settings)
        parts = [*columns.arrays(), values, fold, *([] if weights is None else [weights.astype(np.float32)])]
        passes = max(one for one in range(1, settings.look_every + 1) if settings.epochs % one == 0)
        train, held_out = _divided(parts, fold, settings, passes)
        rounds = settings.epochs // passes
        loss = Loss(bool(columns.sizes), weights is not None)
        trainer = _trainer(net, loss, settings, rounds * len(train))
        fitted.history = trainer.fit(
            train, epochs=rounds, validation=held_out, restore_best=True, folder=folder, resume=resume, display=display,
        )  # fmt: skip
        for row in fitted.history.rows:
            row["epoch"] *= passes
        _blend(fitted, columns, values, fold, weights)
    net.eval()
    return fitted


def outputs_of(target: Array, classes: int) -> int:
    """How many numbers a network says of a row."""
    return classes or (target.shape[1] if target.ndim == 2 else 1)


def network(columns: Columns, outputs: int, settings: Settings) -> TableNet:
    """A network that has learned nothing yet."""
    numbers = columns.numbers.shape[1]
    shape = Shape(
        numbers, columns.sizes, outputs, settings.members, settings.hidden, settings.layers,
        bins=settings.bins if numbers else 0,
    )  # fmt: skip
    return TableNet(shape, _edges(columns.numbers, settings.bins))


def _trainer(net: TableNet, loss: Loss, settings: Settings, steps: int) -> Trainer:
    """What trains a network for a number of steps: the rate rises, then falls to nothing."""
    steps = max(steps, 2)
    optimizer = AdamW(net.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
    scheduler = OneCycleLR(optimizer, settings.lr, total_steps=steps + 1, pct_start=max(0.1, 2 / steps))
    return Trainer(net, None, optimizer, scheduler=scheduler, scheduler_each="step", step=loss, steady=True)


def _blend(fitted: Fitted, columns: Columns, values: Array, fold: Array, weights: Array | None) -> None:
    """Give a line as much of the answer as makes it best, judged on rows that neither had seen."""
    classes, settings = fitted.classes, fitted.settings
    honest = fold != EVERYONES
    if not honest.any() or (classes and len(np.unique(values)) < 2):
        return
    most = min(MOST_LOGITS // (outputs_of(values, classes) * (GROUPS + 1)), MOST_CELLS // columns.width)
    rows = _some_rows(fold, most, settings.seed)
    fold, honest, values, columns = fold[rows], honest[rows], values[rows], columns.take(rows)
    left_out = np.where(fold >= 0, fold % GROUPS, np.where(fold == HELD_OUT, 0, -1))
    line, of_line = lines(columns, values, classes, left_out, None if weights is None else weights[rows])
    said = fitted.members(columns.take(honest))
    own = fold[honest]
    of_net = said.mean(0) if (own == HELD_OUT).all() else said[own, np.arange(len(own))]
    of_line = of_line[honest]
    true = np.eye(classes)[values[honest]] if classes else values[honest]
    counts = None if weights is None else weights[rows][honest]
    of_line = of_line[:, 0] if true.ndim == 1 else of_line
    fitted.line, fitted.share = line, _best_share(of_net, of_line, true, counts, bool(classes))


def _best_share(of_net: Array, of_line: Array, true: Array, counts: Array | None, is_classes: bool) -> float:
    """The smallest share of the line that is nearly as good as the best: what nets say is the mean of all members in
    the end, which is better than what one of them says of the rows that it has not seen."""
    shares = np.linspace(0, 1, 21)
    losses = np.stack([_losses((1 - one) * of_net + one * of_line, true, is_classes) for one in shares])
    losses = losses if counts is None else losses * counts
    worse = losses - losses[losses.mean(1).argmin()]
    near = worse.mean(1) <= NEARLY * worse.std(1) / np.sqrt(losses.shape[1])
    return float(shares[int(near.argmax())])


def _losses(found: Array, true: Array, is_classes: bool) -> Array:
    """f64[rows]: of probabilities the logarithm of the true class's, of values the squared error."""
    if not is_classes:
        return np.asarray(np.square(found - true).reshape(len(true), -1).mean(1))
    return np.asarray(-np.log(np.maximum((found * true).sum(1), 1e-12)))


def _some_rows(fold: Array, most: int, seed: int) -> Array:
    """At most so many rows, half of them held out if not all are, in their order."""
    draw = np.random.default_rng(seed)
    if len(fold) <= most:
        return np.arange(len(fold))
    honest = np.flatnonzero(fold != EVERYONES)
    others = np.flatnonzero(fold == EVERYONES)
    kept = draw.permutation(honest)[: most // 2 if len(others) else most]
    return np.sort(np.concatenate([kept, draw.permutation(others)[: most - len(kept)]]))


@dataclass(frozen=True)
class Loss:
    """The loss of a batch: in training over the rows that each member learns from, else over those it does not."""

    has_codes: bool
    has_weights: bool

    def __call__(self, net: TableNet, batch: Sequence[Tensor]) -> Tensor:
        numbers, *rest = batch
        codes = rest.pop(0) if self.has_codes else None
        target, fold, *rest = rest
        weights, kept = rest[: self.has_weights], rest[self.has_weights :]
        return table_loss(net(numbers, codes, kept), target, fold, net.ids, weights, net.training)


def moments(target: Array, weights: Array | None) -> tuple[float | Array, float | Array]:
    """Mean and spread of values (of each column of them), of which each row counts by its weight; a spread of 1 where
    they are all alike."""
    center = np.average(target, 0, weights)
    scale = np.sqrt(np.average(np.square(target - center), 0, weights))
    scale = np.where(scale > 0, scale, 1.0)
    return (center, scale) if target.ndim == 2 else (float(center), float(scale))


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


def _divided(parts: Sequence[Array], fold: Array, settings: Settings, passes: int) -> tuple[Rounds, ArrayBatches]:
    """Batches to learn from, and batches to look at."""
    units = settings.layers, settings.members, settings.hidden
    held = fold == HELD_OUT
    some = bool(held.any() and not held.all())
    kept, looked_at = (np.flatnonzero(~held), np.flatnonzero(held)) if some else (None, None)
    return (
        Rounds(parts, settings.batch_size, passes, kept, units, settings.dropout),
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
