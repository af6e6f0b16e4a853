"""Memory that is changed in place while it is still needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from kadam.ir.graph import Source
from kadam.lens.diagnose.finding import Finding, Value
from kadam.lens.diagnose.links import Links
from kadam.lens.diagnose.program import Program
from kadam.lens.step import Event, StepRecord

OFTEN = 3  # changes of the data between steps
# What computes on from the old values. Copies and fills set new ones, which is how buffers are reused.
ARITHMETIC = frozenset({"add_", "sub_", "mul_", "div_", "pow_", "__iadd__", "__isub__", "__imul__", "__itruediv__"})


class Damage:
    """Values that a backward pass needs and finds changed; data that every pass over it changes further."""

    def __init__(self) -> None:
        self.fed: Counter[int] = Counter()
        self.changed: dict[int, list[Event]] = {}

    def see(self, record: StepRecord, links: Links | None) -> None:
        met = {int(event.fact("memory") or 0) for event in record.events if event.kind == "forward"}  # type: ignore[arg-type]
        self.fed.update(met)
        for event in record.events:
            if event.kind == "in_place" and event.name in ARITHMETIC and not event.fact("requires_grad"):
                self.changed.setdefault(int(event.fact("token") or 0), []).append(event)  # type: ignore[arg-type]

    def findings(self, program: Program) -> Iterator[Finding]:
        fault = program.fault
        if fault is not None and ("in-place operation" in fault.message or "inplace operation" in fault.message):
            source = _changer(program) or fault.source
            also = () if fault.source in (None, source) else (fault.source,)
            yield Finding("in_place_damage", source, {"what": _verdict(fault.message)}, also, variant="backward")
            return
        for token, events in self.changed.items():
            if self.fed[token] >= OFTEN and len(events) >= OFTEN and token not in program.lives:
                values: dict[str, Value] = {"what": f"`{events[-1].name}`", "times": len(events)}
                yield Finding("in_place_damage", events[-1].source, values, variant="data")
                return


def _changer(program: Program) -> Source | None:
    """What changed memory last before the backward pass that failed: an in-place operation, or else an update."""
    for event in reversed(program.events):
        if event.kind == "in_place" and (event.fact("requires_grad") or not event.fact("leaf")):
            return event.source
        if event.kind == "optimizer_step":
            return event.source
        if event.kind == "loader":
            return None
    return None


def _verdict(message: str) -> str:
    """The first line of an error, without its fix."""
    return message.partition("\n")[0].partition(". Fix")[0]
