"""Lines beside the network: what they learn, how much of the answer is theirs; rounds of passes drawn at once."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from kadam.recording.generator import default_generator
from kadam.train import ahead
from kadam.train.checkpoints import ResumeError, held
from kadam.train.tabular import fitting, job, linear
from kadam.train.tabular.encoded import MOST_COLUMNS, Columns
from kadam.train.tabular.fitting import settings_for
from kadam.train.tabular.folder import MODEL, Model
from kadam.train.tabular.linear import lines
from kadam.train.tabular.reading import TableError
from kadam.train.tabular.rounds import Rounds

DRAW = np.random.default_rng(0)
X = DRAW.standard_normal((600, 5)).astype(np.float32)
CODES = DRAW.integers(0, 3, (600, 1))
LINEAR = (X @ np.array([1.0, -2.0, 0.5, 0.0, 3.0]) + (CODES[:, 0] == 1) * 2.0 + DRAW.normal(0, 0.5, 600)).astype(
    np.float32
)
TABLE = Columns(X, CODES, (3,))
FOLD = np.arange(600) % 4


def test_a_line_of_values_is_ridge_regression():
    linear_model = pytest.importorskip("sklearn.linear_model")
    line, held = lines(TABLE, LINEAR, 0, FOLD, None)
    wide = TABLE.wide()
    found = [linear_model.Ridge(alpha).fit(wide, LINEAR).predict(wide) for alpha in (100.0, 10.0, 1.0, 0.1)]
    assert min(np.abs(line(TABLE) - one).max() for one in found) < 1e-3
    for one in range(4):  # what is said of rows held out is said by a line that has not seen them
        honest = linear_model.Ridge(1.0).fit(wide[one != FOLD], LINEAR[one != FOLD]).predict(wide[one == FOLD])
        assert np.abs(held[one == FOLD, 0] - honest).mean() < 0.02


def test_a_line_of_classes_is_logistic_regression(monkeypatch):
    linear_model = pytest.importorskip("sklearn.linear_model")
    target = np.digitize(LINEAR, [-2.0, 2.0])
    near, _ = lines(TABLE, target, 3, FOLD, None)
    monkeypatch.setattr(linear, "ROUNDS", 3_000)
    monkeypatch.setattr(linear, "CLOSE", 1e-6)
    line, held = lines(TABLE, target, 3, FOLD, None)
    wide = TABLE.wide()
    found = [
        linear_model.LogisticRegression(C=1 / one, max_iter=2_000).fit(wide, target).predict_proba(wide)
        for one in (100.0, 10.0, 1.0, 0.1)
    ]
    assert min(np.abs(line(TABLE) - one).max() for one in found) < 0.01
    assert np.abs(near(TABLE) - line(TABLE)).mean() < 0.03  # what as many steps as there is time for give
    np.testing.assert_allclose(held.sum(1), 1.0, rtol=1e-5)
    assert (held.argmax(1) == target).mean() > 0.85


def test_rows_that_count_nothing_are_not_learned_from():
    weights = np.ones(600, np.float32)
    weights[:200] = 0.0
    spoiled = np.where(weights > 0, LINEAR, 1e3).astype(np.float32)
    line, _ = lines(TABLE, spoiled, 0, np.where(weights > 0, FOLD, -1), weights)
    assert np.abs(line(TABLE) - LINEAR)[200:].mean() < 0.6


def test_a_line_reads_no_more_columns_than_it_may():
    many = Columns(np.zeros((2, 400), np.float32), np.zeros((2, 20), np.int64), (1_000,) * 20)
    assert many.wide().shape[1] == many.width <= MOST_COLUMNS


def test_a_line_is_learned_from_no_more_cells_than_it_may(monkeypatch):
    seen = []
    whole = fitting.lines
    monkeypatch.setattr(fitting, "MOST_CELLS", 800)
    monkeypatch.setattr(fitting, "lines", lambda columns, *rest: seen.append(len(columns)) or whole(columns, *rest))
    fitted(LINEAR, 0)
    assert seen == [800 // 8]


def fitted(target, classes, **changed):
    settings = settings_for(600, 5, 1).changed(**changed)
    return fitting.fit(TABLE, target, classes, settings)


def test_where_the_truth_is_a_line_the_line_answers_and_where_it_is_not_the_network():
    assert fitted(LINEAR, 0).share > 0.2
    curved = ((X[:, 0] * X[:, 1] > 0) ^ (CODES[:, 0] == 2)).astype(np.int64)
    assert fitted(curved, 2).share < 0.1


def test_the_line_makes_the_answer_better_on_rows_that_no_one_has_seen(monkeypatch):
    draw = np.random.default_rng(1)
    x = draw.standard_normal((4_000, 20)).astype(np.float32)
    target = (x @ draw.standard_normal(20) + draw.logistic(size=4_000) * 4 > 0).astype(np.int64)
    rest, some = (Columns(x[one], np.zeros((len(x[one]), 0), np.int64)) for one in (slice(300, None), slice(300)))

    def loss():  # of a network that learns the noise too
        settings = settings_for(300, 20).changed(members=4, dropout=0.1, weight_decay=0.1)
        found = fitting.fit(some, target[:300], 2, settings).predict(rest)
        return -np.log(found[np.arange(len(found)), target[300:]]).mean()

    with_line = loss()
    monkeypatch.setattr(fitting, "_blend", lambda *given: None)
    assert with_line < loss()


def test_a_table_with_rows_held_out_has_a_line_too(monkeypatch):
    monkeypatch.setattr(fitting, "FOLDS_UP_TO", 100)
    monkeypatch.setattr(fitting, "MOST_LOGITS", 5 * 200)  # 200 rows for the line
    found = fitted(LINEAR, 0)
    assert found.line is not None
    assert np.corrcoef(found.line(TABLE), LINEAR)[0, 1] > 0.98


def test_a_folder_holds_the_line(tmp_path):
    with open(tmp_path / "t.csv", "w", newline="") as file:
        csv.writer(file).writerows([["a", "b", "y"], *np.c_[X[:, :2], X[:, 0] * 3 + X[:, 1]].tolist()])
    model = job.train(job.Job(tmp_path / "t.csv", "y", tmp_path / "model", display="off"))
    again = Model.read(tmp_path / "model")
    assert model.fitted.share == again.fitted.share > 0
    table = Columns(X[:, :2], np.zeros((600, 0), np.int64))
    np.testing.assert_array_equal(model.fitted.predict(table), again.fitted.predict(table))
    facts = json.loads((tmp_path / "model" / MODEL).read_text())
    (tmp_path / "model" / MODEL).write_text(json.dumps(facts | {"format": 1}))
    with pytest.raises(TableError, match="in another form"):
        Model.read(tmp_path / "model")


def batches(rounds: Rounds, skip: int = 0) -> list[list[np.ndarray]]:
    default_generator.manual_seed(3)
    return [[np.array(one.numpy()) for one in batch] for batch in rounds.start(skip)]


def test_a_round_is_passes_with_their_orders_and_factors():
    rounds = Rounds([np.arange(10, 33)], 5, 3, None, (2, 4, 6), 0.25)
    found = batches(rounds)
    assert len(found) == len(rounds) == 12
    passes = [np.concatenate([batch[0] for batch in found[start : start + 4]]) for start in (0, 4, 8)]
    assert all(len(set(one.tolist())) == 20 for one in passes)  # each row once, but those that fill no batch
    assert passes[0].tolist() != passes[1].tolist()
    assert [one.shape for one in found[0]] == [(5,), (4, 1, 6), (4, 1, 6)]
    factors = np.concatenate([one for batch in found for one in batch[1:]])
    assert np.unique(factors).tolist() == pytest.approx([0.0, 4 / 3])
    assert (factors == 0).mean() == pytest.approx(0.25, abs=0.08)
    for one, other in zip(found[7:], batches(rounds, 7), strict=True):  # a resumed round goes on as it would have
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert len(batches(Rounds([np.arange(3)], 5, 2, None, (1, 1, 1), 0.0))) == 2  # fewer rows than a batch has


def test_steps_with_dropout_run_many_in_one_call_and_give_the_same_bits(monkeypatch):
    counts = []
    take = ahead.Ahead.take

    def counting(self, given, most):
        stretch = take(self, given, most)
        counts.append(0 if stretch is None else len(stretch.losses))
        return stretch

    monkeypatch.setattr(ahead.Ahead, "take", counting)
    target = (LINEAR > 0).astype(np.int64)
    found = fitted(target, 2, dropout=0.3).predict(TABLE)
    if not sum(counts):
        pytest.skip("the native engine is off")
    assert sum(counts) > 50
    monkeypatch.setattr(ahead.Ahead, "possible", lambda self, given: False)
    np.testing.assert_array_equal(fitted(target, 2, dropout=0.3).predict(TABLE), found)


@pytest.mark.parametrize("epochs", [1, 7, 12])
def test_a_run_has_as_many_epochs_as_were_asked_for(epochs):
    rows = fitted(LINEAR, 0, epochs=epochs).history.rows
    assert rows[-1]["epoch"] == epochs


def test_settings_depend_on_rows_alone_and_decay_more_on_fewer(tmp_path: Path):
    decays = [settings_for(rows, 20).weight_decay for rows in (50, 150, 400, 1_400)]
    assert decays == sorted(decays, reverse=True)
    assert all(one.epochs % one.look_every == 0 for rows in (10, 200, 5_000, 10**6) for one in [settings_for(rows, 20)])


def test_a_table_that_has_changed_is_not_gone_on_with(tmp_path, monkeypatch):
    def table(rows):
        with open(tmp_path / "t.csv", "w", newline="") as file:
            csv.writer(file).writerows([["a", "b", "y"], *rows])

    rows = np.c_[X[:, :2], X[:, 0] * 3 + X[:, 1]].tolist()
    table(rows)

    def train(**changed):
        options = {"epochs": 3, "display": "off"} | changed
        return job.train(job.Job(tmp_path / "t.csv", "y", tmp_path / "model", **options))

    def broken_off(*given):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(fitting, "_blend", broken_off)
        with pytest.raises(KeyboardInterrupt):
            train()
    with pytest.raises(ResumeError, match="--seed was 0, now it is 1"):
        train(resume=True, seed=1)
    with pytest.raises(ResumeError, match="--epochs was 3, now it is 4"):
        train(resume=True, epochs=4)
    table([[rows[0][0] + 1, *rows[0][1:]], *rows[1:]])
    with pytest.raises(ResumeError, match="the table's content has changed"):
        train(resume=True)
    table(rows)
    with held(tmp_path / ".model.partial"), pytest.raises(ResumeError, match="another run is writing into"):
        train()  # would begin anew, and remove what the other is at work in
    train(resume=True)
    assert sorted(one.name for one in (tmp_path / "model").iterdir()) == [
        "history.csv", "model.json", "report.html", "weights.pt",
    ]  # fmt: skip


@pytest.mark.parametrize("classes", [0, 3])
def test_a_line_of_more_columns_than_rows_is_that_of_its_columns(monkeypatch, classes):
    draw = np.random.default_rng(0)
    numbers = draw.standard_normal((40, 60)).astype(np.float32)
    target = draw.integers(0, 3, 40) if classes else numbers[:, 0].copy()
    columns = Columns(numbers, np.zeros((40, 0), np.int64))
    found, held = linear.lines(columns, target, classes, np.arange(40) % 4, None)
    monkeypatch.setattr(linear, "_narrowed", lambda wide: (wide, None))
    of_columns, held_of_columns = linear.lines(columns, target, classes, np.arange(40) % 4, None)
    assert found.weights.shape == of_columns.weights.shape
    np.testing.assert_allclose(found(columns), of_columns(columns), atol=2e-3)
    np.testing.assert_allclose(held, held_of_columns, atol=2e-3)
