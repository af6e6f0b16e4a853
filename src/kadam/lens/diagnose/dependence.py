"""What a prediction depends on, tried out: a step's forward pass is computed again with some of its inputs exchanged.

A graph shows what is read, only a trial shows what comes of it: whether one sample moves the predictions of others,
whether a sequence is read beyond its beginning, whether a prediction knows what it is to predict.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kadam.ir.graph import Node, Source
from kadam.ir.primitive import Array
from kadam.lens.diagnose.finding import Finding, Value
from kadam.lens.diagnose.links import Comparison, Links, ancestors
from kadam.lens.diagnose.program import Program
from kadam.lens.step import StepRecord

SEEN = 2  # steps that are tried; all must agree
TRIED = 6  # steps in which a fitting comparison is looked for
OWN = 0.9  # part of a change that stays at one place; what is normalised over the batch by hand may take some of it
FOLLOWERS = 2  # samples, itself included, that a change in the middle of a batch moves where a recurrence runs over it
LONG = 4  # samples, and positions of a sequence: fewer tell little
WORK = 20_000_000  # numbers: a trial of more would cost more than the training
ATTENTION = ("softmax", "scaled_dot_product_attention", "multi_head_attention_forward")


class Dependence:
    """Exchanges a sample, the end of sequences, or all but their beginning, and looks which predictions move."""

    def __init__(self) -> None:
        self.tried = 0
        self.told: dict[str, list[tuple[Source | None, dict[str, Value]]]] = {}
        self.cleared: set[str] = set()

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None or self.tried >= TRIED:
            return
        pairs = [(one, given) for one in links.comparisons() for given in _sequences(links, one)]
        compared = {(one.prediction.id, one.source) for one, _ in pairs}
        if len(compared) != 1:
            return
        self.tried += 1
        for kind, trial in (("batch_mixed", _mixed), ("unread_inputs", _unread), ("target_in_inputs", _sees_target)):
            if kind in self.cleared or len(self.told.get(kind, ())) >= SEEN:
                continue
            found = trial(links, *pairs[0]) if len(pairs) == 1 else None
            if len(pairs) > 1 and kind == "target_in_inputs":
                found = _given_to_one(links, pairs)
            if found is None:
                self.cleared.add(kind)
            else:
                self.told.setdefault(kind, []).append(found)

    def findings(self, program: Program) -> Iterator[Finding]:
        for kind, found in self.told.items():
            if len(found) >= SEEN and kind not in self.cleared:
                source, values = found[0]
                told = {name: value for name, value in values.items() if name != "variant"}
                yield Finding(kind, source, told, variant=str(values.get("variant", "")))


def _sequences(links: Links, one: Comparison) -> Iterator[Node]:
    """The inputs that have more axes than a table, and that a prediction is computed from."""
    before = ancestors((one.prediction,))
    for node in links.fed():
        value = links.value(node)
        if value is None or node.id not in before or value.size < 2:
            continue
        tokens = value.dtype.kind in "iu" and value.ndim == 2
        numbers = value.dtype.kind == "f" and value.ndim in (3, 4) and np.all(np.isfinite(value))
        if (tokens or numbers) and value.shape[0] >= LONG and (value.ndim == 4 or value.shape[1] >= LONG):
            yield node


def _mixed(links: Links, one: Comparison, given: Node) -> tuple[Source | None, dict[str, Value]] | None:
    """Whether a sample moves the predictions of others.

    Only where each row of a batch has one target of its own; a table of all pairs compares samples on purpose.
    """
    before = links.value(given)
    target = None if one.target is None else links.value(one.target)
    made = one.prediction.shape
    axis = None if before is None or target is None else _samples_axis(before, target)
    if before is None or axis is None or made[1:2] == made[:1] or made[:1] != before.shape[axis : axis + 1]:
        return None
    samples = made[0]
    worst: tuple[float, int, dict[int, Array]] | None = None
    onward = False
    for sample in (0, samples // 2):
        other = before.copy()
        np.moveaxis(other, axis, 0)[sample] = np.moveaxis(before, axis, 0)[sample - 1]
        changes = _changes(links, given, other, one.prediction)
        if changes is None or one.prediction.id not in changes:
            return None
        rows = np.square(changes[one.prediction.id]).reshape(samples, -1).sum(axis=1)
        own = float(rows.max() / rows.sum())  # packed sequences are in another order than their predictions
        onward = own < 1 and not rows[:sample].any() and bool(np.all(rows[sample : sample + FOLLOWERS] > 0))
        if worst is None or own < worst[0]:
            worst = own, sample, changes
    # A recurrence that runs on over an axis may be meant to (days of a market), unless it then reads one moment alone.
    if worst is None or not (_reads_one_moment(links, one, given, axis) if onward else worst[0] <= OWN):
        return None
    source = _first_mixing(links, worst[2], samples)
    return source, {"own": 100 * worst[0], "samples": samples, "shape": str(list(given.shape))}


def _reads_one_moment(links: Links, one: Comparison, given: Node, axis: int) -> bool:
    """Whether the predictions need one moment of a sequence alone, as they do if a recurrence runs over the samples."""
    before = links.value(given)
    if before is None or before.ndim == 4 or before.shape[1 - axis] < 2:
        return False
    unread = 0
    for part in (slice(1, None), slice(-1)):  # all but the first, all but the last
        other = before.copy()
        rows = np.moveaxis(other, 1 - axis, 0)
        rows[part] = np.roll(rows[part], 1, axis=1)  # those of the next sample
        changes = _changes(links, given, other, one.prediction)
        unread += changes is not None and one.prediction.id not in changes and not np.array_equal(other, before)
    return unread > 0


def _samples_axis(given: Array, target: Array) -> int | None:
    """On which of its first two axes an input has the samples, by the targets' number; None if that is open."""
    if target.size != target.shape[0]:
        return None
    fits = [axis for axis in (0, 1) if given.shape[axis] == target.size and (given.ndim < 4 or axis == 0)]
    return fits[0] if len(fits) == 1 else None


def _first_mixing(links: Links, changes: dict[int, Array], samples: int) -> Source | None:
    """The line of the first value whose change stands at no single place of an axis any more."""
    for node in links.forward:
        if node.id not in changes or "batch_norm" in links.called(node) or node.source is None:
            continue
        squares = np.square(changes[node.id])
        total = float(squares.sum())
        stays = False
        for axis in range(squares.ndim):
            if squares.shape[axis] == samples:
                sums = squares.sum(axis=tuple(at for at in range(squares.ndim) if at != axis))
                stays = stays or float(sums.max()) >= OWN * total
        if not stays and squares.size >= samples:
            return links.place(node)
    return None


def _unread(links: Links, one: Comparison, given: Node) -> tuple[Source | None, dict[str, Value]] | None:
    """Whether all but the first moment of a sequence makes no difference at all."""
    before, target = links.value(given), None if one.target is None else links.value(one.target)
    axis = None if before is None or target is None or before.ndim == 4 else _samples_axis(before, target)
    if before is None or axis is None:
        return None
    other = before.copy()
    rows = np.moveaxis(other, axis, 0)
    rows[:, 1:] = np.roll(rows[:, 1:], 1, axis=0)
    if np.array_equal(other, before):
        return None
    changes = _changes(links, given, other, one.prediction)
    if changes is None or one.prediction.id in changes:
        return None
    lost = [
        node for node in links.forward if node.id not in changes and any(part.id in changes for part in node.inputs)
    ]
    before_it = ancestors((one.prediction,))
    lost = [node for node in lost if node.id in before_it and node.source is not None]
    source = links.place(lost[-1]) if lost else None
    return source, {"moments": rows.shape[1], "shape": str(list(given.shape))}


def _sees_target(links: Links, one: Comparison, given: Node) -> tuple[Source | None, dict[str, Value]] | None:
    """Whether a model that is to tell the next token of each position sees it, or is asked for the one it is given.

    The first: the targets are the inputs moved by one, and the last input moves the first predictions. The second: the
    targets are the inputs, and the last input moves the last prediction alone, so that nothing is taken apart and put
    together again.
    """
    tokens, target = links.value(given), None if one.target is None else links.value(one.target)
    if tokens is None or target is None or tokens.dtype.kind not in "iu" or target.size != tokens.size:
        return None
    length = tokens.shape[1]
    target = target.reshape(tokens.shape)
    same = np.array_equal(target, tokens)
    moved = not same and np.array_equal(target[:, :-1], tokens[:, 1:])
    if not (same or moved):
        return None
    other = tokens.copy()
    other[:, -1] = np.roll(tokens[:, -1], 1, axis=0)
    changes = _changes(links, given, other, one.prediction)
    rows = len(tokens)
    if changes is None or one.prediction.id not in changes or one.prediction.type.elements % (rows * length):
        return None
    change = changes[one.prediction.id]
    if one.prediction.rank == 3 and one.prediction.shape[2] == length:
        change = change.transpose(0, 2, 1)
    early = bool(np.any(change.reshape(rows, length, -1)[:, : length - 1]))
    if same == early:
        return None
    values: dict[str, Value] = {"length": length, "shape": str(list(given.shape)), "variant": "same" if same else ""}
    if same:
        return one.source, values
    astray = _first_astray(links, changes, rows, length)
    if astray is not None and links.called(astray) in ATTENTION:
        return astray.source, values  # where a mask belongs
    return (None if astray is None else links.place(astray)), {**values, "variant": "mixed"}


def _given_to_one(links: Links, pairs: list[tuple[Comparison, Node]]) -> tuple[Source | None, dict[str, Value]] | None:
    """Whether one of several inputs (a decoder's, beside its encoder's) is the target itself, moment by moment.

    What an encoder has read may well lead to all predictions: it has a summary of it.
    """
    told = (_sees_target(links, *pair) for pair in pairs)
    return next((one for one in told if one is not None and one[1]["variant"] == "same"), None)


def _first_astray(links: Links, changes: dict[int, Array], rows: int, length: int) -> Node | None:
    """The first value in which a change of the last moment stands at other moments too.

    In a table of all moments by all (scores of an attention) it stands in the last row and the last column.
    """
    for node in links.forward:
        if node.id not in changes or node.source is None:
            continue
        squares = np.square(changes[node.id])
        moments = [size == length for size in squares.shape]
        kept = any(moments) and not squares[tuple(slice(-1 if one else None) for one in moments)].any()
        for axis, size in enumerate(squares.shape):
            if size == rows * length:
                sums = squares.sum(axis=tuple(at for at in range(squares.ndim) if at != axis))
                kept = kept or not sums.reshape(rows, length)[:, :-1].any() or not sums.reshape(length, rows)[:-1].any()
        if not kept and squares.size >= length:
            return node
    return None


def _changes(links: Links, given: Node, other: Array, wanted: Node) -> dict[int, Array] | None:
    """How far each value on the way to a wanted one moves if an input has another value; None if that is too much work.

    What the input does not lead to keeps the values that it had: masks of dropout, weights, other inputs. So do the
    statistics of batch normalisation, by which samples are meant to share something.
    """
    values = {given.id: other}
    before = ancestors((wanted,))
    work = 0
    for node in sorted(before.values(), key=lambda one: one.id):
        if not any(one.id in values for one in node.inputs) or _is_statistic(links, node):
            continue
        operands = [values.get(one.id, links.value(one)) for one in node.inputs]
        if any(one is None for one in operands):
            return None
        work += node.type.elements
        if work > WORK:
            return None
        with np.errstate(all="ignore"):
            made = np.asarray(node.primitive.reference(*operands))
        known = links.value(node)
        if known is None or known.shape != made.shape:
            return None
        if not _alike(made, known):
            values[node.id] = made
    return {
        at: _difference(made.astype(np.float64), links.step.trace.values[at].astype(np.float64))
        for at, made in values.items()
        if made.dtype.kind in "fiub"
    }


def _difference(made: Array, known: Array) -> Array:
    """How far a value has moved; what stays infinite has not."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(made == known, 0.0, made - known))


def _is_statistic(links: Links, node: Node) -> bool:
    """Whether a value is a mean or variance of batch normalisation."""
    return "batch_norm" in links.called(node) and all(node.type.elements < one.type.elements for one in node.inputs)


def _alike(made: Array, known: Array) -> bool:
    """Whether two values differ by rounding alone: an engine adds up in another order than the reference."""
    if made.dtype.kind != "f":
        return bool(np.array_equal(made, known))
    finite = known[np.isfinite(known)]  # scores that a mask hides are not
    size = float(np.abs(finite).max()) if finite.size else 0.0
    return bool(np.allclose(made, known, rtol=1e-4, atol=1e-6 * size, equal_nan=True))
