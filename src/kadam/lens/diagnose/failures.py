"""Programs that end with an error: a graph that is gone through twice, and whatever else stops a training."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kadam.ir.graph import Source
from kadam.lens.diagnose.finding import Finding, Value
from kadam.lens.diagnose.links import Links
from kadam.lens.diagnose.program import Program
from kadam.lens.step import StepRecord

# What says nothing of the program's training: missing packages and files, the machine, and what Kadam does not have.
OUTSIDE = frozenset(
    {
        "FileNotFoundError", "ImportError", "KeyboardInterrupt", "MemoryError", "ModuleNotFoundError",
        "NotImplementedError", "PermissionError", "UnsupportedError",
    }
)  # fmt: skip
_RECORDED = re.compile(r"recorded at (.+):(\d+)")  # an operation that was computed later than it was written
SHOWN = 300  # letters of a message


class Failures:
    """The error in which a program ends. What explains it better (a cut graph, NaN) is told before it, or instead."""

    def see(self, record: StepRecord, links: Links | None) -> None:
        """The fault stands in the program."""

    def findings(self, program: Program) -> Iterator[Finding]:
        fault = program.fault
        if fault is None or fault.source is None or fault.error in OUTSIDE:
            return
        if fault.error == "RuntimeError" and "through the graph a second time" in fault.message:
            again = [event for event in program.events if event.kind == "backward"]
            stepped = any(event.kind == "optimizer_step" for event in program.events)
            told: dict[str, Value] = {"passes": len(again)}
            yield Finding("backward_twice", fault.source, told, variant="state" if stepped else "")
            return
        message = fault.message.strip().partition("\n")[0]
        values: dict[str, Value] = {"error": fault.error, "message": message[:SHOWN], "steps": program.steps}
        recorded = _RECORDED.search(fault.message)
        source = fault.source if recorded is None else Source(recorded[1], int(recorded[2]))
        yield Finding("program_fails", source, values)
