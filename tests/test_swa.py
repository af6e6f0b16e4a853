"""Averages of models: against PyTorch's, and against their definition."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import kadam
from kadam import nn
from kadam.optim import swa_utils
from kadam.recording.tensor import from_array, read

Array = np.ndarray[Any, Any]


def layers(module: Any) -> Any:
    return module.Sequential(module.Linear(3, 4), module.BatchNorm1d(4), module.Linear(4, 2))


def twins(torch: Any) -> tuple[Any, Any]:
    """The same model in both libraries."""
    expected = layers(torch.nn)
    model = layers(nn)
    fill(model, [value.numpy() for value in expected.state_dict().values()])
    return model, expected


def fill(model: Any, arrays: list[Array]) -> None:
    names = model.state_dict()
    model.load_state_dict({name: make(model, array) for name, array in zip(names, arrays, strict=True)})


def make(model: Any, array: Array) -> Any:
    if isinstance(model, nn.Module):
        return from_array(np.array(array))
    import torch

    return torch.from_numpy(np.array(array))


def drift(model: Any, step: int) -> None:
    """Change every parameter and buffer as a training step would."""
    draw = np.random.default_rng(step)
    values = []
    for value in model.state_dict().values():
        array = read(value) if isinstance(value, kadam.Tensor) else value.numpy()
        values.append(array + step if array.dtype.kind == "i" else array + draw.normal(size=array.shape).astype("f4"))
    fill(model, values)


def same(model: Any, expected: Any) -> None:
    state, other = model.state_dict(), expected.state_dict()
    assert list(state) == list(other)
    for name, value in other.items():
        np.testing.assert_allclose(read(state[name]), value.numpy(), rtol=2e-5, atol=1e-6, err_msg=name)


AVERAGES: dict[str, Callable[[ModuleType, Any], Any]] = {
    "default": lambda m, model: m.AveragedModel(model),
    "swa multi": lambda m, model: m.AveragedModel(model, multi_avg_fn=m.get_swa_multi_avg_fn()),
    "swa": lambda m, model: m.AveragedModel(model, avg_fn=m.get_swa_avg_fn()),
    "ema multi": lambda m, model: m.AveragedModel(model, multi_avg_fn=m.get_ema_multi_avg_fn(0.7), use_buffers=True),
    "ema": lambda m, model: m.AveragedModel(model, avg_fn=m.get_ema_avg_fn(0.7), use_buffers=True),
    "ema, buffers copied": lambda m, model: m.AveragedModel(model, multi_avg_fn=m.get_ema_multi_avg_fn(0.4)),
    "own": lambda m, model: m.AveragedModel(model, avg_fn=lambda average, value, count: (average + value) / 2),
}


@pytest.mark.parametrize("kind", AVERAGES)
def test_averages_equal_pytorchs(kind: str) -> None:
    torch = pytest.importorskip("torch")
    model, expected = twins(torch)
    average, other = AVERAGES[kind](swa_utils, model), AVERAGES[kind](torch.optim.swa_utils, expected)
    same(average, other)
    for step in range(1, 6):
        drift(model, step)
        drift(expected, step)
        average.update_parameters(model)
        other.update_parameters(expected)
        same(average, other)
    assert average.n_averaged.item() == 5


def test_swa_is_the_mean_of_the_models() -> None:
    model = nn.Linear(3, 2)
    average = swa_utils.AveragedModel(model)
    seen = []
    for step in range(4):
        drift(model, step)
        seen.append(read(model.weight).copy())
        average.update_parameters(model)
    np.testing.assert_allclose(read(average.module.weight), np.mean(seen, axis=0), rtol=1e-5, atol=1e-6)


def test_functions_that_change_lists_in_place() -> None:
    def halve(averages: list[Any], values: list[Any], count: Any) -> None:
        for average, value in zip(averages, values, strict=True):
            average.mul_(0.5).add_(value, alpha=0.5)

    model = nn.Linear(3, 2)
    average = swa_utils.AveragedModel(model, multi_avg_fn=halve)
    average.update_parameters(model)
    first = read(model.weight).copy()
    drift(model, 1)
    average.update_parameters(model)
    np.testing.assert_allclose(read(average.module.weight), (first + read(model.weight)) / 2, rtol=1e-6)


def test_the_average_is_a_model_of_its_own() -> None:
    model = nn.Linear(3, 2)
    average = swa_utils.AveragedModel(model)
    x = from_array(np.ones((1, 3), np.float32))
    np.testing.assert_array_equal(read(average(x)), read(model(x)))
    assert average.module is not model
    average.update_parameters(model)
    before = read(average.module.weight).copy()
    drift(model, 1)
    np.testing.assert_array_equal(read(average.module.weight), before)
    assert list(average.state_dict()) == ["n_averaged", "module.weight", "module.bias"]


def test_what_is_refused() -> None:
    with pytest.raises(AssertionError):
        swa_utils.AveragedModel(nn.Linear(1, 1), avg_fn=swa_utils.get_swa_avg_fn(), multi_avg_fn=lambda a, b, c: None)
    for wrong in (swa_utils.get_ema_avg_fn, swa_utils.get_ema_multi_avg_fn):
        with pytest.raises(ValueError, match="decay"):
            wrong(1.5)


def test_update_bn() -> None:
    torch = pytest.importorskip("torch")
    model, expected = twins(torch)
    batches = [np.random.default_rng(step).normal(size=(6, 3)).astype(np.float32) for step in range(3)]
    model.eval()
    expected.eval()
    swa_utils.update_bn([(from_array(batch), None) for batch in batches], model)
    torch.optim.swa_utils.update_bn([(torch.from_numpy(batch), None) for batch in batches], expected)
    same(model, expected)
    assert not model.training
    assert model[1].momentum == expected[1].momentum
