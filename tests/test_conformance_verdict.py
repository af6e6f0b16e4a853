"""The judge of `make conformance`: what it takes for right, and that it says no to what is wrong."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

if importlib.util.find_spec("torch") is None or importlib.util.find_spec("expecttest") is None:
    pytest.skip("PyTorch's sample inputs need `make torch`", allow_module_level=True)

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from conformance import absent, report
from conformance.difference import Comparison, Tolerance, moved_by_a_rounding
from conformance.verdict import Verdict, kinds_of

import kadam
from kadam.errors import NotATensorError, ShapeError, UnsupportedError

Again = Callable[[int | None, bool], Any]


def _comparison(inputs: tuple[torch.Tensor, ...], compute: Callable[..., torch.Tensor]) -> Comparison:
    """A comparison with what a function computes of inputs."""

    def again(seed: int | None, wide: bool) -> torch.Tensor:
        return compute(*(moved_by_a_rounding(one, seed).to(torch.float64 if wide else torch.float32) for one in inputs))

    return Comparison(Tolerance(), again=again)


def test_a_wrong_number_is_found() -> None:
    inputs = (torch.linspace(1, 2, 8),)
    compare = _comparison(inputs, torch.exp)
    right = torch.exp(inputs[0])
    assert compare.difference(right * (1 + 2**-23), right) is None
    for place in range(8):
        wrong = right.clone()
        wrong[place] *= 1.0002
        assert compare.difference(wrong, right) is not None


def test_a_number_that_cancels_excuses_itself_and_no_other() -> None:
    first, second = torch.full((6,), 1000.0), torch.tensor([-999.99, 1.0, 2.0, 3.0, 4.0, 5.0])
    compare = _comparison((first, second), lambda x, y: (x + y) / 0.3)
    right = (first + second) / 0.3
    cancelled = right.clone()
    cancelled[0] += 1e-4  # a share of 3e-3: half a unit in the last place of 1000
    assert compare.difference(cancelled, right) is None
    for place in range(1, 6):
        wrong = right.clone()
        wrong[place] *= 1 + 1e-4
        assert compare.difference(wrong, right) is not None
    cancelled[0] += 1e-2
    assert compare.difference(cancelled, right) is not None


def test_what_pytorchs_steps_round_away_may_be_lost_but_not_more() -> None:
    inputs = (torch.linspace(0.1, 1, 10),)
    compare = _comparison(inputs, lambda x: (x + 300) - 300)  # the sum has one unit of 3e-5
    exact = inputs[0]
    right = (exact + 300) - 300
    assert compare.difference(exact, right) is None
    assert compare.difference(exact + 4e-4, right) is not None


def test_other_random_numbers_are_no_rounding() -> None:
    def draw(seed: int | None, wide: bool) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        return torch.rand(64, generator=generator, dtype=torch.float64 if wide else torch.float32)

    expected = draw(None, False)
    assert not torch.allclose(expected, draw(None, True).float())
    assert Comparison(Tolerance(), again=draw).difference(expected.flip(0), expected) is not None


def test_labels_do_not_move_and_what_they_choose_is_not_excused() -> None:
    x, labels = torch.linspace(0.1, 1, 6), torch.tensor([1.0, -1, 1, -1, 1, -1])
    assert moved_by_a_rounding(labels, 0) is labels
    assert not torch.equal(moved_by_a_rounding(x, 0), x)

    def loss(x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.hinge_embedding_loss(x, labels, reduction="none")

    right = loss(x, labels)
    compare = _comparison((x, labels), loss)
    for wrong in (torch.zeros_like(right), -right, right * 1.5):
        assert compare.difference(wrong, right) is not None


def test_a_number_that_a_rounding_changes_altogether_excuses_nothing() -> None:
    inputs = (torch.linspace(0.1, 1, 8),)
    compare = _comparison(inputs, lambda x: torch.sin(1e7 * x))
    right = torch.sin(1e7 * inputs[0])
    assert compare.difference(torch.zeros_like(right), right) is not None
    assert compare.excused == 0


def test_what_passes_by_an_excuse_alone_is_counted() -> None:
    first, second = torch.full((6,), 1000.5), torch.tensor([-999.99, 1.0, 2.0, 3.0, 4.0, 5.0])
    compare = _comparison((first, second), lambda x, y: (x + y) / 0.3)
    right = (first + second) / 0.3
    assert compare.difference(right, right) is None
    assert compare.excused == 0
    right_too = right.clone()
    right_too[0] += 1e-4
    assert compare.difference(right_too, right) is None
    assert compare.excused == 1


@pytest.mark.parametrize(
    "wrong",
    [
        torch.ones(2, 2),
        torch.ones(3, dtype=torch.float64),
        torch.full((3,), torch.nan),
        torch.full((3,), torch.inf),
        None,
    ],
    ids=["shape", "type", "nan", "infinite", "none"],
)
def test_what_is_no_rounding_at_all_is_found(wrong: Any) -> None:
    compare = _comparison((torch.ones(3),), lambda x: x * 1)
    assert compare.difference(wrong, torch.ones(3)) is not None


def test_what_has_no_case_does_not_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty, passing = Verdict("op", "nothing"), Verdict("op", "something")
    passing.note("sample 0", None)
    assert (empty.status, passing.status) == ("empty", "passes")
    monkeypatch.setattr(report, "HERE", tmp_path)
    records = {(one.kind, one.name): {**one.record(), "status": one.status} for one in (empty, passing)}
    report.write_baseline("reference", records)
    assert report.baseline("reference") == {("op", "something")}
    assert report.totals(records.values()).splitlines()[1].split() == ["op", "2", "1", "0", "0", "1", "1", "1"]


def test_what_records_do_not_hold_is_not_told_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "HERE", tmp_path / "conformance")
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    monkeypatch.setattr(report.absent, "page", lambda: "")
    old = {"cases": 3, "right": 3, "missing": False, "first": "", "seconds": 0.1, "status": "passes"}
    for more in ({}, {"several": 1, "laid": 2, "excused": 1}):
        kinds = ("op", "error")
        report.store("reference", {(kind, "add"): {"kind": kind, "name": "add", **old, **more} for kind in kinds})
        report.write_coverage(["reference"])
        page = (tmp_path / "docs" / "coverage.md").read_text(encoding="utf-8")
        told = [words in page for words in ("2 are of PyTorch's type alone", "2 have a result", "1 entries pass only")]
        assert told == [bool(more)] * 3
        assert ("not known" in page) is not bool(more)


def test_a_class_is_asked_for_its_own_names() -> None:
    assert absent.room("torch.Tensor") is kadam.Tensor
    of_tensor = absent.names().get("torch.Tensor", (0, []))[1]
    assert not [name for name in of_tensor if hasattr(kadam.Tensor, name)]


def test_what_modules_import_is_none_of_their_names() -> None:
    lacking = {f"{path}.{name}" for path, (_, names) in absent.names().items() for name in names}
    assert not {one for one in lacking if one.rpartition(".")[2] in ("Any", "Optional", "Tensor", "DType")}


def test_an_error_of_several_types_is_told_apart() -> None:
    verdict = Verdict("error", "entry")
    verdict.note_error("one", ShapeError("no"), RuntimeError)
    verdict.note_error("two", NotATensorError("no"), TypeError)
    assert (verdict.right, verdict.several) == (2, 1)
    verdict.note_error("three", ShapeError("no"), ValueError)
    verdict.note_error("four", None, ValueError)
    assert (verdict.cases, verdict.right, verdict.several, verdict.status) == (4, 2, 1, "fails")
    assert kinds_of(UnsupportedError("no")) == [NotImplementedError]
