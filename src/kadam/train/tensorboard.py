"""A callback that writes what a run has to show for TensorBoard."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from kadam.recording.tensor import from_array, read
from kadam.train.callbacks import Callback
from kadam.utils.tensorboard import SummaryWriter

if TYPE_CHECKING:
    from kadam.train.history import Row
    from kadam.train.trainer import Trainer


class TensorBoard(Callback):
    """Writes each epoch's row of the history, at the step at which the epoch ended; look at it with TensorBoard.

    Args:
        folder: where the file goes; `runs/` and a name of its own by default.
        histograms: whether weights are written too, as histograms.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None, *, histograms: bool = False) -> None:
        self._folder = None if folder is None else os.fspath(folder)
        self._histograms = histograms
        self._writer: SummaryWriter | None = None

    def on_start(self, trainer: Trainer) -> None:
        if self._writer is None:
            self._writer = SummaryWriter(self._folder)

    def on_epoch(self, trainer: Trainer, row: Row) -> None:
        writer: Any = self._writer
        step = int(row["step"])
        for name, value in row.items():
            if name not in ("epoch", "step") and isinstance(value, int | float):
                tag = f"validation/{name[4:]}" if name.startswith("val_") else f"training/{name}"
                writer.add_scalar(tag, value, step)
        if self._histograms:
            for name, param in trainer.model.named_parameters():
                writer.add_histogram(name, from_array(read(param).copy()), step)
        writer.flush()

    def on_end(self, trainer: Trainer) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
