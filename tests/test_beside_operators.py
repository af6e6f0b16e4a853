"""What scripts use beside tensors and layers: reduced precision, profiles, files for other tools, switches."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

import kadam
from kadam import nn
from kadam.nn import functional as F
from kadam.nn.utils import parametrizations, prune
from kadam.recording import precision
from kadam.recording.operation import Operation
from kadam.safetensors import SafetensorError, safe_open
from kadam.safetensors import torch as safe
from kadam.serialization.protobuf import Single, message, varint
from kadam.utils.tensorboard import SummaryWriter
from kadam.utils.tensorboard.records import crc32c

# --- Reduced precision --------------------------------------------------------------------------------------------


def test_autocast_lowers_products_and_keeps_losses():
    x = kadam.randn(4, 3)
    with kadam.autocast("cpu"):
        product = x @ x.t()
        assert product.dtype is F.linear(x, x).dtype is F.gelu(product).dtype is kadam.bfloat16
        assert F.prelu(product, kadam.full((1,), 0.25)).dtype is kadam.bfloat16  # its weight is float32
        assert F.cross_entropy(product, kadam.tensor([0, 1, 2, 3])).dtype is kadam.float32
        assert (x + x).dtype is kadam.float32
        assert kadam.is_autocast_enabled("cpu")
        with kadam.autocast("cpu", enabled=False):
            assert (x @ x.t()).dtype is kadam.float32
    assert (x @ x.t()).dtype is kadam.float32
    assert not kadam.is_autocast_enabled("cpu")


def trained(m):
    m.manual_seed(0)
    net = m.nn.Sequential(m.nn.Linear(5, 8), m.nn.LayerNorm(8), m.nn.ReLU(), m.nn.Linear(8, 2))
    optimizer, scaler = m.optim.SGD(net.parameters(), 0.1), m.amp.GradScaler("cpu", init_scale=256.0)
    x, y = m.randn(16, 5), m.randint(0, 2, (16,))
    losses = []
    for _ in range(5):
        with m.autocast("cpu", dtype=m.bfloat16):
            loss = m.nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    return losses


def test_training_in_reduced_precision():
    torch = pytest.importorskip("torch", reason="PyTorch is the reference here")
    np.testing.assert_allclose(trained(kadam), trained(torch), rtol=2e-2)  # bfloat16 has 8 bits


def test_a_step_with_infinite_gradients_is_left_out():
    scaler = kadam.amp.GradScaler("cpu")
    weight = kadam.ones(1, requires_grad=True)
    optimizer = kadam.optim.SGD([weight], 1.0)
    weight.grad = kadam.tensor([float("inf")])
    scaler.step(optimizer)
    scaler.update()
    assert weight.item() == 1.0
    assert scaler.get_scale() == 2.0**15


# --- Statistics that change while a copy is recorded -----------------------------------------------------------------


def test_a_copy_of_the_count_of_batches_keeps_its_value():
    norm = nn.BatchNorm1d(2)
    copies = {name: value.clone() for name, value in norm.state_dict().items()}
    norm(kadam.randn(4, 2))
    assert (copies["num_batches_tracked"].item(), norm.num_batches_tracked.item()) == (0, 1)


# --- Files ---------------------------------------------------------------------------------------------------------


def test_safetensors_come_back(tmp_path):
    path = tmp_path / "model.safetensors"
    tensors = {"a": kadam.randn(2, 3), "b": kadam.tensor([True]), "c": kadam.ones(2, dtype=kadam.bfloat16)}
    safe.save_file(tensors, path, {"format": "pt"})
    found = safe.load_file(path)
    assert all((found[name] == one).all() and found[name].dtype is one.dtype for name, one in tensors.items())
    with safe_open(path, "pt") as file:
        assert (file.keys(), file.metadata()) == (["a", "b", "c"], {"format": "pt"})
    with pytest.raises(RuntimeError, match="share memory"):
        safe.save({"a": tensors["a"], "b": tensors["a"].view(3, 2)})
    with pytest.raises(SafetensorError, match="header"):
        safe.load(b"\xff" * 16)


def test_safetensors_are_those_of_the_package(tmp_path):
    package = pytest.importorskip("safetensors.numpy")
    arrays = {"b": np.arange(3, dtype=np.int64), "a": np.ones((2, 2), np.float32), "c": np.array([True])}
    own = safe.save({name: kadam.from_numpy(array) for name, array in arrays.items()})
    assert own == package.save(arrays)


def test_checksums_and_messages():
    assert crc32c(b"123456789") == 0xE3069283  # the check value of the standard
    assert varint(300) == b"\xac\x02"
    assert message((1, 150)) == b"\x08\x96\x01"
    assert message((2, "testing")) == b"\x12\x07testing"
    assert message((3, Single(1.0))) == b"\x1d\x00\x00\x80?"


def test_events_for_tensorboard(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalar("loss", kadam.tensor(0.5), 3)
        writer.add_histogram("weights", kadam.randn(10), 3)
        writer.add_image("picture", kadam.rand(3, 4, 5), 3)
        writer.add_text("note", "hello", 3)
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    tags, known = [], (b"loss", b"weights", b"picture", b"note/text_summary")
    while content:
        length = int.from_bytes(content[:8], "little")
        tags += [tag for tag in known if tag in content[: 12 + length]]
        content = content[16 + length :]
    assert tags == list(known)


def test_profiles(tmp_path):
    profiler = kadam.profiler
    with profiler.profile(schedule=profiler.schedule(wait=1, warmup=0, active=2)) as profile:
        for _ in range(3):
            with profiler.record_function("forward"):
                kadam.ones(2).sum().item()
            profile.step()
    (forward,) = [one for one in profile.key_averages() if one.key == "forward"]
    assert forward.count == 2
    assert forward.cpu_time_total > 0
    profile.export_chrome_trace(str(tmp_path / "trace.json"))
    assert len(json.loads((tmp_path / "trace.json").read_text())["traceEvents"]) == 4


# --- Weights -------------------------------------------------------------------------------------------------------


def test_pruning():
    layer = nn.Linear(4, 2)
    before = layer.weight.detach().abs().flatten().sort().values
    prune.l1_unstructured(layer, "weight", amount=3)
    assert list(layer.state_dict()) == ["bias", "weight_orig", "weight_mask"]
    assert (layer.weight == 0).sum().item() == 3
    assert layer.weight.abs().sum().item() == pytest.approx(before[3:].sum().item())
    layer(kadam.ones(1, 4)).sum().backward()
    assert (layer.weight_orig.grad == layer.weight_mask).all()
    prune.remove(layer, "weight")
    assert list(layer.state_dict()) == ["bias", "weight"]
    assert not prune.is_pruned(layer)


@pytest.mark.parametrize("map", ["matrix_exp", "cayley", "householder"])
@pytest.mark.parametrize("shape", [(4, 4), (6, 3), (3, 6)])
def test_orthogonal_weights(map, shape):
    weight = parametrizations.orthogonal(nn.Linear(shape[1], shape[0]), orthogonal_map=map).weight
    product = weight @ weight.t() if shape[0] <= shape[1] else weight.t() @ weight
    np.testing.assert_allclose(product.detach().numpy(), np.eye(min(shape)), atol=1e-5)


def test_a_normalisation_folded_into_its_layer():
    layer, norm = nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)
    norm(layer(kadam.randn(4, 2, 5, 5)))
    layer.eval(), norm.eval()
    x = kadam.randn(1, 2, 5, 5)
    np.testing.assert_allclose(
        nn.utils.fuse_conv_bn_eval(layer, norm)(x).detach(), norm(layer(x)).detach(), rtol=1e-4, atol=1e-5
    )


def test_rows_without_a_gradient_are_left_alone():
    table = nn.Embedding(4, 2, sparse=True)
    before = table.weight.detach().clone()
    optimizer = kadam.optim.SparseAdam(table.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        table(kadam.tensor([1, 3])).pow(2).sum().backward()
        optimizer.step()
    changed = (table.weight != before).all(1).tolist()
    assert changed == [False, True, False, True]


# --- Switches ------------------------------------------------------------------------------------------------------


def test_what_scripts_ask_before_they_use_it():
    assert not kadam.cuda.is_available()
    assert kadam.cuda.memory_allocated() == 0
    assert not kadam.distributed.is_initialized()
    assert kadam.version.cuda is None
    assert not kadam.accelerator.is_available()
    assert kadam.accelerator.current_accelerator() is None
    with pytest.raises(AssertionError, match="CUDA"):
        kadam.cuda.set_device(0)


def test_entry_points_of_compilers_give_back_what_they_get():
    def function(x):
        return x + 1

    assert kadam.compile(function) is kadam.jit.script(function) is kadam.compiler.disable(function) is function
    assert kadam.jit.trace(function, kadam.ones(2)) is function
    assert not kadam.jit.is_scripting()
    with pytest.raises(NotImplementedError, match="state_dict"):
        kadam.jit.save(function, "file")


def test_dual_numbers_and_tangents():
    x, tangent = kadam.tensor([1.0, 2.0]), kadam.tensor([3.0, -1.0])
    function = lambda x: kadam.stack([x.prod(), x.sin().sum()])  # noqa: E731
    slopes = [2 * 3 - 1, 3 * np.cos(1.0) - np.cos(2.0)]
    with kadam.autograd.forward_ad.dual_level():
        dual = kadam.autograd.forward_ad.make_dual(x, tangent)
        unpacked = kadam.autograd.forward_ad.unpack_dual(function(dual))
    _, pushed = kadam.func.jvp(function, (x,), (tangent,))
    _, linear = kadam.func.linearize(function, x)
    for found in (unpacked.tangent, pushed, linear(tangent), linear(2 * tangent) / 2):
        np.testing.assert_allclose(found.numpy(), slopes, rtol=1e-6)
    assert not pushed.requires_grad


def test_regions_of_precision_know_operations_by_their_names() -> None:
    rooms = [module for name, module in sys.modules.items() if name.startswith("kadam.")]
    found = [getattr(one, "operation", None) for room in rooms for one in vars(room).values()]
    names = {one.name for one in found if isinstance(one, Operation)}
    own = {name for name in precision.POLICIES if name.startswith("_")} - {"_max_pool3d", "_lu_with_info"}
    assert names | {"_segment_reduce"} >= own


def test_what_the_writer_of_events_cannot_is_named(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        with pytest.raises(AttributeError, match="has no add_mesh: it writes scalars"):
            writer.add_mesh("points", kadam.zeros(1, 2, 3))
        assert not hasattr(writer, "nothing_of_it")
