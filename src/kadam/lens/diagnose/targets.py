"""Numbers as targets, and inputs that say nothing: their size, their order, whether samples differ at all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kadam.ir.graph import Node, Source
from kadam.ir.primitive import Array
from kadam.lens.diagnose.dynamics import diverges, learns
from kadam.lens.diagnose.finding import Finding, Value
from kadam.lens.diagnose.links import Links, ancestors
from kadam.lens.diagnose.losses import DISTANCES
from kadam.lens.diagnose.program import Program
from kadam.lens.step import StepRecord
from kadam.primitives.contract import Dot
from kadam.primitives.convolve import Convolve
from kadam.primitives.elementwise import Add

SEEN = 4  # steps
MOSTLY = 0.8  # of the steps: in others an index into the data may be among what is fed
LARGE = 50.0  # root mean square of targets: scaled ones have about 1
FAR = 10.0  # times the predictions: at the end of the training they are still not in reach
LEARNT = 0.5  # of its first loss: a loss below has come nearer
BATCHES = 6  # batches in one order: fewer may be chance
WITHIN = 0.2  # variance inside a batch over that of all targets: 1 for shuffled ones
MANY = 1000  # labels: of fewer a rare class may be missing by chance
LABELLED = ("cross_entropy", "binary_cross_entropy_with_logits")
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
            if far[:1] == sizes[:1] and _runs_away(np.array([loss for _, loss in program.losses])):
                yield Finding("unscaled_targets", source, {"target": far[0][0], "prediction": far[0][1]})
                return
            if len(far) >= SEEN and len(far) == len(sizes) and not learns(program, LEARNT):
                yield Finding("unscaled_targets", source, {"target": far[-1][0], "prediction": far[-1][1]})
                return
        for source, batches in self.batches.items():
            told = _in_order(batches)
            if told is not None:
                yield Finding("sorted_labels", source, told, variant="numbers")
                return


def _runs_away(losses: Array) -> bool:
    """Whether a loss grows without end, or until it is no number any more."""
    return bool(losses.size) and (not np.isfinite(losses[-1]) or diverges(losses))


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


class Uniform:
    """Targets that are one and the same number for all samples of all batches, by mistake.

    Told are numbers of an integer type (measured ones that lost what stands behind the point), and labels of the only
    loss that a network's last layer has; without a second class, its offset answers them all. To push a residual
    to 0 is usual, and so are the constant labels of a game, of an attack, and of scores that are products of answers.
    """

    def __init__(self) -> None:
        self.seen: dict[tuple[str, Source | None], set[float]] = {}
        self.labels: dict[tuple[str, Source | None], int] = {}

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None:
            return
        for one in links.comparisons():
            if one.target is None:
                self.seen.setdefault((one.name, one.source), set()).update((0.0, 1.0))
                continue
            value = links.value(links.maker(one.target))
            if value is None or value.size < 2 or not np.all(np.isfinite(value)):
                continue
            whole = value.dtype.kind in "iu" and one.name in DISTANCES
            key = one.name, one.source
            told = [float(value.flat[0]), float(value.min()), float(value.max())]
            fits = whole or (one.name in LABELLED and _last_layer_learns(links, one.prediction))
            self.seen.setdefault(key, set()).update(told if fits else (0.0, 1.0))
            self.labels[key] = self.labels.get(key, 0) + value.size

    def findings(self, program: Program) -> Iterator[Finding]:
        for (name, source), seen in self.seen.items():
            labels = self.labels.get((name, source), 0)
            alone = len(self.seen) == 1 and len(program.made) == 1
            if len(seen) == 1 and labels >= MANY and (alone or name in DISTANCES):
                values: dict[str, Value] = {"target": next(iter(seen)), "labels": labels}
                yield Finding("constant_targets", source, values, variant="" if name in DISTANCES else "classes")
                return


def _last_layer_learns(links: Links, node: Node) -> bool:
    """Whether a prediction is what a layer with a weight of its own gives, and the step changes that weight."""
    node = links.maker(node)
    if isinstance(node.primitive, Add):
        parts = [links.maker(one) for one in node.inputs]
        node = next((one for one in parts if isinstance(one.primitive, Dot | Convolve)), node)
    learning = {one.value.id for one in links.step.parameters if one.next is not None}
    products = isinstance(node.primitive, Dot | Convolve)
    return products and any(links.maker(one).id in learning for one in node.inputs)


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
