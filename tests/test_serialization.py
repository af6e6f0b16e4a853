"""Checkpoints: the same files as PyTorch's in both directions, written whole or not at all, unable to run code."""

from __future__ import annotations

import io
import os
import pickle
import random
import stat
import struct
import subprocess
import zipfile
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import kadam
from kadam import dtypes, serialization
from kadam.device import device
from kadam.dtypes import dtype
from kadam.errors import UnsupportedError
from kadam.nn.parameter import Parameter
from kadam.recording.modes import no_grad
from kadam.recording.spec import Size
from kadam.recording.tensor import from_array, read
from kadam.serialization import CheckpointError, FileError, files, load, safe_globals, save
from kadam.tensor import Tensor

Array = np.ndarray[Any, np.dtype[Any]]

# ---- the two libraries' tensors, made of the same values ---------------------------------------------


def kadam_tensor(array: Array, requires_grad: bool = False) -> Tensor:
    return from_array(array.copy(), requires_grad)


def torch_tensor(array: Array) -> Any:
    torch = pytest.importorskip("torch")
    if array.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(np.atleast_1d(array).view(np.int16).copy()).view(torch.bfloat16).reshape(array.shape)
    return torch.from_numpy(np.atleast_1d(array).copy()).reshape(array.shape)


def torch_values(tensor: Any) -> Array:
    torch = pytest.importorskip("torch")
    tensor = tensor.detach()
    if tensor.dtype == torch.bfloat16:
        return tensor.contiguous().view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


def written(obj: object, **options: Any) -> io.BytesIO:
    file = io.BytesIO()
    save(obj, file, **options)
    file.seek(0)
    return file


def written_by_torch(obj: object) -> io.BytesIO:
    file = io.BytesIO()
    pytest.importorskip("torch").save(obj, file)
    file.seek(0)
    return file


def read_by_torch(file: Any, **options: Any) -> Any:
    return pytest.importorskip("torch").load(file, weights_only=True, **options)


# ---- the same files ----------------------------------------------------------------------------------

ARRAYS = [
    np.arange(12.0).reshape(3, 4),
    np.asarray(3.0),
    np.zeros((0, 3)),
    np.asarray([]),
    np.asarray([0.0, 1.0, 5.0]),
]


@pytest.mark.parametrize("kind", dtypes.ALL, ids=lambda kind: kind.name)
def test_tensors_of_every_type_go_both_ways(kind: dtype) -> None:
    torch = pytest.importorskip("torch")
    arrays = [array.astype(kind.numpy) for array in ARRAYS]
    theirs = read_by_torch(written([kadam_tensor(array) for array in arrays]))
    ours = load(written_by_torch([torch_tensor(array) for array in arrays]))
    for array, their, our in zip(arrays, theirs, ours, strict=True):
        assert their.dtype == getattr(torch, kind.name)
        assert our.dtype is kind
        assert tuple(their.shape) == tuple(our.shape) == array.shape
        np.testing.assert_array_equal(torch_values(their), array)
        np.testing.assert_array_equal(read(our), array)


PLAIN = [
    1, -1, 255, 65536, 2**40, -(2**70), 2.5, float("inf"), None, True, False, "weight", "कदम", b"\xff\x00",
    (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], [[[]]], {}, {"a": {1: [2]}}, {1, 2}, set(), bytearray(b"xy"), 1 + 2j,
    OrderedDict(b=1, a=2), Counter("abca"), "x" * 300, list(range(3000)),
]  # fmt: skip


def test_plain_values_go_both_ways() -> None:
    assert read_by_torch(written(PLAIN)) == load(written_by_torch(PLAIN)) == PLAIN
    assert load(written_by_torch(b"")) == b"", "which PyTorch itself does not read"
    for protocol in (2, 3, 4, 5):
        assert load(written(PLAIN, pickle_protocol=protocol)) == PLAIN


def checkpoint_of_kadam() -> OrderedDict[str, Any]:
    base = kadam_tensor(np.arange(12, dtype=np.float32).reshape(3, 4))
    state: OrderedDict[str, Any] = OrderedDict(
        base=base,
        turned=base.t(),
        part=base[1:, 1],
        again=base,
        parameter=Parameter(kadam_tensor(np.ones(2, np.float32))),
        frozen=Parameter(kadam_tensor(np.ones(2, np.float16)), False),
        leaf=kadam_tensor(np.zeros(3, np.float64), requires_grad=True),
        count=kadam_tensor(np.asarray(7)),
        small=kadam_tensor(np.asarray([1, 2], np.uint16)),
        size=Size((2, 3)),
        types=[dtypes.float32, dtypes.bool_],
        plain={"lr": 0.1, "betas": (0.9, 0.999), "params": [0, 1]},
    )
    state._metadata = OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined]
    return state


def checkpoint_of_torch() -> OrderedDict[str, Any]:
    torch = pytest.importorskip("torch")
    base = torch.arange(12.0).reshape(3, 4)
    state: OrderedDict[str, Any] = OrderedDict(
        base=base,
        turned=base.t(),
        part=base[1:, 1],
        again=base,
        parameter=torch.nn.Parameter(torch.ones(2)),
        frozen=torch.nn.Parameter(torch.ones(2, dtype=torch.float16), False),
        leaf=torch.zeros(3, dtype=torch.float64, requires_grad=True),
        count=torch.tensor(7),
        small=torch.tensor([1, 2], dtype=torch.uint16),
        size=torch.Size((2, 3)),
        types=[torch.float32, torch.bool],
        plain={"lr": 0.1, "betas": (0.9, 0.999), "params": [0, 1]},
    )
    state._metadata = OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined]
    return state


def test_the_file_is_the_file_that_pytorch_writes() -> None:
    ours, theirs = written(checkpoint_of_kadam()), written_by_torch(checkpoint_of_torch())
    with zipfile.ZipFile(ours) as our_zip, zipfile.ZipFile(theirs) as their_zip:
        assert our_zip.namelist() == their_zip.namelist()
        for name in our_zip.namelist():
            if not name.endswith("serialization_id"):
                assert our_zip.read(name) == their_zip.read(name), name


def test_storages_begin_where_they_can_be_mapped() -> None:
    content = written(checkpoint_of_kadam()).getvalue()
    base = np.arange(12, dtype=np.float32).tobytes()
    assert content.index(base) % 64 == 0


def test_roles_and_sharing_survive_in_kadam() -> None:
    for file in (written(checkpoint_of_kadam()), written_by_torch(checkpoint_of_torch())):
        state = load(file)
        assert state._metadata == {"": {"version": 1}}
        assert state["again"] is state["base"]
        np.testing.assert_array_equal(read(state["turned"]), np.arange(12, dtype=np.float32).reshape(3, 4).T)
        np.testing.assert_array_equal(read(state["part"]), [5, 9])
        assert type(state["parameter"]) is Parameter
        assert state["parameter"].requires_grad
        assert type(state["frozen"]) is Parameter
        assert not state["frozen"].requires_grad
        assert type(state["leaf"]) is Tensor
        assert state["leaf"].requires_grad
        assert not state["base"].requires_grad
        assert type(state["size"]) is Size
        assert state["size"] == (2, 3)
        assert state["types"] == [dtypes.float32, dtypes.bool_]
        assert state["plain"] == {"lr": 0.1, "betas": (0.9, 0.999), "params": [0, 1]}


def test_roles_and_sharing_survive_in_pytorch() -> None:
    torch = pytest.importorskip("torch")
    state = read_by_torch(written(checkpoint_of_kadam()))
    assert state._metadata == {"": {"version": 1}}
    state["base"][1, 1] = 50.0
    assert state["part"][0] == state["turned"][1, 1] == 50.0
    assert type(state["parameter"]) is torch.nn.Parameter
    assert not state["frozen"].requires_grad
    assert state["leaf"].requires_grad
    assert state["size"] == torch.Size((2, 3))
    assert state["types"] == [torch.float32, torch.bool]


def test_what_shared_memory_shares_it_again() -> None:
    base = kadam_tensor(np.arange(12, dtype=np.float32).reshape(3, 4))
    tied = Parameter(base)
    views = [base, base.t(), base[1:, 1], base[::2], base[:, None].expand(3, 2, 4), base.view(2, 6), base.detach()]
    for file in (written([tied, *views]), written([*reversed(views)])):
        for index in (0, -1):
            loaded = load(file)
            file.seek(0)
            expected = load(file)
            file.seek(0)
            values = [read(tensor).copy() for tensor in expected]
            with no_grad():
                loaded[index].mul_(2.0)
            for value, tensor in zip(values, loaded, strict=True):
                np.testing.assert_array_equal(read(tensor + 0), value * 2)
                np.testing.assert_array_equal(read(tensor), value * 2)
            again = load(written(loaded))
            with no_grad():
                again[index].zero_()
            assert all((read(tensor) == 0).all() for tensor in again)


def random_view(tensor: Any, rng: random.Random) -> Any:
    """The tensor seen through up to four views; the same for both libraries, given the same random numbers."""
    for _ in range(rng.randrange(5)):
        axis = rng.randrange(tensor.dim())
        match rng.randrange(5):
            case 0:
                start = rng.randrange(tensor.shape[axis])
                tensor = tensor.narrow(axis, start, rng.randint(1, tensor.shape[axis] - start))
            case 1:
                tensor = tensor.transpose(0, axis)[:: rng.randint(1, 3)].transpose(0, axis)
            case 2:
                tensor = tensor.transpose(axis, rng.randrange(tensor.dim()))
            case 3:
                tensor = tensor.unsqueeze(axis)
            case _:
                tensor = tensor.unsqueeze(0).expand(2, *tensor.shape)
    return tensor


def test_random_views_share_in_kadam_what_they_share_in_pytorch() -> None:
    torch = pytest.importorskip("torch")
    for seed in range(60):
        rng = random.Random(seed)
        base = torch.arange(120.0).reshape(2, 3, 4, 5)
        views = [random_view(base, rng) for _ in range(3)]
        theirs, ours = [base, *views], load(written_by_torch([base, *views]))
        theirs[0].add_(1.0)
        ours[0].add_(1.0)
        back = read_by_torch(written(ours))
        for their, our, returned in zip(theirs, ours, back, strict=True):
            np.testing.assert_array_equal(read(our), their.numpy())
            assert torch.equal(returned, their)
        back[0].zero_()
        assert not any(tensor.any() for tensor in back)


def test_overlapping_windows_get_memory_of_their_own() -> None:
    torch = pytest.importorskip("torch")
    windows = load(written_by_torch(torch.arange(5.0).unfold(0, 3, 1)))
    np.testing.assert_array_equal(read(windows), [[0, 1, 2], [1, 2, 3], [2, 3, 4]])


def training(library: Any) -> tuple[Any, Any, Any]:
    model = library.nn.Sequential(library.nn.Linear(3, 4), library.nn.BatchNorm1d(4), library.nn.Linear(4, 1))
    optimizer = library.optim.Adam(model.parameters(), lr=0.05)
    return model, optimizer, library.optim.lr_scheduler.StepLR(optimizer, 2)


def train(library: Any, parts: tuple[Any, Any, Any]) -> list[float]:
    model, optimizer, scheduler = parts
    inputs = library.linspace(-1.0, 1.0, 24).reshape(8, 3)
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = (model(inputs) - inputs.sum(1, keepdim=True)).square().mean()
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return losses


def test_training_goes_on_in_the_other_library_where_it_was_left() -> None:
    torch = pytest.importorskip("torch")
    for here, there in [(kadam, torch), (torch, kadam)]:
        old, new = training(here), training(there)
        train(here, old)
        file = io.BytesIO()
        here.save([part.state_dict() for part in old], file)
        file.seek(0)
        for part, state in zip(new, there.load(file), strict=True):
            part.load_state_dict(state)
        assert train(there, new) == pytest.approx(train(here, old), rel=1e-4)


def test_devices_and_the_program_s_own_attributes_go_both_ways() -> None:
    torch = pytest.importorskip("torch")
    their, their_parameter = torch.ones(2), torch.nn.Parameter(torch.ones(2))
    their.note, their_parameter.group = "kept", 3
    our, our_parameter, our_device = load(written_by_torch([their, their_parameter, torch.device("cpu")]))
    assert (our.note, our_parameter.group, str(our_device)) == ("kept", 3, "cpu")
    assert isinstance(our_device, device)
    back, back_parameter, back_device = read_by_torch(written([our, our_parameter, our_device]))
    assert (back.note, back_parameter.group, back_device) == ("kept", 3, torch.device("cpu"))


def test_equal_objects_give_equal_files() -> None:
    assert written(checkpoint_of_kadam()).getvalue() == written(checkpoint_of_kadam()).getvalue()


def test_sizes_beyond_32_bits_are_written_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 40)
    array = np.arange(100, dtype=np.float32)
    content = written([kadam_tensor(array), kadam_tensor(array + 1)]).getvalue()
    assert content.index(array.tobytes()) % 64 == 0
    np.testing.assert_array_equal(read(load(io.BytesIO(content))[1]), array + 1)
    np.testing.assert_array_equal(read_by_torch(io.BytesIO(content))[1].numpy(), array + 1)


def test_the_other_byte_order_is_turned() -> None:
    little = written([kadam_tensor(np.asarray([1.5, 2.0], np.float32)), kadam_tensor(np.asarray([1, 2], np.uint16))])
    turned = {
        "archive/byteorder": b"big",
        "archive/data/0": np.asarray([1.5, 2.0], ">f4").tobytes(),
        "archive/data/1": np.asarray([1, 2], ">u2").tobytes(),
    }
    floats, integers = load(rewritten(little, turned))
    np.testing.assert_array_equal(read(floats), [1.5, 2.0])
    np.testing.assert_array_equal(read(integers), [1, 2])


def rewritten(file: io.BytesIO, changes: dict[str, bytes | None]) -> io.BytesIO:
    """The same archive with some records replaced, or dropped where None."""
    result = io.BytesIO()
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(result, "w") as target:
        for name in source.namelist():
            content = changes.get(name, source.read(name))
            if content is not None:
                target.writestr(name, content)
    result.seek(0)
    return result


# ---- files -------------------------------------------------------------------------------------------


def test_paths_and_mapping(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    array = np.arange(1000, dtype=np.float32)
    save({"w": kadam_tensor(array), "none": kadam_tensor(array[:0])}, path)
    for file, mmap in [(path, None), (str(path), False), (path, True)]:
        np.testing.assert_array_equal(read(load(file, mmap=mmap)["w"]), array)
        np.testing.assert_array_equal(read_by_torch(file, mmap=mmap)["w"].numpy(), array)
    mapped = load(path, mmap=True)["w"]
    mapped.zero_()
    assert not read(mapped).any()
    np.testing.assert_array_equal(read(load(path)["w"]), array)
    with open(path, "rb") as file:
        np.testing.assert_array_equal(read(load(file)["w"]), array)
    with pytest.raises(ValueError, match="must be a file path"):
        load(io.BytesIO(path.read_bytes()), mmap=True)


def test_buffers_are_written_and_read_where_they_stand() -> None:
    file = io.BytesIO(b"head")
    file.seek(4)
    save(kadam_tensor(np.arange(3.0)), file)
    file.seek(4)
    np.testing.assert_array_equal(read(load(file)), np.arange(3.0))
    save(1, file)
    file.seek(4)
    with pytest.raises(FileError, match="not one whole checkpoint"):
        load(file)


def test_a_file_that_only_writes_onwards_is_enough(tmp_path: Path) -> None:
    class Pipe:
        def __init__(self) -> None:
            self.content = b""

        def write(self, content: memoryview) -> int:
            self.content += bytes(content[:100])
            return len(content[:100])

        def flush(self) -> None:
            pass

    pipe = Pipe()
    save(PLAIN, pipe)  # type: ignore[arg-type]
    assert load(io.BytesIO(pipe.content)) == PLAIN


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.pt"
    save("old", path)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        save(["new", lambda: None], path)

    def full_disk(file: Any, pickled: bytes, storages: Any) -> None:
        file.write(pickled)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(serialization, "write_archive", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save("new", path)
    monkeypatch.undo()
    monkeypatch.setattr(files.os, "fsync", lambda handle: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        save("new", path)
    assert load(path) == "old"
    assert os.listdir(tmp_path) == ["model.pt"]


def test_the_new_file_is_complete_on_the_disk_before_it_replaces_the_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.pt"
    save("old", path)
    events: list[str] = []
    real_sync, real_replace = os.fsync, os.replace
    monkeypatch.setattr(files.os, "fsync", lambda handle: (events.append("fsync"), real_sync(handle)))

    def replace(draft: str, target: str) -> None:
        assert load(draft) == "new"
        assert load(target) == "old"
        events.append("replace")
        real_replace(draft, target)

    monkeypatch.setattr(files.os, "replace", replace)
    save("new", path)
    assert events[:2] == ["fsync", "replace"]
    assert load(path) == "new"


def test_links_modes_and_devices_are_respected(tmp_path: Path) -> None:
    path, link = tmp_path / "model.pt", tmp_path / "latest.pt"
    save(1, path)
    path.chmod(0o640)
    link.symlink_to(path)
    save(2, link)
    assert link.is_symlink()
    assert load(path) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    if os.path.exists("/dev/null"):
        save(3, "/dev/null")
        assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_paths_that_cannot_be_files(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="does not exist"):
        save(1, tmp_path / "missing" / "model.pt")
    with pytest.raises(RuntimeError, match="is a directory"):
        save(1, tmp_path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing.pt")
    with pytest.raises(AttributeError, match="'write' method"):
        save(1, 5)  # type: ignore[arg-type]
    with pytest.raises(AttributeError, match="seek"):
        load(5)  # type: ignore[arg-type]


# ---- damage ------------------------------------------------------------------------------------------

REFUSALS = (EOFError, RuntimeError, pickle.UnpicklingError)


def test_damage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(b"")
    with pytest.raises(EOFError, match=r"model\.pt' is empty"):
        load(path)
    path.write_bytes(b"hello world")
    with pytest.raises(pickle.UnpicklingError, match=r"model\.pt' is not a checkpoint"):
        load(path)
    content = written({"w": kadam_tensor(np.arange(9.0))}).getvalue()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(RuntimeError, match=r"model\.pt' is damaged.*cut short"):
        load(path)
    flipped = bytearray(content)
    flipped[content.index(np.arange(9.0).tobytes()) + 3] ^= 1
    path.write_bytes(flipped)
    with pytest.raises(RuntimeError, match=r"model\.pt' is damaged: record 'data/0'.*CRC"):
        load(path)


def test_missing_and_misfit_records_are_named() -> None:
    file = written([kadam_tensor(np.arange(9.0))])
    with pytest.raises(RuntimeError, match=r"has no record 'data/0'"):
        load(rewritten(file, {"archive/data/0": None}))
    with pytest.raises(RuntimeError, match=r"no record 'data.pkl'"):
        load(rewritten(file, {"archive/data.pkl": None}))
    with pytest.raises(RuntimeError, match=r"holds 8 bytes, its tensors need 72"):
        load(rewritten(file, {"archive/data/0": b"8 bytes."}))
    with pytest.raises(RuntimeError, match="byte order"):
        load(rewritten(file, {"archive/byteorder": b"middle"}))


def test_no_damage_goes_unnoticed_or_escapes_as_another_error() -> None:
    array = np.arange(5.0)
    content = written({"w": kadam_tensor(array), "epoch": 3}).getvalue()
    for length in range(len(content)):
        with pytest.raises(REFUSALS):
            load(io.BytesIO(content[:length]))
    random.seed(0)
    for _ in range(1500):
        changed = bytearray(content)
        changed[random.randrange(len(content))] ^= 1 << random.randrange(8)
        try:
            state = load(io.BytesIO(changed))
        except REFUSALS:
            continue
        assert state["epoch"] == 3
        np.testing.assert_array_equal(read(state["w"]), array)


def test_other_formats_are_named() -> None:
    torch = pytest.importorskip("torch")
    legacy = io.BytesIO()
    torch.save({"a": 1}, legacy, _use_new_zipfile_serialization=False)
    legacy.seek(0)
    with pytest.raises(UnsupportedError, match="legacy"):
        load(legacy)
    with pytest.raises(UnsupportedError, match="lazy view"):
        load(written_by_torch(torch.zeros(2, dtype=torch.complex64).conj()))
    with pytest.raises(UnsupportedError, match="sparse_csc"):
        load(written_by_torch(torch.eye(2).to_sparse_csc()))


@pytest.mark.parametrize("kind", ["to_sparse", "to_sparse_csr"])
def test_sparse_tensors_are_read_and_written_as_pytorch_does(kind: str) -> None:
    torch = pytest.importorskip("torch")
    dense = [[0.0, 1.5, 0.0], [2.0, 0.0, -3.0]]
    theirs, ours = getattr(torch.tensor(dense), kind)(), getattr(kadam.tensor(dense), kind)()
    for found in (load(written_by_torch({"s": theirs}))["s"], load(written({"s": ours}))["s"]):
        assert repr(found) == repr(theirs)
    assert repr(read_by_torch(written({"s": ours}))["s"]) == repr(theirs)
    twice = kadam.sparse_coo_tensor([[1, 1]], [1.0, 2.0], (3,))
    assert not load(written(twice)).is_coalesced()


# ---- a file cannot run code --------------------------------------------------------------------------


def with_pickle(pickled: bytes) -> io.BytesIO:
    """A checkpoint of one storage of nine float64, with this pickle."""
    return rewritten(written([kadam_tensor(np.arange(9.0))]), {"archive/data.pkl": pickled})


class Innocent:
    ran = False

    def __init__(self, *values: object) -> None:
        self.values = values


def touch_nothing(*arguments: object) -> None:
    Innocent.ran = True


HERE = f"{Innocent.__module__}\n".encode()
STORAGE = b"(X\x07\x00\x00\x00storagectorch\nDoubleStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x09tQ"
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"


def rebuilt(offset: bytes, shape: bytes, strides: bytes) -> bytes:
    return b"\x80\x02" + REBUILD + b"(" + STORAGE + offset + shape + strides + b"\x89NtR."


HOSTILE = {
    "function": b"\x80\x02c" + HERE + b"touch_nothing\n)R.",
    "system": b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00true\x85R.",
    "eval": b"\x80\x02c__builtin__\neval\nX\x01\x00\x00\x001\x85R.",
    "getattr": b"\x80\x02cbuiltins\ngetattr\n.",
    "stack global": b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.",
    "dotted name": b"\x80\x04\x8c\x0bcollections\x8c\x12OrderedDict.update\x93)R.",
    "torch.load": b"\x80\x02ctorch\nload\n)R.",
    "instance": b"\x80\x02(i" + HERE + b"touch_nothing\n.",
    "object": b"\x80\x02(c" + HERE + b"touch_nothing\no.",
    "extension": b"\x80\x02\x82\x01.",
    "new": b"\x80\x02c" + HERE + b"Innocent\n)\x81.",
    "new of an allowed name": b"\x80\x02ctorch\nTensor\n)\x81.",
    "build on a function": b"\x80\x02" + REBUILD + b"}X\x05\x00\x00\x00extraK\x01sb.",
    "build on a class": b"\x80\x02ccollections\nOrderedDict\n}X\x05\x00\x00\x00extraK\x01sb.",
    "slots of a function": b"\x80\x02" + REBUILD + b"N}X\x0c\x00\x00\x00__defaults__)s\x86b.",
    "call of a made value": b"\x80\x02]K\x01\x85R.",
    "append to a tensor": rebuilt(b"K\x00", b"K\x09\x85", b"K\x01\x85")[:-1] + b"K\x01a.",
    "items of a function": b"\x80\x02" + REBUILD + b"K\x01K\x02s.",
    "codec": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R.",
    "foreign reference": b"\x80\x02X\x04\x00\x00\x00fileQ.",
    "text reference": b"\x80\x02Pfile\n.",
    "tensor beyond its storage": rebuilt(b"K\x00", b"K\x0a\x85", b"K\x01\x85"),
    "offset beyond its storage": rebuilt(b"K\x05", b"K\x09\x85", b"K\x01\x85"),
    "strides beyond its storage": rebuilt(b"K\x00", b"K\x03K\x03\x86", b"K\x04K\x04\x86"),
    "negative offset": rebuilt(b"J\xff\xff\xff\xff", b"K\x02\x85", b"K\x01\x85"),
    "negative stride": rebuilt(b"K\x08", b"K\x09\x85", b"J\xff\xff\xff\xff\x85"),
    "negative size": rebuilt(b"K\x00", b"J\xff\xff\xff\xff\x85", b"K\x01\x85"),
    "fractional size": rebuilt(b"K\x00", b"G" + struct.pack(">d", 2.5) + b"\x85", b"K\x01\x85"),
    "no storage": b"\x80\x02" + REBUILD + b"(]K\x00K\x02\x85K\x01\x85\x89NtR.",
    "own attribute of a tensor": b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n(" + REBUILD + b"ctorch\nTensor\n("
    + STORAGE + b"K\x00K\x09\x85K\x01\x85\x89Nt}X\x06\x00\x00\x00_arrayNstR.",
    "end": b"\x80\x02",
    "no operand": b"\x80\x02R.",
    "unknown memory": b"\x80\x02h\x05.",
    "cut string": b"\x80\x02X\xff\xff\xff\x7fabc.",
}  # fmt: skip


@pytest.mark.parametrize("pickled", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_pickles_are_refused(pickled: bytes) -> None:
    Innocent.ran = False
    defaults = serialization.vocabulary.rebuild_tensor.__defaults__
    with pytest.raises(pickle.UnpicklingError):
        load(with_pickle(pickled))
    assert not Innocent.ran
    assert serialization.vocabulary.rebuild_tensor.__defaults__ == defaults


def test_the_well_formed_neighbour_of_the_hostile_pickles_loads() -> None:
    np.testing.assert_array_equal(read(load(with_pickle(rebuilt(b"K\x01", b"K\x04\x85", b"K\x02\x85")))), [1, 3, 5, 7])


def test_what_is_not_allowed_is_named_and_can_be_allowed() -> None:
    file = written({"best": Innocent(1, 2)})
    name = f"{Innocent.__module__}.Innocent"
    with pytest.raises(CheckpointError, match=f"the global {name}.*add_safe_globals"):
        load(file)
    file.seek(0)
    assert serialization.get_unsafe_globals_in_checkpoint(file) == [name]
    file.seek(0)
    with safe_globals([Innocent]):
        assert serialization.get_safe_globals() == [Innocent]
        assert load(file)["best"].values == (1, 2)
    assert serialization.get_safe_globals() == []
    serialization.add_safe_globals([(Innocent, "old.place.Innocent")])
    try:
        renamed = written([])
        renamed = rewritten(renamed, {"archive/data.pkl": b"\x80\x02cold.place\nInnocent\nK\x05\x85R."})
        assert load(renamed).values == (5,)
        assert serialization.get_safe_globals() == [(Innocent, "old.place.Innocent")]
    finally:
        serialization.clear_safe_globals()
    with (
        safe_globals([(touch_nothing, "posix.system")]),
        pytest.raises(CheckpointError, match="nothing in that module"),
    ):
        load(with_pickle(HOSTILE["system"]))
    with pytest.raises(TypeError):
        serialization.add_safe_globals([5])


def test_numpy_values_need_permission_as_in_pytorch() -> None:
    torch = pytest.importorskip("torch")
    values = [np.float64(2.5), np.arange(3)]
    allowed = [
        np._core.multiarray.scalar, np._core.multiarray._reconstruct, np.ndarray, np.dtype,
        np.dtypes.Float64DType, np.dtypes.Int64DType,
    ]  # fmt: skip
    for file, their_load in [(written(values), True), (written_by_torch(values), False)]:
        with pytest.raises(pickle.UnpicklingError, match="numpy"):
            load(file)
        file.seek(0)
        with safe_globals(allowed), torch.serialization.safe_globals(allowed):
            loaded = read_by_torch(file) if their_load else load(file)
        assert loaded[0] == 2.5
        np.testing.assert_array_equal(loaded[1], [0, 1, 2])


class Settings:
    """What a network may have beside its members."""

    def __init__(self, scale: float) -> None:
        self.scale = scale


class Network(kadam.nn.Module):
    """A module of the program's own, with what such modules have."""

    def __init__(self) -> None:
        super().__init__()
        self.settings = Settings(2.0)
        self.inner = kadam.nn.Sequential(kadam.nn.Linear(3, 2), kadam.nn.BatchNorm1d(2))
        self.tied = self.inner[0]
        self.activation = kadam.nn.functional.relu
        self.register_buffer("shift", kadam.ones(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.inner(x)) * self.settings.scale + self.shift


def test_a_whole_module_comes_back_without_its_constructor(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Network().eval()
    file = written({"model": model, "epoch": 3})
    with pytest.raises(pickle.UnpicklingError, match="weights_only=False"):
        load(file)
    monkeypatch.setattr(Network, "__init__", lambda self: pytest.fail("a file ran a constructor"))
    loaded = load(written({"model": model, "epoch": 3}), weights_only=False)["model"]
    x = kadam.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(read(loaded(x)), read(model(x)))
    assert not loaded.training
    assert loaded.tied is loaded.inner[0]
    assert list(loaded.state_dict()) == list(model.state_dict())
    loaded(x).sum().backward()
    assert loaded.tied.weight.grad is not None
    assert model.tied.weight.grad is None


def test_whole_modules_of_layers_go_both_ways() -> None:
    torch = pytest.importorskip("torch")
    kadam.manual_seed(0)
    ours = kadam.nn.Sequential(kadam.nn.Conv2d(1, 2, 3), kadam.nn.ReLU(), kadam.nn.Flatten(), kadam.nn.Linear(8, 2))
    theirs = torch.load(written(ours), weights_only=False)
    x = np.linspace(-1, 1, 32, dtype=np.float32).reshape(2, 1, 4, 4)
    np.testing.assert_allclose(torch_values(theirs(torch_tensor(x))), read(ours(kadam_tensor(x))), rtol=1e-5)
    back = load(written_by_torch(theirs), weights_only=False)
    np.testing.assert_array_equal(read(back(kadam_tensor(x))), read(ours(kadam_tensor(x))))
    assert repr(back) == repr(theirs)


def test_numpy_values_come_with_whole_modules() -> None:
    values = [np.float64(2.5), np.arange(6.0).reshape(2, 3), np.array(["a"]), np.float32(1)]
    scalar, matrix, words, single = load(written(values), weights_only=False)
    assert (scalar, words[0], single) == (2.5, "a", np.float32(1))
    np.testing.assert_array_equal(matrix, values[1])


class Attack:
    """What would run a command if a file could."""

    def __init__(self, call: Any) -> None:
        self.call = call

    def __reduce__(self) -> Any:
        return self.call, ("true",)


@pytest.mark.parametrize("call", [os.system, subprocess.Popen, eval, kadam.load, kadam.nn.functional.relu])
def test_a_file_of_whole_modules_calls_nothing(call: Any) -> None:
    with pytest.raises(CheckpointError):
        load(with_pickle(pickle.dumps(Attack(call), 2)), weights_only=False)


def test_full_pickle_is_not_offered() -> None:
    file = written([1])
    assert load(written([1]), weights_only=False) == [1]
    with pytest.raises(UnsupportedError, match="add_safe_globals"):
        load(file, pickle_module=pickle)
    with pytest.raises(RuntimeError, match="pickle_module"):
        load(file, pickle_module=pickle, weights_only=True)
    with pytest.raises(UnsupportedError):
        save(1, io.BytesIO(), pickle_module=os)
    with pytest.raises(UnsupportedError):
        save(1, io.BytesIO(), _use_new_zipfile_serialization=False)
    assert load(file, weights_only=True) == [1]


# ---- devices -----------------------------------------------------------------------------------------


def test_map_location() -> None:
    array = np.arange(9.0)
    here = written([kadam_tensor(array)])
    with zipfile.ZipFile(here) as archive:
        pickled = archive.read("archive/data.pkl").replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
    for place in ("cpu", b"cpu", device("cpu"), {"cuda:0": "cpu"}, lambda storage, place: storage.cpu()):
        here.seek(0)
        np.testing.assert_array_equal(read(load(here, map_location=place)[0]), array)
        np.testing.assert_array_equal(read(load(rewritten(here, {"archive/data.pkl": pickled}), place)[0]), array)
    for place in (None, {"cuda:1": "cpu"}, "cuda", lambda storage, place: None):
        with pytest.raises(RuntimeError, match="CPU is the only device"):
            load(rewritten(here, {"archive/data.pkl": pickled}), map_location=place)
