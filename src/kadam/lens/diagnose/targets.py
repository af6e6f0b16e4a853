"""Numbers as targets, and inputs that say nothing: their size, their order, whether samples differ at all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kadam.ir.graph import Source
from kadam.ir.primitive import Array
from kadam.lens.diagnose.dynamics import learns
from kadam.lens.diagnose.finding import Finding, Value
from kadam.lens.diagnose.links import Links, ancestors
from kadam.lens.diagnose.losses import DISTANCES
from kadam.lens.diagnose.program import Program
from kadam.lens.step import StepRecord

SEEN = 4  # steps
MOSTLY = 0.8  # of the steps: in others an index into the data may be among what is fed
LARGE = 50.0  # root mean square of targets: scaled ones have about 1
FAR = 10.0  # times the predictions: at the end of the training they are still not in reach
LEARNT = 0.5  # of its first loss: a loss below has come nearer
BATCHES = 6  # batches in one order: fewer may be chance
WITHIN = 0.2  # variance inside a batch over that of all targets: 1 for shuffled ones
SORTED = 0.95  # correlation of the order of batches with the order of their means


class Targets:
    """Targets of a regression that are too large to be reached, or that come in ascending or descending order."""

    def __init__(self) -> None:
        self.sizes: dict[Source | None, list[tuple[float, float]]] = {}
        self.batches: dict[Source | None, list[tuple[int, Array]]] = {}

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None:
            return
        for one in links.comparisons():
            target = None if one.target is None else links.value(one.target)
            prediction = links.value(one.prediction)
            if one.name not in DISTANCES or target is None or prediction is None or target.ndim == 0:
                continue
            if target.dtype.kind == "f" and np.all(np.isfinite(target)) and np.all(np.isfinite(prediction)):
                self.sizes.setdefault(one.source, []).append((_size(target), _size(prediction)))
                if target.size == target.shape[0] > 2:
                    self.batches.setdefault(one.source, []).append((record.index, target.ravel().astype(np.float64)))

    def findings(self, program: Program) -> Iterator[Finding]:
        for source, sizes in self.sizes.items():
            far = [one for one in sizes if one[0] > LARGE and one[0] > FAR * one[1]]
            if len(far) >= SEEN and len(far) == len(sizes) and not learns(program, LEARNT):
                yield Finding("unscaled_targets", source, {"target": far[-1][0], "prediction": far[-1][1]})
                return
        for source, batches in self.batches.items():
            told = _in_order(batches)
            if told is not None:
                yield Finding("sorted_labels", source, told, variant="numbers")
                return


def _size(value: Array) -> float:
    return float(np.sqrt(np.mean(np.square(value.astype(np.float64)))))


def _in_order(batches: list[tuple[int, Array]]) -> dict[str, Value] | None:
    """What there is to say if the first consecutive batches ascend or descend, each narrow beside all."""
    row = [value for at, (index, value) in enumerate(batches) if index == batches[0][0] + at]
    means = np.array([value.mean() for value in row])
    if len(means) < BATCHES:
        return None
    # A pass over the data ends where the means turn back to their beginning.
    back = np.abs(np.diff(means)) > 0.5 * np.ptp(means)
    length = int(back.argmax()) + 1 if back.any() else len(means)
    values = np.concatenate(row[:length])
    inside = float(np.mean([value.var() for value in row[:length]]))
    if length < BATCHES or values.var() == 0 or inside > WITHIN * values.var():
        return None
    order = np.corrcoef(np.arange(length), np.argsort(np.argsort(means[:length])))[0, 1]
    if abs(order) < SORTED or not _differ(row[:length]):
        return None
    return {"batches": length, "inside": 100 * inside / float(values.var())}


def _differ(row: list[Array]) -> bool:
    """Whether the samples inside the batches are in the same order too: a slow series has none inside."""
    ways = [np.corrcoef(np.arange(len(value)), value)[0, 1] for value in row if value.std() > 0]
    return len(ways) > 0 and abs(float(np.mean(np.sign(ways)))) > 0.8 and float(np.mean(np.abs(ways))) > 0.6


class Constant:
    """Inputs that are the same for all samples while their targets differ: nothing could be learnt from them."""

    def __init__(self) -> None:
        self.same: list[tuple[Source | None, str, int]] = []
        self.looked = 0

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None:
            return
        told = [one for one in links.comparisons() if one.target is not None]
        varied = [one for one in told if one.target is not None and _varies(links.value(one.target)) is True]
        if not varied:
            return
        self.looked += 1
        computed = ancestors(tuple(one.prediction for one in told))  # an autoencoder's target is its input as well
        targets = {links.maker(one.target).id for one in told if one.target is not None} - computed.keys()
        fed = [node for node in links.fed() if node.id not in targets and node.rank > 0 and node.shape[0] > SEEN]
        samples = varied[0].prediction.shape[0] if varied[0].prediction.rank else 0
        given = [node for node in fed if node.shape[0] == samples]
        if given and len(given) == len(fed) and all(_varies(links.value(node)) is False for node in fed):
            reader = links.readers[given[0].id][0]
            self.same.append((reader.source, str(given[0].type), samples))

    def findings(self, program: Program) -> Iterator[Finding]:
        if len(self.same) >= SEEN and len(self.same) > MOSTLY * self.looked:
            source, name, samples = self.same[0]
            yield Finding("constant_inputs", source, {"name": name, "samples": samples, "steps": len(self.same)})


def _varies(value: Array | None) -> bool | None:
    """Whether the samples of a batch differ; None if that is not known."""
    if value is None or value.ndim == 0 or value.shape[0] < 2 or value.dtype.kind not in "fiub":
        return None
    return not bool(np.all(value == value[:1]))
