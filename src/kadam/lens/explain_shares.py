"""Each sample's share of a loss, where the loss is a sum over samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from kadam.ir.graph import Node, Phase
from kadam.ir.primitive import Array
from kadam.language import number
from kadam.lens.explain_forward import MOST_SAMPLES, Telling, matrix, operands, with_numbers
from kadam.lens.explain_names import is_carrier
from kadam.lens.explain_parts import Block, Formula, Line, Table, table
from kadam.primitives.broadcast import Sum
from kadam.primitives.elementwise import Add, Div, Mul, Neg, Sub, Where

CLOSE = 1e-6  # relative, up to which shares add up to the loss
MOST_BESIDE = 4  # predictions and labels beside the shares


def of_samples(telling: Telling, node: Node, stops: frozenset[int], between: set[int], value: float) -> Iterator[Block]:
    """The shares of a loss that adds `value` to what is followed; `between`: the program's variables on the way."""
    say, terms = telling.say, terms_of(telling, node)
    shares = [] if terms is None else [telling.replay.gradients[one.id] * telling.values[one.id] for one in terms]
    total = sum(float(one.sum()) for one in shares)
    many = {len(one) if one.ndim else 0 for one in shares}
    if terms is None or len(many) != 1 or 0 in many or abs(total - value) > CLOSE * max(abs(value), 1e-12):
        yield Line(say("explain.loss.no_shares"), aside=True)
        return
    each: Array = np.sum([one.reshape(len(one), -1).sum(1) for one in shares], 0)
    word = "sample" if len(each) in _batches(telling) else "place"
    at = int(np.argmax(np.abs(each)))
    spelled = list(_largest(telling, terms, shares, at, stops))
    if spelled:
        yield Line(say(f"explain.loss.{'term' if len(terms) == 1 else 'terms'}_{word}", n=at))
        yield from spelled
    beside = _beside(telling, terms, stops, between)
    beside = [one for one in beside if one.shape[:1] == each.shape][:MOST_BESIDE]
    yield _table(telling, each, beside, value, word)


def _beside(telling: Telling, terms: Sequence[Node], stops: frozenset[int], between: set[int]) -> list[Node]:
    """What terms are made of: predictions first, then labels."""
    met = {one.id: one for term in terms for one in ([term] if term.id in stops else operands(term, stops))}
    for one in [one for one in met.values() if one.id in between]:
        met.update({inner.id: inner for inner in operands(one, stops - {one.id}) if inner.id in stops})
    found = [one for one in met.values() if one.id not in telling.insides.helpers]
    return sorted(found, key=lambda one: one.id not in telling.replay.active)


def terms_of(telling: Telling, node: Node) -> list[Node] | None:
    """What a loss sums up or averages: tensors of which it is a weighted sum, with constant weights."""
    while True:
        if node.shape and not (is_carrier(node) or isinstance(node.primitive, Where)):
            return [node]
        active = [source for source in node.inputs if source.id in telling.replay.active]
        if isinstance(node.primitive, Add | Sub) and not node.shape and len(active) == 2:
            parts = [terms_of(telling, source) for source in active]
            return None if None in parts else [one for part in parts for one in part or ()]
        if isinstance(node.primitive, Add) and not node.shape and len(active) == 1 and _adds_nothing(telling, node):
            node = active[0]  # sum() begins with 0
            continue
        if len(active) != 1 or (isinstance(node.primitive, Mul) and node.inputs[0] is node.inputs[1]):
            return [node] if node.shape else None
        if not (is_carrier(node) or isinstance(node.primitive, Sum | Div | Mul | Where | Neg)):
            return [node] if node.shape else None
        if node.shape and active[0].shape != node.shape and not is_carrier(node):
            return [node]
        node = active[0]


def _adds_nothing(telling: Telling, node: Node) -> bool:
    others = [source for source in node.inputs if source.id not in telling.replay.active]
    return not any(telling.values[one.id].any() for one in others)


def knows_data(telling: Telling, node: Node) -> bool:
    """Whether a value depends on anything but parameters."""
    own = {one.met.id for one in telling.step.parameters}
    seen, waiting = {node.id}, [node]
    while waiting:
        one = waiting.pop()
        if not one.inputs and one.shape and one.id not in own and one.id in telling.replay.given:
            return True
        waiting += [source for source in one.inputs if source.id not in seen]
        seen.update(source.id for source in one.inputs)
    return False


def _batches(telling: Telling) -> set[int]:
    """How many rows the tensors have that the program was given."""
    step = telling.step
    own = {one.value.id for one in step.parameters} | {one.met.id for one in step.parameters}
    return {one.shape[0] for one in step.graph.inputs if one.shape and one.id in step.names and one.id not in own}


def _largest(
    telling: Telling, terms: Sequence[Node], shares: Sequence[Array], at: int, stops: frozenset[int]
) -> Iterator[Block]:
    """The largest term of a sample, spelled out; where a loss has terms of several kinds, one of each."""
    letters = ("ℓ",) if len(terms) == 1 else ("ℓ₁", "ℓ₂", "ℓ₃")
    told = set[int]()
    for term, share, letter in zip(terms, shares, letters, strict=False):
        rest = share.shape[1:]
        first = np.unravel_index(int(np.argmax(np.abs(share[at]))), rest) if rest else ()
        if term.id not in telling.step.names and telling.names.known(term) is None:
            telling.names.given[term.id] = letter
        spelled = with_numbers(telling, term, (at, *map(int, first)), (stops - {term.id}) | telling.insides.ends)
        if not spelled:
            continue
        met = {one.id for one in operands(term, stops)}
        inner = [one for values in telling.insides.details.values() for one in values if one.phase is Phase.LOSS]
        for one in inner:
            is_its = one.id in met and one.shape in ((*term.shape, 1), term.shape) and term.rank == 1
            if is_its and one.id not in told:
                told.add(one.id)
                place = (at, 0)[: one.rank]
                yield from map(Formula, filter(None, [with_numbers(telling, one, place, stops - {one.id})]))
        yield Formula(spelled)


def _table(telling: Telling, each: Array, beside: Sequence[Node], value: float, word: str) -> Table:
    """The samples with the largest shares, with what stands beside them: predictions and labels."""
    say, many = telling.say, len(each)
    order = range(many) if many <= MOST_SAMPLES else sorted(np.argsort(-np.abs(each))[:MOST_SAMPLES].tolist())
    rows = []
    for index in order:
        seen = [_row(telling.values[node.id][index]) for node in beside]
        rows.append((str(index), *seen, number(each[index], 7), f"{each[index] / value:.1%}" if value else ""))
    names = [telling.names.of(node) for node in beside]
    head = (say.label(f"explain.head.{word}"), *names, say.label("explain.head.share"), "%")
    rest = float(each.sum() - sum(each[index] for index in order))
    more = say(f"explain.loss.more_{word}", n=many - len(order), rest=number(rest)) if len(order) < many else ""
    total = ("Σ", *("" for _ in beside), number(float(each.sum()), 7), "")
    return table(say.label(f"explain.loss.shares_{word}"), head, rows, more, total)


def _row(value: Array) -> str:
    if value.size <= 4:
        return matrix(value)
    return f"[{', '.join(number(one, 3) for one in value.reshape(-1)[:3].tolist())}, …]"
