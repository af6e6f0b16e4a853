"""Where the time of compiled steps goes, kernel by kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter

from kadam.engines.native.stage import Stage


@dataclass
class Row:
    """A kernel's share.

    Attributes:
        name: what it computes.
        calls: how often it ran.
        elapsed_s: in all.
        flops, size_bytes: of all its runs together.
    """

    name: str
    calls: int = 0
    elapsed_s: float = 0.0
    flops: float = 0.0
    size_bytes: float = 0.0


@dataclass
class Profile:
    """What the native programs that run while it is `active` cost.

    Attributes:
        active: whether programs note their times; they run a little slower then.
        runs: how many programs ran.
        native_s: time spent in their kernels.
        rows: by kernel.
    """

    active: bool = False
    runs: int = 0
    native_s: float = 0.0
    rows: dict[str, Row] = field(default_factory=dict)
    _started: float = field(default_factory=perf_counter)

    def start(self) -> None:
        """Note what programs that are compiled from now on cost."""
        self.active, self._started = True, perf_counter()

    def add(self, stages: Sequence[Stage], times_s: Sequence[float]) -> None:
        """One run of some stages."""
        for stage, elapsed_s in zip(stages, times_s, strict=True):
            row = self.rows.setdefault(stage.text, Row(stage.name))
            row.calls += 1
            row.elapsed_s += elapsed_s
            row.flops += stage.flops
            row.size_bytes += stage.size_bytes
        self.native_s += sum(times_s)

    def table(self, longest: int = 30) -> str:
        """The kernels by their share, as text."""
        wall_s = perf_counter() - self._started
        rows = sorted(self.rows.values(), key=lambda row: -row.elapsed_s)
        lines = [
            f"{self.runs} steps and parts of steps ran on the native engine: {self.native_s:.3f} s in kernels, "
            f"of {wall_s:.3f} s in all (Python, compiling and the reference engine included).",
            f"{'time':>10} {'share':>6} {'calls':>8} {'each':>10} {'GFLOP/s':>8} {'GB/s':>7}  kernel",
        ]
        for row in rows[:longest]:
            lines.append(_line(row, self.native_s))
        if len(rows) > longest:
            rest = sum(row.elapsed_s for row in rows[longest:])
            lines.append(f"{rest * 1e3:>7.1f} ms  and {len(rows) - longest} more kernels")
        return "\n".join(lines)


def _line(row: Row, total_s: float) -> str:
    seconds = max(row.elapsed_s, 1e-12)
    return (
        f"{row.elapsed_s * 1e3:>7.1f} ms {100 * row.elapsed_s / max(total_s, 1e-12):>5.1f}% {row.calls:>8} "
        f"{seconds / row.calls * 1e6:>7.1f} us {row.flops / seconds * 1e-9:>8.1f} "
        f"{row.size_bytes / seconds * 1e-9:>7.1f}  {row.name}"
    )


profile = Profile()
