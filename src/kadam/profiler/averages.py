"""The spans of a profile, summed by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Span(NamedTuple):
    """A named part of a program that ran: microseconds since the profile began."""

    name: str
    start_us: float
    end_us: float


@dataclass
class Average:
    """All spans of one name. Times are in microseconds, as PyTorch's."""

    key: str
    count: int = 0
    cpu_time_total: float = 0.0

    @property
    def cpu_time(self) -> float:
        """Of one span, on average."""
        return self.cpu_time_total / self.count


class Averages(list[Average]):
    """The averages of a profile, longest first."""

    def table(self, sort_by: str | None = None, row_limit: int = 100, **options: object) -> str:
        """As text: a row for each name."""
        rows = [("Name", "CPU total", "CPU time avg", "# of Calls")]
        rows += [
            (one.key, _duration(one.cpu_time_total), _duration(one.cpu_time), str(one.count))
            for one in self[: row_limit if row_limit >= 0 else None]
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        rule = "  ".join("-" * width for width in widths)
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        return "\n".join([rule, lines[0], rule, *lines[1:], rule]) + "\n"


def averages_of(spans: Iterable[Span] | Sequence[Span]) -> Averages:
    """The spans by name."""
    found: dict[str, Average] = {}
    for span in spans:
        one = found.setdefault(span.name, Average(span.name))
        one.count += 1
        one.cpu_time_total += span.end_us - span.start_us
    return Averages(sorted(found.values(), key=lambda one: -one.cpu_time_total))


def _duration(time_us: float) -> str:
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if time_us >= size:
            return f"{time_us / size:.3f}{unit}"
    return f"{time_us:.3f}us"
