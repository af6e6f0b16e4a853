"""Random training programs do on Kadam what they do on PyTorch; `make fuzz` tries many more."""

from __future__ import annotations

import pytest

import kadam
import random_training

torch = pytest.importorskip("torch", reason="compares with PyTorch")


@pytest.mark.parametrize("block", range(8))
def test_as_on_pytorch(block: int) -> None:
    for seed in range(block * 12, block * 12 + 12):
        given = random_training.program(seed)
        found = random_training.difference(given, torch, kadam)
        assert found is None, f"seed {seed}: {found}\n{given}"
