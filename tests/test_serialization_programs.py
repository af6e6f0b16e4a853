"""Files read with `weights_only=False`: what they may hold beside tensors, and that they forge nothing."""

from __future__ import annotations

import argparse
import io
import pickle
import pickletools
import zipfile
from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import kadam
from kadam import nn
from kadam.errors import UnsupportedError
from kadam.nn.utils import prune
from kadam.serialization import CheckpointError, load, safe_globals, save
from kadam.vision import models

HERE = __name__


class Called:
    """What one pickle instruction after another makes: a call, and the state given to its result."""

    def __init__(self, function: str, *arguments: object, state: object = None) -> None:
        self.function, self.arguments, self.state = function, arguments, state


class Made(Called):
    """An empty object of a class, and its state."""


class Named:
    def __init__(self, name: str) -> None:
        self.name = name


def crafted(value: object) -> bytes:
    """The instructions that make a value."""
    match value:
        case Named():
            module, name = value.name.rsplit(".", 1)
            return f"c{module}\n{name}\n".encode()
        case Called():
            make = b"\x81" if isinstance(value, Made) else b"R"
            state = b"" if value.state is None else crafted(value.state) + b"b"
            return crafted(Named(value.function)) + crafted(value.arguments) + make + state
        case tuple():
            return b"(" + b"".join(map(crafted, value)) + b"t"
        case list():
            return b"](" + b"".join(map(crafted, value)) + b"e"
        case dict():
            return b"}(" + b"".join(crafted(key) + crafted(one) for key, one in value.items()) + b"u"
    return pickle.dumps(value, 3)[2:-1]


def opened(value: object, **options: Any) -> Any:
    """What `load` makes of a checkpoint whose pickle makes `value`."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x03" + crafted(value) + b".")
    file.seek(0)
    return load(file, **{"weights_only": False, **options})


def carried(value: Any, write: Callable[..., Any] = save, read: Callable[..., Any] = load) -> Any:
    file = io.BytesIO()
    write(value, file)
    file.seek(0)
    return read(file, weights_only=False)


# ---- NumPy's arrays are not believed -----------------------------------------------------------------


def record(code: str, state: object = None) -> Called:
    return Called("numpy.dtype", code, False, True, state=state)


def array(state: object) -> Called:
    make = "numpy._core.multiarray._reconstruct"
    return Called(make, Named("numpy.ndarray"), (0,), b"b", state=state)


PLAIN = (3, "<", None, None, None, -1, -1, 0)
F8 = record("f8", PLAIN)
BEYOND = record("V8", (3, "|", None, ("a",), {"a": (record("f8"), 800)}, 8, 1, 0))
FORGED = record("V8", (3, "|", None, ("a",), {"a": (record("O"), 0)}, 8, 1, 0))
ARRAYS = {
    "a field beyond the element": array((1, (2,), BEYOND, False, b"\0" * 16)),
    "an address for an object": array((1, (1,), FORGED, False, b"A" * 8)),
    "a number with an address": Called("numpy._core.multiarray.scalar", FORGED, b"A" * 8),
    "a buffer of addresses": Called("numpy.ndarray", (1,), record("O"), b"A" * 8),
    "strides": Called("numpy.ndarray", (4,), record("f8"), b"\0" * 8, 0, (8,)),
    "objects": array((1, (1,), record("O"), False, [1])),
    "fields as a list": record([("a", "f8")]),  # type: ignore[arg-type]
    "fields in the state": record("f8", (3, "<", None, ("a",), {"a": (record("f8"), 800)}, 8, 1, 0)),
    "a longer element": record("f8", (3, "<", None, None, None, 800, 1, 0)),
    "a longer text": record("S1", (3, "|", None, None, None, 800, 1, 0)),
    "objects by a flag": record("f8", (3, "<", None, None, None, -1, -1, 63)),
    "an array inside the type": record("f8", (3, "|", (record("f8"), (100,)), None, None, 800, 1, 0)),
    "another alignment": record("U2", (3, "<", None, None, None, 8, 0, 8)),
    "metadata": record("M8", (4, "<", None, None, None, -1, -1, 0, ({"a": 1}, (b"D", 1, 1, 1)))),
    "no bytes": array((1, (4,), F8, False, b"")),
    "too few bytes": array((1, (4,), F8, False, b"\0" * 24)),
    "too many bytes": array((1, (2,), F8, False, b"\0" * 24)),
    "a negative size": array((1, (-1, -3), F8, False, b"\0" * 24)),
    "a size that wraps around": array((1, (1 << 62, 1 << 62, 0), F8, False, b"")),
    "another class": Called("numpy._core.multiarray._reconstruct", Named(f"{HERE}.Settings"), (0,), b"b"),
    "an array without its constructor": Made("numpy.ndarray", (4,)),
    "letters that are none": Called("numpy._core.multiarray.scalar", record("U1"), b"\xff" * 4),
    "a number of nothing": Called("numpy._core.multiarray.scalar", F8),
    "a number of too few bytes": Called("numpy._core.multiarray.scalar", F8, b"\0" * 7),
}


@pytest.mark.parametrize("value", ARRAYS.values(), ids=ARRAYS.keys())
@pytest.mark.parametrize("is_allowed_by_user", [False, True])
def test_arrays_that_reach_beyond_their_bytes_are_refused(value: Called, is_allowed_by_user: bool) -> None:
    core = np._core.multiarray  # type: ignore[attr-defined]
    allowed = [np.ndarray, np.dtype, core._reconstruct, core.scalar, np.dtypes.Float64DType]
    with safe_globals(allowed if is_allowed_by_user else []), pytest.raises(CheckpointError):
        opened(value, weights_only=is_allowed_by_user)


def test_a_file_cannot_turn_the_types_of_the_program() -> None:
    file = Called("numpy.dtypes.Float64DType", state=(3, ">", None, None, None, -1, -1, 0))
    with safe_globals([np.dtypes.Float64DType]), pytest.raises(CheckpointError):
        opened(file, weights_only=True)
    assert np.dtype("f8").isnative
    assert np.arange(2.0)[1] == 1.0


def test_truth_values_are_0_or_1() -> None:
    found = opened(array((1, (4,), record("b1", (3, "|", None, None, None, -1, -1, 0)), False, b"\x80\x80\x00\x01")))
    np.testing.assert_array_equal(found.view(np.uint8), [1, 1, 0, 1])
    assert opened(Called("numpy._core.multiarray.scalar", record("b1"), b"\x80")) is np.True_


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6, dtype=np.int16).reshape(2, 3), np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array([1, -2], ">i4"), np.array(["a", "कदम"]), np.array([b"ab"]), np.zeros((0, 3), np.float16),
        np.array(2.5), np.array(["2026-11-23", "NaT"], "M8[D]"), np.array([5], "m8[3s]"), np.array([True, False]),
        np.array([1 + 2j]), np.float32(2), np.bool_(True), np.datetime64("2026-11-23T10:00"), np.str_("a"), np.str_(""),
    ],
    ids=repr,
)  # fmt: skip
def test_arrays_and_numbers_go_both_ways(value: Any) -> None:
    torch = pytest.importorskip("torch")
    for found in (carried(value), carried(value, torch.save), carried(value, save, torch.load)):
        assert type(found) is type(value)
        assert found.dtype == pickle.loads(pickle.dumps(value, 2)).dtype
        np.testing.assert_array_equal(found, value)
        if isinstance(value, np.ndarray):
            assert found.flags.f_contiguous == value.flags.f_contiguous


# ---- objects keep their class and their methods ------------------------------------------------------

RAN: list[object] = []


class Settings:
    """An object of the program."""

    kept = 1

    @property
    def noted(self) -> int:
        return 0

    @noted.setter
    def noted(self, value: object) -> None:
        RAN.append(value)

    def __setstate__(self, state: object) -> None:
        RAN.append(state)


class Other:
    def __del__(self) -> None:
        RAN.append(self)


class Slotted:
    __slots__ = ("place",)
    place: object

    def __init__(self, place: object) -> None:
        self.place = place


def function_of_the_program(*values: object) -> None:
    RAN.append(values)


class Net(nn.Module):
    """A module of the program."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, x: Any) -> Any:
        return self.layer(x)


FUNCTION = Named(f"{HERE}.function_of_the_program")
EMPTY: dict[str, object] = {"training": True, "_parameters": {}, "_buffers": {}, "_modules": {}}
OBJECTS = {
    "another class": Made(f"{HERE}.Settings", state=(None, {"__class__": Named(f"{HERE}.Other")})),
    "another class in the dict": Made(f"{HERE}.Settings", state={"__class__": Named(f"{HERE}.Other")}),
    "another dict": Made(f"{HERE}.Settings", state=(None, {"__dict__": {}})),
    "a property": Made(f"{HERE}.Settings", state=(None, {"noted": 5})),
    "a class attribute as a slot": Made(f"{HERE}.Settings", state=(None, {"kept": 5})),
    "a state that is no dict": Made(f"{HERE}.Settings", state=[1]),
    "a name that is no text": Made(f"{HERE}.Settings", state={1: 1}),
    "a namespace of another class": Made("argparse.Namespace", state={"__class__": Named(f"{HERE}.Other")}),
    "forward": Made("torch.nn.modules.linear.Linear", state={**EMPTY, "forward": FUNCTION}),
    "forward of the program": Made(f"{HERE}.Net", state={**EMPTY, "forward": FUNCTION}),
    "a method": Made(f"{HERE}.Net", state={**EMPTY, "state_dict": FUNCTION}),
    "the call": Made(f"{HERE}.Net", state={**EMPTY, "_call_with_hooks": FUNCTION}),
    "a dunder": Made(f"{HERE}.Net", state={**EMPTY, "__call__": FUNCTION}),
    "a method as a member": Made(f"{HERE}.Net", state={**EMPTY, "_modules": {"forward": FUNCTION}}),
    "a class of modules": Made(f"{HERE}.Net", state={**EMPTY, "__class__": Named(f"{HERE}.Other")}),
    "a call": Called(f"{HERE}.function_of_the_program", 1),
    "a constructor": Called(f"{HERE}.Settings", 1),
    "save": Named("torch.save"),
    "load": Named("torch.load"),
    "a setting": Named("torch.set_default_dtype"),
    "a private function": Named("torch._give_out"),
    "an attribute of a class": Called("builtins.getattr", Named(f"{HERE}.Settings"), "noted"),
    "an attribute of a value": Called("builtins.getattr", "text", "format"),
    "a dunder of PyTorch": Called("builtins.getattr", Named("torch._C._VariableFunctionsClass"), "__class__"),
    "load of PyTorch": Called("builtins.getattr", Named("torch._C._VariableFunctionsClass"), "load"),
    "a module of PyTorch": Called("builtins.getattr", Named("torch._C._VariableFunctionsClass"), "serialization"),
    "a call of what was looked up": crafted(Called("builtins.getattr", Named("torch._C._VariableFunctions"), "relu"))
    + b")R",
    "a default of the program": Called("collections.defaultdict", FUNCTION),
    "a path of an object": Called("pathlib.PosixPath", Made(f"{HERE}.Settings")),
    "a list of an object": Called("collections.deque", Made(f"{HERE}.Settings")),
    "a number of an object": Called("builtins.int", Made(f"{HERE}.Settings")),
    "text of an object": Called("_codecs.encode", Made(f"{HERE}.Settings"), "latin1"),
    "items of an object": Called("builtins.set", Made(f"{HERE}.Tree")),
    "an unknown member": Called(f"{HERE}.Colour", 7),
    "getattr itself": Called("builtins.getattr", Named("builtins.getattr"), "__self__"),
}


@pytest.mark.parametrize("value", OBJECTS.values(), ids=OBJECTS.keys())
def test_objects_that_would_become_or_do_something_else_are_refused(value: object) -> None:
    RAN.clear()
    if isinstance(value, bytes):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("archive/data.pkl", b"\x80\x03" + value + b".")
        file.seek(0)
        with pytest.raises(CheckpointError):
            load(file, weights_only=False)
    else:
        with pytest.raises(CheckpointError):
            opened(value)
    assert RAN == []


def test_attributes_are_given_without_a_method_of_the_class() -> None:
    RAN.clear()
    found = opened(Made(f"{HERE}.Settings", state={"scale": 2}))
    assert vars(found) == {"scale": 2}
    assert RAN == []
    assert carried(Slotted(3)).place == 3


# ---- what checkpoints keep beside tensors ------------------------------------------------------------

Point = namedtuple("Point", "x y")


class Colour(Enum):
    RED = 1


class Tree(dict[str, Any]):
    """A dict of the program, filled by no method of its own."""

    def __setitem__(self, key: str, value: object) -> None:
        raise AssertionError("a file has called a method")


@dataclass
class Recipe:
    rate: float
    kind: Colour


VALUES = [
    argparse.Namespace(lr=0.1, layers=[1, 2], out=Path("a/b")), defaultdict(list, a=[1]), defaultdict(int),
    deque([1, 2], 3), Path("runs/1"), PurePosixPath("/a"), datetime(2026, 11, 23, 19, 0, tzinfo=UTC), date(2026, 1, 2),
    timedelta(hours=3), range(1, 9, 2), slice(1, None, 2), frozenset({1, 2}), 1 + 2j, {3, 4}, SimpleNamespace(a=1),
    OrderedDict(a=1), int, {"type": float}, Point(1, 2), Colour.RED, Tree(a=1), Recipe(0.5, Colour.RED),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_plain_data_goes_both_ways(value: Any) -> None:
    torch = pytest.importorskip("torch")
    if not isinstance(value, Tree):
        assert carried(value, save, torch.load) == value
    for write in (save, torch.save):
        found = carried(value, write)
        assert (type(found), found) == (type(value), value)
    if isinstance(value, defaultdict | deque):
        assert carried(value).__reduce__()[1] == value.__reduce__()[1]


def test_plain_data_needs_permission_where_pytorch_asks_for_it() -> None:
    torch = pytest.importorskip("torch")
    for value in (argparse.Namespace(a=1), Path("a"), range(3), datetime(2026, 1, 1)):
        file = io.BytesIO()
        torch.save(value, file)
        for read in (load, torch.load):
            file.seek(0)
            with pytest.raises(pickle.UnpicklingError):
                read(file)


def test_what_the_user_allows_needs_no_other_permission() -> None:
    torch = pytest.importorskip("torch")
    value = [defaultdict(list), argparse.Namespace(a=1), int, Recipe(0.5, Colour.RED)]
    allowed = [defaultdict, list, argparse.Namespace, int, Recipe, Colour]
    file = io.BytesIO()
    torch.save(value, file)
    for read, permitting in ((torch.load, torch.serialization.safe_globals), (load, safe_globals)):
        file.seek(0)
        with permitting(allowed):
            assert read(file) == value
    with safe_globals(allowed):
        assert opened(Called("builtins.list", (1, 2)), weights_only=True) == [1, 2]


@pytest.mark.parametrize("name", ["relu", "tanh", "nn.functional.gelu", "nn.functional.relu", "nn.functional.softmax"])
def test_functions_of_tensors_go_both_ways(name: str) -> None:
    torch = pytest.importorskip("torch")

    def of(library: Any) -> Any:
        for part in name.split("."):
            library = getattr(library, part)
        return library

    x = [-1.0, 0.5]
    for write, read, make, library in (
        (torch.save, load, kadam.tensor, kadam),
        (save, torch.load, torch.tensor, torch),
    ):
        module = (torch if write is torch.save else kadam).nn.Linear(2, 2)
        module.act = of(torch if write is torch.save else kadam)
        options = {"dim": 0} if "softmax" in name else {}
        found = carried(module, write, read).act(make(x), **options)
        assert found.tolist() == pytest.approx(of(library)(make(x), **options).tolist())


# ---- what no file can hold ---------------------------------------------------------------------------


def _pruned() -> Any:
    return prune.l1_unstructured(nn.Linear(2, 2), "weight", 0.5)


def _scheduled() -> Any:
    return kadam.optim.lr_scheduler.StepLR(kadam.optim.Adam([nn.Parameter(kadam.ones(2))]), 2)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "Generator": (kadam.Generator, "get_state"),
    "Adam": (lambda: kadam.optim.Adam([nn.Parameter(kadam.ones(2))]), "state_dict"),
    "SGD": (lambda: kadam.optim.SGD([nn.Parameter(kadam.ones(2))], 0.1), "state_dict"),
    "StepLR": (_scheduled, "state_dict"),
    "pruned": (_pruned, "state_dict"),
    "weight_norm": (lambda: nn.utils.weight_norm(nn.Linear(2, 2)), "remove_weight_norm"),
    "spectral_norm": (lambda: nn.utils.spectral_norm(nn.Linear(2, 2)), "remove_spectral_norm"),
    "distribution": (lambda: kadam.distributions.Normal(kadam.zeros(1), kadam.ones(1)), "tensors"),
    "lazy": (lambda: nn.LazyLinear(3), "run the model once"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_load_could_open_is_refused_when_it_is_saved(name: str, tmp_path: Path) -> None:
    make, fix = REFUSED[name]
    with pytest.raises(UnsupportedError, match=f"(?i)save.*Fix.*{fix}"):
        save({"it": make()}, tmp_path / "it.pt")
    assert not (tmp_path / "it.pt").exists()


def test_datasets_of_tensors_go_both_ways() -> None:
    torch = pytest.importorskip("torch")
    for write, read, library in ((torch.save, load, torch), (save, torch.load, kadam), (save, load, kadam)):
        data = library.utils.data
        pairs = data.TensorDataset(library.arange(4), library.arange(4) * 2)
        found = carried(data.ConcatDataset([data.Subset(pairs, [3, 1]), pairs]), write, read)
        assert [tuple(map(int, one)) for one in (found[0], found[1], found[-1])] == [(3, 6), (1, 2), (3, 6)]
        assert len(found) == 6


def test_networks_of_torchvision_are_written_by_its_names() -> None:
    network = models.resnet18(num_classes=3).eval()
    file = io.BytesIO()
    save(network, file)
    with zipfile.ZipFile(file) as archive:
        named = {
            text for code, text, _ in pickletools.genops(archive.read("archive/data.pkl")) if code.name == "GLOBAL"
        }
    assert {"torchvision.models.resnet ResNet", "torchvision.models.resnet BasicBlock"} <= named
    assert not any("kadam" in str(name) for name in named)
    found = carried(network)
    image = kadam.ones(1, 3, 32, 32)
    assert type(found) is type(network)
    assert kadam.equal(found(image), network(image))


@pytest.mark.parametrize("is_persistent", [True, False])
def test_a_buffer_of_pytorch_comes_as_a_buffer(is_persistent: bool) -> None:
    torch = pytest.importorskip("torch")
    found = carried(torch.nn.Buffer(torch.ones(2), persistent=is_persistent), torch.save)
    assert isinstance(found, nn.Buffer)
    assert (found.persistent, found.tolist()) == (is_persistent, [1.0, 1.0])


def test_a_generators_state_goes_on_in_pytorch() -> None:
    torch = pytest.importorskip("torch")
    generator = kadam.Generator().manual_seed(3)
    theirs = torch.Generator()
    theirs.set_state(carried(generator.get_state(), save, torch.load))
    assert torch.rand(3, generator=theirs).tolist() == kadam.rand(3, generator=generator).tolist()
