"""KadamClassifier and KadamRegressor: scikit-learn's estimators over the network for tables. They need scikit-learn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from kadam.errors import UnsupportedError
from kadam.train.history import History
from kadam.train.tabular import fitting, piecewise
from kadam.train.tabular.distinct import distinct
from kadam.train.tabular.fitting import Fitted, Settings, settings_for
from kadam.train.tabular.matrix import Matrix, categories_of, spelled
from kadam.train.tabular.piecewise import Stream, begun

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils import check_array, check_random_state, check_X_y, column_or_1d
    from sklearn.utils.class_weight import compute_sample_weight
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise UnsupportedError(
        "kadam.train: KadamClassifier and KadamRegressor need scikit-learn. Fix: pip install scikit-learn; or use "
        "kadam.train.Trainer, or `kadam train`, which do without."
    ) from error

Array = np.ndarray


class _TableEstimator(BaseEstimator):  # type: ignore[misc]
    """What both have in common: columns are standardised, categories get vectors, the network is chosen by size."""

    n_features_in_: int
    fitted_: Fitted
    history_: History
    n_iter_: int
    _codes: list[int]
    _words: dict[int, dict[str, float]]
    _matrix: Matrix
    _stream: Stream | None

    def __init__(
        self,
        *,
        categorical_features: Sequence[Any] | str | None = None,
        members: int | None = None,
        hidden: int | None = None,
        layers: int | None = None,
        dropout: float | None = None,
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.categorical_features = categorical_features
        self.members = members
        self.hidden = hidden
        self.layers = layers
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.epochs = epochs
        self.batch_size = batch_size
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _read(self, X: Any, y: Any = None, learning: bool = False) -> tuple[Array, Array | None]:
        """The table as f64[rows, columns], and the target as it was given, both checked."""
        checks = {"dtype": np.float64, "ensure_all_finite": "allow-nan"}
        if hasattr(X, "columns") and self.categorical_features is not None:
            validate_data(self, X, reset=learning, skip_check_array=True)  # the columns' names
            if learning:
                self._codes, self._words = categories_of(X, self.categorical_features, len(X.columns)), {}
            X = check_array(spelled(X, self._codes, self._words, learning), **checks)
            return (X, None) if y is None else (X, check_X_y(X, y, **checks, **self._of_target())[1])
        with _texts_told(X):
            if y is None:
                return validate_data(self, X, reset=learning, **checks), None
            X, y = validate_data(self, X, y, reset=learning, **checks, **self._of_target())
        if learning:
            self._codes, self._words = categories_of(X, self.categorical_features, X.shape[1]), {}
        return X, y

    def _of_target(self) -> dict[str, Any]:
        return {}

    def _settings(self, rows: int) -> Settings:
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        return settings_for(rows, self._matrix.width, len(self._codes)).changed(
            members=self.members, hidden=self.hidden, layers=self.layers, dropout=self.dropout, lr=self.learning_rate,
            weight_decay=self.weight_decay, epochs=self.epochs, batch_size=self.batch_size, seed=seed,
        )  # fmt: skip

    def _learn(self, X: Array, target: Array, classes: int, weights: Array | None, start: Fitted | None) -> None:
        """Learn a table, from `start` on if there is one."""
        rows, counts = distinct(X, target, weights)
        X, target = X[rows], target[rows]
        if start is None:
            self._matrix = Matrix(X, self._codes, counts)
        self.fitted_ = fitting.fit(
            self._matrix(X), target, classes, self._settings(len(X)), counts,
            display="auto" if self.verbose else "off", start=start,
        )  # fmt: skip
        self._stream = None
        self.history_ = self.fitted_.history
        self.n_iter_ = int(self.history_.rows[-1]["epoch"]) if self.history_.rows else 0

    def _start(self) -> Fitted | None:
        """What the next `fit` begins with."""
        return getattr(self, "fitted_", None) if self.warm_start else None

    def _learn_piece(self, X: Array, target: Array, classes: int, weights: Array | None) -> None:
        """Learn some more rows, after those that were there before."""
        if not hasattr(self, "fitted_"):
            self._matrix = Matrix(X, self._codes)
            settings = self._settings(piecewise.ROWS).changed(bins=0)
            self.fitted_ = begun(self._matrix(X), target, classes, settings)
            self._stream, self.history_, self.n_iter_ = None, self.fitted_.history, 0
        self._stream = self._stream or Stream(self.fitted_)
        self._stream.learn(self._matrix(X), target, weights)
        self.n_iter_ += 1

    def _outputs(self, X: Any) -> Array:
        check_is_fitted(self, "fitted_")
        return self.fitted_.predict(self._matrix(self._read(X)[0]))


class KadamClassifier(ClassifierMixin, _TableEstimator):  # type: ignore[misc]
    """A classifier of tables that needs no tuning: a few small networks trained as one. scikit-learn's interface.

    Every setting that is None is chosen by the size of the table.

    Cells of numbers may be missing (NaN). A row that is there several times, or weighs a whole number, is learned as
    one that counts as often.

    Args:
        categorical_features: columns of categories: indices, names, or a mask; "from_dtype": those of a frame that
            hold categories or texts.
        members, hidden, layers, dropout, learning_rate, weight_decay, epochs, batch_size: see `fitting.Settings`.
        class_weight: how much the rows of each class count, by class; "balanced": the rarer, the more.
        warm_start: whether `fit` goes on from what was learned before, instead of anew.
        random_state: seed; with the same one, the same network.
        verbose: show progress on a terminal.

    Attributes:
        classes_: the classes, in the order of the columns of `predict_proba`.
        history_: how training went, epoch by epoch.
    """

    classes_: Array

    def __init__(
        self,
        *,
        categorical_features: Sequence[Any] | str | None = None,
        members: int | None = None,
        hidden: int | None = None,
        layers: int | None = None,
        dropout: float | None = None,
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        class_weight: dict[Any, float] | str | None = None,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            categorical_features=categorical_features, members=members, hidden=hidden, layers=layers, dropout=dropout,
            learning_rate=learning_rate, weight_decay=weight_decay, epochs=epochs, batch_size=batch_size,
            warm_start=warm_start, random_state=random_state, verbose=verbose,
        )  # fmt: skip
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> KadamClassifier:
        """Learn the classes `y` of the rows of `X`, each as much as its `sample_weight` says."""
        start = self._start()
        X, y = self._read(X, _given(self, y), learning=start is None)
        check_classification_targets(y)
        weights = _weights(sample_weight, len(X))
        if self.class_weight is not None:
            weights = (1.0 if weights is None else weights) * compute_sample_weight(self.class_weight, y)
        seen = np.unique(y if weights is None else y[weights > 0])
        if start is not None and not np.isin(seen, self.classes_).all():
            raise ValueError(
                f"KadamClassifier: warm_start: y has classes {seen.tolist()}, but {self.classes_.tolist()} were "
                "learned. Fix: the same classes; or set_params(warm_start=False)."
            )
        self.classes_ = seen if start is None else self.classes_
        if len(self.classes_) < 2:
            raise ValueError(
                f"KadamClassifier: y has only one class, {self.classes_[0]!r}: there is nothing to tell apart. Fix: "
                "give rows of at least two classes."
            )
        target = np.searchsorted(self.classes_, y).clip(max=len(self.classes_) - 1)  # others weigh nothing
        self._learn(X, target, len(self.classes_), weights, start)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> KadamClassifier:
        """Learn these rows once, after those that were learned before.

        Args:
            X, y, sample_weight: as of `fit`.
            classes: all classes that will come up; needed in the first call.
        """
        first = not hasattr(self, "fitted_")
        X, y = self._read(X, _given(self, y), learning=first)
        check_classification_targets(y)
        if first:
            if classes is None:
                raise ValueError(
                    "KadamClassifier: partial_fit: the first call needs all classes. Fix: partial_fit(X, y, "
                    "classes=...)."
                )
            self.classes_ = np.unique(classes)
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(
                f"KadamClassifier: partial_fit: classes={list(classes)} differ from those of the first call, "
                f"{self.classes_.tolist()}. Fix: leave them out."
            )
        if strange := sorted(set(y.tolist()) - set(self.classes_.tolist())):
            raise ValueError(
                f"KadamClassifier: partial_fit: y has {strange[0]!r}, which is none of {self.classes_.tolist()}. Fix: "
                "name it among classes in the first call."
            )
        weights = _weights(sample_weight, len(X))
        if self.class_weight is not None:
            weights = (1.0 if weights is None else weights) * compute_sample_weight(self.class_weight, y)
        self._learn_piece(X, np.searchsorted(self.classes_, y), len(self.classes_), weights)
        return self

    def predict_proba(self, X: Any) -> Array:
        """f64[rows, classes]: how likely each class is."""
        return self._outputs(X)

    def predict(self, X: Any) -> Array:
        """The likeliest class of each row."""
        outputs = self._outputs(X)
        return np.asarray(self.classes_[outputs.argmax(1)])


class KadamRegressor(RegressorMixin, _TableEstimator):  # type: ignore[misc]
    """A regressor of tables that needs no tuning: a few small networks trained as one. scikit-learn's interface.

    The target may be several values of each row, `y[rows, outputs]`: they are learned by one network.

    Args:
        categorical_features, members, hidden, layers, dropout, learning_rate, weight_decay, epochs, batch_size,
        warm_start, random_state, verbose: as of `KadamClassifier`.

    Attributes:
        history_: how training went, epoch by epoch.
    """

    def _of_target(self) -> dict[str, Any]:
        return {"y_numeric": True, "multi_output": True}

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> KadamRegressor:
        """Learn the values `y` of the rows of `X`, each as much as its `sample_weight` says."""
        start = self._start()
        X, y = self._read(X, _given(self, y), learning=start is None)
        values = _values(y)
        if start is not None and np.shape(start.center) != values.shape[1:]:
            raise ValueError(
                f"KadamRegressor: warm_start: y has the shape {values.shape}, but {np.size(start.center)} values of a "
                "row were learned. Fix: as many; or set_params(warm_start=False)."
            )
        self._learn(X, values, 0, _weights(sample_weight, len(X)), start)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> KadamRegressor:
        """Learn these rows once, after those that were learned before; the first call decides how values are scaled."""
        first = not hasattr(self, "fitted_")
        X, y = self._read(X, _given(self, y), learning=first)
        values = _values(y)
        if not first and np.shape(self.fitted_.center) != values.shape[1:]:
            raise ValueError(
                f"KadamRegressor: partial_fit: y has the shape {values.shape}, but {np.size(self.fitted_.center)} "
                "values of a row were learned. Fix: as many as in the first call."
            )
        self._learn_piece(X, values, 0, _weights(sample_weight, len(X)))
        return self

    def predict(self, X: Any) -> Array:
        """f64[rows], or f64[rows, outputs]: the values."""
        return self._outputs(X)


@contextmanager
def _texts_told(X: Any) -> Iterator[None]:
    """Where a frame's texts are no numbers, say what to do with them."""
    try:
        yield
    except ValueError as error:
        if not hasattr(X, "columns") or "could not convert" not in str(error):
            raise
        raise ValueError(
            f"X: {error}: a column holds texts. Fix: categorical_features='from_dtype' takes such columns for "
            "categories."
        ) from error


def _given(model: _TableEstimator, y: Any) -> Any:
    if y is None:
        raise ValueError(
            f"requires y to be passed, but the target y is None: {type(model).__name__} learns from a target. Fix: "
            "fit(X, y)."
        )
    return y


def _values(y: Array) -> Array:
    """f64[rows], or f64[rows, outputs] if there are several values in a row."""
    values = y.astype(np.float64)
    return column_or_1d(values, warn=True) if values.ndim == 2 and values.shape[1] == 1 else values


def _weights(given: Any, rows: int) -> Array | None:
    """f64[rows], how much rows count; None where nothing was given."""
    if given is None:
        return None
    weights = np.asarray(given, np.float64)
    weights = np.full(rows, weights) if weights.ndim == 0 else weights
    if weights.shape != (rows,):
        raise ValueError(
            f"sample_weight has the shape {weights.shape}, X has {rows} rows. Fix: one weight for each row."
        )
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("sample_weight: some weights are negative, or no numbers. Fix: 0 leaves a row out.")
    if not weights.any():
        raise ValueError("sample_weight: every weight is zero: there is no row to learn from. Fix: weights above 0.")
    return weights
