"""In which order what is computed lies in memory: as in PyTorch, however and whenever it is looked at."""

from __future__ import annotations

import copy
import io
import pickle

import pytest

import kadam

COMPUTED = {
    "product": lambda m, x: x.mT * 2,
    "unary": lambda m, x: x.mT.exp(),
    "sum of two orders": lambda m, x: (x.mT + m.ones(2, 4, 3), m.ones(2, 4, 3) + x.mT),
    "stretched": lambda m, x: x.mT + m.ones(4, 3),
    "stretched first": lambda m, x: m.ones(4, 3) + x.mT,
    "comparison": lambda m, x: x.permute(2, 0, 1) > 0.5,
    "choice": lambda m, x: m.where(x.mT > 0, x.mT, 0.0),
    "cast": lambda m, x: (x.mT * 1).double(),
    "clone": lambda m, x: (x.mT.clone(), x.mT.clone(memory_format=m.contiguous_format)),
    "alike": lambda m, x: (m.zeros_like(x.mT), m.ones_like(x.mT), m.empty_like(x.mT).shape),
    "alike in rows": lambda m, x: m.zeros_like(x.mT, memory_format=m.contiguous_format),
    "drawn alike": lambda m, x: (m.rand_like(x.mT * 2), m.randn_like(x.mT)),
    "filled": lambda m, x: x.mT.masked_fill(x.mT > 0, 1.0),
    "softmax": lambda m, x: m.softmax(x.mT, -1),
    "flip": lambda m, x: m.flip(x.mT, (0,)),
    "sort": lambda m, x: (x.mT * 1).sort(1).values,
    "reduction": lambda m, x: ((x.mT * 2).sum(1), (x.mT * 2).mean(1, keepdim=True)),
    "product of matrices": lambda m, x: x.mT @ x,
    "join": lambda m, x: m.cat([x.mT, x.mT * 2], 1),
    "view of a result": lambda m, x: ((x.mT * 2)[0], (x.mT * 2).mT, (x.mT * 2)[:, 1:] * 3),
    "reshaped": lambda m, x: ((x.mT * 2).reshape(-1), (x.mT * 2).flatten(1), (x.mT * 2).contiguous()),
    "by strides": lambda m, x: (x.mT * 2).as_strided((3, 2), (2, 1), 1),
    "layer norm": lambda m, x: m.nn.functional.layer_norm(x.mT, (3,)),
    "gelu": lambda m, x: m.nn.functional.gelu(x.mT),
    "changed in place": lambda m, x: (x.mT * 2).add_(1).mul_(x.mT),
    "attention": lambda m, x: m.nn.functional.scaled_dot_product_attention(*[x.view(2, 3, 2, 2).transpose(1, 2)] * 3),
    "attention in order": lambda m, x: m.nn.functional.scaled_dot_product_attention(*[x.view(2, 3, 2, 2)] * 3),
    "attention with dropout": lambda m, x: m.nn.functional.scaled_dot_product_attention(
        *[x.view(2, 3, 2, 2).transpose(1, 2)] * 3, dropout_p=0.5
    ),
}  # fmt: skip

IMAGES = {
    "conv": lambda m, x: m.nn.functional.conv2d(x, m.ones(2, 4, 3, 3)),
    "conv by its weight": lambda m, x: m.nn.functional.conv2d(
        x.contiguous(), m.rand(2, 4, 3, 3).to(memory_format=m.channels_last)
    ),
    "transposed conv": lambda m, x: m.nn.functional.conv_transpose2d(x, m.ones(4, 2, 3, 3)),
    "norm in training": lambda m, x: m.nn.BatchNorm2d(4)(x),
    "norm": lambda m, x: m.nn.BatchNorm2d(4).eval()(x),
    "group norm": lambda m, x: m.nn.functional.group_norm(x, 2),
    "pools": lambda m, x: (m.nn.functional.max_pool2d(x, 2), m.nn.functional.avg_pool2d(x, 2)),
    "adaptive": lambda m, x: m.nn.functional.adaptive_avg_pool2d(x, 3),
    "padding": lambda m, x: m.nn.functional.pad(x, (1, 1, 1, 1)),
    "nearest": lambda m, x: m.nn.functional.interpolate(x, scale_factor=2),
    "bilinear": lambda m, x: m.nn.functional.interpolate(x, scale_factor=2, mode="bilinear"),
    "joined": lambda m, x: (m.cat([x, x], 1), m.cat([x, x.contiguous()], 1), m.cat([x * 2, x])),
    "residual": lambda m, x: m.relu(x + m.nn.functional.conv2d(x, m.ones(4, 4, 1, 1))),
    "scaled channels": lambda m, x: x * m.ones(1, 4, 1, 1),
    "flattened": lambda m, x: x.flatten(1),
    "dropout": lambda m, x: m.nn.functional.dropout(x * 1, 0.5),
    "softmax": lambda m, x: m.nn.functional.softmax(x, 1),
}


def _told(one):
    return (tuple(one.shape), one.stride(), one.is_contiguous(), one.detach().double().tolist())


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("name", [*COMPUTED, *(f"images: {one}" for one in IMAGES)])
def test_results_lie_as_in_pytorch(name, late, grad):
    torch = pytest.importorskip("torch")
    found = []
    for m in (kadam, torch):
        m.manual_seed(0)
        if name in COMPUTED:
            x, make = m.rand(2, 3, 4), COMPUTED[name]
        else:
            x, make = m.rand(2, 4, 6, 6).to(memory_format=m.channels_last), IMAGES[name.removeprefix("images: ")]
        result = make(m, x.requires_grad_(grad))
        parts = [one for one in (result if isinstance(result, tuple) else (result,)) if isinstance(one, m.Tensor)]
        if late:
            [one.detach().sum().item() for one in parts]  # now they lie in memory
        found.append([_told(one) for one in parts])
    for own, other in zip(*found, strict=True):
        assert own[:3] == other[:3]
        assert kadam.allclose(kadam.tensor(own[3]), kadam.tensor(other[3]), atol=1e-5)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    "see", [lambda y: y.view(-1), lambda y: y.view(2, 12), lambda y: y.view(2, 2, 2, 3), lambda y: y.mT.view(24)]
)
def test_what_lies_in_another_order_is_seen_only_where_pytorch_sees_it(see, late):
    torch = pytest.importorskip("torch")
    found = []
    for m in (kadam, torch):
        y = m.arange(24.0).reshape(2, 3, 4).mT * 2
        if late:
            y.sum().item()
        try:
            found.append(see(y).tolist())
        except RuntimeError:
            found.append("refused")
    assert found[0] == found[1]


def test_memory_shows_the_order():
    y = kadam.arange(6.0).reshape(2, 3).t() * 2
    assert y.numpy().strides == (4, 12)
    assert y.as_strided((6,), (1,)).tolist() == y.t().reshape(-1).tolist()
    assert list(y.storage()) == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    y.t().view(-1)[1] = 7.0
    assert y[1, 0].item() == 7.0
    y.numpy()[2, 1] = 9.0
    assert y.t().tolist() == [[0.0, 7.0, 4.0], [6.0, 8.0, 9.0]]


def test_masks_are_drawn_in_the_order_of_memory():
    torch = pytest.importorskip("torch")
    found = []
    for m in (kadam, torch):
        m.manual_seed(0)
        x = m.arange(24.0).reshape(2, 3, 4).mT + m.ones(4, 3)
        found.append([m.nn.functional.dropout(m.relu(x), 0.4).tolist() for _ in range(3)])
    assert kadam.allclose(kadam.tensor(found[0]), kadam.tensor(found[1]))


def test_training_keeps_the_order_of_parameters_and_gradients():
    torch = pytest.importorskip("torch")
    found = []
    for m in (kadam, torch):
        m.manual_seed(0)
        w = m.randn(3, 4).t().requires_grad_()
        state = m.randn(4, 3).t() * 1.5
        optimizer = m.optim.Adam([w], lr=0.1)
        for _ in range(12):  # by both engines
            loss = ((w.t() * state).tanh() ** 2).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            state = state * 0.9 + w.detach().t() * 0.1
        found.append((w, w.grad, state))
    for own, other in zip(*found, strict=True):
        assert own.stride() == other.stride()
        assert kadam.allclose(own, kadam.tensor(other.tolist()), atol=1e-5)


LYING = {
    "transposed": lambda m: m.arange(6.0).reshape(2, 3).t(),
    "every other": lambda m: m.arange(12.0)[::2],
    "stretched": lambda m: m.ones(1).expand(4),
    "channels last": lambda m: m.arange(48.0).reshape(2, 3, 2, 4).to(memory_format=m.channels_last),
    "computed": lambda m: m.arange(6.0).reshape(2, 3).t() * 2,
    "parameter": lambda m: m.nn.Parameter(m.arange(6.0).reshape(2, 3).t()),
    "in rows": lambda m: m.arange(6.0)[2:],
}


def _written_and_read(m, x):
    file = io.BytesIO()
    m.save(x, file)
    file.seek(0)
    return m.load(file)


@pytest.mark.parametrize("name", LYING)
def test_copies_lie_as_what_they_are_copies_of(name):
    torch = pytest.importorskip("torch")
    found = []
    for m in (kadam, torch):
        x = LYING[name](m)
        copies = [copy.deepcopy(x), pickle.loads(pickle.dumps(x)), _written_and_read(m, x), x.clone(), copy.copy(x)]
        found.append([(one.stride(), one.tolist(), type(one).__name__, one.requires_grad) for one in copies])
    assert found[0] == found[1]


@pytest.mark.parametrize("order", ["whole first", "view first", "two views"])
def test_deep_copies_share_memory_as_the_originals_do(order):
    torch = pytest.importorskip("torch")
    found = []
    for m in (kadam, torch):
        whole = m.zeros(2, 3)
        parts = {"whole first": [whole, whole[0], whole.t()], "view first": [whole.t(), whole, whole[1]],
                 "two views": [whole[0], whole.t()]}[order]  # fmt: skip
        copies = copy.deepcopy({"parts": parts, "again": parts[0]})
        assert copies["again"] is copies["parts"][0]
        for index, one in enumerate(copies["parts"]):
            one.add_(index + 1)
        found.append([one.tolist() for one in (*copies["parts"], *parts)])
    assert found[0] == found[1]


def test_another_shape_in_place_shows_what_lies_in_memory():
    torch = pytest.importorskip("torch")
    found = [(m.arange(6.0).view(2, 3).t() * 1).resize_(4).tolist() for m in (kadam, torch)]
    assert found[0] == found[1]
