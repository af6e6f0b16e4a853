"""Wrong uses: PyTorch's exception, and a message that says the operation, the disagreement in numbers, and a fix."""

from __future__ import annotations

import ast
import copy
import pickle
import re
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import kadam
from floors import FLOOR_OF, floor_of, module_of, sources
from kadam.errors import GradientError, InPlaceError, ShapeError
from kadam.missing import describe_name

# The operation that the message names, what it must say, and the program.
WRONG = [
    # shapes that do not combine
    ("add", "3 5", "torch.ones(3, 4) + torch.ones(5, 4)"),
    ("mul", "2 3", "torch.ones(2) * torch.ones(3)"),
    ("matmul", "3x4 5x4", "torch.ones(3, 4) @ torch.ones(5, 4)"),
    ("bmm", "2 4 5", "torch.bmm(torch.ones(2, 3, 4), torch.ones(2, 5, 3))"),
    ("mv", "3x4 3", "torch.mv(torch.ones(3, 4), torch.ones(3))"),
    ("dot", "3 4", "torch.dot(torch.ones(3), torch.ones(4))"),
    ("matmul", "0", "torch.matmul(torch.ones(()), torch.ones(2))"),
    ("einsum", "i 3", "torch.einsum('ij,ik->jk', torch.ones(2, 2), torch.ones(3, 2))"),
    ("einsum", "z", "torch.einsum('ij->z', torch.ones(2, 2))"),
    ("outer", "2", "torch.outer(torch.ones(2, 2), torch.ones(2))"),
    ("tensordot", "3 4", "torch.tensordot(torch.ones(2, 3), torch.ones(4, 2), dims=1)"),
    ("cat", "4 5 1", "torch.cat([torch.ones(3, 4), torch.ones(3, 5)])"),
    ("cat", "2 1", "torch.cat([torch.ones(3, 4), torch.ones(3)])"),
    ("cat", "", "torch.cat([])"),
    ("stack", "[2] [3]", "torch.stack([torch.ones(2), torch.ones(3)])"),
    ("reshape", "[5, 5] 12", "torch.ones(3, 4).reshape(5, 5)"),
    ("view", "", "torch.ones(3, 4).t().view(12)"),
    ("reshape", "", "torch.ones(4).reshape(-1, -1)"),
    ("expand", "3 2", "torch.ones(2).expand(3)"),
    ("expand", "1 2", "torch.ones(2, 2).expand(2)"),
    ("permute", "(0, 0)", "torch.ones(2, 3).permute(0, 0)"),
    ("t()", "3", "torch.ones(2, 3, 4).t()"),
    ("flatten", "", "torch.ones(2, 3, 4).flatten(2, 1)"),
    ("split", "5 [2, 2]", "torch.ones(5).split([2, 2])"),
    ("chunk", "0", "torch.ones(5).chunk(0)"),
    ("narrow", "3 4 5", "torch.ones(5).narrow(0, 3, 4)"),
    ("sum", "5 -2 1", "torch.ones(2, 3).sum(5)"),
    ("max", "3", "torch.ones(2, 3).max(3)"),
    ("argmax", "", "torch.ones(0).argmax()"),
    ("topk", "5 3", "torch.ones(3).topk(5)"),
    ("Dimension", "4 -1 0", "torch.ones(2).squeeze(4)"),
    ("diag", "3", "torch.diag(torch.ones(2, 2, 2))"),
    ("repeat", "", "torch.ones(2, 2).repeat(2)"),
    ("trace", "1", "torch.trace(torch.ones(3))"),
    # element types
    ("mean", "", "torch.arange(3).mean()"),
    ("sub", "", "torch.tensor([True]) - torch.tensor([True])"),
    ("neg", "", "-torch.tensor([True])"),
    ("invert", "", "~torch.ones(2)"),
    ("pow", "", "torch.arange(3) ** -1"),
    ("matmul", "float long", "torch.ones(2, 2) @ torch.ones(2, 2).long()"),
    ("where", "", "torch.where(torch.ones(2), torch.ones(2), torch.ones(2))"),
    ("masked_fill", "", "torch.ones(2).masked_fill(torch.ones(2), 0)"),
    ("bitwise_and", "", "torch.ones(2) & torch.ones(2)"),
    ("quantile", "", "torch.quantile(torch.arange(3), 0.5)"),
    ("requires_grad", "", "torch.ones(2, dtype=torch.int64, requires_grad=True)"),
    ("imag", "", "torch.ones(2).imag"),
    ("div", "half", "torch.div(torch.ones(2), torch.ones(2), rounding_mode='half')"),
    # arguments of the wrong kind
    ("relu", "int", "torch.relu(3)"),
    ("add", "str", "torch.add(torch.ones(2), 'x')"),
    ("cat", "Tensor", "torch.cat(torch.ones(2))"),
    ("new", "str", "torch.tensor('abc')"),
    ("tensor", "", "torch.tensor([[1, 2], [3]])"),
    ("randperm", "str", "torch.randperm('a')"),
    ("from_numpy", "list", "torch.from_numpy([1])"),
    ("generator", "int", "torch.rand(2, generator=3)"),
    # indices
    ("index", "7 3", "torch.ones(3)[7]"),
    ("index", "9 3", "torch.ones(3)[torch.tensor([9])]"),
    ("index", "1", "torch.ones(3)[0, 0]"),
    ("index", "", "torch.ones(3)[::-1]"),
    ("index", "str", "torch.ones(3)['a']"),
    ("index", "[2] [3]", "torch.ones(3)[torch.tensor([True, False])]"),
    ("index", "", "torch.ones(3)[torch.tensor([1.0])]"),
    ("gather", "", "torch.ones(3).gather(0, torch.ones(2))"),
    ("index", "5 3", "print(torch.ones(3).index_select(0, torch.tensor([5])))"),
    ("select", "4 3", "torch.ones(3).select(0, 4)"),
    ("one_hot", "3 2", "F.one_hot(torch.tensor([3]), 2)"),
    ("", "9 5", "print(F.embedding(torch.tensor([1, 9]), torch.ones(5, 3)))"),
    ("Target", "7 4", "print(F.cross_entropy(torch.ones(2, 4), torch.tensor([1, 7])))"),
    # layers and losses
    ("linear", "3 5", "nn.Linear(5, 2)(torch.ones(4, 3))"),
    ("conv2d", "3 4", "nn.Conv2d(3, 8, 3)(torch.ones(2, 4, 8, 8))"),
    ("conv2d", "(2 3", "nn.Conv2d(3, 8, 3)(torch.ones(2, 3, 2, 2))"),
    ("conv2d", "[8, 8]", "nn.Conv2d(3, 8, 3)(torch.ones(8, 8))"),
    ("Conv2d", "3", "nn.Conv2d(3, 8, 3, groups=2)"),
    ("Conv2d", "same", "nn.Conv2d(3, 8, 3, stride=2, padding='same')"),
    ("pool", "3", "nn.MaxPool2d(3)(torch.ones(1, 1, 2, 2))"),
    ("BatchNorm1d", "4D", "nn.BatchNorm1d(3)(torch.ones(2, 3, 4, 5))"),
    ("BatchNorm2d", "2D", "nn.BatchNorm2d(3)(torch.ones(2, 3))"),
    ("batch_norm", "1", "nn.BatchNorm1d(3)(torch.ones(1, 3))"),
    ("batch_norm", "3 4", "nn.BatchNorm1d(3)(torch.ones(2, 4))"),
    ("layer_norm", "[5] 4", "nn.LayerNorm(5)(torch.ones(2, 4))"),
    ("group", "3 2", "nn.GroupNorm(2, 3)"),
    ("LSTM", "4 3", "nn.LSTM(4, 5)(torch.ones(2, 2, 3))"),
    ("GRU", "4D", "nn.GRU(4, 5)(torch.ones(2, 2, 2, 4))"),
    ("LSTM", "[1, 2, 5]", "nn.LSTM(4, 5)(torch.ones(2, 2, 4), (torch.ones(1, 3, 5), torch.ones(1, 3, 5)))"),
    ("MultiheadAttention", "5 2", "nn.MultiheadAttention(5, 2)"),
    ("Dropout", "2", "nn.Dropout(2)"),
    ("glu", "3", "F.glu(torch.ones(2, 3))"),
    ("prelu", "2 3", "F.prelu(torch.ones(4, 3), torch.ones(2))"),
    ("pad", "3", "F.pad(torch.ones(2, 2), (1, 1, 1))"),
    ("cross_entropy", "4 3", "F.cross_entropy(torch.ones(4, 5), torch.zeros(3, dtype=torch.int64))"),
    ("cross_entropy", "5 2", "F.cross_entropy(torch.ones(4, 5), torch.zeros(4).long(), weight=torch.ones(2))"),
    ("nll_loss", "4 3", "F.nll_loss(torch.ones(4, 5), torch.zeros(3, dtype=torch.int64))"),
    ("mse_loss", "3 4", "F.mse_loss(torch.ones(3), torch.ones(4))"),
    ("binary_cross_entropy", "[4, 1] [4]", "F.binary_cross_entropy(torch.ones(4, 1), torch.ones(4))"),
    ("binary_cross_entropy_with_logits", "[4]", "F.binary_cross_entropy_with_logits(torch.ones(4, 1), torch.ones(4))"),
    ("l1_loss", "", "F.l1_loss(torch.ones(3), torch.ones(3), reduction='avg')"),
    ("huber_loss", "-1", "F.huber_loss(torch.ones(3), torch.ones(3), delta=-1.0)"),
    ("TripletMarginLoss", "0", "nn.TripletMarginLoss(0)"),
    ("pixel_shuffle", "3 4", "F.pixel_shuffle(torch.ones(1, 3, 2, 2), 2)"),
    ("interpolate", "", "F.interpolate(torch.ones(1, 1, 2, 2))"),
    # modules
    ("forward", "Net", "type('Net', (nn.Module,), {})()(torch.ones(1))"),
    ("weight", "Tensor", "setattr(nn.Linear(2, 2), 'weight', torch.ones(2, 2))"),
    ("ModuleList", "5", "nn.ModuleList([nn.ReLU()])[5]"),
    ("Module", "function", "nn.Sequential(torch.relu)"),
    ("Sequential", "absent", "nn.Sequential(nn.ReLU()).get_submodule('absent')"),
    ("Linear", "weight 3 2", "nn.Linear(2, 2).load_state_dict(nn.Linear(3, 2).state_dict())"),
    ("Linear", "Missing bias", "nn.Linear(2, 2).load_state_dict({'weight': torch.ones(2, 2)})"),
    ("Linear", "Unexpected extra", "nn.Linear(1, 1).load_state_dict({**nn.Linear(1, 1).state_dict(), 'extra': 1})"),
    ("load_state_dict", "str", "nn.Linear(2, 2).load_state_dict('model.pt')"),
    # gradients
    ("", "does not require grad", "torch.ones(2).sum().backward()"),
    ("", "scalar", "torch.ones(2, requires_grad=True).exp().backward()"),
    ("grad", "", "torch.autograd.grad(torch.ones(2, requires_grad=True).sum(), torch.ones(2, requires_grad=True))"),
    ("leaf", "in-place", "torch.ones(2, requires_grad=True).add_(1)"),
    ("numpy", "", "torch.ones(2, requires_grad=True).numpy()"),
    ("requires_grad", "", "setattr(torch.ones(2, requires_grad=True).exp(), 'requires_grad', False)"),
    ("register_hook", "", "torch.ones(2).register_hook(print)"),
    ("grad", "2 3", "setattr(torch.ones(2, requires_grad=True), 'grad', torch.ones(3))"),
    ("add_", "[2] [3, 2]", "torch.ones(2).add_(torch.ones(3, 2))"),
    ("add_", "Float Long", "torch.ones(2).long().add_(1.5)"),
    ("memory", "", "torch.ones(1).expand(3).add_(1)"),
    ("item", "2", "torch.ones(2).item()"),
    ("bool", "", "bool(torch.ones(2))"),
    ("len", "0", "len(torch.ones(()))"),
    # optimizers, schedulers, data
    ("SGD", "-1", "torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=-1)"),
    ("Adam", "1.5", "torch.optim.Adam([torch.ones(1, requires_grad=True)], betas=(1.5, 0.9))"),
    ("SGD", "empty", "torch.optim.SGD([], lr=1)"),
    ("SGD", "nesterov", "torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=1, nesterov=True)"),
    ("SGD", "list", "torch.optim.SGD(torch.ones(1, requires_grad=True), lr=1)"),
    ("SGD", "leaf", "torch.optim.SGD([torch.ones(1, requires_grad=True) * 2], lr=1)"),
    ("Optimizer", "int", "torch.optim.lr_scheduler.StepLR(3, 1)"),
    ("TensorDataset", "2 3", "torch.utils.data.TensorDataset(torch.ones(2), torch.ones(3))"),
    ("random_split", "4 3", "torch.utils.data.random_split(range(3), [2, 2])"),
    ("DataLoader", "shuffle", "torch.utils.data.DataLoader([1], sampler=[0], shuffle=True)"),
    ("num_workers", "-1", "torch.utils.data.DataLoader([1], num_workers=-1)"),
    # random numbers, distributions, linear algebra, files
    ("multinomial", "3 2", "torch.multinomial(torch.ones(2), 3)"),
    ("bernoulli", "1.5", "torch.bernoulli(torch.tensor([1.5]))"),
    ("normal", "-1", "torch.normal(0.0, -1.0, (2,))"),
    ("uniform_", "2 1", "torch.ones(2).uniform_(2, 1)"),
    ("Normal", "scale -1", "torch.distributions.Normal(0.0, -1.0)"),
    ("Categorical", "", "torch.distributions.Categorical(probs=torch.tensor(1.0))"),
    ("fan", "1", "nn.init.xavier_uniform_(torch.ones(3))"),
    ("calculate_gain", "swish", "nn.init.calculate_gain('swish')"),
    ("inv", "2 3", "torch.linalg.inv(torch.ones(2, 3))"),
    ("cholesky", "", "print(torch.linalg.cholesky(-torch.eye(2)))"),
    ("load", "absent.pt", "torch.load('/absent/absent.pt')"),
    ("save", "/absent", "torch.save({}, '/absent/model.pt')"),
    ("device", "warp", "torch.device('warp')"),
]  # fmt: skip


def raised_by(program: str, library: ModuleType) -> Exception:
    names = {"torch": library, "nn": library.nn, "F": library.nn.functional, "copy": copy}
    with pytest.raises(Exception, match=r"(?s).") as raised:
        exec(compile(program, "train.py", "exec"), names)
    return raised.value


def builtin_of(error: BaseException) -> type[BaseException]:
    return next(kind for kind in type(error).__mro__ if kind.__module__ == "builtins")


@pytest.mark.parametrize(("operation", "said", "program"), WRONG, ids=[program for *_, program in WRONG])
def test_an_error_says_where_what_and_how_to_mend_it(operation: str, said: str, program: str) -> None:
    message = str(raised_by(program, kadam))
    assert operation in message
    for one in said.split():
        assert one in message, one
    assert re.search(r"\bFix: \S", message), message


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("program", [program for *_, program in WRONG])
def test_the_exception_is_pytorchs(program: str) -> None:
    torch = pytest.importorskip("torch")
    assert isinstance(raised_by(program, kadam), builtin_of(raised_by(program, torch)))


# Operation, words that the message holds, program: what students and practitioners do.
USES = [line.split(" | ", 2) for line in Path(__file__).with_name("wrong_uses.txt").read_text("utf-8").splitlines()]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("operation", "said", "program"), USES, ids=[program for *_, program in USES])
def test_a_wrong_use_is_told_in_the_users_words(operation: str, said: str, program: str) -> None:
    error = raised_by(program, kadam)
    message = str(error)
    assert re.match(rf"{re.escape(operation)}(?!\w)", message), message
    for one in said.split():
        assert one in message, one
    assert re.search(r"\bFix: \S", message), message
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("program", [program for *_, program in USES])
def test_the_exception_of_a_wrong_use_is_pytorchs(program: str) -> None:
    torch = pytest.importorskip("torch")
    assert isinstance(raised_by(program, kadam), builtin_of(raised_by(program, torch)))


# Errors that only data cause come when the step runs.
LATE = [
    ("binary_cross_entropy", "target 1.5", "F.binary_cross_entropy(torch.tensor([0.5]), torch.tensor([1.5]))"),
    ("binary_cross_entropy", "input 2.0", "F.binary_cross_entropy(torch.tensor([2.0]), torch.tensor([1.0]))"),
    ("embedding", "7 5", "nn.Embedding(5, 3)(torch.tensor([7]))"),
    ("cross_entropy", "7 4", "F.cross_entropy(torch.ones(2, 4), torch.tensor([1, 7]))"),
    ("gather", "5 3", "torch.ones(3).gather(0, torch.tensor([5]))"),
]


@pytest.mark.parametrize(("operation", "said", "program"), LATE)
def test_a_late_error_names_its_operation_and_line(operation: str, said: str, program: str) -> None:
    message = str(raised_by(f"y = {program}\n\nprint(y)", kadam))
    assert message.startswith(f"{operation}: ")
    assert all(one in message for one in said.split())
    assert re.search(r"\n  recorded at train\.py:1\n  Fix: \S", message)


# --- where operands came from -----------------------------------------------------------------------------------------


def test_operands_are_named_by_module_by_variable_and_by_line() -> None:
    class Net(kadam.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = kadam.nn.Sequential(kadam.nn.Linear(784, 512), kadam.nn.ReLU())
            self.head = kadam.nn.Linear(128, 10)

        def forward(self, x: Any) -> Any:
            return self.head(self.encoder(x))

    with pytest.raises(ShapeError) as raised:
        Net()(kadam.ones(32, 784))
    first, *operands, last = str(raised.value).split("\n")
    assert "f32[32,512]" in operands[0]
    assert re.search(r"encoder\.1 .*test_errors\.py:\d+", operands[0])
    assert "state head.weight" in operands[1]
    assert first.startswith("linear: ")
    assert last == "  Fix: the layer needs in_features=512."


# A program, and what its error says of each operand.
OPERANDS = [
    ("a = torch.arange(6.0).reshape(2, 3)\nb = a.t().reshape(2, 3)\na @ b",
     "input f32[2,3] input a train.py:1|other f32[2,3] input b train.py:2"),
    ("a = torch.ones(2, 2)\nb = a.double()\na @ b",
     "input f32[2,2] input a train.py:1|other f64[2,2] input b train.py:2"),
    ("x = torch.ones(2, requires_grad=True)\ny = (x * 2).exp()\ny.sum().item()\ny + torch.ones(3)",
     "input f32[2] % forward train.py:2|other f32[3] input train.py:4"),
    ("p = torch.ones(4, 1)\nt = torch.ones(4)\nF.binary_cross_entropy(p, t)",
     "input f32[4,1] input p train.py:1|target f32[4] input t train.py:2"),
    ("def loss(batch):\n  return F.l1_loss(batch['x'], batch['y'])\nbatch = {'x': torch.ones(3),\n'y': torch.ones(4)}\n"
     "loss(batch)", "input f32[3] input batch['x'] train.py:3|target f32[4] input batch['y'] train.py:3"),
    ("x = torch.ones(5, 2, 3)\nnn.LSTM(4, 5)(x)", "input f32[5,2,3] input x train.py:1"),
    ("x = torch.ones(3, 4).t()\nx.view(12)", "self f32[4,3] input x train.py:1"),
    ("x = torch.ones(3, 4)\nx.view(5)", "self f32[3,4] input x train.py:1"),
    ("w = torch.ones(2, requires_grad=True)\nw += 1", "self f32[2] state w train.py:1"),
    ("x = torch.ones(3)\n\nx[0] = torch.ones(2)", "self f32[3] input x train.py:1|value f32[2] input train.py:3"),
    ("loss = torch.ones(())\nloss.backward()", "self f32[] input loss train.py:1"),
    ("x = torch.ones(2, 3)\ntorch.sum(x, dim=5)", "input f32[2,3] input x train.py:1"),
    ("m = nn.Linear(3, 2)\nF.linear(torch.ones(2, 4), m.weight)",
     "input f32[2,4] input train.py:2|weight f32[2,3] state m.weight train.py:1"),
    ("for i in range(2):\n  x = torch.ones(i + 2)\n  x + torch.ones(2)",
     "input f32[3] input x train.py:2|other f32[2] input train.py:3"),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("program", "said"), OPERANDS)
def test_operands_are_told_with_where_they_came_from(program: str, said: str) -> None:
    _, *operands, fix = str(raised_by(program, kadam)).split("\n")
    assert [re.sub(r" %\d+ ", " % ", " ".join(line.split())) for line in operands] == said.split("|")
    assert fix.startswith("  Fix: ")


# --- second backwards, changed values, overlapping memory -------------------------------------------------------------


def test_a_second_backward_and_a_changed_value() -> None:
    x = kadam.ones(3, requires_grad=True)
    loss = (x * x).sum()
    loss.backward()
    with pytest.raises(GradientError, match=r"(?s)second time.*Fix: loss\.backward\(retain_graph=True\)"):
        loss.backward()
    y = x.exp()
    result = (y * y).sum()
    with kadam.no_grad():
        y.add_(1)
    with pytest.raises(GradientError, match=r"(?s)modified by an inplace operation.*Fix: clone\(\)"):
        result.backward()


OVERLAPS = [
    "x[1:].copy_(x[:-1])", "x[1:] = x[:-1]", "x[1:] *= x[:-1]", "x.add_(x[0])", "x[0].add_(x[1])", "x.copy_(x)",
    "x[0:2].lerp_(x[1:3], 0.5)", "x.view(-1).add_(x.view(-1))", "x.sub_(x[0, 0])",
    "x[0].expand(2, 4).add_(1)", "x[0].expand(2, 4).fill_(7)", "x[0].expand(2, 4).zero_()", "x[1:].mul_(x[0, 0])",
    "m = torch.tensor(True); x[m] = 5", "m = torch.tensor(False); x[m] = 5", "x[torch.tensor(True)] = torch.ones(4)",
]  # fmt: skip


@pytest.mark.parametrize("change", OVERLAPS)
def test_memory_that_overlaps_changes_or_is_refused_as_in_pytorch(change: str) -> None:
    torch = pytest.importorskip("torch")
    found = []
    for library, refusal in ((torch, RuntimeError), (kadam, InPlaceError)):
        x = library.arange(12.0).reshape(3, 4)
        try:
            exec(change, {"torch": library, "x": x})
        except refusal:
            found.append("refused")
        else:
            found.append(x.tolist())
    assert found[0] == found[1]


# --- state that does not fit ------------------------------------------------------------------------------------------


def fix_of(state: dict[str, Any]) -> str:
    with pytest.raises(RuntimeError, match=r"Error\(s\) in loading state_dict for Sequential:\n\t") as raised:
        kadam.nn.Sequential(kadam.nn.Linear(2, 3)).load_state_dict(state)
    return str(raised.value).rpartition("Fix: ")[2]


def test_the_fix_of_a_state_that_does_not_fit() -> None:
    state = kadam.nn.Sequential(kadam.nn.Linear(2, 3)).state_dict()
    wrapped = {f"module.{key}": value for key, value in state.items()}
    renaming = fix_of(wrapped)
    assert renaming == "rename the keys: {key.removeprefix('module.'): value for key, value in state.items()}."
    renamed = eval(renaming.removeprefix("rename the keys: ").rstrip("."), {"state": wrapped})
    kadam.nn.Sequential(kadam.nn.Linear(2, 3)).load_state_dict(renamed)
    bare = {key.removeprefix("0."): value for key, value in state.items()}
    assert "'0.' + key" in fix_of(bare)
    assert "checkpoint['model']" in fix_of({"model": state, "epoch": 3})
    assert "sizes that were saved" in fix_of(kadam.nn.Sequential(kadam.nn.Linear(2, 5)).state_dict())
    assert fix_of({}).startswith("strict=False")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", pickle.dumps({"a": 1}), b"PK\x03\x04 cut off"])
def test_a_file_that_cannot_be_read(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "model.pt")
        path.write_bytes(content)
        with pytest.raises((RuntimeError, EOFError, pickle.UnpicklingError), match=r"(?s)load: .*Fix: "):
            kadam.load(path)


# --- every message that the source holds ------------------------------------------------------------------------------

SURFACE = (FLOOR_OF["shapes"], FLOOR_OF["recording"], FLOOR_OF["nn"])
# Messages without a fix, and why: the room, what the message begins with.
COMPLETE = {
    # Defects of operations.
    "recording/caller.py": ("{}: a parameter may not be named",),
    "recording/calls.py": ("a tensor from outside stands",),  # the same
    "recording/operation.py": ("{}: the body of an operation",),  # the same
    "recording/in_place.py": ("the body of an operation cannot",),  # the same
    "recording/memory.py": ("the body of an operation cannot",),  # the same
    "recording/tensor.py": ("the body of an operation cannot", "a value cannot be read inside"),  # the same
    "language/catalogue.py": ("the catalogue has no text", "{} has {} but not a text in each"),  # the same
    "missing.py": ("module {} has no attribute",),  # Python's own questions, which no user sees
    "nn/modules/registration.py": ("{} object has no attribute",),  # Python's words, which tools read
    "serialization/archive.py": ("no record begins there", "the file ends inside it"),  # caught, told by `load`
    "testing.py": ("{}", "The length of the sequences mismatch"),  # a test's verdict is no wrong use
}


def template(message: ast.expr) -> str | None:
    """The text of a message, with {} for what is filled in; None where it is not written at the `raise`."""
    if isinstance(message, ast.Constant):
        return message.value if isinstance(message.value, str) else None
    if isinstance(message, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in message.values)
    if isinstance(message, ast.BinOp):
        return f"{template(message.left) or '{}'}{template(message.right) or '{}'}"
    if isinstance(message, ast.IfExp):
        return f"{template(message.body) or '{}'}{template(message.orelse) or '{}'}"
    if isinstance(message, ast.BoolOp):
        return "".join(template(one) or "{}" for one in message.values)
    if isinstance(message, ast.Call) and isinstance(message.func, ast.Attribute) and message.func.attr == "format":
        return template(message.func.value)
    return None


def test_every_message_of_the_surface_names_a_fix() -> None:
    without = []
    for path in sources():
        if floor_of(module_of(path)) not in SURFACE:
            continue
        room = path.relative_to(Path(kadam.__file__).parent).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args):
                continue
            message = template(node.exc.args[0])
            plain = (message or "").replace("'", "")
            if message is not None and "Fix:" not in message and not plain.startswith(COMPLETE.get(room, ("\0",))):
                without.append(f"{room}:{node.lineno}: {message}")
    assert not without, "\n".join(without)


def test_a_forgotten_flatten_is_named() -> None:
    with pytest.raises(RuntimeError, match=r"Fix: flatten the input first: input.flatten\(1\)"):
        kadam.nn.Linear(784, 10)(kadam.ones(2, 1, 28, 28))


def test_a_hook_may_not_change_the_shape_of_a_gradient() -> None:
    x = kadam.ones(3, requires_grad=True)
    x.register_hook(lambda grad: kadam.ones(5))
    with pytest.raises(RuntimeError, match="hook has changed the size of value"):
        (x * 2).sum().backward()


def test_sizes_that_do_not_fit_are_told_what_would() -> None:
    with pytest.raises(RuntimeError, match="Fix: give sizes whose product is 12"):
        kadam.ones(12).view(2, 3)
    with pytest.raises(RuntimeError, match="Fix: give sizes whose product divides 12"):
        kadam.ones(12).view(-1, 5)


@pytest.mark.parametrize("change", ["x[0] = 1", "x[0, 0] = 5", "x.fill_(3)", "x[:, :1] += 0.5"])
def test_a_part_of_a_stretched_view_is_written_or_refused_as_in_pytorch(change: str) -> None:
    torch = pytest.importorskip("torch")
    found = []
    for library in (torch, kadam):
        x = library.arange(3.0).reshape(1, 3).expand(2, 3)
        try:
            exec(change, {"x": x})
        except RuntimeError:
            found.append("refused")
        else:
            found.append(x.tolist())
    assert found[0] == found[1]


def test_names_of_pytorch_are_known_and_only_likely_ones_suggested() -> None:
    with pytest.raises(AttributeError, match=r"PyTorch has torch\.quantization, Kadam does not have it yet\.$"):
        _ = kadam.quantization
    known = dir(kadam.Tensor)
    assert describe_name("torch.Tensor", "lenght", known).endswith(" torch.Tensor.lenght. Fix: look at its spelling.")
    assert describe_name("torch.Tensor", "to_numpy", known).endswith(" closest: torch.Tensor.numpy. Fix: write numpy.")


@pytest.mark.parametrize(
    ("program", "labels"),
    [
        ("y = nn.Embedding(5, 3)(torch.tensor([7]))", ["weight", "input"]),
        ("y = torch.ones(3).gather(0, torch.tensor([5]))", ["input", "index"]),
        ("y = torch.linalg.inv(torch.zeros(2, 2))", ["A"]),
        ("y = F.binary_cross_entropy(torch.tensor([0.5]), torch.tensor([1.5]))", ["value"]),
    ],
)
def test_a_late_error_names_arguments_where_they_can_be_told_apart(program: str, labels: list[str]) -> None:
    _, *operands = str(raised_by(f"{program}\nprint(y)", kadam)).split("\n")
    told = operands[: next(index for index, line in enumerate(operands) if line.startswith("  recorded at"))]
    assert [line.split()[0] for line in told] == labels


def test_a_singular_matrix_is_pytorchs_error() -> None:
    with pytest.raises(kadam.linalg.LinAlgError):
        kadam.linalg.inv(kadam.zeros(2, 2)).tolist()


def test_inference_mode_is_told_apart_from_no_grad() -> None:
    with kadam.no_grad():
        assert not kadam.is_inference_mode_enabled()
    with kadam.inference_mode():
        with kadam.enable_grad():
            assert kadam.is_inference_mode_enabled()
        with kadam.inference_mode(False):
            assert not kadam.is_inference_mode_enabled()
        assert kadam.is_inference_mode_enabled()
    assert not kadam.is_inference_mode_enabled()
