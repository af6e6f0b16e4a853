"""The spans of a profile, summed by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from kadam.errors import UnsupportedError
from kadam.ops.require import ArgumentError


class Span(NamedTuple):
    """A named part of a program that ran: microseconds since the profile began."""

    name: str
    start_us: float
    end_us: float


@dataclass
class Average:
    """All spans of one name. Times are in microseconds, as PyTorch's.

    Attributes:
        key: the name.
        count: how many spans there are.
        cpu_time_total: their time.
        self_cpu_time_total: what of it is not in spans within these.
    """

    key: str
    count: int = 0
    cpu_time_total: float = 0.0
    self_cpu_time_total: float = 0.0

    # Of what happens on a CPU alone.
    device_time_total = self_device_time_total = cuda_time_total = self_cuda_time_total = 0.0
    cpu_memory_usage = self_cpu_memory_usage = device_memory_usage = self_device_memory_usage = 0

    @property
    def cpu_time(self) -> float:
        """Of one span, on average."""
        return self.cpu_time_total / self.count if self.count else 0.0

    @property
    def name(self) -> str:
        """The key."""
        return self.key

    def __str__(self) -> str:
        return (
            f"<FunctionEventAvg key={self.key} self_cpu_time={_duration(self.self_cpu_time_total)} "
            f"cpu_time={_duration(self.cpu_time)} >"
        )


# What a table may be sorted by; what does not happen on a CPU is equal for all.
_TIMES = ("cpu_time", "cpu_time_total", "self_cpu_time_total", "count")
_ELSEWHERE = (
    *("cuda_time", "cuda_time_total", "self_cuda_time_total", "device_time", "device_time_total"),
    *("xpu_time", "xpu_time_total", "self_device_time_total", "self_xpu_time_total"),
    *("cpu_memory_usage", "cuda_memory_usage", "device_memory_usage", "xpu_memory_usage"),
    *("self_cpu_memory_usage", "self_cuda_memory_usage", "self_device_memory_usage", "self_xpu_memory_usage"),
)
_HEADINGS = ("Name", "Self CPU %", "Self CPU", "CPU total %", "CPU total", "CPU time avg", "# of Calls")


class Averages(list[Average]):
    """The averages of a profile, longest first."""

    @property
    def self_cpu_time_total(self) -> float:
        """The time of all spans, in microseconds."""
        return sum(one.self_cpu_time_total for one in self)

    def total_average(self) -> Average:
        """All spans under one name."""
        return Average(
            "Total",
            sum(one.count for one in self),
            sum(one.cpu_time_total for one in self),
            self.self_cpu_time_total,
        )

    def table(
        self,
        sort_by: str | None = None,
        row_limit: int = 100,
        max_src_column_width: int = 75,
        max_name_column_width: int = 55,
        max_shapes_column_width: int = 80,
        header: str | None = None,
        top_level_events_only: bool = False,
        time_unit: str | None = None,
    ) -> str:
        """As text: a row for each name.

        Args:
            sort_by: a time, memory or "count", the largest first; by default, by the time.
            row_limit: how many rows; -1: all.
            max_src_column_width, max_shapes_column_width: without effect: there are no such columns.
            max_name_column_width: longer names are cut.
            header: a line above.
            top_level_events_only: without effect: names stand for spans on all levels.
            time_unit: "us", "ms" or "s"; by default, what suits each time.

        Raises:
            ArgumentError: `sort_by` is nothing to sort by (ValueError).
        """
        if sort_by is not None and sort_by not in (*_TIMES, *_ELSEWHERE):
            raise ArgumentError(
                f"table: sort_by must be one of {', '.join(_TIMES)}, not {sort_by!r}. Fix: {_TIMES[1]!r}."
            )
        shown = sorted(self, key=lambda one: -float(getattr(one, sort_by, 0))) if sort_by else self
        whole = self.self_cpu_time_total
        rows = [_HEADINGS]
        rows += [
            (
                _cut(one.key, max_name_column_width),
                _share(one.self_cpu_time_total, whole),
                _duration(one.self_cpu_time_total, time_unit),
                _share(one.cpu_time_total, whole),
                _duration(one.cpu_time_total, time_unit),
                _duration(one.cpu_time, time_unit),
                str(one.count),
            )
            for one in shown[: row_limit if row_limit >= 0 else None]
        ]
        widths = [max(12, *(len(row[column]) for row in rows)) for column in range(len(_HEADINGS))]
        rule = "  ".join("-" * width for width in widths)
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        above = [header] if header else []
        total = f"Self CPU time total: {_duration(whole, time_unit)}"
        return "\n".join([*above, rule, lines[0], rule, *lines[1:], rule, total]) + "\n"

    def export_chrome_trace(self, path: str) -> NoReturn:
        """Raise: what is summed has no place in time.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError(
            "export_chrome_trace: averages are no spans. Fix: profile.export_chrome_trace(path), of the profile itself."
        )


def averages_of(spans: Iterable[Span] | Sequence[Span]) -> Averages:
    """The spans by name."""
    found: dict[str, Average] = {}
    within: list[tuple[Span, Average]] = []  # the spans around the next one
    for span in sorted(spans, key=lambda span: (span.start_us, -span.end_us)):
        one, time_us = found.setdefault(span.name, Average(span.name)), span.end_us - span.start_us
        one.count += 1
        one.cpu_time_total += time_us
        one.self_cpu_time_total += time_us
        while within and within[-1][0].end_us < span.end_us:
            within.pop()
        if within:
            within[-1][1].self_cpu_time_total -= time_us
        within.append((span, one))
    return Averages(sorted(found.values(), key=lambda one: -one.cpu_time_total))


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole if whole else 0:.2f}%"


def _cut(name: str, width: int) -> str:
    return name if width < 0 or len(name) <= width else name[: max(width - 3, 0)] + "..."


def _duration(time_us: float, time_unit: str | None = None) -> str:
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if time_unit == unit or (time_unit is None and time_us >= size):
            return f"{time_us / size:.3f}{unit}"
    return f"{time_us:.3f}us"
