"""The page of a trained table: its scores, its training, and its first steps under the lens, in both languages."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from kadam.cli import app
from kadam.lens.diagnose import diagnosing
from kadam.train.tabular import job


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
