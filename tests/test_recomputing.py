"""`utils.checkpoint`: the function is called again in the backward pass, and leaves behind what it does in PyTorch."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

import kadam


def checkpointing(library: Any) -> Any:
    name = "kadam" if library is kadam else "torch"
    return importlib.import_module(f"{name}.utils.checkpoint")


def blocks(m: Any) -> Any:
    class Block(m.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear, self.norm, self.drop = m.nn.Linear(6, 6), m.nn.BatchNorm1d(6), m.nn.Dropout(0.3)

        def forward(self, x: Any) -> Any:
            return m.relu(self.drop(self.norm(self.linear(x))))

    return m.nn.ModuleList([Block() for _ in range(3)])


def trained(m: Any) -> list[Any]:
    """Three steps through checkpointed blocks: losses, running statistics, and what is drawn next."""
    checkpoint = checkpointing(m).checkpoint
    m.manual_seed(2)
    body, x = blocks(m), m.randn(16, 6)
    found = []
    optimizer = m.optim.SGD(body.parameters(), lr=0.1)
    for _ in range(3):
        h = x
        for block in body:
            h = checkpoint(block, h, use_reentrant=False)
        loss = h.pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    counts = [block.norm.num_batches_tracked.item() for block in body]
    return [found, counts, body[1].norm.running_mean.tolist(), m.rand(3).tolist()]


def test_running_statistics_move_twice_and_draws_are_the_same():
    torch = pytest.importorskip("torch")
    (losses, counts, means, drawn), (want, their_counts, their_means, their_drawn) = map(trained, (kadam, torch))
    np.testing.assert_allclose(losses, want, rtol=1e-5)
    assert counts == their_counts == [6, 6, 6]
    np.testing.assert_allclose(means, their_means, rtol=1e-4, atol=1e-6)
    assert drawn == their_drawn


def calls(m: Any) -> list[Any]:
    """How often a function is called at which moment, and what gradients come of it."""
    checkpoint = checkpointing(m)
    noted: list[Any] = []

    def function(x: Any, y: Any) -> Any:
        noted.append("called")
        return x.sin() * y, x.exp()

    a = m.tensor([0.5, 1.0, -2.0], requires_grad=True)
    first, second = checkpoint.checkpoint(function, a, a * 2, use_reentrant=False)
    noted.append("backward")
    (first + second).sum().backward()
    noted.append(a.grad.tolist())
    with m.no_grad():
        checkpoint.checkpoint(function, a, a, use_reentrant=False)
    noted.append("again and again")
    _, second = checkpoint.checkpoint(function, a, a, use_reentrant=False)
    second.sum().backward(retain_graph=True)
    second.sum().backward()
    noted.append(a.grad.tolist())
    chain = m.nn.Sequential(*[m.nn.BatchNorm1d(2) for _ in range(5)])
    x = m.tensor([[1.0, 2.0], [3.0, 5.0]], requires_grad=True)
    checkpoint.checkpoint_sequential(chain, 2, x, use_reentrant=False).sum().backward()
    noted.append([norm.num_batches_tracked.item() for norm in chain])
    return noted


def test_calls_come_when_pytorchs_do():
    torch = pytest.importorskip("torch")
    for ours, theirs in zip(calls(kadam), calls(torch), strict=True):
        if isinstance(theirs, list):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5)
        else:
            assert ours == theirs


def test_a_function_that_gives_back_its_argument_leaves_no_hook_on_it():
    w = kadam.ones(2, requires_grad=True)
    called = []
    same = checkpointing(kadam).checkpoint(lambda x: (called.append(1), x)[1], w, use_reentrant=False)
    (same * 2).sum().backward()
    assert same is w
    assert called == [1]
    assert w._hooks is None
