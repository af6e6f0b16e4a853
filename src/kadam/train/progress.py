"""The live display of a run: one line on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any

from kadam.train.history import Row

EVERY_S = 0.1


class Display:
    """Shows where a run stands. On a terminal one line is rewritten; `plain` prints a line per epoch; else silence.

    Args:
        kind: "auto" (a terminal: live; else silence), "live", "plain" or "off".
        epochs: how many there will be.
        batches: how many an epoch has; 0 where nobody knows.
    """

    def __init__(self, kind: str, epochs: int, batches: int) -> None:
        if kind not in ("auto", "live", "plain", "off"):
            raise ValueError(f"display: {kind!r} is none of auto, live, plain, off. Fix: leave it at 'auto'.")
        self.live = kind == "live" or (kind == "auto" and sys.stderr.isatty())
        self._plain = kind == "plain"
        self._epochs = epochs
        self._batches = batches
        self._start_s = self.due_s = time.monotonic()
        self._first: float | None = None
        self._row: Row = {}

    def step(self, epoch: int, batch: int, loss: float) -> None:
        """Rewrite the line. Called only when `live` and due."""
        now = time.monotonic()
        self.due_s = now + EVERY_S
        done = epoch + (batch / self._batches if self._batches else 0.0)
        if self._first is None:
            self._first = done
        parts = [f"epoch {epoch + 1}/{self._epochs}"]
        if self._batches:
            parts.append(f"{100 * batch / self._batches:3.0f} %")
        parts.append(f"loss {loss:.4g}")
        parts += [f"{name} {value:.4g}" for name, value in _main(self._row)]
        passed = done - self._first
        if passed > 0:
            rate = passed / (now - self._start_s)
            if self._batches:
                parts.append(f"{rate * self._batches:.0f} steps/s")
            parts.append(f"{_clock((self._epochs - done) / rate)} left")
        self._write("  ".join(parts))

    def epoch(self, row: Row) -> None:
        """Take in an epoch's row."""
        self._row = row
        if self._plain:
            values = "  ".join(f"{name} {value:.4g}" for name, value in row.items() if name != "epoch")
            print(f"epoch {int(row['epoch'])}/{self._epochs}  {values}", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the last line standing."""
        if self.live and self._first is not None:
            sys.stderr.write("\n")
            sys.stderr.flush()

    def say(self, text: str) -> None:
        """A line of its own, where anything is shown at all."""
        if self.live or self._plain:
            self._write("")
            print(text, file=sys.stderr, flush=True)

    def _write(self, line: str) -> None:
        if self.live:
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()


def _main(row: Row) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in row.items() if name not in ("epoch", "step", "loss", "lr", "seconds")]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
