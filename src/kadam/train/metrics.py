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


def predicted_classes(output: Array) -> Array:
    """The class of each row: the largest of its outputs, or the sign of its only one."""
    if output.ndim > 1 and output.shape[1] > 1:
        return np.asarray(output.argmax(1))
    return np.asarray(output.reshape(len(output)) > 0, np.int64)


class _Confusion(Metric):
    """Metrics of classes: they follow from how often each class was taken for each."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.counts = np.zeros((0, 0), np.int64)

    def update(self, output: Array, target: Array) -> None:
        true = (target if output.ndim < 3 else target.ravel()).reshape(-1).astype(np.int64)
        output = output if output.ndim < 3 else np.moveaxis(output, 1, -1).reshape(-1, output.shape[1])
        found = predicted_classes(output)
        kept = true >= 0  # what a loss is told to ignore is negative
        size = max(int(true.max(initial=0)), int(found.max(initial=0))) + 1
        if size > len(self.counts):
            grown = np.zeros((size, size), np.int64)
            grown[: len(self.counts), : len(self.counts)] = self.counts
            self.counts = grown
        size = len(self.counts)
        self.counts += np.bincount(true[kept] * size + found[kept], minlength=size * size).reshape(size, size)


class Accuracy(_Confusion):
    """The share of rows whose class is right."""

    name = "accuracy"

    def compute(self) -> float:
        total = self.counts.sum()
        return float(np.trace(self.counts) / total) if total else float("nan")


class BalancedAccuracy(_Confusion):
    """The mean over the classes of the share of their rows that is right."""

    name = "balanced_accuracy"

    def compute(self) -> float:
        rows = self.counts.sum(1)
        return float((np.diag(self.counts)[rows > 0] / rows[rows > 0]).mean()) if rows.any() else float("nan")


class F1(_Confusion):
    """2 precision recall / (precision + recall): of class 1 if there are two classes, else the mean over classes.

    Source: van Rijsbergen 1979, Information Retrieval.
    """

    name = "f1"

    def compute(self) -> float:
        if not self.counts.sum():
            return float("nan")
        right, rows, found = np.diag(self.counts), self.counts.sum(1), self.counts.sum(0)
        occurs = rows + found > 0
        scores = 2 * right[occurs] / (rows + found)[occurs]
        return float(scores[-1] if len(self.counts) <= 2 else scores.mean())


class AUC(Metric):
    """The chance that a row of class 1 is scored above a row of class 0; of several classes, the mean of each
    against the rest. Keeps the scores of all rows."""

    name = "auc"

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._scores: list[Array] = []
        self._targets: list[Array] = []

    def update(self, output: Array, target: Array) -> None:
        if output.ndim == 1:
            output = output[:, None]
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
        values = [_auc(scores[:, index], target == index) for index in range(scores.shape[1])]
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


class R2(MSE):
    """The share of the target's variance that is explained: 1 is perfect, 0 is what the mean explains."""

    name = "r2"
    more_is_better = True

    def reset(self) -> None:
        super().reset()
        self._mean = self._squares = 0.0

    def update(self, output: Array, target: Array) -> None:
        before = self.rows
        super().update(output, target)
        values = target.astype(np.float64)
        mean = float(values.mean())
        shift = mean - self._mean
        self._squares += float(np.square(values - mean).sum()) + shift**2 * before * target.size / self.rows
        self._mean += shift * target.size / self.rows

    def compute(self) -> float:
        return 1.0 - self.total / self._squares if self._squares else float("nan")


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
