"""Hooks of what derivatives read: gradients are those of what the hooks give back, as in PyTorch."""

from __future__ import annotations

import pytest

import kadam


def _gradient(m, x, forward, pack, unpack, inside=False, times=1):
    """The gradients of `times` steps in which the forward pass stands in a block with hooks."""
    found = []
    for _ in range(times):
        x.grad = None
        with m.autograd.graph.saved_tensors_hooks(pack, unpack):
            loss = forward(m, x).sum()
            if inside:
                loss.backward()
        if not inside:
            loss.backward()
        found.append(x.grad.tolist())
    return found


FORWARDS = {
    "square": lambda m, x: x**2,
    "exponential": lambda m, x: x.exp() * 3,
    "product": lambda m, x: x * x.sin(),
    "layers": lambda m, x: m.nn.functional.linear(x.view(1, 3), m.ones(2, 3) * 0.1).tanh() ** 2,
    "read on the way": lambda m, x: (x**2) * (1 if (x**3).sum().item() > 0 else 2),
}


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("name", FORWARDS)
def test_gradients_are_those_of_what_was_unpacked(name, inside):
    torch = pytest.importorskip("torch")
    hooks = {
        "the same": (lambda one: one, lambda one: one),
        "an array": (lambda one: one.detach().numpy().copy(), None),
        "half": (lambda one: one.detach().half(), lambda one: one.float()),
    }
    for pack, unpack in hooks.values():
        found = []
        for m in (kadam, torch):
            x = m.tensor([0.5, 1.0, -2.0], requires_grad=True)
            found.append(_gradient(m, x, FORWARDS[name], pack, unpack or m.from_numpy, inside, times=7))
        assert kadam.allclose(kadam.tensor(found[0]), kadam.tensor(found[1]), rtol=2e-3)


@pytest.mark.parametrize("inside", [False, True])
def test_what_is_unpacked_is_what_derivatives_read(inside):
    x = kadam.tensor([1.0, 2.0], requires_grad=True)
    found = _gradient(kadam, x, FORWARDS["square"], lambda one: one.detach(), lambda one: 10 * one, inside, times=7)
    assert found == [[20.0, 40.0]] * 7
    x.grad = None
    (x**2).sum().backward()  # the same calls without hooks
    assert x.grad.tolist() == [2.0, 4.0]


def test_blocks_may_stand_in_blocks():
    a, b = (kadam.ones(2, requires_grad=True) for _ in range(2))
    times = kadam.autograd.graph.saved_tensors_hooks
    with times(lambda one: one.detach(), lambda one: 3 * one):
        first = (a**2).sum()
        with times(lambda one: one.detach(), lambda one: 5 * one):
            second = (b**2).sum()
        third = (a**2).sum()
    (first + second + third).backward()
    assert a.grad.tolist() == [12.0, 12.0]
    assert b.grad.tolist() == [10.0, 10.0]


def test_values_are_packed_once_and_let_go():
    packed, unpacked = [], []
    x = kadam.rand(3, requires_grad=True)
    with kadam.autograd.graph.saved_tensors_hooks(
        lambda one: packed.append(tuple(one.shape)) or len(packed), lambda at: unpacked.append(at) or kadam.zeros(3)
    ):
        y = x.exp() * 2
    assert packed == [(3,)]
    assert unpacked == []
    y.sum().backward()
    assert unpacked == [1]
    assert x.grad.tolist() == [0.0, 0.0, 0.0]


def test_second_derivatives_go_through_what_was_packed():
    torch = pytest.importorskip("torch")
    found = []
    for m in (kadam, torch):
        x = m.tensor([0.5, 1.0, -2.0], requires_grad=True)
        with m.autograd.graph.saved_tensors_hooks(lambda one: one.clone(), lambda one: one):
            y = (x**3).sum()
        (gradient,) = m.autograd.grad(y, x, create_graph=True)
        found.append((gradient.tolist(), m.autograd.grad(gradient.sum(), x)[0].tolist() if m is kadam else None))
    assert found[0][0] == found[1][0]
    assert found[0][1] == pytest.approx([3.0, 6.0, -12.0])


@pytest.mark.parametrize(
    ("pack", "unpack", "error"),
    [
        (lambda one: one, lambda one: 3, TypeError),
        (lambda one: one, lambda one: 1 / 0, ZeroDivisionError),
    ],
)
def test_wrong_hooks_are_refused(pack, unpack, error):
    torch = pytest.importorskip("torch")
    for m in (kadam, torch):
        x = m.ones(2, requires_grad=True)
        with m.autograd.graph.saved_tensors_hooks(pack, unpack):
            y = (x**2).sum()
        with pytest.raises(error):
            y.backward()
        x.grad = None
        (x * x).sum().backward()
        assert x.grad.tolist() == [2.0, 2.0]


def test_blocks_end_where_a_hook_fails():
    x = kadam.ones(2, requires_grad=True)
    with pytest.raises(ZeroDivisionError), kadam.autograd.graph.saved_tensors_hooks(lambda one: 1 / 0, lambda one: one):
        y = (x**2).sum()
    del y
    (x * x).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_hooks_can_be_forbidden():
    graph = kadam.autograd.graph
    with graph.disable_saved_tensors_hooks("none here"):
        with (
            pytest.raises(RuntimeError, match="none here"),
            graph.saved_tensors_hooks(lambda one: one, lambda one: one),
        ):
            pass
        assert (kadam.ones(2) * 2).tolist() == [2.0, 2.0]
    with graph.saved_tensors_hooks(lambda one: one, lambda one: one), graph.save_on_cpu():
        assert (kadam.ones(2) * 2).tolist() == [2.0, 2.0]


def test_a_saved_tensor_that_its_holder_changes_was_packed_before():
    torch = pytest.importorskip("torch")
    found = []
    for m in (kadam, torch):
        x = m.ones(3, requires_grad=True)
        with m.autograd.graph.saved_tensors_hooks(lambda one: one.clone(), lambda one: one):
            held = x * 2
            loss = (held * held).sum()
        with m.no_grad():
            held.mul_(5)
        loss.backward()
        found.append(x.grad.tolist())
    assert found[0] == found[1]


def test_what_a_custom_function_saves_is_packed():
    torch = pytest.importorskip("torch")
    found = []
    for m in (kadam, torch):

        class Square(m.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x, None)
                return x * x

            @staticmethod
            def backward(ctx, grad):
                x, nothing = ctx.saved_tensors
                assert nothing is None
                return 2 * x * grad

        x = m.tensor([1.0, 2.0], requires_grad=True)
        packed = []
        with m.autograd.graph.saved_tensors_hooks(
            lambda one, packed=packed: (packed.append(1), one)[1], lambda one: one * 10
        ):
            y = Square.apply(x)
        y.sum().backward()
        found.append((x.grad.tolist(), len(packed)))
    assert found[0] == found[1]
