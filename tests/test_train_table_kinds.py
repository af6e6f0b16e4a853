"""What files and columns are taken for: encodings of text, times of day, names made of digits, dates without dashes."""

from __future__ import annotations

import csv
import datetime
import gzip
import random

import numpy as np
import pytest
from typer.testing import CliRunner

from kadam.cli import app
from kadam.train.tabular import job
from kadam.train.tabular.charset import charset_of
from kadam.train.tabular.columns import Column, read_columns
from kadam.train.tabular.encoding import Encoder, learn
from kadam.train.tabular.reading import TableError, chunks_of

WORDS = "ort,größe\n" + "Köln,3\nZürich,4\nParis,5\n" * 20


def column(cells, **given):
    found = Column("c")
    for name, value in given.items():
        setattr(found, name, value)
    found.add(cells)
    found.finish()
    return found


@pytest.mark.parametrize(
    ("written", "name", "note"),
    [
        ("utf-8", "utf-8-sig", ""),
        ("utf-8-sig", "utf-8-sig", ""),
        ("utf-16", "utf-16", ""),
        ("utf-32", "utf-32", ""),
        ("utf-16-le", "utf-16-le", "UTF-16 text without a mark"),
        ("utf-16-be", "utf-16-be", "UTF-16 text without a mark"),
        ("cp1252", "cp1252", "no UTF-8 text (line 1: byte 0xf6): read as cp1252"),
    ],
)
def test_how_a_table_is_encoded_is_seen_and_told(written, name, note, tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(WORDS.encode(written))
    found = charset_of(path)
    assert found.name == name
    assert note in str(found.note or "")
    columns, count = read_columns(path)
    assert (list(columns), count) == (["ort", "größe"], 60)
    assert columns["ort"].words == ["Köln", "Zürich", "Paris"]


def test_a_letter_late_in_a_table_tells_its_encoding_too(tmp_path):
    path = tmp_path / "t.csv.gz"
    with gzip.open(path, "wb") as file:
        file.write(("a\n" + "plain\n" * 400_000 + "Köln\n").encode("cp1252"))
    found = charset_of(path)
    assert found.note.values == {"byte": "0xf6", "line": 400_002, "charset": "cp1252"}
    with gzip.open(path, "wb") as file:
        file.write(("a\n" + "plain\n" * 174_761 + "Köln\n").encode())  # its letter lies over the end of a piece
    assert charset_of(path).note is None


def test_a_broken_cell_in_utf8_is_named_by_its_row(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(WORDS.encode() + b"Pa\xefs,5\n")
    with pytest.raises(TableError, match=r"near row \d+: byte 0xef is no UTF-8 text. Fix: .* --encoding shift_jis"):
        read_columns(path)


def test_a_packed_file_that_was_cut_is_refused(tmp_path):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(WORDS.encode() * 50)[:-20])
    with pytest.raises(TableError, match=r"is damaged .* Fix: pack it again"):
        list(chunks_of(path, "utf-8"))


def test_an_encoding_asked_for_is_kept_for_predictions(tmp_path):
    draw = random.Random(0)
    cells = [[f"{draw.random():.3f}", draw.choice(["Москва", "Казань"])] for _ in range(60)]
    path = tmp_path / "t.csv"
    with open(path, "w", newline="", encoding="cp1251") as file:
        csv.writer(file).writerows([["x", "город"], *cells])
    run, folder = CliRunner(), tmp_path / "m"
    given = ["train", str(path), "-t", "город", "-o", str(folder), "--epochs", "1"]
    wrong = run.invoke(app, given)
    assert "no UTF-8 text (line 1: byte 0xe3): read as cp1252" in wrong.output
    assert "no column 'город'" in wrong.output
    assert "no such encoding" in run.invoke(app, [*given, "--encoding", "nothing"]).output
    assert run.invoke(app, [*given, "--encoding", "windows-1251"]).exit_code == 0
    said = []
    job.predict(folder, path, tmp_path / "out.csv", said.append)
    assert "read as cp1251" in said[0]
    lines = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()
    assert {line.split(",")[0] for line in lines[1:]} <= {"Москва", "Казань"}


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["09:30", "21:15", None], [9.5, 21.25, np.nan]),
        (["9:30 am", "12:15 AM", "12:30 p.m.", "9:45PM"], [9.5, 0.25, 12.5, 21.75]),
        (["00:00:36", "23:59:24.0"], [0.01, 23.99]),
        ([datetime.time(6, 45), datetime.time(18, 0)], [6.75, 18.0]),
    ],
)
def test_times_of_day(cells, values):
    found = column(cells)
    assert found.kind == "time"
    assert found.values == pytest.approx(values, nan_ok=True)


def test_more_than_a_day_is_how_long_something_took():
    found = column(["36:30", "1:15", "-2:00"])
    assert (found.kind, found.form, found.why) == ("number", "clock", "hours and minutes, read as hours")
    assert found.values == pytest.approx([36.5, 1.25, -2.0])
    later = column(["1:15", "2:30", "soon"], form="clock", wanted="number")
    later.settle_as("number")
    assert later.values == pytest.approx([1.25, 2.5, np.nan], nan_ok=True)


@pytest.mark.parametrize("cells", [["10:75", "9:30"], ["13:00 pm", "1:00 pm"], ["1:2", "3:4"], ["a:b", "9:30"]])
def test_what_only_looks_like_times_is_none(cells):
    assert column(cells).kind == "text"


def test_midnight_is_near_itself():
    found = column([f"{hour:02d}:{minute:02d}" for hour in range(24) for minute in (0, 30)])
    encoder = Encoder([learn(found, np.arange(len(found)))])
    numbers = encoder({"c": column(["23:59", "00:01", "12:00"], wanted="time")}, 3).numbers
    assert numbers.shape == (3, 3)
    assert np.abs(numbers[0, 1:] - numbers[1, 1:]).max() < 0.05 < np.abs(numbers[0, 1:] - numbers[2, 1:]).max()


def test_durations_of_frames_are_hours(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"took": pandas.to_timedelta([90, 30, None], unit="min")})
    assert read_columns(frame)[0]["took"].values == pytest.approx([1.5, 0.5, np.nan], nan_ok=True)
    pytest.importorskip("pyarrow")
    frame.to_parquet(tmp_path / "t.parquet")
    assert read_columns(tmp_path / "t.parquet")[0]["took"].values == pytest.approx([1.5, 0.5, np.nan], nan_ok=True)


def test_digits_with_noughts_before_them_are_names():
    zips = ["02134", "10001", "94110", "00501"] * 20
    found = column(zips)
    assert (found.kind, found.words) == ("text", ["02134", "10001", "94110", "00501"])
    learned = learn(found, np.arange(len(found)))
    assert (learned.kind, learned.why) == ("category", "digits with noughts before them: names, not amounts")
    encoder = Encoder([learned])
    eaten = column(["2134", "10001", "94110", "501", "7"], wanted="category")  # as a spreadsheet leaves them
    same = column(["02134", "10001", "94110", "00501", "00007"], wanted="category")
    assert encoder({"c": eaten}, 5).codes[:, 0].tolist() == encoder({"c": same}, 5).codes[:, 0].tolist()
    assert encoder({"c": same}, 5).codes[4, 0] == 0


def test_noughts_that_come_up_in_a_later_piece_are_seen(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a\n" + "10001\n94110\n" * 10_000 + "02134\n10001\n" * 300)
    found = read_columns(path)[0]["a"]
    assert (found.kind, sorted(found.words)) == ("text", ["02134", "10001", "94110"])


@pytest.mark.parametrize(
    "cells",
    [["0", "1", "00"], ["01", "02", "12"], ["0.50", "001.5"], [0, 7, 100], ["007", *map(str, range(1000, 2000))]],
)
def test_what_is_an_amount_stays_one(cells):
    assert column(cells).kind == "number"


def test_dates_without_dashes():
    found = column(["20240131", "19991231", ""])
    assert (found.kind, found.form, found.why) == ("date", "%Y%m%d", "read as yearmonthday")
    assert found.values == pytest.approx([19753, 10956, np.nan], nan_ok=True)
    assert column(np.array([20240131, 20240132])).kind == "number"
    assert column(["20240131"], wanted="number").kind == "number"
    later = column(["20240131", "20240132"], wanted="date", form="%Y%m%d")
    assert (later.kind, later.odd) == ("date", (1, 2, "20240132"))
    assert later.values == pytest.approx([19753, np.nan], nan_ok=True)


def test_whole_numbers_are_kept_exactly():
    names = [str(30_000_001 + step) for step in range(50)]
    assert column(names).values.tolist() == [float(name) for name in names]


def test_a_category_stays_one_whatever_a_table_to_predict_holds():
    mixed = column(["2020-01-01", "soon", "never", "10:30"] * 10)
    encoder = Encoder([learn(mixed, np.arange(40))])
    later = column(["2020-01-01", "2020-01-01"], wanted="category")
    assert encoder({"c": later}, 2).codes[0, 0] == encoder({"c": mixed}, 40).codes[0, 0] > 1


def test_a_date_where_a_number_is_due_is_shown_as_a_date():
    encoder = Encoder([learn(column(["1.5", "2.5", "4"]), np.arange(3))])
    with pytest.raises(TableError, match="row 1, column 'c': '2020-01-01' is no number"):
        encoder({"c": column(["2020-01-01"], wanted="number")}, 1)


def test_delimiters_within_quotes_do_not_count(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('"price, in $, net";"x"\n1;2\n3;4\n')
    assert list(read_columns(path)[0]) == ["price, in $, net", "x"]


def test_texts_of_the_same_words_are_told_from_texts_whose_words_never_come_again():
    same = [f"alpha beta gamma delta {row}x" for row in range(60)]
    other = [f"a{row} b{row} c{row}" for row in range(60)]
    notes = [str(learn(column(cells), np.arange(60)).notes[0]) for cells in (same, other)]
    assert notes == ["nearly every one of its texts has the same words", "no word of its texts comes up again"]
