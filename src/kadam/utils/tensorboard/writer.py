"""Writes what a training run has to show, step by step."""

from __future__ import annotations

import io
import os
import socket
import time
import warnings
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

from kadam.missing import MissingNameError
from kadam.serialization.protobuf import message
from kadam.utils.tensorboard import summaries
from kadam.utils.tensorboard.records import RecordFile


class SummaryWriter:
    """A file of events for TensorBoard.

    Args:
        log_dir: the folder; `runs/`, the time and the host's name by default.
        comment: added to the default folder's name.
        purge_step: accepted, without effect.
        max_queue: accepted: what is written goes to the file at once.
        flush_secs: after how many seconds other programs see it, at the latest, if more is written.
        filename_suffix: of the file's name.
    """

    def __init__(
        self,
        log_dir: str | Path | None = None,
        comment: str = "",
        purge_step: int | None = None,
        max_queue: int = 10,
        flush_secs: float = 120,
        filename_suffix: str = "",
    ) -> None:
        if not log_dir:
            now = datetime.now().strftime("%b%d_%H-%M-%S")
            log_dir = os.path.join("runs", f"{now}_{socket.gethostname()}{comment}")
        self.log_dir = str(log_dir)
        self.flush_secs = flush_secs
        self.filename_suffix = filename_suffix
        self._files: dict[str, RecordFile] = {}
        self._flushed_s = time.time()
        self._file("")

    def _file(self, below: str) -> RecordFile:
        if below not in self._files:
            self._files[below] = RecordFile(Path(self.log_dir) / below, self.filename_suffix)
            self._files[below].write(message((1, time.time()), (3, "brain.Event:2")))
        return self._files[below]

    def _add(self, summary: bytes, step: Any, walltime: float | None, below: str = "") -> None:
        number = None if step is None else int(step)
        event = message((1, walltime or time.time()), (2, number), (5, message((1, summary))))
        self._file(below).write(event)
        if time.time() - self._flushed_s > self.flush_secs:
            self.flush()

    def add_scalar(
        self, tag: str, scalar_value: Any, global_step: Any = None, walltime: float | None = None,
        new_style: bool = False, double_precision: bool = False,
    ) -> None:  # fmt: skip
        """A number, such as a loss."""
        self._add(summaries.scalar(tag, scalar_value), global_step, walltime)

    def add_scalars(
        self, main_tag: str, tag_scalar_dict: Mapping[str, Any], global_step: Any = None, walltime: float | None = None
    ) -> None:
        """Several numbers in one picture; each has a folder of its own."""
        for tag, value in tag_scalar_dict.items():
            below = f"{main_tag.replace('/', '_')}_{tag}"
            self._add(summaries.scalar(main_tag, value), global_step, walltime, below)

    def add_histogram(
        self, tag: str, values: Any, global_step: Any = None, bins: Any = "tensorflow", walltime: float | None = None,
        max_bins: int | None = None,
    ) -> None:  # fmt: skip
        """How values are distributed, such as weights."""
        self._add(summaries.histogram(tag, values, bins), global_step, walltime)

    def add_image(
        self, tag: str, img_tensor: Any, global_step: Any = None, walltime: float | None = None,
        dataformats: str = "CHW",
    ) -> None:  # fmt: skip
        """A picture."""
        self._add(summaries.image(tag, img_tensor, dataformats), global_step, walltime)

    def add_images(
        self, tag: str, img_tensor: Any, global_step: Any = None, walltime: float | None = None,
        dataformats: str = "NCHW",
    ) -> None:  # fmt: skip
        """Pictures, side by side."""
        self.add_image(tag, img_tensor, global_step, walltime, dataformats)

    def add_figure(
        self, tag: str, figure: Any, global_step: Any = None, close: bool = True, walltime: float | None = None
    ) -> None:
        """A figure of Matplotlib, or several, side by side."""
        import matplotlib.image  # type: ignore[import-not-found]
        import matplotlib.pyplot as plt  # type: ignore[import-not-found]
        import numpy as np

        pictures = []
        for one in figure if isinstance(figure, list) else [figure]:
            file = io.BytesIO()
            one.savefig(file, format="png", dpi=one.dpi)
            file.seek(0)
            pictures.append(matplotlib.image.imread(file)[..., :3])
            if close:
                plt.close(one)
        self.add_image(tag, np.concatenate(pictures, axis=1), global_step, walltime, "HWC")

    def add_text(self, tag: str, text_string: str, global_step: Any = None, walltime: float | None = None) -> None:
        """A text, in which Markdown is shown."""
        self._add(summaries.text(tag, text_string), global_step, walltime)

    def add_graph(self, model: Any, input_to_model: Any = None, verbose: bool = False, **options: Any) -> None:
        """Warn: the file gets no graph. Kadam draws networks itself."""
        warnings.warn(
            "SummaryWriter.add_graph: Kadam writes no graphs for TensorBoard; its lens draws them. Nothing is written.",
            UserWarning,
            stacklevel=2,
        )

    def __getattr__(self, name: str) -> NoReturn:
        """Say which of PyTorch's methods Kadam has not."""
        if not name.startswith("add_"):
            raise AttributeError(
                f"'SummaryWriter' object has no attribute '{name}'. Fix: look at its spelling; what writes begins with "
                "add_."
            )
        raise MissingNameError(
            f"Kadam's SummaryWriter has no {name}: it writes scalars, histograms, images, figures, texts. Fix: write "
            "the figures as scalars (add_scalar), what has words as a text (add_text)."
        )

    def get_logdir(self) -> str:
        """The folder."""
        return self.log_dir

    def flush(self) -> None:
        """Let other programs see what has been written."""
        self._flushed_s = time.time()
        for file in self._files.values():
            file.flush()

    def close(self) -> None:
        """Close the files; what is added later goes into new ones."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
