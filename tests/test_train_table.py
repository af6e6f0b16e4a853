"""Tables in, models out: types, encoding, the command line, bad tables, and scikit-learn's estimators."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from kadam.cli import app
from kadam.train.tabular import fitting
from kadam.train.tabular.columns import read_columns
from kadam.train.tabular.encoding import Encoder, learn
from kadam.train.tabular.fitting import Columns, settings_for
from kadam.train.tabular.folder import Model
from kadam.train.tabular.reading import TableError, chunks_of
from kadam.train.tabular.target import class_weights, split, target_of

CITIES = ("Pune", "Delhi", "Nagpur")


def rows(count=400, seed=0):
    """Buyers: who is old, lives in Pune or writes of a refund buys or not."""
    draw = np.random.default_rng(seed)
    found = []
    for index in range(count):
        age, city = int(draw.integers(18, 80)), CITIES[draw.integers(3)]
        note = " ".join(draw.choice(["good", "bad", "late", "refund", "ok", "new", "old"], draw.integers(2, 5)))
        score = (age - 50) / 10 + 2 * (city == "Pune") - 3 * ("refund" in note) + draw.normal(0, 0.3)
        found.append({
            "key": f"c{index:04d}", "age": "" if index % 29 == 0 else str(age), "city": city, "note": note,
            "joined": str(np.datetime64("2020-01-01") + int(draw.integers(0, 900))), "always": "1",
            "buys": "yes" if score > 0 else "no", "spent": f"{10 * score + 50:.2f}",
        })  # fmt: skip
    return found


def write(path, found, delimiter=","):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, found[0], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(found)
    return path


def kadam(*arguments):
    return CliRunner().invoke(app, [str(one) for one in arguments])


def test_train_predict_and_report(tmp_path):
    table, folder, out = write(tmp_path / "t.csv", rows()), tmp_path / "model", tmp_path / "out.csv"
    done = kadam("train", table, "--target", "buys", "--ignore", "spent", "-o", folder)
    assert done.exit_code == 0, done.output
    for said in (
        "400 rows, 7 columns", "classification (2 different texts)", "key     left out (nearly every row",
        "age     number (some cells are missing)", "city    category (3 values)", "joined  date", "always  left out",
        "note    text (its 7 most frequent words)", "logistic", "always",
    ):  # fmt: skip
        assert said in done.output, done.output
    assert sorted(one.name for one in folder.iterdir()) == ["history.csv", "model.json", "report.html", "weights.pt"]
    facts = json.loads((folder / "model.json").read_text())
    assert facts["scores"]["network"]["accuracy"] > 0.9
    assert facts["versions"]["kadam"]

    unseen = rows(50, seed=1)
    unseen[3]["city"] = "Goa"
    done = kadam("predict", folder, write(tmp_path / "new.csv", unseen), "-o", out)
    assert done.exit_code == 0, done.output
    assert "column 'city': 1 value was not seen" in done.output
    with open(out, newline="") as file:
        predicted = list(csv.DictReader(file))
    assert len(predicted) == 50
    assert sum(one["prediction"] == row["buys"] for one, row in zip(predicted, unseen, strict=True)) >= 43
    assert float(predicted[0]["probability of yes"]) + float(predicted[0]["probability of no"]) == pytest.approx(1)

    done = kadam("report", folder)
    assert done.exit_code == 0
    assert "320 rows to learn from, 80 held out" in done.output
    assert "<svg" in (folder / "report.html").read_text()


def test_regression_is_chosen_by_the_target_and_formats_agree(tmp_path):
    found = rows()
    for row in found:
        del row["buys"]
    tables = [write(tmp_path / "a.csv", found), write(tmp_path / "b.tsv", found, "\t"), tmp_path / "c.jsonl"]
    typed = [{k: (float(v) if k in ("age", "spent") and v else v or None) for k, v in row.items()} for row in found]
    tables[2].write_text("".join(json.dumps(row) + "\n" for row in typed))
    scores = []
    for table in tables:
        folder = table.with_suffix(".model")
        done = kadam("train", table, "-t", "spent", "-o", folder, "--epochs", "20")
        assert done.exit_code == 0, done.output
        assert "regression (" in done.output
        scores.append(json.loads((folder / "model.json").read_text())["scores"]["network"])
    assert scores[0]["r2"] > 0.9
    assert scores[0] == scores[1] == scores[2]


def test_frames_and_parquet(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rows(60))
    frame["joined"] = pandas.to_datetime(frame["joined"])
    frame["age"] = pandas.to_numeric(frame["age"])
    columns, count = read_columns(frame)
    assert count == 60
    assert {name: columns[name].kind for name in ("age", "city", "joined")} == {
        "age": "number", "city": "text", "joined": "date",
    }  # fmt: skip
    pytest.importorskip("pyarrow")
    frame.to_parquet(tmp_path / "t.parquet")
    again, _ = read_columns(tmp_path / "t.parquet")
    for name, column in columns.items():
        assert again[name].kind == column.kind
        np.testing.assert_array_equal(again[name].missing, column.missing)
        np.testing.assert_array_equal(again[name].values, column.values)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n3\n", r"row 2 \(line 3\): 1 cells, but the header names 2 columns: 'b' is the first without"),
        ("a,b\n1,2,9\n", r"row 1 \(line 2\): 3 cells, but the header names 2 columns, the last of them 'b'"),
        ('a,b\n1,"2\n', r"row 1 \(line 2\): unexpected end of data"),
        ("a,a\n1,2\n", "two columns are named 'a'"),
        ("", "its first line is empty"),
        ("a,b\n", "has no rows"),
        ("a,b\n1,\x81\n", r"near row 1: byte 0x81 is no cp1252 text either. Fix: .* --encoding shift_jis"),
        ("a,b\n1,\xc3\xbc\n2,\xc3\xbc\n3,\xff\n", r"near row \d: byte 0xff is no UTF-8 text"),
    ],
)
def test_a_bad_table_is_refused_by_row_and_column(tmp_path, text, said):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode("latin1"))
    with pytest.raises(TableError, match=said):
        read_columns(path)
    done = kadam("train", path, "-t", "b", "-o", tmp_path / "model")
    assert done.exit_code == 1
    assert [one.name for one in tmp_path.iterdir()] == ["t.csv"]


def test_bad_json_lines_are_refused_by_row_and_column(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 1}\n{"a": [1]}\n')
    with pytest.raises(TableError, match="row 2, column 'a': a list is no cell"):
        read_columns(path)
    path.write_text('{"a": 1}\n{"a": \n')
    with pytest.raises(TableError, match="row 2"):
        read_columns(path)
    path.write_text('{"a": 1}\n{"b": "x"}\n')
    columns, _ = read_columns(path)
    assert columns["b"].missing.tolist() == [True, False]


def test_what_cannot_be_learned_is_refused(tmp_path):
    found = rows(60)
    table = write(tmp_path / "t.csv", found)
    for arguments, said in (
        (["-t", "nothing"], "no column 'nothing'. Fix: --target with one of 'key'"),
        (["-t", "key"], "60 different texts in 60 rows (row 1: 'c0000'): too many to be classes"),
        (["-t", "always"], "is always '1': there is nothing to predict"),
        (["-t", "joined"], "holds dates"),
        (["-t", "city", "--task", "regression"], "is no number"),
        (["-t", "city", "--ignore", "no"], "--ignore 'no'"),
    ):
        done = kadam("train", table, *arguments, "-o", tmp_path / "model")
        assert done.exit_code == 1
        assert said in done.output.replace("\n", " "), done.output
    found[7]["spent"] = "much"
    done = kadam("train", write(table, found), "-t", "spent", "-o", tmp_path / "model")
    assert "row 8, column 'spent': 'much' is no number" in done.output
    assert not (tmp_path / "model").exists()


def test_a_table_that_lacks_a_column_or_holds_another_kind_is_refused(tmp_path):
    folder, found = tmp_path / "model", rows(100)
    table = write(tmp_path / "t.csv", found)
    assert kadam("train", table, "-t", "buys", "-o", folder, "--epochs", "1").exit_code == 0
    again = kadam("train", table, "-t", "buys", "-o", folder)
    assert "is there already" in again.output
    assert again.exit_code == 1
    without = [{name: cell for name, cell in row.items() if name != "age"} for row in found]
    done = kadam("predict", folder, write(tmp_path / "u.csv", without), "-o", tmp_path / "o.csv")
    assert done.exit_code == 1
    assert "no column 'age'" in done.output
    for row in found:
        row["age"] = "old"
    done = kadam("predict", folder, write(tmp_path / "u.csv", found), "-o", tmp_path / "o.csv")
    assert "row 1, column 'age': 'old' is no number" in done.output.replace("\n", " ")
    assert not (tmp_path / "o.csv").exists()
    (folder / "weights.pt").write_bytes(b"PK")
    assert "is damaged" in kadam("report", folder).output
    assert "holds no trained model" in kadam("report", tmp_path).output


def test_a_run_that_is_killed_goes_on_to_the_same_model(tmp_path):
    table = write(tmp_path / "t.csv", rows(300))
    command = [sys.executable, "-m", "kadam", "train", str(table), "-t", "buys", "-o"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run([*command, str(whole), "--epochs", "150"], check=True, capture_output=True, timeout=120)
    process = subprocess.Popen([*command, str(killed), "--epochs", "150"], stdout=subprocess.DEVNULL)
    partial = tmp_path / ".killed.partial"
    deadline = time.monotonic() + 60
    while not (partial / "best.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert not killed.exists()
    subprocess.run([*command, str(killed), "--epochs", "150", "--resume"], check=True, capture_output=True, timeout=120)
    assert not partial.exists()
    one, other = Model.read(whole), Model.read(killed)
    assert one.facts["scores"] == other.facts["scores"]
    for name, weights in one.fitted.net.state_dict().items():
        np.testing.assert_array_equal(weights.numpy(), other.fitted.net.state_dict()[name].numpy())


def column(tmp_path, *cells):
    path = tmp_path / "c.jsonl"
    path.write_text("".join(json.dumps({"c": cell}) + "\n" for cell in cells))
    return read_columns(path)[0]["c"]


def test_what_a_column_holds(tmp_path):
    many = [str(value) for value in range(100)]
    assert column(tmp_path, *many, None, "n/a").kind == "number"
    odd = column(tmp_path, *many, "twelve")
    assert (odd.kind, odd.odd) == ("number", (1, 101, "twelve"))
    assert column(tmp_path, *many[:5], *["x"] * 5).kind == "text"
    assert column(tmp_path, "2020-01-02", None, "1970-01-02").values.tolist()[2] == 1.0
    assert column(tmp_path, "02.01.1970", "28.02.2020").kind == "date"
    assert column(tmp_path, "1/31/1970", "02/28/2020").values[0] == 30.0
    assert column(tmp_path, True, False).words == ["True", "False"]
    assert column(tmp_path, None, None).missing.all()
    assert column(tmp_path, 1_700_000_001, 1_700_000_002).values.tolist() == [1_700_000_001, 1_700_000_002]


def test_a_column_may_change_its_mind_between_pieces(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2020-01-01\n" * 20_000 + "x,soon\n" * 20_000)
    columns, count = read_columns(path)
    assert count == 40_000
    assert len(list(chunks_of(path))) == 3
    assert sorted(columns["a"].words) == ["1", "x"]
    assert sorted(columns["b"].words) == ["2020-01-01", "soon"]


def test_an_encoder_is_the_same_after_a_file(tmp_path):
    columns, count = read_columns(write(tmp_path / "t.csv", rows(80)))
    encoder = Encoder([learn(one, np.arange(60)) for one in columns.values()])
    again = Encoder.from_json(json.loads(json.dumps(encoder.to_json())))
    one, other = encoder(columns, count), again(columns, count)
    np.testing.assert_array_equal(one.numbers, other.numbers)
    np.testing.assert_array_equal(one.codes, other.codes)
    assert one.numbers[:60].mean(0) == pytest.approx(0, abs=0.4)


def test_rare_classes_are_split_and_weighted(tmp_path):
    target, kept = target_of(column(tmp_path, *["often"] * 95, *["rare"] * 5))
    train, test = split(target, 0)
    assert len(kept) == 100
    assert sorted([*train, *test]) == list(range(100))
    assert (target.values[test] == 1).sum() == 1
    weights = class_weights(target, train)
    assert weights is not None
    assert weights[1] / weights[0] == pytest.approx(np.sqrt(76 / 4))
    assert class_weights(target_of(column(tmp_path, *["a", "b"] * 20))[0], np.arange(40)) is None


def test_the_network_for_tables_learns_what_a_line_cannot():
    draw = np.random.default_rng(0)
    x = draw.standard_normal((800, 5)).astype(np.float32)
    codes = draw.integers(0, 4, (800, 1))
    target = ((x[:, 0] * x[:, 1] > 0) ^ (codes[:, 0] == 2)).astype(np.int64)
    table = Columns(x, codes, (4,))
    fitted = fitting.fit(Columns(x[:600], codes[:600], (4,)), target[:600], 2, settings_for(600, 5))
    found = fitted.predict(table)
    assert (found.argmax(1) == target)[600:].mean() > 0.78
    again = fitting.fit(Columns(x[:600], codes[:600], (4,)), target[:600], 2, settings_for(600, 5))
    np.testing.assert_array_equal(again.predict(table), found)
    for count in (1, 63, 65, 800):
        part = fitted.predict(Columns(x[:count], codes[:count], (4,)))
        np.testing.assert_allclose(part, found[:count], rtol=1e-4, atol=1e-6)


def test_estimators_pass_scikit_learns_checks():
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    from kadam.train import KadamClassifier, KadamRegressor

    for kind in (KadamClassifier, KadamRegressor):
        found = checks.check_estimator(kind(epochs=None), on_skip=None, on_fail=None)
        assert [one for one in found if one["status"] not in ("passed", "skipped")] == []
        assert sum(one["status"] == "passed" for one in found) >= 45


def test_an_estimator_is_told_of_categories():
    pytest.importorskip("sklearn")
    from kadam.train import KadamClassifier

    draw = np.random.default_rng(0)
    codes = draw.integers(0, 30, 900)
    wins = np.random.default_rng(1).random(30) > 0.5
    x = np.c_[codes, draw.standard_normal(900)]
    model = KadamClassifier(categorical_features=[0], random_state=0).fit(x[:700], wins[codes[:700]])
    assert model.score(x[700:], wins[codes[700:]]) > 0.97
    assert model.predict_proba([[99, 0.0]]).shape == (1, 2)  # a category that was never seen


def test_a_seed_gives_the_same_run_in_every_process(tmp_path: Path) -> None:
    # Words that come together come equally often: nothing but their place in the text may order them.
    texts = ["sunny warm dry calm mild" if i % 3 else "cold wet grey" for i in range(90)]
    rows = [f"{text} place {i},{i % 2}" for i, text in enumerate(texts)]
    table = tmp_path / "days.csv"
    table.write_text("\n".join(["text,label", *rows]))
    learned = []
    for seed_of_hashes in ("1", "2"):
        folder = tmp_path / seed_of_hashes
        command = [sys.executable, "-m", "kadam", "train", str(table), "-t", "label", "-o", str(folder)]
        env = {**os.environ, "PYTHONHASHSEED": seed_of_hashes}
        subprocess.run([*command, "--epochs", "2", "--seed", "3"], env=env, check=True, capture_output=True)
        learned.append(json.loads((folder / "model.json").read_text())["preprocessing"])
    assert learned[0] == learned[1]
