"""Tables of measurements."""

from __future__ import annotations

from collections.abc import Iterable
from math import floor, log10

from kadam.utils.benchmark.measurement import Measurement, select_unit

_NAMES = {"ns": "nanoseconds", "us": "microseconds", "ms": "milliseconds", "s": "seconds"}
_WITHIN = 1.1  # times the best of a row: shown in bold
_GREEN, _BOLD, _PLAIN = "\033[92m\033[1m", "\033[1m", "\033[0m"


class Compare:
    """Measurements side by side: rows by `sub_label` and threads, columns by `description`, a table for each `label`.

    As `torch.utils.benchmark.Compare`.
    """

    def __init__(self, results: Iterable[Measurement]) -> None:
        self._results: list[Measurement] = []
        self._trims = self._colors = self._warns = False
        self.extend_results(results)

    def extend_results(self, results: Iterable[Measurement]) -> None:
        """Add measurements.

        Raises:
            ValueError: something is no measurement.
        """
        results = list(results)
        wrong = [one for one in results if not isinstance(one, Measurement)]
        if wrong:
            raise ValueError(
                f"benchmark.Compare: Expected an instance of `Measurement`, got {type(wrong[0]).__name__} instead. "
                "Fix: give what timeit() or blocked_autorange() return."
            )
        self._results += results

    def trim_significant_figures(self) -> None:
        """Show only the digits that the scatter of the times leaves."""
        self._trims = True

    def colorize(self, rowwise: bool = False) -> None:
        """Show the best of each row in green, what is close to it in bold."""
        self._colors = True

    def highlight_warnings(self) -> None:
        """Mark measurements that scatter."""
        self._warns = True

    def print(self) -> None:
        """Print the tables."""
        print(self)

    def __str__(self) -> str:
        merged = Measurement.merge(self._results)
        labels = dict.fromkeys(one.task_spec.label or "" for one in merged)
        return "\n".join(
            self._table(name, [one for one in merged if (one.task_spec.label or "") == name]) for name in labels
        )

    def _table(self, label: str, results: list[Measurement]) -> str:
        unit, scale = select_unit(min(one.median for one in results))
        columns = list(dict.fromkeys(one.task_spec.description or "" for one in results))
        rows = dict.fromkeys((one.task_spec.num_threads, one.task_spec.env or "", one.as_row_name) for one in results)
        cells = {
            (one.task_spec.num_threads, one.task_spec.env or "", one.as_row_name, one.task_spec.description or ""): one
            for one in results
        }
        names = {row: 6 * " " + (f"({row[1]}) " if row[1] else "") + row[2] for row in rows}
        first = max(len(name) for name in names.values()) + 2
        text = {key: self._cell(one, scale) for key, one in cells.items()}
        widths = [max(len(name), *(len(one) for key, one in text.items() if key[3] == name)) for name in columns]
        head = " " * first + "".join(f"|  {name.center(width)}  " for name, width in zip(columns, widths, strict=True))
        across = len(head) - 2
        lines, threads = [f"[{f' {label} '.center(across - 2, '-')}]", head.rstrip()], None
        for row in sorted(rows, key=lambda row: row[0]):
            if row[0] != threads:
                threads = row[0]
                lines.append(f"{threads} threads: ".ljust(across, "-"))
            shown = [self._shown(cells, text, row, name, width) for name, width in zip(columns, widths, strict=True)]
            lines.append((names[row].ljust(first) + "".join(f"|  {one}  " for one in shown)).rstrip())
        return "\n".join([*lines, "", f"Times are in {_NAMES[unit]} ({unit}).", ""])

    def _cell(self, one: Measurement, scale: float) -> str:
        value, digits = one.median / scale, 1
        if self._trims:
            digits = one.significant_figures - 1 - floor(log10(value))
            value, digits = round(value, digits), max(digits, 0)
        scattered = f"(! {one.iqr / one.median:.0%}) " if self._warns and one.has_warnings else ""
        return f"{scattered}{value:.{min(digits, 1)}f}"

    def _shown(
        self,
        cells: dict[tuple[int, str, str, str], Measurement],
        text: dict[tuple[int, str, str, str], str],
        row: tuple[int, str, str],
        column: str,
        width: int,
    ) -> str:
        if (*row, column) not in cells:
            return " " * width
        shown, time = text[(*row, column)].rjust(width), cells[(*row, column)].median
        best = min(one.median for key, one in cells.items() if key[:3] == row)
        if not self._colors or time > _WITHIN * best:
            return shown
        return f"{_GREEN if time == best else _BOLD}{shown}{_PLAIN}"


__all__ = ["Compare"]
