"""Sparse tensors: places and values, products, sums; gradients that are sparse; SparseAdam."""

from __future__ import annotations

import numpy as np
import pytest

import kadam
from kadam.errors import UnsupportedError

PLACES = [[0, 1, 1, 1], [2, 0, 2, 2]]
VALUES = [3.0, 4.0, 5.0, -1.0]
DENSE = [[0.0, 0.0, 3.0], [4.0, 0.0, 4.0]]


def _matrix(m=kadam, **options):
    return m.sparse_coo_tensor(m.tensor(PLACES), m.tensor(VALUES), (2, 3), **options)


def test_values_at_one_place_are_added():
    matrix = _matrix()
    assert matrix.is_sparse
    assert matrix.layout == kadam.sparse_coo
    assert matrix.shape == (2, 3)
    assert matrix.to_dense().tolist() == DENSE
    ordered = matrix.coalesce()
    assert ordered.indices().tolist() == [[0, 1, 1], [2, 0, 2]]
    assert ordered.values().tolist() == [3.0, 4.0, 4.0]
    with pytest.raises(RuntimeError, match="uncoalesced"):
        matrix.indices()


def test_there_and_back():
    dense = kadam.tensor(DENSE)
    assert dense.to_sparse().to_dense().tolist() == DENSE
    rows = dense.to_sparse_csr()
    assert rows.crow_indices().tolist() == [0, 1, 3]
    assert rows.col_indices().tolist() == [2, 0, 2]
    assert rows.to_sparse().to_dense().tolist() == DENSE
    assert dense.to_sparse(1).values().shape == (2, 3)
    assert kadam.sparse_csr_tensor([0, 1, 3], [2, 0, 2], [3.0, 4.0, 4.0]).to_dense().tolist() == DENSE


def test_products_and_their_gradients_are_those_of_the_dense_matrix():
    other = kadam.tensor([[1.0, -2.0], [0.5, 3.0], [2.0, 1.0]], requires_grad=True)
    matrix = _matrix(requires_grad=True)
    product = kadam.sparse.mm(matrix, other)
    weights = kadam.tensor([[1.0, 2.0], [3.0, -1.0]])
    (product * weights).sum().backward()
    dense = np.array(DENSE)
    np.testing.assert_allclose(product.detach().numpy(), dense @ other.detach().numpy())
    np.testing.assert_allclose(other.grad.numpy(), dense.T @ weights.numpy())
    full = weights.numpy() @ other.detach().numpy().T
    np.testing.assert_allclose(matrix.grad._values().numpy(), full[tuple(np.array(PLACES))])
    assert (matrix @ other).tolist() == product.tolist() == kadam.spmm(matrix, other).tolist()
    assert (matrix @ other[:, 0]).tolist() == product[:, 0].tolist()


def test_what_sparse_tensors_cannot_do_is_named():
    with pytest.raises(UnsupportedError, match="view"):
        _matrix().view(6)
    with pytest.raises(UnsupportedError, match="number"):
        _matrix() + 1
    with pytest.raises(AttributeError):
        kadam.sparse.bsr  # noqa: B018


@pytest.mark.parametrize("reduce", ["sum", "mean", "amax", "amin"])
def test_reductions_of_products_are_pytorchs(reduce):
    torch = pytest.importorskip("torch")
    dense, other = torch.tensor([[1.0, 0.0, 2.0], [0.0, 0.0, 0.0], [3.0, -1.0, 4.0]]), torch.randn(3, 2)
    expected = torch.sparse.mm(dense.to_sparse_csr(), other, reduce)
    found = kadam.sparse.mm(kadam.from_numpy(dense.numpy()).to_sparse_csr(), kadam.from_numpy(other.numpy()), reduce)
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-6)


def test_sums_softmax_and_texts_are_pytorchs():
    torch = pytest.importorskip("torch")
    for call in (
        lambda m, x: m.sparse.sum(x, 0).to_dense(),
        lambda m, x: m.sparse.sum(x),
        lambda m, x: m.sparse.softmax(x.coalesce(), 1).to_dense(),
        lambda m, x: x.t().to_dense(),
        lambda m, x: (x * 2 + x).to_dense(),
        lambda m, x: m.sparse.addmm(m.ones(2, 2), x, m.ones(3, 2), beta=2.0),
    ):
        np.testing.assert_allclose(call(kadam, _matrix()).numpy(), call(torch, _matrix(torch)).numpy(), rtol=1e-6)
    assert repr(_matrix()) == repr(_matrix(torch))
    assert repr(kadam.eye(3).to_sparse_csr()) == repr(torch.eye(3).to_sparse_csr())
    for kind in ("float32", "float64"):
        ours, theirs = (m.eye(30, dtype=getattr(m, kind)).to_sparse() for m in (kadam, torch))
        assert repr(ours) == repr(theirs)


def test_sparse_adam_leaves_alone_what_a_sparse_gradient_leaves_out():
    torch = pytest.importorskip("torch")

    def train(m):
        table = m.nn.Parameter(m.arange(12.0).reshape(4, 3) / 10)
        optimizer = m.optim.SparseAdam([table], lr=0.1)
        for step in range(4):
            gradient = m.sparse_coo_tensor(
                m.tensor([[0, 2, 2]]), m.full((3, 3), 0.0 if step == 1 else 1.0 + step), (4, 3)
            )
            table.grad = gradient
            optimizer.step()
        return table.detach().numpy()

    np.testing.assert_allclose(train(kadam), train(torch), rtol=1e-5)


def test_dense_and_sparse_together():
    torch = pytest.importorskip("torch")
    found = []
    for m in (torch, kadam):
        matrix, dense = _matrix(m), m.arange(6.0).reshape(2, 3)
        found.append((
            (dense + matrix).tolist(), (dense - matrix).tolist(), (dense * matrix).to_dense().tolist(),
            (matrix * dense).to_dense().tolist(), (matrix * matrix).to_dense().tolist(),
            matrix.index_select(0, m.tensor([1, 1])).to_dense().tolist(),
            matrix.index_select(1, m.tensor([2])).to_dense().tolist(),
            dense.sparse_mask(matrix.coalesce()).to_dense().tolist(), hasattr(matrix, "named_parameters"),
        ))  # fmt: skip
    assert found[0] == found[1]


def test_gradients_of_dense_and_sparse_together():
    torch = pytest.importorskip("torch")
    found = []
    for m in (torch, kadam):
        dense = m.arange(6.0).reshape(2, 3).requires_grad_()
        ((dense + _matrix(m)) ** 2).sum().backward()
        left, right = m.ones(2, 2, requires_grad=True), m.ones(2, 3, requires_grad=True)
        m.sparse.sampled_addmm(_matrix(m).coalesce().to_sparse_csr(), left, right).to_dense().sum().backward()
        found.append((dense.grad.tolist(), left.grad.tolist(), right.grad.tolist()))
    assert found[0] == found[1]


CALLED_WITH_SPARSE = {
    "mm": lambda m, s: m.mm(s, m.arange(6.0).reshape(3, 2)),
    "matmul": lambda m, s: m.matmul(s, m.arange(6.0).reshape(3, 2)),
    "mv": lambda m, s: (m.mv(s, m.arange(3.0)), m.matmul(s, m.arange(3.0))),
    "dense first": lambda m, s: (m.ones(4, 2) @ s, m.matmul(m.ones(2, 2), s)),
    "both sparse": lambda m, s: m.mm(s, s.t()).to_dense(),
    "elementwise": lambda m, s: tuple(f(s).to_dense() for f in (m.relu, m.tanh, m.sin, m.abs, m.sqrt)),
    "methods": lambda m, s: tuple(f.to_dense() for f in (s.abs(), s.sqrt(), s.pow(2), s**2, s.tanh(), s.log1p())),
    "joined": lambda m, s: (m.cat([s, s]).to_dense(), m.cat([s, s], 1).to_dense(), m.stack([s, s]).to_dense()),
    "norm": lambda m, s: s.norm(),
    "row": lambda m, s: (s[1].to_dense(), s[-2].to_dense(), s.unsqueeze(0).to_dense()),
    "without values": lambda m, s: m.sparse_coo_tensor((2, 3)).to_dense(),
    "diagonals": lambda m, s: m.sparse.spdiags(m.arange(9.0).reshape(3, 3), m.tensor([0, -1, 2]), (3, 4)).to_dense(),
}


@pytest.mark.parametrize("name", CALLED_WITH_SPARSE)
def test_functions_of_dense_tensors_take_sparse_ones(name):
    torch = pytest.importorskip("torch")
    found = []
    for m in (kadam, torch):
        places, values = m.tensor([[0, 1, 1, 1], [2, 0, 2, 2]]), m.tensor([3.0, 4.0, 5.0, 6.0])
        result = CALLED_WITH_SPARSE[name](m, m.sparse_coo_tensor(places, values, (2, 3)))
        found.append([one.tolist() for one in (result if isinstance(result, tuple) else (result,))])
    assert kadam.allclose(*[kadam.cat([kadam.tensor(one).reshape(-1) for one in each]) for each in found])
    assert [kadam.tensor(one).shape for one in found[0]] == [kadam.tensor(one).shape for one in found[1]]


def test_a_graph_network_learns_by_mm():
    torch = pytest.importorskip("torch")
    found = []
    for m in (kadam, torch):
        adjacency = m.sparse_coo_tensor(m.tensor([[0, 1, 2, 2], [1, 2, 0, 1]]), m.ones(4), (3, 3))
        weight = m.full((4, 2), 0.3).requires_grad_()
        optimizer = m.optim.SGD([weight], lr=0.1)
        for _ in range(8):
            out = m.relu(m.mm(adjacency, m.mm(m.arange(12.0).reshape(3, 4) / 10, weight)))
            loss = ((out - m.eye(3)[:, :2]) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        found.append([loss.item(), *weight.flatten().tolist()])
    assert found[0] == pytest.approx(found[1], rel=1e-4)
