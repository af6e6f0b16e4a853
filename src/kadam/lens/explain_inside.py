"""Recurrent cells and attention, told with their numbers: one time step gate by gate, one query with all keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from kadam.ir.graph import Node
from kadam.ir.primitive import Array
from kadam.language import number
from kadam.lens.explain_cells import SUBSCRIPTS, Attention, Cell
from kadam.lens.explain_forward import Telling, with_numbers
from kadam.lens.explain_parts import Block, Formula, Line, Section, table
from kadam.lens.replay import Index
from kadam.primitives.contract import Dot

MOST = 2  # recurrent layers, and attentions, that are told
MOST_TIMES = 12
LONGEST = 1_000  # characters of a formula with its numbers
MOST_KEYS = 12
MOST_TERMS = 6  # of a sum of exponentials
RULES = {
    "LSTM": ("cₜ = fₜ · cₜ₋₁ + iₜ · gₜ", "hₜ = oₜ · tanh(cₜ)"),
    "GRU": ("yₜ = W xₜ + b + rₜ · (U hₜ₋₁ + b′)", "hₜ = nₜ + uₜ · (hₜ₋₁ − nₜ)"),
    "RNN": (),
}


def inside(telling: Telling) -> Iterator[Section]:
    """What goes on within recurrent layers and attentions."""
    found = telling.insides
    runs = sorted(found.cells.values(), key=lambda run: -max(_weights(telling, cell) for cell in run))
    for run in runs[:MOST]:
        yield _cell(telling, run)
    attentions = sorted(found.attentions, key=lambda one: -_share(telling, one.mixed))
    for one in attentions[:MOST]:
        yield _attention(telling, one)
    left = len(runs[MOST:]) + len(attentions[MOST:])
    if left:
        say = telling.say
        blocks = (Line(say("explain.inside.more", n=left)),)
        yield Section("inside", say.label("explain.inside.rest"), blocks)


def _shares(telling: Telling, node: Node) -> Array | None:
    """What each element contributes to the chosen weight's gradient."""
    chain, gradient = telling.chain, telling.replay.gradients.get(node.id)
    if chain is None or gradient is None or node.id not in chain.moved:
        return None
    moved = chain.first if node.id in chain.first else chain.moved
    shares: Array = np.abs(gradient * moved[node.id])
    return shares


def _share(telling: Telling, node: Node) -> float:
    found = _shares(telling, node)
    return 0.0 if found is None else float(found.max())


def _weights(telling: Telling, cell: Cell) -> float:
    """How much of the chosen weight's gradient begins in a cell; if it begins elsewhere, how much goes through."""
    chain = telling.chain
    begun = max((_share(telling, one) for one in cell.sums.values() if chain and one.id in chain.first), default=0.0)
    return 1e6 * begun or _share(telling, cell.state["h"])


def _at(node: Node, sample: int, column: int) -> Index:
    """An element of a value that may have an axis of time steps, or none of samples."""
    return (*(0,) * (node.rank - 2), *((sample,) if node.rank > 1 else ()), column)


# --- recurrent cells ------------------------------------------------------------------------------------------------


def _cell(telling: Telling, run: Sequence[Cell]) -> Section:
    say = telling.say
    cell = max(reversed(run), key=lambda one: _weights(telling, one))
    sample, unit = _steepest(telling, cell)
    blocks: list[Block] = [Line(say(f"explain.inside.{cell.kind}"))]
    blocks += [Formula(text) for text in _rules(cell)]
    blocks.append(Line(say("explain.inside.at", t=cell.place, unit=unit, sample=sample)))
    blocks += [Formula(text) for text in _spelled(telling, cell, sample, unit)]
    blocks.append(_over_time(telling, run, cell, sample, unit))
    title = say.label("explain.inside.title", name=cell.name, kind=cell.kind, t=cell.place, n=len(run))
    return Section(f"inside-{cell.name}", title, tuple(blocks))


def _steepest(telling: Telling, cell: Cell) -> tuple[int, int]:
    """The sample and the unit that matter most to the chosen weight."""
    for node in (*cell.sums.values(), cell.state["h"]):
        shares = _shares(telling, node)
        if shares is not None and shares.any():
            at = np.unravel_index(int(np.argmax(shares)), shares.shape)
            return (int(at[-2]) if node.rank > 1 else 0), int(at[-1]) % cell.width
    return 0, 0


def _rules(cell: Cell) -> Iterator[str]:
    """The formulas of any time step."""
    yield "zₜ = W xₜ + U hₜ₋₁ + b"
    for name, (gate, source, first) in cell.gates.items():
        part = f"{source}ₜ[{first}:{first + cell.width}]" if source == "z" else f"{source}ₜ"
        yield f"{name}ₜ = {'tanh' if _is_candidate(name) else 'sigmoid'}({part})"
        assert gate.shape[-1] == cell.width
    if cell.kind == "RNN":
        yield f"hₜ = {_function(cell.state['h'])}(zₜ)"
    yield from RULES[cell.kind][:-1]
    if "m" in cell.state:
        yield "mₜ = oₜ · tanh(cₜ)"
        yield "hₜ = W_hr mₜ"
    else:
        yield from RULES[cell.kind][-1:]


def _is_candidate(name: str) -> bool:
    return name in ("g", "n")


def _function(node: Node) -> str:
    """What an activation function is called."""
    return type(node.primitive).__name__.lower()


def _spelled(telling: Telling, cell: Cell, sample: int, unit: int) -> Iterator[str]:
    """One unit of one sample: what its gates see, the gates, and the state."""
    stops = telling.insides.ids | telling.step.results
    asked: list[tuple[Node, Index]] = []
    for gate, source, first in cell.gates.values():
        total = cell.sums[source]
        asked += [(total, _at(total, sample, first + unit)), (gate, _at(gate, sample, unit))]
    if not cell.gates:
        total = cell.sums["z"]
        asked.append((total, _at(total, sample, unit)))
    for name, node in cell.state.items():
        column = 0 if name == "h" and "m" in cell.state else unit
        asked.append((node, _at(node, sample, column)))
    for node, at in asked:
        text = with_numbers(telling, node, at, frozenset(stops - {node.id}), LONGEST)
        if text:
            yield text


def _over_time(telling: Telling, run: Sequence[Cell], chosen: Cell, sample: int, unit: int) -> Block:
    """The unit at every time step, with the slopes of the loss."""
    say, values, gradients = telling.say, telling.values, telling.replay.gradients
    columns = [*chosen.gates, *chosen.state]
    sloped = [name for name in chosen.state if any(cell.state[name].id in gradients for cell in run)]
    shown = [cell for cell in run if sample < _samples(cell)]
    if len(shown) > MOST_TIMES:
        shown = [*shown[: MOST_TIMES // 2], *shown[-(MOST_TIMES // 2) :]]
    rows = []
    for cell in shown:
        nodes = {**{name: gate for name, (gate, _, _) in cell.gates.items()}, **cell.state}
        places = {name: _at(node, sample, min(unit, node.shape[-1] - 1)) for name, node in nodes.items()}
        slopes = [gradients.get(nodes[name].id) for name in sloped]
        rows.append(
            (
                str(cell.place),
                *(number(float(values[nodes[name].id][places[name]])) for name in columns),
                *(
                    "" if slope is None else number(float(slope[places[name]]))
                    for name, slope in zip(sloped, slopes, strict=True)
                ),
            )
        )
    more = say("explain.inside.times", n=len(run) - len(shown)) if len(shown) < len(run) else ""
    head = (say.label("explain.head.time"), *columns, *(f"∂L/∂{name}" for name in sloped))
    return table(say.label("explain.inside.time", unit=unit, sample=sample), head, rows, more)


def _samples(cell: Cell) -> int:
    node = cell.state["h"]
    return node.shape[-2] if node.rank > 1 else 1


def through_time(telling: Telling) -> Iterator[Block]:
    """The chosen weight's gradient as a sum over time steps, if it acts in each of them."""
    chain, say = telling.chain, telling.say
    if chain is None:
        return
    for run in telling.insides.cells.values():
        parts = [(cell, *_begun(telling, cell)) for cell in run]
        if sum(many > 0 for _, many, _ in parts) < 2:
            continue
        largest = sorted(sorted(parts, key=lambda part: -abs(part[2]))[:MOST_TIMES], key=lambda part: part[0].place)
        rows = [(_times(cell), str(many), number(total, 8)) for cell, many, total in largest]
        rest = sum(total for _, _, total in parts) - sum(total for _, _, total in largest)
        left = len(parts) - len(largest)
        more = say("explain.backward.more", n=left, rest=number(rest, 8)) if left else ""
        head = say.label("explain.head.time"), say.label("explain.head.elements"), say.label("explain.head.sum")
        total = ("Σ", str(sum(many for _, many, _ in parts)), number(sum(total for _, _, total in parts), 8))
        yield Line(say("explain.inside.through", n=len(run)))
        yield table(say.label("explain.inside.sums"), head, rows, more, total)


def _times(cell: Cell) -> str:
    return "z" + str(cell.place).translate(SUBSCRIPTS)


def _begun(telling: Telling, cell: Cell) -> tuple[int, float]:
    """How many elements of a cell's sums the weight acts on directly, and what goes through them together."""
    assert telling.chain is not None
    many, total = 0, 0.0
    for node in cell.sums.values():
        moved, gradient = telling.chain.first.get(node.id), telling.replay.gradients.get(node.id)
        if moved is not None and gradient is not None:
            products = moved * gradient
            many, total = many + int(np.count_nonzero(products)), total + float(products.sum())
    return many, total


# --- attention ------------------------------------------------------------------------------------------------------


def _attention(telling: Telling, one: Attention) -> Section:
    """One query: how well the keys fit it, the weights, and what is mixed by them."""
    say, at = telling.say, _looking(telling, one)
    name, query = one.name, at[:-1]
    scores, weights = _of_query(telling, one, one.seen, query), _of_query(telling, one, one.weights, query)
    best = int(np.argmax(weights))
    blocks: list[Block] = [Line(say("explain.inside.attention"))]
    blocks += [
        Formula(text) for text in ("scores = q · k / sqrt(d)", "weights = softmax(scores)", "mixed = Σ weights · v")
    ]
    blocks.append(Line(say("explain.inside.query", mixed=telling.names.element(one.mixed, at), best=best)))
    stops = telling.insides.ids | telling.step.results
    for node in dict.fromkeys((one.scores, one.seen)):  # and what is made of them before the softmax
        text = with_numbers(telling, node, _place(one, node, (*query, best)), frozenset(stops - {node.id}), LONGEST)
        blocks += [Formula(text)] if text else []
    weight = telling.names.element(one.weights, _place(one, one.weights, (*query, best)))
    blocks.append(Formula(_softmax(weight, scores, best)))
    blocks.append(_keys(telling, one, at))
    if not np.isfinite(scores).all():
        blocks.append(Line(say("explain.inside.masked"), aside=True))
    title = say.label("explain.inside.mix", name=name, place=query[-1], lead=", ".join(map(str, query[:-1])) or "0")
    return Section(f"inside-{name}", title, tuple(blocks))


def _looking(telling: Telling, one: Attention) -> Index:
    """The element of what is mixed that matters most to the chosen weight."""
    shares = _shares(telling, one.mixed)
    if shares is None or not shares.any():
        return (*(0,) * (one.mixed.rank - 2), one.mixed.shape[-2] - 1, 0)  # the last place sees the most
    return tuple(int(place) for place in np.unravel_index(int(np.argmax(shares)), shares.shape))


def _of_query(telling: Telling, one: Attention, node: Node, query: Index) -> Array:
    """What a query has of scores or weights, which may lie without the axis of a single query."""
    found: Array = telling.values[node.id].reshape(one.mixed.inputs[0].shape)[query]
    return found


def _place(one: Attention, node: Node, at: Index) -> Index:
    """Where an element of the weights, as the mixture takes them, stands in a value of as many elements."""
    flat = np.ravel_multi_index(at, one.mixed.inputs[0].shape)
    return tuple(int(place) for place in np.unravel_index(int(flat), node.shape))


def _softmax(name: str, scores: Array, at: int) -> str:
    """A weight as a share of all exponentials."""
    kept = np.flatnonzero(np.isfinite(scores))
    largest = kept[np.sort(np.argsort(-scores[kept])[:MOST_TERMS])]
    shown = [f"exp({number(float(scores[key])).replace('-', '−')})" for key in largest.tolist()]
    above = np.exp(scores - scores[kept].max())
    rest = above[kept].sum() - above[largest].sum()
    if len(kept) > len(largest):
        shown.append(f"… ({number(float(rest * np.exp(scores[kept].max())))}, +{len(kept) - len(largest)})")
    top = f"exp({number(float(scores[at])).replace('-', '−')})"
    value = number(float(above[at] / above[kept].sum()))
    return f"{name} = {top} / ({' + '.join(shown)})\n{' ' * len(name)} = {value}"


def _keys(telling: Telling, one: Attention, at: Index) -> Block:
    """The keys with the largest weights, and what each adds to the mixture."""
    say, values, query, column = telling.say, telling.values, at[:-1], at[-1]
    scores, weights, taken = (
        _of_query(telling, one, node, query) for node in (one.seen, one.weights, one.mixed.inputs[0])
    )
    there = _rows(one.mixed, values[one.mixed.inputs[1].id])[query[:-1]][:, column]
    columns = [scores, weights, there, taken * there]
    heads = ["scores", "weights", f"v[…,{column}]", say.label("explain.head.product")]
    if not np.array_equal(taken, weights):
        columns.insert(2, taken)
        heads.insert(2, say.label("explain.inside.dropped"))
    keys = np.sort(np.argsort(-weights, kind="stable")[:MOST_KEYS]).tolist()
    rows = [(str(key), *(number(float(column[key])) for column in columns)) for key in keys]
    left = np.setdiff1d(np.arange(len(weights)), keys)
    rest = number(float((taken * there)[left].sum()))
    more = say("explain.backward.more", n=len(left), rest=rest) if len(left) else ""
    total = ("Σ", "", number(float(weights.sum())), *[""] * (len(heads) - 3), number(float((taken * there).sum())))
    return table(say.label("explain.inside.keys"), (say.label("explain.inside.key"), *heads), rows, more, total)


def _rows(product: Node, value: Array) -> Array:
    """The second operand of a product, laid out as [batch, summed over, rest]."""
    dot = product.primitive
    assert isinstance(dot, Dot)
    first = (*dot.b_batch, *dot.b_axes)
    return value.transpose(*first, *(axis for axis in range(value.ndim) if axis not in first))
