"""`kadam diagnose`: a fast part of the benchmark in `faults/`, and what every finding must say."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

import kadam
from kadam import language
from kadam.cli import app
from kadam.ir.graph import Source
from kadam.lens.diagnose import diagnose
from kadam.lens.diagnose.finding import ORDER, PARTS, SYMPTOMS, Finding, ranked

FAULTS = Path(__file__).parent.parent / "faults"
MANIFEST = tomllib.loads((FAULTS / "manifest.toml").read_text())["fault"]
# One quick program per family; `make faults` runs them all.
QUICK = (
    "forgotten_zero_grad__raw_line", "missing_step__sine", "parameters_not_in_optimizer__plain_list",
    "graph_cut__everything", "in_place_damage__activation", "evaluation_in_training_mode__trainer",
    "output_activation__relu_regression", "target_broadcast__smooth_l1", "symmetric_initialisation__zeros",
    "unscaled_inputs__houses", "learning_rate_too_low__regression", "nan_or_inf__constant_column",
    "wrong_sign__update_plus", "unused_parameters__never_called", "class_axis__view_instead_of_permute",
    "bce_without_sigmoid__raw", "graph_cut__rnn_hidden_data", "graph_cut__item_weights", "nan_or_inf__data_has_nan",
    "schedule_too_fast__exponential", "clipped_away__value", "learning_rate_too_high__marks_data_assign",
    "learning_rate_too_high__celsius_new_leaf", "sigmoid_before_bce_with_logits__tags_multilabel",
    "softmax_before_cross_entropy__own_cross_entropy", "dead_relus__own_layer_where",
    "evaluation_in_training_mode__sine_dropout", "symmetric_initialisation__ones_parameters",
    "graph_cut__heat_and_wind", "graph_cut__heat_and_wind_added", "output_activation__balance",
    "learning_rate_too_high__loudest_note", "dropout_too_high__churn", "dropout_on_output__tagger",
    "graph_cut__rounded_sentiment", "wrong_sign__fakes_called_real", "learning_rate_too_low__endless_warm_up",
    "graph_cut__new_w", "graph_cut__overlap_of_classes", "parameters_not_in_optimizer__words",
    "backward_twice__stateful_text", "backward_twice__weather_heads", "program_fails__flat_size",
    "program_fails__one_class_short", "copy_never_follows__dqn", "graph_cut__oscillator",
    "graph_cut__points_on_circle", "softmax_axis__moons", "evaluation_scaled_otherwise__cancer_slices",
    "channels_mixed__skies", "cleared_gradients__cancer_slices", "graph_cut__house_loader_relu",
    "symmetric_initialisation__moons_by_hand", "constant_targets__churn_threshold",
    "parameters_not_in_optimizer__made_in_forward", "batch_mixed__wave_forecast", "unscaled_targets__house_arguments",
    "vanishing_gradients__deep_blobs",
)  # fmt: skip
HEALTHY = (
    "clean/raw_line", "clean/sine_sequential", "clean/trainer_class", "controls/gan", "controls/lr_zero_start",
    "controls/random_features", "controls/tiny_full_batch", "controls/positive_counts", "controls/prototype_layer",
    "controls/window_cut", "controls/maximise_reward", "controls/data_assign_momentum",
    "controls/new_leaves_each_step", "controls/style_image_optim",
    "controls/squares_short", "controls/terms_by_size", "clean/heat_and_wind", "clean/churn_embed", "clean/tagger_pad",
    "clean/sentiment_lstm", "clean/gan_line", "clean/char_transformer", "clean/raw_logreg", "clean/stateful_text",
    "clean/weather_heads", "clean/bright_quarter", "controls/noam", "controls/drop_wide",
    "clean/dqn", "clean/oscillator", "clean/points_on_circle", "clean/cancer_slices", "clean/skies",
    "clean/churn_threshold", "clean/word_kinds", "clean/wave_forecast", "controls/copy_words", "controls/market_days",
    "controls/anomaly_scores", "controls/best_of_three_batches", "controls/averaged_by_numpy",
    "controls/evolution_strategies", "controls/lora_from_scratch", "controls/single_samples_long_tails",
    "controls/policy_gains_and_losses", "controls/policy_returns_grow", "clean/deep_blobs",
)  # fmt: skip


PRINTED = """
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(60, 4)
y = x[:, :3].argmax(1)
net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3), nn.Softmax(dim=1))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(20):
    loss = nn.functional.cross_entropy(net(x), y)
    print(loss.item())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


BY_HAND = """
import torch
from torch import nn

torch.manual_seed(0)
first, last = nn.Linear(4, 8), nn.Linear(8, 1)
for step in range(5):
    hidden = torch.relu(first(torch.randn(6, 4))).data
    loss = last(hidden).square().mean()
    loss.backward()
    for weight in [*first.parameters(), *last.parameters()]:
        weight.data -= 0.1 * weight.grad
        weight.grad.zero_()
"""


REPLACED = """
import torch
from torch import nn

torch.manual_seed(3)
x = torch.randn(96, 5)
y = (x[:, 0] > x[:, 1]).long()
net = nn.Sequential(nn.Linear(5, 12), nn.ReLU(), nn.Linear(12, 7))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
net[2] = nn.Linear(12, 2)
for epoch in range(20):
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(x), y).backward()
    optimizer.step()
"""
FAILS = """
import torch
from torch import nn

net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(9, 2))
net(torch.zeros(3, 4)).sum().backward()
"""


SWITCHED_OFF = """
import torch
from torch import nn

torch.manual_seed(4)
x = torch.randn(64, 5)
y = x[:, :1] - x[:, 1:2]
net = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(12):
    loss = nn.functional.mse_loss(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    torch.set_grad_enabled(False)
    held = nn.functional.mse_loss(net(x[:8]), y[:8])
    torch.set_grad_enabled({after})
    print(held.item())
"""


CLOSURE = """
import torch

torch.manual_seed(1)
x = torch.randn(40, 3)
y = x @ torch.tensor([[1.0], [-2.0], [0.5]])
net = torch.nn.Linear(3, 1)
optimizer = torch.optim.LBFGS(net.parameters(), max_iter=4)
def again():
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(net(x), y)
    loss.backward()
    return loss
for step in range(4):
    optimizer.step(again)
"""


PROJECTED = """
import torch

torch.manual_seed(1)
x = torch.randn(40, 3)
y = x @ torch.tensor([[1.0], [-2.0], [0.5]])
net = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(6):
    kept = []
    for half in (slice(0, 20), slice(20, 40)):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(net(x[half]), y[half]).backward()
        kept.append([one.grad.clone() for one in net.parameters()])
    for one, first, second in zip(net.parameters(), *kept):
        one.grad = (first + second) / 2
    optimizer.step()
"""


EVALUATED = """
import torch
from torch import nn

torch.manual_seed(5)
x, held = torch.rand(96, 12), torch.rand(48, 12)
y = x[:, :1] - x[:, 3:4]
net = nn.Sequential(nn.Linear(12, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
held = {held}
for epoch in range(8):
    optimizer.zero_grad()
    nn.functional.mse_loss(net(x), y).backward()
    optimizer.step()
    with torch.no_grad():
        net(held)
"""


@pytest.fixture(autouse=True)
def _in_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FAULTS)


@pytest.mark.parametrize("name", QUICK)
def test_the_first_finding_names_kind_and_line(name: str) -> None:
    expected = next(one for one in MANIFEST if one["program"] == f"faulty/{name}.py")
    findings = diagnose(f"faulty/{name}.py").findings
    assert findings, "nothing found"
    assert findings[0].kind == expected["kind"]
    assert findings[0].source is not None
    assert findings[0].source.line in expected["lines"]
    for lang in language.LANGUAGES:
        say = language.Speech(lang)
        texts = [findings[0].title(say), *(findings[0].text(part, say) for part in PARTS)]
        assert all(text and "{" not in text for text in texts)


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_programs_have_no_findings(name: str) -> None:
    assert diagnose(f"{name}.py").findings == []


@pytest.mark.parametrize("text", [CLOSURE, PROJECTED], ids=["closure", "projected"])
def test_gradients_that_are_cleared_on_purpose_are_no_finding(text: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(text)
    assert diagnose(str(tmp_path / "program.py")).findings == []


@pytest.mark.parametrize(
    ("held", "found"),
    [
        ("held", 0),
        ("held * 255", 1),
        ("held / 3", 1),
        ("held + 0.3 * torch.randn_like(held)", 0),  # noise on purpose is wider, and of another shape
        ("2 * held ** 4", 0),
        ("held[:4] * 255", 0),  # a few picked samples
    ],
)
def test_the_evaluation_s_inputs_have_the_training_s_scale(held: str, found: int, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(EVALUATED.replace("{held}", held))
    kinds = [one.kind for one in diagnose(str(tmp_path / "program.py")).findings]
    assert kinds == ["evaluation_scaled_otherwise"] * found


def test_every_fault_has_a_program_a_twin_and_lines() -> None:
    for one in MANIFEST:
        assert one["kind"] in ORDER
        text = (FAULTS / one["program"]).read_text()
        assert (FAULTS / one["twin"]).read_text() != text
        assert all(0 < line <= text.count("\n") for line in one["lines"])
    variants = [one["kind"] for one in MANIFEST]
    assert all(variants.count(kind) >= 2 for kind in ORDER)
    assert len(list(FAULTS.glob("controls/*.py"))) >= 15


def test_programs_do_not_tell_what_is_wrong_with_them() -> None:
    for path in FAULTS.glob("faulty/*.py"):
        kind = path.stem.partition("__")[0]
        assert kind not in path.read_text()


def test_every_kind_has_its_texts() -> None:
    keys = set(language.keys())
    for kind in ORDER:
        told = {key.rpartition(".")[2] for key in keys if key.startswith(f"diagnose.{kind}.")}
        assert {"title", "cause", "fix", "unless"} <= told
        assert any(part.startswith("evidence") for part in told)


def test_a_loss_that_is_printed_before_the_backward_pass_hides_nothing(tmp_path: Path) -> None:
    program = tmp_path / "printed.py"
    program.write_text(PRINTED)
    assert [one.kind for one in diagnose(str(program)).findings] == ["softmax_before_cross_entropy"]


def test_overflow_follows_what_made_the_numbers_grow() -> None:
    line = Source("a.py", 1)
    overflow = Finding("nan_or_inf", line, follows=True, variant="overflow")
    assert ranked([overflow, Finding("exploding_gradients", line)])[0].kind == "exploding_gradients"
    assert ranked([overflow]) == [overflow]


def test_nan_follows_from_what_else_is_wrong_at_its_line() -> None:
    masked, elsewhere = Source("a.py", 7), Source("a.py", 9)
    nan, axis = Finding("nan_or_inf", masked), Finding("softmax_axis", masked)
    assert [one.kind for one in ranked([nan, axis])] == ["softmax_axis", "nan_or_inf"]
    assert ranked([nan, Finding("softmax_axis", elsewhere)])[0] == nan
    assert ranked([nan, Finding("dead_relus", masked)]) == [nan]


def test_symptoms_are_told_only_without_a_cause() -> None:
    line = Source("a.py", 1)
    cause, symptom, other = (Finding(kind, line) for kind in ("sorted_labels", "dead_relus", "learning_rate_too_low"))
    assert {"dead_relus", "learning_rate_too_low"} <= SYMPTOMS
    assert ranked([symptom, other, cause]) == [cause]
    assert ranked([other, symptom]) == [symptom]


def test_a_budget_ends_the_program() -> None:
    found = diagnose("clean/sine_sequential.py", steps=5)
    assert found.stopped
    assert found.steps == 5
    assert found.code == 0


def test_the_command_speaks_both_languages() -> None:
    told = {}
    for lang in ("en", "hi"):
        run = CliRunner().invoke(app, ["diagnose", "--lang", lang, "faulty/target_broadcast__smooth_l1.py"])
        assert run.exit_code == 1
        assert "target_broadcast__smooth_l1.py:19" in run.output
        told[lang] = run.output
    assert "Predictions and targets have different shapes" in told["en"]
    assert not re.search("[\u0900-\u097f]", told["en"])
    assert "के shapes अलग हैं" in told["hi"]


def test_a_replaced_layer_is_one_finding(tmp_path: Path) -> None:
    """What was replaced belongs to the optimizer alone: it is the same mistake, not another."""
    (tmp_path / "replaced.py").write_text(REPLACED)
    assert [one.kind for one in diagnose(str(tmp_path / "replaced.py")).findings] == ["parameters_not_in_optimizer"]


def test_what_is_frozen_after_the_training_was_forgotten_before(tmp_path: Path) -> None:
    program = tmp_path / "rested.py"
    program.write_text(REPLACED + "\nfor weight in net.parameters():\n    weight.requires_grad_(False)\n")
    assert [one.kind for one in diagnose(str(program)).findings] == ["parameters_not_in_optimizer"]


def test_missing_gradients_are_found_where_an_update_by_hand_fails_at_them(tmp_path: Path) -> None:
    program = tmp_path / "by_hand.py"
    program.write_text(BY_HAND)
    first = diagnose(str(program)).findings[0]
    assert (first.kind, first.values["name"]) == ("graph_cut", "first.weight")
    assert first.source is not None
    assert ".data" in BY_HAND.splitlines()[first.source.line - 1]


def test_gradients_that_stay_switched_off_are_found_where_they_were(tmp_path: Path) -> None:
    program = tmp_path / "switched.py"
    program.write_text(SWITCHED_OFF.replace("{after}", "True"))
    assert diagnose(str(program)).findings == []
    program.write_text(SWITCHED_OFF.replace("{after}", "False"))
    first = diagnose(str(program)).findings[0]
    assert first.kind == "graph_cut"
    assert first.source is not None
    assert "set_grad_enabled(False)" in program.read_text().splitlines()[first.source.line - 1]


def test_what_is_missing_on_the_machine_is_no_finding(tmp_path: Path) -> None:
    program = tmp_path / "missing.py"
    program.write_text("import torch\n\nopen(str(torch.ones(2).sum()) + 'nowhere.csv')\n")
    found = diagnose(str(program))
    assert found.fault is not None
    assert found.findings == []


@pytest.mark.parametrize(("lang", "told"), [("en", "This error is the finding"), ("hi", "यही error असली गड़बड़ी है")])
def test_an_error_is_itself_the_finding(tmp_path: Path, lang: str, told: str) -> None:
    (tmp_path / "fails.py").write_text(FAILS)
    run = CliRunner().invoke(app, ["diagnose", "--lang", lang, str(tmp_path / "fails.py")])
    assert told in run.output
    assert language.text("diagnose.healthy", lang) not in run.output
    assert "mat1 and mat2" in run.output


def test_a_program_s_grad_mode_ends_with_it(tmp_path: Path) -> None:
    script = tmp_path / "off.py"
    script.write_text("import torch\ntorch.set_grad_enabled(False)\n")
    diagnose(str(script))
    assert kadam.is_grad_enabled()
