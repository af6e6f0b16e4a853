"""What `grad_fn.next_functions` shows of how a tensor was made, beside PyTorch's."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import kadam
from kadam.autograd import Variable


def names(function: Any) -> list[Any]:
    """A lineage as nested lists of names; what only transposes a weight is left out, as PyTorch's linear does that."""
    if function.name() == "TBackward0":
        return names(function.next_functions[0][0])
    name = function.name().rpartition("::")[2]
    return [name, *[None if one is None else names(one) for one, _ in function.next_functions]]


def lineages(library: Any) -> list[Any]:
    x = library.ones(2, 4, requires_grad=True)
    net = library.nn.Sequential(library.nn.Linear(4, 3), library.nn.ReLU(), library.nn.Linear(3, 1))
    loss = library.nn.functional.mse_loss(net(x), library.zeros(2, 1))
    found = [names(loss.grad_fn)]
    loss.item()  # closes the recording: from here on its history is read
    found.append(names(loss.grad_fn))
    squares = x * x
    squares.sum().item()
    found += [names((squares * 3 - x).grad_fn), names(library.cat([x, x * 2]).grad_fn), names(x.t()[0].grad_fn)]
    loss.backward()
    return [*found, names(loss.grad_fn)]


def test_lineages_are_pytorchs():
    torch = pytest.importorskip("torch")
    assert lineages(kadam) == lineages(torch)


def test_a_lineage_ends_at_the_leaves_themselves():
    x = kadam.ones(3, requires_grad=True)
    y = (x * 2).exp()
    times, place = y.grad_fn.next_functions[0]
    assert (times.name(), place) == ("MulBackward0", 0)
    assert times.next_functions[0][0].variable is x
    assert times.next_functions[1] == (None, 0)
    assert times == y.grad_fn.next_functions[0][0]
    assert x.grad_fn is None
    assert (kadam.ones(3) + 1).grad_fn is None


def test_each_result_says_which_it_is():
    x = kadam.ones(2, 4, requires_grad=True)
    both = kadam.var_mean(x)
    assert [part.grad_fn.name() for part in both] == ["VarMeanBackward0"] * 2
    assert [(part * 2).grad_fn.next_functions[0][1] for part in both] == [0, 1]


def _changed_below_a_view(base):
    view = base[0]
    base.mul_(2)
    return view


def _accumulated(x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(2):
            x.sin().sum().backward(create_graph=True)
    return x.grad


NAMED = {
    "1 / x": lambda lib, x: 1 / x,
    "2 ** x": lambda lib, x: 2**x,
    "pow(2.0, x)": lambda lib, x: lib.pow(2.0, x),
    "x ** x": lambda lib, x: x**x,
    "x ** 1.5": lambda lib, x: x**1.5,
    "split": lambda lib, x: x.split(1)[1],
    "split by sizes": lambda lib, x: x.split([1, 1], 1)[0],
    "chunk": lambda lib, x: x.chunk(2)[0],
    "unbind": lambda lib, x: x.unbind(1)[0],
    "iteration": lambda lib, x: next(iter(x)),
    "trace": lambda lib, x: x.trace(),
    "dist": lambda lib, x: lib.dist(x, x + 1),
    "lerp": lambda lib, x: lib.lerp(x, x + 1, 0.5),
    "logaddexp": lambda lib, x: lib.logaddexp(x, x),
    "nansum": lambda lib, x: x.nansum(),
    "logcumsumexp": lambda lib, x: x.logcumsumexp(0),
    "clamp_min": lambda lib, x: x.clamp_min(2),
    "log1p": lambda lib, x: x.log1p(),
    "spectral norm": lambda lib, x: lib.linalg.matrix_norm(x, 2),
    "nuclear norm": lambda lib, x: lib.linalg.norm(x, "nuc"),
    "copy_": lambda lib, x: lib.zeros(2, 2).copy_(x),
    "a view of what was changed": lambda lib, x: _changed_below_a_view(x * 2),
    "gradients that have derivatives": lambda lib, x: _accumulated(x),
}


@pytest.mark.parametrize("call", NAMED)
def test_what_a_printed_tensor_tells_of_its_making_is_what_was_called(call: str):
    torch = pytest.importorskip("torch")
    ours, theirs = (
        repr(NAMED[call](library, library.tensor([[1.0, 2.0], [3.0, 5.0]], requires_grad=True)))
        for library in (kadam, torch)
    )
    assert ours == theirs


def test_a_variable_is_a_leaf_over_the_same_memory():
    data = kadam.ones(3)
    leaf = Variable(data, requires_grad=True)
    assert (leaf.requires_grad, data.requires_grad, isinstance(leaf, Variable)) == (True, False, True)
    with kadam.no_grad():
        leaf.add_(1)
    np.testing.assert_array_equal(data.numpy(), [2, 2, 2])
    with pytest.raises(TypeError, match="Variable data has to be a tensor, but got list"):
        Variable([1.0])


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm`")
@pytest.mark.parametrize("dim", [0, 1, None])
def test_a_normed_weight_is_one_step(dim: int | None) -> None:
    def made_by(library: Any) -> str:
        layer = library.nn.utils.weight_norm(library.nn.Conv1d(2, 3, 1), dim=dim)
        return str(layer.weight.grad_fn.name())

    assert made_by(kadam) == made_by(pytest.importorskip("torch"))


def _of_a_custom_function(torch):
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, factor, y):
            ctx.factor = factor
            ctx.save_for_backward(x)
            return x * factor, y + 1

        @staticmethod
        def backward(ctx, one, other):
            return one * ctx.factor, None, other

    x, y = torch.ones(2, requires_grad=True), torch.ones(3, requires_grad=True)
    return Double.apply(x.exp(), 2, y)


@pytest.mark.parametrize("reads", [False, True])
def test_a_custom_function_is_a_node_that_has_what_it_keeps(reads):
    torch = pytest.importorskip("torch")
    told = []
    for library in (kadam, torch):
        one, other = _of_a_custom_function(library)
        total = (one * 3).sum() + other.sum()
        if reads:
            total.item()
        fn = one.grad_fn
        below = (one * 3).grad_fn.next_functions
        told.append(
            [
                repr(fn).partition(" object")[0], type(fn).__name__, fn.name(), fn.factor, fn.saved_tensors[0].tolist(),
                [(made.name(), place) for made, place in fn.next_functions], fn == other.grad_fn,
                [(made and made.name(), place) for made, place in below],
            ]
        )  # fmt: skip
    assert told[0] == told[1]
