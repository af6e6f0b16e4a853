"""The loss, told with its numbers: its formula, the losses it adds up, and what each sample has to do with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from kadam.ir.graph import Node, Phase
from kadam.language import number
from kadam.lens.explain_formula import ADDITIVE, strength
from kadam.lens.explain_forward import LONGEST, Telling, formula, operands, purpose, spelled_out
from kadam.lens.explain_names import is_carrier
from kadam.lens.explain_parts import Block, Formula, Line, Section, table
from kadam.lens.explain_shares import knows_data, of_samples, terms_of
from kadam.primitives.elementwise import Add, Div, Mul, Neg, Sub
from kadam.primitives.sources import Input

MOST_ADDENDS = 6  # losses of a sum that are told one by one
MOST_ROWS = 20
MOST_VARIABLES = 6  # of the program, that a loss is made of
LONGEST_TERM = 240  # characters of the formula of a loss's terms


def loss(telling: Telling) -> Section:
    """What the loss says, and what each sample has to do with it."""
    say, replay = telling.say, telling.replay
    title = say.label("explain.loss.title")
    node = replay.nodes[replay.roots[-1]]
    if replay.is_weighted:
        blocks = list(_weighted(telling))
        roots = [replay.nodes[root] for root in replay.roots if not replay.nodes[root].shape]
        addends = [one for root in roots for one in _addends(root, telling)]
        return Section("loss", title, tuple(blocks), tuple(_parts(telling, addends)))
    name = telling.names.of(node)
    value = number(float(np.sum(telling.values[node.id])))
    blocks = [Line(say("explain.loss.intro", name=name, loss=value))]
    addends = list(_addends(node, telling))
    if len(addends) == 1:
        return Section("loss", title, (*blocks, *_alone(telling, node)))
    text = spelled_out(telling, node, _stops(telling, node))
    if 0 < len(text) <= LONGEST:
        blocks.append(Formula(f"{name} = {text}", telling.source(node)))
    rows = [(_title(telling, one), number(contribution(telling, one))) for one in addends]
    head = say.label("explain.head.value"), say.label("explain.head.number")
    more = say("explain.more", n=len(rows) - MOST_ROWS) if len(rows) > MOST_ROWS else ""
    blocks.append(table(say.label("explain.loss.parts"), head, rows[:MOST_ROWS], more, ("Σ", value)))
    if not all(_is_on_data(telling, one) for one in addends):
        blocks.append(Line(say("explain.loss.weights_alone"), aside=True))
    return Section("loss", title, tuple(blocks), tuple(_parts(telling, addends)))


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


# --- a sum of several losses ---------------------------------------------------------------------------------------


def contribution(telling: Telling, node: Node) -> float:
    """What one of the losses adds to what is followed."""
    slope = telling.replay.gradients.get(node.id)
    return float(telling.values[node.id]) * (1.0 if slope is None else float(slope))


def _addends(node: Node, telling: Telling) -> Iterator[Node]:
    """The losses that the program adds up to a loss, whatever it multiplies them by.

    What one call of its own adds up is one loss.
    """
    inner = _unscaled(node, telling)
    active = [source for source in inner.inputs if source.id in telling.replay.active]
    written = all(source.id in telling.step.results for source in active)
    if isinstance(inner.primitive, Add | Sub) and not inner.shape and len(active) == 2 and written:
        for source in active:
            yield from _addends(source, telling)
    else:
        yield _named(node, telling) or inner


def _named(node: Node, telling: Telling) -> Node | None:
    """Of a number and what it is a constant times the first that the program has a variable for."""
    inner = _unscaled(node, telling)
    while telling.names.known(node) is None or node.id in telling.replay.roots:
        if node is inner:
            return None
        node = next(source for source in node.inputs if source.id in telling.replay.active)
    return node


def _unscaled(node: Node, telling: Telling) -> Node:
    """What a number is a constant times."""
    while not node.shape and (is_carrier(node) or isinstance(node.primitive, Mul | Div | Neg | Add)):
        active = [source for source in node.inputs if source.id in telling.replay.active]
        others = [source for source in node.inputs if source.id not in telling.replay.active]
        if len(active) != 1 or active[0].shape or active[0].id not in telling.step.results:
            break  # what a call of the program's computes within is its own affair
        if isinstance(node.primitive, Div) and active[0] is not node.inputs[0]:
            break
        if isinstance(node.primitive, Add) and any(float(telling.values[one.id]) for one in others):
            break
        node = active[0]
    return node


def _parts(telling: Telling, addends: Sequence[Node]) -> Iterator[Section]:
    """The losses of a sum one by one, those that count most."""
    if len(addends) < 2:
        return
    told = [one for one in addends if _is_on_data(telling, one)]
    largest = sorted(told, key=lambda one: -abs(contribution(telling, one)))[:MOST_ADDENDS]
    for one in told:
        if one in largest:
            title = telling.say.label("explain.loss.part", name=_title(telling, one))
            yield Section("part", title, tuple(_alone(telling, one, is_titled=True)))


def _is_on_data(telling: Telling, node: Node) -> bool:
    return any(knows_data(telling, one) for one in terms_of(telling, node) or [node])


def _title(telling: Telling, node: Node) -> str:
    """What is added, with what it is multiplied by."""
    text = telling.names.known(node) or formula(telling, node, _stops(telling, node))
    slope = telling.replay.gradients.get(node.id)
    if slope is None or abs(float(slope) - 1) < 1e-12:
        return text
    return f"{number(float(slope)).replace('-', '−', 1)} · {text if strength(text) > ADDITIVE else f'({text})'}"


# --- one loss ------------------------------------------------------------------------------------------------------


def _alone(telling: Telling, node: Node, is_titled: bool = False) -> Iterator[Block]:
    """One loss: what it is for, its formulas, each sample's share.

    `is_titled`: where it stands under a title that is its name or, if it has none, its formula.
    """
    told = purpose(_criterion(telling, _unscaled(node, telling)))
    if told:
        yield Line(telling.say(told))
    stops = _stops(telling, node)
    if not is_titled or telling.names.known(node) or not 0 < len(spelled_out(telling, node, stops)) <= LONGEST:
        yield from _formulas(telling, node)
    yield from _on_largest(telling, node, stops)
    yield from of_samples(telling, node, stops, _between(telling, node), contribution(telling, node))


def _criterion(telling: Telling, node: Node) -> str:
    made = [call.kind for call in telling.step.calls if any(one.id == node.id for one in call.outputs)]
    return made[-1] if made else telling.names.called(node)


def _formulas(telling: Telling, node: Node) -> Iterator[Block]:
    """A loss's formula, with those of the program's variables that it is made of."""
    stops = _stops(telling, node)
    met = [one for one in operands(node, stops) if one.id in _between(telling, node)]
    lines = {one.id: one for one in met}
    for one in reversed(met):  # variables that variables are made of
        deeper = operands(one, _stops(telling, one))
        lines.update({inner.id: inner for inner in deeper if inner.id in _between(telling, node)})
    for id in sorted(lines)[-MOST_VARIABLES:]:
        yield from _formula(telling, lines[id], _stops(telling, lines[id]))
    for one in operands(node, stops):  # within the call, what its formula is told with
        if telling.names.known(one) == "cos":
            yield Formula(f"cos = {formula(telling, one, stops - {one.id})}")
    yield from _formula(telling, node, stops)


def _formula(telling: Telling, node: Node, stops: frozenset[int]) -> Iterator[Block]:
    """A formula; of a long one that of the terms which it sums up, apart."""
    name, source = telling.names.known(node) or telling.names.called(node), telling.source(node)
    text = spelled_out(telling, node, stops)
    terms = [one for one in terms_of(telling, node) or () if one.id not in stops and one.id != node.id]
    if len(text) > LONGEST or not text:
        for one, letter in zip(terms, ("ℓ",) if len(terms) == 1 else ("ℓ₁", "ℓ₂", "ℓ₃"), strict=False):
            if telling.names.known(one) is None:
                telling.names.given[one.id] = letter
        apart = spelled_out(telling, node, stops | {one.id for one in terms})
        inner = [spelled_out(telling, one, stops) for one in terms]
        if terms and apart and all(0 < len(one) <= LONGEST_TERM for one in inner):
            yield Formula(f"{name} = {apart}", source)
            yield from (Formula(f"{telling.names.of(one)} = {told}") for one, told in zip(terms, inner, strict=True))
        else:
            yield Formula(f"{name} = {formula(telling, node, stops)}", source)
    else:
        yield Formula(f"{name} = {text}", source)


def _on_largest(telling: Telling, node: Node, stops: frozenset[int]) -> Iterator[Block]:
    """What m is, once."""
    met = {telling.names.known(one) for one in operands(node, stops) if one.id in telling.insides.helpers}
    if "m" in met and "m" not in telling.said:
        telling.said.add("m")
        yield Line(telling.say("explain.loss.largest"), aside=True)


def _stops(telling: Telling, node: Node) -> frozenset[int]:
    """Where a loss's formula ends: at what it compares, and at the program's variables on the way."""
    ends = {one.id for one in _ends(telling, node)}
    return (frozenset(ends | _between(telling, node)) - {node.id}) | telling.insides.ends


def _between(telling: Telling, node: Node) -> set[int]:
    """The program's variables between what a loss compares and the loss."""
    ends = {one.id for one in _ends(telling, node)}
    found, seen, waiting = set[int](), {node.id}, list(node.inputs)
    while waiting:
        one = waiting.pop()
        if one.id in seen or one.id in ends:
            continue
        seen.add(one.id)
        if one.inputs and one.id in telling.step.results and telling.names.known(one) is not None:
            found.add(one.id)
        waiting += one.inputs
    return found - telling.insides.helpers


def _ends(telling: Telling, node: Node) -> list[Node]:
    """What a loss compares: what goes into criteria, modules' results, and what the program has given."""
    step = telling.step
    made = {one.id for call in step.calls for one in call.outputs if one.phase is not Phase.LOSS}
    found: dict[int, Node] = {}
    seen, waiting = {node.id}, [(node, one) for one in node.inputs]
    while waiting:
        reader, one = waiting.pop()
        if one.id in seen:
            continue
        seen.add(one.id)
        is_output = one.id in step.results and telling.names.known(one) is not None and _has_weights(telling, one)
        begins = reader.phase is Phase.LOSS and one.phase is not Phase.LOSS and bool(one.shape)
        if (
            begins
            or is_output
            or one.id in made
            or one.id in step.names
            or (one.shape and isinstance(one.primitive, Input))
        ):
            found[one.id] = one
        else:
            waiting += [(one, source) for source in one.inputs]
    ends = [found[id] for id in sorted(found)]
    unnamed = [
        one for one in ends
        if not one.inputs and one.shape and one.id in telling.replay.given and one.id not in step.names
    ]  # fmt: skip
    given = [one for one in ends if one.id not in telling.replay.active]
    if len(unnamed) == 1 and unnamed == given:
        telling.names.given.setdefault(unnamed[0].id, "target")
    return ends


def _has_weights(telling: Telling, node: Node) -> bool:
    """Whether a call that made a value was given parameters: the value is a network's, not a loss's."""
    own = {one.met.id for one in telling.step.parameters}
    return any(one.id in own for one in operands(node, telling.step.results - {node.id}))
