"""Axes that were mixed up: a softmax over the samples, classes that do not stand where cross entropy looks for them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kadam.ir.graph import Node, Source
from kadam.ir.primitive import Array
from kadam.lens.diagnose.finding import Finding, Value
from kadam.lens.diagnose.links import Links, ancestors
from kadam.lens.diagnose.program import Program
from kadam.lens.step import StepRecord
from kadam.primitives.broadcast import Broadcast
from kadam.primitives.contract import Dot
from kadam.primitives.elementwise import Add, Cast
from kadam.primitives.index import Gather, Index
from kadam.primitives.move import Copy, Permute, Reshape

SEEN = 3  # steps
SUM_IS_ONE = 1e-3
NEAR = 6  # operations between the product of queries and keys and its softmax: scaling, masks


class Axes:
    """Which axis a softmax runs along, and which one the classes stand on."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str, Source | None], list[dict[str, Value]]] = {}

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None:
            return
        batches, predictions = set(), set()
        for one in links.comparisons():
            predictions.add(_before_picks(links, one.prediction).id)
            batches.add(one.prediction.shape[0] if one.prediction.rank else 0)
            if one.name == "cross_entropy" and one.prediction.rank > 1 and one.prediction.shape[1] == 1:
                shape = str(list(one.prediction.shape))
                self._note("softmax_axis", one.source, {"operation": one.name, "shape": shape}, "single")
            if one.name == "cross_entropy" and one.prediction.rank == 3 and _units_axis(one.prediction) in (-1, 0, 2):
                shape = str(list(one.prediction.shape))
                self._note("class_axis", one.source, {"shape": shape, "classes": one.prediction.shape[1]})
        for shares in _shared_elsewhere(links):
            self._note("softmax_axis", shares.source, {"operation": "softmax", "shape": str(list(shares.shape))}, "sum")
        for node in links.forward:
            name = links.called(node)
            if name not in ("softmax", "log_softmax") or node.rank < 2 or not links.ends_call(node):
                continue
            value = links.value(node)
            fits = value is not None and (value.shape[0] in batches or node.id in predictions)
            if value is not None and node.id in predictions and _is_alone(value, name == "log_softmax"):
                self._note("softmax_axis", node.source, {"operation": name, "shape": str(list(node.shape))}, "single")
            if value is not None and fits and _runs_over_samples(value, name == "log_softmax"):
                self._note("softmax_axis", node.source, {"operation": name, "shape": str(list(node.shape))})

    def _note(self, kind: str, source: Source | None, values: dict[str, Value], variant: str = "") -> None:
        self.found.setdefault((kind, variant, source), []).append(values)

    def findings(self, program: Program) -> Iterator[Finding]:
        for (kind, variant, source), told in self.found.items():
            if len(told) >= SEEN:
                yield Finding(kind, source, {**told[0], "steps": len(told)}, variant=variant)


def _shared_elsewhere(links: Links) -> Iterator[Node]:
    """Softmaxes of an attention whose shares add up to 1 along one axis, while values are summed along another.

    Only of products of two computed values, queries and keys: shares that a layer gives out (of clusters, to which
    samples belong) are summed over the samples on purpose. So are those that are divided by their sum once more.
    """
    for node in links.forward:
        if not isinstance(node.primitive, Dot):
            continue
        for operand, axes in zip(node.inputs, (node.primitive.a_axes, node.primitive.b_axes), strict=True):
            given = _before_dropout(links, operand)
            shares, value = links.maker(given), links.value(given)
            if value is None or value.ndim < 3 or not links.called(shares).startswith("softmax"):
                continue
            if not all(0 <= axis < value.ndim for axis in axes) or not _is_of_pairs(links, shares):
                continue
            sums = value.astype(np.float64).sum(axis=axes)
            whole = ~(np.abs(sums - 1) >= SUM_IS_ONE)  # a share that is no number adds up to nothing that could be told
            if not np.any(whole) and np.prod([value.shape[axis] for axis in axes]) > 1:
                yield shares


def _before_dropout(links: Links, node: Node) -> Node:
    """What dropout was given, if a value is its result."""
    while "dropout" in links.called(node):
        inside = [one for one in node.inputs if one.shape == node.shape and one.id in links.step.active]
        if not inside:
            break
        node = inside[0]
    return node


def _is_of_pairs(links: Links, shares: Node) -> bool:
    """Whether a softmax is one of scores that are products of two computed values."""
    for one in ancestors((shares,), NEAR + len(links.call_of(shares))).values():
        if isinstance(one.primitive, Dot) and not any(links.maker(part).id in links.weights for part in one.inputs):
            return _sums_features(one)
    return False


def _sums_features(node: Node) -> bool:
    """Whether a product runs over what the layers before it give out; sums over neighbours keep these for clusters."""
    dot = node.primitive
    assert isinstance(dot, Dot)
    places = [_units_axis(part) for part in node.inputs]
    return all(at is None or at in axes for at, axes in zip(places, (dot.a_axes, dot.b_axes), strict=True))


def _before_picks(links: Links, node: Node) -> Node:
    """What has computed a prediction of which some rows were picked (those of the nodes that have labels)."""
    made = links.maker(node)
    while isinstance(made.primitive, Gather | Index) and made.inputs:
        made = links.maker(made.inputs[0])
    return made


def _is_alone(value: Array, is_log: bool) -> bool:
    """Whether there is one class only: its share is 1, whatever its score."""
    return value.size > 1 and bool(np.all(value == (0.0 if is_log else 1.0)))


def _runs_over_samples(value: Array, is_log: bool) -> bool:
    """Whether the numbers add up to 1 along the first axis, and along no other."""
    if min(value.shape[0], value.shape[-1]) < 2 or (value.ndim == 2 and value.shape[0] == value.shape[1]):
        return False  # a square table may be meant to be read either way (who attends to whom)
    shares = np.exp(value.astype(np.float64)) if is_log else value.astype(np.float64)
    ones = [bool(np.all(np.abs(shares.sum(axis=axis) - 1) < SUM_IS_ONE)) for axis in range(value.ndim)]
    return ones[0] and not any(ones[1:])


def _units_axis(node: Node) -> int | None:
    """On which axis of a prediction the units of the layer stand that made it; None if that is not known.

    A view that exchanges two axes without moving the numbers leaves no axis to the units: -1.
    """
    order = list(range(node.rank))
    while not isinstance(node.primitive, Dot):
        if isinstance(node.primitive, Permute):
            order = [node.primitive.axes[axis] if axis >= 0 else axis for axis in order]
            node = node.inputs[0]
        elif isinstance(node.primitive, Cast | Copy):
            node = node.inputs[0]
        elif isinstance(node.primitive, Add):
            node = next((one for one in node.inputs if not isinstance(one.primitive, Broadcast)), node.inputs[0])
        elif isinstance(node.primitive, Reshape):
            before, after = node.inputs[0].shape, node.shape
            if len(before) == 3 and len(after) == 3 and before != after and before[0] == after[0]:
                return -1 if before[1:] == after[:0:-1] else None
            if before[-1:] != after[-1:]:
                return None
            order = [axis - len(after) + len(before) for axis in order]  # the last axes are the same
            node = node.inputs[0]
        else:
            return None
    if node.rank < 2 or node.rank - 1 not in order:
        return None
    return order.index(node.rank - 1)
