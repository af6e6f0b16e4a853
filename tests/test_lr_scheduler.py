"""Schedules: rates, states, warnings and errors, against PyTorch's own on the same optimizers."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from kadam import optim
from kadam.optim import lr_scheduler
from kadam.optim.swa_utils import SWALR
from kadam.recording.tensor import from_array

Build = Callable[[ModuleType, Any], Any]


def parameter(value: float = 1.0) -> Any:
    return from_array(np.full((2,), value, np.float32), requires_grad=True)


def kadam_optimizer(kind: str = "SGD", groups: int = 1, **options: Any) -> Any:
    params = [{"params": [parameter()], **({"lr": 0.05 * (i + 1)} if i else {})} for i in range(groups)]
    return getattr(optim, kind)(params, **options)


def torch_optimizer(torch: Any, kind: str = "SGD", groups: int = 1, **options: Any) -> Any:
    def param() -> Any:
        return torch.nn.Parameter(torch.ones(2))

    params = [{"params": [param()], **({"lr": 0.05 * (i + 1)} if i else {})} for i in range(groups)]
    return getattr(torch.optim, kind)(params, **options)


class Doubling:
    """A callable object with a state of its own."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, epoch: float) -> float:
        self.calls += 1
        return 0.5**epoch


SCHEDULES: dict[str, Build] = {
    "lambda": lambda m, o: m.LambdaLR(o, lambda e: 0.95**e),
    "lambda-object": lambda m, o: m.LambdaLR(o, Doubling()),
    "warmup": lambda m, o: m.LambdaLR(o, lambda e: min(1.0, (e + 1) / 10)),
    "multiplicative": lambda m, o: m.MultiplicativeLR(o, lambda e: 0.9 if e % 2 else 1.05),
    "step": lambda m, o: m.StepLR(o, 3, gamma=0.3),
    "multistep": lambda m, o: m.MultiStepLR(o, [2, 5, 5, 9], gamma=0.7),
    "constant": lambda m, o: m.ConstantLR(o, factor=0.3, total_iters=4),
    "linear": lambda m, o: m.LinearLR(o, start_factor=0.25, end_factor=0.9, total_iters=6),
    "exponential": lambda m, o: m.ExponentialLR(o, gamma=0.93),
    "polynomial": lambda m, o: m.PolynomialLR(o, total_iters=7, power=1.7),
    "cosine": lambda m, o: m.CosineAnnealingLR(o, T_max=5, eta_min=1e-3),
    "restarts": lambda m, o: m.CosineAnnealingWarmRestarts(o, T_0=4, eta_min=1e-4),
    "restarts-longer": lambda m, o: m.CosineAnnealingWarmRestarts(o, T_0=2, T_mult=2),
    "cyclic": lambda m, o: m.CyclicLR(o, 0.01, 0.1, step_size_up=3, step_size_down=4),
    "cyclic-halving": lambda m, o: m.CyclicLR(o, 0.01, 0.1, step_size_up=3, mode="triangular2"),
    "cyclic-fading": lambda m, o: m.CyclicLR(o, 0.01, 0.1, step_size_up=2, mode="exp_range", gamma=0.9),
    "cyclic-own": lambda m, o: m.CyclicLR(o, 0.01, 0.1, 3, scale_fn=lambda x: 0.8**x, scale_mode="iterations"),
    "onecycle": lambda m, o: m.OneCycleLR(o, max_lr=0.2, total_steps=24),
    "onecycle-linear": lambda m, o: m.OneCycleLR(o, 0.2, epochs=6, steps_per_epoch=4, anneal_strategy="linear"),
    "onecycle-three": lambda m, o: m.OneCycleLR(o, 0.2, total_steps=24, three_phase=True, pct_start=0.4),
    "sequential": lambda m, o: m.SequentialLR(
        o, [m.LinearLR(o, 0.1, total_iters=4), m.ExponentialLR(o, 0.8), m.StepLR(o, 2)], milestones=[4, 9]
    ),
    "chained": lambda m, o: m.ChainedScheduler([m.ConstantLR(o, 0.5, 3), m.ExponentialLR(o, 0.9)]),
}
NEEDS_MOMENTUM = {"momentum": 0.9}


def run(scheduler: Any, optimizer: Any, steps: int) -> Iterator[list[Any]]:
    """The rates, and the momenta, after each step."""
    for _ in range(steps):
        yield [(group["lr"], group.get("momentum"), group.get("betas")) for group in optimizer.param_groups]
        optimizer.step()
        scheduler.step()


def comparable(state: Any) -> Any:
    if isinstance(state, dict):
        return {key: comparable(value) for key, value in state.items()}
    if isinstance(state, list):
        return [comparable(value) for value in state]
    return state


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_and_states_equal_pytorchs(name: str, groups: int) -> None:
    torch = pytest.importorskip("torch")
    ours = kadam_optimizer(groups=groups, lr=0.1, **NEEDS_MOMENTUM)
    theirs = torch_optimizer(torch, groups=groups, lr=0.1, **NEEDS_MOMENTUM)
    mine, reference = SCHEDULES[name](lr_scheduler, ours), SCHEDULES[name](torch.optim.lr_scheduler, theirs)
    assert list(run(mine, ours, 20)) == list(run(reference, theirs, 20))
    assert mine.get_last_lr() == reference.get_last_lr()
    assert comparable(mine.state_dict()) == comparable(reference.state_dict())
    assert list(mine.state_dict()) == list(reference.state_dict())  # files list it in this order
    keys = [set(group) - {"params"} for group in ours.param_groups]
    assert keys == [set(group) - {"params"} for group in theirs.param_groups]


@pytest.mark.parametrize("name", ["cyclic", "onecycle"])
def test_momentum_is_cycled_in_betas(name: str) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = kadam_optimizer("Adam", lr=0.1), torch_optimizer(torch, "Adam", lr=0.1)
    mine, reference = SCHEDULES[name](lr_scheduler, ours), SCHEDULES[name](torch.optim.lr_scheduler, theirs)
    assert list(run(mine, ours, 20)) == list(run(reference, theirs, 20))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("epoch", [0, 1, 4, 7, 11])
@pytest.mark.parametrize(
    "name",
    ["lambda", "step", "multistep", "constant", "linear", "exponential", "polynomial", "cosine", "restarts",
     "restarts-longer", "cyclic"],
)  # fmt: skip
def test_step_to_an_epoch(name: str, epoch: int) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = kadam_optimizer(lr=0.1, **NEEDS_MOMENTUM), torch_optimizer(torch, lr=0.1, **NEEDS_MOMENTUM)
    mine, reference = SCHEDULES[name](lr_scheduler, ours), SCHEDULES[name](torch.optim.lr_scheduler, theirs)
    for to in (epoch, None, None):
        mine.step(to)
        reference.step(to)
        assert mine.get_last_lr() == reference.get_last_lr()


def test_restarts_within_an_epoch() -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = kadam_optimizer(lr=0.1), torch_optimizer(torch, lr=0.1)
    mine = lr_scheduler.CosineAnnealingWarmRestarts(ours, 3, 2)
    reference = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(theirs, 3, 2)
    for part in np.arange(0, 12, 0.25):
        mine.step(float(part))
        reference.step(float(part))
        assert mine.get_last_lr() == reference.get_last_lr()


@pytest.mark.parametrize(
    "options",
    [{}, {"mode": "max"}, {"threshold_mode": "abs", "threshold": 0.05}, {"mode": "max", "threshold_mode": "abs"},
     {"cooldown": 2}, {"min_lr": 0.02}, {"factor": 0.9, "eps": 0.02}],
    ids=str,
)  # fmt: skip
def test_plateau(options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    measures = [1.0, 0.9, 0.91, 0.905, 0.93, 0.7, 0.71, 0.72, 0.73, 0.74, 0.75, 0.76, 0.77, 0.1, math.nan, 0.2, 0.3]
    options = {"patience": 2, "factor": 0.5, **options}
    ours, theirs = kadam_optimizer(lr=0.1), torch_optimizer(torch, lr=0.1)
    mine = lr_scheduler.ReduceLROnPlateau(ours, **options)
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **options)
    for measure in measures:
        mine.step(measure)
        reference.step(measure)
        assert mine.get_last_lr() == reference.get_last_lr()
        assert mine.state_dict() == reference.state_dict()


@pytest.mark.parametrize("options", [{}, {"anneal_strategy": "linear"}, {"anneal_epochs": 0}], ids=str)
def test_swalr(options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    options = {"swa_lr": 0.05, "anneal_epochs": 4, **options}
    ours, theirs = kadam_optimizer(lr=0.1, groups=2), torch_optimizer(torch, lr=0.1, groups=2)
    mine, reference = SWALR(ours, **options), torch.optim.swa_utils.SWALR(theirs, **options)
    assert list(run(mine, ours, 8)) == list(run(reference, theirs, 8))
    assert mine.state_dict() == reference.state_dict()


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_saved_schedule_goes_on(name: str) -> None:
    whole_optimizer = kadam_optimizer(lr=0.1, **NEEDS_MOMENTUM)
    whole = SCHEDULES[name](lr_scheduler, whole_optimizer)
    rates = list(run(whole, whole_optimizer, 14))
    first_optimizer = kadam_optimizer(lr=0.1, **NEEDS_MOMENTUM)
    first = SCHEDULES[name](lr_scheduler, first_optimizer)
    list(run(first, first_optimizer, 6))
    saved = copy.deepcopy((first.state_dict(), first_optimizer.state_dict()))
    second_optimizer = kadam_optimizer(lr=0.1, **NEEDS_MOMENTUM)
    second = SCHEDULES[name](lr_scheduler, second_optimizer)
    second.load_state_dict(saved[0])
    second_optimizer.load_state_dict(saved[1])
    assert list(run(second, second_optimizer, 8)) == rates[6:]


def test_callable_objects_keep_their_state() -> None:
    optimizer = kadam_optimizer(lr=0.1)
    scheduler = lr_scheduler.LambdaLR(optimizer, [Doubling()])
    optimizer.step()
    scheduler.step()
    state = scheduler.state_dict()
    assert state["lr_lambdas"] == [{"calls": 2}]
    other = lr_scheduler.LambdaLR(kadam_optimizer(lr=0.1), [Doubling()])
    other.load_state_dict(state)
    assert other.lr_lambdas[0].calls == 2  # type: ignore[attr-defined]


def test_resuming_with_last_epoch() -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = kadam_optimizer(lr=0.1), torch_optimizer(torch, lr=0.1)
    for optimizer in (ours, theirs):
        optimizer.param_groups[0]["initial_lr"] = 0.2
    mine = lr_scheduler.CosineAnnealingLR(ours, 10, last_epoch=3)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(theirs, 10, last_epoch=3)
    assert list(run(mine, ours, 5)) == list(run(reference, theirs, 5))
    with pytest.raises(KeyError, match="initial_lr"):
        lr_scheduler.StepLR(kadam_optimizer(lr=0.1), 3, last_epoch=3)


def test_a_rate_that_is_a_tensor_is_changed_in_place() -> None:
    rate = from_array(np.array(0.1, np.float32))
    optimizer = optim.SGD([parameter()], lr=rate)
    scheduler = lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] is rate
    assert rate.item() == pytest.approx(0.05)
    last = scheduler.get_last_lr()[0]
    optimizer.step()
    scheduler.step()
    assert last.item() == pytest.approx(0.05)


def warnings_of(module: ModuleType, optimizer: Any, order: str) -> list[type[Warning]]:
    scheduler = module.StepLR(optimizer, 2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for call in order:
            if call == "o":
                optimizer.step()
            elif call == "s":
                scheduler.step()
            elif call == "e":
                scheduler.step(3)
            elif call == "g":
                scheduler.get_lr()
            else:
                optimizer.step = lambda: None
    return [one.category for one in caught]


@pytest.mark.parametrize("order", ["os", "so", "ss", "oss", "sos", "oe", "og", "rs", "ors"])
def test_warnings(order: str) -> None:
    torch = pytest.importorskip("torch")
    theirs = warnings_of(torch.optim.lr_scheduler, torch_optimizer(torch, lr=0.1), order)
    assert warnings_of(lr_scheduler, kadam_optimizer(lr=0.1), order) == theirs


def test_a_step_before_the_scheduler_was_made_does_not_count() -> None:
    optimizer = kadam_optimizer(lr=0.1)
    optimizer.step()
    scheduler = lr_scheduler.StepLR(optimizer, 2)
    with pytest.warns(UserWarning, match="before"):
        scheduler.step()


WRONG: dict[str, Build] = {
    "no optimizer": lambda m, o: m.StepLR("SGD", 3),
    "lambdas": lambda m, o: m.LambdaLR(o, [abs, abs]),
    "no function": lambda m, o: m.MultiplicativeLR(o, 0.5),
    "constant": lambda m, o: m.ConstantLR(o, factor=1.5),
    "linear start": lambda m, o: m.LinearLR(o, start_factor=0.0),
    "linear end": lambda m, o: m.LinearLR(o, end_factor=1.5),
    "restarts": lambda m, o: m.CosineAnnealingWarmRestarts(o, T_0=0),
    "restarts mult": lambda m, o: m.CosineAnnealingWarmRestarts(o, T_0=2, T_mult=0),
    "restarts low": lambda m, o: m.CosineAnnealingWarmRestarts(o, T_0=2, eta_min="0"),
    "restarts negative": lambda m, o: m.CosineAnnealingWarmRestarts(o, T_0=2).step(-1),
    "cyclic mode": lambda m, o: m.CyclicLR(o, 0.1, 0.2, mode="square"),
    "cyclic momentum": lambda m, o: m.CyclicLR(o, 0.1, 0.2),
    "cyclic lists": lambda m, o: m.CyclicLR(o, [0.1, 0.1], 0.2, cycle_momentum=False),
    "onecycle steps": lambda m, o: m.OneCycleLR(o, 0.1, cycle_momentum=False),
    "onecycle zero": lambda m, o: m.OneCycleLR(o, 0.1, total_steps=0, cycle_momentum=False),
    "onecycle epochs": lambda m, o: m.OneCycleLR(o, 0.1, epochs=1.5, steps_per_epoch=2, cycle_momentum=False),
    "onecycle start": lambda m, o: m.OneCycleLR(o, 0.1, total_steps=10, pct_start=2, cycle_momentum=False),
    "onecycle way": lambda m, o: m.OneCycleLR(o, 0.1, total_steps=10, anneal_strategy="x", cycle_momentum=False),
    "onecycle momentum": lambda m, o: m.OneCycleLR(o, 0.1, total_steps=10),
    "onecycle beyond": lambda m, o: [m.OneCycleLR(o, 0.1, 2, cycle_momentum=False).step(9)],
    "plateau factor": lambda m, o: m.ReduceLROnPlateau(o, factor=1.0),
    "plateau mode": lambda m, o: m.ReduceLROnPlateau(o, mode="best"),
    "plateau threshold": lambda m, o: m.ReduceLROnPlateau(o, threshold_mode="x"),
    "plateau lists": lambda m, o: m.ReduceLROnPlateau(o, min_lr=[0.1, 0.1]),
    "plateau measure": lambda m, o: m.ReduceLROnPlateau(o).step(None),
    "sequential none": lambda m, o: m.SequentialLR(o, [], []),
    "sequential counts": lambda m, o: m.SequentialLR(o, [m.StepLR(o, 2)], [3]),
    "sequential plateau": lambda m, o: m.SequentialLR(o, [m.ReduceLROnPlateau(o)], []),
    "sequential others": lambda m, o: m.SequentialLR(o, [m.StepLR(copy.deepcopy(o), 2)], []),
    "chained none": lambda m, o: m.ChainedScheduler([]),
    "chained no schedule": lambda m, o: m.ChainedScheduler([m.StepLR(o, 2), 3]),
    "base": lambda m, o: m.LRScheduler(o),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", WRONG)
def test_errors_are_of_pytorchs_types(name: str) -> None:
    torch = pytest.importorskip("torch")
    options = {"lr": 0.1}
    kind = "Adagrad" if "momentum" in name else "SGD"
    with pytest.raises(Exception) as theirs:
        WRONG[name](torch.optim.lr_scheduler, torch_optimizer(torch, kind, **options))
    with pytest.raises(theirs.type):
        WRONG[name](lr_scheduler, kadam_optimizer(kind, **options))


def test_schedules_of_ones_own() -> None:
    class Squares(lr_scheduler.LRScheduler):
        def get_lr(self) -> list[Any]:
            return [rate / (self.last_epoch + 1) ** 2 for rate in self.base_lrs]

    optimizer = kadam_optimizer(lr=0.1)
    scheduler = Squares(optimizer)
    assert scheduler.get_last_lr() == [0.1]
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == 0.1 / 4


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("size", [1.0, 2.5])
def test_a_step_size_may_be_a_float(size: float) -> None:
    torch = pytest.importorskip("torch")
    rates: list[list[float]] = [[], []]
    for seen, module, optimizer in zip(
        rates,
        (lr_scheduler, torch.optim.lr_scheduler),
        (kadam_optimizer(lr=0.1), torch_optimizer(torch, lr=0.1)),
        strict=True,
    ):
        scheduler = module.StepLR(optimizer, size, 0.5)
        for _ in range(6):
            optimizer.step()
            scheduler.step()
            seen.append(scheduler.get_last_lr()[0])
    assert rates[0] == rates[1]
