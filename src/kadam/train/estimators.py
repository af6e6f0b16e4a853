"""KadamClassifier and KadamRegressor: scikit-learn's estimators over the network for tables. They need scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kadam.errors import UnsupportedError
from kadam.train.history import History
from kadam.train.tabular import fitting
from kadam.train.tabular.encoded import Columns
from kadam.train.tabular.fitting import Fitted, settings_for

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils import check_random_state
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

    def __init__(
        self,
        *,
        categorical_features: Sequence[int] | None = None,
        members: int | None = None,
        hidden: int | None = None,
        layers: int | None = None,
        dropout: float | None = None,
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
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
        self.random_state = random_state
        self.verbose = verbose

    def _learn(self, X: Array, target: Array, classes: int) -> None:
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self._note_columns(X)
        settings = settings_for(len(X), len(self._numbers), len(self._codes)).changed(
            members=self.members, hidden=self.hidden, layers=self.layers, dropout=self.dropout, lr=self.learning_rate,
            weight_decay=self.weight_decay, epochs=self.epochs, batch_size=self.batch_size, seed=seed,
        )  # fmt: skip
        display = "auto" if self.verbose else "off"
        self.fitted_ = fitting.fit(self._columns(X), target, classes, settings, display=display)
        self.history_ = self.fitted_.history
        self.n_iter_ = int(self.history_.rows[-1]["epoch"]) if self.history_.rows else 0

    def _note_columns(self, X: Array) -> None:
        """Which columns are numbers, their means and spreads, and the values of the others."""
        chosen = [] if self.categorical_features is None else list(self.categorical_features)
        chosen = [int(one) % X.shape[1] for one in (np.flatnonzero(chosen) if _is_mask(chosen) else chosen)]
        self._codes = chosen
        self._numbers = [index for index in range(X.shape[1]) if index not in chosen]
        self._values = [np.unique(X[:, index]) for index in chosen]
        self._mean = X[:, self._numbers].mean(0)
        spread = X[:, self._numbers].std(0)
        self._spread = np.where(spread > 1e-12 * np.maximum(np.abs(self._mean), 1e-300), spread, 1.0)

    def _columns(self, X: Array) -> Columns:
        scaled = (X[:, self._numbers] - self._mean) / self._spread
        numbers = np.clip(scaled, -fitting.FARTHEST, fitting.FARTHEST).astype(np.float32)
        codes = np.zeros((len(X), len(self._codes)), np.int64)
        for place, (index, values) in enumerate(zip(self._codes, self._values, strict=True)):
            found = np.searchsorted(values, X[:, index]).clip(max=len(values) - 1)
            codes[:, place] = np.where(values[found] == X[:, index], found + 1, 0)  # 0: never seen
        return Columns(np.ascontiguousarray(numbers), codes, tuple(len(values) + 1 for values in self._values))

    def _outputs(self, X: Any) -> Array:
        check_is_fitted(self, "fitted_")
        return self.fitted_.predict(self._columns(validate_data(self, X, reset=False, dtype=np.float64)))


class KadamClassifier(ClassifierMixin, _TableEstimator):  # type: ignore[misc]
    """A classifier of tables that needs no tuning: a few small networks trained as one. scikit-learn's interface.

    Every setting that is None is chosen by the size of the table.

    Args:
        categorical_features: indices, or a mask, of columns whose numbers are names of categories.
        members, hidden, layers, dropout, learning_rate, weight_decay, epochs, batch_size: see `fitting.Settings`.
        random_state: seed; with the same one, the same network.
        verbose: show progress on a terminal.

    Attributes:
        classes_: the classes, in the order of the columns of `predict_proba`.
        history_: how training went, epoch by epoch.
    """

    classes_: Array

    def fit(self, X: Any, y: Any) -> KadamClassifier:
        """Learn the classes `y` of the rows of `X`."""
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, target = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"KadamClassifier: y has only one class, {self.classes_[0]!r}: there is nothing to tell apart. Fix: "
                "give rows of at least two classes."
            )
        self._learn(X, target, len(self.classes_))
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

    Args:
        categorical_features, members, hidden, layers, dropout, learning_rate, weight_decay, epochs, batch_size,
        random_state, verbose: as of `KadamClassifier`.

    Attributes:
        history_: how training went, epoch by epoch.
    """

    def fit(self, X: Any, y: Any) -> KadamRegressor:
        """Learn the values `y` of the rows of `X`."""
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        self._learn(X, y.astype(np.float64), 0)
        return self

    def predict(self, X: Any) -> Array:
        """f64[rows]: the values."""
        return self._outputs(X)


def _is_mask(chosen: Sequence[Any]) -> bool:
    return len(chosen) > 0 and all(isinstance(one, bool | np.bool_) for one in chosen)
