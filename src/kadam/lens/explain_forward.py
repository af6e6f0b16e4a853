"""The forward pass, told with its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from kadam.dtypes import FLOAT
from kadam.ir.graph import Node, Phase
from kadam.ir.primitive import Array
from kadam.language import Speech, keys, number
from kadam.lens.explain_cells import Cell, Insides
from kadam.lens.explain_chain import Chain
from kadam.lens.explain_details import mask_of, window
from kadam.lens.explain_element import LEAVES, Speller
from kadam.lens.explain_formula import TooLong, of_tensor
from kadam.lens.explain_names import Names, is_carrier, seen_through
from kadam.lens.explain_parts import Block, Formula, Line, Section, table
from kadam.lens.replay import Index, Replay
from kadam.lens.step import ModuleCall, Step
from kadam.primitives.pool import WindowPick
from kadam.primitives.sources import Input

SMALL = 12  # elements of a value that are all spelled out
SHOWN = 24  # elements of a value that are all shown
MOST_ITEMS = 12  # layers that are told one by one
MOST_ROWS = 40
MOST_WINDOW = 16  # elements of a window that are all shown
MOST_LOOKED_AT = 400  # elements that a layer's formulas look at, until no further one is spelled out
MOST_SAMPLES = 8
LONGEST = 110  # characters of a formula that is spelled out
LONGEST_NUMBERS = 400
ALIASES = {"binary_cross_entropy": "BCELoss", "binary_cross_entropy_with_logits": "BCEWithLogitsLoss"}
FITTED = "fit"  # what an in-place change makes of the value that it is given
NO_MEAN = 1e-13  # beside the largest element


@dataclass
class Telling:
    """What all sections of an explanation share."""

    step: Step
    replay: Replay
    names: Names
    say: Speech
    chain: Chain | None
    insides: Insides = field(default_factory=Insides)
    looked_at: int = 0  # by the formulas so far
    said: set[str] = field(default_factory=set)  # what is said once

    @property
    def values(self) -> dict[int, Array]:
        """Node id -> value, in double precision."""
        return self.replay.values

    def source(self, node: Node) -> str:
        """The program's line."""
        return str(node.source) if node.source else ""


@dataclass(frozen=True)
class Item:
    """A value that a layer or a call has made on the way to the loss."""

    node: Node
    call: ModuleCall | None


def items(telling: Telling, phase: Phase = Phase.FORWARD) -> list[Item]:
    """The results of the layers, and of the program's own calls between them, in order."""
    step, needed = telling.step, telling.replay.needed
    of: dict[int, ModuleCall] = {}
    for one in sorted(step.calls, key=lambda one: one.depth):
        given = {node.id for node in one.inputs}
        of.update((node.id, one) for node in one.outputs if node.id not in given)
    leaves = [call for call in step.calls if not _has_calls(step, call)]
    flowing, totals = telling.replay.active or needed, telling.names.running_totals
    found = []
    for node in telling.replay.nodes:
        if node.id not in flowing or node.phase is not phase or node.dtype.category < FLOAT:
            continue
        if node.id not in step.results or not node.inputs or node.id in totals:
            continue
        call = of.get(node.id)
        if (call is None or _has_calls(step, call)) and is_carrier(node):
            continue
        inner = call is None and any(one.path == node.scope and one.source == node.source for one in leaves if one.path)
        if not inner:
            found.append(Item(node, call))
    return found


def _has_calls(step: Step, call: ModuleCall) -> bool:
    inside = f"{call.path}." if call.path else ""
    return any(one.depth > call.depth and one.root == call.root and one.path.startswith(inside) for one in step.calls)


def forward(telling: Telling) -> Section:
    """What flowed forward."""
    say, found = telling.say, items(telling)
    blocks: list[Block] = [Line(say("explain.forward.intro", n=len(found)))]
    data = _data(telling)
    if data:
        blocks.append(table(say.label("explain.forward.data"), _head(say), data))
    chosen = found if len(found) <= MOST_ITEMS else _chosen(telling, found)
    parts = [_item(telling, item) for item in chosen]
    if len(chosen) < len(found):
        rows = [
            (telling.names.of(item.node), _what(telling, item), *_facts(telling, item.node))
            for item in found[:MOST_ROWS]
        ]
        more = say("explain.more", n=len(found) - MOST_ROWS) if len(found) > MOST_ROWS else ""
        head = (say.label("explain.head.value"), say.label("explain.head.computes"), *_head(say)[1:])
        blocks += [
            table(say.label("explain.forward.all"), head, rows, more),
            Line(say("explain.forward.folded", n=len(chosen))),
        ]
    return Section("forward", say.label("explain.forward.title"), tuple(blocks), tuple(parts))


def _head(say: Speech) -> tuple[str, ...]:
    return tuple(say.label(f"explain.head.{one}") for one in ("value", "shape", "norm", "mean", "least", "largest"))


def _facts(telling: Telling, node: Node) -> tuple[str, ...]:
    value = telling.values[node.id]
    shape = "×".join(map(str, value.shape)) or "1"
    if not value.size or value.dtype.kind not in "fiu":
        return shape, "", "", "", ""
    mean, least, largest = value.mean(), value.min(), value.max()
    if abs(mean) < NO_MEAN * max(abs(least), abs(largest)):  # what rounding leaves of 0
        mean = 0.0
    return shape, *map(number, (np.linalg.norm(value), mean, least, largest))


def _data(telling: Telling) -> list[tuple[str, ...]]:
    """The named inputs that are no parameters."""
    own = {one.value.id for one in telling.step.parameters}
    rows = []
    for node in telling.step.graph.inputs:
        if node.id in telling.replay.needed and node.id not in own | telling.names.given.keys() and node.shape:
            rows.append((telling.names.of(node), *_facts(telling, node)))
    return rows[:MOST_SAMPLES]


def _chosen(telling: Telling, found: Sequence[Item]) -> list[Item]:
    """Of many layers the first, those that the chosen weight acts in, and the last."""
    chain = telling.chain
    acts = set() if chain is None else chain.first.keys() & chain.stations
    middle = [item for item in found if item.node.id in acts][:2]
    return list({item.node.id: item for item in (*found[:2], *middle, *found[-2:])}.values())


def _what(telling: Telling, item: Item) -> str:
    if item.call is not None and (item.call.path or not _has_calls(telling.step, item.call)):
        kind = f"{item.call.kind}({item.call.settings})" if len(item.call.settings) <= 48 else item.call.kind
        path = telling.names.path(item.call)
        return f"{path}, {kind}" if path and path not in telling.names.of(item.node) else kind
    return telling.names.called(item.node) or type(item.node.primitive).__name__


def _item(telling: Telling, item: Item) -> Section:
    """One layer: what it computes, of whole tensors and of an element."""
    say, node = telling.say, item.node
    name = telling.names.of(node)
    blocks: list[Block] = []
    told = purpose(item.call.kind if item.call is not None else telling.names.called(node))
    if told:
        blocks.append(Line(say(told)))
    text = formula(telling, node)
    alone = name in (text, f"({text})") or "ₜ = " in text  # a value without a name is called by its formula
    told = text if alone else f"{name} = {text}"
    blocks.append(Formula(told, telling.source(node)))
    begun = telling.looked_at
    for at in elements(telling, node):
        blocks += _element(telling, node, at)
        if telling.looked_at - begun > MOST_LOOKED_AT:
            break
    mask = mask_of(telling.step)(node)
    if mask is not None:
        kept = telling.values[mask.id]
        blocks.append(Line(say("explain.forward.dropped", n=int(kept.size - kept.sum()), all=kept.size)))
    blocks.append(_shown(telling, node))
    title = say.label("explain.forward.item", name=name, what=_what(telling, item))
    return Section(name, title, tuple(blocks))


def _element(telling: Telling, node: Node, at: Index) -> Iterator[Block]:
    """An element's formula with its numbers, after what it is told with."""
    stops = _ends_of(telling, node)
    for inner in telling.insides.details.get(node.id, ()):
        if inner.rank > len(at):  # of groups of channels, say, which have an axis of their own
            continue
        place = _broadcast(inner, at)
        spelled = with_numbers(telling, inner, place, stops - {inner.id})
        if spelled:
            yield Formula(spelled)
    if isinstance(node.primitive, WindowPick):
        yield Formula(_winner(telling, node, at))
        return
    spelled = with_numbers(telling, node, at)
    if spelled:
        yield Formula(spelled)


def _broadcast(node: Node, at: Index) -> Index:
    """Which element of a value with axes of size 1 is met at an index."""
    return tuple(0 if size == 1 else place for size, place in zip(node.shape, at[len(at) - node.rank :], strict=True))


def _winner(telling: Telling, node: Node, at: Index) -> str:
    """An element of max pooling: all of its window, and the largest."""
    source, here = node.inputs[0], telling.names.element(node, at)
    places = window(node, at)
    numbers = [number(float(telling.values[source.id][place])).replace("-", "−", 1) for place in places]
    result = number(float(telling.values[node.id][at])).replace("-", "−", 1)
    best = next(place for place in places if telling.values[source.id][place] == telling.values[node.id][at])
    shown = [telling.names.element(source, place) for place in places]
    lines = [f"max({', '.join(part)})" for part in (shown, numbers) if len(part) <= MOST_WINDOW]
    steps = [*lines, f"{telling.names.element(source, best)} = {result}"]
    return f"{here} = " + f"\n{' ' * len(here)} = ".join(steps)


def purpose(kind: str) -> str | None:
    """The key of the text on what a module or a function is for: `mse_loss` is told as `MSELoss`."""
    plain = ALIASES.get(kind, kind).replace("_", "").lower()
    return _purposes().get(plain) or _purposes().get(f"{plain}loss")


@cache
def _purposes() -> dict[str, str]:
    return {key.rpartition(".")[2].lower(): key for key in keys() if key.startswith("explain.kind.")}


def formula(telling: Telling, node: Node, stops: frozenset[int] | None = None, longest: int = LONGEST) -> str:
    """What makes a value; if that is long, the name of the call that does."""
    ends = _ends_of(telling, node) if stops is None else stops
    text = spelled_out(telling, node, ends)
    if 0 < len(text) <= longest:
        return text
    runs = telling.insides.runs_in(node)
    if runs and telling.names.called(_bare(node)) == "recurrence":
        return "; ".join(map(_recurrence, runs))
    called = telling.names.called(node) or type(node.primitive).__name__
    known = [one for one in operands(node, ends) if one.id not in telling.insides.helpers]
    if text and not known:  # a long sum of numbers
        return text
    called = telling.names.called(_bare(node)) or called
    return f"{called}({', '.join(telling.names.of(one) for one in known[:6])}{', …' if len(known) > 6 else ''})"


def _bare(node: Node) -> Node:
    while is_carrier(node) and node.inputs:
        node = node.inputs[0]
    return node


def _recurrence(run: Sequence[Cell]) -> str:
    """What a recurrent layer does at each time step, where it is told in full: `LSTM(xₜ, hₜ₋₁, cₜ₋₁)`."""
    name, kind = run[0].name, run[0].kind
    before = [f"{name}.{state}ₜ₋₁" for state in ("h", "c") if state in run[0].state]
    return f"{name}.hₜ = {kind}(xₜ, {', '.join(before)}), t = 1 … {len(run)}"


def spelled_out(telling: Telling, node: Node, ends: frozenset[int]) -> str:
    """A value's formula in terms of others; empty if it is longer than anybody would read."""
    try:
        return "" if isinstance(node.primitive, WindowPick) else of_tensor(node, telling.names, telling.values, ends)[0]
    except TooLong:
        return ""


def _ends_of(telling: Telling, node: Node) -> frozenset[int]:
    """Where the formula of a value ends: at the results of other calls."""
    hidden = {id for id, instead in seen_through(telling.step).items() if instead == node.id}
    hidden |= {id for id in telling.step.results if telling.step.called.get(id) == FITTED}
    return (telling.step.results | telling.insides.ends) - hidden - telling.names.running_totals - {node.id}


def operands(node: Node, ends: frozenset[int]) -> list[Node]:
    """The named values that a value is made of, in order."""
    found: dict[int, Node] = {}
    seen: set[int] = set()
    waiting = list(reversed(node.inputs))
    while waiting:
        one = waiting.pop()
        if one.id in seen:
            continue
        seen.add(one.id)
        if one.id in ends or not one.inputs:
            if one.shape and (one.inputs or isinstance(one.primitive, Input)):
                found[one.id] = one
        else:
            waiting.extend(reversed(one.inputs))
    return list(found.values())


def elements(telling: Telling, node: Node) -> list[Index]:
    """Which elements of a value are spelled out."""
    if node.type.elements <= SMALL:
        return [tuple(map(int, at)) for at in np.ndindex(node.shape)]
    chain = telling.chain
    if chain is not None and node.id in chain.moved and node.id in telling.replay.gradients:
        share = np.abs(chain.moved[node.id] * telling.replay.gradients[node.id])
        return [tuple(int(one) for one in np.unravel_index(int(np.argmax(share)), node.shape))]
    return [(0,) * node.rank]


def with_numbers(
    telling: Telling, node: Node, at: Index, stops: frozenset[int] | None = None, longest: int = LONGEST_NUMBERS
) -> str | None:
    """An element's formula, in names and in numbers; None if there is nothing to say or it would be too long."""
    ends = _ends_of(telling, node) if stops is None else stops
    speller = Speller(telling.names, telling.values, ends)
    try:
        element = speller.spell(node, at)
    except TooLong:
        return None
    finally:
        telling.looked_at += LEAVES - speller.left
    here = telling.names.element(node, at)
    result = number(float(element.value)).replace("-", "−", 1)
    if element.text == here or len(element.text) > longest:
        return None
    steps = [f"{here} = {element.text}", element.numbers, result]
    return f"\n{' ' * len(here)} = ".join(dict.fromkeys(steps))


def _shown(telling: Telling, node: Node) -> Block:
    say, value = telling.say, telling.values[node.id]
    if value.size <= SHOWN:
        return Line(say("explain.values", name=telling.names.of(node), values=matrix(value)), aside=True)
    shape, norm, mean, least, largest = _facts(telling, node)
    return Line(say("explain.summary", shape=shape, norm=norm, mean=mean, least=least, largest=largest), aside=True)


def matrix(value: Array) -> str:
    """Few numbers in brackets."""
    if value.ndim == 0:
        return number(float(value)) if value.dtype.kind in "fc" else str(value[()])
    return "[" + ", ".join(matrix(one) for one in value) + "]"
