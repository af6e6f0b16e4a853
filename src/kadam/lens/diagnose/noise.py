"""Dropout that leaves hardly anything, or that falls on the prediction itself."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kadam.ir.graph import Node, Source
from kadam.lens.diagnose.finding import Finding, Value
from kadam.lens.diagnose.links import Links
from kadam.lens.diagnose.losses import entered
from kadam.lens.diagnose.program import Program
from kadam.lens.step import StepRecord

SEEN = 3  # steps
NUMBERS = 32  # that are not 0 before: of fewer the share says little
DROPOUT = ("dropout", "masked")
MOST = 0.9  # share that is dropped: half is usual, four fifths the most that is recommended anywhere


class Dropped:
    """Looks at what each dropout is given and what it leaves, by the numbers: how it is written makes no difference."""

    def __init__(self) -> None:
        self.shares: dict[Source | None, list[tuple[float, int]]] = {}
        self.outputs: dict[Source | None, list[tuple[float, Source | None]]] = {}

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None:
            return
        for node in links.forward:
            if links.called(node) in DROPOUT and links.ends_call(node) and node.id in links.step.active:
                share = _dropped(links, node)
                if share is not None:
                    width = node.shape[-1] if node.rank else 1
                    self.shares.setdefault(links.place(node), []).append((share, width))
        for one in links.comparisons():
            node = links.maker(one.prediction)
            if one.target is not None and links.called(node) in DROPOUT:
                share = _dropped(links, node)
                if share:
                    self.outputs.setdefault(links.place(node), []).append((share, one.source))

    def findings(self, program: Program) -> Iterator[Finding]:
        for source, found in self.outputs.items():
            if len(found) >= SEEN:
                told: dict[str, Value] = {"share": 100 * float(np.mean([share for share, _ in found]))}
                loss = found[0][1]
                also = () if loss is None or loss == source else (loss,)
                yield Finding("dropout_on_output", source, {**told, "steps": len(found)}, also)
        for source, shares in self.shares.items():
            share = float(np.median([one for one, _ in shares]))
            if len(shares) >= SEEN and share >= MOST:  # further ones mostly have the same setting
                width = shares[0][1]
                values: dict[str, Value] = {"share": 100 * share, "units": width, "left": (1 - share) * width}
                yield Finding("dropout_too_high", source, values)
                return


def _dropped(links: Links, node: Node) -> float | None:
    """Which part of what is not 0 before the dropout is 0 behind it; None if there is too little to tell."""
    given = next((one for one in entered(links, node) if one.shape == node.shape and one.id in links.step.active), None)
    before, after = None if given is None else links.value(given), links.value(node)
    if before is None or after is None:
        return None
    alive = before != 0
    count = int(np.count_nonzero(alive))
    return float(np.mean(after[alive] == 0)) if count >= NUMBERS else None
