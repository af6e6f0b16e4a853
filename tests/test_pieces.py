"""Programs in pieces: what new paths have in common with others runs as compiled code, and gives the same numbers."""

from __future__ import annotations

import gc
import sys

import pytest

import kadam
from kadam import nn
from kadam.engines import pieces
from kadam.engines.native.stats import counters
from kadam.nn import functional as F
from kadam.optim import SGD, Adam
from kadam.recording import calls, step
from kadam.recording.step import state


@pytest.fixture
def crowded(monkeypatch):
    """There are so many paths that new ones must come twice to be kept."""
    step.forget_paths()
    monkeypatch.setattr(step, "SINGLE", 0)
    yield
    step.forget_paths()


@pytest.fixture
def at_first_sight(crowded, monkeypatch):
    """Every piece is compiled."""
    monkeypatch.setattr(pieces, "_kinds", {})
    monkeypatch.setattr(pieces, "USES", 1)
    monkeypatch.setattr(pieces, "PROGRAMS", 1)


class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 6)
        self.mix = nn.Linear(12, 6)
        self.out = nn.Linear(6, 3)

    def forward(self, words):
        hidden = kadam.zeros(1, 6)
        for word in words:
            read = self.embedding(kadam.tensor([word]))
            hidden = kadam.tanh(self.mix(kadam.cat((read, hidden), 1)))
        return F.log_softmax(self.out(hidden), 1)


def _trained(optimizer, lengths=(2, 5, 3, 7, 4, 6)):
    """The losses and the weights that come of sentences of these lengths."""
    kadam.manual_seed(3)
    model = Cell()
    rule = optimizer(model.parameters(), lr=0.05)
    losses = []
    for number, length in enumerate(lengths):
        words = [(number * 5 + at * 3) % 11 for at in range(length)]
        loss = F.nll_loss(model(words), kadam.tensor([number % 3]))
        rule.zero_grad()
        loss.backward()
        rule.step()
        losses.append(loss.item())
    return losses, [one.detach().reshape(-1).tolist() for one in model.parameters()]


@pytest.mark.parametrize("optimizer", [SGD, Adam])
def test_compiled_pieces_give_the_same_numbers(optimizer, at_first_sight, monkeypatch):
    before = counters.programs
    losses, weights = _trained(optimizer)
    assert counters.programs > before
    step.forget_paths()
    monkeypatch.setattr(pieces, "USES", 10**9)
    monkeypatch.setattr(pieces, "_kinds", {})
    expected, wanted = _trained(optimizer)
    assert losses == pytest.approx(expected, rel=1e-5)
    for ours, theirs in zip(weights, wanted, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-6)


def test_what_comes_up_in_many_programs_is_compiled_once(crowded, monkeypatch):
    monkeypatch.setattr(pieces, "_kinds", {})
    lengths = [2 + (number * 7) % 23 for number in range(23)]  # each once
    _trained(SGD, lengths)
    before = counters.programs
    _trained(SGD, [length + 23 for length in lengths[:6]])
    assert counters.programs == before
    shared = [kind for kind in pieces._kinds.values() if kind.compiled is not None]
    assert shared
    assert all(kind.programs >= pieces.PROGRAMS for kind in shared)


def test_a_path_that_comes_back_is_compiled_as_a_whole_not_in_pieces(monkeypatch):
    step.forget_paths()
    monkeypatch.setattr(pieces, "_kinds", {})
    _trained(SGD, [5] * 20)
    assert not any(kind.compiled for kind in pieces._kinds.values())
    step.forget_paths()


def test_an_error_in_a_compiled_piece_names_the_line_of_its_own_program(at_first_sight):
    table = kadam.ones(4, 2)
    assert F.embedding(kadam.tensor([1, 3]), table).sum().item() == 4
    before = table * 2.0  # so that it is another path
    line = sys._getframe().f_lineno + 2
    with pytest.raises(IndexError, match=rf"index 7 is out of bounds(.|\n)*recorded at .*test_pieces.py:{line}"):
        (F.embedding(kadam.tensor([1, 7]), table).sum() * 2).item()
    assert before.sum().item() == 16


def test_memory_that_does_not_lie_in_rows_is_read_as_it_lies(at_first_sight):
    x = kadam.arange(12.0).reshape(3, 4)
    assert (x.t() * 2 + 1).sum(0).tolist() == [16.0, 48.0, 80.0]


@pytest.mark.parametrize("optimizer", [SGD, Adam])
def test_paths_that_are_not_kept_give_the_same_numbers(optimizer, crowded, monkeypatch):
    monkeypatch.setattr(pieces, "USES", 10**9)
    losses, weights = _trained(optimizer)
    monkeypatch.setattr(step, "SINGLE", 10**9)
    step.forget_paths()
    expected, wanted = _trained(optimizer)
    assert losses == expected
    assert weights == wanted


def test_a_path_is_kept_when_it_comes_again(crowded, monkeypatch):
    extend, seen = calls.extend, []
    monkeypatch.setattr(calls, "extend", lambda *given: (seen.append(1), extend(*given))[1])
    known = []
    for _ in range(4):
        seen.clear()
        assert (kadam.ones(3) * 2.0 + 1.0).sum().item() == 9
        known.append(len(seen))
    assert known == [3, 3, 0, 0]
    assert state.roots[True].size()[0] == 4  # with the root


def test_a_pass_goes_back_through_recordings_that_are_not_kept(crowded):
    weight = kadam.full((3,), 0.5, requires_grad=True)
    value = weight.exp()
    assert value.sum().item() > 0  # the recording ends
    value = value * weight
    assert value.sum().item() > 0
    value.sum().backward()
    assert kadam.allclose(weight.grad, weight.detach().exp() * (1 + weight.detach()))


def test_a_path_that_is_not_kept_leaves_nothing_for_the_garbage_collector(crowded):
    def left(lengths):
        _trained(SGD, (2, 3))
        gc.collect()
        gc.disable()
        try:
            _trained(SGD, lengths)
            return gc.collect()
        finally:
            gc.enable()

    assert left(range(20, 30)) < left(range(4, 6)) + 500  # some 10,000 nodes, if paths were cycles
