"""Calls and attributes that Python refuses by itself: PyTorch's exception, and what would be right."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import kadam
import kadam.distributions
import kadam.utils.data
from conftest import Run
from kadam import tracebacks
from kadam.recording.refused import tell_constructor

# What the message or its note holds, the program.
REFUSED = [
    ("sum axs dim=", "torch.ones(2, 3).sum(axs=1)"),
    ("Linear out_features (in_features, out_features, bias=True", "nn.Linear(4)"),
    ("Linear bias= bais=", "nn.Linear(4, 2, bais=False)"),
    ("Conv2d kernel_size", "nn.Conv2d(3, 16)"),
    ("Conv2d kernel_size= kernel=", "nn.Conv2d(3, 16, kernel=3)"),
    ("Dropout p= prob=", "nn.Dropout(prob=0.5)"),
    ("LSTM hidden_size= hidden=", "nn.LSTM(10, 20, hidden=3)"),
    ("CrossEntropyLoss weight= weights=", "nn.CrossEntropyLoss(weights=torch.ones(3))"),
    ("forward (input, target)", "nn.MSELoss()(torch.ones(3))"),
    ("softmax dim= dims=", "F.softmax(torch.ones(2, 3), dims=1)"),
    ("softmax dim", "torch.ones(2, 3).softmax()"),
    ("cat dim= dimension=", "torch.cat([torch.ones(2)], dimension=0)"),
    ("clamp min= minimum=", "torch.ones(3).clamp(minimum=0)"),
    ("zeros dtyp", "torch.zeros(2, 3, dtyp=torch.float32)"),
    ("to dtyp", "torch.ones(3).to(dtyp=torch.float64)"),
    ("reshape", "torch.ones(2, 3).reshape()"),
    ("permute", "torch.ones(2, 3).permute()"),
    ("randn", "torch.randn()"),
    ("SGD lr=0.001", "torch.optim.SGD(nn.Linear(2, 2).parameters(), learning_rate=0.1)"),
    ("Adam betas", "torch.optim.Adam(nn.Linear(2, 2).parameters(), momentum=0.9)"),
    ("StepLR step_size", "torch.optim.lr_scheduler.StepLR()"),
    ("DataLoader batch_size= batchsize=", "torch.utils.data.DataLoader([1, 2], batchsize=2)"),
    ("Normal .sample", "torch.distributions.Normal(0.0, 1.0).smaple()"),
    ("step", "torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1).stp()"),
    ("weight", "nn.Linear(2, 2).wieght"),
    ("forward", "nn.Module().forwrad"),
    ("torch.nn.functional.relu6(x)", "torch.ones(3).relu6()"),
    ("float", "torch.tensor([1, 2]).foat()"),
    ("zeros", "torch.zero(3)"),
    ("Linear", "nn.Liner(3, 2)"),
    ("next(iter(loader))", "next(torch.utils.data.DataLoader([1, 2]))"),
    ("parentheses", "nn.Linear(2, 2).weight(torch.ones(2))"),
    ("x.shape", "torch.ones(2).shape()"),
    (".item()", "torch.ones(2).sum().item().backward()"),
    ("output, hidden", "nn.GRU(3, 4)(torch.ones(5, 2, 3)).shape"),
    ("from_numpy", "np.ones(2) * torch.ones(2)"),
    ("Net (hidden)", "type('Net', (nn.Module,), {'__init__': lambda self, hidden: None})()"),
]  # fmt: skip


def raised_by(program: str, library: ModuleType) -> Exception:
    names = {"torch": library, "nn": library.nn, "F": library.nn.functional, "np": np, "copy": copy}
    with pytest.raises(Exception, match=r"(?s).") as raised:
        exec(compile(program, "refused.py", "exec"), names)
    return raised.value


def told(error: BaseException) -> str:
    tracebacks.explain(error)
    return "\n".join([str(error), *getattr(error, "__notes__", ())])


@pytest.mark.parametrize(("said", "program"), REFUSED[:-1], ids=[program for _, program in REFUSED[:-1]])
def test_what_would_be_right_is_told(said: str, program: str) -> None:
    message = told(raised_by(program, kadam))
    assert re.search(r"\bFix: \S", message), message
    for one in said.split(" "):
        assert one in message, one


@pytest.mark.parametrize("program", [program for _, program in REFUSED])
def test_the_exception_is_pytorchs(program: str) -> None:
    torch = pytest.importorskip("torch")
    theirs = raised_by(program, torch)
    builtin = next(kind for kind in type(theirs).__mro__ if kind.__module__ == "builtins")
    assert isinstance(raised_by(program, kadam), builtin)


PROGRAM = """
import torch, torch.nn.functional as F
from torch import nn

class Net(nn.Module):
    def __init__(self, hidden):
        super().__init__()

    def forward(self, x):
        return x

x = torch.ones(2, requires_grad=True)
net = Net(3)
"""
AT_THE_TOP = {
    "F.relu(x, inplce=True)": "Fix: inplace= in place of inplce=; relu takes (input, inplace=False).",
    "Net()": "Fix: Net takes (hidden).",
    "net(x, x)": "Fix: forward takes (x).",
    "x.grad.zero_()": "x.grad is None until a backward pass has reached x. Fix: call loss.backward() first; see that x "
    "requires grad, and that the loss is computed from it.",
    "x.clamp(torch.ones(1), mx=3)": "Fix: max= in place of mx=; clamp takes (input, min=None, max=None).",
}


@pytest.mark.parametrize("line", AT_THE_TOP)
def test_a_script_is_told_of_the_very_function_that_its_line_names(tmp_path: Path, run_kadam: Run, line: str) -> None:
    path = tmp_path / "program.py"
    path.write_text(f"{PROGRAM}{line}\n", encoding="utf-8")
    run = run_kadam("run", path)
    assert run.returncode == 1
    assert run.stderr.rstrip().endswith(AT_THE_TOP[line]), run.stderr


def test_the_programs_own_functions_are_left_to_python() -> None:
    with pytest.raises(TypeError) as raised:
        exec(compile("def mine(a): pass\nmine()", "own.py", "exec"), {})
    assert told(raised.value) == "mine() missing 1 required positional argument: 'a'"


def test_a_module_that_is_not_initialised_is_noticed_when_it_is_called() -> None:
    class Net(kadam.nn.Module):
        def __init__(self) -> None:
            self.size = 3

        def forward(self, x: kadam.Tensor) -> kadam.Tensor:
            return x

    with pytest.raises(AttributeError, match=r"Fix: call super\(\).__init__\(\) first in Net"):
        Net()(kadam.ones(2))


def test_asking_whether_a_module_has_an_attribute_costs_no_search() -> None:
    layer = kadam.nn.Linear(2, 2)
    assert not hasattr(layer, "wieght")
    assert getattr(layer, "wieght", 3) == 3
    assert not hasattr(copy.copy(layer), "_nothing")


def test_constructors_of_others_are_left_as_they_are() -> None:
    class Net(kadam.nn.Module):
        def __init__(self) -> None:
            super().__init__()

    before = Net.__init__
    assert tell_constructor(Net).__init__ is before


# --- operators beside NumPy's arrays ----------------------------------------------------------------------------------

BESIDE = [
    "x + a", "x - a", "x * a", "x / a", "x ** a", "x // a", "x % a", "m @ b", "x == a", "a == x", "a + x", "a * x",
    "a - x", "x > a", "x.add(a)", "x + wide", "x == wide", "(x.requires_grad_() + a)", "torch.add(x, a)",
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("expression", BESIDE)
def test_operators_beside_arrays_are_pytorchs(expression: str) -> None:
    torch = pytest.importorskip("torch")
    found = []
    for library in (torch, kadam):
        names = {
            "torch": library, "x": library.tensor([1.5, 2.0]), "a": np.array([3.0, 2.0]), "wide": np.ones(3),
            "m": library.ones(2, 2), "b": np.ones((2, 2)),
        }  # fmt: skip
        try:
            result = eval(expression, names)
        except Exception as error:
            found.append(next(kind for kind in type(error).__mro__ if kind.__module__ == "builtins"))
        else:
            found.append((result.tolist(), str(result.dtype)))
    assert found[0] == found[1] or issubclass(found[1], found[0])


def test_an_array_added_in_place_gives_pytorchs_tensor() -> None:
    x = kadam.ones(2)
    x += np.ones(2)
    assert x.dtype is kadam.float64
    assert x.tolist() == [2.0, 2.0]
