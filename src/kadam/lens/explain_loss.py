"""The loss, told with its numbers: its formula, and what each sample has to do with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from kadam.ir.graph import Node, Phase
from kadam.ir.primitive import Array
from kadam.language import number
from kadam.lens.explain_forward import MOST_SAMPLES, Telling, formula, matrix, purpose, with_numbers
from kadam.lens.explain_names import is_carrier
from kadam.lens.explain_parts import Block, Formula, Line, Section, Table, table
from kadam.primitives.broadcast import Sum
from kadam.primitives.elementwise import Add, Div, Mul, Neg, Where


def loss(telling: Telling) -> Section:
    """What the loss says, and what each sample has to do with it."""
    say, node = telling.say, telling.replay.nodes[telling.replay.roots[-1]]
    if telling.replay.is_weighted:
        return Section("loss", say.label("explain.loss.title"), tuple(_weighted(telling)))
    value = float(np.sum(telling.values[node.id]))
    name = telling.names.of(node)
    blocks: list[Block] = [Line(say("explain.loss.intro", name=name, loss=number(value)))]
    predictions, targets = ends(telling)
    addends = list(_addends(node, telling))
    if not predictions:
        predictions, targets = _written_ends(telling, node)
    stops = frozenset(one.id for one in (*predictions, *targets)) or telling.step.results - {node.id}
    ends_of_all = stops | telling.insides.ends
    told = purpose(_criterion(telling, node))
    if told:
        blocks.append(Line(say(told)))
    blocks.append(Formula(f"{name} = {formula(telling, node, ends_of_all)}", telling.source(node)))
    if len(addends) > 1:
        rows = [(formula(telling, one, ends_of_all), number(float(telling.values[one.id]))) for one in addends]
        head = say.label("explain.head.value"), say.label("explain.head.number")
        blocks.append(table(say.label("explain.loss.parts"), head, rows))
    terms = _terms(telling, addends[0])
    if terms is not None:
        if len(addends) > 1:
            blocks.append(Line(say("explain.loss.first")))
        blocks += _samples(telling, terms, predictions, targets, stops, float(telling.values[addends[0].id]))
    return Section("loss", say.label("explain.loss.title"), tuple(blocks))


def followed(telling: Telling) -> str:
    """The name of what the backward passes follow: the loss, or L where that is no single number of the program's."""
    replay = telling.replay
    return "L" if replay.is_weighted else telling.names.of(replay.nodes[replay.roots[-1]])


def _weighted(telling: Telling) -> Iterator[Block]:
    """What the backward passes follow, where that is a sum: of several losses, or with gradients given."""
    say, replay = telling.say, telling.replay
    terms, rows = [], []
    for root in replay.roots:
        node, seed = replay.nodes[root], replay.seed(root)
        name, values = telling.names.of(node), np.unique(seed)
        weight = number(float(values[0])).replace("-", "−", 1) if len(values) == 1 else "gradient"
        inner = name if weight == "1" else f"{weight} · {name}"
        terms.append(f"sum({inner})" if node.shape else inner)
        rows.append((terms[-1], number(float(np.sum(seed * telling.values[root])))))
    yield Line(say("explain.loss.weighted"))
    yield Formula(f"{followed(telling)} = {' + '.join(terms)}".replace("+ −", "− "))
    head = say.label("explain.head.value"), say.label("explain.head.number")
    yield table("", head, rows, total=("Σ", number(replay.loss(telling.values))))


def _criterion(telling: Telling, node: Node) -> str:
    made = [call.kind for call in telling.step.calls if any(one.id == node.id for one in call.outputs)]
    return made[-1] if made else telling.names.called(node)


def ends(telling: Telling) -> tuple[list[Node], list[Node]]:
    """What the loss compares: predictions, which gradients flow to, and targets."""
    replay = telling.replay
    met: dict[int, Node] = {}
    for node in replay.nodes:
        if node.id in replay.needed and node.phase is Phase.LOSS:
            for source in node.inputs:
                if source.phase is not Phase.LOSS and source.shape:
                    met[source.id] = source
    predictions = [node for id, node in met.items() if id in replay.active]
    targets = [node for id, node in met.items() if id not in replay.active and (node.inputs or node.id in replay.given)]
    unnamed = [node for node in targets if not node.inputs and node.id not in telling.step.names]
    if len(unnamed) == 1:
        telling.names.given[unnamed[0].id] = "target"
    return predictions, targets


def _written_ends(telling: Telling, node: Node) -> tuple[list[Node], list[Node]]:
    """What a loss compares that the program writes out itself: values that it has names for, and modules' results."""
    step = telling.step
    made = {one.id for call in step.calls for one in call.outputs}
    predictions, targets = {}, {}
    seen, waiting = {node.id}, list(node.inputs)
    while waiting:
        one = waiting.pop()
        if one.id in seen:
            continue
        seen.add(one.id)
        is_end = one.id in made or one.id in step.names or not one.inputs
        if not is_end:
            waiting.extend(one.inputs)
        elif one.id in telling.replay.active:
            predictions[one.id] = one
        elif one.shape:
            targets[one.id] = one
    return list(predictions.values()), list(targets.values())


def _addends(node: Node, telling: Telling) -> Iterator[Node]:
    """The losses that a loss adds up."""
    active = [source for source in node.inputs if source.id in telling.replay.active]
    if not node.shape and isinstance(node.primitive, Add) and len(active) == 2:
        for source in active:
            yield from _addends(source, telling)
    else:
        yield node


def _terms(telling: Telling, node: Node) -> Node | None:
    """What a loss sums up or averages: a tensor of which it is a weighted sum, with constant weights."""
    while True:
        if node.shape and not (is_carrier(node) or isinstance(node.primitive, Where)):
            return node
        active = [source for source in node.inputs if source.id in telling.replay.active]
        if len(active) != 1:
            return node if node.shape else None
        if not (is_carrier(node) or isinstance(node.primitive, Sum | Div | Mul | Where | Neg)):
            return node if node.shape else None
        if isinstance(node.primitive, Mul) and node.inputs[0] is node.inputs[1]:
            return node if node.shape else None
        if node.shape and active[0].shape != node.shape and not is_carrier(node):
            return node
        node = active[0]


def _samples(
    telling: Telling,
    terms: Node,
    predictions: Sequence[Node],
    targets: Sequence[Node],
    stops: frozenset[int],
    value: float,
) -> Iterator[Block]:
    """Each sample's share of the loss."""
    slope = telling.replay.gradients.get(terms.id)
    if slope is None or not terms.shape:
        return
    shares = slope * telling.values[terms.id]
    if abs(shares.sum() - value) > 1e-6 * max(abs(value), 1e-12) and len(telling.replay.roots) == 1:
        return
    each = shares.reshape(terms.shape[0], -1).sum(1)
    at = int(np.argmax(np.abs(each)))
    first = np.unravel_index(int(np.argmax(np.abs(shares[at]))), shares.shape[1:]) if terms.rank > 1 else ()
    if terms.id not in telling.step.names and telling.names.known(terms) is None:
        telling.names.given[terms.id] = "ℓ"
    here = (at, *map(int, first))
    spelled = with_numbers(telling, terms, here, stops | telling.insides.ends)
    if spelled:
        yield Line(telling.say("explain.loss.term", n=at))
        largest = [one for inner in telling.insides.details.values() for one in inner if one.phase is Phase.LOSS]
        for inner in largest:
            if inner.id < terms.id and inner.shape == (*terms.shape, 1) and terms.rank == 1:
                yield from map(Formula, filter(None, [with_numbers(telling, inner, (at, 0), stops)]))
        yield Formula(spelled)
    beside = [node for node in (*predictions, *targets) if node.shape and node.shape[0] == len(each)]
    yield _share_table(telling, each, beside, value)


def _share_table(telling: Telling, each: Array, beside: Sequence[Node], value: float) -> Table:
    """The samples with the largest shares, with what stands beside them: predictions and labels."""
    say, many = telling.say, len(each)
    order = range(many) if many <= MOST_SAMPLES else sorted(np.argsort(-np.abs(each))[:MOST_SAMPLES].tolist())
    rows = []
    for index in order:
        seen = [_row(telling.values[node.id][index]) for node in beside]
        rows.append((str(index), *seen, number(each[index], 7), f"{each[index] / value:.1%}" if value else ""))
    names = [telling.names.of(node) for node in beside]
    head = (say.label("explain.head.sample"), *names, say.label("explain.head.share"), "%")
    rest = float(each.sum() - sum(each[index] for index in order))
    more = say("explain.loss.more", n=many - len(order), rest=number(rest)) if len(order) < many else ""
    total = ("Σ", *("" for _ in beside), number(float(each.sum()), 7), "")
    return table(say.label("explain.loss.shares"), head, rows, more, total)


def _row(value: Array) -> str:
    if value.size <= 4:
        return matrix(value)
    return f"[{', '.join(number(one, 3) for one in value.reshape(-1)[:3].tolist())}, …]"
