"""The backward pass for one weight, its update, and what the update did, told with their numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from kadam.language import number
from kadam.lens.explain_chain import Chain, Route, Share
from kadam.lens.explain_forward import Telling
from kadam.lens.explain_inside import through_time
from kadam.lens.explain_loss import followed
from kadam.lens.explain_names import index_text
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
    elif not reckoning.delivered:
        blocks.append(Line(say("explain.backward.silent", weight=weight)))
    if reckoning.delivered:
        by = next(one.function for one in telling.step.deliveries if one.given.id == chain.parameter.met.id)
        given = exact(reckoning.delivered)
        blocks.append(Line(say("explain.backward.delivered", weight=weight, function=by, gradient=given)))
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
    routes, many = chain.routes(MOST_ROUTES * (2 if chain.is_small else 1))
    if not routes:
        return
    if any(len(route.factors) > IN_A_ROW for route in routes[:MOST_LONG]):
        routes = routes[:MOST_LONG]
    blocks: list[Block] = [Line(say("explain.paths.intro"))]
    blocks += [Formula(_route(telling, route)) for route in routes]
    total = sum(route.product for route in routes)
    numbers = {"n": len(routes), "shown": exact(total), "rest": exact(chain.total - total)}
    if many == len(routes):
        blocks.append(Line(say("explain.paths.all", n=len(routes), total=exact(total))))
    elif many is not None:
        blocks.append(Line(say("explain.paths.of", all=many, **numbers)))
    else:
        blocks.append(Line(say("explain.paths.rest", **numbers)))
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
        lines[0] = f"{symbols[0]:<{room + 2}} = {values[0]}"  # the others stand behind a dot
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
    if reckoning.delivered:
        rows.append((say.label("explain.check.delivered"), exact(reckoning.delivered)))
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
    whole = reckoning.total + reckoning.delivered
    if not math.isfinite(reckoning.grad + whole):
        return say("explain.check.not_finite")
    by_slope = abs(reckoning.quotient - whole) / max(abs(whole), 1e-30)
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
    delivered = sum(
        float(telling.step.value(one.gradient)[chain.at])
        for one in telling.step.deliveries
        if one.given.id == parameter.met.id
    )
    return Reckoning(weight, products, sum(products), grad, before, slope, hooked, delivered)


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
