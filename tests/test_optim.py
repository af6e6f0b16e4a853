"""Optimizers: ten steps of each, and their states, against PyTorch's; and the rules that all of them keep."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from kadam import optim
from kadam.errors import UnsupportedError
from kadam.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
    required,
)
from kadam.recording.tensor import from_array, read

Array = np.ndarray[Any, Any]
SHAPES = ((3, 4), (4,), ())
STEPS = 10

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.05}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.05}),
    ("SGD", {"lr": 0.1, "momentum": 0.5, "maximize": True, "weight_decay": 0.05}),
    ("Adam", {"lr": 0.05}),
    ("Adam", {"lr": 0.05, "betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "amsgrad": True, "betas": (0.8, 0.7)}),
    ("Adam", {"lr": 0.05, "maximize": True, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "decoupled_weight_decay": True, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.05}),
    ("AdamW", {"lr": 0.05, "amsgrad": True, "weight_decay": 0.3}),
    ("AdamW", {"lr": 0.05, "maximize": True, "weight_decay": 0.0}),
    ("RMSprop", {}),
    ("RMSprop", {"alpha": 0.9, "weight_decay": 0.1, "centered": True}),
    ("RMSprop", {"alpha": 0.9, "momentum": 0.8}),
    ("RMSprop", {"alpha": 0.9, "momentum": 0.8, "centered": True, "maximize": True}),
    ("Adagrad", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5}),
    ("Adagrad", {"lr": 0.1, "maximize": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.7, "weight_decay": 0.1, "maximize": True}),
    ("Adamax", {"lr": 0.05}),
    ("Adamax", {"lr": 0.05, "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {"lr": 0.05}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "momentum_decay": 0.1}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("RAdam", {"lr": 0.05}),
    ("RAdam", {"lr": 0.05, "weight_decay": 0.1}),
    ("RAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("Rprop", {}),
    ("Rprop", {"lr": 0.1, "etas": (0.3, 1.7), "step_sizes": (0.01, 0.2), "maximize": True}),
    ("ASGD", {"lr": 0.1}),
    ("ASGD", {"lr": 0.1, "lambd": 0.05, "alpha": 0.5, "t0": 3, "weight_decay": 0.1}),
    ("ASGD", {"lr": 0.1, "t0": 0, "maximize": True}),
    ("Adafactor", {}),
    ("Adafactor", {"lr": 0.5, "eps": (1e-3, 0.1), "d": 1.5, "weight_decay": 0.1, "beta2_decay": -0.5}),
    ("Adafactor", {"lr": 0.5, "maximize": True}),
]
NAMES = sorted({name for name, _ in VARIANTS})


def label(variant: Any) -> str:
    return variant if isinstance(variant, str) else ",".join(f"{key}={value}" for key, value in variant.items())


def values(seed: int, dtype: Any = np.float32) -> list[Array]:
    draw = np.random.default_rng(seed)
    return [np.asarray(draw.normal(size=shape)).astype(dtype) for shape in SHAPES]


def tensors(seed: int = 0, dtype: Any = np.float32) -> list[Any]:
    return [from_array(value, requires_grad=True) for value in values(seed, dtype)]


def torch_tensors(torch: Any, seed: int = 0, dtype: Any = np.float32) -> list[Any]:
    return [torch.from_numpy(value).requires_grad_() for value in values(seed, dtype)]


def feed(params: Sequence[Any], make: Callable[[Array], Any], step: int, missing: Any = (), dtype: Any = None) -> None:
    """Give the parameters the gradients of a step; None to those that are missing one."""
    for index, (param, grad) in enumerate(zip(params, values(100 + step, dtype or np.float32), strict=True)):
        param.grad = None if (index, step) in missing else make(grad)


def close(mine: Any, reference: Any, dtype: Any = np.float32) -> None:
    tolerance = {"rtol": 2e-5, "atol": 2e-6} if dtype is np.float32 else {"rtol": 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(read(mine), reference.detach().numpy(), **tolerance)


def compare_states(mine: dict[str, Any], reference: dict[str, Any], dtype: Any = np.float32) -> None:
    assert mine.keys() == reference.keys()
    for index, remembered in reference["state"].items():
        assert mine["state"][index].keys() == remembered.keys()
        for key, value in remembered.items():
            assert tuple(mine["state"][index][key].shape) == tuple(value.shape)
            close(mine["state"][index][key], value, dtype)
    assert mine["param_groups"] == reference["param_groups"]


@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=label)
def test_ten_steps(name: str, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = tensors(), torch_tensors(torch)
    mine, reference = getattr(optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options)
    for step in range(STEPS):
        feed(ours, from_array, step)
        feed(theirs, torch.from_numpy, step)
        mine.step()
        reference.step()
    for param, expected in zip(ours, theirs, strict=True):
        close(param, expected)
    compare_states(mine.state_dict(), reference.state_dict())


@pytest.mark.parametrize("name", NAMES)
def test_double_precision(name: str) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = tensors(dtype=np.float64), torch_tensors(torch, dtype=np.float64)
    mine, reference = getattr(optim, name)(ours, lr=0.1), getattr(torch.optim, name)(theirs, lr=0.1)
    for step in range(STEPS):
        feed(ours, from_array, step, dtype=np.float64)
        feed(theirs, torch.from_numpy, step, dtype=np.float64)
        mine.step()
        reference.step()
    for param, expected in zip(ours, theirs, strict=True):
        close(param, expected, np.float64)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"Adafactor"}))
def test_complex_parameters_are_pairs_of_real_ones(name: str) -> None:
    torch = pytest.importorskip("torch")
    start = (values(0)[0] + 1j * values(1)[0]).astype(np.complex64)
    ours, theirs = from_array(start.copy(), requires_grad=True), torch.from_numpy(start).requires_grad_()
    mine, reference = getattr(optim, name)([ours], lr=0.05), getattr(torch.optim, name)([theirs], lr=0.05)
    for step in range(STEPS):
        grad = (values(10 + step)[0] + 1j * values(20 + step)[0]).astype(np.complex64)
        ours.grad, theirs.grad = from_array(grad), torch.from_numpy(grad)
        mine.step()
        reference.step()
    close(ours, theirs)
    compare_states(mine.state_dict(), reference.state_dict())


@pytest.mark.parametrize("name", NAMES)
def test_parameters_without_gradients_keep_their_own_count(name: str) -> None:
    torch = pytest.importorskip("torch")
    missing = {(1, 0), (1, 1), (0, 3), (2, 5), (0, 6)}
    ours, theirs = tensors(), torch_tensors(torch)
    mine, reference = getattr(optim, name)(ours, lr=0.05), getattr(torch.optim, name)(theirs, lr=0.05)
    for step in range(STEPS):
        feed(ours, from_array, step, missing)
        feed(theirs, torch.from_numpy, step, missing)
        mine.step()
        reference.step()
    for param, expected in zip(ours, theirs, strict=True):
        close(param, expected)
    compare_states(mine.state_dict(), reference.state_dict())


@pytest.mark.parametrize(
    "options",
    [{}, {"nesterov": False, "weight_decay": 0.0}, {"lr": 0.1, "adjust_lr_fn": "match_rms_adamw", "ns_steps": 3}],
    ids=str,
)
def test_muon(options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    draw = np.random.default_rng(0)
    start = [draw.normal(size=shape).astype(np.float32) for shape in ((6, 4), (3, 5))]
    ours = [from_array(value.copy(), requires_grad=True) for value in start]
    theirs = [torch.from_numpy(value.copy()).requires_grad_() for value in start]
    mine, reference = optim.Muon(ours, **options), torch.optim.Muon(theirs, **options)
    for _ in range(4):
        for param, other in zip(ours, theirs, strict=True):
            grad = draw.normal(size=param.shape).astype(np.float32)
            param.grad, other.grad = from_array(grad), torch.from_numpy(grad)
        mine.step()
        reference.step()
    for param, other in zip(ours, theirs, strict=True):
        # each step is computed in bfloat16, with a relative precision of 2^-8
        np.testing.assert_allclose(read(param), other.detach().numpy(), atol=4 * 0.01 * options.get("lr", 1e-3))
    with pytest.raises(ValueError, match="2D"):
        optim.Muon(tensors())


def test_groups_with_options_of_their_own() -> None:
    torch = pytest.importorskip("torch")

    def groups(params: list[Any]) -> list[dict[str, Any]]:
        return [{"params": params[:1], "weight_decay": 0.1}, {"params": params[1:], "lr": 0.3, "betas": (0.5, 0.6)}]

    ours, theirs = tensors(), torch_tensors(torch)
    mine, reference = optim.AdamW(groups(ours), lr=0.1), torch.optim.AdamW(groups(theirs), lr=0.1)
    for step in range(STEPS):
        feed(ours, from_array, step)
        feed(theirs, torch.from_numpy, step)
        mine.step()
        reference.step()
        for optimizer in (mine, reference):
            optimizer.param_groups[1]["lr"] *= 0.9
            optimizer.param_groups[0]["betas"] = (0.9 - 0.05 * step, 0.99)
    for param, expected in zip(ours, theirs, strict=True):
        close(param, expected)


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_state_goes_on(name: str) -> None:
    whole_params, params = tensors(), tensors()
    whole, first = getattr(optim, name)(whole_params, lr=0.05), getattr(optim, name)(params, lr=0.05)
    for step in range(STEPS):
        for optimizer, of in ((whole, whole_params), (first, params)):
            feed(of, from_array, step)
            optimizer.step()
        if step == 4:
            saved = pickle.loads(pickle.dumps(copy.deepcopy(first.state_dict())))
            first = getattr(optim, name)(params, lr=1.0)
            first.load_state_dict(saved)
    for param, expected in zip(params, whole_params, strict=True):
        np.testing.assert_array_equal(read(param), read(expected))


@pytest.mark.parametrize("name", NAMES)
def test_pytorchs_state_can_be_loaded(name: str) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = tensors(), torch_tensors(torch)
    mine, reference = getattr(optim, name)(ours, lr=0.05), getattr(torch.optim, name)(theirs, lr=0.05)
    for step in range(3):
        feed(theirs, torch.from_numpy, step)
        reference.step()
    state = reference.state_dict()
    state["state"] = {
        index: {key: from_array(value.numpy().copy()) for key, value in remembered.items()}
        for index, remembered in state["state"].items()
    }
    mine.load_state_dict(state)
    for param, start in zip(ours, theirs, strict=True):
        param.data = from_array(start.detach().numpy().copy())
    for step in range(3, 6):
        feed(ours, from_array, step)
        feed(theirs, torch.from_numpy, step)
        mine.step()
        reference.step()
    for param, expected in zip(ours, theirs, strict=True):
        close(param, expected)


@pytest.mark.parametrize("name", ["Adam", "SGD", "RMSprop"])
def test_a_copied_optimizer_updates_the_copied_parameters(name: str) -> None:
    params = tensors()
    optimizer = getattr(optim, name)(params, lr=0.1)
    feed(params, from_array, 0)
    optimizer.step()
    before = [read(param).copy() for param in params]
    for other in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        copies = other.param_groups[0]["params"]
        feed(copies, from_array, 1)
        other.step()
        assert all((read(param) == old).all() for param, old in zip(params, before, strict=True))
        assert all((read(param) != old).any() for param, old in zip(copies, before, strict=True))


def test_a_changed_rate_is_no_new_path() -> None:
    from kadam.recording.step import state

    params = tensors()
    optimizer = optim.Adam(params, lr=0.1)

    def paths() -> int:
        return sum(1 for root in state.roots.values() for _ in root.below())

    counts = []
    for step in range(6):
        feed(params, from_array, step)
        optimizer.step()
        optimizer.param_groups[0]["lr"] *= 0.9
        read(params[0])
        counts.append(paths())
    assert counts[2] == counts[-1]


def computing_calls() -> int:
    """How many calls of the present recording compute something (the others note that memory changed)."""
    from kadam.recording.step import state

    assert state.rec is not None
    return sum(1 for call in state.rec.here.line() if call.outputs)


def test_a_step_is_one_call_however_many_parameters() -> None:
    for many in (1, 6):
        params = [param for seed in range(many) for param in tensors(seed)]
        optimizer = optim.AdamW(params, lr=0.1, amsgrad=True)
        for param in params:
            param.grad = from_array(np.ones(param.shape, np.float32))
        optimizer.step()
        read(params[0])
        assert computing_calls() == 0
        optimizer.step()
        assert computing_calls() == 1


def test_rates_that_are_tensors() -> None:
    for name in NAMES:
        params, others = tensors(), tensors()
        rate = from_array(np.array(0.25, np.float32))
        mine, other = getattr(optim, name)(params, lr=rate), getattr(optim, name)(others, lr=0.25)
        for step in range(3):
            for optimizer, of in ((mine, params), (other, others)):
                feed(of, from_array, step)
                optimizer.step()
        for param, expected in zip(params, others, strict=True):
            np.testing.assert_array_equal(read(param), read(expected))
        with pytest.raises(ValueError, match="1-element"):
            getattr(optim, name)(tensors(), lr=from_array(np.ones(2, np.float32)))


def test_the_closure_is_evaluated_with_gradients() -> None:
    from kadam.recording.modes import is_grad_enabled, no_grad

    params = tensors()
    optimizer = optim.SGD(params, lr=0.5)
    before = read(params[1]).copy()

    def closure() -> float:
        assert is_grad_enabled()
        feed(params, from_array, 0)
        return 7.5

    with no_grad():
        assert optimizer.step(closure) == 7.5
    np.testing.assert_allclose(read(params[1]), before - 0.5 * values(100)[1], rtol=1e-6)


def test_zero_grad() -> None:
    params = tensors()
    optimizer = optim.SGD(params)
    feed(params, from_array, 0, missing={(1, 0)})
    kept = params[0].grad
    optimizer.zero_grad(set_to_none=False)
    assert params[0].grad is kept
    assert not read(kept).any()
    assert params[1].grad is None
    optimizer.zero_grad()
    assert all(param.grad is None for param in params)


@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=label)
def test_repr(name: str, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    mine, reference = (
        getattr(optim, name)(tensors(), **options),
        getattr(torch.optim, name)(torch_tensors(torch), **options),
    )
    assert repr(mine) == repr(reference)


def named(params: list[Any]) -> list[Any]:
    return [(f"layer.{index}", param) for index, param in enumerate(params)]


GOOD_PARAMS: dict[str, Callable[[list[Any]], Any]] = {
    "list": lambda params: params,
    "generator": lambda params: (param for param in params),
    "groups": lambda params: [{"params": params[0]}, {"params": iter(params[1:]), "lr": 0.5}],
    "named": named,
    "named groups": lambda params: [{"params": named(params)[:1]}, {"params": named(params)[1:], "lr": 0.5}],
}
BAD_PARAMS: dict[str, Callable[[list[Any]], Any]] = {
    "tensor": lambda params: params[0],
    "empty": lambda params: [],
    "set": lambda params: [{"params": set(params)}],
    "number": lambda params: [params[0], 3],
    "half named": lambda params: [("a", params[0]), params[1]],
    "named and unnamed groups": lambda params: [{"params": named(params)[:1]}, {"params": params[1:]}],
    "twice": lambda params: [{"params": params[:2]}, {"params": params[1:]}],
    "no leaf": lambda params: [params[0] * 2],
    "groups and tensors": lambda params: [{"params": params[:1]}, params[1]],
}


@pytest.mark.parametrize("kind", GOOD_PARAMS)
def test_params(kind: str) -> None:
    torch = pytest.importorskip("torch")
    mine = optim.SGD(GOOD_PARAMS[kind](tensors()), lr=0.1)
    reference = torch.optim.SGD(GOOD_PARAMS[kind](torch_tensors(torch)), lr=0.1)
    assert mine.state_dict() == reference.state_dict()
    assert repr(mine) == repr(reference)


@pytest.mark.parametrize("kind", BAD_PARAMS)
def test_wrong_params(kind: str) -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises((TypeError, ValueError)) as theirs:
        torch.optim.SGD(BAD_PARAMS[kind](torch_tensors(torch)), lr=0.1)
    with pytest.raises(theirs.type):
        optim.SGD(BAD_PARAMS[kind](tensors()), lr=0.1)


def test_a_parameter_listed_twice_is_warned_about() -> None:
    param = tensors()[0]
    with pytest.warns(UserWarning, match="twice"):
        optim.SGD([param, param])


WRONG_OPTIONS: list[tuple[str, dict[str, Any]]] = [
    *((name, {"lr": -0.1}) for name in (*NAMES, "LBFGS")),
    ("SGD", {"momentum": -1}),
    ("SGD", {"nesterov": True}),
    ("SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}),
    ("SGD", {"fused": True, "foreach": True}),
    ("Adam", {"betas": (1.0, 0.9)}),
    ("Adam", {"betas": (0.9, -0.1)}),
    ("Adam", {"eps": -1.0}),
    ("AdamW", {"weight_decay": -1.0}),
    ("Adadelta", {"rho": 1.5}),
    ("Adagrad", {"lr_decay": -1.0}),
    ("Adagrad", {"initial_accumulator_value": -1.0}),
    ("Adamax", {"betas": (0.9, 1.0)}),
    ("NAdam", {"momentum_decay": -1.0}),
    ("RAdam", {"betas": (2.0, 0.9)}),
    ("RMSprop", {"alpha": -1.0}),
    ("Rprop", {"etas": (0.5, 0.9)}),
    ("Adafactor", {"d": 0.5}),
    ("Adafactor", {"beta2_decay": 0.5}),
    ("Adafactor", {"eps": (-1.0, 0.1)}),
    ("Muon", {"momentum": -1.0}),
    ("Muon", {"adjust_lr_fn": "none"}),
]


@pytest.mark.parametrize(("name", "options"), WRONG_OPTIONS, ids=label)
def test_wrong_options(name: str, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises((ValueError, RuntimeError)) as theirs:
        getattr(torch.optim, name)(torch_tensors(torch), **options)
    with pytest.raises(theirs.type):
        getattr(optim, name)(tensors(), **options)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"Adafactor"}))
def test_derivatives_through_an_update_are_refused(name: str) -> None:
    with pytest.raises(UnsupportedError, match="differentiable"):
        getattr(optim, name)(tensors(), differentiable=True)
    getattr(optim, name)(tensors(), foreach=False)


def test_states_of_other_groups_are_refused() -> None:
    optimizer = optim.Adam(tensors())
    fewer = optim.Adam(tensors()[:2]).state_dict()
    with pytest.raises(ValueError, match="2 parameters"):
        optimizer.load_state_dict(fewer)
    more = optim.Adam([{"params": [param]} for param in tensors()]).state_dict()
    with pytest.raises(ValueError, match="3 parameter groups"):
        optimizer.load_state_dict(more)


def test_adams_state_loaded_into_adamw_stays_decoupled() -> None:
    optimizer = optim.AdamW(tensors())
    optimizer.load_state_dict(optim.Adam(tensors(), weight_decay=0.1).state_dict())
    assert optimizer.param_groups[0]["decoupled_weight_decay"] is True


def test_hooks_around_a_step() -> None:
    params = tensors()
    optimizer = optim.SGD(params)
    calls: list[str] = []

    def note(what: str) -> Callable[..., None]:
        def hook(of: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            assert of is optimizer
            assert args[0] is optimizer
            calls.append(what)

        return hook

    handles = [
        optimizer.register_step_pre_hook(note("pre")),
        optimizer.register_step_post_hook(note("post")),
        register_optimizer_step_pre_hook(note("everyone's pre")),
        register_optimizer_step_post_hook(note("everyone's post")),
    ]
    optimizer.step()
    assert calls == ["everyone's pre", "pre", "post", "everyone's post"]
    for handle in handles:
        handle.remove()
    optimizer.step()
    assert len(calls) == 4


def test_a_pre_hook_may_replace_the_arguments() -> None:
    optimizer = optim.SGD(tensors())
    handle = optimizer.register_step_pre_hook(lambda of, args, kwargs: ((of,), {"closure": lambda: 3.0}))
    assert optimizer.step() == 3.0
    handle.remove()
    optimizer.register_step_pre_hook(lambda of, args, kwargs: 5)
    with pytest.raises(RuntimeError, match="pre hook"):
        optimizer.step()


def test_hooks_around_states() -> None:
    optimizer = optim.SGD(tensors())
    calls: list[str] = []
    optimizer.register_state_dict_pre_hook(lambda of: calls.append("second"))
    optimizer.register_state_dict_pre_hook(lambda of: calls.append("first"), prepend=True)
    optimizer.register_state_dict_post_hook(lambda of, state: {**state, "extra": 1})
    state = optimizer.state_dict()
    assert state["extra"] == 1
    assert calls == ["first", "second"]
    optimizer.register_load_state_dict_pre_hook(lambda of, state: calls.append(f"load {state['extra']}"))
    optimizer.register_load_state_dict_post_hook(lambda of: calls.append("loaded"))
    optimizer.load_state_dict(state)
    assert calls[2:] == ["load 1", "loaded"]


class Halving(Optimizer):
    """An optimizer as users write them."""

    def __init__(self, params: Any, rate: Any = required) -> None:
        super().__init__(params, {"rate": rate})

    def step(self, closure: Any = None) -> Any:
        from kadam.recording.modes import no_grad

        with no_grad():
            for group in self.param_groups:
                for param in group["params"]:
                    param.mul_(group["rate"])
                    self.state[param]["visits"] = self.state[param].get("visits", 0) + 1


class Quartering(Halving):
    def step(self, closure: Any = None) -> Any:
        super().step(closure)
        return super().step(closure)


def test_optimizers_of_ones_own() -> None:
    with pytest.raises(ValueError, match="rate"):
        Halving(tensors())
    params = tensors()
    before = read(params[0]).copy()
    optimizer = Quartering(params, rate=0.5)
    calls = []
    optimizer.register_step_post_hook(lambda *args: calls.append(args))
    optimizer.step()
    np.testing.assert_array_equal(read(params[0]), before / 4)
    assert len(calls) == 1
    assert optimizer.state_dict()["state"] == {0: {"visits": 2}, 1: {"visits": 2}, 2: {"visits": 2}}
    with pytest.raises(NotImplementedError):
        Optimizer(tensors(), {}).step()


def test_what_is_remembered_prints_as_pytorchs_state() -> None:
    params = [from_array(np.ones(2, np.float32)).requires_grad_()]
    optimizer = optim.SGD(params, lr=0.1, momentum=0.9)
    assert repr(optimizer.state) == "defaultdict(<class 'dict'>, {})"
    optimizer.state[params[0]]["visits"] = 2
    assert repr(optimizer.state).endswith("{'visits': 2}})")
