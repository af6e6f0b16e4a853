"""Cells as people write them: money, percent, decimal commas, yes and no; names of rows; odd cells; rare classes."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

import kadam
from kadam import nn
from kadam.cli import app
from kadam.train import TensorBoard, Trainer
from kadam.train.tabular import job
from kadam.train.tabular.columns import read_columns
from kadam.train.tabular.encoding import Encoder, learn
from kadam.train.tabular.folder import Model
from kadam.train.tabular.numerals import are_truths, numeral_of
from kadam.train.tabular.reading import TableError


def column(tmp_path, cells, name="c"):
    path = tmp_path / "c.jsonl"
    path.write_text("".join(json.dumps({name: cell}) + "\n" for cell in cells))
    return read_columns(path)[0][name]


@pytest.mark.parametrize(
    ("cells", "values", "said"),
    [
        (["$12.34", "$1,234.50", "-$4", "($3)"], [12.34, 1234.5, -4, -3], "numbers with $; commas part thousands"),
        (["12,5", "1.234,75", "-3"], [12.5, 1234.75, -3], "the comma is the decimal point"),
        (["45%", "3.5 %", "0%"], [45, 3.5, 0], "numbers with %"),
        (["1,234,567", "89", "12,000"], [1234567, 89, 12000], "commas part thousands"),
        (["1,234", "2,345"], [1234, 2345], "commas part thousands, it seems; 1,234 could also be 1.234"),
        (["₹12,34,567", "₹1,00,000.50"], [1234567, 100000.5], "numbers with ₹; commas part thousands"),
        (["1 234,5 €", "7 €"], [1234.5, 7], "numbers with €; the comma is the decimal point"),
        (["1'234.5", "2"], [1234.5, 2], ""),
    ],
)
def test_numbers_as_people_write_them(cells, values, said, tmp_path):
    found = column(tmp_path, cells)
    assert found.kind == "number"
    assert found.values == pytest.approx(values)
    assert found.why == said


@pytest.mark.parametrize(
    "cells", [["$3", "€4"], ["10.0.0.1", "10.0.0.2"], ["1.2.3", "1.2.4"], ["12-3", "4-5"], ["a", "1"]]
)
def test_what_only_looks_like_numbers_is_none(cells):
    assert numeral_of(cells) is None


def test_a_comma_means_the_same_in_training_and_afterwards(tmp_path):
    learned = learn(column(tmp_path, ["12,5", "1.234,75", *["3", "4,5"] * 20]), np.arange(42))
    assert (learned.kind, learned.form) == ("number", "comma")
    chunk, count = job._of_chunk({"c": ["1.234", "0,5", ""]}, Encoder([learned]), 0)
    assert count == 3
    assert chunk["c"].values == pytest.approx([1234, 0.5, np.nan], nan_ok=True)


def test_texts_that_are_not_numbers_keep_their_spelling_once(tmp_path):
    assert column(tmp_path, ["1.0", "1", "x", "x "]).words == ["1", "x"]


def test_yes_and_no_in_several_spellings_are_one_column(tmp_path):
    found = column(tmp_path, ["TRUE", "true", "False", "yes", "no", "1", None] * 5)
    assert sorted(found.words) == ["false", "true"]
    learned = learn(found, np.arange(35))
    assert (learned.kind, learned.truths, sorted(learned.values)) == ("category", True, ["false", "true"])
    codes = Encoder([learned])({"c": column(tmp_path, ["Yes", "TRUE", "0", "maybe"])}, 4).codes[:, 0].tolist()
    at = {value: place + 2 for place, value in enumerate(learned.values)}
    assert codes == [at["true"], at["true"], at["false"], 0]
    assert column(tmp_path, ["Yes", "No"] * 5).words == ["Yes", "No"]  # one spelling each: as it is
    assert not are_truths(["y", "t", "n"])


def test_what_names_the_rows_is_left_out(tmp_path):
    draw = np.random.default_rng(0)
    shuffled, far = draw.permutation(60) + 1000, draw.choice(10**9, 60, replace=False)

    def taken(name, cells):
        return learn(column(tmp_path, [int(one) for one in cells], name), np.arange(60)).kind

    assert taken("number", shuffled) == "left out"
    assert taken("customer_id", far) == taken("orderId", far) == "left out"
    assert taken("income", far) == "number"
    assert taken("acid", far) == "number"
    assert taken("age", draw.integers(0, 90, 60)) == "number"
    texts = column(tmp_path, [f"c{one:04d}" for one in shuffled])
    assert learn(texts, np.arange(60)).why.startswith("nearly every row has another text")


def write(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    place = tmp_path_factory.mktemp("cells")
    draw = np.random.default_rng(0)
    rows = [{"price": f"${one:,.2f}", "y": "dear" if one > 1_000 else "cheap"} for one in draw.uniform(1, 2_000, 200)]
    job.train(job.Job(write(place / "t.csv", rows), "y", place / "model", epochs=3, display="off"))
    return place


def test_an_odd_cell_is_named_and_taken_as_missing_or_refused(trained):
    table = write(trained / "new.csv", [{"price": one} for one in ("$1,500.00", "soon", "3")])
    done = CliRunner().invoke(app, ["predict", str(trained / "model"), str(table)])
    assert done.exit_code == 0
    assert "column 'price': 1 cell is no number (row 2: 'soon'); taken as missing" in done.output
    assert len(done.stdout.splitlines()) >= 4
    done = CliRunner().invoke(app, ["predict", str(trained / "model"), str(table), "--refuse-odd"])
    assert done.exit_code == 1
    assert "row 2, column 'price': 'soon' is no number" in done.output
    with pytest.raises(TableError, match="row 1, column 'price': 'soon' is no number"):
        job.predict(trained / "model", write(trained / "bad.csv", [{"price": "soon"}]), trained / "out.csv")


def test_rare_classes_keep_honest_probabilities(tmp_path):
    draw = np.random.default_rng(0)
    x = draw.standard_normal((3_000, 4))
    z = x @ [1.0, 1.0, -1.0, 0.5] + draw.logistic(size=3_000)
    rare = z > np.quantile(z, 0.95)
    rows = [{"a": a, "b": b, "c": c, "d": d, "y": "rare" if one else "common"}
            for (a, b, c, d), one in zip(x.tolist(), rare.tolist(), strict=True)]  # fmt: skip
    told = []
    asked = job.Job(write(tmp_path / "t.csv", rows), "y", tmp_path / "model", display="off")
    model = job.train(asked, told.append)
    assert any("probabilities are told as they are" in one for one in told)
    found = model.facts["scores"]
    # not wrecked, as by weighting the classes; a linear model is still a little better where the truth is linear
    assert found["network"]["log_loss"] < found["logistic regression"]["log_loss"] + 0.02
    out = tmp_path / "out.csv"
    job.predict(tmp_path / "model", tmp_path / "t.csv", out)
    with open(out) as file:
        predictions = list(csv.DictReader(file))
    said = [float(one["probability of rare"]) for one in predictions]
    assert np.mean(said) == pytest.approx(0.05, abs=0.015)  # as often as it is
    chosen = sum(one["prediction"] == "rare" for one in predictions)
    assert chosen > sum(one > 0.5 for one in said)  # but chosen sooner
    assert Model.read(tmp_path / "model").facts["choice"] == pytest.approx(model.facts["choice"])


def test_tensorboard_gets_each_epoch(tmp_path):
    x = np.zeros((64, 2), np.float32)
    trainer = Trainer(nn.Linear(2, 2), nn.CrossEntropyLoss(), kadam.optim.SGD, callbacks=[TensorBoard(tmp_path)])
    trainer.fit(x, np.zeros(64, np.int64), validation=0.5, epochs=3)
    (file,) = tmp_path.glob("events.out.tfevents.*")
    written = file.read_bytes()
    assert written.count(b"training/loss") == written.count(b"validation/loss") == 3


def test_until_suggests_the_column_that_was_meant():
    x = np.zeros((64, 2), np.float32)
    trainer = Trainer(nn.Linear(2, 2), nn.CrossEntropyLoss(), kadam.optim.SGD, metrics=["accuracy"])
    with pytest.raises(KeyError, match=r"Fix: until=\{'val_accuracy'"):
        trainer.fit(x, np.zeros(64, np.int64), validation=0.5, until={"accuracy": 0.9})
