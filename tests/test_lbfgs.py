"""LBFGS: its steps, its line search and its state, against PyTorch's on the same problems."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from kadam import optim
from kadam.recording.tensor import from_array, read

START = np.array([-1.2, 1.0, 0.7, -0.4], np.float32)


def rosenbrock(x: Any, rest: Any) -> Any:
    """A curved valley in the first half of the numbers, a bowl in the other."""
    y = x[1:] - x[:-1] ** 2
    return (100 * y * y).sum() + ((1 - x) ** 2).sum() + ((rest - 3) ** 4).sum()


def minimize(optimizer: Any, params: list[Any], steps: int) -> list[float]:
    losses = []

    def closure() -> Any:
        optimizer.zero_grad()
        loss = rosenbrock(*params)
        loss.backward()
        return loss

    for _ in range(steps):
        losses.append(optimizer.step(closure).item())
    return losses


def ours(dtype: Any = np.float32) -> list[Any]:
    return [
        from_array(START.astype(dtype), requires_grad=True),
        from_array(np.zeros((2, 2), dtype), requires_grad=True),
    ]


def theirs(torch: Any, dtype: Any = np.float32) -> list[Any]:
    return [torch.from_numpy(value).requires_grad_() for value in (START.astype(dtype), np.zeros((2, 2), dtype))]


OPTIONS: list[dict[str, Any]] = [
    {"lr": 0.05, "max_iter": 4},
    {"lr": 0.05, "max_iter": 7, "history_size": 2},
    {"line_search_fn": "strong_wolfe", "max_iter": 5},
    {"line_search_fn": "strong_wolfe", "lr": 0.3, "max_iter": 6, "history_size": 3},
    {"line_search_fn": "strong_wolfe", "max_iter": 6, "max_eval": 7},
    {"line_search_fn": "strong_wolfe", "lr": 20.0, "max_iter": 3, "max_eval": 30},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_steps_equal_pytorchs(options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    params, expected = ours(np.float64), theirs(torch, np.float64)
    mine, reference = optim.LBFGS(params, **options), torch.optim.LBFGS(expected, **options)
    np.testing.assert_allclose(minimize(mine, params, 4), minimize(reference, expected, 4), rtol=1e-6)
    for param, other in zip(params, expected, strict=True):
        np.testing.assert_allclose(read(param), other.detach().numpy(), rtol=1e-5)
    state, other_state = mine.state_dict()["state"][0], reference.state_dict()["state"][0]
    assert state.keys() == other_state.keys() - {"al"}
    for key in ("func_evals", "n_iter"):
        assert state[key] == other_state[key]
    assert len(state["ro"]) == len(other_state["ro"])


def test_single_precision() -> None:
    torch = pytest.importorskip("torch")
    params, expected = ours(), theirs(torch)
    mine = optim.LBFGS(params, line_search_fn="strong_wolfe", max_iter=3)
    reference = torch.optim.LBFGS(expected, line_search_fn="strong_wolfe", max_iter=3)
    np.testing.assert_allclose(minimize(mine, params, 2), minimize(reference, expected, 2), rtol=1e-4)


def test_the_minimum_is_found() -> None:
    params = ours(np.float64)
    optimizer = optim.LBFGS(params, line_search_fn="strong_wolfe", max_iter=200, tolerance_grad=1e-10)
    minimize(optimizer, params, 1)
    np.testing.assert_allclose(read(params[0]), 1, atol=1e-5)
    np.testing.assert_allclose(read(params[1]), 3, atol=1e-2)


def test_it_stops_where_the_gradient_is_zero() -> None:
    params = [from_array(np.ones(4), requires_grad=True), from_array(np.full((2, 2), 3.0), requires_grad=True)]
    optimizer = optim.LBFGS(params)
    assert minimize(optimizer, params, 1) == [0.0]
    assert optimizer.state_dict()["state"] == {0: {"func_evals": 1, "n_iter": 0}}


def test_a_saved_state_goes_on() -> None:
    whole_params, params = ours(np.float64), ours(np.float64)
    losses = minimize(optim.LBFGS(whole_params, lr=0.05, max_iter=3), whole_params, 5)
    first = optim.LBFGS(params, lr=0.05, max_iter=3)
    minimize(first, params, 2)
    second = optim.LBFGS(params, lr=0.05, max_iter=3)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    np.testing.assert_allclose(minimize(second, params, 3), losses[2:], rtol=1e-9)


def test_what_it_refuses() -> None:
    params = ours()
    with pytest.raises(ValueError, match="one parameter group"):
        optim.LBFGS([{"params": params[:1]}, {"params": params[1:]}])
    with pytest.raises(RuntimeError, match="strong_wolfe"):
        minimize(optim.LBFGS(params, line_search_fn="backtracking"), params, 1)
