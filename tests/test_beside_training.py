"""Rooms that scripts ask for beside training: counts of operations, profiles, files by address, switches."""

from __future__ import annotations

import hashlib

import pytest

import kadam
from kadam import hub
from kadam.errors import UnsupportedError
from kadam.profiler.averages import Span, averages_of
from kadam.utils.flop_counter import FlopCounterMode


def _network(m):
    return m.nn.Sequential(m.nn.Conv2d(4, 8, 3, padding=1, stride=2), m.nn.ReLU(), m.nn.Flatten(), m.nn.Linear(32, 5))


def _trained(m):
    network = _network(m)
    optimizer = m.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        loss = network(m.ones(3, 4, 4, 4)).square().mean()
        loss.backward()
        optimizer.step()
        loss.item()


def _products(m):
    m.nn.functional.conv_transpose2d(m.ones(1, 2, 5, 5), m.ones(2, 3, 3, 3)).sum()
    m.einsum("bij,bjk->bik", m.ones(2, 3, 4), m.ones(2, 4, 5)).sum()
    (m.ones(3, 4) @ m.ones(4)).sum()


@pytest.mark.parametrize("program", [_trained, _products])
def test_operations_are_counted_as_in_pytorch(program):
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode as Reference

    kadam.ones(2, 2) @ kadam.ones(2, 2)  # before the block: not counted
    with FlopCounterMode(display=False) as ours:
        program(kadam)
    with Reference(display=False) as theirs:
        program(torch)
    if program is _products:  # PyTorch has no formula for a matrix by a vector
        assert ours.get_total_flops() == theirs.get_total_flops() + 2 * 3 * 4
    else:
        assert ours.get_total_flops() == theirs.get_total_flops()


def test_operations_by_module(capsys):
    network = _network(kadam)
    with FlopCounterMode() as counter:
        network(kadam.ones(3, 4, 4, 4)).sum()
    counts = counter.get_flop_counts()
    assert counts["0"] == {"aten.convolution": 2 * 3 * 8 * 4 * 2 * 2 * 9}
    assert counts["3"] == {"aten.mm": 2 * 3 * 32 * 5}
    assert sum(counts["Global"].values()) == counter.get_total_flops() == sum(sum(counts[one].values()) for one in "03")
    assert "Global" in capsys.readouterr().out
    assert " - aten" in counter.get_table(depth=0)
    assert "\n 3" not in counter.get_table(depth=0)
    with pytest.raises(UnsupportedError, match="custom_mapping"):
        FlopCounterMode(custom_mapping={"aten.mm": None})


def test_averages_know_what_is_within_what():
    averages = averages_of(
        [Span("inner", 10, 30), Span("inner", 40, 50), Span("outer", 0, 100), Span("after", 100, 101)]
    )
    assert [(one.key, one.count, one.cpu_time_total, one.self_cpu_time_total) for one in averages] == [
        ("outer", 1, 100, 70), ("inner", 2, 30, 30), ("after", 1, 1, 1),
    ]  # fmt: skip
    assert averages.self_cpu_time_total == 101
    assert averages.total_average().count == 4
    rows = averages.table(sort_by="count", row_limit=1, header="here").splitlines()
    assert rows[0] == "here"
    assert rows[4].split() == ["inner", "29.70%", "30.000us", "29.70%", "30.000us", "15.000us", "2"]
    assert rows[-1] == "Self CPU time total: 101.000us"
    assert "0.100ms" in averages.table(sort_by="cuda_time_total", time_unit="ms")
    with pytest.raises(ValueError, match="sort_by"):
        averages.table(sort_by="cpu")


def test_weights_by_address_are_kept(tmp_path, monkeypatch):
    source = tmp_path / "weights.pt"
    kadam.save({"w": kadam.arange(3.0)}, source)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    named = tmp_path / f"weights-{digest[:8]}.pt"
    source.rename(named)
    hub.set_dir(tmp_path / "hub")
    try:
        for check in (True, False):
            found = kadam.utils.model_zoo.load_url(named.as_uri(), check_hash=check)
            assert found["w"].tolist() == [0, 1, 2]
        assert (tmp_path / "hub" / "checkpoints" / named.name).exists()
        with pytest.raises(RuntimeError, match="invalid hash"):
            hub.download_url_to_file(named.as_uri(), str(tmp_path / "other"), hash_prefix="0000")
        assert not (tmp_path / "other").exists()
    finally:
        monkeypatch.setattr(hub, "_folder", None)
    monkeypatch.setenv("TORCH_HOME", "/somewhere")
    assert hub.get_dir() == "/somewhere/hub"


def test_functions_of_a_folder(tmp_path):
    (tmp_path / "hubconf.py").write_text('def net(width=2):\n    """A network."""\n    return [width]\n')
    folder = str(tmp_path)
    assert hub.load(folder, "net", source="local", trust_repo=True, width=3) == [3]
    assert hub.list(folder, source="local") == ["net"]
    assert hub.help(folder, "net", source="local") == "A network."
    with pytest.raises(RuntimeError, match="Cannot find callable"):
        hub.load(folder, "other", source="local")
    with pytest.raises(UnsupportedError, match="GitHub"):
        hub.load("pytorch/vision", "resnet18")
    with pytest.raises(ValueError, match="Unknown source"):
        hub.load(folder, "net", source="elsewhere")


def test_versions_of_views_are_those_of_their_memory():
    torch = pytest.importorskip("torch")
    found = []
    for m in (kadam, torch):
        x = m.zeros(4)
        view, other = x[:2], x.view(2, 2)
        view.add_(1)
        seen = [x._version, view._version, other._version]
        x.mul_(2)
        detached = x.detach()
        detached.add_(1)
        found.append([*seen, x._version, view._version, detached._version, m.ones(2)._version])
    assert found[0] == found[1]


def test_subclasses_that_no_operation_would_ask_are_refused():
    class Log(kadam.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            return function(*args)

    with pytest.raises(UnsupportedError, match="never be called"):
        Log([1.0])


def test_other_classes_may_answer_for_tensors():
    from kadam import overrides

    class Other:
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            return function.__name__, types, args

    other = Other()
    assert overrides.is_tensor_like(other)
    assert overrides.is_tensor_like(kadam.ones(1))
    assert not overrides.has_torch_function_unary(kadam.ones(1))
    assert overrides.has_torch_function((1, other))
    assert overrides.handle_torch_function(_network, (other,), 3) == ("_network", (Other,), (3,))
    with pytest.raises(UnsupportedError):
        overrides.TorchFunctionMode()


def test_switches_of_pytorchs_compiler():
    kadam._dynamo.config.suppress_errors = True
    kadam._dynamo.reset()
    assert kadam._dynamo.optimize("inductor")(_network) is _network
    assert isinstance(kadam.ones(1).shape[0], kadam.SymInt)
    with pytest.raises(kadam.OutOfMemoryError):
        raise kadam.cuda.OutOfMemoryError("no GPU")
