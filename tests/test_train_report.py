"""The page of a trained table: its scores, its training, and its first steps under the lens, in both languages."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from kadam import nn
from kadam.cli import app
from kadam.language import Speech
from kadam.lens.diagnose import diagnosing
from kadam.train import Trainer
from kadam.train.tabular import job
from kadam.train.tabular.report import verdict
from kadam.train.tabular.scoring import _shares, doubt, scores
from kadam.train.tabular.target import Target


@pytest.fixture
def table(tmp_path):
    draw = np.random.default_rng(0)
    path = tmp_path / "t.csv"
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["age", "town", "buys"])
        for age in draw.integers(18, 80, 200).tolist():
            writer.writerow([age, draw.choice(["Pune", "Ulm"]), "yes" if age + draw.normal(0, 9) > 45 else "no"])
    return path


@pytest.mark.parametrize("lang", ["en", "hi"])
def test_the_page_holds_the_scores_the_training_and_the_lens(lang, table, tmp_path):
    folder = tmp_path / "m"
    arguments = ["train", str(table), "-t", "buys", "-o", str(folder), "--epochs", "3", "--lang", lang]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert ("age   संख्या" in done.output) == (lang == "hi")  # columns are told in the language that was asked for
    page = (folder / "report.html").read_text()
    assert f'<html lang="{lang}">' in page
    for part in ("scores", "classes", "training", "findings", "course", "diagram", "layers", "columns"):
        assert f'id="{part}"' in page, part
    assert "kadam train:1" in page
    assert "callback(" not in page
    assert ".py:" not in page  # no line of a program that the user does not know
    hindi = len(re.findall("[\u0900-\u097f]+", page))
    assert hindi > 200 if lang == "hi" else hindi == 0
    again = CliRunner().invoke(app, ["report", str(folder), "--lang", lang])
    assert ("Network" in again.output) == (lang == "hi")
    assert "the page:" in again.output


def test_a_lens_that_fails_costs_no_model(table, tmp_path, monkeypatch):
    def fail(*given):
        raise RuntimeError("no such step")

    monkeypatch.setattr(job, "first_steps", fail)
    with pytest.warns(UserWarning, match="no such step"):
        job.train(job.Job(table, "buys", tmp_path / "m", epochs=2))
    assert 'id="diagram"' not in (tmp_path / "m" / "report.html").read_text()


def test_a_trainer_is_diagnosed_as_a_loop_is():
    import kadam
    from kadam import nn, optim
    from kadam.train import Trainer

    draw = np.random.default_rng(0)
    x = draw.standard_normal((600, 8)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)

    def found(loss, rate):
        kadam.manual_seed(0)
        net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2), *loss)
        with diagnosing() as diagnosis:
            Trainer(net, nn.CrossEntropyLoss(), optim.SGD(net.parameters(), lr=rate)).fit(x, y, epochs=2)
        return diagnosis.findings

    assert not found([], 0.1)
    assert found([nn.Softmax(1)], 0.1)


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "r2"])
def test_a_difference_within_the_luck_of_the_test_rows_is_told_as_such(name):
    draw = np.random.default_rng(0)
    rows = np.arange(500)
    true = draw.integers(0, 3, 500) if name != "r2" else draw.standard_normal(500)
    target = Target("t", ["a", "b", "c"] if name != "r2" else [], true, "")
    choice = np.array([1.0, 2.0, 0.5]) if name == "balanced_accuracy" else None
    said = [draw.dirichlet(np.ones(3), 500) if name != "r2" else true + draw.standard_normal(500) for _ in range(2)]
    one, other = ((found, choice) for found in said)
    for each in (one, other):  # what is compared row by row adds up to the score that is shown
        assert _shares(target, rows, each, name).mean() == pytest.approx(scores(target, rows, *each)[name])
    found = doubt(target, rows, one, other, name)
    again = []  # the same by drawing test rows anew
    for _ in range(400):
        some = draw.integers(0, 500, 500)
        again.append((_shares(target, rows, one, name) - _shares(target, rows, other, name))[some].mean())
    assert found == pytest.approx(np.std(again), rel=0.15)


@pytest.mark.parametrize(
    ("gain", "error", "said"),
    [(0.05, 0.01, "better"), (0.05, 0.04, "chance (± 8.0"), (-0.05, 0.04, "chance"), (-0.05, 0.01, "use that one"),
     (0.001, 0.0001, "no better")],
)  # fmt: skip
def test_the_verdict_minds_how_sure_it_is(gain, error, said):
    found = {"network": {"r2": 0.5 + gain}, "always the mean": {"r2": 0.0}, "ridge regression": {"r2": 0.5}}
    facts = {"task": "regression", "scores": found, "doubts": {"always the mean": 0.0, "ridge regression": error}}
    assert said in verdict(facts, Speech("en").label)


def test_a_notebook_shows_a_model_and_its_history():
    model = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.ReLU(), nn.Linear(4, 2, bias=False)))
    model[0].weight.requires_grad_(False)
    shown = model._repr_html_()
    assert "24 parameters, 12 of them learned" in shown
    assert "<td>1.1</td><td><code>Linear(in_features=4, out_features=2, bias=False)</code></td><td>8</td>" in shown
    trainer = Trainer(model, nn.MSELoss())
    assert trainer._repr_html_() == shown
    trainer.fit(np.ones((8, 3), np.float32), np.ones((8, 2), np.float32), epochs=2)
    assert "<svg" in trainer._repr_html_()
    assert "Lazy" in nn.LazyLinear(2)._repr_html_()
