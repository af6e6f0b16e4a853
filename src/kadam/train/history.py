"""The history of a run: one row per epoch, as a table, a plot, a CSV file."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

Row = dict[str, float]


class History(Sequence[Row]):
    """What each epoch has come to. Rows are dicts; columns are found by name: `history["val_loss"]`.

    Attributes:
        rows: one dict per epoch: epoch, step, loss, metrics, `val_...`, lr, seconds.
        best: index of the row whose monitored value is best; None if nothing was monitored.
        stopped: why the run ended.
    """

    def __init__(self, rows: list[Row] | None = None) -> None:
        self.rows: list[Row] = [] if rows is None else rows
        self.best: int | None = None
        self.stopped = ""

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            if key not in self.columns:
                raise KeyError(f"history: no column {key!r}; there are {', '.join(self.columns) or 'none'}")
            return [row.get(key, math.nan) for row in self.rows]
        return self.rows[key]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    @property
    def columns(self) -> list[str]:
        """The names of all columns, in the order in which they came up."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def to_csv(self, path: Any) -> None:
        """Write the table, floats with all their digits."""
        with open(path, "w", newline="", encoding="utf-8") as file:
            file.write(self.to_text())

    def to_text(self) -> str:
        """The table as CSV."""
        file = io.StringIO()
        writer = csv.DictWriter(file, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return file.getvalue()

    def to_pandas(self) -> Any:
        """The table as a DataFrame of pandas, which must be installed."""
        import pandas

        return pandas.DataFrame(self.rows)

    def __repr__(self) -> str:
        return f"History of {len(self)} epochs" + (f", {self.stopped}" if self.stopped else "")

    def __str__(self) -> str:
        names = self.columns
        cells = [names, *([_shown(row.get(name)) for name in names] for row in self.rows)]
        widths = [max(len(line[index]) for line in cells) for index in range(len(names))]
        return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
                         for line in cells)  # fmt: skip

    def __rich__(self) -> Any:
        from rich.table import Table

        table = Table()
        for name in self.columns:
            table.add_column(name, justify="right")
        for index, row in enumerate(self.rows):
            table.add_row(*[_shown(row.get(name)) for name in self.columns], style="bold" if index == self.best else "")
        return table

    def _repr_html_(self) -> str:
        shown = self.rows[-12:]
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{_shown(row.get(name))}</td>" for name in self.columns) + "</tr>" for row in shown
        )
        left_out = f"<p>The last {len(shown)} of {len(self)} epochs.</p>" if len(shown) < len(self) else ""
        return f"{self.to_svg()}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{left_out}"

    def to_svg(self) -> str:
        """The losses, and beside them the metrics, over the epochs, as an SVG drawing."""
        losses = [name for name in self.columns if name in ("loss", "val_loss")]
        others = [name for name in self.columns if name not in (*losses, "epoch", "step", "lr", "seconds", "norm")]
        panels = [names for names in (losses, others) if names]
        drawn = [_panel(self, names, index * _WIDTH) for index, names in enumerate(panels)]
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH * len(panels)}" height="{_HEIGHT}" '
            f'font-family="sans-serif" font-size="11">{"".join(drawn)}</svg>'
        )


_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 380, 220, 55, 24, 28
_LINES = (("#0b62a4", ""), ("#c2410c", "6 3"), ("#15803d", "2 2"), ("#7e22ce", "8 2 2 2"), ("#57534e", "1 3"))


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def _panel(history: History, names: Sequence[str], left: float) -> str:
    """One plot: an axis, a line and a label for each column."""
    series = {name: list(history[name]) for name in names}
    known = [value for values in series.values() for value in values if math.isfinite(value)]
    if not known:
        return ""
    low, high = min(known), max(known)
    span = (high - low) or abs(high) or 1.0
    right, bottom = left + _WIDTH - 15, _HEIGHT - _BOTTOM
    x0 = left + _LEFT

    def x(index: int) -> float:
        return x0 + (right - x0) * index / max(len(history) - 1, 1)

    def y(value: float) -> float:
        return float(bottom - (bottom - _TOP) * (value - low) / span)

    parts = [f'<path d="M{x0} {_TOP}V{bottom}H{right}" fill="none" stroke="#999"/>']
    for value in (low, (low + high) / 2, high):
        parts.append(f'<text x="{x0 - 5}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.3g}</text>')
    first, last = history[0].get("epoch", 1), history[-1].get("epoch", len(history))
    parts.append(f'<text x="{x0}" y="{bottom + 16}">epoch {first:g}</text>')
    parts.append(f'<text x="{right}" y="{bottom + 16}" text-anchor="end">{last:g}</text>')
    for index, (name, values) in enumerate(series.items()):
        colour, dashes = _LINES[index % len(_LINES)]
        points = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in enumerate(values) if math.isfinite(value))
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5" '
            f'stroke-dasharray="{dashes}"><title>{escape(name)}</title></polyline>'
            f'<text x="{x0 + 8 + 95 * index}" y="14" fill="{colour}">{escape(name)}</text>'
        )
    return "".join(parts)
