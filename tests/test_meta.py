"""The device `meta`: networks laid out, counted and run through without a value; values come later."""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

import kadam
from kadam import nn


@pytest.fixture(autouse=True)
def _default_device() -> Iterator[None]:
    yield
    kadam.set_default_device(None)


def test_a_tensor_without_values_tells_type_and_shape() -> None:
    x = kadam.empty(3, 4, device="meta")
    assert (x.shape, x.device, x.is_meta, x.is_cpu) == ((3, 4), kadam.device("meta"), True, False)
    assert repr(x) == "tensor(..., device='meta', size=(3, 4))"
    assert repr(x.long()) == "tensor(..., device='meta', size=(3, 4), dtype=torch.int64)"
    assert not kadam.ones(2).is_meta


def test_memory_is_never_made() -> None:
    x = kadam.empty(100_000, 100_000, 1_000, device="meta")
    assert (x @ x.transpose(1, 2)).shape == (100_000, 100_000, 100_000)
    assert (x + 1).contiguous().nbytes == 4 * 10**13


_CALLS: dict[str, Any] = {
    "index": lambda t, x: x[0],
    "slice": lambda t, x: x[:, 1:],
    "reshape": lambda t, x: x.reshape(2, 6),
    "mean": lambda t, x: x.mean(1),
    "compare": lambda t, x: x > 0,
    "sort": lambda t, x: x.sort()[1],
    "cat": lambda t, x: t.cat([x, x]),
    "stack": lambda t, x: t.stack([x, x], 1),
    "split": lambda t, x: x.split(2)[1],
    "einsum": lambda t, x: t.einsum("ij,kj->ik", x, x),
    "half": lambda t, x: x.to(t.float16),
    "number": lambda t, x: 2 * x + t.tensor(3.0),
    "like": lambda t, x: t.rand_like(x),
    "new": lambda t, x: x.new_zeros(5),
    "in place": lambda t, x: x.add_(1).zero_().normal_(),
    "grad": lambda t, x: x.requires_grad_() * 2,
    "no grad": lambda t, x: t.no_grad()(lambda: x.requires_grad_() * 2)(),
}


@pytest.mark.parametrize("name", _CALLS)
def test_calls_print_what_pytorch_prints(name: str) -> None:
    torch = pytest.importorskip("torch")
    own, theirs = (_CALLS[name](t, t.empty(3, 4, device="meta")) for t in (kadam, torch))
    assert repr(own) == repr(theirs)


class _Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8 * 36, 10)
        self.attention = nn.TransformerEncoderLayer(8, 2)
        self.register_buffer("table", kadam.zeros(5, 4))
        self.table[:, 0::2] = kadam.sin(kadam.arange(5.0).unsqueeze(1) * kadam.linspace(0, 1, 2))

    def forward(self, x: Any) -> Any:
        h = kadam.relu(self.norm(self.conv(x))).flatten(2).permute(2, 0, 1)
        h = self.head(self.attention(h).permute(1, 0, 2).flatten(1))
        return nn.functional.dropout(h, training=self.training)


def test_a_network_is_laid_out_run_and_given_its_values() -> None:
    before = kadam.get_rng_state()
    with kadam.device("meta"):
        net = _Net()
        assert net(kadam.empty(2, 3, 8, 8)).shape == (2, 10)
    assert kadam.equal(kadam.get_rng_state(), before)  # nothing was drawn
    assert {one.device.type for one in net.state_dict().values()} == {"meta"}
    real = _Net()
    assert sum(one.numel() for one in net.parameters()) == sum(one.numel() for one in real.parameters())
    net.load_state_dict(real.state_dict(), assign=True)
    x = kadam.randn(2, 3, 8, 8)
    assert kadam.equal(net.eval()(x), real.eval()(x))
    assert all(isinstance(one, nn.Parameter) and one.requires_grad for one in net.parameters())


def test_to_empty_makes_memory_that_trains() -> None:
    layer = nn.Linear(3, 2, device="meta").to_empty(device="cpu")
    nn.init.ones_(layer.weight)
    nn.init.zeros_(layer.bias)
    optimizer = kadam.optim.SGD(layer.parameters(), lr=1.0)
    layer(kadam.ones(1, 3)).sum().backward()
    optimizer.step()
    assert layer.weight.tolist() == [[0.0] * 3] * 2


def test_a_module_moves_to_meta_and_not_back() -> None:
    layer = copy.deepcopy(nn.Linear(3, 2).to("meta"))
    assert isinstance(layer.weight, nn.Parameter)
    assert layer.weight.is_meta
    with pytest.raises(NotImplementedError, match=r"to_empty\(\) instead"):
        layer.to("cpu")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        layer.load_state_dict(nn.Linear(3, 2).state_dict())
    assert "is a no-op" in str(said[0].message)
    assert layer.weight.is_meta


def test_a_checkpoint_is_read_without_its_values() -> None:
    file = io.BytesIO()
    kadam.save(nn.Linear(2, 3).state_dict(), file)
    file.seek(0)
    found = kadam.load(file, map_location="meta")
    assert {name: (tuple(one.shape), one.is_meta) for name, one in found.items()} == {
        "weight": ((3, 2), True),
        "bias": ((3,), True),
    }


@pytest.mark.parametrize(
    ("kind", "use"),
    [
        (NotImplementedError, lambda x: x.tolist()),
        (RuntimeError, lambda x: x.sum().item()),
        (TypeError, lambda x: x.numpy()),
        (NotImplementedError, lambda x: x.to("cpu")),
        (NotImplementedError, lambda x: x.cpu()),
        (RuntimeError, lambda x: bool(x.sum() > 0)),
        (RuntimeError, lambda x: x + kadam.ones(3)),
        (NotImplementedError, lambda x: kadam.zeros(3).copy_(x)),
        (NotImplementedError, lambda x: x.requires_grad_().sum().backward()),
    ],
)
def test_what_needs_a_value_is_refused(kind: type[Exception], use: Any) -> None:
    with pytest.raises(kind):
        use(kadam.empty(3, device="meta"))
    assert (kadam.ones(3) + 1).tolist() == [2.0, 2.0, 2.0]


def test_the_default_device() -> None:
    kadam.set_default_device("meta")
    assert kadam.get_default_device() == kadam.device("meta")
    made = [kadam.zeros(2), kadam.tensor([1.0]), kadam.arange(3), kadam.eye(2), kadam.rand(2), kadam.linspace(0, 1, 3)]
    assert all(one.is_meta for one in made)
    with kadam.device("cpu"):
        assert kadam.zeros(2).tolist() == [0.0, 0.0]
    assert kadam.as_tensor([1.0], device="cpu").tolist() == [1.0]
