"""Unmodified PyTorch programs, run by `kadam run`, print what PyTorch prints.

The programs of `tests/programs` have PyTorch's output beside them. Those of the project's collection, and the two that
all began with, are run where the collection is at hand: in `../shared/programs`, or where KADAM_PROGRAMS says.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from agreement import disagreements
from conftest import Run

HERE = Path(__file__).resolve().parent
OURS = sorted((HERE / "programs").glob("*.py"))
COLLECTION = Path(os.environ.get("KADAM_PROGRAMS", HERE.parent.parent / "shared" / "programs"))
ABSENT = pytest.param(None, id="absent", marks=pytest.mark.skip(reason=f"no programs in {COLLECTION} (KADAM_PROGRAMS)"))
COLLECTED: list[Any] = sorted(path for path in COLLECTION.glob("*.py") if path.with_suffix(".out").exists()) or [ABSENT]
SEEDS: list[Any] = sorted((COLLECTION.parent / "seed").glob("*.py")) or [ABSENT]

SEEDED = """
import torch
torch.manual_seed(0)
exec(compile(open({path!r}, encoding="utf-8").read(), {path!r}, "exec"))
"""


def name(path: Path | None) -> str | None:
    return path.stem if path else None


@pytest.mark.parametrize("program", OURS, ids=name)
def test_our_program_prints_what_pytorch_has_printed(program: Path, run_kadam: Run) -> None:
    run = run_kadam("run", program)
    assert run.returncode == 0, run.stderr
    assert not disagreements(program.with_suffix(".out").read_text(encoding="utf-8"), run.stdout)


@pytest.mark.parametrize("program", OURS, ids=name)
def test_the_output_beside_our_program_is_pytorchs(program: Path, run_python: Run) -> None:
    pytest.importorskip("torch")
    run = run_python(program)
    assert run.returncode == 0, run.stderr
    assert not disagreements(program.with_suffix(".out").read_text(encoding="utf-8"), run.stdout)


@pytest.mark.parametrize("program", COLLECTED, ids=name)
def test_a_collected_program_agrees_by_its_own_comparison(
    program: Path, run_kadam: Run, run_python: Run, tmp_path: Path
) -> None:
    run = run_kadam("run", program)
    assert run.returncode == 0, run.stderr
    printed = tmp_path / "printed.out"
    printed.write_text(run.stdout, encoding="utf-8")
    comparison = run_python(program.with_name("compare.py"), program.with_suffix(".out"), printed, "-v")
    assert comparison.returncode == 0, comparison.stdout


@pytest.mark.parametrize("program", SEEDS, ids=name)
def test_with_the_same_seed_a_first_program_prints_exactly_what_pytorch_prints(
    program: Path, run_kadam: Run, run_python: Run, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    seeded = tmp_path / "seeded.py"
    seeded.write_text(SEEDED.format(path=str(program)), encoding="utf-8")
    pytorch = run_python(seeded)
    assert pytorch.returncode == 0, pytorch.stderr
    kadam = run_kadam("run", seeded)
    assert kadam.returncode == 0, kadam.stderr
    assert kadam.stdout == pytorch.stdout


@pytest.mark.parametrize("program", SEEDS, ids=name)
def test_a_first_program_runs_as_it_is(program: Path, run_kadam: Run) -> None:
    run = run_kadam("run", program)
    assert run.returncode == 0, run.stderr
    assert "Loss" in run.stdout


LESSONS = {
    "linear_fit": "it says 19.97",
    "forward_and_loss": "criterion(prediction, y) = 0.4957",
}


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_prints_what_pytorch_prints(lesson: str, run_kadam: Run, run_python: Run) -> None:
    run = run_kadam("run", "-m", f"kadam.lessons.{lesson}")
    assert run.returncode == 0, run.stderr
    assert LESSONS[lesson] in run.stdout  # a figure that PyTorch printed
    pytest.importorskip("torch")
    pytorch = run_python(HERE.parent / "src" / "kadam" / "lessons" / f"{lesson}.py")
    assert pytorch.returncode == 0, pytorch.stderr
    assert not disagreements(pytorch.stdout, run.stdout)


def test_the_digits_are_learnt_saved_and_read_back(run_kadam: Run, tmp_path: Path) -> None:
    examples = HERE.parent / "examples"
    training = run_kadam("run", examples / "digits_cnn.py", "--epochs", "3", "--out", tmp_path)
    assert training.returncode == 0, training.stderr
    assert "\r" not in training.stdout, "a progress bar belongs on a terminal only"
    drawing = (tmp_path / "learning_curve.svg").read_text(encoding="utf-8")
    assert drawing.startswith("<svg")
    assert ">test accuracy<" in drawing
    check = run_kadam("run", examples / "check_digits.py", "--out", tmp_path)
    assert check.returncode == 0, check.stderr

    results = tmp_path / "results.json"
    results.write_text(results.read_text().replace('"correct": ', '"correct": 1'), encoding="utf-8")
    doubted = run_kadam("run", examples / "check_digits.py", "--out", tmp_path)
    assert doubted.returncode == 1
    assert "this is not that network" in doubted.stderr


def test_agreement_is_of_texts_and_of_numbers_up_to_rounding() -> None:
    assert not disagreements("loss 0.1000 of 3", "loss 0.1001 of 3")
    assert disagreements("loss 0.1000", "loss 0.1100")
    assert disagreements("3 right", "4 right")
    assert disagreements("a\nb", "a")
    assert disagreements("2", "2.0")
