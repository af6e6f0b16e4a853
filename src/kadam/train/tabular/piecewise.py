"""Learning piece by piece: a network that meets its rows a few at a time, and none of them twice unless it is given so.

Nothing is held out, so there is no best moment to stop at, and the rate stays as it is. A line that was learned beside
the network, of a whole table, has no more say: it would not go on learning.
"""

from __future__ import annotations

import numpy as np

from kadam.optim import AdamW
from kadam.recording import counts
from kadam.train.tabular.encoded import Columns
from kadam.train.tabular.fitting import Fitted, Loss, Settings, moments, network, outputs_of, seeded
from kadam.train.tabular.network import EVERYONES
from kadam.train.tabular.rounds import Rounds
from kadam.train.trainer import Trainer

Array = np.ndarray

ROWS = 5_000  # a table of so many is what a first piece is taken for
RATE = 0.2  # of the rate at which a whole table is learned: it does not fall here


def begun(columns: Columns, target: Array, classes: int, settings: Settings) -> Fitted:
    """A network that has learned nothing yet, for tables such as this one.

    Args:
        columns: the first rows, encoded.
        target: their classes or values; the values' mean and spread hold for all that follow.
        classes: how many classes there are; 0 for values.
        settings: how to train.
    """
    center, scale = (0.0, 1.0) if classes else moments(target, None)
    with seeded(settings.seed):
        net = network(columns, outputs_of(target, classes), settings)
    return Fitted(net, classes, center, scale, settings)


class Stream:
    """A network under way: one that has learned nothing yet, or a whole table.

    Args:
        fitted: what goes on learning.
    """

    def __init__(self, fitted: Fitted) -> None:
        settings = fitted.settings
        self.fitted = fitted
        fitted.share = 0.0
        self._optimizer = AdamW(fitted.net.parameters(), lr=RATE * settings.lr, weight_decay=settings.weight_decay)
        self._pieces = 0

    def learn(self, columns: Columns, target: Array, weights: Array | None) -> None:
        """One pass over some rows."""
        fitted, settings = self.fitted, self.fitted.settings
        net = fitted.net.train()
        scaled = (target - fitted.center) / fitted.scale
        values = target.astype(np.int64) if fitted.classes else scaled.astype(np.float32)
        known = np.ones(len(values)) if weights is None else weights
        parts = [*columns.arrays(), values, np.full(len(values), EVERYONES), known.astype(np.float32)]
        units = settings.layers, settings.members, settings.hidden
        with seeded(settings.seed + self._pieces), counts.native_at_once():
            batches = Rounds(parts, settings.batch_size, 1, None, units, settings.dropout)
            trainer = Trainer(net, None, self._optimizer, step=Loss(bool(columns.sizes), True), steady=True)
            trainer.fit(batches, epochs=1, display="off")
        self._pieces += 1
        net.eval()
