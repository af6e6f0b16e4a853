"""The backward pass for one weight, its update, and what the update did, told with their numbers."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping

import numpy as np

from kadam.ir.graph import Node, Phase
from kadam.ir.primitive import Array
from kadam.language import number
from kadam.lens.explain_chain import Chain, Route, Share
from kadam.lens.explain_formula import Speller, TooLong, of_tensor
from kadam.lens.explain_forward import Telling
from kadam.lens.explain_inside import through_time
from kadam.lens.explain_loss import followed
from kadam.lens.explain_names import Names, index_text
from kadam.lens.explain_parts import Block, Formula, Line, Reckoning, Section, table
from kadam.lens.replay import Index
from kadam.lens.step import Parameter, Step
from kadam.primitives.sources import Input

MOST_SHARES = 10
MOST_ROUTES = 4
MOST_LONG = 2  # of long ones, with a line for each factor
MOST_LEVELS = 14
MOST_FACTORS = 24  # of a path, that stand one by one
IN_A_ROW = 5  # factors of a path that stand side by side
DIFFERENT = 1e-3  # relative, from which a gradient is not what the forward pass says
COARSE = 1e-5  # relative, up to which single precision alone may differ
CANCELLED = 1e-6  # of what the products come to together, up to which rounding alone may differ
DIGITS = 8  # of factors, so that their products can be checked


def exact(value: float) -> str:
    """A number with so many digits that a product of them can be checked."""
    return number(value, DIGITS)


def backward(telling: Telling, chain: Chain, reckoning: Reckoning) -> Section:
    """The chain rule for the chosen weight."""
    say, names = telling.say, telling.names
    weight = index_text(names.of(chain.parameter.value), chain.at)
    loss = followed(telling)
    shares = chain.shares()
    blocks: list[Block] = [Line(say("explain.backward.intro", weight=weight))]
    if any(one in chain.moved for one in telling.replay.hooked):
        hooked = ", ".join(f"`{names.of(telling.replay.nodes[id])}`" for id in sorted(telling.replay.hooked))
        blocks.append(Line(say("explain.backward.hooked", values=hooked)))
    first = list(dict.fromkeys(share.node.id for share in shares))
    if first:
        meets = ", ".join(names.of(telling.replay.nodes[id]) for id in first[:3]) + (", …" if len(first) > 3 else "")
        blocks.append(Line(say("explain.backward.where", weight=weight, meets=meets, n=len(shares))))
        blocks += _shares(telling, weight, loss, shares)
        blocks += through_time(telling)
    else:
        blocks.append(Line(say("explain.backward.silent", weight=weight)))
    parts = [*_routes(telling, chain), *_levels(telling, chain)]
    parts.append(Section("check", say.label("explain.check.title"), tuple(_check(telling, reckoning))))
    return Section("backward", say.label("explain.backward.title"), tuple(blocks), tuple(parts))


def _shares(telling: Telling, weight: str, loss: str, shares: list[Share]) -> Iterator[Block]:
    say, names = telling.say, telling.names
    yield Formula(f"∂{loss}/∂{weight} = Σ ∂{loss}/∂z · ∂z/∂{weight}")
    rows = [
        (names.element(share.node, share.at), exact(share.upstream), exact(share.local), exact(share.product))
        for share in shares[:MOST_SHARES]
    ]
    rest = sum(share.product for share in shares[MOST_SHARES:])
    more = say("explain.backward.more", n=len(shares) - len(rows), rest=exact(rest)) if len(rows) < len(shares) else ""
    head = ("z", f"∂{loss}/∂z", f"∂z/∂{weight}", say.label("explain.head.product"))
    total = ("Σ", "", "", exact(sum(share.product for share in shares)))
    yield table(say.label("explain.backward.shares"), head, rows, more, total)


def _routes(telling: Telling, chain: Chain) -> Iterator[Section]:
    """The paths from the loss down to the weight."""
    say = telling.say
    routes, complete = chain.routes(MOST_ROUTES * (2 if chain.is_small else 1))
    if not routes:
        return
    if any(len(route.factors) > IN_A_ROW for route in routes[:MOST_LONG]):
        complete, routes = complete and len(routes) <= MOST_LONG, routes[:MOST_LONG]
    blocks: list[Block] = [Line(say("explain.paths.intro"))]
    blocks += [Formula(_route(telling, route)) for route in routes]
    total = sum(route.product for route in routes)
    if complete:
        blocks.append(Line(say("explain.paths.all", n=len(routes), total=exact(total))))
    else:
        blocks.append(
            Line(say("explain.paths.rest", n=len(routes), shown=exact(total), rest=exact(chain.total - total)))
        )
    yield Section("paths", say.label("explain.paths.title"), tuple(blocks))


def _route(telling: Telling, route: Route) -> str:
    """A path as factors, in names and in numbers."""
    names = telling.names
    symbols = [
        f"∂{followed(telling) if one.of is None else names.element(one.of, one.of_at)}"
        f"/∂{names.element(one.by, one.by_at)}"
        for one in route.factors
    ]
    values = [exact(one.value) for one in route.factors]
    if len(values) > IN_A_ROW:
        room = max(map(len, symbols))
        lines = [f"{symbol:<{room}} = {value}" for symbol, value in zip(symbols, values, strict=True)]
        if len(lines) > MOST_FACTORS:
            ends = MOST_FACTORS // 2
            middle = exact(math.prod(one.value for one in route.factors[ends:-ends]))
            more = telling.say.label("explain.paths.more", n=len(lines) - 2 * ends)
            lines[ends:-ends] = [f"{f'({more})':<{room}} = {middle}"]
        return "\n· ".join(lines) + f"\n= {exact(route.product)}"
    numbers = " · ".join(f"({value})" if value.startswith("-") else value for value in values)
    return f"{' · '.join(symbols)}\n  = {numbers}\n  = {exact(route.product)}"


def _levels(telling: Telling, chain: Chain) -> Iterator[Section]:
    """The values that all of the gradient goes through: at each the same sum."""
    say, names = telling.say, telling.names
    levels = list(chain.levels())
    if len(levels) < 2:
        return
    shown = levels if len(levels) <= MOST_LEVELS else [*levels[: MOST_LEVELS // 2], *levels[-(MOST_LEVELS // 2) :]]
    rows = [
        (names.of(one.node), "×".join(map(str, one.node.shape)) or "1", number(one.norm), exact(one.total))
        for one in reversed(shown)
    ]
    weight = index_text(names.of(chain.parameter.value), chain.at)
    head = (say.label("explain.head.value"), say.label("explain.head.shape"), say.label("explain.head.slope"),
            f"Σ ∂L/∂z · ∂z/∂{weight}")  # fmt: skip
    more = say("explain.more", n=len(levels) - len(shown)) if len(shown) < len(levels) else ""
    blocks = Line(say("explain.levels.intro")), table("", head, rows, more)
    yield Section("levels", say.label("explain.levels.title"), blocks)


def _check(telling: Telling, reckoning: Reckoning) -> Iterator[Block]:
    say = telling.say
    rows = [(say.label("explain.check.total"), exact(reckoning.total))]
    if reckoning.before:
        rows.append((say.label("explain.check.before"), exact(reckoning.before)))
    if reckoning.hooked:
        rows.append((say.label("explain.check.hooked"), exact(reckoning.hooked)))
    rows += [
        (say.label("explain.check.grad"), exact(reckoning.grad)),
        (say.label("explain.check.quotient"), exact(reckoning.quotient)),
    ]
    head = (say.label("explain.head.found"), say.label("explain.head.number"))
    yield table("", head, rows)
    yield Line(_verdict(telling, reckoning))


def _verdict(telling: Telling, reckoning: Reckoning) -> str:
    """How well the numbers agree, and if they do not, why that may be."""
    say = telling.say
    if not math.isfinite(reckoning.grad + reckoning.total):
        return say("explain.check.not_finite")
    scale = max(abs(reckoning.total), 1e-30)
    by_slope = abs(reckoning.quotient - reckoning.total) / scale
    apart, quotient = f"{reckoning.apart:.0e}", f"{by_slope:.0e}"
    coarse = telling.replay.coarsest
    if coarse is not None and reckoning.apart > COARSE:
        return say("explain.check.coarse", grad=apart, dtype=f"`{coarse.name}`")
    if reckoning.apart > COARSE and reckoning.cancelled < CANCELLED:
        return say("explain.check.cancels", n=len(reckoning.products), total=number(reckoning.mass))
    if reckoning.apart > COARSE and abs(reckoning.grad) < CANCELLED * _steepest(telling.step):
        return say("explain.check.zero")
    if reckoning.apart > DIFFERENT:
        return say("explain.check.differs")
    if math.isnan(by_slope):
        return say("explain.check.no_quotient", grad=apart)
    return say(f"explain.check.{'bent' if by_slope > DIFFERENT else 'apart'}", grad=apart, quotient=quotient)


def _steepest(step: Step) -> float:
    """The largest element of all the step's gradients."""
    known = [step.trace.values.get(one.grad.id) for one in step.parameters if one.grad is not None]
    return max((float(np.abs(one).max()) for one in known if one is not None and one.size), default=0.0)


def reckoned(telling: Telling, chain: Chain) -> Reckoning:
    """The sum of the products, beside `.grad` and a difference quotient."""
    parameter = chain.parameter
    grad = float("nan") if parameter.grad is None else float(telling.step.value(parameter.grad)[chain.at])
    products = tuple(share.product for share in chain.shares())
    weight = index_text(telling.names.of(parameter.value), chain.at)
    before = _before(telling, parameter, chain.at)
    slope, hooked = (
        telling.replay.slope(parameter.met, chain.at),
        float(telling.replay.changed(parameter.met)[chain.at]),
    )
    return Reckoning(weight, products, sum(products), grad, before, slope, hooked)


def _before(telling: Telling, parameter: Parameter, at: Index) -> float:
    """What stood in `.grad` before: an input of the step that is added to what the backward pass has found."""
    node, found = parameter.grad, 0.0
    waiting = [] if node is None else [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one.primitive, Input) and one.type == parameter.value.type and one.id != parameter.value.id:
            found += float(telling.step.value(one)[at])
        elif type(one.primitive).__name__ == "Add":
            waiting += one.inputs
    return found


# --- the update ---------------------------------------------------------------------------------------------------


def update(telling: Telling, parameter: Parameter, at: Index) -> Section:
    """What the optimizer made of the gradient."""
    say, step = telling.say, telling.step
    title = say.label("explain.update.title")
    weight = index_text(telling.names.of(parameter.value), at)
    if parameter.next is None:
        return Section("update", title, (Line(say("explain.update.none", weight=weight)),))
    blocks: list[Block] = []
    if parameter.optimizer is not None:
        optimizer = step.optimizers[parameter.optimizer]
        settings = ", ".join(
            f"{name}={value}" for name, value in optimizer.groups[parameter.group].items() if value not in (None, False)
        )
        blocks.append(Line(say("explain.update.intro", optimizer=optimizer.name, n=optimizer.steps, settings=settings)))
    else:
        blocks.append(Line(say("explain.update.by_hand")))
    given = parameter.used or parameter.grad
    if parameter.grad is not None and parameter.used is not None and parameter.used.id != parameter.grad.id:
        ends = (float(step.value(one)[at]) for one in (parameter.grad, parameter.used))
        blocks.append(
            Line(
                say(
                    "explain.update.changed",
                    weight=weight,
                    **dict(zip(("grad", "used"), map(exact, ends), strict=True)),
                )
            )
        )
    blocks += _rule(telling, parameter, given, at)
    computed = _numbers(telling, parameter)
    if computed:
        blocks.append(Line(say("explain.update.computed", numbers=computed), aside=True))
    rows = [(weight, *_change(telling, parameter.value, parameter.next, at))]
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


# Numbers that Adam computes from its settings and its count of steps, as textbooks write them.
_ADAM = {
    "fresh1": "(1 − β₁)",
    "keep2": "β₂",
    "fresh2": "(1 − β₂)",
    "step_size": "(lr/(1 − β₁ᵗ))",
    "grow_root2": "(1/√(1 − β₂ᵗ))",
}
_BOOK = {"Adam": _ADAM, "AdamW": _ADAM | {"amount": "(1 − lr · weight_decay)"}}


def _written(telling: Telling, parameter: Parameter) -> dict[str, str]:
    """How books write the numbers of an optimizer's rule."""
    if parameter.optimizer is None:
        return {}
    return _BOOK.get(telling.step.optimizers[parameter.optimizer].name, {})


def _numbers(telling: Telling, parameter: Parameter) -> str:
    """The numbers of the rule that are no settings of the optimizer's group."""
    step = telling.step
    if parameter.optimizer is None or parameter.next is None:
        return ""
    settings = step.optimizers[parameter.optimizer].groups[parameter.group]
    book = _written(telling, parameter)
    found: dict[str, str] = {}
    seen: set[int] = set()
    waiting = [parameter.next]
    while waiting:
        node = waiting.pop()
        if node.id in seen or node in (parameter.used, parameter.grad):
            continue
        seen.add(node.id)
        name = step.numbers.get(node.id)
        if name and name not in settings:
            found[book.get(name, f"`{name}`")] = number(float(step.value(node)))
        if node.phase is Phase.UPDATE:
            waiting += node.inputs
    return ", ".join(f"{name} = {value}" for name, value in sorted(found.items()))


def _change(telling: Telling, old: Node, new: Node, at: Index) -> tuple[str, str, str]:
    before, after = (float(telling.step.value(node)[at]) for node in (old, new))
    return exact(before), exact(after), exact(after - before)


def _rule(telling: Telling, parameter: Parameter, given: Node | None, at: Index) -> Iterator[Block]:
    """The optimizer's formulas, from the update's own nodes."""
    step = telling.step
    values = step.trace.values
    assert parameter.next is not None
    names = Names(step)
    book = _written(telling, parameter)
    names.given = {node: book[name] for node, name in step.numbers.items() if name in book}
    names.given[parameter.value.id] = telling.names.of(parameter.value)
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
