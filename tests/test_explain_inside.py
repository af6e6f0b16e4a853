"""What goes on inside recurrent layers, attention, normalisation and pooling is told with its own numbers."""

from __future__ import annotations

import re

import numpy as np
import pytest

import kadam as torch
from kadam import lens, nn
from kadam.lens.explain import explain
from kadam.lens.explain_cells import Insides, insides
from kadam.lens.explain_names import Names
from kadam.lens.explain_parts import Block, Explanation, Section, Table
from kadam.lens.explain_terminal import to_terminal
from kadam.lens.replay import Replay
from kadam.lens.step import Step

F = nn.functional


def one_step(model: nn.Module, x: torch.Tensor, target: torch.Tensor, criterion: object = F.mse_loss) -> Step:
    """The model's first step."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with lens.watch(steps={0}, summaries=False) as seen:
        loss = criterion(model(x), target)  # type: ignore[operator]
        loss.backward()
        optimizer.step()
    return seen.steps[0]


class Last(nn.Module):
    """Reads a sequence and tells something of its last state."""

    def __init__(self, reader: nn.Module, width: int) -> None:
        super().__init__()
        self.reader, self.out = reader, nn.Linear(width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.reader(x)[0][-1])


def found(step: Step) -> tuple[Insides, dict[str, np.ndarray]]:
    """The insides of a step, and the values of all that has a name there."""
    replay, names = Replay(step), Names(step)
    within = insides(step, replay.nodes, replay.values, names)
    return within, {names.of(replay.nodes[id]): replay.values[id] for id in within.ids if id in replay.values}


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def weights(module: nn.Module) -> list[np.ndarray]:
    return [one.detach().numpy().astype(np.float64).copy() for one in module.parameters()]


def lstm_by_hand(x: np.ndarray, w: np.ndarray, u: np.ndarray, b: np.ndarray, d: np.ndarray) -> dict[str, np.ndarray]:
    h = c = np.zeros((x.shape[1], u.shape[1]))
    values = {}
    for t, here in enumerate(x, start=1):
        z = here @ w.T + b + h @ u.T + d
        i, f, g, o = np.split(z, 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        gates = {"z": z, "i": sigmoid(i), "f": sigmoid(f), "g": np.tanh(g), "o": sigmoid(o), "c": c, "h": h}
        values.update({f"{name}{'₀₁₂₃₄₅'[t]}": value for name, value in gates.items()})
    return values


def gru_by_hand(x: np.ndarray, w: np.ndarray, u: np.ndarray, b: np.ndarray, d: np.ndarray) -> dict[str, np.ndarray]:
    h, size = np.zeros((x.shape[1], u.shape[1])), u.shape[1]
    values = {}
    for t, here in enumerate(x, start=1):
        own, old = here @ w.T + b, h @ u.T + d
        r, k = np.split(sigmoid(own[:, : 2 * size] + old[:, : 2 * size]), 2, -1)
        y = own[:, 2 * size :] + r * old[:, 2 * size :]
        h = (1 - k) * np.tanh(y) + k * h
        gates = {"r": r, "u": k, "y": y, "n": np.tanh(y), "h": h}
        values.update({f"{name}{'₀₁₂₃₄₅'[t]}": value for name, value in gates.items()})
    return values


@pytest.mark.parametrize(("kind", "by_hand"), [(nn.LSTM, lstm_by_hand), (nn.GRU, gru_by_hand)])
def test_gates_and_states_are_those_of_the_equations(kind: type, by_hand: object) -> None:
    torch.manual_seed(0)
    reader = kind(3, 4)
    x = torch.randn(5, 2, 3)
    expected = by_hand(x.numpy().astype(np.float64), *weights(reader))  # type: ignore[operator]
    _, values = found(one_step(Last(reader, 4), x, torch.zeros(2, 1)))
    assert {f"reader.{name}" for name in expected} <= values.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(values[f"reader.{name}"].reshape(value.shape), value, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("weight", ["weight_ih_l0[9,2]", "weight_hh_l0[9,1]", "bias_ih_l0[2]", "bias_hh_l0[14]"])
def test_a_recurrent_weight_s_gradient_is_a_sum_over_time_steps(weight: str) -> None:
    torch.manual_seed(1)
    model = Last(nn.LSTM(3, 4), 4)
    step = one_step(model, torch.randn(5, 2, 3), torch.ones(2, 1))
    told = explain(step, f"reader.{weight}")
    assert told.reckoning is not None
    assert told.reckoning.total == pytest.approx(told.reckoning.grad, rel=1e-5)
    table = tables(told, "backward")[1]
    sums = [float(row[-1]) for row in table.rows]
    steps = 4 if "hh" in weight and "bias" not in weight else 5  # at the first one, the state is 0
    assert sum(int(row[1]) > 0 for row in table.rows) == steps
    assert sum(sums) == pytest.approx(told.reckoning.grad, rel=1e-5)
    shares = re.findall(r"reader\.z[₁₂₃₄₅]", " ".join(row[0] for row in tables(told, "backward")[0].rows))
    assert len(shares) == len(tables(told, "backward")[0].rows)


def tables(told: Explanation, key: str) -> list[Table]:
    section = told.section(key)
    assert section is not None
    return [block for block in section.blocks if isinstance(block, Table)]


def inner(told: Explanation, title: str) -> Section:
    forward = told.section("forward")
    assert forward is not None
    return next(one for one in forward.parts if one.title.startswith(title))


def test_factors_through_time_multiply_to_the_paths() -> None:
    torch.manual_seed(2)
    step = one_step(Last(nn.GRU(2, 3), 3), torch.randn(4, 2, 2), torch.ones(2, 1))
    backward = explain(step, "reader.weight_ih_l0[7,1]").section("backward")
    assert backward is not None
    paths = next(one for one in backward.parts if one.key == "paths")
    lines = [block.text for block in paths.blocks if "\n= " in getattr(block, "text", "")]
    assert lines
    for text in lines:
        factors = [float(one) for one in re.findall(r"^(?:· )?∂\S+ *= (\S+)$", text, re.M)]
        assert np.prod(factors) == pytest.approx(float(text.rpartition("= ")[2]), rel=1e-6)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_a_recurrent_layer_is_told_by_its_step_in_time(kind: type) -> None:
    class Final(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.reader, self.out = kind(3, 4, batch_first=True), nn.Linear(4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            last = self.reader(x)[1]
            return self.out(last[0][-1] if isinstance(last, tuple) else last[-1])

    text = to_terminal(explain(one_step(Final(), torch.randn(2, 5, 3), torch.randn(2, 1))))
    before = "reader.hₜ₋₁, reader.cₜ₋₁" if kind is nn.LSTM else "reader.hₜ₋₁"
    assert f"reader.hₜ = {kind.__name__}(xₜ, {before}), t = 1 … 5" in text
    assert "recurrence(" not in text
    for later, earlier in re.findall(r"∂(\S+)/∂(\S+)", text):
        assert later != earlier


def test_layers_and_directions_have_names_of_their_own() -> None:
    model = Last(nn.RNN(2, 3, num_layers=2, bidirectional=True), 6)
    within, values = found(one_step(model, torch.randn(3, 2, 2), torch.ones(2, 1)))
    assert set(within.cells) == {"reader.l0", "reader.l0_reverse", "reader.l1", "reader.l1_reverse"}
    assert all(len(run) == 3 for run in within.cells.values())
    assert "reader.l1_reverse.h₃" in values


def test_cells_that_the_program_calls_itself_are_told_step_by_step() -> None:
    class Reading(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.out = nn.LSTMCell(1, 3), nn.Linear(3, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            state = torch.zeros(2, 3), torch.zeros(2, 3)
            for here in x:
                state = self.cell(here, state)
            return self.out(state[0])

    step = one_step(Reading(), torch.randn(4, 2, 1), torch.ones(2, 1))
    within, _ = found(step)
    (run,) = within.cells.values()
    assert [cell.place for cell in run] == [1, 2, 3, 4]
    told = explain(step, "cell.weight_ih[1,0]")
    assert told.reckoning is not None
    assert sum(told.reckoning.products) == pytest.approx(told.reckoning.grad, rel=1e-5)


def test_a_smaller_state_is_told_as_a_projection() -> None:
    step = one_step(Last(nn.LSTM(2, 4, proj_size=3), 3), torch.randn(3, 2, 2), torch.ones(2, 1))
    _, values = found(step)
    assert values["reader.m₂"].shape == (1, 2, 4)
    assert values["reader.h₂"].shape == (1, 2, 3)
    text = "\n".join(getattr(block, "text", "") for block in inner(explain(step), "Inside reader").blocks)
    assert "hₜ = W_hr mₜ" in text


class Looking(nn.Module):
    """Attention, written by hand or not."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.q, self.k, self.v = (nn.Linear(4, 4) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.q(x), self.k(x), self.v(x)
        if self.how == "function":
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        scores = q @ k.transpose(-2, -1) / 2
        scores = scores.masked_fill(torch.tril(torch.ones(3, 3)) == 0, float("-inf"))
        return F.softmax(scores, dim=-1) @ v


@pytest.mark.parametrize("how", ["function", "by hand"])
@pytest.mark.parametrize("lang", ["en", "hi"])
def test_attention_is_told_as_a_weighted_mean(how: str, lang: str) -> None:
    torch.manual_seed(3)
    model, x = Looking(how), torch.randn(2, 3, 4)
    known = weights(model)
    step = one_step(model, x, torch.zeros(2, 3, 4))
    told = explain(step, "v.weight[1,2]", lang)
    forward = told.section("forward")
    assert forward is not None
    (section,) = [one for one in forward.parts if one.key.startswith("inside")]
    (table,) = [block for block in section.blocks if isinstance(block, Table)]
    place = int(re.search(r"query (\d)", section.title)[1] if lang == "en" else re.search(r"(\d)$", section.title)[1])  # type: ignore[index]
    q, k, v = (x.numpy() @ w.T + b for w, b in zip(known[::2], known[1::2], strict=True))
    query = re.search(r"\[(\d),(\d),(\d)\]", " ".join(getattr(one, "text", "") for one in section.blocks))
    assert query is not None
    sample, at, column = map(int, query.groups())
    assert at == place
    scores = q[sample, at] @ k[sample].T / 2
    scores[at + 1 :] = -np.inf
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    assert [float(row[2]) for row in table.rows] == pytest.approx(shares.tolist(), abs=1e-4)
    assert float(table.total[-1]) == pytest.approx(float(shares @ v[sample, :, column]), rel=1e-3, abs=1e-4)


def test_a_gated_mixture_is_no_attention() -> None:
    class Mixture(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate, self.values = nn.Linear(3, 4), nn.Parameter(torch.randn(4, 2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.softmax(self.gate(x), -1) @ self.values

    within, _ = found(one_step(Mixture(), torch.randn(5, 3), torch.ones(5, 2)))
    assert not within.attentions


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_a_normalisation_is_told_with_mean_and_variance(norm: str) -> None:
    torch.manual_seed(4)
    layer = nn.BatchNorm1d(3) if norm == "batch" else nn.LayerNorm(3)
    x = torch.randn(6, 3)
    step = one_step(nn.Sequential(layer, nn.Linear(3, 1)), x, torch.ones(6, 1))
    replay, names = Replay(step), Names(step)
    within = insides(step, replay.nodes, replay.values, names)
    values = {
        names.of(node).rpartition(".")[2]: replay.values[node.id] for one in within.details.values() for node in one
    }
    axis = 0 if norm == "batch" else 1
    np.testing.assert_allclose(values["mean"].reshape(-1), x.numpy().mean(axis), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(values["var"].reshape(-1), x.numpy().var(axis), rtol=1e-5)
    section = next(one for one in explain(step).sections[0].parts if "Norm" in one.title)
    text = "\n".join(getattr(block, "text", "") for block in section.blocks)
    assert re.search(r"var\[\d,\d\] = ", text) or re.search(r"var\[0,\d\] = ", text)


def test_max_pooling_names_the_window_and_its_winner() -> None:
    torch.manual_seed(5)
    x = torch.randn(1, 1, 4, 4)
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.MaxPool2d(2))
    made = model[0](x).detach().numpy().copy()
    step = one_step(model, x, torch.zeros(1, 1, 2, 2))
    section = next(one for one in explain(step).sections[0].parts if "MaxPool" in one.title)
    text = "\n".join(getattr(block, "text", "") for block in section.blocks)
    for row, column, numbers, winner in re.findall(
        r"model\.1\[0,0,(\d),(\d)\] = max\(model\.0.*\)\n += max\((.*)\)\n += (\S+) = ", text
    ):
        there = made[0, 0, 2 * int(row) : 2 * int(row) + 2, 2 * int(column) : 2 * int(column) + 2]
        shown = [float(one.replace("−", "-")) for one in numbers.split(", ")]
        assert shown == pytest.approx(there.reshape(-1).tolist(), rel=1e-3)
        place = tuple(map(int, re.findall(r"\d+", winner.partition("[")[2])))
        assert made[place] == pytest.approx(there.max())
    assert text.count("= max(model.0") == 4


def test_an_element_of_a_view_is_named_by_what_it_shows() -> None:
    step = one_step(Last(nn.RNN(2, 3), 3), torch.randn(4, 2, 2), torch.ones(2, 1))
    section = next(one for one in explain(step).sections[0].parts if one.key == "out")
    text = "\n".join(getattr(block, "text", "") for block in section.blocks)
    assert "out = reader[3] @ out.weightᵀ + out.bias" in text
    assert "out[1,0] = reader[3,1,0] · out.weight[0,0]" in text


def test_an_input_seen_in_another_order_keeps_its_name() -> None:
    model = nn.RNN(2, 3, batch_first=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    sequence = torch.randn(4, 5, 2)
    with lens.watch(steps={0}, summaries=False) as seen:
        model(sequence)[0].sum().backward()
        optimizer.step()
    assert "sequenceᵀ" in seen.steps[0].names.values()


def test_dropout_says_how_many_were_dropped() -> None:
    torch.manual_seed(6)
    step = one_step(nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5)), torch.randn(4, 3), torch.ones(4, 8))
    section = next(one for one in explain(step).sections[0].parts if "Dropout" in one.title)
    text = "\n".join(getattr(block, "text", "") for block in section.blocks)
    mask = next(step.value(node) for node in step.graph.inputs if node.dtype.name == "bool")
    assert f"Dropped here: {int((~mask).sum())} of 32 elements" in text


def told(explanation: Explanation, kind: str) -> str:
    """All that a section's text says."""
    return " ".join(map(str, blocks(explanation, kind)))


def blocks(explanation: Explanation, kind: str) -> list[Block]:
    """Of a section and its parts."""
    (section,) = (one for one in explanation.sections if one.key == kind)
    return [block for one in (section, *section.parts) for block in one.blocks]


HAND_WRITTEN = {
    "squares": (lambda p, t, model: ((p - t) ** 2).mean(), "mean((p − t)²)"),
    "with a penalty": (
        lambda p, t, model: F.mse_loss(p, t) + 0.1 * model.weight.pow(2).sum(),
        "mean((p − t)²) + sum(weight²) · 0.1",
    ),
    "absolute": (lambda p, t, model: (p - t).abs().mean(), "mean(|p − t|)"),
}


@pytest.mark.parametrize("kind", HAND_WRITTEN)
def test_losses_that_the_program_writes_out_are_told_with_prediction_and_target(kind: str) -> None:
    criterion, expected = HAND_WRITTEN[kind]
    model = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    x, t = torch.randn(4, 3), torch.rand(4, 2)
    with lens.watch(steps={0}, summaries=False) as seen:
        p = model(x)
        loss = criterion(p, t, model)
        loss.backward()
        optimizer.step()
    explanation = explain(seen.steps[0])
    text = told(explanation, "loss")
    assert expected in text
    tables = [block for block in blocks(explanation, "loss") if isinstance(block, Table)]
    (shares,) = [block for block in tables if len(block.head) == 5]
    assert {"p", "t"} <= set(shares.head)
    rule = told(explanation, "update")
    assert "(1 − β₁)" in rule
    assert "lr/(1 − β₁ᵗ)" in rule
    assert "fresh" not in rule
