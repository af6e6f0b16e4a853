"""Linear models of a table: ridge and logistic regression of each fold at once, and of all rows.

What a network adds to a line is worth having only where it is there. A line that was learned from the same rows, and is
judged on the same rows that were held out, tells how much of the answer shall be its (`fitting._blend`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kadam.train.tabular.encoded import Columns

Array = np.ndarray

GROUPS = 4  # of folds that a model leaves out at once: fewer models than the network has members
MOST_LOGITS = 2_000_000  # of all models and rows together
MOST_CELLS = 8_000_000
PENALTIES = (100.0, 10.0, 1.0, 0.1)  # from the strictest line on, until it says less of rows that it has not seen
ROUNDS, CLOSE = 60, 1e-3


@dataclass(frozen=True)
class Line:
    """A linear model: f64[columns + 1, outputs], the last row is the bias."""

    weights: Array
    has_classes: bool

    def __call__(self, columns: Columns) -> Array:
        """f64[rows, classes] probabilities, or f64[rows] values, or f64[rows, outputs] of them."""
        outputs = columns.wide() @ self.weights[:-1] + self.weights[-1]
        if self.has_classes:
            return _softmax(outputs)
        return np.asarray(outputs if outputs.shape[1] > 1 else outputs[:, 0])


def lines(columns: Columns, target: Array, classes: int, left_out: Array, weights: Array | None) -> tuple[Line, Array]:
    """The line of all rows, and what lines that have not seen a row say of it.

    Args:
        columns: the encoded columns.
        target: i64[rows] classes, f32[rows] values, or f32[rows, outputs] of them.
        classes: how many classes there are; 0 for values.
        left_out: i64[rows]: rows with the same number are left out together; those with -1 by no one.
        weights: f32[rows], how much each row counts; None: all alike.

    Returns:
        The line; and f64[rows, outputs], whose rows mean something where `left_out` is not negative.
    """
    wide, turn = _narrowed(columns.wide())
    X = np.concatenate([wide, np.ones((len(columns), 1), np.float32)], 1)
    groups = np.unique(left_out[left_out >= 0])
    learns = np.stack([*(left_out != one for one in groups), np.ones(len(X), bool)]).astype(np.float32)
    if weights is not None:
        learns *= weights
    true = np.eye(classes, dtype=np.float32)[target] if classes else target.reshape(len(X), -1).astype(np.float32)
    solve = _logistic(X, true, learns) if classes else _ridge(X, true, learns)
    who = np.searchsorted(groups, left_out)  # a row's line; of rows that no one leaves out it does not matter
    who[left_out < 0] = len(groups)
    best = None
    for penalty in PENALTIES:
        found = solve(penalty)  # [models, columns, outputs]
        held = np.empty((len(X), found.shape[2]))
        for model, one in enumerate(found):
            held[who == model] = X[who == model] @ one
        held = _softmax(held) if classes else held
        loss = _log_loss(held, true, left_out >= 0) if classes else float(np.square(held - true)[left_out >= 0].mean())
        if best is not None and loss >= best[0]:
            break
        best = loss, found[-1], held
    assert best is not None
    weights = best[1].astype(np.float64)
    weights = weights if turn is None else np.concatenate([turn @ weights[:-1], weights[-1:]])
    return Line(weights, bool(classes)), best[2]


def _narrowed(wide: Array) -> tuple[Array, Array | None]:
    """Rows of more columns than there are rows in as many coordinates, and what turns weights of these into weights of
    the columns; None where there are fewer. What lies across all rows no penalised line makes use of (Hastie and
    Tibshirani 2004, Efficient quadratic regularization for expression arrays)."""
    if wide.shape[1] <= len(wide):
        return wide, None
    rows, lengths, axes = np.linalg.svd(wide, full_matrices=False)
    return rows * lengths, axes.T


def _log_loss(found: Array, true: Array, rows: Array) -> float:
    """The mean of the logarithms of what the true classes were given, of these rows."""
    given = (found[rows] * true[rows]).sum(1)
    return float(-np.log(np.maximum(given, 1e-12)).mean())


def _ridge(X: Array, true: Array, learns: Array) -> Callable[[float], Array]:
    free = np.eye(X.shape[1])
    free[-1, -1] = 0.0
    grams = np.stack([(X * one[:, None]).T @ X for one in learns]).astype(np.float64)
    sums = np.stack([(X * one[:, None]).T @ true for one in learns]).astype(np.float64)

    def solve(penalty: float) -> Array:
        return np.linalg.solve(grams + penalty * free + 1e-6 * np.eye(len(free)), sums)

    return solve


def _logistic(X: Array, true: Array, learns: Array) -> Callable[[float], Array]:
    """Steps with one bound of all second derivatives, pulled on while that helps.

    Source: Böhning 1992, Multinomial logistic regression algorithm; restarts after O'Donoghue and Candès 2015,
    https://arxiv.org/abs/1204.3982.
    """
    models, (rows, width), classes = len(learns), X.shape, true.shape[1]
    across = np.ascontiguousarray(X.T)
    truth = np.ascontiguousarray(true.T)[:, None]  # classes first: sums over them run along the rows
    free = np.ones(width, np.float32)
    free[-1] = 0.0
    bound = 0.5 * (X * learns.max(0)[:, None]).T @ X
    last = np.zeros((classes * models, width), np.float32)

    def solve(penalty: float) -> Array:
        nonlocal last
        step = np.linalg.inv(bound + np.diag(penalty * free + 1e-3)).astype(np.float32)
        at = before = last
        pull = 1.0
        for _ in range(ROUNDS):
            found = _softmax((at @ across).reshape(classes, models, rows), 0)
            missed = ((truth - found) * learns).reshape(-1, rows)
            moved = (missed @ X - penalty * free * at) @ step
            now = at + moved
            if float((moved * (now - before)).sum()) < 0:
                pull = 1.0
            next_pull = (1 + np.sqrt(1 + 4 * pull * pull)) / 2
            at = now + np.float32((pull - 1) / next_pull) * (now - before)
            before, pull = now, next_pull
            if np.abs(moved).max() < CLOSE * max(1.0, float(np.abs(now).max())):
                break
        last = before
        return before.reshape(classes, models, width).transpose(1, 2, 0)

    return solve


def _softmax(logits: Array, axis: int = -1) -> Array:
    raised = np.exp(logits - logits.max(axis, keepdims=True))
    return np.asarray(raised / raised.sum(axis, keepdims=True))
