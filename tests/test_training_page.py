"""The manual of training without a loop: what stands there runs, and does what is said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kadam.train import METRICS, Trainer

PAGE = (Path(__file__).parent.parent / "docs" / "training.md").read_text(encoding="utf-8")


def test_the_programs_of_the_page_run(tmp_path, monkeypatch, capsys):
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    exec("\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)), {})
    told = capsys.readouterr().out
    assert "(100, 2)" in told
    assert "reached val_accuracy" in told
    assert "the loss is small" in told
    assert (tmp_path / "runs" / "signs" / "history.csv").exists()


def test_the_page_names_every_metric_and_only_arguments_that_there_are():
    assert " ".join(METRICS) in PAGE
    known = set(Trainer.__init__.__kwdefaults__) | set(Trainer.fit.__kwdefaults__)
    assert {"scheduler", "clip_norm", "clip_value", "accumulate", "until", "patience", "save_every_s"} <= known
    assert set(re.findall(r"`(\w+)=", PAGE)) <= known
