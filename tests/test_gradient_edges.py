"""`autograd.graph`: edges, functions of several gradients, what is called before a node; and names of gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kadam
from kadam.errors import UnsupportedError


def edges(m: Any) -> list[Any]:
    x = m.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    edge, leaf = m.autograd.graph.get_gradient_edge(y), m.autograd.graph.get_gradient_edge(x)
    z = (y**2).sum()
    found = [edge.node.name(), edge.output_nr, leaf.node.name()]
    found += [one.tolist() for one in m.autograd.grad(z, [edge, x], retain_graph=True)]
    z.backward(inputs=[leaf], retain_graph=True)
    found.append(x.grad.tolist())
    m.autograd.backward(edge, m.ones(2))
    return [*found, x.grad.tolist()]


def test_edges_stand_for_their_tensors():
    torch = pytest.importorskip("torch")
    assert edges(kadam) == edges(torch)


def test_what_needs_no_gradient_has_no_edge():
    with pytest.raises(RuntimeError, match="not possible to get the gradient edge"):
        kadam.autograd.graph.get_gradient_edge(kadam.ones(2))


def groups(m: Any, mode: str) -> list[Any]:
    noted: list[Any] = []

    def note(found: Any) -> None:
        noted.append([None if one is None else one.tolist() for one in found] if mode == "all" else found.tolist())

    a, b = m.tensor([1.0, 2.0], requires_grad=True), m.tensor([3.0, 4.0], requires_grad=True)
    handle = m.autograd.graph.register_multi_grad_hook((a, b), note, mode=mode)
    for _ in range(4):  # the passes after the first take a shorter way
        a.grad = b.grad = None
        (a * 2 + b * 2).sum().backward()
    (a * 5).sum().backward()
    handle.remove()
    (a * b).sum().backward()
    made = a.exp()
    with m.autograd.graph.register_multi_grad_hook((made, b), note, mode=mode):
        made.sum().item()
        made.sum().backward()
    return noted


@pytest.mark.parametrize("mode", ["all", "any"])
def test_functions_of_several_gradients_are_called_once_a_pass(mode):
    torch = pytest.importorskip("torch")
    ours, theirs = groups(kadam, mode), groups(torch, mode)
    assert len(ours) == 6
    assert ours == theirs


def test_another_mode_is_refused():
    with pytest.raises(ValueError, match="Expects mode"):
        kadam.autograd.graph.register_multi_grad_hook((), print, mode="first")


def before_nodes(m: Any) -> list[Any]:
    x = m.tensor([1.0, 2.0], requires_grad=True)
    found: list[Any] = []
    for read in (False, True):
        y = x * x
        if read:  # from here on the history is asked
            y.sum().item()
        y.grad_fn.register_prehook(lambda cts: found.append(cts[0].tolist()))
        handle = y.grad_fn.register_prehook(lambda cts: (cts[0] * 10,))
        y.sum().backward(retain_graph=True)
        handle.remove()
        y.sum().backward()
        found.append(x.grad.tolist())
    return found


def test_functions_before_a_node_see_and_change_what_arrives():
    torch = pytest.importorskip("torch")
    assert before_nodes(kadam) == before_nodes(torch)


def test_functions_after_a_node_are_refused_by_name():
    made = kadam.ones(2, requires_grad=True).exp()
    with pytest.raises(UnsupportedError, match=r"ExpBackward0\.register_hook"):
        made.grad_fn.register_hook(print)


GRADIENTS = {
    "power": lambda m, x, w: x**3,
    "square": lambda m, x, w: m.square(x),
    "tanh": lambda m, x, w: m.tanh(x),
    "sigmoid": lambda m, x, w: m.sigmoid(x),
    "gelu": lambda m, x, w: m.nn.functional.gelu(x),
    "softmax": lambda m, x, w: x.softmax(1)[:, 0],
    "log_softmax": lambda m, x, w: x.log_softmax(1)[:, 0],
    "mse": lambda m, x, w: m.nn.functional.mse_loss(x, w),
    "cross_entropy": lambda m, x, w: m.nn.functional.cross_entropy(x, m.tensor([0, 1, 2])),
    "part": lambda m, x, w: x[0] ** 2,
    "slice": lambda m, x, w: x[1:] ** 2,
    "difference": lambda m, x, w: (x - w) ** 2,
    "taken away": lambda m, x, w: (w - x) ** 2,
    "read twice": lambda m, x, w: x * x.exp(),
    "product": lambda m, x, w: (x @ w).tanh(),
    "norm": lambda m, x, w: x.norm(),
    "std": lambda m, x, w: x.std(),
}


@pytest.mark.parametrize("read", [False, True], ids=["present", "history"])
@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_that_can_be_differentiated_have_pytorchs_names(name, read):
    torch = pytest.importorskip("torch")
    values, weights = np.random.default_rng(0).random((2, 3, 3), np.float32) + 0.1

    def found(m: Any) -> str:
        x = m.tensor(values, requires_grad=True)
        root = GRADIENTS[name](m, x, m.tensor(weights)).sum()
        if read:
            root.item()
        (ct,) = m.autograd.grad(root, x, create_graph=True)
        return str(ct.grad_fn.name())

    assert found(kadam) == found(torch)


def test_what_is_kept_for_jvp_is_there():
    class Product(kadam.autograd.Function):
        @staticmethod
        def forward(x, y):
            return x * y

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)

        @staticmethod
        def backward(ctx, ct):
            x, y = ctx.saved_tensors
            return ct * y, ct * x

        @staticmethod
        def jvp(ctx, dx, dy):
            raise AssertionError("the derivative of backward says it")

    forward_ad = kadam.autograd.forward_ad
    with forward_ad.dual_level():
        x = forward_ad.make_dual(kadam.tensor([2.0, 3.0]), kadam.ones(2))
        tangent = forward_ad.unpack_dual(Product.apply(x, kadam.tensor([5.0, 7.0]))).tangent
    assert tangent.tolist() == [5.0, 7.0]
