"""What the model is fed with: the scale of the inputs, the order of the labels, the size of batches for BatchNorm."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kadam.ir.graph import Node, Source
from kadam.ir.primitive import Array
from kadam.lens.diagnose.finding import Finding, Value
from kadam.lens.diagnose.links import CARRIERS, Links, ancestors
from kadam.lens.diagnose.program import Program
from kadam.lens.step import StepRecord
from kadam.primitives.contract import Dot
from kadam.primitives.convolve import Convolve

LARGE = 50.0  # root mean square of a feature: standardised ones have 1, pixels in 0..1 less, in 0..255 about 100
SEEN = 3  # steps
ORDERED = 0.2  # changes of label from sample to sample, over those of a shuffled order
APART = 0.3  # mean distance of a batch's labels from the mix of all: 0 the same mix, 1 nothing in common
BATCHES = 4  # different batches: fewer have no order
PURE = 0.8  # part of the batches that hold one class only, if they come in runs
TINY_FLAT, TINY = 4, 2  # samples from which BatchNorm1d and BatchNorm2d take mean and variance: below, they are noise


class Scale:
    """Inputs that go into the first weighted sum with sizes far from 1, without a normalisation in between."""

    def __init__(self) -> None:
        self.large: list[tuple[float, float, Node, Source | None]] = []
        self.looked = 0

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None:
            return
        self.looked += 1
        ends = links.step.roots or ((links.step.loss,) if links.step.loss is not None else ())
        learnt = ancestors(ends)  # what the model is only asked about is no input of the training
        for node in links.fed():
            value = links.value(node)
            if value is None or value.ndim < 2 or value.dtype.kind not in "fiu" or not np.all(np.isfinite(value)):
                continue
            if learnt and node.id not in learnt:
                continue
            reader = _first_product(links, node)
            if reader is None:
                continue
            feature = 1 if value.ndim == 4 else value.ndim - 1
            others = tuple(axis for axis in range(value.ndim) if axis != feature)
            sizes = np.sqrt(np.mean(np.square(value.astype(np.float64)), axis=others))
            if sizes.max() > LARGE:
                self.large.append((float(sizes.max()), float(sizes.min()), node, reader.source))
                return

    def findings(self, program: Program) -> Iterator[Finding]:
        if len(self.large) >= SEEN and len(self.large) * 2 > self.looked:
            largest, smallest, _, source = self.large[0]
            yield Finding("unscaled_inputs", source, {"largest": largest, "smallest": smallest})


def _first_product(links: Links, node: Node) -> Node | None:
    """The product with a weight that an input goes into as it is."""
    for reader in links.readers.get(node.id, ()):
        if isinstance(reader.primitive, Dot | Convolve):
            return reader if any(links.maker(one).id in links.weights for one in reader.inputs) else None
        if isinstance(reader.primitive, CARRIERS) and (found := _first_product(links, reader)) is not None:
            return found
    return None


class LabelOrder:
    """Labels that come in blocks: each batch holds one class or few, the next batch the same, and so on.

    Only one label per sample is looked at, and only where the batches differ (all data in one batch has no order).
    """

    def __init__(self) -> None:
        self.seen: dict[Source | None, list[tuple[int, Array]]] = {}
        self.loader: Source | None = None

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None:
            return
        for one in links.comparisons():
            value = None if one.target is None else links.value(one.target)
            if value is None or value.size < 2 or value.size != value.shape[0]:
                continue  # one label per sample
            if len(np.unique(value)) > value.size // 2 + 1:
                continue  # numbers rather than classes
            whole = value.dtype.kind in "iub" or bool(np.all(np.isin(value, (0.0, 1.0))))
            if whole:
                self.seen.setdefault(one.source, []).append((record.index, value.ravel()))

    def findings(self, program: Program) -> Iterator[Finding]:
        for source, batches in self.seen.items():
            told = _blocks(batches)
            if told is not None:
                made = _loader_line(program)
                also = () if made is None or source is None else (source,)
                yield Finding("sorted_labels", made or source, told, also)
                return


def _blocks(batches: list[tuple[int, Array]]) -> dict[str, int | float | str] | None:
    labels = [value for _, value in batches]
    if len({value.tobytes() for value in labels}) < BATCHES and not _in_runs(batches):
        return None
    classes, counts = np.unique(np.concatenate(labels), return_counts=True)
    mix = counts / counts.sum()
    mixed = 1 - float(np.square(mix).sum())  # how often neighbours differ in a shuffled order
    if len(classes) < 2 or mixed < 0.1:
        return None
    changes = [np.count_nonzero(value[1:] != value[:-1]) / (value.size - 1) for value in labels]
    apart = [_distance(value, classes, mix) for value in labels]
    size = float(np.mean([value.size for value in labels]))
    chance = float(np.sqrt(len(classes) / (2 * np.pi * size)))
    if np.mean(changes) > ORDERED * mixed or np.mean(apart) < max(APART, 2 * chance):
        return None
    alone = sum(bool(np.all(value == value[0])) for value in labels)
    return {"alone": alone, "batches": len(labels), "classes": len(classes)}


def _in_runs(batches: list[tuple[int, Array]]) -> bool:
    """Whether batches of one class each follow each other: several of the first, several of the next, and so on.

    Where one class ends and the next begins a batch may hold both. A game of two networks shows one class and the
    other in turn.
    """
    steps = [index for index, _ in batches]
    first = [value[0] for _, value in batches if not np.ptp(value)]
    if len(set(steps)) < len(steps) or len(first) < PURE * len(batches):
        return False
    turns = sum(one != other for one, other in zip(first, first[1:], strict=False))
    return bool(turns) and len(first) >= BATCHES * (turns + 1) // 2


def _distance(labels: Array, classes: Array, mix: Array) -> float:
    """How far the shares of the classes in a batch are from those in all: 0 the same, 1 nothing in common."""
    return 0.5 * float(sum(abs(np.mean(labels == one) - share) for one, share in zip(classes, mix, strict=True)))


def _loader_line(program: Program) -> Source | None:
    """The line of the DataLoader whose passes the training made, if it does not shuffle."""
    for event in program.events:
        if event.kind == "loader" and event.fact("sampler") == "SequentialSampler":
            made = event.fact("made")
            if isinstance(made, str):
                file, _, line = made.rpartition(":")
                return Source(file, int(line))
            return event.source
        if event.kind == "optimizer_step":
            return None
    return None


class SmallBatches:
    """BatchNorm in training mode on batches so small that their mean and variance are noise.

    One and the same small batch over and over (the usual test whether a model can learn a few samples by heart) has
    the same statistics at every step, and is no finding.
    """

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.small: list[tuple[int, str, Source | None, Source | None]] = []
        self.contents: set[bytes] = set()

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None:
            return
        step = links.step
        for call in step.calls:
            if call.kind.startswith("BatchNorm") and call.training and call.inputs and call.grad:
                shape = call.inputs[0].shape
                self.sizes.append(shape[0])
                if shape[0] <= (TINY_FLAT if len(shape) == 2 else TINY):
                    line = links.place_of(call)
                    other = call.made if line == call.source else call.source
                    self.small.append((shape[0], call.path, line, other))
                    value = step.trace.values.get(call.inputs[0].id)
                    if value is not None:
                        self.contents.add(np.sign(value - value.mean()).tobytes()[:4096])
                return

    def findings(self, program: Program) -> Iterator[Finding]:
        if program.fault is not None and "more than 1 value per channel" in program.fault.message:
            alone: dict[str, Value] = {"size": 1, "name": program.fault.scope or "BatchNorm", "steps": 1}
            yield Finding("batchnorm_tiny_batches", program.fault.source, alone)
        elif len(self.small) >= SEEN and len(self.small) * 2 > len(self.sizes) and len(self.contents) >= BATCHES:
            size, name, source, other = self.small[0]
            also = () if other is None else (other,)
            values: dict[str, Value] = {"size": size, "name": name, "steps": len(self.small)}
            yield Finding("batchnorm_tiny_batches", source, values, also)
