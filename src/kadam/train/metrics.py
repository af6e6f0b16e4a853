"""Metrics: how good outputs are, gathered batch by batch in bounded memory wherever the definition allows it.

Outputs are what the model gives: logits (or probabilities) `[rows, classes]`, one logit per row for two classes, or
values. Targets are class indices, or values.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

Array = np.ndarray


class Metric(ABC):
    """A number that says how good outputs are.

    Attributes:
        name: its column in the history.
        more_is_better: which way it shall go.
    """

    name: str
    more_is_better = True

    @abstractmethod
    def reset(self) -> None:
        """Forget all rows."""

    @abstractmethod
    def update(self, output: Array, target: Array) -> None:
        """Take in the rows of a batch."""

    @abstractmethod
    def compute(self) -> float:
        """Its value over all rows since the last reset; nan without rows."""

    def gathered(self) -> dict[str, Any]:
        """What it has taken in so far: numbers, arrays, lists of arrays."""
        return {name: value for name, value in vars(self).items() if not callable(value) and not isinstance(value, str)}

    def take_up(self, gathered: dict[str, Any]) -> None:
        """Go on from there."""
        vars(self).update(gathered)


def predicted_classes(output: Array, between: float = 0.0) -> Array:
    """The class of each row: the largest of its outputs; or 1 where its only one is above what lies between the two."""
    if output.ndim > 1 and output.shape[1] > 1:
        return np.asarray(output.argmax(1))
    return np.asarray(output.reshape(len(output)) > between, np.int64)


class OfClasses(Metric):
    """Metrics of classes.

    Attributes:
        between: above it, a row's only output means class 1: 0 of logits, a half of probabilities.
        apart: whether each output of a row is a question of its own, answered by yes or no.
    """

    between = 0.0
    apart = False

    def is_of_each(self, output: Array, target: Array) -> bool:
        """Whether the target says something of each output, not which of them it is."""
        return output.ndim == 2 and output.shape == target.shape and output.shape[1] > 1


class Confusion(OfClasses):
    """Metrics that follow from how often each class was taken for each. Where each output is a question of its own, all
    answers count alike."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.counts = np.zeros((0, 0), np.int64)

    def update(self, output: Array, target: Array) -> None:
        if self.is_of_each(output, target):
            output, target = (output.reshape(-1, 1), target) if self.apart else (output, target.argmax(1))
        true = (target if output.ndim < 3 else target.ravel()).reshape(-1).astype(np.int64)
        output = output if output.ndim < 3 else np.moveaxis(output, 1, -1).reshape(-1, output.shape[1])
        found = predicted_classes(output, self.between)
        kept = true >= 0  # what a loss is told to ignore is negative
        size = max(int(true.max(initial=0)), int(found.max(initial=0))) + 1
        if size > len(self.counts):
            grown = np.zeros((size, size), np.int64)
            grown[: len(self.counts), : len(self.counts)] = self.counts
            self.counts = grown
        size = len(self.counts)
        self.counts += np.bincount(true[kept] * size + found[kept], minlength=size * size).reshape(size, size)


class Accuracy(Confusion):
    """The share of rows whose class is right."""

    name = "accuracy"

    def compute(self) -> float:
        total = self.counts.sum()
        return float(np.trace(self.counts) / total) if total else float("nan")


class BalancedAccuracy(Confusion):
    """The mean over the classes of the share of their rows that is right."""

    name = "balanced_accuracy"

    def compute(self) -> float:
        rows = self.counts.sum(1)
        return float((np.diag(self.counts)[rows > 0] / rows[rows > 0]).mean()) if rows.any() else float("nan")


class F1(Confusion):
    """2 precision recall / (precision + recall): of class 1 if there are two classes, else the mean over classes.

    Source: van Rijsbergen 1979, Information Retrieval.
    """

    name = "f1"

    def compute(self) -> float:
        if not self.counts.sum():
            return float("nan")
        right, rows, found = np.diag(self.counts), self.counts.sum(1), self.counts.sum(0)
        if len(self.counts) == 1:
            return 0.0  # there is no row of class 1, and none was found
        occurs = rows + found > 0
        scores = 2 * right[occurs] / (rows + found)[occurs]
        return float(scores[-1] if len(self.counts) == 2 else scores.mean())


class AUC(OfClasses):
    """The chance that a row of class 1 is scored above a row of class 0; of several classes, the mean of each
    against the rest; of several questions, the mean over them. Keeps the scores of all rows."""

    name = "auc"

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._scores: list[Array] = []
        self._targets: list[Array] = []

    def update(self, output: Array, target: Array) -> None:
        if output.ndim == 1:
            output = output[:, None]
        if self.is_of_each(output, target):
            if self.apart:
                self._scores.append(output)
                self._targets.append(target)
                return
            target = target.argmax(1)
        if output.shape[1] == 2:
            output = output[:, 1:] - output[:, :1]
        elif output.shape[1] > 2:
            output = output - output.max(1, keepdims=True)
            output = output - np.log(np.exp(output).sum(1, keepdims=True))
        self._scores.append(output)
        self._targets.append(target.reshape(-1))

    def compute(self) -> float:
        if not self._scores:
            return float("nan")
        scores, target = np.concatenate(self._scores), np.concatenate(self._targets)
        if scores.shape[1] == 1:
            return _auc(scores[:, 0], target > 0)
        positive = target > 0 if target.ndim == 2 else target[:, None] == np.arange(scores.shape[1])
        values = [_auc(scores[:, index], positive[:, index]) for index in range(scores.shape[1])]
        known = [value for value in values if value == value]
        return float(np.mean(known)) if known else float("nan")


def _auc(scores: Array, positive: Array) -> float:
    """The area by the rank sum of the positive rows, ties in the middle of their ranks."""
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    ends = np.r_[starts[1:], len(ordered)]
    ranks = np.empty(len(scores))
    ranks[order] = np.repeat((starts + ends + 1) / 2, ends - starts)
    ones = int(positive.sum())
    zeros = len(positive) - ones
    if not ones or not zeros:
        return float("nan")
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


class _Sums(Metric):
    """Metrics that are sums over rows."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.rows = 0
        self.total = 0.0

    def update(self, output: Array, target: Array) -> None:
        output = output.reshape(target.shape).astype(np.float64)
        self.rows += target.size
        self.total += float(self.of_rows(output, target).sum())

    def of_rows(self, output: Array, target: Array) -> Array:
        raise NotImplementedError

    def compute(self) -> float:
        return self.total / self.rows if self.rows else float("nan")


class MAE(_Sums):
    """The mean absolute error."""

    name = "mae"
    more_is_better = False

    def of_rows(self, output: Array, target: Array) -> Array:
        return np.asarray(np.abs(output - target))


class MSE(_Sums):
    """The mean squared error."""

    name = "mse"
    more_is_better = False

    def of_rows(self, output: Array, target: Array) -> Array:
        return np.asarray(np.square(output - target))


class RMSE(MSE):
    """The root of the mean squared error, in the unit of the target."""

    name = "rmse"

    def compute(self) -> float:
        return float(np.sqrt(super().compute()))


class R2(Metric):
    """The share of the target's variance that is explained: 1 is perfect, 0 is what the mean explains. Of several
    values in a row, the mean over them."""

    name = "r2"

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.rows = 0
        self._mean = self._errors = self._squares = np.zeros(1)

    def update(self, output: Array, target: Array) -> None:
        values = target.reshape(len(target), -1).astype(np.float64)
        before, self.rows = self.rows, self.rows + len(values)
        mean = values.mean(0)
        shift = mean - self._mean
        self._squares = self._squares + np.square(values - mean).sum(0) + shift**2 * (before * len(values) / self.rows)
        self._mean = self._mean + shift * (len(values) / self.rows)
        self._errors = self._errors + np.square(output.reshape(values.shape) - values).sum(0)

    def compute(self) -> float:
        varies = self._squares > 0
        return float((1.0 - self._errors[varies] / self._squares[varies]).mean()) if varies.any() else float("nan")


class Whole(Metric):
    """A function of all outputs and all targets at once, such as scikit-learn's."""

    def __init__(self, of: Callable[[Array, Array], Any], name: str | None = None, more_is_better: bool = True) -> None:
        self.name = name or str(getattr(of, "__name__", "metric"))
        self.more_is_better = more_is_better
        self._of = of
        self.reset()

    def reset(self) -> None:
        self._outputs: list[Array] = []
        self._targets: list[Array] = []

    def update(self, output: Array, target: Array) -> None:
        self._outputs.append(output)
        self._targets.append(target)

    def compute(self) -> float:
        if not self._outputs:
            return float("nan")
        return float(self._of(np.concatenate(self._outputs), np.concatenate(self._targets)))


METRICS: dict[str, type[Metric]] = {
    kind.name: kind for kind in (Accuracy, BalancedAccuracy, F1, AUC, MAE, MSE, RMSE, R2)
}


def metrics_of(given: Iterable[str | Metric | Callable[[Array, Array], Any]]) -> list[Metric]:
    """Metrics by their names, by themselves, or by functions `fn(outputs, targets)` of NumPy arrays.

    Raises:
        ValueError: no metric has that name.
    """
    found: list[Metric] = []
    for one in [given] if isinstance(given, str) else given:
        if isinstance(one, Metric):
            found.append(one)
        elif isinstance(one, type) and issubclass(one, Metric):
            found.append(one())
        elif isinstance(one, str):
            if one not in METRICS:
                raise ValueError(f"metrics: there is no {one!r}. Fix: one of {', '.join(METRICS)}, or a function.")
            found.append(METRICS[one]())
        else:
            found.append(Whole(one))
    return found
