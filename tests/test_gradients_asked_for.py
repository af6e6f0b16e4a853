"""`grad` and `backward(inputs=)` go where the tensors asked for are, and nowhere else: as in PyTorch."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import kadam


def doubled(m, called):
    class Doubled(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, ct):
            called.append("doubled")
            return ct * 2

    return Doubled.apply


def piece_by_piece(m, note, read):
    x, w = note.leaf(5, 3), note.leaf(3, 4)
    h = x @ w
    y = h.tanh() ** 2
    read(y)
    note(*m.autograd.grad(y[:, 0].sum(), h))
    read(y)
    note(*m.autograd.grad(h[:, 1].exp().sum(), (x, w)))


def each_way_once(m, note, read):
    a, b = note.leaf(4), note.leaf(4)
    y = (a * b).sum()
    read(y)
    note(*m.autograd.grad(y, a))
    note(*m.autograd.grad(y, b))


def hooks_elsewhere(m, note, read):
    x, w = note.leaf(3), note.leaf(3)
    h, other = x.sin(), w.exp()
    y = (h * other).sum()
    h.register_hook(lambda ct: note("h", ct))
    other.register_hook(lambda ct: note("other", ct))
    other.retain_grad()
    read(y)
    note(*m.autograd.grad(y, x, retain_graph=True))
    note(other.grad is None)
    note(*m.autograd.grad(y, h))


def functions_elsewhere(m, note, read):
    called = []
    x, w = note.leaf(3), note.leaf(3)
    f = doubled(m, called)
    a, b = f(x.sin()), f(w.exp())
    y = (f(a) * b).sum()
    read(y)
    note(*m.autograd.grad(y, a, retain_graph=True), str(called))
    note(*m.autograd.grad(y, w, retain_graph=True), str(called))
    note(*m.autograd.grad(y, x), str(called))


def functions_of_what_changes(m, note, read):
    called = []
    x = note.leaf(3)
    h = x.sin()
    read(h)
    a = doubled(m, called)(h)
    read(a)
    h.mul_(3)
    b = doubled(m, called)(h)
    h.add_(a)
    y = (a + b + h).sum()
    read(y)
    note(*m.autograd.grad(y, (a, b, h), retain_graph=True), str(called))
    note(*m.autograd.grad(y, x, retain_graph=True), str(called))
    y.backward()
    note(x.grad)


def through_many_recordings(m, note, read):
    x = note.leaf(3)
    states = [x.sin()]
    for _ in range(40):
        states.append((states[-1] * 1.1).tanh() + states[0] * 0.1)
        read(states[-1])
    note(*m.autograd.grad(states[-1].sum(), states[20]))
    note(*m.autograd.grad(states[20].sum(), (states[3], states[0])))
    note(*m.autograd.grad(states[0].sum(), x))


def a_leaf_and_more(m, note, read):
    x, w = note.leaf(3), note.leaf(3)
    h = (x * w).exp()
    y = (h * w).sin()
    read(y)
    note(*m.autograd.grad(y.sum(), (h, w, y)))
    note(*m.autograd.grad(h.sum(), x))


def kept_in_fields(m, note, read):
    x, w = note.leaf(3), note.leaf(3)
    h = x.exp() + 1
    h.retain_grad()
    y = (h * w).sin().sum()
    read(y)
    y.backward(inputs=[h])
    note(h.grad, x.grad is None, w.grad is None)
    read(h)
    h.sum().backward()
    note(h.grad, x.grad)


def differentiated_again(m, note, read):
    x, w = note.leaf(3), note.leaf(3)
    h = x.exp()
    y = (h * w).sin().sum()
    (g,) = m.autograd.grad(y, h, create_graph=True)
    read(g)
    note(g, *m.autograd.grad((g**2).sum(), (w, x), retain_graph=True))
    note(*m.autograd.grad(g.sum(), x))


def changed_in_place(m, note, read):
    x = note.leaf(4)
    h = x.sin()
    read(h)
    before = h * 3
    h.mul_(2)
    y = (h * 3 + before).sum()
    read(y)
    note(*m.autograd.grad(y, before, retain_graph=True))
    note(*m.autograd.grad(y, h, retain_graph=True))
    note(*m.autograd.grad(y, x))


def parts_of_memory(m, note, read):
    w = note.leaf(3)
    rows = m.zeros(4, 3)
    for i in range(3):
        rows[i] = w * (i + 1)
        read(rows)
    y = rows.exp()
    note(*m.autograd.grad(y.sum(), rows))
    note(*m.autograd.grad(rows[1].sum(), w))


def apart(m, note, read):
    x, w = note.leaf(3), note.leaf(3)
    y, z = x.exp(), w.exp()
    read(y)
    note(m.autograd.grad(y.sum(), (w, z), allow_unused=True) == (None, None))
    note(*m.autograd.grad(y.sum(), x))


def what_was_freed(m, note, read):
    x = note.leaf(3)
    h = x.exp()
    y = h.sin()
    read(y)
    note(*m.autograd.grad(y.sum(), h))
    note(*m.autograd.grad(y.sum(), x))


PROGRAMS = [
    functions_of_what_changes, piece_by_piece, each_way_once, hooks_elsewhere, functions_elsewhere,
    through_many_recordings, a_leaf_and_more, kept_in_fields, differentiated_again, changed_in_place, parts_of_memory,
    apart, what_was_freed,
]  # fmt: skip


class Note:
    """What a program saw."""

    def __init__(self, m):
        self.m, self.seen, self.random = m, [], np.random.default_rng(0)

    def leaf(self, *shape):
        return self.m.tensor(self.random.standard_normal(shape), requires_grad=True)

    def __call__(self, *what):
        for one in what:
            self.seen.append(one.detach().numpy().copy() if hasattr(one, "detach") else one)


def outcome(m, program, read):
    note = Note(m)
    for _ in range(3):  # at first sight, and then on a known path
        try:
            program(m, note, read)
        except RuntimeError as error:
            note("a second time" in str(error))
    return note.seen


@pytest.mark.parametrize("looked_at", [False, True], ids=["", "looked at"])
@pytest.mark.parametrize("read", [lambda y: None, lambda y: y.sum().item()], ids=["one recording", "several"])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_as_in_pytorch(program, read, looked_at):
    torch = pytest.importorskip("torch")
    with kadam.autograd.set_detect_anomaly(looked_at):
        computed = outcome(kadam, program, read)
    expected = outcome(torch, program, read)
    assert len(computed) == len(expected)
    for one, other in zip(computed, expected, strict=True):
        if isinstance(other, np.ndarray):
            np.testing.assert_allclose(one, other, rtol=1e-9)
        else:
            assert one == other


def test_who_asks_a_computed_tensor_for_its_gradient_is_warned():
    def warned(torch, ask):
        x = torch.ones(2, requires_grad=True)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert ask(x) is None
        return [str(one.message).split(". See")[0].rstrip(".") for one in caught]

    def retained(x):
        y = x * 2
        y.retain_grad()
        return y.grad

    asks = [lambda x: (x * 2).grad, lambda x: x.grad, lambda x: x.view(2, 1).grad, lambda x: x.detach().grad, retained]
    torch = pytest.importorskip("torch")
    found = [warned(kadam, ask) for ask in asks]
    assert [len(one) for one in found] == [1, 0, 1, 0, 0]
    assert found == [warned(torch, ask) for ask in asks]
