"""Gradients of tables that are looked up with `sparse=True`: PyTorch's, and what optimizers do with them."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import kadam

TABLE = np.arange(18, dtype=np.float32).reshape(6, 3) / 10


def _table(m, **options):
    return m.nn.Embedding.from_pretrained(m.from_numpy(TABLE.copy()), freeze=False, sparse=True, **options)


def _shown(m):
    """What is said of the gradients of several programs."""
    table = _table(m, padding_idx=0)
    (table(m.tensor([[0, 2, 5], [2, 1, 0]])) * m.arange(18.0).reshape(2, 3, 3)).sum().backward()
    gradient = table.weight.grad
    yield gradient, gradient.layout, gradient.is_sparse, gradient._nnz(), gradient._indices(), gradient._values()
    yield gradient.coalesce(), gradient.shape, gradient.is_coalesced(), gradient.requires_grad
    (table(m.tensor([5, 1, 4, 4])) ** 2).sum().backward()
    yield table.weight.grad, table.weight.grad is gradient
    table.zero_grad(set_to_none=False)
    yield table.weight.grad
    table.zero_grad()
    ((table(m.tensor([5, 1])) ** 2).sum() + (table(m.tensor([1, 3])) ** 3).sum()).backward()
    yield table.weight.grad
    table.zero_grad()
    ((table(m.tensor([5, 1])) ** 2).sum() + (table.weight**2).sum()).backward()
    yield table.weight.grad
    yield m.autograd.grad((table(m.tensor([5, 1])) ** 2).sum(), table.weight)
    table.weight.register_hook(lambda gradient: gradient * 2)
    table.zero_grad()
    table(m.tensor([1, 1])).sum().backward()
    yield table.weight.grad, copy.deepcopy(table).weight.grad


def test_sparse_gradients_print_what_pytorchs_print():
    torch = pytest.importorskip("torch")
    for ours, theirs in zip(_shown(kadam), _shown(torch), strict=True):
        assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("mode", ["sum", "mean"])
@pytest.mark.parametrize("options", [{}, {"padding_idx": 2}, {"include_last_offset": True}])
def test_bags(mode, options):
    torch = pytest.importorskip("torch")
    found = []
    for m in (kadam, torch):
        bag = m.nn.EmbeddingBag.from_pretrained(
            m.from_numpy(TABLE.copy()), freeze=False, mode=mode, sparse=True, **options
        )
        offsets = [0, 2, 5] if options.get("include_last_offset") else [0, 2]
        (bag(m.tensor([1, 2, 4, 5, 4]), m.tensor(offsets)) ** 2).sum().backward()
        found.append(repr(bag.weight.grad))
    assert found[0] == found[1]


def test_bags_with_weights():
    torch = pytest.importorskip("torch")
    found = []
    for m in (kadam, torch):
        bag = m.nn.EmbeddingBag.from_pretrained(m.from_numpy(TABLE.copy()), freeze=False, mode="sum", sparse=True)
        weights = m.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
        bag(m.tensor([[1, 2, 3], [4, 4, 0]]), per_sample_weights=weights).sum().backward()
        found.append((repr(bag.weight.grad), weights.grad.numpy().round(5).tolist()))
    assert found[0] == found[1]


def _trained(m, make, sparse=True, steps=12):
    table = m.nn.Embedding.from_pretrained(m.from_numpy(TABLE.copy()), freeze=False, sparse=sparse, padding_idx=3)
    head = m.nn.Linear(3, 2)
    m.nn.init.constant_(head.weight, 0.3)
    m.nn.init.constant_(head.bias, -0.1)
    optimizer, other = make(m.optim, table.parameters()), m.optim.Adam(head.parameters(), lr=0.01)

    def closure():
        table.zero_grad()
        head.zero_grad()
        loss = (head(table(indices)) ** 2).sum()
        loss.backward()
        return loss

    for step in range(steps):
        indices = m.tensor([step % 6, step * step % 6, (step * 7 + 1) % 5])
        loss = closure()
        optimizer.step(closure)
        other.step()
    return table.weight.detach().numpy(), loss.item()


@pytest.mark.parametrize(
    "make",
    [
        lambda optim, params: optim.SGD(params, lr=0.1),
        lambda optim, params: optim.SGD(params, lr=0.1, momentum=0.9, nesterov=True),
        lambda optim, params: optim.SGD(params, lr=0.1, momentum=0.5, dampening=0.1, maximize=True),
        lambda optim, params: optim.Adagrad(params, lr=0.1, lr_decay=0.1),
        lambda optim, params: optim.SparseAdam(params, lr=0.05),
        lambda optim, params: optim.LBFGS(params, lr=0.1, max_iter=2),
    ],
    ids=["SGD", "Nesterov", "maximize", "Adagrad", "SparseAdam", "LBFGS"],
)
def test_optimizers_that_take_them(make):
    torch = pytest.importorskip("torch")
    (ours, our_loss), (theirs, their_loss) = _trained(kadam, make), _trained(torch, make)
    np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=1e-6)
    assert our_loss == pytest.approx(their_loss, rel=1e-4)


def test_descent_is_that_of_dense_gradients():
    make = lambda optim, params: optim.SGD(params, lr=0.1, momentum=0.9)  # noqa: E731
    np.testing.assert_allclose(_trained(kadam, make)[0], _trained(kadam, make, sparse=False)[0], rtol=1e-5)


REFUSING = ["Adam", "AdamW", "Adamax", "RMSprop", "Adadelta", "NAdam", "RAdam", "ASGD", "Rprop", "Adafactor"]


@pytest.mark.parametrize("name", REFUSING)
def test_optimizers_that_refuse_them(name):
    table = _table(kadam)
    table(kadam.tensor([1, 2])).sum().backward()
    with pytest.raises(RuntimeError, match="does not support sparse gradients"):
        getattr(kadam.optim, name)(table.parameters()).step()


def test_what_else_is_refused():
    table = _table(kadam)
    table(kadam.tensor([1, 2])).sum().backward()
    for family in (kadam.optim.SGD, kadam.optim.Adagrad):
        with pytest.raises(RuntimeError, match="weight_decay"):
            family(table.parameters(), lr=0.1, weight_decay=0.1).step()
    for clip in (kadam.nn.utils.clip_grad_norm_, kadam.nn.utils.clip_grad_value_):
        with pytest.raises(NotImplementedError, match="sparse"):
            clip(table.parameters(), 1.0)
    dense = kadam.nn.Embedding(6, 3)
    dense(kadam.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match="does not support dense gradients"):
        kadam.optim.SparseAdam(dense.parameters()).step()
    scaled = kadam.nn.Embedding(6, 3, sparse=True, scale_grad_by_freq=True)
    with pytest.raises(RuntimeError, match="scale_grad_by_freq"):
        scaled(kadam.tensor([1])).sum().backward()


def test_a_group_whose_gradients_turn_sparse():
    """An optimizer keeps no team of parameters of which one has sparse gradients later, or had them."""
    torch = pytest.importorskip("torch")
    found = []
    for m in (kadam, torch):
        weight, other = m.nn.Parameter(m.from_numpy(TABLE.copy())), m.nn.Parameter(m.ones(2))
        optimizer = m.optim.SGD([weight, other], lr=0.1, momentum=0.9)
        for step in range(9):
            optimizer.zero_grad()
            sparse = step in (3, 4, 7)
            loss = (m.nn.functional.embedding(m.tensor([1, step % 6]), weight, sparse=sparse) ** 2).sum()
            (loss + (other**3).sum()).backward()
            optimizer.step()
        found.append((weight.detach().numpy(), other.detach().numpy()))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-5)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-5)


def test_a_table_that_is_computed_gets_its_gradient_through_what_computes_it():
    weight = kadam.nn.Parameter(kadam.from_numpy(TABLE.copy()))
    kadam.nn.functional.embedding(kadam.tensor([1, 1]), weight * 2, sparse=True).sum().backward()
    assert weight.grad.tolist() == [[0.0] * 3, [4.0] * 3, *[[0.0] * 3] * 4]


def test_indices_that_change_after_the_look_up():
    table, indices = _table(kadam), kadam.tensor([1, 2])
    rows = table(indices)
    indices.fill_(5)
    rows.sum().backward()
    assert table.weight.grad._indices().tolist() == [[1, 2]]


@pytest.mark.parametrize("length", [1, 2, 5])
def test_random_look_ups_in_a_row_are_merged_as_in_pytorch(length):
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(length)
    batches = [random.integers(0, 6, random.integers(1, 7)) for _ in range(length)]
    found = []
    for m in (kadam, torch):
        table = _table(m, padding_idx=4)
        for batch in batches:
            (table(m.from_numpy(batch)) ** 2).sum().backward()
        found.append(repr(table.weight.grad))
    assert found[0] == found[1]
