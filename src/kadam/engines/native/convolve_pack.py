"""Weights laid out for a convolution's inner loop: the features that lie in lanes next to each other."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from kadam import dtypes
from kadam.dtypes import dtype
from kadam.engines.native.integers import Integers
from kadam.engines.native.scalars import Scalars
from kadam.engines.native.stage import Scratch, Stage
from kadam.engines.native.writer import BOOL, Writer, index


@dataclass(frozen=True)
class Weights:
    """Weights in memory: how far apart groups, features and channels are; taps lie next to each other."""

    group: int
    feature: int
    channel: int


@dataclass(frozen=True)
class Panels:
    """Packed weights: [groups, panels, taps, channels, width], zeros after the last feature."""

    groups: int
    features: int
    channels: int
    taps: int
    width: int

    @property
    def panels(self) -> int:
        """How many panels of features there are in a group."""
        return -(-self.features // self.width)

    @property
    def elements(self) -> int:
        """How many elements a panel has."""
        return self.taps * self.channels * self.width


def pack(
    key: Hashable, stored: dtype, wide: dtype, weights: Weights, panels: Panels, lanes: int
) -> tuple[Stage, Scratch]:
    """The stage that packs weights, and the memory that it fills with elements of type `wide`."""
    total = panels.groups * panels.panels * panels.elements
    packed = Scratch(total * wide.itemsize)
    writer = Writer()
    integers, scalars = Integers(writer), Scalars(writer)
    source, target = writer.buffer(key), writer.buffer(packed)
    begin, end = writer.tasks
    with writer.loop(begin, end) as task:
        group, panel, channel = integers.split(task, (panels.groups, panels.panels, panels.channels))
        first = integers.mul(panel, panels.width)
        start = integers.sum(
            integers.mul(group, weights.group),
            integers.mul(first, weights.feature),
            integers.mul(channel, weights.channel),
        )
        number = integers.sum(integers.mul(group, panels.panels), panel)
        into = integers.sum(integers.mul(number, panels.elements), integers.mul(channel, panels.width))
        with writer.loop(0, panels.taps) as tap, writer.loop(0, panels.width, lanes) as lane:
            mask = None
            if panels.features % panels.width:
                real = integers.sub(panels.features, integers.sum(first, lane))
                mask = writer.let(
                    BOOL, lanes, f"icmp slt {writer.steps(0, 1, lanes)}, {writer.splat(index(real), lanes).text}"
                )
            at = integers.sum(start, integers.mul(lane, weights.feature), tap)
            if weights.feature == 1:
                found = writer.load(stored, lanes, source, at, mask)
            else:
                found = writer.gather(stored, source, writer.steps(at, weights.feature, lanes), mask)
            place = integers.sum(into, integers.mul(tap, panels.channels * panels.width), lane)
            writer.store(scalars.cast(found, wide), target, place)
    tasks = panels.groups * panels.panels * panels.channels
    size_bytes = total * (stored.itemsize + wide.itemsize)
    return Stage("Pack", writer.text(), tuple(writer.buffers), tasks, 0.0, size_bytes, 2.0 * total), packed


def widened(record: dtype) -> dtype:
    """The type in which sums of products are taken."""
    return dtypes.float32 if record.is_floating_point and record.itemsize < 4 else record
