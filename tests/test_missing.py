"""What Kadam says of a name that it lacks: whether PyTorch has it, and what comes closest."""

from __future__ import annotations

from pathlib import Path

import pytest

import kadam
from conftest import Run
from kadam import missing

HERE = Path(__file__).resolve().parent


def test_of_a_name_that_pytorch_has() -> None:
    said = missing.describe_name("torch.nn", "Conv3d", ["Conv1d", "Conv2d", "_conv3d", "Linear"])
    assert said == (
        "PyTorch has torch.nn.Conv3d, Kadam does not have it yet. What comes closest: torch.nn.Conv2d, torch.nn.Conv1d."
    )


def test_of_a_name_that_nobody_has() -> None:
    said = missing.describe_name("torch.Tensor", "transposed", ["transpose", "sum"])
    assert said == (
        "neither PyTorch nor Kadam has a public name torch.Tensor.transposed. "
        "What comes closest: torch.Tensor.transpose. Fix: write transpose."
    )
    assert missing.describe_name("torch", "qqqq", ["add"]) == (
        "neither PyTorch nor Kadam has a public name torch.qqqq. Fix: look at its spelling."
    )


def test_of_a_name_in_a_module_whose_names_are_not_listed() -> None:
    assert missing.describe_name("torch.utils.dlpack", "to_dlpak", ["to_dlpack"]) == (
        "Kadam has no name torch.utils.dlpack.to_dlpak. What comes closest: torch.utils.dlpack.to_dlpack. "
        "Fix: write to_dlpack."
    )


WHERE_PYTORCH_KEEPS_THEM = """
import torch, torch.cuda.amp
from torch.distributions.normal import Normal
from torch.distributions import bernoulli
from torch.nn.modules.rnn import LSTMCell
import torch.nn.modules.activation as activation
from torch.nn.parallel.data_parallel import DataParallel
from torch.cuda.amp.grad_scaler import GradScaler
print(Normal is torch.distributions.normal.Normal is torch.distributions.Normal)
print(bernoulli.Bernoulli is torch.distributions.Bernoulli)
print(LSTMCell is torch.nn.LSTMCell, activation.MultiheadAttention is torch.nn.MultiheadAttention)
print(DataParallel is torch.nn.DataParallel, GradScaler is torch.cuda.amp.GradScaler)
for line in (
    "from torch.distributions.normal import Cauchy",
    "torch.nn.modules.rnn.Linear",
    "import torch.utils.bundled_inputs",
):
    try:
        exec(line)
    except (AttributeError, ImportError) as error:
        print(str(error).partition(".")[0] if "bundled" not in line else str(error))
"""


def test_names_are_found_where_pytorch_keeps_them_and_only_there(run_kadam: Run, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(WHERE_PYTORCH_KEEPS_THEM)
    assert run_kadam("run", script).stdout.splitlines() == [
        *["True"] * 2,
        *["True True"] * 2,
        *["neither PyTorch nor Kadam has a public name torch"] * 2,
        "PyTorch has torch.utils.bundled_inputs, Kadam does not have it yet.",
    ]


def test_of_a_name_with_another_case() -> None:
    assert missing.describe_name("torch.optim", "adam", ["RAdam", "Adam"]).endswith("Fix: write Adam.")


def test_inner_rooms_are_not_proposed() -> None:
    with pytest.raises(missing.MissingNameError) as caught:
        kadam.recordings  # noqa: B018
    assert "torch.recording" not in str(caught.value).replace("torch.recordings", "")


def test_of_a_module() -> None:
    assert missing.is_module_of_pytorch("torch.nn.functional")
    assert not missing.is_module_of_pytorch("torch.recording")
    assert missing.describe_module("torch.onnx", ["torch.nn", "torch.nn.init"]) == (
        "PyTorch has torch.onnx, Kadam does not have it yet."
    )
    assert missing.describe_module("torch.nn.inits", ["torch.nn", "torch.nn.init"]) == (
        "neither PyTorch nor Kadam has a public module torch.nn.inits. What comes closest: torch.nn.init. "
        "Fix: write init."
    )


LATER = [
    "amp", "backends", "cuda", "distributions", "func", "optim.lr_scheduler", "optim.swa_utils", "special", "utils",
    "serialization", "testing",  # files know data sets, which stand in `utils`
]  # fmt: skip


def test_rooms_load_when_they_are_first_asked_for(run_python: Run) -> None:
    program = (
        "import sys, kadam\n"
        f"for path in {LATER}:\n"
        "    *owner, name = path.split('.')\n"
        "    owner = getattr(kadam, *owner) if owner else kadam\n"
        "    assert 'kadam.' + path not in sys.modules and name in dir(owner), path\n"
        "    assert getattr(owner, name) is sys.modules['kadam.' + path] is vars(owner)[name], path\n"
        "assert kadam.load is kadam.serialization.load and 'load' in vars(kadam)\n"
    )
    assert run_python("-c", program).stderr == ""


@pytest.mark.parametrize("path", LATER)
def test_rooms_that_load_later_explain_what_they_lack(path: str, run_python: Run) -> None:
    assert run_python("-c", f"import kadam.{path} as room; room.qqqq").stderr.endswith(
        f"neither PyTorch nor Kadam has a public name torch.{path}.qqqq. Fix: look at its spelling.\n"
    )


def test_the_list_of_pytorchs_names_is_that_of_the_installed_version(run_python: Run) -> None:
    torch = pytest.importorskip("torch")
    listed = Path(missing.__file__).with_name("pytorch_names.txt").read_text(encoding="utf-8")
    version = listed.split(",")[0].removeprefix("# The public names of PyTorch ")
    if torch.__version__.split("+")[0] != version:
        pytest.skip(f"the list is of PyTorch {version}, installed is {torch.__version__}")
    assert run_python("-W", "ignore", HERE / "pytorch_names.py").stdout == listed
