"""The update, told with its numbers: the optimizer's rule, and what it did to the loss."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping

import numpy as np

from kadam.ir.graph import Node, Phase
from kadam.ir.primitive import Array
from kadam.language import number
from kadam.lens.explain_backward import DIGITS, exact
from kadam.lens.explain_element import Speller
from kadam.lens.explain_formula import TooLong, of_tensor
from kadam.lens.explain_forward import Telling
from kadam.lens.explain_letters import EXPLAINED, letter
from kadam.lens.explain_names import Names, index_text
from kadam.lens.explain_parts import Block, Formula, Line, Section, table
from kadam.lens.replay import Index
from kadam.lens.step import Parameter

UNTOLD = ("initial_lr", "decoupled_weight_decay")  # entries of a group that nobody has set
SEARCHING = "LBFGS"  # walks several times in one step


def update(telling: Telling, parameter: Parameter, at: Index) -> Section:
    """What the optimizer made of the gradient."""
    say, step = telling.say, telling.step
    title = say.label("explain.update.title")
    weight = index_text(telling.names.of(parameter.value), at)
    if parameter.next is None:
        return Section("update", title, (Line(say("explain.update.none", weight=weight)),))
    blocks: list[Block] = []
    given = parameter.used or parameter.grad
    if parameter.grad is not None and parameter.used is not None and parameter.used.id != parameter.grad.id:
        grad, used = (float(step.value(one)[at]) for one in (parameter.grad, parameter.used))
        key = "kept" if abs(grad - used) <= 1e-6 * abs(grad) else "changed"  # a limit that was not reached
        blocks.append(Line(say(f"explain.update.{key}", weight=weight, grad=exact(grad), used=exact(used))))
    if parameter.optimizer is not None:
        optimizer = step.optimizers[parameter.optimizer]
        settings = ", ".join(
            f"{name}={value}"
            for name, value in optimizer.groups[parameter.group].items()
            if value not in (None, False) and name not in UNTOLD
        )
        blocks.append(Line(say("explain.update.intro", optimizer=optimizer.name, n=optimizer.steps, settings=settings)))
    else:
        blocks.append(Line(say("explain.update.by_hand")))
    searching = parameter.optimizer is not None and step.optimizers[parameter.optimizer].name == SEARCHING
    blocks += _walks(telling, parameter) if searching else _rule(telling, parameter, given, at)
    computed = "" if searching else _numbers(telling, parameter)
    if computed:
        blocks.append(Line(say("explain.update.computed", numbers=computed), aside=True))
        blocks += _of_their_own(telling, parameter, computed)
    begun = parameter.value if parameter.met.phase is Phase.UPDATE else parameter.met
    rows = [(weight, *_change(telling, begun, parameter.next, at))]
    if given is not None:
        rows.insert(0, (f"{weight}.grad", exact(float(step.value(given)[at])), "", ""))
    rows += [
        (name, *_change(telling, old, new, at))
        for name, (old, new) in parameter.memory.items() if new is not None and old.shape == parameter.value.shape
    ]  # fmt: skip
    head = tuple(say.label(f"explain.head.{one}") for one in ("value", "before", "after", "change"))
    blocks.append(table(say.label("explain.update.numbers"), head, rows))
    return Section("update", title, tuple(blocks))


def _text_of(node: Node, names: Names, values: Mapping[int, Array], stops: Collection[int]) -> str:
    try:
        return of_tensor(node, names, values, stops)[0]
    except TooLong:
        return "…"


def _letters(telling: Telling, parameter: Parameter) -> dict[int, str]:
    """How books write the numbers of an optimizer's rule: input id -> letters."""
    if parameter.optimizer is None:
        return {}
    optimizer = telling.step.optimizers[parameter.optimizer]
    group = optimizer.groups[parameter.group]
    found = {}
    for id, name in telling.step.numbers.items():
        value = telling.step.trace.values.get(id)
        text = None if value is None or value.size != 1 else letter(optimizer.name, name, float(value), group)
        if text:
            found[id] = text
    return found


def _numbers(telling: Telling, parameter: Parameter) -> str:
    """The numbers of the rule that are no settings of the optimizer's group."""
    step = telling.step
    if parameter.optimizer is None or parameter.next is None:
        return ""
    settings = step.optimizers[parameter.optimizer].groups[parameter.group]
    letters = _letters(telling, parameter)
    found: dict[str, str] = {}
    seen: set[int] = set()
    waiting = [parameter.next]
    while waiting:
        node = waiting.pop()
        if node.id in seen or node in (parameter.used, parameter.grad):
            continue
        seen.add(node.id)
        name = letters.get(node.id) or step.numbers.get(node.id)
        if name and name not in settings and name != "1":
            found[name if node.id in letters else f"`{name}`"] = number(float(step.value(node)), DIGITS)
        if node.phase is Phase.UPDATE:
            waiting += node.inputs
    return ", ".join(f"{name} = {value}" for name, value in sorted(found.items()))


def _of_their_own(telling: Telling, parameter: Parameter, computed: str) -> Iterator[Block]:
    """What letters mean that only this optimizer has."""
    assert parameter.optimizer is not None
    name = telling.step.optimizers[parameter.optimizer].name
    if EXPLAINED.get(name, "\n") in computed:
        yield Line(telling.say(f"explain.update.{name}"), aside=True)


def _change(telling: Telling, old: Node, new: Node, at: Index) -> tuple[str, str, str]:
    before, after = (float(telling.step.value(node)[at]) for node in (old, new))
    return exact(before), exact(after), exact(after - before)


def _walks(telling: Telling, parameter: Parameter) -> Iterator[Block]:
    """What L-BFGS does; its directions come from all gradients that it remembers, too many for a formula."""
    assert parameter.next is not None
    name = telling.names.of(parameter.value)
    yield Formula(f"{name}′ = {name} + t₁ · d₁ + t₂ · d₂ + …", telling.source(parameter.next))
    yield Line(telling.say("explain.update.LBFGS"))


def _rule(telling: Telling, parameter: Parameter, given: Node | None, at: Index) -> Iterator[Block]:
    """The optimizer's formulas, from the update's own nodes."""
    step = telling.step
    values = step.trace.values
    assert parameter.next is not None
    names = Names(step)
    names.given = _letters(telling, parameter)
    names.given.update((one.id, telling.names.of(parameter.value)) for one in (parameter.value, parameter.met))
    if given is not None:
        names.given[given.id] = "grad"
    targets = []
    for name, (old, new) in parameter.memory.items():
        if new is not None and old.shape == parameter.value.shape:
            names.given[old.id] = name
            targets.append((new, f"{name}′"))
    targets.append((parameter.next, f"{telling.names.of(parameter.value)}′"))
    for node, name in targets:
        stops = frozenset(names.given)
        text = _text_of(node, names, values, stops)
        names.given[node.id] = name
        yield Formula(f"{name} = {text}", telling.source(node))
        try:
            element = Speller(names, values, stops).spell(node, at)
        except TooLong:
            continue
        here = index_text(name, at)
        result = number(float(element.value), DIGITS).replace("-", "−", 1)
        yield Formula(f"{here} = {element.numbers}\n{' ' * len(here)} = {result}")


def _is_searching(telling: Telling) -> bool:
    return any(one.name == SEARCHING and one.stepped for one in telling.step.optimizers)


def effect(telling: Telling) -> Section:
    """What the update did to the loss: the same batch again, with the new parameters."""
    say, step, replay = telling.say, telling.step, telling.replay
    changed = {
        one.met.id: step.value(one.next) for one in step.parameters
        if one.next is not None and one.met.id in replay.given and one.next.id in step.trace.values
    }  # fmt: skip
    title = say.label("explain.effect.title")
    if not changed:
        return Section("effect", title, (Line(say("explain.effect.none")),))
    if all(np.array_equal(value, replay.given[id]) for id, value in changed.items()) and _is_searching(telling):
        return Section("effect", title, (Line(say("explain.effect.searched")),))
    before, after = replay.loss(replay.values), replay.loss(replay.run(changed))
    expected = sum(
        float(np.sum(replay.gradients[id] * (np.asarray(value, np.float64) - replay.given[id])))
        for id, value in changed.items() if id in replay.gradients
    )  # fmt: skip
    rows = [
        (say.label("explain.effect.before"), number(before, 7)),
        (say.label("explain.effect.after"), number(after, 7)),
        (say.label("explain.effect.change"), number(after - before, 7)),
        (say.label("explain.effect.expected"), number(expected, 7)),
    ]
    head = (say.label("explain.head.found"), say.label("explain.head.number"))
    verdict = "lower" if after < before else "higher" if after > before else "equal"
    if not math.isfinite(before + after):
        verdict = "not_finite"
    blocks = (
        Line(say("explain.effect.intro")),
        table("", head, rows),
        Line(say(f"explain.effect.{verdict}", before=number(before), after=number(after))),
        Line(say("explain.effect.order"), aside=True),
    )
    return Section("effect", title, blocks)
