"""`explain`: one training step, told in order with its own numbers.

Forward, loss, backward, update, and what the update did. Every formula comes from the step's graph.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches

import numpy as np

from kadam import language
from kadam.errors import KadamError
from kadam.language import Speech
from kadam.lens.explain_backward import backward, reckoned
from kadam.lens.explain_cells import insides
from kadam.lens.explain_chain import Chain
from kadam.lens.explain_formula import as_name
from kadam.lens.explain_forward import Telling, forward
from kadam.lens.explain_inside import inside
from kadam.lens.explain_loss import loss
from kadam.lens.explain_names import Names, index_text
from kadam.lens.explain_parts import Explanation, Line, Section
from kadam.lens.explain_update import effect, update
from kadam.lens.replay import Index, Replay
from kadam.lens.step import Parameter, Step

NAMED = 12  # weights that a message names
CUTS = ("detach", "data", "read")  # events that may have cut a gradient's way


class UnknownWeight(KadamError, ValueError):  # noqa: N818  (it says what it is)
    """A weight that the step does not have."""


def explain(step: Step, weight: str | None = None, lang: str = "en", say: Speech | None = None) -> Explanation:
    """Tell a step.

    Args:
        step: as `lens.watch` or `lens.capture` has captured it.
        weight: the one whose gradient is followed: `fc1.weight[2,0]`, or `fc1.weight` for its steepest element. Without
            it, the steepest of the first weight that has a gradient.
        lang: `en` or `hi`.
        say: the page's speech, where the explanation is a part of one.

    Raises:
        UnknownWeight: the step has no such weight, or no gradient has reached it.
    """
    say = say or Speech(lang)
    title = say.label("explain.title", n=step.index)
    if step.loss is None:
        return Explanation(
            title,
            lang,
            step.index,
            (Section("loss", say.label("explain.loss.title"), (Line(say("explain.no_loss")),)),),
        )
    replay = Replay(step)
    found = chosen(step, weight, say.lang)
    names = Names(step)
    names.given = {one.moved.id: names.of(one.value) for one in step.parameters if one.moved is not None}
    within = insides(step, replay.nodes, replay.values, names)
    ends = (step.results | within.ends) - names.running_totals
    names.spelled = lambda node: as_name(node, names, replay.values, ends - {node.id})
    chain = None if found is None else Chain(replay, *found, within.stations, names.running_totals)
    telling = Telling(step, replay, names, say, chain, within)
    first = forward(telling)
    sections = [replace(first, parts=(*first.parts, *inside(telling))), loss(telling)]
    reckoning = None
    if chain is None:
        sections.append(Section("backward", say.label("explain.backward.title"), (Line(say("explain.backward.none")),)))
    else:
        reckoning = reckoned(telling, chain)
        sections += [backward(telling, chain, reckoning), update(telling, chain.parameter, chain.at), effect(telling)]
    return Explanation(title, lang, step.index, tuple(sections), reckoning)


def chosen(step: Step, weight: str | None, lang: str = "en") -> tuple[Parameter, Index] | None:
    """The parameter and the element that an explanation follows; None if no parameter has a gradient.

    Raises:
        UnknownWeight: the step has no such weight, or no gradient has reached it.
    """
    having = [one for one in step.parameters if one.grad is not None and one.grad.id in step.trace.values]
    if weight is None:
        first = next((one for one in having if one.value.rank >= 2), having[0] if having else None)
        return None if first is None else (first, _steepest(step, first))
    weight = weight.strip()
    parameter = _of_name(step, having, weight)
    if parameter is not None:
        return parameter, _steepest(step, parameter)
    for mark in reversed(list(re.finditer(r"[\[\](]", weight))):  # a name may have brackets of its own: params[0]
        name = weight[: mark.start()].strip()
        parameter = _of_name(step, having, name)
        if parameter is None:
            continue
        text = re.fullmatch(r"\[([^\[\]]*)\]", re.sub(r"\]\s*\[", ",", weight[mark.start() :]))  # w[2][0] is w[2,0]
        if text is not None:
            return parameter, _index(parameter, name, text[1], lang)
        example = index_text(name, tuple(size - 1 for size in parameter.value.shape))
        raise UnknownWeight(language.text("explain.unknown.bracket", lang, weight=weight, example=example))
    raise _unknown(step, having, re.split(r"[\[\](]", weight)[0] or weight, lang)


def _of_name(step: Step, known: Sequence[Parameter], name: str) -> Parameter | None:
    names = Names(step)
    outer = [label for label in step.models if name.startswith(f"{label}.")]  # `net.fc1.weight` of the model `net`
    spelled = {name, *(name.removeprefix(f"{label}.") for label in outer)}
    return next((one for one in known if not spelled.isdisjoint((one.name, names.of(one.value)))), None)


def _index(parameter: Parameter, name: str, text: str, lang: str) -> Index:
    """The element that a text such as `2,-1` means."""
    shape = parameter.value.shape
    try:
        at = tuple(int(one) for one in text.split(",") if one.strip())
    except ValueError:
        at = ()
    if not shape:
        raise UnknownWeight(language.text("explain.unknown.single", lang, name=name))
    if len(at) != len(shape) or any(not -size <= one < size for one, size in zip(at, shape, strict=True)):
        message = language.text(
            "explain.unknown.index", lang, name=name, at=text.strip(), shape=list(shape), axes=len(shape),
            example=index_text(name, tuple(size - 1 for size in shape)),
        )  # fmt: skip
        raise UnknownWeight(message)
    return tuple(one % size for one, size in zip(at, shape, strict=True))


def _unknown(step: Step, having: Sequence[Parameter], name: str, lang: str) -> UnknownWeight:
    """What to say of a name that no weight with a gradient has."""
    names = Names(step)
    known = [names.of(one.value) for one in having]
    held = {one for optimizer in step.optimizers for group in optimizer.parameters for one in group}
    if name in held or _of_name(step, (*step.parameters, *step.frozen), name) is not None:
        cuts = (one for one in step.events if one.kind in CUTS and one.fact("requires_grad") and one.source)
        cut = next(cuts, None)
        where = (
            ""
            if cut is None
            else language.text("explain.unknown.cut", lang, line=cut.source, name=cut.name or cut.kind)
        )
        message = language.text("explain.unknown.still", lang, name=name)
        return UnknownWeight(f"{message} {where}{_choice(known, lang)}".strip())
    short = {one.rpartition(".")[2]: one for one in reversed(known)}  # `wieght` is near `weight`, not `net.0.weight`
    nearest = get_close_matches(name, known, 1, 0.5) or [short[one] for one in get_close_matches(name, short, 1, 0.7)]
    message = language.text("explain.unknown.name", lang, name=name)
    if nearest:
        message += " " + language.text("explain.unknown.nearest", lang, name=nearest[0])
    return UnknownWeight(f"{message} {_choice(known, lang)}")


def _choice(known: Sequence[str], lang: str) -> str:
    if not known:
        return language.text("explain.unknown.none", lang)
    more = language.text("explain.more", lang, n=len(known) - NAMED) if len(known) > NAMED else ""
    listed = ", ".join(f"`{name}`" for name in known[:NAMED])
    return language.text("explain.unknown.choose", lang, names=f"{listed} {more}".strip())


def _steepest(step: Step, parameter: Parameter) -> Index:
    assert parameter.grad is not None
    grad = np.nan_to_num(np.abs(step.value(parameter.grad)))
    return tuple(int(one) for one in np.unravel_index(int(np.argmax(grad)), grad.shape))
