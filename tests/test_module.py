"""`nn.Module`'s bookkeeping, observed on Kadam and on PyTorch: names, errors, state, hooks, containers."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import re
import subprocess
import sys
import timeit
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

import kadam
from agreement import verdict
from kadam import nn
from kadam.nn.modules import hooks as hook_tables

Case = Callable[[Any], Any]
CASES: list[Case] = []


def case(function: Case) -> Case:
    """A function of `torch` whose result, or error, must be the same on Kadam and on PyTorch."""
    CASES.append(function)
    return function


def observed(function: Case, library: ModuleType) -> tuple[type | None, str]:
    """The kind of error or None, and what was returned or said, without what may differ."""
    try:
        kind, text = None, repr(function(library))
    except Exception as error:
        kind, text = type(error), verdict(error)
    return kind, re.sub(r"0x[0-9a-f]+|kadam\.|torch\.", "", text)


def attempts(*calls: Callable[[], Any]) -> list[str]:
    """What each call returns or raises."""
    found = []
    for call in calls:
        try:
            found.append(f"returns {call()!r}")
        except Exception as error:
            kind = next(one for one in type(error).__mro__ if one.__module__ == "builtins")
            found.append(f"raises {kind.__name__}: {verdict(error)}")
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "observation" in metafunc.fixturenames:
        metafunc.parametrize("observation", CASES, ids=lambda function: function.__name__)


@pytest.mark.filterwarnings("ignore")
def test_as_in_pytorch(observation: Case) -> None:
    torch = pytest.importorskip("torch")
    expected_kind, expected = observed(observation, torch)
    kind, found = observed(observation, kadam)
    assert found == expected
    assert (kind is None) == (expected_kind is None)
    assert expected_kind is None or issubclass(kind, expected_kind)  # type: ignore[arg-type]


class Uninitialised:
    """Makes a module whose `__init__` does not call that of `Module`."""

    def __new__(cls, torch: Any) -> Any:
        class NoInit(torch.nn.Module):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                pass

        return NoInit()


def linear(torch: Any) -> Any:
    module = torch.nn.Linear(2, 3)
    module.register_buffer("buf", torch.ones(1))
    return module


def nested(torch: Any) -> Any:
    return torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Sequential(torch.nn.ReLU()))


def row(torch: Any, *sizes: int) -> Any:
    return torch.nn.Sequential(*[torch.nn.Linear(1, size) for size in sizes])


def listing(torch: Any, *sizes: int) -> Any:
    return torch.nn.ModuleList([torch.nn.Linear(1, size) for size in sizes])


# --- names -----------------------------------------------------------------------------------------------------------


@case
def before_initialisation(torch: Any) -> Any:
    nn, module = torch.nn, Uninitialised(torch)
    return attempts(
        lambda: setattr(module, "a", nn.Parameter(torch.ones(1))),
        lambda: setattr(module, "a", nn.Linear(1, 1)),
        lambda: setattr(module, "a", nn.Buffer(torch.ones(1))),
        lambda: module.register_buffer("a", torch.ones(1)),
        lambda: module.register_parameter("a", None),
    )


@case
def assignments_of_the_wrong_type(torch: Any) -> Any:
    module, net = linear(torch), nested(torch)
    return attempts(
        lambda: setattr(module, "weight", torch.ones(1)),
        lambda: setattr(module, "weight", 3),
        lambda: setattr(net, "0", 3),
        lambda: setattr(net, "0", torch.ones(1)),
        lambda: setattr(module, "buf", "x"),
        lambda: setattr(module, "weight", None),
        lambda: module,
        lambda: next(iter(module._parameters.items())),
    )


@case
def registration_of_buffers(torch: Any) -> Any:
    module = linear(torch)
    return attempts(
        lambda: module.register_buffer(3, None),
        lambda: module.register_buffer("a.b", None),
        lambda: module.register_buffer("", None),
        lambda: module.register_buffer("weight", None),
        lambda: module.register_buffer("forward", None),
        lambda: module.register_buffer("q", 3),
        lambda: module.register_buffer("n", None, persistent=False),
        lambda: sorted(module._non_persistent_buffers_set),
        lambda: list(module._buffers),
        lambda: module.n,
    )


@case
def registration_of_parameters(torch: Any) -> Any:
    nn, module = torch.nn, linear(torch)
    return attempts(
        lambda: module.register_parameter(3, None),
        lambda: module.register_parameter("a.b", None),
        lambda: module.register_parameter("", None),
        lambda: module.register_parameter("buf", None),
        lambda: module.register_parameter("q", torch.ones(1)),
        lambda: module.register_parameter("q", 3),
        lambda: module.register_parameter("q", nn.Parameter(torch.ones(1)) * 2),
        lambda: module.register_parameter("none", None),
        lambda: list(module._parameters),
        lambda: [name for name, _ in module.named_parameters()],
    )


@case
def registration_of_modules(torch: Any) -> Any:
    module = linear(torch)
    return attempts(
        lambda: module.add_module(3, None),
        lambda: module.add_module("a.b", None),
        lambda: module.add_module("", None),
        lambda: module.add_module("weight", None),
        lambda: module.add_module("q", 3),
        lambda: module.register_module("r", torch.nn.ReLU()),
        lambda: module.add_module("none", None),
        lambda: module,
    )


@case
def names_that_do_not_exist(torch: Any) -> Any:
    module = linear(torch)
    return attempts(lambda: module.nothing, lambda: delattr(module, "nothing"))


@case
def changes_of_kind(torch: Any) -> Any:
    nn, module = torch.nn, linear(torch)
    module.a = 3
    module.a = nn.Parameter(torch.ones(1))
    refused = attempts(lambda: setattr(module, "bias", nn.ReLU()))
    module.buf = nn.ReLU()
    refused += attempts(lambda: setattr(module, "buf", nn.Buffer(torch.ones(1))))
    module.b = nn.Linear(1, 1)
    module.b = nn.Parameter(torch.ones(2))
    module.buf = nn.Parameter(torch.ones(3))
    module.c = nn.Buffer(torch.ones(4), persistent=False)
    del module.weight
    return (
        list(module._parameters), list(module._buffers), list(module._modules), list(module.state_dict()),
        module.a, hasattr(module, "weight"), sorted(module._non_persistent_buffers_set), refused,
    )  # fmt: skip


@case
def tables_edited_directly(torch: Any) -> Any:
    nn, module = torch.nn, linear(torch)
    module._parameters["weight"] = nn.Parameter(torch.zeros(3, 2))
    first = module.weight
    removed = module._parameters.pop("bias")
    module._buffers["stat"] = torch.ones(2)
    module._buffers["empty"] = None
    module._modules["act"] = nn.ReLU()
    del module._buffers["buf"]
    return (
        first, tuple(removed.shape), hasattr(module, "bias"), module.stat, module.empty, module.act,
        hasattr(module, "buf"), list(module._buffers), "weight" in module._parameters, len(module._parameters),
        module._parameters.get("nothing"), attempts(lambda: module._parameters["nothing"]), list(module.state_dict()),
    )  # fmt: skip


@case
def tables_replaced(torch: Any) -> Any:
    module = linear(torch)
    clone = module.__new__(type(module))
    clone.__dict__ = module.__dict__.copy()
    clone._parameters = clone._parameters.copy()
    clone._buffers = clone._buffers.copy()
    clone._modules = clone._modules.copy()
    clone._parameters["weight"] = None
    del clone._buffers["buf"]
    return list(module.state_dict()), list(clone.state_dict()), tuple(module.weight.shape), clone.weight


@case
def initialisation_with_arguments(torch: Any) -> Any:
    nn = torch.nn

    class Other:
        def __init__(self, value: int = 0) -> None:
            self.value = value

    class Both(nn.Module, Other):  # type: ignore[misc, name-defined]
        call_super_init = True

    return attempts(lambda: nn.Module(1), lambda: nn.Module(a=1), lambda: Both(value=7).value, lambda: nn.Module()(1))


@case
def super_getattr_of_a_wrapper(torch: Any) -> Any:
    class Wrapper(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, module: Any) -> None:
            super().__init__()
            self.module = module

        def __getattr__(self, name: str) -> Any:
            try:
                return super().__getattr__(name)
            except AttributeError:
                return getattr(self.module, name)

    wrapper = Wrapper(torch.nn.Linear(2, 3))
    return wrapper.in_features, super(Wrapper, wrapper).__getattr__("module"), attempts(lambda: wrapper.nothing)


@case
def getattr_called_by_name(torch: Any) -> Any:
    class Numbered(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            for number in range(2):
                self.add_module(f"layer{number}", torch.nn.Linear(number + 1, 3))

        def sizes(self) -> Any:
            return [self.__getattr__(f"layer{number}").in_features for number in range(2)]

    return Numbered().sizes(), attempts(lambda: Numbered().layer2)


@case
def public_names(torch: Any) -> Any:
    ours_too = {"dump_patches", "call_super_init", "ipu", "xpu", "mtia", "register_module", "T_destination"}
    return sorted(name for name in dir(linear(torch)) if not name.startswith("_") and name not in ours_too)


def test_a_class_that_names_no_getattr_costs_the_others_nothing() -> None:
    """Of a class with a `__getattr__`, Python reads every attribute many times slower."""
    source = """
import kadam
from kadam import nn

class Net(nn.Module):
    @property
    def failing(self): return self.nothing

print(hasattr(nn.Module, "__getattr__"))
try:
    Net().failing
except AttributeError as error:  # PyTorch: no attribute 'failing'
    print(error)

class Wrapper(nn.Module):
    def find(self): return lambda: self.__getattr__("a")

print(hasattr(nn.Module, "__getattr__"))
"""
    told = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True).stdout
    assert told.splitlines() == ["False", "'Net' object has no attribute 'nothing'", "True"]


# --- walking ---------------------------------------------------------------------------------------------------------


@case
def walks(torch: Any) -> Any:
    nn = torch.nn
    shared = nn.Linear(1, 1)
    net = nn.Sequential(OrderedDict(a=shared, b=nn.Sequential(shared, nn.ReLU()), c=None))
    net.b.tied = shared.weight
    net.b.register_buffer("stat", torch.ones(1))

    def names(pairs: Iterator[tuple[str, Any]]) -> list[str]:
        return [name for name, _ in pairs]

    return (
        names(net.named_parameters()), names(net.named_parameters("p")), names(net.named_parameters(recurse=False)),
        names(net.named_parameters(remove_duplicate=False)), names(net.named_modules()),
        names(net.named_modules(prefix="x")), names(net.named_modules(remove_duplicate=False)),
        names(net.named_children()), names(net.named_buffers()),
        names(net.named_buffers("p", recurse=False)), len(list(net.parameters())), len(list(net.modules())),
        len(list(net.children())), len(list(net.buffers())), names(net.b.named_parameters(recurse=False)),
        list(net.state_dict()),
    )  # fmt: skip


@case
def paths(torch: Any) -> Any:
    module, net = linear(torch), nested(torch)
    return attempts(
        lambda: module.get_submodule("x.y"),
        lambda: module.get_submodule("weight"),
        lambda: module.get_submodule("").extra_repr(),
        lambda: net.get_submodule("1.0"),
        lambda: tuple(net.get_parameter("0.bias").shape),
        lambda: net.get_parameter("0.x"),
        lambda: net.get_parameter("0.in_features"),
        lambda: module.get_buffer("weight"),
        lambda: module.get_buffer("x"),
        lambda: module.get_buffer("buf"),
        lambda: net.set_submodule("1.0", torch.nn.Tanh()),
        lambda: net.set_submodule("", torch.nn.Tanh()),
        lambda: net.set_submodule("1.7", torch.nn.Tanh()),
        lambda: net.set_submodule("1.8", torch.nn.Tanh(), strict=True),
        lambda: net.set_submodule("0.weight", torch.nn.Tanh()),
        lambda: net.set_submodule("3.4", torch.nn.Tanh()),
        lambda: net,
    )


@case
def modes(torch: Any) -> Any:
    net = nested(torch)
    seen: list[str] = []
    applied = net.apply(lambda module: seen.append(type(module).__name__))
    return (
        applied is net, seen, net.eval() is net, [module.training for module in net.modules()],
        net.train() is net, net.training, attempts(lambda: net.train(1)),
        net.requires_grad_(False) is net, [parameter.requires_grad for parameter in net.parameters()],
        net.compile(),
    )  # fmt: skip


@case
def conversions(torch: Any) -> Any:
    module = torch.nn.BatchNorm1d(3)
    weight = module.weight

    def types() -> list[str]:
        return [str(value.dtype) for value in module.state_dict().values()]

    return attempts(
        lambda: (module.double() is module, types(), module.weight is weight, module.weight.requires_grad),
        lambda: (module.half(), types()),
        lambda: (module.bfloat16(), types()),
        lambda: (module.float(), types()),
        lambda: (module.to(torch.float64), types()),
        lambda: (module.to(torch.ones(1)), types()),
        lambda: (module.to("cpu"), module.cpu() is module, types()),
        lambda: (module.to(device="cpu", dtype=torch.float64), types()),
        lambda: (module.type(torch.float32), types()),
        lambda: module.to(torch.int32),
    )


@case
def conversion_keeps_values_and_gradients(torch: Any) -> Any:
    module = torch.nn.Linear(1, 1)
    torch.nn.init.constant_(module.weight, 0.5)
    module.weight.grad = torch.ones(1, 1)
    module.double()
    return module.weight, module.weight.grad, module.weight.is_leaf


# --- state -----------------------------------------------------------------------------------------------------------


@case
def loading_what_does_not_fit(torch: Any) -> Any:
    module, net = linear(torch), nested(torch)
    return attempts(
        lambda: module.load_state_dict(3),
        lambda: module.load_state_dict({}),
        lambda: module.load_state_dict({"w": 1, "weight": torch.ones(2), "bias": 3, "a.b": 1}),
        lambda: module.load_state_dict({"w": 1}, strict=False),
        lambda: module.load_state_dict(module.state_dict()),
        lambda: net.load_state_dict({"0.weight": torch.ones(2, 2), "1.x": 1, "0.y.z": 2, "2": 3}),
    )


@case
def contents_of_a_state(torch: Any) -> Any:
    net = nested(torch)
    net.register_buffer("kept", torch.ones(1))
    net.register_buffer("lost", torch.ones(1), persistent=False)
    net.register_buffer("none", None)
    state = net.state_dict()
    given: dict[str, Any] = {}
    return (
        type(state).__name__, list(state), state._metadata, [value.requires_grad for value in state.values()],
        [value.requires_grad for value in net.state_dict(keep_vars=True).values()],
        list(net.state_dict(prefix="p.")), net.state_dict(destination=given) is given, list(given),
        list(net.state_dict({}, "q.", True)),
    )  # fmt: skip


@case
def a_state_shares_memory(torch: Any) -> Any:
    module = torch.nn.Linear(2, 1)
    state = module.state_dict()
    torch.nn.init.zeros_(module.weight)
    other = torch.nn.Linear(2, 1)
    other.load_state_dict(state)
    torch.nn.init.ones_(module.weight)
    return state["weight"], other.weight


@case
def assigning_a_state(torch: Any) -> Any:
    module = torch.nn.BatchNorm1d(2)
    state = {name: torch.zeros(2) for name in ("weight", "bias", "running_mean", "running_var")}
    state["num_batches_tracked"] = torch.tensor(7)
    before = module.weight
    module.weight.requires_grad_(False)
    result = module.load_state_dict(state, assign=True)
    return (
        result, module.weight is before, type(module.weight).__name__, module.weight.requires_grad,
        module.bias.requires_grad, module.running_mean is state["running_mean"], module.num_batches_tracked,
    )  # fmt: skip


@case
def scalars_saved_as_vectors(torch: Any) -> Any:
    class One(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.tensor(1.0))

    module = One()
    return module.load_state_dict({"scale": torch.tensor([3.0])}), module.scale


@case
def extra_state(torch: Any) -> Any:
    class Counting(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.count = 0

        def get_extra_state(self) -> Any:
            return {"count": self.count}

        def set_extra_state(self, state: Any) -> None:
            self.count = state["count"]

    one, other = Counting(), Counting()
    one.count = 5
    state = one.state_dict()
    return (
        state, other.load_state_dict(state), other.count, attempts(lambda: other.load_state_dict({})),
        attempts(lambda: torch.nn.ReLU().load_state_dict(state)),
    )  # fmt: skip


@case
def an_older_layout(torch: Any) -> Any:
    class Renamed(torch.nn.Linear):  # type: ignore[misc, name-defined]
        _version = 2

        def _load_from_state_dict(self, state_dict: Any, prefix: str, local_metadata: Any, *rest: Any) -> None:
            if local_metadata.get("version", 1) < 2:
                state_dict[prefix + "weight"] = state_dict.pop(prefix + "w")
            super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    net = torch.nn.Sequential(Renamed(2, 1, bias=False))
    return net.load_state_dict({"0.w": torch.ones(1, 2)}), net[0].weight, net.state_dict()._metadata


@case
def hooks_of_states(torch: Any) -> Any:
    seen: list[Any] = []
    module = torch.nn.Linear(1, 1)
    handles = [
        module.register_state_dict_pre_hook(lambda module, prefix, keep: seen.append(("before", prefix, keep))),
        module.register_state_dict_post_hook(lambda module, state, prefix, meta: state.update(more=1)),
        module._register_state_dict_hook(lambda module, state, prefix, meta: dict(state, other=2)),
        module.register_load_state_dict_pre_hook(
            lambda module, state, prefix, *rest: state.pop("more", None) and state.pop("other", None)
        ),
        module.register_load_state_dict_post_hook(lambda module, keys: keys.missing_keys.clear()),
    ]
    state = module.state_dict()
    loaded = attempts(
        lambda: module.load_state_dict(state), lambda: module.load_state_dict({"weight": torch.ones(1, 1)})
    )
    for handle in handles:
        handle.remove()
    wrong = module.register_state_dict_post_hook(lambda *given: 1)
    failing = attempts(module.state_dict)
    wrong.remove()
    return list(state), loaded, seen, failing, list(module.state_dict())


# --- hooks -----------------------------------------------------------------------------------------------------------


class Recorder:
    """Hooks that note how they were called."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def note(self, name: str, answer: Any = None) -> Callable[..., Any]:
        def hook(module: Any, *given: Any) -> Any:
            self.seen.append(repr((name, type(module).__name__, *given)))
            return answer

        return hook


def plus(torch: Any) -> Any:
    class Plus(torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, a: Any, b: Any = 10, fail: bool = False) -> Any:
            if fail:
                raise ValueError("failed")
            return a + b

    return Plus()


@case
def forward_hooks(torch: Any) -> Any:
    module, recorder = plus(torch), Recorder()
    handles = [
        module.register_forward_pre_hook(recorder.note("pre", 5)),
        module.register_forward_pre_hook(recorder.note("first"), prepend=True),
        module.register_forward_pre_hook(recorder.note("kwargs", ((6,), {"b": 1})), with_kwargs=True),
        module.register_forward_hook(recorder.note("after", 100)),
        module.register_forward_hook(recorder.note("soonest"), prepend=True),
        module.register_forward_hook(recorder.note("all"), with_kwargs=True),
    ]
    result = module(1, b=2)
    count = len(module._forward_hooks), len(module._forward_pre_hooks)
    for handle in handles:
        handle.remove()
    return result, count, recorder.seen, module(1, b=2), len(recorder.seen)


@case
def wrong_answers_of_hooks(torch: Any) -> Any:
    module, recorder = plus(torch), Recorder()
    module.register_forward_pre_hook(recorder.note("pre", 5), with_kwargs=True)
    return attempts(lambda: module(1))


@case
def hooks_that_are_always_called(torch: Any) -> Any:
    module, recorder = plus(torch), Recorder()
    module.register_forward_hook(recorder.note("usual"))
    module.register_forward_hook(recorder.note("always"), always_call=True)
    module.register_forward_hook(recorder.note("with kwargs"), always_call=True, with_kwargs=True)
    return attempts(lambda: module(1), lambda: module(1, fail=True)), recorder.seen


@case
def hooks_of_all_modules(torch: Any) -> Any:
    table = torch.nn.modules.module
    net, recorder = torch.nn.Sequential(plus(torch), torch.nn.Identity()), Recorder()
    net[1].register_forward_hook(recorder.note("own"))
    handles = [
        table.register_module_forward_pre_hook(recorder.note("pre")),
        table.register_module_forward_hook(recorder.note("after"), with_kwargs=True),
        table.register_module_forward_hook(recorder.note("always"), always_call=True),
    ]
    results = attempts(lambda: net(1), lambda: net[0](1, fail=True))
    for handle in handles:
        handle.remove()
    return results, recorder.seen, net(1), len(recorder.seen)


@case
def handles(torch: Any) -> Any:
    module, recorder = plus(torch), Recorder()
    with module.register_forward_hook(recorder.note("inside")):
        module(1)
    module(2)
    module.register_forward_hook(recorder.note("cleared"))
    module._forward_hooks.clear()
    return module(3), recorder.seen


@case
def hooks_of_registration(torch: Any) -> Any:
    table, seen = torch.nn.modules.module, []
    handles = [
        table.register_module_parameter_registration_hook(lambda module, name, value: seen.append(name)),
        table.register_module_buffer_registration_hook(lambda module, name, value: seen.append(name)),
        table.register_module_module_registration_hook(
            lambda module, name, value: torch.nn.Tanh() if isinstance(value, torch.nn.ReLU) else None
        ),
    ]
    net = torch.nn.Sequential(torch.nn.BatchNorm1d(1), torch.nn.ReLU())
    for handle in handles:
        handle.remove()
    return seen, net, torch.nn.Sequential(torch.nn.ReLU())


@case
def kinds_of_backward_hooks(torch: Any) -> Any:
    one, other = torch.nn.ReLU(), torch.nn.ReLU()
    one.register_full_backward_hook(lambda *given: None)
    other.register_backward_hook(lambda *given: None)
    return attempts(
        lambda: one.register_backward_hook(lambda *given: None),
        lambda: other.register_full_backward_hook(lambda *given: None),
    )


def scaling(torch: Any) -> Any:
    class Scale(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.factor = torch.nn.Parameter(torch.tensor([2.0, 3.0]))

        def forward(self, x: Any) -> Any:
            return x * self.factor

    return Scale()


def two_outputs(torch: Any) -> Any:
    class Two(torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, x: Any, y: Any) -> Any:
            return x * 2, x + y

    return Two()


@case
def backward_hooks(torch: Any) -> Any:
    module, recorder = scaling(torch), Recorder()
    x = torch.tensor([1.0, 1.0], requires_grad=True)
    handles = [
        module.register_full_backward_hook(recorder.note("full")),
        module.register_full_backward_hook(recorder.note("first"), prepend=True),
        module.register_full_backward_pre_hook(recorder.note("pre")),
    ]
    output = module(x)
    output.sum().backward()
    module(torch.ones(2)).sum().backward()
    for handle in handles:
        handle.remove()
    return output, x.grad, module.factor.grad, recorder.seen, str(module(x).grad_fn)[:4]


@case
def backward_hooks_that_answer(torch: Any) -> Any:
    module, x = scaling(torch), torch.tensor([1.0, 1.0], requires_grad=True)
    handle = module.register_full_backward_hook(lambda module, grad_input, grad_output: (grad_input[0] * 10,))
    module.register_full_backward_pre_hook(lambda module, grad_output: (grad_output[0] * 3,))
    module(x).sum().backward()
    handle.remove()
    found = x.grad.tolist(), module.factor.grad.tolist()
    handle = module.register_full_backward_hook(lambda module, *gradients: (torch.ones(2), torch.ones(2)))
    wrong = attempts(lambda: module(x).sum().backward(), lambda: module(torch.ones(2)).sum().backward())
    return found, wrong


@case
def backward_hooks_of_several_tensors(torch: Any) -> Any:
    module, recorder = two_outputs(torch), Recorder()
    module.register_full_backward_hook(recorder.note("full"))
    x, y = torch.tensor([1.0, 1.0], requires_grad=True), torch.tensor([5.0, 5.0], requires_grad=True)
    module(x, y)[0].sum().backward()
    module(x, y)[1].sum().backward()
    module(x, torch.ones(2))[1].sum().backward()
    module(x, 3)[1].sum().backward()
    sum(module(x, torch.tensor([5, 5]))).sum().backward()
    return recorder.seen, x.grad, y.grad


@case
def backward_hooks_of_all_modules(torch: Any) -> Any:
    net, recorder = torch.nn.Sequential(scaling(torch), scaling(torch)), Recorder()
    x = torch.tensor([1.0, 1.0], requires_grad=True)
    handle = torch.nn.modules.module.register_module_full_backward_hook(recorder.note("any"))
    net(x).sum().backward()
    handle.remove()
    net(x).sum().backward()
    return recorder.seen, x.grad


@case
def backward_hooks_where_the_output_is_no_tensor(torch: Any) -> Any:
    class Named(torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, x: Any) -> Any:
            return {"double": x * 2}

    module, recorder = Named(), Recorder()
    module.register_full_backward_hook(recorder.note("full"))
    x = torch.tensor([1.0], requires_grad=True)
    with pytest.warns(UserWarning, match="module output should be a Tensor or a tuple of Tensors"):
        module(x)["double"].sum().backward()
    return recorder.seen, x.grad


# --- containers ------------------------------------------------------------------------------------------------------


@case
def sequences(torch: Any) -> Any:
    nn = torch.nn
    return attempts(
        lambda: nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh())),
        lambda: nn.Sequential({"a": nn.ReLU()}),
        lambda: nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh()))[:1],
        lambda: nested(torch)[5],
        lambda: nested(torch)["0"],
        lambda: nested(torch)[-1],
        lambda: nested(torch)[0:1],
        lambda: nn.Sequential(3),
        lambda: nn.Sequential().forward(3),
        lambda: row(torch, 1, 2) + row(torch, 3),
        lambda: row(torch, 1).__add__([nn.ReLU()]),
        lambda: row(torch, 1, 2) * 2,
        lambda: 2 * row(torch, 1),
        lambda: row(torch, 1) * 0,
        lambda: row(torch, 1) * 1.5,
        lambda: row(torch, 1).append(nn.ReLU()).extend([nn.Tanh()]).extend(row(torch, 1)),
        lambda: row(torch, 1).append(4),
        lambda: row(torch, 1, 2).insert(7, nn.ReLU()),
        lambda: row(torch, 1, 2).insert(1, nn.ReLU()),
        lambda: row(torch, 1, 2).insert(-1, nn.ReLU()),
        lambda: nn.Sequential(OrderedDict(a=nn.ReLU())).append(nn.Tanh()),
    )


@case
def sequences_changed(torch: Any) -> Any:
    nn = torch.nn
    added, popped, cut, replaced = row(torch, 1), row(torch, 1, 2, 3), row(torch, 1, 2, 3), row(torch, 1, 2)
    named = nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh(), c=nn.GELU()))
    added += row(torch, 2)
    added *= 2
    del cut[0:2]
    replaced[-1] = nn.ReLU()
    del named[1]
    return added, popped.pop(1), popped, cut, replaced, named, len(named), [type(one).__name__ for one in named]


@case
def lists(torch: Any) -> Any:
    nn = torch.nn
    added, cut, popped, same = (
        listing(torch, 1),
        listing(torch, 1, 2, 3),
        listing(torch, 1, 2, 3),
        listing(torch, 1, 1, 1, 2, 2, 3),
    )
    added += [nn.ReLU()]
    added.insert(1, nn.Tanh())
    del cut[-1]
    return (
        added, added + listing(torch, 3), cut, popped.pop(0), popped[1:], popped[-1], same, same.pop(slice(0, 2)), same,
        nn.ModuleList(), nn.ReLU() in same,
        attempts(
            lambda: nn.ModuleList([1]), lambda: nn.ModuleList([nn.ReLU()])[4], lambda: nn.ModuleList(3),
            lambda: nn.ModuleList([nn.ReLU()]).extend(3), lambda: nn.ModuleList()(3),
            lambda: listing(torch, 1).__setitem__(5, nn.ReLU()), lambda: listing(torch, 1).__setitem__(0, 3),
            lambda: listing(torch, 1)["0"],
        ),
    )  # fmt: skip


@case
def dicts(torch: Any) -> Any:
    nn = torch.nn
    filled = nn.ModuleDict({"a": nn.ReLU()})
    filled.update([["b", nn.Tanh()]])
    filled.update(OrderedDict(z=nn.ReLU(), c=nn.ReLU()))
    filled.update(nn.ModuleDict({"y": nn.ReLU()}))
    found = repr(filled), list(filled), list(filled.keys()), list(filled.values()), list(filled.items()), len(filled)
    popped = filled.pop("b"), "a" in filled, "b" in filled
    filled["none"] = None
    filled.clear()
    return found, popped, filled, attempts(
        lambda: nn.ModuleDict(3), lambda: nn.ModuleDict({"a": 3}), lambda: nn.ModuleDict()["x"],
        lambda: nn.ModuleDict([("a", nn.ReLU(), 3)]), lambda: nn.ModuleDict([3]), lambda: nn.ModuleDict()(3),
        lambda: nn.ModuleDict({"keys": nn.ReLU()}), lambda: nn.ModuleDict({3: nn.ReLU()}),
    )  # fmt: skip


@case
def lists_of_parameters(torch: Any) -> Any:
    nn = torch.nn
    filled = nn.ParameterList([torch.zeros(1), nn.Parameter(torch.ones(2)), 5])
    filled.append(torch.ones(1))
    filled += [torch.ones(2, 3)]
    filled.extend([nn.Parameter(torch.ones(3))])
    filled[0] = torch.ones(4)
    return (
        filled, filled[1:], filled[-1], len(filled), [type(one).__name__ for one in filled], list(filled.state_dict()),
        nn.ParameterList(), nn.ParameterList([torch.ones(1)]), nn.ParameterList([nn.ParameterList([torch.ones(1)])]),
        attempts(
            lambda: nn.ParameterList(3), lambda: filled[30], lambda: filled.extend(torch.ones(2)),
            lambda: filled.__setitem__(9, 1), lambda: filled(3), lambda: nn.ParameterList([torch.tensor(1.0)]),
        ),
    )  # fmt: skip


@case
def dicts_of_parameters(torch: Any) -> Any:
    nn = torch.nn
    filled = nn.ParameterDict({"b": torch.ones(1), "a": 3})
    filled["c"] = nn.Parameter(torch.ones(2))
    filled.update({"z": torch.ones(1), "y": torch.ones(1, 2)})
    filled.update([("q", torch.ones(1))])
    found = (
        repr(filled), list(filled), list(filled.keys()), [key for key, _ in filled.items()], len(list(filled.values())),
        filled.get("nothing", 7), filled.setdefault("m", torch.ones(2)), filled.setdefault("n"), filled.pop("m"),
        filled.popitem(), len(filled), "a" in filled, filled.copy(), filled.fromkeys(["u", "v"], 1.0),
        list(reversed(filled)), list(filled.state_dict()), filled.a, tuple(filled["c"].shape),
    )  # fmt: skip
    joined = filled | nn.ParameterDict({"r": torch.ones(1)})
    filled |= nn.ParameterDict({"s": torch.ones(1)})
    return found, joined, filled, nn.ParameterDict(nn.ParameterDict({"x": torch.ones(1)})), attempts(
        lambda: nn.ParameterDict(3), lambda: nn.ParameterDict({})["x"], lambda: nn.ParameterDict({3: torch.ones(1)}),
        lambda: nn.ParameterDict([3]), lambda: nn.ParameterDict([(1, 2, 3)]), lambda: filled.pop("nothing"),
        lambda: filled.__delitem__("nothing"), lambda: nn.ParameterDict({"type": torch.ones(1)}), lambda: filled(3),
        lambda: filled.clear(), lambda: filled,
    )  # fmt: skip


# --- parameters ------------------------------------------------------------------------------------------------------


@case
def parameters(torch: Any) -> Any:
    nn = torch.nn
    data = torch.zeros(2)
    parameter = nn.Parameter(data)
    data.add_(1)
    tagged = nn.Parameter(torch.ones(1))
    tagged.grad = torch.ones(1)
    copied = copy.deepcopy(tagged)
    computed = torch.ones(2, requires_grad=True) * 2
    return (
        parameter, nn.Parameter(), nn.Parameter(torch.ones(1), requires_grad=False), parameter.is_leaf,
        type(parameter).__name__, isinstance(torch.ones(1), nn.Parameter), type(parameter + 1).__name__,
        type(copied).__name__, copied.grad, copied, nn.Parameter(computed).is_leaf,
        pickle.loads(pickle.dumps(parameter)), nn.Buffer(torch.ones(1)), nn.Buffer(torch.ones(1)).requires_grad,
        nn.Buffer(torch.ones(1), persistent=False).persistent, type(copy.copy(parameter)).__name__,
    )  # fmt: skip


@case
def a_parameter_shares_memory(torch: Any) -> Any:
    data = torch.zeros(3)
    parameter = torch.nn.Parameter(data)
    view = parameter.data
    torch.nn.init.ones_(parameter)
    first = data.tolist(), view.tolist()
    data[0] = 5.0
    second = parameter.tolist(), view.tolist()
    other = torch.nn.Parameter(data)
    view[1] = 7.0
    return first, second, parameter.tolist(), other.tolist(), data.tolist(), torch.nn.Parameter(parameter.data).tolist()


@case
def parameters_on_other_memory_are_trained(torch: Any) -> Any:
    nn, whole, plain = torch.nn, torch.ones(3), torch.tensor([1.0, 2.0])
    part, lent, computed = nn.Parameter(whole[1:]), nn.Parameter(plain), nn.Parameter(torch.ones(2) * 0.5)
    again = nn.Parameter(lent.data)
    optimizer = torch.optim.SGD([part, lent, computed], lr=0.01)
    seen = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = ((part * 2 + lent * 3 + computed) ** 2).sum()
        loss.backward()
        optimizer.step()
        values = (loss, part, lent, computed, whole, plain, again, plain * 1)
        seen.append(([[round(one, 4) for one in flat(value.tolist())] for value in values], part.requires_grad))
    with torch.no_grad():
        plain[0] = 7.0
    return seen, lent.tolist()[0], (lent * 1).tolist()[0], again.tolist()[0]


def flat(values: Any) -> list[float]:
    return values if isinstance(values, list) else [values]


@case
def parameters_of_integers(torch: Any) -> Any:
    return torch.nn.Parameter(torch.arange(3), requires_grad=False).requires_grad


# --- without PyTorch -------------------------------------------------------------------------------------------------


def test_members_are_ordinary_attributes() -> None:
    module = nn.Linear(2, 3)
    assert vars(module)["weight"] is module.weight is module._parameters["weight"]
    assert vars(nn.Sequential(module))["0"] is module
    module.register_buffer("none", None)
    assert vars(module)["none"] is None


def test_copies_have_members_of_their_own() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    shallow, deep = copy.copy(module), copy.deepcopy(module)
    read_back = pickle.loads(pickle.dumps(module))
    shallow.extra = nn.ReLU()
    assert "extra" not in module._modules
    assert shallow[0] is module[0]
    for other in (deep, read_back):
        assert list(other.state_dict()) == list(module.state_dict())
        assert other[0].weight is not module[0].weight
        assert other[0].weight is other[0]._parameters["weight"]
        assert other[0].weight.tolist() == module[0].weight.tolist()


def test_tied_parameters_stay_tied_in_a_deep_copy() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    module[1].weight = module[0].weight
    copied = copy.deepcopy(module)
    assert copied[1].weight is copied[0].weight
    assert copied[1].weight is not module[0].weight
    assert len(list(copied.parameters())) == 3


def test_a_state_in_pytorchs_layout_is_read() -> None:
    module, donor = nn.Linear.__new__(nn.Linear), nn.Linear(2, 3)
    state = {key: value for key, value in vars(donor).items() if key not in ("weight", "bias", "_members")}
    state |= {"_parameters": OrderedDict(donor._parameters), "_buffers": OrderedDict(), "_modules": OrderedDict()}
    module.__setstate__(state)
    assert list(module.state_dict()) == ["weight", "bias"]
    assert repr(module) == repr(donor)


def test_a_module_is_freed_without_the_garbage_collector() -> None:
    gc.disable()
    try:
        module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        watched = weakref.ref(module), weakref.ref(module[0].weight)
        del module
        assert [reference() for reference in watched] == [None, None]
    finally:
        gc.enable()


def test_only_modules_with_hooks_take_the_slow_way() -> None:
    module, other = nn.Identity(), nn.Identity()
    handle = module.register_forward_hook(lambda *given: None)
    assert module._hooked
    assert not other._hooked
    handle.remove()
    module(1)
    assert not module._hooked
    handle = hook_tables.register_module_forward_hook(lambda *given: None)
    assert other._hooked
    handle.remove()
    other(1)
    assert not other._hooked


def test_a_call_costs_little() -> None:
    class Plain(nn.Module):
        def forward(self, x: Any) -> Any:
            return x

    module = Plain()
    number = 100_000
    call_s = min(timeit.repeat(lambda: module(1), number=number, repeat=5)) / number
    forward_s = min(timeit.repeat(lambda: module.forward(1), number=number, repeat=5)) / number
    assert call_s - forward_s < 1e-6  # about 0.15 microseconds on an idle machine


def test_only_a_vector_of_one_element_is_loaded_as_a_scalar() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(kadam.tensor(1.0))

    module = Scaled()
    module.load_state_dict({"scale": kadam.tensor([3.0])})
    assert module.scale.item() == 3.0
    with pytest.raises(RuntimeError, match="size mismatch for scale"):
        module.load_state_dict({"scale": kadam.ones(3)})


def test_a_hook_after_loading_must_not_answer() -> None:
    module = nn.ReLU()
    module.register_load_state_dict_post_hook(lambda *given: 1)
    with pytest.raises(RuntimeError, match="not expected to return new values"):
        module.load_state_dict({})


def test_cuda_is_refused() -> None:
    with pytest.raises((AssertionError, RuntimeError), match="CUDA"):
        nn.Linear(1, 1).cuda()
    assert nn.ReLU().cuda() is not None


# PyTorch declares these with (*args, **kwargs).
UNDECLARED = {"RNN", "LSTM", "GRU", "Identity", "Sequential", "Module"}


@pytest.mark.parametrize("name", sorted(set(nn.modules.__all__) - UNDECLARED))
def test_signatures_are_pytorchs(name: str) -> None:
    torch = pytest.importorskip("torch")
    expected = inspect.signature(getattr(torch.nn, name)).parameters
    found = inspect.signature(getattr(nn, name)).parameters
    if list(expected) != ["args", "kwargs"]:
        assert list(found) == list(expected)
    for key, parameter in expected.items():
        if key not in ("args", "kwargs", "activation"):
            assert (found[key].default, found[key].kind) == (parameter.default, parameter.kind), key
