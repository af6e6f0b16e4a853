"""Anomaly detection: backward passes that raise at the first derivative that is NaN, by PyTorch's name for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import kadam

nan, inf = float("nan"), float("inf")


@pytest.fixture(autouse=True)
def _off_afterwards() -> Iterator[None]:
    yield
    kadam.autograd.set_detect_anomaly(False)


def _leaf(m: Any, *values: float) -> Any:
    return m.tensor(values, requires_grad=True)


def _custom(m: Any) -> Any:
    class Spoils(m.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, ct: Any) -> Any:
            return ct * nan

    return Spoils.apply(_leaf(m, 1.0) * 3).sum()


def _read_before(m: Any) -> Any:
    loss = (_leaf(m, 0.0, 4.0).sqrt() * 0).sum()
    loss.item()
    return loss


def _several_readers(m: Any) -> Any:
    x = _leaf(m, 0.0) * 1
    return (x.sqrt() * 0 + x * 5 + x.exp()).sum()


def _across_recordings(m: Any) -> Any:
    x = _leaf(m, 0.0).sqrt()
    x.sum().item()
    return (x * 0).sum() * 3


PROGRAMS: dict[str, Callable[[Any], Any]] = {
    "sqrt": lambda m: (_leaf(m, 0.0, 1.0).sqrt() * 0).sum(),
    "div": lambda m: (_leaf(m, 0.0) / _leaf(m, 0.0)).sum(),
    "log": lambda m: (_leaf(m, 0.0).log() * 0.0).sum(),
    "pow": lambda m: (_leaf(m, -1.0) ** _leaf(m, 0.5)).sum(),
    "where": lambda m: m.where(m.tensor([True]), _leaf(m, 0.0), _leaf(m, 0.0).sqrt()).sum(),
    "product": lambda m: (_leaf(m, 1.0, 2.0)[None] @ m.tensor([[nan], [1.0]])).sum(),
    "module": lambda m: m.nn.Linear(2, 2)(m.tensor([[inf, 1.0]])).softmax(-1).sum(),
    "given": lambda m: (_leaf(m, 1.0) * 2 * m.tensor([nan])).sum(),
    "custom": _custom,
    "read before": _read_before,
    "several readers": _several_readers,
    "across recordings": _across_recordings,
    "norm": lambda m: _leaf(m, 0.0, 0.0).norm(),
    "std": lambda m: _leaf(m, 1.0, 1.0).std(),
    "fine": lambda m: _leaf(m, 2.0).sqrt().sum(),
}


def _said(m: Any, program: Callable[[Any], Any]) -> str:
    """What a backward pass raises, as far as PyTorch says it."""
    try:
        program(m).backward()
    except RuntimeError as error:
        found = re.search(r"Function '\w+' returned nan values in its \d+th output\.", str(error))
        return found[0] if found else str(error)
    return "nothing"


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.filterwarnings("ignore")
def test_the_function_is_named_as_pytorch_names_it(name: str) -> None:
    torch = pytest.importorskip("torch")
    with torch.autograd.detect_anomaly():
        expected = _said(torch, PROGRAMS[name])
    for _ in range(3):  # at first sight of the path and later
        with kadam.autograd.detect_anomaly():
            assert _said(kadam, PROGRAMS[name]) == expected


def test_grad_raises_too() -> None:
    x = _leaf(kadam, 0.0)
    with kadam.autograd.detect_anomaly(), pytest.raises(RuntimeError, match="'SqrtBackward0' returned nan values"):
        kadam.autograd.grad((x.sqrt() * 0).sum(), x)


def test_a_step_that_was_recorded_before_is_looked_at() -> None:
    weight = _leaf(kadam, 4.0)

    def step(x: float) -> None:
        weight.grad = None
        ((weight * x).sqrt() * x).sum().backward()

    for _ in range(30):
        step(2.0)
    step(0.0)
    assert weight.grad.isnan().all()
    kadam.autograd.set_detect_anomaly(True)
    step(2.0)
    with pytest.raises(RuntimeError, match="'SqrtBackward0' returned nan values in its 0th output"):
        step(0.0)
    kadam.autograd.set_detect_anomaly(False)
    step(0.0)
    assert weight.grad.isnan().all()


def test_gradients_hooks_and_freeing_are_as_without_it() -> None:
    def run() -> list[Any]:
        kadam.manual_seed(0)
        model, seen = kadam.nn.Sequential(kadam.nn.Linear(3, 4), kadam.nn.Tanh(), kadam.nn.Linear(4, 1)), []
        hidden = model[0](kadam.ones(2, 3))
        hidden.register_hook(lambda ct: seen.append(ct.sum().item()))
        loss = model[2](model[1](hidden)).square().mean()
        loss.backward()
        with pytest.raises(RuntimeError, match="second time"):
            loss.backward()
        x = _leaf(kadam, 3.0)
        (slope,) = kadam.autograd.grad((x**3).sum(), x, create_graph=True)
        slope.sum().backward()
        return [*seen, *(one.grad.tolist() for one in model.parameters()), x.grad.tolist()]

    plain = run()
    with kadam.autograd.detect_anomaly():
        assert run() == plain


def test_the_mode_is_what_was_set() -> None:
    def told() -> tuple[bool, bool]:
        return kadam.is_anomaly_enabled(), kadam.is_anomaly_check_nan_enabled()

    kadam.autograd.set_detect_anomaly(True, check_nan=False)
    assert told() == (True, False)
    _leaf(kadam, nan).sqrt().sum().backward()
    with kadam.autograd.detect_anomaly():
        assert told() == (True, True)
    with kadam.autograd.set_detect_anomaly(False):
        assert not kadam.is_anomaly_enabled()
    assert told() == (True, False)
