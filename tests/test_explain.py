"""Explanations: every product of factors against `.grad`, every number against hand computation or PyTorch."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import kadam as torch
from kadam import lens, nn
from kadam.dtypes import FLOAT
from kadam.ir.graph import Graph, Node
from kadam.ir.primitive import Example, Primitive
from kadam.ir.trace import Trace
from kadam.ir.types import TensorType
from kadam.language import keys
from kadam.lens.explain import UnknownWeight, explain
from kadam.lens.explain_element import Speller
from kadam.lens.explain_formula import strength
from kadam.lens.explain_names import BY_EFFECT, Names
from kadam.lens.explain_parts import Explanation, Formula, Section, Table
from kadam.lens.explain_terminal import to_terminal
from kadam.lens.replay import Replay
from kadam.lens.step import Step
from kadam.primitives.sources import Input

CLOSE = 1e-5  # relative


def mlp() -> tuple[nn.Module, torch.Tensor, torch.Tensor, Callable[..., torch.Tensor]]:
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    return model, torch.randn(6, 4), torch.randint(0, 3, (6,)), nn.functional.cross_entropy


def cnn() -> tuple[nn.Module, torch.Tensor, torch.Tensor, Callable[..., torch.Tensor]]:
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 5)
    )
    return model, torch.randn(3, 1, 8, 8), torch.randint(0, 5, (3,)), nn.functional.cross_entropy


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 6, batch_first=True)
        self.out = nn.Linear(6, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.lstm(x)[0][:, -1])


def lstm() -> tuple[nn.Module, torch.Tensor, torch.Tensor, Callable[..., torch.Tensor]]:
    return Recurrent(), torch.randn(4, 5, 3), torch.randn(4, 1), nn.functional.mse_loss


class Attentive(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(11, 8)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.head = nn.Linear(8, 11)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.block(self.tokens(x))).flatten(0, 1)


def transformer() -> tuple[nn.Module, torch.Tensor, torch.Tensor, Callable[..., torch.Tensor]]:
    return Attentive(), torch.randint(0, 11, (3, 5)), torch.randint(0, 11, (15,)), nn.functional.cross_entropy


MODELS = {"mlp": mlp, "cnn": cnn, "lstm": lstm, "transformer": transformer}


def captured(name: str, steps: int = 2) -> Step:
    torch.manual_seed(1)
    model, x, y, criterion = MODELS[name]()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    with lens.watch(steps={steps - 1}, summaries=False) as seen:
        for _ in range(steps):
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            loss.item()
    assert seen.last is not None
    return seen.last


def tables(part: Section | Explanation) -> Iterator[Table]:
    if isinstance(part, Section):
        yield from (block for block in part.blocks if isinstance(block, Table))
    for one in part.sections if isinstance(part, Explanation) else part.parts:
        yield from tables(one)


def formulas(part: Section | Explanation) -> Iterator[Formula]:
    if isinstance(part, Section):
        yield from (block for block in part.blocks if isinstance(block, Formula))
    for one in part.sections if isinstance(part, Explanation) else part.parts:
        yield from formulas(one)


def number(text: str) -> float:
    return float(text.replace(",", "").replace("−", "-").strip("()"))


@pytest.mark.parametrize("name", MODELS)
def test_the_sum_of_products_is_the_gradient_of_every_parameter(name: str) -> None:
    step = captured(name)
    for one in step.parameters:
        assert one.grad is not None
        steepest = np.abs(step.value(one.grad)).max()
        if steepest < 1e-6:
            continue  # a bias before a batch norm: its gradient is rounding
        told = explain(step, one.name)
        assert told.reckoning is not None
        assert told.reckoning.apart < CLOSE, one.name
        assert told.reckoning.quotient == pytest.approx(told.reckoning.total, rel=1e-4)
        assert sum(told.reckoning.products) == pytest.approx(told.reckoning.grad, rel=CLOSE)


@pytest.mark.parametrize("name", MODELS)
def test_printed_factors_multiply_to_the_printed_products_and_those_sum_to_the_gradient(name: str) -> None:
    told = explain(captured(name))
    backward = told.section("backward")
    assert backward is not None
    assert told.reckoning is not None
    shares = next(tables(backward))
    total = 0.0
    for _, upstream, local, product in shares.rows:
        assert number(upstream) * number(local) == pytest.approx(number(product), rel=CLOSE)
        total += number(product)
    rest = re.findall(r"-?\d[\d.,e+-]*$", shares.more)
    total += number(rest[0]) if rest else 0.0
    assert total == pytest.approx(told.reckoning.grad, rel=CLOSE)
    assert number(shares.total[-1]) == pytest.approx(told.reckoning.grad, rel=CLOSE)
    for formula in formulas(backward):
        if formula.text.count("\n") == 2:
            _, factors, product = (line.strip().lstrip("= ") for line in formula.text.split("\n"))
            assert math.prod(number(one) for one in factors.split(" · ")) == pytest.approx(number(product), rel=CLOSE)


def test_all_paths_of_a_small_network_are_followed() -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(2, 3), nn.Sigmoid(), nn.Linear(3, 2))
    with lens.watch(steps={0}) as seen:
        nn.functional.mse_loss(model(torch.tensor([[1.0, 2.0]])), torch.tensor([[0.0, 1.0]])).backward()
    told = explain(seen.steps[0], "0.weight[1,0]")
    (backward,) = [one for one in told.sections if one.key == "backward"]
    (paths,) = [one for one in backward.parts if one.key == "paths"]
    products = [number(one.text.split("=")[-1].strip()) for one in paths.blocks if isinstance(one, Formula)]
    assert len(products) == 2  # through each of the two outputs
    assert told.reckoning is not None
    assert sum(products) == pytest.approx(told.reckoning.grad, rel=CLOSE)


def test_numbers_of_a_tiny_network_by_hand() -> None:
    model = nn.Linear(1, 1)
    with torch.no_grad():
        model.weight.fill_(0.5)
        model.bias.fill_(0.25)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x, y = torch.tensor([[1.0], [2.0]]), torch.tensor([[2.0], [4.0]])
    with lens.watch(steps={0}) as seen:
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        loss.item()
    told = explain(seen.steps[0], "weight[0,0]")
    # predictions 0.75 and 1.25, errors -1.25 and -2.75: loss (1.5625 + 7.5625) / 2, slope -1.25 - 5.5
    assert told.reckoning is not None
    assert told.reckoning.grad == pytest.approx(-6.75)
    assert sorted(told.reckoning.products) == pytest.approx([-5.5, -1.25])
    text = to_terminal(told)
    assert "x[1,0] · weight[0,0] + bias[0]" in text
    assert "2 · 0.5 + 0.25" in text
    assert "weight − lr · grad" in text
    assert "0.5 − 0.01 · (−6.75)" in text
    loss_section = told.section("loss")
    assert loss_section is not None
    shares = next(tables(loss_section))
    assert [number(row[-2]) for row in shares.rows] == pytest.approx([0.78125, 3.78125])
    effect = told.section("effect")
    assert effect is not None
    after = 0.5 + 0.0675, 0.25 + 0.04
    expected = np.mean([(after[0] * a + after[1] - b) ** 2 for a, b in ((1, 2), (2, 4))])
    assert number(next(tables(effect)).rows[1][1]) == pytest.approx(expected, rel=1e-5)


def test_gradients_of_all_values_are_pytorchs() -> None:
    reference = pytest.importorskip("torch")
    torch.manual_seed(1)
    model, x, y, _ = mlp()
    with lens.watch(steps={0}) as seen:
        nn.functional.cross_entropy(model(x), y).backward()
    step = seen.steps[0]
    replay = Replay(step)
    value = reference.tensor(x.numpy())
    values = []
    for layer in model:
        if isinstance(layer, nn.Linear):
            value = reference.nn.functional.linear(
                value,
                reference.tensor(layer.weight.detach().numpy()).requires_grad_(),
                reference.tensor(layer.bias.detach().numpy()),
            )
        else:
            value = value.tanh() if isinstance(layer, nn.Tanh) else value.relu()
        value.retain_grad()
        values.append(value)
    reference.nn.functional.cross_entropy(value, reference.tensor(y.numpy())).backward()
    for call, expected in zip([one for one in step.calls if one.path], values, strict=True):
        np.testing.assert_allclose(replay.gradients[call.outputs[0].id], expected.grad.numpy(), rtol=1e-4, atol=1e-8)


def test_a_gradient_that_was_not_cleared_is_told_apart() -> None:
    model = nn.Linear(2, 1)
    x = torch.tensor([[1.0, 2.0]])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with lens.watch(steps={1}) as seen:
        for _ in range(2):
            loss = model(x).sum()
            loss.backward()
            optimizer.step()
            loss.item()
    told = explain(seen.steps[1], "weight[0,1]")
    assert told.reckoning is not None
    assert (told.reckoning.total, told.reckoning.before, told.reckoning.grad) == pytest.approx((2.0, 2.0, 4.0))
    assert told.reckoning.apart < CLOSE


def test_a_weight_that_is_not_there_is_refused() -> None:
    step = captured("mlp")
    with pytest.raises(UnknownWeight, match=r"no weight `fc9\.weight`.*Fix: choose one of"):
        explain(step, "fc9.weight[0,0]")
    with pytest.raises(UnknownWeight, match=r"shape \[8, 4\]"):
        explain(step, "0.weight[9,0]")


def test_both_languages_tell_the_same_numbers() -> None:
    step = captured("mlp")
    english, hindi = (explain(step, lang=lang) for lang in ("en", "hi"))
    assert [one.key for one in english.sections] == [one.key for one in hindi.sections]
    rows = [[table.rows for table in tables(told)] for told in (english, hindi)]
    numbers = [[re.findall(r"-?\d+\.\d+", str(one)) for one in each] for each in rows]
    assert numbers[0] == numbers[1]
    assert "ढलान" in to_terminal(hindi)


def test_notations_have_a_place_for_every_operand() -> None:
    for name, primitive in Primitive.registry().items():
        if primitive.notation:
            places = set(re.findall(r"{(\d)}", primitive.notation))
            assert places == {str(one) for one in range(len(places))}, name
    assert strength("{0} + {1}") < strength("{0} · {1}") < strength("exp({0})")


def test_every_kind_that_is_told_of_is_a_module_or_a_function() -> None:
    for key in keys():
        if key.startswith("explain.kind."):
            name = key.rpartition(".")[2]
            assert hasattr(nn, name) or hasattr(nn.functional, name) or name in BY_EFFECT.values(), name


@pytest.mark.parametrize("lang", ["en", "hi"])
def test_the_command_tells_a_script(tmp_path: Path, lang: str) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import torch, torch.nn as nn, torch.optim as optim\n"
        "model = nn.Linear(1, 1)\n"
        "optimizer = optim.SGD(model.parameters(), lr=0.01)\n"
        "x, y = torch.tensor([[1.0], [2.0]]), torch.tensor([[2.0], [4.0]])\n"
        "for epoch in range(5):\n"
        "    loss = nn.MSELoss()(model(x), y)\n"
        "    optimizer.zero_grad()\n"
        "    loss.backward()\n"
        "    optimizer.step()\n"
        "    print(epoch, loss.item())\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "kadam", "explain", str(script), "--step=2", "--weight=weight[0,0]", f"--lang={lang}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "weight′ = weight − lr · grad" in done.stdout
    assert "∂loss/∂weight[0,0]" in done.stdout
    assert "Backward pass" in done.stdout
    assert lang == "en" or "ढलान" in done.stdout


def told(folder: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "train.py").write_text(program)
    command = [sys.executable, "-m", "kadam", "explain", "train.py", *arguments, "--lang=en"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


TRAINING = """
import argparse, torch, torch.nn as nn
parser = argparse.ArgumentParser()
parser.add_argument("name")
parser.add_argument("--rate", type=float, default=0.1)
given = parser.parse_args()
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
nn.init.constant_(net[0].bias[1:2], -9.0)
optimizer = torch.optim.SGD(net.parameters(), lr=given.rate)
for _ in range(3):
    loss = nn.functional.mse_loss(net(torch.ones(2, 3)), torch.zeros(2, 1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


def test_options_of_the_program_reach_it_and_a_weight_may_be_spelled_as_in_python(tmp_path: Path) -> None:
    done = told(tmp_path, TRAINING, "run1", "--rate", "0.25", "--step=1", "--weight=net.2.weight[0][3]")
    assert done.returncode == 0, done.stderr
    assert "lr=0.25" in done.stdout
    assert "∂net.2.weight[0,3]" in done.stdout
    silent = told(tmp_path, TRAINING, "run1", "--weight=0.weight[1,0]")
    assert "one factor is 0" in silent.stdout
    beyond = told(tmp_path, TRAINING, "run1", "--step=9")
    assert "The program has no step 9; this is step 2, the last one" in beyond.stderr


def test_a_program_that_fails_before_its_first_step_is_said_to_have_failed(tmp_path: Path) -> None:
    program = "import torch\nnet = torch.nn.Linear(3, 2)\nout = net(torch.ones(1, 3))\nnet(out)\n"
    done = told(tmp_path, program)
    assert done.returncode == 1
    assert "failed before its first step was over" in done.stderr
    assert "kadam draw train.py" in done.stderr


@pytest.mark.parametrize("name", sorted(Primitive.registry()))
def test_an_element_spelled_out_has_the_primitives_value(name: str) -> None:
    kind = Primitive.registry()[name]
    rng = np.random.default_rng(0)
    for example in kind.examples():
        types = example.input_types()
        if any(one.dtype.is_complex or 0 in one.shape for one in types):
            continue
        nodes = [Node(at, Input(one), (), one) for at, one in enumerate(types)]
        node = Node(len(nodes), example.primitive, tuple(nodes), example.primitive.infer(*types))
        if node.dtype.is_complex or not node.type.elements:
            continue
        values = {at: _drawn(rng, one, example) for at, one in enumerate(types)}
        values[node.id] = np.asarray(example.primitive.reference(*[values[at] for at in range(len(types))]))
        graph = Graph((*nodes, node), tuple(nodes), (node,))
        step = Step(0, None, None, graph, Trace(graph, values), frozenset(), (), {}, None, (), (), ())
        at = (0,) * node.rank
        spelled = Speller(Names(step), values, frozenset()).spell(node, at)
        np.testing.assert_allclose(np.asarray(spelled.value, float), np.asarray(values[node.id][at], float), rtol=1e-4)


def _drawn(rng: np.random.Generator, kind: TensorType, example: Example) -> np.ndarray:
    if kind.dtype.category < FLOAT:
        return rng.integers(*example.integers, size=kind.shape).astype(kind.dtype.numpy)
    return rng.uniform(example.low, example.high, kind.shape).astype(kind.dtype.numpy)


def test_what_was_computed_without_gradients_stays_as_it_is() -> None:
    torch.manual_seed(0)
    weight = nn.Parameter(torch.tensor([0.7]))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    with lens.watch(steps={0}) as seen:
        with torch.no_grad():
            target = weight * 3
        loss = ((weight * 2 - target) ** 2).sum()
        loss.backward()
        optimizer.step()
        loss.item()
    step = seen.steps[0]
    replay = Replay(step)
    parameter = step.parameters[0]
    assert replay.slope(parameter.value, (0,)) == pytest.approx(2 * (1.4 - 2.1) * 2, rel=1e-6)


class Rounded(torch.autograd.Function):
    """Signs, whose gradient passes straight through."""

    @staticmethod
    def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
        return x.sign()

    @staticmethod
    def backward(ctx: object, ct: torch.Tensor) -> torch.Tensor:
        return ct


def test_what_a_function_of_the_programs_gives_a_weight_is_its_gradient() -> None:
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(3, 1))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    x, seen = torch.randn(4, 3), list[Step]()
    with lens.watch(steps=(0,), on_step=lambda record, step: seen.append(step) if step else None):
        loss = (x @ Rounded.apply(weight)).sum()
        loss.backward()
        optimizer.step()
    told = explain(seen[0], f"{seen[0].parameters[0].name}[2,0]")
    assert told.reckoning is not None
    assert told.reckoning.delivered == pytest.approx(float(x.numpy()[:, 2].sum()), rel=CLOSE)
    assert told.reckoning.apart < CLOSE
    assert "Rounded has a derivative of its own" in " ".join(to_terminal(told).split())


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.branches = nn.ModuleDict({"projection": nn.Linear(2, 2), "correction": nn.Linear(2, 2)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.tanh(x)
        for branch in self.branches.values():
            x = x + branch(x)
        return x


def test_sums_of_layers_deep_within_modules_are_named_by_what_was_added_last() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(Residual(), nn.Linear(2, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    seen = list[Step]()
    with lens.watch(steps=(0,), on_step=lambda record, step: seen.append(step) if step else None):
        model(torch.randn(3, 2)).sum().backward()
        optimizer.step()
    told = to_terminal(explain(seen[0], "0.branches.correction.weight[0,1]"))
    assert "(… + model.0.branches.projection)" in told
    assert "add(" not in told
