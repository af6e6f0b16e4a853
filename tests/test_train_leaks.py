"""Columns that tell the target by themselves are named, and others are not."""

import json

import numpy as np
import pytest

from kadam.train.tabular import job
from kadam.train.tabular.columns import Column
from kadam.train.tabular.leaks import tells_target
from kadam.train.tabular.target import Target

DRAW = np.random.default_rng(1)
ROWS = np.arange(200)
CLASSES = DRAW.integers(0, 3, 200)
VALUES = DRAW.standard_normal(200)


def column(cells):
    made = Column("one")
    made.add(list(cells))
    made.finish()
    return made


def found(cells, values, classes=()):
    return tells_target(column(cells), Target("y", list(classes), values, ""), ROWS)


@pytest.mark.parametrize(
    ("cells", "tells"),
    [
        (np.array(["late", "paid", "open"])[CLASSES], True),
        (CLASSES * 7.5, True),
        (CLASSES + DRAW.uniform(0, 0.9, 200), True),
        (CLASSES + DRAW.uniform(0, 1.1, 200), False),
        (VALUES, False),
        (np.where(DRAW.random(200) < 0.05, "late", np.array(["late", "paid", "open"])[CLASSES]), False),
        ([f"name {row}" for row in range(200)], False),
    ],
)
def test_of_classes(cells, tells):
    assert found(cells, CLASSES, ["a", "b", "c"]) is tells


@pytest.mark.parametrize(
    ("cells", "tells"),
    [(32 + 1.8 * VALUES, True), (VALUES + 0.1 * DRAW.standard_normal(200), False), (CLASSES, False)],
)
def test_of_values(cells, tells):
    assert found(cells, VALUES) is tells


def test_few_rows_prove_nothing():
    target = Target("y", ["a", "b"], np.arange(200) % 2, "")
    assert not tells_target(column(np.arange(200) % 2 + 0.5), target, ROWS[:40])


@pytest.mark.parametrize(("lang", "told"), [("en", "Column paid alone tells the target"), ("hi", "अकेला column paid")])
def test_a_table_that_has_one_is_told_so_and_its_page_says_it(tmp_path, lang, told):
    said = []
    words = np.where(VALUES > 0, "yes", "no")
    lines = [f"{x},{x * x},{word[0]},{word}" for x, word in zip(DRAW.permutation(VALUES), words, strict=True)]
    (tmp_path / "table.csv").write_text("\n".join(["x,square,paid,due", *lines]) + "\n")
    asked = job.Job(tmp_path / "table.csv", "due", tmp_path / "model", epochs=1, display="off", lang=lang)
    job.train(asked, said.append)
    assert [line for line in said if told in line]
    page = (tmp_path / "model" / "report.html").read_text(encoding="utf-8")
    assert told.split("paid")[0].strip() in page
    assert ("श्रेणी" in page) is (lang == "hi")
    assert json.loads((tmp_path / "model" / "model.json").read_text(encoding="utf-8"))["suspects"] == ["paid"]
