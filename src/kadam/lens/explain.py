"""`explain`: one training step, told in order with its own numbers.

Forward, loss, backward, update, and what the update did. Every formula comes from the step's graph.
"""

from __future__ import annotations

import re

import numpy as np

from kadam.errors import KadamError
from kadam.language import Speech
from kadam.lens.explain_backward import backward, effect, reckoned, update
from kadam.lens.explain_chain import Chain
from kadam.lens.explain_forward import Telling, forward
from kadam.lens.explain_loss import loss
from kadam.lens.explain_names import Names
from kadam.lens.explain_parts import Explanation, Line, Section
from kadam.lens.replay import Index, Replay
from kadam.lens.step import Parameter, Step


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
    found = chosen(step, weight)
    chain = None if found is None else Chain(replay, *found)
    telling = Telling(step, replay, Names(step), say, chain)
    sections = [forward(telling), loss(telling)]
    reckoning = None
    if chain is None:
        sections.append(Section("backward", say.label("explain.backward.title"), (Line(say("explain.backward.none")),)))
    else:
        reckoning = reckoned(telling, chain)
        sections += [backward(telling, chain, reckoning), update(telling, chain.parameter, chain.at), effect(telling)]
    return Explanation(title, lang, step.index, tuple(sections), reckoning)


def chosen(step: Step, weight: str | None) -> tuple[Parameter, Index] | None:
    """The parameter and the element that an explanation follows; None if no parameter has a gradient."""
    having = [one for one in step.parameters if one.grad is not None and one.grad.id in step.trace.values]
    if weight is None:
        first = next((one for one in having if one.value.rank >= 2), having[0] if having else None)
        return None if first is None else (first, _steepest(step, first))
    found = re.fullmatch(r"\s*([^\[\]]+?)\s*(?:\[([\d\s,]*)\])?\s*", weight)
    name = found[1] if found else weight
    names = Names(step)
    parameter = next((one for one in having if name in (one.name, names.of(one.value))), None)
    if found is None or parameter is None:
        raise UnknownWeight(
            f"explain: the step has no weight {name!r} with a gradient. Fix: choose one of "
            f"{', '.join(names.of(one.value) for one in having[:12]) or 'none: no gradient was computed'}."
        )
    if found[2] is None:
        return parameter, _steepest(step, parameter)
    at = tuple(int(one) for one in found[2].split(",") if one.strip())
    shape = parameter.value.shape
    if len(at) != len(shape) or any(one >= size for one, size in zip(at, shape, strict=True)):
        raise UnknownWeight(
            f"explain: {name} has the shape {list(shape)}, so it has no element {list(at)}. Fix: give one index for "
            "each axis, counted from 0."
        )
    return parameter, at


def _steepest(step: Step, parameter: Parameter) -> Index:
    assert parameter.grad is not None
    grad = np.nan_to_num(np.abs(step.value(parameter.grad)))
    return tuple(int(one) for one in np.unravel_index(int(np.argmax(grad)), grad.shape))
