"""Whatever the model and the loop: the products that an explanation prints are the program's own `.grad`."""

from __future__ import annotations

import re

import numpy as np
import pytest

import kadam as torch
from explained import LOOPS
from kadam import lens
from kadam.lens.explain import UnknownWeight, explain
from kadam.lens.explain_terminal import to_terminal
from kadam.lens.step import Parameter, Step

CLOSE = 1e-5  # relative
ROUNDING = 1e-6  # of the products without their signs: what single precision may leave of a sum that cancels
COARSE = 2e-2  # of bfloat16


def seen(name: str) -> list[Step]:
    torch.manual_seed(1)
    with lens.watch(steps=lambda index: True, summaries=False) as watched:
        LOOPS[name]()
    return list(watched.steps.values())


def chosen(step: Step, one: Parameter, draws: np.random.Generator) -> list[str]:
    """The steepest element of a parameter, and one by chance."""
    assert one.grad is not None
    shape = one.value.shape
    steepest = np.unravel_index(int(np.abs(step.value(one.grad)).argmax()), shape)
    by_chance = [int(draws.integers(size)) for size in shape]
    return [f"{one.name}[{','.join(map(str, at))}]" if shape else one.name for at in (steepest, by_chance)]


@pytest.mark.parametrize("name", LOOPS)
def test_printed_products_are_the_programs_gradient(name: str) -> None:
    draws, checked = np.random.default_rng(len(name)), 0
    for step in seen(name):
        grads = [step.value(one.grad) for one in step.parameters if one.grad is not None]
        least = ROUNDING / 10 * max(float(np.abs(one).max()) for one in grads)
        for one in step.parameters:
            if one.grad is None:
                continue
            for weight in chosen(step, one, draws):
                told = explain(step, weight, "hi" if checked % 2 else "en").reckoning
                assert told is not None
                largest = float(np.abs(step.value(one.grad)).max())
                close = COARSE * largest if name == "half_precision" else CLOSE * abs(told.grad) + ROUNDING * told.mass
                assert sum(told.products) + told.before == pytest.approx(told.grad, rel=0, abs=close + least), weight
                slope = 1e-4 * abs(told.total) + 1e-6 * told.mass + 10 * least
                assert told.quotient == pytest.approx(told.total, rel=0, abs=slope), weight
                checked += 1
    assert checked >= 6


@pytest.mark.parametrize("name", ["gan", "closures", "own_function", "half_precision"])
@pytest.mark.parametrize("lang", ["en", "hi"])
def test_unusual_steps_are_told_whole(name: str, lang: str) -> None:
    for step in seen(name):
        text = to_terminal(explain(step, lang=lang))
        for wrong in (r"\bnan\b", "None", "boundary"):
            assert not re.search(wrong, text), text


def test_a_generator_s_forward_pass_is_part_of_its_step() -> None:
    step = seen("gan")[1]
    assert {"maker.0.weight", "maker.2.weight"} <= {one.name for one in step.parameters if one.next is not None}
    assert [call.path for call in step.calls if step.models[call.root] == "maker" and call.path] == ["0", "1", "2"]
    assert not [one for one in step.parameters if one.name.startswith("judge") and one.next is not None]


def test_what_is_wrong_with_a_weight_is_said() -> None:
    step = seen("own_function")[0]
    with pytest.raises(UnknownWeight, match=r"Did you mean `before\.weight`\? Fix: choose one of `before\.weight`"):
        explain(step, "befor.weight")
    with pytest.raises(UnknownWeight, match=r"shape \[4, 3\].*up to `before\.weight\[3,2\]`"):
        explain(step, "before.weight[4,0]")
    with pytest.raises(UnknownWeight, match="क्या आपका मतलब `after\\.bias` था"):
        explain(step, "aftr.bias", "hi")
    assert explain(step, "before.weight[-1,-1]").reckoning == explain(step, "before.weight[3,2]").reckoning


def test_a_weight_that_no_gradient_reached_is_said_to_be_one() -> None:
    first, second = torch.nn.Linear(3, 3), torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD([*first.parameters(), *second.parameters()], lr=0.1)
    with lens.watch(steps={0}, summaries=False) as watched:
        hidden = first(torch.randn(2, 3))
        second(torch.tensor(hidden.tolist())).sum().backward()
        optimizer.step()
    with pytest.raises(UnknownWeight, match=r"no gradient reached `first\.weight`.*by `tolist`"):
        explain(watched.steps[0], "first.weight")
