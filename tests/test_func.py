"""torch.func: derivatives of functions, batches of examples, modules called with other parameters."""

from __future__ import annotations

import numpy as np
import pytest

import kadam
from kadam import func, nn


def test_derivatives_of_derivatives():
    third = func.grad(func.grad(func.grad(lambda x: x**4)))
    assert third(kadam.tensor(2.0)).item() == 48.0
    assert not third(kadam.tensor(2.0)).requires_grad


def test_gradients_of_nested_arguments_and_values():
    def loss(parameters, x):
        return ((parameters["w"] * x + parameters["b"]) ** 2).sum()

    found, value = func.grad_and_value(loss)({"w": kadam.tensor(2.0), "b": kadam.tensor(1.0)}, kadam.tensor([1.0, 3.0]))
    assert value.item() == 9.0 + 49.0
    assert found["w"].item() == 2 * (3 * 1 + 7 * 3)
    assert found["b"].item() == 2 * (3 + 7)
    assert func.grad(lambda x, y: x * y, argnums=(0, 1))(kadam.tensor(2.0), kadam.tensor(5.0))[1].item() == 2.0


def test_gradients_reach_arguments_that_require_grad():
    w = kadam.tensor(3.0, requires_grad=True)
    func.grad(lambda x: x**3)(w).backward()
    assert w.grad.item() == 18.0


DERIVATIVES = {
    "grad": lambda f, x, F: F.grad(f)(x),
    "each": lambda f, x, F: F.vmap(F.grad(f))(x.expand(3, 2)),
    "jacrev": lambda f, x, F: F.jacrev(f)(x),
    "jacfwd": lambda f, x, F: F.jacfwd(f)(x),
    "hessian": lambda f, x, F: F.hessian(f)(x),
    "vjp": lambda f, x, F: F.vjp(f, x)[1](f(x).detach())[0],
    "jvp": lambda f, x, F: F.jvp(f, (x,), (x,))[1],
    "twice": lambda f, x, F: F.grad(lambda x: F.grad(f)(x)[0])(x),
    "value": lambda f, x, F: F.grad_and_value(f)(x)[1],
    "inner": lambda f, x, F: F.grad(lambda y: (y * F.grad(lambda z: z.sum() ** 3)(x)).sum())(x),
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_gradients_reach_what_a_function_takes_from_its_surroundings(name):
    torch = pytest.importorskip("torch")
    found = []
    for library, transforms in ((torch, torch.func), (kadam, func)):
        x, w = library.tensor([0.5, -1.0]), library.tensor([2.0, 3.0], requires_grad=True)

        def alone(x, library=library):
            return library.exp(x[0]) * x[1] ** 3

        def surrounded(x, w=w, alone=alone):
            return (w * x).sum() ** 2 * alone(x)

        take = DERIVATIVES[name]
        assert not take(alone, x, transforms).requires_grad
        result = take(surrounded, x, transforms)
        assert result.requires_grad == (name != "inner")
        if result.requires_grad:
            result.pow(2).sum().backward()
            found.append(w.grad.tolist())
        with library.no_grad():
            assert not take(surrounded, x, transforms).requires_grad
            assert not take(lambda x, w=w, f=surrounded: f(x) * f(w), w, transforms).requires_grad
    np.testing.assert_allclose(*found or ([], []), rtol=1e-5)


def test_surroundings_behind_a_cut_a_change_and_a_custom_function():
    class Double(kadam.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        def backward(ctx, ct):
            return 2 * ct

    def read(x):
        y = x * w
        return y * float(y.detach())

    w, x = kadam.tensor(3.0, requires_grad=True), kadam.tensor(5.0)
    func.grad(read)(x).backward()
    assert w.grad.item() == 15.0
    changed = w * 2
    changed.mul_(w)
    assert func.grad(lambda x: x * changed)(x).requires_grad
    assert func.grad(lambda x: x * Double.apply(w))(x).requires_grad
    assert not func.grad(lambda x: x * Double.apply(x))(x).requires_grad


def test_jacobians_hessians_and_products():
    x = kadam.tensor([1.0, 2.0])
    np.testing.assert_allclose(func.jacrev(lambda v: v**2)(x).numpy(), np.diag([2.0, 4.0]))
    np.testing.assert_allclose(func.hessian(lambda v: (v**3).sum())(x).numpy(), np.diag([6.0, 12.0]))
    value, pull_back = func.vjp(lambda v: v * v[0], x)
    assert value.tolist() == [1.0, 2.0]
    assert pull_back(kadam.tensor([1.0, 1.0]))[0].tolist() == [4.0, 1.0]


def test_a_result_of_several_numbers_has_no_gradient():
    with pytest.raises(RuntimeError, match="scalar tensor"):
        func.grad(lambda x: x * 2)(kadam.ones(2))


def test_batches_of_examples():
    rows = kadam.arange(12.0).view(3, 4)
    assert func.vmap(kadam.dot)(kadam.ones(3, 4), rows).tolist() == rows.sum(1).tolist()
    assert func.vmap(kadam.dot, in_dims=(None, 1))(kadam.ones(3), rows).tolist() == rows.sum(0).tolist()
    assert func.vmap(lambda x: (x, x.sum()), out_dims=(1, 0))(rows)[0].tolist() == rows.T.tolist()
    each = func.vmap(func.grad(lambda w, x: (w * x).sum() ** 2), in_dims=(None, 0))(kadam.ones(4), rows)
    np.testing.assert_allclose(each.numpy(), 2 * rows.sum(1, keepdim=True).numpy() * rows.numpy())
    with pytest.raises(ValueError, match="same size"):
        func.vmap(kadam.dot)(kadam.ones(2, 4), rows)


def test_a_module_with_other_parameters():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    given = {"0.weight": kadam.eye(2, requires_grad=True), "0.bias": kadam.zeros(2)}
    net.eval()
    x = kadam.tensor([[1.0, 2.0]])
    result = func.functional_call(net, given, (x,))
    np.testing.assert_allclose(result.detach().numpy(), x.numpy() / np.sqrt(1 + 1e-5), rtol=1e-6)
    result.sum().backward()
    assert given["0.weight"].grad is not None
    assert net[0].weight.grad is None
    assert all(kadam.equal(before[name], value) for name, value in net.state_dict().items())
    with pytest.raises(RuntimeError, match="unexpected"):
        func.functional_call(net, {"nothing": x}, (x,))


def test_tied_parameters_are_replaced_together():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
            self.b.weight = self.a.weight

        def forward(self, x):
            return self.b(self.a(x))

    assert func.functional_call(Tied(), {"a.weight": kadam.tensor([[3.0]])}, kadam.ones(1)).item() == 9.0


def test_vmap_says_whose_random_numbers_are():
    batch = kadam.zeros(3, 2)

    def noisy(x):
        return x + kadam.rand(2)

    with pytest.raises(RuntimeError, match="randomness"):
        func.vmap(noisy)(batch)
    with pytest.raises(ValueError, match="randomness"):
        func.vmap(noisy, randomness="any")
    same = func.vmap(noisy, randomness="same")(batch)
    assert same[0].tolist() == same[1].tolist() == same[2].tolist()
    different = func.vmap(noisy, randomness="different")(batch)
    assert different[0].tolist() != different[1].tolist()


@pytest.mark.parametrize(
    "use",
    [
        lambda t: t.vmap(lambda x, y: x + y)(t.ones(3), t.ones(4)),
        lambda t: t.vmap(lambda x: x, in_dims=1)(t.ones(3)),
        lambda t: t.vmap(lambda x: 3)(t.ones(3)),
        lambda t: t.vmap(lambda x: x)(3),
    ],
)
def test_what_vmap_cannot_map_is_said_as_pytorch_says_it(use):
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError) as theirs:
        use(torch)
    with pytest.raises(ValueError) as own:
        use(kadam)
    said = str(theirs.value).partition(". Did you mean")[0].removeprefix("vmap: ")
    assert said in str(own.value)


@pytest.mark.parametrize(
    "call",
    {
        "unbatched result": lambda m: m.func.vmap(lambda x, y: (x * 2, y), in_dims=(0, None), out_dims=(0, None))(
            m.arange(6.0).reshape(2, 3), m.ones(3)
        ),
        "in chunks": lambda m: m.func.vmap(lambda x: x.sum(), chunk_size=2)(m.arange(6.0).reshape(3, 2)),
        "rows in chunks": lambda m: m.func.jacrev(lambda x: x**2, chunk_size=1)(m.arange(3.0)),
        "aux has no gradient": lambda m: m.func.jvp(
            lambda x: (x**2, x + 1), (m.arange(3.0),), (m.ones(3),), has_aux=True
        ),
        "aux of a vjp": lambda m: m.func.vjp(lambda x: (x**2, x + 1), m.arange(3.0), has_aux=True)[2],
    }.values(),
)
def test_results_are_those_of_pytorchs_functions(call):
    torch = pytest.importorskip("torch")
    found = []
    for m in (kadam, torch):
        result = call(m)
        parts = result if isinstance(result, tuple) else (result,)
        found.append([(one.tolist(), tuple(one.shape), one.requires_grad) for one in parts])
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.func.vmap(lambda x: x, chunk_size=0)(m.ones(2)),
        lambda m: m.func.vmap(lambda x: x, in_dims=None)(m.ones(2)),
        lambda m: m.func.jacrev(lambda x: x, chunk_size=0)(m.ones(2)),
    ],
)
def test_impossible_chunks_and_axes_are_refused(call):
    torch = pytest.importorskip("torch")
    for m in (kadam, torch):
        with pytest.raises(ValueError):
            call(m)


def test_changes_have_gradients_of_what_the_result_was_made_with():
    torch = pytest.importorskip("torch")
    found = []
    for m in (kadam, torch):
        forward = m.autograd.forward_ad
        x, weight = m.arange(1.0, 4.0).requires_grad_(), m.full((3,), 0.5).requires_grad_()
        with forward.dual_level():
            moved = forward.unpack_dual((forward.make_dual(x, m.ones(3)) ** 3 * weight).sum())
            alone = forward.unpack_dual(forward.make_dual(m.ones(2), m.ones(2)) * 2)
        moved.tangent.backward()
        found.append([moved.tangent.item(), x.grad.tolist(), weight.grad.tolist(), alone.tangent.requires_grad])
    assert found[0] == found[1]
