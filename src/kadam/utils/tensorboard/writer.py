"""Writes what a training run has to show, step by step."""

from __future__ import annotations

import io
import os
import socket
import time
import warnings
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

from kadam.errors import OperandError
from kadam.missing import MissingNameError
from kadam.ops.require import ArgumentError
from kadam.serialization.protobuf import message
from kadam.utils.tensorboard import plugins, summaries
from kadam.utils.tensorboard.records import RecordFile
from kadam.vision.utils import png


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

    def add_hparams(
        self,
        hparam_dict: Mapping[str, Any],
        metric_dict: Mapping[str, Any],
        hparam_domain_discrete: Mapping[str, Sequence[Any]] | None = None,
        run_name: str | None = None,
        global_step: Any = None,
    ) -> None:
        """The settings of a run and what came of it, in a folder of their own.

        Args:
            hparam_dict: the settings: numbers, texts.
            metric_dict: what came of it: numbers by name.
            hparam_domain_discrete: for names of settings, all values that they can have.
            run_name: of the folder; the time by default.
            global_step: to write with the numbers.

        Raises:
            OperandError: what is given is no dict.
        """
        if not isinstance(hparam_dict, dict) or not isinstance(metric_dict, dict):
            raise OperandError("add_hparams: hparam_dict and metric_dict should be dictionary. Fix: {'lr': 0.1}.")
        with SummaryWriter(os.path.join(self.log_dir, run_name or str(time.time()))) as run:
            for one in plugins.settings(hparam_dict, metric_dict, hparam_domain_discrete):
                run._add(one, global_step, None)
            for name, value in metric_dict.items():
                run.add_scalar(name, value, global_step)

    def add_pr_curve(
        self, tag: str, labels: Any, predictions: Any, global_step: Any = None, num_thresholds: int = 127,
        weights: Any = None, walltime: float | None = None,
    ) -> None:  # fmt: skip
        """Precision and recall of a classifier's probabilities, at evenly spaced thresholds."""
        curve = plugins.precision_recall(tag, labels, predictions, num_thresholds, weights)
        self._add(curve, global_step, walltime)

    def add_pr_curve_raw(
        self, tag: str, true_positive_counts: Any, false_positive_counts: Any, true_negative_counts: Any,
        false_negative_counts: Any, precision: Any, recall: Any, global_step: Any = None, num_thresholds: int = 127,
        weights: Any = None, walltime: float | None = None,
    ) -> None:  # fmt: skip
        """Precision and recall that are known already."""
        counts = [true_positive_counts, false_positive_counts, true_negative_counts, false_negative_counts]
        self._add(plugins.curve(tag, [*counts, precision, recall], num_thresholds), global_step, walltime)

    def add_custom_scalars(self, layout: Mapping[str, Mapping[str, Sequence[Any]]]) -> None:
        """Which scalars are shown together: `{"loss": {"both": ["Multiline", ["train", "valid"]]}}`."""
        self._add(plugins.charts(layout), None, None)

    def add_custom_scalars_multilinechart(
        self, tags: Sequence[str], category: str = "default", title: str = "untitled"
    ) -> None:
        """Several scalars in one chart."""
        self.add_custom_scalars({category: {title: ["Multiline", tags]}})

    def add_custom_scalars_marginchart(
        self, tags: Sequence[str], category: str = "default", title: str = "untitled"
    ) -> None:
        """A scalar between two others, its bounds."""
        self.add_custom_scalars({category: {title: ["Margin", tags]}})

    def add_embedding(
        self,
        mat: Any,
        metadata: Sequence[Any] | None = None,
        label_img: Any = None,
        global_step: Any = None,
        tag: str = "default",
        metadata_header: Sequence[str] | None = None,
    ) -> None:
        """Points in space, for the projector.

        Args:
            mat: a point in each row.
            metadata: what to say of each point.
            label_img: a picture of each, f32[n, channels, height, width].
            global_step: the step that they are of.
            tag: their name.
            metadata_header: names of columns, if each of `metadata` has several.

        Raises:
            ArgumentError: not one label or picture for each point.
        """
        points = summaries.array_of(mat)
        for name, given in (("metadata", metadata), ("label_img", label_img)):
            if given is not None and len(given) != len(points):
                raise ArgumentError(
                    f"add_embedding: {name} has {len(given)} entries, mat {len(points)} rows. Fix: one for each row."
                )
        below = Path(f"{int(global_step or 0):05}") / tag.replace("%", "%25").replace("/", "%2f").replace("\\", "%5c")
        folder = Path(self.log_dir) / below
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tensors.tsv").write_text(plugins.table_of(points.tolist()))
        lines = [f'tensor_name: "{tag}:{int(global_step or 0):05}"', f'tensor_path: "{below / "tensors.tsv"}"']
        if metadata is not None:
            rows = [[one] for one in metadata] if metadata_header is None else [metadata_header, *metadata]
            (folder / "metadata.tsv").write_text(plugins.table_of(rows))
            lines.append(f'metadata_path: "{below / "metadata.tsv"}"')
        if label_img is not None:
            (folder / "sprite.png").write_bytes(png(plugins.tiled(label_img)))
            sizes = "\n".join(f"    single_image_dim: {label_img.shape[axis]}" for axis in (3, 2))
            lines.append(f'sprite {{\n    image_path: "{below / "sprite.png"}"\n{sizes}\n  }}')
        with open(Path(self.log_dir) / "projector_config.pbtxt", "a") as config:
            config.write("embeddings {\n  " + "\n  ".join(lines) + "\n}\n")

    def __getattr__(self, name: str) -> NoReturn:
        """Say which of PyTorch's methods Kadam has not."""
        if not name.startswith("add_"):
            raise AttributeError(
                f"'SummaryWriter' object has no attribute '{name}'. Fix: look at its spelling; what writes begins with "
                "add_."
            )
        raise MissingNameError(
            f"Kadam's SummaryWriter has no {name}: it writes scalars, histograms, images, figures, texts, "
            "embeddings, settings, curves of precision. Fix: write "
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
