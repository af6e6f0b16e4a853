"""In the steady state nothing is compiled, whatever changes from step to step: numbers, batches, who is trained."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import kadam as torch
from kadam import native, nn
from kadam.nn import functional as F

pytest.importorskip("llvmlite")
pytestmark = pytest.mark.skipif(os.environ.get("KADAM_ENGINE") == "reference", reason="the native engine is off")

WARM, MORE = 6, 6  # epochs: in the first everything is seen often enough to be compiled


def data(rows: int = 50) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    x = torch.randn(rows, 8)
    return x, (x.sum(1) > 0).long()


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))


Epochs = Iterator[float]


def scheduled() -> Epochs:
    """The learning rate and the momentum change; for a while the two are equal."""
    model, (x, y) = network(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.9, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.8)
    while True:
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        yield loss.item()


def a_number_of_the_epoch() -> Epochs:
    model, (x, y) = network(), data()
    optimizer = torch.optim.Adam(model.parameters())
    epoch = 0
    while True:
        epoch += 1
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x) * 0.97**epoch, y) / epoch
        loss.backward()
        optimizer.step()
        yield loss.item()


def last_batches_are_short() -> Epochs:
    model, (x, y) = network(), data()
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=16, shuffle=True)
    optimizer = torch.optim.AdamW(model.parameters())
    while True:
        total = 0.0
        for a, b in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(a), b)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(a)
        model.eval()
        with torch.no_grad():
            total += (model(x).argmax(1) == y).float().mean().item()
        model.train()
        yield total


def accumulated_and_clipped() -> Epochs:
    model, (x, y) = network(), data(48)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
    while True:
        total = 0.0
        for index in range(6):
            part = slice(8 * index, 8 * index + 8)
            loss = F.cross_entropy(model(x[part]), y[part]) / 3
            total += loss.item()  # before the backward pass
            loss.backward()
            if index % 3 == 2:
                nn.utils.clip_grad_norm_(model.parameters(), 0.5 + 0.01 * index)
                optimizer.step()
                optimizer.zero_grad()
        yield total


def two_models_in_turn() -> Epochs:
    torch.manual_seed(0)
    maker = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8))
    judge = nn.Sequential(nn.Linear(8, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
    x, _ = data(32)
    makes, judges = torch.optim.Adam(maker.parameters()), torch.optim.Adam(judge.parameters())
    while True:
        for _ in range(3):
            fake = maker(torch.randn(32, 4))
            real, made = judge(x), judge(fake.detach())
            loss = F.binary_cross_entropy_with_logits(real, torch.ones(32, 1))
            loss = loss + F.binary_cross_entropy_with_logits(made, torch.zeros(32, 1))
            judges.zero_grad()
            loss.backward()
            judges.step()
            makes.zero_grad()
            fooled = F.binary_cross_entropy_with_logits(judge(fake), torch.ones(32, 1))
            fooled.backward()
            makes.step()
        yield loss.item() + fooled.item()


def frozen_with_dropout() -> Epochs:
    torch.manual_seed(0)
    body, head = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3)), nn.Linear(16, 2)
    for parameter in body.parameters():
        parameter.requires_grad_(False)
    x, y = data()
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1, weight_decay=1e-3, nesterov=True, momentum=0.5)
    while True:
        loss = F.cross_entropy(head(body(x)), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item()


LOOPS = [
    scheduled,
    a_number_of_the_epoch,
    last_batches_are_short,
    accumulated_and_clipped,
    two_models_in_turn,
    frozen_with_dropout,
]


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.__name__)
def test_nothing_is_compiled_in_the_steady_state(loop: Callable[[], Epochs]) -> None:
    epochs = loop()
    before = native.stats()
    for _ in range(WARM):
        next(epochs)
    warm = native.stats()
    for _ in range(MORE):
        assert np.isfinite(next(epochs))
    after = native.stats()
    assert warm.programs > before.programs, "the native engine was never used"
    assert after == warm


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.__name__)
def test_two_runs_are_equal_bit_for_bit(loop: Callable[[], Epochs]) -> None:
    runs = []
    for _ in range(5):
        torch.manual_seed(1)
        epochs = loop()
        runs.append([next(epochs) for _ in range(WARM)])
    assert runs[3] == runs[4]  # in the first ones, what happens once in a run was still done by the reference engine


def test_if_llvm_fails_the_reference_goes_on_with_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    from kadam.engines.native import program
    from kadam.engines.native.llvm import NativeUnavailable

    def refuse(texts: object) -> list[int]:
        raise NativeUnavailable("a test says so")

    monkeypatch.setattr(program, "addresses", refuse)
    monkeypatch.delenv("KADAM_ENGINE", raising=False)
    x = torch.arange(7.0)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for number in range(6):
            assert (x * 2 + number).sum().item() == 42 + 7 * number
            assert ((x + 1) * number).sum().item() == 28 * number
    assert ["a test says so" in str(one.message) for one in told] == [True]


def test_a_strided_input_makes_no_results_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a program is called, asks for a plain copy of the input, and is called again: in the same memory."""
    from kadam.engines.native.memory import Results

    made: list[int] = []
    another = Results._another
    monkeypatch.setattr(Results, "_another", lambda self, index: (made.append(index), another(self, index))[1])
    layer, tokens = nn.Embedding(300, 100), torch.randint(0, 300, (4, 9))
    weights = torch.randn(100, 300)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    for step in range(12):
        if step == 8:
            made.clear()
        loss = F.cross_entropy((layer(tokens[:, :-1]) @ weights).flatten(0, 1), tokens[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()
    assert not made
