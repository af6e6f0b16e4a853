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
from kadam.errors import KadamError
from kadam.train import TensorBoard, Trainer
from kadam.train.tabular import columns, job, reading
from kadam.train.tabular.columns import read_columns
from kadam.train.tabular.encoding import Encoder, learn
from kadam.train.tabular.folder import Model
from kadam.train.tabular.numerals import COMMA, are_truths, numeral_of
from kadam.train.tabular.reading import TableError
from kadam.train.tabular.report import columns_text


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


def test_a_nought_before_a_comma_makes_it_the_decimal_point(tmp_path):
    found = column(tmp_path, ["0,125", "-0,500", "1,250", "-2,375"])
    assert (found.kind, found.form) == ("number", COMMA)
    assert found.values == pytest.approx([0.125, -0.5, 1.25, -2.375])


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["2,400 sqft", "950 sqft", "1,100 sqft"], [2400, 950, 1100]),
        (["1 year", "2 years", "3 Years"], [1, 2, 3]),
        (["3.5km", "12 km", None], [3.5, 12, np.nan]),
        (["20 m²", "31 m²"], [20, 31]),
    ],
)
def test_numbers_may_have_a_measure(tmp_path, cells, values):
    found = column(tmp_path, cells)
    assert found.kind == "number"
    assert found.values == pytest.approx(values, nan_ok=True)


def test_measures_that_differ_are_texts(tmp_path):
    assert column(tmp_path, ["1 km", "2 miles", "3 km"]).kind == "text"
    assert column(tmp_path, ["1st", "2nd", "3rd"]).kind == "text"


def test_a_few_words_among_many_numbers_say_why_there_is_none(tmp_path):
    cells = [f"{one / 7:.3f}" if one % 3 else "unknown" for one in range(90)]
    found = column(tmp_path, cells)
    assert (found.kind, found.odd) == ("number", (30, 1, "unknown"))
    assert column(tmp_path, [str(one % 9) if one % 3 else "x" for one in range(90)]).kind == "text"  # nine categories
    assert column(tmp_path, [str(one) if one % 2 else f"word {one}" for one in range(90)]).kind == "text"


@pytest.mark.parametrize(
    ("cells", "form", "why"),
    [
        (["5/2006", "11/2010"], "%m/%Y", "read as month/year"),
        (["2006-05", "2010-11"], "%Y-%m", "read as year-month"),
        (["03.04.2020", "28.12.2021"], "%d.%m.%Y", "read as day.month.year"),
        (["01/02/2020", "03/04/2020"], "%m/%d/%Y", "read as month/day/year; could also be day/month/year"),
        (["01/31/2020", "03/04/2020"], "%m/%d/%Y", "read as month/day/year"),
        (["31/01/20", "04/03/20"], "%d/%m/%y", "read as day/month/year"),
        (["31/01/2020 10:20:30", "04/03/2020 1:2:3"], "%d/%m/%Y %H:%M:%S", "read as day/month/year hour:minute:second"),
        (["3 January 2020", "12 May 2021"], "%d %B %Y", "read as day month year"),
    ],
)
def test_how_dates_were_read_is_told(tmp_path, cells, form, why):
    found = column(tmp_path, cells)
    assert (found.kind, found.form, found.why) == ("date", form, why)


def test_yes_and_no_in_words_and_letters(tmp_path):
    assert sorted(column(tmp_path, ["yes", "no", "Y", "N", "TRUE"] * 4).words) == ["false", "true"]
    assert sorted(column(tmp_path, ["no", "off", "No"] * 4).words) == ["No", "no", "off"]  # nothing but no


@pytest.mark.parametrize(
    ("write", "kind", "first"), [("${:,.2f}", "number", 1000.0), ("{:02}/01/2020 10:20", "date", None)]
)
def test_numbers_and_dates_of_which_there_are_very_many_are_read_as_they_come(
    tmp_path, monkeypatch, write, kind, first
):
    monkeypatch.setattr(columns, "MOST_VALUES", 5)
    monkeypatch.setattr(reading, "CHUNK_ROWS", 4)
    numbers = [28 - one % 28 if kind == "date" else 1000 + one for one in range(40)]
    cells = [write.format(one) for one in numbers]
    cells[30], cells[31] = "soon", ""
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["c;d", *(f"{one};1" for one in cells)]))
    found = read_columns(path)[0]["c"]
    assert (found.kind, found.note, found.odd) == (kind, None, (1, 31, "soon"))
    assert np.isnan(found.values).nonzero()[0].tolist() == [30, 31]
    assert first is None or found.values[0] == first
    assert len(np.unique(found.values[:28])) == 28
    path.write_text("\n".join(["c;d", *(f"word {one};1" for one in range(40))]))
    given_up = read_columns(path)[0]["c"]
    assert str(given_up.note) == "more than 5 different texts"
    assert len(given_up) == 40


def test_files_of_spreadsheets(tmp_path):
    lines = "a,b,y\n" + "".join(f"{one},{one * one % 7},{one % 2}\n" for one in range(30))
    plain, wide, said = tmp_path / "plain.csv", tmp_path / "wide.csv", tmp_path / "said.csv"
    plain.write_text(lines)
    wide.write_text(lines, encoding="utf-16")
    said.write_text("sep=;\n" + lines.replace(",", ";"))
    expected, _ = read_columns(plain)
    for path in (wide, said):
        found, count = read_columns(path)
        assert count == 30
        assert {name: one.values.tolist() for name, one in found.items()} == {
            name: one.values.tolist() for name, one in expected.items()
        }


def test_a_class_of_one_row_is_told_of_and_no_score_is_made_up(tmp_path):
    draw = np.random.default_rng(0)
    rows = [{"a": a, "y": "rare" if place == 5 else "common"} for place, a in enumerate(draw.random(60).tolist())]
    told = []
    model = job.train(
        job.Job(write(tmp_path / "t.csv", rows), "y", tmp_path / "m", epochs=2, display="off"), told.append
    )
    assert "of 'rare' there is one row only, to learn from: the scores say nothing of it" in told
    page = (tmp_path / "m" / "report.html").read_text()
    assert np.isnan(model.facts["scores"]["network"]["auc"])
    assert "<td>-</td>" in page
    assert "nan" not in page


def test_a_table_without_a_header_is_guessed_at(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("".join(f"{one}.5,{one + 9},{one % 2}\n" for one in range(30)))
    with pytest.raises(TableError, match="does its first line hold no names"):
        job.train(job.Job(path, "y", tmp_path / "m"))


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


def test_numbers_too_large_to_be_squared(tmp_path):
    path, target = tmp_path / "far.csv", [i * 1.7 for i in range(60)]

    def trained():
        write(path, [{"a": i % 5, "b": far[i], "y": target[i]} for i in range(60)])
        return job.train(job.Job(path, "y", tmp_path / "model", epochs=2, overwrite=True, display="off"))

    far = ["1e308", *(i * 0.37 for i in range(59))]
    model = trained()
    assert [one.log for one in model.encoder.encodings] == [False, True]
    assert np.isfinite(model.facts["scores"]["network"]["r2"])
    target[7] = -1e300
    with pytest.raises(TableError, match=r"row 8, column 'y': -1e\+300 is too large"):
        trained()


def test_dates_in_several_forms_are_read_each_in_its_own(tmp_path):
    cells = ["2020-05-17", "17.05.2020", "May 17, 2020"] * 10 + ["31.12.1999", "2000-01-01", "January 2, 2000"]
    found = column(tmp_path, cells)
    assert found.kind == "date"
    assert len(set(found.values[:3].tolist())) == 1
    assert np.diff(found.values[30:]).tolist()[0] == 1
    assert found.why.startswith("read as ")
    chunk, _ = job._of_chunk({"c": ["18.05.2020"]}, Encoder([learn(found, np.arange(33))]), 0)
    assert chunk["c"].values[0] == found.values[0] + 1


def test_dates_whose_forms_come_in_turn_are_all_looked_at(tmp_path):
    """A look at every sixth of 240 cells would see one form only."""
    days = [np.datetime64("2020-01-01") + 3 * place for place in range(240)]
    forms = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y")
    found = column(tmp_path, [day.item().strftime(forms[place % 3]) for place, day in enumerate(days)])
    assert found.kind == "date"
    assert found.values.tolist() == [float(day.astype(int)) for day in days]


def test_cells_that_come_up_again_are_read_as_those_that_do_not(tmp_path):
    found = column(tmp_path, [" b", "b ", "NA", "a", "b", "a", "na"])
    assert [found.words[code] if code >= 0 else None for code in found.codes] == ["b", "b", None, "a", "b", "a", None]
    mixed = columns.Column("c")
    mixed.add(["1", True, 1, 1.0, "x", None])  # True == 1 == 1.0, and yet the first is another word
    mixed.finish()
    assert [mixed.words[code] if code >= 0 else None for code in mixed.codes] == ["1", "True", "1", "1", "x", None]


def test_dates_that_two_forms_would_read_differently_are_left_alone(tmp_path):
    cells = ["25/12/2020", "12/25/2020", "01/02/2020"] * 10
    assert column(tmp_path, cells).kind == "text"


@pytest.mark.parametrize("cells", [["", ""], ["NA"]])
def test_a_piece_without_a_single_value_can_be_predicted(tmp_path, cells):
    money = [f"${one},000.50" for one in range(30)]
    for learned in (["03.04.2020", "28.12.2021"] * 20, money, ["12,5", "1.234,75", *["3", "4,5"] * 20]):
        encoding = learn(column(tmp_path, learned), np.arange(len(learned)))
        assert encoding.form
        chunk, count = job._of_chunk({"c": cells}, Encoder([encoding]), 0)
        assert np.isfinite(Encoder([encoding])(chunk, count).numbers).all()


def test_a_list_of_objects_is_a_table_too(tmp_path):
    rows = [{"a": one, "b": "xy"[one % 2]} for one in range(10)] + [{"a": 1, "c": None}]
    (tmp_path / "t.json").write_text(json.dumps(rows, indent=1))
    found, count = read_columns(tmp_path / "t.json")
    assert (sorted(found), count) == (["a", "b", "c"], 11)
    assert found["b"].missing.tolist() == [False] * 10 + [True]
    (tmp_path / "t.json").write_text("[1, 2]")
    with pytest.raises(TableError, match="row 1: a int, not an object"):
        read_columns(tmp_path / "t.json")
    (tmp_path / "t.json").write_text('[{"a": 1},')
    with pytest.raises(TableError, match="Fix: write it again"):
        read_columns(tmp_path / "t.json")


def test_missing_values_of_pandas_are_missing():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"told": pandas.array([True, None, False], dtype="boolean")})
    assert read_columns(frame)[0]["told"].missing.tolist() == [False, True, False]
    with pytest.raises(KadamError, match="two columns of the table are named 'told'"):
        read_columns(pandas.concat([frame, frame], axis=1))


def test_a_column_is_told_of_in_the_readers_language(tmp_path):
    cells = [f"c{one:04d}" for one in range(60)], ["01/02/2020", "03/04/2020"] * 30
    encoder = Encoder([learn(column(tmp_path, one), np.arange(60)) for one in cells])
    told = columns_text(Encoder.from_json(json.loads(json.dumps(encoder.to_json()))), "hi")
    assert "लगभग हर row में अलग text है" in told
    assert "month/day/year की तरह पढ़ा गया" in told
    assert "read as" not in told
