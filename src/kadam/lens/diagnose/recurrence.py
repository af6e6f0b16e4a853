"""A state that is carried from moment to moment without its gradient: the earlier moments learn nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from kadam.ir.graph import Node, Source
from kadam.lens.diagnose.finding import Finding, Value
from kadam.lens.diagnose.links import Links
from kadam.lens.diagnose.program import Program
from kadam.lens.step import StepRecord
from kadam.primitives.contract import Dot
from kadam.primitives.move import Detach

SEEN = 3  # steps
MOMENTS = 3  # in a row that hand on their state without its gradient

# The operations whose `Detach` the program has asked for; others have one inside (a softmax, of its largest value).
BY_THE_PROGRAM = ("see", "detach", "data", "")


class Recurrence:
    """A hidden state that is detached at every moment, within one backward pass.

    To cut between windows (truncated backpropagation) leaves several moments between two cuts, or a backward pass for
    each of them; then it is meant.
    """

    def __init__(self) -> None:
        self.cuts: list[tuple[Source | None, int]] = []
        self.name = ""

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None:
            return
        passes = sum(event.kind in ("backward", "grad") for event in record.events)
        chain = _chain(links)
        if len(chain) < MOMENTS or passes >= len(chain) or not _lone_moment(links, chain[-1]):
            return
        lines = Counter(
            event.source
            for event in record.events
            if event.kind in ("detach", "data") and event.fact("requires_grad") and not event.fact("single")
        )
        source = lines.most_common(1)[0][0] if lines else chain[-1].source
        self.cuts.append((source, len(chain)))

    def findings(self, program: Program) -> Iterator[Finding]:
        if len(self.cuts) >= SEEN:
            source, moments = self.cuts[0]
            values: dict[str, Value] = {"moments": moments, "steps": len(self.cuts)}
            yield Finding("graph_cut", source, values, variant="moments")


def _chain(links: Links) -> list[Node]:
    """Cuts by the program, each of something that was computed from the one before; the longest row of one kind."""
    rows: dict[object, list[Node]] = {}
    cut_before: dict[int, set[int]] = {}  # node -> cuts that it was computed behind
    for node in links.forward:
        behind: set[int] = set().union(*(cut_before.get(one.id, ()) for one in node.inputs)) if node.inputs else set()
        own = isinstance(node.primitive, Detach) and links.called(node) in BY_THE_PROGRAM
        if own and node.inputs[0].id in links.step.active:
            row = rows.setdefault(node.type, [])
            if not row or row[-1].id in behind:
                row.append(node)
            behind = {node.id}
        if behind:
            cut_before[node.id] = behind
    return max(rows.values(), key=len, default=[])


def _lone_moment(links: Links, cut: Node) -> bool:
    """Whether gradients from a cut's state would meet each weight once, as far back as the cut before."""
    uses: Counter[int] = Counter()
    waiting, seen = [cut.inputs[0]], {cut.inputs[0].id}
    while waiting:
        node = waiting.pop()
        if isinstance(node.primitive, Dot):
            uses.update(links.maker(one).id for one in node.inputs if links.maker(one).id in links.weights)
        for one in node.inputs:
            if one.id not in seen and not isinstance(one.primitive, Detach):
                seen.add(one.id)
                waiting.append(one)
    return bool(uses) and max(uses.values()) == 1
