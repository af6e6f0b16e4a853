"""The times that a statement took."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
_SCATTERED, _WILD = 0.1, 0.25  # of the median: an interquartile range from which on a warning is given
_FEWEST = 4  # times of which an interquartile range says something


@dataclass(frozen=True)
class TaskSpec:
    """What is timed."""

    stmt: str
    setup: str
    global_setup: str = ""
    label: str | None = None
    sub_label: str | None = None
    description: str | None = None
    env: str | None = None
    num_threads: int = 1

    @property
    def title(self) -> str:
        """The label, or the statement."""
        if self.label is not None:
            return self.label + (f": {self.sub_label}" if self.sub_label else "")
        return self.stmt.replace("\n", "\\n") if "\n" not in self.stmt else f"stmt:\n{_indented(self.stmt)}"

    def setup_str(self) -> str:
        """The preparation, as a line or lines."""
        if not self.setup or self.setup == "pass":
            return ""
        return f"setup:\n{_indented(self.setup)}" if "\n" in self.setup else f"setup: {self.setup}"

    def summarize(self) -> str:
        """What is timed, in words."""
        parts = (self.title, self.description or "", self.setup_str())
        return "\n".join(part for part in parts if part)


@dataclass
class Measurement:
    """Times in seconds, each of `number_per_run` runs of a statement. As `torch.utils.benchmark.Measurement`."""

    number_per_run: int
    raw_times: list[float]
    task_spec: TaskSpec
    metadata: dict[Any, Any] | None = field(default=None)

    @property
    def times(self) -> list[float]:
        """Of one run each."""
        return [time / self.number_per_run for time in self.raw_times]

    @property
    def mean(self) -> float:
        """Of one run."""
        return float(np.mean(self.times))

    @property
    def median(self) -> float:
        """Of one run."""
        return float(np.median(self.times))

    @property
    def iqr(self) -> float:
        """The interquartile range: how far apart the middle half of the times lies."""
        low, high = np.quantile(self.times, (0.25, 0.75))
        return float(high - low)

    @property
    def significant_figures(self) -> int:
        """How many digits of the median the scatter leaves: as many as the middle half of the times has in common."""
        spread = self.iqr / 1.35 / math.sqrt(len(self.raw_times)) * 2  # a normal distribution's, about
        if not spread:
            return 5
        return int(min(max(math.floor(math.log10(self.median / spread)) + 1, 1), 5))

    @property
    def has_warnings(self) -> bool:
        """Whether the times scatter so much that something else may have run."""
        return self._scatter is not None

    @property
    def title(self) -> str:
        """Of what is timed."""
        return self.task_spec.title

    @property
    def as_row_name(self) -> str:
        """The name of its row in a table."""
        return self.task_spec.sub_label or self.task_spec.stmt or "[Unknown]"

    def __getattr__(self, name: str) -> Any:
        if name in TaskSpec.__dataclass_fields__:
            return getattr(self.task_spec, name)
        raise AttributeError(f"'Measurement' object has no attribute '{name}'. Fix: dir() lists what there is.")

    def meets_confidence(self, threshold: float = _SCATTERED) -> bool:
        """Whether the times are many and lie close together."""
        return len(self.raw_times) >= _FEWEST and self.iqr / self.median < threshold

    @property
    def _scatter(self) -> str | None:
        share = self.iqr / self.median if self.median else 0.0
        if len(self.raw_times) < _FEWEST or share < _SCATTERED:
            return None
        how = "could indicate system fluctuation." if share < _WILD else "suggests significant environmental influence."
        return f"  WARNING: Interquartile range is {share:.1%} of the median measurement.\n           This {how}"

    @staticmethod
    def merge(measurements: Iterable[Measurement]) -> list[Measurement]:
        """Measurements of the same, joined."""
        grouped: dict[TaskSpec, list[Measurement]] = {}
        for one in measurements:
            grouped.setdefault(one.task_spec, []).append(one)
        return [
            Measurement(1, [time for part in parts for time in part.times], replace(spec))
            for spec, parts in grouped.items()
        ]

    def __repr__(self) -> str:
        unit, scale = select_unit(self.median)
        threads = f"{self.task_spec.num_threads} thread{'s' if self.task_spec.num_threads > 1 else ''}"
        count = len(self.raw_times)
        lines = [
            f"<torch.utils.benchmark.utils.common.Measurement object at {hex(id(self))}>",
            self.task_spec.summarize(),
        ]
        if count == 1:
            lines += [f"  {self.median / scale:.2f} {unit}", f"  1 measurement, {self.number_per_run} runs , {threads}"]
            return "\n".join(lines)
        low, high = np.quantile(self.times, (0.25, 0.75)) / scale
        lines += [
            f"  Median: {self.median / scale:.2f} {unit}",
            f"  IQR:    {self.iqr / scale:.2f} {unit} ({low:.2f} to {high:.2f})",
            f"  {count} measurements, {self.number_per_run} runs per measurement, {threads}",
        ]
        return "\n".join([*lines, *([self._scatter] if self._scatter else [])])


def select_unit(seconds: float) -> tuple[str, float]:
    """The unit in which a time reads best, and its length in seconds."""
    return next(((unit, size) for unit, size in reversed(_UNITS.items()) if seconds >= size), ("ns", 1e-9))


def _indented(text: str) -> str:
    return "\n".join("  " + line for line in text.strip().splitlines())


__all__ = ["Measurement", "TaskSpec", "select_unit"]
