"""PyTorch's own sample inputs: a part of what the baseline holds, every time; `make conformance` runs them all."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

if importlib.util.find_spec("torch") is None or importlib.util.find_spec("expecttest") is None:
    pytest.skip("PyTorch's sample inputs need `make torch`", allow_module_level=True)

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from conformance import report
from conformance.worker import judge

OPERATORS = (
    "add", "as_strided", "atan2", "bmm", "cat", "clamp", "cummax", "diagonal_scatter", "einsum", "expand", "flip",
    "gather", "histogram", "index_add", "index_reduce.amax", "kron", "lerp", "logaddexp", "masked_fill", "mean", "norm",
    "pow", "scatter_add", "sort", "split", "sum", "take", "topk", "tril", "var", "where", "linalg.inv", "fft.rfft",
    "nn.functional.gelu", "nn.functional.softmin", "nn.functional.layer_norm", "special.ndtr",
)  # fmt: skip
MODULES = ("nn.Linear", "nn.BatchNorm1d", "nn.Conv1d", "nn.GRUCell", "nn.MSELoss")
OPTIMIZERS = ("SGD", "AdamW")
GROUPS = (
    (OPERATORS, ("op", "grad", "method", "inplace", "out", "error")),
    (MODULES, ("module", "module-error")),
    (OPTIMIZERS, ("optim", "optim-error")),
)


def _held() -> list[tuple[str, list[str]]]:
    """The entries with the kinds in which the baseline says that they pass."""
    baseline = report.baseline("reference")
    pairs = [(name, [kind for kind in kinds if (kind, name) in baseline]) for names, kinds in GROUPS for name in names]
    return [(name, kinds) for name, kinds in pairs if kinds]


@pytest.mark.parametrize(("name", "kinds"), _held(), ids=lambda value: value if isinstance(value, str) else "")
def test_what_passed_passes(name: str, kinds: list[str]) -> None:
    fallen: list[dict[str, Any]] = [one for one in judge(name, kinds) if one["status"] != "passes"]
    assert not fallen, "\n".join(map(report.line, fallen))


def test_the_baseline_holds_what_was_promised() -> None:
    """The least numbers of entries that agree with PyTorch, on either engine."""
    least = {"op": 560, "grad": 450, "module": 100}
    for engine in ("reference", "native"):
        passing = [kind for kind, _ in report.baseline(engine)]
        assert {kind: passing.count(kind) for kind in least if passing.count(kind) < least[kind]} == {}
