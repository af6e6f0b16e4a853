"""Formulas as books write them, and names of values: what is said is what was computed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import kadam as torch
from kadam import lens, nn
from kadam.lens.explain import explain
from kadam.lens.explain_parts import Explanation, Formula, Section
from kadam.lens.explain_terminal import to_terminal
from kadam.lens.step import Step

F = nn.functional
YES = torch.tensor([1.0, 0.0, 1.0, 0.0, 1.0])
SIGNS = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0])
KINDS = torch.tensor([0, -100, 1, 2, -100])
WEIGHT = torch.tensor([3.0])
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

BOOKS: dict[str, tuple[Loss, str]] = {
    "binary cross-entropy": (
        lambda z, y: F.binary_cross_entropy(torch.sigmoid(z[:, 0]), YES),
        "mean(−(YES · log(sigmoid(z)) + (1 − YES) · log(1 − sigmoid(z))))",
    ),
    "of scores": (
        lambda z, y: F.binary_cross_entropy_with_logits(z[:, 0], YES),
        "mean(−(YES · log(sigmoid(z[:, 0])) + (1 − YES) · log(1 − sigmoid(z[:, 0]))))",
    ),
    "of scores, yes weighs more": (
        lambda z, y: nn.BCEWithLogitsLoss(pos_weight=WEIGHT)(z[:, 0], YES),
        "mean(−(pos_weight · YES · log(sigmoid(z[:, 0])) + (1 − YES) · log(1 − sigmoid(z[:, 0]))))",
    ),
    "Huber": (
        lambda z, y: F.huber_loss(z, y, delta=0.5),
        "mean((|z − y| − 0.25) · 0.5 if |z − y| > 0.5 else (z − y)² · 0.5)",
    ),
    "cosine": (
        lambda z, y: F.cosine_embedding_loss(z, y, SIGNS, margin=0.1),
        "mean((1 − cos if SIGNS = 1 else 0) + (max(0, cos − 0.1) if SIGNS = −1 else 0))",
    ),
    "labels to ignore": (
        lambda z, y: F.cross_entropy(z, KINDS),
        "sum(−log(softmax(z))[KINDS] if KINDS ≠ −100 else 0) / sum(KINDS ≠ −100)",
    ),
    "smoothed": (
        lambda z, y: F.cross_entropy(z, y.argmax(1), label_smoothing=0.3),
        "mean(−log(softmax(z))[argmax(y)]) · 0.7 + mean(−sum(log(softmax(z)))) · 0.1",
    ),
    "triplet": (
        lambda z, y: F.margin_ranking_loss(z[:, 0], z[:, 1], SIGNS, margin=0.5),
        "mean(max(0, −SIGNS · (z[:, 0] − z[:, 1]) + 0.5))",
    ),
}


def step_of(loss: Loss, make: Callable[..., torch.optim.Optimizer] = torch.optim.SGD) -> Step:
    torch.manual_seed(1)
    net, x, y = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)), torch.randn(5, 4), torch.randn(5, 3)
    optimizer = make(net.parameters(), lr=0.01)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        z = net(x)
        found = loss(z, y)
        found.backward()
        return found

    with lens.watch(steps={0}, summaries=False) as watched:
        optimizer.step(closure)
    return watched.steps[0]


def formulas(told: Explanation) -> Iterator[str]:
    def within(section: Section) -> Iterator[str]:
        yield from (block.text for block in section.blocks if isinstance(block, Formula))
        for part in section.parts:
            yield from within(part)

    for section in told.sections:
        yield from within(section)


def loss_formula(told: Explanation) -> str:
    section = told.section("loss")
    assert section is not None
    text = next(
        one.text
        for one in section.blocks
        if isinstance(one, Formula) and "\n" not in one.text and "cos =" not in one.text
    )
    return text.partition(" = ")[2]


@pytest.mark.parametrize("name", BOOKS)
def test_a_loss_is_written_as_books_write_it(name: str) -> None:
    loss, expected = BOOKS[name]
    told = loss_formula(explain(step_of(loss)))
    named = re.sub(r"\bnet\.2\b", "z", told)
    if name == "binary cross-entropy":  # the sigmoid is a value of the program's own
        named = named.replace("sigmoid(z[:, 0])", "sigmoid(z)")
    assert named == expected


def number_of(text: str) -> float:
    """What a formula of numbers comes to."""
    text = text.replace("−", "-").replace("·", "*").replace("²", "**2")
    while "|" in text:
        text = re.sub(r"\|([^|]*)\|", r"abs(\1)", text, count=1)
    known = {"log": math.log, "exp": math.exp, "sqrt": math.sqrt, "tanh": math.tanh, "max": max, "min": min, "abs": abs}
    known["sigmoid"] = lambda z: 1 / (1 + math.exp(-z))
    return float(eval(text, {"__builtins__": {}}, known))


@pytest.mark.parametrize("name", BOOKS)
def test_the_numbers_of_a_formula_come_to_its_result(name: str) -> None:
    told = [text for text in formulas(explain(step_of(BOOKS[name][0]))) if "\n" in text and "∂" not in text]
    checked = 0
    for text in told:
        *_, numbers, result = (line.strip().removeprefix("= ") for line in text.split("\n"))
        numbers = numbers.rpartition(" = ")[2]
        assert number_of(numbers) == pytest.approx(number_of(result), rel=5e-3, abs=2e-3)
        checked += 1
    assert checked > 3


@pytest.mark.parametrize("name", BOOKS)
def test_a_loss_as_books_write_it_is_pytorchs(name: str) -> None:
    reference = pytest.importorskip("torch")
    step = step_of(BOOKS[name][0])
    made = [call.outputs[0] for call in step.calls if call.path == "2"]
    given = [node for node in step.graph.inputs if node.shape == (5, 3)]
    values = [reference.tensor(step.value(one)) for one in made + given]
    signs, yes, kinds = (reference.tensor(one.numpy()) for one in (SIGNS, YES, KINDS))
    f = reference.nn.functional
    losses: dict[str, Callable[..., Any]] = {
        "binary cross-entropy": lambda z, *_: f.binary_cross_entropy(z[:, 0].sigmoid(), yes),
        "of scores": lambda z, *_: f.binary_cross_entropy_with_logits(z[:, 0], yes),
        "of scores, yes weighs more": lambda z, *_: f.binary_cross_entropy_with_logits(
            z[:, 0], yes, pos_weight=reference.tensor([3.0])
        ),
        "Huber": lambda z, y: f.huber_loss(z, y, delta=0.5),
        "cosine": lambda z, y: f.cosine_embedding_loss(z, y, signs, margin=0.1),
        "labels to ignore": lambda z, *_: f.cross_entropy(z, kinds),
        "smoothed": lambda z, y: f.cross_entropy(z, y.argmax(1), label_smoothing=0.3),
        "triplet": lambda z, *_: f.margin_ranking_loss(z[:, 0], z[:, 1], signs, margin=0.5),
    }
    expected = losses[name](*values)
    assert step.loss is not None
    assert float(step.value(step.loss)) == pytest.approx(expected.item(), rel=1e-6)


def test_probabilities_of_0_say_that_their_logarithm_is_bounded() -> None:
    told = explain(step_of(lambda z, y: F.binary_cross_entropy(torch.clamp(z[:, 0], 0, 1), YES)))
    assert "max(log(" in loss_formula(told)


def test_lbfgs_says_that_it_walks_instead_of_a_formula_without_content() -> None:
    told = to_terminal(explain(step_of(lambda z, y: F.mse_loss(z, y), torch.optim.LBFGS)))
    assert "t₁ · d₁" in told
    assert "= …" not in told


def test_scores_whose_exponentials_are_no_numbers_are_told_less_their_largest() -> None:
    told = explain(step_of(lambda z, y: F.cross_entropy(1e6 * z, KINDS)))
    text = to_terminal(told)
    assert "softmax(z)" not in loss_formula(told)
    assert "m is the largest score of each row" in text
    assert not re.search(r"\b(nan|inf)\b", text)


def test_a_softmax_is_told_by_its_exponentials() -> None:
    text = to_terminal(explain(step_of(lambda z, y: ((F.softmax(z, 1) - y) ** 2).mean())))
    (numbers, result) = re.search(r"= (exp\([−\d.]+\) / \(exp.*\))\n +(= \S+)", text).groups()  # type: ignore[union-attr]
    assert number_of(numbers) == pytest.approx(number_of(result[2:]), rel=1e-3)
    assert "softmax(net.2) = softmax(net.2)" not in text


# --- names ---------------------------------------------------------------------------------------------------------


def run(source: str, path: str, tmp_path: object, steps: set[int] | None = None) -> lens.Step:
    file = tmp_path / path  # type: ignore[operator]
    file.write_text(source)
    return lens.capture(str(file), steps=steps or {0}, summaries=False).steps[0]


BY_HAND = """
import torch
torch.manual_seed(0)
x, y = torch.randn(6, 3), torch.randn(6, 1)
w = torch.randn(3, 1, requires_grad=True)
def squares(difference):
    return (difference ** 2).mean()
loss = squares(x[0:4] @ w - y[0:4])
loss.backward()
with torch.no_grad():
    w -= 0.1 * w.grad
print(loss.item())
"""


def test_values_without_a_name_are_called_by_their_formula(tmp_path: object) -> None:
    told = to_terminal(explain(run(BY_HAND, "by_hand.py", tmp_path)))
    assert "(x[0:4] @ w)[0,0] = x[0,0] · w[0,0]" in told or "(x[0:4] @ w)[" in told
    assert "loss#1" not in told  # what a call is given is not what the line assigns
    assert not re.search(r"\b(mm|sub|pow)\(", told)
    assert not re.search(r"− −|· −\d", told)  # a negative number stands in parentheses


PADDED = """
import torch
torch.manual_seed(0)
words = torch.tensor([[1, 2, 0], [3, 1, 2]])
net = torch.nn.Sequential(torch.nn.Embedding(4, 3, padding_idx=0), torch.nn.Linear(3, 1))
optimizer = torch.optim.Adagrad(net.parameters(), lr=0.1)
loss = net(words).square().mean()
loss.backward()
optimizer.step()
print(loss.item())
"""


def test_a_padded_embedding_picks_rows_and_its_weight_is_the_one_that_is_updated(tmp_path: object) -> None:
    step = run(PADDED, "padded.py", tmp_path)
    told = explain(step, "net.0.weight[1,0]")
    text = to_terminal(told)
    assert "net.0 = net.0.weight[words]" in text
    assert "insert" not in text
    assert "acts directly on 2 elements of net.0" in text
    assert told.reckoning is not None
    assert told.reckoning.total == pytest.approx(told.reckoning.grad, rel=1e-5)


PENALTIES = """
import torch
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ELU(), torch.nn.Linear(4, 1))
optimizer = torch.optim.NAdam(net.parameters(), lr=0.1)
torch.optim.lr_scheduler.StepLR(optimizer, 1)
loss = net(torch.randn(5, 3)).square().mean() + 0.01 * sum(one.abs().sum() for one in net.parameters())
loss.backward()
optimizer.step()
print(loss.item())
"""


def test_what_a_sum_has_come_to_on_its_way_is_no_station(tmp_path: object) -> None:
    told = explain(run(PENALTIES, "penalties.py", tmp_path))
    text = to_terminal(told)
    assert "add(" not in text
    assert "add#" not in text
    assert "initial_lr" not in text  # nobody has set it
    assert told.reckoning is not None
    assert told.reckoning.total == pytest.approx(told.reckoning.grad, rel=1e-5)


SEARCHING = """
import torch
torch.manual_seed(0)
x = torch.linspace(-1, 1, 20).unsqueeze(1)
y = x ** 3 + 0.2
net = torch.nn.Sequential(torch.nn.Linear(1, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1))
optimizer = torch.optim.LBFGS(net.parameters(), lr=0.5, max_iter=4)
def closure():
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(net(x), y)
    loss.backward()
    return loss
for _ in range(3):
    print(optimizer.step(closure).item())
"""


def test_a_step_of_lbfgs_is_told_by_its_last_closure(tmp_path: object) -> None:
    file = tmp_path / "searching.py"  # type: ignore[operator]
    file.write_text(SEARCHING)
    seen = lens.capture(str(file), steps={0, 1, 2}, summaries=False)
    assert len(seen.records) == 3
    assert [seen.steps[at].optimizers[0].steps for at in range(3)] == [1, 2, 3]
    assert [len(seen.steps[at].roots) for at in range(3)] == [1, 1, 1]  # gradients before the last were thrown away
    told = explain(seen.steps[1])
    assert told.reckoning is not None
    assert told.reckoning.total == pytest.approx(told.reckoning.grad, rel=1e-5)
    assert "The loss stayed" not in to_terminal(told)


IN_PLACE = """
import torch
import torch.nn as nn
torch.manual_seed(0)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 4)
    def forward(self, x):
        h = self.a(x) - 1.0
        h[:, 0] = 0.0
        return h.abs() ** 1.5
net = nn.Sequential(Net(), nn.Linear(4, 2))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
x, y = torch.randn(3, 3), torch.tensor([0, 1, 1])
scores = net(x)
loss = nn.functional.cross_entropy(scores, y)
loss.backward()
optimizer.step()
"""


def test_what_a_program_writes_into_a_tensor_is_told_by_its_place(tmp_path: object) -> None:
    text = to_terminal(explain(run(IN_PLACE, "in_place.py", tmp_path), "0.a.weight[1,0]"))
    assert "written(net.0.a − 1) = (net.0.a − 1) with [:, 0] = 0 " in text
    assert not re.search(r"\b(restore|fit|insert|pow_to_number)\b", text)


def test_a_model_s_answer_has_the_program_s_name(tmp_path: object) -> None:
    text = to_terminal(explain(run(IN_PLACE, "in_place.py", tmp_path)))
    assert "scores: net.1, Linear(in_features=4, out_features=2, bias=True)" in text
    assert "loss = mean(−log(softmax(scores))[y])" in text


def test_negative_factors_stand_in_parentheses_of_their_own() -> None:
    text = to_terminal(explain(step_of(lambda z, y: F.mse_loss(z, y))))
    assert re.search(r"\+ \(−[\d.]+\) · ", text)
    assert not re.search(r"\(−[\d.]+ · ", text)
