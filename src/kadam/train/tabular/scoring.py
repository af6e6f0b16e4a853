"""Scores on rows that were held out, beside those of baselines."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np

from kadam.train.metrics import AUC, F1, R2, BalancedAccuracy
from kadam.train.tabular.encoded import Columns
from kadam.train.tabular.target import Target

Scores = dict[str, float]
# What a model says of the test rows, and by how much each class's probability counts where one is chosen (None: alike).
Said = tuple[np.ndarray, np.ndarray | None]
_BASELINE_ROWS = 50_000


def scores(target: Target, rows: np.ndarray, found: np.ndarray, choice: np.ndarray | None = None) -> Scores:
    """How good predictions are: probabilities of classes, or values.

    Args:
        target: all rows' targets.
        rows: which were predicted.
        found: the predictions.
        choice: by how much each class's probability counts where one is chosen; None: all alike.
    """
    true = target.values[rows]
    if not target.classes:
        error = found - true
        r2 = R2()
        r2.update(found, true)
        return {"r2": r2.compute(), "mae": float(np.abs(error).mean()), "rmse": float(np.sqrt(np.square(error).mean()))}
    logs = np.log(np.maximum(found, 1e-12))
    weighed = logs if choice is None else logs + np.log(choice)
    result = {"accuracy": float((weighed.argmax(1) == true).mean())}
    for metric, given in ((BalancedAccuracy(), weighed), (F1(), weighed), (AUC(), logs)):
        metric.update(given, true)
        result[metric.name] = metric.compute()
    result["log_loss"] = float(-logs[np.arange(len(true)), true].mean())
    return result


def baselines(
    target: Target,
    columns: Columns,
    train: np.ndarray,
    test: np.ndarray,
    table: Columns,
    choice: np.ndarray | None = None,
) -> dict[str, Said]:
    """What is said without a network: by a constant, and by a linear model where scikit-learn is installed.

    Args:
        target: all rows' targets.
        columns: the encoded rows `train`.
        train, test: which rows are which.
        table: the encoded rows `test`.
        choice: as in `scores`.
    """
    found: dict[str, Said] = {}
    if target.classes:
        shares = np.bincount(target.values[train], minlength=len(target.classes)) / len(train)
        found[f"always {target.classes[int(shares.argmax())]!r}"] = np.tile(shares, (len(test), 1)), None
    else:
        found["always the mean"] = np.full(len(test), target.values[train].mean()), None
    linear = _linear(target, columns, train, table)
    if linear is not None:
        found["logistic regression" if target.classes else "ridge regression"] = linear, choice
    return found


def main_score(task: str, choice: Any) -> str:
    """The score that decides which model is better."""
    if task == "regression":
        return "r2"
    return "accuracy" if choice is None else "balanced_accuracy"


def doubt(target: Target, rows: np.ndarray, one: Said, other: Said, name: str) -> float:
    """The standard error of the difference between two models' main scores: by how much it would vary from test to
    test, both looking at the same rows."""
    difference = _shares(target, rows, one, name) - _shares(target, rows, other, name)
    return float(difference.std() / np.sqrt(len(rows)))


def _shares(target: Target, rows: np.ndarray, said: Said, name: str) -> np.ndarray:
    """f64[rows], whose mean is a model's main score."""
    (found, choice), true = said, target.values[rows]
    if name == "r2":
        return np.asarray(1.0 - np.square(found - true) / (true.var() or 1.0))
    right = (found * (1.0 if choice is None else choice)).argmax(1) == true
    if name == "accuracy":
        return np.asarray(right, np.float64)
    counts = np.bincount(true, minlength=len(target.classes))
    return np.asarray(right * (len(true) / (np.count_nonzero(counts) * counts[true])))


def _linear(target: Target, columns: Columns, train: np.ndarray, table: Columns) -> np.ndarray | None:
    """What scikit-learn's linear model predicts for the test rows; None without scikit-learn."""
    try:
        from sklearn.linear_model import LogisticRegression, RidgeCV
    except ImportError:
        return None
    some = slice(0, _BASELINE_ROWS)
    X, y = columns.take(some).wide(), target.values[train][some]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(max_iter=200) if target.classes else RidgeCV(np.logspace(-3, 3, 7))
        if target.classes and len(np.unique(y)) < 2:
            return None
        model.fit(X, y)
        rows = len(table)
        parts = [table.take(slice(start, start + _BASELINE_ROWS)).wide() for start in range(0, rows, _BASELINE_ROWS)]
        if not target.classes:
            return np.concatenate([model.predict(part) for part in parts])
        known = np.concatenate([model.predict_proba(part) for part in parts])
    full = np.zeros((rows, len(target.classes)))
    full[:, model.classes_] = known
    return full


class Stopwatch:
    """Seconds since it was made, and the greatest memory of the process."""

    def __init__(self) -> None:
        self._start_s = time.monotonic()

    def seconds(self) -> float:
        return round(time.monotonic() - self._start_s, 2)


def peak_memory_mb() -> float | None:
    """The most memory that this process has held, in MB; None where the system does not say."""
    try:
        import resource
    except ImportError:
        return None
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
