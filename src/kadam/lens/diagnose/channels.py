"""Images whose memory is read in the wrong order: height x width x channels, viewed as channels x height x width."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kadam.ir.graph import Node, Source
from kadam.ir.primitive import Array
from kadam.lens.capture_events import PICTURES
from kadam.lens.diagnose.finding import Finding
from kadam.lens.diagnose.links import CARRIERS, Links
from kadam.lens.diagnose.program import Program
from kadam.lens.step import StepRecord
from kadam.primitives.convolve import Convolve

SEEN = 3  # steps
SIDE = 8  # pixels: smaller pictures have hardly any neighbours
IMAGES = 32  # of a batch that are looked at
ROUGHER = 1.3  # times the difference of neighbours in the other order: the picture is smoother when it is read so


class Channels:
    """Pictures whose neighbouring numbers are not neighbours in the picture.

    In a picture neighbours are alike. Read as it stands, and as if the channels came last, it is smoother in the order
    that it was painted in: along the rows, and from row to row.
    """

    def __init__(self) -> None:
        self.found: list[tuple[Source | None, str]] = []
        self.looked = 0

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None or len(self.found) > SEEN:
            return
        for node in links.forward:
            if not isinstance(node.primitive, Convolve) or node.inputs[0].id in links.step.active:
                continue
            picture = _before(node.inputs[0])
            value = None if picture is None else links.value(picture)
            if picture is None or value is None or not np.all(np.isfinite(value)):
                continue
            self.looked += 1
            if _is_scrambled(value):
                self.found.append((links.place(node), str(list(picture.shape))))
            return

    def findings(self, program: Program) -> Iterator[Finding]:
        if len(self.found) >= SEEN and len(self.found) == self.looked:
            source, shape = self.found[0]
            given = {event.source for event in program.events if event.kind == "other_shape"}
            line = given.pop() if len(given) == 1 else source
            also = (source,) if source is not None and line != source else ()
            yield Finding("channels_mixed", line, {"shape": shape, "steps": self.looked}, also)


def _before(node: Node) -> Node | None:
    """The pictures that a convolution looks at, before they are padded or laid out for it."""
    while node.rank != 4 or node.shape[1] not in PICTURES or min(node.shape[2:]) < SIDE:
        if not isinstance(node.primitive, CARRIERS) or not node.inputs:
            return None
        node = node.inputs[0]
    return node


def _is_scrambled(value: Array) -> bool:
    """Whether the numbers lie in memory as rows of pixels, of which each has its channels side by side.

    No nearer number may be as alike: those of a pattern of every other pixel are, whatever the channels.
    """
    channels, width = value.shape[1], value.shape[3]
    flat = value[:IMAGES].astype(np.float64).reshape(len(value[:IMAGES]), -1)
    across, down = min(_roughness(flat, apart) for apart in range(1, channels)), _roughness(flat, width)
    pixels, rows = _roughness(flat, channels), _roughness(flat, channels * width)
    return across > ROUGHER * pixels and down > ROUGHER * rows


def _roughness(flat: Array, apart: int) -> float:
    """How far numbers differ that lie so far apart in memory."""
    return float(np.abs(flat[:, apart:] - flat[:, :-apart]).mean())
