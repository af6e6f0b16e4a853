"""Losses and updates, told: what a loss adds up, each sample's share of it, and rules in the letters of books."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

import kadam as torch
from kadam import lens, nn
from kadam.lens.explain import UnknownWeight, explain
from kadam.lens.explain_cells import insides
from kadam.lens.explain_names import Names
from kadam.lens.explain_parts import Explanation, Section, Table
from kadam.lens.explain_terminal import broken, to_terminal
from kadam.lens.replay import Replay
from kadam.lens.step import Step

F = nn.functional
KINDS = torch.tensor([0, 2, 1, 2, 0])
SIGNS = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0])
Loss = Callable[[nn.Module, torch.Tensor, torch.Tensor], torch.Tensor]


def seen(
    loss: Loss, make: Callable[..., torch.optim.Optimizer] = torch.optim.SGD, many: int = 1, **settings: object
) -> Step:
    """The last of some steps that train a small network with this loss."""
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
    optimizer = make(net.parameters(), **{"lr": 0.01, **settings})
    x, other = torch.randn(5, 4), torch.randn(5, 4)
    with lens.watch(steps={many - 1}, summaries=False) as watched:
        for _ in range(many):
            optimizer.zero_grad()
            found = loss(net, x, other)
            found.backward()
            optimizer.step()
    return watched.steps[many - 1]


def section(told: Explanation, key: str) -> Section:
    found = told.section(key)
    assert found is not None
    return found


def shares(part: Section) -> list[float]:
    """Each sample's share, by its row."""
    (found,) = [one for one in part.blocks if isinstance(one, Table) and "%" in one.head]
    column = found.head.index("%") - 1
    assert float(found.total[column]) == pytest.approx(sum(float(row[column]) for row in found.rows), rel=1e-5)
    return [float(row[column]) for row in found.rows]


WHOLE: dict[str, Loss] = {
    "smoothed": lambda net, x, other: nn.CrossEntropyLoss(label_smoothing=0.1)(net(x), KINDS),
    "weighted": lambda net, x, other: nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 0.5]))(net(x), KINDS),
    "cosine": lambda net, x, other: nn.CosineEmbeddingLoss(margin=0.1)(net(x), net(other), SIGNS),
    "triplet": lambda net, x, other: nn.TripletMarginLoss()(net(x), net(other), net(x + other)),
    "pairs": lambda net, x, other: F.pairwise_distance(net(x), net(other)).square().mean(),
    "of probabilities": lambda net, x, other: nn.CrossEntropyLoss()(net(x), F.softmax(other[:, :3], 1)),
    "halved": lambda net, x, other: F.mse_loss(net(x), other[:, :3]) / 2,
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_one_call_computes_is_one_loss_of_which_each_sample_has_a_share(name: str) -> None:
    step = seen(WHOLE[name])
    part = section(explain(step), "loss")
    assert not part.parts
    assert step.loss is not None
    assert sum(shares(part)) == pytest.approx(float(step.value(step.loss)), rel=1e-5)


def test_class_weights_divide_by_their_sum_even_where_that_is_the_number_of_samples() -> None:
    text = to_terminal(explain(seen(WHOLE["weighted"])))
    assert re.search(r"loss = sum\(.*\) / sum\(\S+\[\S+\]\)", text)
    assert "≠" not in text  # no label is to be ignored


def test_labels_to_ignore_stand_in_the_formula_and_have_no_share() -> None:
    labels = torch.tensor([0, -100, 1, 2, -100])
    told = explain(seen(lambda net, x, other: F.cross_entropy(net(x), labels)))
    assert re.search(r"/ sum\(\S+ ≠ −100\)", to_terminal(told))
    assert [bool(one) for one in shares(section(told, "loss"))] == [True, False, True, True, False]


def test_each_loss_of_a_sum_is_told() -> None:
    def several(net: nn.Module, x: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        penalty = sum((one**2).sum() for one in net.parameters())
        return (F.cross_entropy(net(x), KINDS) + 0.5 * F.mse_loss(net(x), other[:, :3]) + 0.01 * penalty) / 2

    step = seen(several)
    told = section(explain(step), "loss")
    assert step.loss is not None
    value = float(step.value(step.loss))
    (addends,) = [one for one in told.blocks if isinstance(one, Table)]
    assert len(addends.rows) == 6  # cross-entropy, MSE, four weights' penalties
    assert sum(float(row[1]) for row in addends.rows) == pytest.approx(value, rel=1e-3)
    assert [row[0].split(" · ")[0] for row in addends.rows] == ["0.5", "0.25", *["0.005"] * 4]
    assert len(told.parts) == 2
    for part, row in zip(told.parts, addends.rows, strict=False):
        assert sum(shares(part)) == pytest.approx(float(row[1]), rel=1e-3)
    assert any("depends on the weights alone" in str(one) for one in told.blocks)


def test_a_loss_written_by_hand_is_told_with_the_program_s_variables() -> None:
    torch.manual_seed(2)
    net, same = nn.Linear(5, 2), torch.tensor([1.0, 0.0, 1.0, 0.0])
    optimizer, first, second = torch.optim.SGD(net.parameters(), lr=0.1), torch.randn(4, 5), torch.randn(4, 5)
    with lens.watch(steps={0}, summaries=False) as watched:
        distance = F.pairwise_distance(net(first), net(second))
        positive = same * distance.pow(2)
        negative = (1 - same) * torch.clamp(3 - distance, min=0).pow(2)
        loss = torch.mean(positive + negative)
        loss.backward()
        optimizer.step()
    told = explain(watched.steps[0])
    text = to_terminal(told)
    assert "positive = same · distance²" in text
    assert "negative = (1 − same) · max(0, 3 − distance)²" in text
    assert "loss = mean(positive + negative)" in text
    assert sum(shares(section(told, "loss"))) == pytest.approx(loss.item(), rel=1e-5)


def test_a_loss_that_is_no_sum_over_samples_is_said_to_be_none() -> None:
    told = explain(seen(lambda net, x, other: torch.sqrt(F.mse_loss(net(x), other[:, :3]))))
    assert any("no plain sum over the samples" in str(one) for one in section(told, "loss").blocks)


def test_rows_that_are_no_samples_are_called_predictions() -> None:
    torch.manual_seed(3)
    model, tokens = nn.Sequential(nn.Embedding(7, 4), nn.Linear(4, 7)), torch.randint(0, 7, (3, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with lens.watch(steps={0}, summaries=False) as watched:
        loss = F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
        loss.backward()
        optimizer.step()
    assert "Each prediction's share of the loss" in to_terminal(explain(watched.steps[0]))


def test_a_variable_that_is_assigned_again_and_again_keeps_its_name() -> None:
    torch.manual_seed(4)
    net, x = nn.Linear(7, 2), torch.randn(3, 7)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with lens.watch(steps={0}, summaries=False) as watched:
        total = torch.zeros(())
        for _ in range(3):
            error = net(x).square().mean()
            total = total + error
        total.backward()
        optimizer.step()
    text = to_terminal(explain(watched.steps[0]))
    assert {"total#1", "error#1", "error"} <= set(re.findall(r"[\w#]+", text))
    assert "add(add" not in text


OPTIMIZERS: list[tuple[type, dict[str, object]]] = [
    (torch.optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    (torch.optim.SGD, {"momentum": 0.9, "dampening": 0.5}),
    (torch.optim.Adam, {"weight_decay": 0.1, "amsgrad": True}),
    (torch.optim.AdamW, {}),
    (torch.optim.NAdam, {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    (torch.optim.RAdam, {}),
    (torch.optim.Adamax, {}),
    (torch.optim.RMSprop, {"momentum": 0.9, "centered": True}),
    (torch.optim.Adagrad, {"lr_decay": 0.1}),
    (torch.optim.Adadelta, {}),
    (torch.optim.ASGD, {}),
    (torch.optim.Rprop, {}),
    (torch.optim.Adafactor, {}),
]


@pytest.mark.parametrize(("make", "settings"), OPTIMIZERS, ids=lambda one: getattr(one, "__name__", ""))
def test_rules_are_written_in_the_letters_of_books(make: type, settings: dict[str, object]) -> None:
    step = seen(WHOLE["halved"], make, 7, **settings)
    told = " ".join(str(one) for one in section(explain(step), "update").blocks)
    ours = r"\b(fresh\d?|keep\d?|bias\d|amount|share|grow_root2|grad_rate|mean_rate|scale|rate)\b"
    assert not re.search(ours, told), re.search(f".*({ours}).*", told)


def test_a_decay_s_factor_is_printed_with_the_digits_it_differs_from_1_in() -> None:
    step = seen(WHOLE["halved"], torch.optim.AdamW, weight_decay=0.01, lr=1e-5)
    text = to_terminal(explain(step))
    assert "0.9999999" in text
    assert "(1 − lr · weight_decay)" in text


def test_a_limit_that_was_not_reached_has_changed_no_gradient() -> None:
    def clipped(most: float) -> str:
        net = nn.Linear(3, 1)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        with lens.watch(steps={0}, summaries=False) as watched:
            net(torch.ones(2, 3)).square().mean().backward()
            nn.utils.clip_grad_norm_(net.parameters(), most)
            optimizer.step()
        return " ".join(str(one) for one in section(explain(watched.steps[0]), "update").blocks)

    assert "changed the gradient" in clipped(1e-3)
    assert "changed the gradient" not in clipped(1e3)


@pytest.mark.parametrize("wrong", ["net.0.weight[0,1", "net.0.weight]", "net.0.weight(0,1)", "net.0.weight[0][1"])
def test_an_index_outside_one_pair_of_brackets_is_refused_with_an_example(wrong: str) -> None:
    step = seen(WHOLE["halved"])
    with pytest.raises(UnknownWeight, match=r"one pair of square brackets. Fix: .* `net\.0\.weight\[5,3\]`"):
        explain(step, wrong)
    assert explain(step, "net.0.weight[0][1]").reckoning == explain(step, "net.0.weight[0, 1]").reckoning
    with pytest.raises(UnknownWeight, match=r"has no element \[a,b\].*up to `net\.0\.weight\[5,3\]`"):
        explain(step, "net.0.weight[a,b]")


def test_how_many_paths_there_are_is_said_where_all_were_followed() -> None:
    torch.manual_seed(5)
    net = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 6))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with lens.watch(steps={0}, summaries=False) as watched:
        net(torch.randn(2, 2)).square().mean().backward()
        optimizer.step()
    text = to_terminal(explain(watched.steps[0], "net.0.weight[0,0]"))
    shown, all_of_them = re.findall(r"These are the (\d+) largest of (\d+) paths", text)[0]
    assert int(shown) < int(all_of_them) == 2 * 6  # samples times outputs


class Decoder(nn.Module):
    """Looks at an encoder's states with one query, and goes on from its last."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.cell, self.out = nn.GRU(3, 4, batch_first=True), nn.GRUCell(4, 4), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, hidden = self.encoder(x)
        hidden = hidden[0]
        for _ in range(2):
            scores = torch.bmm(states, hidden.unsqueeze(2)).squeeze(2)
            mixed = torch.bmm(F.softmax(scores, 1).unsqueeze(1), states).squeeze(1)
            hidden = self.cell(mixed, hidden)
        return self.out(hidden)


@pytest.mark.parametrize("lang", ["en", "hi"])
def test_a_decoder_is_told_apart_from_its_encoder_and_attends_with_single_queries(lang: str) -> None:
    torch.manual_seed(6)
    model = Decoder()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with lens.watch(steps={0}, summaries=False) as watched:
        model(torch.randn(3, 5, 3)).square().mean().backward()
        optimizer.step()
    step = watched.steps[0]
    replay = Replay(step)
    found = insides(step, replay.nodes, replay.values, Names(step))
    assert sorted(len(run) for run in found.cells.values()) == [2, 5]
    assert len(found.attentions) == 2
    text = to_terminal(explain(step, lang=lang))
    assert "scores = q · k / sqrt(d)" in text


def test_long_formulas_break_at_their_outermost_signs() -> None:
    inner = " + ".join(f"a[{at}]" for at in range(9))
    lines = list(broken(f"z = f({inner}) + g({inner}) + h({inner})", 100))
    assert [line.strip()[:2] for line in lines[1:]] == ["+ "] * (len(lines) - 1)
    assert all(line.count("(") == line.count(")") for line in lines)
