"""Errors that only data can cause come within the `try` that waits for them."""

from __future__ import annotations

import contextlib
from types import ModuleType
from typing import Any

import pytest

import kadam

torch = pytest.importorskip("torch", reason="the comparison needs PyTorch")


def factor_with_jitter(torch: ModuleType) -> Any:
    matrix = torch.tensor([[1.0, 2.5], [2.5, 1.0]]).requires_grad_()
    tried = 0
    while True:
        try:
            lower = torch.linalg.cholesky(matrix + tried * torch.eye(2))
            break
        except RuntimeError:
            tried += 1
    lower.sum().backward()
    return tried, lower.detach(), matrix.grad


def inverse_or_zeros(torch: ModuleType) -> Any:
    def inverse(matrix: Any) -> Any:
        return torch.linalg.inv(matrix)

    found = []
    for matrix in (torch.eye(2), torch.zeros(2, 2)):
        try:
            found.append(inverse(matrix))
        except RuntimeError:
            found.append(torch.zeros(2, 2))
    return found


def solution_in_finally(torch: ModuleType) -> Any:
    left = []
    with contextlib.suppress(RuntimeError):
        try:
            torch.linalg.solve(torch.zeros(2, 2), torch.ones(2))
            left.append("went on")
        finally:
            left.append("finally")
    return left


@pytest.mark.parametrize("program", [factor_with_jitter, inverse_or_zeros, solution_in_finally])
def test_as_in_pytorch(program: Any) -> None:
    assert str(program(kadam)) == str(program(torch))
