"""What computes in several steps within one call: the cells of recurrent networks, and attention.

They are found by how their nodes hang together, so that their gates, scores and weights can be named and told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from kadam.ir.graph import Node
from kadam.ir.primitive import Array, Primitive
from kadam.lens.explain_details import details
from kadam.lens.explain_names import Names, is_carrier
from kadam.lens.step import Step
from kadam.primitives.analysis import Exp, Relu, Sigmoid
from kadam.primitives.contract import Dot
from kadam.primitives.elementwise import Add, Div, Mul, Sub, Where
from kadam.primitives.move import Concat, Slice
from kadam.primitives.sources import Full
from kadam.primitives.trigonometry import Tanh

RECURRENT = ("rnn_layer", "rnn_cell")
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True)
class Cell:
    """One time step of a recurrent layer.

    Attributes:
        kind: `LSTM`, `GRU` or `RNN`.
        sums: what the gates see, W x + b + U h + b, by name: `z`; of a GRU also `y`, what its candidate sees.
        gates: the gates and the candidate by name, each with the name of its sum and the first of its columns there.
        state: `c` of an LSTM, and `h`.
        before: the state before, by name.
        recurrent: the weights that the hidden state is multiplied with.
        place: which time step it is, from 1.
        name: what the names of its values begin with.
    """

    kind: str
    sums: Mapping[str, Node]
    gates: Mapping[str, tuple[Node, str, int]]
    state: Mapping[str, Node]
    before: Mapping[str, Node]
    recurrent: Node
    place: int = 0
    name: str = ""

    @property
    def width(self) -> int:
        """How many units it has."""
        return next(iter(self.gates.values()))[0].shape[-1] if self.gates else self.state["h"].shape[-1]

    def nodes(self) -> Iterator[tuple[str, Node]]:
        """All of it, by name."""
        yield from self.sums.items()
        yield from ((name, gate) for name, (gate, _, _) in self.gates.items())
        yield from self.state.items()


@dataclass(frozen=True)
class Attention:
    """One call of attention.

    Attributes:
        scores: q · k / sqrt(d), before any mask.
        seen: the scores after masks.
        weights: the softmax of these, before dropout.
        mixed: the means of the values, weighted.
        operands: `q`, `k` and `v`, as the products take them.
        name: what the names of its values begin with.
    """

    scores: Node
    seen: Node
    weights: Node
    mixed: Node
    operands: Mapping[str, Node]
    name: str = ""

    def nodes(self) -> Iterator[tuple[str, Node]]:
        """All of it, by name."""
        yield from self.operands.items()
        yield from (("scores", self.scores), ("weights", self.weights), ("mixed", self.mixed))


@dataclass(frozen=True)
class Insides:
    """What stands inside the calls of a step.

    Attributes:
        cells: by what their names begin with, in order of time.
        attentions: in order.
        details: of a result the values that its formula is told with.
    """

    cells: Mapping[str, Sequence[Cell]] = field(default_factory=dict)
    attentions: Sequence[Attention] = ()
    details: Mapping[int, Sequence[Node]] = field(default_factory=dict)

    @property
    def stations(self) -> frozenset[int]:
        """What paths are told of."""
        cells = [one for run in self.cells.values() for one in run]
        found = {node.id for cell in cells for node in (*cell.sums.values(), *cell.state.values())}
        return frozenset(found | {node.id for one in self.attentions for _, node in one.nodes()})

    def runs_in(self, node: Node) -> list[Sequence[Cell]]:
        """The recurrent layers whose states a value shows: their last, or all of them in a row."""
        of = {cell.state["h"].id: run for run in self.cells.values() for cell in run}
        found: dict[str, Sequence[Cell]] = {}
        waiting = [node]
        while waiting:
            one = waiting.pop()
            if one.id in of:
                found[of[one.id][0].name] = of[one.id]
            elif is_carrier(one) or _is(one, Concat):
                waiting += one.inputs
        return [found[name] for name in sorted(found)]

    @property
    def helpers(self) -> frozenset[int]:
        """Values within calls that formulas are told with."""
        return frozenset(node.id for values in self.details.values() for node in values)

    @property
    def ends(self) -> frozenset[int]:
        """Where formulas of whole values end."""
        return self.helpers | {node.id for one in self.attentions for _, node in one.nodes()}

    @property
    def ids(self) -> frozenset[int]:
        """Everything that has a name here."""
        found = [node.id for run in self.cells.values() for cell in run for _, node in cell.nodes()]
        return frozenset(found + [node.id for one in self.attentions for _, node in one.nodes()])


def insides(step: Step, nodes: Sequence[Node], values: Mapping[int, Array], names: Names) -> Insides:
    """Find the cells and attentions of a step, and give their values names."""
    runs: dict[str, list[Cell]] = {}
    places: dict[int, tuple[str, int]] = {}  # a hidden state -> its run, and its time step
    for cell in _cells(step, nodes):
        before = _bare(cell.before["h"])
        name, place = places.get(before.id, ("", 0))
        if name and _bare(runs[name][0].recurrent) is not _bare(cell.recurrent):
            name, place = "", 0  # a decoder begins where an encoder has ended, with weights of its own
        if not name:
            name = _fresh(_run_name(cell, step, names), runs)
        places[cell.state["h"].id] = name, place + 1
        runs.setdefault(name, []).append(_placed(cell, name, place + 1, step, names))
    for node in nodes:  # a layer's output: its hidden states in a row
        if step.called.get(node.id) == "rnn_layer" and _is(node, Concat) and names.known(node) is None:
            found = next((places[one.id][0] for one in node.inputs if one.id in places), "")
            if found:
                names.given[node.id] = found
    attentions: list[Attention] = []
    for one in _attentions(step, nodes):
        name = _fresh(one.mixed.scope or "attention", {known.name: known for known in attentions})
        operands = {value: node for value, node in one.operands.items() if names.known(_bare(node)) is None}
        attentions.append(replace(one, name=name, operands=operands))
        _give(names, attentions[-1].nodes(), f"{name}.{{}}".format)
        _give(names, iter([("masked", one.seen)]), f"{name}.{{}}".format)
    return Insides(runs, attentions, details(step, nodes, values, names))


def _placed(cell: Cell, name: str, place: int, step: Step, names: Names) -> Cell:
    made = replace(cell, place=place, name=name)
    begins = {_bare(node).id: value for value, node in cell.before.items() if place == 1 and not _bare(node).inputs}
    for id, value in begins.items():
        if names.known(step.graph.nodes[id]) is None:
            names.given[id] = f"{name}.{value}₀" if len(begins) == len(cell.before) else f"{name}.zeros"
    time = str(place).translate(SUBSCRIPTS)
    _give(names, made.nodes(), f"{name}.{{}}{time}".format)
    if step.called.get(cell.state["h"].id) == "rnn_layer":
        names.alone.update(node.id for _, node in made.nodes())
    return made


def _give(names: Names, nodes: Iterator[tuple[str, Node]], naming: Callable[[str], str]) -> None:
    for value, node in nodes:
        if names.known(node) is None:
            names.given[node.id] = naming(value)


def _fresh(name: str, taken: Mapping[str, object]) -> str:
    several = (f"{name}#{number}" for number in range(2, len(taken) + 3))
    return name if name not in taken else next(one for one in several if one not in taken)


def _run_name(cell: Cell, step: Step, names: Names) -> str:
    """`lstm`; where a module has several layers or directions, `lstm.l1_reverse`."""
    path, _, suffix = names.of(_bare(cell.recurrent)).rpartition("weight_hh")
    layers = [one.name for one in step.parameters if one.name.startswith(f"{path}weight_hh")]
    path = path.rstrip(".") or cell.state["h"].scope or cell.kind.lower()
    return path if len(layers) <= 1 or not suffix else f"{path}.{suffix.lstrip('_')}"


def _bare(node: Node) -> Node:
    """What a value is another view of."""
    while is_carrier(node) and node.inputs:
        node = node.inputs[0]
    return node


# --- recurrent cells ------------------------------------------------------------------------------------------------


def _cells(step: Step, nodes: Sequence[Node]) -> Iterator[Cell]:
    for node in nodes:
        if step.called.get(node.id) in RECURRENT and node.inputs:
            cell = _lstm(node) or _gru(node) or _simple(node)
            if cell is not None:
                yield _projected(cell, nodes)


def _lstm(node: Node) -> Cell | None:
    """h = o · tanh(c), c = f · c + i · g."""
    match _made(node, Mul):
        case [output, bent] if _is(output, Sigmoid) and _is(bent, Tanh):
            cell = _uncast(bent.inputs[0])
        case _:
            return None
    match [_made(one, Mul) for one in _made(cell, Add)]:
        case [[forget, kept], [take, candidate]]:
            pass
        case _:
            return None
    gates = {"i": take, "f": forget, "g": candidate, "o": output}
    seen = [_uncast(one.inputs[0]) for one in gates.values()]
    if not all(isinstance(one.primitive, Slice) and one.inputs[0] is seen[0].inputs[0] for one in seen):
        return None
    total = seen[0].inputs[0]
    product = _of_state(total)
    if product is None:
        return None
    columns = {name: (gate, "z", _first_column(one)) for (name, gate), one in zip(gates.items(), seen, strict=True)}
    hidden, weights = product
    return Cell("LSTM", {"z": total}, columns, {"c": cell, "h": node}, {"h": hidden, "c": kept}, weights)


def _gru(node: Node) -> Cell | None:
    """h = n + u · (h - n), n = tanh(y)."""
    match _made(node, Add):
        case [candidate, rest] if _is(candidate, Tanh):
            pass
        case _:
            return None
    match _made(rest, Mul):
        case [update, difference] if _is(difference, Sub) and isinstance(update.primitive, Slice):
            both = _uncast(update.inputs[0])
        case _:
            return None
    total, inner = _uncast(both.inputs[0]), _uncast(candidate.inputs[0])
    product = _of_state(total)
    reset = next((one for part in _made(inner, Add) for one in _made(part, Mul) if _slices(one, both)), None)
    if product is None or reset is None:
        return None
    gates = {
        "r": (reset, "z", _first_column(reset)),
        "u": (update, "z", _first_column(update)),
        "n": (candidate, "y", 0),
    }
    return Cell("GRU", {"z": total, "y": inner}, gates, {"h": node}, {"h": product[0]}, product[1])


def _simple(node: Node) -> Cell | None:
    """h = tanh(z), or relu(z)."""
    if not (_is(node, Tanh) or _is(node, Relu)):
        return None
    total = _uncast(node.inputs[0])
    product = _of_state(total)
    if product is None or product[1].shape[0] != node.shape[-1]:  # a GRU's candidate has no product of its own
        return None
    return Cell("RNN", {"z": total}, {}, {"h": node}, {"h": product[0]}, product[1])


def _of_state(total: Node) -> tuple[Node, Node] | None:
    """Of a sum W x + b + U h the hidden state h and the weights U."""
    if not _is(total, Add):
        return None
    last = _uncast(total.inputs[1])
    if isinstance(last.primitive, Slice):
        last = _uncast(last.inputs[0])
    if _is(last, Add):  # with a bias of its own
        last = _uncast(last.inputs[0])
    return (_uncast(last.inputs[0]), _uncast(last.inputs[1])) if _is(last, Dot) else None


def _projected(cell: Cell, nodes: Sequence[Node]) -> Cell:
    """With the hidden state made smaller, if it is (`proj_size`)."""
    hidden = cell.state["h"]
    if cell.kind != "LSTM" or cell.recurrent.shape[-1] == hidden.shape[-1]:
        return cell
    smaller = next(one for one in nodes[hidden.id + 1 :] if _is(one, Dot) and _uncast(one.inputs[0]) is hidden)
    return replace(cell, state={**cell.state, "m": hidden, "h": smaller})


def _first_column(node: Node) -> int:
    assert isinstance(node.primitive, Slice)
    return node.primitive.starts[-1]


def _slices(node: Node, whole: Node) -> bool:
    return isinstance(node.primitive, Slice) and _uncast(node.inputs[0]) is whole


# --- attention ------------------------------------------------------------------------------------------------------


def _attentions(step: Step, nodes: Sequence[Node]) -> Iterator[Attention]:
    """mixed = weights @ values, weights = softmax(scores), scores = queries @ keys."""
    for node in nodes:  # keys and values are made of something: weights alone would be a layer
        if not _is(node, Dot) or node.id not in step.active:
            continue
        weights = node.inputs[0]
        while weights.inputs and (is_carrier(weights) or _is(weights, Mul) or _is(weights, Where)):
            weights = weights.inputs[-1 if _is(weights, Where) else 0]
        match _made(weights, Div):
            case [above, _] if _is(above, Exp) and _is(above.inputs[0], Sub):
                seen = above.inputs[0].inputs[0]  # less their maximum
            case _:
                continue
        scores = _unmasked(seen)
        alike = {_long_axes(one) for one in (scores, seen, weights, node.inputs[0])}
        if (
            _is(scores, Dot)
            and len(alike) == 1
            and all(_bare(one).inputs for one in (scores.inputs[1], node.inputs[1]))
        ):
            scaled = _uncast(scores.inputs[0])  # the queries, divided by the root of their size
            query = scaled.inputs[0] if _is(scaled, Mul) else scores.inputs[0]
            operands = {"q": query, "k": scores.inputs[1], "v": node.inputs[1]}
            yield Attention(scores, seen, weights, node, operands)


def _long_axes(node: Node) -> tuple[int, ...]:
    """A shape without the axes of a single query, which programs add and take away."""
    return tuple(size for size in node.shape if size > 1)


def _unmasked(scores: Node) -> Node:
    """Scores before masks are put on them or added."""
    while scores.inputs and not _is(scores, Dot):
        operands = scores.inputs[1:] if _is(scores, Where) else scores.inputs[:1]
        scores = next((one for one in operands if _bare(one).inputs and not _is(_bare(one), Full)), scores.inputs[0])
    return scores


# --- patterns -------------------------------------------------------------------------------------------------------


def _is(node: Node, primitive: type[Primitive]) -> bool:
    return isinstance(node.primitive, primitive)


def _made(node: Node, primitive: type[Primitive]) -> list[Node]:
    """What a value is made of by this primitive, types of numbers aside; nothing if it is not."""
    return [_uncast(one) for one in node.inputs] if isinstance(node.primitive, primitive) else []


def _uncast(node: Node) -> Node:
    """What a value is another form of; parts of others stay."""
    while is_carrier(node) and not isinstance(node.primitive, Slice) and node.inputs:
        node = node.inputs[0]
    return node


__all__ = ["Attention", "Cell", "Insides", "insides"]
