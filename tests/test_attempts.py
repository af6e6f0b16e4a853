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


def table(torch: ModuleType) -> Any:
    """Calls with an index that is out of range, by name; each comes after one that fits and is known by then."""
    functional = torch.nn.functional
    rows, square, scores = torch.arange(12.0).reshape(4, 3), torch.ones(3, 3), torch.ones(2, 3)

    def written(place: int) -> Any:
        target = torch.zeros(3)
        target[torch.tensor([0, place])] = 1.0
        return target

    calls = {
        "embedding": lambda at: functional.embedding(torch.tensor([1, at]), square),
        "gather": lambda at: square.gather(1, torch.tensor([[0], [at]])),
        "cross_entropy": lambda at: functional.cross_entropy(scores, torch.tensor([0, at])),
        "nll_loss": lambda at: functional.nll_loss(scores, torch.tensor([0, at])),
        "indexing": lambda at: square[torch.tensor([0, at])],
        "index_select": lambda at: square.index_select(0, torch.tensor([at])),
        "writing": written,
        "scatter": lambda at: square.scatter(1, torch.tensor([[at]]), 1.0),
        "index_add": lambda at: torch.zeros(3).index_add(0, torch.tensor([at]), torch.ones(1)),
        "computed": lambda at: functional.embedding(rows.argmax(1) + at, rows.reshape(3, 4)),
        "probabilities": lambda at: functional.binary_cross_entropy(torch.tensor([at / 2]), torch.ones(1)),
    }
    held, refused = [], {}
    for name, call in calls.items():
        held.append(call(0 if name == "computed" else 2))
        try:
            held.append(call(3))
        except (IndexError, RuntimeError) as error:
            refused[name] = error
    return held, refused


def test_indices_are_refused_where_they_are_given() -> None:
    (held, refused), (expected, expected_errors) = table(kadam), table(torch)
    assert list(refused) == list(expected_errors)
    for name, error in refused.items():
        assert isinstance(error, type(expected_errors[name])), name
    for found, value in zip(held, expected, strict=True):
        assert found.tolist() == pytest.approx(value.tolist()) if found.dim() < 2 else found.tolist() == value.tolist()


def test_a_loop_within_a_try_is_left_alone_once_it_goes_well() -> None:
    from kadam.recording.step import state

    weight, places = kadam.ones(5, 3), kadam.tensor([1, 4])
    lengths = []
    try:
        for _ in range(60):
            found = kadam.nn.functional.embedding(places, weight) * 2
            node = state.rec.here.parent
            lengths.append(node.plain)
            assert found.sum().item() == 12
    finally:
        pass
    assert not lengths[0]
    assert lengths[-1]
